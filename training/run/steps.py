"""One optimiser step over all passes and processes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from lisa_model.errors import LisaError
from lisa_model.llava.clip_tower import ClipTower
from training.data.collate import Batch
from training.official.losses import LossWeights
from training.run.module import counts, to_device
from training.run.processes import Processes
from training.run.randomness import seed_all
from training.run.update import Update

# As in the official mean over the masks: none of them gives 0.
_COUNT_EPSILON = 1e-8


@dataclass(frozen=True, kw_only=True)
class StepLosses:
    """Weighted losses of a step, means over the images of all processes and passes.

    Attributes:
        answer, bce, dice: the terms.
        gradient_norm: before it is clipped.
        tokens, masks: what the means go over.
    """

    answer: float
    bce: float
    dice: float
    gradient_norm: float
    tokens: int
    masks: int

    @property
    def mask(self) -> float:
        """BCE + DICE."""
        return self.bce + self.dice

    @property
    def total(self) -> float:
        """What is minimised."""
        return self.answer + self.mask


@dataclass(frozen=True, kw_only=True)
class Learner:
    """What a step needs and changes.

    Attributes:
        module: the (wrapped) TrainingModule.
        tower: CLIP; runs once per image.
        update: makes gradients and changes the weights.
        processes: of the run.
        weights: of the loss terms.
        seed: of dropout.
    """

    module: nn.Module
    tower: ClipTower
    update: Update
    processes: Processes
    weights: LossWeights
    seed: int

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by name."""
        return self.update.parameters

    def step(self, batches: Sequence[Batch], *, number: int, rate: float) -> StepLosses:
        """Learn from one batch per pass.

        The means of the losses go over the answer tokens and the masks of all passes and processes
        together, so that the step is the same however its images are spread. (A mean of each
        pass's means, as the official code takes, would weigh the only mask of one pass as much as
        six masks of another.) Both exchanges of gradients average over the processes; their number
        is therefore multiplied in.

        Args:
            batches: of this process, on the CPU.
            number: of the step; seeds the dropout.
            rate: learning rate.

        Raises:
            LisaError: the gradient is infinite or no number; nothing was changed.
        """
        mine = [counts(batch) for batch in batches]
        tokens, masks = self.processes.sum(
            [sum(one[0] for one in mine), sum(one[1] for one in mine)]
        )
        share = (
            self.processes.count / max(tokens, 1.0),
            self.processes.count / (masks + _COUNT_EPSILON),
        )
        sums = torch.zeros(3, device=self.processes.device)
        self.module.train()
        for number_of_pass, batch in enumerate(batches):
            seed_all(self.seed, number, self.processes.rank, number_of_pass)
            batch = to_device(batch, self.processes.device)
            clip = self.tower(batch.clip_pixels)
            last = number_of_pass == len(batches) - 1
            apart = nullcontext() if last else self.processes.without_exchange(self.module)
            with apart:
                answer, bce, dice, _ = self.module(batch, clip)
                answer = self.weights.answer * share[0] * answer
                bce = self.weights.bce * share[1] * bce
                dice = self.weights.dice * share[1] * dice
                self.update.backward(answer + bce + dice)
            sums += torch.stack([answer, bce, dice]).detach()
        norm = self.update.apply(rate)
        if not math.isfinite(norm):
            raise LisaError(
                f"step {number}: the gradient is {norm}. The weights are as they were; "
                "lower optimizer.learning_rate, or use precision: float32"
            )
        answer_, bce_, dice_ = (
            total / self.processes.count for total in self.processes.sum(sums.tolist())
        )
        return StepLosses(
            answer=answer_,
            bce=bce_,
            dice=dice_,
            gradient_norm=norm,
            tokens=int(tokens),
            masks=int(masks),
        )
