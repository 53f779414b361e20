"""Pictures and label maps from disk; a file that is cut off is an error, never half a picture."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image as the official data sets read it (OpenCV, rotated as its EXIF data says).

    OpenCV fills the missing part of a JPEG that is cut off with grey and says nothing; here it is
    an error.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no whole image.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no image at {path}")
    data = path.read_bytes()
    # Within compressed data FF is always escaped: the end marker behind the last scan is the real
    # one (that of an embedded thumbnail lies before).
    if data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise ValueError(f"{path} is cut off: the JPEG has no end")
    image = None
    if data:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path} cannot be decoded as an image")
    return np.ascontiguousarray(image[..., ::-1])


def read_labels(path: Path) -> NDArray[np.uint8]:
    """A label map: one class number per pixel.

    Pillow, because the colours of a palette image (Mapillary Vistas) are of no interest, only its
    indices are.

    Returns:
        (H, W) uint8.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no image of one uint8 channel.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no label map at {path}")
    try:
        with Image.open(path) as opened:
            labels = np.array(opened)
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be decoded as a label map: {error}") from error
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ValueError(
            f"{path} is no label map: it has shape {labels.shape} and type {labels.dtype}, "
            "not one uint8 number per pixel"
        )
    return labels
