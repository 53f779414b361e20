"""The weighted mixture: which sample comes at which step.

A family is drawn by its rate, then one of its sets, then one of the set's items, each at random.
The draw of a step depends on the seed and the step's number alone: a run that goes on at step k
gets what it would have got, without drawing the steps before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from training.data.config import DataConfig
from training.data.errors import BadSampleError, DataError, NothingToAskError
from training.data.exclusion import scored_images
from training.data.registry import KINDS
from training.data.sample import Sample
from training.data.source import Shared, Source


@dataclass(frozen=True, kw_only=True)
class Broken:
    """An item that could not be used.

    Attributes:
        set: name of its data set.
        key: the item.
        reason: what is wrong, with the file's name.
    """

    set: str
    key: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a step got.

    Attributes:
        step: its number.
        sample: to train on.
        skipped: broken items that came up before it.
    """

    step: int
    sample: Sample
    skipped: tuple[Broken, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Family:
    """Sets that are drawn from equally often, and how often the family is."""

    name: str
    rate: float
    sources: tuple[Source, ...]


class Mixture:
    """Samples by step number.

    Args:
        families: what is mixed.
        seed: of all draws.
        refuse: says why a sample cannot be used, or None; for limits of the model, such as its
            longest text. A refused sample counts as broken.
        attempts: draws from one set for one step, before the set counts as unusable.

    Raises:
        DataError: a family has no set, or a rate is not above 0.
    """

    def __init__(
        self,
        families: Sequence[Family],
        *,
        seed: int,
        refuse: Callable[[Sample], str | None] | None = None,
        attempts: int = 100,
    ) -> None:
        if not families:
            raise DataError("a mixture needs at least one family")
        for family in families:
            if not family.sources or any(len(source) == 0 for source in family.sources):
                raise DataError(f"family {family.name} has a set without items, or no set at all")
            if not family.rate > 0.0:
                raise DataError(f"family {family.name}: rate must be above 0, got {family.rate}")
        self.families = tuple(families)
        self._seed = seed
        self._refuse = refuse
        self._attempts = attempts

    def draw(self, step: int) -> Drawn:
        """The sample of a step; a broken item is replaced by another one of the same set.

        Raises:
            DataError: ``attempts`` items of a set in a row could not be used.
        """
        rng = random.Random(f"{self._seed}/{step}")
        (family,) = rng.choices(self.families, [one.rate for one in self.families])
        return self._draw(rng.choice(family.sources), step, rng, self._attempts)

    def _draw(self, source: Source, step: int, rng: random.Random, attempts: int) -> Drawn:
        skipped: list[Broken] = []
        nothing = 0
        for _ in range(attempts):
            index = rng.randrange(len(source))
            try:
                sample = source.sample(index, rng)
            except NothingToAskError:
                nothing += 1
                continue
            except BadSampleError as error:
                skipped.append(Broken(set=source.name, key=source.key(index), reason=str(error)))
                continue
            reason = self._refuse(sample) if self._refuse is not None else None
            if reason is None:
                return Drawn(step=step, sample=sample, skipped=tuple(skipped))
            skipped.append(Broken(set=source.name, key=source.key(index), reason=reason))
        first = f" The first: {skipped[0].key}: {skipped[0].reason}." if skipped else ""
        raise DataError(
            f"{source.name} is unusable: of {attempts} items drawn, {len(skipped)} are broken and "
            f"{nothing} hold nothing to ask for.{first} Check the download with `lisa data check`, "
            "or take the set out of the configuration"
        )

    def probe(self, attempts: int = 20) -> None:
        """Draw once from every set, so that one that yields nothing stops a run at its start.

        Raises:
            DataError: naming every such set.
        """
        failures = []
        for family in self.families:
            for source in family.sources:
                rng = random.Random(f"{self._seed}/probe/{source.name}")
                try:
                    self._draw(source, -1, rng, attempts)
                except DataError as error:
                    failures.append(str(error))
        if failures:
            raise DataError("\n".join(failures))


class Ledger:
    """What was drawn and what was broken, of a whole run; kept where the training loop is.

    Args:
        max_share: largest share of a set's draws that may be broken ...
        allowed: ... once more than so many are.
    """

    def __init__(self, *, max_share: float, allowed: int) -> None:
        self._max_share = max_share
        self._allowed = allowed
        self._drawn: dict[str, int] = {}
        self._broken: dict[str, int] = {}
        self._items: dict[tuple[str, str], str] = {}

    def add(self, drawn: Drawn) -> None:
        """Book a step.

        Raises:
            DataError: too much of a set is broken.
        """
        names = [drawn.sample.provenance.set, *(one.set for one in drawn.skipped)]
        for name in names:
            self._drawn[name] = self._drawn.get(name, 0) + 1
        for one in drawn.skipped:
            self._broken[one.set] = self._broken.get(one.set, 0) + 1
            self._items.setdefault((one.set, one.key), one.reason)
        for name in {one.set for one in drawn.skipped}:
            broken, tried = self._broken[name], self._drawn[name]
            if broken > self._allowed and broken > self._max_share * tried:
                raise DataError(
                    f"{name}: {broken} of {tried} items drawn are broken, more than "
                    f"max_broken_share = {self._max_share:g} allows. Repair the download "
                    f"(`lisa data check`) or raise the limit.\n{self.text()}"
                )

    @property
    def drawn(self) -> dict[str, int]:
        """Items drawn by set, broken ones included."""
        return dict(self._drawn)

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Every broken item once, in the order they came up."""
        return tuple(Broken(set=s, key=k, reason=why) for (s, k), why in self._items.items())

    def state(self) -> dict[str, Any]:
        """All of it as plain values, to be kept with a checkpoint."""
        return {
            "drawn": dict(self._drawn),
            "broken": dict(self._broken),
            "items": [[one.set, one.key, one.reason] for one in self.broken],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave, so that the final report covers the whole run."""
        self._drawn = {str(name): int(count) for name, count in state["drawn"].items()}
        self._broken = {str(name): int(count) for name, count in state["broken"].items()}
        self._items = {(str(s), str(k)): str(why) for s, k, why in state["items"]}

    def text(self) -> str:
        """The report for the end of a run."""
        total = sum(self._drawn.values())
        if not self._items:
            return f"no broken item among {total} drawn"
        lines = [f"{len(self._items)} broken items among {total} drawn were replaced:"]
        lines += [f"  {one.set}: {one.key}: {one.reason}" for one in self.broken]
        return "\n".join(lines)


def shared_of(config: DataConfig) -> Shared:
    """What all sets share; reads the splits of refCOCO(+/g) when their images are excluded.

    Raises:
        DataError: these are missing.
    """
    general = config.general
    excluded: frozenset[int] = frozenset()
    if general.exclude_refer_validation:
        excluded = scored_images(general.root)
    return Shared(root=general.root, per_image=general.categories_per_image, excluded=excluded)


def open_mixture(
    config: DataConfig, *, refuse: Callable[[Sample], str | None] | None = None
) -> Mixture:
    """Open every set of a configuration and draw from each once.

    Raises:
        DataError: naming every set that is missing, empty or unusable, not only the first.
    """
    families, failures = [], []
    try:
        shared = shared_of(config)
    except DataError as error:
        failures.append(str(error))
        shared = Shared(root=config.general.root)
    for family in config.families:
        sources = []
        for one in family.sets:
            try:
                sources.append(KINDS[one.name].open(shared, one.options))
            except DataError as error:
                failures.append(f"{one.name}: {error}")
        families.append(Family(name=family.name, rate=family.rate, sources=tuple(sources)))
    if failures:
        raise DataError("\n".join(failures))
    mixture = Mixture(families, seed=config.general.seed, refuse=refuse)
    mixture.probe()
    return mixture


def open_ledger(config: DataConfig) -> Ledger:
    """A ledger with the configuration's limits."""
    general = config.general
    return Ledger(max_share=general.max_broken_share, allowed=general.broken_allowed)
