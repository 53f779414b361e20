import pytest
import torch

from lisa_model.meaning import agreement

NOTHING = -80.0


def test_what_words_mean_most_agrees_fully_and_what_they_do_not_mean_not_at_all():
    mug = torch.tensor([60.0, 0.0, 0.0])
    looks = torch.eye(3)[[0, 2]] * 60.0
    torch.testing.assert_close(agreement(mug, looks), torch.tensor([1.0, 0.0]))
    # Only differences of logits count.
    torch.testing.assert_close(agreement(mug + 7.0, looks - 3.0), torch.tensor([1.0, 0.0]))


def test_words_that_fit_several_things_fit_each_fully():
    either = torch.tensor([0.0, 0.0, NOTHING])
    for looks in ([0.0, NOTHING, NOTHING], [NOTHING, 0.0, NOTHING], [0.0, 0.0, NOTHING]):
        assert float(agreement(either, torch.tensor(looks))) == pytest.approx(1.0)


def test_what_words_mean_less_agrees_less():
    words = torch.tensor([0.7, 0.3]).log()
    assert float(agreement(words, torch.tensor([NOTHING, 0.0]))) == pytest.approx(3 / 7)
    # What looks half like one and half like the other.
    assert float(agreement(words, torch.zeros(2))) == pytest.approx((1 + 3 / 7) / 2)
