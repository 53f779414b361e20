"""Developing linear light, and files that are whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.household.render.develop import Development, develop, srgb_encode
from training.household.render.frame_io import frame_done, write_frame


def grey(value: float) -> np.ndarray:
    return np.full((8, 8, 3), value, dtype=np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("value", [0.001, 0.2, 50.0])
def test_exposure_brings_any_light_to_the_key(value: float) -> None:
    picture = develop(grey(value), Development(key=0.2), rng())
    expected = float(srgb_encode(np.float32(0.2))) * 255
    assert picture.dtype == np.uint8
    assert abs(float(picture.mean()) - expected) < 6


def test_highlights_roll_off_without_wrapping_and_order_is_kept() -> None:
    ramp = np.repeat(np.geomspace(0.01, 100, 64, dtype=np.float32)[None, :, None], 3, axis=2)
    picture = develop(ramp, Development(), rng())[0, :, 0].astype(int)
    assert (np.diff(picture) >= 0).all()
    assert picture.max() <= 255


def test_srgb_known_values() -> None:
    encoded = srgb_encode(np.array([0.0, 0.0031308, 0.2140, 1.0], dtype=np.float32))
    assert encoded == pytest.approx([0.0, 0.04045, 0.5, 1.0], abs=1e-3)


def test_bad_images_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        develop(np.zeros((8, 8), dtype=np.float32), Development(), rng())
    with pytest.raises(ValueError, match="finite"):
        develop(grey(np.inf), Development(), rng())


def write(folder: Path, ids: np.ndarray) -> None:
    color = np.zeros((6, 8, 3), dtype=np.uint8)
    color[..., 0] = 255  # red
    depth = np.full((6, 8), 1234, dtype=np.uint16)
    write_frame(folder, "a", color=color, depth_mm=depth, ids=ids, meta={"name": "a"})


def test_frame_files_read_back(tmp_path: Path) -> None:
    ids = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert not frame_done(tmp_path, "a")
    write(tmp_path, ids)
    assert frame_done(tmp_path, "a")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.depth.png",
        "a.ids.png",
        "a.jpg",
        "a.json",
    ]
    color = cv2.imread(str(tmp_path / "a.jpg"))
    assert color[0, 0, 2] > 240, "RGB in, red stays red"
    depth = cv2.imread(str(tmp_path / "a.depth.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16
    assert (depth == 1234).all()
    assert (cv2.imread(str(tmp_path / "a.ids.png"), cv2.IMREAD_UNCHANGED) == ids).all()
    assert json.loads((tmp_path / "a.json").read_text()) == {"name": "a"}


def test_sizes_must_agree_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sizes"):
        write(tmp_path, np.zeros((5, 8), dtype=np.uint8))
    assert not list(tmp_path.iterdir())
