#!/usr/bin/env bash
# Pins every dependency, with hashes and without the address of any registry.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(mktemp -d); trap 'rm -rf "$uv"' EXIT
python3 -m venv "$uv" && "$uv/bin/pip" install -q uv
header='# Made by `make lock` (uv pip compile, no index addresses, with hashes). Do not edit.'
for target in requirements: requirements-dev:dev; do
    file=${target%%:*}.lock extra=${target#*:}
    cp "$file" "$file.new"  # what is pinned stays, unless it has to move
    "$uv/bin/uv" pip compile -q pyproject.toml ${extra:+--extra "$extra"} --no-emit-index-url --no-header \
        --generate-hashes --python-version 3.11 -o "$file.new"
    { echo "$header"; cat "$file.new"; } > "$file" && rm "$file.new"
done
