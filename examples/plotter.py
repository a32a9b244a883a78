"""From words to a plotter: a sheet as SVG, and with vpype its strokes in a short order.

    python examples/plotter.py [PROMPT]

`plotter.svg` has one path a stroke, which plotter software takes as it is. Where vpype is
installed (`pip install vpype`), `plotted.svg` is an A5 page in millimetres with the pen's way in
the air made short, and how far it still goes is printed. The same in a shell:

    sketchrnn sample "three cats, two owls and a pig" --temp 0.2 -o plotter.svg

and then `vpype read plotter.svg linemerge linesort layout -l -m 1cm a5 write plotted.svg`.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from sketchrnn_cli.cli import sample

prompt = sys.argv[1] if len(sys.argv) > 1 else "three cats, two owls and a pig"
sample.sample([prompt], temp="0.2", out="plotter.svg")

beside = Path(sysconfig.get_path("scripts"))  # of this Python, which may not be on the PATH
vpype = shutil.which("vpype", path=str(beside)) or shutil.which("vpype")
if vpype is None:
    print("plotter.svg can be plotted as it is; with vpype installed, plotted.svg is made of it")
else:
    stages = "read plotter.svg linemerge linesort layout -l -m 1cm a5 stat write plotted.svg"
    done = subprocess.run([vpype, *stages.split()], check=True, capture_output=True, text=True)
    for what, name in (("draws", "Length"), ("is in the air for", "Pen-up length")):
        pixels = float(re.findall(rf"^ *{name}: ([0-9.]+)", done.stdout, re.M)[-1])
        print(f"plotted.svg: the pen {what} {pixels / 96 * 2.54:.0f} cm")
