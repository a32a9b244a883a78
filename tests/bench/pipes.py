"""Millions of drawings through ``preprocess -``: memory, disk and speed. Minutes.

    python tests/bench/pipes.py [--drawings 1000000 3000000 10000000] [--to packed ndjson]
    python tests/bench/pipes.py --generate 10000000 | sketchrnn preprocess - -o set.npz

The drawings are made by a program of their own, which writes a hundred megabytes a second: no two
are alike, or with ``--same`` all of them are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measuring import sketchrnn

COUNTS = (1_000_000, 3_000_000, 10_000_000)
SUFFIXES = {"packed": ".npz", "ndjson": ".ndjson"}
LINE = (
    '{"word":"%s","drawing":[[[0,%d,%d,255,%d,90,100],[%d,%d,255,0,%d,40,50]],'
    "[[10,20,30,50,60],[50,80,20,10,%d]]]}\n"
)
WORDS = ("cat", "bus", "owl")
AT_ONCE = 10_000


def generate(n, *, same):
    """Write so many drawings of twelve points to stdout."""
    write = sys.stdout.buffer.write
    try:
        for first in range(0, n, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, n))
            write("".join(map(_line, [0] * len(numbers) if same else numbers)).encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader has had enough
        sys.stderr.close()


def _line(k):
    a, b, c = k // 240, k // 240**2, k // 240**3
    return LINE % (
        WORDS[k % 3], k % 240, a % 240, b % 240, c % 240, k % 7, k % 11, k % 13
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drawings", nargs="+", type=int, default=COUNTS, help="how many")
    parser.add_argument("--to", nargs="+", choices=SUFFIXES, default=list(SUFFIXES))
    parser.add_argument("--same", action="store_true", help="the same drawing again and again")
    parser.add_argument("--generate", type=int, metavar="N", help="only write N to stdout")
    options = parser.parse_args()
    if options.generate is not None:
        generate(options.generate, same=options.same)
        return
    more = ["--same"] if options.same else []
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as name:  # a disk, not a tmpfs
        for kind in options.to:
            for n in options.drawings:
                out = Path(name) / f"out{SUFFIXES[kind]}"
                feed = [sys.executable, __file__, "--generate", n, *more]
                seen = sketchrnn("preprocess", "-", "-o", out, "--quiet", feed=feed)
                print(
                    f"{n:>11,} drawings to {kind:7} {seen.peak:6.0f} MB at most "
                    f"{n / seen.seconds:9,.0f} drawings/s  {out.stat().st_size / 1e6:7,.0f} MB out",
                    flush=True,
                )
                out.unlink()


if __name__ == "__main__":
    main()
