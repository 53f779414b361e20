"""Long run: a fast camera and frequent intents against the real node, with what must stay true.

    source scripts/env.sh
    python benchmarks/soak.py --minutes 5 --camera-hz 30 --intent-every 2 --json out/soak.json

Exit status 0 when every limit holds, 1 when one does not, 2 when the run could not be carried out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# Started as a script, Python looks for packages beside this file, not in the repository's root.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measures import Spread, Verdict, spread, verdict_table
from benchmarks.origin import write_report
from benchmarks.rig import BenchmarkError, Rig, end_on_sigterm
from benchmarks.rig_options import add_rig_options, origin, rig_config
from benchmarks.soak_report import Limits, Recording, evaluate
from lisa_ros.demo_scene import SceneError

# Many, so that a result names its intent without doubt: a text comes back only after 24 s at the
# default pace.  Some have no object in most scenes; an answer without one counts as an answer.
INTENTS = (
    "change the TV channel",
    "the remote control",
    "something to read",
    "I want to sit down",
    "I want to know what time it is",
    "find me something to drink from",
    "where can I put my cup",
    "it is too dark in here",
    "the plant",
    "something to keep me warm",
    "I want to listen to music",
    "the picture on the wall",
)
_MEMORY_EVERY_S = 1.0
_CALL_EVERY_S = 5.0
_DRAIN_S = 120.0


@dataclass(frozen=True, kw_only=True)
class SoakConfig:
    """How long and how fast.

    Attributes:
        duration_s: with the camera running and intents coming.
        warm_up_s: part of it whose memory is not compared.
        intent_every_s: pace of the intents.
    """

    duration_s: float
    warm_up_s: float
    intent_every_s: float


def record(rig: Rig, config: SoakConfig) -> Recording:
    """Do the run and return what was recorded.

    Raises:
        BenchmarkError: a process ended, or the node stopped reporting.
    """
    probe = rig.probe
    rig.start_camera()
    if not probe.fresh_report():
        raise BenchmarkError("/diagnostics is silent")
    before, frames_before = probe.counters(), probe.stamps_at_report
    memory: list[tuple[float, float]] = []
    start = time.monotonic()
    next_intent, next_memory, next_call = start, start, start + 0.5 * config.intent_every_s
    next_line = start + 30.0
    while (now := time.monotonic()) < start + config.duration_s:
        if now >= next_intent:
            probe.say(INTENTS[len(probe.sent) % len(INTENTS)])
            next_intent += config.intent_every_s
        if now >= next_memory:
            memory.append((now - start, rig.node.resident_mb()))
            rig.check()
            next_memory += _MEMORY_EVERY_S
        if now >= next_call:
            probe.start_call()
            next_call += _CALL_EVERY_S
        if now >= next_line:
            print(
                f"{now - start:4.0f} of {config.duration_s:.0f} s: {len(probe.sent)} intents, "
                f"{len(probe.got)} answers, {memory[-1][1]:.0f} MB",
                flush=True,
            )
            next_line += 30.0
        probe.spin()
    probe.finish_calls(10.0)
    _drain(rig, before)
    return Recording(
        sent=tuple(probe.sent),
        got=tuple(probe.got),
        stamps=tuple(probe.stamps),
        memory=tuple(memory),
        service_s=tuple(probe.service_s),
        unanswered_calls=probe.unanswered,
        before=before,
        after=probe.counters(),
        frames_published=probe.stamps_at_report - frames_before,
        duration_s=config.duration_s,
        node_frame_age_p95_s=probe.seconds("frame_age_at_start_p95_s"),
        diagnostics=dict(probe.values),
        active=probe.is_active(),
    )


def _drain(rig: Rig, before: dict[str, int]) -> None:
    """Wait until the last intent has come to its end; evaluating finds those that have not."""
    probe = rig.probe
    last = len(probe.sent) - 1

    def ended() -> bool:
        rig.check()
        now = probe.counters()
        names = [n for n in now if n == "intents_answered" or n.startswith("refused.")]
        return sum(now[n] - before.get(n, 0) for n in names) > last

    probe.wait(ended, _DRAIN_S)
    # Results that are on their way, and a report that has counted everything.
    if not probe.fresh_report():
        raise BenchmarkError("/diagnostics is silent")


def parse_arguments(args: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--intent-every", type=float, default=2.0, help="seconds between intents")
    parser.add_argument(
        "--warm-up", type=float, default=30.0, help="seconds whose memory is not compared"
    )
    add_rig_options(parser, logs=Path("out/soak_log"), camera_hz=30.0)
    options = parser.parse_args(args)
    for name in ("minutes", "camera_hz", "intent_every"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name.replace('_', '-')}: must be > 0")
    if not 0 <= options.warm_up <= options.minutes * 60 - 15:
        parser.error("--warm-up: must leave at least 15 s of --minutes to compare memory over")
    return options


def print_report(verdicts: Sequence[Verdict], spreads: dict[str, Spread | None]) -> None:
    """Print the table, and below it what has no limit."""
    print(f"\n{verdict_table(verdicts)}\n")
    for name, values in spreads.items():
        if values is not None:
            print(
                f"{name:22} p50 {values.p50:.3f}  p95 {values.p95:.3f}  max {values.max:.3f}"
                f"  (n = {values.count})"
            )


def main(args: Sequence[str] | None = None, perception_command: Sequence[str] = ()) -> int:
    """Run the benchmark; return the exit status.

    Args:
        args: command line.
        perception_command: run this in the place of the installed node; for tests.
    """
    options = parse_arguments(args)
    end_on_sigterm()
    config = SoakConfig(
        duration_s=options.minutes * 60,
        warm_up_s=options.warm_up,
        intent_every_s=options.intent_every,
    )
    report = origin(options, perception_command)
    print(f"soak: {report['machine']}; commit {report['commit']}; loading the model", flush=True)
    try:
        with Rig(rig_config(options, perception_command)) as rig:
            recording = record(rig, config)
        evaluation = evaluate(recording, config.warm_up_s, options.camera_hz, Limits())
    except (BenchmarkError, SceneError, FileNotFoundError, ValueError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    passed = all(one.passed for one in evaluation.verdicts)
    spreads = {
        "intent to answer [s]": spread([one.latency_s for one in evaluation.answered]),
        "inference [s]": spread([one.inference_s for one in evaluation.answered]),
        "frame age at start [s]": spread([one.frame_age_s for one in evaluation.answered]),
        "newer frames at start": spread(evaluation.frames_passed),
        "parameter call [s]": spread(recording.service_s),
    }
    print_report(evaluation.verdicts, spreads)
    print(
        f"memory peak {evaluation.memory.peak_mb:.0f} MB, slope "
        f"{evaluation.memory.slope_mb_per_min:+.2f} MB/min; the node received "
        f"{evaluation.received_share:.1%} of {recording.frames_published} frames"
    )
    print(
        f"model {recording.diagnostics.get('model')} on {recording.diagnostics.get('device')}: "
        f"{'PASS' if passed else 'FAIL'}"
    )
    if options.json:
        report |= {
            "passed": passed,
            "model": recording.diagnostics.get("model"),
            "device": recording.diagnostics.get("device"),
            "spreads": {name: one and asdict(one) for name, one in spreads.items()},
            **asdict(evaluation),
            "lost": evaluation.accounting.lost,
            "recording": asdict(recording),
        }
        write_report(options.json, report)
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
