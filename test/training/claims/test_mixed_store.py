import random
from collections import Counter

import pytest

from training.claims.mixed_store import MixedStore
from training.claims.samples import Sample
from training.homereason.files import write_questions
from training.homereason.question import Question, answer_for
from training.tiny.question_store import QuestionStore

FRAMES = [f"frame{k}" for k in range(20)]


def question(frame, text, kind="explicit"):
    targets = ((1,),)
    return Question(
        frame=frame,
        kind=kind,
        text=text,
        targets=targets,
        categories=("mug",),
        answer=answer_for(targets),
        proof=("only mug in view",),
    )


@pytest.fixture
def file(tmp_path):
    rows = [question(frame, f"{word} mug") for frame in FRAMES for word in ("the", "a", "my")]
    write_questions(tmp_path / "train.jsonl", rows)
    return tmp_path / "train.jsonl"


def mixed(file, share, frames=FRAMES[:4]):
    samples = [
        Sample(
            question=question(frame, "something to drink from", "implicit_short"),
            others=("what holds my tea",),
        )
        for frame in frames
    ]
    return MixedStore(files=[file], keep=lambda _: True, samples=samples, share=share)


def test_a_sample_is_asked_first_and_in_all_its_wordings(file):
    store, rng = mixed(file, 1.0), random.Random(0)
    drawn = [store.draw("frame0", 3, rng) for _ in range(60)]
    firsts = Counter(asked[0].text for asked in drawn)
    assert firsts.keys() == {"something to drink from", "what holds my tea"}
    assert min(firsts.values()) > 15
    assert {len(asked) for asked in drawn} == {3}
    assert all(one.kind == "explicit" for asked in drawn for one in asked[1:])
    assert all(one.kind == "explicit" for one in store.draw("frame9", 3, rng))


def test_frames_with_samples_are_drawn_by_their_share(file):
    rng = random.Random(0)
    for share in (0.0, 0.5, 1.0):
        store = mixed(file, share)
        picked = [store.pick_frames(FRAMES, 3, rng) for _ in range(300)]
        assert {len(set(one)) for one in picked} == {3}
        found = sum(name in FRAMES[:4] for one in picked for name in one) / 900
        # Those that are not drawn for their sample may have one all the same: 4 of 20.
        assert found == pytest.approx(share + (1 - share) * 0.2, abs=0.07)


def test_fewer_frames_with_samples_than_wanted(file):
    picked = mixed(file, 1.0, FRAMES[:2]).pick_frames(FRAMES, 5, random.Random(0))
    assert set(FRAMES[:2]) < set(picked)
    assert len(set(picked)) == 5


def test_without_samples_it_is_a_plain_store(file):
    store = MixedStore(files=[file], keep=lambda _: True, samples=[], share=0.8)
    plain = QuestionStore(files=[file])
    first, second = random.Random(5), random.Random(5)
    assert store.pick_frames(FRAMES, 4, first) == plain.pick_frames(FRAMES, 4, second)
    assert store.draw("frame1", 2, first) == plain.draw("frame1", 2, second)


def test_a_frame_with_nothing_but_a_sample_counts(file):
    store = mixed(file, 1.0, ["alone"])
    assert "alone" in store
    assert [one.kind for one in store.draw("alone", 4, random.Random(0))] == ["implicit_short"]
    assert "nobody" not in store
    with pytest.raises(ValueError, match=r"share must be 0\.\.1"):
        mixed(file, 1.5)
