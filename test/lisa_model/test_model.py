import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from lisa_model.config import CONFIG_FILE, WEIGHTS_FILE
from lisa_model.errors import WeightsCorruptError, WeightsMissingError
from lisa_model.model import CHECKSUM_FILE, LisaModel, sha256
from lisa_model.segmenter import ReasoningSegmenter
from lisa_model.tiny_segmenter import WEIGHTS

pytestmark = pytest.mark.model


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(WEIGHTS / "lisa-tiny", tmp_path / "model")
    return tmp_path / "model"


def reseal(folder):
    names = (CONFIG_FILE, WEIGHTS_FILE)
    (folder / CHECKSUM_FILE).write_text("".join(f"{sha256(folder / n)}  {n}\n" for n in names))


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE, CHECKSUM_FILE])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(WeightsMissingError, match=name):
        LisaModel.from_trained(folder)


def test_truncated_weights_are_refused(folder):
    data = (folder / WEIGHTS_FILE).read_bytes()
    (folder / WEIGHTS_FILE).write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsCorruptError, match=WEIGHTS_FILE):
        LisaModel.from_trained(folder)


def test_missing_surplus_and_misshaped_tensors_are_named(folder):
    tensors = load_file(folder / WEIGHTS_FILE)
    name = sorted(n for n in tensors if n.startswith("mask_head.neck"))[0]
    broken = {
        "is missing": {n: t for n, t in tensors.items() if n != name},
        "does not belong": tensors | {"surplus": tensors[name].clone()},
        "has shape": tensors | {name: tensors[name].flatten()[:3].clone()},
    }
    for message, contents in broken.items():
        save_file(contents, folder / WEIGHTS_FILE)
        reseal(folder)
        with pytest.raises(WeightsCorruptError, match=message):
            LisaModel.from_trained(folder)


def test_the_config_of_another_version_is_refused(folder):
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"moods": 3}))
    reseal(folder)
    with pytest.raises(WeightsCorruptError, match=r"config\.json does not fit.*moods"):
        LisaModel.from_trained(folder)


def test_an_empty_folder_never_answers(tmp_path):
    with pytest.raises(WeightsMissingError):
        ReasoningSegmenter.from_pretrained(str(tmp_path))


def test_saved_weights_come_back(folder, tmp_path):
    model = LisaModel.from_trained(folder)
    model.save_trained(tmp_path / "again")
    assert sha256(tmp_path / "again" / WEIGHTS_FILE) == sha256(folder / WEIGHTS_FILE)


def test_only_what_was_trained_ships(folder):
    tensors = load_file(folder / WEIGHTS_FILE)
    assert not any(n.startswith("tower.") for n in tensors)
    assert not any(".base_layer." in n for n in tensors)
    assert (folder / WEIGHTS_FILE).stat().st_size < 60e6


def test_wrong_dtype_and_name_are_refused():
    with pytest.raises(ValueError, match="dtype"):
        ReasoningSegmenter.from_pretrained("lisa-tiny", dtype="float13")
    with pytest.raises(ValueError, match="lisa-tiny"):
        ReasoningSegmenter.from_pretrained("no-such-model")
