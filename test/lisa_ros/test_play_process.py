"""`lisa play` and `lisa record` as processes of their own: how they start, fail and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from recording_support import make_frame
from ros_domain import free_domain
from rosbags.rosbag2 import Reader

from lisa_model.recordings import write_household
from lisa_ros.record import TOPICS

pytestmark = pytest.mark.ros
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment() -> dict[str, str]:
    return os.environ | {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    path = tmp_path / "frames"
    write_household(path, [make_frame(number, registered=True) for number in range(3)])
    return path


def start(environment: dict[str, str], module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output, output
    return output


@pytest.mark.parametrize("module", [("lisa_model.cli", "play"), ("lisa_ros.play",)])
def test_it_plays_to_the_end(environment: dict[str, str], frames: Path, module: tuple[str, ...]):
    process = start(environment, *module, str(frames), "--frame-rate", "50", "--clock")
    output = finish(process)
    assert process.returncode == 0, output
    assert "folder of household frames, 3 frames, 50 Hz" in output
    assert "end of the recording, 3 frames or messages played" in output


def test_it_says_what_is_there(environment: dict[str, str], frames: Path):
    output = finish(start(environment, "lisa_model.cli", "play", str(frames), "--info"))
    assert output == f"{frames}: folder of household frames, 3 frames, 10 Hz, by name\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-file.sens"], "there is no no-such-file.sens; give the path of a recording"),
        (["FRAMES", "--rate", "0"], "rate is 0"),
        (["FRAMES", "--frame-rate", "nan"], "rate is nan"),
        (["FRAMES", "--remap", "a"], "OLD:=NEW"),
        (["FRAMES", "--topic", "/x"], "there is no /x"),
        (["FRAMES/.."], "no known recording"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(
    environment: dict[str, str], frames: Path, arguments: list[str], said: str
):
    arguments = [one.replace("FRAMES", str(frames)) for one in arguments]
    process = start(environment, "lisa_model.cli", "play", *arguments)
    output = finish(process)
    assert process.returncode == 1
    assert said in output
    assert len(output.strip().splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_told(environment: dict[str, str], frames: Path, number: int):
    process = start(environment, "lisa_model.cli", "play", str(frames), "--loop", "--clock")
    assert process.stdout is not None
    assert "playing" in process.stdout.readline()
    process.send_signal(number)
    finish(process)
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_is_whole_when_it_is_told_to_end(
    environment: dict[str, str], tmp_path: Path, number: int
):
    path = tmp_path / "out.mcap"
    process = start(environment, "lisa_model.cli", "record", str(path))
    assert process.stdout is not None
    assert "recording /intent, /target_mask" in process.stdout.readline()
    process.send_signal(number)
    output = finish(process)
    assert process.returncode == 0
    assert f"{path}: /intent 0" in output
    with Reader(path) as reader:
        assert {one.topic for one in reader.connections} == {f"/{topic}" for topic in TOPICS}


def test_a_recording_ends_by_itself(environment: dict[str, str], tmp_path: Path):
    path = tmp_path / "out.mcap"
    process = start(environment, "lisa_ros.record", str(path), "--duration", "0.3")
    finish(process)
    assert process.returncode == 0
    assert path.is_file()
    again = start(environment, "lisa_model.cli", "record", str(path))
    assert "exists" in finish(again)
    assert again.returncode == 1


@pytest.mark.parametrize("command", [["play", "x.sens"], ["record", "x.mcap"]])
def test_without_ros_it_is_said(environment: dict[str, str], command: list[str]):
    code = (
        "import sys; sys.modules['rclpy'] = None; from lisa_model.cli import main; "
        f"sys.exit(main({command!r}))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert f"'lisa {command[0]}' needs ROS 2" in process.stderr
    assert "Traceback" not in process.stderr
