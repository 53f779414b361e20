from __future__ import annotations

import json
import random

import dataset_files as files
import pytest

from training.data.errors import BadSampleError, DataError
from training.data.source import Count, Shared
from training.data.sources.vqa import Vqa, VqaOptions, parse_conversation


def open_set(root, name="llava_instruct_150k", **shared):
    return Vqa(name, Shared(root=root, **shared), VqaOptions())


def test_a_conversation_comes_whole_with_the_placeholder_in_front(tmp_path):
    files.llava_instruct_150k(tmp_path)
    sample = open_set(tmp_path).sample(0, random.Random(0))
    assert sample.conversations == ((("<image>\nWhat is it?", "A cup."), ("Where?", "Left.")),)
    assert sample.image_file == tmp_path / "coco" / "train2017" / "000000000009.jpg"
    assert sample.masks.shape == (0, files.HEIGHT, files.WIDTH)


def test_mix665k_names_folders_and_has_entries_without_an_image(tmp_path):
    files.llava_v1_5_mix665k(tmp_path)
    source = open_set(tmp_path, "llava_v1_5_mix665k", excluded=frozenset(files.COCO_SCORED))
    images = [source.sample(k, random.Random(0)).image_file for k in range(len(source))]
    assert images == [
        tmp_path / "coco" / "train2017" / "000000000009.jpg",
        tmp_path / "gqa" / "images" / "2354786.jpg",
    ]
    assert source.notes[0] == "1 entries without an image left out"
    assert Count(split="train", what="conversations with an image", found=3) in source.counts()


def test_an_opening_of_the_model_is_dropped():
    turns = [{"from": "gpt", "value": "Hello!"}, *files.llava_turns("<image>\nHi", "Hi.")]
    assert parse_conversation(turns) == (("<image>\nHi", "Hi."),)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("text", "llava_instruct_150k"),
        ({"image": "000000000009.jpg"}, "conversations"),
        ({"image": 9, "conversations": []}, "llava_instruct_150k"),
        ({"image": "000000000009.jpg", "conversations": []}, "turns must go"),
        ({"image": "000000000009.jpg", "conversations": files.llava_turns("<image>")}, "turns"),
        (
            {"image": "000000000009.jpg", "conversations": files.llava_turns("Hi", "Hello.")},
            "no <image>",
        ),
        (
            {"image": "000000000009.jpg", "conversations": [{"from": "human"}]},
            "value",
        ),
        (
            {"image": "000000000009.jpg", "conversations": files.llava_turns("<image>a", None)},
            "NoneType",
        ),
        (
            {"image": "000000000009.jpg", "conversations": files.llava_turns("<image>a", "b</s>")},
            "</s>",
        ),
        (
            {"image": "000000000009.jpg", "conversations": files.llava_turns("<image>a", "[SEG]")},
            "0 masks",
        ),
        (
            {
                "image": "000000000009.jpg",
                "conversations": files.llava_turns("<image>a", "b", "<image>c", "d"),
            },
            "<image>",
        ),
    ],
)
def test_a_broken_entry_is_named_by_its_place(tmp_path, entry, said):
    files.llava_instruct_150k(tmp_path)
    path = tmp_path / "llava_dataset" / "llava_instruct_150k.json"
    files.write_json(path, [*json.loads(path.read_text())[:1], entry])
    source = open_set(tmp_path)
    source.sample(0, random.Random(0))
    with pytest.raises(BadSampleError, match=r"llava_instruct_150k\.json\[1\]") as error:
        source.sample(1, random.Random(0))
    assert said in str(error.value)


def test_text_alone_is_no_set_for_a_model_that_sees(tmp_path):
    talk = [{"id": "d", "conversations": files.llava_turns("Tell me a joke.", "No.")}]
    files.write_json(tmp_path / "llava_dataset" / "llava_v1_5_mix665k.json", talk)
    with pytest.raises(DataError, match="1 entries without an image"):
        open_set(tmp_path, "llava_v1_5_mix665k")
    files.write_json(tmp_path / "llava_dataset" / "llava_v1_5_mix665k.json", {"a": 1})
    with pytest.raises(DataError, match="no list"):
        open_set(tmp_path, "llava_v1_5_mix665k")
