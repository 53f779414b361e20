import json
from dataclasses import replace

import pytest

from lisa_model.config import LisaConfig, LoraConfig, MaskHeadConfig, preset


def test_config_survives_json():
    config = preset("lisa-tiny")
    assert LisaConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_unknown_preset_names_the_known_ones():
    with pytest.raises(ValueError, match="lisa-tiny"):
        preset("lisa-huge")


def test_unknown_key_is_refused():
    with pytest.raises(TypeError, match="colour"):
        LisaConfig.from_dict(preset("lisa-tiny").to_dict() | {"colour": 1})


def test_sizes_are_checked():
    with pytest.raises(ValueError, match=r"mask_head\.dim"):
        MaskHeadConfig(dim=100, num_heads=8)
    with pytest.raises(ValueError, match=r"lora\.rank"):
        LoraConfig(rank=0)
    with pytest.raises(ValueError, match=r"mask_head\.align_dim"):
        MaskHeadConfig(align_dim=0)
    for share in (-0.1, 1.0):
        with pytest.raises(ValueError, match=r"mask_head\.align_dropout"):
            MaskHeadConfig(align_dropout=share)


@pytest.mark.parametrize("layers", [(0, 6), (9, 6), (6, 6)])
def test_blocks_are_numbered_from_one_in_order(layers):
    with pytest.raises(ValueError, match="vision_layers"):
        LisaConfig.from_dict(preset("lisa-tiny").to_dict() | {"vision_layers": layers})


@pytest.mark.parametrize(
    ("field", "value"), [("presence_weight", -0.5), ("presence_cell", 0), ("reference_floor", -0.1)]
)
def test_what_counts_is_checked(field, value):
    with pytest.raises(ValueError, match=f"{field} must be at least"):
        replace(preset("lisa-tiny"), **{field: value})
