"""From drawings made on the drawing page to an animated GIF: prepare, train, sample.

    python examples/drawing_page.py [SAVED.ndjson] [STEPS]

`sketchrnn export -o draw.html` writes the page. Draw one thing there some fifty times, keep each
drawing, save them all as NDJSON, and give that file. Without one, sixty boats are drawn here the
way a hand draws them. The commands it runs are printed. 150 steps take seconds and do for boats;
for drawings with more to them give thousands.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

saved = Path(sys.argv[1] if len(sys.argv) > 1 else "boats.ndjson")
steps = sys.argv[2] if len(sys.argv) > 2 else "150"


def boat(rng: np.random.Generator) -> list[list[tuple[float, float]]]:
    """Corners of a hull, a mast and a sail."""
    width, depth, height = rng.uniform(140, 200), rng.uniform(35, 55), rng.uniform(110, 150)
    mast = width * rng.uniform(0.45, 0.55)
    return [
        [(0, 0), (width, 0), (0.8 * width, depth), (0.2 * width, depth), (0, 0)],
        [(mast, 0), (mast, -height)],
        [(mast, -height), (mast + 0.4 * width, -20), (mast, -20)],
    ]


def drawn(strokes: list[list[tuple[float, float]]], rng: np.random.Generator) -> list[object]:
    """What the page saves of a drawing: of each stroke all x, all y and all times in ms."""
    place, clock, result = rng.uniform(300, 500, 2), 0.0, []
    for corners in strokes:
        points = np.array(corners) + place + rng.normal(0, 3, (len(corners), 2))
        reached = np.append(0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
        seen = np.append(np.arange(0, reached[-1], 6), reached[-1])  # sixty times a second
        x, y = (np.interp(seen, reached, k) + rng.normal(0, 0.3, len(seen)) for k in points.T)
        times = clock + 1000 / 60 * np.arange(len(seen))
        clock = times[-1] + rng.uniform(200, 500)
        result.append([x.round(2).tolist(), y.round(2).tolist(), times.round().tolist()])
    return result


def sketchrnn(*arguments: object) -> None:
    """Run one command, and show it."""
    print("sketchrnn", shlex.join(map(str, arguments)), flush=True)
    subprocess.run([sys.executable, "-m", "sketchrnn_cli", *map(str, arguments)], check=True)


if len(sys.argv) <= 1:
    rng = np.random.default_rng(1)
    lines = [json.dumps({"word": "boat", "drawing": drawn(boat(rng), rng)}) for _ in range(60)]
    saved.write_text("\n".join(lines) + "\n", encoding="utf-8")

sketchrnn("preprocess", saved, "-o", "own.npz", "--overwrite")
sketchrnn(
    *("train", "own.npz", "-o", "runs/own", "--overwrite", "--preset", "tiny", "--no-encoder"),
    *("--batch-size", 30, "--learning-rate", 0.01, "--steps", steps),
)
sketchrnn("sample", "--model", "runs/own", "-n", 9, "--temp", 0.2, "-o", "own.svg")
sketchrnn("sample", "--model", "runs/own", "-n", 4, "--temp", 0.2, "-o", "own.gif")
