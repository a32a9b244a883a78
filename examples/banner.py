"""The banner of the README: eight words that the built-in model knows, drawn at once.

    python examples/banner.py

Makes banner.gif, on no paper and in an ink that is seen on white and on black. In a shell, four
of them:

    sketchrnn sample "cat, owl, pig, crab" --temp 0.2 -o banner.ndjson
    sketchrnn animate banner.ndjson --columns 4 --color "#e8590c" --background none -o banner.gif
"""

from pathlib import Path

from sketchrnn_cli.cli import animate, sample

WORDS = "cat, owl, butterfly, ice cream, pig, coffee cup, pineapple, crab"

sample.sample([WORDS], out="banner.ndjson", temp="0.2", seed=8, quiet=True)
animate.animate(
    ["banner.ndjson"],
    out="banner.gif",
    columns=8,
    size=100,
    fps=15,
    duration=4,
    hold=3,
    line_width=2.5,
    color="#e8590c",
    background="none",
    captions=False,
)
Path("banner.ndjson").unlink()
