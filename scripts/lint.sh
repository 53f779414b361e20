#!/usr/bin/env bash
# ruff (rules and formatting) and mypy. Needs scripts/setup.sh.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"
# shellcheck source=scripts/env.sh
source scripts/env.sh
echo "ruff"
ruff check .
ruff format --check .
echo "mypy"
mypy
