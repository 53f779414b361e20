"""Does a training run's memory stay flat? Resident memory early in a run and at its end.

    lisa bench train-memory [--steps 2000 --from-step 200 --json FILE]

Runs `lisa train` in this process on a CPU, with the random weights and small data sets of the tests
(config/train/tiny_cpu.yaml's), with validations and checkpoints in between. Exit status 1 when the
memory at the end is more than the limit above that at the early step.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.origin import ROOT, commit, write_report
from training.run.log import Log
from training.run.loop import train
from training.run.settings import parse_settings, read_settings

CONFIG = ROOT / "config" / "train" / "tiny_cpu.yaml"
LIMIT = 0.05


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Resident memory of a run.

    Attributes:
        steps: of the run.
        early_step: where the first figure was taken.
        early_mb, last_mb, largest_mb: at that step, at the end, and the largest from that step on
            [10^6 bytes].
        growth: last over early, minus 1.
        seconds: of the whole run.
    """

    steps: int
    early_step: int
    early_mb: float
    last_mb: float
    largest_mb: float
    growth: float
    seconds: float


def resident_mb() -> float:
    """Resident memory of this process [10^6 bytes]."""
    status = Path("/proc/self/status").read_text("utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024 / 1e6  # Linux counts in KiB


def measure(folder: Path, *, steps: int, early: int, **changes: Any) -> Growth:
    """Run and look after every step.

    Args:
        folder: for the inputs and the run.
        steps: of the run.
        early: step of the first figure; caches have filled by then.
        changes: of the configuration's top.
    """
    if not 0 < early < steps:
        raise ValueError(f"the early step must lie between 0 and {steps}, got {early}")
    sys.path.insert(0, str(ROOT / "test" / "support"))
    import training_run  # type: ignore[import-not-found]

    training_run.write_inputs(folder)
    values = read_settings(CONFIG).plain()
    sections = {key: value for key, value in values.items() if isinstance(value, dict)}
    every = max(steps // 8, 1)
    values |= {
        "data": str(folder / "data.yaml"),
        "out": str(folder / "run"),
        "steps": steps,
        "model": sections["model"] | {"checkpoint": str(folder / "LISA-random")},
        "checkpoints": sections["checkpoints"] | {"every": every},
        "validation": sections["validation"]
        | {"folder": str(folder / "dataset/reason_seg/ReasonSeg/val"), "every": every},
        **changes,
    }
    seen: dict[int, float] = {}
    advance = Log.advance

    def watching(self: Log, step: int, loss: float) -> None:
        seen[step] = resident_mb()
        advance(self, step, loss)

    Log.advance = watching  # type: ignore[method-assign]
    start = time.monotonic()
    try:
        train(parse_settings(values), progress=False)
    finally:
        Log.advance = advance  # type: ignore[method-assign]
    return Growth(
        steps=steps,
        early_step=early,
        early_mb=seen[early],
        last_mb=seen[steps],
        largest_mb=max(size for step, size in seen.items() if step >= early),
        growth=seen[steps] / seen[early] - 1.0,
        seconds=time.monotonic() - start,
    )


def main(args: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="lisa bench train-memory", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--from-step", type=int, default=200, help="of the first figure")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(args)
    with tempfile.TemporaryDirectory(prefix="lisa-bench-") as scratch:
        found = measure(Path(scratch), steps=options.steps, early=options.from_step)
    print(f"resident at step {found.early_step:<6}{found.early_mb:9.1f} MB")
    print(f"resident at step {found.steps:<6}{found.last_mb:9.1f} MB")
    print(f"largest in between     {found.largest_mb:9.1f} MB")
    held = found.growth <= LIMIT
    print(f"{'PASS' if held else 'FAIL'} growth {found.growth:+.2%} <= {LIMIT:.0%}")
    if options.json:
        report = asdict(found) | {"limit": LIMIT, "commit": commit()}
        write_report(options.json, report)
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
