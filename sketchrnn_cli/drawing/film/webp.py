"""Animated WebP, lossless, by Pillow, which is handed one picture after the other."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image

from sketchrnn_cli.drawing.film.frames import Film

QUALITY, METHOD = 20, 2  # of the search for a small file, of 100 and of 6; below 1 no palette
NEVER = 1 << 16  # frames between two that need none before them


def write(stream: BinaryIO, film: Film) -> None:
    """Pillow and libwebp find what changed; memory is that of one picture and of the file."""
    reel = _Reel(film)
    reel.save(
        stream,
        "WEBP",
        save_all=True,
        duration=reel.durations,
        loop=0,
        lossless=True,
        quality=QUALITY,
        method=METHOD,
        kmin=NEVER,
        kmax=NEVER + 1,
    )


class _Reel(Image.Image):
    """A picture of many frames, as Pillow's own of a file are: each exists when it is sought."""

    def __init__(self, film: Film) -> None:
        super().__init__()
        colors, alphas = film.palette()
        transparent = film.style.paper() is None
        self._colors = np.column_stack([colors, alphas]) if transparent else colors
        self._mode = "RGBA" if transparent else "RGB"
        self._size = film.width, film.height
        self._frames = iter(film.frames)
        self.im = Image.new(self._mode, self._size).im
        self._number = -1
        self.n_frames = film.n_frames
        self.durations: list[int] = []  # milliseconds of the frames so far
        self.seek(0)

    def tell(self) -> int:
        """Number of the frame that it is now."""
        return self._number

    def seek(self, frame: int) -> None:
        """Become the next frame; an earlier one leaves it as it is."""
        if frame <= self._number:
            return
        new = next(self._frames)
        self._number += 1
        self.durations.append(10 * new.ticks)
        if new.pixels.size:
            box = np.take(self._colors, new.pixels, axis=0)
            self.paste(Image.fromarray(box), (new.left, new.top))
