"""Which files are read, as what, and what their drawings are called."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import warm

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadFile, SketchError
from sketchrnn_cli.sketches import build, formats
from sketchrnn_cli.sketches.formats import read_sketches, sniff

A = [[[0, 100, 255], [0, 50, 0]], [[20, 40], [30, 60]]]
LINE = json.dumps({"drawing": A}) + "\n"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">'
    '<path d="M0 0L9 9" fill="none" stroke="black"/></svg>'
)


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(SVG if name.endswith(".svg") else LINE, encoding="utf-8")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [
        ("-", "ndjson", None),
        ("cat.npz", "npz", "cat"),
        ("cat.full.npz", "npz", "cat"),
        ("cat.NPZ", "npz", "cat"),
        ("a/cat.npy", "npy", "cat"),
        ("cat.ndjson.gz", "ndjson", "cat"),
        ("cat.jsonl.gz", "ndjson", "cat"),
        ("cat.jsonl", "ndjson", "cat"),
        ("cat.json", "json", "cat"),
        ("cat.csv", "csv", "cat"),
        ("cat.tsv.gz", "csv", "cat"),
        ("cat.bin.gz", "bin", "cat"),
        ("cat.svgz", "svg", "cat"),
        ("cat.excalidraw", "excalidraw", "cat"),
        ("cat.tldr", "tldr", "cat"),
        ("cat.inkml", "inkml", "cat"),
        ("cat-12.svg", "svg", "cat"),
        ("cat-12.ndjson", "ndjson", "cat-12"),
        ("owls/12.svg", "svg", "owls"),
        ("04e0a.svg", "svg", "04e0a"),
        ("u1f600.svg", "svg", "u1f600"),
        ("emoji_u1f468-200d-1f469.svg", "svg", "emoji_u1f468-200d-1f469"),
        ("face12.svg", "svg", "face"),
        ("bed 3.svg", "svg", "bed"),
        ("cafe\u0301.svg", "svg", "caf\u00e9"),
        (".full.npz", "npz", ".full"),
    ],
)
def test_a_name_says_format_and_word(name, kind, word):
    assert (formats.format_of(name), formats.word_of(name)) == (kind, word)
    assert name == "-" or formats.kind_of(name)
    assert formats.on_canvas(name) == (kind not in ("npz", "npy"))


@pytest.mark.parametrize("name", ["cat.png", "cat.JPG", "a.webp", "b.heic"])
def test_pixels_have_no_strokes(name):
    with pytest.raises(BadFile, match=rf"{name}: a picture of pixels, which has no strokes; trace"):
        formats.format_of(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [("a.parquet", "a Parquet file; write it as NDJSON"), ("a.PKL", "a pickle, which is not read"),
     ("a.zip", "a zip file; unpack it"), ("a.pdf", "a PDF; save its drawing as SVG")],
)  # fmt: skip
def test_what_is_not_read_says_the_way_out(name, says):
    with pytest.raises(BadFile, match=f"{name}: {says}"):
        formats.format_of(name)


@pytest.mark.parametrize("name", ["cat.txt", "cat", "cat.gz", "cat.npz.bak"])
def test_other_names_are_refused(name):
    with pytest.raises(BadFile, match=f"{name}: no such file"):
        formats.expand([name])
    Path(name).touch()
    with pytest.raises(BadFile, match=f"{name}: unknown format; known are npz, npy, "):
        formats.expand([name])


def test_a_folder_is_read_to_the_bottom():
    make("set/owl.ndjson", "set/full/simplified/cat.ndjson", "set/.git/dog.ndjson", "set/.pig.svg")
    make("set/full/a.txt", "set/birds/1.svg", "set/dog.json")
    Path("set/birds/config.json").write_bytes(b'{"a": 1}')
    Path("set/birds/data.json").write_bytes(b"\x1f\x8b no gzip")
    found = [(str(Path(path)), word) for path, word in formats.expand(["set"])]
    assert found == [
        (str(Path("set/birds/1.svg")), "birds"),
        (str(Path("set/dog.json")), "dog"),
        (str(Path("set/full/simplified/cat.ndjson")), "cat"),
        (str(Path("set/owl.ndjson")), "owl"),
    ]
    make("other/cat.json")
    assert [word for _, word in formats.expand(["other"])] == ["cat"]
    make("none/readme.txt")
    with pytest.raises(BadFile, match="none: no drawings in this folder"):
        formats.expand(["none"])


def test_files_named_for_characters_keep_their_names():
    names = [f"kanji/{code:05x}.svg" for code in range(0x4FFE, 0x5003)]
    make(*names, "kanji/12.svg", "other/05001.svg")
    found = {Path(p).name: word for p, word in formats.expand(["kanji/*.svg"])}
    assert found == {
        "04ffe.svg": "04ffe", "04fff.svg": "04fff", "05000.svg": "05000", "05001.svg": "05001",
        "05002.svg": "05002", "12.svg": "kanji",
    }  # fmt: skip
    assert [word for _, word in formats.expand(["other/*.svg"])] == ["other"]
    assert {word for _, word in formats.expand(["kanji"])} == {"kanji"}


def test_a_folder_follows_links_once():
    make("far/cat.ndjson", "set/owl.ndjson")
    Path("set/more").symlink_to(Path("far").resolve())
    Path("set/again").symlink_to(Path("far").resolve())
    Path("far/back").symlink_to(Path("set").resolve())
    assert [word for _, word in formats.expand(["set"])] == ["cat", "owl"]


def test_every_format_is_read_with_what_is_asked(tmp_path):
    """Labels, other fields, faults and notes, of formats that are read in blocks."""
    notes, skipped = [], []
    moves = np.array([[9, 9, 0], [5, -5, 1]], np.int16)
    rows = np.array([moves, moves[:0], moves], object)
    np.savez("a.npz", train=rows, other=np.zeros(2))
    options = {"note": notes.append, "on_error": "skip", "skipped": skipped.append}
    assert [each.word for each in read_sketches("a.npz", **options)] == ["a", "a"]
    assert notes == ["a.npz: ignored other"]
    make("good.svg", "empty.svg")
    Path("bad.svg").write_text("<svg", "utf-8")
    Path("empty.svg").write_text(SVG.replace("path", "text"), "utf-8")
    with contextlib.suppress(SketchError):
        assert list(read_sketches("empty.svg", on_error="skip")) == []
    assert list(read_sketches("bad.svg", **options)) == []
    assert [fault.split(":")[0] for fault in skipped] == ["bad.svg"]
    (tmp_path / "b.ndjson").write_text(LINE, "utf-8")
    build.build(["b.ndjson"], tmp_path / "packed.npz", build.BuildOptions())
    (found,) = read_sketches("packed.npz", label="owl")
    assert (found.word, [len(stroke) for stroke in found.strokes]) == ("b", [3, 2])
    stroke = struct.pack("<H4B", 2, 1, 9, 2, 8)
    head = struct.pack("<Q2sbIH", 7, b"NL", 1, 1_500_000_000, 1)
    Path("cat.bin").write_bytes(head + stroke)
    (found,) = read_sketches("cat.bin")
    assert (found.word, found.extras["key_id"]) == ("cat", "7")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_text_in_utf_16(encoding):
    text = f"{LINE}{LINE}" if encoding == "utf-16" else f"\ufeff{LINE}{LINE}"
    Path("a.ndjson").write_bytes(text.encode(encoding))
    assert len(list(read_sketches("a.ndjson"))) == 2
    Path("a.ndjson").write_bytes(b"\xff\xfe" + "\ud800".encode("utf-16-le", "surrogatepass") * 3)
    with pytest.raises(BadFile, match=r"^a\.ndjson: damaged UTF-16; save it as UTF-8$"):
        list(read_sketches("a.ndjson"))


def test_patterns():
    make("a/cat.ndjson", "a/b/owl.ndjson", "a/x.txt", "[x].ndjson")
    assert [f.word for f in formats.expand(["a/*"])] == ["owl", "cat"]
    assert [f.word for f in formats.expand(["a/**/*.ndjson"])] == ["owl", "cat"]
    assert [str(f) for f in formats.expand(["[x].ndjson"])] == ["[x].ndjson"]
    with pytest.raises(BadFile, match="no file of a known format matches this pattern"):
        formats.expand(["a/*.txt"])
    with pytest.raises(BadFile, match=r"\[y\]\.ndjson: no such file"):
        formats.expand(["[y].ndjson"])
    with pytest.raises(BadFile, match=r"cot\.ndjson: no such file; did you mean"):
        formats.expand(["a/cot.ndjson"])


def test_svg_files_go_together_in_rows():
    files = [formats.File(name, None) for name in ("a.svg", "b.svg", "c.npz", "d.npz", "e.svg")]
    assert [[f.path for f in row] for row in formats.together(files)] == [
        ["a.svg", "b.svg"], ["c.npz"], ["d.npz"], ["e.svg"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"", "an empty file; get it again"),
        (b"\x89PNG\r\n\x1a\n", "a picture of pixels"),
        (b"\xff\xd8\xff\xe0", "a picture of pixels"),
        (b"GIF89a", "a picture of pixels"),
        (b"BM....\0\0\0\0", "a picture of pixels"),
        (b"\0\0\0\x18ftypheic", "a picture of pixels"),
        (b"\0\0\0\x18ftypmp42", "a film"),
        (b"SQLite format 3\0", "a table or a database of another program; write its drawings"),
        (b"7z\xbc\xaf\x27\x1c", "compressed otherwise than with gzip; unpack it first"),
        (b"\x80\x04\x95....", "a pickle, which is not read"),
        (b"%!PS-Adobe-3.0", "PostScript; save its drawing as SVG first"),
        (b"0" * 257 + b"ustar", "a tar archive; unpack it, and name the folder"),
        (b"<?xml version='1.0'?><gpx>", "XML, but neither SVG nor InkML"),
        (b"<ink/>", "InkML; name it .inkml"),
        (b"RIFF....WEBPVP8 ", "a picture of pixels"),
        (b"II*\0", "a picture of pixels, which has no strokes; trace it to SVG first"),
        (b"MM\0*", "a picture of pixels"),
        (b"%PDF-1.7", "a PDF; save its drawing as SVG first"),
        (b"\xef\xbb\xbf <svg>", "an SVG drawing; name it .svg"),
        (b" \n<!DOCTYPE html>", "a web page, not drawings; download the raw file"),
        (b"version https://git-lfs.github.com/spec/v1", "a git-lfs pointer"),
    ],
)
def test_what_a_file_is_instead(head, says):
    with pytest.raises(BadFile) as error:
        sniff.say_what_it_is(head, "x")
    assert str(error.value).startswith(f"x: {says}")
    with pytest.raises(BadFile, match="^x: a zip file, not y; name it .npz if it is one$"):
        sniff.refuse_zip(b"PK\x03\x04", "x", "y")
    sniff.refuse_zip(head, "x", "y")
    Path("x.ndjson").write_bytes(head)
    with pytest.raises(BadFile, match=r"x\.ndjson: "):
        list(read_sketches("x.ndjson"))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.txt", b'{"drawing":[]}', "JSON; name it .ndjson"),
        ("x.xml", b"<?xml version='1.0'?><svg>", "an SVG drawing; name it .svg"),
        ("x.xml", b"<?xml version='1.0'?><html>", "XML, but neither SVG nor InkML"),
        ("x.txt", b"word,drawing\n", "a table; name it .csv"),
        ("x.npy", b"PK\x03\x04", "a zip file; name it .npz if it is one"),
        ("x.npz", b"\x93NUMPY", "a NumPy array; name it .npy"),
        ("x.ndjson", b"word;drawing\n", "a table; name it .csv"),
        ("x.txt", b"hello", "unknown format; known are npz"),
    ],
)
def test_a_file_under_another_name_is_named_for_what_it_is(name, data, says):
    Path(name).write_bytes(data)
    with pytest.raises(SketchError) as error:
        list(read_sketches(name))
    assert str(error.value).startswith(f"{name}: {says}")


@pytest.mark.parametrize(
    ("data", "format"),
    [('{"type": "excalidraw"}', "excalidraw"), ('{"tldrawFileFormatVersion": 1}', "tldr")],
)
def test_a_whiteboard_of_another_name_says_what_name_it_should_have(data, format):
    Path("x.ndjson").write_text(data, "utf-8")
    with pytest.raises(BadFile, match=rf"^x\.ndjson: a whiteboard; name it \.{format}$"):
        list(read_sketches("x.ndjson"))


def test_nothing_is_said_of_data():
    for head in (b"{", b"PK\x03\x04", b"RIFF....WAVE", b"\x1f\x8b", b"version 1"):
        sniff.say_what_it_is(head, "x")


def _piped(data: bytes) -> tuple[int, bytes, str]:
    words = [sys.executable, "-m", "sketchrnn_cli", "preprocess", "-", "-o", "-"]
    ended = warm.run(
        [*words, "--format", "ndjson", "--threads", "1", "-q"],
        input=data, capture_output=True, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr.decode()


def _npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, train=np.array([[[9, 9, 0], [5, -5, 1]]] * 3, np.int16))
    return stream.getvalue()


def _npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([[9, 9, 0], [5, -5, 1]], np.int16))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "n"),
    [(SVG.encode(), 1), (gzip.compress(SVG.encode()), 1), (_npz(), 3), (LINE.encode() * 2, 2),
     (f"[{LINE},{LINE}]".encode("utf-16"), 2)],
)  # fmt: skip
def test_a_pipe_is_known_by_what_comes_in(data, n):
    code, out, error = _piped(data)
    assert (code, error) == (0, "")
    assert out.count(b'"drawing"') == n


def come_in(monkeypatch, data):
    """Let these bytes stand on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


