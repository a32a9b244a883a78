"""Kill a training run at random moments, resume it, and compare what comes out.

    python tests/kills.py [--kills 200] [--seed 0]

The run that is killed (SIGKILL, at any moment from its start to its end, again and again) must end
with the same weights, the same model and the same metrics as one that nobody disturbed, and leave
nothing else behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

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
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def facts(run):
    """All that a finished run left, but for what a clock said."""
    from sketchrnn_cli.model import checkpoint
    from sketchrnn_cli.training import state

    model = checkpoint.load(run)
    saved, complaints = state.load_newest(run)
    assert not complaints, complaints
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    metrics = [json.loads(line) for line in lines]
    for record in metrics:
        for name in CLOCKS:
            del record[name]
    files = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    return {
        "files": files,
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
    first = command("train", "-o", folder / "whole", "--config", folder / "config.toml")
    subprocess.run([*first, "--quiet"], check=True, env=settings())  # compiles and caches
    begun = time.perf_counter()
    subprocess.run([*first, "--quiet", "--overwrite"], check=True, env=settings())
    return facts(folder / "whole"), time.perf_counter() - begun


def disturbed(folder, rng, seconds, count, most):
    """A run that is killed until it ends all the same, or has been killed often enough."""
    run = folder / f"killed-{count.runs}"
    config = ("--config", folder / "config.toml")
    count.runs += 1
    while True:
        begun = (run / "config.toml").is_file()
        more = ("--resume",) if begun else config
        child = subprocess.Popen(
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        count = campaign(
            Path(name), kills=options.kills, seed=options.seed,
            tell=lambda count: print(f"{count.kills} kills, {count.runs} runs alike", flush=True),
        )  # fmt: skip
    print(f"{count.runs} runs survived {count.kills} kills, all alike to the undisturbed one")


if __name__ == "__main__":
    main()
