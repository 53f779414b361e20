"""Samples per second: the data pipeline of `lisa train` against the training step of lisa-tiny.

    lisa bench data [--seconds 15 --steps 3 --json FILE]

A sample is an image with its questions, on both sides. The pipeline is the official-size trainer's,
alone: a draw of the mixture (files, decoding, questions, masks), then the batch with CLIP's and
SAM's input of 1024 pixels and the tokenised conversations, by as many threads as there are cores.
The step is that of lisa-tiny in which the language side learns from images and questions
(`training.tiny.stage_joint --head-rate 0`, its default 5 frames of up to 10 questions), on cached
features, with as many threads. Also measured: the step of lisa-tiny's mask head
(`training.tiny.stage_vision`), whose samples are small cached views without any text, and the
pipeline on photographs of 1024 x 768. One after the other, in this process, on the frames that
come with the package. Exit status 1 when the pipeline delivers less than 10 times what the step
consumes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.full_size_checkpoint import write_checkpoint
from benchmarks.origin import commit, write_report
from benchmarks.photographs import write_photographs
from lisa_model.config import preset
from lisa_model.llava.clip_tower import ClipPreprocessing
from lisa_model.llava.preprocessing import clip_pixels
from lisa_model.llava.tokenizer import LegacyTokenizer
from lisa_model.mask_head import MaskHead
from lisa_model.vision import VisionTower
from training.data.collate import Collator
from training.data.config import parse_config
from training.data.images import read_labels
from training.data.mixture import open_ledger, open_mixture
from training.homereason.choose import training_questions
from training.homereason.files import write_questions
from training.homereason.scene import read_json, scene_of
from training.household.evaluate import shipped_frames
from training.run.feed import Feed, Spread
from training.tiny import stage_joint, stage_vision, views
from training.tiny.features import View, cache_split

LIMIT = 10.0
CACHED_FRAMES = 12
# Of CLIP ViT-L/14 and SAM.
_CLIP_SIDE, _CLIP_PATCHES, _SAM_SIDE = 224, 256, 1024
_WARM_UP_STEPS = 1


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Samples (images with their questions) per second.

    Attributes:
        pipeline_samples_per_s: of the data pipeline on household frames (640 x 480).
        step_samples_per_s: consumed by lisa-tiny's training step on images and questions.
        ratio: of the two.
        mask_step_samples_per_s: consumed by the step of its mask head; cached views, no text.
        mask_step_ratio: of the pipeline to that.
        photographs_samples_per_s: of the pipeline on photographs of 1024 x 768.
        cores: threads of each side.
    """

    pipeline_samples_per_s: float
    step_samples_per_s: float
    ratio: float
    mask_step_samples_per_s: float
    mask_step_ratio: float
    photographs_samples_per_s: float
    cores: int


def make_inputs(folder: Path) -> None:
    """Frames, photographs, a tokenizer and cached features below a new folder."""
    (folder / "household").mkdir(parents=True)
    # The source reads a split "train"; whose phrases are asked does not change the speed.
    (folder / "household" / "train").symlink_to(shipped_frames().resolve() / "test")
    write_photographs(folder / "reason_seg" / "ReasonSeg" / "train", count=24)
    with contextlib.redirect_stdout(io.StringIO()):
        write_checkpoint(folder, SIZES["tiny"], dtype=torch.float32)
    config = preset("lisa-tiny")
    few = folder / "few"
    few.mkdir()
    for path in sorted((shipped_frames() / "test").glob("*.json"))[:CACHED_FRAMES]:
        for file in path.parent.glob(f"{path.stem}.*"):
            (few / file.name).symlink_to(file.resolve())
        # The package leaves depth out, and features do not use it; the reader wants it there.
        depth = np.full(read_labels(path.with_name(f"{path.stem}.ids.png")).shape, 1000, np.uint16)
        cv2.imwrite(str(few / f"{path.stem}.depth.png"), depth)
    cache_split(
        folder=few,
        out=folder / "features",
        config=config,
        tower=VisionTower.from_config(config),
        crops=1,
        watch=False,
    )


def pipeline_rate(folder: Path, name: str, *, seconds: float, workers: int) -> float:
    """Samples per second of mixture, collation and feed, with nothing that consumes them.

    Args:
        folder: of :func:`make_inputs`.
        name: household or reason_seg.
        seconds: to measure, after a second of warm-up.
        workers: threads.
    """
    options: dict[str, Any] = {"name": name}
    if name == "household":
        options["folder"] = str(folder / "household")
    else:
        options["explanatory"] = -1.0
    values = {
        "root": str(folder),
        "exclude_refer_validation": False,
        "families": {"reasoning": {"rate": 1.0, "sets": [options]}},
    }
    data = parse_config(values)
    preprocessing = ClipPreprocessing(resize=_CLIP_SIDE, crop=_CLIP_SIDE)
    collate = Collator(
        tokenizer=LegacyTokenizer.from_folder(folder / "LISA-random"),
        clip_pixels=partial(clip_pixels, **asdict(preprocessing)),
        patches=_CLIP_PATCHES,
        sam_size=_SAM_SIDE,
        # The benchmark's tokenizer has few pieces, so that texts are longer than they would be.
        max_length=2048,
    )
    spread = Spread(batch=1, accumulation=4)
    feed = Feed(
        draw=open_mixture(data, refuse=collate.refuse).draw,
        collate=collate,
        spread=spread,
        ledger=open_ledger(data),
        workers=workers,
    )
    with threads(1):
        steps = feed.steps(0, 1_000_000)
        begin = time.perf_counter()
        while time.perf_counter() - begin < 1.0:
            next(steps)
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            done += len(next(steps))
        spent = time.perf_counter() - begin
        steps.close()  # type: ignore[attr-defined]
    return done * spread.batch / spent


