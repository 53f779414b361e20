"""The engine of LISA checkpoints against the way the official code computes, side by side.

    python -m benchmarks.engine --work data/engine --json out/engine.json

Sizes: LLaMA 22 x 1536, CLIP ViT-L/14, SAM ViT-B at 1024 px; random weights, written to --work once.
One image of 480x640, an answer of 32 tokens of which the third is [SEG]. Exit status 0 when every
limit holds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.checkpoint_shapes import SIZES, Sizes
from benchmarks.full_size_checkpoint import MODEL_FOLDER, TOWER_FOLDER, write_checkpoint
from benchmarks.measures import table
from benchmarks.naive import naive_answer
from benchmarks.origin import commit
from lisa_model.llava.quantization import llm_bytes
from lisa_model.llava.segmenter import LisaSegmenter
from lisa_model.segmenter import ReasoningSegmenter, SegmentationResult

SIZE = replace(
    SIZES["7b"],
    llm_hidden=1536,
    llm_mlp=4096,
    llm_layers=22,
    llm_heads=16,
    sam_dim=768,
    sam_layers=12,
    sam_heads=12,
    sam_global=(2, 5, 8, 11),
)
TOKENS = 32
SEG_AT = 2  # the third token of the answer
PROMPT = "Which of the things on the table would you take to change the channel?"
# Of nothing that a tokenizer has: the answers run to their full length.
NO_EOS = -1

Value = TypeVar("Value")


@dataclass(frozen=True)
class Row:
    """One measured line; ``limit`` is what the ratio has to reach, None where there is no limit."""

    what: str
    seconds: float
    ratio: float
    limit: float | None
    agrees: str


def scene(height: int = 480, width: int = 640) -> NDArray[np.uint8]:
    """An image that is neither flat nor noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 127 * np.sin(x / (17 + 9 * k) + y / (23 - 5 * k)) for k in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


class Bench:
    """The models of one checkpoint, and what was measured on them so far."""

    def __init__(self, folders: tuple[Path, Path], times: int) -> None:
        self.folders = folders
        self.times = times
        self.image = scene()
        self.rows: list[Row] = []
        self.samples: dict[str, list[float]] = {}
        self.stages: dict[str, dict[str, float]] = {}
        self.verdicts: dict[str, bool] = {}
        self.slow = 0.0
        self.third: int | None = None  # the token in whose place [SEG] is planted

    def open(self, dtype: str, quantization: str | None = None) -> LisaSegmenter:
        """Open the checkpoint with an answer that has one [SEG] and no end."""
        model, tower = self.folders
        opened = ReasoningSegmenter.from_pretrained(
            model, vision_tower=tower, dtype=dtype, quantization=quantization
        )
        assert isinstance(opened, LisaSegmenter)
        head = opened.engine.model.lm_head
        weight = head.weight.detach().clone()
        # Channel 0 of this checkpoint decides between [SEG] and the end; here neither is to come.
        weight[:, 0] = 0.0
        weight[opened.tokenizer.eos_id] = 0.0
        head.weight = torch.nn.Parameter(weight, requires_grad=False)
        if self.third is None:
            self.third = self.ask(opened).token_ids[SEG_AT]
        seg = opened.tokenizer.seg_id
        weight[[seg, self.third]] = weight[[self.third, seg]]
        return opened

    def ask(self, segmenter: LisaSegmenter, *, stop_at_seg: bool = False) -> SegmentationResult:
        """An answer of TOKENS tokens, or up to [SEG]."""
        return segmenter.segment(
            self.image, PROMPT, templates=False, max_new_tokens=TOKENS, stop_at_seg=stop_at_seg
        )

    def fresh(self, segmenter: LisaSegmenter) -> SegmentationResult:
        """The same for an image that the engine has not seen."""
        segmenter.engine._frames.clear()
        return self.ask(segmenter)

    def add(
        self, what: str, limit: float | None, run: Callable[[], SegmentationResult]
    ) -> SegmentationResult:
        """Measure a line; its agreement is filled in by :meth:`agree`."""
        seconds, self.samples[what], value = timed(run, self.times)
        ratio = self.slow / seconds
        self.rows.append(Row(what, seconds, ratio, limit, ""))
        self.stages[what] = value.timings
        if limit is not None:
            self.verdicts[f"{what}: {limit:g}x"] = ratio >= limit
        print(f"{what}: {seconds:.2f} s, {ratio:.1f}x", flush=True)
        return value

    def agree(self, text: str) -> None:
        """Say how the last line's answer compares."""
        self.rows[-1] = replace(self.rows[-1], agrees=text)


