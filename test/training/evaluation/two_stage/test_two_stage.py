"""Both stages joined, matching, class masks, the registry and the household command."""

import json

import numpy as np
import pytest
import torch

from lisa_model.cli import main
from lisa_model.errors import WeightsMissingError
from lisa_model.rgbd import load_frame
from training.evaluation.contender import Ask, Reply
from training.evaluation.two_stage import registry
from training.evaluation.two_stage.class_masks import SeenClasses, TrueClasses
from training.evaluation.two_stage.matching import MatchedSegmenter, Matcher
from training.evaluation.two_stage.parts import Naming, Offer, TwoStage
from training.household.evaluate import AskedContender, shipped_frames
from training.household.taxonomy import load_categories

FRAMES = sorted((shipped_frames() / "test").glob("*.json"))[:3]
ON = {"device": "cpu", "dtype": "float32"}
TABLE = {"cup": (1.0, 0.0), "mug": (0.8, 0.6), "tin": (0.0, 1.0), "coffee": (0.9, 0.43589)}


def embed(texts):
    return torch.tensor([TABLE[text] for text in texts])


CUP = Offer(title="cup", names=("cup", "mug"), log_presence=-3.0)
TIN = Offer(title="tin", names=("tin",), log_presence=0.0)


def test_matcher_takes_the_best_name_above_the_threshold():
    matcher = Matcher(embed=embed, threshold=0.85)
    assert matcher.best("coffee", [TIN, CUP]) is CUP  # 0.98 with mug
    assert matcher.cosine("coffee", CUP) == pytest.approx(0.9 * 0.8 + 0.43589 * 0.6)
    assert matcher.best("coffee", [TIN]) is None
    assert matcher.best("coffee", []) is None
    # A name as it stands needs no encoder; only the other classes do.
    assert Matcher(embed=embed, threshold=1.0).cosine("CUP", CUP) == 1.0


def test_presence_decides_between_names_not_about_the_threshold():
    offers = [CUP, TIN]
    assert Matcher(embed=embed, threshold=0.4, presence_weight=0.1).best("coffee", offers) is CUP
    assert Matcher(embed=embed, threshold=0.4, presence_weight=0.3).best("coffee", offers) is TIN
    assert Matcher(embed=embed, threshold=0.5, presence_weight=0.3).best("coffee", offers) is None
    with pytest.raises(ValueError, match="threshold"):
        Matcher(embed=embed, threshold=2.0)
    with pytest.raises(ValueError, match="presence_weight"):
        Matcher(embed=embed, threshold=0.0, presence_weight=-1.0)


class Fixed:
    """Classes with a quarter of the image each."""

    name = "fixed"

    def classes(self, image):
        return [CUP, TIN]

    def mask(self, image, title):
        mask = np.zeros(image.shape[:2], dtype=bool)
        mask[: len(mask) // 2, ::2] = title == "cup"
        return mask


class Saying:
    name = "saying"

    def name_thing(self, image, ask, offered):
        assert [one.title for one in offered] == ["cup", "tin"]
        return Naming(name=ask.text if ask.is_sentence else "", text=f"<{ask.text}>")


@pytest.fixture
def contender():
    matcher = Matcher(embed=embed, threshold=0.9)
    return TwoStage(namer=Saying(), segmenter=MatchedSegmenter(classes=Fixed(), matcher=matcher))


def test_replies(contender, image):
    asks = [
        Ask(text="coffee", is_sentence=True),
        Ask(text="tin", is_sentence=True),  # known, but its mask is empty
        Ask(text="coffee", is_sentence=False),  # the namer says: nothing
    ]
    replies = contender.answer(image, asks)
    assert [reply.marked for reply in replies] == [True, False, False]
    assert [reply.text for reply in replies] == ["<coffee>", "<tin>", "<coffee>"]
    np.testing.assert_array_equal(replies[0].mask, Fixed().mask(image, "cup"))
    assert all(reply.mask.shape == image.shape[:2] for reply in replies)
    assert contender.name == "two-stage: saying, then fixed"


def test_a_segmenter_of_wrong_shape_is_named(contender, image):
    contender.segmenter.segment = lambda image, name: np.zeros((2, 2), dtype=bool)
    with pytest.raises(ValueError, match=r"fixed: mask must be bool \(40, 56\)"):
        contender.answer(image, [Ask(text="cup", is_sentence=True)])


def test_asked_contender_has_a_mask_only_where_something_is_marked(image):
    class Half:
        def answer(self, image, asks):
            mask = np.zeros(image.shape[:2], dtype=bool)
            mask[0] = asks[0].is_sentence
            return [Reply(mask=mask, text="x", marked=bool(mask.any()))]

    asked = AskedContender(Half())
    assert asked.segment(image, "Find it.").masks.shape == (1, 40, 56)
    assert asked.segment(image, "it").masks.shape == (0, 40, 56)
    assert asked.segment(image, "it").scores.shape == (0,)


def test_true_classes_are_the_frames():
    truth = TrueClasses(FRAMES)
    frame = load_frame(FRAMES[1], depth=False)
    offers = truth.classes(frame.color)
    shown = {load_categories()[thing.category].title for thing in frame.instances}
    assert {offer.title for offer in offers} == shown
    together = np.zeros(frame.ids.shape, dtype=bool)
    for offer in offers:
        mask = truth.mask(frame.color, offer.title)
        assert mask.any()
        assert not (mask & together).any()
        together |= mask
    np.testing.assert_array_equal(together, frame.ids > 0)
    with pytest.raises(ValueError, match="frames"):
        truth.classes(np.zeros_like(frame.color))
    with pytest.raises(ValueError, match="frames"):
        TrueClasses([])


def test_registry_names_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="no baseline 'x'"):
        registry.build("x", **ON)
    with pytest.raises(ValueError, match="no option 'sam_folder'"):
        registry.build("lm-clipseg", **ON, sam_folder="x")
    with pytest.raises(ValueError, match="household frames only"):
        registry.build(registry.ORACLE, **ON)
    with pytest.raises(ValueError, match="namer must be one of llm"):
        registry.build(registry.ORACLE, **ON, namer="gpt", frames=FRAMES)
    with pytest.raises(WeightsMissingError, match="segmenter_folder"):
        registry.build("llava-clipseg", **ON)
    with pytest.raises(ValueError, match="KEY=VALUE"):
        registry.read_options(["folder"])
    with pytest.raises(ValueError, match="no number"):
        registry.read_options(["threshold=x"])
    assert registry.read_options(["threshold=0.4", "namer=match"]) == {
        "threshold": 0.4,
        "namer": "match",
    }
    for name in registry.NAMES:
        assert set(registry.options_of(name)) <= set(registry._OPTIONS)


