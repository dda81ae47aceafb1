#!/usr/bin/env bash
# Makes a virtual environment with $PYTHON, or the first Python of at least 3.11 on this machine. Usage: venv.sh DIR
set -eu
for name in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
  if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$name" -m venv "$1"
  fi
done
echo 'Install Python 3.11 or newer with venv (Debian: apt-get install python3.11 python3.11-venv) and try again.' >&2
exit 1
