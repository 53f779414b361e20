import pytest
import torch

from lisa_model.meaning import agreement


def test_equal_classifications_agree_and_disjoint_ones_do_not():
    one = torch.tensor([[3.0, 1.0, -2.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(agreement(one, one + 7.0), torch.ones(2))
    far = torch.tensor([60.0, 0.0, 0.0])
    assert float(agreement(far, far.flip(0))) == pytest.approx(0.0, abs=1e-6)
    # Half of the one is all of the other.
    half = torch.tensor([0.0, 0.0, -80.0])
    assert float(agreement(far, half)) == pytest.approx(0.5**0.5, abs=1e-6)
