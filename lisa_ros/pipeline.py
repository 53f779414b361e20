"""The path of data for one intent: frame, model, masks, targets.  No topics and no threads here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from lisa_model.geometry import NoTarget3D, Target3D, estimate_target
from lisa_model.overlay import mask_box
from lisa_model.progress import OnProgress
from lisa_model.rigid import RigidTransform
from lisa_model.target_shape import TargetShape, describe_shape, move_target
from lisa_ros.frame import Frame
from lisa_ros.model_loader import SegmentationResultLike, Segmenter
from lisa_ros.parameters import Settings
from lisa_ros.transforms import (
    REASON_NO_TRANSFORM,
    TRANSFORM_REASONS,
    TransformError,
    TransformLookup,
)


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
        position: where it is, in the answer's target frame; None when it is no target.
        shape: oriented box and normal, in the same frame; None without a position.
        distance_m: from the camera to the position [m]; None without a position.
    """

    id: int
    mask: NDArray[np.bool_]
    score: float
    area_px: int
    box_xywh: tuple[int, int, int, int]
    is_target: bool
    position: Target3D | NoTarget3D | None = None
    shape: TargetShape | None = None
    distance_m: float | None = None


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
        target_frame: frame of the targets' positions; "" for that of ``header``.
    """

    intent: str
    text: str
    model: str
    header: Header
    rgb: NDArray[np.uint8]
    instances: tuple[Instance, ...]
    timings: dict[str, float] = field(default_factory=dict)
    received: float = 0.0
    target_frame: str = ""

    @property
    def target_header(self) -> Header:
        """The stamp of the colour image, and the frame of the targets' positions."""
        if not self.target_frame:
            return self.header
        return Header(stamp=self.header.stamp, frame_id=self.target_frame)

    @property
    def best_target(self) -> Instance | None:
        """The best target that has a position."""
        return self.targets[self.best] if self.best >= 0 else None

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


def locate(
    instances: tuple[Instance, ...], frame: Frame, settings: Settings
) -> tuple[Instance, ...]:
    """Fill in the targets' positions and shapes, in the frame of the camera.

    Raises:
        InputError: depth or camera_info is malformed.
    """
    if not any(one.is_target for one in instances):
        return instances
    if not frame.complete:
        nowhere = NoTarget3D(frame.missing, frame.missing_text)
        return tuple(replace(one, position=nowhere) if one.is_target else one for one in instances)
    depth = frame.depth_m()
    intrinsics = frame.intrinsics()

    def located(one: Instance) -> Instance:
        position = estimate_target(one.mask, depth, intrinsics, settings.target)
        if isinstance(position, NoTarget3D):
            return replace(one, position=position)
        return replace(
            one,
            position=position,
            shape=describe_shape(position),
            distance_m=float(np.linalg.norm(position.point)),
        )

    return tuple(located(one) if one.is_target else one for one in instances)


def into_frame(
    instances: tuple[Instance, ...],
    header: Header,
    settings: Settings,
    transforms: TransformLookup | None,
) -> tuple[tuple[Instance, ...], str]:
    """Bring positions and shapes from the camera's frame into the parameter ``target_frame``.

    Without a transform nothing is left in 3D, since a consumer that relies on the frame must not
    get numbers of another; the reason says why.

    Args:
        instances: located in the camera's frame.
        header: of the colour image.
        settings: ``target_frame`` and ``tf_timeout_s``.
        transforms: where the transform comes from.

    Returns:
        The instances, and the frame that they are in now: "" when nothing was brought anywhere.
    """
    frame = settings.target_frame
    if not frame or not any(isinstance(one.position, Target3D) for one in instances):
        return instances, ""
    try:
        if transforms is None:
            raise TransformError(
                code=REASON_NO_TRANSFORM,
                message=f"target_frame is {frame!r}, but nothing looks up transforms here",
            )
        transform = transforms.lookup(frame, header.frame_id, header.stamp, settings.tf_timeout_s)
    except TransformError as error:
        return tuple(_without_3d(one, error) for one in instances), ""
    return tuple(_moved(one, transform) for one in instances), frame


def transform_failure(answer: Answer) -> NoTarget3D | None:
    """Return why an answer's targets could not be brought into ``target_frame``, if that is so."""
    for one in answer.targets:
        position = one.position
        if isinstance(position, NoTarget3D) and position.reason in TRANSFORM_REASONS:
            return position
    return None


def _moved(one: Instance, transform: RigidTransform) -> Instance:
    if not isinstance(one.position, Target3D):
        return one
    shape = one.shape.moved(transform) if one.shape else None
    return replace(one, position=move_target(one.position, transform), shape=shape)


def _without_3d(one: Instance, error: TransformError) -> Instance:
    position = one.position
    if not isinstance(position, Target3D):
        return one
    nowhere = NoTarget3D(
        error.code,
        str(error),
        position.valid_depth_fraction,
        position.mask_area_px,
        position.eroded_area_px,
    )
    return replace(one, position=nowhere, shape=None, distance_m=None)
