"""Which data sets are mixed, and how: a YAML file, see config/data/lisa_paper.yaml."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.errors import ConfigError
from training.data.registry import KINDS
from training.data.settings import check_keys, convert, fill, join, mapping
from training.data.source import FAMILIES
from training.data.yaml_file import read_yaml


@dataclass(frozen=True, kw_only=True)
class SetConfig:
    """A data set of a family.

    Attributes:
        name: key of registry.KINDS.
        options: its choices, an instance of the kind's dataclass.
    """

    name: str
    options: Any


@dataclass(frozen=True, kw_only=True)
class FamilyConfig:
    """A family of the mixture; its sets are drawn from equally often.

    Attributes:
        name: one of source.FAMILIES.
        rate: its weight; the share of samples is rate / sum of all rates.
    """

    name: str
    rate: float
    sets: tuple[SetConfig, ...]


@dataclass(frozen=True, kw_only=True)
class General:
    """What the file says at its top.

    Attributes:
        root: folder of the downloads; relative to the working directory.
        seed: of every random choice.
        categories_per_image: at most so many questions about an image.
        exclude_refer_validation: leave out COCO images of refCOCO(+/g) validation and test.
        max_broken_share: a run stops when more of a set's draws are broken ...
        broken_allowed: ... and more than this number.
    """

    root: Path
    seed: int = 0
    categories_per_image: int = 3
    exclude_refer_validation: bool = True
    max_broken_share: float = 0.01
    broken_allowed: int = 10

    def __post_init__(self) -> None:
        if self.categories_per_image < 1:
            raise ValueError(
                f"categories_per_image must be at least 1, got {self.categories_per_image}"
            )
        if not 0.0 <= self.max_broken_share <= 1.0:
            raise ValueError(
                f"max_broken_share must be between 0 and 1, got {self.max_broken_share}"
            )
        if self.broken_allowed < 0:
            raise ValueError(f"broken_allowed must not be negative, got {self.broken_allowed}")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The whole file."""

    general: General
    families: tuple[FamilyConfig, ...]


def read_config(path: Path) -> DataConfig:
    """Read a configuration; it may name a base, see :mod:`training.data.yaml_file`.

    Raises:
        ConfigError: missing, no YAML, or a key that is unknown, missing or wrong; names it.
    """
    values = read_yaml(path, example="config/data/lisa_paper.yaml")
    try:
        return parse_config(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_config(values: Any) -> DataConfig:
    """The configuration of a parsed file.

    Raises:
        ConfigError: naming the key.
    """
    values = mapping(values, "")
    families = mapping(values.pop("families", None) or {}, "families")
    general = fill(General, values, "")
    check_keys(families, FAMILIES, "families")
    if not families:
        raise ConfigError(f"families is missing or empty; it names some of {', '.join(FAMILIES)}")
    return DataConfig(
        general=general,
        families=tuple(_family(name, values) for name, values in families.items()),
    )


def _family(name: str, values: Any) -> FamilyConfig:
    where = f"families.{name}"
    values = mapping(values, where)
    check_keys(values, ("rate", "sets"), where)
    rate = convert(values.get("rate"), float, f"{where}.rate")
    if not rate > 0.0 or not math.isfinite(rate):
        raise ConfigError(f"{where}.rate must be above 0, got {rate}; leave the family out instead")
    entries = values.get("sets")
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{where}.sets must be a list with at least one set")
    sets = tuple(_set(name, entry, f"{where}.sets[{k}]") for k, entry in enumerate(entries))
    names = [one.name for one in sets]
    for one in names:
        if names.count(one) > 1:
            raise ConfigError(f"{where}.sets names {one} twice")
    return FamilyConfig(name=name, rate=rate, sets=sets)


def _set(family: str, entry: Any, where: str) -> SetConfig:
    """A set: its name alone, or a mapping of its name and options."""
    values = {"name": entry} if isinstance(entry, str) else mapping(entry, where)
    name = values.pop("name", None)
    there = [one for one, kind in KINDS.items() if kind.family == family]
    if name not in there:
        raise ConfigError(f"{join(where, 'name')} must be one of {', '.join(there)}; got {name!r}")
    return SetConfig(name=name, options=fill(KINDS[name].options, values, where))
