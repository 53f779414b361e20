"""docs/cameras.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from lisa_ros import camera_inputs
from lisa_ros.parameters import PARAMETERS
from lisa_ros.validation import COLOUR_ENCODINGS, DEPTH_ENCODINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cameras.md").read_text(encoding="utf-8")
SPECS = {spec.name: spec for spec in PARAMETERS}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table after a heading."""
    lines = PAGE.split(f"{heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_the_parameters_are_the_tables():
    found = {}
    for name, default, values in rows("## Parameters"):
        spec = SPECS[name.strip("`")]
        shown = str(spec.default).lower() if isinstance(spec.default, bool) else spec.default
        assert default.strip("`") == (shown or "empty"), name
        assert spec.read_only, "the page says: fixed at start"
        if spec.choices:
            assert tuple(values.split(", ")) == spec.choices
        found[spec.name] = spec
    assert set(found) == {
        *("colour_transport", "depth_transport", "camera_qos"),
        *("rectify", "rectified_input", "depth_to_colour"),
    }


def test_the_topics_are_the_nodes_and_the_launch_files():
    launch = (ROOT / "launch" / "perception.launch.py").read_text(encoding="utf-8")
    topics = {}
    for topic, argument, _, _ in rows("## A RealSense-like camera"):
        topics[topic.strip("`")] = argument.strip("`")
    assert set(topics) == {
        camera_inputs.COLOUR_TOPIC,
        camera_inputs.COLOUR_INFO_TOPIC,
        camera_inputs.DEPTH_TOPIC,
        camera_inputs.DEPTH_INFO_TOPIC,
    }
    for topic, argument in topics.items():
        assert f'("{argument}", "{topic}", ' in launch
    for name in re.findall(r"(\w+):=", PAGE):
        arguments = f'"{name}"' in launch
        drivers = name in ("enable", "enable_sync")  # of realsense2_camera
        assert arguments or drivers, name


def test_all_encodings_are_named():
    for encoding in (*COLOUR_ENCODINGS, *DEPTH_ENCODINGS):
        assert f"`{encoding}`" in PAGE
