"""CLIPSeg as the second stage (Lüddecke & Ecker, CVPR 2022), through transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor

from training.evaluation.two_stage.folders import on_model, open_folder
from training.evaluation.two_stage.parts import Offer


class ClipSeg:
    """Marks the pixels whose logit for the name says so."""

    name = "CLIPSeg"

    def __init__(self, *, model: Any, processor: Any, threshold: float = 0.5) -> None:
        """Wrap a model of transformers.

        Args:
            threshold: probability above which a pixel is marked, 0..1.

        Raises:
            ValueError: threshold out of range.
        """
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold must be in 0..1, got {threshold}")
        self._model = model.eval()
        self._processor = processor
        self._threshold = threshold

    @classmethod
    def open(
        cls, folder: str | Path | None, *, device: str, dtype: str, threshold: float = 0.5
    ) -> ClipSeg:
        """Open a local folder.

        Raises:
            WeightsMissingError: it is not there.
        """
        classes = CLIPSegForImageSegmentation, CLIPSegProcessor
        model, processor = open_folder(
            *classes, folder, "segmenter_folder", device=device, dtype=dtype
        )
        return cls(model=model, processor=processor, threshold=threshold)

    def offers(self, image: NDArray[np.uint8]) -> Sequence[Offer]:
        """It takes any name."""
        return ()

    @torch.inference_mode()
    def segment(self, image: NDArray[np.uint8], name: str) -> NDArray[np.bool_]:
        """See :class:`OpenVocabularySegmenter`."""
        inputs = self._processor(
            text=[name], images=[image], return_tensors="pt", padding=True, truncation=True
        )
        logits = self._model(**on_model(inputs, self._model)).logits.float()
        logits = logits.reshape(1, 1, *logits.shape[-2:])
        big = F.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=False)
        return (big[0, 0].sigmoid() > self._threshold).cpu().numpy()
