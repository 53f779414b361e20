"""What a run tells: a bar with the remaining time, lines of JSON, TensorBoard, pictures."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm  # type: ignore[import-untyped]

from lisa_model.checkpoint.manifest import write_text_atomically
from training.run.validate import Validation

METRICS = "metrics.jsonl"
BOARD = "tensorboard"
PICTURES = "pictures"


class Log:
    """The log of a run; only the first process has one that does anything.

    ``metrics.jsonl`` always gets every line. TensorBoard gets the same numbers if it is installed.

    Args:
        run: folder of the run.
        start: steps done already; what earlier lines tell about later steps is removed, those
            steps are done again.
        total: steps of the run.
        active: False writes nothing at all.
        shown: False keeps stderr silent.
    """

    def __init__(
        self, run: Path, *, start: int, total: int, active: bool, shown: bool = True
    ) -> None:
        self._run = run
        self._active = active
        self._shown = active and shown
        self._board: Any = None
        # A log file gets a line every few seconds, a terminal a smooth bar.
        interval = 0.1 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(
            total=total,
            initial=start,
            desc="train",
            unit="step",
            disable=not self._shown,
            file=sys.stderr,
            mininterval=interval,
        )
        if not active:
            return
        run.mkdir(parents=True, exist_ok=True)
        cut_after(run / METRICS, start)
        if importlib.util.find_spec("tensorboard") is None:
            self.say(
                f"TensorBoard is not installed (pip install tensorboard); {run / METRICS} and "
                f"{run / PICTURES} have the same numbers and pictures"
            )
        else:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(run / BOARD), purge_step=start + 1)

    def say(self, text: str) -> None:
        """Lines on stderr, above the bar."""
        if self._shown:
            tqdm.write(text, file=sys.stderr)

    def advance(self, step: int, loss: float) -> None:
        """Move the bar to a step.

        Args:
            step: steps done.
            loss: the last step's.
        """
        self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self._bar.update(step - self._bar.n)

    def numbers(self, step: int, kind: str, values: dict[str, float]) -> None:
        """Write a line of numbers.

        Args:
            step: steps done.
            kind: train or val.
            values: by name.
        """
        if not self._active:
            return
        with (self._run / METRICS).open("a", encoding="utf-8") as writer:
            writer.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def validation(self, step: int, result: Validation) -> None:
        """Write the scores and pictures of a validation."""
        if not self._active:
            return
        self.numbers(step, "val", {"giou": result.giou, "ciou": result.ciou})
        self.say(
            f"step {step}: gIoU {result.giou:.4f}, cIoU {result.ciou:.4f} "
            f"over {result.images} images"
        )
        folder = self._run / PICTURES / f"step-{step:08d}"
        for picture in result.pictures:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{picture.name}.jpg"
            if not cv2.imwrite(str(path), picture.image[..., ::-1]):
                raise OSError(f"could not write {path}")
            if self._board is not None:
                self._board.add_image(f"val/{picture.name}", picture.image, step, dataformats="HWC")

    def close(self) -> None:
        """Finish the bar and the files."""
        self._bar.close()
        if self._board is not None:
            self._board.close()


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of ``metrics.jsonl``; one that a killed run left half-written is left out."""
    path = run / METRICS
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text("utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def cut_after(path: Path, step: int) -> None:
    """Remove the lines about steps after ``step``."""
    if path.is_file():
        kept = [line for line in read_metrics(path.parent) if line["step"] <= step]
        write_text_atomically(path, "".join(json.dumps(line) + "\n" for line in kept))