BOARD = {
    "type": "excalidraw",
    "elements": [
        {"type": "freedraw", "x": 5, "y": 7, "points": [[0, 0], [4, 9], [8, 0]]},
        {"type": "text", "x": 0, "y": 0, "text": "cat"},
    ],
}
INK = '<ink xmlns="http://www.w3.org/2003/InkML"><trace>0 0, 9 5, 3 4</trace></ink>'


@pytest.mark.parametrize(
    ("data", "n"),
    [
        (SVG.encode(), 1),
        (b"\xef\xbb\xbf\n" + SVG.encode(), 1),
        (f'<?xml version="1.0"?>{SVG}'.encode(), 1),
        (f"<!-- a --> {SVG}".encode(), 1),
        (gzip.compress(SVG.encode()), 1),
        (_npz(), 3),
        (json.dumps(BOARD).encode(), 1),
        (json.dumps(BOARD, indent=1).encode(), 1),
        (INK.encode(), 1),
        (f'<?xml version="1.0"?>\n{INK}'.encode(), 1),
        (f'word,drawing\ncat,"{A}"\n'.encode(), 1),
        (f'word , drawing , key\ncat,"{A}",7\n'.encode(), 1),
        (f"<!DOCTYPE svg>{SVG}".encode(), 1),
        (_npy(), 1),
        (f'"key";"drawing"\n1;"{A}"\n2;"{A}"\n'.encode(), 2),
        (LINE.encode() * 2, 2),
        (json.dumps(A).encode(), 1),
    ],
)
@pytest.mark.parametrize("label", [None, "owl"])
def test_what_comes_in_by_a_pipe_is_read_as_what_it_is(monkeypatch, data, n, label):
    come_in(monkeypatch, data)
    found = list(read_sketches("-", label=label))
    assert len(found) == n
    assert all(each.n_points for each in found)
    assert {each.word for each in found} <= {label, "cat"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no drawings came in"),
        (SVG.replace("<path", "<path ?").encode(), "not well-formed"),
        (_npz()[:-30], "damaged"),
        (b'{"type":"excalidraw","elements":[]}', "no strokes in it"),
        (b"word,drawing\n\xff,", "2: not UTF-8"),
    ],
)
def test_a_fault_of_a_pipe_is_named_after_it(monkeypatch, data, says):
    come_in(monkeypatch, data)
    with pytest.raises(SketchError) as error:
        list(read_sketches("-"))
    assert str(error.value).startswith("standard input:")
    assert says in str(error.value)
    assert "standard input." not in str(error.value)


