"""Learning rates and kept states."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.tiny.steps import keep, learning_rate, set_rates


def an_optimiser() -> torch.optim.Optimizer:
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in (1e-3, 4e-3)]
    return torch.optim.AdamW(groups)


def rates(optimiser: torch.optim.Optimizer) -> list[float]:
    return [group["lr"] for group in optimiser.param_groups]


def test_rate_rises_then_falls() -> None:
    found = [learning_rate(step, 100, warm_up=10, least=0.02) for step in range(100)]
    assert found[0] == pytest.approx(0.1)
    assert found.index(max(found)) == 9
    assert found[-1] == pytest.approx(0.02)
    assert found[9:] == sorted(found[9:], reverse=True)


def test_every_group_keeps_its_own_peak() -> None:
    optimiser = an_optimiser()
    for step in range(60):
        set_rates(optimiser, step, 100, warm_up=10, least=0.02)
        share = learning_rate(step, 100, warm_up=10, least=0.02)
        assert rates(optimiser) == pytest.approx([1e-3 * share, 4e-3 * share])


def test_interrupted_run_goes_on_at_the_same_rates(tmp_path: Path) -> None:
    optimiser = an_optimiser()
    set_rates(optimiser, 70, 100, warm_up=10, least=0.02)
    keep(optimiser.state_dict(), tmp_path / "run.state")
    fresh = an_optimiser()
    fresh.load_state_dict(torch.load(tmp_path / "run.state", weights_only=True))
    for one in (optimiser, fresh):
        set_rates(one, 71, 100, warm_up=10, least=0.02)
    assert rates(fresh) == pytest.approx(rates(optimiser))
    assert [path.name for path in tmp_path.iterdir()] == ["run.state"]
