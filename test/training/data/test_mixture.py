from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import dataset_files as files
import numpy as np
import pytest

from training.data.config import parse_config
from training.data.errors import BadSampleError, DataError, NothingToAskError
from training.data.mixture import Family, Ledger, Mixture, open_ledger, open_mixture
from training.data.sample import Provenance, Sample

IMAGE = np.zeros((2, 2, 3), np.uint8)


class Toy:
    """A set of numbered items, some of them broken or empty."""

    notes = ()

    def __init__(self, name, size=10, *, broken=(), nothing=(), family="semantic"):
        self.name, self.family, self.size = name, family, size
        self.broken, self.nothing = set(broken), set(nothing)

    def __len__(self):
        return self.size

    def key(self, index):
        return f"item {index}"

    def sample(self, index, rng):
        if index in self.broken:
            raise BadSampleError(f"{self.name}-{index}.jpg is cut off")
        if index in self.nothing:
            raise NothingToAskError("nothing here")
        return Sample(
            image_file=Path(f"{index}.jpg"),
            image=IMAGE,
            conversations=((("<image>\nHi", f"Draw {rng.random()}."),),),
            masks=np.zeros((0, 2, 2), np.uint8),
            provenance=Provenance(family=self.family, set=self.name, key=self.key(index)),
        )

    def counts(self):
        return []


def mixture(*families, seed=0, **options):
    made = [Family(name=n, rate=r, sources=tuple(sources)) for n, r, sources in families]
    return Mixture(made, seed=seed, **options)


def described(drawn):
    sample = drawn.sample
    return drawn.step, sample.provenance, sample.conversations, drawn.skipped


def paper(**options):
    return mixture(
        ("semantic", 9.0, [Toy(f"s{k}", 100, broken=range(5)) for k in range(5)]),
        ("referring", 3.0, [Toy("r", 100, family="referring")]),
        ("vqa", 3.0, [Toy("v", 100, family="vqa")]),
        ("reasoning", 1.0, [Toy("q", 100, family="reasoning")]),
        **options,
    )


def test_a_step_depends_on_seed_and_number_alone():
    first = [described(paper().draw(step)) for step in range(60)]
    resumed = [described(paper().draw(step)) for step in range(40, 60)]
    backwards = [described(paper().draw(step)) for step in reversed(range(60))]
    assert first[40:] == resumed
    assert first == backwards[::-1]
    assert len({text for _, _, text, _ in first}) == 60
    other = [described(paper(seed=1).draw(step)) for step in range(60)]
    assert sum(a == b for a, b in zip(first, other, strict=True)) == 0


def test_families_come_by_their_rates_and_sets_equally_often():
    count = 8000
    drawn = [paper().draw(step).sample.provenance for step in range(count)]
    families = Counter(one.family for one in drawn)
    for name, rate in (("semantic", 9), ("referring", 3), ("vqa", 3), ("reasoning", 1)):
        share = rate / 16
        spread = 4 * (share * (1 - share) / count) ** 0.5
        assert families[name] / count == pytest.approx(share, abs=spread), name
    sets = Counter(one.set for one in drawn if one.family == "semantic")
    for k in range(5):
        assert sets[f"s{k}"] / families["semantic"] == pytest.approx(0.2, abs=0.025)


def test_three_broken_items_in_a_thousand_do_not_stop_a_run():
    one = mixture(("semantic", 1.0, [Toy("s", 1000, broken={17, 400, 999})]))
    one.probe()
    ledger = Ledger(max_share=0.01, allowed=10)
    seen = set()
    for step in range(6000):
        drawn = one.draw(step)
        ledger.add(drawn)
        seen.add(drawn.sample.provenance.key)
    assert len(seen) > 900
    assert not seen & {"item 17", "item 400", "item 999"}
    assert {broken.key for broken in ledger.broken} == {"item 17", "item 400", "item 999"}
    text = ledger.text()
    assert text.startswith("3 broken items among 60")
    for k in (17, 400, 999):
        assert text.count(f"s: item {k}: s-{k}.jpg is cut off") == 1
    assert ledger.drawn["s"] > 6000  # those replaced count too


def test_too_many_broken_items_stop_a_run_and_are_listed():
    one = mixture(("semantic", 1.0, [Toy("good", 100), Toy("bad", 100, broken=range(10))]))
    ledger = Ledger(max_share=0.05, allowed=10)

    def run():
        for step in range(3000):
            ledger.add(one.draw(step))

    with pytest.raises(DataError, match=r"max_broken_share = 0\.05") as error:
        run()
    assert str(error.value).startswith("bad: 11 of")
    assert "bad-" in str(error.value)


