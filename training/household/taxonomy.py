"""What people want the things of the taxonomy for; phrases split like the scenes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal

from training.household.categories import Category, read_categories

Split = Literal["train", "val", "test"]
ImplicitKind = Literal["implicit_short", "implicit_long", "imperative"]

FOLDER = Path(__file__).parent / "taxonomy"
_KEYS: dict[ImplicitKind, str] = {
    "implicit_short": "short",
    "implicit_long": "long",
    "imperative": "imperative",
}


@cache
def load_categories() -> dict[str, Category]:
    """All categories by id, in file order; read once."""
    return read_categories()


@cache
def category_index() -> dict[str, int]:
    """Place of each category in the file's order, by id."""
    return {name: k for k, name in enumerate(load_categories())}


@cache
def load_purposes() -> dict[str, dict[Split, dict[str, list[str]]]]:
    """category id -> split -> ``short`` / ``long`` / ``imperative`` -> phrases."""
    out: dict[str, dict[Split, dict[str, list[str]]]] = {}
    for path in sorted(FOLDER.glob("purposes_*.json")):
        out.update(json.loads(path.read_text(encoding="utf-8")))
    return out


def purposes(category: str, split: Split, kind: ImplicitKind) -> list[str]:
    """Phrases that mean ``category`` without naming it; empty when none were written."""
    return load_purposes().get(category, {}).get(split, {}).get(_KEYS[kind], [])
