"""Stand-in frames and answers for the tests of the limits."""

from __future__ import annotations

import json

import cv2
import numpy as np

from lisa_model.metrics import score_mask
from lisa_model.rgbd import load_frame
from training.homereason.limits.finding import find
from training.homereason.question import Question, answer_for
from training.homereason.scoring import Outcome

# id: category, left edge; each 40 x 40 px of a 320 x 240 picture, which is 6400 px of 640 x 480.
THINGS = {1: ("mug", 20), 2: ("radio", 120), 3: ("mug", 220)}
SIDE, TOP = 40, 100
AREA = 4.0 * SIDE * SIDE


def write_frame(folder, name="f0", things=THINGS):
    """Write a frame without depth; returns its JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.zeros((240, 320), np.uint8)
    instances = []
    for number, (category, x) in things.items():
        ids[TOP : TOP + SIDE, x : x + SIDE] = number
        instances.append({
            "id": number, "category": category, "title": category, "creator": "Ann",
            "licence": "CC0 1.0", "box_xyxy": [x, TOP, x + SIDE, TOP + SIDE], "area": SIDE * SIDE,
            "point_m": [0.0, 0.0, 1.0],
        })  # fmt: skip
    color = np.full((240, 320, 3), 90, np.uint8)
    camera = {"fx": 300.0, "fy": 300.0, "cx": 159.5, "cy": 119.5}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"camera": camera, "instances": instances}))
    cv2.imwrite(str(path.with_suffix(".jpg")), color)
    cv2.imwrite(str(path.with_suffix(".ids.png")), ids)
    return path


def question(targets, categories, *, text="the thing", kind="explicit", subset="a", frame="f0"):
    """A question; no targets make it one that nothing fits."""
    return Question(
        frame=frame,
        kind=kind if targets else "nothing_fits",
        text=text,
        targets=tuple((number,) for number in targets),
        categories=tuple(categories),
        answer=answer_for(targets) if targets else "There is none.",
        proof=(),
        subset=subset if targets else "f",
    )


def answered(path, asked, mask):
    """The finding of one answer whose mask is (H, W) bool; one without a pixel is no mask."""
    frame = load_frame(path, depth=False)
    outcome = Outcome(
        frame=asked.frame,
        subset=asked.subset,
        kind=asked.kind,
        text=asked.text,
        score=score_mask(mask, frame.mask(asked.ids)),
        refused=not mask.any(),
        fits=bool(asked.targets),
        confidence=0.9,
    )
    masks = mask[None] if mask.any() else mask[None][:0]
    return find(path, frame, asked, masks, outcome)


def box(left, top, right, bottom):
    """A mask of 320 x 240."""
    mask = np.zeros((240, 320), bool)
    mask[top:bottom, left:right] = True
    return mask


def on(number, share=1.0):
    """The mask of a thing, or the left part of it."""
    x = THINGS[number][1]
    return box(x, TOP, x + round(SIDE * share), TOP + SIDE)
