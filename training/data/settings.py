"""Mappings of a YAML file as frozen dataclasses; what is not known or not fitting is refused."""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

from training.data.errors import ConfigError

T = TypeVar("T")


def fill(cls: type[T], values: Any, where: str) -> T:
    """Make a dataclass of a mapping.

    Args:
        cls: a dataclass whose fields are numbers, text, paths, Literals or tuples of text.
        where: place in the file, for messages, such as "families.semantic.sets[0]".

    Raises:
        ConfigError: naming the key, what it is and what it may be.
    """
    values = mapping(values, where)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    check_keys(values, fields, where)
    hints = typing.get_type_hints(cls)
    known = {key: convert(value, hints[key], join(where, key)) for key, value in values.items()}
    missing = [
        name
        for name, field in fields.items()
        if name not in known
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{join(where, missing[0])} is missing")
    try:
        return cls(**known)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}" if where else str(error)) from error


def join(where: str, key: str) -> str:
    """Place of a key."""
    return f"{where}.{key}" if where else key


def mapping(values: Any, where: str) -> dict[str, Any]:
    """The mapping that must stand at a place.

    Raises:
        ConfigError: something else stands there.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where or 'the file'} must be a mapping, got {values!r}")
    return {str(key): value for key, value in values.items()}


def check_keys(values: dict[str, Any], known: typing.Iterable[str], where: str) -> None:
    """Refuse keys that nothing reads: they are mistyped.

    Raises:
        ConfigError: naming the first one and those there are.
    """
    names = list(known)
    for key in values:
        if key not in names:
            there = f"known here: {', '.join(names)}" if names else "nothing can be set here"
            raise ConfigError(f"{join(where, key)} is unknown; {there}")


def convert(value: Any, hint: Any, where: str) -> Any:
    """A value of a field's type.

    Raises:
        ConfigError: it is of another type.
    """
    origin = typing.get_origin(hint)
    if origin is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            raise ConfigError(
                f"{where} must be one of {', '.join(map(str, choices))}; got {value!r}"
            )
        return value
    if origin is tuple:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ConfigError(f"{where} must be a list of text, got {value!r}")
        return tuple(value)
    if origin in (typing.Union, types.UnionType):
        raise TypeError(f"{where}: unions are not supported")
    # bool is an int to Python, but true is no number to a person.
    wrong_bool = isinstance(value, bool) and hint is not bool
    if hint is float and isinstance(value, int | float) and not wrong_bool:
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value).expanduser()
    if isinstance(value, hint) and not wrong_bool:
        return value
    raise ConfigError(f"{where} must be {hint.__name__}, got {value!r}")
