"""MP4: H.264 by PyAV, which is the extra ``video``."""

from __future__ import annotations

import shutil
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.film.frames import Film
from sketchrnn_cli.drawing.raster import Canvas

CRF = "20"  # constant quality; lower is better and larger
BT709, LIMITED = 1, 1  # numbers of ITU-T H.273, and of FFmpeg
MOST = 240  # frames between two that stand alone: a player jumps only to these


def write(stream: BinaryIO, film: Film) -> None:
    """Every frame as often as it lasts. Sides are even: an odd one grows by a line of paper."""
    import av

    width, height = film.width + film.width % 2, film.height + film.height % 2
    colors, _ = film.palette()
    shades = _yuv(colors)
    screen = np.zeros((height, width), np.uint8)
    rate = Fraction(film.fps).limit_denominator(1001)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        options = {"movflags": "faststart", "fflags": "+bitexact"}  # no version, no date
        with av.open(str(path), "w", options=options) as container:
            video = container.add_stream("libx264", rate=rate)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.options = {"crf": CRF, "preset": "medium", "tune": "animation", "g": str(MOST)}
            video.thread_count = 1  # the same bytes on every machine
            context = video.codec_context
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = LIMITED
            ticks = n_shown = 0
            for frame in film.frames:
                box = frame.pixels.shape
                rows = slice(frame.top, frame.top + box[0])
                screen[rows, frame.left : frame.left + box[1]] = frame.pixels
                ticks += frame.ticks
                if n_shown >= round(ticks * rate / 100):
                    continue
                picture = av.VideoFrame.from_ndarray(_planes(shades[screen]), format="yuv420p")
                while n_shown < round(ticks * rate / 100):
                    picture.pts, picture.time_base = n_shown, 1 / rate
                    container.mux(video.encode(picture))
                    n_shown += 1
            container.mux(video.encode(None))
        with path.open("rb") as file:
            shutil.copyfileobj(file, stream)


def _yuv(colors: Canvas) -> npt.NDArray[np.float32]:
    """Colours (n, 3) as brightness and two differences (n, 3), 16 to 235 and 16 to 240.

    Not left to FFmpeg, whose arithmetic depends on where in memory a picture lies. Source: ITU-R
    BT.709, section 3.
    """
    red, green, blue = (colors / 255).T
    bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    u, v = (blue - bright) / 1.8556, (red - bright) / 1.5748
    shades = np.column_stack([16 + 219 * bright, 128 + 224 * u, 128 + 224 * v])
    return shades.astype(np.float32)


def _planes(picture: npt.NDArray[np.float32]) -> Canvas:
    """A picture (height, width, 3) as three planes below each other, colour at half the size."""
    height, width, _ = picture.shape
    squares = picture[..., 1:].reshape(height // 2, 2, width // 2, 2, 2).mean((1, 3))
    flat = [picture[..., 0].ravel(), squares[..., 0].ravel(), squares[..., 1].ravel()]
    planes: Canvas = np.rint(np.concatenate(flat)).astype(np.uint8).reshape(-1, width)
    return planes
