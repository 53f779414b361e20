"""What has to be installed, and what may be.

The ranges are those of pyproject.toml (a test compares them): an installation by colcon has no
metadata that could be asked.
"""

from __future__ import annotations

from dataclasses import dataclass

PYTHON_LOW = (3, 11)

# Distribution: lowest release that will do, first that will not.
REQUIRED: dict[str, tuple[str, str]] = {
    "accelerate": ("1.10", "2"),
    "gguf": ("0.17", "1"),
    "numpy": ("2.0", "3"),
    "onnx": ("1.18", "2"),
    "opencv-python": ("4.10", "6"),
    "peft": ("0.17", "1"),
    "pillow": ("10", "14"),
    "pyyaml": ("6.0", "7"),
    "rosbags": ("0.11", "0.12"),
    "safetensors": ("0.6", "1"),
    "segment-anything": ("1.0", "2"),
    "sentencepiece": ("0.2", "1"),
    "torch": ("2.10", "3"),
    "torchao": ("0.18", "0.19"),
    "torchvision": ("0.25", "1"),
    "transformers": ("5.10", "6"),
}


@dataclass(frozen=True, kw_only=True)
class OptionalModule:
    """A module that something optional needs.

    Args:
        module: as it is imported.
        purpose: what does not work without it.
        how: how to install it.
    """

    module: str
    purpose: str
    how: str


OPTIONAL: tuple[OptionalModule, ...] = (
    OptionalModule(
        module="tf2_ros",
        purpose="parameters target_frame and follow_fixed_frame",
        how="apt install ros-$ROS_DISTRO-tf2-ros-py",
    ),
    OptionalModule(
        module="bondpy",
        purpose="parameter bond_heartbeat_period",
        how="apt install ros-$ROS_DISTRO-bondpy",
    ),
    OptionalModule(
        module="vision_msgs",
        purpose="topic detections",
        how="apt install ros-$ROS_DISTRO-vision-msgs",
    ),
    OptionalModule(
        module="launch_ros",
        purpose="launch files",
        how="apt install ros-$ROS_DISTRO-launch-ros",
    ),
    OptionalModule(
        module="bitsandbytes", purpose="quantization nf4", how="pip install 'lisa_ros[nf4]'"
    ),
    OptionalModule(module="foxglove", purpose="lisa view", how="pip install 'lisa_ros[view]'"),
    OptionalModule(
        module="cv_bridge",
        purpose="comparison tests",
        how="apt install ros-$ROS_DISTRO-cv-bridge",
    ),
    OptionalModule(
        module="sensor_msgs_py",
        purpose="comparison tests",
        how="apt install ros-$ROS_DISTRO-sensor-msgs-py",
    ),
    OptionalModule(
        module="open3d", purpose="lisa bench ros", how="pip install 'lisa_ros[bench-ros]'"
    ),
)


def release(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``2.14.1+cu130`` is (2, 14, 1)."""
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def in_range(version: str, low: str, high: str) -> bool:
    """Tell whether ``low <= version < high``, by their numbers."""
    width = max(len(release(one)) for one in (version, low, high))

    def padded(text: str) -> tuple[int, ...]:
        numbers = release(text)
        return numbers + (0,) * (width - len(numbers))

    return padded(low) <= padded(version) < padded(high)
