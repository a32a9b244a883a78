"""Interrupted at any moment: files are whole, exit codes tell, and the next command tidies up."""

import os
import random
import signal
import subprocess
import sys

import cut_short
import kills
import pytest

from sketchrnn_cli import files, locks

posix = pytest.mark.skipif(os.name == "nt", reason="forks and signals are POSIX")


@pytest.mark.slow
@posix
def test_every_command_at_some_of_its_moments(tmp_path):
    """All of them: python tests/cut_short.py."""
    signals = [[signal.SIGKILL], [signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]]
    counts = cut_short.cut_short(
        tmp_path, list(cut_short.COMMANDS), signals, rng=random.Random(5), most=1
    )
    assert sum(counts.values()) == 3 * len(cut_short.COMMANDS)


@posix
@pytest.mark.slow
def test_training_at_some_of_its_moments_ends_alike(tmp_path):
    """All of them: python tests/kills.py --moments."""
    names = ["SIGKILL", "SIGINT+SIGTERM"]
    counts = kills.every_moment(tmp_path, names, share=0.0008, seed=2)
    assert counts == dict.fromkeys(names, 2)


@posix
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_torch_is_loaded(tmp_path, name):
    number = getattr(signal, name)
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "class AtOne:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == moment:\n"
        "            os.kill(os.getpid(), number)\n"
        "sys.meta_path.insert(0, AtOne())\n"
        "from sketchrnn_cli.__main__ import main\n"
        "main()\n"
    )
    arguments = ["train", "-o", "run", "--preset", "tiny", "--steps", "100000"]
    for moment in ("torch", "torch.autograd", "torch.nn.functional", "torch.optim"):
        known = f"moment, number = {moment!r}, {int(number)}\n"
        result = subprocess.run(
            [sys.executable, "-c", known + code, *arguments],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
        assert result.returncode == 128 + number, result.stderr
        for bad in ("Traceback", "Exception ignored", "error: "):
            assert bad not in result.stderr
        left = {path.name for path in tmp_path.iterdir()}
        assert left <= {"run"}, left
        if left:
            arguments = ["train", "-o", "run", "--resume"]


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    left = tmp_path / ".out.svg.abcd_123.part"
    left.write_bytes(b"half")
    others = [tmp_path / name for name in (".out.svg.mine.part", ".out.png.abcd_123.part", "out.s")]
    for other in others:
        other.write_bytes(b"not of this file")
    with files.replacing(tmp_path / "out.svg") as stream:
        stream.write(b"whole")
    assert not left.exists()
    assert all(other.exists() for other in others)
    locks.remove_stale(tmp_path)
    assert [other.exists() for other in others] == [True, False, True]


def test_what_another_is_writing_stays(tmp_path):
    with files.replacing(tmp_path / "out.svg") as first:
        first.write(b"first")
        with files.replacing(tmp_path / "out.svg") as second:
            second.write(b"second")
        locks.remove_stale(tmp_path)
        assert len(list(tmp_path.iterdir())) == 2
    assert (tmp_path / "out.svg").read_bytes() == b"first"


def test_where_there_are_no_locks_nothing_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "lock", lambda descriptor: None)
    left = tmp_path / ".out.svg.abcd_123.part"
    left.write_bytes(b"perhaps somebody's")
    with files.replacing(tmp_path / "out.svg") as stream:
        stream.write(b"whole")
    assert left.exists()
    assert (tmp_path / "out.svg").read_bytes() == b"whole"


@posix
def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_bytes(b"")
    link = tmp_path / ".out.svg.abcd_123.part"
    link.symlink_to(tmp_path / "precious")
    with files.replacing(tmp_path / "out.svg") as stream:
        stream.write(b"whole")
    assert (tmp_path / "precious").exists()
    assert link.is_symlink()
