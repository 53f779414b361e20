from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lisa_ros.errors import RequestError
from lisa_ros.frame import Frame
from lisa_ros.worker import Decision, InferenceWorker, Job, Ready, Wait, be_nice


class Bench:
    """A worker whose model and gate the test controls."""

    def __init__(self, make: Any) -> None:
        self.frame = Frame(colour=make.image(), received=0.0)
        self.decision: Decision = Ready(self.frame)
        self.release = threading.Event()
        self.release.set()
        self.started = threading.Event()
        self.ran: list[str] = []
        self.waits: list[float] = []
        self.done: list[tuple[str, Any]] = []
        self.crashes: list[tuple[str, Exception]] = []
        self.worker: InferenceWorker[str] = InferenceWorker(
            gate=self.gate, run=self.run, on_crash=lambda *crash: self.crashes.append(crash)
        )

    def gate(self, job: Job[str], waited: float, now: float) -> Decision:
        self.waits.append(waited)
        return self.decision

    def run(self, job: Job[str], frame: Frame) -> str:
        self.ran.append(job.intent)
        self.started.set()
        assert self.release.wait(10)
        if job.intent == "crash":
            raise RuntimeError("boom")
        if job.intent == "refuse":
            raise RequestError(code="refused_by_model", message="no")
        return job.intent.upper()

    def submit(self, intent: str) -> None:
        self.worker.submit(Job(intent=intent, on_done=self.on_done))

    def on_done(self, job: Job[str], outcome: Any) -> None:
        self.done.append((job.intent, outcome))
        if job.intent == "bad callback":
            raise KeyError("callback")

    def outcomes(self) -> list[tuple[str, Any]]:
        return [(i, o.code if isinstance(o, RequestError) else o) for i, o in self.done]


def wait_for(condition: Callable[[], Any], timeout: float = 5.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.002)


@pytest.fixture
def bench(make: Any) -> Iterator[Bench]:
    bench = Bench(make)
    bench.worker.start()
    yield bench
    bench.release.set()
    assert bench.worker.stop(5.0)


def test_jobs_are_answered_in_order(bench: Bench):
    for intent in ("a", "b", "c"):
        bench.submit(intent)
        wait_for(lambda intent=intent: (intent, intent.upper()) in bench.done)
    assert bench.ran == ["a", "b", "c"]


def test_a_new_job_replaces_the_waiting_one_and_not_the_running_one(bench: Bench):
    bench.release.clear()
    bench.submit("first")
    assert bench.started.wait(5)
    assert bench.worker.busy
    for number in range(50):
        bench.submit(f"waiting {number}")
    bench.release.set()
    wait_for(lambda: len(bench.done) == 51)
    assert bench.ran == ["first", "waiting 49"]
    outcomes = dict(bench.outcomes())
    assert outcomes["first"] == "FIRST"
    assert outcomes["waiting 49"] == "WAITING 49"
    assert all(outcomes[f"waiting {n}"] == "intent_replaced" for n in range(49))
    replaced = dict(bench.done)["waiting 0"]
    assert '"waiting 0" was replaced by "waiting 1"' in str(replaced)


@pytest.mark.parametrize(
    ("intent", "code"), [("crash", "inference_failed"), ("refuse", "refused_by_model")]
)
def test_a_model_that_raises_does_not_end_the_worker(bench: Bench, intent: str, code: str):
    bench.submit(intent)
    wait_for(lambda: bench.done)
    bench.submit("next")
    wait_for(lambda: len(bench.done) == 2)
    assert bench.outcomes() == [(intent, code), ("next", "NEXT")]
    assert len(bench.crashes) == (intent == "crash")


def test_a_callback_that_raises_does_not_end_the_worker(bench: Bench):
    bench.submit("bad callback")
    wait_for(lambda: bench.crashes)
    bench.submit("next")
    wait_for(lambda: ("next", "NEXT") in bench.done)


def test_a_gate_that_raises_does_not_end_the_worker(bench: Bench):
    bench.decision = None  # type: ignore[assignment]
    bench.gate = None  # type: ignore[assignment]
    bench.worker._gate = lambda *_: 1 / 0  # type: ignore[assignment]
    bench.submit("x")
    wait_for(lambda: bench.done)
    assert bench.outcomes() == [("x", "inference_failed")]
    assert isinstance(bench.crashes[0][1], ZeroDivisionError)


