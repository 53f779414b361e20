"""Intents for household frames: explicit names and implicit purposes, split like the scenes.

The wrappers ("Where is …") are split too: no validation or test wording occurs in training.
"""

from __future__ import annotations

import random
from typing import Any

from training.household.categories import Category
from training.household.taxonomy import (
    ImplicitKind,
    Split,
    load_categories,
    purposes,
)

IMPLICIT: tuple[ImplicitKind, ...] = ("implicit_short", "implicit_long", "imperative")

EXPLICIT_WRAPPERS: dict[Split, tuple[str, ...]] = {
    "train": (
        "{x}",
        "the {x}",
        "Please segment the {x} in this image.",
        "Can you segment the {x} in this image?",
        "What is {x} in this image? Please output segmentation mask.",
        "Where is the {x}?",
        "Show me the {x}.",
        "Pick up the {x}.",
        "I need the {x}.",
        "grab the {x}",
        "point at the {x}",
        "Hand me that {x}, would you?",
        "look for a {x}",
    ),
    "val": ("Fetch the {x}.", "Is there a {x} here?"),
    "test": ("Find the {x}.", "Bring me the {x}, please.", "Could you locate the {x}?"),
}
SHORT_WRAPPERS: dict[Split, tuple[str, ...]] = {
    "train": (
        "{x}",
        "{x}",
        "Where is {x}?",
        "Show me {x}.",
        "I need {x}.",
        "Please segment {x}.",
        "give me {x}",
        "Pick up {x}.",
    ),
    "val": ("{x}", "Fetch {x}."),
    "test": ("{x}", "Find {x}.", "Could you locate {x}?"),
}
IMPERATIVE_WRAPPERS: dict[Split, tuple[str, ...]] = {
    "train": (
        "{x}",
        "{x}",
        "{x}",
        "Please {x}.",
        "I want to {x}.",
        "I need something to {x}.",
        "Can you {x}?",
        "What do I need to {x}?",
    ),
    "val": ("{x}", "Help me {x}."),
    "test": ("{x}", "{x}", "I would like to {x}."),
}


def explicit_intent(category: Category, split: Split, rng: random.Random) -> str:
    """An intent that names the thing."""
    return rng.choice(EXPLICIT_WRAPPERS[split]).format(x=rng.choice(category.names))


def implicit_intent(
    category: Category, split: Split, kind: ImplicitKind, rng: random.Random
) -> str | None:
    """An intent that means the thing without naming it; None when no phrase was written."""
    phrases = purposes(category.id, split, kind)
    if not phrases:
        return None
    phrase = rng.choice(phrases)
    if kind == "implicit_short":
        return rng.choice(SHORT_WRAPPERS[split]).format(x=phrase)
    if kind == "imperative":
        return rng.choice(IMPERATIVE_WRAPPERS[split]).format(x=phrase)
    return phrase


def askable(instances: list[dict[str, Any]], min_area: int) -> tuple[list[int], list[int]]:
    """Which instances can be asked for without ambiguity.

    Args:
        instances: a frame's instances.
        min_area: smallest visible area in pixels that is asked for.

    Returns:
        indices that may be named (their category is there once) and indices that may be meant
        by purpose (no other instance shares the category's confusion group).
    """
    categories = load_categories()

    def key(item: dict[str, Any]) -> str:
        category = categories[item["category"]]
        return category.group or category.id

    by_name = [item["category"] for item in instances]
    by_group = [key(item) for item in instances]
    named, meant = [], []
    for index, item in enumerate(instances):
        if item["area"] < min_area:
            continue
        if by_name.count(item["category"]) == 1:
            named.append(index)
            if by_group.count(key(item)) == 1:
                meant.append(index)
    return named, meant


def frame_questions(
    meta: dict[str, Any], *, split: Split, min_area: int = 150, per_kind: int = 3
) -> list[dict[str, Any]]:
    """The fixed questions of a validation or test frame, drawn by the frame's name.

    Args:
        meta: the frame's JSON.
        split: which phrases may be used.
        min_area: smallest target, pixels.
        per_kind: at most this many explicit questions, and as many of each implicit kind.
    """
    rng = random.Random(f"{split}/{meta['name']}")
    categories = load_categories()
    instances = meta["instances"]
    named, meant = askable(instances, min_area)
    out = []
    for index in rng.sample(named, min(per_kind, len(named))):
        item = instances[index]
        intent = explicit_intent(categories[item["category"]], split, rng)
        out.append({"intent": intent, "kind": "explicit", "instances": [item["id"]]})
    for kind in IMPLICIT:
        for index in rng.sample(meant, min(max(1, per_kind // 2), len(meant))):
            item = instances[index]
            phrase = implicit_intent(categories[item["category"]], split, kind, rng)
            if phrase is not None:
                out.append({"intent": phrase, "kind": kind, "instances": [item["id"]]})
    return out
