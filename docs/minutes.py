"""The picture of a model after 1, 10 and 60 minutes: a row of drawings for each run.

    python docs/minutes.py "1 minute=RUN" "10 minutes=RUN" "60 minutes=RUN"

Makes minutes.svg in the folder where it is called. The first drawings of seed 0 at default
settings, none left out. The runs of the picture that is kept here, of 3,208 cats each:

    sketchrnn train cat.npz -o cat1 --steps 264 --threads 1 --seed 1
    sketchrnn train cat.npz -o cat10 --steps 2850 --threads 1 --seed 1
    sketchrnn train cat.npz -o cat60 --steps 17000 --threads 1 --seed 1
"""

import sys
from pathlib import Path

import sketchrnn_cli as sk
from sketchrnn_cli.drawing import svg
from sketchrnn_cli.drawing.style import Style

N = 8  # drawings in a row
OUT = Path("minutes.svg")


def picture(rows: dict[str, str]) -> str:
    """A sheet as SVG, a row for each model.

    Args:
        rows: label of each row, and its run folder or model file.
    """
    drawings = [drawing.sketch for run in rows.values() for drawing in sk.load(run).sample(n=N)]
    return svg.to_svg(drawings, Style(labels=tuple(rows), columns=N, captions=False))


if __name__ == "__main__":
    named = dict(argument.split("=", 1) for argument in sys.argv[1:])
    OUT.write_text(picture(named), "utf-8", newline="\n")
