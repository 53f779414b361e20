"""Reads .msg, .srv and .action files with their comments, and shows them as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_LINE = re.compile(
    r"^(?P<type>[\w/]+(?:<=\d+)?(?:\[[<=\d]*\])?)\s+(?P<name>\w+)\s*(?:=\s*(?P<value>\"[^\"]*\"|[^#]*?))?"
    r"\s*(?:#\s*(?P<comment>.*))?$"
)


@dataclass(frozen=True)
class Entry:
    """A field, or a constant when ``value`` is not None."""

    type: str
    name: str
    value: str | None = None
    comment: str = ""


@dataclass
class Group:
    """Lines that follow each other without a blank one, and the comment above them."""

    comment: str = ""
    entries: list[Entry] = field(default_factory=list)


@dataclass
class Section:
    """A message; a request, goal, response, result or feedback."""

    description: str = ""
    groups: list[Group] = field(default_factory=list)

    @property
    def entries(self) -> list[Entry]:
        """All fields and constants."""
        return [entry for group in self.groups for entry in group.entries]


def parse(text: str) -> list[Section]:
    """Return the sections of a definition, which lines of ``---`` part.

    A comment belongs to the lines right below it; the first of a section, when a blank line
    follows, to the section.

    Raises:
        ValueError: a line is neither blank, nor a comment, nor a field or constant.
    """
    sections = [Section()]
    comment: list[str] = []
    group: Group | None = None
    for line in [*text.splitlines(), ""]:
        section, stripped = sections[-1], line.strip()
        if stripped == "---":
            sections.append(Section())
            group = None
        elif stripped.startswith("#"):
            comment.append(stripped.lstrip("#").strip())
            group = None
        elif not stripped:
            if comment and not section.groups and not section.description:
                section.description = " ".join(comment)
            comment, group = [], None
        else:
            entry = _entry(stripped)
            if group is None:
                group = Group(" ".join(comment))
                section.groups.append(group)
                comment = []
            group.entries.append(entry)
    return sections


def _entry(line: str) -> Entry:
    match = _LINE.match(line)
    if match is None:
        raise ValueError(f"not a field or constant: {line!r}")
    value = match["value"]
    return Entry(
        match["type"],
        match["name"],
        None if value is None else value.strip(),
        match["comment"] or "",
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the cells are Markdown already."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(row).replace("\n", " ") + " |" for row in rows]
    return "\n".join(lines)


def prose(text: str) -> str:
    """Return text of a comment or description such that Markdown shows it as it is."""
    return re.sub(r"(?<!`)\|", r"\\|", text).replace("<", "&lt;")


def render(section: Section, link: Callable[[str], str] = lambda kind: f"`{kind}`") -> str:
    """Return a section as its description, a table of fields and one of constants.

    Args:
        section: parsed.
        link: shows a type.
    """
    fields, constants = [], []
    for group in section.groups:
        plain = [one for one in group.entries if one.value is None]
        if plain:
            comments = [group.comment, *(one.comment for one in plain)]
            fields.append(
                (
                    "<br>".join(f"`{one.name}`" for one in plain),
                    "<br>".join(link(one.type) for one in plain),
                    prose(" ".join(one for one in comments if one)),
                )
            )
        constants += [one for one in group.entries if one.value is not None]
    parts = [prose(section.description)] if section.description else []
    if fields:
        parts.append(table(("field", "type", "what"), fields))
    if constants:
        rows = [(f"`{one.name}`", f"`{one.value}`", prose(one.comment)) for one in constants]
        parts.append(table(("constant", "value", "what"), rows))
    return "\n\n".join(parts) or "No fields."
