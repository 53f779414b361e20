"""Masks of [SEG] prompts by lisa-tiny: the whole frame first, then closer looks at a few places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lisa_model.look import OUTSIDE, appearance
from lisa_model.mask_head import ImageFeatures
from lisa_model.model import LisaModel
from lisa_model.reference import Context, Reference
from lisa_model.vision import encoder_input, patch_grid, stem_input
from lisa_model.zoom import CropWindow, zoom_window

# Worth of a mask from which no further place is looked at.
CONFIDENT = 0.8


@dataclass(frozen=True)
class Seen:
    """A picture as the model sees it.

    Attributes:
        vision: (1, vision_dim, h, w) features of the frozen encoder.
        features: what the mask head makes of them.
        rgb: (1, 3, 8h, 8w) the picture, normalised.
    """

    vision: Tensor
    features: ImageFeatures
    rgb: Tensor


@dataclass(frozen=True)
class Guess:
    """A mask, and what is thought of it.

    Attributes:
        logits: (H, W) float32 of the frame or the window.
        score: IoU that the decoder expects; not clipped.
        appearance: (out_dim,) float32: of the aligned features, which tell things apart better than
            the encoder's own; see :func:`lisa_model.look.appearance`.
    """

    logits: NDArray[np.float32]
    score: float
    appearance: NDArray[np.float32]

    def in_frame(self, window: CropWindow, around: NDArray[np.float32]) -> Guess:
        """The guess of a window, put into the logits (H, W) of the frame around it."""
        logits = np.minimum(around, OUTSIDE)
        logits[window.y0 : window.y1, window.x0 : window.x1] = self.logits
        return Guess(logits, self.score, self.appearance)


def see(
    model: LisaModel,
    image: NDArray[np.uint8],
    patches: int,
    window: tuple[float, float, float, float] | None = None,
) -> Seen:
    """Encode a picture with about so many patches.

    Args:
        model: the network.
        image: (H, W, 3) uint8 RGB.
        patches: about so many.
        window: x0, y0, x1, y1 of the picture in the frame that it was cut from, as shares of the
            frame's sides; None for a whole frame.
    """
    device = model.language.added_embedding.device
    grid = patch_grid(image.shape[0], image.shape[1], patches)
    pixels = encoder_input(image, grid, model.config.patch_size).unsqueeze(0).to(device)
    vision = model.tower(pixels)
    rgb = stem_input(image, grid).unsqueeze(0).to(device)
    windows = None if window is None else torch.tensor([window], device=device)
    return Seen(vision, model.mask_head.encode(vision.float(), rgb, windows), rgb)


def look_closer(
    model: LisaModel,
    image: NDArray[np.uint8],
    window: CropWindow,
    prompts: Tensor,
    patches: int,
    reference: Reference | None = None,
    context: Context | None = None,
) -> list[Guess]:
    """Guesses inside a window, one for each prompt of (n, out_dim).

    Args:
        reference: n rows; None for whichever.
        context: of the reference in the whole frame.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = window.xyxy
    shares = (x0 / width, y0 / height, x1 / width, y1 / height)
    seen = see(model, window.cut(image), patches, shares)
    row = torch.zeros(len(prompts), dtype=torch.long, device=prompts.device)
    small, iou, _ = model.mask_head(seen.features.select(row), prompts, reference, context)
    return [
        Guess(
            upsample(small[k : k + 1], window.height, window.width),
            float(iou[k]),
            appearance(seen.features.aligned[0], small[k]),
        )
        for k in range(len(prompts))
    ]


def expected_iou(guess: Guess) -> float:
    """The worth of a guess where nothing else is known of it."""
    return guess.score


def best_guess(
    model: LisaModel,
    image: NDArray[np.uint8],
    seen: Seen,
    prompt: Tensor,
    *,
    patches: int,
    reference: Reference | None = None,
    worth: Callable[[Guess], float] = expected_iou,
    before_pass: Callable[[], None] = lambda: None,
) -> Guess:
    """The mask of one prompt (1, out_dim) in a frame that was seen.

    Small things: look again at a few places, closer, and keep the mask that is worth most. A
    confident one ends the search.

    Args:
        model: the network.
        image: (H, W, 3) uint8 RGB.
        seen: the whole frame.
        prompt: (1, out_dim).
        patches: of a closer look; 0 for none.
        reference: which one of several, 1 row; None for whichever.
        worth: of a guess, 0..1.
        before_pass: called before each closer look; what it raises ends the search.
    """
    height, width = image.shape[:2]
    context = None
    if reference is not None:
        context, _, _ = model.mask_head.locate(seen.features, prompt, reference)
    small, iou, similarity = model.mask_head(seen.features, prompt, reference, context)
    whole = upsample(small, height, width)
    best = Guess(whole, float(iou[0]), appearance(seen.features.aligned[0], small[0]))
    if not patches or not model.config.zoom_candidates:
        return best
    peaks = upsample(similarity, height, width)
    windows: list[CropWindow] = []
    most = worth(best)
    for _ in range(model.config.zoom_candidates):
        window = next_window(whole, peaks, windows)
        if window is None or (windows and most >= CONFIDENT):
            break
        windows.append(window)
        before_pass()
        closer = look_closer(model, image, window, prompt, patches, reference, context)[0]
        if (value := worth(closer)) > most:
            best, most = closer.in_frame(window, whole), value
    return best


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
