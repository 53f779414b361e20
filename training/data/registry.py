"""All data sets by name: their family, their options, how to open them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from training.data.source import Shared, Source
from training.data.sources.household import Household, HouseholdOptions
from training.data.sources.parts import PartOptions, paco_lvis, part_image_net, pascal_part
from training.data.sources.reason_seg import ReasonSeg, ReasonSegOptions
from training.data.sources.refer import PARTITIONS, Refer, ReferOptions
from training.data.sources.semantic import SemanticOptions, ade20k, coco_stuff, mapillary
from training.data.sources.vqa import Vqa, VqaOptions


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A data set that can be configured.

    Attributes:
        family: one of source.FAMILIES.
        options: dataclass of its choices.
        open: makes the source; raises DataError.
    """

    family: str
    options: type
    open: Callable[[Shared, Any], Source]


KINDS: dict[str, Kind] = {
    "ade20k": Kind(family="semantic", options=SemanticOptions, open=ade20k),
    "cocostuff": Kind(family="semantic", options=SemanticOptions, open=coco_stuff),
    "mapillary": Kind(family="semantic", options=SemanticOptions, open=mapillary),
    "paco_lvis": Kind(family="semantic", options=PartOptions, open=paco_lvis),
    "pascal_part": Kind(family="semantic", options=PartOptions, open=pascal_part),
    "partimagenet": Kind(family="semantic", options=PartOptions, open=part_image_net),
    **{
        name: Kind(family="referring", options=ReferOptions, open=partial(Refer, name))
        for name in PARTITIONS
    },
    **{
        name: Kind(family="vqa", options=VqaOptions, open=partial(Vqa, name))
        for name in ("llava_instruct_150k", "llava_v1_5_mix665k")
    },
    "reason_seg": Kind(family="reasoning", options=ReasonSegOptions, open=ReasonSeg),
    "household": Kind(family="reasoning", options=HouseholdOptions, open=Household),
}
