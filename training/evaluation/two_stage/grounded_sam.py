"""Grounding DINO and SAM as the second stage, through transformers: boxes of the name, then masks.

Liu et al., "Grounding DINO", ECCV 2024; Kirillov et al., "Segment Anything", ICCV 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    GroundingDinoForObjectDetection,
    GroundingDinoProcessor,
    SamModel,
    SamProcessor,
)

from training.evaluation.two_stage.folders import local_folder, on_model, open_folder
from training.evaluation.two_stage.parts import Offer


class GroundedSam:
    """All boxes that the detector finds for the name, and SAM's mask of each, joined."""

    name = "Grounding DINO + SAM"

    def __init__(
        self,
        *,
        detector: Any,
        detector_processor: Any,
        sam: Any,
        sam_processor: Any,
        threshold: float = 0.3,
        text_threshold: float = 0.25,
    ) -> None:
        """Wrap models of transformers.

        Args:
            threshold: score above which a box counts, 0..1.
            text_threshold: score above which a word counts as found, 0..1; only labels depend
                on it.

        Raises:
            ValueError: a threshold out of range.
        """
        for option, value in (("threshold", threshold), ("text_threshold", text_threshold)):
            if not 0.0 <= value < 1.0:
                raise ValueError(f"{option} must be in 0..1, got {value}")
        self._detector = detector.eval()
        self._detector_processor = detector_processor
        self._sam = sam.eval()
        self._sam_processor = sam_processor
        self._threshold = threshold
        self._text_threshold = text_threshold

    @classmethod
    def open(
        cls,
        folder: str | Path | None,
        *,
        sam_folder: str | Path | None,
        device: str,
        dtype: str,
        threshold: float = 0.3,
        text_threshold: float = 0.25,
    ) -> GroundedSam:
        """Open two local folders.

        Raises:
            WeightsMissingError: one is not there.
        """
        for given, option in ((folder, "segmenter_folder"), (sam_folder, "sam_folder")):
            local_folder(given, option)  # both, before the first one is read
        on: Any = {"device": device, "dtype": dtype}
        detector, detector_processor = open_folder(
            GroundingDinoForObjectDetection,
            GroundingDinoProcessor,
            folder,
            "segmenter_folder",
            **on,
        )
        sam, sam_processor = open_folder(SamModel, SamProcessor, sam_folder, "sam_folder", **on)
        return cls(
            detector=detector,
            detector_processor=detector_processor,
            sam=sam,
            sam_processor=sam_processor,
            threshold=threshold,
            text_threshold=text_threshold,
        )

    def offers(self, image: NDArray[np.uint8]) -> Sequence[Offer]:
        """It takes any name."""
        return ()

    @torch.inference_mode()
    def boxes(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        """Boxes (n, 4) of the name: x0, y0, x1, y1 in pixels."""
        # Names are lower case and end with a full stop: the detector's own format.
        text = name.lower().replace(".", " ").strip() + "."
        inputs = on_model(
            self._detector_processor(images=image, text=text, return_tensors="pt"), self._detector
        )
        found = self._detector_processor.post_process_grounded_object_detection(
            self._detector(**inputs),
            inputs["input_ids"],
            threshold=self._threshold,
            text_threshold=self._text_threshold,
            target_sizes=[image.shape[:2]],
        )[0]
        return found["boxes"].float().cpu().numpy()

    @torch.inference_mode()
    def segment(self, image: NDArray[np.uint8], name: str) -> NDArray[np.bool_]:
        """See :class:`OpenVocabularySegmenter`."""
        boxes = self.boxes(image, name)
        if not len(boxes):
            return np.zeros(image.shape[:2], dtype=bool)
        inputs = self._sam_processor(
            images=image, input_boxes=[boxes.tolist()], return_tensors="pt"
        )
        sizes, shrunk = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
        out = self._sam(**on_model(inputs, self._sam), multimask_output=False)
        masks = self._sam_processor.image_processor.post_process_masks(
            out.pred_masks.float().cpu(), sizes, shrunk
        )[0]
        return masks.flatten(0, 1).any(0).numpy()
