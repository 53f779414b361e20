"""The engine of official checkpoints: nothing about an image or a template is computed twice.

* the text before the image is the same for every question: its keys and values are kept for good;
* CLIP runs once per image, and the image tokens' keys and values are kept with the frame, so that
  a second intent on it costs its own words only;
* SAM runs when the first [SEG] of a frame asks for it, and once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.cache_utils import Cache

from lisa_model.llava.clip_tower import ClipTower
from lisa_model.llava.generation import Answer, extend
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.preprocessing import postprocess_masks
from lisa_model.llava.tokenizer import IMAGE_TOKEN_INDEX
from lisa_model.look import appearance
from lisa_model.segmenter import frame_key


@dataclass
class Frame:
    """What the engine knows of an image; parts appear when they are first needed.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        tokens: (1, patches, hidden) image tokens of the LLM.
        prefixes: keys and values up to and with the image, by the ids before the image.
        sam: (1, C, s, s) SAM's features, and the resized image's (height, width) in its input.
    """

    image: NDArray[np.uint8]
    tokens: Tensor | None = None
    prefixes: dict[tuple[int, ...], Cache] = field(default_factory=dict)
    sam: tuple[Tensor, tuple[int, int]] | None = None


class LisaEngine:
    """Answers to prompts (as ids) about images.

    Args:
        model: the LLM with projector, gamma and SAM.
        tower: CLIP, on the same device.
        frames: images whose keys, values and features are kept (the oldest use goes first). For
            LISA-7B a frame costs 0.2 GB in bfloat16.
    """

    def __init__(self, *, model: LisaForCausalLM, tower: ClipTower, frames: int = 2) -> None:
        if frames < 1:
            raise ValueError(f"frames must be at least 1, got {frames}")
        self.model = model
        self.tower = tower
        self._size = frames
        self._frames: OrderedDict[bytes, Frame] = OrderedDict()
        self._constant: dict[tuple[int, ...], Cache] = {}

    def frame(self, image: NDArray[np.uint8]) -> Frame:
        """The kept frame with these pixels, or a new one (nothing of it computed yet)."""
        key = frame_key(image)
        if key not in self._frames:
            self._frames[key] = Frame(image=image.copy())
        self._frames.move_to_end(key)
        while len(self._frames) > self._size:
            self._frames.popitem(last=False)
        return self._frames[key]

    @torch.inference_mode()
    def image_tokens(self, frame: Frame) -> Tensor:
        """(1, patches, hidden): CLIP's features in the LLM's space."""
        if frame.tokens is None:
            pixels = self.tower.pixels(frame.image).unsqueeze(0).to(self.model.device)
            frame.tokens = self.model.project(self.tower(pixels))
        return frame.tokens

    def split(self, ids: list[int]) -> tuple[tuple[int, ...], list[int]]:
        """Ids before and after the image.

        Raises:
            ValueError: not exactly one image, or nothing after it.
        """
        if ids.count(IMAGE_TOKEN_INDEX) != 1:
            raise ValueError(f"a prompt needs one image, it has {ids.count(IMAGE_TOKEN_INDEX)}")
        place = ids.index(IMAGE_TOKEN_INDEX)
        if place + 1 == len(ids):
            raise ValueError("a prompt needs words after the image")
        return tuple(ids[:place]), ids[place + 1 :]

    @torch.inference_mode()
    def prefix(self, frame: Frame, before: tuple[int, ...]) -> Cache:
        """Keys and values of the text before the image and of the image."""
        if before not in frame.prefixes:
            if before not in self._constant:
                ids = torch.tensor([before], device=self.model.device)
                self._constant[before] = extend(self.model, None, self.model.embed(ids))
            tokens = self.image_tokens(frame)
            frame.prefixes[before] = extend(self.model, self._constant[before], tokens)
        return frame.prefixes[before]

    @torch.inference_mode()
    def sam_features(self, frame: Frame) -> tuple[Tensor, tuple[int, int]]:
        """SAM's features of the whole image, and the size it was resized to."""
        if frame.sam is None:
            sam = self.model.sam
            pixels, resized = sam.pixels(frame.image)
            pixels = pixels.unsqueeze(0).to(device=self.model.device, dtype=sam.dtype())
            frame.sam = (sam.encode(pixels), resized)
        return frame.sam

    @torch.inference_mode()
    def prompts(self, answer: Answer) -> Tensor:
        """(n, out_dim): an answer's [SEG], as SAM takes them."""
        return self.model.prompts(answer.rows)

    @torch.inference_mode()
    def appearances(self, frame: Frame, mask_logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, C) SAM's features under masks (n, H, W), see :func:`lisa_model.look.appearance`."""
        if len(mask_logits) == 0:
            return np.zeros((0, self.model.sam.config.out_dim), np.float32)
        features, resized = self.sam_features(frame)
        # What pads the image to a square is none of it.
        patch = self.model.sam.config.patch_size
        rows, columns = (-(-side // patch) for side in resized)
        seen = features[0, :, :rows, :columns].float()
        # What all of an image's features have in common says nothing about one thing.
        seen = seen - seen.mean((1, 2), keepdim=True)
        return np.stack([appearance(seen, torch.from_numpy(one)) for one in mask_logits])

    @torch.inference_mode()
    def masks(
        self, frame: Frame, prompts: Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mask logits (n, H, W) and predicted IoU (n,) of [SEG] prompts (n, out_dim).

        Each [SEG] is a mask of its own; without one SAM rests.
        """
        height, width = frame.image.shape[:2]
        if len(prompts) == 0:
            return np.zeros((0, height, width), np.float32), np.zeros(0, np.float32)
        features, resized = self.sam_features(frame)
        low, iou = self.model.sam.decode(features, prompts)
        logits = postprocess_masks(
            low,
            target=self.model.sam.config.image_size,
            resized=resized,
            original=(height, width),
        )
        scores = iou[:, 0].float().clamp(0.0, 1.0)
        return logits.cpu().numpy(), scores.cpu().numpy()
