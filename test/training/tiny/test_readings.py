"""What else words fit: facts of several kinds of things, rivals of a purpose, nothing of a name."""

from __future__ import annotations

import pytest
import torch

from training.homereason.knowledge import load_facts, rivals
from training.household.taxonomy import category_index, load_categories
from training.tiny.joint_questions import Target
from training.tiny.readings import NEAR_SHARE, NOTHING_ELSE, Reading, meant_shares, reading
from training.tiny.reference_losses import fits, name_loss, shown_loss

NAMES = list(load_categories())


def called(indices: tuple[int, ...]) -> set[str]:
    return {NAMES[one] for one in indices}


@pytest.mark.parametrize(
    "text", ["Where is the mug?", "Both mugs are needed.", "the Mug that is white"]
)
def test_a_name_fits_nothing_else(text: str) -> None:
    assert reading("mug", text) == NOTHING_ELSE


def test_a_name_within_a_word_is_no_name() -> None:
    assert reading("cap", "something to capture") != NOTHING_ELSE


def test_words_of_a_fact_fit_all_that_it_holds_for() -> None:
    fact = load_facts()["repair"]
    phrase = fact.phrases["train"][0]
    found = reading("hammer", f"Please hand me {phrase.capitalize()}.")
    assert called(found.also) == fact.yes - {"hammer"}
    assert called(found.near) == fact.maybe
    # The scissors are none of them: they are meant by something else.
    assert not called(reading("scissors", phrase).also) & fact.yes


def test_proof_tells_the_fact_where_the_words_are_rearranged() -> None:
    for proof in (("repair: 3, 7", "red: one only"), ("fact repair: hammer only",)):
        found = reading("hammer", "something red from the red box", proof)
        assert called(found.also) == load_facts()["repair"].yes - {"hammer"}


def test_a_material_narrows_a_purpose() -> None:
    drink, glass = load_facts()["drink_from"], load_facts()["of_glass"]
    found = reading("cocktail_glass", "...", ("drink_from: 1, 2", "of_glass: one only"))
    assert called(found.also) == (drink.yes & glass.yes) - {"cocktail_glass"}
    assert "mug" in called(found.near)


def test_a_purpose_nearly_fits_its_rivals() -> None:
    found = reading("mug", "no wording of anything", ("purpose of mug; no rival of it in view",))
    assert found.also == ()
    assert called(found.near) == rivals("mug") & category_index().keys()


def test_shares_sum_to_one_and_are_even() -> None:
    shares = meant_shares([0, 1, 2], [Reading((1, 2), (4,)), NOTHING_ELSE, Reading((), (3, 4))], 5)
    assert torch.allclose(shares.sum(1), torch.ones(3))
    assert torch.allclose(shares[0, :3], torch.full((3,), (1 - NEAR_SHARE) / 3))
    assert shares[0, 4] == pytest.approx(NEAR_SHARE)
    assert shares[1].tolist() == [0, 1, 0, 0, 0]
    assert shares[2].tolist() == pytest.approx([0, 0, 1 - NEAR_SHARE, *[NEAR_SHARE / 2] * 2])


def test_words_are_right_that_mean_any_of_what_they_fit() -> None:
    scores = torch.eye(4)[[1, 2, 3]]
    meant = [Target(0, (), others=Reading((1,), ())), Target(0, (), others=Reading((), (2,)))]
    assert fits(scores[:2], meant).tolist() == [True, False]


def test_beside_a_picture_words_mean_what_is_in_view() -> None:
    meant = [
        Target(0, (7,), others=Reading((1, 2), (3,)), shown=(2,)),
        Target(1, (8,)),
        Target(2, ()),
        Target(3, (9,), generic=True),
    ]
    logits = torch.full((4, 4), -20.0)
    logits[0, [0, 2]] = 0.0
    logits[1, 1] = 0.0
    logits[2, 0] = logits[3, 0] = 50.0  # absent, and no category: neither counts
    loss, right = shown_loss(logits, meant)
    assert float(loss) == pytest.approx(0.5 * 0.5 * float(torch.log(torch.tensor(2.0))), abs=1e-4)
    assert right == 1.0
    logits[0, 1] = 9.0  # as well meant, but not in view
    more, right = shown_loss(logits, meant)
    assert more > loss
    assert right == 0.5
    assert shown_loss(logits[2:], meant[2:]) == (torch.zeros(()), 0.0)


def test_the_name_loss_is_least_between_the_things_that_fit() -> None:
    names = torch.eye(4)
    meant = [Target(0, (), others=Reading((1,), ())), Target(3, (), generic=True)]
    middle = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 0]])
    one = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 0]])
    (least, right), (more, _) = (name_loss(words, meant, names) for words in (middle, one))
    assert least < more
    assert right == 1.0
    # Words that tell no category do not count.
    other = middle.clone()
    other[1] = torch.tensor([1.0, 0, 0, 0])
    assert torch.equal(name_loss(other, meant, names)[0], least)
