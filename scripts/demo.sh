#!/usr/bin/env bash
# The demo. INTENT, SCENE, MODEL and DEVICE come through the environment. Needs scripts/setup.sh.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"
# shellcheck source=scripts/env.sh
source scripts/env.sh

commit="unknown"
if git rev-parse --short HEAD >/dev/null 2>&1; then
  commit="$(git rev-parse --short HEAD)"
  [ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit-dirty"
fi
mkdir -p out
touch out/COLCON_IGNORE
exec python install/lisa_ros/lib/lisa_ros/demo \
  --intent "${INTENT:-change the TV channel}" --scene "${SCENE:-living_room_remote}" \
  --model "${MODEL:-}" --device "${DEVICE:-}" --commit "$commit" --out out/demo
