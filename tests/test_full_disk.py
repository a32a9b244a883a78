"""A disk that is full: one line, what was good stays, and with room again all goes on."""

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path

import cut_short
import kills
import moments
import pytest
import warm

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.training import state

posix = pytest.mark.skipif(os.name == "nt", reason="forks, limits and mounts are POSIX")
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\n"


def one_line(result, *parts):
    assert result.code == 1, result.stderr
    lines = result.stderr.splitlines()
    (line,) = [line for line in lines if line.startswith("error: ")]
    assert line == lines[-1], result.stderr
    for part in parts:
        assert part in line


@pytest.mark.slow
@posix
def test_no_command_leaves_half_a_file(tmp_path):
    """As if the disk were full, after nothing or after some bytes."""
    cut_short.prepare(tmp_path)
    jobs = []
    for k, arguments in enumerate(cut_short.COMMANDS.values()):
        for limit in (0, 100):
            patch = LIMIT.format(limit)
            job = cut_short.job(tmp_path / f"{k}-{limit}", arguments, patch=patch)
            jobs.append(job._replace(watched=[]))
            target = tmp_path / f"{k}-{limit}" / cut_short.target_of(arguments)
            if limit:
                target.write_bytes(cut_short.OLD)
    for this, result in zip(jobs, cut_short.run(jobs), strict=True):
        target, limit = cut_short.target_of(this.arguments), this.folder.rpartition("-")[2]
        one_line(result, "cannot be written: file too large")
        found = {path.name: path.read_bytes() for path in Path(this.folder).iterdir()}
        assert found == ({target: cut_short.OLD} if limit != "0" else {})


def train_job(folder, patch):
    job = kills.train_job(folder)
    return job._replace(patch=job.patch + patch, watched=[])


@posix
@pytest.mark.slow
def test_training_goes_on_when_there_is_room(tmp_path):
    """Files may grow to so many bytes: the drawings or the first state fails."""
    (folder, _, _), wanted = kills.undisturbed(), kills.beside(tmp_path)
    sizes = {path.name: path.stat().st_size for path in (folder / "whole").rglob("*.*")}
    limits = [0, sizes["corpus.npz"]]
    jobs = []
    for limit in limits:
        place = tmp_path / str(limit)
        jobs += [train_job(place, LIMIT.format(limit)), train_job(place, "")]
    results = moments.run(jobs, modules=kills.LOADED, trains=True)
    for limit, first, second in zip(limits, results[::2], results[1::2], strict=True):
        one_line(first, "cannot be written: file too large")
        assert second.code == 0, second.stderr
        found = kills.facts(tmp_path / str(limit) / "run")
        assert [name for name in wanted if found[name] != wanted[name]] == [], limit
        assert [path.name for path in (tmp_path / str(limit)).iterdir()] == ["run"]


@contextlib.contextmanager
def small_disk(place, size):
    """A file system of so many bytes; who may not mount one skips."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small disk on Linux")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@posix
@pytest.mark.slow
@pytest.mark.parametrize("share", [0.62, 0.9])
def test_training_on_a_small_disk(tmp_path, share):
    """A share of what a run leaves: a state, the model or the metrics fails."""
    (folder, _, _), wanted = kills.undisturbed(), kills.beside(tmp_path)
    files = [path for path in (folder / "whole").rglob("*") if path.is_file()]
    place = tmp_path / "disk"
    with small_disk(place, int(share * sum(path.stat().st_size for path in files))):
        (first,) = moments.run([train_job(place, "")], modules=kills.LOADED, trains=True)
        one_line(first, "cannot be written: no space left on device")
        saved, passed_over = state.load_newest(place / "run")
        assert saved is not None
        assert not passed_over
        subprocess.run(["mount", "-o", "remount,size=50m", str(place)], check=True)
        (second,) = moments.run([train_job(place, "")], modules=kills.LOADED, trains=True)
        assert second.code == 0, second.stderr
        found = kills.facts(place / "run")
        assert [name for name in wanted if found[name] != wanted[name]] == []
        assert [path.name for path in place.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_what_fails_in_the_end_leaves_the_old_file(tmp_path, monkeypatch, name):
    (tmp_path / "a.txt").write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, name, full)
    wanted = r"a\.txt: cannot be written: no space left on device"
    with (
        pytest.raises(BadFile, match=wanted),
        files.open_output(tmp_path / "a.txt", binary=False) as stream,
    ):
        stream.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"old"


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("sample", "--help"),
        (*cut_short.SAMPLE, "-o", "-"),
        (*cut_short.SAMPLE, "-o", "-", "--format", "npz"),
        ("sample", *cut_short.MODEL, "--list-words"),
        ("encode", "../cats.ndjson", *cut_short.MODEL),
        ("preprocess", "../cats.ndjson", "-o", "-", "--format", "ndjson"),
        ("preprocess", "../cats.ndjson", "-o", "-", "--format", "packed"),
        ("animate", "../two.ndjson", "-o", "-", "--size", "32", "--duration", "0.5",
         "--format", "gif"),
        ("export", *cut_short.MODEL, "-o", "-", "--format", "npz"),
        ("inspect", "../two.ndjson"),
        ("inspect", "../two.ndjson", "--json"),
        ("demo", *cut_short.MODEL),
    ],
)  # fmt: skip
def test_standard_output_on_a_full_disk(tmp_path, arguments):
    cut_short.prepare(tmp_path)
    (tmp_path / "here").mkdir()
    with FULL.open("wb") as full:
        done = warm.run(
            [sys.executable, "-m", "sketchrnn_cli", *arguments],
            cwd=tmp_path / "here",
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == "error: standard output: cannot be written: no space left on device"
    assert done.stderr.count("error") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_log_on_a_full_disk_stops_no_work(tmp_path):
    cut_short.prepare(tmp_path)
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sketchrnn_cli", "preprocess", "cats.ndjson", "-o", "out.npz"],
            cwd=tmp_path,
            stderr=full,
            check=False,
        )
    assert done.returncode == 0
    assert (tmp_path / "out.npz").is_file()
