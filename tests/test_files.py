"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import gzip
import io
import os
import subprocess
import sys

import pytest

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import Format


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_whole(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with files.open_output(target, binary=False) as stream:
        stream.write(b"abc")
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert left_in(target.parent) == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")

    def fail():
        with files.open_output(target, binary=False) as out:
            out.write(b"new")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert target.read_bytes() == b"old"
    assert left_in(tmp_path) == ["a.txt"]


def test_a_missing_file_is_one_line(tmp_path):
    with (
        pytest.raises(BadFile, match=r"\[x\]\.npz: no such file"),
        files.open_input(tmp_path / "[x].npz"),
    ):
        pass


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(BadFile), files.open_input(tmp_path):
        pass
    with pytest.raises(BadFile, match="is a folder"):
        files.check_output(tmp_path, binary=False)
    with pytest.raises(BadFile), files.open_output(tmp_path, binary=False):
        pass


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(BadFile, match="not a folder"):
        files.check_output(tmp_path / "a" / "b.npz", binary=True)
    with (
        pytest.raises(BadFile, match="cannot be written"),
        files.open_output(tmp_path / "a" / "b.npz", binary=True),
    ):
        pass


def test_a_device_is_written_directly():
    if os.name == "nt":
        pytest.skip("no /dev/null on Windows")
    with files.open_output("/dev/null", binary=True) as stream:
        stream.write(b"gone")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_takes_no_binary_and_gives_no_drawings(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(BadFile, match="terminal"):
        files.check_output("-", binary=True)
    with pytest.raises(BadFile, match="terminal"), files.open_output("-", binary=True):
        pass
    with pytest.raises(BadFile, match="terminal"), files.open_input("-"):
        pass


def test_the_format_comes_from_the_suffix_unless_it_is_given():
    known = ("svg", "png", "ndjson", "packed", "gen.json")
    for path, explicit, wanted in (
        ("a.SVG", None, Format("svg")),
        ("a.svgz", None, Format("svg", True)),
        ("a.svg", "png", Format("png")),
        ("-", ".png", Format("png")),
        ("a.ndjson", None, Format("ndjson")),
        ("a.jsonl", None, Format("ndjson")),
        ("a.NDJSON.gz", None, Format("ndjson", True)),
        ("a.jsonl.gz", None, Format("ndjson", True)),
        ("a.txt.gz", "ndjson", Format("ndjson", True)),
        ("-", "ndjson.gz", Format("ndjson", True)),
        ("a.npz", None, Format("packed")),
        ("a.gen.json", None, Format("gen.json")),
    ):
        assert files.format_of(path, explicit, known) == wanted, (path, explicit)
    for path, explicit, says in (
        ("-", None, "standard output: no format"),
        ("a", None, "no format"),
        ("svg", None, "no format"),
        ("a.gif", None, "unknown format 'gif'"),
        ("a.png.gz", None, "unknown format 'gz'"),
        ("a.svg", "bmp", "--format bmp"),
    ):
        with pytest.raises(BadFile, match=says):
            files.format_of(path, explicit, known)


def check(out, *inputs, **more):
    files.check_output(out, binary=True, inputs=inputs, is_data=True, overwrite=True, **more)


def test_an_output_is_never_an_input_of_the_same_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "below"
    folder.mkdir(parents=True)
    (folder / "a.npz").write_bytes(b"")
    (tmp_path / "data" / "b.npz").write_bytes(b"")
    (tmp_path / "link.npz").symlink_to(folder / "a.npz")
    os.link(folder / "a.npz", tmp_path / "same.npz")
    (tmp_path / "folder-link").symlink_to(folder, target_is_directory=True)
    (tmp_path / "outside").mkdir()
    (folder / "up").symlink_to(tmp_path / "data", target_is_directory=True)  # round and round
    (folder / "out").symlink_to(tmp_path / "outside", target_is_directory=True)
    for out, source in (
        ("data/b.npz", "data/b.npz"),
        ("data/b.npz", tmp_path / "data" / "below" / ".." / "b.npz"),
        ("link.npz", "data/below/a.npz"),
        ("data/below/a.npz", "link.npz"),
        ("same.npz", "data/below/a.npz"),
        ("data/new.npz", "data"),
        ("data/below/new.npz", "data"),
        ("data/below/not/yet/new.npz", "data"),
        ("new.npz", "."),
        ("same.npz", "data"),
        ("folder-link/new.npz", "data"),
        ("data/below/new.npz", "folder-link"),
        ("outside/new.npz", "data"),
        ("data/b.npz", "data/*.npz"),
        ("data/new.npz", "data/*.npz"),
        ("data/below/new.npz", "**/*.npz"),
        ("data/below/new.npz", "da*"),
        ("same.npz", "data/below/?.npz"),
    ):
        with pytest.raises(BadFile, match="is also read"):
            check(out, "quickdraw:cat", source)
    for out, source in (
        ("data/new.npz", "data/b.npz"),
        ("new.npz", "data"),
        ("new.npz", "*.ndjson"),
        ("other/new.npz", "*.npz"),
        ("data2/new.npz", "data"),
    ):
        check(out, "quickdraw:cat", source)


def test_a_picture_may_lie_among_the_drawings_unless_it_could_be_read(tmp_path):
    for name in ("a.gif", "a.png"):
        files.check_output(tmp_path / name, binary=True, inputs=[tmp_path])
    with pytest.raises(BadFile, match="is also read"):
        files.check_output(tmp_path / "a.svg", binary=False, inputs=[tmp_path])


def test_a_standard_stream_may_be_a_file(tmp_path):
    code = "from sketchrnn_cli import files; files.check_output({0!r}, binary=True, inputs=[{1!r}])"
    path = tmp_path / "a.npz"
    for out, source in ((str(path), "-"), ("-", str(path)), ("-", "-")):
        path.write_bytes(b"")
        with path.open("rb") as stdin, path.open("ab") as stdout:
            done = subprocess.run(
                [sys.executable, "-c", code.format(out, source)],
                stdin=stdin if source == "-" else subprocess.DEVNULL,
                stdout=stdout if out == "-" else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert "is also read" in done.stderr, (out, source)
    subprocess.run(
        [sys.executable, "-c", code.format("-", "-")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )


@pytest.mark.parametrize(
    ("name", "is_data", "refused"),
    [("a.npz", True, True), ("a.txt", True, True), ("a.npz", False, True), ("a.png", False, False)],
)
def test_only_pictures_are_replaced_without_asking(tmp_path, name, is_data, refused):
    """Not even by a picture that is called like data."""
    target = tmp_path / name
    files.check_output(target, binary=True, is_data=is_data, overwrite=False)
    target.write_bytes(b"")
    files.check_output(target, binary=True, is_data=is_data, overwrite=True)
    if refused:
        with pytest.raises(BadFile, match="exists; give --overwrite"):
            files.check_output(target, binary=True, is_data=is_data, overwrite=False)
    else:
        files.check_output(target, binary=True, is_data=is_data, overwrite=False)


def test_what_fails_while_an_output_is_open_is_not_told_of_the_output(tmp_path):
    def fail():
        with files.open_output(tmp_path / "out.npz", binary=True) as stream:
            stream.write(b"half")
            raise OSError(errno.EIO, "Input/output error", "elsewhere")

    with pytest.raises(OSError, match="elsewhere"):
        fail()
    assert left_in(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="a file that cannot be read, on Linux")
def test_a_read_error_is_told_of_what_was_read(tmp_path):
    source = tmp_path / "in.ndjson"
    source.symlink_to("/proc/self/mem")
    with (
        files.open_output(tmp_path / "out", binary=False),
        files.open_input(source) as stream,
        pytest.raises(BadFile, match=r"in\.ndjson: cannot be read: input/output error"),
    ):
        stream.read1(10)
    for read in (lambda stream: stream.read(), lambda stream: list(stream)):
        with files.open_input(source) as stream, pytest.raises(BadFile, match="cannot be read"):
            read(stream)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("compressed", [False, True])
def test_a_write_error_is_told_of_the_output(compressed):
    wanted = "/dev/full: cannot be written: no space left"
    with (
        pytest.raises(BadFile, match=wanted),
        files.open_output("/dev/full", binary=True, compressed=compressed) as stream,
    ):
        stream.write(os.urandom(1 << 20))


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.svgz", "a.SVG.GZ"])
def test_a_name_says_that_a_file_is_compressed(tmp_path, name):
    with files.open_output(tmp_path / name, binary=False) as stream:
        stream.write(b"<svg/>")
    assert gzip.decompress((tmp_path / name).read_bytes()) == b"<svg/>"


def test_a_compressed_output_is_the_same_twice(tmp_path):
    for name in ("a", "b"):
        with files.open_output(tmp_path / name, binary=True, compressed=True) as stream:
            stream.write(b"abc")
    assert gzip.decompress((tmp_path / "a").read_bytes()) == b"abc"
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
