"""The list of a user's folder of photographs, right and wrong."""

import cv2
import numpy as np
import pytest

from training.data.errors import DataError
from training.photographs.folder import LIST, read_folder


@pytest.fixture
def folder(tmp_path):
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[..., 2] = 200  # BGR: red
    cv2.imwrite(str(tmp_path / "desk.png"), picture)
    cv2.imwrite(str(tmp_path / "shelf.png"), picture[:10])
    mask = np.zeros((20, 30), np.uint8)
    mask[5:10, 5:15] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    return tmp_path


def read(folder, text):
    (folder / LIST).write_text(text, encoding="utf-8")
    return list(read_folder(folder))


def test_a_list(folder):
    first, second = read(
        folder,
        "# a remark\n\ndesk.png\tthe mug\tmask.png\nshelf.png\tsomething to read\n"
        "desk.png\tthe piano\t-\n",
    )
    assert (first.name, second.name) == ("desk.png", "shelf.png")
    assert first.image[0, 0].tolist() == [200, 0, 0]
    mug, piano = first.intents
    assert (mug.text, int(mug.truth.sum()), mug.in_vain) == ("the mug", 50, False)
    assert piano.in_vain
    assert second.intents[0].truth is None
    assert not second.intents[0].in_vain


def test_a_byte_order_mark_and_windows_line_ends(folder):
    (folder / LIST).write_bytes(b"\xef\xbb\xbfdesk.png\tthe mug\r\n")
    (one,) = read_folder(folder)
    assert one.intents[0].text == "the mug"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no line with a question"),
        ("desk.png the mug\n", "line 1: needs FILE<TAB>INTENT"),
        ("desk.png\tthe mug\ndesk.png\t\n", "line 2: needs"),
        ("desk.png\tthe mug\tmask.png\tmore\n", "line 1: needs"),
        ("dekc.png\tthe mug\n", "line 1: there is no file dekc.png"),
        ("desk.png\tthe mug\tmaks.png\n", "line 1: there is no file maks.png"),
        ("shelf.png\tthe mug\tmask.png\n", "is 30 x 20, the picture 30 x 10"),
        ("intents.tsv\tthe mug\n", "give a file that OpenCV reads"),
        ("desk.png\tthe mug\tintents.tsv\n", "save the mask as PNG"),
        ("desk.png\tthe mug\tempty.png\n", "empty.png marks nothing; write - where"),
    ],
)
def test_what_is_wrong_is_named(folder, text, said):
    cv2.imwrite(str(folder / "empty.png"), np.zeros((20, 30), np.uint8))
    with pytest.raises(DataError, match=said):
        read(folder, text)


def test_no_list(tmp_path):
    with pytest.raises(DataError, match="write one line for each question"):
        next(read_folder(tmp_path))


def test_not_utf_8(folder):
    (folder / LIST).write_bytes(b"desk.png\tthe caf\xe9\n")
    with pytest.raises(DataError, match="save it as UTF-8"):
        next(read_folder(folder))
