"""perception_node as a process of its own: how it starts, fails and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ros_domain import free_domain

pytestmark = pytest.mark.ros
ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "lisa_ros.perception_node", "--ros-args", *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("score_threshold:=7.0", "score_threshold"),
        ("max_answer_tokens:=many", "max_answer_tokens"),
        ("score_threshold:=1", "score_threshold"),
    ],
)
def test_a_wrong_parameter_ends_it_with_a_sentence(parameter: str, said: str):
    process = start("-p", parameter)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said in output
    assert "config/perception.yaml" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_told(number: int):
    process = start()
    assert process.stdout is not None
    assert "unconfigured" in process.stdout.readline()
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "Traceback" not in output


def test_the_process_without_a_model_has_not_imported_torch():
    code = "import sys, lisa_ros.perception_node; sys.exit('torch' in sys.modules)"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    }
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )
