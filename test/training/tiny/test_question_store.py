import random
from collections import Counter

import pytest

from training.homereason.files import write_questions
from training.homereason.question import Question, answer_for
from training.tiny.question_store import QuestionStore, spoken_answer


def question(text, kind="explicit", targets=((1,),), categories=("mug",), frame="f"):
    answer = answer_for(targets) if targets else "There is no such thing here."
    return Question(
        frame=frame,
        kind=kind,
        text=text,
        targets=targets,
        categories=categories,
        answer=answer,
        proof=("x",),
    )


@pytest.fixture
def store(tmp_path):
    first = [question("the mug"), question("no fork", "nothing_fits", (), ("fork",))]
    second = [question("the mug"), question("the cup"), question("elsewhere", frame="g")]
    write_questions(tmp_path / "a.jsonl", first)
    write_questions(tmp_path / "b.jsonl", second)
    return QuestionStore(files=[tmp_path / "a.jsonl", tmp_path / "b.jsonl"])


def test_questions_of_several_passes_are_drawn_without_saying_one_twice(store):
    assert "f" in store
    assert "h" not in store
    rng = random.Random(0)
    drawn = store.draw("f", 10, rng)
    assert sorted(one.text for one in drawn) == ["no fork", "the cup", "the mug"]
    assert [one.text for one in store.draw("g", 10, rng)] == ["elsewhere"]
    assert store.draw("h", 10, rng) == []


def test_rare_kinds_are_drawn_more_often(store):
    rng = random.Random(0)
    first = Counter(store.draw("f", 1, rng)[0].kind for _ in range(600))
    # Weights 1.8 against three questions of 1.0.
    assert first["nothing_fits"] / 600 == pytest.approx(1.8 / 4.8, abs=0.06)


def test_only_some_kinds(tmp_path):
    path = tmp_path / "a.jsonl"
    write_questions(path, [question("the mug")])
    with pytest.raises(ValueError, match=r"no questions in .*a\.jsonl"):
        QuestionStore(files=[path], kinds=["relation"])


def test_only_what_a_filter_keeps(tmp_path):
    path = tmp_path / "a.jsonl"
    write_questions(path, [question("the mug"), question("the cup"), question("x", frame="g")])
    store = QuestionStore(files=[path], keep=lambda one: one.text == "the cup")
    assert [one.text for one in store.draw("f", 5, random.Random(0))] == ["the cup"]
    assert "g" not in store


def test_frames_of_a_step_are_different(store):
    rng = random.Random(0)
    assert sorted(store.pick_frames(["f", "g"], 5, rng)) == ["f", "g"]
    assert {store.pick_frames(["f", "g"], 1, rng)[0] for _ in range(20)} == {"f", "g"}


def test_what_is_said_names_the_things_after_their_masks():
    assert spoken_answer(question("x")) == "It is [SEG], the mug."
    both = question("x", "two_targets", ((1,), (2,)), ("mug", "fork"))
    assert spoken_answer(both) == "They are [SEG] and [SEG], the mug and the fork."