def test_a_few_broken_items_at_the_start_are_not_yet_too_many():
    ledger = Ledger(max_share=0.0, allowed=2)
    one = mixture(("semantic", 1.0, [Toy("s", 4, broken={0})]))
    for step in range(100):
        drawn = one.draw(step)
        if len(drawn.skipped) == 1 and not ledger.broken:
            ledger.add(drawn)
    assert len(ledger.broken) == 1
    assert Ledger(max_share=0.1, allowed=1).text() == "no broken item among 0 drawn"


def test_the_report_covers_a_run_that_was_interrupted():
    one = mixture(("semantic", 1.0, [Toy("s", 20, broken={3, 4})]))
    whole, first, second = (Ledger(max_share=1.0, allowed=0) for _ in range(3))
    for step in range(200):
        whole.add(one.draw(step))
    for step in range(100):
        first.add(one.draw(step))
    second.restore(json.loads(json.dumps(first.state())))
    for step in range(100, 200):
        second.add(one.draw(step))
    assert second.text() == whole.text()
    assert second.state() == whole.state()
    assert "2 broken items" in whole.text()


def test_a_replacement_comes_from_the_same_set():
    families = (
        ("semantic", 1.0, [Toy("s", 10, broken=range(8))]),
        ("vqa", 1.0, [Toy("v", 10, family="vqa")]),
    )
    drawn = [mixture(*families).draw(step) for step in range(2000)]
    share = sum(one.sample.provenance.set == "s" for one in drawn) / len(drawn)
    assert share == pytest.approx(0.5, abs=0.05)
    assert all(b.set == "s" for one in drawn for b in one.skipped)
    assert all(not one.skipped for one in drawn if one.sample.provenance.set == "v")


def test_items_with_nothing_to_ask_are_replaced_and_not_broken():
    one = mixture(("semantic", 1.0, [Toy("s", 10, nothing=range(5))]))
    drawn = [one.draw(step) for step in range(100)]
    assert all(not step.skipped for step in drawn)
    assert {step.sample.provenance.key for step in drawn} <= {f"item {k}" for k in range(5, 10)}


@pytest.mark.parametrize("fault", ["broken", "nothing"])
def test_an_unusable_set_stops_a_run_at_its_start(fault):
    dead = [Toy(name, 50, **{fault: range(50)}) for name in ("dead", "gone")]
    one = mixture(("semantic", 1e-9, dead), ("vqa", 1.0, [Toy("v")]))
    with pytest.raises(DataError, match="dead is unusable") as error:
        one.probe()
    assert "gone is unusable" in str(error.value)
    assert "lisa data check" in str(error.value)
    if fault == "broken":
        assert "jpg is cut off" in str(error.value)


def test_a_set_that_dies_later_stops_the_run():
    toy = Toy("s", 10)
    one = mixture(("semantic", 1.0, [toy]))
    one.probe()
    toy.broken = set(range(10))
    with pytest.raises(DataError, match="s is unusable: of 100 items drawn, 100 are broken"):
        one.draw(0)


def test_samples_can_be_refused():
    def refuse(sample):
        return "too long" if sample.provenance.key == "item 3" else None

    one = mixture(("semantic", 1.0, [Toy("s", 4)]), refuse=refuse)
    drawn = [one.draw(step) for step in range(100)]
    assert all(step.sample.provenance.key != "item 3" for step in drawn)
    assert {(b.key, b.reason) for step in drawn for b in step.skipped} == {("item 3", "too long")}


def test_a_mixture_of_nothing_is_refused():
    for families in ([], [("vqa", 1.0, [])], [("vqa", 1.0, [Toy("v", 0)])]):
        with pytest.raises(DataError):
            mixture(*families)
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(DataError, match="rate"):
            mixture(("vqa", rate, [Toy("v")]))


def whole_config(root, **changes):
    sets = {
        "semantic": [
            *("ade20k", "cocostuff", "mapillary", "paco_lvis", "pascal_part", "partimagenet")
        ],
        "referring": ["refclef", "refcoco", "refcoco+", "refcocog", "grefcoco"],
        "vqa": ["llava_instruct_150k", "llava_v1_5_mix665k"],
        "reasoning": [
            "reason_seg",
            {"name": "household", "folder": str(root / "household"), "min_area": 10},
        ],
    }
    rates = {"semantic": 9, "referring": 3, "vqa": 3, "reasoning": 1}
    families = {name: {"rate": rates[name], "sets": sets[name]} for name in sets}
    return {"root": str(root), "families": families} | changes


