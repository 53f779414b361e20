"""A YAML file that may name another one, its base, and then holds only what differs from it.

``base: ../lisa_7b.yaml`` at the top, relative to the file. Mappings are merged key by key, at every
depth; anything else (numbers, text, lists) replaces what the base says; ``null`` takes a key of the
base out. A base may have a base. All other paths in the file mean what they mean without a base.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from training.data.errors import ConfigError
from training.data.settings import join

BASE = "base"


def read_yaml(path: Path, *, example: str) -> Any:
    """What a file says, merged into its base if it names one.

    Args:
        path: of the file.
        example: file to look at, for the message when there is none.

    Raises:
        ConfigError: a file is missing or no YAML, bases form a circle, or ``null`` stands at a key
            that the base does not have; names file and key.
    """
    return _read(path, example, ())


def _read(path: Path, example: str, above: tuple[Path, ...]) -> Any:
    said = f"{above[-1]}: base {path}" if above else str(path)
    if not path.is_file():
        raise ConfigError(f"{said} is missing; {example} is an example")
    here = path.resolve()
    places = [*(one.resolve() for one in above), here]
    if here in places[:-1]:
        chain = " -> ".join(one.name for one in places[places.index(here) :])
        raise ConfigError(f"{above[-1]}: base goes round in a circle: {chain}")
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{said} is not YAML: {error}") from error
    if not isinstance(values, dict) or BASE not in values:
        return values
    base = values.pop(BASE)
    if not isinstance(base, str):
        raise ConfigError(f"{said}: base must be the path of a file, got {base!r}")
    under = _read(path.parent / base, example, (*above, path))
    if not isinstance(under, dict):
        raise ConfigError(f"{said}: base {base} must be a mapping")
    try:
        return merged(under, values, "")
    except ConfigError as error:
        raise ConfigError(f"{said}: {error}") from error


def merged(under: dict[Any, Any], over: dict[Any, Any], where: str) -> dict[Any, Any]:
    """A mapping with another one's values put over it; both stay as they are.

    Args:
        under: the base's.
        over: what differs.
        where: place in the file, for messages.

    Raises:
        ConfigError: ``over`` takes out a key that is not there.
    """
    out = dict(under)
    for key, value in over.items():
        place = join(where, str(key))
        if value is None:
            if key not in out:
                raise ConfigError(f"{place} is null, but the base has no such key to take out")
            del out[key]
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value, place)
        else:
            out[key] = value
    return out
