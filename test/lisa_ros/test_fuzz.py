"""Camera messages and intents with anything in any field: refused by name, or answered.

A few hundred cases; LISA_FUZZ_CASES=5000 for more.
"""

from __future__ import annotations

import array
import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from lisa_ros.answer import Answer
from lisa_ros.compressed import rgb_to_compressed
from lisa_ros.compressed_depth import depth_to_compressed
from lisa_ros.conversion import array_to_image
from lisa_ros.diagnostics import Diagnostics
from lisa_ros.engine import PerceptionEngine
from lisa_ros.errors import RequestError
from lisa_ros.parameters import PARAMETERS, Settings
from lisa_ros.segment_service import frame_of_request
from lisa_ros.srv import Segment
from lisa_ros.validation import COLOUR_ENCODINGS, DEPTH_ENCODINGS, ENCODINGS

CASES = int(os.environ.get("LISA_FUZZ_CASES", "100"))
fuzz = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=CASES <= 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SIZE = (24, 32)
RNG = np.random.default_rng(0)
DEFAULTS = {spec.name: spec.default for spec in PARAMETERS}
VIEWS = (
    {},
    {"rectify": True},
    {"rectified_input": True},
    {"rectify": True, "depth_to_colour": "0.1 0 0 0 0 0 1"},
)
# What is no refusal of an input, but an error of the program.
ERRORS = ("internal_error", "inference_failed")

uint8, uint32 = st.integers(0, 2**8 - 1), st.integers(0, 2**32 - 1)
small = st.integers(0, 64) | uint32
numbers = st.floats(width=64) | st.sampled_from([0.0, 1.0, 25.0, -1.0, 1e-300, 1e300])
texts = st.text(max_size=20) | st.sampled_from(["", "camera", "x" * 300])
stamps = st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=uint32)
headers = st.builds(Header, stamp=stamps | st.just(Time(sec=1)), frame_id=texts)
blobs = st.binary(max_size=200).map(lambda data: array.array("B", data))
encodings = st.sampled_from([*ENCODINGS, "bayer_rggb8", "8UC3", "nv12"]) | texts
formats = texts | st.sampled_from(
    [
        "jpeg",
        "png",
        "rgb8; jpeg compressed bgr8",
        "16UC1; compressedDepth png",
        "16UC1; compressedDepth rvl",
        "32FC1; compressedDepth",
        "16UC1; png compressed ",
        "; ;",
    ]
)


def mutated(valid: st.SearchStrategy[Any], fields: dict[str, st.SearchStrategy[Any]]) -> Any:
    """Valid messages of which some fields have been set to anything of their type."""
    changes = st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in names})
    )

    def apply(msg: Any, values: dict[str, Any]) -> Any:
        for name, value in values.items():
            setattr(msg, name, value)
        return msg

    return st.builds(apply, valid, changes)


def header() -> Header:
    return Header(stamp=Time(sec=1), frame_id="camera")


def pixels_of(encoding: str) -> np.ndarray:
    layout = ENCODINGS[encoding]
    shape = SIZE if layout.channels == 1 else (*SIZE, layout.channels)
    return RNG.integers(0, 256, shape).astype(layout.dtype)


def raw(encoding: str) -> Image:
    return array_to_image(pixels_of(encoding), encoding, header())


def info() -> CameraInfo:
    return CameraInfo(
        header=header(),
        height=SIZE[0],
        width=SIZE[1],
        k=[25.0, 0, 15.5, 0, 25.0, 11.5, 0, 0, 1],
        p=[25.0, 0, 15.5, 0, 0, 25.0, 11.5, 0, 0, 0, 1, 0],
        d=[0.1, 0, 0, 0, 0],
        distortion_model="plumb_bob",
    )


def damaged(msg: CompressedImage, at: int, data: bytes) -> CompressedImage:
    """The message with some bytes overwritten, or cut off when there are none."""
    at %= len(msg.data)
    msg.data[at : at + len(data) if data else len(msg.data)] = array.array("B", data)
    return msg


def damages(valid: st.SearchStrategy[CompressedImage]) -> Any:
    somewhere = st.integers(0, 100) | st.integers(0, 100_000)
    return valid | st.builds(damaged, valid, somewhere, st.binary(max_size=8))


image_fields = {
    "encoding": encodings,
    "width": small,
    "height": small,
    "step": small | st.integers(0, 400),
    "is_bigendian": uint8,
    "data": blobs,
    "header": headers,
}
compressed_fields = {"format": formats, "data": blobs, "header": headers}
raw_colours = st.sampled_from(sorted(COLOUR_ENCODINGS)).map(raw)
raw_depths = st.sampled_from(sorted(DEPTH_ENCODINGS)).map(raw)
compressed_colours = damages(
    st.builds(
        lambda codec: rgb_to_compressed(pixels_of("rgb8"), header(), codec=codec),
        st.sampled_from(["jpeg", "png"]),
    )
)
compressed_depths = damages(
    st.builds(
        lambda encoding, codec: depth_to_compressed(pixels_of(encoding), header(), codec=codec),
        st.sampled_from(sorted(DEPTH_ENCODINGS)),
        st.sampled_from(["png", "rvl"]),
    )
)
colours = mutated(raw_colours, image_fields) | mutated(compressed_colours, compressed_fields)
depths = mutated(raw_depths, image_fields) | mutated(compressed_depths, compressed_fields)
info_numbers = {
    "k": st.lists(numbers, min_size=9, max_size=9),
    "p": st.lists(numbers, min_size=12, max_size=12),
    "d": st.lists(numbers, max_size=9) | st.just([0.1] * 8),
}
infos = mutated(
    st.builds(info),
    {
        **info_numbers,
        "width": small,
        "height": small,
        "distortion_model": texts | st.sampled_from(["rational_polynomial", "equidistant"]),
        "header": headers,
    },
)
messages = st.one_of(
    st.tuples(st.just("image"), colours),
    st.tuples(st.just("depth"), depths),
    st.tuples(st.sampled_from(["camera_info", "depth_camera_info"]), infos),
)
intents = st.text(max_size=30) | st.text(min_size=300, max_size=600)
intents |= st.sampled_from(["find it", "nothing", "[SEG]", "<image>", "a\x00b", "\u202eit"])


