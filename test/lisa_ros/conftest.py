"""What the tests of the ROS side share: messages, and a model that needs no weights."""

from __future__ import annotations

import array
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("lisa_ros.msg", reason="the interfaces are not built (make build)")

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_ros.conversion import array_to_image

H, W = 48, 64
FRAME = "camera_color_optical_frame"


def make_header(stamp: float = 1.0, frame_id: str = FRAME) -> Header:
    whole = int(stamp)
    return Header(stamp=Time(sec=whole, nanosec=round((stamp - whole) * 1e9)), frame_id=frame_id)


def make_image(stamp: float = 1.0, size: tuple[int, int] = (H, W), **fields: Any) -> Image:
    """Grey, with a red box of 20x20 pixels: what FakeSegmenter finds."""
    pixels = np.full((*size, 3), 90, np.uint8)
    pixels[10:30, 20:40] = (255, 0, 0)
    msg = array_to_image(pixels, "rgb8", make_header(stamp))
    for name, value in fields.items():
        setattr(msg, name, value)
    return msg


def make_depth(
    stamp: float = 1.0, metres: float = 1.5, size: tuple[int, int] = (H, W), **fields: Any
) -> Image:
    pixels = np.full(size, round(metres * 1000), np.uint16)
    msg = array_to_image(pixels, "16UC1", make_header(stamp))
    for name, value in fields.items():
        setattr(msg, name, value)
    return msg


def make_info(stamp: float = 1.0, size: tuple[int, int] = (H, W), **fields: Any) -> CameraInfo:
    info = CameraInfo(header=make_header(stamp), height=size[0], width=size[1])
    info.k = [50.0, 0.0, 31.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0]
    for name, value in fields.items():
        setattr(info, name, value)
    return info


class FakeSegmenter:
    """Segments what is red.

    The intent steers it: "crash" raises, "nothing" gives no mask, "unsure" a low score, "bad shape"
    masks of a wrong size.
    """

    name = "fake"
    device = "cpu"

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.started = threading.Event()
        self.hold: threading.Event | None = None
        self.intents: list[str] = []
        self.max_new_tokens = 0

    def segment(self, image: Any, intent: str, *, max_new_tokens: int) -> Any:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        self.intents.append(intent)
        self.max_new_tokens = max_new_tokens
        self.started.set()
        if self.hold is not None:
            assert self.hold.wait(20)
        time.sleep(self.delay_s)
        if intent == "crash":
            raise RuntimeError("out of memory")
        red = (image[..., 0] > 200) & (image[..., 1] < 50)
        masks = red[None] if intent != "nothing" else np.zeros((0, *red.shape), bool)
        if intent == "bad shape":
            masks = masks[:, :5]
        scores = np.full(len(masks), 0.1 if intent == "unsure" else 0.9, np.float32)
        return SimpleNamespace(
            text=f"It is {intent}.", masks=masks, scores=scores, timings={"language": 0.01}
        )


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Makers of valid messages."""
    return SimpleNamespace(
        header=make_header,
        image=make_image,
        depth=make_depth,
        info=make_info,
        bytes=lambda count: array.array("B", bytes(count)),
        size=(H, W),
        frame_id=FRAME,
    )


@pytest.fixture
def fake() -> FakeSegmenter:
    """A segmenter without weights."""
    return FakeSegmenter()
