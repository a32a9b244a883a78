"""Every oddity of NDJSON in the wild reads, and every fault is named with its line."""

from __future__ import annotations

import gzip
import io
import json
import sys
from dataclasses import replace

import datafiles
import numpy as np
import orjson
import pytest
from datafiles import QUICKDRAW
from hypothesis import given
from hypothesis import strategies as st

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.sketches.block import from_sketches, take
from sketchrnn_cli.sketches.formats import json_objects, ndjson, read_sketches
from sketchrnn_cli.sketches.sketch import Sketch, from_polylines

BOTH = ("read", "read_blocks")


def lines_of(sketch):
    return [stroke.tolist() for stroke in sketch.strokes]


def read(path, how, **options):
    """The same drawings by both ways of reading."""
    if how == "read":
        return list(datafiles.ndjson_sketches(path, **options))
    blocks = datafiles.ndjson_blocks(str(path), **options)
    return [block.sketch(i) for block in blocks for i in range(len(block))]


def line(*strokes, **fields):
    return json.dumps({"word": "cat", "drawing": strokes, **fields}).encode() + b"\n"


CAT = [[[0, 0], [255, 40], [130, 72]], [[10, 5], [20, 6], [30, 7], [40, 8]]]


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize(
    "content",
    [
        QUICKDRAW * 2,
        b"\xef\xbb\xbf" + QUICKDRAW * 2,
        QUICKDRAW.replace(b"\n", b"\r\n") * 2,
        b"\n  \n" + QUICKDRAW + b"\r\n\n" + QUICKDRAW.rstrip(),
        gzip.compress(QUICKDRAW * 2),
        gzip.compress(QUICKDRAW) + gzip.compress(QUICKDRAW),
    ],
    ids=["plain", "bom", "crlf", "blank", "gzip", "two gzips"],
)
def test_ways_of_writing_lines(tmp_path, how, content):
    path = tmp_path / "a.ndjson"
    path.write_bytes(content)
    sketches = read(path, how)
    assert [lines_of(s) for s in sketches] == [CAT, CAT]
    assert {s.word for s in sketches} == {"cat"}


@pytest.mark.parametrize("size", [1, 7, 100])
def test_lines_do_not_depend_on_how_they_arrive(tmp_path, monkeypatch, size):
    monkeypatch.setattr(json_objects, "READ_SIZE", size)
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n" + QUICKDRAW * 3 + QUICKDRAW.rstrip())
    assert [lines_of(s) for s in read(path, "read")] == [CAT] * 4
    path.write_bytes(QUICKDRAW + b"\n" + b"{}\n")
    with pytest.raises(BadSketch, match=r"a\.ndjson:3: no drawing"):
        read(path, "read")


def test_fields_and_times_pass_through(tmp_path):
    path = tmp_path / "a.ndjson"
    raw = line([[0.5, 255], [0, 40.25], [0, 17]], key_id="1", z=[0.1, 0.2])
    path.write_bytes(raw)
    (sketch,) = read(path, "read")
    assert sketch.extras == {"key_id": "1", "z": [0.1, 0.2]}
    assert [t.tolist() for t in sketch.times] == [[0, 17]]
    assert orjson.loads(ndjson.to_line(sketch)) == orjson.loads(raw)


@pytest.mark.parametrize("how", BOTH)
def test_points_as_pairs_are_found_out_for_the_whole_file(tmp_path, how):
    path = tmp_path / "a.ndjson"
    two = line([[1, 2], [3, 4]])  # reads both ways
    path.write_bytes(two + two + line([[1, 2], [3, 4], [5, 6], [7, 8]]) + two)
    assert [lines_of(s) for s in read(path, how)] == [
        [[[1, 2], [3, 4]]],
        [[[1, 2], [3, 4]]],
        [[[1, 2], [3, 4], [5, 6], [7, 8]]],
        [[[1, 2], [3, 4]]],
    ]
    path.write_bytes(two + line([[1, 2, 3, 4], [5, 6, 7, 8]]))
    assert lines_of(read(path, how)[0]) == [[[1, 3], [2, 4]]]
    path.write_bytes(two)
    assert lines_of(read(path, how)[0]) == [[[1, 3], [2, 4]]]


EITHER = line([[1, 2], [3, 4]])  # rows or points
ROWS, POINTS = [[[1, 3], [2, 4]]], [[[1, 2], [3, 4]]]


