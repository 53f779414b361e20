"""The household taxonomy: categories, their names, and what people want them for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Split = Literal["train", "val", "test"]
ImplicitKind = Literal["implicit_short", "implicit_long", "imperative"]

FOLDER = Path(__file__).parent / "taxonomy"
_KEYS: dict[ImplicitKind, str] = {
    "implicit_short": "short",
    "implicit_long": "long",
    "imperative": "imperative",
}


@dataclass(frozen=True)
class Category:
    """One kind of thing.

    Attributes:
        id: stable identifier.
        role: ``small`` (stands on a surface), ``floor``, or ``support`` (carries small things).
        group: things that one purpose may fit at once (a mug and a glass), or None.
        models: ``pack:index`` identifiers in the furniture library.
        names: display name first, then synonyms.
    """

    id: str
    role: str
    group: str | None
    models: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        """Display name."""
        return self.names[0]


@cache
def load_categories() -> dict[str, Category]:
    """All categories by id, in file order."""
    out: dict[str, Category] = {}
    for line in (FOLDER / "categories.tsv").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, role, group, models, names = line.split("\t")
        out[name] = Category(
            name,
            role,
            None if group == "-" else group,
            tuple(models.split(",")),
            tuple(names.split("|")),
        )
    return out


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
