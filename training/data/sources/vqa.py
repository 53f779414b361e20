"""Conversations about images without masks: LLaVA-Instruct-150k and LLaVA-v1.5-mix665k.

A JSON list; each entry has ``image`` (entries of mix665k without one are text only) and
``conversations``, turns {"from": "human" or "gpt", "value": text}; the first question holds
``<image>`` somewhere.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lisa_model.llava.tokenizer import IMAGE_TOKEN
from training.data import wording
from training.data.coco import coco_image_id, read_json
from training.data.errors import DataError, reading
from training.data.images import read_image
from training.data.sample import Conversation, Provenance, Sample, no_masks
from training.data.source import Count, Shared

_FAMILY = "vqa"
_FILES = {
    "llava_instruct_150k": "llava_instruct_150k.json",
    "llava_v1_5_mix665k": "llava_v1_5_mix665k.json",
}


@dataclass(frozen=True, kw_only=True)
class VqaOptions:
    """Conversations have no choices."""


class Vqa:
    """A set of conversations; an item is one of them, with all its turns.

    Args:
        name: a key of _FILES.

    Raises:
        DataError: the file is missing, or holds no conversation about an image that may be used.
    """

    family = _FAMILY

    def __init__(self, name: str, shared: Shared, options: VqaOptions) -> None:
        del options
        self.name = name
        self._shared = shared
        self._path = shared.root / "llava_dataset" / _FILES[name]
        values = read_json(self._path)
        if not isinstance(values, list):
            raise DataError(f"{self._path} holds no list of conversations")
        self._entries = values
        text_only = {
            number
            for number, entry in enumerate(values)
            if isinstance(entry, dict) and "image" not in entry
        }
        excluded = {
            number
            for number, entry in enumerate(values)
            if number not in text_only and self._excluded(entry)
        }
        self._items = [k for k in range(len(values)) if k not in text_only and k not in excluded]
        notes = []
        if text_only:
            notes.append(f"{len(text_only)} entries without an image left out")
        if excluded:
            notes.append(
                f"{len(excluded)} conversations on images of refCOCO(+/g) validation and test "
                "left out"
            )
        self.notes = tuple(notes)
        self._with_image = len(values) - len(text_only)
        if not self._items:
            raise DataError(
                f"{self._path} holds no conversation that may be used ({len(values)} entries"
                + "".join(f"; {note}" for note in notes)
                + ")"
            )

    def _image_path(self, name: str) -> Path:
        # mix665k names folders (coco/train2017, gqa/images, ...), 150k only COCO's files.
        if self.name == "llava_instruct_150k":
            return self._shared.root / "coco" / "train2017" / name
        return self._shared.root / name

    def _excluded(self, entry: Any) -> bool:
        name = entry.get("image") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            return False  # broken: found out when it is drawn
        if self.name != "llava_instruct_150k" and not name.startswith("coco/"):
            return False
        return coco_image_id(name) in self._shared.excluded

    def __len__(self) -> int:
        return len(self._items)

    def key(self, index: int) -> str:
        """Place of the entry, and its id."""
        number = self._items[index]
        entry = self._entries[number]
        identity = entry.get("id", "?") if isinstance(entry, dict) else "?"
        return f"{self._path.name}[{number}], id {identity}"

    def sample(self, index: int, rng: random.Random) -> Sample:
        """See :class:`training.data.source.Source`; nothing is random here."""
        del rng
        key = self.key(index)
        with reading(f"{self._path.parent / key}"):
            entry = self._entries[self._items[index]]
            image_file = self._image_path(entry["image"])
            conversation = parse_conversation(entry["conversations"])
        with reading(str(image_file)):
            image = read_image(image_file)
        with reading(f"{self._path.parent / key}"):
            return Sample(
                image_file=image_file,
                image=image,
                conversations=(conversation,),
                masks=no_masks(image),
                provenance=Provenance(family=_FAMILY, set=self.name, key=key),
            )

    def counts(self) -> list[Count]:
        """Conversations, and those with an image."""
        return [
            Count(split="train", what="conversations", found=len(self._entries)),
            Count(split="train", what="conversations with an image", found=self._with_image),
        ]


def parse_conversation(turns: list[dict[str, Any]]) -> Conversation:
    """Questions and answers of LLaVA's turns; the placeholder moves to the front.

    Raises:
        ValueError: the two sides do not take turns, or the placeholder is missing.
        KeyError, TypeError: they are no turns.
    """
    texts = [(str(turn["from"]), turn["value"]) for turn in turns]
    if texts and texts[0][0] != "human":
        texts = texts[1:]  # an opening by the model, which the official reader drops too
    sides = [side for side, _ in texts]
    if not texts or sides != ["human", "gpt"] * (len(texts) // 2):
        raise ValueError(f"turns must go human, gpt, human, ...; got {', '.join(sides[:6])}")
    first = texts[0][1]
    if IMAGE_TOKEN not in first:
        raise ValueError(f"the first question has no {IMAGE_TOKEN}")
    questions = [wording.ask(first.replace(IMAGE_TOKEN, "").strip())]
    questions += [text.strip() for _, text in texts[2::2]]
    return tuple(zip(questions, [text.strip() for _, text in texts[1::2]], strict=True))
