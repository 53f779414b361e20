"""From a frame to messages, without topics."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lisa_model.geometry import Target3D
from lisa_ros.conversion import image_to_array
from lisa_ros.frame import Frame
from lisa_ros.overlay import draw_overlay
from lisa_ros.parameters import PARAMETERS, Settings
from lisa_ros.pipeline import answer_intent
from lisa_ros.results import describe, to_instance_masks, to_target_point, to_targets

SETTINGS = Settings.defaults()
BOX = (20, 10, 20, 20)  # left, top, width, height of the red box


@pytest.fixture
def frame(make: Any) -> Frame:
    return Frame(colour=make.image(7.5), received=0.0, depth=make.depth(7.5), info=make.info(7.5))


def test_a_target_is_found_with_its_position(frame: Frame, fake: Any, make: Any):
    answer = answer_intent(fake, frame, "find it", SETTINGS)
    assert answer.text == "It is find it."
    assert fake.max_new_tokens == SETTINGS.max_answer_tokens
    (target,) = answer.targets
    assert target.box_xywh == BOX
    assert target.area_px == 400
    assert isinstance(target.position, Target3D)
    expected = ((29.5 - 31.5) / 50 * 1.5, (19.5 - 23.5) / 50 * 1.5, 1.5)
    np.testing.assert_allclose(target.position.point, expected, atol=1e-6)
    assert set(answer.timings) == {"model.language", "convert", "segment", "locate"}

    masks = to_instance_masks(answer)
    assert (masks.intent, masks.answer, masks.model) == ("find it", "It is find it.", "fake")
    assert (masks.height, masks.width) == make.size
    (instance,) = masks.instances
    assert instance.id == 1
    assert instance.is_target
    box = instance.box
    assert (box.x_offset, box.y_offset, box.width, box.height) == BOX
    pixels = np.frombuffer(instance.mask.data, np.uint8).reshape(make.size)
    np.testing.assert_array_equal(pixels == 255, target.mask)
    for header in (masks.header, instance.mask.header, to_targets(answer).header):
        assert header == frame.colour.header

    targets = to_targets(answer)
    assert targets.best == 0
    (msg,) = targets.targets
    assert msg.has_3d
    assert msg.reason == ""
    np.testing.assert_allclose([msg.point.x, msg.point.y, msg.point.z], expected, atol=1e-6)
    np.testing.assert_allclose(
        np.array(msg.covariance).reshape(3, 3), target.position.covariance, atol=1e-12
    )
    assert (msg.centroid_u, msg.centroid_v) == (29.5, 19.5)
    assert (msg.mask_area_px, msg.eroded_area_px, msg.depth_points) == (400, 256, 256)
    assert msg.valid_depth_fraction == 1.0
    assert 0 < msg.point_sigma_m < 1 / 50 * 1.5, "less than a pixel"
    assert msg.has_box
    # The whole box of 20 x 20 pixels, of which erosion leaves 16 x 16 to the point.
    np.testing.assert_allclose((msg.box_size.x, msg.box_size.y), 19 / 50 * 1.5, atol=0.04)
    assert msg.box_size.z == pytest.approx(0.0, abs=1e-6)
    place = msg.box_pose.position
    np.testing.assert_allclose((place.x, place.y, place.z), expected, atol=0.03)
    assert msg.has_normal
    np.testing.assert_allclose((msg.normal.x, msg.normal.y, msg.normal.z), (0, 0, -1), atol=1e-6)
    assert msg.normal_points >= 12
    assert msg.normal_rms_m == pytest.approx(0.0, abs=1e-6)
    assert msg.normal_radius_m == pytest.approx(8 / 50 * 1.5)
    assert target.distance_m == pytest.approx(math.dist((0, 0, 0), expected))
    point = to_target_point(answer)
    assert point is not None
    assert point.point == msg.point
    assert point.header == frame.colour.header
    line = describe(answer, 0.25)
    assert line.startswith(
        'answered intent="find it" answer="It is find it." instances=1 targets=1'
    )
    assert f'point_m="(-0.060, -0.120, 1.500)" frame={frame.colour.header.frame_id}' in line
    assert line.endswith("total_s=0.250")


def test_without_depth_there_is_a_mask_and_a_reason(frame: Frame, fake: Any):
    frame = replace(frame, depth=None, missing="no_depth", missing_text="no depth has arrived")
    answer = answer_intent(fake, frame, "find it", SETTINGS)
    assert answer.target_mask().sum() == 400
    targets = to_targets(answer)
    assert targets.best == -1
    (msg,) = targets.targets
    assert not msg.has_3d
    assert (msg.reason, msg.reason_text) == ("no_depth", "no depth has arrived")
    assert math.isnan(msg.point.x)
    assert math.isnan(msg.extent.z)
    assert all(math.isnan(value) for value in msg.covariance)
    assert math.isnan(msg.point_sigma_m)
    assert not msg.has_box
    assert not msg.has_normal
    assert math.isnan(msg.box_pose.position.x)
    assert math.isnan(msg.normal_rms_m)
    assert to_target_point(answer) is None
    assert 'no_3d="no depth has arrived"' in describe(answer, 1.0)


def test_too_little_valid_depth_is_said(frame: Frame, fake: Any, make: Any):
    frame = replace(frame, depth=make.depth(7.5, metres=0.0))
    (msg,) = to_targets(answer_intent(fake, frame, "find it", SETTINGS)).targets
    assert not msg.has_3d
    assert msg.reason == "too_few_depth_points"


def test_an_unsure_instance_is_reported_but_no_target(frame: Frame, fake: Any):
    answer = answer_intent(fake, frame, "unsure", SETTINGS)
    assert len(answer.instances) == 1
    assert answer.targets == ()
    assert not answer.target_mask().any()
    assert not to_instance_masks(answer).instances[0].is_target
    assert to_targets(answer).targets == []
    assert "instances=1 targets=0" in describe(answer, 1.0)
    low = {spec.name: spec.default for spec in PARAMETERS} | {"score_threshold": 0.05}
    assert len(answer_intent(fake, frame, "unsure", Settings.from_values(low)).targets) == 1


def test_an_answer_without_a_mask(frame: Frame, fake: Any):
    answer = answer_intent(fake, frame, "nothing", SETTINGS)
    assert to_instance_masks(answer).instances == []
    assert to_targets(answer).best == -1
    assert answer.target_mask().shape == (48, 64)
    assert not answer.target_mask().any()
    assert "instances=0 targets=0" in describe(answer, 1.0)


def test_a_model_that_returns_nonsense_is_an_error(frame: Frame, fake: Any):
    with pytest.raises(ValueError, match=r"masks bool \(1, 5, 64\)"):
        answer_intent(fake, frame, "bad shape", SETTINGS)


def test_targets_are_sorted_by_score_and_the_best_has_a_position(frame: Frame, fake: Any):
    answer = answer_intent(fake, frame, "find it", SETTINGS)
    one = answer.instances[0]
    nowhere = answer_intent(
        fake, replace(frame, depth=None, missing="no_depth"), "x", SETTINGS
    ).instances[0]
    answer = replace(
        answer,
        instances=(
            replace(one, id=1, score=0.5),
            replace(nowhere, id=2, score=0.9),
            replace(one, id=3, score=0.7),
        ),
    )
    assert [target.id for target in answer.targets] == [2, 3, 1]
    assert answer.best == 1
    assert to_targets(answer).best == 1


def test_overlay_colours_the_target_only(frame: Frame, fake: Any):
    before = image_to_array(frame.colour, "image")
    answer = answer_intent(fake, frame, "", SETTINGS)
    picture = draw_overlay(replace(answer, text=""))
    assert picture.shape == before.shape
    assert picture.dtype == np.uint8
    changed = (picture != before).any(axis=2)
    assert changed[15:25, 25:35].all()
    assert not changed[44:, 50:].any()
    np.testing.assert_array_equal(answer.rgb, before)
    draw_overlay(answer_intent(fake, frame, "nothing: ünïcode 😀" * 20, SETTINGS))


def test_overlay_writes_score_and_distance(
    frame: Frame, fake: Any, monkeypatch: pytest.MonkeyPatch
):
    lines: list[str] = []
    monkeypatch.setattr("lisa_ros.overlay.write_line", lambda _, text, *a, **k: lines.append(text))
    answer = answer_intent(fake, frame, "find it", SETTINGS)
    draw_overlay(answer)
    distance = answer.targets[0].distance_m
    assert distance == pytest.approx(1.506, abs=1e-3)
    assert lines[0] == "#1 0.90 1.51 m at (-0.06, -0.12, 1.50)"
    assert lines[1:] == ["find it", "It is find it."]
    lines.clear()
    draw_overlay(answer_intent(fake, replace(frame, depth=None), "x", SETTINGS))
    assert lines[0] == "#1 0.90 no 3D"
