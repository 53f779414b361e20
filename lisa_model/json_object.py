"""Reading a JSON file that has to hold an object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lisa_model.errors import WeightsCorruptError, WeightsMissingError


def read_json_object(path: Path, *, missing: str = "") -> dict[str, Any]:
    """The object of a file that belongs to a model.

    Args:
        path: of the file.
        missing: said besides when there is no such file.

    Raises:
        WeightsMissingError, WeightsCorruptError: it is not there, or no JSON object.
    """
    if not path.is_file():
        raise WeightsMissingError(f"{path} is missing{missing}")
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise WeightsCorruptError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise WeightsCorruptError(f"{path} holds no JSON object")
    return values
