"""MP4: H.264 by PyAV, which is the extra ``video``."""

from __future__ import annotations

import shutil
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.film.frames import Film, Frame
from sketchrnn_cli.drawing.raster import Canvas

# One quantizer for all: lower is better and larger. x264's own choice, by CRF, weighs blocks in
# floating point and once gave other bytes for the same frames; its files are as large.
QP = "20"
BT709, LIMITED = 1, 1  # numbers of ITU-T H.273, and of FFmpeg
MOST = 240  # frames between two that stand alone: a player jumps only to these


def write(stream: BinaryIO, film: Film) -> None:
    """Every frame as often as it lasts. Sides are even: an odd one grows by a line of paper."""
    import av

    width, height = film.width + film.width % 2, film.height + film.height % 2
    planes = _Planes(width, height, film.palette()[0])
    rate = Fraction(film.fps).limit_denominator(1001)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        options = {"movflags": "faststart", "fflags": "+bitexact"}  # no version, no date
        with av.open(str(path), "w", options=options) as container:
            video = container.add_stream("libx264", rate=rate)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.options = {"qp": QP, "preset": "veryfast", "tune": "animation", "g": str(MOST)}
            video.thread_count = 1  # the same bytes on every machine
            context = video.codec_context
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = LIMITED
            ticks = n_shown = 0
            for frame in film.frames:
                planes.update(frame)
                ticks += frame.ticks
                if n_shown >= round(ticks * rate / 100):
                    continue
                picture = av.VideoFrame.from_ndarray(planes.all, format="yuv420p")
                while n_shown < round(ticks * rate / 100):
                    picture.pts, picture.time_base = n_shown, 1 / rate
                    container.mux(video.encode(picture))
                    n_shown += 1
            container.mux(video.encode(None))
        with path.open("rb") as file:
            shutil.copyfileobj(file, stream)


def _yuv(colors: Canvas) -> npt.NDArray[np.float32]:
    """Colours (n, 3) as brightness and two differences (n, 3), 16 to 235 and 16 to 240.

    Not left to FFmpeg, whose arithmetic depends on where in memory a picture is. Source: ITU-R
    BT.709, section 3.
    """
    red, green, blue = (colors / 255).T
    bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    u, v = (blue - bright) / 1.8556, (red - bright) / 1.5748
    shades = np.column_stack([16 + 219 * bright, 128 + 224 * u, 128 + 224 * v])
    return shades.astype(np.float32)


class _Planes:
    """A picture as three planes below each other, colour at half the size."""

    def __init__(self, width: int, height: int, colors: Canvas) -> None:
        """All paper, which is the first of the colours."""
        shades = _yuv(colors)
        self._bright = np.rint(shades[:, 0]).astype(np.uint8)
        self._tints = np.ascontiguousarray(shades[:, 1:].T)
        self._screen = np.zeros((height, width), np.uint8)
        self.all = np.empty((height * 3 // 2, width), np.uint8)
        self._y = self.all[:height]
        self._uv = self.all[height:].reshape(2, height // 2, width // 2)
        self._color(slice(0, height), slice(0, width))

    def update(self, frame: Frame) -> None:
        """Change what the frame changes."""
        height, width = frame.pixels.shape
        if not height:
            return
        rows, columns = slice(frame.top, frame.top + height), slice(frame.left, frame.left + width)
        self._screen[rows, columns] = frame.pixels
        self._color(*(slice(s.start // 2 * 2, (s.stop + 1) // 2 * 2) for s in (rows, columns)))

    def _color(self, rows: slice, columns: slice) -> None:
        """Look up the colours of a box of even sides; those of four pixels are averaged."""
        screen = self._screen[rows, columns]
        self._y[rows, columns] = self._bright.take(screen)
        box = slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)
        quarters = [screen[k::2, j::2] for k in (0, 1) for j in (0, 1)]
        for plane, tint in zip(self._uv, self._tints, strict=True):
            a, b, c, d = map(tint.take, quarters)
            plane[box] = np.rint((a + b + c + d) / np.float32(4))
