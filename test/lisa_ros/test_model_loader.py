from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from lisa_ros import model_loader
from lisa_ros.model_loader import ModelNotLoadedError, load_or_explain
from lisa_ros.parameters import Settings

SETTINGS = Settings.defaults()


class Weights:
    """Stands for what was loaded before it failed."""


@pytest.mark.parametrize(
    ("error", "hint"),
    [(FileNotFoundError("no weights"), False), (MemoryError("too large"), True)],
)
def test_a_model_that_does_not_load_is_explained_and_given_back(
    error: Exception, hint: bool, monkeypatch: pytest.MonkeyPatch
):
    alive: list[Any] = []

    def fail(settings: Settings) -> Any:
        half_loaded = Weights()
        alive.append(weakref.ref(half_loaded))
        raise error

    monkeypatch.setattr(model_loader, "load_segmenter", fail)
    with pytest.raises(ModelNotLoadedError) as caught:
        load_or_explain(SETTINGS)
    message = str(caught.value)
    assert "cannot load model 'lisa-tiny' on cpu as float32" in message
    assert f"{type(error).__name__}: {error}" in message
    assert ("Set dtype to bfloat16" in message) == hint
    assert caught.value.__context__ is None
    error.__traceback__ = None  # the parameter of this test is all that still holds the frames
    gc.collect()
    assert alive[0]() is None
