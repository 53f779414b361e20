from dataclasses import replace

import pytest

from lisa_model.config import LisaConfig, preset
from training.design.variants import BASE_NAME, TRAINED, VARIANTS, Stage, Variant

TINY = preset("lisa-tiny")


def test_every_variant_belongs_to_a_choice_and_differs_from_all_others():
    assert {row for choice in TRAINED.values() for row in choice.rows} == set(VARIANTS)
    made = [(one.config(), one.frozen_head) for one in VARIANTS.values()]
    assert all(one not in made[:k] for k, one in enumerate(made))
    assert VARIANTS[BASE_NAME].config() == TINY


@pytest.mark.parametrize("name", VARIANTS)
def test_a_configuration_survives_json(name):
    config = VARIANTS[name].config()
    assert LisaConfig.from_dict(config.to_dict()) == config


def test_the_scale_of_lora_stays():
    for name in ("lora_4", "lora_32"):
        lora = VARIANTS[name].config().lora
        assert lora.alpha / lora.rank == TINY.lora.alpha / TINY.lora.rank


def test_a_stage_sees_only_what_it_uses():
    both = Variant(name="x", label="", change={"lora.rank": 3, "mask_head.depth": 1, "concepts": 0})
    lora, head = replace(TINY.lora, rank=3), replace(TINY.mask_head, depth=1)
    assert both.config(Stage.TEXT) == replace(TINY, lora=lora)
    assert both.config(Stage.VISION) == replace(TINY, mask_head=head)
    assert both.config() == replace(TINY, lora=lora, mask_head=head, concepts=0)
    assert both.made_as(Stage.TEXT) == "lora.rank=3"
    assert both.made_as(Stage.VISION) == "mask_head.depth=1"
    assert both.made_as(Stage.JOINT) == "x"
    tokens = VARIANTS["tokens_4x6"]
    assert tokens.made_as(Stage.TEXT) == tokens.made_as(Stage.VISION) == BASE_NAME


def test_a_frozen_head_differs_from_its_rival_in_that_alone():
    first, second = (VARIANTS[row] for row in TRAINED["frozen_head"].rows)
    assert first.config() == second.config()
    assert (first.frozen_head, second.frozen_head) == (False, True)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="patches cannot vary here"):
        Variant(name="x", label="", change={"patches": 3})
    with pytest.raises(ValueError, match="referent_dim must be 0"):
        Variant(name="x", label="", frozen_head=True)
    with pytest.raises(ValueError, match="multiple"):
        Variant(name="x", label="", change={"mask_head.dim": 20}).config()
