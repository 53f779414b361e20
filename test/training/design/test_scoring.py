from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lisa_model.language import LanguageModel
from lisa_model.metrics import MaskScore
from training.design.scoring import Areas, open_in, records, weigh_presence
from training.design.settings import OWN, SETTINGS
from training.homereason.scoring import Outcome

ROOT = Path(__file__).parents[3]


class Blending(LanguageModel):
    """Gamma and codebook alone."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        torch.manual_seed(0)
        self.text_hidden_fcs = torch.nn.Linear(4, 3)
        self.register_buffer("codebook", torch.eye(3))
        self.presence_weight = 3.0

    def prompts(self, log_presence=None):
        return self.blended(self.raw_prompts(STATES), log_presence)


@pytest.fixture
def language():
    return Blending()


STATES = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))
SEEN = torch.tensor([[-9.0, -0.1, -5.0]])


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_the_weight_is_that_of_what_is_visible(language, weight):
    expected = language.prompts(weight * SEEN)
    plain = language.prompts(SEEN)
    weigh_presence(language, weight)
    found = language.prompts(SEEN)
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, plain)
    if not weight:
        torch.testing.assert_close(found, language.prompts())


def test_without_the_codebook_gamma_speaks(language):
    weigh_presence(language, None)
    torch.testing.assert_close(language.prompts(SEEN), language.raw_prompts(STATES))


def test_one_model_s_weight_is_not_another_s(language):
    plain = Blending().prompts(SEEN)
    weigh_presence(language, 0.0)
    torch.testing.assert_close(Blending().prompts(SEEN), plain)


def outcome(frame, seconds=1.0):
    return Outcome(
        frame=frame, subset="a", kind="explicit", text="x", score=MaskScore(1, 4), refused=False,
        fits=True, seconds=seconds,
    )  # fmt: skip


def test_only_the_first_question_of_a_frame_meets_a_new_image():
    rows = records([outcome("f"), outcome("f"), outcome("g")], [7.0, None, 3.0])
    assert [one["new_image"] for one in rows] == [True, False, True]
    assert [one["area_px"] for one in rows] == [7.0, None, 3.0]
    assert rows[0]["iou"] == pytest.approx(0.25, abs=1e-5)
    assert rows[0]["score"] == {"intersection": 1, "union": 4}


def test_areas_are_those_of_one_thing_in_a_frame_of_640_x_480():
    watching = Areas()
    ids = np.zeros((240, 320), dtype=np.uint8)
    ids[:10, :10], ids[20:25, :10] = 1, 2
    frame = SimpleNamespace(ids=ids, mask=lambda wanted: np.isin(ids, wanted))
    for targets in (((1,),), ((1, 2),), ((1,), (2,)), ()):
        question = SimpleNamespace(targets=targets, ids=tuple(k for one in targets for k in one))
        watching(None, frame, question, None, None)
    assert watching.areas == [400.0, 600.0, None, None]
    assert watching.sizes == {(320, 240)}


@pytest.mark.model
def test_a_setting_reaches_the_model():
    folder = str(ROOT / "lisa_model" / "weights" / "lisa-tiny")

    def opened(setting):
        return open_in(
            folder, change=setting.change, presence=setting.presence, dtype=setting.dtype
        )

    own, other = opened(OWN), opened(SETTINGS["no_zoom"])
    assert own.model.config.zoom_candidates > 0
    assert other.model.config.zoom_candidates == 0
    assert own.model.config.calibration is None
