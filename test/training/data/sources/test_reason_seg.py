from __future__ import annotations

import random
from collections import Counter

import cv2
import dataset_files as files
import numpy as np
import pytest
from vectors import each_set

from lisa_model.llava import templates
from training.data.errors import BadSampleError, DataError
from training.data.images import read_image
from training.data.rephrase.document import Document, Item, Origin, Paraphrase, write_document
from training.data.source import Count, Shared
from training.data.sources.reason_seg import ReasonSeg, ReasonSegOptions
from training.official.reason_seg import read_item

OUTPUTS = "The cup is insulated."


def open_set(root, **options):
    return ReasonSeg(Shared(root=root), ReasonSegOptions(**options))


def test_sentences_are_asked_long_and_phrases_short(tmp_path):
    files.reason_seg(tmp_path)
    source = open_set(tmp_path, explanatory=-1.0)
    assert [source.key(k) for k in range(2)] == ["train/one.jpg", "train/two.jpg"]
    longs, shorts = (
        {turns[0][0] for seed in range(40) for turns in drawn(source, k, seed).conversations}
        for k in range(2)
    )
    texts = ("What keeps the coffee warm?", "Find the cup!")
    assert longs == {
        f"<image>\n{one.format(sent=text)}" for one in templates.LONG_QUESTIONS for text in texts
    }
    assert shorts == {
        f"<image>\n{one.format(class_name='the lid')}" for one in templates.SHORT_QUESTIONS
    }


def drawn(source, index, seed):
    return source.sample(index, random.Random(seed))


def test_all_questions_have_the_same_mask_and_the_ignored_area_is_kept(tmp_path):
    files.reason_seg(tmp_path)
    sample = drawn(open_set(tmp_path, explanatory=-1.0), 0, 0)
    target = files.box_mask(4, 4, 21, 21)  # the outline belongs to the polygon
    hole = files.box_mask(10, 10, 15, 15)
    assert len(sample.masks) == 2
    for mask in sample.masks:
        np.testing.assert_array_equal(mask, target - hole)
    np.testing.assert_array_equal(sample.ignore, hole == 1)


def kind(sample):
    """How an image with an explanation is asked about; the same for all its questions."""
    found = set()
    for ((question, answer),) in sample.conversations:
        if answer == OUTPUTS:
            assert "segmentation mask" not in question
            found.add("words")
        elif answer.endswith(OUTPUTS):
            assert question.endswith(templates.EXPLANATORY_QUESTIONS)
            assert answer.removesuffix(" " + OUTPUTS) in templates.ANSWERS
            found.add("both")
        else:
            assert answer in templates.ANSWERS
            found.add("mask")
    (one,) = found
    assert len(sample.masks) == (0 if one == "words" else len(sample.conversations))
    return one


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_explanations_come_as_often_as_they_should(tmp_path, share):
    files.reason_seg(tmp_path)
    source = open_set(tmp_path, explanatory=share)
    count = 400
    kinds = Counter(kind(drawn(source, 0, seed)) for seed in range(count))
    assert kinds["words"] / count == pytest.approx(share, abs=0.05)
    assert kinds["both"] / count == pytest.approx((1 - share) / 2, abs=0.08)
    without = {kind(drawn(source, 1, seed)) for seed in range(20)}
    assert without == {"mask"}


def test_splits_can_be_joined_and_all_are_counted(tmp_path):
    files.reason_seg(tmp_path)
    source = open_set(tmp_path, splits=("train", "val"))
    assert len(source) == 3
    numbers = {(one.split, one.what): one.found for one in source.counts()}
    assert numbers == {
        ("train", "images"): 2,
        ("val", "images"): 1,
        ("test", "images"): 1,
        ("explanatory", "explanations"): 1,
    }
    assert Count(split="val", what="images", found=1) in source.counts()
    for splits in ((), ("training",)):
        with pytest.raises(ValueError, match="splits must name some of train, val, test"):
            ReasonSegOptions(splits=splits)


def test_explanations_are_needed_unless_they_are_switched_off(tmp_path):
    files.reason_seg(tmp_path)
    path = tmp_path / "reason_seg" / "ReasonSeg" / "explanatory" / "train.json"
    files.write_json(path, [{"image": "one.jpg", "outputs": OUTPUTS}, {"image": "x"}, 7])
    assert len(open_set(tmp_path).notes) == 2
    for broken in ([], {"a": 1}, [{"image": "one.jpg"}]):
        files.write_json(path, broken)
        with pytest.raises(DataError, match="no explanation"):
            open_set(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="explanatory: -1"):
        open_set(tmp_path)
    assert len(open_set(tmp_path, explanatory=-1.0)) == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "one.json"),
        (b"{", "not JSON"),
        (b'{"text": ["a"], "is_sentence": true}', "shapes"),
        (b'{"text": [], "is_sentence": true, "shapes": []}', "text is empty"),
        (b'{"text": ["a </s>"], "is_sentence": true, "shapes": []}', "</s>"),
    ],
)
def test_a_broken_annotation_is_named(tmp_path, data, said):
    files.reason_seg(tmp_path)
    path = tmp_path / "reason_seg" / "ReasonSeg" / "train" / "one.json"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BadSampleError, match=r"one\.json") as error:
        drawn(open_set(tmp_path, explanatory=-1.0), 0, 0)
    assert said in str(error.value)
    drawn(open_set(tmp_path, explanatory=-1.0), 1, 0)


