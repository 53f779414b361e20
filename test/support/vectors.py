"""Recorded inputs and outputs of the official LISA code, for the tests that compare with them.

``test/vectors`` holds what fits into the repository. With the environment variable LISA_VECTORS
naming a folder of complete sets, the same tests run on every set found there instead.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

SHIPPED = Path(__file__).resolve().parents[1] / "vectors"
LLAVA_IGNORED = -100


@dataclass(frozen=True)
class VectorSet:
    """One set: a tiny random LISA and what the official code did with it."""

    folder: Path

    @property
    def name(self) -> str:
        """Folder name."""
        return self.folder.name

    @cached_property
    def meta(self) -> dict[str, Any]:
        """meta.json."""
        return json.loads((self.folder / "meta.json").read_text("utf-8"))

    @property
    def hf(self) -> Path:
        """Tokenizer and config.json, as save_pretrained wrote them."""
        return self.folder / "hf"

    @property
    def clip(self) -> Path:
        """The CLIP tower."""
        return self.folder / "clip-tiny"

    @property
    def cases(self) -> list[dict[str, Any]]:
        """The recorded questions, as meta.json describes them."""
        return self.meta["cases"]

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Arrays of a file, such as ``eval_a_v1_landscape`` or ``train_batch``."""
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"{self.name} has no {path.name} here; set LISA_VECTORS to complete sets")
        with np.load(path) as data:
            return {key: data[key] for key in data.files}

    def case(self, case: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Arrays of a recorded question."""
        return self.arrays(f"eval_{case['name']}")

    def needs_decoder(self) -> None:
        """Skip the test where the mask decoder's weights were left out."""
        from safetensors import safe_open

        with safe_open(str(self.folder / "model.safetensors"), framework="np") as handle:
            if not any("mask_decoder.transformer." in key for key in handle.keys()):  # noqa: SIM118
                pytest.skip(f"{self.name} is here without its decoder; set LISA_VECTORS")

    def checkpoint(self, folder: Path) -> Path:
        """Put config, tokenizer and weights into one folder, as a released checkpoint has them."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in [*self.hf.iterdir(), self.folder / "model.safetensors"]:
            if path.suffix != ".bin" and not (folder / path.name).exists():
                (folder / path.name).symlink_to(path.resolve())
        return folder


def vector_sets() -> list[VectorSet]:
    """All sets there are.

    Raises:
        FileNotFoundError: LISA_VECTORS names a folder without a set.
    """
    root = Path(os.environ.get("LISA_VECTORS") or SHIPPED)
    found = [VectorSet(path.parent) for path in sorted(root.glob("*/meta.json"))]
    if not found:
        raise FileNotFoundError(f"no reference vectors in {root}")
    return found


def each_set() -> pytest.MarkDecorator:
    """Parametrise a test with ``vectors``, one of the sets."""
    sets = vector_sets()
    return pytest.mark.parametrize("vectors", sets, ids=[one.name for one in sets])


def each_case() -> pytest.MarkDecorator:
    """Parametrise a test with ``vectors`` and ``case``, one of its recorded questions."""
    pairs = [(one, case) for one in vector_sets() for case in one.cases]
    return pytest.mark.parametrize(
        ("vectors", "case"), pairs, ids=[f"{one.name}-{case['name']}" for one, case in pairs]
    )
