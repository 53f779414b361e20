"""What a scene takes from a frame's JSON."""

import json

import cv2
import numpy as np
import pytest

from training.homereason.scene import read_scene, scene_of

ITEM = {
    "id": 1, "category": "mug", "model": "KL28", "support": "serving_tray", "support_id": 4,
    "colour_name": "red", "scale": 1.1, "visible_share": 0.9, "area": 900,
    "world_box": [[0.1, 0.2, 0.7], [0.2, 0.32, 0.81]],
    "box_xyxy": [10, 10, 40, 40], "point_m": [0.0, 0.1, 1.0],
}  # fmt: skip


def meta(**changes):
    camera = {"fx": 100.0, "fy": 100.0, "cx": 49.5, "cy": 49.5,
              "world_from_optical": np.eye(4).tolist()}  # fmt: skip
    hidden = [{"id": 2, "category": "cat", "model": "BY100"}]
    return {"name": "f", "width": 100, "height": 100, "camera": camera,
            "instances": [ITEM | changes], "models": ["KL28", "BY100"],
            "hidden": hidden}  # fmt: skip


def test_the_renderers_fields_are_taken_over():
    view = scene_of(meta())
    (one,) = view.things
    assert one.size == pytest.approx((0.1, 0.12, 0.11))
    assert one.floor_box == (0.1, 0.2, 0.2, 0.32)
    assert one.measured
    assert one.scale == 1.1
    assert (one.support, one.support_id) == ("serving_tray", 4)
    assert one.clear
    assert view.present == {"mug", "cat"}


def test_fields_may_be_missing():
    new = ("scale", "support_id", "world_box", "visible_share", "colour_name")
    item = {k: v for k, v in ITEM.items() if k not in new}
    (one,) = scene_of(meta() | {"instances": [item]}).things
    assert (one.scale, one.support_id, one.size, one.measured) == (None, None, None, False)


def test_what_is_mostly_hidden_is_not_asked_for():
    assert not scene_of(meta(visible_share=0.3)).things[0].clear


@pytest.mark.parametrize(("bgr", "expected"), [((30, 30, 210), True), ((200, 60, 30), None)])
def test_paint_and_picture_have_to_agree(tmp_path, bgr, expected):
    ids = np.zeros((100, 100), np.uint8)
    ids[10:40, 10:40] = 1
    color = np.full((100, 100, 3), 128, np.uint8)
    color[ids == 1] = bgr
    cv2.imwrite(str(tmp_path / "f.jpg"), color, [cv2.IMWRITE_JPEG_QUALITY, 100])
    cv2.imwrite(str(tmp_path / "f.ids.png"), ids)
    cv2.imwrite(str(tmp_path / "f.depth.png"), np.full(ids.shape, 1000, np.uint16))
    (tmp_path / "f.json").write_text(json.dumps(meta()))
    (one,) = read_scene(tmp_path / "f.json").things
    assert one.colours["red"] is expected
    assert one.colours["blue"] is (False if expected else None), (
        "what the paint is not, is doubtful"
    )
