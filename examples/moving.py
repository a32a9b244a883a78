"""Drawings that draw themselves, for a page or a README: an animated SVG of some kilobytes.

    python examples/moving.py

Makes moving.svg, on dark paper, ink by time, the pen's tip ahead. In a shell:

    sketchrnn sample "flamingo, scorpion, swan, cactus" --temp 0.2 -o some.ndjson
    sketchrnn animate some.ndjson --columns 4 --dark --color-by time --pen-tip -o moving.svg

Other suffixes give other films: .gif, .apng, .webp, .mp4.
"""

from pathlib import Path

from sketchrnn_cli.cli import animate, sample

sample.sample(["flamingo, scorpion, swan, cactus"], out="some.ndjson", temp="0.2", quiet=True)
animate.animate(
    ["some.ndjson"],
    out="moving.svg",
    columns=4,
    size=160,
    dark=True,
    color_by="time",
    pen_tip=True,
    captions=False,
)
Path("some.ndjson").unlink()
