"""Stand-ins for the tests of the evaluation: answers that are known, and data sets on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dataset_files as files
import numpy as np

from lisa_model.cli import main
from training.evaluation.contender import Ask, Reply

IMAGES = 5


class Fixed:
    """Marks the same rectangle, whatever is asked; nothing where the question has a "no" in it."""

    name = "fixed"
    protocol = "rectangle"

    def __init__(self, box: tuple[int, int, int, int] = (4, 4, 20, 20)) -> None:
        self.box = box
        self.asked: list[list[Ask]] = []

    def answer(self, image: Any, asks: Any) -> list[Reply]:
        self.asked.append(list(asks))
        left, top, right, bottom = self.box
        replies = []
        for ask in asks:
            mask = np.zeros(image.shape[:2], bool)
            marked = "no" not in ask.text.split()
            if marked:
                mask[top:bottom, left:right] = True
            replies.append(
                Reply(mask=mask, text="It is [SEG]." if marked else "No.", marked=marked)
            )
        return replies


def reason_seg_split(base: Path, split: str = "test", images: int = IMAGES) -> Path:
    """A split of ReasonSeg with sentences and phrases; returns its folder."""
    for k in range(images):
        files.write_picture(base / split / f"image{k}.jpg", k)
        sentence = k % 2 == 0
        text = [f"what is number {k}?" if sentence else f"thing {k}", "another question"]
        shapes = [files.labelme("target", 2 + k, 3, 14 + 2 * k, 20)]
        values = {"text": text, "is_sentence": sentence, "shapes": shapes}
        files.write_json(base / split / f"image{k}.json", values)
    return base / split


def grefcoco_test(root: Path) -> None:
    """gRefCOCO with expressions that mean two things, one thing and nothing."""
    files.grefcoco(root)
    refs = [
        files.ref(9, "testA", [90, 91], "the two mugs", "both"),
        files.ref(9, "testA", [-1], "no mug"),
        files.ref(25, "testA", [-1], "the elephant"),
        files.ref(25, "testA", [250], "no plate"),
        files.ref(78, "testB", [780], "a dog"),
    ]
    files.write_json(root / "refer_seg" / "grefcoco" / "grefs(unc).json", refs)


def lisa_eval(*arguments: object) -> int:
    """``lisa eval`` in this process; the exit status."""
    return main(["eval", *map(str, arguments)])


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Records, without what differs from run to run."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        line.pop("seconds", None)
    return lines
