import random

import numpy as np
import pytest
import torch

from lisa_model.geometry import Intrinsics
from lisa_model.rgbd import Instance, RgbdFrame
from training.features import View, random_window, target_masks
from training.views import flip, view_tensors


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


def view(ids):
    h, w = ids.shape[0] // 8, ids.shape[1] // 8
    rng = np.random.default_rng(0)
    return View(
        frame="f",
        zoomed=False,
        vision=rng.normal(size=(6, h, w)).astype(np.float16),
        rgb=rng.integers(0, 255, (*ids.shape, 3), dtype=np.uint8),
        ids=ids,
        instances=[{"id": 3, "category": "mug"}],
    )


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


def test_flip_moves_features_colour_and_ids_together(frame):
    original = view(frame.ids)
    mirrored = flip(original)
    assert (mirrored.ids == original.ids[:, ::-1]).all()
    assert (mirrored.rgb == original.rgb[:, ::-1]).all()
    assert (mirrored.vision == original.vision[:, :, ::-1]).all()
    assert (flip(mirrored).vision == original.vision).all()


def test_view_tensors_are_normalised_like_the_encoder_input(frame):
    vision, rgb = view_tensors([view(frame.ids)])
    assert vision.shape == (1, 6, 6, 8)
    assert rgb.shape == (1, 3, 48, 64)
    assert rgb.dtype == torch.float32
    assert -3 < rgb.mean() < 3
