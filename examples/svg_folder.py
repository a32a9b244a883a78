"""From a folder of SVG files to an animated GIF: prepare, train, sample.

    python examples/svg_folder.py [FOLDER] [STEPS]

The folder is named for what its drawings are of. Without one, three hundred houses are drawn
here. The commands it runs are printed. 200 steps take seconds and do for houses; for drawings
with more to them give thousands.
"""

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

drawings = Path(sys.argv[1] if len(sys.argv) > 1 else "house")
steps = sys.argv[2] if len(sys.argv) > 2 else "200"


def house(rng: np.random.Generator) -> str:
    """Walls, a roof and a door, wherever an editor would have put them."""
    width, height, roof = rng.uniform(120, 180), rng.uniform(100, 140), rng.uniform(60, 110)
    door, tall, left = (
        width * rng.uniform(0.2, 0.3),
        height * rng.uniform(0.5, 0.7),
        rng.uniform(20, 80),
    )
    x, y = rng.uniform(30, 80, 2)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320">
  <g transform="translate({x:.1f} {y + roof:.1f})" fill="none" stroke="black" stroke-width="3">
    <rect width="{width:.1f}" height="{height:.1f}"/>
    <polyline points="-20,0 {width / 2:.1f},{-roof:.1f} {width + 20:.1f},0"/>
    <path d="M {left:.1f} {height:.1f} v {-tall:.1f} h {door:.1f} v {tall:.1f}"/>
  </g>
</svg>
"""


def sketchrnn(*arguments: object) -> None:
    """Run one command, and show it."""
    print("sketchrnn", shlex.join(map(str, arguments)), flush=True)
    subprocess.run([sys.executable, "-m", "sketchrnn_cli", *map(str, arguments)], check=True)


if len(sys.argv) <= 1:
    rng = np.random.default_rng(0)
    drawings.mkdir(exist_ok=True)
    for k in range(300):
        (drawings / f"{k}.svg").write_text(house(rng), encoding="utf-8")

sketchrnn("preprocess", drawings, "-o", "own.npz", "--overwrite")
sketchrnn(
    *("train", "own.npz", "-o", "runs/own", "--overwrite", "--preset", "tiny", "--no-encoder"),
    *("--batch-size", 30, "--learning-rate", 0.01, "--steps", steps),
)
sketchrnn("sample", "--model", "runs/own", "-n", 9, "--temp", 0.2, "-o", "own.svg")
sketchrnn("sample", "--model", "runs/own", "-n", 4, "--temp", 0.2, "-o", "own.gif")
