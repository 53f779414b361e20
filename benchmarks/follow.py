"""Follow mode against asking the LLM in each frame, side by side on a moving-camera sequence.

    lisa bench follow [--frames data/sequences/living_room --json out/follow.json]

Every frame is answered in both ways, one right after the other and in turns; nothing that one way
computed of a frame serves the other. Exit status 0 when every limit holds.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.follow_measures import Seen, report, verdicts
from benchmarks.measures import table, verdict_table
from benchmarks.origin import commit, write_report
from lisa_model.follow import Follower, FollowResult
from lisa_model.follow_target import FollowConfig
from lisa_model.geometry import Target3D, estimate_target
from lisa_model.llava.segmenter import LisaSegmenter
from lisa_model.metrics import score_mask
from lisa_model.rgbd import RgbdFrame, load_frame
from lisa_model.segmenter import ReasoningSegmenter, SegmentationResult
from lisa_model.smoothing import PointFilter, in_frame, measurement_covariance
from lisa_model.tiny_segmenter import TinySegmenter

SHIPPED = Path(__file__).parent / "data" / "follow"


class CountingSegmenter:
    """A segmenter for a follower that counts how often the LLM is asked."""

    def __init__(self, segmenter: ReasoningSegmenter) -> None:
        self.real = segmenter
        self.look = segmenter.look
        self.calls = 0

    def segment(self, image: np.ndarray, prompt: str) -> SegmentationResult:
        """Ask, and count."""
        self.calls += 1
        return self.real.segment(image, prompt)

    def forget_frames(self) -> None:
        """Drop what is kept of images."""
        if isinstance(self.real, TinySegmenter):
            self.real._last = None
        elif isinstance(self.real, LisaSegmenter):
            self.real.engine._frames.clear()


class Path3D:
    """The 3D point of a target along a path, as measured and as smoothed in the world frame."""

    def __init__(self) -> None:
        self._filter = PointFilter()

    def errors(
        self, frame: RgbdFrame, mask: np.ndarray, truth: np.ndarray
    ) -> tuple[float, float] | None:
        """Distances [m] from the point under the true mask; None when a point is missing."""
        meant = estimate_target(truth, frame.depth, frame.intrinsics)
        found = estimate_target(mask, frame.depth, frame.intrinsics)
        if not (isinstance(meant, Target3D) and isinstance(found, Target3D)):
            return None
        pose = np.array(frame.meta["camera"]["world_from_optical"], dtype=np.float64)
        noise = measurement_covariance(found, self._filter.config)
        point, noise = in_frame(found.point, noise, pose)
        right, _ = in_frame(meant.point, noise, pose)
        smooth = self._filter.update(point, noise, float(frame.meta["time_s"])).point
        return float(np.linalg.norm(point - right)), float(np.linalg.norm(smooth - right))


def paths_of(folder: Path, limit: int | None) -> dict[str, list[Path]]:
    """The frames' files by camera path.

    Raises:
        FileNotFoundError: there are none; the message says how to render them.
    """
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*_[0-9][0-9][0-9].json")):
        found.setdefault(file.stem[:-4], []).append(file)
    if not found:
        raise FileNotFoundError(
            f"no sequence in {folder}; render one: .venv-render/bin/python -m "
            "training.household.render sequence living_room (training/household/README.md)"
        )
    return {name: files[:limit] for name, files in found.items()}


def run_path(
    segmenter: ReasoningSegmenter,
    files: Sequence[Path],
    intent: str,
    config: FollowConfig,
    meant: int,
) -> list[Seen]:
    """Both ways along one camera path; ``meant`` is the target's instance id."""
    eyes = CountingSegmenter(segmenter)
    follower = Follower(segmenter=eyes, config=config)
    path = Path3D()
    seen: list[Seen] = []
    for number, file in enumerate(files):
        frame = load_frame(file, depth=file.with_suffix(".depth.png").is_file())
        truth = frame.mask((meant,))
        one = _frame(eyes, follower, frame, intent, number, truth)
        seen.append(one[0])
        if frame.depth.any() and one[1].any() and one[0].follow_iou > 0:
            errors = path.errors(frame, one[1], truth)
            if errors is not None:
                seen[-1] = replace(seen[-1], point_error_m=errors[0], smooth_error_m=errors[1])
        print(
            f"{frame.name}: IoU {seen[-1].ask_iou:.2f} / {seen[-1].follow_iou:.2f}, "
            f"{seen[-1].ask_s:.2f} / {seen[-1].follow_s:.2f} s, {seen[-1].state} "
            f"{seen[-1].confidence:.2f} {seen[-1].asked}",
            flush=True,
        )
    return seen


def _frame(
    eyes: CountingSegmenter,
    follower: Follower,
    frame: RgbdFrame,
    intent: str,
    number: int,
    truth: np.ndarray,
) -> tuple[Seen, np.ndarray]:
    """One frame in both ways, and the follower's mask."""
    now_s = float(frame.meta["time_s"])
    calls = 0

    def ask() -> tuple[float, SegmentationResult]:
        eyes.forget_frames()
        start = time.perf_counter()
        answer = eyes.real.segment(frame.color, intent)
        return time.perf_counter() - start, answer

    def follow() -> tuple[float, FollowResult]:
        nonlocal calls
        eyes.forget_frames()
        before, start = eyes.calls, time.perf_counter()
        if follower.intent is None:
            result = follower.ask(frame.color, intent, now_s)
        else:
            result = follower.update(frame.color, now_s)
        spent = time.perf_counter() - start
        calls = eyes.calls - before
        return spent, result

    if number % 2:
        (follow_s, result), (ask_s, answer) = follow(), ask()
    else:
        (ask_s, answer), (follow_s, result) = ask(), follow()
    target = result.targets[0] if result.targets else None
    nothing = np.zeros(truth.shape, dtype=np.bool_)
    mask = target.mask if target else nothing
    seen = Seen(
        time_s=now_s,
        truth_px=int(truth.sum()),
        ask_s=ask_s,
        follow_s=follow_s,
        ask_iou=score_mask(answer.masks[0] if len(answer.masks) else nothing, truth).iou,
        follow_iou=score_mask(mask, truth).iou,
        state=str(target.state) if target else "",
        confidence=target.confidence if target else 0.0,
        ids=tuple(one.id for one in result.targets),
        asked=str(result.asked),
        llm_calls=calls,
    )
    return seen, mask


