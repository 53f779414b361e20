import json
import random

import numpy as np
import pytest
import torch

from lisa_model.geometry import Intrinsics
from lisa_model.rgbd import Instance, RgbdFrame
from training.tiny.features import open_views, random_window, target_masks
from training.tiny.views import view_tensors, view_windows


@pytest.fixture
def frame():
    ids = np.zeros((48, 64), dtype=np.uint8)
    ids[20:30, 40:52] = 3
    return RgbdFrame(
        name="f",
        color=np.zeros((48, 64, 3), dtype=np.uint8),
        depth=np.ones((48, 64), dtype=np.float32),
        ids=ids,
        intrinsics=Intrinsics(fx=50.0, fy=50.0, cx=31.5, cy=23.5, width=64, height=48),
        instances=(Instance(3, "mug", "mug", (40, 20, 52, 30), 120, (0.0, 0.0, 1.0)),),
        questions=(),
        meta={},
    )


def write_view(path, ids):
    h, w = ids.shape[0] // 8, ids.shape[1] // 8
    rng = np.random.default_rng(0)
    instances = [{"id": 3, "category": "mug", "area": int((ids == 3).sum())}]
    meta = json.dumps({"name": "f", "instances": instances}).encode()
    np.savez(
        path,
        meta=np.frombuffer(meta, dtype=np.uint8),
        vision0=rng.normal(size=(6, h, w)).astype(np.float16),
        rgb0=rng.integers(0, 255, (*ids.shape, 3), dtype=np.uint8),
        ids0=ids,
        window0=np.array([0, 0, 64, 48, 0]),
        vision1=rng.normal(size=(6, 2, 2)).astype(np.float16),
        rgb1=np.zeros((16, 16, 3), dtype=np.uint8),
        ids1=np.full((16, 16), 3, dtype=np.uint8),
        window1=np.array([32, 12, 48, 24, 1]),
    )
    return path


def test_random_windows_stay_near_the_thing(frame):
    rng = random.Random(0)
    for _ in range(50):
        window = random_window(frame, rng)
        assert window.x0 < 46 < window.x1
        assert window.y0 < 25 < window.y1


def test_soft_masks_keep_the_area(frame):
    masks = target_masks(frame.ids, [(3,), (9,)])
    assert masks.shape == (2, 24, 32)
    assert masks[0].sum().item() * 4 == pytest.approx(120)
    assert masks[1].sum().item() == 0


def test_views_are_mirrored_with_everything_that_belongs_to_them(frame, tmp_path):
    whole, crop = open_views(write_view(tmp_path / "f.npz", frame.ids))
    assert (whole.shape, whole.zoomed, whole.window) == ((6, 8), False, (0, 0, 1, 1))
    assert [one["id"] for one in whole.instances] == [3]
    assert (crop.shape, crop.zoomed, crop.window) == ((2, 2), True, (0.5, 0.25, 0.75, 0.5))
    original, mirrored = whole.read(), whole.read(mirrored=True)
    assert (mirrored.ids == original.ids[:, ::-1]).all()
    assert (mirrored.rgb == original.rgb[:, ::-1]).all()
    assert (mirrored.vision == original.vision[:, :, ::-1]).all()
    assert crop.read(mirrored=True).window == (0.25, 0.25, 0.5, 0.5)
    assert view_windows([crop.read()]).tolist() == [[0.5, 0.25, 0.75, 0.5]]


def test_what_is_cut_off_by_a_crop_is_not_asked_for(frame, tmp_path):
    path = write_view(tmp_path / "f.npz", frame.ids)
    with np.load(path) as data:
        arrays = dict(data)
    arrays["ids1"] = np.where(np.arange(16)[:, None] < 2, arrays["ids1"], 0).astype(np.uint8)
    np.savez(path, **arrays)
    _, crop = open_views(path, zoom_min=1)
    assert crop.instances == []


def test_view_tensors_are_normalised_like_the_encoder_input(frame, tmp_path):
    (whole, _) = open_views(write_view(tmp_path / "f.npz", frame.ids))
    vision, rgb = view_tensors([whole.read()])
    assert vision.shape == (1, 6, 6, 8)
    assert rgb.shape == (1, 3, 48, 64)
    assert rgb.dtype == torch.float32
    assert -3 < rgb.mean() < 3
