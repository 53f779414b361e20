import pytest
from homereason_scenes import scene, thing

from training.claims.samples import Sample, draw_samples, other_wordings
from training.experiments.errors import ExperimentError
from training.homereason.choose import candidates
from training.homereason.knowledge import load_facts
from training.homereason.question import KINDS
from training.household.taxonomy import purposes


def questions(frame):
    view = scene(thing(1, "mug", 0.1), thing(2, "laptop", 0.4), thing(3, "hammer", 0.8), name=frame)
    return [one for kind in KINDS for one in candidates(view, "train", [kind], seed="0")[kind][:2]]


POOL = [one for frame in ("a", "b", "c", "d") for one in questions(frame)]


def test_more_samples_hold_the_fewer():
    few, many = (draw_samples(POOL, count=count, seed=1) for count in (5, 9))
    assert many[:5] == few
    assert draw_samples(POOL, count=5, seed=2) != few
    assert {one.question.kind for one in many} <= {
        "implicit_short",
        "implicit_long",
        "imperative",
    }


def test_frames_take_turns_and_can_be_chosen():
    drawn = draw_samples(POOL, count=5, seed=0)
    assert {one.question.frame for one in drawn[:4]} == {"a", "b", "c", "d"}
    only = draw_samples(POOL, count=3, seed=0, frames={"b"})
    assert {one.question.frame for one in only} == {"b"}


def test_too_few_questions_say_how_to_get_more():
    with pytest.raises(ExperimentError, match=r"999 reasoning samples .* hold \d+.*--seed 1"):
        draw_samples(POOL, count=999, seed=0)


def test_other_wordings_mean_the_same_by_phrases_of_the_same_kind():
    for sample in draw_samples(POOL, count=12, seed=0):
        question = sample.question
        assert question.text not in sample.others
        assert len(set(sample.texts)) == len(sample.texts)
        proof = question.proof[0]
        if proof.startswith("fact "):
            fact = load_facts()[proof.removeprefix("fact ").split(":")[0]]
            allowed = (*fact.phrases["train"], *fact.sentences["train"])
        else:
            allowed = purposes(question.categories[0], "train", question.kind)
        for text in sample.others:
            assert any(phrase.lower() in text.lower() for phrase in allowed), text


def test_one_wording():
    drawn = draw_samples(POOL, count=4, seed=0, wordings=0)
    assert [one.others for one in drawn] == [(), (), (), ()]
    assert [one.question for one in drawn] == [
        one.question for one in draw_samples(POOL, count=4, seed=0)
    ], "the same samples, whatever their wordings"
    assert Sample(question=POOL[0]).texts == (POOL[0].text,)


def test_wordings_depend_on_the_seed():
    question = next(one for one in POOL if is_short(one))
    first = other_wordings(question, count=3, seed=0)
    assert len(first) == 3
    assert first == other_wordings(question, count=3, seed=0)
    assert any(first != other_wordings(question, count=3, seed=seed) for seed in (1, 2, 3))


def test_other_phrases_come_before_other_frames_of_words():
    rich = next(one for one in POOL if one.proof[0].startswith("purpose") and is_short(one))
    known = purposes(rich.categories[0], "train", "implicit_short")
    found = other_wordings(rich, count=5, seed=0)
    used = [next(one for one in known if one.lower() in text.lower()) for text in found]
    assert len(set(used)) == len(used) == 5
    poor, fact = next(
        (one, fact)
        for one in POOL
        if one.proof[0].startswith("fact") and is_short(one)
        for fact in [load_facts()[one.proof[0].removeprefix("fact ").split(":")[0]]]
        if len(fact.phrases["train"]) > 1
    )
    more = len(fact.phrases["train"]) + 3
    found = other_wordings(poor, count=more, seed=0)
    assert len(found) == more
    assert all(any(one.lower() in text.lower() for one in fact.phrases["train"]) for text in found)
    assert any(one.lower() not in poor.text.lower() for one in fact.phrases["train"])


def is_short(one):
    return one.kind == "implicit_short"
