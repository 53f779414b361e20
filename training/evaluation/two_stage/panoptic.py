"""Mask2Former's panoptic classes as the second stage, through transformers; names are matched to
the class names in words (Cheng et al., CVPR 2022)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoImageProcessor, Mask2FormerForUniversalSegmentation

from lisa_model.errors import LisaError
from lisa_model.segmenter import frame_key
from training.evaluation.two_stage.folders import local_folder, open_folder
from training.evaluation.two_stage.parts import Offer


class PanopticClasses:
    """The classes that a panoptic model finds in an image, each with all its segments."""

    name = "Mask2Former"

    def __init__(self, *, model: Any, processor: Any, threshold: float = 0.5) -> None:
        """Wrap a model of transformers.

        Args:
            threshold: score above which a segment counts, 0..1.

        Raises:
            ValueError: threshold out of range.
        """
        if not 0.0 <= threshold < 1.0:
            raise ValueError(f"threshold must be in 0..1, got {threshold}")
        self._model = model.eval()
        self._processor = processor
        self._threshold = threshold
        self._last: tuple[bytes, dict[str, NDArray[np.bool_]]] | None = None

    @classmethod
    def open(
        cls, folder: str | Path | None, *, device: str, dtype: str, threshold: float = 0.5
    ) -> PanopticClasses:
        """Open a local folder.

        Raises:
            WeightsMissingError: it is not there.
            LisaError: scipy, which transformers takes for this model, is not installed.
        """
        local_folder(folder, "segmenter_folder")  # first what the user has to give
        if importlib.util.find_spec("scipy") is None:
            raise LisaError("Mask2Former needs scipy; get it with: pip install '.[mask2former]'")
        classes = Mask2FormerForUniversalSegmentation, AutoImageProcessor
        model, processor = open_folder(
            *classes, folder, "segmenter_folder", device=device, dtype=dtype
        )
        return cls(model=model, processor=processor, threshold=threshold)

    @torch.inference_mode()
    def _found(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
        key = frame_key(image)
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        inputs = self._processor(images=image, return_tensors="pt")
        pixels = inputs["pixel_values"].to(self._model.device, self._model.dtype)
        found = self._processor.post_process_panoptic_segmentation(
            self._model(pixel_values=pixels),
            threshold=self._threshold,
            target_sizes=[image.shape[:2]],
        )[0]
        segments = found["segmentation"].cpu().numpy()
        masks: dict[str, NDArray[np.bool_]] = {}
        for one in found["segments_info"]:
            title = self._model.config.id2label[one["label_id"]]
            mask = segments == one["id"]
            masks[title] = masks[title] | mask if title in masks else mask
        self._last = (key, masks)
        return masks

    def classes(self, image: NDArray[np.uint8]) -> Sequence[Offer]:
        """Found classes, largest first. "door, double door" and "door-other" have synonyms."""
        masks = self._found(image)
        return [
            Offer(title=title, names=(title, *synonyms(title)))
            for title in sorted(masks, key=lambda title: -int(masks[title].sum()))
        ]

    def mask(self, image: NDArray[np.uint8], title: str) -> NDArray[np.bool_]:
        """(H, W) bool of a found class."""
        return self._found(image)[title]


def synonyms(label: str) -> tuple[str, ...]:
    """Names in a class label as COCO, COCO-Stuff and ADE20K write them.

    "door, double door" -> door, double door; "door-stuff" and "wall-other-merged" -> door, wall.
    """
    parts = [part.strip() for part in label.replace(";", ",").split(",")]
    plain = []
    for part in parts:
        for ending in ("-merged", "-other", "-stuff"):
            part = part.removesuffix(ending)
        plain.append(part.replace("-", " ").replace("_", " "))
    return tuple(dict.fromkeys(name for name in plain if name and name != label))
