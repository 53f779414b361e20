"""lisa-tiny at work: one small LLM and encoder, a zoomed second look, few tokens an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from lisa_model.config import preset
from lisa_model.judge import Judge
from lisa_model.look import OUTSIDE, Look, check_region, checked_queries
from lisa_model.meaning import Meaning
from lisa_model.model import LisaModel
from lisa_model.progress import OnProgress, Stage, report, token_reporter
from lisa_model.reference import Reference
from lisa_model.reference_keys import heard
from lisa_model.segmenter import (
    Clock,
    ReasoningSegmenter,
    SegmentationResult,
    checked_prompt,
    frame_key,
)
from lisa_model.tiny_masks import Seen, best_guess, look_closer, see
from lisa_model.vision import check_image
from lisa_model.zoom import CropWindow

WEIGHTS = Path(__file__).parent / "weights"
# What is said where every mask of an answer turns out to be empty.
NOTHING_FITS = 'Sorry, nothing in this image matches "{intent}".'
# Longest answer by default.
DEFAULT_NEW_TOKENS = 16
# Patches of a look at a region. Measured on validation scenes; see docs/follow.md.
FOLLOW_PATCHES = 256


@dataclass(frozen=True)
class EncodedImage:
    """An image as the model needs it; any number of intents can be asked of it.

    Attributes:
        image: the RGB pixels (the zoomed pass looks at them again).
        seen: vision and mask-head features of the whole image.
        prefix: LLM keys and values of everything up to and with the image.
    """

    image: NDArray[np.uint8]
    seen: Seen
    prefix: Cache


@dataclass(frozen=True)
class Marks:
    """Masks of n [SEG] prompts.

    Attributes:
        logits: (n, H, W) float32; a mask that the calibration withholds is empty.
        scores: (n,) float32 in [0, 1].
        withheld: (n, H, W) bool, the masks that are withheld.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]
    withheld: NDArray[np.bool_]