def test_all_sets_together(whole_root):
    config = parse_config(whole_config(whole_root))
    one, ledger = open_mixture(config), open_ledger(config)
    names = set()
    for step in range(400):
        drawn = one.draw(step)
        ledger.add(drawn)
        names.add(drawn.sample.provenance.set)
        file = drawn.sample.image_file.name
        clef = drawn.sample.provenance.set == "refclef"
        assert clef or not any(f"{k:012d}" in file for k in files.COCO_SCORED)
    assert names == {entry.name for family in config.families for entry in family.sets}
    assert ledger.broken == ()


def test_validation_images_can_be_kept(whole_root):
    config = parse_config(whole_config(whole_root, exclude_refer_validation=False))
    one = open_mixture(config)
    images = {one.draw(step).sample.image_file.name for step in range(300)}
    assert any(f"{files.COCO_SCORED[0]:012d}" in name for name in images)


def test_every_missing_set_is_named_at_the_start(tmp_path):
    for name, partition in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")):
        files.refcoco(tmp_path, name, partition)
    with pytest.raises(DataError) as error:
        open_mixture(parse_config(whole_config(tmp_path / "nowhere")))
    assert "exclude_refer_validation" in str(error.value).splitlines()[0]
    assert len(str(error.value).splitlines()) == 16  # the 15 sets as well
    with pytest.raises(DataError) as error:
        open_mixture(parse_config(whole_config(tmp_path)))
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *("ade20k", "cocostuff", "mapillary", "paco_lvis", "pascal_part", "partimagenet"),
        *("refclef", "grefcoco", "llava_instruct_150k", "llava_v1_5_mix665k"),
        *("reason_seg", "household"),
    ]


def test_a_set_whose_files_are_all_broken_stops_at_the_start(tmp_path):
    files.ade20k(tmp_path)
    files.reason_seg(tmp_path)
    for path in (tmp_path / "ade20k" / "images" / "training").iterdir():
        path.write_bytes(b"")
    families = {
        "semantic": {"rate": 1, "sets": ["ade20k"]},
        "reasoning": {"rate": 1000, "sets": ["reason_seg"]},
    }
    config = parse_config(
        {"root": str(tmp_path), "exclude_refer_validation": False, "families": families}
    )
    with pytest.raises(DataError, match="ade20k is unusable") as error:
        open_mixture(config)
    assert "ADE_train_0000000" in str(error.value)
    assert "reason_seg is" not in str(error.value)


def test_a_real_set_with_three_broken_files_in_a_thousand(tmp_path):
    base = tmp_path / "ade20k"
    files.ade20k(tmp_path)
    for part, ending in (("images", "jpg"), ("annotations", "png")):
        folder = base / part / "training"
        data = (folder / f"ADE_train_00000001.{ending}").read_bytes()
        for number in range(3, 1001):
            (folder / f"ADE_train_{number:08d}.{ending}").write_bytes(data)
    images, labels = base / "images" / "training", base / "annotations" / "training"
    (images / "ADE_train_00000100.jpg").write_bytes(b"\xff\xd8 not an image")
    cut = (images / "ADE_train_00000500.jpg").read_bytes()
    (images / "ADE_train_00000500.jpg").write_bytes(cut[:-8])
    (labels / "ADE_train_00000900.png").unlink()
    families = {"semantic": {"rate": 1, "sets": ["ade20k"]}}
    config = parse_config(
        {"root": str(tmp_path), "exclude_refer_validation": False, "families": families}
    )
    one, ledger = open_mixture(config), open_ledger(config)
    rng = random.Random(0)
    for step in (rng.randrange(10**6) for _ in range(3000)):
        ledger.add(one.draw(step))
    broken = {item.key: item.reason for item in ledger.broken}
    assert set(broken) == {f"ADE_train_{k:08d}.jpg" for k in (100, 500, 900)}
    assert "decoded" in broken["ADE_train_00000100.jpg"]
    assert "cut off" in broken["ADE_train_00000500.jpg"]
    assert "ADE_train_00000900.png" in broken["ADE_train_00000900.jpg"]
