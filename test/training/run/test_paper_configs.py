"""config/train/paper: what each row of the paper's tables changes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from training.data.config import read_config
from training.run.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
PAPER = ROOT / "config" / "train" / "paper"
DATA = ROOT / "config" / "data" / "paper"
BASE = read_settings(ROOT / "config" / "train" / "lisa_7b.yaml").plain()

SEMANTIC = ["ade20k", "cocostuff", "pascal_part", "paco_lvis", "partimagenet"]
REFERRING = ["refclef", "refcoco", "refcoco+", "refcocog"]
VQA = ["llava_instruct_150k"]
EVERYTHING = [*SEMANTIC, *REFERRING, *VQA, "reason_seg"]
_13B = {"model.checkpoint": "weights/LISA-13B-start"}
_LLAVA_1_5 = {
    "model.checkpoint": "weights/LISA-7B-LLaVA1.5-start",
    "model.vision_tower": "weights/clip-vit-large-patch14-336",
    "model.max_length": 832,
}
_MASK2FORMER = {
    "model.checkpoint": "weights/LISA-7B-mask2former-start",
    "vision.backbone": "mask2former",
}
_LORA = {"vision.train": "lora"}

# File -> what differs from config/train/lisa_7b.yaml beside data and out, and the data.
ROWS = {
    "table1_lisa_7b": ({}, "no_reason_seg"),
    "table1_lisa_7b_ft": ({}, "all"),
    "table1_lisa_13b": (_13B, "no_reason_seg"),
    "table1_lisa_13b_ft": (_13B, "all"),
    "table1_lisa_7b_llava1_5": (_LLAVA_1_5, "llava_1_5_no_reason_seg"),
    "table1_lisa_7b_llava1_5_ft": (_LLAVA_1_5, "llava_1_5"),
    "table1_lisa_13b_llava1_5": (
        _LLAVA_1_5 | {"model.checkpoint": "weights/LISA-13B-LLaVA1.5-start"},
        "llava_1_5_no_reason_seg",
    ),
    "table1_lisa_13b_llava1_5_ft": (
        _LLAVA_1_5 | {"model.checkpoint": "weights/LISA-13B-LLaVA1.5-start"},
        "llava_1_5",
    ),
    "table2_lisa_7b": ({}, "no_reason_seg"),
    "table2_lisa_7b_refer": ({"model.checkpoint": "weights/table1_lisa_7b"}, "referring"),
    "table3_mask2former": (_MASK2FORMER, "no_reason_seg"),
    "table3_sam_lora": (_LORA, "no_reason_seg"),
    "table3_sam": ({}, "no_reason_seg"),
    "table3_mask2former_ft": (_MASK2FORMER, "all"),
    "table3_sam_lora_ft": (_LORA, "all"),
    "table3_sam_ft": ({}, "all"),
    "table4_1_no_sam_pretraining": ({"vision.train": "all", "vision.start": "random"}, "all"),
    "table4_2_no_rephrasing": ({}, "no_rephrasing"),
    "table4_3_both": ({}, "all"),
    "table5_1_no_ade20k": ({}, "no_ade20k"),
    "table5_2_no_cocostuff": ({}, "no_cocostuff"),
    "table5_3_no_parts": ({}, "no_parts"),
    "table5_4_parts_only": ({}, "parts_only"),
    "table5_5_no_semantic": ({}, "no_semantic"),
    "table5_6_no_referring": ({}, "no_referring"),
    "table5_7_no_reason_seg": ({}, "no_reason_seg"),
    "table5_8_all": ({}, "all"),
    "table6_train": (_13B, "all"),
    "table6_train_val": (_13B | {"validation.folder": ""}, "train_val"),
    "gamma_linear": ({"model.gamma": "linear"}, "all"),
    "dinov2": (
        {"model.checkpoint": "weights/LISA-7B-dinov2-start", "vision.backbone": "dinov2"},
        "all",
    ),
}
# Rows that are the run of another row.
SAME = {
    "table2_lisa_7b": "table1_lisa_7b",
    "table3_sam": "table1_lisa_7b",
    "table3_sam_ft": "table1_lisa_7b_ft",
    "table4_3_both": "table1_lisa_7b_ft",
    "table5_7_no_reason_seg": "table1_lisa_7b",
    "table5_8_all": "table1_lisa_7b_ft",
    "table6_train": "table1_lisa_13b_ft",
}
SETS = {
    "all": EVERYTHING,
    "no_reason_seg": EVERYTHING[:-1],
    "no_rephrasing": EVERYTHING,
    "no_ade20k": [one for one in EVERYTHING if one != "ade20k"],
    "no_cocostuff": [one for one in EVERYTHING if one != "cocostuff"],
    "no_parts": ["ade20k", "cocostuff", *EVERYTHING[5:]],
    "parts_only": EVERYTHING[2:],
    "no_semantic": EVERYTHING[5:],
    "no_referring": [*SEMANTIC, *VQA, "reason_seg"],
    "train_val": EVERYTHING,
    "referring": REFERRING,
    "llava_1_5": [*SEMANTIC, *REFERRING, "llava_v1_5_mix665k", "reason_seg"],
    "llava_1_5_no_reason_seg": [*SEMANTIC, *REFERRING, "llava_v1_5_mix665k"],
}


def flat(values, where=""):
    out = {}
    for key, value in values.items():
        place = f"{where}{key}"
        out |= flat(value, f"{place}.") if isinstance(value, dict) else {place: value}
    return out


def test_every_row_is_checked_here():
    assert {path.stem for path in PAPER.glob("*.yaml")} == set(ROWS)
    assert {path.stem for path in DATA.glob("*.yaml")} == set(SETS)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_changes_what_it_is_about_and_nothing_else(name):
    plain, base = (flat(one) for one in (read_settings(PAPER / f"{name}.yaml").plain(), BASE))
    assert set(plain) == set(base)
    changed = {key: value for key, value in plain.items() if value != base[key]}
    wanted, data = ROWS[name]
    assert changed.pop("data") == f"config/data/paper/{data}.yaml"
    assert changed.pop("out") == f"out/paper/{SAME.get(name, name)}"
    assert changed == wanted


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_small(name):
    values = yaml.safe_load((PAPER / f"{name}.yaml").read_text())
    assert "base" in values
    assert len(flat(values)) <= 6
    if name in SAME:
        assert list(values) == ["base"]


@pytest.mark.parametrize("name", SETS)
def test_the_data_of_a_row(name):
    config = read_config(DATA / f"{name}.yaml")
    assert [one.name for family in config.families for one in family.sets] == SETS[name]
    rates = {"semantic": 9.0, "referring": 3.0, "vqa": 3.0, "reasoning": 1.0}
    assert all(family.rate == rates[family.name] for family in config.families)
    for family in config.families:
        for one in family.sets:
            if one.name == "reason_seg":
                splits = ("train", "val") if name == "train_val" else ("train",)
                assert one.options.splits == splits
                assert bool(one.options.rephrased) == (name != "no_rephrasing")
                assert one.options.limit == 0
            else:
                assert one.options == type(one.options)()


def test_the_index_names_every_row():
    index = (ROOT / "docs" / "ablations.md").read_text()
    for name in ROWS:
        assert f"`{name}`" in index, name
    for name in SETS:
        assert f"`{name}`" in index, name
