"""``sketchrnn preprocess`` at the terminal: one row a case."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from datafiles import QUICKDRAW, stroke3, write_npz
from quickdraw_server import drawings, serving
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.formats import read_sketches

OTHER = QUICKDRAW.replace(b"cat", b"dog").replace(b"255,130", b"255,131")


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, ["preprocess", *map(str, arguments)], input=stdin)


def good(*arguments, stdin=None):
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def cats(tmp_path):
    path = tmp_path / "cats.ndjson"
    path.write_bytes(QUICKDRAW * 5 + OTHER * 4)
    return path


def test_a_report_for_people_on_stderr(tmp_path, cats):
    result = good(cats, "-o", tmp_path / "cats.npz")
    assert result.stdout == ""
    for text in (
        "read",
        "9 drawings",
        "cat: 5 of 7 points",
        "dog: 4",
        "longest 7",
        "scale",
        "cats.npz",
    ):
        assert text in result.stderr
    assert len(Corpus.open(tmp_path / "cats.npz")) == 9


def test_a_report_for_programs_on_stdout(tmp_path, cats):
    out = tmp_path / "cats.npz"
    result = good(cats, "-o", out, "--json", "--quiet")
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    report = json.loads(result.stdout)
    assert report["out"] == str(out)
    assert report["words"] == {
        "cat": {"drawings": 5, "mean_points": 7.0},
        "dog": {"drawings": 4, "mean_points": 7.0},
    }
    assert set(report) >= {
        "format", "read", "kept", "dropped", "splits", "points", "scale_factor", "duplicates",
        "leakage", "faults", "notes",
    }  # fmt: skip


def test_a_word_is_shown_as_text(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(QUICKDRAW.replace(b"cat", b"[bold]x[/red]\\u001b[31m"))
    stderr = good(path, "-o", tmp_path / "a.npz").stderr
    assert "[bold]x[/red]" in stderr
    assert "\x1b" not in stderr


def test_sources_of_every_kind(tmp_path, cats):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.ndjson.gz").write_bytes(gzip.compress(QUICKDRAW))
    (folder / "b.ndjson").write_bytes(OTHER)
    (folder / "readme.txt").write_text("not drawings")
    packed = tmp_path / "packed.npz"
    good(cats, "-o", packed)
    out = tmp_path / "all.npz"
    good(cats, folder, tmp_path / "fold*" / "*.gz", packed, "-", "-o", out, stdin=QUICKDRAW)
    assert len(Corpus.open(out)) == 9 + 2 + 1 + 9 + 1


def test_standard_input_to_standard_output(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_bytes(QUICKDRAW)
    result = good("-", "-o", "-", "--format", "ndjson", "--quiet", stdin=QUICKDRAW)
    record = json.loads(result.stdout)
    assert record == json.loads(QUICKDRAW)


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz"])
def test_ndjson_out(tmp_path, cats, name):
    good(cats, "-o", tmp_path / name)
    drawings = list(read_sketches(str(tmp_path / name)))
    assert [s.word for s in drawings] == ["cat"] * 5 + ["dog"] * 4
    assert drawings[0].extras["key_id"] == "5201136883597312"
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == name.endswith("gz")


def test_excalidraw_out_is_read_back(tmp_path, cats):
    good(cats, "-o", tmp_path / "board.excalidraw")
    found, given = ([*read_sketches(str(path))] for path in (tmp_path / "board.excalidraw", cats))
    assert [sketch.word for sketch in found] == [sketch.word for sketch in given]
    for ours, theirs in zip(found, given, strict=True):
        for ink, wanted in zip(ours.strokes, theirs.strokes, strict=True):
            moves, wanted = np.diff(ink, axis=0), np.diff(wanted, axis=0)
            np.testing.assert_allclose(moves, wanted, atol=0.01)


def test_sketch_rnn_out_is_what_the_old_programs_load(tmp_path):
    arrays = stroke3(60)
    source = write_npz(tmp_path / "a.npz", train=arrays[:40], valid=arrays[40:50], test=arrays[50:])
    out = tmp_path / "old.npz"
    good(source, "-o", out, "--format", "sketch-rnn")
    with zipfile.ZipFile(out) as archive:
        for name, expected in (
            ("train", arrays[:40]), ("valid", arrays[40:50]), ("test", arrays[50:]),
        ):  # fmt: skip
            data = archive.read(f"{name}.npy")
            found = pickle.load(io.BytesIO(data[10 + int.from_bytes(data[8:10], "little") :]))
            assert (found.dtype, found.shape) == (object, (len(expected),))
            for one, other in zip(found, expected, strict=True):
                assert one.dtype == np.int16
                np.testing.assert_array_equal(one, other)
    good(out, "-o", tmp_path / "again.npz")
    good(source, "-o", tmp_path / "direct.npz", "--label", "old")
    again, direct = Corpus.open(tmp_path / "again.npz"), Corpus.open(tmp_path / "direct.npz")
    assert again.split_hash("test") == direct.split_hash("test")


def test_options_do_what_they_say(tmp_path, cats):
    no = QUICKDRAW.replace(b'"recognized":true', b'"recognized":false')
    cats.write_bytes(QUICKDRAW * 3 + no * 2 + OTHER * 3)
    out = tmp_path / "o.npz"

    def kept(*options):
        report = json.loads(good(cats, "-o", out, "--overwrite", "--json", *options).stdout)
        return {word: facts["drawings"] for word, facts in report["words"].items()}

    assert kept("--recognized-only") == {"cat": 3, "dog": 3}
    assert kept("--per-word", 2) == {"cat": 2, "dog": 2}
    assert kept("--max_points", 7, "--min_points", 7) == {"cat": 5, "dog": 3}
    assert kept("--split", "100,0,0") == {"cat": 5, "dog": 3}
    assert len(Corpus.open(out).indices("train")) == 8


def test_simplify_can_be_asked_for_and_refused(tmp_path):
    path = tmp_path / "raw.ndjson"
    path.write_text('{"drawing":[[[0.5,100,300.5],[0,0.2,0]]]}\n' * 3)
    out = tmp_path / "o.npz"
    for options, points in (
        ([], [[0, 0], [255, 0]]),
        (["--no-simplify"], [[0, 0], [85, 0], [255, 0]]),
        (["--no-simplify", "--no-fit"], [[0.5, 0], [100, 0.2], [300.5, 0]]),
        (["--no-fit"], [[0.5, 0], [300.5, 0]]),
        (["--no-fit", "--epsilon", "0.1"], [[0.5, 0], [100, 0.2], [300.5, 0]]),
    ):
        good(path, "-o", out, "--overwrite", *options)
        (line,) = Corpus.open(out).sketch(0).strokes
        np.testing.assert_allclose(line, points, atol=1e-5)


def test_an_option_that_these_drawings_leave_nothing_to_do_is_said(tmp_path, cats):
    names = tmp_path / "names.txt"
    names.write_text("cat\ndog\n", "utf-8")
    result = good(cats, "-o", tmp_path / "o.npz", "--epsilon", 5, "--labels", names)
    assert "--epsilon 5: none of the drawings is raw, so none was simplified" in result.stderr
    assert "--labels: none of the labels is a number" in result.stderr
    more = ("--overwrite", "--epsilon", 5, "--simplify")
    assert "--epsilon" not in good(cats, "-o", tmp_path / "o.npz", *more).stderr
    cats.write_bytes(QUICKDRAW.replace(b'"cat"', b"1"))
    result = good(cats, "-o", tmp_path / "o.npz", "--labels", names, "--overwrite")
    assert "--labels" not in result.stderr
    assert Corpus.open(tmp_path / "o.npz").words == ("dog",)


def test_json_and_data_do_not_share_standard_output(cats):
    result = run(cats, "-o", "-", "--format", "ndjson", "--json")
    assert (result.exit_code, result.stdout) == (1, "")


FAULTS = {
    "missing.npz": (None, "missing.npz: no such file"),
    "missing": (None, "missing: no such file"),
    "empty.npz": (b"", "an empty file"),
    "empty.ndjson": (b"", "an empty file"),
    "page.npz": (b"<!DOCTYPE html><html>", "a web page"),
    "pointer.npz": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "short.npz": (b"PK\x03\x04 and no more", "truncated or damaged zip"),
    "a.xcf": (b"gimp xcf", "unknown format; known are npz, npy, ndjson"),
    "a.svg": (b"<svg/>", "a.svg: no strokes in it"),
    "a.bin": (b"\0" * 20, "a.bin: ends inside drawing 2"),
    "quickdraw:kat": (None, "quickdraw:kat: not one of the 345 words of Quick, Draw!"),
    "quickdraw:../cat": (None, "quickdraw:../cat: not one of the 345 words"),
    "cat.ndjson": (QUICKDRAW * 16 + b'{"drawing": [[1,\n' + QUICKDRAW, "cat.ndjson:17: not JSON"),
    "blank.ndjson": (b"\n\n", "no drawings left of 0 read"),
    "none.ndjson": (b'{"word":"cat","drawing":[]}\n', "no drawings left of 1 read (1 empty)"),
    "nothing*.npz": (None, "matches this pattern"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line_and_no_file(tmp_path, monkeypatch, name):
    content, says = FAULTS[name]
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    before = sorted(os.listdir(tmp_path))
    for out in ("out.npz", "new/out.ndjson"):
        result = run(name, "-o", out)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        assert says in result.stderr
    assert [n for n in sorted(os.listdir(tmp_path)) if n != "new"] == before
    assert not (tmp_path / "new" / "out.ndjson").exists()


def test_npz_faults_are_named_too(tmp_path):
    nan = np.array([[1, 2, 0], [np.nan, 2, 1]], "f4")
    columns = np.ones((4, 2), "f4")
    for fault, says in ((nan, "not finite"), (columns, "has shape (4, 2)")):
        source = write_npz(tmp_path / "a.npz", train=[a.astype("f4") for a in stroke3(3)] + [fault])
        result = run(source, "-o", tmp_path / "out.npz")
        assert result.exit_code == 1
        assert f"a.npz: train: drawing 3 {'holds' if fault is nan else ''}" in result.stderr
        assert says in result.stderr
        assert not (tmp_path / "out.npz").exists()


def test_faults_are_skipped_and_counted(tmp_path):
    path = tmp_path / "cat.ndjson"
    path.write_bytes(QUICKDRAW * 16 + b"{\n" + QUICKDRAW + b"nonsense\n" * 7)
    result = good(path, "-o", tmp_path / "a.npz", "--on-error", "skip", "--json")
    report = json.loads(result.stdout)
    assert (report["read"], report["kept"], report["dropped"]) == (25, 17, {"faulty": 8})
    assert "cat.ndjson:17: not JSON" in result.stderr
    assert "3 more faulty drawings" in result.stderr


@pytest.mark.parametrize("format", ["packed", "ndjson", "sketch-rnn"])
def test_one_word_in_two_spellings_is_refused_and_both_are_named(tmp_path, format):
    (tmp_path / "a.ndjson").write_bytes(QUICKDRAW.replace(b"cat", b"ice cream"))
    (tmp_path / "b.ndjson").write_bytes(OTHER.replace(b"dog", b"Ice-Cream") * 3)
    out = tmp_path / "out"
    result = run(tmp_path / "a.ndjson", tmp_path / "b.ndjson", "-o", out, "--format", format)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "'ice cream' and 'Ice-Cream'" in result.stderr
    assert not out.exists()
    good(tmp_path / "b.ndjson", "-o", out, "--format", format)


def test_a_choice_that_there_is_not_is_usage(tmp_path, cats):
    result = run(cats, "-o", tmp_path / "out.npz", "--on-error", "ignore")
    assert result.exit_code == 2
    assert "must be one of fail, skip" in result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--min-points", 200], "no drawings left of 9 read (9 under 200 points)"),
        (["--min-points", 9, "--max-points", 3], "min points 9 and max points 3"),
        (["--format", "png"], "--format png: unknown format; known are packed, sketch-rnn"),
    ],
)
def test_settings_that_cannot_be(tmp_path, cats, options, says):
    result = run(cats, "-o", tmp_path / "out.npz", *options)
    assert result.exit_code == 1
    assert says in result.stderr
    assert not (tmp_path / "out.npz").exists()


def test_targets_that_cannot_be(tmp_path, cats):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "old.npz").write_bytes(b"old")
    for out, says in (
        (tmp_path, "a folder; name a file"),
        (tmp_path / "file" / "out.npz", "is not a folder"),
        (tmp_path / "out.tar", "unknown format 'tar'; known are npz, ndjson"),
        (tmp_path / "old.npz", "exists; give --overwrite"),
        ("-", "no format; give --format"),
    ):
        result = run(cats, "-o", out)
        assert result.exit_code == 1
        assert says in result.stderr
    assert (tmp_path / "old.npz").read_bytes() == b"old"
    good(cats, "-o", tmp_path / "old.npz", "--overwrite")
    assert len(Corpus.open(tmp_path / "old.npz")) == 9


def test_a_failure_keeps_the_file_that_was_to_be_replaced(tmp_path, cats):
    out = tmp_path / "old.npz"
    good(cats, "-o", out)
    before = out.read_bytes()
    cats.write_bytes(b"{")
    assert run(cats, "-o", out, "--overwrite").exit_code == 1
    assert out.read_bytes() == before


@pytest.fixture
def quickdraw(tmp_path, monkeypatch):
    """A server of two words, an empty cache, and no proxy between."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("SKETCHRNN_CACHE", str(tmp_path / "cache"))
    with serving({word: drawings(word, 40) for word in ("cat", "ice cream")}) as server:
        monkeypatch.setenv("SKETCHRNN_QUICKDRAW_URL", server.address)
        yield server


