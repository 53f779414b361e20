"""The books of an ordeal and the verdicts: each can fail, and only for its own reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.ordeal_books import read_log
from benchmarks.ordeal_ledger import (
    ACTION,
    ANSWERED,
    NO_REASON,
    SERVICE,
    TOPIC,
    Call,
    Ledger,
    Request,
)
from benchmarks.ordeal_recording import Memory, Recording, latency_windows, memory_minutes
from benchmarks.ordeal_report import Limits, evaluate
from benchmarks.ordeal_schedule import Event

DURATION_S = 1800.0
ENDS = "each request answered or refused with a code, once"
WAYS = (TOPIC, ACTION, SERVICE)
EVENTS = tuple(
    Event(time_s=10.0 * number, kind=kind, values=values)
    for number, (kind, values) in enumerate(
        (
            ("kill", {"for_s": 2.0}),
            ("stop", {"for_s": 2.0, "colour": "png", "depth": "rvl"}),
            ("clock_jump", {"for_s": 2.0, "offset_s": 9.0}),
            ("malformed", {"what": "image step"}),
            ("wrong_intent", {"wrong": "empty"}),
            *((("depth_dropout", {"for_s": 2.0, "dropout": "nan"}),) * 4),
        )
    )
)


def line(text: str, level: str = "INFO") -> str:
    return f"[{level}] [1795604792.558900114] [perception_node]: {text}\n"


def answered(text: str) -> str:
    return line(f'answered intent="{text}" answer="It is [SEG]" instances=1 total_s=1.000')


class Run:
    """A run of half an hour without a fault, to be spoilt.

    Every 3 s there is a request, each way in turn; every fifth is replaced.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.log = line("listening stream=image topic=/camera/color/image_raw/compressed")
        replaced = 0
        for number in range(600):
            one = Request(
                number=number,
                way=WAYS[number % 3],
                text=f"find thing {number}",
                sent_s=3.0 * number,
                at_once=True,
                no_3d=("no_depth",) if number % 50 == 1 else (),
            )
            if number % 5:
                one.end, one.end_s, one.ends = ANSWERED, one.sent_s + 1.0 + number % 7 / 100, 1
                self.log += answered(one.text)
            else:
                self.log += line(
                    'refused code=intent_replaced message="a was replaced by b"', "WARN"
                )
                replaced += 1
                if one.way != TOPIC:
                    one.end, one.end_s, one.ends = "intent_replaced", one.sent_s + 0.5, 1
                    one.message = "it was replaced"
            self.requests.append(one)
        wrong = Request(number=600, way=TOPIC, text="", sent_s=1795.0, refusable=True)
        self.requests.append(wrong)
        self.log += line('refused code=intent_empty message="intent is empty."', "WARN")
        self.after = {
            "intents_received": 601,
            "intents_answered": 480,
            "refused.intent_replaced": replaced,
            "refused.intent_empty": 1,
            "refused.image_step": 4,
            "clock_jump": 1,
        }
        self.changes: dict[str, Any] = {}

    def recording(self) -> Recording:
        arrivals = [n / 30.0 for n in range(int(DURATION_S * 30)) if not 300 < n < 360]
        good: dict[str, Any] = {
            "events": EVENTS,
            "duration_s": DURATION_S,
            "requests": tuple(self.requests),
            "calls": (Call(what="cancel", sent_s=1.0, done_s=1.1),),
            "log": read_log(self.log),
            "before": {},
            "after": self.after,
            "memory": tuple(memory(900.0, t) for t in range(1800)),
            "arrivals": tuple(arrivals),
            "parameter_s": (0.01,) * 300,
            "unanswered_parameters": 0,
            "camera_starts": 2,
            "camera_exits": (-9,),
            "died": "",
            "active": True,
        }
        return Recording(**(good | self.changes))

    def find(self, way: str, end: str) -> Request:
        return next(one for one in self.requests if one.way == way and one.end == end)


def memory(resident: float, t: float) -> Memory:
    return Memory(time_s=float(t), resident=resident, anonymous=resident - 50.0, shared=50.0)


def judge(run: Run) -> Any:
    return evaluate(run.recording(), warm_up_s=60.0, camera_hz=30.0, limits=Limits())


def failed(run: Run) -> list[str]:
    return [one.name for one in judge(run).verdicts if not one.passed]


