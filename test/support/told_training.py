"""A joint stage that notes what it is told, in the place of the real one."""

from __future__ import annotations

from typing import Any

import pytest


def told_training(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put the stand-in in place; returns what each stage is told, with ``ran`` once it has run."""
    told: list[dict[str, Any]] = []

    class Training:
        def __init__(self, **given: Any) -> None:
            told.append(given)

        def run(self) -> None:
            told[-1]["ran"] = True

    monkeypatch.setattr("training.tiny.stage_joint.JointTraining", Training)
    return told