@pytest.mark.parametrize(
    ("limit", "value"), [("BLOCK_LINES", 3), ("BLOCK_BYTES", 3 * len(EITHER) - 3)]
)
def test_no_more_than_so_many_drawings_wait_for_one_that_decides(
    tmp_path, monkeypatch, limit, value
):
    path = tmp_path / "a.ndjson"
    longer = line([[1, 2], [3, 4], [5, 6], [7, 8], [9, 9]])
    path.write_bytes(EITHER * 3 + longer)
    assert lines_of(read(path, "read")[0]) == POINTS
    monkeypatch.setattr(ndjson, limit, value)
    assert [lines_of(sketch) for sketch in read(path, "read")] == [ROWS] * 4


def test_a_file_that_never_decides_is_rows_with_its_word_and_its_faults(tmp_path):
    path, skipped = tmp_path / "tv.ndjson", []
    bare = b'{"drawing":[[[1,2],[3,4]]]}\n'
    path.write_bytes(bare + bare.replace(b"4", b"4e9") + bare)
    found = read(path, "read", word="tv", skipped=skipped.append)
    assert [(s.word, lines_of(s)) for s in found] == [("tv", ROWS)] * 2
    assert [fault.split(": ")[0] for fault in skipped] == [f"{path}:2"]


def test_what_comes_through_a_pipe_waits_for_nothing():
    """Lines that arrive together make a block, but for the first while nothing is decided."""

    def arrivals():
        yield iter([])
        yield iter(enumerate([QUICKDRAW] * 3, 1))
        yield iter(enumerate([QUICKDRAW] * 2, 4))

    blocks = ndjson.blocks_of(arrivals(), "standard input", None, None, at_once=True)
    assert [len(block) for block in blocks] == [1, 2, 2]
    assert [len(block) for block in ndjson.blocks_of(arrivals(), "a", None, None)] == [5]
    taken = []
    lines = (taken.append(k) or (k, EITHER) for k in range(1, 5))
    first = next(ndjson.blocks_of(iter([lines]), "standard input", None, None, at_once=True))
    assert ([lines_of(first.sketch(i)) for i in range(len(first))], taken) == ([ROWS], [1])


@pytest.mark.parametrize("how", BOTH)
def test_a_word_is_the_field_or_the_name(tmp_path, how):
    path = tmp_path / "tv.ndjson"
    path.write_bytes(QUICKDRAW + b'{"drawing":[[[1],[2]]]}\n' + line([[1], [2]], word=None))
    assert [s.word for s in read(path, how, word="tv")] == ["cat", "tv", "tv"]
    assert [s.word for s in read_sketches(str(path))] == ["cat", "tv", "tv"]
    assert [s.word for s in read_sketches(str(path), label="set")] == ["cat", "set", "set"]


@pytest.mark.parametrize("how", BOTH)
def test_dots_and_empty_strokes(tmp_path, how):
    path = tmp_path / "a.ndjson"
    path.write_bytes(line([[5], [6]], [[], []], [], [[1, 2], [3, 4]]) + line())
    sketches = read(path, how)
    assert [lines_of(s) for s in sketches] == [[[[5, 6]], [[1, 3], [2, 4]]], []]


@pytest.mark.parametrize(
    ("thirds", "timed"),
    [
        ([[0, 10, 20, 30], [50, 60]], True),
        ([[0, 10, 20, 30, 40, 50, 60, 70, 80, 90], [85, 95]], True),  # runs backwards once
        ([[0.5, 0.9, 0.2, 0.6], [0.1, 0.7]], False),  # pressure
        ([[1, 1, 1, 1], [1, 1]], False),
        ([["a", "b", "c", "d"], ["e", "f"]], False),
    ],
)
def test_a_third_row_is_not_always_time(tmp_path, thirds, timed):
    path = tmp_path / "a.ndjson"
    strokes = [[list(range(len(t))), list(range(len(t))), t] for t in thirds]
    path.write_bytes(line(*strokes))
    (block,) = datafiles.ndjson_blocks(str(path))
    assert block.timed.tolist() == [timed]
    assert (block.timed.dtype, block.recognized.dtype) == (bool, bool)
    assert len(read(path, "read")) == 1


