"""How the words and the picture together tell what a [SEG] means."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from lisa_model.language import LanguageModel

WORDS = torch.tensor([[2.0, 1.5, -9.0]])
SHOWN = torch.tensor([[-0.9, -0.1, 0.0]])


def logits(shown: torch.Tensor | None, weight: float) -> torch.Tensor:
    model = SimpleNamespace(concept_logits=lambda raw: raw, presence_weight=weight)
    return LanguageModel.blended_logits(model, WORDS, shown)


def test_of_two_readings_the_visible_one_wins() -> None:
    assert logits(None, 1.0).argmax() == 0
    assert logits(SHOWN, 1.0).argmax() == 1
    # What the words do not mean stays out, visible or not.
    torch.testing.assert_close(logits(SHOWN, 1.0), torch.tensor([[1.1, 1.4, -9.0]]))


def test_the_weight_says_how_much_the_picture_counts() -> None:
    assert logits(SHOWN, 0.5).argmax() == 0
    torch.testing.assert_close(logits(SHOWN, 2.0), torch.tensor([[0.2, 1.3, -9.0]]))
