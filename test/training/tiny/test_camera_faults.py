"""Faults of cameras: the same picture, a little worse, and the same again for a seed."""

import random

import numpy as np

from training.tiny.camera_faults import with_faults


def picture() -> np.ndarray:
    rows, columns = np.mgrid[:96, :128]
    waves = [127 + 100 * np.sin(rows / 9 + k) * np.cos(columns / 13) for k in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def test_a_seed_gives_the_same_picture_and_another_seed_another():
    clean = picture()
    first = with_faults(clean, random.Random(3))
    assert first.dtype == np.uint8
    assert first.shape == clean.shape
    assert np.array_equal(first, with_faults(clean, random.Random(3)))
    assert not np.array_equal(first, with_faults(clean, random.Random(4)))
    assert np.array_equal(clean, picture()), "the input is left as it was"


def test_what_is_in_the_picture_stays_where_it_is():
    clean = picture()
    for seed in range(40):
        worse = with_faults(clean, random.Random(seed)).astype(float)
        together = np.corrcoef(clean.ravel(), worse.ravel())[0, 1]
        assert together > 0.9, seed


def test_a_hue_stays_what_it_was():
    for shade in ((200, 40, 40), (40, 160, 60), (50, 60, 190), (210, 190, 40)):
        clean = np.full((64, 64, 3), shade, dtype=np.uint8)
        order = np.argsort(shade)
        for seed in range(40):
            mean = with_faults(clean, random.Random(seed)).reshape(-1, 3).mean(0)
            assert mean[order[2]] > mean[order[0]] + 40, (shade, seed)
