"""The lot and the sheet."""

import cv2
import limit_answers as given
import numpy as np
import pytest

from lisa_model.overlay import PALETTE
from lisa_model.rgbd import load_frame
from training.homereason.limits import gallery


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return given.write_frame(tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def failures(path):
    """Ten failures in each of two subsets, two in a third, and a success."""
    out = []
    for subset, count in (("a", 10), ("c", 10), ("d", 2)):
        for k in range(count):
            asked = given.question([1], ["mug"], text=f"mug {subset}{k}", subset=subset)
            out.append(given.answered(path, asked, given.on(2)))
    return [*out, given.answered(path, given.question([1], ["mug"], text="good"), given.on(1))]


def test_subsets_take_turns(failures):
    chosen = gallery.choose(failures, count=8)
    assert [one.question.subset for one in chosen] == [*"aaa", *"ccc", *"dd"]
    assert all(one.failure for one in chosen)
    assert len(gallery.choose(failures, count=99)) == 22


def test_the_lot_depends_on_the_seed_and_not_on_the_order(failures):
    texts = [one.question.text for one in gallery.choose(failures, count=8)]
    assert texts == [one.question.text for one in gallery.choose(failures[::-1], count=8)]
    other = [one.question.text for one in gallery.choose(failures, count=8, seed=1)]
    assert texts != other


def test_what_is_said(path):
    mug, vain = given.question([1], ["mug"]), given.question([], ["kettle"])
    assert gallery.describe(given.answered(path, mug, given.on(2))) == "radio, not mug"
    assert gallery.describe(given.answered(path, vain, given.on(2))) == "radio, though no kettle"
    said = gallery.describe(given.answered(path, mug, given.on(1, 0.25)))
    assert said == "right thing, poor mask: mug"


def test_a_tile_shows_the_answer_and_what_is_meant(path):
    one = given.answered(path, given.question([1], ["mug"], text="word " * 80), given.on(2))
    tile = gallery.tile(one, load_frame(path, depth=False))
    inside = tile[given.TOP + 20, given.THINGS[2][1] + 20].astype(int)
    assert abs(inside - (0.55 * 90 + 0.45 * np.array(PALETTE[0]))).max() < 12
    assert tile[given.TOP + 20, given.THINGS[1][1]].min() > 180  # the outline
    assert abs(tile[given.TOP + 20, given.THINGS[1][1] + 20].astype(int) - 90).max() < 12


def test_the_sheet_is_small(failures, tmp_path):
    gallery.write_gallery(tmp_path / "g.jpg", gallery.choose(failures, count=8))
    picture = cv2.imread(str(tmp_path / "g.jpg"))
    height = gallery.sheet([np.zeros((5, 320, 3), np.uint8)] * 8).shape[0] // 5
    assert height == 2
    assert picture.shape[1] == gallery.COLUMNS * 320
    assert (tmp_path / "g.jpg").stat().st_size < gallery.MOST_BYTES


def test_no_quality_fits(failures, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="take fewer"):
        gallery.write_gallery(tmp_path / "g.jpg", failures[:2])
    assert not (tmp_path / "g.jpg").exists()
    with pytest.raises(ValueError, match="at least one"):
        gallery.sheet([])
