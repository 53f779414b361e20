"""What a soak run recorded, and the verdicts on it.  Pure: no ROS, no processes, no files."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.measures import (
    Accounting,
    Answered,
    Got,
    MemoryReport,
    Sent,
    Verdict,
    account,
    frames_passed,
    match_answers,
    memory_report,
    spread,
)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Everything a run recorded; times of ``sent``, ``got`` and ``stamps`` by the system clock [s].

    Attributes:
        sent, got: intents and results.
        stamps: of the camera's frames.
        memory: (seconds since the start, resident MB).
        service_s: seconds of each answered parameter call.
        unanswered_calls: those without an answer.
        before, after: the node's counters at the start and the end.
        frames_published: by the camera between the two reports of the counters.
        duration_s: of the run.
        node_frame_age_p95_s: the node's own figure for the age of the frames it started on, by
            time of arrival, over its last answers; None when it had none.
        diagnostics: the node's last report.
        active: the node was active at the end.
    """

    sent: tuple[Sent, ...]
    got: tuple[Got, ...]
    stamps: tuple[float, ...]
    memory: tuple[tuple[float, float], ...]
    service_s: tuple[float, ...]
    unanswered_calls: int
    before: dict[str, int]
    after: dict[str, int]
    frames_published: int
    duration_s: float
    node_frame_age_p95_s: float | None
    diagnostics: dict[str, str]
    active: bool


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is allowed.

    Attributes:
        memory_growth: last third over first third, minus 1.
        camera_share: the camera must have come this near to the wanted rate, or the run does not
            show what it is meant to show.
    """

    memory_growth: float = 0.05
    camera_share: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came out of a run."""

    verdicts: tuple[Verdict, ...]
    memory: MemoryReport
    accounting: Accounting
    answered: tuple[Answered, ...]
    frames_passed: tuple[int, ...]
    received_share: float


def evaluate(
    recording: Recording, warm_up_s: float, camera_hz: float, limits: Limits
) -> Evaluation:
    """Judge a run.

    Raises:
        ValueError: too few memory samples, or a result to an intent that was not published.
    """
    memory = memory_report(recording.memory, warm_up_s)
    counts = account(len(recording.sent), len(recording.got), recording.before, recording.after)
    answered = match_answers(recording.sent, recording.got)
    image_count = "received.image"
    received = recording.after.get(image_count, 0) - recording.before.get(image_count, 0)
    verdicts = (
        *_memory_verdicts(memory, limits),
        *_intent_verdicts(counts),
        *_age_verdicts(answered, recording.node_frame_age_p95_s),
        _camera_verdict(recording, camera_hz, limits),
        Verdict(
            name="parameter calls without answer",
            value=f"{recording.unanswered_calls} of "
            f"{recording.unanswered_calls + len(recording.service_s)}",
            limit="0",
            passed=recording.unanswered_calls == 0 and len(recording.service_s) > 0,
        ),
        Verdict(
            name="node active at the end",
            value="yes" if recording.active else "no",
            limit="yes",
            passed=recording.active,
        ),
    )
    return Evaluation(
        verdicts=verdicts,
        memory=memory,
        accounting=counts,
        answered=tuple(answered),
        frames_passed=tuple(frames_passed(one, recording.stamps) for one in answered),
        received_share=received / max(1, recording.frames_published),
    )


def _memory_verdicts(memory: MemoryReport, limits: Limits) -> tuple[Verdict, ...]:
    limit = f"<= {limits.memory_growth:+.1%}"
    return tuple(
        Verdict(
            name=f"memory, {what} of last third to first",
            value=f"{first:.1f} -> {last:.1f} MB ({growth:+.2%})",
            limit=limit,
            passed=growth <= limits.memory_growth,
        )
        for what, first, last, growth in (
            ("median", memory.first_median_mb, memory.last_median_mb, memory.median_growth),
            ("maximum", memory.first_max_mb, memory.last_max_mb, memory.max_growth),
        )
    )


def _intent_verdicts(counts: Accounting) -> tuple[Verdict, ...]:
    refused = ", ".join(f"{number} {code}" for code, number in counts.refused.items())
    return (
        Verdict(
            name="intents lost",
            value=f"{counts.lost} of {counts.published} ({counts.answered} answered, "
            f"{counts.replaced} replaced)",
            limit="0",
            passed=counts.lost == 0 and counts.received == counts.published > 0,
        ),
        Verdict(
            name="intents refused, other than replaced",
            value=refused or "0",
            limit="0",
            passed=not counts.refused,
        ),
        Verdict(
            name="answers on /instance_masks",
            value=f"{counts.answers_seen}",
            limit=f"{counts.answered}, > 0",
            passed=counts.answers_seen == counts.answered > 0,
        ),
    )


def _age_verdicts(answered: list[Answered], node_p95_s: float | None) -> tuple[Verdict, ...]:
    ages = spread([one.frame_age_s for one in answered])
    inference = spread([one.inference_s for one in answered])
    if ages is None or inference is None:
        value, limit = "no answers", "one inference"
        return (Verdict(name="age of the frame used", value=value, limit=limit, passed=False),)
    limit = f"<= {inference.p50:.3f} s, one inference"
    return (
        Verdict(
            name="age of the frame at inference start, max",
            value=f"{ages.max:.3f} s",
            limit=limit,
            passed=ages.max <= inference.p50,
        ),
        Verdict(
            name="the same by the node, p95 since arrival",
            value="not reported" if node_p95_s is None else f"{node_p95_s:.3f} s",
            limit=limit,
            passed=node_p95_s is not None and node_p95_s <= inference.p50,
        ),
    )


def _camera_verdict(recording: Recording, camera_hz: float, limits: Limits) -> Verdict:
    # By the stamps and not by the number over the duration: reports come once a second.
    seen = recording.stamps
    rate = (len(seen) - 1) / (seen[-1] - seen[0]) if len(seen) > 1 else 0.0
    least = limits.camera_share * camera_hz
    return Verdict(
        name="camera's real rate",
        value=f"{rate:.1f} Hz",
        limit=f">= {least:.1f} Hz",
        passed=rate >= least,
    )
