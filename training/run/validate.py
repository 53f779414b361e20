"""Teacher-forced scores on ReasonSeg during training, every image once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lisa_model.llava.tokenizer import IMAGE_TOKEN
from lisa_model.metrics import MaskScore, c_iou, g_iou, score_mask
from lisa_model.overlay import draw_masks
from training.data.collate import Collator
from training.data.sample import Provenance, Sample
from training.data.source import list_files
from training.evaluation.items import evenly, shares
from training.evaluation.lisa import official_turn
from training.evaluation.reason_seg import read_first_question
from training.run.module import to_device
from training.run.steps import Learner


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image with the mask that was found in it: (H, W, 3) uint8 RGB."""

    name: str
    image: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Scores of all images.

    Attributes:
        giou: mean IoU.
        ciou: summed intersection over summed union.
        images: how many there were.
        pictures: some of them.
    """

    giou: float
    ciou: float
    images: int
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """An image of ReasonSeg with its first question, as the official validation asks it.

    Attributes:
        sample: with the wanted answer; its mask is only there because the answer has a [SEG].
        truth: (H, W) uint8, 0 background, 1 target, 255 not scored.
    """

    sample: Sample
    truth: NDArray[np.uint8]


def chosen(folder: Path, limit: int) -> list[Path]:
    """The images of a split, or ``limit`` of them evenly spread.

    Raises:
        DataError: there is no such folder, or no image in it.
    """
    return evenly(list_files(folder, ".jpg"), limit)


def read_question(path: Path) -> Question:
    """Read an image of ReasonSeg with its annotation.

    Raises:
        FileNotFoundError, ValueError: naming the file.
    """
    item = read_first_question(path)
    question, answer = official_turn(item.asks[0])
    return Question(
        sample=Sample(
            image_file=path,
            image=item.image,
            conversations=(((f"{IMAGE_TOKEN}\n{question}", answer),),),
            masks=(item.truths[0] == 1).astype(np.uint8)[None],
            provenance=Provenance(family="reasoning", set="reason_seg", key=path.name),
        ),
        truth=item.truths[0],
    )


def validate(
    learner: Learner, collate: Collator, paths: Sequence[Path], *, pictures: int = 0
) -> Validation:
    """Score all images; every process gets the result.

    Args:
        paths: of the images, see :func:`chosen`.
        pictures: draw so many, evenly spread.
    """
    processes = learner.processes
    drawn = {k * len(paths) // pictures for k in range(min(pictures, len(paths)))}
    scores: list[tuple[int, MaskScore]] = []
    shown: list[tuple[int, Picture]] = []
    learner.module.eval()
    for number, counted in shares(len(paths), processes.count, processes.rank):
        question = read_question(paths[number])
        mask = predicted_mask(learner, collate, question.sample)
        if not counted:
            continue
        scores.append((number, score_mask(mask, question.truth)))
        if number in drawn:
            asked = question.sample.conversations[0][0][0].removeprefix(IMAGE_TOKEN).strip()
            image = draw_masks(question.sample.image, mask[None], caption=asked)
            shown.append((number, Picture(name=paths[number].stem, image=image)))
    learner.module.train()
    everyone = [score for _, score in sorted(processes.gather(scores), key=lambda one: one[0])]
    seen = [picture for _, picture in sorted(processes.gather(shown), key=lambda one: one[0])]
    return Validation(
        giou=g_iou(everyone), ciou=c_iou(everyone), images=len(everyone), pictures=tuple(seen)
    )


@torch.no_grad()
def predicted_mask(learner: Learner, collate: Collator, sample: Sample) -> NDArray[np.bool_]:
    """(H, W) mask of a sample's only [SEG], with the answer given."""
    batch = to_device(collate([sample]), learner.processes.device)
    *_, masks = learner.module(batch, learner.tower(batch.clip_pixels))
    return (masks[0][0] > 0).cpu().numpy()
