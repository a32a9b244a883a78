"""From drawings of your own to a model that draws like you: prepare, train, sample, animate.

    python examples/own_drawings.py [DRAWINGS.ndjson] [SECONDS]

Without drawings it takes two hundred practice snails. The commands it runs are printed.
"""

import shlex
import subprocess
import sys
from pathlib import Path

from sketchrnn_cli.sketches import doodles
from sketchrnn_cli.sketches.formats import ndjson

drawings = Path(sys.argv[1] if len(sys.argv) > 1 else "snails.ndjson")
seconds = sys.argv[2] if len(sys.argv) > 2 else "5"
if len(sys.argv) <= 1:
    lines = [ndjson.to_line(doodles.draw("snail", 0, k)) for k in range(200)]
    drawings.write_bytes(b"".join(lines))


def sketchrnn(*arguments: object) -> None:
    """Run one command, and show it."""
    print("sketchrnn", shlex.join(map(str, arguments)), flush=True)
    subprocess.run([sys.executable, "-m", "sketchrnn_cli", *map(str, arguments)], check=True)


sketchrnn("preprocess", drawings, "-o", "own.npz", "--overwrite")
sketchrnn(
    *("train", "own.npz", "-o", "runs/own", "--overwrite"),
    *("--preset", "tiny", "--time-limit", f"{seconds}s"),
)
sketchrnn("sample", "--model", "runs/own", "-n", "9", "-o", "own.svg")
sketchrnn("sample", "--model", "runs/own", "-n", "4", "-o", "own.gif")
