"""Small files of the kinds that people bring: each is read right, or says what it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app

SHARED_CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
A = [[[0, 100, 255], [0, 50, 0]], [[20, 40], [30, 60]]]
HOOK = [[64, 112, 112, 120], [64, 64, 111, 126]]


@pytest.fixture(scope="module")
def cases() -> Path:
    if not SHARED_CASES.is_dir():
        pytest.skip("no ../shared/cases beside this checkout")
    return SHARED_CASES


def read(*sources, options=()):
    """Word and drawing of everything that ``preprocess`` makes, and what it says."""
    arguments = ["preprocess", *map(str, sources), "-o", "-", "--format", "ndjson", *options]
    result = CliRunner().invoke(app, [*arguments, "--threads", "1"])
    assert result.exit_code == 0, result.output
    lines = map(json.loads, result.stdout.splitlines())
    return [(line["word"], line["drawing"]) for line in lines], result.stderr


WHOLE = {
    "json_array.json": [("cat", A[:1]), ("cat", [[[0, 120, 255], [0, 50, 10]]])],
    "json_array_lines.ndjson": [("cat", A), ("cat", [[[0, 120, 255], [0, 50, 10]], A[1]])],
    "hf_quickdraw.jsonl": [("64", A)],
    "int_labels.ndjson": [("64", A[:1]), ("64", A[:1]), ("91", A[:1])],
    "kaggle.csv": [("cat", A)],
    "drawing_is_text.ndjson": [("cat", A)],
    "powershell_utf16.ndjson": [("cat", A)] * 2,
    "strokes_key.ndjson": [("cat", A)],
    "trailing_comma_lines.ndjson": [("cat", A)] * 2,
    "joined_gz_without_newline.ndjson.gz": [(word, [[[0, 255], [0, 9]]]) for word in "abc"],
    "illustrator_entities.svg": [("illustrator_entities", [[[0, 255, 255], [0, 0, 255]]])],
    "xlink_unbound.svg": [("xlink_unbound", [[[28, 142], [28, 255]], [[0, 26], [0, 142]]])],
    "css_hidden_guides.svg": [
        ("css_hidden_guides", [[[0, 128, 255, 0], [219, 0, 219, 219]]])
    ],
    "css_angle_units.svg": [
        ("css_angle_units", [[[224, 224], [0, 179]], [[210, 255], [84, 84]], [[0, 0], [45, 90]]])
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_read_whole(cases, name):
    found, _ = read(cases / name)
    assert found == WHOLE[name]


SAID = {
    "nan_path.svg": ([[[0, 128], [0, 255]]], "path 1: 'N' where a number should be"),
    "undefined_path.svg": ([[[0, 128], [0, 255]]], "path 1: path data begins with 'u'"),
    "off_page.svg": ([[[0, 173, 173], [0, 0, 255]]], "1 stroke(s) off the page"),
    "clip_hatch.svg": (None, "a clip path, which is not followed"),
    "outlined_pen.svg": (None, "a pen stroke saved as a shape comes as a closed outline"),
    "absolute_xy_eos.npz": (None, "these look like places (x, y), not moves"),
    "handwriting_line.ndjson": (None, "--no-fit keeps their size"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_read_with_a_note(cases, name):
    drawing, note = SAID[name]
    found, said = read(cases / name)
    assert note in said
    if drawing is not None:
        assert found == [(name.removesuffix(".svg"), drawing)]


def test_points_of_four_numbers(cases):
    found, _ = read(cases / "points_xytp.ndjson")
    for word, (ring, hook) in found:
        assert (word, hook, len(ring[0])) == ("ring", HOOK, 25)
        assert [min(ring[0]), max(ring[0]), min(ring[1]), max(ring[1])] == [0, 255, 0, 255]
    assert len(found) == 2


def test_a_gear_turns_around_its_middle(cases):
    [(_, (circle, *teeth))], _ = read(cases / "transform_origin_gear.svg")
    assert (max(circle[0]), max(circle[1])) == (174, 191)
    x = [[110, 110], [166, 221], [166, 221], [110, 110], [55, 0], [55, 0]]
    y = [[64, 0], [96, 64], [159, 191], [191, 255], [159, 191], [96, 64]]
    assert teeth == [list(tooth) for tooth in zip(x, y, strict=True)]


def test_arrays(cases):
    found, _ = read(cases / "labels_beside_drawings.npz")
    assert [word for word, _ in found] == ["cat", "dog", "cat", "dog"]
    found, _ = read(cases / "strokes.npy")
    assert [sum(len(x) for x, _ in drawing) for _, drawing in found] == [10, 12, 15, 9]


def test_empty_splits_are_no_splits(cases, tmp_path):
    out = tmp_path / "o.npz"
    arguments = ["preprocess", str(cases / "empty_valid_test.npz"), "-o", str(out), "--json"]
    result = CliRunner().invoke(app, [*arguments, "--split", "50,25,25"])
    assert json.loads(result.stdout)["splits"] == {"train": 2, "valid": 1, "test": 1}
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0


def test_words_of_files_and_folders(cases):
    found, _ = read(cases / "kanji_by_codepoint" / "*.svg")
    assert [word for word, _ in found] == [f"04e{k:02x}" for k in range(12)]
    found, _ = read(cases / "nested_folder")
    assert sorted(word for word, _ in found) == ["cat"] * 10 + ["owl"] * 2


def test_two_spellings(cases):
    both = cases / "ice_cream_space.ndjson", cases / "ice_cream_underscore.ndjson"
    arguments = ["preprocess", *map(str, both), "-o", "-", "--format", "ndjson"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "--join-spellings` makes them one" in refused.stderr
    found, _ = read(*both, options=["--join-spellings"])
    assert [word for word, _ in found] == ["ice cream"] * 10


def test_a_canvas_of_whole_pixels_is_raw(cases):
    found, _ = read(cases / "canvas256_unsimplified.ndjson")
    asked, _ = read(cases / "canvas256_unsimplified.ndjson", options=["--simplify"])
    assert found == asked
    assert {sum(len(x) for x, _ in drawing) for _, drawing in found} == {50}


def test_pixels_have_no_strokes(cases):
    result = CliRunner().invoke(app, ["inspect", str(cases / "drawing.png")])
    assert result.exit_code == 1
    assert result.stderr.endswith("has no strokes; trace it to SVG first\n")


def test_handwriting_that_keeps_its_size_keeps_its_loops(cases):
    options = ["--no-fit", "--max-points", "2000"]
    found, _ = read(cases / "handwriting_line.ndjson", options=options)
    for _, drawing in found:
        assert np.ptp(np.concatenate([y for _, y in drawing])) > 50
        assert sum(len(x) for x, _ in drawing) > 300
