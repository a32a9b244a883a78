"""CSV of drawings, as Kaggle has it."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.sketches import formats
from sketchrnn_cli.sketches.formats import read_sketches, tables

A = [[[0, 100, 255], [0, 50, 0]], [[20, 40], [30, 60]]]
HEAD = ["countrycode", "drawing", "key_id", "recognized", "timestamp", "word"]
ROW = ["US", json.dumps(A), "5000000000000001", "True", "2017-01-01 00:00:00", "cat"]


def table(*rows, separator=","):
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue().encode()


def read(tmp_path, content, name="kaggle.csv", **options):
    path = tmp_path / name
    path.write_bytes(content)
    return list(read_sketches(str(path), **options))


def rows(sketch):
    return [stroke.T.tolist() for stroke in sketch.strokes]


@pytest.mark.parametrize(
    "content",
    [
        table(HEAD, ROW),
        table(HEAD, ROW, separator=";"),
        table(HEAD, ROW, separator="\t"),
        table(HEAD, ROW, separator="|"),
        table([*HEAD, *map(str, range(994))], ROW),
        table(HEAD, ROW).rstrip(),
        b"\xef\xbb\xbf" + table(HEAD, ROW),
        table(HEAD, ROW).decode().encode("utf-16"),
        gzip.compress(table(HEAD, ROW)),
        table(HEAD, ROW).replace(b"\r\n", b"\n"),
        b"\r\n" + table(HEAD, ROW) + b"\r\n",
        table([f" {name} " for name in HEAD], ROW),
        table(HEAD, ROW).replace(b"\r\n", b"\r"),
        b"sep=,\r\n" + table(HEAD, ROW),
        b"\xef\xbb\xbf" + table(HEAD) + b"\xef\xbb\xbf" + table(HEAD, ROW),
    ],
)
def test_a_row_is_a_drawing(tmp_path, content):
    (found,) = read(tmp_path, content)
    assert (found.word, rows(found)) == ("cat", A)
    assert found.extras == {
        "countrycode": "US", "key_id": "5000000000000001", "recognized": True,
        "timestamp": "2017-01-01 00:00:00",
    }  # fmt: skip


def test_blocks_hold_the_same(tmp_path):
    (tmp_path / "a.csv").write_bytes(table(HEAD, ROW, [*ROW[:3], "False", *ROW[4:]]))
    (block,) = formats.read_blocks(formats.expand([str(tmp_path / "a.csv")]))
    assert [rows(block.sketch(i)) for i in range(2)] == [A, A]
    assert block.recognized.tolist() == [True, False]


def test_a_table_without_words_is_called_as_the_file(tmp_path):
    content = table(["drawing"], [json.dumps(A)], [" "], [])
    assert [s.word for s in read(tmp_path, content)] == ["kaggle", "kaggle"]
    assert [rows(s) for s in read(tmp_path, content)] == [A, []]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            table(["word", "lines", *"abcdefgh"], ["a", "b"]),
            "no column called drawing in a table with word, lines, a, b, c, d;",
        ),
        (table(["ab" * 200]), f"no column called drawing in a table with {'ab' * 100};"),
        (b"\n\n", "no column called drawing in a table with nothing;"),
        (table(["drawing"] * 1001), "no column called drawing in a table with drawing, drawing"),
        (table(HEAD, ROW) + b"\xff\xfe\n", ":3: not UTF-8; save the table as UTF-8$"),
        (table(HEAD, ROW) + b"\xff\xfe", ":3: not UTF-8; save the table as UTF-8$"),
        (b"PK\x03\x04", "a zip file, not a table"),
        (b"", "an empty file"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, says):
    with pytest.raises(BadFile, match=says) as error:
        read(tmp_path, content)
    assert "kaggle.csv" in str(error.value)


def test_a_head_that_is_damaged(tmp_path):
    with pytest.raises(BadFile, match=r"kaggle\.csv:1: a damaged table: "):
        read(tmp_path, b"word,drawing\rx\n" + table(ROW))


def test_a_faulty_row_is_named_or_skipped(tmp_path):
    content = table(HEAD, ROW, ["US", "[[[1,2],[3"], ROW[:1], ROW)
    with pytest.raises(BadSketch, match=r"kaggle\.csv:3: not JSON"):
        read(tmp_path, content)
    skipped = []
    found = read(tmp_path, content, on_error="skip", skipped=skipped.append)
    assert [rows(s) for s in found] == [A, [], A]
    assert len(skipped) == 1


def test_a_cell_without_an_end_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINE", 10_000)
    before = csv.field_size_limit()
    with pytest.raises(BadFile, match=r"kaggle\.csv:\d+: a damaged table: field larger"):
        read(tmp_path, table(["drawing"]) + b'"' + b"x\n" * 8000)
    monkeypatch.setattr(tables, "MAX_LINE", 1 << 20)
    with pytest.raises(BadFile, match=r"kaggle\.csv:2: a line of over 1 MiB$"):
        read(tmp_path, table(["drawing"]) + b"x" * 3_000_000)
    assert csv.field_size_limit() == before


@given(st.lists(st.lists(st.lists(st.integers(0, 255), min_size=2, max_size=9), min_size=1,
                         max_size=4), min_size=1, max_size=5))  # fmt: skip
def test_what_is_written_is_read(tmp_path_factory, drawn):
    drawings = [[[row, row] for row in drawing] for drawing in drawn]
    content = table(["word", "drawing"], *(['a,"b', json.dumps(d)] for d in drawings))
    found = read(tmp_path_factory.mktemp("csv"), content)
    assert [(s.word, rows(s)) for s in found] == [('a,"b', d) for d in drawings]


def test_columns_may_be_capitalised_and_labels_floats(tmp_path):
    (found,) = read(tmp_path, table(["Label", "Drawing"], ["64.0", json.dumps(A)]))
    assert (found.word, rows(found)) == ("64", A)


def test_what_is_no_table_of_drawings_says_what_it_takes(tmp_path):
    with pytest.raises(BadFile, match="with x, y, stroke; it takes a drawing a row"):
        read(tmp_path, table(["x", "y", "stroke"], [0, 0, 0]))
    with pytest.raises(BadFile, match="JSON, not a table; name it .ndjson"):
        read(tmp_path, b'{"word":"cat","drawing":[]}')
