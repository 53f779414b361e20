"""The follow benchmark: its arithmetic, and a run on a tiny sequence without a network."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from fake_eyes import FakeEyes, Thing, drawn

from benchmarks import follow
from benchmarks.follow_measures import (
    Seen,
    absences,
    found_after,
    lost_after,
    report,
    unscheduled,
    verdicts,
)
from lisa_model.follow_target import FollowConfig
from lisa_model.rgbd import load_frame

FRAME = Seen(
    time_s=0.0,
    truth_px=100,
    ask_s=1.0,
    follow_s=0.1,
    ask_iou=0.8,
    follow_iou=0.8,
    state="tracking",
    confidence=0.9,
    ids=(1,),
    asked="",
    llm_calls=0,
)
GONE = replace(FRAME, truth_px=0, ask_iou=0.0, follow_iou=0.0)
LOST = replace(GONE, state="lost", confidence=0.0)
MISSING = replace(FRAME, state="lost", follow_iou=0.0, confidence=0.0)


def timed(frames: list[Seen], step: float = 0.1) -> list[Seen]:
    """The frames at their times; the first one asks."""
    out = [replace(frame, time_s=k * step) for k, frame in enumerate(frames)]
    out[0] = replace(out[0], asked="intent", llm_calls=1)
    return out


GOOD = timed([FRAME] * 20 + [GONE] * 2 + [LOST] * 10 + [MISSING] * 3 + [FRAME] * 20)


def test_a_good_run_passes_with_the_figures_as_counted():
    values = report({"pan": GOOD}, 5.0)
    assert values["fps_ratio"] == pytest.approx(10.0)
    assert values["iou_each_frame"] == pytest.approx(0.8)
    assert values["iou_follow"] == pytest.approx(0.8 * 40 / 43)
    assert values["llm_calls"] == 1
    assert values["lost_after_frames"] == 2
    assert values["found_after_frames"] == 3
    assert values["absent_but_shown_frames"] == 2
    assert values["visible_but_lost_frames"] == 3
    assert values["point_error_m"] is None
    held = {one.name: one.passed for one in verdicts(values)}
    assert not held.pop("mean IoU, ask each frame - follow")  # 0.8 * 3 / 43 is above 0.05
    assert all(held.values())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda f: replace(f, follow_s=0.3), "frame rate, follow / ask each frame"),
        (lambda f: replace(f, follow_iou=f.follow_iou * 0.9), "mean IoU, ask each frame - follow"),
        (lambda f: replace(f, llm_calls=1), "LLM calls out of schedule"),
        (lambda f: replace(f, ids=(1 + (f.time_s > 2),)), "one id through each path"),
        (lambda f: replace(f, state="tracking"), "frames until lost, worst"),
        (lambda f: replace(f, state="lost"), "frames until found again, worst"),
    ],
)
def test_each_limit_can_fail(change, what):
    values = report({"pan": [change(frame) for frame in GOOD]}, 5.0)
    assert not {one.name: one.passed for one in verdicts(values)}[what]


def test_short_absences_and_those_at_the_start_do_not_count():
    frames = [GONE] * 10 + [FRAME] * 5 + [GONE] * 3 + [FRAME] * 5 + [LOST] * 8
    assert absences(frames) == [(23, 31)]
    assert lost_after(frames, (23, 31)) == 0
    assert found_after(frames, (23, 31)) is None


def test_never_lost_or_never_found_is_none_and_fails():
    never_lost = [FRAME] * 5 + [GONE] * 10 + [FRAME] * 5
    values = report({"pan": never_lost}, 5.0)
    assert values["lost_after_frames"] is None
    never_found = [FRAME] * 5 + [LOST] * 10 + [MISSING] * 5
    assert report({"pan": never_found}, 5.0)["found_after_frames"] is None


def test_found_means_on_the_target():
    wrong = replace(FRAME, follow_iou=0.05)
    frames = [FRAME] * 5 + [LOST] * 8 + [wrong] * 4 + [FRAME] * 5
    assert found_after(frames, (5, 13)) == 4


def test_only_the_schedule_may_ask():
    due = timed([FRAME] * 120)
    for k in (50, 100):
        due[k] = replace(due[k], asked="period", llm_calls=1)
    assert unscheduled(due, 5.0) == 0
    early = list(due)
    early[60] = replace(early[60], asked="period", llm_calls=1)
    assert unscheduled(early, 5.0) == 2, "the early one, and the one at 100 that is early after it"
    dropped = timed([FRAME] * 5 + [LOST] * 5)
    dropped[5] = replace(dropped[5], asked="lost", llm_calls=1)
    assert unscheduled(dropped, 5.0) == 0
    dropped[7] = replace(dropped[7], asked="lost", llm_calls=1)
    assert unscheduled(dropped, 5.0) == 1
    twice = timed([FRAME] * 3)
    twice[0] = replace(twice[0], llm_calls=2)
    assert unscheduled(twice, 5.0) == 1


def write_sequence(folder, world):
    """A sequence whose pictures are numbered, as the fake sees them."""
    for number, things in enumerate(world):
        image = np.full((120, 160, 3), number, dtype=np.uint8)
        ids = drawn(things[0] if things else None, image).astype(np.uint8)
        stem = folder / f"pan_{number:03d}"
        cv2.imwrite(f"{stem}.jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])
        cv2.imwrite(f"{stem}.ids.png", ids)
        meta = {
            "camera": {"fx": 150.0, "fy": 150.0, "cx": 79.5, "cy": 59.5},
            "instances": [],
            "scene": "1",
            "split": "test",
            "intent": "the thing",
            "target": 1,
            "time_s": number / 10,
        }
        stem.with_suffix(".json").write_text(json.dumps(meta))


def test_a_run_counts_every_call_of_the_llm(tmp_path, capsys):
    thing = Thing((60, 50, 80, 66))
    world = [[thing]] * 15 + [[]] * 10 + [[thing]] * 15
    write_sequence(tmp_path, world)
    eyes = FakeEyes(world)
    values = follow.measure(tmp_path, eyes, FollowConfig(reask_every_s=2.0, reask_gap_s=0.5))
    # Every frame of the baseline, the warm-up, and the follower's own.
    assert len(eyes.asked) == len(world) + 1 + values["llm_calls"]
    assert values["llm_calls_by_reason"] == {"intent": 1, "period": 1, "lost": 1}
    assert values["llm_calls_unscheduled"] == 0
    assert values["iou_each_frame"] == pytest.approx(1.0, abs=1e-4)
    assert values["lost_after_frames"] == 2
    assert values["found_after_frames"] == 0
    assert values["ids_kept"]
    json.dumps(values)
    assert "PASS" in follow.text(values)
    assert "pan_039" in capsys.readouterr().out


def test_another_thing_of_the_sequence_is_measured_against_its_own_mask(tmp_path):
    world = [[Thing((20, 50, 40, 66))]] * 3
    write_sequence(tmp_path, world)
    cup = {"id": 7, "category": "cup", "title": "Cup", "model": "", "creator": "", "licence": ""}
    cup |= {"support": "", "box_xyxy": [100, 20, 120, 40], "area": 400, "point_m": [0, 0, 1]}
    for file in tmp_path.glob("*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"instances": [cup]}))
        mask = np.zeros((120, 160), np.uint8)
        mask[20:40, 100:120] = 7
        cv2.imwrite(f"{file.with_suffix('')}.ids.png", mask)
    eyes = FakeEyes([[Thing((100, 20, 120, 40))]] * 3)
    values = follow.measure(tmp_path, eyes, FollowConfig(), target="cup")
    assert values["intent"] == "Find the cup."
    assert values["iou_follow"] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="choose one of: cup"):
        follow.measure(tmp_path, eyes, FollowConfig(), target="spoon")


def test_an_empty_folder_says_how_to_get_frames(tmp_path):
    with pytest.raises(FileNotFoundError, match="render sequence"):
        follow.paths_of(tmp_path, None)


def test_the_shipped_sequence_is_what_the_benchmark_says():
    """Two paths, at least 200 frames, the target leaves and comes back on each."""
    paths = follow.paths_of(follow.SHIPPED, None)
    assert len(paths) == 2
    assert sum(len(files) for files in paths.values()) >= 200
    for files in paths.values():
        frames = [load_frame(file, depth=False) for file in files]
        seen = [
            replace(FRAME, truth_px=int(frame.mask((int(frame.meta["target"]),)).sum()))
            for frame in frames
        ]
        gaps = absences(seen)
        assert len(gaps) == 1
        assert seen[0].truth_px > 0
        assert gaps[0][1] < len(seen) - 10
        times = [frame.meta["time_s"] for frame in frames]
        assert np.diff(times) == pytest.approx(1 / 15, abs=1e-3)
        assert all(frame.meta["split"] == "test" for frame in frames)
    size = sum(file.stat().st_size for file in follow.SHIPPED.iterdir())
    assert size < 6.5 * 2**20
    assert "TV remote control" in (follow.SHIPPED / "ATTRIBUTION.md").read_text("utf-8")