def measure(
    folder: Path,
    segmenter: ReasoningSegmenter,
    config: FollowConfig,
    *,
    intent: str | None = None,
    limit: int | None = None,
    target: str | None = None,
) -> dict[str, Any]:
    """Run all camera paths of a folder; keys: see benchmarks/README.md.

    Args:
        folder: frames as ``training.household.render sequence`` writes them, or shipped ones.
        segmenter: the model.
        config: of the follower.
        intent: what is said; None for the sequence's own intent.
        limit: first frames of each path only.
        target: category of another thing in the first frame, followed instead and asked for by its
            name; None for the sequence's own target.

    Raises:
        ValueError: the first frame does not show that thing.
    """
    files = paths_of(folder, limit)
    first = load_frame(next(iter(files.values()))[0], depth=False)
    meant, named = int(first.meta["target"]), str(first.meta["intent"])
    if target is not None:
        meant, named = _other(first, target)
    # Once before the clock runs: first calls allocate.
    said = intent or named
    segmenter.segment(first.color, said)
    paths = {name: run_path(segmenter, group, said, config, meant) for name, group in files.items()}
    values = report(paths, config.reask_every_s or float("inf"))
    limits = verdicts(values)
    return values | {
        "verdicts": {one.name: one.passed for one in limits},
        "verdict_table": verdict_table(limits),
        "passed": all(one.passed for one in limits),
        "intent": said,
        "frames_from": f"{folder.name}, {first.color.shape[1]}x{first.color.shape[0]}, "
        f"rendered scene {first.meta['scene']} ({first.meta['split']} split)",
    }


def _other(frame: RgbdFrame, category: str) -> tuple[int, str]:
    """Instance id of another thing of a sequence, and what is said to get it."""
    for one in frame.instances:
        if one.category == category:
            return one.id, f"Find the {one.title.lower()}."
    shown = ", ".join(sorted({one.category for one in frame.instances})) or "none"
    raise ValueError(f"no {category!r} in {frame.name} to follow; choose one of: {shown}")


def text(values: dict[str, Any]) -> str:
    """A report for people."""
    ask, follow = values["seconds_each_frame"], values["seconds_follow"]
    iou = values["iou_spread"]
    rows = [("", "frames/s", "s: median (p95)", "IoU: mean, median (min)")]
    for name, fps, seconds, spread in (
        ("ask each frame", values["fps_each_frame"], ask, iou["each_frame"]),
        ("follow", values["fps_follow"], follow, iou["follow"]),
    ):
        rows.append(
            (
                name,
                f"{fps:.2f}",
                f"{seconds['p50']:.2f} ({seconds['p95']:.2f})",
                f"{spread['mean']:.3f}, {spread['p50']:.3f} ({spread['min']:.3f})",
            )
        )
    lines = [
        f"frames: {values['frames']} ({values['frames_from']}); intent: {values['intent']}",
        table(rows),
        "",
    ]
    lines += [
        f"{key}: {values[key]}"
        for key in (
            "llm_calls_by_reason",
            "lost_after_frames_each",
            "found_after_frames_each",
            "visible_but_lost_frames",
            "absent_but_shown_frames",
        )
    ]
    if values["point_error_m"]:
        raw, smooth = values["point_error_m"], values["smooth_error_m"]
        lines.append(
            f"3D point: error {raw['p50'] * 1000:.1f} mm (p95 {raw['p95'] * 1000:.1f}), smoothed "
            f"{smooth['p50'] * 1000:.1f} mm (p95 {smooth['p95'] * 1000:.1f})"
        )
    return "\n".join([*lines, "", values["verdict_table"]])


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; see the module."""
    parser = argparse.ArgumentParser(
        prog="lisa bench follow", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--frames", type=Path, default=SHIPPED, help="folder of a sequence")
    parser.add_argument("--model", default="lisa-tiny", help="preset name or folder of weights")
    parser.add_argument("--vision-tower", type=Path, help="of an official checkpoint")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    parser.add_argument(
        "--reask-every", type=float, default=5.0, help="seconds of the sequence between LLM calls"
    )
    parser.add_argument("--intent", help="said instead of the sequence's own intent")
    parser.add_argument(
        "--target", help="category of another thing of the sequence, followed instead (by name)"
    )
    parser.add_argument("--limit", type=int, help="first N frames of each path only")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    args = parser.parse_args(arguments)
    segmenter = ReasoningSegmenter.from_pretrained(
        args.model, vision_tower=args.vision_tower, device=args.device, dtype=args.dtype
    )
    values = measure(
        args.frames,
        segmenter,
        FollowConfig(reask_every_s=args.reask_every),
        intent=args.intent,
        limit=args.limit,
        target=args.target,
    )
    print(text(values))
    if args.json:
        values.pop("verdict_table")
        values |= {
            "model": segmenter.name,
            "dtype": args.dtype,
            "device": args.device,
            "reask_every_s": args.reask_every,
            "commit": commit(),
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
        }
        write_report(args.json, values)
    return int(not values["passed"])


if __name__ == "__main__":
    sys.exit(main())
