"""Small pictures inside a page: arrays as PNG files in data URIs."""

import struct
import zlib
from base64 import b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NEGATIVE, _POSITIVE = (43, 116, 205), (217, 95, 14)  # told apart by all eyes, on white and on black
_MOST_PIXELS = 128  # across and down: more would not be seen
_COLOUR_TYPES = {1: 0, 4: 6}  # of a PNG, by bytes a pixel: grey; red, green, blue and opacity


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return grey pixels (h, w) or coloured ones with opacity (h, w, 4) as a PNG's data URI."""
    height, width, depth = *pixels.shape[:2], pixels[0, 0].size
    rows = np.zeros((height, 1 + width * depth), np.uint8)  # each starts with a 0: not filtered
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[depth], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    file = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)
    return f"data:image/png;base64,{b64encode(file).decode('ascii')}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def grey_pixels(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return values (h, w) as grey pixels: ``low`` black, ``high`` white, what is no number black."""
    share = (_thinned(values).astype(np.float64) - low) / ((high - low) or 1.0)
    return (255 * np.nan_to_num(share).clip(0, 1)).round().astype(np.uint8)


def signed_pixels(values: NDArray[Any], limit: float) -> NDArray[np.uint8]:
    """Return values (h, w) as coloured pixels: blue below 0, orange above, opaque from ``limit`` on, 0 not there."""
    thinned = _thinned(values).astype(np.float64)
    pixels = np.where((thinned < 0)[..., None], (*_NEGATIVE, 0), (*_POSITIVE, 0)).astype(np.uint8)
    pixels[..., 3] = (255 * np.nan_to_num(np.abs(thinned) / (limit or 1.0)).clip(0, 1)).round()
    return pixels


def _thinned(values: NDArray[Any]) -> NDArray[Any]:
    step = -(-max(values.shape) // _MOST_PIXELS)
    return values[::step, ::step]
