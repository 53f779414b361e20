"""What the follow benchmark computes from what it recorded. Pure: no model, no files."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.measures import Verdict, spread

LOST, FOUND = "lost", "found_again"
# A mask that overlaps the target less than this shows something else (as in `lisa eval household`).
RIGHT_IOU = 0.1
MIN_RATIO, MAX_IOU_DROP, MAX_LOST_AFTER, MAX_FOUND_AFTER = 5.0, 0.05, 5, 10
# A thing that is gone for fewer frames was only hidden.
MIN_ABSENCE = 6


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One frame, as asking and as following saw it.

    Attributes:
        time_s: of the frame [s].
        truth_px: visible pixels of the target, 0 when it is out of view.
        ask_s, follow_s: seconds that a frame took.
        ask_iou, follow_iou: of the masks with the truth.
        state, confidence: of the follower's first target; "" and 0 without one.
        ids: of the follower's targets.
        asked: why the follower asked the LLM; "" when it did not.
        llm_calls: how often it really asked.
        point_error_m, smooth_error_m: distance of the measured and of the smoothed 3D point from
            the truth; None without depth or mask [m].
    """

    time_s: float
    truth_px: int
    ask_s: float
    follow_s: float
    ask_iou: float
    follow_iou: float
    state: str
    confidence: float
    ids: tuple[int, ...]
    asked: str
    llm_calls: int
    point_error_m: float | None = None
    smooth_error_m: float | None = None


def absences(frames: Sequence[Seen], shortest: int = MIN_ABSENCE) -> list[tuple[int, int]]:
    """(first, end) of the runs of frames without the target; none that starts the sequence."""
    runs: list[tuple[int, int]] = []
    start: int | None = None
    for k, frame in enumerate([*frames, None]):
        if frame is not None and frame.truth_px == 0:
            start = k if start is None else start
        elif start is not None:
            if start > 0 and k - start >= shortest:
                runs.append((start, k))
            start = None
    return runs


def lost_after(frames: Sequence[Seen], absence: tuple[int, int]) -> int | None:
    """Frames from the first one without the target to the one that says so; None for never."""
    first, end = absence
    return next((k - first for k in range(first, end) if frames[k].state == LOST), None)


def found_after(frames: Sequence[Seen], absence: tuple[int, int]) -> int | None:
    """Frames from the first one that shows the target again to the one in which it is found."""
    end = absence[1]
    for k in range(end, len(frames)):
        if frames[k].truth_px and frames[k].state != LOST and frames[k].follow_iou > RIGHT_IOU:
            return k - end
    return None


def unscheduled(frames: Sequence[Seen], reask_every_s: float) -> int:
    """Calls of the LLM that no rule explains.

    Rules: the first frame; ``reask_every_s`` after the last call; the frame in which the target's
    state becomes lost. At most one call a frame.
    """
    surplus, last = 0, frames[0].time_s
    for before, frame in zip([None, *frames], frames, strict=False):
        if not frame.llm_calls:
            continue
        due = before is None or frame.time_s - last >= reask_every_s - 1e-6
        # When the answer shows the lost target, the frame already says that it is found.
        dropped = before is not None and before.state != LOST and frame.state in (LOST, FOUND)
        surplus += frame.llm_calls - (1 if due or dropped else 0)
        last = frame.time_s
    return surplus


