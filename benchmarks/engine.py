"""The engine of LISA checkpoints against the way the official code computes, side by side.

    lisa bench engine [--work data/engine --times 3 --json out/engine.json]

Sizes: LLaMA 22 x 1536, CLIP ViT-L/14, SAM ViT-B at 1024 px; random weights, written to --work once.
One image of 480x640, an answer of 32 tokens of which the third is [SEG]. Exit status 0 when every
limit holds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.checkpoint_shapes import SIZES, Sizes
from benchmarks.engine_report import Line, Report, text
from benchmarks.full_size_checkpoint import MODEL_FOLDER, TOWER_FOLDER, write_checkpoint
from benchmarks.loading import measure_loading
from benchmarks.naive import NaiveAnswer, naive_answer
from benchmarks.origin import commit, write_report
from benchmarks.stopwatch import Stopwatch
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


def scene(height: int = 480, width: int = 640) -> NDArray[np.uint8]:
    """An image that is neither flat nor noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 127 * np.sin(x / (17 + 9 * k) + y / (23 - 5 * k)) for k in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


@dataclass
class Bench:
    """The models of one checkpoint, and what was measured on them so far.

    Attributes:
        folders: of the model and of its vision tower.
        times: runs of each line of the engine.
        third: the token in whose place [SEG] is planted.
    """

    folders: tuple[Path, Path]
    times: int
    image: NDArray[np.uint8] = field(default_factory=scene)
    report: Report = field(default_factory=Report)
    third: int | None = None

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
        swap_rows(opened, opened.tokenizer.seg_id, self.third)
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

    def naive(self, segmenter: LisaSegmenter, name: str) -> NaiveAnswer:
        """The official way, once: it takes minutes."""
        prompt = segmenter._ids([(segmenter._user_text(PROMPT, False), None)])
        watch = Stopwatch()
        start = time.perf_counter()
        answer = naive_answer(
            segmenter, self.image, prompt, max_new_tokens=TOKENS, eos_id=NO_EOS, watch=watch
        )
        self.report.add(Line(name=name, samples_s=[time.perf_counter() - start], watches=[watch]))
        return answer

    def measure(
        self, name: str, segmenter: LisaSegmenter, run: Callable[[], SegmentationResult]
    ) -> SegmentationResult:
        """Measure a line of the engine."""
        line = Line(name=name)
        for _ in range(self.times):
            watch = Stopwatch()
            with watch.watching(segmenter):
                start = time.perf_counter()
                value = run()
                line.samples_s.append(time.perf_counter() - start)
            line.watches.append(watch)
        self.report.add(line)
        return value


def swap_rows(segmenter: LisaSegmenter, one: int, other: int) -> None:
    """Exchange two tokens in the head: where one was predicted, the other is now."""
    weight = segmenter.engine.model.lm_head.weight
    weight[[one, other]] = weight[[other, one]]


def measure_float32(bench: Bench) -> tuple[SegmentationResult, int]:
    """Baseline and engine in float32; the engine's answer and the LLM's bytes."""
    exact = bench.open("float32")
    naive = bench.naive(exact, "naive_float32")
    answer = bench.measure("float32", exact, lambda: bench.fresh(exact))
    same = answer.token_ids == naive.ids
    error = float(np.abs(answer.mask_logits - naive.mask_logits).max(initial=0.0))
    bench.report.note(
        "float32", f"ids {'equal' if same else 'DIFFER'}, mask logits within {error:.1e}"
    )
    bench.report.require("float32: ids equal", same)
    bench.report.require("float32: a mask, within 1e-4", len(answer.masks) > 0 and error <= 1e-4)
    # Of a question nothing is kept, so the same words serve as the second intent.
    bench.measure("second_intent_float32", exact, lambda: bench.ask(exact))
    bench.measure(
        "second_intent_float32_mask_only", exact, lambda: bench.ask(exact, stop_at_seg=True)
    )
    return answer, llm_bytes(exact.engine.model)


