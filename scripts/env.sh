# Sourced by the other scripts: the environment of this repository, .venv with ROS 2 from wheels.
# Usage in a shell of your own, after `make setup`:  source scripts/env.sh
#
# A ROS installation that is sourced in the calling shell is hidden on purpose: the packages of two ROS
# distributions in one process do not fit together. On a ROS installation use colcon and ros2 directly.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export VIRTUAL_ENV="$ROOT/.venv"

unset PYTHONHOME PYTHONPATH LD_LIBRARY_PATH
unset CMAKE_PREFIX_PATH COLCON_PREFIX_PATH ROS_DISTRO
# Set when this shell was started by a Python of another environment with the ROS wheels: the wheels
# would then believe that the library path is set already, and rclpy would not import.
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE
# The wheels install into the environment like into a ROS prefix.
export AMENT_PREFIX_PATH="$VIRTUAL_ENV"
case ":$PATH:" in
  *":$VIRTUAL_ENV/bin:"*) ;;
  *) export PATH="$VIRTUAL_ENV/bin:$PATH" ;;
esac

# As in lisa_ros/transport.py, which says why; a test holds them together.
export FASTDDS_BUILTIN_TRANSPORTS="${FASTDDS_BUILTIN_TRANSPORTS:-DEFAULT?sockets_size=8MB}"

if [ -f "$ROOT/install/local_setup.bash" ]; then
  # colcon's script reads unset variables.
  case $- in *u*) _lisa_restore_u=1; set +u ;; *) _lisa_restore_u= ;; esac
  # shellcheck disable=SC1091
  source "$ROOT/install/local_setup.bash"
  [ -z "$_lisa_restore_u" ] || set -u
  unset _lisa_restore_u
fi
