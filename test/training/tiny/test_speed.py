"""Quickened passes must give the states and gradients of the others."""

import shutil
from dataclasses import replace

import pytest
import torch
from small_llm import WIDTH, small_llm

from lisa_model.base_weights import ensure_base_weights
from lisa_model.config import LoraConfig, preset
from lisa_model.language import LanguageModel, Vocabulary
from training.tiny.speed import quicken


@pytest.fixture
def language() -> LanguageModel:
    vocabulary = Vocabulary.load(ensure_base_weights(preset("lisa-tiny").llm))
    llm = small_llm(words=vocabulary.base_size, layers=2)
    config = replace(preset("lisa-tiny"), llm_dim=WIDTH, lora=LoraConfig(rank=2))
    made = LanguageModel(config=config, base=llm, vocabulary=vocabulary)
    for name, parameter in made.named_parameters():
        if "lora_B" in name:  # zero at first: without this, A would have no gradient
            torch.nn.init.normal_(parameter, std=0.1)
    return made


def passes(language: LanguageModel) -> list[torch.Tensor]:
    """States without and with a mask, for two widths, and LoRA's gradients of all."""
    out = []
    generator = torch.Generator().manual_seed(1)
    for width in (9, 14):
        seen = torch.randn(2, width, WIDTH, generator=generator)
        allowed = torch.rand(2, 1, width, width, generator=generator) > 0.4
        mask = (allowed & torch.ones(width, width).tril().bool()) | torch.eye(width).bool()
        places = torch.arange(width).expand(2, -1)
        out += [language.states(seen), language.states(seen, mask=mask, position_ids=places)]
    language.zero_grad()
    torch.stack([one.square().mean() for one in out]).sum().backward()
    grads = [p.grad for n, p in language.named_parameters() if "lora_" in n]
    assert all(g is not None and bool(g.abs().sum() > 0) for g in grads)
    return [one.detach() for one in out] + [g.clone() for g in grads if g is not None]


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_states_and_gradients_stay_the_same(language: LanguageModel, compiled: bool):
    if compiled and shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    before = passes(language)
    keys = set(language.state_dict())
    quicken(language, compiled=compiled)
    after = passes(language)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
    assert set(language.state_dict()) == keys, "checkpoints keep their names"


def test_the_mask_is_heeded(language: LanguageModel):
    quicken(language, compiled=False)
    seen = torch.randn(1, 6, WIDTH, generator=torch.Generator().manual_seed(2))
    mask = torch.ones(6, 6).tril().bool()[None, None].clone()
    mask[..., 5, 0] = False
    places = torch.arange(6)[None]
    with torch.no_grad():
        free = language.states(seen, position_ids=places)
        kept = language.states(seen, mask=mask, position_ids=places)
    torch.testing.assert_close(kept[:, :5], free[:, :5], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(kept[:, 5], free[:, 5], atol=1e-3)
