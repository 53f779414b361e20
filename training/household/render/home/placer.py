"""Finds free places for small things, on levels and on each other. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from training.household.render.arrangement import GAP_M, Placement, Size, scaled
from training.household.render.cluster import Cluster, draw_yaw
from training.household.render.home.planning import HomeSpec, HomeThing
from training.household.render.layout import Footprint, place
from training.household.render.surface import Surface

FLOOR_GAP_M = 0.001  # above the rug
TRIES = 110


@dataclass(frozen=True, kw_only=True)
class HomePlacement(Placement):
    """A placed thing with its paint; ``below`` is the index in ``small`` of what carries it."""

    paint: str = ""
    below: int | None = None


@dataclass(frozen=True, kw_only=True)
class Level:
    """A surface that carries small things; ``headroom`` metres are free above it."""

    surface: Surface
    headroom: float = math.inf


class Placer:
    """Places small things; remembers what is taken on each level."""

    def __init__(
        self,
        spec: HomeSpec,
        sizes: Mapping[str, Size],
        levels: Sequence[Level],
        tops: Mapping[str, Surface],
        rng: random.Random,
        largest: float,
    ) -> None:
        self._spec, self._sizes, self._levels = spec, sizes, levels
        self._tops, self._rng, self._largest = tops, rng, largest
        self._taken: list[list[Footprint]] = [[] for _ in levels]
        self._clusters = [Cluster(level.surface, rng) for level in levels]
        self.focus = (*self._clusters[0].focus, levels[0].surface.height)

    def all(self) -> list[HomePlacement]:
        """Big things first, since they fit last; then what stands on another thing."""
        spec = self._spec
        most = max(level.surface.area * self._largest for level in self._levels)
        order = sorted(range(len(spec.small)), key=self._area, reverse=True)
        # The carrier and both things of a pair matter most.
        counts = [one.category for one in spec.small]
        order.sort(key=lambda k: k != spec.carrier and counts.count(counts[k]) < 2)
        upper = set(spec.stack) | self._to_carry()
        placed: dict[int, HomePlacement] = {}
        for k in order:
            if k in upper or self._area(k) > most:
                continue
            found = self._on_a_level(spec.small[k])
            if found is not None:
                placed[k] = found
        index = {k: number for number, k in enumerate(placed)}
        out = list(placed.values())
        if spec.carrier in placed:
            carrier = placed[spec.carrier]
            below = index[spec.carrier]
            above = [k for k in order if k in upper]
            if spec.stack:
                self._pile(carrier, below, [spec.small[k] for k in spec.stack], out)
            else:
                self._spread(carrier, below, [spec.small[k] for k in above], out)
        return out

    def _area(self, k: int) -> float:
        width, depth, _ = self._size(self._spec.small[k])
        return width * depth

    def _size(self, thing: HomeThing) -> Size:
        return scaled(self._sizes[thing.model], thing.scale)

    def _to_carry(self) -> set[int]:
        """Small things that fit on the carrier and are put there."""
        spec = self._spec
        if spec.carrier < 0 or spec.stack:
            return set()
        thing = spec.small[spec.carrier]
        top = self._tops.get(thing.model)
        if top is None:
            return set()
        limit = 0.5 * top.area * thing.scale**2
        fit = [
            k
            for k, one in enumerate(spec.small)
            if k != spec.carrier and self._area(k) < limit and self._size(one)[2] < 0.3
        ]
        self._rng.shuffle(fit)
        return set(fit[: spec.carried])

    def _on_a_level(self, thing: HomeThing) -> HomePlacement | None:
        for k in self._rng.sample(range(len(self._levels)), len(self._levels)):
            size = self._size(thing)
            if size[2] > self._levels[k].headroom:
                continue
            found = self._find(k, size)
            if found is not None:
                self._taken[k].append(found)
                height = self._levels[k].surface.height
                gap = FLOOR_GAP_M if self._spec.kind == "floor" else GAP_M
                return self._placed(thing, size, found, height + gap)
        return None

    def _find(self, k: int, size: Size) -> Footprint | None:
        rng, spec = self._rng, self._spec
        start = 0.3 if spec.kind == "shelf" else 0.15 + 0.004 * len(spec.small)
        return place(
            (size[0], size[1]),
            propose=self._clusters[k].proposals(
                rng, start=start, growth=0.007, spread=spec.spread, yaw_limit=spec.yaw_limit
            ),
            accept=self._levels[k].surface.carries,
            taken=self._taken[k],
            margin=rng.uniform(0.002, 0.02),
            tries=TRIES,
        )

    def _placed(
        self, thing: HomeThing, size: Size, at: Footprint, z: float, below: int | None = None,
        support: str = "",
    ) -> HomePlacement:  # fmt: skip
        placed = HomePlacement.at(
            thing, at, z=z, scale=thing.scale, size=size,
            support=support or self._spec.support.category,
        )  # fmt: skip
        return replace(placed, paint=thing.paint, below=below)

    def _spread(
        self,
        carrier: HomePlacement,
        below: int,
        things: Sequence[HomeThing],
        out: list[HomePlacement],
    ) -> None:
        """Things side by side on the carrier's top."""
        top, rng = self._tops[carrier.model], self._rng
        points = top.points() * carrier.scale
        taken: list[Footprint] = []
        room = self._room_above(carrier)
        for thing in things:
            size = self._size(thing)
            if size[2] > room:
                continue

            def propose(attempt: int) -> tuple[float, float, float]:
                x, y = points[rng.randrange(len(points))]
                return float(x), float(y), draw_yaw(rng, math.pi)

            def accept(f: Footprint, scale: float = carrier.scale) -> bool:
                return top.carries(
                    Footprint(
                        x=f.x / scale, y=f.y / scale, width=f.width / scale,
                        depth=f.depth / scale, yaw=f.yaw,
                    )
                )  # fmt: skip

            found = place(
                (size[0], size[1]), propose=propose, accept=accept, taken=taken, margin=0.004,
                tries=TRIES,
            )  # fmt: skip
            if found is None:
                continue
            taken.append(found)
            out.append(
                self._placed(
                    thing, size, _turned(found, carrier), carrier.z + top.height * carrier.scale
                    + GAP_M, below, carrier.category,
                )
            )  # fmt: skip

    def _pile(
        self,
        carrier: HomePlacement,
        below: int,
        things: Sequence[HomeThing],
        out: list[HomePlacement],
    ) -> None:
        """Things of about the carrier's size one upon the other."""
        top = carrier
        for thing in sorted(things, key=lambda one: one.scale, reverse=True):
            size = self._size(thing)
            if size[2] > self._room_above(top):
                return
            at = Footprint(
                x=carrier.x + self._rng.uniform(-0.01, 0.01),
                y=carrier.y + self._rng.uniform(-0.01, 0.01),
                width=size[0],
                depth=size[1],
                yaw=carrier.yaw + self._rng.uniform(-0.3, 0.3),
            )
            top = self._placed(thing, size, at, top.z + top.size[2] + GAP_M, below, top.category)
            below = len(out)
            out.append(top)

    def _room_above(self, carrier: HomePlacement) -> float:
        level = min(self._levels, key=lambda one: abs(one.surface.height - carrier.z))
        return level.headroom - (carrier.z - level.surface.height) - carrier.size[2]


def _turned(local: Footprint, carrier: Placement) -> Footprint:
    c, s = math.cos(carrier.yaw), math.sin(carrier.yaw)
    return Footprint(
        x=carrier.x + c * local.x - s * local.y,
        y=carrier.y + s * local.x + c * local.y,
        width=local.width,
        depth=local.depth,
        yaw=local.yaw + carrier.yaw,
    )