def timed(run: Callable[[], Value], times: int) -> tuple[float, list[float], Value]:
    """Median seconds, all seconds, and the last value."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        value = run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), seconds, value


def measure_float32(bench: Bench) -> tuple[SegmentationResult, int]:
    """Baseline and engine in float32; the engine's answer and the LLM's bytes."""
    exact = bench.open("float32")
    prompt = exact._ids([(exact._user_text(PROMPT, False), None)])
    start = time.perf_counter()
    naive = naive_answer(exact, bench.image, prompt, max_new_tokens=TOKENS, eos_id=NO_EOS)
    bench.slow = time.perf_counter() - start
    bench.rows.append(Row("as the official code, float32", bench.slow, 1.0, None, ""))
    print(f"as the official code, float32: {bench.slow:.1f} s", flush=True)
    answer = bench.add("engine, float32, new image", 6.0, lambda: bench.fresh(exact))
    same = answer.token_ids == naive.ids
    error = float(np.abs(answer.mask_logits - naive.mask_logits).max())
    bench.agree(f"ids {'equal' if same else 'DIFFER'}, mask logits within {error:.1e}")
    bench.verdicts |= {
        "float32: ids equal": same,
        "float32: a mask, within 1e-4": len(answer.masks) > 0 and error <= 1e-4,
    }
    # Of a question nothing is kept, so the same words serve as the second intent.
    bench.add("second intent, float32", 30.0, lambda: bench.ask(exact))
    bench.add("second intent, float32, mask only", 30.0, lambda: bench.ask(exact, stop_at_seg=True))
    return answer, llm_bytes(exact.engine.model)


def measure_bfloat16(bench: Bench, truth: SegmentationResult) -> None:
    """The engine in bfloat16."""
    half = bench.open("bfloat16")
    answer = bench.add("engine, bfloat16, new image", 12.0, lambda: bench.fresh(half))
    iou = first_mask_iou(answer, truth)
    bench.agree(f"mask IoU {iou:.4f}")
    bench.verdicts["bfloat16: mask IoU >= 0.985"] = iou >= 0.985
    bench.add("second intent, bfloat16", 30.0, lambda: bench.ask(half))


def measure_int8(bench: Bench, truth: SegmentationResult, exact_bytes: int) -> float:
    """The engine with an int8 LLM; its share of the float32 LLM's memory."""
    small = bench.open("float32", "int8")
    answer = bench.add("engine, int8, new image", None, lambda: bench.fresh(small))
    share = llm_bytes(small.engine.model) / exact_bytes
    iou = first_mask_iou(answer, truth)
    bench.agree(f"mask IoU {iou:.4f}, LLM memory {share:.3f} of float32")
    bench.verdicts |= {"int8: mask IoU >= 0.97": iou >= 0.97, "int8: memory <= 0.35": share <= 0.35}
    return share


def first_mask_iou(answer: SegmentationResult, truth: SegmentationResult) -> float:
    """IoU of the first masks (a later token may differ); 0 when one has none."""
    if not len(answer.masks) or not len(truth.masks):
        return 0.0
    a, b = answer.masks[0], truth.masks[0]
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def measure(work: Path, times: int, size: Sizes = SIZE) -> dict[str, Any]:
    """Everything, as a report; see the module.

    Args:
        work: folder of the checkpoint; written when it is not there.
        times: runs of each engine line.
        size: of the networks.
    """
    if not (work / "DONE").exists():
        write_checkpoint(work, size, dtype=torch.float32)
        (work / "DONE").touch()
    bench = Bench((work / MODEL_FOLDER, work / TOWER_FOLDER), times)
    truth, exact_bytes = measure_float32(bench)
    measure_bfloat16(bench, truth)
    share = measure_int8(bench, truth, exact_bytes)
    return {
        "rows": [asdict(row) for row in bench.rows],
        "samples_s": bench.samples,
        "stages_s": bench.stages,
        "llm_bytes": {"float32": exact_bytes, "int8_share": share},
        "verdicts": bench.verdicts,
        "passed": all(bench.verdicts.values()),
    }


def main(args: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="engine", description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("data/engine"), help="for the weights")
    parser.add_argument(
        "--times", type=int, default=3, help="runs of the engine; the median counts"
    )
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = parser.parse_args(args)
    report = measure(options.work, options.times)
    rows = [("what", "seconds", "ratio", "limit", "agreement")]
    rows += [
        (
            row["what"],
            f"{row['seconds']:.2f}",
            f"{row['ratio']:.1f}x",
            "" if row["limit"] is None else f">= {row['limit']:g}x",
            row["agrees"],
        )
        for row in report["rows"]
    ]
    print(table(rows))
    for what, held in report["verdicts"].items():
        print("PASS" if held else "FAIL", what)
    if options.json:
        report |= {"commit": commit(), "threads": torch.get_num_threads()}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return int(not report["passed"])


if __name__ == "__main__":
    sys.exit(main())