def test_a_good_run_passes() -> None:
    result = judge(Run())
    assert [one for one in result.verdicts if not one.passed] == []
    assert result.books.mistakes == ()
    assert result.books.ends[TOPIC] == {ANSWERED: 160, "intent_replaced": 40, "intent_empty": 1}
    assert result.latency_window_s == 300.0
    assert len(result.latencies) == 6
    assert result.memory_window_s == 60.0
    assert len(result.memory_minutes) == 30
    assert result.outages == 1
    assert result.camera_hz == pytest.approx(30.0)


def test_the_order_of_ends_does_not_matter() -> None:
    run = Run()
    run.requests.reverse()
    assert judge(run).books.mistakes == ()


def lose_a_goal(run: Run) -> None:
    one = run.find(ACTION, ANSWERED)
    one.end, one.ends = "", 0
    run.log = run.log.replace(answered(one.text), "")
    run.after["intents_answered"] -= 1


def lose_a_call(run: Run) -> None:
    one = run.find(SERVICE, ANSWERED)
    one.end, one.ends = "", 0


def lose_an_intent(run: Run) -> None:
    one = run.find(TOPIC, ANSWERED)
    one.end, one.ends = "", 0
    run.log = run.log.replace(answered(one.text), "")
    run.after["intents_answered"] -= 1


def answer_twice(run: Run) -> None:
    run.log += answered(run.find(TOPIC, ANSWERED).text)
    run.after["intents_answered"] += 1


def end_twice(run: Run) -> None:
    run.find(SERVICE, ANSWERED).ends = 2


def refuse_twice(run: Run) -> None:
    run.log += line('refused code=intent_replaced message="a was replaced by b"', "WARN")
    run.after["refused.intent_replaced"] += 1


def refuse_without_a_log(run: Run) -> None:
    one = run.find(ACTION, ANSWERED)
    one.end = "stale_frame"


def refuse_without_a_reason(run: Run) -> None:
    run.find(SERVICE, "intent_replaced").end = NO_REASON


def use_an_unknown_code(run: Run) -> None:
    one = run.find(SERVICE, "intent_replaced")
    one.end = "whatever"
    run.log = run.log.replace("intent_replaced: ", "whatever: ", 1)
    run.after["refused.intent_replaced"] -= 1


def count_an_unknown_code(run: Run) -> None:
    run.after["refused.something"] = 1


def not_count(run: Run) -> None:
    run.after["refused.intent_empty"] = 0
    run.after["refused.intent_too_long"] = 1


def answer_what_is_wrong(run: Run) -> None:
    run.find(ACTION, ANSWERED).refusable = True


def not_receive(run: Run) -> None:
    run.after["intents_received"] -= 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_a_goal, "no end"),
        (lose_a_call, "no end"),
        (lose_an_intent, "without an end"),
        (answer_twice, "answered 2 times"),
        (end_twice, "2 ends"),
        (refuse_twice, "ends too many"),
        (refuse_without_a_log, "not in the log"),
        (refuse_without_a_reason, "refused_without_reason"),
        (use_an_unknown_code, "unknown code: whatever"),
        (count_an_unknown_code, "unknown code: something"),
        (not_count, "counts 0 refused.intent_empty, expected 1"),
        (answer_what_is_wrong, "though it is wrong"),
        (not_receive, "counts 600 intents_received, expected 601"),
    ],
)
def test_books_that_do_not_balance(spoil: Callable[[Run], None], said: str) -> None:
    run = Run()
    spoil(run)
    assert failed(run) == [ENDS]
    assert any(said in one for one in judge(run).books.mistakes), judge(run).books.mistakes


def count_failure(run: Run) -> None:
    run.after["refused.internal_error"] = 1


def traceback(run: Run) -> None:
    run.log += "Traceback (most recent call last):\n"


def guarded(run: Run) -> None:
    run.log += line("callback_failed callback=_on_intent error=\"ValueError('x')\"", "ERROR")


def grow(run: Run) -> None:
    run.changes["memory"] = tuple(memory(900.0 + t * 60 / 1800, t) for t in range(1800))


