"""Finding scenes and what is true in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from demo_support import INTENT, true_mask, true_point, write_scene

from lisa_ros.demo_scene import SceneError, find_scene, load_scene, truth_for


def test_a_scene_is_found_by_name_and_by_any_of_its_files(tmp_path: Path) -> None:
    path = write_scene(tmp_path)
    assert find_scene("red_box", tmp_path) == path
    for name in ("red_box.json", "red_box.jpg", "red_box.depth.png"):
        assert find_scene(str(tmp_path / name)) == path


def test_an_unknown_name_lists_the_scenes(tmp_path: Path) -> None:
    write_scene(tmp_path)
    with pytest.raises(SceneError, match=r"no 'kitchen'.*choose one of red_box"):
        find_scene("kitchen", tmp_path)
    with pytest.raises(SceneError, match="holds no scene"):
        find_scene("kitchen", tmp_path / "empty")
    with pytest.raises(SceneError, match="is empty"):
        find_scene(" ", tmp_path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.write_text("{", encoding="utf-8"), "is not JSON"),
        (lambda p: p.write_text("{}", encoding="utf-8"), "lacks the entry 'camera'"),
        (lambda p: p.with_name("red_box.depth.png").unlink(), "red_box.depth.png"),
        (lambda p: p.with_name("red_box.ids.png").write_bytes(b"no image"), "red_box.ids.png"),
    ],
)
def test_a_spoilt_scene_is_named(tmp_path: Path, spoil, message: str) -> None:
    path = write_scene(tmp_path)
    spoil(path)
    with pytest.raises(SceneError, match=message):
        load_scene("red_box", tmp_path)


def test_truth_of_an_intent(tmp_path: Path) -> None:
    frame = load_scene(str(write_scene(tmp_path)))
    truth = truth_for(frame, INTENT)
    assert truth is not None
    assert truth.titles == ("red box",)
    assert np.array_equal(truth.mask, true_mask())
    np.testing.assert_allclose(truth.points_m, [true_point()])


def test_capitals_blanks_and_full_stops_do_not_matter(tmp_path: Path) -> None:
    frame = load_scene(str(write_scene(tmp_path)))
    assert truth_for(frame, "  find THE red   box ") is not None
    assert truth_for(frame, "find the red box on the left") is None


def test_a_scene_without_questions_has_no_truth(tmp_path: Path) -> None:
    path = write_scene(tmp_path)
    meta = json.loads(path.read_text(encoding="utf-8"))
    del meta["questions"]
    path.write_text(json.dumps(meta), encoding="utf-8")
    assert truth_for(load_scene(str(path)), INTENT) is None
