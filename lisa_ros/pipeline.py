"""The path of data for one intent: frame, model, masks, targets.  No topics and no threads here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from lisa_model.geometry import NoTarget3D, Target3D, estimate_target
from lisa_model.overlay import mask_box
from lisa_ros.conversion import depth_to_metres, image_to_rgb
from lisa_ros.model_loader import SegmentationResultLike, Segmenter
from lisa_ros.parameters import Settings
from lisa_ros.sync import Frame
from lisa_ros.validation import validate_camera_info


@dataclass(frozen=True)
class Instance:
    """One object that the model segmented.

    Attributes:
        id: 1, 2, ... in the model's order.
        mask: (H, W) bool.
        score: 0..1.
        area_px: mask pixels.
        box_xywh: left, top, width, height [pixels]; all 0 for an empty mask.
        is_target: the score reaches the threshold and the mask is not empty.
        position: where it is; None when it is no target.
    """

    id: int
    mask: NDArray[np.bool_]
    score: float
    area_px: int
    box_xywh: tuple[int, int, int, int]
    is_target: bool
    position: Target3D | NoTarget3D | None = None


@dataclass(frozen=True)
class Answer:
    """The whole result of one intent.

    Attributes:
        intent, text: asked and answered.
        model: the model's name.
        header: stamp and frame_id of the colour image.
        rgb: (H, W, 3) uint8, the colour image.
        instances: in the model's order.
        timings: seconds per stage.
        received: when the colour image arrived [monotonic s].
    """

    intent: str
    text: str
    model: str
    header: Header
    rgb: NDArray[np.uint8]
    instances: tuple[Instance, ...]
    timings: dict[str, float] = field(default_factory=dict)
    received: float = 0.0

    @property
    def targets(self) -> tuple[Instance, ...]:
        """The instances that are targets, by falling score."""
        found = (one for one in self.instances if one.is_target)
        return tuple(sorted(found, key=lambda one: -one.score))

    @property
    def best(self) -> int:
        """Index into ``targets`` of the best one that has a position, -1 when none has."""
        for index, target in enumerate(self.targets):
            if isinstance(target.position, Target3D):
                return index
        return -1

    def target_mask(self) -> NDArray[np.bool_]:
        """Return the (H, W) bool mask of all targets joined."""
        joined = np.zeros(self.rgb.shape[:2], dtype=np.bool_)
        for target in self.targets:
            joined |= target.mask
        return joined


def answer_intent(segmenter: Segmenter, frame: Frame, intent: str, settings: Settings) -> Answer:
    """Run the model on a frame and estimate where its targets are.

    Raises:
        InputError: a message of the frame is malformed.
        ValueError: the model returned masks or scores of the wrong shape or type.
        Exception: whatever the model raises.
    """
    start = time.perf_counter()
    rgb = image_to_rgb(frame.colour)
    converted = time.perf_counter()
    result = segmenter.segment(rgb, intent, max_new_tokens=settings.max_answer_tokens)
    segmented = time.perf_counter()
    check_result(result, rgb.shape[:2])
    instances = _instances(result, settings)
    instances = _locate(instances, frame, settings)
    end = time.perf_counter()
    timings = {f"model.{stage}": seconds for stage, seconds in result.timings.items()}
    timings |= {
        "convert": converted - start,
        "segment": segmented - converted,
        "locate": end - segmented,
    }
    return Answer(
        intent=intent,
        text=result.text,
        model=segmenter.name,
        header=frame.colour.header,
        rgb=rgb,
        instances=instances,
        timings=timings,
        received=frame.received,
    )


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


def _locate(
    instances: tuple[Instance, ...], frame: Frame, settings: Settings
) -> tuple[Instance, ...]:
    """Fill in the targets' positions."""
    if not any(one.is_target for one in instances):
        return instances
    if frame.depth is None or frame.info is None:
        nowhere = NoTarget3D(frame.missing, frame.missing_text)
        return tuple(replace(one, position=nowhere) if one.is_target else one for one in instances)
    depth = depth_to_metres(frame.depth)
    intrinsics = validate_camera_info(frame.info)
    return tuple(
        replace(one, position=estimate_target(one.mask, depth, intrinsics, settings.target))
        if one.is_target
        else one
        for one in instances
    )
