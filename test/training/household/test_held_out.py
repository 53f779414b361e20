"""Which models are kept out of training."""

from __future__ import annotations

import pytest

from training.household.categories import TaxonomyError, parse_categories, read_categories
from training.household.held_out import (
    draw_held_out,
    parse_held_out,
    read_held_out,
    seen_only,
    unseen_first,
)
from training.household.render.sampling import usable_categories

CATEGORIES = usable_categories(read_categories())


def test_every_category_with_two_models_has_one_held_out_and_keeps_one() -> None:
    held = read_held_out(CATEGORIES)
    assert set(held) == {c.id for c in CATEGORIES.values() if len(c.models) > 1}
    seen = seen_only(CATEGORIES, held)
    assert all(category.models for category in seen.values())
    assert not {m for c in seen.values() for m in c.models} & set(held.values())
    assert all(unseen_first(CATEGORIES, held)[c].models == (m,) for c, m in held.items())


def test_the_file_is_the_draw_but_for_the_lines_that_give_a_reason() -> None:
    held, drawn = read_held_out(CATEGORIES), draw_held_out(CATEGORIES)
    changed = {c for c in drawn if held[c] != drawn[c]}
    assert changed == {"bowl", "mug", "office_chair"}
    assert draw_held_out(dict(reversed(CATEGORIES.items()))) == drawn


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dragon\tX1\t", "no usable model"),
        ("mug\tBY20\t", "no usable model"),
        ("mug\tKL28\t\nmug\tKL28\t", "twice"),
        ("tv_remote\tSC302\t", "one model only"),
        ("mug\tKL28\t", "no model is held out of"),
    ],
)
def test_a_bad_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(TaxonomyError, match=message):
        parse_held_out(text, CATEGORIES)


def test_one_model_of_two_categories_is_held_out_of_both() -> None:
    text = "a\tsmall\t-\tX,Y\ta\nb\tsmall\t-\tX,Z,W\tb\n"
    seen = seen_only(parse_categories(text), {"a": "X", "b": "Z"})
    assert seen["a"].models == ("Y",)
    assert seen["b"].models == ("W",)
    with pytest.raises(TaxonomyError, match="left of b"):
        seen_only(parse_categories(text.replace(",W", "")), {"a": "X", "b": "Z"})
