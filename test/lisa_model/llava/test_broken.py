"""A checkpoint with one thing wrong says which: every tensor, every size in config.json."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.checkpoint_shapes import SIZES, lisa_shapes
from benchmarks.full_size_checkpoint import write_checkpoint
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError
from lisa_model.segmenter import ReasoningSegmenter

TENSORS = [key for key in lisa_shapes(SIZES["tiny"]) if not key.endswith("inv_freq")]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folders of a whole checkpoint, its tensors, its config."""
    model, tower = write_checkpoint(
        tmp_path_factory.mktemp("broken"), SIZES["tiny"], dtype=torch.float32
    )
    tensors = torch.load(model / "pytorch_model.bin", weights_only=True)
    return model, tower, tensors, json.loads((model / "config.json").read_text())


@pytest.fixture
def opening(written):
    """A function that opens the checkpoint with other tensors or another config."""
    model, tower, tensors, config = written

    def opening(*, tensors=tensors, config=config):
        torch.save(tensors, model / "pytorch_model.bin")
        (model / "config.json").write_text(json.dumps(config))
        return ReasoningSegmenter.from_pretrained(model, vision_tower=tower)

    return opening


def test_the_whole_checkpoint_opens(opening):
    opening()


def test_a_missing_tensor_is_named_with_its_folder(opening, written):
    for key in TENSORS:
        rest = {name: tensor for name, tensor in written[2].items() if name != key}
        with pytest.raises(WeightsMissingError) as caught:
            opening(tensors=rest)
        assert key in str(caught.value)
        assert str(written[0]) in str(caught.value)


def test_a_tensor_of_the_wrong_shape_is_named_with_its_file(opening, written):
    for key in TENSORS:
        tensor = written[2][key]
        wrong = written[2] | {key: torch.cat([tensor, tensor[:1]])}
        with pytest.raises(WeightsCorruptError) as caught:
            opening(tensors=wrong)
        assert key in str(caught.value)
        assert str(written[0]) in str(caught.value)


@pytest.mark.parametrize("value", [0, -1, 3, 2.5, "many", None, [], 10**9])
@pytest.mark.parametrize(
    "key",
    [
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "rms_norm_eps",
        "max_position_embeddings",
        "mm_vision_select_layer",
    ],
)
def test_a_wrong_size_in_config_json_is_one_clear_error(opening, written, key, value):
    allowed = {
        "mm_vision_select_layer": (0, -1, 3, None),
        "num_key_value_heads": (None,),
        "max_position_embeddings": (3, 10**9, None),
    }
    if value in allowed.get(key, ()):
        opening(config=written[3] | {key: value})
        return
    with pytest.raises(LisaError, match=key):
        opening(config=written[3] | {key: value})
