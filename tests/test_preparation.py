"""What `preprocess` decides by itself: raw or not, long and low, labels, splits."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from datafiles import stroke3, write_npz

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches.block import from_sketches, merge, take
from sketchrnn_cli.sketches.build import BuildOptions, build, build_ndjson
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.simplify import looks_raw
from sketchrnn_cli.sketches.sketch import from_polylines

SPARSE = {"word": "cat", "drawing": [[[0, 100, 255], [0, 50, 0]], [[20, 40], [30, 60]]]}


def wave(n, size=(200, 60), turns=2.0):
    """An unsimplified stroke in whole pixels."""
    t = np.linspace(0, 1, n)
    x, y = t * size[0], (0.5 + 0.5 * np.sin(t * turns * 2 * np.pi)) * size[1]
    return [np.rint(x).astype(int).tolist(), np.rint(y).astype(int).tolist()]


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def prepared(tmp_path, sources, **options):
    report = build_ndjson(sources, tmp_path / "out.ndjson", BuildOptions(**options))
    return report, list(read_sketches(str(tmp_path / "out.ndjson")))


def lines_of(sketch):
    return [line.T.tolist() for line in sketch.strokes]


def test_raw_or_not_is_decided_for_each_drawing(tmp_path):
    """Whatever comes before it in its file, and in whatever order."""
    raw = {"word": "dog", "drawing": [[[100.5, 150, 610.5], [100, 100.3, 100], [0, 20, 40]]]}
    dense = {"word": "pig", "drawing": [wave(150), wave(150, (255, 90), 3)]}
    records = [SPARSE] * 3000 + [raw, dense, SPARSE, dense]
    _, found = prepared(tmp_path, [write(tmp_path / "a.ndjson", records)])
    assert [sketch.word for sketch in found] == [record["word"] for record in records]
    for sketch in (*found[:3000], found[3002]):
        assert lines_of(sketch) == SPARSE["drawing"]
    assert lines_of(found[3000]) == [[[0, 255], [0, 0]]]
    assert found[3001].n_points < 60
    _, back = prepared(tmp_path, [write(tmp_path / "a.ndjson", records[::-1])])
    assert list(map(lines_of, back)) == list(map(lines_of, found[::-1]))


def test_a_canvas_of_whole_pixels_with_dense_points_is_raw(tmp_path):
    dense = {"word": "pig", "drawing": [wave(150), wave(150, (255, 90), 3), wave(150)]}
    source = write(tmp_path / "a.ndjson", [dense] * 3)
    _, found = prepared(tmp_path, [source])
    _, asked = prepared(tmp_path, [source], simplify=True)
    assert list(map(lines_of, found)) == list(map(lines_of, asked))
    assert found[0].n_points < 100
    with pytest.raises(BadFile, match=r"3 over 250 points\); --simplify .* --max-points"):
        prepared(tmp_path, [source], simplify=False)


@pytest.mark.parametrize(
    ("stroke", "raw"),
    [
        (wave(150), True),
        (wave(40, (200, 60), 1), True),  # 6 pixels from point to point
        (wave(12), False),  # 20 pixels
        ([[0, 2, 4, 6, 4, 2, 0], [0, 6, 0, 6, 0, 6, 0]], False),  # small, but all corners
        ([[7], [9]], False),
    ],
)
def test_dense_points_are_those_that_simplification_would_halve(stroke, raw):
    block = from_sketches([from_polylines([np.array(stroke).T])])
    assert looks_raw(block).tolist() == [raw]


def test_googles_simplified_drawings_are_not_raw(shared_data):
    for path in sorted((shared_data / "quickdraw" / "raw-simplified-by-google").glob("*.gz")):
        assert not looks_raw(from_sketches(list(read_sketches(str(path))))).any(), path


def test_two_parts_of_a_block_become_one_again():
    rng = np.random.default_rng(0)
    sketches = [
        from_polylines([rng.integers(0, 99, (k + 1, 2)) for k in range(n % 4)], str(n))
        for n in range(23)
    ]
    block = replace(from_sketches(sketches), recognized=rng.random(23) < 0.5)
    for share in (0.0, 0.3, 1.0):
        chosen = rng.random(23) < share
        again = merge(chosen, take(block, chosen), take(block, ~chosen))
        for name in ("points", "strokes", "drawings", "words", "recognized"):
            np.testing.assert_array_equal(getattr(again, name), getattr(block, name))


def test_a_line_of_handwriting_is_told_to_lose_its_details(tmp_path):
    line = {"word": "line", "drawing": [wave(1200, (2400, 60), 40)]}
    stroke = {"word": "line", "drawing": [wave(100, (2400, 60), 0.5)]}  # nothing to lose
    source = write(tmp_path / "a.ndjson", [line] * 3)
    report, _ = prepared(tmp_path, [source])
    assert "--no-fit keeps their size" in report["notes"][0]
    report, (first, *_) = prepared(tmp_path, [source], fit=False, max_points=2000)
    assert report["notes"] == []
    assert first.box()[2:] == (2400, 60)
    report, _ = prepared(tmp_path, [write(tmp_path / "b.ndjson", [stroke] * 3)])
    assert report["notes"] == []


def test_spellings_of_a_label_are_joined_when_told_to(tmp_path):
    records = [{**SPARSE, "word": word} for word in ("ice cream", "ice_cream", "Ice-Cream")]
    source = write(tmp_path / "a.ndjson", records)
    with pytest.raises(BadFile, match="--join-spellings` makes them one"):
        prepared(tmp_path, [source])
    report, found = prepared(tmp_path, [source], join_spellings=True, per_word=2)
    assert [sketch.word for sketch in found] == ["ice cream"] * 2
    assert report["words"]["ice cream"]["drawings"] == 2


def test_two_spellings_that_look_alike_are_told_apart_in_the_message(tmp_path):
    records = [{**SPARSE, "word": word} for word in ("owl", "o\u00adwl")]
    with pytest.raises(BadFile, match=r"'owl' and 'o\\xadwl' are one word"):
        prepared(tmp_path, [write(tmp_path / "a.ndjson", records)])


def test_composed_and_decomposed_letters_are_one_label(tmp_path):
    forms = [unicodedata.normalize(form, "café") for form in ("NFD", "NFC")]
    assert forms[0] != forms[1]
    source = write(tmp_path / "a.ndjson", [{**SPARSE, "word": word} for word in forms])
    build([source], tmp_path / "a.npz", BuildOptions())
    assert Corpus.open(tmp_path / "a.npz").words == (forms[1],)


@pytest.mark.parametrize("empty", [("valid", "test"), ("valid",), ("test",)])
def test_an_empty_split_is_no_split(tmp_path, empty):
    arrays = {"train": stroke3(60), "valid": stroke3(20, 1), "test": stroke3(20, 2)}
    arrays |= dict.fromkeys(empty, [])
    build([write_npz(tmp_path / "a.npz", **arrays)], tmp_path / "b.npz", BuildOptions())
    report = Corpus.open(tmp_path / "b.npz").report
    assert all(report["splits"].values()), report["splits"]
