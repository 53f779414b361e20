"""Segmenters of transformers with tiny random weights: shapes, arguments, empty answers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lisa_model.errors import LisaError, WeightsMissingError
from training.evaluation.two_stage.clipseg import ClipSeg
from training.evaluation.two_stage.grounded_sam import GroundedSam
from training.evaluation.two_stage.panoptic import PanopticClasses, synonyms

ON = {"device": "cpu", "dtype": "float32"}


def test_clipseg_follows_name_and_threshold(clipseg_folder, image):
    segmenter = ClipSeg.open(clipseg_folder, **ON)
    asked = []
    segmenter._model.register_forward_hook(
        lambda module, args, kwargs, out: asked.append((kwargs, out.logits)), with_kwargs=True
    )
    segmenter.segment(image, "cup")
    segmenter.segment(image, "lamp")
    ids = [kwargs["input_ids"] for kwargs, _ in asked]
    letters = [
        segmenter._processor.tokenizer.decode(row[0], skip_special_tokens=True) for row in ids
    ]
    assert [text.replace(" ", "") for text in letters] == ["cup", "lamp"]
    probability = asked[1][1].sigmoid()
    segmenter._threshold = float(probability.median())
    mask = segmenter.segment(image, "lamp")
    assert mask.shape == image.shape[:2]
    assert mask.dtype == np.bool_
    assert 0.3 < mask.mean() < 0.7
    segmenter._threshold = float(probability.max()) + 1e-3
    assert not segmenter.segment(image, "lamp").any()
    assert segmenter.offers(image) == ()


def test_clipseg_cuts_a_long_name(clipseg_folder, image):
    mask = ClipSeg.open(clipseg_folder, **ON).segment(image, "cup of tea " * 30)
    assert mask.shape == image.shape[:2]


@pytest.fixture
def grounded(dino_folder, sam_folder):
    return GroundedSam.open(dino_folder, sam_folder=sam_folder, **ON)


def test_boxes_depend_on_the_threshold_and_the_name(grounded, image):
    seen = []
    grounded._detector.register_forward_hook(
        lambda module, args, kwargs, out: seen.append((kwargs, out.logits)), with_kwargs=True
    )
    grounded._threshold = 0.0
    every = grounded.boxes(image, "the red Cup.")
    assert every.shape == (12, 4)
    words = grounded._detector_processor.tokenizer.decode(seen[0][0]["input_ids"][0])
    assert words.replace("[CLS]", "").replace("[SEP]", "").split() == ["the", "red", "cup."]
    scores = seen[0][1].sigmoid().amax(-1)[0].sort().values
    grounded._threshold = float(scores[7] + scores[8]) / 2
    assert grounded.boxes(image, "the red Cup.").shape == (4, 4)
    grounded._threshold = 1.0
    assert grounded.boxes(image, "cup").shape == (0, 4)
    assert not grounded.segment(image, "cup").any()


def test_sam_gets_the_boxes_in_pixels_and_masks_are_joined(grounded, image):
    boxes = np.array([[0, 0, 28, 20], [10, 10, 50, 35]], np.float32)
    grounded.boxes = lambda image, name: boxes
    seen = []
    grounded._sam.register_forward_hook(
        lambda module, args, kwargs, out: seen.append(kwargs), with_kwargs=True
    )
    mask = grounded.segment(image, "cup")
    assert mask.shape == image.shape[:2]
    assert mask.dtype == np.bool_
    scale = 64 / image.shape[1]
    np.testing.assert_allclose(seen[0]["input_boxes"][0].numpy(), boxes * scale, atol=0.5)
    assert seen[0]["multimask_output"] is False
    single = []
    for box in boxes:
        grounded.boxes = lambda image, name, box=box: box[None]
        single.append(grounded.segment(image, "cup"))
    np.testing.assert_array_equal(mask, single[0] | single[1])


def test_panoptic_reads_segments(mask2former_folder, image, monkeypatch):
    classes = PanopticClasses.open(mask2former_folder, **ON)
    # What the random network finds is of no interest; what comes back from it is.
    shape = classes._model(
        pixel_values=classes._processor(images=image, return_tensors="pt")["pixel_values"]
    ).class_queries_logits.shape
    assert shape == (1, 6, 4)
    segments = torch.zeros(image.shape[:2], dtype=torch.int32)
    segments[:10] = 1
    segments[10:15] = 2
    segments[20:35] = 3
    info = [{"id": 1, "label_id": 0}, {"id": 2, "label_id": 0}, {"id": 3, "label_id": 1}]
    asked = []

    def found(outputs, **options):
        asked.append(options)
        return [{"segmentation": segments, "segments_info": info}]

    monkeypatch.setattr(classes._processor, "post_process_panoptic_segmentation", found)
    offers = classes.classes(image)
    assert [offer.title for offer in offers] == ["cup", "lamp-other-merged"]
    assert offers[1].names == ("lamp-other-merged", "lamp")
    np.testing.assert_array_equal(classes.mask(image, "cup"), (segments == 1) | (segments == 2))
    assert len(asked) == 1
    assert asked[0]["target_sizes"] == [image.shape[:2]]


def test_panoptic_of_random_weights_runs_whole(mask2former_folder, image):
    classes = PanopticClasses.open(mask2former_folder, **ON, threshold=0.0)
    for offer in classes.classes(image):
        mask = classes.mask(image, offer.title)
        assert mask.shape == image.shape[:2]
        assert mask.any()
    strict = PanopticClasses.open(mask2former_folder, **ON, threshold=0.999)
    assert list(strict.classes(image)) == []


def test_missing_scipy_is_named(mask2former_folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LisaError, match=r"\[mask2former\]"):
        PanopticClasses.open(mask2former_folder, **ON)


def test_synonyms():
    assert synonyms("door, double door") == ("door", "double door")
    assert synonyms("wall-other-merged") == ("wall",)
    assert synonyms("door-stuff") == ("door",)
    assert synonyms("cup") == ()


def test_missing_folders_name_the_option(tmp_path, dino_folder):
    for opened in (ClipSeg, PanopticClasses):
        with pytest.raises(WeightsMissingError, match="segmenter_folder"):
            opened.open(tmp_path, **ON)
    with pytest.raises(WeightsMissingError, match="segmenter_folder is missing"):
        ClipSeg.open(None, **ON)
    with pytest.raises(WeightsMissingError, match="sam_folder"):
        GroundedSam.open(dino_folder, sam_folder=None, **ON)


def test_thresholds_are_checked():
    nothing = SimpleNamespace(eval=lambda: None)
    with pytest.raises(ValueError, match="threshold"):
        ClipSeg(model=nothing, processor=None, threshold=1.0)
    with pytest.raises(ValueError, match="threshold"):
        PanopticClasses(model=nothing, processor=None, threshold=-0.1)
    with pytest.raises(ValueError, match="text_threshold"):
        GroundedSam(
            detector=nothing,
            detector_processor=None,
            sam=nothing,
            sam_processor=None,
            text_threshold=2.0,
        )
