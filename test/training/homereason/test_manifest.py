"""Fingerprints of frames: equal for equal pixels, and each part's change is named."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.homereason import manifest


def write_frame(folder: Path, name: str, *, ids: int = 1, title: str = "mug") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    colour = np.full((12, 16, 3), 90, dtype=np.uint8)
    cv2.imwrite(str(folder / f"{name}.jpg"), colour)
    cv2.imwrite(str(folder / f"{name}.depth.png"), np.full((12, 16), 900, dtype=np.uint16))
    cv2.imwrite(str(folder / f"{name}.ids.png"), np.full((12, 16), ids, dtype=np.uint8))
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"name": name, "instances": [{"title": title}]}))
    return path


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    for split in ("val", "test"):
        for number in range(2):
            write_frame(folder / split, f"{split}_{number}")
    write_frame(folder / "train", "train_0")
    return folder


def test_the_same_frames_agree_whatever_the_png_encoder(frames: Path, tmp_path: Path, capsys):
    file = tmp_path / "manifest.tsv"
    arguments = ["--frames", str(frames), "--manifest", str(file)]
    assert manifest.main([*arguments, "--write"]) == 0
    assert len(manifest.read_manifest(file)) == 4, "training frames are not scored"
    ids = frames / "val" / "val_0.ids.png"
    before = ids.read_bytes()
    pixels = cv2.imread(str(ids), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    cv2.imwrite(str(ids), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert ids.read_bytes() != before
    meta = frames / "val" / "val_0.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()), indent=4))
    assert manifest.main(arguments) == 0
    assert "4 frames are the same" in capsys.readouterr().out


def test_a_change_is_named_with_its_part(frames: Path, tmp_path: Path, capsys):
    file = tmp_path / "manifest.tsv"
    arguments = ["--frames", str(frames), "--manifest", str(file)]
    manifest.main([*arguments, "--write"])
    write_frame(frames / "test", "test_1", ids=2)
    write_frame(frames / "val", "val_1", title="cup")
    write_frame(frames / "val", "val_7")
    for part in ("jpg", "json", "depth.png", "ids.png"):
        (frames / "val" / f"val_0.{part}").unlink()
    assert manifest.main(arguments) == 1
    out = capsys.readouterr().out
    assert "differing: test/test_1: ids\n" in out
    assert "differing: val/val_1: meta\n" in out
    assert "missing: val/val_0\n" in out
    assert "unknown: val/val_7\n" in out
    assert "1 frames are the same; others are not" in out


def test_pictures_may_differ_by_a_grey_level_in_some_pixels(frames: Path, tmp_path: Path, capsys):
    file = tmp_path / "manifest.tsv"
    arguments = ["--frames", str(frames), "--manifest", str(file)]
    manifest.main([*arguments, "--write"])
    picture = frames / "val" / "val_0.jpg"
    pixels = np.full((12, 16, 3), 90, dtype=np.uint8)
    pixels[:4, :4] = 91
    cv2.imwrite(str(picture), pixels)
    assert manifest.main(arguments) == 0
    assert "3 frames are the same\n1 more are but for a grey level" in capsys.readouterr().out
    pixels[:4, :4] = 99
    cv2.imwrite(str(picture), pixels)
    assert manifest.main(arguments) == 1
    assert "differing: val/val_0: colour, shades\n" in capsys.readouterr().out
    assert not manifest.alike("00", "0000")
    assert not manifest.alike("0102", "0104")


def test_frames_may_be_missing_when_asked_so(frames: Path, tmp_path: Path):
    file = tmp_path / "manifest.tsv"
    arguments = ["--frames", str(frames), "--manifest", str(file)]
    manifest.main([*arguments, "--write"])
    for part in ("jpg", "json", "depth.png", "ids.png"):
        (frames / "val" / f"val_0.{part}").unlink()
    assert manifest.main(arguments) == 1
    assert manifest.main([*arguments, "--present"]) == 0


def test_damaged_files_are_named(frames: Path, tmp_path: Path, capsys):
    assert manifest.main(["--frames", str(tmp_path / "nothing")]) == 1
    assert "no frames" in capsys.readouterr().err
    (frames / "val" / "val_0.ids.png").write_bytes(b"no picture")
    assert manifest.main(["--frames", str(frames)]) == 1
    assert "val_0.ids.png is no readable PNG" in capsys.readouterr().err
    (frames / "val" / "val_0.ids.png").unlink()
    assert manifest.main(["--frames", str(frames)]) == 1
    assert "val_0.ids.png is missing" in capsys.readouterr().err
    file = tmp_path / "manifest.tsv"
    file.write_text("frame\tcolour\tshades\tdepth\tids\tmeta\nval/x\tabc\n")
    with pytest.raises(ValueError, match="line 2: 1 digests, not 5"):
        manifest.read_manifest(file)