def test_what_is_left_out_of_a_pipe_is_named_after_it(monkeypatch):
    skipped, notes = [], []
    come_in(monkeypatch, json.dumps(BOARD).encode())
    found = list(read_sketches("-", on_error="skip", skipped=skipped.append, note=notes.append))
    assert (len(found), skipped, len(notes)) == (1, [], 1)
    assert notes[0].startswith("standard input: ")
    come_in(monkeypatch, f'word,drawing\ncat,"{A}"\ncat,7\n'.encode())
    found = list(read_sketches("-", on_error="skip", skipped=skipped.append))
    assert len(found) == 1
    assert skipped == ["standard input:3: a drawing that is no list"]


def test_a_pipe_of_something_else_is_one_line():
    code, out, error = _piped(b"<html>")
    assert (code, out) == (1, b"")
    assert error == "error: standard input: a web page, not drawings; download the raw file\n"


def test_fields_of_a_table_in_a_pipe_are_kept(monkeypatch):
    come_in(monkeypatch, f'word,drawing,key\ncat,"{A}",7\n'.encode())
    (found,) = read_sketches("-")
    assert (found.word, found.extras) == ("cat", {"key": "7"})


def test_a_large_pipe_of_another_format_stops(monkeypatch):
    monkeypatch.setattr(sniff, "MAX_PIPED", 1 << 20)
    says = "^standard input: over 1 MiB; write it to a file and name that$"
    with pytest.raises(BadFile, match=says):
        sniff._whole(io.BytesIO(bytes((1 << 20) + 1)), "standard input")
    assert len(sniff._whole(io.BytesIO(bytes(1 << 20)), "x")) == 1 << 20


