"""Messages that are wrong in one thing: the node refuses each, on arrival or when it decodes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("lisa_ros.msg", reason="the interfaces are not built (make build)")

from builtin_interfaces.msg import Time

from benchmarks.ordeal_messages import malformed
from benchmarks.ordeal_requests import WRONG_TEXTS
from benchmarks.ordeal_schedule import MALFORMED, WRONG_INTENTS
from lisa_model.geometry import Intrinsics
from lisa_model.rgbd import RgbdFrame
from lisa_ros.arrival import check_message
from lisa_ros.camera_view import CameraView
from lisa_ros.errors import InputError
from lisa_ros.frame import colour_pixels, depth_pixels
from lisa_ros.intent import check_intent
from lisa_ros.scene_player import FRAME_ID
from lisa_ros.validation import Extent

HEIGHT, WIDTH = 48, 64
COLOUR = Extent(WIDTH, HEIGHT, FRAME_ID)


@pytest.fixture(scope="module")
def frame() -> RgbdFrame:
    rng = np.random.default_rng(0)
    return RgbdFrame(
        name="noise",
        color=rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8),
        depth=rng.uniform(0.5, 3.0, (HEIGHT, WIDTH)).astype(np.float32),
        ids=np.zeros((HEIGHT, WIDTH), dtype=np.uint8),
        intrinsics=Intrinsics(fx=60.0, fy=60.0, cx=31.5, cy=23.5, width=WIDTH, height=HEIGHT),
        instances=(),
        questions=(),
        meta={},
    )


def take(stream: Any, message: Any) -> None:
    check_message(stream, message, COLOUR, view=CameraView())
    if stream == "image":
        colour_pixels(message).get()
    else:
        depth_pixels(message).get()


@pytest.mark.parametrize("codecs", [("raw", "raw"), ("png", "png"), ("png", "rvl")])
@pytest.mark.parametrize("what", MALFORMED)
def test_it_is_refused_under_its_stream(
    what: str, codecs: tuple[str, str], frame: RgbdFrame
) -> None:
    colour, depth = codecs
    stream, message = malformed(what, frame, colour=colour, depth=depth, stamp=Time(sec=9))
    assert stream == what.split(" ", maxsplit=1)[0]
    with pytest.raises(InputError) as refused:
        take(stream, message)
    assert refused.value.code.startswith(f"{stream}_")
    assert "damaged" not in what or refused.value.code in (
        f"{stream}_data",
        f"{stream}_data_length",
    )


@pytest.mark.parametrize("wrong", WRONG_INTENTS)
def test_a_wrong_intent_is_refused_and_arrives_as_it_was_sent(wrong: str) -> None:
    assert set(WRONG_TEXTS) == set(WRONG_INTENTS)
    text = WRONG_TEXTS[wrong]
    assert "\0" not in text
    with pytest.raises(InputError) as refused:
        check_intent(text, 1000)
    assert refused.value.code.removeprefix("intent_") in (wrong, "empty")
