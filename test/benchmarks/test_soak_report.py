"""The verdicts on a soak run: each limit can fail, and only its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.measures import Got, Sent
from benchmarks.soak_report import Evaluation, Limits, Recording, evaluate

COUNT = 60
INFERENCE_S = 1.2
START = 1000.0


def recording(**changes: Any) -> Recording:
    """Return a run of two minutes without a fault: an intent every 2 s, frames at 30 Hz."""
    sent = tuple(Sent(time=START + 2.0 * i, text=f"intent {i % 12}") for i in range(COUNT))
    good = Recording(
        sent=sent,
        got=tuple(
            Got(time=one.time + INFERENCE_S, text=one.text, stamp=one.time - 0.03) for one in sent
        ),
        stamps=tuple(START - 1.0 + i / 30.0 for i in range(3630)),
        memory=tuple((float(t), 900.0) for t in range(120)),
        service_s=(0.002,) * 24,
        unanswered_calls=0,
        before={"received.image": 5},
        after={
            "intents_received": COUNT,
            "intents_answered": COUNT,
            "received.image": 3605,
        },
        frames_published=3600,
        duration_s=120.0,
        node_frame_age_p95_s=0.04,
        diagnostics={"model": "lisa-tiny"},
        active=True,
    )
    return replace(good, **changes)


def judge(one: Recording) -> Evaluation:
    return evaluate(one, 30.0, 30.0, Limits())


def failed(one: Recording) -> list[str]:
    return [verdict.name for verdict in judge(one).verdicts if not verdict.passed]


def test_a_good_run_passes() -> None:
    result = judge(recording())
    assert all(verdict.passed for verdict in result.verdicts)
    assert result.received_share == 1.0
    assert max(result.frames_passed) <= 1
    assert result.accounting.lost == 0


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        (
            {"memory": tuple((float(t), 900.0 + t) for t in range(120))},
            ["memory, median of last third to first", "memory, maximum of last third to first"],
        ),
        (
            {"memory": tuple((float(t), 1100.0 if t == 115 else 900.0) for t in range(120))},
            ["memory, maximum of last third to first"],
        ),
        (
            {"after": {"intents_received": COUNT - 1, "intents_answered": COUNT}},
            ["intents lost"],
        ),
        (
            {"after": {"intents_received": COUNT, "intents_answered": COUNT - 1}},
            ["intents lost", "answers on /instance_masks"],
        ),
        ({"node_frame_age_p95_s": None}, ["the same by the node, p95 since arrival"]),
        ({"node_frame_age_p95_s": 1.3}, ["the same by the node, p95 since arrival"]),
        ({"stamps": tuple(START + i / 20.0 for i in range(2400))}, ["camera's real rate"]),
        ({"stamps": ()}, ["camera's real rate"]),
        ({"unanswered_calls": 1}, ["parameter calls without answer"]),
        ({"service_s": ()}, ["parameter calls without answer"]),
        ({"active": False}, ["node active at the end"]),
    ],
)
def test_each_limit_can_fail(changes: dict[str, Any], names: list[str]) -> None:
    assert failed(recording(**changes)) == names


def test_replaced_intents_are_not_lost_but_refused_ones_fail() -> None:
    good = recording()
    replaced = {"intents_received": COUNT, "intents_answered": 58, "refused.intent_replaced": 2}
    assert failed(replace(good, got=good.got[:58], after=replaced)) == []
    refused = {"intents_received": COUNT, "intents_answered": 58, "refused.stale_frame": 2}
    assert failed(replace(good, got=good.got[:58], after=refused)) == [
        "intents refused, other than replaced"
    ]


def test_an_old_frame_fails() -> None:
    good = recording()
    old = replace(good.got[30], stamp=good.sent[30].time - 1.25)
    got = (*good.got[:30], old, *good.got[31:])
    result = judge(replace(good, got=got))
    assert [one.name for one in result.verdicts if not one.passed] == [
        "age of the frame at inference start, max"
    ]
    assert result.frames_passed[30] >= 36


def test_no_answer_at_all_fails() -> None:
    names = failed(recording(got=(), after={"intents_received": COUNT}))
    assert "intents lost" in names
    assert "answers on /instance_masks" in names
    assert "age of the frame used" in names
