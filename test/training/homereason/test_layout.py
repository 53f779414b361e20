import json

import cv2
import numpy as np
import pytest

from lisa_model.rgbd import load_frame
from training.homereason.layout import labelme, polygons, write_item
from training.homereason.question import Question, answer_for
from training.household.evaluate import shipped_frames
from training.official.reason_seg import draw_shapes, read_item

FRAMES = sorted((shipped_frames() / "test").glob("*.json"))[:6]


def question(frame, *targets):
    return Question(
        frame=frame,
        kind="explicit" if targets else "nothing_fits",
        text="Find it.",
        targets=tuple((k,) for k in targets),
        categories=("mug",) * max(1, len(targets)),
        answer=answer_for(targets) if targets else "There is none.",
        proof=(),
    )


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def drawn(mask):
    shapes = [("target", np.array(one)) for one in polygons(mask)]
    return draw_shapes(shapes, *mask.shape) == 1


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_masks_of_real_frames_survive(path):
    frame = load_frame(path, depth=False)
    for item in frame.instances:
        mask = frame.ids == item.id
        assert iou(drawn(mask), mask) >= 0.97


def test_holes_stay_open():
    mask = np.zeros((60, 80), bool)
    mask[5:55, 5:75] = True
    mask[10:25, 10:30] = mask[30:50, 40:70] = mask[12:20, 50:60] = False
    mask[35:45, 50:60] = True  # an island in a hole
    assert iou(drawn(mask), mask) >= 0.97


def test_nothing_and_specks():
    mask = np.zeros((10, 10), bool)
    assert polygons(mask) == []
    mask[3, 3] = mask[7, 7] = mask[7, 8] = True
    assert (drawn(mask) == mask).all()


def test_it_reads_back(tmp_path):
    source, out = tmp_path / "frames", tmp_path / "out"
    source.mkdir()
    ids = np.zeros((40, 60), np.uint8)
    ids[5:20, 5:30], ids[25:35, 30:50] = 1, 2
    cv2.imwrite(str(source / "f.ids.png"), ids)
    cv2.imwrite(str(source / "f.jpg"), np.zeros((40, 60, 3), np.uint8))
    cv2.imwrite(str(source / "f.depth.png"), np.ones((40, 60), np.uint16))
    (source / "f.json").write_text(json.dumps({"camera": {"fx": 50.0}}))
    write_item(question("f", 1, 2), 0, source, out)
    write_item(question("f"), 1, source, out)
    item = read_item(out / "f_q00.jpg", 40, 60)
    assert item.texts == ("Find it.",)
    assert item.is_sentence
    assert ((item.mask == 1) == (ids > 0)).all()
    assert not read_item(out / "f_q01.jpg", 40, 60).mask.any()
    assert json.loads((out / "f_q00.camera").read_text()) == {"fx": 50.0}
    assert len(list(out.glob("*.json"))) == len(list(out.glob("*.jpg"))) == 2
    numbers = [shape["group_id"] for shape in labelme(question("f", 2, 1), ids)["shapes"]]
    assert numbers == [0, 1], "in the order of the answer"