def test_a_job_waits_for_a_frame_and_starts_when_it_comes(bench: Bench):
    bench.decision = Wait(10.0)
    bench.submit("patient")
    wait_for(lambda: bench.waits)
    time.sleep(0.05)
    assert not bench.ran
    bench.decision = Ready(bench.frame)
    began = time.monotonic()
    bench.worker.wake()
    wait_for(lambda: bench.done)
    assert time.monotonic() - began < 1.0
    assert bench.outcomes() == [("patient", "PATIENT")]


def test_a_wait_that_ends_asks_again_with_the_time_waited(bench: Bench):
    bench.decision = Wait(0.02)
    bench.submit("x")
    wait_for(lambda: len(bench.waits) >= 4)
    assert bench.waits[0] == 0.0
    assert bench.waits == sorted(bench.waits)
    assert bench.waits[3] >= 0.06
    bench.submit("y")  # a new job starts its own waiting time
    wait_for(lambda: bench.waits.count(0.0) == 2)


def test_a_refused_job_does_not_run(bench: Bench):
    bench.decision = RequestError(code="stale_frame", message="old")
    bench.submit("x")
    wait_for(lambda: bench.done)
    assert bench.outcomes() == [("x", "stale_frame")]
    assert not bench.ran


def test_stop_ends_the_waiting_job_and_waits_for_the_running_one(make: Any):
    bench = Bench(make)
    bench.worker.start()
    bench.release.clear()
    bench.submit("running")
    assert bench.started.wait(5)
    bench.submit("waiting")
    assert not bench.worker.stop(0.05)
    assert bench.outcomes() == [("waiting", "shutting_down")]
    bench.release.set()
    assert bench.worker.stop(5.0)
    assert ("running", "RUNNING") in bench.done
    assert not bench.worker.accepting
    bench.submit("late")
    assert bench.outcomes()[-1] == ("late", "shutting_down")


def test_nothing_of_a_job_is_kept_after_it(bench: Bench, make: Any):
    frame = Frame(colour=make.image(), received=0.0)
    seen = weakref.ref(frame)
    bench.decision = Ready(frame)
    bench.submit("x")
    wait_for(lambda: bench.done)
    del frame
    bench.decision = Wait(1.0)
    wait_for(lambda: gc.collect() >= 0 and seen() is None)


def test_every_job_ends_exactly_once_under_fire(bench: Bench):
    def fire(name: str) -> None:
        for number in range(200):
            bench.submit(f"{name}{number}")

    threads = [threading.Thread(target=fire, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(bench.done) == 800)
    assert len({intent for intent, _ in bench.done}) == 800


@pytest.mark.skipif(sys.platform != "linux", reason="niceness belongs to a thread on Linux only")
def test_only_the_inference_thread_and_its_children_yield(make: Any) -> None:
    seen: dict[str, int] = {}

    def own_niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def run(job: Job[str], frame: Frame) -> str:
        seen["worker"] = own_niceness()
        child = threading.Thread(target=lambda: seen.update(child=own_niceness()))
        child.start()
        child.join()
        return "done"

    before = own_niceness()
    done = threading.Event()
    worker: InferenceWorker[str] = InferenceWorker(
        gate=lambda job, waited, now: Ready(Frame(colour=make.image(), received=0.0)),
        run=run,
        on_crash=lambda *crash: None,
        niceness=min(19, before + 3),
    )
    worker.start()
    worker.submit(Job(intent="a", on_done=lambda job, outcome: done.set()))
    assert done.wait(10.0)
    assert worker.stop(10.0)
    assert seen == {"worker": min(19, before + 3), "child": min(19, before + 3)}
    assert own_niceness() == before


@pytest.mark.skipif(sys.platform != "linux", reason="niceness belongs to a thread on Linux only")
def test_a_thread_that_yields_more_already_is_left_so():
    seen: list[int] = []

    def run() -> None:
        be_nice(19)
        be_nice(5)  # without a privilege this could only fail
        be_nice(0)
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [19]


def test_the_time_at_work_is_that_of_the_present_job(bench: Bench):
    assert bench.worker.busy_for() == 0.0
    bench.release.clear()
    bench.submit("a")
    assert bench.started.wait(5)
    time.sleep(0.2)
    assert bench.worker.busy_for() >= 0.2
    bench.started.clear()
    bench.submit("b")
    bench.release.set()
    assert bench.started.wait(5)
    wait_for(lambda: bench.worker.busy_for() < 0.2)
    wait_for(lambda: not bench.worker.busy)
    assert bench.worker.busy_for() == 0.0
