"""Turn one own sketch and three that ship into pen moves and back, and save a sheet of them.

    python examples/first_sketch.py [first_sketch.svg]

Needs no model: this is what a drawing is before a network sees it.
"""

import sys
from pathlib import Path

import numpy as np

from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.drawing.svg import to_svg
from sketchrnn_cli.sketches import practice
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.sketch import from_polylines, from_stroke3, to_stroke3

# One list of x, y points for each time the pen touches the paper; y grows downwards.
kite = from_polylines(
    [
        [(60, 0), (120, 90), (60, 200), (0, 90), (60, 0)],
        [(0, 90), (120, 90)],
        [(60, 0), (60, 200), (80, 225), (50, 240), (70, 255)],
    ],
    "kite",
)
drawings = [kite] + [Corpus.open(practice.FILE).sketch(i) for i in (0, 500, 1000)]

for drawing in drawings:
    moves = to_stroke3(drawing)  # (points, 3): dx, dy, and 1 where the pen is lifted
    print(
        f"{drawing.word}: {len(moves)} points in {int(moves[:, 2].sum())} strokes; the second move:"
    )
    print(f"    dx {moves[1, 0]:g}, dy {moves[1, 1]:g}, lift {moves[1, 2]:g}")
    again = from_stroke3(moves, drawing.word)
    assert np.array_equal(again.points(), drawing.points())

target = Path(sys.argv[1] if len(sys.argv) > 1 else "first_sketch.svg")
target.write_text(to_svg(drawings, Style(columns=4, size=160)), encoding="utf-8", newline="\n")
print(f"{target}: {len(drawings)} drawings")
