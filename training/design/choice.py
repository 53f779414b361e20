"""A choice of the design, and what any choice must keep to."""

from __future__ import annotations

from dataclasses import dataclass

# What lisa-tiny must keep to: weights beside the base weights, and intent to mask on 2 cores.
MOST_MB = 60.0
MOST_S = 2.5


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One choice, as rows of a table.

    Attributes:
        name: for the command line.
        title: of the table.
        rows: names of what is scored; the others are compared with the first.
    """

    name: str
    title: str
    rows: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.rows)) < 2 or len(set(self.rows)) != len(self.rows):
            raise ValueError(f"choice {self.name}: needs two or more different rows")