class Log:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str) -> None:
        self.lines.append(message)

    warning = error = info


class Bench:
    """An active engine, and what it counted."""

    def __init__(self, fake: Any, values: dict[str, Any]) -> None:
        self.diagnostics = Diagnostics()
        chosen = Settings.from_values(
            DEFAULTS | {"frame_timeout_s": 0.0, "min_depth_points": 1} | values
        )
        self.log = Log()
        self.engine = PerceptionEngine(
            segmenter=fake, settings=lambda: chosen, diagnostics=self.diagnostics, log=self.log
        )
        self.engine.start()
        self.engine.activate()

    def refusals(self) -> Counter[str]:
        with self.diagnostics._lock:
            return Counter(
                {
                    name.removeprefix("refused."): count
                    for name, count in self.diagnostics._counters.items()
                    if name.startswith("refused.")
                }
            )

    def restart(self) -> None:
        self.engine.deactivate()
        self.engine.activate()

    def ask(self, intent: str) -> Answer | RequestError:
        done = threading.Event()
        outcomes: list[Any] = []
        self.engine.ask(intent, lambda outcome: (outcomes.append(outcome), done.set()))
        assert done.wait(20)
        (outcome,) = outcomes
        return outcome

    def no_errors(self) -> None:
        assert not any(self.refusals()[code] for code in ERRORS), self.log.lines[-3:]


class SeesAll:
    """Takes the whole image for the target."""

    name = "sees_all"
    device = "cpu"

    def segment(
        self, image: Any, intent: str, *, max_new_tokens: int, on_progress: Any = None
    ) -> Any:
        assert image.dtype == np.uint8
        masks = np.ones((1, *image.shape[:2]), bool)
        return SimpleNamespace(text="", masks=masks, scores=np.array([0.9]), timings={})


@pytest.fixture(scope="module", params=range(len(VIEWS)))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(SeesAll(), VIEWS[request.param])
    yield made
    assert made.engine.stop(20)


@fuzz
@given(sent=st.lists(messages, min_size=1, max_size=5), intent=intents)
def test_messages_and_intents(bench: Bench, sent: list[Any], intent: str):
    bench.restart()
    for stream, msg in sent:
        before = bench.refusals().total()
        bench.engine.add(stream, msg)
        refused = bench.refusals().total() - before
        remembered = bench.engine._intake._frames._streams[stream]
        assert refused == (0 if remembered and remembered[-1].msg is msg else 1)
    before = bench.refusals()
    outcome = bench.ask(intent)
    if isinstance(outcome, RequestError):
        # More than once when several images turn out to be damaged.
        assert bench.refusals()[outcome.code] > before[outcome.code]
    bench.no_errors()


@fuzz
@given(
    colour=raw_colours | compressed_colours,
    depth=raw_depths | compressed_depths,
    info=mutated(st.builds(info), info_numbers),
)
def test_frames_that_may_be_damaged(bench: Bench, colour: Any, depth: Any, info: CameraInfo):
    """Fields that fit, so that decoding, rectification, registration and 3D are reached."""
    bench.restart()
    for stream, msg in (
        ("image", colour),
        ("camera_info", info),
        ("depth", depth),
        ("depth_camera_info", info),
    ):
        bench.engine.add(stream, msg)  # type: ignore[arg-type]
    bench.ask("find it")
    bench.no_errors()


@fuzz
@given(
    image=raw_colours | mutated(raw_colours, image_fields),
    depth=raw_depths | mutated(raw_depths, image_fields),
    info=infos,
    intent=intents,
)
def test_requests_of_the_service(image: Image, depth: Image, info: CameraInfo, intent: str):
    request = Segment.Request(
        intent=intent, use_image=True, image=image, depth=depth, camera_info=info
    )
    with contextlib.suppress(RequestError):
        frame = frame_of_request(request)
        assert frame is not None
        assert frame.rgb().shape == (image.height, image.width, 3)


def test_the_cases_reach_what_they_should(bench: Bench):
    """Refusals of every kind of message, images decoded in vain, and answers with 3D."""
    counted = bench.refusals()
    for kind in ("image", "depth", "camera_info", "depth_camera_info", "intent"):
        assert [code for code in counted if code.startswith(f"{kind}_")], kind
    assert counted["image_data"]
    assert counted["depth_data"]
    assert any("point_m=" in line for line in bench.log.lines), "no target in 3D"
