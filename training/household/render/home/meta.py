"""What a HomeReason frame's JSON tells of its instances beyond the other frames'. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.household.render.cameras import Box
from training.household.render.home.stand import HomeArrangement

MINIMUM_WELL = 150 / (640 * 480)  # share of the picture of a thing that is seen well


def home_facts(scene: HomeArrangement, number: int, *, paint: str, box: Box) -> dict[str, Any]:
    """Fields of instance ``number`` (from 1): colour_name, scale, world_box, support_id.

    ``colour_name`` is left out where the thing has its own look, ``support_id`` where the room
    (floor, counter) carries it.
    """
    placement = scene.instances()[number - 1]
    out: dict[str, Any] = {}
    if paint:
        out["colour_name"] = paint
    out["scale"] = round(placement.scale, 4)
    out["world_box"] = [[round(v, 4) for v in box.low], [round(v, 4) for v in box.high]]
    below = scene.support_id(placement)
    if below is not None:
        out["support_id"] = below
    return out


def hidden_things(
    facts: Mapping[int, Mapping[str, Any]], visible: Sequence[int]
) -> list[dict[str, Any]]:
    """Things of the scene that the picture does not show, or with too few pixels."""
    return [
        {"id": number, "category": known["category"], "model": known["model"]}
        for number, known in sorted(facts.items())
        if number not in set(visible)
    ]


def seen_well(meta: Mapping[str, Any]) -> int:
    """How many instances have as many pixels as 150 of a 640 x 480 picture."""
    least = MINIMUM_WELL * meta["width"] * meta["height"]
    return sum(item["area"] >= least for item in meta["instances"])
