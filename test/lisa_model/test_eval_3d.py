"""Scores of answers whose quality is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from demo_support import INTENT, RED_BOX, RED_DEPTH_M, write_scene
from recording_support import BOX_M, COLOR_K, make_frame

from lisa_model.cli import main
from lisa_model.errors import LisaError
from lisa_model.eval_3d import EvalConfig, evaluate, summarise
from lisa_model.recordings import (
    RecordedFrame,
    RecordingError,
    open_recording,
    write_scannet_export,
    write_scannet_frames,
    write_sens,
)
from lisa_model.recordings.questions import NYU40, questions_of, read_aggregation

ROOT = Path(__file__).parents[2]
CONFIG = EvalConfig(min_area_px=50)


class Painter:
    """Answers with masks that are told."""

    def __init__(self, *masks: np.ndarray, scores: tuple[float, ...] | None = None) -> None:
        self.masks = masks
        self.scores = scores or (0.9,) * len(masks)
        self.intents: list[str] = []

    def segment(self, image: np.ndarray, intent: str, *, max_new_tokens: int | None = None) -> Any:
        self.intents.append(intent)
        shape = image.shape[:2]
        masks = np.array(self.masks, bool) if self.masks else np.zeros((0, *shape), bool)
        return SimpleNamespace(masks=masks, scores=np.array(self.scores, np.float32))


def box(x0: int, y0: int, x1: int, y1: int, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_household_questions_are_asked_and_scored(tmp_path: Path):
    write_scene(tmp_path)
    recording = open_recording(tmp_path)
    questions = questions_of(recording)
    x0, y0, x1, y1 = RED_BOX
    perfect = Painter(box(x0, y0, x1, y1, (120, 160)))
    (record,) = evaluate(perfect, recording, questions, CONFIG)
    assert perfect.intents == [INTENT]
    assert record.score.iou == pytest.approx(1.0, abs=1e-5)
    assert record.error_m == pytest.approx(0.0, abs=1e-9)
    # Moved by 10 of 40 columns: IoU 30 / 50, and 10 pixels at 0.8 m and f = 140 are 57 mm.
    moved = Painter(box(x0, y0, x1, y1, (120, 160)), box(x0 + 10, y0, x1 + 10, y1, (120, 160)))
    moved.masks, moved.scores = moved.masks[1:], (0.9,)
    (record,) = evaluate(moved, recording, questions, CONFIG)
    assert record.score.iou == pytest.approx(0.6, abs=1e-5)
    # What hangs over shows the wall and is dropped with the minor depths.
    assert record.error_m == pytest.approx(5 / 140 * RED_DEPTH_M, abs=0.01)
    # The best mask gives the point, all of them the mask.
    both = Painter(
        box(x0, y0, x1, y1, (120, 160)), box(0, 0, 40, 30, (120, 160)), scores=(0.5, 0.8)
    )
    (record,) = evaluate(both, recording, questions, CONFIG)
    assert record.score.iou == pytest.approx(0.5, abs=1e-5)
    assert record.error_m is not None
    assert record.error_m > 1.0


@pytest.mark.parametrize("painter", [Painter(), Painter(np.ones((120, 160), bool), scores=(0.2,))])
def test_no_answer_is_a_miss(tmp_path: Path, painter: Painter):
    write_scene(tmp_path)
    recording = open_recording(tmp_path)
    records = evaluate(painter, recording, questions_of(recording), CONFIG)
    report = summarise(records)
    assert report["masks"]["giou"] == 0
    assert report["points"]["n"] == 1
    assert report["points"]["answered"] == 0
    assert report["points"]["median_error_m"] is None
    assert report["points"]["within_0.25_m"] == 0


def test_without_depth_there_is_no_truth_in_3d(tmp_path: Path):
    write_scene(tmp_path, depth=False)
    recording = open_recording(tmp_path)
    painter = Painter(box(*RED_BOX, (120, 160)))
    report = summarise(evaluate(painter, recording, questions_of(recording), CONFIG))
    assert report["masks"]["giou"] == pytest.approx(1.0, abs=1e-4)
    assert report["points"] == {
        "n": 0,
        "answered": 0,
        "median_error_m": None,
        "p90_error_m": None,
        "within_0.05_m": None,
        "within_0.1_m": None,
        "within_0.25_m": None,
    }


def two_chairs_and_a_lamp(number: int, scale: int = 1) -> RecordedFrame:
    """Return a frame with ids 1 and 2 (two chairs), 3 (a lamp) and 4 (a wall), times ``scale``."""
    ids = np.full((COLOR_K.height, COLOR_K.width), 4, np.uint16)
    for value, left in ((1, 0), (2, 30), (3, 60)):
        ids[10:30, left : left + 15] = value
    depth = np.full((COLOR_K.height, COLOR_K.width), 3000, np.uint16)
    depth[10:30, 30:45] = round(BOX_M * 1000)
    frame = make_frame(number, registered=True)
    return replace(frame, instance_ids=ids * np.uint16(scale), depth=depth)


AGGREGATION = {
    "segGroups": [
        {"objectId": 0, "label": "chair"},
        {"objectId": 1, "label": "chair"},
        {"objectId": 2, "label": "lamp"},
        {"objectId": 3, "label": "wall"},
        {"objectId": 9, "label": "never seen"},
    ]
}


@pytest.mark.parametrize("beside", [True, False])
def test_a_scan_asks_for_each_name_in_view(tmp_path: Path, beside: bool):
    scan = tmp_path / "scene0000_00"
    write_scannet_export(scan, [two_chairs_and_a_lamp(0), two_chairs_and_a_lamp(1)])
    (tmp_path / "scene0001_00.aggregation.json").write_text("{}")  # another scan's
    target = scan if beside else tmp_path
    (target / "scene0000_00.aggregation.json").write_text(json.dumps(AGGREGATION))
    recording = open_recording(scan)
    second_chair = box(30, 10, 45, 30, (60, 80))
    painter = Painter(second_chair)
    records = evaluate(painter, recording, questions_of(recording), CONFIG)
    assert painter.intents == ["Find the chair.", "Find the lamp."] * 2
    # One chair of two: half of the mask, and the point of the nearest one.
    assert records[0].score.iou == pytest.approx(0.5, abs=1e-4)
    assert records[0].error_m == pytest.approx(0.0, abs=1e-9)
    assert records[1].score.iou == 0
    report = summarise(records)
    assert report["frames"] == 2
    assert report["masks"]["n"] == 4
    assert report["masks"]["giou_95"] is None  # one place
    assert report["points"]["within_0.05_m"] == 0.5


def test_frames_25k_know_their_classes(tmp_path: Path):
    assert (len(NYU40), NYU40[4], NYU40[34]) == (40, "chair", "lamp")
    for number in range(2):
        frame = two_chairs_and_a_lamp(0)
        assert frame.instance_ids is not None
        names = np.array([0, 5001, 5002, 35001, 1001], np.uint16)  # chair, chair, lamp, wall
        frame = replace(frame, instance_ids=names[frame.instance_ids])
        write_scannet_frames(tmp_path / f"scene000{number}_00", [frame])
    recording = open_recording(tmp_path)
    painter = Painter(box(0, 10, 15, 30, (60, 80)))
    records = evaluate(painter, recording, questions_of(recording), CONFIG)
    assert painter.intents == ["Find the chair.", "Find the lamp."] * 2
    assert {record.group for record in records} == {"scene0000_00", "scene0001_00"}
    assert summarise(records)["masks"]["giou_95"] is not None


def test_frames_and_objects_are_chosen(tmp_path: Path):
    scan = tmp_path / "scan"
    write_scannet_export(scan, [two_chairs_and_a_lamp(number) for number in range(5)])
    (scan / "scan.aggregation.json").write_text(json.dumps(AGGREGATION))
    recording = open_recording(scan)
    questions = questions_of(recording)

    def frames(config: EvalConfig) -> list[str]:
        return sorted({one.frame for one in evaluate(Painter(), recording, questions, config)})

    numbers = [str(3 * number) for number in range(5)]  # 100 ms at 30 Hz
    assert frames(CONFIG) == sorted(numbers)
    assert frames(replace(CONFIG, every=2)) == sorted(numbers[::2])
    assert frames(replace(CONFIG, every=2, limit=2)) == sorted(numbers[:3:2])
    large = replace(CONFIG, min_area_px=301)  # the lamp has 300
    painter = Painter()
    evaluate(painter, recording, questions, large)
    assert set(painter.intents) == {"Find the chair."}
    with pytest.raises(LisaError, match="nothing to ask"):
        evaluate(painter, recording, questions, replace(CONFIG, min_area_px=10_000))


def test_missing_annotation_is_named(tmp_path: Path):
    write_sens(tmp_path / "scan.sens", [make_frame(0)])
    with pytest.raises(RecordingError, match="no instance annotation"):
        questions_of(open_recording(tmp_path / "scan.sens"))
    scan = tmp_path / "scan"
    write_scannet_export(scan, [replace(make_frame(0), instance_ids=None)])
    with pytest.raises(RecordingError, match=r"has 0 files \*\.aggregation\.json"):
        questions_of(open_recording(scan))
    file = scan / "scan.aggregation.json"
    for content in ("{", "{}", '{"segGroups": [{"objectId": "x", "label": "y"}]}', "[1]"):
        file.write_text(content)
        with pytest.raises(RecordingError, match=r"scan\.aggregation\.json: needs segGroups"):
            read_aggregation(scan)
    file.write_text(json.dumps(AGGREGATION))
    recording = open_recording(scan)
    with pytest.raises(RecordingError, match="no instance image"):
        evaluate(Painter(), recording, questions_of(recording), CONFIG)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-folder"], "no-such-folder"),
        ([str(ROOT / "scenes"), "--every", "0"], "every is 0"),
        ([str(ROOT / "scenes"), "--score-threshold", "2"], "score_threshold is 2"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture):
    assert main(["eval-3d", *arguments]) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1


@pytest.mark.model
@pytest.mark.slow
def test_the_shipped_model_on_a_shipped_scene(tmp_path: Path, capsys: pytest.CaptureFixture):
    import shutil

    for path in (ROOT / "scenes").glob("living_room_remote.*"):
        shutil.copy(path, tmp_path)
    meta_file = tmp_path / "living_room_remote.json"
    meta = json.loads(meta_file.read_text(encoding="utf-8"))
    meta["questions"] = [one for one in meta["questions"] if "remote" in one["intent"]][:2]
    assert meta["questions"]
    meta_file.write_text(json.dumps(meta), encoding="utf-8")
    report = tmp_path / "out" / "report.json"
    assert main(["eval-3d", str(tmp_path), "--json", str(report)]) == 0
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written["model"] == "lisa-tiny"
    assert written["points"]["n"] == written["masks"]["n"] == len(written["questions"])
    assert json.loads(capsys.readouterr().out)["masks"] == written["masks"]