FAULTS = [
    (b'{"word": "cat", "drawing": [[[1, 2], [3,', "not JSON"),
    (b"[1, 2]", "not an object"),
    (b"17", "not an object"),
    (b'{"word": "cat", "lines": []}', "no drawing in an object with word, lines"),
    (b'{"drawing": "none"}', "a drawing that is text, but not JSON"),
    (b'{"drawing": 3}', "a drawing that is no list"),
    (b'{"drawing": [[[1, 2, 3, 4], [3, 4]]]}', "stroke 0 has rows of different length: 4, 2"),
    (b'{"drawing": [[[1, 2, 3, 4]]]}', "stroke 0 has one row"),
    (b'{"drawing": [[[1], [2]], [[1, "x"], [3, 4]]]}', "stroke 1 holds .x. where a number"),
    (b'{"drawing": [[[1, null], [3, 4]]]}', "holds null"),
    (b'{"drawing": [[[1, 1e300], [3, 4]]]}', "no place on a canvas"),
    (b'{"drawing": [[[1, NaN], [3, 4]]]}', "not JSON"),
    (b'{"drawing": [3]}', "stroke 0 is not a list of rows"),
    (b'{"drawing": [[[], ""]]}', "stroke 0 is not a list of rows"),
    (b'{"drawing": [[[], [], ""]]}', "stroke 0 is not a list of rows"),
    (b"\xff\xfe", "not JSON"),
]


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize(("fault", "says"), FAULTS)
def test_a_fault_on_line_17_is_named_or_skipped(tmp_path, how, fault, says):
    path = tmp_path / "cat.ndjson"
    path.write_bytes(QUICKDRAW * 16 + fault + b"\n" + QUICKDRAW * 3)
    with pytest.raises(BadSketch, match=rf"cat\.ndjson:17: .*{says}") as error:
        read(path, how)
    assert "\n" not in str(error.value)
    assert "--on-error skip" in str(error.value)
    skipped = []
    assert len(read(path, how, skipped=skipped.append)) == 19
    assert len(skipped) == 1
    assert ":17: " in skipped[0]


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"\n\n", "an empty file|no drawings"),
        (b"<!DOCTYPE html>\n<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
        (b"PK\x03\x04", "a zip file, not ndjson"),
        (gzip.compress(QUICKDRAW * 50)[:-20], "damaged gzip"),
        (b"\x1f\x8bnot really", "damaged gzip"),
    ],
)
def test_what_the_file_is_instead(tmp_path, how, content, says):
    path = tmp_path / "cat.ndjson.gz"
    path.write_bytes(content)
    if content.isspace():
        assert read(path, how) == []
        return
    with pytest.raises(BadFile, match=says) as error:
        read(path, how)
    assert str(error.value).startswith(str(path))


def test_an_endless_line_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(json_objects, "READ_SIZE", 1000)
    monkeypatch.setattr(json_objects, "MAX_LINE", 10_000)
    path = tmp_path / "a.ndjson"
    path.write_bytes(QUICKDRAW + b"[" * 20_000)
    with pytest.raises(BadFile, match=r"a\.ndjson:2: a line of over"):
        read(path, "read")


class Pipe(io.RawIOBase):
    """Gives one line at a time, and notes how much was taken."""

    def __init__(self, lines):
        self.lines, self.taken = list(lines), 0

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.lines:
            return 0
        text = self.lines.pop(0)
        buffer[: len(text)] = text
        self.taken += 1
        return len(text)


def test_a_pipe_is_read_line_by_line(monkeypatch):
    pipe = Pipe([QUICKDRAW] * 5)

    class Stdin:
        buffer = io.BufferedReader(pipe)

        @staticmethod
        def isatty():
            return False

    monkeypatch.setattr(sys, "stdin", Stdin)
    drawings = read_sketches("-")
    first = next(drawings)
    assert (first.word, lines_of(first)) == ("cat", CAT)
    assert pipe.taken <= 2
    assert len(list(drawings)) == 4


whole = st.integers(-5000, 5000)
broken = st.floats(-5000, 5000, width=32)
coordinates = st.one_of(whole, broken)
strokes = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=8)


@pytest.mark.slow
@given(st.lists(strokes, min_size=1, max_size=5))
def test_to_line_loses_nothing(tmp_path_factory, lines):
    sketch = from_polylines(lines, "cät", {"seed": 3})
    text = ndjson.to_line(sketch)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    record = orjson.loads(text)
    assert list(record) == ["word", "drawing", "seed"]
    for stroke, rows in zip(sketch.strokes, record["drawing"], strict=True):
        np.testing.assert_array_equal(np.array(rows, np.float32).T, stroke)