def test_drawings_by_name_beside_files(tmp_path, cats, quickdraw):
    out = tmp_path / "out.npz"
    sources = ["quickdraw:Ice_Cream", "quickdraw:cat", cats]
    result = good(*sources, "--per-word", 10, "-o", out)
    assert "Quick, Draw! drawings by Google, CC BY 4.0" in result.stderr
    assert "cat: 10 of" in result.stderr
    assert Corpus.open(out).words == ("cat", "dog", "ice cream")
    again = good(*sources, "--per-word", 10, "-o", tmp_path / "again.npz", "--offline")
    assert "CC BY" not in again.stderr
    assert (tmp_path / "again.npz").read_bytes() == out.read_bytes()
    assert len(quickdraw.asked) == 2


def test_a_download_is_silent_where_it_should_be(tmp_path, quickdraw):
    result = good("quickdraw:cat", "-o", "-", "--format", "ndjson", "--quiet")
    assert result.stderr == ""
    assert result.stdout.count("\n") == 40


def test_a_download_that_fails_is_one_line_and_no_file(tmp_path, quickdraw):
    out = tmp_path / "out.npz"
    for arguments, says in (
        (["quickdraw:cat", "--offline"], "quickdraw:cat: not in the cache, and --offline asks"),
        (["quickdraw:owl"], "owl.ndjson: not found (404)"),
        (["quickdraw:cat", "--quickdraw-url", "file:///etc"], "file:///etc: not an address"),
        (["quickdraw:cat", "--quickdraw_url", f"{quickdraw.address}/?"], "without ? and #"),
    ):
        result = run(*arguments, "-o", out)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        assert says in result.stderr
    assert not out.exists()
    assert not any(path.is_file() for path in (tmp_path / "cache").rglob("*"))


def test_nothing_is_downloaded_for_a_target_that_cannot_be(tmp_path, quickdraw):
    (tmp_path / "old.npz").write_bytes(b"old")
    assert run("quickdraw:cat", "-o", tmp_path / "old.npz").exit_code == 1
    assert quickdraw.asked == []


def test_downloads_are_shown_to_a_person_and_leave_lines_that_last(
    tmp_path, quickdraw, monkeypatch
):
    monkeypatch.setattr(Terminal, "is_live", True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    quickdraw.script = [("cut", 1000)]
    stderr = good("quickdraw:cat", "-o", tmp_path / "out.npz").stderr
    assert "broke off at 0.0 of" in stderr
    assert "trying again in 0.5 s" in stderr
    assert "kB/s" in stderr or "bytes/s" in stderr
    assert "quickdraw:cat: http" in stderr  # not an emoji


@pytest.mark.slow
def test_packing_needs_no_torch(tmp_path, cats):
    code = (
        "import sys; from sketchrnn_cli.cli.app import app\n"
        f"app(['preprocess', {str(cats)!r}, '-o', {str(tmp_path / 'o.npz')!r}],"
        " standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_drawings_that_are_too_long_are_told_with_the_way_to_keep_them(tmp_path):
    lines = []
    for n in (5, 5, 30, 40):
        points = list(range(n))
        lines.append(
            json.dumps({"word": "cat", "drawing": [[points, [k * k % 7 for k in points]]]})
        )
    (tmp_path / "cats.ndjson").write_text("\n".join(lines) + "\n", "utf-8")
    arguments = ["preprocess", str(tmp_path / "cats.ndjson"), "--no-simplify", "--overwrite", "-o"]
    some = CliRunner().invoke(app, [*arguments, str(tmp_path / "a.npz"), "--max-points", "20"])
    assert "note: 2 of 4 drawings have over 20 points and are left out, not cut" in some.stderr
    every = CliRunner().invoke(app, [*arguments, str(tmp_path / "a.npz")])
    assert every.exit_code == some.exit_code == 0
    assert "note:" not in every.stderr
