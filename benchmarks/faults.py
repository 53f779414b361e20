"""Faults: each in turn is sent to the real node, which must say so, count it and go on working.

    source scripts/env.sh
    python benchmarks/faults.py --json out/faults.json

Exit status 0 when every fault is handled, 1 when one is not, 2 when the run could not be carried
out.
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

from benchmarks.fault_list import NORMAL_INTENT, Fault, all_faults
from benchmarks.measures import table
from benchmarks.origin import write_report
from benchmarks.rig import BenchmarkError, Rig, end_on_sigterm
from benchmarks.rig_options import add_rig_options, origin, rig_config
from lisa_ros.demo_scene import SceneError, load_scene

_COUNT_S = 20.0
_ANSWER_S = 120.0
# A message that helps has at least a field, a problem and a remedy.
_MIN_MESSAGE_CHARS = 30


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the node did about a fault.

    Attributes:
        counted: how much the counter rose.
        message: the last error in /diagnostics, when it is this fault's.
        logged: the node's log has a line with the code that it had not before.
        active: the node is still active afterwards.
        answer_s: seconds to the answer to a normal intent afterwards; None when none came.
    """

    fault: str
    code: str
    counted: int
    message: str
    logged: bool
    active: bool
    answer_s: float | None

    @property
    def passed(self) -> bool:
        """Whether all that is asked for holds."""
        clear = len(self.message) >= _MIN_MESSAGE_CHARS and self.logged
        return self.counted > 0 and clear and self.active and self.answer_s is not None


def try_fault(rig: Rig, fault: Fault) -> Outcome:
    """Provoke a fault and look at what the node does.

    Raises:
        BenchmarkError: a process ended.
    """
    probe, counter = rig.probe, f"refused.{fault.code}"
    probe.fresh_report()
    before, logged_before = probe.count(counter), rig.node_log().count(fault.code)
    end = time.monotonic() + _COUNT_S
    again = 0.0
    while probe.count(counter) == before and (now := time.monotonic()) < end:
        if now >= again:
            fault.provoke(rig)
            again = now + 0.5 if fault.repeat else end
        probe.spin()
        rig.check()
    counted = probe.count(counter) - before
    last_error = probe.values.get("last_error", "")
    code, _, message = last_error.partition(": ")
    active = probe.is_active()
    fault.repair(rig)
    answer_s = ask(rig, NORMAL_INTENT)
    return Outcome(
        fault=fault.name,
        code=fault.code,
        counted=counted,
        message=message if code == fault.code else "",
        logged=rig.node_log().count(fault.code) > logged_before,
        active=active and probe.is_active(),
        answer_s=answer_s,
    )


def ask(rig: Rig, intent: str) -> float | None:
    """Say an intent; return the seconds to its result, None when none came."""
    probe = rig.probe
    results = len(probe.got)
    start = time.monotonic()

    def answered() -> bool:
        rig.check()
        return any(one.text == intent for one in probe.got[results:])

    probe.say(intent)
    return time.monotonic() - start if probe.wait(answered, _ANSWER_S) else None


def outcome_table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a table for a person."""
    rows = [("", "fault", "code", "counted", "active", "works after", "message")]
    rows += [
        (
            "PASS" if one.passed else "FAIL",
            one.fault,
            one.code,
            f"{one.counted}",
            "yes" if one.active else "NO",
            "NO" if one.answer_s is None else f"in {one.answer_s:.1f} s",
            (one.message or "NONE in /diagnostics") + ("" if one.logged else " (NOT in the log)"),
        )
        for one in outcomes
    ]
    return table(rows)


def parse_arguments(args: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__.split("\n")[0])
    add_rig_options(parser, logs=Path("out/faults_log"), camera_hz=10.0)
    return parser.parse_args(args)


def main(args: Sequence[str] | None = None, perception_command: Sequence[str] = ()) -> int:
    """Run the benchmark; return the exit status.

    Args:
        args: command line.
        perception_command: run this in the place of the installed node; for tests.
    """
    options = parse_arguments(args)
    end_on_sigterm()
    report = origin(options, perception_command)
    print(f"faults: {report['machine']}; commit {report['commit']}; loading the model", flush=True)
    outcomes: list[Outcome] = []
    failure = ""
    try:
        faults = all_faults(load_scene(options.scene))
        with Rig(rig_config(options, perception_command)) as rig:
            for fault in faults:
                outcomes.append(try_fault(rig, fault))
                print(f"{'ok    ' if outcomes[-1].passed else 'FAILED'} {fault.name}", flush=True)
            report |= {key: rig.probe.values.get(key) for key in ("model", "device")}
    except (BenchmarkError, SceneError, FileNotFoundError) as error:
        failure = str(error)
    if outcomes:
        print(f"\n{outcome_table(outcomes)}\n")
    if failure:
        print(f"faults: {failure}", file=sys.stderr)
    passed = not failure and all(one.passed for one in outcomes)
    if not failure:
        print(f"{sum(one.passed for one in outcomes)} of {len(faults)} faults are handled")
    if options.json:
        rows = [asdict(one) | {"passed": one.passed} for one in outcomes]
        report |= {"passed": passed, "failure": failure, "faults": rows}
        write_report(options.json, report)
    return 2 if failure else int(not passed)


if __name__ == "__main__":
    raise SystemExit(main())