def measure_bfloat16(bench: Bench, truth: SegmentationResult) -> None:
    """Baseline and engine in bfloat16, and an answer without [SEG]."""
    half = bench.open("bfloat16")
    bench.naive(half, "naive_bfloat16")
    answer = bench.measure("bfloat16", half, lambda: bench.fresh(half))
    iou = first_mask_iou(answer, truth)
    bench.report.note("bfloat16", f"mask IoU {iou:.4f} to float32")
    bench.report.require("bfloat16: mask IoU >= 0.985", iou >= 0.985)
    bench.measure("second_intent_bfloat16", half, lambda: bench.ask(half))
    bench.measure(
        "second_intent_bfloat16_mask_only", half, lambda: bench.ask(half, stop_at_seg=True)
    )
    assert bench.third is not None
    swap_rows(half, half.tokenizer.seg_id, bench.third)
    silent = bench.measure("no_seg_bfloat16", half, lambda: bench.fresh(half))
    bench.report.note("no_seg_bfloat16", f"{len(silent.masks)} masks")
    bench.report.require("no [SEG]: no mask", len(silent.masks) == 0)


def measure_int8(bench: Bench, truth: SegmentationResult, exact_bytes: int) -> float:
    """The engine with an int8 LLM; its share of the float32 LLM's memory."""
    small = bench.open("float32", "int8")
    answer = bench.measure("int8", small, lambda: bench.fresh(small))
    share = llm_bytes(small.engine.model) / exact_bytes
    iou = first_mask_iou(answer, truth)
    bench.report.note("int8", f"mask IoU {iou:.4f} to float32, LLM memory {share:.3f} of float32")
    bench.report.require("int8: mask IoU >= 0.97", iou >= 0.97)
    bench.report.require("int8: LLM memory <= 0.35 of float32", share <= 0.35)
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

    Returns:
        ``speedup_*`` (ratios to the naive float32 answer), ``no_seg_sam_s``, ``stages`` and the
        rest; see benchmarks/README.md.
    """
    if not (work / "DONE").exists():
        write_checkpoint(work, size, dtype=torch.float32)
        (work / "DONE").touch()
    bench = Bench(folders=(work / MODEL_FOLDER, work / TOWER_FOLDER), times=times)
    truth, exact_bytes = measure_float32(bench)
    measure_bfloat16(bench, truth)
    share = measure_int8(bench, truth, exact_bytes)
    loading = measure_loading(*(folder.resolve() for folder in bench.folders), dtype="float32")
    report = bench.report
    slow = report.seconds("naive_float32")
    values = {
        "speedup_fp32": slow / report.seconds("float32"),
        "speedup_bf16": slow / report.seconds("bfloat16"),
        "speedup_bf16_over_naive_bf16": report.seconds("naive_bfloat16")
        / report.seconds("bfloat16"),
        "speedup_second_intent": slow / report.seconds("second_intent_bfloat16"),
        "speedup_second_intent_fp32": slow / report.seconds("second_intent_float32"),
        "speedup_second_intent_fp32_mask_only": slow
        / report.seconds("second_intent_float32_mask_only"),
        "no_seg_sam_s": statistics.median(
            sum(watch.seconds.get(stage, 0.0) for stage in ("sam_encoder", "mask_decoder"))
            for watch in report.lines["no_seg_bfloat16"].watches
        ),
        "int8_llm_share": share,
        "load_peak_over_weights": loading.ratio,
    }
    report.require("speedup_fp32 >= 6", values["speedup_fp32"] >= 6)
    report.require("speedup_bf16 >= 12", values["speedup_bf16"] >= 12)
    report.require("speedup_second_intent >= 30", values["speedup_second_intent"] >= 30)
    report.require("no_seg_sam_s = 0", values["no_seg_sam_s"] == 0)
    return values | report.values()


def main(args: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="lisa bench engine", description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("data/engine"), help="for the weights")
    parser.add_argument(
        "--times", type=int, default=3, help="runs of the engine; the median counts"
    )
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = parser.parse_args(args)
    report = measure(options.work, options.times)
    print(text(report))
    if options.json:
        report |= {"commit": commit(), "threads": torch.get_num_threads()}
        write_report(options.json, report)
    return int(not report["passed"])


if __name__ == "__main__":
    sys.exit(main())
