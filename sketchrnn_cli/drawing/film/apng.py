"""Animated PNG from a stream of frames: every shade of transparency, and no colour lost.

As with GIF, frames go into the file one by one, each encoded by Pillow. Source: PNG
specification, third edition, "APNG".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import numpy as np
from PIL import Image

from sketchrnn_cli.drawing.film.frames import Film, whole_boxes
from sketchrnn_cli.drawing.raster import Canvas

SIGNATURE = b"\x89PNG\r\n\x1a\n"
STAYS = 0  # what becomes of a frame when the next one comes; which lies on it, or replaces it


def write(stream: BinaryIO, film: Film) -> None:
    """One image chunk a moment; where nothing changes it is a single pixel."""
    colors, alphas = film.palette()
    opaque = film.style.paper() is not None
    if opaque:  # one entry more, that lets the frame before shine through
        colors, alphas = np.pad(colors, ((0, 1), (0, 0))), np.append(alphas, np.uint8(0))
    unchanged = len(colors) - 1
    number = 0  # of chunks in order
    for k, frame in enumerate(whole_boxes(film)):
        pixels = np.where(frame.changed, frame.pixels, unchanged) if opaque else frame.pixels
        chunks = list(_chunks(_png(pixels.astype(np.uint8), colors, alphas)))
        if k == 0:
            stream.write(SIGNATURE)
            for kind, head in chunks:
                if kind in (b"IHDR", b"PLTE", b"tRNS"):
                    stream.write(_chunk(kind, head))
                if kind == b"IHDR":
                    stream.write(_chunk(b"acTL", struct.pack(">II", film.n_frames, 0)))
        height, width = pixels.shape
        ticks, unit = (frame.ticks, 100) if frame.ticks < 1 << 16 else (frame.ticks // 100, 1)
        place = struct.pack(">IIIII", number, width, height, frame.left, frame.top)
        stream.write(_chunk(b"fcTL", place + struct.pack(">HHBB", ticks, unit, STAYS, int(opaque))))
        data = b"".join(data for kind, data in chunks if kind == b"IDAT")
        if k == 0:
            stream.write(_chunk(b"IDAT", data))
        else:
            stream.write(_chunk(b"fdAT", struct.pack(">I", number + 1) + data))
        number += 1 if k == 0 else 2
    stream.write(_chunk(b"IEND", b""))


def _png(pixels: Canvas, colors: Canvas, alphas: Canvas) -> bytes:
    height, width = pixels.shape
    image = Image.frombuffer("P", (width, height), pixels.tobytes(), "raw", "P", 0, 1)
    image.putpalette(colors.tobytes())
    stream = BytesIO()
    image.save(stream, "PNG", transparency=alphas.tobytes())
    return stream.getvalue()


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each."""
    place = len(SIGNATURE)
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += length + 12


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
