"""Masks of [SEG] prompts by lisa-tiny: the whole frame first, then closer looks at a few places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lisa_model.look import OUTSIDE, mean_under
from lisa_model.mask_head import ImageFeatures
from lisa_model.model import LisaModel
from lisa_model.reference import Context, Reference, handicap, no_reference
from lisa_model.vision import encoder_input, patch_grid, stem_input
from lisa_model.zoom import CropWindow, zoom_window

# Worth of a mask from which no further place is looked at.
CONFIDENT = 0.8
# Column and row of a frame.
Place = tuple[int, int]


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
        appearance: (out_dim,) float32: what the mask shows, see
            :meth:`lisa_model.mask_head.MaskHead.looks`; of two looks their mean, which is shorter
            the less they agree.
        colour: (3,) float32 mean of the normalised picture under the mask; zeros for an empty one.
    """

    logits: NDArray[np.float32]
    score: float
    appearance: NDArray[np.float32]
    colour: NDArray[np.float32]

    def in_frame(self, window: CropWindow, around: NDArray[np.float32]) -> Guess:
        """The guess of a window, put into the logits (H, W) of the frame around it."""
        logits = np.minimum(around, OUTSIDE)
        logits[window.y0 : window.y1, window.x0 : window.x1] = self.logits
        return replace(self, logits=logits)


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
    features, located = seen.features.select(row), None
    if reference is not None and context is not None:
        located = model.mask_head.locate(features, prompts, reference, context)
    small, iou, _ = model.mask_head(features, prompts, reference, located)
    looks, colours = under_masks(model, seen, small)
    return [
        Guess(
            upsample(small[k : k + 1], window.height, window.width),
            float(iou[k]),
            looks[k],
            colours[k],
        )
        for k in range(len(prompts))
    ]


def under_masks(
    model: LisaModel, seen: Seen, logits: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Appearances (n, out_dim) and colours (n, 3) under the masks (n, H, W) of a picture, see
    :class:`Guess`."""
    looks = model.mask_head.looks(seen.vision, seen.features, logits)
    return looks.cpu().numpy(), mean_under(seen.rgb[0], logits).cpu().numpy()


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

    Small things: look again at a few places, closer, and keep the mask that is worth most, where
    it is what the words mean rather than another of its kind. A confident one ends the search.

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
    head, located, context, less = model.mask_head, None, None, None
    if reference is None and head.key_dim:
        reference = no_reference(prompt, head.key_dim)
    if reference is not None:
        located = head.locate(seen.features, prompt, reference)
        context = located.context
        less = handicap(located.appeals, context.best).clamp(max=0.0)
    small, iou, similarity = head(seen.features, prompt, reference, located)
    whole = upsample(small, height, width)
    looks, colours = under_masks(model, seen, small)
    best = Guess(whole, float(iou[0]), looks[0], colours[0])
    if not patches or not model.config.zoom_candidates:
        return best
    peaks = upsample(similarity, height, width)
    # How much less than the best place each is what the words mean, as a share.
    share = None if less is None else np.exp(upsample(less, height, width))
    windows: list[CropWindow] = []
    most = worth(best)
    first = heaviest_place(whole) if context is None else pixel(context.point[0], height, width)
    for _ in range(model.config.zoom_candidates):
        place = next_place(peaks, windows) if windows or first is None else first
        window = None if place is None else window_at(whole, place)
        if place is None or window is None or (windows and most >= CONFIDENT):
            break
        before_pass()
        if windows and context is not None:  # another place: as if it were the one that is meant
            context = replace(context, point=context.point.new_tensor([unit(place, height, width)]))
        closer = look_closer(model, image, window, prompt, patches, reference, context)[0]
        guess = also_from_afar(model, seen, closer.in_frame(window, whole))
        value = worth(guess) * (1.0 if share is None else float(share[place[1], place[0]]))
        if value > most:
            best, most = guess, value
        windows.append(window)
    return best


def also_from_afar(model: LisaModel, seen: Seen, guess: Guess) -> Guess:
    """A closer look's guess, named by what the whole frame shows under its mask, too.

    The mean of both tells more than either: what a thing stands among is out of a closer look's
    sight, and its details are out of the whole frame's.

    Args:
        model: one without naming leaves the guess as it is.
        seen: the whole frame.
        guess: in the frame.
    """
    if model.mask_head.naming is None:
        return guess
    logits = torch.from_numpy(guess.logits)[None].to(seen.vision.device)
    afar = model.mask_head.looks(seen.vision, seen.features, logits)[0].cpu().numpy()
    if not guess.appearance.any() or not afar.any():
        return guess
    return replace(guess, appearance=(guess.appearance + afar) / 2)


def upsample(logits: Tensor, height: int, width: int) -> NDArray[np.float32]:
    """(1, h, w) -> (height, width) float32, bilinear, pixel centres aligned as in SAM."""
    big = F.interpolate(
        logits.float().unsqueeze(1), (height, width), mode="bilinear", align_corners=False
    )
    return np.ascontiguousarray(big[0, 0].cpu().numpy())


def heaviest_place(mask_logits: NDArray[np.float32]) -> Place | None:
    """The surest pixel of the heaviest part of a first guess (H, W); None where it is empty."""
    count, labels = cv2.connectedComponents((mask_logits > 0).astype(np.uint8))
    if count == 1:
        return None
    probability = 1.0 / (1.0 + np.exp(-mask_logits))
    mass = np.bincount(labels.ravel(), probability.ravel(), minlength=count)
    return highest(np.where(labels == 1 + int(mass[1:].argmax()), mask_logits, -np.inf))


def next_place(similarity: NDArray[np.float32], seen: Sequence[CropWindow]) -> Place | None:
    """The highest similarity (H, W) that no window has covered; None where nothing is left."""
    free = similarity.copy()
    for window in seen:
        free[window.y0 : window.y1, window.x0 : window.x1] = -np.inf
    return highest(free)


def highest(plane: NDArray[np.float32]) -> Place | None:
    """Where a plane (H, W) is highest; None where nothing in it is finite."""
    y, x = divmod(int(plane.argmax()), plane.shape[1])
    return (x, y) if np.isfinite(plane[y, x]) else None


def window_at(
    mask_logits: NDArray[np.float32], place: Place, largest: float = 0.75
) -> CropWindow | None:
    """The window of a closer look, or None where that gains nothing.

    Args:
        mask_logits: (H, W) first guess; the part of it that holds the place fits into the window.
        place: where to look.
        largest: window side over frame side above which zooming gains nothing.
    """
    height, width = mask_logits.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats((mask_logits > 0).astype(np.uint8))
    (x, y), side = place, 0.04 * max(height, width)
    box = (x - side, y - side, x + side, y + side)
    if part := int(labels[y, x]):
        left, top, wide, tall = (float(v) for v in stats[part, :4])
        box = (left, top, left + wide, top + tall)
    found = zoom_window(box, height=height, width=width)
    if max(found.width / width, found.height / height) > largest:
        return None
    return found


def pixel(point: Tensor, height: int, width: int) -> Place:
    """A place (2,) from -1 to 1 -> column and row."""
    x, y = ((point.float() + 1.0) / 2.0).tolist()
    return min(max(0, int(x * width)), width - 1), min(max(0, int(y * height)), height - 1)


def unit(place: Place, height: int, width: int) -> tuple[float, float]:
    """Column and row -> from -1 to 1."""
    return (place[0] + 0.5) / width * 2.0 - 1.0, (place[1] + 0.5) / height * 2.0 - 1.0
