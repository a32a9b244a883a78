"""One process at a time."""

import os
import subprocess
import sys

import pytest
import warm

from sketchrnn_cli import locks
from sketchrnn_cli.errors import BadFile

HOLD = """
import sys, time
from pathlib import Path
from sketchrnn_cli import locks
with locks.exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that is at work in a run folder."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_second_process_is_refused_and_told_who_is_there(holder, tmp_path):
    wanted = rf"run: another process \(number {holder.pid}\) is at work"
    with pytest.raises(BadFile, match=wanted), locks.exclusive(tmp_path / "run"):
        raise AssertionError("it got in")
    with locks.exclusive(tmp_path / "other"):
        pass


def test_one_that_was_killed_leaves_the_place_to_the_next(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / ".run.lock").exists()
    with locks.exclusive(tmp_path / "run"):
        assert (tmp_path / ".run.lock").read_text() == f"{os.getpid()}\n"
    assert list(tmp_path.iterdir()) == []


def test_nothing_stays_behind_whatever_happens(tmp_path):
    with pytest.raises(ZeroDivisionError), locks.exclusive(tmp_path / "new" / "run"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with locks.exclusive(tmp_path / "new" / "run"):
        (tmp_path / "new" / "run").mkdir()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run"]


@pytest.mark.slow
def test_two_trainers_in_one_run_folder(holder, tmp_path):
    for more in (["--overwrite"], ["--resume"], []):
        done = warm.run(
            [sys.executable, "-m", "sketchrnn_cli", "train", "-o", str(tmp_path / "run"), *more],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert f"another process (number {holder.pid}) is at work in it" in done.stderr
        assert done.stderr.count("\n") == 1
