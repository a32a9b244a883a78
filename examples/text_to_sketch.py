"""From text to pictures with the built-in model: a sheet, and one thing turning into another.

    python examples/text_to_sketch.py [PROMPT]

The same in a shell:

    sketchrnn sample "three cats, two owls and an ice cream" -o drawings.svg
    sketchrnn sample "cat -> owl" | sketchrnn animate --morph -o morph.gif
"""

import sys
from pathlib import Path

from sketchrnn_cli.cli import animate, sample

prompt = sys.argv[1] if len(sys.argv) > 1 else "three cats, two owls and an ice cream"
sample.sample([prompt], out="drawings.svg", seed=1)
sample.sample(["cat -> owl"], temp=0.2, out="frames.ndjson", quiet=True)
animate.animate(["frames.ndjson"], out="morph.gif", morph=True)
Path("frames.ndjson").unlink()
