"""The taxonomy reader, and the shipped taxonomy itself."""

from __future__ import annotations

import pytest

from training.household.categories import TaxonomyError, parse_categories, read_categories

LINE = "mug\tsmall\tdrinkware\tKL28,SC112\tmug|coffee mug"


def test_columns_are_split() -> None:
    mug = parse_categories(f"# comment\n\n{LINE}\nkeys\tsmall\t-\tSC282\tkeys\n")["mug"]
    assert mug.models == ("KL28", "SC112")
    assert mug.names == ("mug", "coffee mug")
    assert mug.group == "drinkware"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mug\tsmall\t-\tKL28", "line 1: 4"),
        (LINE.replace("small", "tiny"), "role 'tiny'"),
        (f"{LINE}\n{LINE}", "line 2: .*twice"),
        ("mug\tsmall\t-\t\tmug", "needs a model"),
    ],
)
def test_bad_lines_are_refused(text: str, message: str) -> None:
    with pytest.raises(TaxonomyError, match=message):
        parse_categories(text)


def test_shipped_taxonomy_is_large_enough_and_its_models_belong_to_known_packs() -> None:
    categories = read_categories()
    assert len(categories) >= 80
    keys = [m for c in categories.values() for m in c.models]
    assert all(key[:2] in {"B0", "BY", "KL", "RL", "SC"} and key[2:].isdigit() for key in keys)
    assert len(keys) == len(set(keys)), "one model shows one category"
