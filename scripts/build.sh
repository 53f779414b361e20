#!/usr/bin/env bash
# Builds the package with a plain `colcon build` into build/ and install/, unless nothing changed since
# the last time. Needs what scripts/setup.sh installs.   Usage: build.sh [LABEL]
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"
# shellcheck source=scripts/common.sh
source scripts/common.sh
LABEL="${1:-}"
LABEL="${LABEL:+$LABEL }"
STAMP="$ROOT/install/lisa_ros-sources.sha256"

[ -x .venv/bin/colcon ] || die ".venv has no colcon" "Run 'make setup' first."

# Everything that CMakeLists.txt installs or reads. Where the sources or the environment lie matters
# too: CMake keeps absolute paths.
source_hash() {
  {
    printf '%s\n' "$ROOT"
    .venv/bin/python --version
    cat .venv/lisa_ros-requirements.sha256 2>/dev/null || true
    find CMakeLists.txt package.xml scripts/program.py.in action msg srv config launch scenes \
      lisa_ros lisa_model training -type f -not -path '*/__pycache__/*' -print0 \
      | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -d' ' -f1
}

wanted="$(source_hash)"
if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ]; then
  say "${LABEL}Build: up to date"
  exit 0
fi
# A build folder that was moved or copied here holds paths of its old place.
if [ -f build/lisa_ros/CMakeCache.txt ] \
  && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" build/lisa_ros/CMakeCache.txt; then
  rm -rf build install
fi
say "${LABEL}Build: colcon build (about half a minute)"
rm -f "$STAMP"
(
  # shellcheck source=scripts/env.sh
  source scripts/env.sh
  # Without what an earlier build put there: it would count as an underlay of this one.
  unset COLCON_PREFIX_PATH CMAKE_PREFIX_PATH PYTHONPATH LD_LIBRARY_PATH
  export AMENT_PREFIX_PATH="$VIRTUAL_ENV"
  logged build.log colcon build
) || die "the build failed, see above"
# colcon reports success for packages it did not recognise as ROS packages.
[ -f install/lisa_ros/share/lisa_ros/package.xml ] \
  || die "colcon built no package lisa_ros" "Is package.xml valid? See log/build.log."
printf '%s\n' "$wanted" >"$STAMP"
