"""The engine between its threads, without topics: what must hold whichever comes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lisa_ros.diagnostics import Diagnostics, NodeState
from lisa_ros.engine import PerceptionEngine
from lisa_ros.errors import RequestError
from lisa_ros.frame import Frame
from lisa_ros.parameters import PARAMETERS, Settings

VALUES = {spec.name: spec.default for spec in PARAMETERS}


class Log:
    """Says nothing."""

    def info(self, message: str) -> None: ...

    warning = error = info


class Clock:
    """Goes on by itself, and as far as it is told."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Bench:
    """An active engine that has seen a frame."""

    def __init__(self, fake: Any, make: Any, **values: Any) -> None:
        self.fake = fake
        self.clock = Clock()
        self.diagnostics = Diagnostics()
        self.followed: list[Any] = []
        self.publish_followed: Callable[..., None] = lambda _, report: self.followed.append(report)
        # The clock is set ahead here, and no frame is to grow stale by that.
        chosen = Settings.from_values(VALUES | {"max_frame_age_s": 60.0} | values)
        self.engine = PerceptionEngine(
            segmenter=fake,
            settings=lambda: chosen,
            diagnostics=self.diagnostics,
            log=Log(),
            clock=self.clock,
            on_followed=lambda *one: self.publish_followed(*one),
        )
        self.engine.start()
        self.engine.activate()
        self.engine.add("image", make.image())
        self.engine.add("depth", make.depth())
        self.engine.add("camera_info", make.info())

    def ask(self, intent: str, **options: Any) -> Waiting:
        """Ask, and do not wait."""
        waiting = Waiting()
        self.engine.ask(intent, waiting.put, **options)
        return waiting


class Waiting:
    """A request's end."""

    def __init__(self) -> None:
        self.outcomes: list[Any] = []
        self._came = threading.Event()

    def put(self, outcome: Any) -> None:
        self.outcomes.append(outcome)
        self._came.set()

    def end(self) -> Any:
        """Wait for it."""
        assert self._came.wait(10), "the request was never answered"
        (outcome,) = self.outcomes
        return outcome


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


@pytest.fixture
def bench(fake: Any, make: Any) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def start(**values: Any) -> Bench:
        made.append(Bench(fake, make, **values))
        return made[-1]

    yield start
    for one in made:
        assert one.engine.stop(10)


def test_a_request_that_waited_long_does_not_count_as_hung_when_it_starts(
    bench: Callable[..., Bench], fake: Any, monkeypatch: pytest.MonkeyPatch
):
    one = bench(watchdog_s=20.0)
    fake.hold = threading.Event()
    first = one.ask("first")
    assert fake.started.wait(10)
    second = one.ask("second")
    run = one.engine._worker._run

    def watched(*args: Any) -> Any:
        one.engine.watch()  # the executor's thread may look before the request has told of itself
        return run(*args)

    monkeypatch.setattr(one.engine._worker, "_run", watched)
    one.clock.ahead += 21.0
    fake.hold.set()
    assert not isinstance(first.end(), RequestError)
    assert not isinstance(second.end(), RequestError)
    assert one.engine.hung is None


def test_an_inference_that_is_silent_too_long_still_counts_as_hung(
    bench: Callable[..., Bench], fake: Any
):
    one = bench(watchdog_s=20.0)
    fake.hold = threading.Event()
    first = one.ask("first")
    assert fake.started.wait(10)
    one.engine.watch()
    assert one.engine.hung is None
    one.clock.ahead += 21.0
    one.engine.watch()
    assert first.end().code == "inference_hung"
    fake.hold.set()
    until(lambda: not one.engine.busy)
    one.engine.watch()
    assert one.engine.hung is None


def test_cancel_ends_the_following_that_an_answer_is_about_to_start(bench: Callable[..., Bench]):
    one = bench()
    publishing, go_on = threading.Event(), threading.Event()

    def publish(_: Any) -> None:
        publishing.set()
        assert go_on.wait(10)

    one.engine.ask("find it", publish, follow=True)
    assert publishing.wait(10)
    ended: list[tuple[int, str]] = []
    cancelling = threading.Thread(target=lambda: ended.append(one.engine.cancel()))
    cancelling.start()
    time.sleep(0.05)
    go_on.set()
    cancelling.join(10)
    until(lambda: one.diagnostics.value("intents_answered") == 1)
    assert one.engine.following == ""
    assert ended == [(0, "find it")]


def test_a_request_is_answered_also_when_the_end_of_following_cannot_be_published(
    bench: Callable[..., Bench],
):
    one = bench()
    one.ask("find it", follow=True).end()
    until(lambda: one.followed)

    def broken(*_: Any) -> None:
        raise RuntimeError("publishing fails on purpose")

    one.publish_followed = broken
    assert one.ask("find that").end().text == "It is find that."
    assert one.engine.following == ""
    assert one.diagnostics.value("refused.internal_error") == 1


def test_an_image_that_was_sent_along_has_no_age(bench: Callable[..., Bench], make: Any):
    one = bench()

    def timings() -> set[str]:
        status = one.diagnostics.status("engine", NodeState(lifecycle="active"))
        return {entry.key for entry in status.values if entry.key.endswith("_p50_s")}

    sent = one.ask("find it", frame=Frame(colour=make.image(), received=0.0)).end()
    assert "frame_age_at_start" not in sent.timings
    until(lambda: "wait_p50_s" in timings())
    assert "frame_age_at_start_p50_s" not in timings()
    one.ask("find it").end()
    until(lambda: "frame_age_at_start_p50_s" in timings())
