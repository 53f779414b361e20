"""The public face of the model: an image and an intent in, an answer and its masks out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from lisa_model.config import preset
from lisa_model.errors import InvalidIntentError
from lisa_model.mask_head import ImageFeatures
from lisa_model.model import LisaModel
from lisa_model.vision import check_image, encoder_input, patch_grid, stem_input
from lisa_model.zoom import CropWindow, zoom_window

WEIGHTS = Path(__file__).parent / "weights"
MAX_INTENT_CHARACTERS = 2000
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# Logit of a pixel outside a zoomed window that the first pass took for the target: just "no".
OUTSIDE = -1.0
# Expected IoU above which no further place is looked at.
CONFIDENT = 0.8


@dataclass(frozen=True)
class SegmentationResult:
    """What one intent gave.

    Attributes:
        text: the answer, with ``[SEG]`` where a mask belongs.
        token_ids: generated ids, the final end-of-turn included when it was reached.
        mask_logits: (n, H, W) float32, one row per [SEG].
        masks: (n, H, W) bool, ``mask_logits > 0``.
        scores: (n,) float32 in [0, 1], the IoU that the mask decoder expects of its mask.
        timings: seconds per stage.
    """

    text: str
    token_ids: list[int]
    mask_logits: NDArray[np.float32]
    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EncodedImage:
    """An image as the model needs it; any number of intents can be asked of it.

    Attributes:
        image: the RGB pixels (the zoomed pass looks at them again).
        features: mask-head features of the whole image.
        prefix: LLM keys and values of everything up to and with the image.
    """

    image: NDArray[np.uint8]
    features: ImageFeatures
    prefix: Cache


class ReasoningSegmenter:
    """Reasoning segmentation: masks of what a sentence means.

    >>> segmenter = ReasoningSegmenter.from_pretrained("lisa-tiny")  # doctest: +SKIP
    >>> result = segmenter.segment(image, "change the TV channel")  # doctest: +SKIP
    """

    def __init__(self, *, model: LisaModel, name: str, dtype: torch.dtype = torch.float32) -> None:
        """Wrap a model whose weights are loaded; users call :meth:`from_pretrained`."""
        self.model = model.eval()
        self.name = name
        self.dtype = dtype
        self._last: tuple[bytes, EncodedImage] | None = None

    @classmethod
    def from_pretrained(
        cls,
        model: str = "lisa-tiny",
        *,
        device: str | torch.device = "cpu",
        dtype: str | torch.dtype = "float32",
        cache_dir: Path | None = None,
    ) -> ReasoningSegmenter:
        """Open a model by preset name, or a folder that :mod:`training` wrote.

        Args:
            model: ``lisa-tiny`` or a folder with config.json and model.safetensors.
            device: any torch device.
            dtype: float32 or bfloat16 (autocast; weights that need precision keep it).
            cache_dir: where base weights are kept; the user's cache by default.

        Raises:
            ValueError: for an unknown model name, dtype or an unavailable device.
            WeightsMissingError, WeightsCorruptError: naming file or tensor and the remedy.
        """
        wanted = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
        if wanted is None or wanted not in DTYPES.values():
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        target = torch.device(device)
        if target.type == "cuda" and not torch.cuda.is_available():
            raise ValueError("device 'cuda' was asked for, but torch sees no CUDA device")
        folder = Path(model)
        if not folder.is_dir():
            folder = WEIGHTS / preset(model).name
        lisa = LisaModel.from_trained(folder, cache_dir=cache_dir)
        lisa.language.merge_lora()
        return cls(model=lisa.to(target), name=lisa.config.name, dtype=wanted)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.model.language.added_embedding.device

    @contextmanager
    def _autocast(self) -> Iterator[None]:
        enabled = self.dtype is not torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=enabled),
        ):
            yield

    def encode(self, image: NDArray[np.uint8]) -> EncodedImage:
        """Everything about an image that no intent changes.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            InvalidImageError: naming what is wrong.
        """
        check_image(image)
        model, config = self.model, self.model.config
        grid = patch_grid(image.shape[0], image.shape[1], config.patches)
        with self._autocast():
            vision = self._vision(image, grid)
            features = self._features(vision, image, grid)
            prefix = self._prefix(model.projector(vision))
        return EncodedImage(image=image.copy(), features=features, prefix=prefix)

    def _vision(self, image: NDArray[np.uint8], grid: tuple[int, int]) -> Tensor:
        pixels = encoder_input(image, grid, self.model.config.patch_size)
        return self.model.tower(pixels.unsqueeze(0).to(self.device))

    def _features(
        self, vision: Tensor, image: NDArray[np.uint8], grid: tuple[int, int]
    ) -> ImageFeatures:
        rgb = stem_input(image, grid).unsqueeze(0).to(self.device)
        return self.model.mask_head.encode(vision.float(), rgb)

    def _prefix(self, visual: Tensor) -> Cache:
        language = self.model.language
        vocabulary = language.vocabulary

        def embed(ids: list[int]) -> Tensor:
            return language.embed(torch.tensor([ids], device=self.device))

        before, after = embed(vocabulary.before_image()), embed(vocabulary.after_image())
        cache = DynamicCache()
        language.states(torch.cat([before, visual.to(before.dtype), after], dim=1), cache=cache)
        return cache

    def segment(
        self,
        image: NDArray[np.uint8],
        prompt: str,
        *,
        max_new_tokens: int = 16,
        explain: bool = False,
    ) -> SegmentationResult:
        """Masks of what ``prompt`` means in ``image``.

        The encoded image is kept, so a second intent on the same pixels costs only its own words.

        Args:
            image: (H, W, 3) uint8 RGB.
            prompt: what the person said; literal special tokens in it are plain text.
            max_new_tokens: longest answer.
            explain: go on after the first [SEG] until the answer ends: the model then says what it
                took the intent for. The mask is final at [SEG] already, so the default stops there.

        Raises:
            InvalidImageError, InvalidIntentError: naming what is wrong.
        """
        prompt = self._checked(prompt, max_new_tokens)
        check_image(image)
        clock = _Clock()
        key = hashlib.blake2b(image.tobytes(), digest_size=16).digest() + bytes(
            str(image.shape), "ascii"
        )
        if self._last is None or self._last[0] != key:
            self._last = (key, self.encode(image))
        encoded = self._last[1]
        clock.lap("encode_image_s")
        return self._answer(encoded, prompt, max_new_tokens, explain, clock)

    def segment_encoded(
        self,
        encoded: EncodedImage,
        prompt: str,
        *,
        max_new_tokens: int = 16,
        explain: bool = False,
    ) -> SegmentationResult:
        """Like :meth:`segment` for an image that :meth:`encode` has seen."""
        prompt = self._checked(prompt, max_new_tokens)
        return self._answer(encoded, prompt, max_new_tokens, explain, _Clock())

    @staticmethod
    def _checked(prompt: str, max_new_tokens: int) -> str:
        if not isinstance(prompt, str):
            raise InvalidIntentError(f"intent must be text, got {type(prompt).__name__}")
        prompt = " ".join(prompt.split())
        if not prompt:
            raise InvalidIntentError("intent is empty; say what is wanted, such as 'tell the time'")
        if len(prompt) > MAX_INTENT_CHARACTERS:
            raise InvalidIntentError(
                f"intent has {len(prompt)} characters; at most {MAX_INTENT_CHARACTERS} are taken"
            )
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        return prompt

    def _answer(
        self,
        encoded: EncodedImage,
        prompt: str,
        max_new_tokens: int,
        explain: bool,
        clock: _Clock,
    ) -> SegmentationResult:
        language = self.model.language
        with self._autocast():
            question = language.vocabulary.question(prompt)
            ids, rows = language.generate(
                encoded.prefix,
                question,
                max_new_tokens=max_new_tokens,
                stop_at_seg=not explain,
            )
            clock.lap("language_s")
            presence = None
            if language.codebook is not None:
                presence = self.model.mask_head.log_presence(encoded.features, language.codebook)
            prompts = language.prompts(rows, presence) if len(rows) else rows
            logits, scores = self.masks(encoded, prompts)
        clock.lap("masks_s")
        return SegmentationResult(
            text=language.vocabulary.decode(ids),
            token_ids=ids,
            mask_logits=logits,
            masks=logits > 0,
            scores=scores,
            timings=clock.laps,
        )

    def masks(
        self, encoded: EncodedImage, prompts: Tensor, *, zoom: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decode [SEG] prompts (n, out_dim) on an encoded image.

        Returns:
            mask logits (n, H, W) and scores (n,).
        """
        height, width = encoded.image.shape[:2]
        logits = np.empty((len(prompts), height, width), dtype=np.float32)
        scores = np.empty(len(prompts), dtype=np.float32)
        with self._autocast():
            for row, prompt in enumerate(prompts):
                logits[row], scores[row] = self._one_mask(encoded, prompt.unsqueeze(0), zoom)
        return logits, np.clip(scores, 0.0, 1.0)

    def _one_mask(
        self, encoded: EncodedImage, prompt: Tensor, zoom: bool
    ) -> tuple[NDArray[np.float32], float]:
        head, config = self.model.mask_head, self.model.config
        height, width = encoded.image.shape[:2]
        small, iou, similarity = head(encoded.features, prompt)
        whole = upsample(small, height, width)
        score = float(iou[0])
        if not zoom or not config.zoom_candidates:
            return whole, score
        # Small things: look again at a few places, closer, and keep the mask that the decoder
        # expects most of. A confident mask ends the search.
        best = (whole, score)
        peaks = upsample(similarity, height, width)
        windows: list[CropWindow] = []
        for _ in range(config.zoom_candidates):
            window = next_window(whole, peaks, windows)
            if window is None or (windows and best[1] >= CONFIDENT):
                break
            windows.append(window)
            closer, expected = self._zoomed(encoded.image, window, prompt)
            if expected > best[1]:
                final = np.minimum(whole, OUTSIDE)
                final[window.y0 : window.y1, window.x0 : window.x1] = closer
                best = (final, expected)
        return best

    def _zoomed(
        self, image: NDArray[np.uint8], window: CropWindow, prompt: Tensor
    ) -> tuple[NDArray[np.float32], float]:
        """Mask logits inside a window and the IoU expected of them; the same [SEG] prompt."""
        crop = window.cut(image)
        grid = patch_grid(window.height, window.width, self.model.config.zoom_patches)
        features = self._features(self._vision(crop, grid), crop, grid)
        small, iou, _ = self.model.mask_head(features, prompt)
        return upsample(small, window.height, window.width), float(iou[0])


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._at
        self._at = now


