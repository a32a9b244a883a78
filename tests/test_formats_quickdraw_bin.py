"""Quick, Draw!'s .bin: the same drawings as NDJSON, and faults named by drawing and byte."""

from __future__ import annotations

import gzip
import json
import struct
import time
from pathlib import Path

import datafiles
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches.build import BuildOptions, build, build_ndjson
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.formats import ReadOptions, quickdraw_bin, read_sketches

CAT = [[[0, 0], [255, 40], [130, 72]], [[10, 5]], [[20, 6], [30, 7]]]


def record(strokes, key=5201136883597312, country=b"VE", recognized=1, time=1488497110):
    """One drawing as Google's description of the format has it, byte by byte."""
    out = struct.pack("<Q", key) + country + bytes([recognized]) + struct.pack("<I", time)
    out += struct.pack("<H", len(strokes))
    for stroke in strokes:
        out += struct.pack("<H", len(stroke))
        out += bytes(x for x, _ in stroke) + bytes(y for _, y in stroke)
    return out


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def lines_of(sketch):
    return [stroke.tolist() for stroke in sketch.strokes]


def test_fields_are_those_of_ndjson(tmp_path):
    (sketch,) = read_sketches(write(tmp_path / "cat.bin", record(CAT)))
    assert sketch.word == "cat"
    assert lines_of(sketch) == CAT
    assert sketch.extras == {
        "key_id": "5201136883597312",
        "countrycode": "VE",
        "recognized": True,
        "timestamp": "2017-03-02 23:25:10 UTC",
    }


@pytest.fixture
def far_east(monkeypatch):
    """A clock that is 14 hours ahead, where a process can set its own."""
    set_clock = getattr(time, "tzset", lambda: None)
    monkeypatch.setenv("TZ", "EAST-14")
    set_clock()
    yield
    monkeypatch.undo()
    set_clock()


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        ((0, b"\0\0", 0, 0), ("0", "", False, "1970-01-01 00:00:00 UTC")),
        ((2**64 - 1, b"A\0", 1, 2**32 - 1), (str(2**64 - 1), "A", True, "2106-02-07 06:28:15 UTC")),
        ((7, b"\xe9X", 1, 1), ("7", "\xe9X", True, "1970-01-01 00:00:01 UTC")),
    ],
)
def test_every_head_is_read_where_it_is_asked_for(tmp_path, far_east, head, fields):
    source = write(tmp_path / "a.bin", record([CAT[0]] * 2, *head))
    (block,) = quickdraw_bin.read_blocks(source, "cat", ReadOptions(extras=True))
    assert [tuple(each.values()) for each in block.extras] == [fields]
    (block,) = quickdraw_bin.read_blocks(source)
    assert (block.extras, block.words) == (None, [None])
    assert lines_of(block.sketch(0)) == [CAT[0]] * 2


@pytest.mark.parametrize("size", [1, 3, 17, 50, 1 << 20])
def test_drawings_do_not_depend_on_how_they_arrive(tmp_path, monkeypatch, size):
    monkeypatch.setattr(quickdraw_bin, "READ_SIZE", size)
    content = (
        record(CAT) + record([], recognized=0) + record(CAT[:1]) + record([CAT[1], [], CAT[2]])
    )
    for name, data in (("a.bin", content), ("b.bin.gz", gzip.compress(content))):
        blocks = list(quickdraw_bin.read_blocks(write(tmp_path / name, data), word="x"))
        found = [lines_of(block.sketch(i)) for block in blocks for i in range(len(block))]
        assert found == [CAT, [], CAT[:1], CAT[1:]]
        assert sum([block.recognized.tolist() for block in blocks], []) == [True, False, True, True]
    assert [lines_of(s) for s in read_sketches(str(tmp_path / "a.bin"))] == [CAT, CAT[:1], CAT[1:]]


byte = st.integers(0, 255)
drawings = st.lists(st.lists(st.lists(st.tuples(byte, byte), max_size=5), max_size=4), min_size=1)


@pytest.mark.slow
@given(drawings)
def test_what_is_written_is_read(tmp_path_factory, given_drawings):
    path = tmp_path_factory.mktemp("bin") / "a.bin"
    write(path, b"".join(map(record, given_drawings)))
    found = [
        lines_of(block.sketch(i))
        for block in quickdraw_bin.read_blocks(str(path))
        for i in range(len(block))
    ]
    expected = [[list(map(list, stroke)) for stroke in d if stroke] for d in given_drawings]
    assert found == expected


