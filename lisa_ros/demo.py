"""Program `demo`: scene player, perception node and client as three processes.

``launch`` is not part of the ROS wheels, so this starts what launch/demo.launch.py starts, plus the
client.  The processes get a ROS_DOMAIN_ID of their own and end together.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from ament_index_python.packages import get_package_prefix

from lisa_ros.demo_scene import DEFAULT_SCENE, SceneError, find_scene
from lisa_ros.errors import InputError
from lisa_ros.intent import check_intent
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE

PLAYER, PERCEPTION, CLIENT = "scene_player", "perception_node", "demo_client"
# Whose log explains which exit status of the client (see demo_connection.Part).
_BLAMED = {10: PLAYER, 11: PERCEPTION, 12: PERCEPTION, 13: PERCEPTION}
_TAIL_LINES = 25
_STOP_S = 5.0


class Process:
    """One process of the demo, in a process group of its own.

    Attributes:
        name: for messages and the log's file name.
        log: path of its output, or None when it writes to the terminal.
    """

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path | None
    ) -> None:
        self.name = name
        self.log = log
        output: IO[bytes] | None = None if log is None else log.open("wb")
        try:
            self._process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            if output is not None:
                output.close()

    def status(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """End it and what it started: first asked to, after some seconds by force."""
        for sign, wait_s in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _STOP_S)):
            if self.status() is not None:
                return
            try:
                os.killpg(self._process.pid, sign)
                self._process.wait(wait_s)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def tail(self) -> str:
        """Return the end of its log."""
        if self.log is None:
            return ""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  | {line}" for line in lines[-_TAIL_LINES:]) or "  | (empty)"


def environment(domain_id: int) -> dict[str, str]:
    """Return the environment of the processes: own domain, image transport."""
    env = dict(os.environ)
    env["ROS_DOMAIN_ID"] = str(domain_id)
    # Not LOCALHOST: it would switch the transport setting off and lose images (see transport.py).
    env["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SUBNET"
    env.pop("ROS_LOCALHOST_ONLY", None)
    env["PYTHONUNBUFFERED"] = "1"
    env.setdefault(FASTDDS_TRANSPORT_VARIABLE, FASTDDS_TRANSPORT_DEFAULT)
    return env


def installed_program(name: str) -> list[str]:
    """Return the command of an installed program, the one that `ros2 run lisa_ros NAME` starts.

    Raises:
        FileNotFoundError: the package was built without it.
    """
    path = Path(get_package_prefix("lisa_ros")) / "lib" / "lisa_ros" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: build the package again")
    return [sys.executable, str(path)]


def demo_commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the three commands by process name."""
    scene = str(find_scene(options.scene).resolve())
    perception = ["--ros-args"]
    for name in ("model", "device"):
        value = getattr(options, name)
        if value:
            perception += ["-p", _override(name, value)]
    return {
        PLAYER: [
            *installed_program(PLAYER),
            *("--ros-args", "-p", _override("scene", scene), "-p", _override("rate", options.rate)),
        ],
        PERCEPTION: [*installed_program(PERCEPTION), *(perception if len(perception) > 1 else [])],
        CLIENT: [
            *installed_program(CLIENT),
            "--activate",
            f"--intent={options.intent}",
            f"--scene={scene}",
            f"--out={options.out}",
            f"--commit={options.commit}",
            f"--answer-timeout={options.timeout}",
        ],
    }


def _override(name: str, value: str | float) -> str:
    """Return a parameter override; ROS reads its value as YAML, of which JSON is a part."""
    return f"{name}:={json.dumps(value, ensure_ascii=False)}"


def run(commands: Mapping[str, Sequence[str]], out: Path, domain_id: int) -> int:
    """Start the processes, wait for the client, end all; return the demo's exit status.

    On a failure the end of the log of the process to blame is printed.

    Args:
        commands: as from ``demo_commands``.
        out: the processes' logs go to its folder log/.
        domain_id: ROS_DOMAIN_ID.
    """
    logs = out / "log"
    logs.mkdir(parents=True, exist_ok=True)
    env = environment(domain_id)
    servers: list[Process] = []
    client: Process | None = None
    try:
        for name in (PLAYER, PERCEPTION):
            servers.append(Process(name, commands[name], env, logs / f"{name}.log"))
        client = Process(CLIENT, commands[CLIENT], env, None)
        while (status := client.status()) is None:
            for server in servers:
                if (died := server.status()) is not None:
                    return _report_failure(
                        f"{server.name} ended early with status {died}", server, died or 1
                    )
            time.sleep(0.1)
    finally:
        for process in filter(None, [client, *reversed(servers)]):
            process.stop()
    blamed = next((s for s in servers if s.name == _BLAMED.get(status)), None)
    if blamed is not None:
        return _report_failure(f"log of {blamed.name}", blamed, status)
    return status


def _report_failure(title: str, process: Process, status: int) -> int:
    print(f"{title}; the end of {process.log}:\n{process.tail()}", file=sys.stderr, flush=True)
    return status


def parse_arguments(args: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument(
        "--intent", default="change the TV channel", help="what is wanted, in words"
    )
    parser.add_argument("--scene", default=DEFAULT_SCENE, help="name of a scene, or its .json")
    parser.add_argument("--model", default="", help="default: the perception node's own")
    parser.add_argument(
        "--device", default="", help="cpu, cuda; default: the perception node's own"
    )
    parser.add_argument("--rate", type=float, default=10.0, help="camera frames per second")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder of the results")
    parser.add_argument("--commit", default="unknown", help="commit of the source tree")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds to wait for the answer"
    )
    parser.add_argument(
        "--domain-id", type=int, default=1 + os.getpid() % 100, help="ROS_DOMAIN_ID, 0 to 101"
    )
    options = parser.parse_args(args)
    try:
        check_intent(options.intent)
        find_scene(options.scene)
    except (InputError, SceneError) as error:
        parser.error(str(error))
    return options


def _end_on_signal(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(args: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    options = parse_arguments(args)
    # Otherwise SIGTERM would end only this process, and leave the three running.
    signal.signal(signal.SIGTERM, _end_on_signal)
    try:
        return run(demo_commands(options), options.out, options.domain_id)
    except FileNotFoundError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
