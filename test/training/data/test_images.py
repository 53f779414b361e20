from __future__ import annotations

import cv2
import numpy as np
import pytest
from dataset_files import picture, write_labels, write_picture

from lisa_model.rgbd import read_color
from training.data.images import read_image, read_labels


def test_images_are_read_as_elsewhere(tmp_path):
    write_picture(tmp_path / "a.jpg", 1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), read_color(tmp_path / "a.jpg"))
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - picture(1)).mean() < 5


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_an_image_that_is_cut_off_is_refused(tmp_path, ending, share):
    path = tmp_path / f"a.{ending}"
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    assert cv2.imwrite(str(path), noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=rf"a\.{ending}"):
        read_image(path)


def test_bytes_behind_a_jpeg_do_no_harm(tmp_path):
    write_picture(tmp_path / "a.jpg", 1)
    whole = read_image(tmp_path / "a.jpg")
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"\0" * 100)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), whole)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.jpg"):
        read_image(tmp_path / "no.jpg")
    with pytest.raises(FileNotFoundError, match=r"no\.png"):
        read_labels(tmp_path / "no.png")


def test_a_palette_image_gives_its_indices(tmp_path):
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_labels(tmp_path / "p.png", labels, palette=True)
    np.testing.assert_array_equal(read_labels(tmp_path / "p.png"), labels)


def test_colours_and_wide_numbers_are_no_label_map(tmp_path):
    assert cv2.imwrite(str(tmp_path / "c.png"), np.zeros((3, 4, 3), np.uint8))
    assert cv2.imwrite(str(tmp_path / "w.png"), np.zeros((3, 4), np.uint16))
    for name in ("c.png", "w.png"):
        with pytest.raises(ValueError, match=name):
            read_labels(tmp_path / name)


def test_a_broken_label_map_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 40), np.uint8)
    write_labels(tmp_path / "l.png", noise)
    data = (tmp_path / "l.png").read_bytes()
    for end in (0, 20, 60, len(data) // 2, len(data) - 40):
        (tmp_path / "l.png").write_bytes(data[:end])
        with pytest.raises(ValueError, match=r"l\.png"):
            read_labels(tmp_path / "l.png")
