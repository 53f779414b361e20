"""COCO images on which refCOCO, refCOCO+ and refCOCOg are scored: training must not see them."""

from __future__ import annotations

from pathlib import Path

from training.data.errors import DataError
from training.data.refs import read_refs, refs_file

# The partitions that are reported: UNC for refCOCO(+), UMD for refCOCOg.
SCORED = (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd"))


def scored_images(root: Path) -> frozenset[int]:
    """COCO ids of all images outside the train split of any of the three sets.

    Args:
        root: folder of the downloads.

    Raises:
        DataError: a file with the splits is missing, or holds no validation or test image.
    """
    out: set[int] = set()
    for name, partition in SCORED:
        path = refs_file(root, name, partition)
        try:
            refs = read_refs(path)
        except DataError as error:
            raise DataError(
                f"{error} (needed for exclude_refer_validation; set that to false to train without "
                "refCOCO, but then do not report scores on it)"
            ) from error
        mine = {ref.image_id for ref in refs.usable if ref.split != "train"}
        if not mine:
            raise DataError(f"{path} holds no validation or test image: it is not the whole file")
        out |= mine
    return frozenset(out)
