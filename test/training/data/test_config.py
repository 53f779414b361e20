from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from training.data.config import parse_config, read_config
from training.data.errors import ConfigError
from training.data.sources.reason_seg import ReasonSegOptions
from training.data.sources.refer import ReferOptions

PAPER = Path(__file__).parents[3] / "config" / "data" / "lisa_paper.yaml"


def minimal(**changes):
    values = {
        "root": "dataset",
        "families": {"reasoning": {"rate": 1, "sets": ["reason_seg"]}},
    }
    return values | changes


def one_set(entry, family="reasoning"):
    return minimal(families={family: {"rate": 1, "sets": [entry]}})


def test_the_example_is_the_papers_mixture():
    config = read_config(PAPER)
    assert {one.name: one.rate for one in config.families} == {
        "semantic": 9.0,
        "referring": 3.0,
        "vqa": 3.0,
        "reasoning": 1.0,
    }
    names = {one.name: [entry.name for entry in one.sets] for one in config.families}
    assert names["semantic"] == ["ade20k", "cocostuff", "pascal_part", "paco_lvis", "mapillary"]
    assert names["referring"] == ["refclef", "refcoco", "refcoco+", "refcocog"]
    assert config.general.categories_per_image == 3
    assert config.general.exclude_refer_validation
    for family in config.families:
        for one in family.sets:
            assert one.options == type(one.options)()  # the defaults are the paper's choices


def test_what_the_example_offers_in_comments_is_understood():
    lines = PAPER.read_text().splitlines()
    options = {
        "semantic": [
            {"name": "ade20k", "several": 0.2, "false_premise": 0.1, "leave_out": ["sky"]}
        ],
        "referring": [{"name": "grefcoco", "several": "each", "no_target": "refuse"}],
    }
    for family, (entry,) in options.items():
        for key in entry:
            assert any(line.lstrip(" #-").startswith(f"{key}:") for line in lines), key
        parse_config(one_set(entry, family))
    for name, family in (("partimagenet", "semantic"), ("household", "reasoning")):
        assert any(f"# - {name}" in line for line in lines)
        parse_config(one_set(name, family))


def test_options_reach_their_set():
    config = parse_config(one_set({"name": "reason_seg", "splits": ["train", "val"]}))
    assert config.families[0].sets[0].options == ReasonSegOptions(splits=("train", "val"))
    config = parse_config(one_set({"name": "grefcoco", "several": "each"}, "referring"))
    assert config.families[0].sets[0].options == ReferOptions(several="each")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (None, "mapping"),
        ([], "mapping"),
        ({"families": {}}, "root is missing"),
        (minimal(sead=1), "sead is unknown"),
        (minimal(seed=1.5), "seed must be int"),
        (minimal(seed=True), "seed must be int"),
        (minimal(root=5), "root must be Path"),
        (minimal(exclude_refer_validation="yes"), "exclude_refer_validation must be bool"),
        (minimal(max_broken_share=2), "max_broken_share must be between"),
        (minimal(broken_allowed=-1), "broken_allowed"),
        (minimal(categories_per_image=0), "categories_per_image must be at least 1"),
        (minimal(families=None), "families is missing or empty"),
        (minimal(families={"sem_seg": {}}), "families.sem_seg is unknown"),
        (minimal(families={"vqa": {"rate": 1}}), "families.vqa.sets must be a list"),
        (minimal(families={"vqa": {"rate": 1, "sets": []}}), "at least one"),
        (minimal(families={"vqa": {"sets": ["x"]}}), "families.vqa.rate must be float"),
        (
            minimal(families={"vqa": {"rate": 0, "sets": ["llava_instruct_150k"]}}),
            "families.vqa.rate must be above 0",
        ),
        (
            minimal(families={"vqa": {"rate": float("nan"), "sets": ["llava_instruct_150k"]}}),
            "families.vqa.rate must be above 0",
        ),
        (
            minimal(families={"vqa": {"rate": 1, "sets": ["a"], "x": 1}}),
            "families.vqa.x is unknown",
        ),
        (one_set("ade20k"), r"families.reasoning.sets\[0\].name must be one of reason_seg, house"),
        (one_set({"splits": ["train"]}), r"sets\[0\].name must be one of"),
        (one_set({"name": "reason_seg", "split": "train"}), r"sets\[0\].split is unknown"),
        (one_set({"name": "reason_seg", "splits": "train"}), r"sets\[0\].splits must be a list"),
        (one_set({"name": "reason_seg", "splits": ["x"]}), r"sets\[0\]: splits must name"),
        (one_set({"name": "reason_seg", "explanatory": "a"}), r"explanatory must be float"),
        (
            one_set({"name": "grefcoco", "several": "all"}, "referring"),
            r"several must be one of union, each",
        ),
        (
            one_set({"name": "llava_instruct_150k", "x": 1}, "vqa"),
            r"sets\[0\].x is unknown; nothing can be set here",
        ),
        (
            minimal(families={"vqa": {"rate": 1, "sets": ["llava_instruct_150k"] * 2}}),
            "names llava_instruct_150k twice",
        ),
    ],
)
def test_mistakes_are_named(values, said):
    with pytest.raises(ConfigError, match=said):
        parse_config(values)


def test_a_file_is_named_in_its_mistakes(tmp_path):
    path = tmp_path / "c.yaml"
    with pytest.raises(ConfigError, match=r"c\.yaml is missing"):
        read_config(path)
    path.write_text("root: [")
    with pytest.raises(ConfigError, match=r"c\.yaml is not YAML"):
        read_config(path)
    path.write_text(yaml.safe_dump(minimal(sead=1)))
    with pytest.raises(ConfigError, match=r"c\.yaml: sead"):
        read_config(path)
    path.write_text("!!python/object/apply:os.mkdir ['owned']\n")
    with pytest.raises(ConfigError, match="not YAML"):
        read_config(path)
