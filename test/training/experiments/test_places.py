import json

import pytest

from training.experiments.errors import ExperimentError
from training.experiments.places import Places, parse_places
from training.experiments.runs import Run

RUN = Run(
    id="seed3/joint/x",
    stage="joint",
    seed=3,
    needs=("seed3/vision/base", "seed3/text/lora.rank=4"),
    settings={},
)


def places(folder, **more):
    return Places(
        work=folder / "work",
        frames=folder,
        features=folder / "features",
        questions=(folder / "train.jsonl",),
        scored=folder,
        **more,
    )


def test_they_survive_json(tmp_path):
    for one in (places(tmp_path), places(tmp_path, own_vision="v{seed}", compiled=False)):
        assert parse_places(json.loads(json.dumps(one.as_dict()))) == one


def test_they_find_what_a_run_is_made_from(tmp_path):
    here = places(tmp_path)
    assert here.text(RUN) == here.work / "seed3" / "text" / "lora.rank=4" / "text.pt"
    assert here.vision(RUN) == here.work / "seed3" / "vision" / "base" / "vision.pt"
    with pytest.raises(ExperimentError, match="made from no joint stage"):
        here.joint(RUN)


def test_an_own_vision_stage_is_that_of_the_seed(tmp_path):
    own = places(tmp_path, own_vision=f"{tmp_path}/seed{{seed}}/v.pt")
    assert own.vision(RUN) == tmp_path / "seed3" / "v.pt"
