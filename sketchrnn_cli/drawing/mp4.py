"""MP4: H.264 by PyAV, which is the extra ``video``."""

from __future__ import annotations

import shutil
import tempfile
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sketchrnn_cli.drawing.film import Film
from sketchrnn_cli.errors import BadConfig

CRF = "20"  # constant quality; lower is better and larger
MOST = 240  # frames between two that stand alone: a player jumps only to these


def check(*, transparent: bool) -> None:
    """Refuse, before work starts, what no MP4 can be.

    Raises:
        BadConfig: PyAV is not installed, or the paper has no colour.
    """
    if find_spec("av") is None:
        raise BadConfig("MP4 needs PyAV: pip install 'sketchrnn[video]'")
    if transparent:
        raise BadConfig("MP4 has no transparent background: give a color, or write .webp or .apng")


def write(stream: BinaryIO, film: Film, fps: float) -> None:
    """Every frame as often as it lasts. Sides are even: an odd one grows by a line of paper."""
    import av

    check(transparent=film.style.paper() is None)
    width, height = film.width + film.width % 2, film.height + film.height % 2
    colors, _ = film.palette()
    screen = np.zeros((height, width), np.uint8)
    rate = Fraction(fps).limit_denominator(1001)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        options = {"movflags": "faststart", "fflags": "+bitexact"}  # no version, no date
        with av.open(str(path), "w", options=options) as container:
            video = container.add_stream("libx264", rate=rate)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.options = {"crf": CRF, "preset": "medium", "tune": "animation", "g": str(MOST)}
            video.thread_count = 1  # the same bytes on every machine
            ticks = n_shown = 0
            for frame in film.frames:
                box = frame.pixels.shape
                rows = slice(frame.top, frame.top + box[0])
                screen[rows, frame.left : frame.left + box[1]] = frame.pixels
                ticks += frame.ticks
                picture = av.VideoFrame.from_ndarray(colors[screen], format="rgb24")
                while n_shown < round(ticks * rate / 100):
                    picture.pts, picture.time_base = n_shown, 1 / rate
                    container.mux(video.encode(picture))
                    n_shown += 1
            container.mux(video.encode(None))
        with path.open("rb") as file:
            shutil.copyfileobj(file, stream)
