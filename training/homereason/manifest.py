"""Fingerprints of the scored frames, so that rendering them again can be compared.

``python -m training.homereason.manifest --frames data/homereason`` compares val, test and
test_models with the fingerprints that come with the package; ``--write`` makes those.

Depth, ids and metadata come out the same bit for bit. Pictures do so on CPUs of one kind; on
another, the renderer's arithmetic differs in the last bits, and some pixels by a grey level or two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.homereason.files import FOLDERS

SCORED = tuple(name for name in FOLDERS if name != "train")
MANIFEST = Path(__file__).with_name("manifest.tsv")
PARTS = ("colour", "shades", "depth", "ids", "meta")
# Grid of the mean colours, and grey levels by which each may differ.
SHADES = (4, 3)
LEVELS = 1
# Hexadecimal digits kept of each SHA-256: against accidents, not against an adversary.
DIGITS = 12


@dataclass(frozen=True)
class Comparison:
    """Frames of a manifest beside those on disk.

    Attributes:
        same: number of frames that agree in every part.
        alike: number of frames whose pictures differ in single pixels only.
        differing: ``split/frame: parts`` of the others.
        missing: ``split/frame`` that are not on disk.
        unknown: ``split/frame`` on disk that the manifest does not have.
    """

    same: int
    alike: int
    differing: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the same frames are there, and all agree."""
        return not (self.differing or self.missing or self.unknown)


def fingerprint(path: Path) -> tuple[str, ...]:
    """Digests of a frame's picture, depth, ids and metadata, in the order of ``PARTS``; its shades
    are mean colours on a grid, in hexadecimal digits.

    Depth and ids are those of the decoded pixels, so that another version of the PNG encoder does
    not count; the colour picture is lossy, and its bytes are what models see.

    Args:
        path: of the frame's JSON.

    Raises:
        FileNotFoundError: a file of the frame is missing.
        ValueError: a picture cannot be read.
    """
    meta = json.dumps(json.loads(path.read_text(encoding="utf-8")), sort_keys=True)
    picture = path.with_suffix(".jpg")
    shades = cv2.resize(_pixels(picture), SHADES, interpolation=cv2.INTER_AREA)
    contents = [picture.read_bytes()]
    for part in ("depth", "ids"):
        pixels = _pixels(path.with_suffix(f".{part}.png"))
        contents.append(f"{pixels.dtype} {pixels.shape} ".encode() + pixels.tobytes())
    contents.append(meta.encode())
    colour, *others = (hashlib.sha256(one).hexdigest()[:DIGITS] for one in contents)
    return (colour, shades.tobytes().hex(), *others)


def _pixels(file: Path) -> NDArray[np.generic]:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; render the frame again")
    pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError(f"{file} is no readable {file.suffix[1:].upper()}; render the frame again")
    return pixels


def alike(one: str, other: str) -> bool:
    """Whether shades agree but for :data:`LEVELS`.

    Raises:
        ValueError: they are no hexadecimal digits.
    """
    pair = [np.frombuffer(bytes.fromhex(text), np.uint8).astype(int) for text in (one, other)]
    return len(pair[0]) == len(pair[1]) and bool((abs(pair[0] - pair[1]) <= LEVELS).all())


def fingerprints(frames: Path) -> dict[str, tuple[str, ...]]:
    """Of all scored frames, by ``split/frame``."""
    return {
        f"{split}/{path.stem}": fingerprint(path)
        for split in SCORED
        for path in sorted((frames / split).glob("*.json"))
    }


def write_manifest(path: Path, found: dict[str, tuple[str, ...]]) -> None:
    """A header, then a line for each frame."""
    rows = [("frame", *PARTS), *((name, *digests) for name, digests in found.items())]
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def read_manifest(path: Path) -> dict[str, tuple[str, ...]]:
    """Read it back.

    Raises:
        ValueError: a line has not as many columns as it should, naming it.
    """
    out = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        name, *digests = line.split("\t")
        if len(digests) != len(PARTS):
            raise ValueError(f"{path}, line {number}: {len(digests)} digests, not {len(PARTS)}")
        if number > 1:
            out[name] = tuple(digests)
    return out


def compare(wanted: dict[str, tuple[str, ...]], found: dict[str, tuple[str, ...]]) -> Comparison:
    """What is the same, what differs in which part, what is missing, what is too much."""
    differing, close = [], 0
    for name in wanted.keys() & found.keys():
        pairs = zip(PARTS, wanted[name], found[name], strict=True)
        parts = {part: (one, other) for part, one, other in pairs if one != other}
        if parts.keys() <= {"colour", "shades"} and alike(*parts.get("shades", ("", ""))):
            close += bool(parts)
        else:
            differing.append(f"{name}: {', '.join(parts)}")
    shared = len(wanted.keys() & found.keys())
    return Comparison(
        same=shared - len(differing) - close,
        alike=close,
        differing=tuple(sorted(differing)),
        missing=tuple(sorted(wanted.keys() - found.keys())),
        unknown=tuple(sorted(found.keys() - wanted.keys())),
    )


def main(argv: list[str] | None = None) -> int:
    """Entry point; exit code 1 when frames differ, are missing, or are too many."""
    parser = argparse.ArgumentParser(
        prog="python -m training.homereason.manifest", description=__doc__
    )
    parser.add_argument("--frames", type=Path, default=Path("data/homereason"))
    parser.add_argument("--manifest", type=Path, default=MANIFEST)
    parser.add_argument("--write", action="store_true", help="make the manifest from these frames")
    parser.add_argument("--present", action="store_true", help="frames may be missing")
    args = parser.parse_args(argv)
    try:
        found = fingerprints(args.frames)
        if not found:
            raise FileNotFoundError(f"no frames in {', '.join(SCORED)} of {args.frames}")
        if args.write:
            write_manifest(args.manifest, found)
            print(f"{args.manifest}: {len(found)} frames")
            return 0
        result = compare(read_manifest(args.manifest), found)
    except (OSError, ValueError) as error:
        print(f"homereason: {error}", file=sys.stderr)
        return 1
    for label in ("differing", "missing", "unknown"):
        if label == "missing" and args.present:
            continue
        names = getattr(result, label)
        for name in names[:20]:
            print(f"{label}: {name}")
        if len(names) > 20:
            print(f"{label}: {len(names) - 20} more")
    good = result.equal or (args.present and not (result.differing or result.unknown))
    print(f"{result.same} frames are the same" + ("" if good else "; others are not"))
    if result.alike:
        print(f"{result.alike} more are but for a grey level in some pixels: another kind of CPU")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
