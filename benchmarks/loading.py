"""Open a LISA checkpoint in a process of its own, answer one intent, and say what memory it took.

    lisa bench load DIR [--vision-tower DIR --dtype bfloat16 --quantization int8 --json FILE]

Memory is the resident memory of the whole process, with Python and PyTorch, and with the pages of
the weights' files that are mapped. Exit status 0 when the peak is within the limit and nothing was
swapped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.origin import ROOT, commit, write_report

# Peak resident memory over the bytes of the weights.
LIMIT = 1.15
INTENT = "change the TV channel"


@dataclass(frozen=True, kw_only=True)
class Loading:
    """What one process saw.

    Attributes:
        weights_bytes: of all tensors of model and vision tower, as they are in memory.
        peak_bytes: largest resident memory.
        imported_bytes: resident memory before the checkpoint was opened.
        open_s, answer_s: seconds to open, and to answer the first intent.
        answer: what the model wrote.
        masks: how many masks it gave.
        swapped_pages: pages that this machine swapped in or out meanwhile.
    """

    weights_bytes: int
    peak_bytes: int
    imported_bytes: int
    open_s: float
    answer_s: float
    answer: str
    masks: int
    swapped_pages: int

    @property
    def ratio(self) -> float:
        """Peak memory over the weights."""
        return self.peak_bytes / self.weights_bytes


def measure_loading(
    model: Path,
    tower: Path | None,
    *,
    dtype: str = "bfloat16",
    quantization: str | None = None,
) -> Loading:
    """Measure in a fresh process.

    Raises:
        RuntimeError: the process failed; with its last words.
    """
    command = [sys.executable, "-m", "benchmarks.loading", str(model), "--dtype", dtype, "--child"]
    command += ["--vision-tower", str(tower)] if tower is not None else []
    command += ["--quantization", quantization] if quantization is not None else []
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise RuntimeError(f"the process failed:\n{done.stderr[-2000:]}")
    return Loading(**json.loads(done.stdout.splitlines()[-1]))


def child(model: Path, tower: Path | None, dtype: str, quantization: str | None) -> Loading:
    """What the process of its own does."""
    from benchmarks.engine import scene
    from lisa_model.llava.quantization import stored_bytes
    from lisa_model.llava.segmenter import LisaSegmenter
    from lisa_model.segmenter import ReasoningSegmenter

    swapped, imported = _swapped(), _peak()
    start = time.perf_counter()
    segmenter = ReasoningSegmenter.from_pretrained(
        model, vision_tower=tower, dtype=dtype, quantization=quantization
    )
    opened = time.perf_counter()
    result = segmenter.segment(scene(), INTENT)
    end = time.perf_counter()
    assert isinstance(segmenter, LisaSegmenter)
    parts = (segmenter.engine.model, segmenter.engine.tower)
    return Loading(
        weights_bytes=sum(stored_bytes(p) for part in parts for p in part.parameters()),
        peak_bytes=_peak(),
        imported_bytes=imported,
        open_s=opened - start,
        answer_s=end - opened,
        answer=result.text,
        masks=len(result.masks),
        swapped_pages=_swapped() - swapped,
    )


def _peak() -> int:
    """Largest resident memory so far [bytes].

    Not getrusage's: that begins with the memory of the process that started this one.
    """
    status = Path("/proc/self/status").read_text("utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024  # Linux counts in KiB


def _swapped() -> int:
    """Pages swapped since the machine started, from /proc/vmstat."""
    counters = dict(
        line.split() for line in Path("/proc/vmstat").read_text("utf-8").splitlines() if line
    )
    return int(counters["pswpin"]) + int(counters["pswpout"])


def main(args: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="lisa bench load", description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, metavar="DIR", help="checkpoint")
    parser.add_argument("--vision-tower", type=Path, metavar="DIR", help="its CLIP model")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--quantization", choices=("int8", "int4", "nf4"))
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(args)
    if options.child:
        found = child(options.model, options.vision_tower, options.dtype, options.quantization)
        print(json.dumps(asdict(found)))
        return 0
    found = measure_loading(
        options.model.resolve(),
        options.vision_tower.resolve() if options.vision_tower else None,
        dtype=options.dtype,
        quantization=options.quantization,
    )
    print(f"weights          {found.weights_bytes / 1e9:7.2f} GB")
    print(f"peak resident    {found.peak_bytes / 1e9:7.2f} GB ({found.ratio:.3f} x weights)")
    print(f"  before opening {found.imported_bytes / 1e9:7.2f} GB")
    print(f"opened in        {found.open_s:7.1f} s")
    print(f"answered in      {found.answer_s:7.1f} s: {found.answer!r}, {found.masks} mask(s)")
    verdicts = {
        f"peak <= {LIMIT:g} x weights": found.ratio <= LIMIT,
        f"pages swapped: {found.swapped_pages}": found.swapped_pages == 0,
    }
    for what, held in verdicts.items():
        print("PASS" if held else "FAIL", what)
    if options.json:
        report = asdict(found) | {"ratio": found.ratio, "verdicts": verdicts, "commit": commit()}
        write_report(options.json, report)
    return int(not all(verdicts.values()))


if __name__ == "__main__":
    sys.exit(main())