@each_set()
def test_the_recorded_mini_set_is_read(vectors):
    root = vectors.folder / "mini"
    if not root.is_dir():
        pytest.skip(f"{vectors.name} has no mini ReasonSeg here; set LISA_VECTORS")
    source = open_set(root, splits=("val",), explanatory=-1.0)
    assert len(source) == len(vectors.meta["val"]["records"])
    for index in range(len(source)):
        sample = drawn(source, index, 0)
        item = read_item(sample.image_file, *sample.image.shape[:2])
        np.testing.assert_array_equal(sample.image, read_image(sample.image_file))
        np.testing.assert_array_equal(sample.masks[0], item.mask == 1)
        assert cv2.imread(str(sample.image_file)) is not None


def rephrased(root, **flags):
    """A file with two paraphrases of the first text; flags are their ``accepted``."""
    paraphrases = tuple(
        Paraphrase(text=text, accepted=flags.get(text)) for text in ("wording1?", "wording2?")
    )
    item = Item(
        source="train/one.json",
        sha256="0" * 64,
        text="What keeps the coffee warm?",
        is_sentence=True,
        paraphrases=paraphrases,
        dropped={},
    )
    origin = Origin(model="m", prompt={}, count=2, temperature=0.7, seed=0)
    path = root / "rephrased.json"
    write_document(path, Document(origin=origin, items={"train/one.jpg#0": item}))
    return str(path)


def asked(source, index=0, seeds=range(200)):
    """How often each wording is asked for."""
    found = Counter()
    for seed in seeds:
        for turns in drawn(source, index, seed).conversations:
            words = turns[0][0].removeprefix("<image>\n")
            found[next((t for t in TEXTS if words.startswith(t)), words)] += 1
    return found


TEXTS = ("What keeps the coffee warm?", "Find the cup!", "wording1?", "wording2?")


def test_one_of_the_wordings_is_asked_each_equally_often(tmp_path):
    files.reason_seg(tmp_path)
    source = open_set(tmp_path, explanatory=-1.0, rephrased=rephrased(tmp_path))
    found = asked(source)
    assert found["Find the cup!"] == 200  # of which there is no other wording
    assert sum(found.values()) == 400
    assert all(40 < found[text] < 95 for text in (TEXTS[0], *TEXTS[2:]))
    assert asked(source) == found  # by the draw's own random numbers
    assert len(asked(source, 1)) == len(templates.SHORT_QUESTIONS)


@pytest.mark.parametrize(
    ("flags", "require", "left"),
    [
        ({"wording1?": False}, False, {"wording2?"}),
        ({"wording1?": True}, False, {"wording1?", "wording2?"}),
        ({"wording1?": True}, True, {"wording1?"}),
        ({}, True, set()),
    ],
)
def test_rejected_wordings_are_never_asked(tmp_path, flags, require, left):
    files.reason_seg(tmp_path)
    path = rephrased(tmp_path, **flags)
    source = open_set(tmp_path, explanatory=-1.0, rephrased=path, require_accepted=require)
    assert set(asked(source, seeds=range(60))) == {*TEXTS[:2], *left}


def test_without_the_file_draws_are_as_they_were(tmp_path):
    """The choice of a wording must not move other random choices."""
    files.reason_seg(tmp_path)
    usual = open_set(tmp_path)
    path = rephrased(tmp_path, **{"wording1?": False, "wording2?": False})
    same = open_set(tmp_path, rephrased=path)
    for seed in range(20):
        assert drawn(usual, 0, seed).conversations == drawn(same, 0, seed).conversations


def test_a_file_of_another_text_is_noticed(tmp_path):
    files.reason_seg(tmp_path)
    path = tmp_path / "reason_seg" / "ReasonSeg" / "train" / "one.json"
    path.write_text(path.read_text().replace("coffee", "tea"))
    source = open_set(tmp_path, explanatory=-1.0, rephrased=rephrased(tmp_path))
    with pytest.raises(
        BadSampleError, match=r"one\.jpg#0 is about .*coffee.*annotation says .*tea"
    ):
        drawn(source, 0, 0)
    with pytest.raises(DataError, match=r"nothing\.json is missing; `lisa data rephrase` makes it"):
        open_set(tmp_path, rephrased=str(tmp_path / "nothing.json"))


def test_only_so_many_images(tmp_path):
    files.reason_seg(tmp_path)
    splits = ("train", "val", "test")
    every = open_set(tmp_path, splits=splits)
    some = open_set(tmp_path, splits=splits, limit=2)
    assert [every.key(k) for k in (0, 2)] == [some.key(k) for k in range(len(some))]
    assert len(open_set(tmp_path, splits=splits, limit=9)) == len(every)
    with pytest.raises(ValueError, match="limit must not be negative"):
        ReasonSegOptions(limit=-1)
    with pytest.raises(ValueError, match="require_accepted needs rephrased"):
        ReasonSegOptions(require_accepted=True)