def test_a_set_of_it_is_the_same_as_of_ndjson(tmp_path):
    rng = np.random.default_rng(0)
    drawn, lines = [], []
    for k in range(60):
        strokes = [rng.integers(0, 256, (n, 2)).tolist() for n in rng.integers(1, 9, 3)]
        strokes[0] += [[0, 0], [255, 255]]
        drawn.append(record(strokes, key=k, recognized=int(k % 3 > 0)))
        rows = [[list(row) for row in zip(*stroke, strict=True)] for stroke in strokes]
        lines.append(json.dumps({"drawing": rows, "recognized": k % 3 > 0}))
    write(tmp_path / "cat.bin", b"".join(drawn))
    write(tmp_path / "cat.ndjson", "\n".join(lines).encode())
    for options in (BuildOptions(), BuildOptions(recognized_only=True, label="pet")):
        for suffix in ("bin", "ndjson"):
            build([str(tmp_path / f"cat.{suffix}")], tmp_path / f"{suffix}.npz", options)
        one, other = (tmp_path / f"{suffix}.npz" for suffix in ("bin", "ndjson"))
        assert one.read_bytes() == other.read_bytes()
        one.unlink()
        other.unlink()
    build([str(tmp_path)], tmp_path / "out.npz", BuildOptions())  # a folder with both
    assert len(Corpus.open(tmp_path / "out.npz")) == 120


def test_fields_pass_through_to_ndjson(tmp_path):
    source = write(tmp_path / "cat.bin", record(CAT) + record(CAT, key=7, recognized=0))
    build_ndjson([source], tmp_path / "a.ndjson", BuildOptions(min_points=1))
    found = list(datafiles.ndjson_sketches(tmp_path / "a.ndjson"))
    assert [s.extras["key_id"] for s in found] == ["5201136883597312", "7"]
    assert [s.extras["recognized"] for s in found] == [True, False]
    assert [lines_of(s) for s in found] == [CAT, CAT]


WHOLE = record(CAT)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            WHOLE * 2 + WHOLE[:5],
            f"ends inside drawing 3, which begins at byte {2 * len(WHOLE)}; get the file again$",
        ),
        (WHOLE[:-1], "ends inside drawing 1, which begins at byte 0"),
        (WHOLE[:18], "ends inside drawing 1"),
        (WHOLE + b"\n", f"ends inside drawing 2, which begins at byte {len(WHOLE)}"),
        (
            WHOLE * 2 + record(CAT, recognized=2),
            f"drawing 3, at byte {2 * len(WHOLE)}, has 2 for recognized, which is 0 or 1; "
            "this is not Quick, Draw!'s .bin, or damaged$",
        ),
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
        (b"PK\x03\x04" + bytes(30), "a zip file, not .bin; name it .npz"),
        (
            b'\n{"word":"cat","drawing":[]}\n',
            "JSON, not .bin; name it .ndjson if it has a drawing a line$",
        ),
        (gzip.compress(WHOLE * 9, mtime=0)[:-9], "damaged gzip"),
        (gzip.compress(b"", mtime=0), "an empty file"),
    ],
)
def test_faults_say_where_and_what(tmp_path, content, says):
    source = write(tmp_path / "cat.bin", content)
    with pytest.raises(BadFile, match=says) as error:
        list(quickdraw_bin.read_blocks(source))
    assert str(error.value).startswith(f"{source}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [1, 20, len(WHOLE)])
def test_a_fault_is_where_it_is_however_bytes_arrive(tmp_path, monkeypatch, size):
    monkeypatch.setattr(quickdraw_bin, "READ_SIZE", size)
    for bad, says in (
        (WHOLE[:-1], f"ends inside drawing 4, which begins at byte {3 * len(WHOLE)};"),
        (record([], recognized=3), f"drawing 4, at byte {3 * len(WHOLE)}, has 3 for recognized"),
    ):
        with pytest.raises(BadFile, match=says):
            list(quickdraw_bin.read_blocks(write(tmp_path / "cat.bin", WHOLE * 3 + bad)))


def test_an_endless_drawing_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(quickdraw_bin, "READ_SIZE", 1 << 18)
    head = WHOLE[:15] + struct.pack("<HH", 1, 65535)
    whole = head + bytes(2 * 65535)
    source = write(tmp_path / "cat.bin", WHOLE + whole)
    monkeypatch.setattr(quickdraw_bin, "MAX_RECORD", 1 << 17)
    assert sum(map(len, quickdraw_bin.read_blocks(source))) == 2
    monkeypatch.setattr(quickdraw_bin, "MAX_RECORD", 1 << 20)
    endless = WHOLE[:15] + struct.pack("<HH", 65535, 65535)
    source = write(tmp_path / "cat.bin", WHOLE + endless + b"\xff" * (1 << 21))
    says = (
        f"drawing 2, at byte {len(WHOLE)}, would have over 1 MiB; this is not Quick, Draw!'s .bin$"
    )
    with pytest.raises(BadFile, match=says):
        list(quickdraw_bin.read_blocks(source))


def test_the_simplified_drawings_survive_the_way_through_it(shared_data, tmp_path):
    path = shared_data / "quickdraw" / "raw-simplified-by-google"
    sketches = [s for file in sorted(path.glob("*.ndjson.gz")) for s in read_sketches(str(file))]
    source = write(
        tmp_path / "a.bin",
        b"".join(
            record([stroke.astype(int).clip(0, 255).tolist() for stroke in s.strokes])
            for s in sketches
        ),
    )
    back = list(read_sketches(source))
    assert len(back) == len(sketches) == 468
    for mine, yours in zip(sketches, back, strict=True):
        assert [s.clip(0, 255).tolist() for s in mine.strokes] == lines_of(yours)
