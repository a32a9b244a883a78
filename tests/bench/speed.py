"""Speed and memory of the whole path, beside the machine's own ceilings and a peer.

    python tests/bench/speed.py [DRAWINGS.ndjson ...] [--raw RAW.ndjson ...] [--only training,...]

Without drawings it makes synthetic ones. Prints a table of figures and ratios; nothing here is a
test, and nothing is judged. The sections ``animating``, ``cells`` and ``memory`` (many
minutes) run where they are named.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import animating
import cells
import drawings
import memory
import preparing
import sampling
import starting
import training
from measuring import sketchrnn

USUAL = ("starting", "sampling", "preparing", "training")
SECTIONS = (*USUAL, "animating", "cells", "memory")


os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `train` has it; read when torch comes in


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drawings", nargs="*", type=Path, help="ndjson files, gzipped or not")
    parser.add_argument("--raw", nargs="+", type=Path, default=[], help="raw ndjson files")
    parser.add_argument("--only", default=",".join(USUAL), help=f"some of {', '.join(SECTIONS)}")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ndjson, packed = drawings.prepare(options.drawings, folder), folder / "packed.npz"
        sketchrnn("preprocess", ndjson, "-o", packed, "--quiet")
        sections = {
            "starting": lambda: starting.rows(ndjson, folder),
            "sampling": sampling.rows,
            "animating": lambda: animating.rows(ndjson),
            "preparing": lambda: preparing.rows(ndjson, packed, folder, options.raw),
            "training": lambda: training.rows(packed, folder),
            "cells": lambda: cells.rows(packed),
            "memory": lambda: memory.rows(ndjson, packed, folder, options.raw),
        }
        for section in wanted:
            print(f"\n{section}", flush=True)
            for row in sections[section]():
                print(f"  {row.what:64}  {row.figure:34}  {row.ratio}", flush=True)


if __name__ == "__main__":
    main()
