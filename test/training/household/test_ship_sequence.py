"""A shipped sequence is a smaller picture of the same thing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lisa_model.rgbd import load_frame
from training.household.ship_sequence import HEIGHT, WIDTH, ship_frame, smaller, smaller_camera

SCENE = Path(__file__).parents[3] / "scenes" / "living_room_remote.json"


def test_a_pixel_belongs_to_the_majority() -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[:2, :2] = True
    mask[0, 2] = True
    _, small = smaller(np.zeros((4, 4, 3), np.uint8), mask, 2, 2)
    assert small.tolist() == [[True, False], [False, False]]


def test_a_point_stays_under_its_pixel() -> None:
    """x / z = (u - cx) / fx, and the middle of the picture stays the middle."""
    camera = {"fx": 400.0, "fy": 400.0, "cx": 255.5, "cy": 191.5, "world_from_optical": []}
    small = smaller_camera(camera, 0.75)
    assert (small["cx"], small["cy"]) == (191.5, 143.5)
    u = 100.0
    moved = (u + 0.5) * 0.75 - 0.5
    assert (moved - small["cx"]) / small["fx"] == pytest.approx((u - 255.5) / 400)


def test_a_frame_is_shipped_with_its_target_only(tmp_path: Path) -> None:
    meta = json.loads(SCENE.read_text(encoding="utf-8"))
    meta |= {"sequence": "s", "intent": "i", "target": 1, "time_s": 0.5}
    source = tmp_path / "source"
    source.mkdir()
    for suffix in (".jpg", ".ids.png"):
        (source / f"pan_000{suffix}").write_bytes(
            SCENE.with_name(f"{SCENE.stem}{suffix}").read_bytes()
        )
    (source / "pan_000.json").write_text(json.dumps(meta), encoding="utf-8")
    ship_frame(source / "pan_000.json", tmp_path)
    frame = load_frame(tmp_path / "pan_000.json", depth=False)
    assert frame.color.shape == (HEIGHT, WIDTH, 3)
    assert set(np.unique(frame.ids)) == {0, 1}
    area = next(i["area"] for i in meta["instances"] if i["id"] == 1)
    assert frame.mask((1,)).sum() == pytest.approx(area * (WIDTH / 640) ** 2, rel=0.1)
    assert frame.meta["time_s"] == 0.5
