"""Small drawings for the tests of pictures."""

from __future__ import annotations

import numpy as np

from sketchrnn_cli.sketches.sketch import Sketch, from_polylines

CAT = from_polylines(
    [
        [[20, 90], [10, 20], [60, 60], [130, 60], [180, 20], [170, 90], [180, 160], [95, 200]],
        [[70, 110]],  # an eye: a dot
        [[120, 110], [120, 110]],  # an eye as Quick, Draw! writes it: two equal points
        [[80, 150], [95, 160], [110, 150]],
    ],
    "cat",
    {"seed": 7},
)
DOT = from_polylines([[[5, 5]]], "dot")
EMPTY = Sketch((), "nothing")
LINE = from_polylines([[[0, 0], [255, 1]]], "line")  # one pixel high


def scribble(seed: int, n_strokes: int = 4) -> Sketch:
    rng = np.random.default_rng(seed)
    lines = [rng.integers(0, 256, (rng.integers(1, 12), 2)) for _ in range(n_strokes)]
    return from_polylines(lines, "scribble", {"seed": seed})
