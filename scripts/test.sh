#!/usr/bin/env bash
# ruff, mypy and pytest, in this order; the last line is pytest's summary. Needs scripts/setup.sh.
# Arguments go to pytest:  scripts/test.sh -m 'not slow' test/lisa_model
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"
# shellcheck source=scripts/env.sh
source scripts/env.sh
bash scripts/lint.sh
echo "pytest"
exec python -m pytest "$@" </dev/null
