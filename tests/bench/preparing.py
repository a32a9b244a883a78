"""`preprocess`: every kind of file in and out, timed, and with its memory as the files grow."""

from __future__ import annotations

import statistics

import drawings
from measuring import Row, sketchrnn

RAW = 5000  # drawings
TIMES = 20  # how much larger the large files are


def inputs(ndjson, packed, folder, n, raws):
    """Every kind of file, n times over: name, arguments, drawings in it."""
    n_drawings = n * drawings.count(ndjson)
    large = ndjson if n == 1 else drawings.times(ndjson, n, folder / f"{n}.ndjson")
    yield "simplified ndjson", [large], {}, n_drawings
    yield "the same through a pipe", ["-"], {"stdin": large}, n_drawings
    yield "the same in a folder", [drawings.folder(ndjson, n, folder / f"{n}")], {}, n_drawings
    path = drawings.zipped(large, folder / f"{n}.ndjson.gz")
    yield "simplified ndjson.gz", [path], {}, n_drawings
    path.unlink()
    path = folder / f"{n}-pickled.npz"
    sketchrnn("preprocess", large, "-o", path, "--format", "sketch-rnn", "--quiet")
    yield "sketch-rnn npz", [path], {}, n_drawings
    path.unlink()
    path = drawings.dense(packed, n, folder / f"{n}-dense.npz")
    yield "dense npz", [path], {}, n_drawings
    path.unlink()
    if raws:
        one = folder / "raw.ndjson"
        drawings.to_ndjson(raws, one)
        copies = -(-RAW // drawings.count(one))
        path = drawings.times(one, n * copies, folder / f"{n}-raw.ndjson")
        name = f"raw ndjson, {drawings.count(one)} drawings {copies} times"
    else:
        path = drawings.raw(ndjson, folder / "raw.ndjson", RAW)
        path = drawings.times(path, n, folder / f"{n}-raw.ndjson")
        name = "raw ndjson, made of simplified ones"
    yield name, [path], {}, drawings.count(path)
    path.unlink()


def measured(arguments, options, out, *more, n=1):
    runs = [
        sketchrnn("preprocess", *arguments, "-o", out, "--overwrite", "--quiet", *more, **options)
        for _ in range(n)
    ]
    out.unlink()
    return runs[0]._replace(
        seconds=statistics.median(run.seconds for run in runs), peak=max(run.peak for run in runs)
    )


def rows(ndjson, packed, folder, raws=()):
    bare = statistics.median(sketchrnn("--help").seconds for _ in range(3))
    yield Row("start of the program", f"{bare:.2f} s", "taken off the rates in brackets")

    def row(name, run, n):
        return Row(
            name,
            f"{n / run.seconds:,.0f} drawings/s [{n / (run.seconds - bare):,.0f}]",
            f"{run.peak:.0f} MB at most",
        )

    n = drawings.count(ndjson)
    for name, arguments, options, n in inputs(ndjson, packed, folder, 1, raws):
        yield row(f"{name}, {n:,}", measured(arguments, options, folder / "out.npz", n=3), n)
    for name, suffix, more in outputs():
        run = measured([ndjson], {}, folder / f"out{suffix}", *more)
        yield row(f"simplified ndjson to {name}", run, drawings.count(ndjson))


def outputs():
    yield "sketch-rnn npz", ".npz", ("--format", "sketch-rnn")
    yield "ndjson", ".ndjson", ()
    yield "ndjson.gz", ".ndjson.gz", ()


def memory_rows(ndjson, packed, folder, raws=()):
    """Peaks with the files once and many times over."""
    found = {}

    def note(name, n, run, n_drawings):
        found.setdefault(name.split(",")[0], {})[n] = run.peak, n_drawings, run.seconds

    for n in (1, TIMES):
        for name, arguments, options, count in inputs(ndjson, packed, folder, n, raws):
            note(name, n, measured(arguments, options, folder / "out.npz"), count)
        large = ndjson if n == 1 else folder / f"{n}.ndjson"
        kept = folder / f"{n}-packed.npz"
        sketchrnn("preprocess", large, "-o", kept, "--quiet")
        count = drawings.count(large)
        note("packed set", n, measured([kept], {}, folder / "out.npz"), count)
        kept.unlink()
        for name, suffix, more in outputs():
            run = measured([large], {}, folder / f"out{suffix}", *more)
            note(f"to {name}", n, run, count)
    for name, each in found.items():
        (small, n_small, _), (large, n_large, seconds) = each[1], each[TIMES]
        yield Row(
            f"{name}, {n_small:,} and {n_large:,} drawings",
            f"{small:.0f} and {large:.0f} MB",
            f"{1e6 * (large - small) / (n_large - n_small):.0f} bytes a drawing more, "
            f"{n_large / seconds:,.0f} drawings/s",
        )
