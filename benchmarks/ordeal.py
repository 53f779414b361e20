"""Ordeal: the real node for half an hour with everything that goes wrong on a robot.

    source scripts/env.sh
    python -m benchmarks.ordeal --minutes 30 --seed 1 --json out/ordeal.json

Exit status 0 when every limit holds, 1 when one does not, 2 when the run could not be carried out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Started as a script, Python looks for packages beside this file, not in the repository's root.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measures import verdict_table
from benchmarks.ordeal_books import read_log
from benchmarks.ordeal_calls import Caller
from benchmarks.ordeal_camera import Camera
from benchmarks.ordeal_json import as_json
from benchmarks.ordeal_ledger import Ledger
from benchmarks.ordeal_recording import Memory, Recording
from benchmarks.ordeal_report import Evaluation, Limits, evaluate
from benchmarks.ordeal_requests import Requester
from benchmarks.ordeal_schedule import Event, count_kinds, draw
from benchmarks.origin import write_report
from benchmarks.rig import BenchmarkError, Rig, end_on_sigterm
from benchmarks.rig_options import add_rig_options, origin, rig_config
from lisa_model.rgbd import RgbdFrame
from lisa_ros.demo import PERCEPTION, PLAYER
from lisa_ros.demo_scene import SceneError, load_scene

_NODES = ("benchmark_probe", PERCEPTION, PLAYER)
_MEMORY_EVERY_S = 1.0
_CALL_EVERY_S = 5.0
_LINE_EVERY_S = 30.0
_CONNECTS_WITHIN_S = 60.0
# A node that was just activated has no frame yet.
_ACTIVE_FOR_S = 2.0


@dataclass(frozen=True, kw_only=True)
class OrdealConfig:
    """What is done.

    Attributes:
        seed, duration_s, pace: see ``draw``.
        drain_s: how long the last requests may take to end.
    """

    seed: int
    duration_s: float
    pace: float = 1.0
    drain_s: float = 120.0


class Ordeal:
    """One run: does the events when they are due and records what comes of them."""

    def __init__(self, rig: Rig, config: OrdealConfig, frame: RgbdFrame) -> None:
        self._rig, self._config = rig, config
        self._start = time.monotonic()
        self._events = draw(config.seed, config.duration_s, config.pace)
        self._memory: list[Memory] = []
        self._ledger = Ledger()
        self._camera = Camera(rig, frame)
        self._caller = Caller(rig.probe, self._now)
        self._requester = Requester(
            rig.probe,
            self._ledger,
            frame,
            since_start=self._now,
            node_ready=self._node_ready,
            camera_ready=self._camera.running,
        )

    def run(self) -> Recording:
        """Do the run.

        Raises:
            BenchmarkError: the camera failed by itself, or the node reports nothing.
        """
        try:
            return self._run()
        finally:
            self._requester.close()

    def _run(self) -> Recording:
        rig, probe = self._rig, self._rig.probe
        self._camera.start()
        ready = probe.wait(
            lambda: (
                self._requester.connected()
                and self._caller.connected()
                and probe.count("received.image") > 0
                and self._camera.running()
            ),
            _CONNECTS_WITHIN_S,
        )
        if not ready or not probe.fresh_report():
            rig.check()
            raise BenchmarkError("the node and the camera do not find each other")
        self._check_alone()
        before = probe.counters()
        self._start = time.monotonic()
        died = ""
        try:
            self._go_through()
            self._drain()
        except BenchmarkError as error:
            if rig.node.status() is None:
                raise
            died = str(error)
        probe.finish_calls(10.0)
        if not died and not probe.fresh_report():
            raise BenchmarkError("/diagnostics is silent")
        return Recording(
            events=self._events,
            duration_s=self._config.duration_s,
            requests=tuple(self._ledger.requests),
            calls=tuple(self._caller.calls),
            log=read_log(rig.node_log()),
            before=before,
            after=probe.counters(),
            memory=tuple(self._memory),
            arrivals=tuple(one - self._start for one in self._camera.arrivals),
            parameter_s=tuple(probe.service_s),
            unanswered_parameters=probe.unanswered,
            camera_starts=self._camera.starts,
            camera_exits=tuple(self._camera.exits),
            died=died,
            active=not died and probe.is_active(),
        )

    def _check_alone(self) -> None:
        """Raise BenchmarkError when other nodes could answer, or be another camera."""
        names = Counter(self._rig.probe.node.get_node_names())
        foreign = names - Counter(_NODES)
        if foreign:
            raise BenchmarkError(
                f"ROS_DOMAIN_ID {self._rig.config.domain_id} has other nodes too: "
                f"{', '.join(sorted(foreign))}. Choose another --domain-id"
            )

    def _go_through(self) -> None:
        probe = self._rig.probe
        due = deque(self._events)
        next_memory, next_call, next_line = 0.0, 1.0, _LINE_EVERY_S
        while (now := self._now()) < self._config.duration_s:
            while due and due[0].time_s <= now:
                self._do(due.popleft())
            if now >= next_memory:
                self._sample(now)
                next_memory += _MEMORY_EVERY_S
            if now >= next_call:
                probe.start_call()
                next_call += _CALL_EVERY_S
            if now >= next_line:
                self._say(now)
                next_line += _LINE_EVERY_S
            self._turn()

    def _drain(self) -> None:
        """Let the camera come back and the last requests end; the verdicts find which did not."""
        probe = self._rig.probe
        self._camera.recover()
        end = time.monotonic() + self._config.drain_s

        def quiet() -> bool:
            busy = probe.values.get("inference_running") == "true"
            # Two reports: one may have been made between two requests.
            return not busy and not self._ledger.waiting() and not self._caller.unanswered()

        while time.monotonic() < end:
            if quiet() and probe.fresh_report() and quiet() and probe.fresh_report() and quiet():
                return
            self._turn()

    def _do(self, event: Event) -> None:
        if event.kind == "malformed":
            self._camera.send_malformed(event.values["what"])
        elif not (
            self._camera.handles(event) or self._caller.makes(event) or self._requester.sends(event)
        ):
            raise AssertionError(f"nobody does {event}")

    def _turn(self) -> None:
        self._rig.probe.spin()
        self._camera.tick()
        self._rig.check()

    def _sample(self, now: float) -> None:
        node = self._rig.node
        self._memory.append(
            Memory(
                time_s=now,
                resident=node.resident_mb(),
                anonymous=node.resident_mb("RssAnon"),
                shared=node.resident_mb("RssShmem"),
            )
        )

    def _say(self, now: float) -> None:
        ended = sum(bool(one.end) for one in self._ledger.requests)
        print(
            f"{now:4.0f} of {self._config.duration_s:.0f} s: "
            f"{len(self._ledger.requests)} requests, {ended} ends seen, "
            f"{self._camera.starts} camera starts, "
            f"{self._memory[-1].resident:.0f} MB",
            flush=True,
        )

    def _now(self) -> float:
        return time.monotonic() - self._start

    def _node_ready(self) -> bool:
        caller = self._caller
        return caller.active and self._now() - caller.active_since > _ACTIVE_FOR_S


def parse_arguments(args: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="ordeal", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1, help="of what happens when")
    parser.add_argument("--pace", type=float, default=1.0, help="so many times the requests")
    parser.add_argument(
        "--warm-up", type=float, default=60.0, help="seconds whose memory is not compared"
    )
    parser.add_argument(
        "--drain", type=float, default=120.0, help="seconds for the last requests to end"
    )
    add_rig_options(parser, logs=Path("out/ordeal_log"), camera_hz=30.0)
    options = parser.parse_args(args)
    for name in ("camera_hz", "drain"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name.replace('_', '-')}: must be > 0")
    if not 0 <= options.warm_up <= options.minutes * 60 - 15:
        parser.error("--warm-up: must leave at least 15 s of --minutes to compare memory over")
    try:
        draw(options.seed, options.minutes * 60, options.pace)
    except ValueError as error:
        parser.error(f"--minutes, --pace: {error}")
    return options


def print_report(evaluation: Evaluation) -> None:
    """Print the table, and below it what has no limit."""
    print(f"\n{verdict_table(evaluation.verdicts)}\n")
    for way, counts in evaluation.books.ends.items():
        print(f"{way}: " + ", ".join(f"{number} {end}" for end, number in counts.items()))
    for mistake in evaluation.books.mistakes[:20]:
        print(f"  {mistake}")


def main(args: Sequence[str] | None = None, perception_command: Sequence[str] = ()) -> int:
    """Run the benchmark; return the exit status.

    Args:
        args: command line.
        perception_command: run this in the place of the installed node; for tests.
    """
    options = parse_arguments(args)
    end_on_sigterm()
    config = OrdealConfig(
        seed=options.seed,
        duration_s=options.minutes * 60,
        pace=options.pace,
        drain_s=options.drain,
    )
    report = origin(options, perception_command) | {"seed": config.seed}
    events = count_kinds(draw(config.seed, config.duration_s, config.pace))
    print(f"ordeal: {report['machine']}; commit {report['commit']}; seed {config.seed}", flush=True)
    print(", ".join(f"{number} {kind}" for kind, number in events.items()), flush=True)
    try:
        frame = load_scene(options.scene)
        with Rig(rig_config(options, perception_command)) as rig:
            recording = Ordeal(rig, config, frame).run()
            report |= {key: rig.probe.values.get(key) for key in ("model", "device")}
        evaluation = evaluate(
            recording, warm_up_s=options.warm_up, camera_hz=options.camera_hz, limits=Limits()
        )
    except (BenchmarkError, SceneError, FileNotFoundError, ValueError) as error:
        print(f"ordeal: {error}", file=sys.stderr)
        return 2
    print_report(evaluation)
    verdict = "PASS" if evaluation.passed else "FAIL"
    print(f"model {report['model']} on {report['device']}, seed {config.seed}: {verdict}")
    if options.json:
        write_report(options.json, report | as_json(recording, evaluation))
    return 0 if evaluation.passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
