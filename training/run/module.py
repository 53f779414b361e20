"""The forward pass of training as one module, to be wrapped (DDP) or sharded (FSDP2)."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lisa_model.llava.model import LisaForCausalLM
from training.data.collate import Batch
from training.official.forward import Predictions, predictions
from training.official.labels import TextBatch
from training.official.losses import IGNORED, bce_per_mask, check_counts, dice_per_mask


class TrainingModule(nn.Module):
    """LISA with its losses.

    Args:
        lisa: the network, with what is trained marked.
        seg_id: of [SEG].
        autocast: type to compute in, or None for that of the weights.
    """

    def __init__(
        self, *, lisa: LisaForCausalLM, seg_id: int, autocast: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.lisa = lisa
        self.seg_id = seg_id
        self.autocast = autocast

    def forward(self, batch: Batch, clip: Tensor) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Sums of the three losses, and the masks.

        Sums rather than means: whoever adds up passes and processes divides by the number of
        tokens and masks of them all.

        Args:
            batch: on the module's device.
            clip: (pictures, patches, width) CLIP features.

        Returns:
            cross entropy summed over answer tokens; BCE and DICE summed over masks (float32, no
            weights); mask logits (n, H, W) of each picture, without gradients.
        """
        device = clip.device.type
        enabled = self.autocast is not None
        with torch.autocast(device, dtype=self.autocast or torch.bfloat16, enabled=enabled):
            out = predictions(
                self.lisa,
                batch.text,
                clip,
                batch.pictures,
                batch.picture_of,
                seg_id=self.seg_id,
            )
            answer = self._answer_sum(out)
        bce, dice = _mask_sums(out, batch)
        masks = [logits.detach() for logits in out.mask_logits]
        # 0, but reaching SAM's IoU head: exchanges of gradients wait for all that is trained.
        anchor = 0.0 * torch.cat(out.scores).sum()
        return answer + anchor, bce, dice, masks

    def _answer_sum(self, out: Predictions) -> Tensor:
        """Cross entropy summed over the answers' tokens.

        The head runs on the states that predict such a token only: a few dozen instead of some
        hundred of each conversation, at 32,000 words each.
        """
        wanted = out.labels[:, 1:]
        learnt = wanted != IGNORED
        logits = self.lisa.lm_head(out.states[:, :-1][learnt])
        return F.cross_entropy(logits.float(), wanted[learnt], reduction="sum")


def _mask_sums(out: Predictions, batch: Batch) -> tuple[Tensor, Tensor]:
    """BCE and DICE summed over all masks of the batch."""
    targets = [picture.masks.float() for picture in batch.pictures]
    check_counts(out.mask_logits, targets)
    bce = out.states.new_zeros((), dtype=torch.float32)
    dice = torch.zeros_like(bce)
    for mine, wanted in zip(out.mask_logits, targets, strict=True):
        bce = bce + bce_per_mask(mine, wanted).sum()
        dice = dice + dice_per_mask(mine, wanted).sum()
    return bce, dice


def counts(batch: Batch) -> tuple[int, int]:
    """Answer tokens that are learnt, and masks; what the sums of a batch go over."""
    # The first token is predicted by nothing. Image tokens carry no label.
    tokens = int((batch.text.labels[:, 1:] != IGNORED).sum())
    return tokens, sum(len(picture.masks) for picture in batch.pictures)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch where the model is."""
    if device.type == "cpu":
        return batch
    text = TextBatch(
        ids=batch.text.ids.to(device),
        labels=batch.text.labels.to(device),
        mask=batch.text.mask.to(device),
    )
    pictures = tuple(
        replace(one, sam=one.sam.to(device), masks=one.masks.to(device)) for one in batch.pictures
    )
    return replace(batch, text=text, pictures=pictures, clip_pixels=batch.clip_pixels.to(device))
