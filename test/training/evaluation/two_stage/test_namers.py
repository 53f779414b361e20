"""Namers: what they ask, and what they make of the answer."""

import pytest
import torch

from lisa_model.errors import WeightsMissingError
from training.evaluation.contender import Ask
from training.evaluation.two_stage.causal_lm import CausalLm
from training.evaluation.two_stage.llava_namer import LlavaNamer
from training.evaluation.two_stage.parts import Offer
from training.evaluation.two_stage.text_namers import (
    EXAMPLES,
    QuestionNamer,
    ScoringNamer,
    WritingNamer,
    prefix,
    question,
)
from training.evaluation.two_stage.wording import clean_name
from training.household.taxonomy import load_categories

ON = {"device": "cpu", "dtype": "float32"}
CUP = Ask(text="the red cup", is_sentence=False)


@pytest.fixture(scope="module")
def lm(lm_folder):
    return CausalLm.open(lm_folder, **ON, prefix="the red lamp . ")


def test_likelihoods_are_those_of_whole_texts(lm):
    answers = ["cup", "cup of tea", "lamp ."]
    found = lm.log_likelihoods("USER : the cup", answers)
    prompt = lm.ids("the red lamp . USER : the cup")
    for answer, value in zip(answers, found, strict=True):
        ids = [*prompt, *lm.ids(answer)]
        with torch.inference_mode():
            rows = lm._model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(float(rows[k - 1, ids[k]]) for k in range(len(prompt), len(ids)))
        assert value == pytest.approx(expected, abs=1e-4)
    assert lm.log_likelihoods("cup", []) == []
    # The kept prefix is as it was.
    assert lm.log_likelihoods("USER : the cup", answers) == pytest.approx(found)
    with pytest.raises(ValueError, match="empty"):
        lm.log_likelihoods("cup", [""])


def test_completion_is_that_of_the_whole_text(lm):
    ids = lm.ids("the red lamp . USER : the cup")
    start = len(ids)
    with torch.inference_mode():
        for _ in range(5):
            ids.append(int(lm._model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == 2:
                break
    expected = lm._tokenizer.decode(ids[start:], skip_special_tokens=True).strip()
    assert lm.complete("USER : the cup", max_new_tokens=5) == expected
    assert expected


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(WeightsMissingError, match="namer_folder"):
        CausalLm.open(tmp_path, **ON, prefix="a")
    with pytest.raises(WeightsMissingError, match="namer_folder"):
        LlavaNamer.open(None, **ON)


class Scripted:
    """An LLM that says what it is told to."""

    def __init__(self, text="", likelihoods=None):
        self.text, self.likelihoods, self.prompts = text, likelihoods or {}, []

    def complete(self, prompt, *, max_new_tokens):
        self.prompts.append(prompt)
        return self.text

    def ids(self, text):
        return text.split()

    def log_likelihoods(self, prompt, answers):
        self.prompts.append(prompt)
        table = self.likelihoods["a thing" if "a thing" in prompt else "asked"]
        return [table[answer.strip()] for answer in answers]


def test_writing_namer_shows_candidates_only_when_told(image):
    offered = [Offer(title=t, names=(t,)) for t in ("cup", "lamp", "tea")]
    lm = Scripted("a red cup.")
    naming = WritingNamer(lm=lm, label="x").name_thing(image, CUP, offered)
    assert (naming.name, naming.text) == ("red cup", "a red cup.")
    assert lm.prompts == [question("the red cup", None)]
    lm = Scripted("Nothing")
    namer = WritingNamer(lm=lm, label="x", candidates=2)
    assert namer.name_thing(image, CUP, offered).name == ""
    assert "In view: cup, lamp\n" in lm.prompts[0]
    namer.name_thing(image, CUP, [])
    assert lm.prompts[1] == question("the red cup", None)


def test_scoring_namer_weighs_as_told(image):
    table = {"asked": {"cup": -1.0, "cup of tea": -2.0}, "a thing": {"cup": -1.0, "cup of tea": -8}}
    offered = [
        Offer(title="cup", names=("cup",), log_presence=-0.1),
        Offer(title="cup of tea", names=("cup of tea",), log_presence=-9.0),
    ]

    def best(**options):
        namer = ScoringNamer(lm=Scripted(likelihoods=table), label="x", **options)
        return namer.name_thing(image, CUP, offered).name

    assert best(scoring="sum") == "cup"
    assert best(scoring="mean") == "cup of tea"
    assert best(scoring="pmi") == "cup of tea"
    assert best(scoring="pmi", presence_weight=1.0) == "cup"
    namer = ScoringNamer(lm=Scripted(likelihoods=table), label="x")
    assert namer.name_thing(image, CUP, []).name == ""
    with pytest.raises(ValueError, match="scoring"):
        ScoringNamer(lm=Scripted(), label="x", scoring="best")
    with pytest.raises(ValueError, match="presence_weight"):
        ScoringNamer(lm=Scripted(), label="x", presence_weight=-1.0)


def test_question_namer_hands_the_question_on(image):
    naming = QuestionNamer().name_thing(image, Ask(text="a  cup?", is_sentence=True), [])
    assert (naming.name, naming.text) == ("a cup?", "")


def test_examples_show_no_class_of_the_household_frames():
    known = {name.lower() for one in load_categories().values() for name in one.names}
    shown = {name for _, answer, offered in EXAMPLES for name in (answer, *offered)}
    assert not known & {name.lower() for name in shown}
    assert all(answer in offered for _, answer, offered in EXAMPLES)
    assert "In view: " in prefix(candidates=True)
    assert "In view: " not in prefix(candidates=False)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a red cup.", "red cup"),
        ("It is the cup\nand more", "cup"),
        ('"Cup"', "Cup"),
        ("Nothing.", ""),
        ("  ", ""),
        ("There", "There"),
        ("an anvil", "anvil"),
        ("theatre", "theatre"),
    ],
)
def test_clean_name(text, name):
    assert clean_name(text) == name


def test_llava_sees_one_image_and_the_question(llava_folder, image):
    namer = LlavaNamer.open(llava_folder, **ON, max_new_tokens=4)
    prompt = namer.prompt(Ask(text="the <image> cup?", is_sentence=True))
    assert prompt.count("<image>") == 1
    assert "the cup?" in prompt
    assert "in a few words" in prompt
    assert prompt.startswith("USER")
    assert prompt.rstrip(" :").endswith("ASSISTANT")
    seen = []
    namer._model.register_forward_hook(
        lambda module, args, kwargs, out: seen.append(kwargs), with_kwargs=True
    )
    looked = []
    namer._model.model.vision_tower.register_forward_pre_hook(
        lambda module, args, kwargs: looked.append(args[0] if args else kwargs["pixel_values"]),
        with_kwargs=True,
    )
    naming = namer.name_thing(image, CUP, [])
    assert [pixels.shape for pixels in looked] == [(1, 3, 32, 32)]
    token = namer._processor.tokenizer.convert_tokens_to_ids("<image>")
    assert int((seen[0]["input_ids"] == token).sum()) == 16
    assert naming.name == clean_name(naming.text)
    assert len(naming.text.split()) <= 4


def test_llava_needs_a_token(llava_folder):
    with pytest.raises(ValueError, match="max_new_tokens"):
        LlavaNamer.open(llava_folder, **ON, max_new_tokens=0)
