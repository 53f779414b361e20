"""The path of data for one intent.  No topics and no threads here.

    intent, colour image -> ask_model    the model's processor, its LLM, a mask for each [SEG]
    masks, depth         -> locate       position and shape of each target (locating)
    positions, transform -> into_frame   the same in the parameter target_frame (locating)
                         =  Answer       what results.py turns into messages

``answering`` runs this on the inference thread; ``follow_session`` goes the same way with masks
that were followed instead of asked for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lisa_model.overlay import mask_box
from lisa_model.progress import OnProgress
from lisa_ros.answer import Answer, Instance
from lisa_ros.frame import Frame
from lisa_ros.locating import into_frame, locate
from lisa_ros.model_loader import SegmentationResultLike, Segmenter
from lisa_ros.parameters import Settings
from lisa_ros.transforms import TransformLookup


@dataclass(frozen=True)
class Asked:
    """What the model said about a frame.

    Attributes:
        intent: asked.
        rgb: (H, W, 3) uint8, what it saw.
        result: masks and scores, checked.
        timings: seconds per stage.
    """

    intent: str
    rgb: NDArray[np.uint8]
    result: SegmentationResultLike
    timings: dict[str, float]


def ask_model(
    segmenter: Segmenter,
    frame: Frame,
    intent: str,
    settings: Settings,
    on_progress: OnProgress | None = None,
) -> Asked:
    """Run the model on a frame.

    Args:
        segmenter: the model.
        frame: what it sees.
        intent: what is asked.
        settings: the node's parameters.
        on_progress: told each stage and token; what it raises ends the inference.

    Raises:
        InputError: the frame's colour image is malformed.
        ValueError: the model returned masks or scores of the wrong shape or type.
        Exception: whatever the model or ``on_progress`` raises.
    """
    start = time.perf_counter()
    rgb = frame.rgb()
    converted = time.perf_counter()
    result = segmenter.segment(
        rgb, intent, max_new_tokens=settings.max_answer_tokens, on_progress=on_progress
    )
    segmented = time.perf_counter()
    check_result(result, rgb.shape[:2])
    timings = {f"model.{stage}": seconds for stage, seconds in result.timings.items()}
    timings |= {"convert": converted - start, "segment": segmented - converted}
    return Asked(intent=intent, rgb=rgb, result=result, timings=timings)


def make_answer(
    asked: Asked,
    frame: Frame,
    model: str,
    settings: Settings,
    transforms: TransformLookup | None = None,
) -> Answer:
    """Estimate where the targets of a result are.

    Args:
        asked: what the model said about ``frame``.
        frame: with depth and intrinsics, when there are any.
        model: the model's name.
        settings: the node's parameters.
        transforms: for the parameter ``target_frame``; without it, targets that are wanted in
            another frame have no 3D.

    Raises:
        InputError: depth or camera_info is malformed.
    """
    start = time.perf_counter()
    instances = locate(_instances(asked.result, settings), frame, settings)
    located = time.perf_counter()
    instances, target_frame = into_frame(instances, frame.colour.header, settings, transforms)
    timings = asked.timings | {"locate": located - start}
    if target_frame:
        timings["transform"] = time.perf_counter() - located
    return Answer(
        intent=asked.intent,
        text=asked.result.text,
        model=model,
        header=frame.colour.header,
        rgb=asked.rgb,
        instances=instances,
        timings=timings,
        received=frame.received,
        target_frame=target_frame,
    )


def answer_intent(
    segmenter: Segmenter,
    frame: Frame,
    intent: str,
    settings: Settings,
    transforms: TransformLookup | None = None,
) -> Answer:
    """Run the model on a frame and estimate where its targets are.

    See ``ask_model`` and ``make_answer`` for arguments and errors.
    """
    asked = ask_model(segmenter, frame, intent, settings)
    return make_answer(asked, frame, segmenter.name, settings, transforms)


def check_result(result: SegmentationResultLike, size: tuple[int, ...]) -> None:
    """Check the model's masks and scores against the image's (height, width).

    Raises:
        ValueError: naming what is wrong.
    """
    masks, scores = result.masks, result.scores
    if masks.ndim != 3 or masks.shape[1:] != size or masks.dtype != np.bool_:
        raise ValueError(
            f"the model returned masks {masks.dtype} {masks.shape}, not bool (n, {size[0]}, "
            f"{size[1]})"
        )
    if scores.shape != (len(masks),) or not np.isfinite(scores).all():
        raise ValueError(f"the model returned scores {scores} for {len(masks)} masks")


def _instances(result: SegmentationResultLike, settings: Settings) -> tuple[Instance, ...]:
    instances = []
    for number, (mask, score) in enumerate(zip(result.masks, result.scores, strict=True), start=1):
        area = int(mask.sum())
        instances.append(
            Instance(
                id=number,
                mask=mask,
                score=float(score),
                area_px=area,
                box_xywh=mask_box(mask),
                is_target=area > 0 and float(score) >= settings.score_threshold,
            )
        )
    return tuple(instances)