def test_a_folder_says_which_files_it_left_out(tmp_path):
    folder = tmp_path / "animals"
    (folder / "deep").mkdir(parents=True)
    line = '{"word":"cat","drawing":[[[0,9],[0,9]]]}\n'
    (folder / "deep" / "cat.ndjson").write_text(line, "utf-8")
    (folder / "one.json").write_text(line, "utf-8")
    (folder / "t.csv").write_text('word,drawing\nowl,"[[[0,9],[0,9]]]"\n', "utf-8")
    for name in (
        "settings.json",
        "names.csv",
        "a.png",
        "b.PNG",
        "deep/c.png",
        "README",
        ".hidden.png",
    ):
        (folder / name).write_text("{}", "utf-8")
    notes = []
    found = formats.expand([str(folder)], notes.append)
    assert [Path(file.path).name for file in found] == ["cat.ndjson", "one.json", "t.csv"]
    left = ".csv 1, .json 1, .png 3, without a suffix 1"
    said = notes[0].removeprefix(f"{folder}: files that hold no drawings are left out: ")
    assert (len(notes), sorted(said.split(", "))) == (1, left.split(", "))
    words = [sketch.word for sketch in formats.read_sketches(str(folder), note=notes.append)]
    assert words == ["cat", "cat", "owl"]
    assert len(notes) == 2


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("columns", [3, 5])
def test_a_lone_array_of_points_is_a_drawing(columns, order, tmp_path):
    moves = np.array([[1, 2, 0], [3, 0, 1], [0, 4, 0], [5, 5, 1]], np.float32)
    if columns == 5:
        pen = moves[:, 2]
        moves = np.column_stack([moves[:, :2], 1 - pen, pen, np.zeros(4)]).astype(np.float32)
    np.save(tmp_path / "cat.npy", np.asarray(moves, order=order))
    (sketch,) = read_sketches(str(tmp_path / "cat.npy"))
    assert sketch.word == "cat"
    assert [len(line) for line in sketch.strokes] == [2, 2]
    assert np.array_equal(sketch.strokes[1] - sketch.strokes[0][0], [[3, 4], [8, 9]])


def test_an_array_of_bare_drawings_is_as_many_drawings(tmp_path):
    drawing = [[[0, 9, 9], [0, 0, 9]], [[3, 4], [5, 6]]]
    path = tmp_path / "cat.json"
    path.write_text(json.dumps([drawing, drawing[:1], drawing]), "utf-8")
    assert [len(sketch.strokes) for sketch in read_sketches(str(path))] == [2, 1, 2]
    path.write_text(json.dumps(drawing), "utf-8")
    assert [len(sketch.strokes) for sketch in read_sketches(str(path))] == [2]


def test_drawings_and_bytes_are_counted_beforehand(tmp_path):
    good = b'{"word":"cat","drawing":[[[0,1],[2,3]]]}\n'
    (tmp_path / "a.ndjson").write_bytes(3 * good + b'{"word":"cat","drawing":7}\n')
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(2 * good))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    read = []
    assert formats.size_of([str(tmp_path)]) == size
    with files.counting(read.append):
        assert formats.count([str(tmp_path)]) == 5
        (tmp_path / "b.ndjson.gz").read_bytes()  # not one of our inputs
    assert sum(read) == size
    assert formats.size_of([str(tmp_path), "-"]) is None
