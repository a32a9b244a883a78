"""Sixteen drawings as an animation, each format beside the same frames as Pillow writes them."""

from __future__ import annotations

import io
import time
from itertools import islice

import numpy as np
from measuring import Row
from PIL import Image

from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.film.animation import plan
from sketchrnn_cli.drawing.film.frames import Timing
from sketchrnn_cli.drawing.film.morph import plan_morph
from sketchrnn_cli.drawing.film.pen import Pen
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import SketchError
from sketchrnn_cli.sketches.formats import read_sketches

DRAWINGS = 16
TIMES = 3


def rows(ndjson):
    sketches = list(islice(read_sketches(str(ndjson)), DRAWINGS))
    timing = Timing()
    films = {
        "": lambda: plan(sketches, Style(), timing),
        ", pen tip": lambda: plan(sketches, Style(), timing, Pen(tip=True)),
        ", colour by stroke": lambda: plan(sketches, Style(), timing, Pen(color_by="stroke")),
        ", morph of four": lambda: plan_morph(sketches[:4], Style(), timing),
    }
    slow, large = _best(lambda: _whole_pictures(films[""]()))
    yield Row("16 drawings, 30 fps, by Pillow, whole pictures", f"{slow:.2f} s", f"{large:.0f} kB")
    for what, shot in films.items():
        for format in outputs.ANIMATIONS:
            seconds, size = _best(lambda shot=shot, format=format: _written(shot(), format))
            if size:
                ratio = f"{size:.0f} kB" + (f"; {slow / seconds:.1f} times Pillow" * (not what))
                yield Row(f"{format}{what}", f"{seconds:.2f} s", ratio)


def _best(work):
    """Seconds of the fastest of some runs, and kB."""
    seconds, size = [], 0.0
    for _ in range(TIMES):
        started = time.perf_counter()
        size = work() / 1000
        seconds.append(time.perf_counter() - started)
    return min(seconds), size


def _written(film, format):
    stream = io.BytesIO()
    try:
        outputs.check(format, film.style)
        outputs.write_film(stream, film, format)
    except SketchError:  # MP4 without its extra
        return 0
    return len(stream.getvalue())


def _whole_pictures(film):
    """A GIF of the same frames, each a whole picture that Pillow compares and packs."""
    colors, _ = film.palette()
    screen, pictures, milliseconds = np.zeros((film.height, film.width), np.uint8), [], []
    for frame in film.frames:
        height, width = frame.pixels.shape
        screen[frame.top : frame.top + height, frame.left : frame.left + width] = frame.pixels
        picture = Image.fromarray(screen.copy(), "P")
        picture.putpalette(colors.tobytes())
        pictures.append(picture)
        milliseconds.append(10 * frame.ticks)
    stream = io.BytesIO()
    first, *others = pictures
    first.save(stream, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    return len(stream.getvalue())
