from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lisa_ros.camera_view import CameraView
from lisa_ros.parameters import PARAMETERS, Settings, render_yaml

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = {spec.name: spec.default for spec in PARAMETERS}


def test_the_params_file_is_the_table():
    text = (ROOT / "config" / "perception.yaml").read_text()
    assert text == render_yaml(), "run: python3 -m lisa_ros.parameters > config/perception.yaml"


def test_the_params_file_holds_the_defaults_in_their_types():
    content = yaml.safe_load(render_yaml())
    found = content["/**/perception_node"]["ros__parameters"]
    assert found == DEFAULTS
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in DEFAULTS.items()
    }


def test_every_parameter_is_documented_and_its_default_allowed():
    for spec in PARAMETERS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.name)
        assert spec.description.endswith("."), spec.name
        if not isinstance(spec.default, str | bool):
            assert spec.low is not None, spec.name
            assert spec.high is not None, spec.name
    Settings.defaults()


def test_what_is_fixed_when_model_and_camera_are_taken_is_read_only():
    fixed = {"model", "device", "dtype", "quantization", "vision_tower", "conversation"}
    fixed |= {"inference_niceness", "colour_transport", "depth_transport", "camera_qos"}
    fixed |= {"rectify", "rectified_input", "depth_to_colour", "bond_heartbeat_period"}
    assert {spec.name for spec in PARAMETERS if spec.read_only} == fixed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dtype", "float8"),
        ("model", " "),
        ("quantization", ""),
        ("conversation", "vicuna_v0"),
        ("score_threshold", 1.5),
        ("score_threshold", math.nan),
        ("score_threshold", "0.5"),
        ("max_answer_tokens", 0),
        ("max_answer_tokens", 3.0),
        ("max_answer_tokens", True),
        ("min_depth_m", 20.0),
        ("sync_slop_s", -0.1),
        ("colour_transport", "theora"),
        ("depth_transport", "compresseddepth"),
        ("camera_qos", "sensor_data"),
        ("rectify", "true"),
        ("rectify", 1),
        ("depth_to_colour", "0.015 0 0"),
        ("depth_to_colour", "15.0 0 0 0 0 0 1"),
    ],
)
def test_wrong_values_are_named(name: str, value: Any):
    with pytest.raises(ValueError, match=name):
        Settings.from_values(DEFAULTS | {name: value})


def test_values_arrive_where_they_are_used():
    settings = Settings.from_values(DEFAULTS | {"erosion_px": 7, "max_answer_tokens": 5})
    assert settings.target.erosion_px == 7
    assert settings.max_answer_tokens == 5


def test_the_cameras_view_is_put_together():
    assert Settings.defaults().view == CameraView()
    pose = Settings.from_values(DEFAULTS | {"rectify": True, "depth_to_colour": "0.1 0 0 0 0 0 1"})
    assert pose.view.rectify
    assert not pose.view.registered
    assert pose.view.transform[0, 3] == 0.1
    with pytest.raises(ValueError, match=r"rectify.*rectified_input"):
        Settings.from_values(DEFAULTS | {"rectify": True, "rectified_input": True})