def test_baselines_from_folders(
    image, lm_folder, llava_folder, clipseg_folder, dino_folder, sam_folder
):
    built = [
        registry.build("lm-clipseg", **ON, namer_folder=lm_folder, segmenter_folder=clipseg_folder),
        registry.build(
            "llava-grounded-sam",
            **ON,
            namer_folder=llava_folder,
            segmenter_folder=dino_folder,
            sam_folder=sam_folder,
            threshold=0.0,
            max_new_tokens=3,
        ),
    ]
    for contender in built:
        reply = contender.answer(image, [Ask(text="the cup", is_sentence=False)])[0]
        assert reply.mask.shape == image.shape[:2]
        assert reply.marked == reply.mask.any()
    assert "CLIPSeg" in built[0].name
    assert "LLaVA" in built[1].name


def test_household_options_belong_to_a_baseline(capsys):
    assert main(["eval", "household", "--limit", "1", "--baseline-option", "namer=match"]) == 1
    assert "--baseline" in capsys.readouterr().err
    assert main(["eval", "household", "--limit", "1", "--baseline", "no"]) == 1
    assert "smollm2-minilm" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.model
def test_household_command_with_true_masks(tmp_path):
    """Named things are found when the masks are true, by SmolLM2 and MiniLM for real."""
    out = tmp_path / "out.json"
    command = ["eval", "household", "--limit", "2", "--json", str(out)]
    options = ["--baseline-option", "namer=llm"]
    assert main([*command, "--baseline", registry.ORACLE, *options]) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    assert "ORACLE" in report["protocol"]
    assert "oracle" in report["model"]
    assert report["methods"]["model"]["explicit"]["right_object"] >= 0.5
    assert all(row["answer"] for row in report["records"])


@pytest.mark.slow
@pytest.mark.model
def test_classes_seen_by_lisa_tiny():
    classes = SeenClasses.open("lisa-tiny", **ON, min_log_presence=-4.0)
    frame = load_frame(FRAMES[0], depth=False)
    offers = classes.classes(frame.color)
    values = [offer.log_presence for offer in offers]
    assert values == sorted(values, reverse=True)
    assert min(values) >= -4.0
    shown = {load_categories()[thing.category].title for thing in frame.instances}
    listed = {offer.title for offer in offers}
    assert len(shown & listed) / len(shown) > len(listed) / len(load_categories())
    largest = max(frame.instances, key=lambda thing: thing.area)
    mask = classes.mask(frame.color, load_categories()[largest.category].title)
    truth = frame.mask((largest.id,))
    assert mask.shape == truth.shape
    assert (mask & truth).sum() / (mask | truth).sum() > 0.5
    with pytest.raises(ValueError, match="min_log_presence"):
        SeenClasses(model=classes._model, min_log_presence=1.0)
