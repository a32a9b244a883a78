"""Files appear whole or not at all."""

from __future__ import annotations

import io
import os
import sys

import pytest

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches import streams


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_whole(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with streams.open_output(target, binary=False) as stream:
        stream.write(b"abc")
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert left_in(target.parent) == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")

    def fail():
        with streams.open_output(target, binary=False) as out:
            out.write(b"new")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert target.read_bytes() == b"old"
    assert left_in(tmp_path) == ["a.txt"]


def test_a_missing_file_is_one_line(tmp_path):
    with (
        pytest.raises(BadFile, match=r"\[x\]\.npz: no such file"),
        streams.open_input(tmp_path / "[x].npz"),
    ):
        pass


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(BadFile), streams.open_input(tmp_path):
        pass
    with pytest.raises(BadFile, match="is a folder"):
        streams.check_output(tmp_path, binary=False)
    with pytest.raises(BadFile), streams.open_output(tmp_path, binary=False):
        pass


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(BadFile, match="not a folder"):
        streams.check_output(tmp_path / "a" / "b.npz", binary=True)
    with (
        pytest.raises(BadFile, match="cannot be written"),
        streams.open_output(tmp_path / "a" / "b.npz", binary=True),
    ):
        pass


def test_a_device_is_written_directly():
    if os.name == "nt":
        pytest.skip("no /dev/null on Windows")
    with streams.open_output("/dev/null", binary=True) as stream:
        stream.write(b"gone")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_takes_no_binary_and_gives_no_drawings(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(BadFile, match="terminal"):
        streams.check_output("-", binary=True)
    with pytest.raises(BadFile, match="terminal"), streams.open_output("-", binary=True):
        pass
    with pytest.raises(BadFile, match="terminal"), streams.open_input("-"):
        pass


def test_the_format_comes_from_the_suffix_unless_it_is_given():
    known = ("svg", "png")
    assert streams.suffix_of("a.SVG", None, known) == "svg"
    assert streams.suffix_of("a.svg", "png", known) == "png"
    assert streams.suffix_of("-", ".png", known) == "png"
    for path, explicit, says in (
        ("-", None, "standard output: no format"),
        ("a", None, "no format"),
        ("a.gif", None, "unknown format 'gif'"),
        ("a.svg", "bmp", "--format bmp"),
    ):
        with pytest.raises(BadFile, match=says):
            streams.suffix_of(path, explicit, known)