def joint_rate(folder: Path, *, steps: int) -> float:
    """Frames per second that `training.tiny.stage_joint --head-rate 0` learns from."""
    config = preset("lisa-tiny")
    text, vision = folder / "text.pt", folder / "vision.pt"
    torch.save({"model": {}}, text)
    torch.save(MaskHead(config=config).state_dict(), vision)

    asked = folder / "questions" / "train.jsonl"
    scenes = [scene_of(read_json(path)) for path in sorted((folder / "few").glob("*.json"))]
    write_questions(asked, [one for scene in scenes for one in training_questions(scene)])

    def train() -> None:
        stage_joint.JointTraining(
            config=config,
            recipe=stage_joint.JointRecipe(steps=_WARM_UP_STEPS + steps + 1, head_rate=0.0),
            features=folder / "features",
            questions=[asked],
            text=text,
            vision=vision,
            out=folder / "joint",
        ).run()

    return learnt_per_second(train, stage_joint)


def mask_rate(folder: Path, *, steps: int) -> float:
    """Views per second that `training.tiny.stage_vision` learns masks from."""

    def train() -> None:
        stage_vision.train(
            config=preset("lisa-tiny"),
            features=folder / "features",
            out=folder / "stage_vision.pt",
            steps=_WARM_UP_STEPS + steps + 1,
            align_steps=0,
            seed=0,
        )

    return learnt_per_second(train, views)


def learnt_per_second(train: Callable[[], None], module: Any) -> float:
    """Views per second that a stage learns from.

    Args:
        train: runs the stage.
        module: whose ``view_tensors`` the stage calls once per step, with the step's views.
    """
    calls: list[tuple[float, int]] = []
    original = module.view_tensors

    def watching(views: list[View]) -> tuple[torch.Tensor, torch.Tensor]:
        calls.append((time.perf_counter(), len(views)))
        return original(views)

    module.view_tensors = watching
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            train()
    finally:
        module.view_tensors = original
    timed = calls[_WARM_UP_STEPS:]
    # Each step is timed by the beginning of the next one; the last one has none.
    return sum(count for _, count in timed[:-1]) / (timed[-1][0] - timed[0][0])


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch's own threads: the pipeline's are those of its pool."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure(folder: Path, *, seconds: float, steps: int, cores: int) -> Rates:
    """Measure all of it; ``folder`` is a new one, for scratch."""
    with threads(cores):
        make_inputs(folder)
        pipeline = pipeline_rate(folder, "household", seconds=seconds, workers=cores)
        step = joint_rate(folder, steps=steps)
        photographs = pipeline_rate(folder, "reason_seg", seconds=seconds / 2, workers=cores)
        mask = mask_rate(folder, steps=steps)
    return Rates(
        pipeline_samples_per_s=pipeline,
        step_samples_per_s=step,
        ratio=pipeline / step,
        mask_step_samples_per_s=mask,
        mask_step_ratio=pipeline / mask,
        photographs_samples_per_s=photographs,
        cores=cores,
    )


def main(args: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="lisa bench data", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="of the pipeline")
    parser.add_argument("--steps", type=int, default=3, help="of lisa-tiny's training")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="threads of each side")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(args)
    with tempfile.TemporaryDirectory(prefix="lisa-bench-") as scratch:
        rates = measure(
            Path(scratch), seconds=options.seconds, steps=options.steps, cores=options.cores
        )
    print(f"pipeline, household frames  {rates.pipeline_samples_per_s:8.1f} samples/s")
    print(f"pipeline, photographs       {rates.photographs_samples_per_s:8.1f} samples/s")
    print(f"lisa-tiny's step            {rates.step_samples_per_s:8.1f} samples/s")
    print(f"its mask head's step        {rates.mask_step_samples_per_s:8.1f} samples/s")
    print(f"pipeline / mask head's step {rates.mask_step_ratio:8.1f}")
    held = rates.ratio >= LIMIT
    print(f"{'PASS' if held else 'FAIL'} pipeline / step {rates.ratio:.1f} >= {LIMIT:g}")
    if options.json:
        report = asdict(rates) | {"limit": LIMIT, "commit": commit()}
        write_report(options.json, report)
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
