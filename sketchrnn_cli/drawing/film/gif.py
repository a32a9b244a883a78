"""GIF 89a from a stream of frames.

The frames are put into the file here, one by one, because Pillow's and imageio's writers keep
every frame until the last; each frame's encoding is Pillow's. Memory is that of one picture,
however long the animation.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.GifImagePlugin import getdata

from sketchrnn_cli.drawing.film.frames import Film, merged
from sketchrnn_cli.drawing.film.pen import LEVELS, palette
from sketchrnn_cli.drawing.raster import Canvas

MAX_TICKS = 65_535  # of one frame; longer holds are repeated


def write(stream: BinaryIO, film: Film) -> None:
    """Where the paper is transparent, the edges of lines are mixed for a plain page."""
    style, faintest = film.style, 0
    if style.paper() is None:
        faintest = LEVELS // 3  # a pixel is there or not: drop the faint rim
        style = replace(style, background="black" if sum(style.ink()) > 480 else "white")
    colors, _ = palette(style, film.inks)
    n_bits = 4 if len(colors) < 16 else 8
    unchanged = 2**n_bits - 1  # palette entry that lets the frame before shine through
    stream.write(b"GIF89a" + struct.pack("<HH", film.width, film.height))
    stream.write(bytes([0xF0 | (n_bits - 1), 0, 0]))
    stream.write(colors.tobytes().ljust(3 * 2**n_bits, b"\0"))
    stream.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # again and again
    for frame in merged(film.frames, MAX_TICKS):
        visible = frame.changed & _is_seen(frame.pixels, faintest) if faintest else frame.changed
        image = _indexed(np.where(visible, frame.pixels, np.uint8(unchanged)), n_bits)
        stream.writelines(
            getdata(
                image,
                (frame.left, frame.top),
                duration=10 * frame.ticks,
                transparency=unchanged,
                disposal=2 if film.replaces else 1,  # goes, or stays
            )
        )
    stream.write(b";")


def _is_seen(pixels: Canvas, faintest: int) -> npt.NDArray[np.bool_]:
    """Whether each has this much ink at least, (height, width)."""
    level = np.where(pixels > 0, (pixels.astype(np.int64) - 1) % (LEVELS - 1) + 1, 0)
    seen: npt.NDArray[np.bool_] = level >= faintest
    return seen


def _indexed(pixels: Canvas, n_bits: int) -> Image.Image:
    height, width = pixels.shape
    image = Image.frombuffer("P", (width, height), pixels.tobytes(), "raw", "P", 0, 1)
    image.putpalette(bytes(3 * 2**n_bits))  # the file's own is written once, in its header
    return image
