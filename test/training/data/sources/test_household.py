from __future__ import annotations

import json
import random

import dataset_files as files
import pytest

from training.data.errors import BadSampleError, NothingToAskError
from training.data.source import Shared
from training.data.sources.household import Household, HouseholdOptions
from training.household.taxonomy import load_categories, purposes

THINGS = ("mug", "tv_remote", "laptop")  # ids 1, 2, 3


def open_set(root, **options):
    options = {"folder": root / "household", "min_area": 10} | options
    return Household(Shared(root=root), HouseholdOptions(**options))


def samples(source, draws=40):
    return [source.sample(0, random.Random(seed)) for seed in range(draws)]


def thing_of(mask):
    """Category of a mask, by its first pixel."""
    return {2 * 40 + 2: "mug", 2 * 40 + 20: "tv_remote", 18 * 40 + 4: "laptop"}[int(mask.argmax())]


def test_things_are_named_when_nothing_is_implicit(tmp_path):
    files.household(tmp_path)
    source = open_set(tmp_path, implicit=0.0, several=0.0, false_premise=0.0)
    for sample in samples(source):
        assert len(sample.conversations) == len(sample.masks) == 3
        for ((question, _),), mask in zip(sample.conversations, sample.masks, strict=True):
            names = load_categories()[thing_of(mask)].names
            assert any(name.lower() in question.lower() for name in names), question


def test_purposes_are_those_of_the_training_split(tmp_path):
    files.household(tmp_path)
    source = open_set(tmp_path, implicit=1.0, several=0.0, false_premise=0.0)
    kinds = ("implicit_short", "implicit_long", "imperative")
    for sample in samples(source):
        for ((question, _),), mask in zip(sample.conversations, sample.masks, strict=True):
            phrases = [p for kind in kinds for p in purposes(thing_of(mask), "train", kind)]
            assert any(phrase.rstrip(".?!") in question for phrase in phrases), question


def test_a_request_for_a_mask_is_made_once(tmp_path):
    files.household(tmp_path)
    source = open_set(tmp_path, several=0.0, false_premise=0.0)
    for sample in samples(source, 100):
        for turns in sample.conversations:
            assert turns[0][0].lower().count("segment") == 1, turns


def test_several_things_at_once(tmp_path):
    files.household(tmp_path)
    for sample in samples(open_set(tmp_path, several=1.0, false_premise=0.0)):
        ((_, answer),) = sample.conversations[0]
        assert answer.count("[SEG]") == len(sample.masks) == 3
    for sample in samples(open_set(tmp_path, several=1.0, implicit=0.0, false_premise=0.0)):
        ((question, _),) = sample.conversations[0]
        places = [
            max(question.find(name) for name in load_categories()[thing_of(mask)].names)
            for mask in sample.masks
        ]
        assert places == sorted(places)
        assert places[0] > 0


def test_a_false_premise_is_really_absent(tmp_path):
    files.household(tmp_path)
    categories = load_categories()
    hidden = [one for one in categories.values() if "BY52" in one.models]
    assert hidden  # models of the scene that no instance shows
    there = [categories[one] for one in THINGS]
    groups = {one.group for one in there} - {""}
    taken = {n for c in categories.values() if c.group in groups for n in c.names}
    taken |= {n for c in [*there, *hidden] for n in c.names}
    for sample in samples(open_set(tmp_path, false_premise=1.0, several=0.0), 300):
        ((_, answer),) = sample.conversations[-1]
        assert "[SEG]" not in answer
        assert len(sample.masks) == len(sample.conversations) - 1 == 2
        absent = [n for c in categories.values() for n in c.names if f'"{n.lower()}"' in answer]
        assert absent
        assert not set(absent) <= taken


def meta_file(root):
    return root / "household" / "train" / "train_00000_0.json"


def test_a_frame_of_things_too_small_to_ask_for_is_sound(tmp_path):
    files.household(tmp_path)
    with pytest.raises(NothingToAskError, match="train_00000_0"):
        open_set(tmp_path, min_area=10_000).sample(0, random.Random(0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"instances": [{"id": 1}]}, "category"),
        ({"instances": None}, "train_00000_0.json"),
        (
            {
                "instances": [
                    {
                        "id": 1,
                        "category": "unicorn",
                        "box_xyxy": [0, 0, 1, 1],
                        "area": 99,
                        "point_m": [0, 0, 1],
                    }
                ]
            },
            "unicorn",
        ),
    ],
)
def test_a_broken_frame_is_named(tmp_path, change, said):
    files.household(tmp_path)
    path = meta_file(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadSampleError, match=r"train_00000_0\.json") as error:
        open_set(tmp_path).sample(0, random.Random(0))
    assert said in str(error.value)


def test_ids_of_another_size_are_named(tmp_path):
    files.household(tmp_path)
    path = tmp_path / "household" / "train" / "train_00000_0.ids.png"
    files.write_labels(path, files.box_mask(0, 0, 2, 2)[:20])
    with pytest.raises(BadSampleError, match="train_00000_0"):
        open_set(tmp_path).sample(0, random.Random(0))


@pytest.mark.parametrize(
    "options", [{"implicit": 1.5}, {"several": -0.1}, {"false_premise": 2.0}, {"min_area": 0}]
)
def test_impossible_choices_are_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        HouseholdOptions(**options)
