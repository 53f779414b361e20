import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_model.geometry import Target3D
from lisa_model.smoothing import PointFilter, SmoothingConfig, in_frame, measurement_covariance

STEP = 0.1


def test_without_disturbance_it_is_the_weighted_least_squares_line():
    """With q -> 0 the filter must equal the batch solution, prior included."""
    config = SmoothingConfig(acceleration_psd=1e-15, initial_speed_mps=0.5, gate=1e9)
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.02, 0.2, 12))
    points = np.array([1.0, -2.0, 0.5]) + times[:, None] * np.array([0.1, 0.0, -0.3])
    points = points + rng.normal(0, 0.02, points.shape)
    noises = [np.diag(rng.uniform(1, 4, 3)) * 1e-4 for _ in times]
    track = PointFilter(config=config)
    for time, point, noise in zip(times, points, noises, strict=True):
        last = track.update(point, noise, time)
    for axis in range(3):
        # Unknowns: position and velocity at the last time. The velocity's prior is one more row.
        rows = np.array([[1.0, time - times[-1]] for time in times] + [[0.0, 1.0]])
        weights = np.array([1 / noise[axis, axis] for noise in noises] + [1 / 0.5**2])
        seen = np.append(points[:, axis], 0.0)
        information = rows.T @ (weights[:, None] * rows)
        best = np.linalg.solve(information, rows.T @ (weights * seen))
        assert last.point[axis] == pytest.approx(best[0], abs=1e-8)
        assert last.velocity[axis] == pytest.approx(best[1], abs=1e-7)
        assert last.covariance[axis, axis] == pytest.approx(np.linalg.inv(information)[0, 0])


@given(st.floats(0.01, 0.9), st.floats(0.01, 0.9))
def test_two_steps_ahead_are_one_long_step(first, second):
    def after(*gaps):
        track = PointFilter()
        track.update(np.zeros(3), 1e-4 * np.eye(3), 0.0)
        time = 0.0
        for gap in gaps:
            time += gap
            guess = track.predict(time)
        return guess

    two, one = after(first, second), after(first + second)
    np.testing.assert_allclose(two.covariance, one.covariance, rtol=1e-9)
    np.testing.assert_allclose(two.point, one.point)


def test_uncertainty_grows_in_a_gap_as_the_formula_says():
    config = SmoothingConfig(acceleration_psd=0.2, initial_speed_mps=0.3)
    track = PointFilter(config=config)
    track.update(np.zeros(3), 1e-4 * np.eye(3), 5.0)
    guess = track.predict(6.0)
    assert guess is not None
    assert guess.covariance[1, 1] == pytest.approx(1e-4 + 0.3**2 + 0.2 / 3)
    assert not guess.accepted


def test_a_resting_point_becomes_steadier_than_its_measurements():
    rng = np.random.default_rng(1)
    truth = np.array([0.3, -0.1, 0.8])
    track = PointFilter(config=SmoothingConfig(acceleration_psd=1e-3))
    raw, smooth = [], []
    for k in range(200):
        seen = truth + rng.normal(0, 0.01, 3)
        raw.append(np.linalg.norm(seen - truth))
        smooth.append(np.linalg.norm(track.update(seen, 1e-4 * np.eye(3), k * STEP).point - truth))
    assert np.mean(smooth[20:]) < 0.6 * np.mean(raw[20:])


def test_a_steadily_moving_point_is_followed_without_lag():
    track = PointFilter()
    speed = np.array([0.2, 0.0, 0.05])
    for k in range(100):
        last = track.update(k * STEP * speed, 1e-4 * np.eye(3), k * STEP)
    np.testing.assert_allclose(last.point, 99 * STEP * speed, atol=1e-3)
    np.testing.assert_allclose(last.velocity, speed, atol=1e-2)
    guess = track.predict(99 * STEP + 0.5)
    assert guess is not None
    np.testing.assert_allclose(guess.point, (99 * STEP + 0.5) * speed, atol=1e-2)


def test_one_wild_point_is_ignored_and_a_real_jump_is_taken():
    config = SmoothingConfig(restart_after=3)
    track = PointFilter(config=config)
    noise = 1e-4 * np.eye(3)
    for k in range(20):
        track.update(np.zeros(3), noise, k * STEP)
    wild = track.update(np.array([0.0, 0.0, 1.0]), noise, 2.0)
    assert not wild.accepted
    assert np.abs(wild.point).max() < 0.02
    assert track.update(np.zeros(3), noise, 2.1).accepted, "one good point ends the doubt"
    there = np.array([0.0, 0.0, 1.0])
    results = [track.update(there, noise, 2.2 + k * STEP) for k in range(3)]
    assert [one.accepted for one in results] == [False, False, True]
    np.testing.assert_allclose(results[-1].point, there)


def test_a_long_gap_ends_the_track():
    track = PointFilter(config=SmoothingConfig(forget_after_s=1.0))
    noise = 1e-4 * np.eye(3)
    assert track.predict(0.0) is None
    track.update(np.zeros(3), noise, 0.0)
    assert track.predict(0.9) is not None
    assert track.predict(1.1) is None
    far = track.update(np.ones(3), noise, 1.2)
    assert far.accepted
    np.testing.assert_allclose(far.point, 1.0)


def test_time_must_not_run_backwards_and_numbers_must_be_finite():
    track = PointFilter()
    track.update(np.zeros(3), np.eye(3), 1.0)
    with pytest.raises(ValueError, match="backwards"):
        track.update(np.zeros(3), np.eye(3), 0.5)
    with pytest.raises(ValueError, match="finite"):
        track.update(np.array([0, np.nan, 0]), np.eye(3), 2.0)


@pytest.mark.parametrize(
    ("field", "value"), [("acceleration_psd", 0.0), ("gate", -1.0), ("initial_speed_mps", -0.1)]
)
def test_impossible_settings_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        SmoothingConfig(**{field: value})


def test_a_long_thing_is_less_certain_along_its_length():
    target = Target3D(
        point=np.zeros(3),
        covariance=np.diag([0.01, 1e-6, 1e-6]),
        extent=np.ones(3),
        valid_depth_fraction=1.0,
        depth_points=100,
        mask_area_px=100,
        eroded_area_px=100,
    )
    config = SmoothingConfig(spread_share=0.5, floor_m=0.01)
    noise = measurement_covariance(target, config)
    np.testing.assert_allclose(np.diag(noise), [0.0026, 0.00010025, 0.00010025])


def test_a_point_and_its_covariance_turn_with_the_camera():
    pose = np.eye(4)
    pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    pose[:3, 3] = [10, 0, 0]
    point, noise = in_frame(np.array([1.0, 2.0, 3.0]), np.diag([4.0, 1.0, 1.0]), pose)
    np.testing.assert_allclose(point, [8, 1, 3])
    np.testing.assert_allclose(noise, np.diag([1.0, 4.0, 1.0]))
