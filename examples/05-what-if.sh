#!/usr/bin/env bash
# What if? The real scheduler and reconcilers over machines that do not exist: needs no root and no running Hatoba.
cd "$(dirname "$0")" || exit 1
hatoba=${HATOBA:-../.venv/bin/hatoba}
$hatoba simulate what-if.toml
