"""What the tests of the ROS side share: messages, and a model that needs no weights."""

from __future__ import annotations

import array
import os
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ros_domain import free_domain

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("lisa_ros.msg", reason="the interfaces are not built (make build)")

from builtin_interfaces.msg import Time
from node_rig import NodeRig
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lisa_model.look import Look
from lisa_model.progress import OnProgress, Progress, Stage, report
from lisa_model.segmenter import SegmentationResult
from lisa_ros import model_loader
from lisa_ros.conversion import array_to_image
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE

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
    """Segments what is red, and can look for it again.

    The intent steers it: "crash" raises, "out of memory" raises as PyTorch does, "nothing" gives no
    mask, "unsure" a low score, "bad shape" masks of a wrong size. It reports its stages, and one
    token for each of ``words``; while ``hold`` is set it waits before it answers, and where
    ``tokens`` is set it waits for a release of that before each token.
    """

    name = "fake"
    device = "cpu"
    words = ("It", "is", "this.")

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.started = threading.Event()
        self.hold: threading.Event | None = None
        self.tokens: threading.Semaphore | None = None
        self.intents: list[str] = []
        self.looked = 0
        self.max_new_tokens = 0

    def segment(
        self,
        image: Any,
        intent: str,
        *,
        max_new_tokens: int,
        on_progress: OnProgress | None = None,
    ) -> Any:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        self.intents.append(intent)
        self.max_new_tokens = max_new_tokens
        report(on_progress, Stage.READING)
        self.started.set()
        if self.hold is not None:
            assert self.hold.wait(20)
        time.sleep(self.delay_s)
        if intent == "crash":
            raise RuntimeError("the stand-in crashed on purpose")
        if intent == "out of memory":
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory"
            )
        for count in range(1, len(self.words) + 1):
            if self.tokens is not None:
                assert self.tokens.acquire(timeout=20)
            if on_progress is not None:
                text = " ".join(self.words[:count])
                on_progress(Progress(Stage.ANSWERING, count, lambda text=text: text))
        report(on_progress, Stage.MARKING)
        red = find_red(image)
        masks = red[None] if intent != "nothing" else np.zeros((0, *red.shape), bool)
        if intent == "bad shape":
            masks = masks[:, :5]
        return SegmentationResult(
            text=f"It is {intent}.",
            token_ids=[1],
            mask_logits=np.where(masks, 5.0, -5.0).astype(np.float32),
            masks=masks,
            scores=np.full(len(masks), 0.1 if intent == "unsure" else 0.9, np.float32),
            timings={"language": 0.01},
            queries=np.ones((len(masks), 2), np.float32),
        )

    def look(
        self,
        image: Any,
        queries: Any,
        *,
        region: Any = None,
        on_progress: OnProgress | None = None,
    ) -> Look:
        self.looked += 1
        report(on_progress, Stage.READING)
        red = find_red(image)
        if region is not None:
            inside = np.zeros_like(red)
            inside[region.y0 : region.y1, region.x0 : region.x1] = True
            red = red & inside
        masks = np.repeat(red[None], len(queries), axis=0)
        seen = float(red.any())
        return Look(
            mask_logits=np.where(masks, 5.0, -5.0).astype(np.float32),
            masks=masks,
            scores=np.full(len(queries), 0.9 * seen, np.float32),
            appearances=np.full((len(queries), 4), 0.5 * seen, np.float32),
        )


def find_red(image: Any) -> Any:
    """(H, W) bool."""
    return (image[..., 0] > 200) & (image[..., 1] < 50)


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


@pytest.fixture
def start(
    make: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., NodeRig]]:
    """Return a function that starts a node in a domain of its own."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv(
        FASTDDS_TRANSPORT_VARIABLE,
        os.environ.get(FASTDDS_TRANSPORT_VARIABLE, FASTDDS_TRANSPORT_DEFAULT),
    )
    monkeypatch.setattr(model_loader, "load_segmenter", lambda *_: fake)
    rigs: list[NodeRig] = []

    def start(*parameters: str) -> NodeRig:
        rigs.append(NodeRig(make, free_domain(), parameters))
        return rigs[-1]

    yield start
    for rig in rigs:
        rig.close()