def upsample(logits: Tensor, height: int, width: int) -> NDArray[np.float32]:
    """(1, h, w) -> (height, width) float32, bilinear, pixel centres aligned as in SAM."""
    big = F.interpolate(
        logits.float().unsqueeze(1), (height, width), mode="bilinear", align_corners=False
    )
    return np.ascontiguousarray(big[0, 0].cpu().numpy())


def next_window(
    mask_logits: NDArray[np.float32],
    similarity: NDArray[np.float32],
    seen: list[CropWindow],
    largest: float = 0.75,
) -> CropWindow | None:
    """Where to look closer next, or None when a closer look gains nothing.

    First at the heaviest part of the first guess, then at the highest patch similarity that no
    window has covered.

    Args:
        mask_logits: (H, W) first guess.
        similarity: (H, W) patch similarity to the [SEG] prompt.
        seen: windows looked at already.
        largest: window side over frame side above which zooming gains nothing.
    """
    height, width = mask_logits.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask_logits > 0).astype(np.uint8))
    if count > 1 and not seen:
        probability = 1.0 / (1.0 + np.exp(-mask_logits))
        mass = np.bincount(labels.ravel(), probability.ravel(), minlength=count)
        x, y, w, h = (int(v) for v in stats[1 + int(mass[1:].argmax()), :4])
        box = (float(x), float(y), float(x + w), float(y + h))
    else:
        free = similarity.copy()
        for window in seen:
            free[window.y0 : window.y1, window.x0 : window.x1] = -np.inf
        if not np.isfinite(free).any():
            return None
        y, x = divmod(int(free.argmax()), width)
        side = 0.04 * max(height, width)
        box = (x - side, y - side, x + side, y + side)
    found = zoom_window(box, height=height, width=width)
    if max(found.width / width, found.height / height) > largest:
        return None
    return found
