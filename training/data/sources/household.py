"""Our rendered household frames: explicit names and implicit purposes, several and no targets."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lisa_model.rgbd import Instance, parse_instances, read_meta
from training.data import wording
from training.data.errors import NothingToAskError, reading
from training.data.images import read_image, read_labels
from training.data.sample import Provenance, Sample, Turn
from training.data.source import Count, Shared, check_share, count_files, list_files, pick
from training.household.categories import Category
from training.household.language import IMPLICIT, askable, explicit_intent, implicit_intent
from training.household.taxonomy import Split, load_categories, purposes

_FAMILY = "reasoning"
# In front of things that are asked for together; purposes ("what is for cutting bread") fit, too.
_SEVERAL = ("Show me", "I need", "Find")
# The others are for scoring: their phrases must not be learnt.
_SPLIT: Split = "train"


@dataclass(frozen=True, kw_only=True)
class HouseholdOptions:
    """Choices for the household frames.

    Attributes:
        folder: with a folder train in it; relative to the working directory.
        implicit: share of questions that mean a thing by its purpose, where phrases allow it.
        several: share of samples that ask for two or more things at once.
        false_premise: share of samples with a question for a thing that is not in the scene.
        min_area: smallest target, pixels.
    """

    folder: Path = Path("data/household")
    implicit: float = 0.7
    several: float = 0.15
    false_premise: float = 0.15
    min_area: int = 150

    def __post_init__(self) -> None:
        for name in ("implicit", "several", "false_premise"):
            check_share(name, getattr(self, name))
        if self.min_area < 1:
            raise ValueError(f"min_area must be at least 1, got {self.min_area}")


class Household:
    """Rendered frames; an item is a frame.

    Raises:
        DataError: there is no frame.
    """

    family = _FAMILY
    notes: Sequence[str] = ()

    def __init__(self, shared: Shared, options: HouseholdOptions) -> None:
        self.name = "household"
        self._shared = shared
        self._options = options
        self._frames = list_files(
            options.folder / _SPLIT,
            ".json",
            remedy="render the frames (training/household/README.md) or set folder",
        )

    def __len__(self) -> int:
        return len(self._frames)

    def key(self, index: int) -> str:
        """Name of the frame."""
        return self._frames[index].stem

    def sample(self, index: int, rng: random.Random) -> Sample:
        """See :class:`training.data.source.Source`."""
        path = self._frames[index]
        image_file = path.with_suffix(".jpg")
        with reading(str(path)):
            meta = read_meta(path)
            instances = parse_instances(meta)
            for item in instances:
                if item.category not in load_categories():
                    raise ValueError(f"there is no category {item.category!r}")
            named, meant = askable(meta["instances"], self._options.min_area)
            models = {str(one) for one in meta.get("models", ())}
        with reading(str(image_file)):
            image = read_image(image_file)
            ids = read_labels(path.with_name(f"{path.stem}.ids.png"))
            if ids.shape != image.shape[:2]:
                raise ValueError(f"ids are {ids.shape}, the image {image.shape[:2]}")
        if not named:
            raise NothingToAskError(f"{path}: nothing in view can be asked for without ambiguity")
        absent = self._absent(instances, models, rng)
        room = max(1, self._shared.per_image - (absent is not None))
        chosen = pick(named, room, rng)
        wanted = [(load_categories()[instances[k].category], k in meant) for k in chosen]
        turns = self._turns(wanted, rng)
        if absent is not None:
            turns.append(wording.false_premise(rng.choice(absent.names), rng))
        return Sample(
            image_file=image_file,
            image=image,
            conversations=tuple((turn,) for turn in turns),
            masks=np.stack([(ids == instances[k].id).astype(np.uint8) for k in chosen]),
            provenance=Provenance(family=_FAMILY, set=self.name, key=self.key(index)),
        )

    def _turns(self, wanted: Sequence[tuple[Category, bool]], rng: random.Random) -> list[Turn]:
        """Questions for categories; the flag says whether a purpose would be unambiguous."""
        by_purpose = [
            (category, clear and rng.random() < self._options.implicit)
            for category, clear in wanted
        ]
        if len(wanted) > 1 and rng.random() < self._options.several:
            things = wording.listed([_noun_phrase(*one, rng) for one in by_purpose])
            return [wording.long(f"{rng.choice(_SEVERAL)} {things}.", rng, len(by_purpose))]
        return [_question(*one, rng) for one in by_purpose]

    def _absent(
        self, instances: Sequence[Instance], models: set[str], rng: random.Random
    ) -> Category | None:
        """Something that is not in the scene, not even hidden or out of view."""
        if rng.random() >= self._options.false_premise:
            return None
        there = {item.category for item in instances}
        groups = {load_categories()[one].group for one in there} - {""}
        others = [
            one
            for one in load_categories().values()
            if one.id not in there and one.group not in groups and models.isdisjoint(one.models)
        ]
        return rng.choice(others) if others else None

    def counts(self) -> list[Count]:
        """Frames of every split that is there."""
        found = {
            split: count_files(self._options.folder / split, ".json")
            for split in ("train", "val", "test")
        }
        return [
            Count(split=split, what="frames", found=number)
            for split, number in found.items()
            if number is not None
        ]


def _question(category: Category, by_purpose: bool, rng: random.Random) -> Turn:
    intent = None
    if by_purpose:
        intent = implicit_intent(category, _SPLIT, rng.choice(IMPLICIT), rng)
    intent = intent or explicit_intent(category, _SPLIT, rng)
    if "segment" in intent:  # it asks for the mask itself
        return wording.ask(intent), wording.answer(rng)
    return wording.long(intent if intent[-1] in ".?!" else f"{intent}.", rng)


def _noun_phrase(category: Category, by_purpose: bool, rng: random.Random) -> str:
    phrases = purposes(category.id, _SPLIT, "implicit_short") if by_purpose else []
    return rng.choice(phrases) if phrases else f"the {rng.choice(category.names)}"
