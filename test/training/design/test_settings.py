import pytest

from lisa_model.config import preset
from training.design.choice import Choice
from training.design.settings import INFERENCE, OWN, SETTINGS, Setting


def test_every_setting_belongs_to_a_choice_and_differs_from_the_model_s_own():
    assert {row for choice in INFERENCE.values() for row in choice.rows} == set(SETTINGS)
    config = preset("lisa-tiny")
    outcomes = []
    for one in SETTINGS.values():
        assert all(getattr(config, name) != value for name, value in one.change.items()), one.name
        assert one.as_dict() not in outcomes, one.name
        outcomes.append(one.as_dict())
    assert all(choice.rows[0] == OWN.name for choice in INFERENCE.values())


def test_only_a_prompt_s_blend_needs_a_codebook():
    needing = {name for name, one in SETTINGS.items() if one.needs_codebook}
    assert needing == set(INFERENCE["presence"].rows) - {OWN.name}


def test_mistakes_are_named():
    def refused(match, **changes):
        with pytest.raises(ValueError, match=match):
            Setting(name="x", label="", **changes)

    refused("visual_tokens cannot be changed after training", change={"visual_tokens": 3})
    refused("patches must be at least 1", change={"patches": 0})
    refused("zoom_candidates must be at least 0", change={"zoom_candidates": -1})
    refused("presence", presence=-1.0)
    refused("dtype", dtype="float16")
    for rows in (("own",), ("own", "own")):
        with pytest.raises(ValueError, match="two or more different rows"):
            Choice(name="x", title="", rows=rows)
