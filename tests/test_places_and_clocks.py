"""Folders that may not be written, that are missing or vanish; clocks that jump."""

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys

import cut_short
import kills
import moments
import pytest

from sketchrnn_cli.errors import BadFile

posix = pytest.mark.skipif(os.name == "nt", reason="forks, modes and mounts are POSIX")


@contextlib.contextmanager
def read_only(place):
    """A folder in which nobody, root included, may write."""
    place.mkdir()
    if os.geteuid():
        place.chmod(0o555)
        try:
            yield
        finally:
            place.chmod(0o755)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, check=False).returncode:
        pytest.skip("root may write everywhere, and here not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def one_line(result, *parts):
    assert result.code == 1, result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line == result.stderr.splitlines()[-1], result.stderr
    for part in parts:
        assert part in line, line


def jobs_at(folder, place, name):
    """Every command, with its file at a place."""
    jobs = []
    for k, arguments in enumerate([*cut_short.COMMANDS.values(), ("train", "-o", "out.run")]):
        words = [name or f"{place}/{word}" if word.startswith("out.") else word
                 for word in arguments]  # fmt: skip
        jobs.append(cut_short.job(folder / f"{k}", words)._replace(watched=[]))
    return jobs


@posix
def test_a_read_only_folder_is_one_line(tmp_path):
    cut_short.prepare(tmp_path)
    with read_only(tmp_path / "locked"):
        results = cut_short.run(jobs_at(tmp_path, "../locked", ""))
        for result in results:
            one_line(result, "../locked", "read-only")
        assert list((tmp_path / "locked").iterdir()) == []


@posix
def test_a_target_that_is_a_folder_is_one_line(tmp_path):
    cut_short.prepare(tmp_path)
    jobs = jobs_at(tmp_path, ".", "")[:-1]
    for job in jobs:
        target = cut_short.target_of([word.removeprefix("./") for word in job.arguments])
        os.makedirs(os.path.join(job.folder, target, "kept"))
    for job, result in zip(jobs, cut_short.run(jobs), strict=True):
        one_line(result, "is a folder")
        assert len(list(os.scandir(job.folder))) == 1


@posix
def test_a_missing_folder_is_made(tmp_path):
    cut_short.prepare(tmp_path)
    jobs = jobs_at(tmp_path, "new/newer", "")[:-1]
    for job, result in zip(jobs, cut_short.run(jobs), strict=True):
        assert result.code == 0, result.stderr
        assert len(os.listdir(os.path.join(job.folder, "new", "newer"))) == 1


def test_a_run_that_is_removed_while_it_trains_is_one_line(tmp_path):
    import synthetic
    import torch

    from sketchrnn_cli.model.config import ModelConfig
    from sketchrnn_cli.sketches import corpus as corpora
    from sketchrnn_cli.training import loop
    from sketchrnn_cli.training.config import TrainingConfig

    synthetic.pack(synthetic.generate(6, seed=1), tmp_path / "drawings.npz")
    corpus = corpora.Corpus.open(tmp_path / "drawings.npz")
    small = ModelConfig(encoder_size=12, latent_size=6, decoder_size=24, n_mixtures=3)
    for every in ("log_every", "save_every", "valid_every"):
        rhythm = dict.fromkeys(("log_every", "save_every", "valid_every"), 100) | {every: 4}
        run = tmp_path / "run"
        run.mkdir()
        config = TrainingConfig(batch_size=8, steps=10, **rhythm)
        trainer = loop.Trainer(run, corpus, small, config, device=torch.device("cpu"))

        def train(trainer=trainer, run=run):
            for event in loop.events(trainer):
                if event == loop.Stepped(2):
                    shutil.rmtree(run)

        with pytest.raises(BadFile, match="cannot be written: no such file"):
            train()
        assert not run.exists()


# clocks

JUMPING = """
import itertools, time
real, count = time.time, itertools.count()
def jumping():
    '''Years ahead, before 1970, and right, in turn.'''
    return (real() + 1e9, -1e8, real())[next(count) % 3]
time.time = jumping
time.time_ns = lambda: int(jumping() * 1e9)
local = time.localtime
time.localtime = lambda seconds=None: local(jumping() if seconds is None else seconds)
steady, asleep = time.monotonic, itertools.count()
time.monotonic = lambda: steady() + 1e6 * (next(asleep) // 7)  # it may sleep for days
"""


@posix
def test_no_file_knows_the_time(tmp_path):
    cut_short.prepare(tmp_path)
    plain = jobs_at(tmp_path, ".", "")[:-1]
    jobs = [job._replace(folder=job.folder + "-jumping", patch=JUMPING) for job in plain]
    for job in jobs:
        os.mkdir(job.folder)
    results = cut_short.run([*plain, *jobs])
    for result in results:
        assert result.code == 0, result.stderr
    for a, b in zip(plain, jobs, strict=True):
        (name,) = os.listdir(a.folder)
        with open(f"{a.folder}/{name}", "rb") as one, open(f"{b.folder}/{name}", "rb") as other:
            assert one.read() == other.read(), a.arguments


@posix
@pytest.mark.slow
def test_training_by_a_clock_that_jumps(tmp_path):
    wanted = kills.beside(tmp_path)
    job = kills.train_job(tmp_path / "jumping")
    job = job._replace(patch=job.patch + JUMPING, watched=[])
    (result,) = moments.run([job], modules=kills.LOADED, trains=True)
    assert result.code == 0, result.stderr
    found = kills.facts(tmp_path / "jumping" / "run")
    assert [name for name in wanted if found[name] != wanted[name]] == []
    for line in (tmp_path / "jumping/run/metrics.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        for clock in kills.CLOCKS:
            assert math.isfinite(record[clock])
            assert record[clock] >= 0
