"""One training step's forward pass: conversations and images in, losses out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.preprocessing import postprocess_masks
from lisa_model.llava.tokenizer import IMAGE_TOKEN_INDEX
from training.official.labels import TextBatch
from training.official.losses import IGNORED, LossWeights, answer_loss, mask_losses


@dataclass(frozen=True)
class Picture:
    """An image of a batch.

    Attributes:
        sam: (3, S, S) SAM's input.
        resized: (height, width) of the image within it.
        masks: (n, H, W) float32 targets in the image's own size; one per [SEG] of its answers, in
            their order. n may be 0.
    """

    sam: Tensor
    resized: tuple[int, int]
    masks: Tensor


@dataclass(frozen=True)
class Losses:
    """Weighted terms and their sum."""

    answer: Tensor
    bce: Tensor
    dice: Tensor

    @property
    def mask(self) -> Tensor:
        """BCE + DICE."""
        return self.bce + self.dice

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return self.answer + self.mask


def expand(
    model: LisaForCausalLM, text: TextBatch, tokens: Tensor, picture_of: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Put the image tokens where the placeholders stand.

    Args:
        tokens: (pictures, patches, hidden) projected CLIP features.
        picture_of: the picture of each conversation.

    Returns:
        embeddings (n, L', hidden) and labels (n, L'); conversations without an image, which stay
        shorter, are padded with zeros at the right.
    """
    rows, labels = [], []
    # One call, however many conversations there are: processes that share the table's shards must
    # ask for it equally often.
    words = model.embed(text.ids.masked_fill(text.ids == IMAGE_TOKEN_INDEX, 0))
    for number, ids in enumerate(text.ids):
        place = (ids == IMAGE_TOKEN_INDEX).nonzero().flatten().tolist()
        if len(place) > 1:
            raise ValueError(f"conversation {number} has {len(place)} images; at most one is read")
        if not place:
            rows.append(words[number])
            labels.append(text.labels[number])
            continue
        k = place[0]
        image = tokens[picture_of[number]]
        rows.append(torch.cat([words[number, :k], image, words[number, k + 1 :]]))
        ignored = text.labels.new_full((len(image),), IGNORED)
        labels.append(torch.cat([text.labels[number, :k], ignored, text.labels[number, k + 1 :]]))
    length = max(len(row) for row in rows)
    embeddings = torch.stack([F.pad(row, (0, 0, 0, length - len(row))) for row in rows])
    wanted = torch.stack([F.pad(row, (0, length - len(row)), value=IGNORED) for row in labels])
    return embeddings, wanted


def seg_rows(text: TextBatch, number: int, seg_id: int, patches: int) -> list[int]:
    """Places, in the expanded sequence, of the states that predict a conversation's [SEG]."""
    ids = text.ids[number].tolist()
    image = ids.index(IMAGE_TOKEN_INDEX) if IMAGE_TOKEN_INDEX in ids else len(ids)
    return [
        place - 1 + (patches - 1 if place > image else 0)
        for place, token in enumerate(ids)
        if token == seg_id and place > 0
    ]


@dataclass(frozen=True)
class Predictions:
    """What the losses are made of.

    Attributes:
        states: (conversations, L, hidden) the LLM's last states; state i predicts token i + 1.
        labels: (conversations, L) int64, IGNORED where nothing is to be learnt.
        mask_logits: of each picture, (n, H, W) float32 in its own size, one per [SEG].
        scores: of each picture, (max(n, 1), 1) float32 predicted IoU; of no use to the losses.
    """

    states: Tensor
    labels: Tensor
    mask_logits: list[Tensor]
    scores: list[Tensor]


def predictions(
    model: LisaForCausalLM,
    text: TextBatch,
    clip: Tensor,
    pictures: Sequence[Picture],
    picture_of: Sequence[int],
    *,
    seg_id: int,
) -> Predictions:
    """States and masks of a batch.

    The mask side runs once per picture, also where there is no [SEG]: processes that exchange
    gradients or shards must reach the same parameters in the same order.

    Args:
        clip: (pictures, patches, width) CLIP features; the tower is frozen and runs once a picture.
        pictures: images with their masks.
        picture_of: for each conversation, which picture it is about; ascending.
    """
    tokens = model.project(clip)
    embeddings, labels = expand(model, text, tokens, picture_of)
    states = model.states(embeddings)  # padding is at the right: a causal LLM never sees it
    logits, scores = [], []
    for number, picture in enumerate(pictures):
        rows = [
            states[conversation, place]
            for conversation, owner in enumerate(picture_of)
            if owner == number
            for place in seg_rows(text, conversation, seg_id, tokens.shape[1])
        ]
        picked = torch.stack(rows) if rows else states[0, :1]
        with torch.set_grad_enabled(torch.is_grad_enabled() and model.sam.encoder_learns):
            features = model.sam.encode(picture.sam.unsqueeze(0).to(model.sam.dtype()))
        low, score = model.sam.decode(features, model.prompts(picked))
        scores.append(score)
        height, width = picture.masks.shape[-2:]
        logits.append(
            postprocess_masks(
                low[: len(rows)],
                target=model.sam.config.image_size,
                resized=picture.resized,
                original=(height, width),
            )
        )
    return Predictions(states=states, labels=labels, mask_logits=logits, scores=scores)


def training_losses(
    model: LisaForCausalLM,
    text: TextBatch,
    clip: Tensor,
    pictures: Sequence[Picture],
    picture_of: Sequence[int],
    *,
    seg_id: int,
    weights: LossWeights = LossWeights(),  # noqa: B008 - frozen
) -> Losses:
    """The losses of a batch; arguments as of :func:`predictions`."""
    out = predictions(model, text, clip, pictures, picture_of, seg_id=seg_id)
    answer = answer_loss(model.lm_head(out.states), out.labels)
    targets = [picture.masks.float() for picture in pictures]
    bce, dice = mask_losses(out.mask_logits, targets, weights)
    return Losses(answer=weights.answer * answer, bce=bce, dice=dice)
