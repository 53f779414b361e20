"""The public face of the model: an image and an intent in, an answer and its masks out."""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lisa_model.errors import InvalidIntentError, WeightsMissingError
from lisa_model.look import Look
from lisa_model.progress import OnProgress
from lisa_model.zoom import CropWindow

MAX_INTENT_CHARACTERS = 2000
DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True)
class SegmentationResult:
    """What one intent gave.

    Attributes:
        text: the answer, with ``[SEG]`` where a mask belongs; that nothing matches, where each
            [SEG] of it marks nothing.
        token_ids: generated ids, the final end-of-turn included when it was reached.
        mask_logits: (n, H, W) float32, one row per [SEG].
        masks: (n, H, W) bool, ``mask_logits > 0``.
        scores: (n,) float32 in [0, 1], the IoU that the mask decoder expects of its mask.
        timings: seconds per stage.
        log_probability: of a given answer (natural logarithm, summed over its tokens); None when
            the answer was generated.
        queries: (n, dim) float32, the [SEG] prompts as the mask decoder takes them; they can be
            looked for in other images, see :meth:`ReasoningSegmenter.look`.
        withheld: (n, H, W) bool, of the masks that are empty because nothing seems to fit, what
            they would have been; (0, 0, 0) of a model that withholds none.
    """

    text: str
    token_ids: list[int]
    mask_logits: NDArray[np.float32]
    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    timings: dict[str, float] = field(default_factory=dict)
    log_probability: float | None = None
    queries: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    withheld: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0, 0), np.bool_))


class ReasoningSegmenter(ABC):
    """Reasoning segmentation: masks of what a sentence means.

    >>> segmenter = ReasoningSegmenter.from_pretrained("lisa-tiny")  # doctest: +SKIP
    >>> result = segmenter.segment(image, "change the TV channel")  # doctest: +SKIP
    """

    name: str
    dtype: torch.dtype

    @staticmethod
    def from_pretrained(
        model: str | Path = "lisa-tiny",
        *,
        vision_tower: str | Path | None = None,
        device: str | torch.device = "cpu",
        dtype: str | torch.dtype = "float32",
        conversation: str = "llava_v1",
        quantization: str | None = None,
        cache_dir: Path | None = None,
    ) -> ReasoningSegmenter:
        """Open a model by preset name or folder.

        Args:
            model: ``lisa-tiny``, a folder that :mod:`training` wrote, or a folder in the layout of
                the official LISA checkpoints (as downloaded, or made by ``lisa convert``).
            vision_tower: folder of the CLIP model of an official checkpoint; None to look for it
                beside the checkpoint.
            device: any torch device.
            dtype: float32, bfloat16 or (official checkpoints on a GPU) float16.
            conversation: prompt template of official checkpoints, ``llava_v1`` or
                ``llava_llama_2``. All released v1 models are run with ``llava_v1``.
            quantization: of an official checkpoint's LLM: ``int8``, ``int4`` or ``nf4``, see
                :mod:`lisa_model.llava.quantization`; None for none.
            cache_dir: where base weights of lisa-tiny are kept; the user's cache by default.

        Raises:
            ValueError: for an unknown model name, dtype or an unavailable device, or an option that
                this kind of model does not have.
            WeightsMissingError, WeightsCorruptError: naming file or tensor and the remedy.
        """
        # Here, because both kinds build on this module.
        from lisa_model.llava.config import is_official
        from lisa_model.llava.presets import OFFICIAL
        from lisa_model.llava.segmenter import LisaSegmenter
        from lisa_model.tiny_segmenter import TinySegmenter

        wanted = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
        if wanted is None or wanted not in DTYPES.values():
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        target = torch.device(device)
        if target.type == "cuda" and not torch.cuda.is_available():
            raise ValueError("device 'cuda' was asked for, but torch sees no CUDA device")
        folder = Path(model).expanduser()
        if str(model) in OFFICIAL and not folder.is_dir():
            raise WeightsMissingError(OFFICIAL[str(model)].how_to_get())
        if is_official(folder):
            return LisaSegmenter.open(
                folder,
                vision_tower=vision_tower,
                device=target,
                dtype=wanted,
                conversation=conversation,
                quantization=quantization,
            )
        if vision_tower is not None or quantization is not None:
            option = "vision_tower" if vision_tower is not None else "quantization"
            raise ValueError(f"{option} is for official LISA checkpoints; {model} is none")
        if wanted is torch.float16:
            raise ValueError("dtype float16 is for official LISA checkpoints; use bfloat16")
        return TinySegmenter.open(str(model), device=target, dtype=wanted, cache_dir=cache_dir)

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the model runs."""

    @abstractmethod
    def segment(
        self,
        image: NDArray[np.uint8],
        prompt: str,
        *,
        max_new_tokens: int | None = None,
        explain: bool = False,
        stop_at_seg: bool | None = None,
        templates: bool = True,
        on_progress: OnProgress | None = None,
    ) -> SegmentationResult:
        """Masks of what ``prompt`` means in ``image``.

        Args:
            image: (H, W, 3) uint8 RGB.
            prompt: what the person said; literal special tokens in it are plain text.
            max_new_tokens: longest answer; None for the model's own default.
            explain: have the model say why, or what it took the intent for.
            stop_at_seg: end the answer at its first [SEG], whose mask is final then; None for what
                the model is best at.
            templates: put the intent into a wording that the model was trained on. False sends the
                text as it stands.
            on_progress: told each stage and token; what it raises ends the answer at once.

        Raises:
            InvalidImageError, InvalidIntentError: naming what is wrong.
        """

    @abstractmethod
    def look(
        self,
        image: NDArray[np.uint8],
        queries: NDArray[np.float32],
        *,
        region: CropWindow | None = None,
        on_progress: OnProgress | None = None,
    ) -> Look:
        """Masks of an earlier answer's queries in a new image; the LLM is not asked.

        Args:
            image: (H, W, 3) uint8 RGB.
            queries: (n, dim) float32, of :attr:`SegmentationResult.queries`; n may be 0.
            region: where to look. None for the whole image.
            on_progress: told each stage, READING before each pass of the encoder; what it raises
                ends the look at once.

        Raises:
            InvalidImageError: naming what is wrong.
            ValueError: the queries are not this model's, or the region leaves the image.
        """


class Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, name: str) -> None:
        """Note the seconds since the last lap."""
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._at
        self._at = now


def checked_prompt(prompt: str, max_new_tokens: int | None) -> str:
    """Return a user's text when it can be asked.

    Raises:
        InvalidIntentError: it is empty, too long or no text.
        ValueError: no token is allowed for the answer.
    """
    if not isinstance(prompt, str):
        raise InvalidIntentError(f"intent must be text, got {type(prompt).__name__}")
    if not prompt.strip():
        raise InvalidIntentError("intent is empty; say what is wanted, such as 'tell the time'")
    if len(prompt) > MAX_INTENT_CHARACTERS:
        raise InvalidIntentError(
            f"intent has {len(prompt)} characters; at most {MAX_INTENT_CHARACTERS} are taken"
        )
    if max_new_tokens is not None and max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
    return prompt


def frame_key(image: NDArray[np.uint8]) -> bytes:
    """Fingerprint of an image's pixels and shape."""
    shape = bytes(str(image.shape), "ascii")
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest() + shape
