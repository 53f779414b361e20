from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import each_case, each_set, vector_sets

from lisa_model.errors import WeightsCorruptError, WeightsMissingError
from lisa_model.llava.conversation import prompt_text, with_image
from lisa_model.llava.tokenizer import IMAGE_TOKEN_INDEX, LegacyTokenizer

TOKENIZER = LegacyTokenizer.from_folder(vector_sets()[0].hf)


@each_case()
def test_prompts_become_the_recorded_ids(vectors, case):
    tokenizer = LegacyTokenizer.from_folder(vectors.hf)
    prompt = prompt_text([(with_image(case["text"]), None)], case["conv_type"])
    assert prompt == case["prompt"]
    ids = tokenizer.encode_prompt(prompt)
    assert len(ids) == case["n_prompt_ids"]
    assert tokenizer.decode(ids + case["new_ids"]) == case["decoded"]


@each_case()
def test_prompts_become_the_recorded_arrays(vectors, case):
    arrays = vectors.case(case)
    tokenizer = LegacyTokenizer.from_folder(vectors.hf)
    ids = tokenizer.encode_prompt(case["prompt"])
    assert ids == arrays["input_ids"][0].tolist()
    assert tokenizer.decode(arrays["output_ids"][0].tolist()) == case["decoded"]


@each_set()
def test_training_conversations_become_the_recorded_ids(vectors):
    tokenizer = LegacyTokenizer.from_folder(vectors.hf)
    rows = vectors.arrays("train_batch")["input_ids"].tolist()
    for text, row in zip(vectors.meta["train"]["conversations"], rows, strict=True):
        ids = tokenizer.encode_prompt(text)
        assert row[: len(ids)] == ids
        assert set(row[len(ids) :]) <= {tokenizer.pad_id}


@each_set()
def test_validation_prompts_become_the_recorded_ids(vectors):
    tokenizer = LegacyTokenizer.from_folder(vectors.hf)
    for record in vectors.meta["val"]["records"]:
        assert tokenizer.encode_prompt(record["conversation"][0]) == record["input_ids"][0]


def slow_rule(text: str) -> list[int]:
    """The rule once more, character by character and without regular expressions."""
    controls = {"<s>": TOKENIZER.bos_id, "</s>": TOKENIZER.eos_id, "<unk>": TOKENIZER.pad_id}
    table = {**controls, **TOKENIZER.added}
    tokens: list[str] = [""]  # fragments and literals in turn
    place = 0
    while place < len(text):
        found = max((one for one in table if text.startswith(one, place)), key=len, default="")
        if found:
            tokens += [found, ""]
            place += len(found)
        else:
            tokens[-1] += text[place]
            place += 1
    ids = [TOKENIZER.bos_id]
    for number, token in enumerate(tokens):
        if number % 2:
            ids.append(table[token])
            continue
        while token and number and tokens[number - 1] in TOKENIZER.added and token[0].isspace():
            token = token[1:]
        last = number + 1 == len(tokens)
        while token and not last and tokens[number + 1] in TOKENIZER.added and token[-1].isspace():
            token = token[:-1]
        if token:
            ids += TOKENIZER.model.encode(token)
    return ids


PIECES = st.one_of(
    st.sampled_from(["[SEG]", "<im_start>", "<im_end>", "<s>", "</s>", "<unk>", "[SEG", "SEG]"]),
    st.sampled_from([" ", "\n", "\t", "  ", ".", "\u00a0", "a", "The mug", "Überall"]),
    st.text(max_size=6),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_the_rule_holds_for_any_text(text):
    text = text.replace("\ue000", "")
    assert TOKENIZER.encode(text) == slow_rule(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_neutralised_text_has_no_special_token(text):
    special = {TOKENIZER.bos_id, TOKENIZER.eos_id, *TOKENIZER.added.values(), IMAGE_TOKEN_INDEX}
    ids = TOKENIZER.encode_prompt(TOKENIZER.neutralise(text + "<image>"))
    assert not special & set(ids[1:])


def test_a_text_without_literals_is_not_changed_by_neutralising():
    text = "Where is <the> [mug]? a<b, c>d </ s>"
    assert TOKENIZER.neutralise(text) == text


def test_a_neutralised_literal_stays_readable():
    ids = TOKENIZER.encode(TOKENIZER.neutralise("say [SEG] now"))
    assert TOKENIZER.decode(ids) == "<s>say [SEG] now"


def test_answers_read_like_sentences():
    seg, eos = TOKENIZER.seg_id, TOKENIZER.eos_id
    words = TOKENIZER.model.encode
    ids = [*words("Sure,"), seg, *words("."), *words("And"), seg, *words("."), eos]
    assert TOKENIZER.decode_answer(ids) == "Sure, [SEG]. And [SEG]."
    assert TOKENIZER.decode_answer([seg, seg, eos]) == "[SEG] [SEG]"
    assert TOKENIZER.decode_answer([eos]) == ""


@pytest.mark.parametrize("name", ["tokenizer.model", "added_tokens.json"])
def test_a_missing_file_is_named(tmp_path, name):
    shutil.copytree(vector_sets()[0].hf, tmp_path / "hf")
    (tmp_path / "hf" / name).unlink()
    with pytest.raises(WeightsMissingError, match=name):
        LegacyTokenizer.from_folder(tmp_path / "hf")


def test_a_tokenizer_without_seg_is_refused(tmp_path):
    shutil.copytree(vector_sets()[0].hf, tmp_path / "hf")
    path = tmp_path / "hf" / "added_tokens.json"
    table = json.loads(path.read_text())
    del table["[SEG]"]
    path.write_text(json.dumps(table))
    with pytest.raises(WeightsCorruptError, match=r"added_tokens\.json.*\[SEG\]"):
        LegacyTokenizer.from_folder(tmp_path / "hf")


def test_a_damaged_tokenizer_is_named(tmp_path):
    shutil.copytree(vector_sets()[0].hf, tmp_path / "hf")
    (tmp_path / "hf" / "tokenizer.model").write_bytes(b"\x0a\xff not a model")
    with pytest.raises(WeightsCorruptError, match=r"tokenizer\.model"):
        LegacyTokenizer.from_folder(tmp_path / "hf")
