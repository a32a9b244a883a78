"""Interrupt every command that writes a file, at every moment there is, and look at the file.

    python tests/cut_short.py [--share 1.0] [--seed 0] [SIGKILL SIGTERM SIGINT ...]

Under the target's name there is the old file or the new one, whole. A command that was told to
stop leaves nothing else; one that was killed leaves what the next one removes.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import tempfile
from collections import Counter
from pathlib import Path

import moments
import networks
import synthetic
import warm

from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.formats import ndjson

MODEL = ("--model", "../model.safetensors")
SAMPLE = ("sample", *MODEL, "-n", "2", "--max-points", "20")
COMMANDS = {
    "preprocess": ("preprocess", "../cats.ndjson", "-o", "out.npz", "--overwrite"),
    "preprocess sketch-rnn": (
        *("preprocess", "../cats.ndjson", "--format", "sketch-rnn", "-o", "out.npz"),
        "--overwrite",
    ),
    "preprocess ndjson.gz": ("preprocess", "../cats.ndjson", "-o", "out.ndjson.gz", "--overwrite"),
    "sample ndjson": (*SAMPLE, "-o", "out.ndjson", "--overwrite"),
    "sample svg": (*SAMPLE, "-o", "out.svg"),
    "sample png": (*SAMPLE, "-o", "out.png"),
    "sample npz": (*SAMPLE, "-o", "out.npz", "--overwrite"),
    "encode npz": ("encode", "../cats.ndjson", *MODEL, "-o", "out.npz", "--overwrite"),
    "encode ndjson": ("encode", "../cats.ndjson", *MODEL, "-o", "out.ndjson", "--overwrite"),
    "animate": ("animate", "../two.ndjson", "-o", "out.gif", "--size", "32", "--duration", "0.5"),
    "export json": ("export", *MODEL, "-o", "out.vae.json", "--overwrite"),
    "export html": ("export", *MODEL, "-o", "out.html", "--overwrite"),
    "export npz": ("export", *MODEL, "-o", "out.npz", "--overwrite"),
    "inspect --grid": ("inspect", "../two.ndjson", "--grid", "out.png"),
}
WATCHED = [
    "files.py", "scratch.py", "locks.py", "cli/app.py", "sketches/scratch.py",
    "sketches/build.py", "cli/preprocess.py", "cli/sample.py", "cli/encode.py",
    "cli/animate.py", "cli/export.py", "cli/inspect.py",
]  # fmt: skip
LOADED = [module for module in warm.USES if module != "sketchrnn_cli.sketches.build"]  # watched
OLD = b"what was there before\n"


def prepare(folder):
    """What the commands read."""
    lines = [ndjson.to_line(sketch) for sketch in synthetic.generate(3, seed=1)]
    (folder / "cats.ndjson").write_bytes(b"".join(lines))
    (folder / "two.ndjson").write_bytes(b"".join(lines[:2]))
    checkpoint.save(folder / "model.safetensors", networks.tiny(n_mixtures=20, words=("cat",)))


def target_of(arguments):
    (name,) = (word for word in arguments if word.startswith("out."))
    return name


def job(place, arguments, **more):
    place.mkdir()
    return moments.Job(str(place), list(arguments), watched=WATCHED, **more)


def begun(place, name, replaced, **more):
    """A command whose output is new, or replaces what was there before."""
    this = job(place, COMMANDS[name], **more)
    if replaced:
        (place / target_of(this.arguments)).write_bytes(OLD)
    return this


def visible(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def cut_short(folder, names, signals, *, rng, share=1.0, most=10**6):
    """Interrupt commands at some of their moments; how many there were of each."""
    prepare(folder)
    kinds = [(name, replaced) for name in names for replaced in (False, True)]
    whole = [begun(folder / f"whole-{k}", *kind) for k, kind in enumerate(kinds)]
    new, found = {}, {}
    for kind, this, result in zip(kinds, whole, run(whole), strict=True):
        assert result.code == 0, f"{kind}: {result.stderr}"
        new[kind[0]] = (Path(this.folder) / target_of(this.arguments)).read_bytes()
        found[kind] = [(m, c) for m, times in result.moments.items() for c in sorted({1, times})]
    jobs, cases = [], []
    for name in names:
        for numbers in signals:
            chosen = [(each, old) for old in (False, True) for each in found[name, old]]
            n = min(max(round(share * len(chosen) / 2), 1), most)
            for (moment, count), replaced in rng.sample(chosen, n):
                more = {"moment": moment, "count": count, "signals": numbers}
                jobs.append(begun(folder / f"{len(jobs):05d}", name, replaced, **more))
                cases.append((name, numbers, moment, count))
    for this, case, result in zip(jobs, cases, run(jobs), strict=True):
        name, numbers, *_ = case
        target, place = target_of(this.arguments), Path(this.folder)
        where, stopped = f"{case}: {result.stderr}", numbers[0] != signal.SIGKILL
        assert result.reached, where
        ends = {128 + numbers[0]} if stopped else {-numbers[0]}
        if stopped and (place / target).exists() and (place / target).read_bytes() == new[name]:
            ends.add(0)  # it came when all was done
        assert result.code in ends, where
        for bad in ("Traceback", "Exception ignored", "error: "):
            assert bad not in result.stderr, where
        assert visible(place) <= {target}, where + str(visible(place))
        if (place / target).exists():
            assert (place / target).read_bytes() in (OLD, new[name]), where + "not whole"
    again = [this._replace(moment="", signals=[], watched=[]) for this in jobs]
    for this, case, result in zip(again, cases, run(again), strict=True):
        target, place = target_of(this.arguments), Path(this.folder)
        assert result.code == 0, f"again after {case}: {result.stderr}"
        assert (place / target).read_bytes() == new[case[0]], case
        left = {path.name for path in place.iterdir()}
        assert left == {target}, f"left after {case}: {left}"
        shutil.rmtree(place)
    return Counter((name, "+".join(signal.Signals(n).name for n in ns)) for name, ns, *_ in cases)


def run(jobs):
    return moments.run(jobs, modules=LOADED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("signals", nargs="*", default=["SIGKILL", "SIGTERM", "SIGINT"])
    parser.add_argument("--share", type=float, default=1.0, help="of the moments")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    signals = [[int(getattr(signal, part)) for part in s.split("+")] for s in options.signals]
    for name in COMMANDS:
        with tempfile.TemporaryDirectory() as place:
            counts = cut_short(Path(place), [name], signals, rng=rng, share=options.share)
        for (_, which), n in counts.items():
            print(f"{name}: {which} at {n} moments", flush=True)


if __name__ == "__main__":
    main()
