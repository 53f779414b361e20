from __future__ import annotations

import pytest
from vectors import vector_sets

from lisa_model.llava.conversation import prompt_text, with_image
from lisa_model.llava.tokenizer import LegacyTokenizer
from training.official.labels import answer_labels, text_batch
from training.official.losses import IGNORED

TOKENIZER = LegacyTokenizer.from_folder(vector_sets()[0].hf)
TURNS = [(with_image("Where is the mug?"), "It is [SEG]."), ("And the lid?", "On the left.")]


@pytest.mark.parametrize("template", ["llava_v1", "llava_llama_2"])
def test_the_answers_and_their_ends_are_learnt(template):
    text = prompt_text(TURNS, template)
    ids = TOKENIZER.encode_prompt(text)
    labels = answer_labels(text, ids, TOKENIZER, template)
    learnt = [token for token in labels if token != IGNORED]
    assert learnt.count(TOKENIZER.eos_id) == 2
    assert TOKENIZER.decode_answer(learnt[: learnt.index(TOKENIZER.eos_id)]) == TURNS[0][1]
    assert all(label in (IGNORED, token) for label, token in zip(labels, ids, strict=True))
    assert "mug" not in TOKENIZER.decode(learnt)


def test_a_long_conversation_loses_its_end():
    text = prompt_text(TURNS)
    whole = text_batch([text], TOKENIZER, template="llava_v1", patches=256)
    room = whole.ids.shape[1] - 5
    cut = text_batch([text], TOKENIZER, template="llava_v1", patches=256, max_length=room + 255)
    assert cut.ids.tolist() == whole.ids[:, :room].tolist()
    assert cut.labels.tolist() == whole.labels[:, :room].tolist()


def test_a_text_of_another_template_is_refused():
    text = prompt_text(TURNS, "llava_llama_2")
    with pytest.raises(ValueError, match="template"):
        text_batch([text], TOKENIZER, template="llava_v1", patches=256)
