"""From a package's files to a folder that transformers opens; picks the converter by source."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from lisa_model.base_weights.bert_files import keep_bert_files
from lisa_model.base_weights.dinov2_onnx import convert_dinov2_onnx
from lisa_model.base_weights.llama_gguf import convert_llama_gguf
from lisa_model.base_weights.sources import WeightsSource
from lisa_model.errors import WeightsMissingError


def convert(source: WeightsSource, files: Path, target: Path) -> None:
    """Convert the extracted files of ``source``.

    Args:
        source: says which converter and which files.
        files: folder with the extracted files (flat).
        target: an existing empty folder to fill.

    Raises:
        WeightsMissingError: a Python package that the converter needs is not installed.
        WeightsCorruptError: the files do not hold what the converter expects.
    """
    first = files / source.files[0].name
    try:
        with _quiet_transformers():
            if source.converter == "llama-gguf":
                convert_llama_gguf(first, target)
            elif source.converter == "dinov2-onnx":
                convert_dinov2_onnx(first, target)
            else:
                keep_bert_files([files / file.name for file in source.files], target)
    except ImportError as error:
        raise WeightsMissingError(
            f"base weights {source.name}: converting them needs a Python package that is not "
            f"installed ({error}); install this project's requirements and try again"
        ) from error


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Without transformers' own bars and notes, which would mix with ours; restored after.

    Its GGUF reader has one bar that no setting switches off; hence the redirection. Errors are
    exceptions and not affected.
    """
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
