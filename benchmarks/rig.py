"""The set-up of both benchmarks: perception node and camera as processes, and a probe beside them.

The processes are the installed programs that ``ros2 run lisa_ros NAME`` starts.  They get a
ROS_DOMAIN_ID of their own, use the DDS transport that the launch files set, and end together.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

import rclpy

from benchmarks.origin import ROOT
from benchmarks.probe import Probe
from lisa_ros.demo import PERCEPTION, PLAYER, Process, environment, installed_program
from lisa_ros.demo_scene import find_scene

_MB = 1e6


class BenchmarkError(RuntimeError):
    """The benchmark could not be carried out; the message says which part failed."""


@dataclass(frozen=True, kw_only=True)
class RigConfig:
    """What runs.

    Attributes:
        scene: name of an installed scene, or a path.
        camera_hz: frames per second.
        model, device: for the perception node; "" for its own default.
        logs: folder of the processes' output.
        domain_id: ROS_DOMAIN_ID, 0 to 101.
        start_timeout_s: for each of loading the model and the first frames.
        perception_command: what to run in the place of the installed perception_node; for tests of
            the benchmarks, whose report then says so.
    """

    scene: str
    camera_hz: float
    model: str = ""
    device: str = ""
    logs: Path
    domain_id: int
    start_timeout_s: float = 300.0
    perception_command: tuple[str, ...] = ()


class Child(Process):
    """A process whose memory can be read and that can be killed."""

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def signal(self, sign: signal.Signals) -> None:
        """Send it, and what it started, a signal; nothing happens when it has ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, sign)

    def resident_mb(self, kind: str = "VmRSS") -> float:
        """Return the resident memory [MB].

        Args:
            kind: of /proc/PID/status: VmRSS, or its part RssAnon or RssShmem.

        Raises:
            BenchmarkError: the process has ended.
        """
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
                if line.startswith(f"{kind}:"):
                    return int(line.split()[1]) * 1024 / _MB
        raise BenchmarkError(f"{self.name} has ended; the end of {self.log}:\n{self.tail()}")

    def check(self) -> None:
        """Raise BenchmarkError if it has ended."""
        if (status := self.status()) is not None:
            raise BenchmarkError(
                f"{self.name} ended with status {status}; the end of {self.log}:\n{self.tail()}"
            )


class Rig:
    """Starts the perception node and, when told, the camera; a context manager that ends all."""

    def __init__(self, config: RigConfig) -> None:
        """Check what can be checked before anything is started.

        Raises:
            SceneError: there is no such scene.
            FileNotFoundError: the package is not built.
        """
        self.config = config
        scene = str(find_scene(config.scene).resolve())
        self._camera_command = [
            *installed_program(PLAYER),
            *("--ros-args", "-p", _override("scene", scene)),
            *("-p", _override("rate", config.camera_hz)),
        ]
        self._perception_command = list(config.perception_command) or installed_program(PERCEPTION)
        overrides = [
            part
            for name, value in (("model", config.model), ("device", config.device))
            if value
            for part in ("-p", _override(name, value))
        ]
        if overrides:
            self._perception_command += ["--ros-args", *overrides]
        self._camera: Child | None = None
        self._starts = 0

    def __enter__(self) -> Rig:
        config = self.config
        config.logs.mkdir(parents=True, exist_ok=True)
        self._environment = environment(config.domain_id)
        # The probe is a participant too: same domain, same transport.
        os.environ.update(self._environment)
        rclpy.init(args=[], domain_id=config.domain_id)
        self.probe = Probe()
        self.node = self._start(PERCEPTION, self._perception_command)
        try:
            self._activate()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def start_camera(self) -> None:
        """Start the scene player and wait until the node receives its frames.

        Raises:
            BenchmarkError: no frame arrived in time.
        """
        self.launch_camera({})
        before = self.probe.count("received.image")
        arrived = self.probe.wait(
            lambda: self.probe.count("received.image") > before, self.config.start_timeout_s
        )
        self.check()
        if not arrived:
            raise BenchmarkError("the perception node received no camera frame")

    def launch_camera(self, parameters: Mapping[str, str | float]) -> None:
        """Start the scene player and do not wait for it.

        Args:
            parameters: besides scene and rate.
        """
        overrides = [part for one in parameters.items() for part in ("-p", _override(*one))]
        self._camera = self._start(PLAYER, [*self._camera_command, *overrides])

    @property
    def camera(self) -> Child | None:
        """The scene player; None while there is none."""
        return self._camera

    def let_go_of_camera(self) -> Child | None:
        """Return the scene player, whose end is the caller's business from now on."""
        camera, self._camera = self._camera, None
        return camera

    def kill_camera(self) -> None:
        """Kill the scene player."""
        if self._camera is not None:
            self._camera.kill()
            self._camera = None

    def check(self) -> None:
        """Raise BenchmarkError if a process has ended."""
        self.node.check()
        if self._camera is not None:
            self._camera.check()

    def node_log(self) -> str:
        """Return what the perception node has written."""
        assert self.node.log is not None
        return self.node.log.read_text(encoding="utf-8", errors="replace")

    def _start(self, name: str, command: Sequence[str]) -> Child:
        self._starts += 1
        log = self.config.logs / f"{self._starts}_{name}.log"
        return Child(name, command, self._environment, log)

    def _activate(self) -> None:
        try:
            self.probe.activate(self.config.start_timeout_s, self.node.check)
        except TimeoutError as error:
            raise BenchmarkError(
                f"{error}; the end of {self.node.log}:\n{self.node.tail()}"
            ) from error

    def _end(self) -> None:
        if self._camera is not None:
            self._camera.stop()
        self.node.stop()
        self.probe.close()
        rclpy.try_shutdown()


def end_on_sigterm() -> None:
    """Make SIGTERM an exception, so that the started processes are ended too."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)


def stale_modules() -> list[str]:
    """Return the modules whose installed copy differs from the source tree: what runs is older."""
    install = Path(installed_program(PERCEPTION)[1]).parents[2]
    stale = []
    for package in ("lisa_ros", "lisa_model"):
        installed = next(install.glob(f"lib/python*/*-packages/{package}"), None)
        for source in sorted((ROOT / package).rglob("*.py")):
            name = source.relative_to(ROOT / package)
            copy = None if installed is None else installed / name
            if copy is None or not copy.is_file() or copy.read_bytes() != source.read_bytes():
                stale.append(f"{package}/{name}")
    return stale


def warn_if_stale() -> list[str]:
    """Print a warning when the installed package is not what the source tree holds; return what."""
    stale = stale_modules()
    if stale:
        print(
            f"warning: {len(stale)} installed modules differ from the source tree ({stale[0]}, "
            "...); run `make build` to measure the current sources",
            file=sys.stderr,
        )
    return stale


def _override(name: str, value: str | float) -> str:
    """Return a parameter override; ROS reads its value as YAML, of which JSON is a part."""
    return f"{name}:={json.dumps(value, ensure_ascii=False)}"
