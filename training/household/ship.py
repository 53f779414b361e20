"""Copies rendered frames into the package: the demo's scenes and the test split's sample.

Run: ``python -m training.household.ship --frames data/household``
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from training.household.assets import furniture_folder
from training.household.attribution import attribution_markdown, models_in_frames
from training.household.catalogue import ModelEntry, read_catalogue
from training.household.language import (
    EXPLICIT_WRAPPERS,
    IMPLICIT,
    askable,
    frame_questions,
)
from training.household.taxonomy import load_categories, purposes

ROOT = Path(__file__).parents[2]
SCENES = ROOT / "scenes"
SAMPLE = Path(__file__).parent / "frames" / "test"


def write_meta(path: Path, meta: dict[str, Any]) -> None:
    """A frame's JSON, one line per instance or question so that diffs stay readable."""
    rows = []
    for key, value in meta.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value)
            rows.append(f" {json.dumps(key)}: [\n  {inner}\n ]")
        else:
            rows.append(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def every_question(meta: dict[str, Any], min_area: int = 150) -> list[dict[str, Any]]:
    """All test intents that mean one thing of a frame without ambiguity."""
    categories = load_categories()
    named, meant = askable(meta["instances"], min_area)
    out = []
    for index, item in enumerate(meta["instances"]):
        category = categories[item["category"]]
        target = [item["id"]]
        if index in named:
            out += [
                {"intent": wrapper.format(x=name), "kind": "explicit", "instances": target}
                for name in category.names
                for wrapper in EXPLICIT_WRAPPERS["test"]
            ]
        if index in meant:
            out += [
                {"intent": phrase, "kind": kind, "instances": target}
                for kind in IMPLICIT
                for phrase in purposes(category.id, "test", kind)
            ]
    return out


def ship_scenes(frames: Path, catalogue: dict[str, ModelEntry]) -> int:
    """Demo scenes with depth and all their questions into ``scenes/``."""
    SCENES.mkdir(exist_ok=True)
    sources = sorted((frames / "demo").glob("*.json"))
    for path in sources:
        meta = json.loads(path.read_text(encoding="utf-8"))
        meta["questions"] = every_question(meta)
        write_meta(SCENES / path.name, meta)
        for suffix in (".jpg", ".depth.png", ".ids.png"):
            shutil.copyfile(path.with_suffix(suffix), SCENES / f"{path.stem}{suffix}")
    text = attribution_markdown(models_in_frames(sources), catalogue)
    (SCENES / "ATTRIBUTION.md").write_text(text, encoding="utf-8")
    return len(sources)


def ship_sample(frames: Path, catalogue: dict[str, ModelEntry]) -> int:
    """Test frames for ``lisa eval household``: colour, ids and questions, without depth."""
    SAMPLE.mkdir(parents=True, exist_ok=True)
    sources = sorted((frames / "test").glob("*.json"))
    for path in sources:
        meta = json.loads(path.read_text(encoding="utf-8"))
        meta["questions"] = frame_questions(meta, split="test")
        meta.pop("shapes", None)  # the id image is exact and smaller than polygons
        write_meta(SAMPLE / path.name, meta)
        for suffix in (".jpg", ".ids.png"):
            shutil.copyfile(path.with_suffix(suffix), SAMPLE / f"{path.stem}{suffix}")
    text = attribution_markdown(models_in_frames(sources), catalogue)
    (SAMPLE.parent / "ATTRIBUTION.md").write_text(text, encoding="utf-8")
    return len(sources)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, default=Path("data/household"))
    parser.add_argument("--assets", type=Path, default=Path("data/household_assets"))
    args = parser.parse_args()
    catalogue = dict(read_catalogue(furniture_folder(args.assets)))
    print(f"scenes: {ship_scenes(args.frames, catalogue)}")
    print(f"test frames: {ship_sample(args.frames, catalogue)}")


if __name__ == "__main__":
    main()
