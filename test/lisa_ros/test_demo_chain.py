"""The demo's processes over DDS, with a stand-in for the model: what works, and who gets blamed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from demo_support import HEIGHT, INTENT, WIDTH, true_point, write_scene

from lisa_ros import demo

pytestmark = [pytest.mark.ros, pytest.mark.slow]

FAKE_PERCEPTION = Path(__file__).parents[1] / "support" / "fake_perception.py"
ROOT = Path(__file__).parents[2]
RunDemo = Callable[..., int]


def module(name: str) -> list[str]:
    """Return the command that runs a module's main() from the sources."""
    return [sys.executable, "-c", f"from lisa_ros.{name} import main; raise SystemExit(main())"]


@pytest.fixture
def run_demo(tmp_path: Path, domain_id: int, monkeypatch: pytest.MonkeyPatch) -> RunDemo:
    """Return a function that runs the demo's three processes, the model replaced."""
    # The processes shall run the sources that are tested, not what is installed.
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path.rstrip(os.pathsep))

    def run(
        behaviour: str, *, intent: str = INTENT, player: bool = True, depth: bool = True
    ) -> int:
        scene = write_scene(tmp_path / "scenes", depth=depth)
        commands = {
            demo.PLAYER: [
                *(module("scene_player") if player else ["sleep", "60"]),
                *(("--ros-args", "-p", f"scene:={scene}") if player else ()),
            ],
            demo.PERCEPTION: [sys.executable, str(FAKE_PERCEPTION), behaviour],
            demo.CLIENT: [
                *module("demo_client"),
                "--activate",
                f"--intent={intent}",
                f"--scene={scene}",
                f"--out={tmp_path / 'out'}",
                "--commit=abc1234",
                "--answer-timeout=6",
                f"--camera-timeout={20 if player else 4}",
            ],
        }
        return demo.run(commands, tmp_path / "out", domain_id)

    return run


@pytest.fixture(scope="module")
def domain_id() -> int:
    """Return a ROS_DOMAIN_ID that test runs beside this one hardly share; 101 is Linux' limit."""
    return 1 + (os.getpid() * 7 + 3) % 101


def test_scored_answer(run_demo: RunDemo, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    assert run_demo("red") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["intent"] == INTENT
    assert report["answer"] == "It is this."
    assert report["iou"] > 0.9
    assert report["point_error_m"] < 0.005
    assert report["target_point_m"] == pytest.approx(true_point(), abs=0.005)
    assert 0 < report["intent_to_mask_s"] < 6
    assert report["frames_seen"] >= 5
    assert (report["model"], report["commit"], report["scene"]) == ("fake", "abc1234", "red_box")
    assert report["device"] == "cpu"
    assert report["machine"]
    overlay = cv2.imread(str(tmp_path / "out" / "overlay.png"))
    assert overlay is not None
    assert overlay.shape[0] > HEIGHT
    assert overlay.shape[1] == WIDTH
    printed = capfd.readouterr().out
    assert "mask IoU" in printed
    assert "It is this." in printed
    # Nothing is left running.
    mine = [p for p in psutil.Process().children(recursive=True) if p.is_running()]
    assert mine == []


def test_intent_without_truth_is_not_scored(
    run_demo: RunDemo, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    assert run_demo("red", intent="something to sit on") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["iou"] is None
    assert report["point_error_m"] is None
    assert report["target_point_m"] is not None
    assert "not scored" in capfd.readouterr().out


def test_no_depth_is_a_failure_with_a_report(
    run_demo: RunDemo, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    assert run_demo("red", depth=False) == 13
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["iou"] > 0.9
    assert report["target_point_m"] is None
    assert report["no_3d_reason"]
    assert "demo failed (target_3d)" in capfd.readouterr().err


def test_no_object_where_there_is_one(run_demo: RunDemo, tmp_path: Path) -> None:
    assert run_demo("nothing") == 13
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["iou"] == 0.0
    assert report["no_3d_reason"] == "the model segmented no object"


def test_missing_weights_blame_the_node(
    run_demo: RunDemo, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text("{}", encoding="utf-8")
    assert run_demo("missing") == 11
    errors = capfd.readouterr().err
    assert "demo failed (node)" in errors
    assert "failed to configure" in errors
    assert "there are no weights, on purpose" in errors  # the end of the node's log
    assert not (tmp_path / "out" / "report.json").exists()  # an old one must not pass for new


def test_no_answer_blames_the_node(run_demo: RunDemo, capfd: pytest.CaptureFixture) -> None:
    assert run_demo("broken") == 12
    errors = capfd.readouterr().err
    assert "demo failed (answer)" in errors
    assert "the stand-in is broken on purpose" in errors


def test_silent_camera_is_named(run_demo: RunDemo, capfd: pytest.CaptureFixture) -> None:
    assert run_demo("red", player=False) == 10
    errors = capfd.readouterr().err
    assert "demo failed (camera)" in errors
    assert "/camera/color/image_raw" in errors
    assert "scene_player.log" in errors


def test_node_that_dies_is_named(run_demo: RunDemo, capfd: pytest.CaptureFixture) -> None:
    started = time.monotonic()
    assert run_demo("dead") == 7
    assert time.monotonic() - started < 15
    errors = capfd.readouterr().err
    assert "perception_node ended early with status 7" in errors
    assert "ended on purpose" in errors


def test_unknown_scene_names_the_remedy() -> None:
    done = subprocess.run(
        [*module("demo"), "--scene=/no/such/scene.json"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "there is no file" in done.stderr


def test_stop_ends_a_process_that_ignores_sigterm(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    command = [sys.executable, "-c", code]
    process = demo.Process("stubborn", command, demo.environment(1), tmp_path / "x.log")
    time.sleep(0.5)
    process.stop()
    assert process.status() == -9


def test_scene_messages_are_what_the_file_says(tmp_path: Path) -> None:
    from std_msgs.msg import Header

    from lisa_model.rgbd import load_frame
    from lisa_ros.conversion import depth_to_metres, image_to_rgb
    from lisa_ros.scene_player import FRAME_ID, frame_messages
    from lisa_ros.validation import check_camera_info_fits, check_depth_fits, validate_camera_info

    frame = load_frame(write_scene(tmp_path))
    color, info, depth = frame_messages(frame, Header(frame_id=FRAME_ID))
    assert np.array_equal(image_to_rgb(color), frame.color)
    assert depth.encoding == "16UC1"
    np.testing.assert_allclose(depth_to_metres(depth), frame.depth, atol=1e-6)
    assert validate_camera_info(info) == frame.intrinsics
    check_depth_fits(depth, color)
    check_camera_info_fits(info, color)
    assert list(info.p) == [info.k[0], 0, info.k[2], 0, 0, info.k[4], info.k[5], 0, 0, 0, 1, 0]
