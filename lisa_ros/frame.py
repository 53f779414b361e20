"""One moment as the cameras saw it, and its pixels, decoded when they are used.

A 30 Hz camera whose images are used once in a while must not cost the decoding of every image.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lisa_model.depth_registration import register_depth
from lisa_model.geometry import Intrinsics
from lisa_model.rectification import rectify_color, rectify_depth
from lisa_ros.camera_view import CameraView
from lisa_ros.compressed import compressed_to_rgb
from lisa_ros.compressed_depth import compressed_depth_to_metres
from lisa_ros.conversion import depth_to_metres, image_to_rgb
from lisa_ros.errors import InputError
from lisa_ros.lens import lens_model
from lisa_ros.validation import rectified_intrinsics, validate_camera_info

ImageMessage: TypeAlias = Image | CompressedImage
ValueT = TypeVar("ValueT")
_AS_IT_COMES = CameraView()

# Why a frame has no usable depth; the values of lisa_ros/msg/Target3D's REASON constants.
REASON_NO_DEPTH = "no_depth"
REASON_NO_CAMERA_INFO = "no_camera_info"
REASON_INVALID_DEPTH = "invalid_depth"


class Once(Generic[ValueT]):
    """A value that is computed when it is first asked for, once; an error is remembered as well."""

    def __init__(self, compute: Callable[[], ValueT]) -> None:
        self._compute: Callable[[], ValueT] | None = compute
        self._lock = threading.Lock()
        self._value: ValueT
        self._error: Exception | None = None

    def get(self) -> ValueT:
        """Return the value.

        Raises:
            Exception: what computing it raised.
        """
        with self._lock:
            if self._compute is not None:
                try:
                    self._value = self._compute()
                except Exception as error:
                    self._error = error
                self._compute = None
        if self._error is not None:
            raise self._error
        return self._value


def colour_pixels(msg: ImageMessage) -> Once[NDArray[np.uint8]]:
    """Return the (H, W, 3) uint8 RGB of a colour message, not yet decoded."""
    if isinstance(msg, CompressedImage):
        return Once(lambda: compressed_to_rgb(msg))
    return Once(lambda: image_to_rgb(msg))


def depth_pixels(msg: ImageMessage) -> Once[NDArray[np.float32]]:
    """Return the (H, W) float32 metres of a depth message, not yet decoded."""
    if isinstance(msg, CompressedImage):
        return Once(lambda: compressed_depth_to_metres(msg))
    return Once(lambda: depth_to_metres(msg))


@dataclass(frozen=True)
class Frame:
    """A colour image with what belongs to it.

    Attributes:
        colour: validated colour image.
        received: when it arrived, in seconds of the monotonic clock.
        depth, info: validated, and fitting to ``colour``; None when there is none.
        missing: "" when complete, else the code of what is missing.
        missing_text: the same as a sentence.
        depth_info: of the depth camera, when depth is not registered.
        view: what is done to the images.
        pixels, depth_values: the same images, decoded once however many frames share them.
    """

    colour: ImageMessage
    received: float
    depth: ImageMessage | None = None
    info: CameraInfo | None = None
    missing: str = ""
    missing_text: str = ""
    depth_info: CameraInfo | None = None
    view: CameraView = _AS_IT_COMES
    pixels: Once[NDArray[np.uint8]] | None = field(default=None, compare=False, repr=False)
    depth_values: Once[NDArray[np.float32]] | None = field(default=None, compare=False, repr=False)

    @property
    def complete(self) -> bool:
        """True when targets can be estimated in 3D."""
        return self.depth is not None and self.info is not None

    def rgb(self) -> NDArray[np.uint8]:
        """Return what the model is to see, (H, W, 3) uint8 RGB; not to be written to.

        Raises:
            InputError: the image cannot be decoded, or has to be rectified without a camera_info.
        """
        return self._rgb

    def depth_m(self) -> NDArray[np.float32]:
        """Return the depth of each pixel of ``rgb``, (H, W) float32 [m]; 0 and NaN are invalid.

        Raises:
            InputError: the depth cannot be decoded.
            ValueError: the frame is not complete.
        """
        return self._depth_m

    def intrinsics(self) -> Intrinsics:
        """Return the pinhole camera that ``rgb`` and ``depth_m`` are of.

        Raises:
            InputError: the camera_info is malformed.
            ValueError: the frame has no camera_info.
        """
        if self.info is None:
            raise ValueError(f"the frame has no camera_info: {self.missing_text}")
        if self.view.rectified_input:
            return rectified_intrinsics(self.info)
        return validate_camera_info(self.info)

    def decode_colour(self) -> NDArray[np.uint8]:
        """Return the colour image as it was sent, (H, W, 3) uint8 RGB.

        Raises:
            InputError: it cannot be decoded.
        """
        return self._colour_pixels.get()

    def decode_depth(self) -> NDArray[np.float32]:
        """Return the depth image as it was sent, (h, w) float32 [m].

        Raises:
            InputError: it cannot be decoded.
            ValueError: there is none.
        """
        return self._depth_pixels.get()

    @cached_property
    def _colour_pixels(self) -> Once[NDArray[np.uint8]]:
        return self.pixels or colour_pixels(self.colour)

    @cached_property
    def _depth_pixels(self) -> Once[NDArray[np.float32]]:
        if self.depth is None:
            raise ValueError(f"the frame has no depth: {self.missing_text}")
        return self.depth_values or depth_pixels(self.depth)

    @cached_property
    def _rgb(self) -> NDArray[np.uint8]:
        pixels = self.decode_colour()
        if not self.view.rectify:
            return pixels
        if self.info is None:
            raise InputError(
                code=REASON_NO_CAMERA_INFO,
                field="camera_info",
                problem="is missing for the image, which has to be rectified"
                + (f" ({self.missing_text})" if self.missing_text else ""),
                remedy="Publish the colour camera's camera_info with the image's stamp, or set "
                "rectify to false",
            )
        return rectify_color(pixels, lens_model(self.info))

    @cached_property
    def _depth_m(self) -> NDArray[np.float32]:
        values: NDArray[Any] = self.decode_depth()
        if self.info is None:
            raise ValueError(f"the frame has no camera_info: {self.missing_text}")
        if self.view.registered:
            return rectify_depth(values, lens_model(self.info)) if self.view.rectify else values
        if self.depth_info is None:
            raise ValueError("the frame has no camera_info of its depth camera")
        if self.view.rectify:
            values = rectify_depth(values, lens_model(self.depth_info))
        return register_depth(
            values, validate_camera_info(self.depth_info), self.intrinsics(), self.view.transform
        )
