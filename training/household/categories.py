"""Reads ``taxonomy/categories.tsv``: the object categories and the models that show them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CATEGORIES_FILE = Path(__file__).parent / "taxonomy" / "categories.tsv"
ROLES = ("small", "floor", "support")


class TaxonomyError(ValueError):
    """A line of the taxonomy cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """One kind of thing.

    Attributes:
        id: stable identifier.
        role: ``small`` (stands on a surface), ``floor``, or ``support`` (carries small things).
        group: things that one purpose may fit at once (a mug and a glass), or "".
        models: ``pack index`` identifiers in the furniture library.
        names: display name first, then synonyms.
    """

    id: str
    role: str
    group: str
    models: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        """Display name."""
        return self.names[0]


def parse_categories(text: str) -> dict[str, Category]:
    """Categories by id, in file order.

    Raises:
        TaxonomyError: wrong number of columns, unknown role, empty list or repeated id.
    """
    categories: dict[str, Category] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.rstrip().split("\t")
        if len(columns) != 5:
            raise TaxonomyError(f"line {number}: {len(columns)} tab-separated columns, needs 5")
        identity, role, group, models, names = columns
        if role not in ROLES:
            raise TaxonomyError(f"line {number}: role {role!r} is none of {', '.join(ROLES)}")
        if identity in categories:
            raise TaxonomyError(f"line {number}: category {identity!r} appears twice")
        if not models or not names:
            raise TaxonomyError(f"line {number}: category {identity!r} needs a model and a name")
        categories[identity] = Category(
            id=identity,
            role=role,
            group="" if group == "-" else group,
            models=tuple(models.split(",")),
            names=tuple(names.split("|")),
        )
    return categories


def read_categories(path: Path = CATEGORIES_FILE) -> dict[str, Category]:
    """Reads the taxonomy file (see :func:`parse_categories`)."""
    return parse_categories(path.read_text(encoding="utf-8"))
