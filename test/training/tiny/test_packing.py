"""Packed questions must see exactly what they would see alone."""

import pytest
import torch
from small_llm import small_llm

from training.tiny.packing import PackedQuestion, pack


class Words:
    """As much of a vocabulary as packing needs."""

    def before_image(self):
        return [1, 2]

    def after_image(self):
        return [3]


class Tiny:
    """A random two-layer LLaMA behind the interface of LanguageModel."""

    def __init__(self):
        self.base = small_llm(words=50, layers=2).eval()
        self.vocabulary = Words()

    def embed(self, ids):
        return self.base.get_input_embeddings()(ids)

    def states(self, embeddings, mask=None, position_ids=None):
        return self.base.model(
            inputs_embeds=embeddings, attention_mask=mask, position_ids=position_ids
        ).last_hidden_state


@pytest.mark.parametrize("others", [[[7, 8, 9, 10]], [[5], [6, 7, 8, 9, 11, 12]]])
@torch.inference_mode()
def test_a_packed_question_gives_the_states_it_would_give_alone(others):
    model = Tiny()
    visual = torch.randn(2, 4, 32)
    mine = PackedQuestion(ids=[20, 21, 22], answer_start=2, segs=(2,))
    rest = [PackedQuestion(ids=ids, answer_start=1, segs=()) for ids in others]
    packed = pack(model, visual, [[*rest, mine], [mine]])
    states = model.states(packed.embeddings, packed.mask, packed.positions)
    alone = pack(model, visual[:1], [[mine]])
    expected = model.states(alone.embeddings)[0, alone.starts[0][0] :]
    start = packed.starts[0][-1]
    torch.testing.assert_close(states[0, start : start + 3], expected, atol=1e-5, rtol=1e-4)
    # The second image, same question, must differ: the prefix is really read.
    start = packed.starts[1][0]
    assert not torch.allclose(states[1, start : start + 3], expected, atol=1e-3)
