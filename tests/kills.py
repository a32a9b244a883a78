"""Interrupt a training run, resume it, and compare what comes out.

    python tests/kills.py [--kills 200] [--seed 0]     SIGKILL at random times
    python tests/kills.py --moments [SIGKILL ...]      a signal at every moment there is, once

A run that is killed (at any moment from its start to its end, again and again), or told to stop,
must end with the same weights, the same model, the same metrics and the same pictures as one that
nobody disturbed, and leave nothing else behind. Moments are those of moments.py: every line of the
code that trains, saves and writes, when it is first reached, halfway, and last; and every file
that is opened, renamed or removed.
"""

from __future__ import annotations

import argparse
import atexit
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import moments
import warm

CONFIG = """
[model]
encoder_size = 12
latent_size = 6
decoder_size = 24
n_mixtures = 3
word_size = 4

[training]
steps = 60
batch_size = 20
log_every = 2
save_every = 3
valid_every = 6
valid_sketches = 40
"""
CLOCKS = ("seconds", "sketches_per_second")  # what differs from run to run


def command(*arguments):
    return [sys.executable, "-m", "sketchrnn_cli", *map(str, arguments)]


def settings():
    """One thread, so that the order of sums is the same."""
    return os.environ | {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def facts(run):
    """All that a finished run left, but for what a clock said."""
    from sketchrnn_cli.model import checkpoint
    from sketchrnn_cli.training import state

    model = checkpoint.load(run)
    saved, passed_over = state.load_newest(run)
    assert not passed_over, passed_over
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    metrics = [json.loads(line) for line in lines]
    rows = (run / "metrics.csv").read_text("utf-8").splitlines()
    for record, row in zip(metrics, rows[1:], strict=True):
        assert row == ",".join("" if v is None else str(v) for v in record.values()), run
    for record in metrics:
        for name in CLOCKS:
            del record[name]
    files = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    sheets = [name for name in files if name.startswith("samples")]
    for name in sorted(sheets)[:-1]:  # those on the way come when the clock says
        del files[name]
    pictures = {name: path.read_bytes() for name, path in files.items() if path.suffix == ".png"}
    older = "state/older.safetensors"  # of the step it was stopped at, if it was
    names = [
        name if path == saved.path or not name.startswith("state/step-") else older
        for name, path in files.items()
    ]
    return {
        "files": sorted(names),
        "pictures": pictures,
        "metrics": metrics,
        "step": saved.progress.step,
        "best": (saved.progress.best_step, saved.progress.best_loss),
        "state": {name: array.tobytes() for name, array in saved.arrays.items()},
        "model": {name: array.tobytes() for name, array in model.weights.items()},
        "about": (model.training, model.words, model.scale_factor, model.preparation),
    }


@dataclass(slots=True)
class Count:
    """What happened."""

    kills: int = 0
    runs: int = 0


def prepare(folder):
    """Drawings and settings, and an undisturbed run: what it left, and how long it took."""
    (folder / "config.toml").write_text(CONFIG, "utf-8")
    config = ("--config", folder / "config.toml", "--log-csv")
    first = command("train", "-o", folder / "whole", *config)
    begun = time.perf_counter()
    warm.run([*first, "--quiet"], check=True, env=settings())
    return facts(folder / "whole"), time.perf_counter() - begun


def disturbed(folder, rng, seconds, count, most):
    """A run that is killed until it ends all the same, or has been killed often enough."""
    run = folder / f"killed-{count.runs}"
    config = ("--config", folder / "config.toml", "--log-csv")
    count.runs += 1
    while True:
        begun = (run / "config.toml").is_file()
        more = ("--resume", "--log-csv") if begun else config
        child = warm.Popen(
            command("train", "-o", run, "--quiet", *more),
            env=settings(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        patience = rng.uniform(0.25, 1.0) * seconds if count.kills < most else None
        try:
            _, said = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            count.kills += 1
            continue
        assert child.returncode == 0, said
        return run


def campaign(folder, *, kills, seed, tell=lambda count: None):
    """Disturb runs until there were so many kills; every one must end as the whole one did."""
    rng = random.Random(seed)
    wanted, seconds = prepare(folder)
    count = Count()
    while count.kills < kills:
        run = disturbed(folder, rng, seconds, count, kills)
        found = facts(run)
        for name, value in wanted.items():
            assert found[name] == value, f"{run}: {name} differs after {count.kills} kills"
        tell(count)
    left = sorted(path.name for path in folder.iterdir())
    runs = [f"killed-{k}" for k in range(count.runs)]
    assert left == sorted(["config.toml", "whole", *runs]), left
    return count


# a signal at every moment

SHORT = CONFIG.replace("steps = 60", "steps = 8").replace("valid_every = 6", "valid_every = 4")
TRAINS = [
    "cli/train.py", "training/run.py", "training/loop.py", "training/trainer.py",
    "training/state.py", "training/metrics.py", "training/batches.py", "model/checkpoint.py",
    "model/tensor_file.py", "model/network.py", "files.py", "locks.py", "scratch.py",
    "sketches/scratch.py", "sketches/build.py",
]  # fmt: skip
LOADED = [
    "torch._dynamo", "sklearn.mixture", "matplotlib.figure", "matplotlib.backends.backend_agg",
    "sketchrnn_cli.cli.app", "sketchrnn_cli.training.loop", "sketchrnn_cli.inference.sampler",
    "sketchrnn_cli.drawing.raster",
]  # fmt: skip
PATCH = """
import sys
from pathlib import Path
from sketchrnn_cli.cli import training_pictures
assert training_pictures.EVERY > 0
training_pictures.EVERY = 0.0
begun = Path("run/config.toml").is_file()
sys.argv += ["--resume"] if begun else ["--config", "../config.toml", "../drawings.ndjson"]
"""


def train_job(folder, **more):
    folder.mkdir(exist_ok=True)
    return moments.Job(
        str(folder), ["train", "-o", "run", "--log-csv"], watched=TRAINS, patch=PATCH, **more
    )


@functools.cache
def undisturbed():
    """A folder with a run in it that nobody disturbs, what it left, and all its moments.

    Each moment when it first comes, halfway, and last.
    """
    import synthetic

    from sketchrnn_cli.sketches.formats import ndjson

    folder = Path(tempfile.mkdtemp(prefix="undisturbed-"))
    atexit.register(shutil.rmtree, folder)
    (folder / "config.toml").write_text(SHORT, "utf-8")
    lines = [ndjson.to_line(sketch) for sketch in synthetic.generate(12, seed=1)]
    (folder / "drawings.ndjson").write_bytes(b"".join(lines))
    (whole,) = moments.run([train_job(folder / "whole")], modules=LOADED, trains=True)
    assert whole.code == 0, whole.stderr
    cases = [
        (moment, count)
        for moment, times in whole.moments.items()
        for count in sorted({1, times // 2 + 1, times})
    ]
    return folder, facts(folder / "whole" / "run"), cases


def beside(folder):
    """Put into a folder what the run is begun with; returns what it must leave."""
    source, wanted, _ = undisturbed()
    for name in ("config.toml", "drawings.ndjson"):
        shutil.copy(source / name, folder / name)
    return wanted


def at_moments(folder, cases, wanted, signals):
    """Disturb a run at each of some moments, resume it, and compare; how many were reached."""
    folders = [folder / f"{k:05d}" for k in range(len(cases))]
    jobs = []
    for place, (moment, count) in zip(folders, cases, strict=True):
        jobs.append(train_job(place, moment=moment, count=count, signals=signals))
        jobs.append(train_job(place)._replace(watched=[]))
    results = moments.run(jobs, modules=LOADED, trains=True)
    reached = 0
    ends = {-signals[0]} if signals[0] == signal.SIGKILL else {128 + signals[0]}
    for place, case, first, second in zip(folders, cases, results[::2], results[1::2], strict=True):
        where = f"{signals} at {case}: "
        reached += first.reached
        assert first.code in (ends if first.reached else {0}), where + first.stderr
        if signals[0] != signal.SIGKILL:
            assert first.code >= 0, where + str(first.code)
            for bad in ("Traceback", "Exception ignored", "error: "):
                assert bad not in first.stderr, where + first.stderr
        assert second.code == 0, where + second.stderr
        found = facts(place / "run")
        for name, value in wanted.items():
            assert found[name] == value, where + f"{name} differs: {found[name]} {value}"[:2000]
        left = sorted(path.name for path in place.iterdir())
        assert left == ["run"], where + str(left)
        shutil.rmtree(place)
    return reached


def every_moment(folder, names, *, share=1.0, seed=0, tell=lambda *numbers: None):
    """One signal at each moment, or at a share of them; a dict from signal to how many."""
    (_, _, cases), wanted = undisturbed(), beside(folder)
    rng = random.Random(seed)
    counts = {}
    for name in names:
        chosen = rng.sample(cases, max(round(share * len(cases)), 1))
        for first in range(0, len(chosen), 50):
            some = chosen[first : first + 50]
            numbers = [int(getattr(signal, part)) for part in name.split("+")]
            counts[name] = counts.get(name, 0) + at_moments(folder, some, wanted, numbers)
            tell(name, counts[name], len(chosen))
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--moments", nargs="*", metavar="SIGNAL")
    parser.add_argument("--share", type=float, default=1.0, help="of the moments")
    options = parser.parse_args()
    if options.moments is not None:
        names = options.moments or ["SIGKILL", "SIGTERM", "SIGINT", "SIGINT+SIGTERM"]
        with tempfile.TemporaryDirectory() as name:
            every_moment(
                Path(name), names, share=options.share, seed=options.seed,
                tell=lambda name, n, of: print(f"{name}: {n} of {of} moments", flush=True),
            )  # fmt: skip
        print("all runs end alike")
        return
    with tempfile.TemporaryDirectory() as name:
        count = campaign(
            Path(name), kills=options.kills, seed=options.seed,
            tell=lambda count: print(f"{count.kills} kills, {count.runs} runs alike", flush=True),
        )  # fmt: skip
    print(f"{count.runs} runs survived {count.kills} kills, all alike to the undisturbed one")


if __name__ == "__main__":
    main()