def report(paths: dict[str, list[Seen]], reask_every_s: float) -> dict[str, Any]:
    """Everything the benchmark says, by key; see benchmarks/README.md."""
    every = [frame for frames in paths.values() for frame in frames]
    visible = [frame for frame in every if frame.truth_px]
    gaps = [(frames, gap) for frames in paths.values() for gap in absences(frames)]
    lost = [lost_after(frames, gap) for frames, gap in gaps]
    # A path that ends out of view says nothing about coming back.
    found = [found_after(frames, gap) for frames, gap in gaps if gap[1] < len(frames)]
    asked = [frame for frame in every if frame.llm_calls]
    errors = [
        (f.point_error_m, f.smooth_error_m)
        for f in every
        if f.point_error_m is not None and f.smooth_error_m is not None
    ]
    return {
        "frames": len(every),
        "visible_frames": len(visible),
        "fps_ratio": sum(f.ask_s for f in every) / sum(f.follow_s for f in every),
        "fps_ratio_by_path": {
            name: sum(f.ask_s for f in frames) / sum(f.follow_s for f in frames)
            for name, frames in paths.items()
        },
        "fps_each_frame": len(every) / sum(f.ask_s for f in every),
        "fps_follow": len(every) / sum(f.follow_s for f in every),
        "seconds_each_frame": _spread([f.ask_s for f in every]),
        "seconds_follow": _spread([f.follow_s for f in every]),
        "seconds_follow_visible": _spread([f.follow_s for f in visible]),
        "iou_each_frame": statistics.fmean(f.ask_iou for f in visible),
        "iou_follow": statistics.fmean(f.follow_iou for f in visible),
        "iou_by_path": {
            name: {
                "each_frame": statistics.fmean(f.ask_iou for f in frames if f.truth_px),
                "follow": statistics.fmean(f.follow_iou for f in frames if f.truth_px),
            }
            for name, frames in paths.items()
        },
        "iou_spread": {
            "each_frame": _spread([f.ask_iou for f in visible]),
            "follow": _spread([f.follow_iou for f in visible]),
        },
        "llm_calls": sum(f.llm_calls for f in every),
        "llm_calls_by_reason": {
            reason: sum(f.asked == reason for f in asked) for reason in ("intent", "period", "lost")
        },
        "llm_calls_unscheduled": sum(unscheduled(f, reask_every_s) for f in paths.values()),
        "ids_kept": all(len({i for f in frames for i in f.ids}) == 1 for frames in paths.values()),
        "absences": len(gaps),
        "lost_after_frames": _worst(lost),
        "lost_after_frames_each": lost,
        "found_after_frames": _worst(found),
        "found_after_frames_each": found,
        "visible_but_lost_frames": sum(f.state == LOST for f in visible),
        "absent_but_shown_frames": sum(
            f.confidence > 0 and f.state != LOST for f in every if not f.truth_px
        ),
        "point_error_m": _spread([raw for raw, _ in errors]) if errors else None,
        "smooth_error_m": _spread([smooth for _, smooth in errors]) if errors else None,
    }


def verdicts(values: dict[str, Any]) -> list[Verdict]:
    """The limits, and whether they hold."""
    drop = values["iou_each_frame"] - values["iou_follow"]
    lost, found = values["lost_after_frames"], values["found_after_frames"]
    return [
        _verdict("frame rate, follow / ask each frame", values["fps_ratio"], f">= {MIN_RATIO:g}",
                 values["fps_ratio"] >= MIN_RATIO),
        _verdict("mean IoU, ask each frame - follow", drop, f"<= {MAX_IOU_DROP:g}",
                 drop <= MAX_IOU_DROP),
        _verdict("LLM calls out of schedule", values["llm_calls_unscheduled"], "0",
                 values["llm_calls_unscheduled"] == 0),
        _verdict("one id through each path", values["ids_kept"], "True", values["ids_kept"]),
        _verdict("frames until lost, worst", lost, f"<= {MAX_LOST_AFTER}",
                 lost is not None and lost <= MAX_LOST_AFTER),
        _verdict("frames until found again, worst", found, f"<= {MAX_FOUND_AFTER}",
                 found is not None and found <= MAX_FOUND_AFTER),
    ]  # fmt: skip


def _verdict(name: str, value: float | bool | None, limit: str, passed: bool) -> Verdict:
    shown = f"{value:.3f}" if isinstance(value, float) else str(value)
    return Verdict(name=name, value=shown, limit=limit, passed=passed)


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    found = spread(values)
    return None if found is None else asdict(found) | {"mean": float(np.mean(values))}


def _worst(counts: Sequence[int | None]) -> int | None:
    """The largest; None when there is none, or one never came."""
    if not counts or any(count is None for count in counts):
        return None
    return max(count for count in counts if count is not None)
