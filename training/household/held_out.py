"""Which models are kept out of training, so that unseen objects can be tested. Pure.

Of every category with two or more usable models one is held out. The choice was drawn once
(:func:`draw_held_out`), looked at, and is kept in ``taxonomy/held_out_models.tsv``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from training.household.categories import CATEGORIES_FILE, Category, TaxonomyError

HELD_OUT_FILE = CATEGORIES_FILE.with_name("held_out_models.tsv")


def draw_held_out(categories: Mapping[str, Category]) -> dict[str, str]:
    """Category id -> model, for each of ``categories`` with two or more models.

    The model with the least SHA-256 of "category/model" is drawn: it depends on nothing else.
    """
    return {
        one.id: min(one.models, key=lambda m: hashlib.sha256(f"{one.id}/{m}".encode()).hexdigest())
        for one in categories.values()
        if len(one.models) > 1
    }


def parse_held_out(text: str, categories: Mapping[str, Category]) -> dict[str, str]:
    """Held-out model by category id.

    Args:
        text: lines of category, model and a remark, separated by tabs.
        categories: usable categories (without excluded models).

    Raises:
        TaxonomyError: unknown category or model, a category twice, one with two or more models
            that is missing, or one whose only model would go.
    """
    held: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        identity, model, *_ = line.split("\t")
        category = categories.get(identity)
        if category is None or model not in category.models:
            raise TaxonomyError(f"line {number}: {identity!r} has no usable model {model!r}")
        if identity in held:
            raise TaxonomyError(f"line {number}: category {identity!r} appears twice")
        if len(category.models) < 2:
            raise TaxonomyError(f"line {number}: {identity!r} has one model only; keep it")
        held[identity] = model
    missing = [c.id for c in categories.values() if len(c.models) > 1 and c.id not in held]
    if missing:
        raise TaxonomyError(f"no model is held out of {', '.join(missing)}: add a line for each")
    return held


def read_held_out(categories: Mapping[str, Category], path: Path = HELD_OUT_FILE) -> dict[str, str]:
    """Reads the reviewed file (see :func:`parse_held_out`)."""
    return parse_held_out(path.read_text(encoding="utf-8"), categories)


def seen_only(categories: Mapping[str, Category], held: Mapping[str, str]) -> dict[str, Category]:
    """The categories with the models that training may show, whatever category they are held for.

    Raises:
        TaxonomyError: nothing is left of a category, since its models are held out for others.
    """
    unseen = set(held.values())
    seen = {
        c.id: replace(c, models=tuple(m for m in c.models if m not in unseen))
        for c in categories.values()
    }
    empty = [c.id for c in seen.values() if not c.models]
    if empty:
        raise TaxonomyError(f"no model is left of {', '.join(empty)}: hold out another one")
    return seen


def unseen_first(
    categories: Mapping[str, Category], held: Mapping[str, str]
) -> dict[str, Category]:
    """The categories as in the split of unseen models: only the held-out one where there is one."""
    return {
        c.id: replace(c, models=(held[c.id],)) if c.id in held else c for c in categories.values()
    }
