"""What a run is, and the data that all runs of an experiment rest on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.experiments.errors import ExperimentError


@dataclass(frozen=True, kw_only=True)
class Data:
    """What the runs rest on, so that other data is never taken for the same.

    Attributes:
        training: fingerprint of the training questions; "" where nothing is trained.
        scored: fingerprint of the questions that are scored.
        split: val or test.
        limit: so many of its frames; None for all.
        own_vision: where vision stages come from that are trained already; "" to train them.
    """

    training: str
    scored: str
    split: str
    limit: int | None = None
    own_vision: str = ""

    def __post_init__(self) -> None:
        if self.split not in ("val", "test"):
            raise ExperimentError(f"split must be val or test, got {self.split!r}")
        if self.limit is not None and self.limit < 1:
            raise ExperimentError(f"limit must be at least 1, got {self.limit}")

    def asked(self) -> dict[str, Any]:
        """Which questions are scored, for a run's settings."""
        return {"split": self.split, "limit": self.limit, "questions": self.scored}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: a stage of one seed.

    Attributes:
        id: its folder below the working folder.
        stage: what it does.
        seed: of all that is drawn.
        needs: ids of the runs that it is made from.
        settings: all that decides its outcome, for JSON.
    """

    id: str
    stage: str
    seed: int
    needs: tuple[str, ...]
    settings: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "stage": str(self.stage),
            "seed": self.seed,
            "needs": list(self.needs),
            "settings": dict(self.settings),
        }


def parse_run(values: Mapping[str, Any]) -> Run:
    """Read :meth:`Run.as_dict` back."""
    return Run(
        id=values["id"],
        stage=values["stage"],
        seed=values["seed"],
        needs=tuple(values["needs"]),
        settings=values["settings"],
    )


def frames_name(split: str, limit: int | None) -> str:
    """Part of an id: which frames are scored."""
    return split if limit is None else f"{split}_{limit}_frames"


def each_once(rows: Iterable[Iterable[Run]]) -> list[Run]:
    """The runs of all rows in order, those that several rows share where they come first."""
    return list({run.id: run for runs in rows for run in runs}.values())


def checked_seeds(seeds: Sequence[int]) -> list[int]:
    """Different seeds in order; :class:`ExperimentError` where there is none."""
    if not seeds:
        raise ExperimentError("seeds: name at least one")
    return list(dict.fromkeys(seeds))


def check_count(name: str, value: int) -> None:
    """Raise :class:`ExperimentError` for a count below 1."""
    if value < 1:
        raise ExperimentError(f"{name} must be at least 1, got {value}")


def check_names(kind: str, wanted: Collection[str], known: Collection[str]) -> None:
    """Raise :class:`ExperimentError` for the first of ``wanted`` that is not ``known``."""
    for name in wanted:
        if name not in known:
            raise ExperimentError(f"there is no {kind} {name!r}; there are: {', '.join(known)}")
