"""Files of torch.save: read as they are, refused without running anything."""

import os
import pickle
import zipfile

import pytest
import torch

from lisa_model.checkpoint.torch_file import TorchFile
from lisa_model.errors import WeightsCorruptError


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def save_new(content, path):
    torch.save(content, path)


def save_old(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_pickle(content, path):
    path.write_bytes(pickle.dumps(content, protocol=2))


def fires(path, mark):
    """Whether reading the file as a plain pickle would run the payload."""
    torch.load(path, weights_only=False)
    done = mark.is_dir()
    mark.rmdir()
    return done


@pytest.mark.parametrize("save", [save_new, save_old])
@pytest.mark.parametrize("beside_weights", [True, False])
def test_a_malicious_file_runs_nothing_and_is_reported(tmp_path, save, beside_weights):
    path, mark = tmp_path / "pytorch_model.bin", tmp_path / "was-run"
    payload = Payload(mark)
    save({"w": torch.zeros(2), "x": payload} if beside_weights else payload, path)
    assert fires(path, mark)  # else this test would prove nothing

    file = TorchFile(path)
    with pytest.raises(WeightsCorruptError, match=r"would run posix\.mkdir") as caught:
        file.info  # noqa: B018
    assert not mark.exists()
    assert str(path) in str(caught.value)
    assert "Nothing of it was run" in str(caught.value)
    with pytest.raises(WeightsCorruptError, match="Nothing of it was run"):
        file.read(["w"])
    assert not mark.exists()


def test_a_bare_pickle_runs_nothing(tmp_path):
    path, mark = tmp_path / "pytorch_model.bin", tmp_path / "was-run"
    save_pickle(Payload(mark), path)
    pickle.loads(path.read_bytes())
    assert mark.is_dir()
    mark.rmdir()
    with pytest.raises(WeightsCorruptError, match="Nothing of it was run"):
        TorchFile(path).info  # noqa: B018
    assert not mark.exists()


@pytest.mark.parametrize("save", [save_new, save_old])
def test_tensors_come_back_as_they_were_saved(tmp_path, small, save):
    path = tmp_path / "pytorch_model.bin"
    save(small, path)
    file = TorchFile(path)
    assert file.mapped == (save is save_new)
    assert list(file.info) == list(small)
    for key, tensor in file.read(list(small)).items():
        assert file.info[key].shape == tuple(small[key].shape)
        assert file.info[key].dtype == small[key].dtype
        assert file.info[key].bytes == small[key].nbytes
        torch.testing.assert_close(tensor, small[key], rtol=0, atol=0)


def test_parameters_are_read_as_tensors(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"w": torch.nn.Parameter(torch.ones(2))}, path)
    tensor = TorchFile(path).read(["w"])["w"]
    assert not tensor.requires_grad


@pytest.mark.parametrize("save", [save_new, save_old])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_named(tmp_path, save, share):
    path = tmp_path / "pytorch_model.bin"
    save({"w": torch.zeros(20_000)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsCorruptError, match=r"pytorch_model\.bin: (truncated|damaged)"):
        TorchFile(path).info  # noqa: B018


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"epoch": 3}, "'epoch' is a int"),
        ({"model": {"w": torch.zeros(1)}}, "'model' is a dict"),
        ({3: torch.zeros(1)}, "entry 3"),
        ([torch.zeros(1)], "holds a list"),
        ({}, "not named tensors"),
        ({"w": torch.zeros(2, 2).to_sparse()}, "w is not a plain dense tensor"),
        ({"w": torch.zeros(2, device="meta")}, "w is not a plain dense tensor"),
    ],
)
def test_other_contents_are_refused(tmp_path, content, problem):
    path = tmp_path / "pytorch_model.bin"
    torch.save(content, path)
    with pytest.raises(WeightsCorruptError, match=problem):
        TorchFile(path).info  # noqa: B018


def test_a_compressed_archive_is_refused(tmp_path):
    plain, path = tmp_path / "plain.bin", tmp_path / "pytorch_model.bin"
    torch.save({"w": torch.zeros(1000)}, plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for name in source.namelist():
            out.writestr(name, source.read(name))
    with pytest.raises(WeightsCorruptError, match="is compressed"):
        TorchFile(path).info  # noqa: B018


@pytest.mark.parametrize("text", ["<html>404</html>", "version https://git-lfs.github.com/spec/v1"])
def test_text_is_no_weights(tmp_path, text):
    path = tmp_path / "pytorch_model.bin"
    path.write_text(text)
    with pytest.raises(WeightsCorruptError, match=r"pytorch_model\.bin"):
        TorchFile(path).info  # noqa: B018
