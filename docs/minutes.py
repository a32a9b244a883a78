"""The picture of a model after some minutes of training: a row of drawings for each run.

    python docs/minutes.py "1 minute=RUN" "10 minutes=RUN" "60 minutes=RUN"

Makes minutes.svg in the folder where it is called: the first drawings of seed 0 at default
settings, none left out. The picture that is kept here is of one run with 3,208 cats of Quick,
Draw! (by Google, CC BY 4.0), at its default settings, with one thread and seed 1: after 264,
2,850 and 17,000 steps. One core of an AMD EPYC took 57 s for the first 264; the others are as many
minutes at that speed, for the core had other work. A run keeps the model that validates best: after
60 minutes that of step 5,400.
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
