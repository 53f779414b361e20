"""Headers are believed only as far as they are small; what is decoded is whole."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_model.encoded_images import (
    EncodedImageError,
    ImageTooLargeError,
    decode_color,
    decode_depth,
    decode_ids,
    encode,
    read_header,
)

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
DEPTH = RNG.integers(0, 65536, (20, 30), dtype=np.uint16)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def huge_png(width: int, height: int) -> bytes:
    """Return a valid, tiny PNG that claims a size; its rows are zeros, as far as there are any."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", rows)
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("pixels", "codec", "channels", "bits"),
    [
        (RGB, "jpeg", 3, 8),
        (GREY, "jpeg", 1, 8),
        (RGB, "png", 3, 8),
        (GREY, "png", 1, 8),
        (DEPTH, "png", 1, 16),
    ],
)
def test_headers_say_what_was_encoded(pixels, codec, channels, bits):
    header = read_header(encode(pixels, codec))
    assert (header.codec, header.channels, header.bits) == (codec, channels, bits)
    assert (header.width, header.height) == (30, 20)


def test_png_is_lossless_and_rgb():
    np.testing.assert_array_equal(decode_color(encode(RGB, "png")), RGB)
    np.testing.assert_array_equal(decode_depth(encode(DEPTH, "png")), DEPTH)
    np.testing.assert_array_equal(decode_ids(encode(GREY, "png")), GREY)
    np.testing.assert_array_equal(decode_ids(encode(DEPTH, "png")), DEPTH)
    grey = decode_color(encode(GREY, "png"))
    np.testing.assert_array_equal(grey, np.repeat(GREY[..., None], 3, axis=2))


def test_jpeg_is_near_and_rgb():
    smooth = np.zeros((16, 16, 3), np.uint8)
    smooth[..., 0] = 200
    smooth[..., 2] = 40
    assert np.abs(decode_color(encode(smooth, "jpeg")).astype(int) - smooth).max() <= 4


def test_an_exif_orientation_is_not_applied():
    jpeg = encode(RGB, "jpeg")
    # One entry: tag 0x0112 (orientation), a 16-bit number, the value 6 (turned by 90 degrees).
    tiff = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0x0112, 3, 1, 6, 0)
    body = b"Exif\x00\x00" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]
    as_opencv_shows_it = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert as_opencv_shows_it.shape == (30, 20, 3)  # it is there, and would turn the image
    np.testing.assert_array_equal(decode_color(turned), decode_color(jpeg))


@pytest.mark.parametrize("size", [(65535, 65535), (0, 5), (5, 0), (16385, 1), (16384, 16384)])
def test_bombs_are_refused_before_they_are_decoded(size, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageTooLargeError, match=f"{size[0]} x {size[1]}"):
        decode_color(huge_png(*size))
    jpeg = bytearray(encode(RGB, "jpeg"))
    frame = jpeg.index(b"\xff\xc0")
    struct.pack_into(">HH", jpeg, frame + 5, size[1], size[0])
    with pytest.raises(ImageTooLargeError):
        decode_color(bytes(jpeg))


@pytest.mark.parametrize("codec", ["jpeg", "png"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_cut_images_are_refused(codec, share):
    """OpenCV would fill up what is missing."""
    whole = encode(RGB, codec)
    with pytest.raises(EncodedImageError):
        decode_color(whole[: int(len(whole) * share)])


def test_damaged_pixels_are_refused():
    whole = bytearray(encode(RGB, "png"))
    middle = len(whole) // 2
    whole[middle : middle + 8] = bytes(8)
    with pytest.raises(EncodedImageError, match="damaged"):
        decode_color(bytes(whole))


@pytest.mark.parametrize(
    ("decode", "data", "message"),
    [
        (decode_color, encode(DEPTH, "png"), "16 bits"),
        (decode_depth, encode(GREY, "png"), "16 bits"),
        (decode_depth, encode(RGB, "png"), "3 channel"),
        (decode_depth, encode(GREY, "jpeg"), "jpeg"),
        (decode_ids, encode(RGB, "png"), "3 channel"),
        (decode_color, b"", "nothing"),
        (decode_color, b"GIF89a", "neither JPEG"),
    ],
)
def test_images_of_another_kind_are_refused(decode, data, message):
    with pytest.raises(EncodedImageError, match=message):
        decode(data)


def test_what_cannot_be_encoded_is_refused():
    for pixels, codec in (
        (DEPTH, "jpeg"),
        (RGB.astype(np.float32), "png"),
        (RGB[..., :2], "png"),
        (RGB[:0], "png"),
    ):
        with pytest.raises(ValueError, match=r"encoded|JPEG"):
            encode(pixels, codec)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]), st.binary())
def test_any_bytes_are_decoded_or_refused(start, rest):
    for decode in (decode_color, decode_depth, decode_ids):
        try:
            pixels = decode(start + rest)
        except EncodedImageError:
            continue
        assert pixels.size


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([(RGB, "jpeg"), (RGB, "png"), (DEPTH, "png")]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
)
def test_images_with_changed_bytes_are_decoded_or_refused(image, changes):
    data = bytearray(encode(*image))
    for place, value in changes:
        data[int(place * len(data))] = value
    decode = decode_depth if image[0] is DEPTH else decode_color
    try:
        pixels = decode(bytes(data))
    except EncodedImageError:
        return
    header = read_header(bytes(data))
    assert pixels.shape[:2] == (header.height, header.width)
