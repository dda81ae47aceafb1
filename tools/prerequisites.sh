#!/usr/bin/env bash
# What the tests need besides Python: a JDK 17 and Maven (Kafka, HAPI's client), Node.js with npm (official FHIR files, clients),
# Chromium (portal).
# On Debian as root what is missing is installed; elsewhere one sentence says what to install.
set -eu

java_is_17() {
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
  [ -n "$version" ] && [ "$version" -ge 17 ] && command -v javac >/dev/null
}

missing=()
java_is_17 || missing+=(java)
command -v mvn >/dev/null || missing+=(maven)
command -v node >/dev/null && command -v npm >/dev/null || missing+=(node)
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || [ ! -e /etc/debian_version ] || ! command -v apt-get >/dev/null; then
  echo "The tests need a JDK 17 or newer, Maven, Node.js with npm and Chromium; missing here: ${missing[*]}. Install them and try again." >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
packages=()
for name in "${missing[@]}"; do
  case $name in
    java) packages+=("$(apt-cache show openjdk-17-jdk-headless >/dev/null 2>&1 && echo openjdk-17-jdk-headless || echo default-jdk-headless)") ;;
    maven) packages+=(maven) ;;
    chromium) packages+=(chromium) ;;
    node) packages+=(nodejs); command -v npm >/dev/null || packages+=(npm) ;;
  esac
done
apt-get install -q -y --no-install-recommends "${packages[@]}"