def slow_down(run: Run) -> None:
    for one in run.requests:
        if one.sent_s >= 1500.0 and one.end == ANSWERED:
            one.end_s = one.sent_s + 1.3


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda run: run.changes.update(died="it ended"), "node lives, and is active at the end"),
        (lambda run: run.changes.update(active=False), "node lives, and is active at the end"),
        (count_failure, "failures of the program, counted"),
        (traceback, "exceptions in the node's log"),
        (guarded, "exceptions in the node's log"),
        (
            lambda run: run.changes.update(calls=(Call(what="cancel", sent_s=1.0),)),
            "transitions, parameters, ~/cancel: wrong or without answer",
        ),
        (
            lambda run: run.changes.update(unanswered_parameters=1),
            "get_parameters every 5 s: without answer",
        ),
        (grow, "memory, median of the last 60 s to the first after 60 s"),
        (slow_down, "p95 of intent to answer at once, last 300 s to first"),
        (
            lambda run: run.changes.update(arrivals=tuple(n / 20.0 for n in range(200))),
            "camera's rate while it runs",
        ),
        (lambda run: run.after.pop("clock_jump"), "troubles that were seen at the node"),
    ],
)
def test_each_limit_can_fail(spoil: Callable[[Run], Any], name: str) -> None:
    run = Run()
    spoil(run)
    assert name in failed(run)
    assert set(failed(run)) <= {name, "troubles that were seen at the node"}


def test_a_goal_without_3d_was_answered_in_the_nodes_books() -> None:
    run = Run()
    run.find(ACTION, ANSWERED).end = "target_without_3d"
    assert judge(run).books.mistakes == ()


def test_a_call_whose_image_is_refused_is_no_intent() -> None:
    run = Run()
    one = run.find(SERVICE, ANSWERED)
    run.log = run.log.replace(
        answered(one.text), line('refused code=image_step message="too small"', "WARN")
    )
    one.end, one.message, one.own_image = "image_step", "too small", True
    run.after |= {"intents_received": 600, "intents_answered": 479}
    assert judge(run).books.mistakes == ()


def test_the_log_is_read_line_by_line() -> None:
    log = read_log(
        answered("find the cup")
        + line("answered intent=cup answer=yes total_s=1.0")
        + line('refused code=stale_frame message="the newest frame arrived 2 s ago"', "WARN")
        + line('qos_incompatible code=image_qos message="a publisher offers less"', "WARN")
        + line('message_refused code=image_step count=3 message="image.step is 1"', "WARN")
        + line('lens_distorted message="the image has lens distortion"', "WARN")
        + line("follow_failed code=follow_failed message=12.5", "ERROR")
        + "[WARN] [1.2] [another_node]: stale_frame: not ours\n"
    )
    assert dict(log.answered) == {"find the cup": 1, "cup": 1}
    assert dict(log.refused) == {"stale_frame": 1}
    assert dict(log.errors) == {"follow_failed code=follow_failed message=#": 1}
    assert log.exceptions == ()


def test_a_request_runs_at_once_when_nothing_is_under_way() -> None:
    ledger = Ledger()
    first = ledger.add(TOPIC, "a", 0.0, ready=True)
    second = ledger.add(SERVICE, "b", 0.5, ready=True)
    assert (first.at_once, second.at_once) == (True, False)
    ledger.end(second, "intent_replaced", 0.6, "why")
    third = ledger.add(ACTION, "c", 0.7, ready=True)
    assert not third.at_once  # the first may still run
    ledger.end(third, ANSWERED, 2.0)
    # What was sent before an answered one has ended, however it did.
    assert ledger.add(TOPIC, "d", 2.1, ready=True).at_once
    ledger.on_result("d", 3.0)
    assert not ledger.add(TOPIC, "e", 3.1, ready=False).at_once
    assert ledger.requests[3].latency_s == pytest.approx(0.9)
    wrong = ledger.add(TOPIC, "", 3.2, ready=True, refusable=True)
    assert not wrong.at_once


def test_followed_frames_are_no_second_answers() -> None:
    ledger = Ledger()
    one = ledger.add(TOPIC, "a", 0.0, ready=True)
    for t in (1.0, 2.0):
        ledger.on_result("a", t)
    assert (one.ends, one.end_s) == (1, 1.0)


def test_windows_and_minutes() -> None:
    run = Run()
    windows = latency_windows(run.requests, DURATION_S, 300.0)
    assert [len(one) for one in windows] == [80] * 6
    hindered = [replace(one, at_once=False) for one in run.requests]
    assert latency_windows(hindered, DURATION_S, 300.0) == [[]] * 6
    samples = [memory(mb, t) for t, mb in ((0, 1.0), (30, 3.0), (59, 2.0), (60, 9.0))]
    assert memory_minutes(samples) == ((2.0, -48.0, 50.0), (9.0, -41.0, 50.0))
