import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lisa_model.geometry import back_project
from lisa_model.rgbd import load_frame

SCENES = Path(__file__).parents[2] / "scenes"
NAMES = sorted(path.stem for path in SCENES.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_shipped_scenes_agree_with_themselves(name):
    frame = load_frame(SCENES / f"{name}.json")
    assert frame.color.dtype == np.uint8
    assert frame.depth.dtype == np.float32
    points = back_project(frame.depth, frame.intrinsics)
    for item in frame.instances:
        mask = frame.ids == item.id
        assert mask.sum() == item.area
        rows, columns = mask.nonzero()
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert tuple(int(v) for v in box) == item.box_xyxy
        valid = mask & (frame.depth > 0)
        np.testing.assert_allclose(np.median(points[valid], axis=0), item.point_m, atol=2e-3)
    for question in frame.questions:
        assert frame.mask(question.instances).any()


@pytest.fixture
def copied(tmp_path):
    for path in SCENES.glob("living_room_remote.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "living_room_remote.json"


@pytest.mark.parametrize("suffix", [".jpg", ".depth.png", ".ids.png"])
def test_a_missing_file_is_named(copied, suffix):
    copied.with_suffix(suffix).unlink()
    with pytest.raises(FileNotFoundError, match="living_room_remote"):
        load_frame(copied)


def test_depth_can_be_left_out(copied):
    copied.with_suffix(".depth.png").unlink()
    assert not load_frame(copied, depth=False).depth.any()


def test_a_depth_of_the_wrong_size_is_named(copied):
    cv2.imwrite(str(copied.with_suffix(".depth.png")), np.zeros((3, 4), dtype=np.uint16))
    with pytest.raises(ValueError, match=r"depth\.png"):
        load_frame(copied)


def test_impossible_intrinsics_are_named(copied):
    meta = json.loads(copied.read_text())
    meta["camera"]["fx"] = 0
    copied.write_text(json.dumps(meta))
    with pytest.raises(ValueError, match="fx"):
        load_frame(copied)
