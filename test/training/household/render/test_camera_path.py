"""Camera paths: keys are met, motion is smooth, and the target leaves and comes back."""

from __future__ import annotations

import numpy as np
import pytest

from training.household.categories import read_categories
from training.household.render.camera_path import Key, between, ease, pose_of
from training.household.render.cameras import pinhole, project
from training.household.render.sequences import (
    FOV_DEGREES,
    HEIGHT,
    SEQUENCES,
    WIDTH,
    sequence_scene,
)

TARGET = np.array([0.2, -0.1, 0.5])
CAMERA = pinhole(WIDTH, HEIGHT, FOV_DEGREES)


def pixel(key: Key) -> np.ndarray:
    return project(TARGET[None], pose_of(key, TARGET), CAMERA)[0]


def test_without_pan_and_tilt_the_target_is_in_the_middle() -> None:
    for azimuth in (-60, 0, 30):
        u, v, z = pixel(Key(frame=0, azimuth=azimuth, distance=0.9, height=0.5))
        assert (u, v) == pytest.approx((CAMERA.cx, CAMERA.cy), abs=1e-6)
        assert z == pytest.approx(0.9)


def test_pan_right_and_tilt_up_move_the_target_left_and_down() -> None:
    u, _, _ = pixel(Key(frame=0, azimuth=20, distance=0.9, height=0.4, pan=10))
    assert u < CAMERA.cx - 50
    _, v, _ = pixel(Key(frame=0, azimuth=20, distance=0.9, height=0.4, tilt=10))
    assert v > CAMERA.cy + 50


def test_azimuth_goes_to_the_right_around_the_target() -> None:
    pose = pose_of(Key(frame=0, azimuth=90, distance=1.0, height=0.0), TARGET)
    assert pose[:3, 3] == pytest.approx(TARGET + np.array([1.0, 0, 0]))


def test_keys_are_met_and_the_path_stands_still_outside_them() -> None:
    keys = (
        Key(frame=5, azimuth=0, distance=1, height=0.5),
        Key(frame=15, azimuth=10, distance=2, height=0.6, pan=4),
    )
    assert between(keys, 0) == keys[0]
    assert between(keys, 15) == keys[1]
    assert between(keys, 99) == keys[1]
    middle = between(keys, 10)
    assert (middle.azimuth, middle.distance, middle.pan) == pytest.approx((5, 1.5, 2))


def test_easing_has_no_speed_at_its_ends() -> None:
    assert (ease(0), ease(1)) == (0, 1)
    assert ease(0.01) < 1e-4
    assert 1 - ease(0.99) < 1e-4


def test_impossible_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="height"):
        Key(frame=0, azimuth=0, distance=0.5, height=0.6)
    with pytest.raises(ValueError, match="straight"):
        pose_of(Key(frame=0, azimuth=0, distance=1, height=0.1, tilt=92), TARGET)


@pytest.mark.parametrize("name", sorted(SEQUENCES))
def test_the_target_leaves_comes_back_and_never_leaps(name: str) -> None:
    for keys in SEQUENCES[name].paths.values():
        spots = np.array([pixel(between(keys, k)) for k in range(keys[-1].frame + 1)])
        inside = (
            (spots[:, 2] > 0)
            & (spots[:, 0] > 0)
            & (spots[:, 0] < WIDTH)
            & (spots[:, 1] > 0)
            & (spots[:, 1] < HEIGHT)
        )
        changes = np.flatnonzero(np.diff(inside.astype(int)))
        assert inside[0]
        assert len(changes) == 2, "out once, and in again"
        assert changes[1] - changes[0] > 20
        # 30 degrees a second at 15 frames a second are 18 pixels a frame; half as much again.
        seen = inside[1:] & inside[:-1]
        assert np.linalg.norm(np.diff(spots[:, :2], axis=0), axis=1)[seen].max() < 35


def test_the_test_sequence_has_two_paths_and_its_scene_is_of_the_test_split() -> None:
    sequence = SEQUENCES["living_room"]
    assert len(sequence.paths) == 2
    assert sum(keys[-1].frame + 1 for keys in sequence.paths.values()) >= 200
    categories = read_categories()
    assert sequence_scene(sequence, categories).split == "test"
    for name, one in SEQUENCES.items():
        spec = sequence_scene(one, categories)
        assert one.target in {thing.category for thing in spec.small}
        assert (spec.width, spec.height) == (WIDTH, HEIGHT)
        assert name.endswith("_val") == (spec.split == "val")
