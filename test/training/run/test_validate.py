from __future__ import annotations

import cv2
import numpy as np
import pytest
from recorded_training import RecordedRun
from vectors import each_set

from lisa_model.llava.conversation import with_image
from lisa_model.llava.templates import VALIDATION_ANSWER, validation_question
from training.data.collate import Collator
from training.data.errors import DataError
from training.run.validate import chosen, read_question, shares, validate

SAME_FILLING = pytest.mark.skipif(
    tuple(int(part) for part in cv2.__version__.split(".")[:2]) > (4, 10),
    reason="OpenCV 4.11 and later fill polygons differently",
)


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_each_image_counts_once_and_all_processes_work_equally(count, processes):
    mine = [shares(count, processes, rank) for rank in range(processes)]
    assert len({len(one) for one in mine}) == 1
    counted = sorted(number for one in mine for number, counts in one if counts)
    assert counted == list(range(count))
    assert all(0 <= number < count for one in mine for number, _ in one)


def test_a_limit_takes_images_evenly(inputs):
    folder = inputs / "dataset" / "reason_seg" / "ReasonSeg" / "train"
    assert [path.stem for path in chosen(folder, 0)] == ["one", "two"]
    assert [path.stem for path in chosen(folder, 1)] == ["one"]
    assert chosen(folder, 9) == chosen(folder, 0)
    with pytest.raises(DataError, match="missing"):
        chosen(folder / "x", 0)


def test_the_question_is_the_official_one(inputs):
    folder = inputs / "dataset" / "reason_seg" / "ReasonSeg" / "train"
    question = read_question(folder / "one.jpg")
    ((turn,),) = question.sample.conversations
    asked = validation_question("What keeps the coffee warm?", is_sentence=True)
    marked = turn[0].replace("<image>", "<im_start><image><im_end>")
    assert marked == with_image(asked)
    assert turn[1] == VALIDATION_ANSWER
    assert set(np.unique(question.truth)) == {0, 1, 255}
    assert set(np.unique(question.sample.masks)) == {0, 1}


@SAME_FILLING
@each_set()
def test_the_scores_are_the_recorded_ones(vectors):
    folder = vectors.folder / "mini" / "reason_seg" / "ReasonSeg" / "val"
    if not folder.is_dir():
        pytest.skip(f"{vectors.name} has no mini ReasonSeg here; set LISA_VECTORS")
    case = RecordedRun(vectors)
    case.without_lora()
    collate = Collator(
        tokenizer=case.tokenizer,
        clip_pixels=case.tower.pixels,
        patches=case.tower.patches,
        sam_size=case.model.sam.config.image_size,
    )
    expected = vectors.meta["val"]
    paths = [folder / record["image"] for record in expected["records"]]
    result = validate(case.learner, collate, paths, pictures=2)
    assert result.giou == pytest.approx(expected["giou_no_allreduce"], abs=1e-6)
    assert result.ciou == pytest.approx(expected["ciou"], abs=1e-6)
    assert result.images == len(paths)
    assert [one.name for one in result.pictures] == [paths[0].stem, paths[2].stem]
    assert result.pictures[0].image.shape == cv2.imread(str(paths[0])).shape
    assert case.learner.module.training
