#!/usr/bin/env bash
# Writes requirements.lock, requirements-otel.lock and requirements-dev.lock: versions and hashes for every platform, and no address of a registry.
# Usage: lock.sh UV
set -eu
uv=$1
words=(--generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate --quiet)
echo 'setuptools>=77' | "$uv" pip compile pyproject.toml - "${words[@]}" --output-file requirements.lock
echo 'setuptools>=77' | "$uv" pip compile pyproject.toml - --extra otel --constraint requirements.lock "${words[@]}" --output-file requirements-otel.lock
"$uv" pip compile pyproject.toml --extra dev --extra otel --constraint requirements-otel.lock "${words[@]}" --output-file requirements-dev.lock
if grep -n '://' requirements*.lock; then
  echo 'A lock file names an address.' >&2
  exit 1
fi
