"""lisa-tiny at work: one small LLM and encoder, a zoomed second look, few tokens an answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from lisa_model.config import preset
from lisa_model.mask_head import ImageFeatures
from lisa_model.model import LisaModel
from lisa_model.segmenter import (
    Clock,
    ReasoningSegmenter,
    SegmentationResult,
    checked_prompt,
    frame_key,
)
from lisa_model.vision import check_image, encoder_input, patch_grid, stem_input
from lisa_model.zoom import CropWindow, zoom_window

WEIGHTS = Path(__file__).parent / "weights"
# Longest answer by default.
DEFAULT_NEW_TOKENS = 16
# Logit of a pixel outside a zoomed window that the first pass took for the target: just "no".
OUTSIDE = -1.0
# Expected IoU above which no further place is looked at.
CONFIDENT = 0.8


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


class TinySegmenter(ReasoningSegmenter):
    """Reasoning segmentation with the models that :mod:`training` makes."""

    def __init__(self, *, model: LisaModel, name: str, dtype: torch.dtype = torch.float32) -> None:
        """Wrap a model whose weights are loaded; users call
        :meth:`ReasoningSegmenter.from_pretrained`."""
        self.model = model.eval()
        self.name = name
        self.dtype = dtype
        self._last: tuple[bytes, EncodedImage] | None = None

    @classmethod
    def open(
        cls,
        model: str,
        *,
        device: torch.device,
        dtype: torch.dtype,
        cache_dir: Path | None = None,
    ) -> TinySegmenter:
        """Open a model by preset name, or a folder that :mod:`training` wrote.

        Args:
            model: ``lisa-tiny`` or a folder with config.json and model.safetensors.
            device: any torch device.
            dtype: float32 or bfloat16 (autocast; weights that need precision keep it).
            cache_dir: where base weights are kept; the user's cache by default.

        Raises:
            ValueError: for an unknown model name.
            WeightsMissingError, WeightsCorruptError: naming file or tensor and the remedy.
        """
        folder = Path(model)
        if not folder.is_dir():
            folder = WEIGHTS / preset(model).name
        lisa = LisaModel.from_trained(folder, cache_dir=cache_dir)
        lisa.language.merge_lora()
        return cls(model=lisa.to(device), name=lisa.config.name, dtype=dtype)

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
        max_new_tokens: int | None = None,
        explain: bool = False,
        stop_at_seg: bool | None = None,
        templates: bool = True,
    ) -> SegmentationResult:
        """See :meth:`ReasoningSegmenter.segment`.

        The encoded image is kept, so a second intent on the same pixels costs only its own words.
        The answer stops at [SEG] unless ``explain`` or ``stop_at_seg=False`` says otherwise.
        ``templates`` makes no difference: the model was trained on bare intents.
        """
        prompt = " ".join(checked_prompt(prompt, max_new_tokens).split())
        check_image(image)
        clock = Clock()
        key = frame_key(image)
        if self._last is None or self._last[0] != key:
            self._last = (key, self.encode(image))
        encoded = self._last[1]
        clock.lap("encode_image_s")
        stop = not explain if stop_at_seg is None else stop_at_seg
        return self._answer(encoded, prompt, max_new_tokens or DEFAULT_NEW_TOKENS, stop, clock)

    def segment_encoded(
        self,
        encoded: EncodedImage,
        prompt: str,
        *,
        max_new_tokens: int | None = None,
        explain: bool = False,
    ) -> SegmentationResult:
        """Like :meth:`segment` for an image that :meth:`encode` has seen."""
        prompt = " ".join(checked_prompt(prompt, max_new_tokens).split())
        tokens = max_new_tokens or DEFAULT_NEW_TOKENS
        return self._answer(encoded, prompt, tokens, not explain, Clock())

    def _answer(
        self,
        encoded: EncodedImage,
        prompt: str,
        max_new_tokens: int,
        stop_at_seg: bool,
        clock: Clock,
    ) -> SegmentationResult:
        language = self.model.language
        with self._autocast():
            question = language.vocabulary.question(prompt)
            ids, rows = language.generate(
                encoded.prefix,
                question,
                max_new_tokens=max_new_tokens,
                stop_at_seg=stop_at_seg,
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
