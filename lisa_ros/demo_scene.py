"""The scenes that the demo plays: where they lie, and what is true in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ament_index_python.packages import get_package_share_directory
from numpy.typing import NDArray

from lisa_model.rgbd import RgbdFrame, load_frame

DEFAULT_SCENE = "living_room_remote"


class SceneError(ValueError):
    """A scene cannot be found or read; the message names the file and the remedy."""


@dataclass(frozen=True)
class Truth:
    """What an intent means in a scene.

    Attributes:
        mask: (H, W) bool, all objects that are meant.
        points_m: (n, 3) float64, one point per object [m], camera optical frame: the median of the
            object's back-projected visible pixels.
        titles: names of the objects, in the order of ``points_m``.
    """

    mask: NDArray[np.bool_]
    points_m: NDArray[np.float64]
    titles: tuple[str, ...]


def scenes_folder() -> Path:
    """Return the folder of the scenes that are installed with the package."""
    return Path(get_package_share_directory("lisa_ros")) / "scenes"


def find_scene(scene: str, folder: Path | None = None) -> Path:
    """Return the JSON file of a scene.

    Args:
        scene: name of an installed scene, or the path of any file of a scene.
        folder: where the named scenes lie; by default the installed ones.

    Raises:
        SceneError: there is no such scene; the message lists those there are.
    """
    if not scene.strip():
        raise SceneError("scene: is empty; give a scene's name or file")
    path = Path(scene).expanduser()
    if path.suffix or len(path.parts) > 1:
        found = path.with_name(path.name.split(".")[0] + ".json")
        if found.is_file():
            return found
        raise SceneError(f"scene: there is no file {found}")
    folder = scenes_folder() if folder is None else folder
    found = folder / f"{scene}.json"
    if found.is_file():
        return found
    names = sorted(p.stem for p in folder.glob("*.json"))
    raise SceneError(
        f"scene: there is no {scene!r} in {folder}; "
        + (f"choose one of {', '.join(names)}" if names else "the folder holds no scene")
        + ", or give the path of a scene's .json"
    )


def load_scene(scene: str, folder: Path | None = None) -> RgbdFrame:
    """Find and read a scene.

    Raises:
        SceneError: it is not there, incomplete, or a file of it is malformed.
    """
    path = find_scene(scene, folder)
    try:
        return load_frame(path)
    except json.JSONDecodeError as error:
        raise SceneError(f"scene: {path} is not JSON: {error}") from error
    except KeyError as error:
        raise SceneError(f"scene: {path} lacks the entry {error}") from error
    except (OSError, TypeError, ValueError) as error:
        raise SceneError(f"scene: {path}: {error}") from error


def truth_for(frame: RgbdFrame, intent: str) -> Truth | None:
    """Return what an intent means in a scene, or None when the scene does not say.

    Capitals, punctuation at the end and repeated blanks make no difference.
    """
    wanted = _normal(intent)
    for question in frame.questions:
        if _normal(question.intent) == wanted:
            meant = [item for item in frame.instances if item.id in question.instances]
            return Truth(
                mask=frame.mask(question.instances),
                points_m=np.array([item.point_m for item in meant], dtype=np.float64).reshape(
                    -1, 3
                ),
                titles=tuple(item.title for item in meant),
            )
    return None


def _normal(intent: str) -> str:
    return " ".join(intent.split()).rstrip(".!? ").casefold()
