from __future__ import annotations

import os
import pickle
import struct

import pytest

from training.data.errors import DataError
from training.data.safe_pickle import load_plain


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_read(tmp_path, protocol):
    values = [{"a": 1, "b": ("x", 2.5, None, True), "c": [10**30, "ü"]}]
    (tmp_path / "x.p").write_bytes(pickle.dumps(values, protocol=protocol))
    assert load_plain(tmp_path / "x.p") == values


def test_python_2_text_is_read(tmp_path):
    # What Python 2 wrote for ["caf\xc3\xa9"], a byte string, with protocol 2.
    data = b"\x80\x02]q\x00U" + struct.pack("B", 5) + b"caf\xc3\xa9q\x01a."
    (tmp_path / "x.p").write_bytes(data)
    assert load_plain(tmp_path / "x.p") == ["café"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_something_is_refused(tmp_path, protocol):
    marker = tmp_path / "called"
    path = tmp_path / "refs(unc).p"
    path.write_bytes(pickle.dumps([Call(os.mkdir, str(marker))], protocol=protocol))
    with pytest.raises(DataError, match=r"refs\(unc\)\.p is refused.*mkdir"):
        load_plain(path)
    assert not marker.exists()
    # The same bytes do call it where they are trusted: the test can fail.
    pickle.loads(path.read_bytes())
    assert marker.exists()


def test_classes_and_builtins_are_refused_too(tmp_path):
    for value in (len, Call(set, [1]), pickle.PickleError("x")):
        (tmp_path / "x.p").write_bytes(pickle.dumps([value]))
        with pytest.raises(DataError, match="refused"):
            load_plain(tmp_path / "x.p")


@pytest.mark.parametrize(
    "data", [b"", b"no pickle", pickle.dumps([1, 2])[:-2], b"\x80\x04\x82\x01."]
)
def test_a_damaged_file_is_named(tmp_path, data):
    (tmp_path / "x.p").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.p is refused"):
        load_plain(tmp_path / "x.p")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no\.p is missing"):
        load_plain(tmp_path / "no.p")