@pytest.mark.parametrize("step", [1, 0.5])
def test_a_block_is_written_as_its_drawings_are(step):
    rng = np.random.default_rng(0)
    sketches = [
        from_polylines(
            [step * rng.integers(-300, 300, (k, 2)) for k in rng.integers(1, 9, n_strokes)],
            word,
            {"key_id": str(n_strokes), "word": "no", "z": np.arange(2.0)},
        )
        for n_strokes, word in ((3, "cat"), (1, None), (0, "nothing"), (2, "dog"))
    ]
    expected = [ndjson.to_line(sketch) for sketch in sketches]
    block = from_sketches(sketches)
    assert list(ndjson.to_lines(block)) == expected
    chosen = take(block, np.array([True, False, True, True]))
    assert list(ndjson.to_lines(chosen)) == [expected[0], *expected[2:]]
    bare = [ndjson.to_line(Sketch(sketch.strokes, sketch.word)) for sketch in sketches]
    assert list(ndjson.to_lines(replace(block, extras=None))) == bare


def test_whole_numbers_are_written_whole_and_others_short():
    sketch = from_polylines([[[1, 0.1], [2, 3]], [[-0.0, 4.5]]], "a")
    assert ndjson.to_line(sketch) == (b'{"word":"a","drawing":[[[1,2],[0.1,3]],[[0],[4.5]]]}\n')
    assert ndjson.to_line(Sketch(())) == b'{"drawing":[]}\n'


@pytest.mark.slow
def test_every_real_file(shared_data):
    counts = {"simplified": 42352, "raw": 556, "raw-simplified-by-google": 468}
    for folder, expected in counts.items():
        n = 0
        for path in sorted((shared_data / "quickdraw" / folder).glob("*.ndjson.gz")):
            for block in datafiles.ndjson_blocks(str(path)):
                assert (np.diff(block.bounds) > 0).all()
                n += len(block)
        assert n == expected, folder
    for path in sorted((shared_data / "quickdraw" / "all-words").glob("*.ndjson.gz"))[::25]:
        lines = gzip.decompress(path.read_bytes()).count(b"\n")
        assert sum(map(len, datafiles.ndjson_blocks(str(path)))) == lines > 0
    tv = list(read_sketches(str(shared_data / "odd" / "tv.ndjson")))
    assert (len(tv), {s.word for s in tv}) == (100, {"television"})


def test_a_field_too_deep_to_write_is_a_fault_and_not_a_bug():
    deep: list = []
    for _ in range(400):
        deep = [deep]
    sketch = Sketch((np.zeros((2, 2), np.float32),), "cat", extras={"note": deep})
    message = "cannot be passed on with its other fields .'note'.: recursion limit reached; leave"
    with pytest.raises(BadSketch, match=message):
        ndjson.to_line(sketch)


def test_a_drawing_of_too_many_strokes_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(ndjson, "MAX_STROKES", 2000)
    path = tmp_path / "a.ndjson"
    for n in (2000, 2001):
        path.write_bytes(line(*[[[1], [2]]] * n))
        if n == 2000:
            assert len(read(path, "read")[0].strokes) == n
            continue
        with pytest.raises(BadSketch, match=r"a\.ndjson:1: 2,001 strokes, which is no drawing"):
            read(path, "read")


def test_a_drawing_of_endless_strokes_is_left_out_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(ndjson, "MAX_STROKES", 2)
    path = tmp_path / "a.ndjson"
    path.write_text("".join(f'{{"drawing":{[[[k], [k]]] * k}}}\n' for k in (1, 3, 2, 3, 1)))
    said = []
    found = list(datafiles.ndjson_sketches(path, skipped=said.append))
    assert [[line.tolist() for line in sketch.strokes] for sketch in found] == [
        [[[1, 1]]], [[[2, 2]]] * 2, [[[1, 1]]],
    ]  # fmt: skip
    wanted = [f"{path}:{line}: 3 strokes, which is no drawing" for line in (2, 4)]
    assert said == wanted
    assert sum(map(len, datafiles.ndjson_blocks(path))) == 5


def test_drawings_before_a_fault_are_read(tmp_path):
    path = tmp_path / "a.ndjson"
    good, far = '{"drawing":[[[1],[2]]]}\n', '{"drawing":[[[1],[2e9]]]}\n'
    for fault, says in (("no\n", "not JSON"), (far, "no place on a canvas")):
        path.write_text(good * 2 + fault + good + "none\n")
        found = datafiles.ndjson_sketches(path)
        assert [next(found).n_points for _ in range(2)] == [1, 1]
        with pytest.raises(BadSketch, match=f"^{path}:3: .*{says}"):
            next(found)
