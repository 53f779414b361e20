from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from vectors import VectorSet

from lisa_model.llava.segmenter import LisaSegmenter
from lisa_model.segmenter import ReasoningSegmenter


@pytest.fixture(scope="session")
def open_set(tmp_path_factory):
    """A function that opens a vector set's model; each (set, template, dtype) once."""

    @cache
    def folder(where: Path) -> Path:
        return VectorSet(where).checkpoint(tmp_path_factory.mktemp("checkpoint") / where.name)

    @cache
    def opened(where: Path, conversation: str, dtype: str, quantization: str | None):
        segmenter = ReasoningSegmenter.from_pretrained(
            folder(where),
            vision_tower=where / "clip-tiny",
            conversation=conversation,
            dtype=dtype,
            quantization=quantization,
        )
        assert isinstance(segmenter, LisaSegmenter)
        return segmenter

    def open_set(
        vectors: VectorSet,
        conversation: str = "llava_v1",
        dtype: str = "float32",
        quantization: str | None = None,
    ) -> LisaSegmenter:
        vectors.needs_decoder()
        return opened(vectors.folder, conversation, dtype, quantization)

    return open_set