class TinySegmenter(ReasoningSegmenter):
    """Reasoning segmentation with the models that :mod:`training` makes."""

    def __init__(self, *, model: LisaModel, name: str, dtype: torch.dtype = torch.float32) -> None:
        """Wrap a model whose weights are loaded; users call
        :meth:`ReasoningSegmenter.from_pretrained`."""
        self.model = model.eval()
        self.judge = Judge(model=self.model)
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
    ) -> Self:
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
    def autocast(self) -> Iterator[None]:
        """Inference in the model's dtype."""
        enabled = self.dtype is not torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=enabled),
        ):
            yield

    def encode(
        self, image: NDArray[np.uint8], on_progress: OnProgress | None = None
    ) -> EncodedImage:
        """Everything about an image that no intent changes.

        Args:
            image: (H, W, 3) uint8 RGB.
            on_progress: told READING in the middle of it; what it raises ends it.

        Raises:
            InvalidImageError: naming what is wrong.
        """
        check_image(image)
        model, config = self.model, self.model.config
        with self.autocast():
            seen = see(model, image, config.patches)
            report(on_progress, Stage.READING)
            prefix = self._prefix(model.projector(seen.vision, seen.features, seen.rgb))
        return EncodedImage(image=image.copy(), seen=seen, prefix=prefix)

    def kept(self, image: NDArray[np.uint8], on_progress: OnProgress | None = None) -> EncodedImage:
        """As :meth:`encode`; the last image is kept, and not encoded again."""
        key = frame_key(image)
        if self._last is None or self._last[0] != key:
            self._last = (key, self.encode(image, on_progress))
        return self._last[1]

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
        on_progress: OnProgress | None = None,
    ) -> SegmentationResult:
        """See :meth:`ReasoningSegmenter.segment`.

        The encoded image is kept, so a second intent on the same pixels costs only its own words.
        The answer stops at [SEG] unless ``explain`` or ``stop_at_seg=False`` says otherwise.
        ``templates`` makes no difference: the model was trained on bare intents.
        """
        prompt = " ".join(checked_prompt(prompt, max_new_tokens).split())
        check_image(image)
        clock = Clock()
        report(on_progress, Stage.READING)
        encoded = self.kept(image, on_progress)
        clock.lap("encode_image_s")
        stop = not explain if stop_at_seg is None else stop_at_seg
        tokens = max_new_tokens or DEFAULT_NEW_TOKENS
        return self._answer(encoded, prompt, tokens, stop, clock, on_progress)

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
        on_progress: OnProgress | None = None,
    ) -> SegmentationResult:
        language = self.model.language
        with self.autocast():
            question = language.vocabulary.question(prompt)
            report(on_progress, Stage.ANSWERING)
            answer = language.generate(
                encoded.prefix,
                question,
                max_new_tokens=max_new_tokens,
                stop_at_seg=stop_at_seg,
                on_token=token_reporter(on_progress, language.vocabulary.decode),
            )
            clock.lap("language_s")
            report(on_progress, Stage.MARKING)
            prompts, marks = self.mark(
                encoded, answer.states, answer.certainty.tolist(), on_progress
            )
        clock.lap("masks_s")
        masks = marks.logits > 0
        text = language.vocabulary.decode(answer.ids)
        if len(prompts) and not masks.any():
            # The answer was given before anything was looked at closer.
            text = NOTHING_FITS.format(intent=prompt)
        return SegmentationResult(
            text=text,
            token_ids=answer.ids,
            mask_logits=marks.logits,
            masks=masks,
            scores=marks.scores,
            timings=clock.laps,
            queries=prompts.float().cpu().numpy(),
            withheld=marks.withheld,
        )

    def mark(
        self,
        encoded: EncodedImage,
        rows: Tensor,
        certainty: Sequence[float],
        on_progress: OnProgress | None = None,
    ) -> tuple[Tensor, Marks]:
        """What the states (n, llm_dim) that predict a [SEG] mark; within :meth:`autocast`.

        Args:
            encoded: the image.
            rows: the states.
            certainty: (n,) of the answer up to each, see :class:`lisa_model.language.Generated`.
            on_progress: as for :meth:`masks`.

        Returns:
            prompts (n, out_dim), and their :meth:`masks`.
        """
        language = self.model.language
        # Without a row there is no prompt, and no mask.
        prompts = words = rows.new_zeros(0, self.model.config.out_dim)
        which = None
        if len(rows):
            presence = None
            if language.codebook is not None:
                presence = self.model.mask_head.log_presence(
                    encoded.seen.features, language.codebook
                )
            words = language.raw_prompts(rows)
            prompts = language.blended(words, presence)
            if (said := language.references(rows, presence)) is not None:
                which = heard(said[0], self.model.config)
        marks = self.masks(
            encoded,
            prompts,
            words=words,
            reference=which,
            certainty=certainty,
            on_progress=on_progress,
        )
        return prompts, marks

    def masks(
        self,
        encoded: EncodedImage,
        prompts: Tensor,
        *,
        zoom: bool = True,
        words: Tensor | None = None,
        reference: Reference | None = None,
        certainty: Sequence[float] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Marks:
        """Decode [SEG] prompts (n, out_dim) on an encoded image.

        Args:
            encoded: the image.
            prompts: what kind of thing each [SEG] means.
            zoom: look closer at a few places.
            words: (n, out_dim) what was meant, whatever the image shows; None for the prompts.
            reference: which one of several, n rows; None for whichever.
            certainty: (n,) that there is something to mark; None where that is given.
            on_progress: told MARKING before each closer look; what it raises ends it.
        """
        height, width = encoded.image.shape[:2]
        logits = np.empty((len(prompts), height, width), dtype=np.float32)
        scores = np.empty(len(prompts), dtype=np.float32)
        withheld = np.zeros(logits.shape, dtype=np.bool_)
        patches = self.model.config.zoom_patches if zoom else 0
        with self.autocast():
            for row, prompt in enumerate(prompts):
                meaning = Meaning(
                    prompt,
                    prompt if words is None else words[row],
                    None if reference is None else reference.select(slice(row, row + 1)),
                    1.0 if certainty is None else certainty[row],
                )
                guess = best_guess(
                    self.model,
                    encoded.image,
                    encoded.seen,
                    prompt[None],
                    patches=patches,
                    reference=meaning.reference,
                    worth=partial(self.judge.worth, meaning),
                    before_pass=partial(report, on_progress, Stage.MARKING),
                )
                judged = self.judge.judged(meaning, guess)
                logits[row], scores[row] = judged.logits, judged.score
                if judged.withheld is not None:
                    withheld[row] = judged.withheld
        return Marks(logits, np.clip(scores, 0.0, 1.0), withheld)

    def look(
        self,
        image: NDArray[np.uint8],
        queries: NDArray[np.float32],
        *,
        region: CropWindow | None = None,
        on_progress: OnProgress | None = None,
    ) -> Look:
        """See :meth:`ReasoningSegmenter.look`.

        A region costs one pass of :data:`FOLLOW_PATCHES` patches for all queries; the whole frame
        one of the model's full size, and up to ``zoom_candidates`` small ones per query.
        """
        check_image(image)
        clock = Clock()
        model = self.model
        prompts = torch.from_numpy(checked_queries(queries, model.config.out_dim)).to(self.device)
        height, width = image.shape[:2]
        before_pass = partial(report, on_progress, Stage.READING)
        with self.autocast():
            before_pass()
            if region is not None:
                check_region(region, image)
                nothing = np.full((height, width), OUTSIDE, dtype=np.float32)
                guesses = [
                    guess.in_frame(region, nothing)
                    for guess in look_closer(model, image, region, prompts, FOLLOW_PATCHES)
                ]
            else:
                seen = see(model, image, model.config.patches)
                guesses = [
                    best_guess(
                        model,
                        image,
                        seen,
                        prompt[None],
                        patches=FOLLOW_PATCHES,
                        before_pass=before_pass,
                    )
                    for prompt in prompts
                ]
        clock.lap("look_s")
        logits = np.array([g.logits for g in guesses], dtype=np.float32).reshape(-1, height, width)
        scores = np.array([g.score for g in guesses], dtype=np.float32)
        seen_as = np.array([g.appearance for g in guesses], dtype=np.float32)
        seen_as = seen_as.reshape(-1, model.config.out_dim)
        length = np.linalg.norm(seen_as, axis=1, keepdims=True)
        return Look(
            mask_logits=logits,
            masks=logits > 0,
            scores=np.clip(scores, 0.0, 1.0),
            appearances=seen_as / np.maximum(length, np.finfo(np.float32).tiny),
            presences=self.judge.presences(seen_as, queries),
            timings=clock.laps,
        )
