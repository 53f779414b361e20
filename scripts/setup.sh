#!/usr/bin/env bash
# Makes everything that the demo and the tests need: system packages, .venv, Python packages, base
# weights, build. Every step is skipped when it was done before; an interrupted run goes on where it
# stopped.
#
# PYTHON=/path/to/python3  chooses the interpreter (3.11, 3.12 or 3.13) for .venv.
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"
# shellcheck source=scripts/common.sh
source scripts/common.sh

STAMP="$ROOT/.venv/lisa_ros-requirements.sha256"

supported() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    supported "$PYTHON" || die "PYTHON=$PYTHON is not a Python of version 3.11, 3.12 or 3.13"
    printf '%s\n' "$PYTHON"
    return
  fi
  for candidate in python3 python3.12 python3.11 python3.13; do
    if command -v "$candidate" >/dev/null && supported "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
}

has_library() {
  { command -v ldconfig >/dev/null && ldconfig -p || /sbin/ldconfig -p; } | grep -q "$1"
}

# Prints the Debian/Ubuntu packages that are needed and not there. Each is looked for by what it
# provides, since it may have come from elsewhere (a Python built by hand, say).
missing_packages() {
  local python="$1"
  if [ -z "$python" ]; then
    printf 'python3 python3-venv python3-dev '
  else
    "$python" -c 'import ensurepip, venv' 2>/dev/null || printf 'python3-venv '
    # The compiled interfaces are Python extensions.
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
      || printf 'python3-dev '
  fi
  command -v g++ >/dev/null && command -v make >/dev/null || printf 'build-essential '
  command -v cmake >/dev/null || printf 'cmake '
  # opencv-python links these two.
  has_library 'libGL\.so\.1' || printf 'libgl1 '
  has_library 'libgthread-2\.0\.so\.0' || printf 'libglib2.0-0 '
}

step_system() {
  local python packages
  python="$(find_python)"
  packages="$(missing_packages "$python")"
  if [ -z "$packages" ]; then
    say "[1/5] System packages: all there"
    return
  fi
  # shellcheck disable=SC2086
  set -- $packages
  if ! command -v apt-get >/dev/null; then
    die "this system lacks what these Debian packages provide: $*" \
      "Install their counterparts, then run the command again."
  fi
  if [ "$(id -u)" -ne 0 ]; then
    die "system packages are missing: $*" \
      "Install them, then run the command again:" \
      "    sudo apt-get update && sudo apt-get install -y $*"
  fi
  say "[1/5] System packages: installing $*"
  logged apt.log apt-get update || die "'apt-get update' failed, see above"
  logged apt.log env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "$@" \
    || die "could not install: $*" "See above; install them by hand, then run the command again."
  python="$(find_python)"
  [ -n "$python" ] || die "no Python of version 3.11, 3.12 or 3.13 was found" \
    "Install one and name it: PYTHON=/path/to/python3.12 make setup"
  packages="$(missing_packages "$python")"
  [ -z "$packages" ] || die "still missing after the installation: $packages" \
    "Is '$python' the system's Python? Another can be named: PYTHON=/usr/bin/python3 make setup"
}

step_venv() {
  local python
  python="$(find_python)"
  if [ -x .venv/bin/python ] && .venv/bin/python -c 'import pip' 2>/dev/null; then
    supported .venv/bin/python || die ".venv has an unsupported Python" \
      "Remove it (rm -r .venv) and run the command again."
    say "[2/5] Environment .venv: there"
  else
    say "[2/5] Environment .venv: creating it with $("$python" --version)"
    logged venv.log "$python" -m venv .venv || die "could not create .venv" \
      "Remove it (rm -r .venv) and run the command again."
  fi
  # The environment holds ROS packages: colcon must not take them for packages of this workspace.
  touch .venv/COLCON_IGNORE
  for folder in data out; do
    [ ! -d "$folder" ] || touch "$folder/COLCON_IGNORE"
  done
}

pip_install() {
  local log="$1"
  shift
  logged "$log" .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@" \
    || die "pip could not install the Python packages" \
      "Is the network there, and some 9 GB of disk? Then run the command again: it goes on from here."
}

step_packages() {
  local wanted
  wanted="$({ .venv/bin/python --version; cat requirements.txt requirements-ros.txt \
    requirements-dev.txt; } | sha256sum | cut -d' ' -f1)"
  if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ]; then
    say "[3/5] Python packages: all there"
    return
  fi
  rm -f "$STAMP"
  # Both opencv packages provide the module cv2 and overwrite each other's files.
  if .venv/bin/python -m pip show --quiet opencv-python-headless >/dev/null 2>&1; then
    .venv/bin/python -m pip uninstall --quiet --yes opencv-python-headless opencv-python \
      >"$LOG_DIR/pip-opencv.log" 2>&1 || true
  fi
  say "[3/5] Python packages: PyTorch (the largest, up to 3 GB to load)"
  # shellcheck disable=SC2046
  pip_install pip-torch.log $(grep -E '^(torch|torchvision)==' requirements.txt)
  say "      Python packages: the model's, ROS 2 Jazzy's and the tests'"
  pip_install pip.log -r requirements.txt -r requirements-ros.txt -r requirements-dev.txt
  printf '%s\n' "$wanted" >"$STAMP"
}

step_weights() {
  say "[4/5] Base weights"
  # In the foreground: it shows its own progress.
  (
    # shellcheck source=scripts/env.sh
    source scripts/env.sh
    python -m lisa_model.base_weights </dev/null
  ) || die "the base weights could not be made ready" \
    "Is the network there? Then run the command again: it goes on from here."
}

step_build() {
  bash scripts/build.sh "[5/5]"
}

step_system
step_venv
step_packages
step_weights
step_build
