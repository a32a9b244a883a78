"""JSON that is not exactly Google's line: what other programs write is read as it is meant."""

from __future__ import annotations

import gzip
import json
import random

import datafiles
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.sketches.formats import json_objects, read_sketches, strokes
from sketchrnn_cli.sketches.formats.strokes import Layout

BOTH = ("read", "read_blocks")
A = [[[0, 100, 255], [0, 50, 0]], [[20, 40], [30, 60]]]
TIMES = [[0, 10, 20], [30, 40]]
LINE = json.dumps({"word": "cat", "drawing": A})
PRETTY = json.dumps({"word": "cat", "drawing": A}, indent=2)


def rows(sketch):
    return [stroke.T.tolist() for stroke in sketch.strokes]


def read(tmp_path, content, how, name="a.ndjson", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if how == "read":
        return list(datafiles.ndjson_sketches(path, **options))
    blocks = datafiles.ndjson_blocks(str(path), extras=True, **options)
    return [block.sketch(i) for block in blocks for i in range(len(block))]


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize(
    "content",
    [
        f"[{LINE},{LINE}]\n",
        f"[\n {LINE},\n {LINE}\n]\n",
        f"[\n{LINE}\n,\n{LINE}\n]",
        f"{LINE},\n{LINE},\n",
        f"{LINE}{LINE}\n",
        f"{LINE} {LINE}",
        f"{PRETTY}\n{PRETTY}\n",
        f"[{PRETTY}, {PRETTY}]",
        f"\ufeff{LINE}\n\ufeff{LINE}\n",
        f"\ufeff{LINE}\ufeff{LINE}\n",
        f"\ufeff[\n{LINE},\n{LINE}]",
        f"{LINE}\n{LINE}\n".encode("utf-16"),
        f"\ufeff{LINE}\r\n{LINE}\r\n".encode("utf-16-be"),
        f"[{LINE},\r\n{LINE}]".encode("utf-16"),
        gzip.compress(LINE.encode()) + gzip.compress(LINE.encode()),
        f"[]\n{LINE}\n[{LINE}]\n",
        f"\x1e{LINE}\n\x1e{LINE}\n",
        f"{LINE}\n{LINE}\n".replace("]", ",]").replace("]}", "],}"),
    ],
)
def test_two_drawings_however_they_are_joined(tmp_path, content, how):
    found = read(tmp_path, content, how)
    assert [(s.word, rows(s)) for s in found] == [("cat", A)] * 2


@pytest.mark.parametrize("size", [1, 2, 5, 64, 300, 1 << 20])
@pytest.mark.parametrize("content", [f"[{LINE},{LINE}]", PRETTY * 2, f"{LINE}\n{LINE}", LINE * 2])
def test_how_text_arrives_makes_no_difference(tmp_path, monkeypatch, content, size):
    monkeypatch.setattr(json_objects, "READ_SIZE", size)
    assert [rows(s) for s in read(tmp_path, content, "read")] == [A, A]


@pytest.mark.slow
@given(st.data())
def test_objects_are_found_however_text_is_cut(data):
    texts = st.text(st.sampled_from('{}[]"\\ ,:aé\n'), max_size=12)
    objects = data.draw(st.lists(st.dictionaries(texts, texts, max_size=3), min_size=1, max_size=5))
    indent = data.draw(st.sampled_from([None, 1]))
    separator = data.draw(st.sampled_from(["", "\n", ",\n", " "]))
    encoded = separator.join(json.dumps(one, indent=indent) for one in objects).encode()
    cutter = json_objects._Objects("x")
    found = []
    for number, line in enumerate(encoded.split(b"\n"), start=1):
        at = data.draw(st.integers(0, len(line)))
        found += [json.loads(text) for _, text in cutter.feed(line[:at], number)]
        found += [json.loads(text) for _, text in cutter.feed_line(line[at:], number)]
    assert list(cutter.finish()) == []
    assert found == objects
    assert cutter.n == len(objects)


def test_an_object_is_named_by_the_line_it_begins_on(tmp_path):
    bad = json.dumps({"word": "cat"}, indent=2)
    with pytest.raises(BadSketch, match=r"a\.ndjson:12: no drawing in an object with word"):
        read(tmp_path, f"{LINE}\n" * 11 + bad, "read")


@pytest.mark.parametrize("how", BOTH)
def test_an_object_that_is_cut_off_costs_itself_alone(tmp_path, how):
    cut = LINE[:40]
    skipped = []
    found = read(tmp_path, f"{LINE}\n{cut}\n{LINE}\n{LINE}\n{cut}", how, skipped=skipped.append)
    assert [rows(s) for s in found] == [A] * 3
    assert [fault.split(": ")[0].rsplit(":", 1)[1] for fault in skipped] == ["2", "5"]


def test_what_stands_between_objects_is_a_fault(tmp_path):
    skipped = []
    found = read(tmp_path, f"{LINE} x\n{LINE}\n", "read", skipped=skipped.append)
    assert [rows(s) for s in found] == [A, A]
    found = read(tmp_path, f"{LINE}\nx {LINE}\n", "read", skipped=skipped.append)
    assert [rows(s) for s in found] == [A, A]
    assert [":1: not JSON" in skipped[0], ":2: not JSON" in skipped[1]] == [True] * 2


@pytest.mark.slow
def test_an_endless_object_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(json_objects, "MAX_LINE", 10_000)
    with pytest.raises(BadFile, match=r"a\.ndjson:2: a line of over 0 MiB"):
        read(tmp_path, LINE + '\n{"a":\n' + "[1],\n" * 3000, "read")
    monkeypatch.setattr(json_objects, "MAX_LINE", 3 << 20)
    for endless in (" " * (5 << 20), '{"a":' + "[1],\n" * (1 << 20)):
        with pytest.raises(BadFile, match=r"a\.ndjson:2: a line of over 3 MiB"):
            read(tmp_path, f"{LINE}\n{endless}", "read")


@pytest.mark.parametrize(
    ("drawing", "fits"),
    [
        ([[[k], [k]] for k in range(33)], True),  # 33 * 3 + 1 lists, and 4 of the object
        ([[[k], [k]] for k in range(34)], False),
        ([[[k, k], [k, k]] for k in range(20)], True),  # 61 lists, 59 + 20 commas... and two more
        ([[list(range(300)), list(range(300))]], False),
        ([[list(range(100)), list(range(100))]], True),
    ],
)
def test_an_object_of_too_many_parts_is_refused(tmp_path, monkeypatch, drawing, fits):
    for name, most in (("MAX_LISTS", 104), ("MAX_NUMBERS", 300), ("LONG_LINE", 1 << 20)):
        monkeypatch.setattr(json_objects, name, most)
    for joined in (json.dumps, lambda record: json.dumps(record, indent=1)):
        text = joined({"drawing": drawing}) + "\n"
        assert len(read(tmp_path, text, "read")) == 1  # a short one is not counted
        long = text.replace("{", "{" + " " * (1 << 20), 1)
        if fits:
            assert len(read(tmp_path, long, "read")) == 1
            continue
        with pytest.raises(BadFile, match=r"a\.ndjson:1: a line of 1 MiB with too many parts$"):
            read(tmp_path, long, "read")


def test_an_object_of_too_many_parts_is_refused_before_it_ends(monkeypatch):
    for name, most in (("MAX_LISTS", 104), ("LONG_LINE", 1000)):
        monkeypatch.setattr(json_objects, name, most)
    objects = json_objects._Objects("a.json")
    assert list(objects.feed(b'{"a":[' + b"{}," * 20, 1)) == []
    with pytest.raises(BadFile, match=r"a\.json:1: a line of 0 MiB with too many parts$"):
        list(objects.feed(b"{}," * 400, 1))


@pytest.mark.parametrize(
    ("drawing", "says"),
    [
        ([[[1, 2], [3, -1e9]]], "a coordinate that is no place on a canvas"),
        ([[[1], [2]], [[1, True], [3, 4]]], "stroke 1 holds true where a number should be"),
        ([[["a" * 90], [2]]], 'stroke 0 holds "aaaaaaaaaaaaaaaaaaa where a number should be'),
        ([[[1, 2], [3, 4], [5]]], "stroke 0 has rows of different length: 2, 2, 1"),
        ([[[1] * 7]], "stroke 0 has one row; it needs x and y"),
        ([[[1] * 7, [1] * 7], [[1, 2], 3]], "stroke 1 is not a list of rows"),
        (
            {c: [] for c in "abcdefgh"},
            "a drawing that is an object with a, b, c, d, e, f; it needs",
        ),
        (
            [[{c: 1 for c in "abcdefgh"}]],
            "a point that is an object with a, b, c, d, e, f; it needs",
        ),
        ({"x": [[1]], "y": [[1]], "t": []}, "x has 1 strokes, and y or t another number"),
    ],
)
def test_what_a_drawing_cannot_hold_is_named(tmp_path, drawing, says):
    for how in BOTH:
        with pytest.raises(BadSketch) as error:
            read(tmp_path, json.dumps({"drawing": drawing}), how)
        assert f"a.ndjson:1: {says}" in str(error.value)


def test_a_coordinate_just_within_reach_is_read(tmp_path):
    far = 999_999_936  # as float32
    (found,) = read(tmp_path, json.dumps({"drawing": [[[far, -far], [0, 1]]]}), "read")
    assert rows(found) == [[[far, -far], [0, 1]]]


@pytest.mark.parametrize(
    ("thirds", "times"),
    [
        ([[0, 1], [2, 3]], True),
        ([[0, 0], [0, 0]], False),  # it does not grow
        ([[3, 2], [1, 0]], False),
        ([[5]], False),  # one alone
        ([[], []], False),
        ([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [8]], True),  # one step of ten goes back
        ([[0, 1, 2, 3, 4, 3, 6, 7, 8, 9], [8]], False),
        ([[0, 1], [2, True]], False),
        ([[0, "1"]], False),
    ],
)
def test_times_grow(thirds, times):
    assert strokes.is_time(thirds) is times


def test_lines_of_bare_drawings(tmp_path):
    content = f"{json.dumps(A)}\n{json.dumps(A)}\n"
    for how in BOTH:
        assert [rows(sketch) for sketch in read(tmp_path, content, how)] == [A, A]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f'{{"cats":[{LINE}],"owls":[{LINE}]}}', "with cats, owls; if they are in cats, write"),
        (
            json.dumps({"word": ["cat", "owl"], "drawing": [A, A]}),
            "columns of a table; write a dra",
        ),
        (json.dumps({"drawing": {"0": A, "1": A}}), "with 0, 1; write a drawing a line: to_json("),
        (json.dumps({"word": "cat", "simplified": A}), "if it is simplified, call that drawing"),
        (f'{{"info":[1],"cat":[{json.dumps(A)}]}}', "with info, cat; if they are in cat"),
        ("[{'word':'cat'}]", "as Python prints them; write it with json.dumps"),
        ("{'word':'cat'}", "as Python prints them; write it with json.dumps"),
    ],
)
def test_what_holds_no_drawing_says_the_way_out(tmp_path, content, says):
    for how in BOTH:
        with pytest.raises(BadSketch) as error:
            read(tmp_path, content, how)
        assert says in str(error.value)


def test_utf_16_without_a_mark_is_named(tmp_path):
    with pytest.raises(BadFile, match="UTF-16 without its mark; save it as UTF-8"):
        read(tmp_path, LINE.encode("utf-16-le"), "read")


def test_damaged_utf_16_is_named(tmp_path):
    data = b"\xff\xfe" + "\ud800".encode("utf-16-le", "surrogatepass") * 3
    with pytest.raises(BadFile, match="damaged UTF-16; save it as UTF-8"):
        read(tmp_path, data, "read")


# the shapes of a drawing

T = [[*stroke, times] for stroke, times in zip(A, TIMES, strict=True)]
POINTS = [[dict(zip("xyt", point, strict=True)) for point in zip(*stroke, strict=True)]
          for stroke in T]  # fmt: skip
SHAPES = {
    "x and y of all": {"x": [r[0] for r in T], "y": [r[1] for r in T], "t": TIMES},
    "x and y of each": [dict(zip("xyt", stroke, strict=True)) for stroke in T],
    "points as objects": POINTS,
    "points within strokes": [{"points": points} for points in POINTS],
    "points of numbers within strokes": [
        {"points": [list(point) for point in zip(*stroke, strict=True)]} for stroke in T
    ],
    "numbers by twos": [
        {"points": [number for point in zip(*stroke[:2], strict=True) for number in point]}
        for stroke in T
    ],
    "capitals": [{"X": r[0], "Y": r[1], "Time": r[2]} for r in T],
    "strokes within": {"strokes": POINTS},
    "text": json.dumps(T),
    "text of objects": json.dumps(POINTS),
    "rows": T,
    "time called time": [{"x": r[0], "y": r[1], "time": r[2]} for r in T],
}


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("key", ["drawing", "strokes"])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_a_drawing(tmp_path, name, key, how):
    content = json.dumps({"word": "cat", key: SHAPES[name], "id": 3})
    (found,) = read(tmp_path, content, how)
    assert (found.word, rows(found), found.extras) == ("cat", A, {"id": 3})
    if how == "read":
        times = None if found.times is None else [t.tolist() for t in found.times]
        assert times == (None if name == "numbers by twos" else TIMES)


def test_a_flat_list_of_points_is_one_stroke(tmp_path):
    (found,) = read(tmp_path, json.dumps({"drawing": POINTS[0]}), "read")
    assert rows(found) == A[:1]
    (found,) = read(tmp_path, json.dumps({"drawing": {"x": [1, 2], "y": [3, 4]}}), "read")
    assert rows(found) == [[[1, 2], [3, 4]]]


@pytest.mark.parametrize(
    ("drawing", "says"),
    [
        ({"x": [1]}, "a drawing that is an object with x; it needs x and y"),
        ({}, "a drawing that is an object with nothing; it needs x and y"),
        ({"x": [[1]], "y": [[1], [2]]}, "x has 1 strokes, and y or t another number"),
        ([{"x": [1], "y": [2]}, [[1], [2]]], "a stroke of objects and of something else"),
        ([{"x": 1, "y": 2}, [3]], "a stroke of objects and of something else"),
        ([[{"x": 1, "y": 2}, 3]], "a stroke of objects and of something else"),
        ([[{"x": 1}]], "a point that is an object with x; it needs x and y"),
        ({"strokes": [{"x": [1]}]}, "a drawing that is an object with x; it needs x and y"),
        ([[{}, {"x": 1}]], "a point that is an object with nothing; it needs x and y"),
        ([{"points": [1, 2, 3]}], "3 numbers where x and y go by twos"),
        ("cat", "a drawing that is text, but not JSON"),
        (7, "a drawing that is no list"),
        (None, "a drawing that is no list"),
        (
            [{"points": [{"points": [{"points": [{"points": [{"points": [{"points": []}]}]}]}]}]}],
            "a drawing within drawings",
        ),
    ],
)
def test_what_is_no_shape_is_named(tmp_path, drawing, says):
    for how in BOTH:
        with pytest.raises(BadSketch, match=rf"a\.ndjson:1: (stroke 0 )?{says}"):
            read(tmp_path, json.dumps({"drawing": drawing}), how)


@pytest.mark.parametrize("how", BOTH)
def test_objects_are_no_rows_to_be_turned_round(tmp_path, how):
    """Two points of x and y, in a file whose other strokes are lists of points."""
    two = [[{"x": 1, "y": 2}, {"x": 3, "y": 4}]]
    long = [[[k, 2 * k] for k in range(9)]]
    content = "".join(json.dumps({"drawing": d}) + "\n" for d in (long, two))
    assert rows(read(tmp_path, content, how)[1]) == [[[1, 3], [2, 4]]]
    uneven = json.dumps({"drawing": [[[1, 2], [3, 4], [5]]]})
    with pytest.raises(BadSketch, match=r"a\.ndjson:3: stroke 0 has points of different length"):
        read(tmp_path, content + uneven, how)


@pytest.mark.parametrize(
    ("third", "fourth", "times"),
    [
        ([0.1, 0.9, 0.2], [5, 6, 7], [5, 6, 7]),  # pressure comes first
        ([1, 2, 3], [5, 6, 7], [1, 2, 3]),
        ([1, 2, 3], [0.1, 0.9, 0.2], [1, 2, 3]),
        ([0.1, 0.9, 0.2], [3, 2, 1], None),
    ],
)
def test_the_row_that_grows_is_time(tmp_path, third, fourth, times):
    content = json.dumps({"drawing": [[[1, 2, 3], [4, 5, 6], third, fourth], [[7], [8], [9], [9]]]})
    (found,) = read(tmp_path, content, "read")
    assert (None if found.times is None else found.times[0].tolist()) == times


# rows or points


def _stroke(rng, n, extra):
    """n points x, y and further numbers."""
    start = rng.randrange(10**6)
    columns = {"time": lambda k: start + 16 * k, "pressure": lambda k: rng.random()}
    return [
        [rng.uniform(-500, 500), rng.uniform(-500, 500), *(columns[name](k) for name in extra)]
        for k in range(n)
    ]


@pytest.mark.parametrize("extra", [(), ("time",), ("pressure",), ("time", "pressure"),
                                   ("pressure", "time")])  # fmt: skip
@pytest.mark.parametrize("lengths", [(25, 4), (4, 25), (2, 3, 4), (3, 9, 1), (7,), (1, 2, 30)])
@pytest.mark.parametrize("seed", range(3))
def test_points_and_rows_are_told_apart(tmp_path, extra, lengths, seed):
    rng = random.Random(seed)
    points = [_stroke(rng, n, extra) for n in lengths]
    for drawing in (points, [list(map(list, zip(*stroke, strict=True))) for stroke in points]):
        for how in BOTH:
            (found,) = read(tmp_path, json.dumps({"drawing": drawing}), how)
            expected = [np.array(stroke, np.float32)[:, :2] for stroke in points]
            assert len(found.strokes) == len(expected)
            for one, other in zip(found.strokes, expected, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("drawing", "points"),
    [
        ([[[0, 1, 2], [3, 4, 5]]], False),  # as Google writes it
        ([[[0, 1], [3, 4]], [[5, 6], [7, 8], [9, 9]]], True),  # as wide, not as many
        ([[[0, 1], [3, 4]], [[0, 1, 2], [3, 4, 5]]], False),  # as many, not as wide
        ([[[9, 5, 0.1], [8, 7, 0.5], [9, 9, 0.2]]], True),  # three columns, the last pressure
        ([[[9, 5, 1], [8, 7, 3], []]], False),
        ([[[9, 5, 1], [8, 7, 3], [0.1, 0.9, 0.2]]], False),  # three rows, the last pressure
        ([[[1, 2]]], True),
        ([[[1], [2]]], False),
        ([], False),
        ([[]], False),
        ([3], False),
    ],
)
def test_how_strokes_lie(drawing, points):
    layout = Layout()
    layout.see(drawing)
    assert layout.decide() is points
    assert layout.points is points
    assert layout.see(drawing) is points


def test_what_one_drawing_shows_holds_for_the_file(tmp_path):
    short, long = [[[1, 2], [3, 4]]], [[[k, 2 * k] for k in range(9)]]
    content = "".join(json.dumps({"drawing": d}) + "\n" for d in (short, long, short))
    for how in BOTH:
        found = read(tmp_path, content, how)
        assert [s.strokes[0].tolist() for s in found] == [short[0], long[0], short[0]]


@pytest.mark.parametrize(
    ("values", "extra"),
    [([0, 0.5, 1], True), ([3, 3, 8], True), ([0.5, -0.1], False), ([5, 4], False),
     ([1, True], False), ("ab", False), ([None], False), ([0, 1.01, 1], False)],
)  # fmt: skip
def test_pressure_and_time(values, extra):
    assert strokes._is_extra(values) is extra


# words and flags


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"word": 64}, "64"),
        ({"word": 0}, "0"),
        ({"label": "cat"}, "cat"),
        ({"label": 3}, "3"),
        ({"category": "cat"}, "cat"),
        ({"class": "cat", "word": "owl"}, "owl"),
        ({"word": "", "label": "cat"}, "cat"),
        ({"word": True}, "file"),
        ({"word": None}, "file"),
        ({}, "file"),
        ({"word": "cafe\u0301"}, "caf\u00e9"),
        ({"label": 64.0}, "64"),
        ({"label": "64.0"}, "64"),
        ({"label": ["cat"]}, "cat"),
        ({"category": {"id": 3, "name": "cat"}}, "cat"),
        ({"label": 3, "class_name": "cat"}, "cat"),
        ({"Word": "cat"}, "cat"),
        ({"name": "cat"}, "cat"),
        ({"class_id": 7}, "7"),
    ],
)
def test_what_is_drawn(tmp_path, how, fields, word):
    (found,) = read(tmp_path, json.dumps({"drawing": A, **fields}), how, word="file")
    assert found.word == word


def test_texts_beside_drawings_without_a_word_are_noted_once(tmp_path):
    path = tmp_path / "a.ndjson"
    line = json.dumps({"drawing": A, "title": "cat", "key_id": "5"})
    path.write_text(f"{line}\n{line}\n")
    said: list[str] = []
    words = [found.word for found in read_sketches(str(path), note=said.append)]
    assert words == ["a", "a"]
    assert said == [f"{path}: no word in drawings with title; they are called a; name the key word"]
    [*read_sketches(str(path), note=said.append, label="owl")]
    assert len(said) == 1


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize(
    "record",
    [
        *({key: A} for key in ("Drawing", "lines", "paths", "ink")),
        {"drawing": [{"x": ["0", "100", "255"], "y": ["0", "50.0", "0"]}, {"x": ["20", "40"],
                     "y": ["30", "60"]}]},  # BigQuery
        {"x": [[0, 100, 255], [20, 40]], "y": [[0, 50, 0], [30, 60]]},
        json.dumps({"drawing": A}),
        {"data": {"n": 1, "items": [{"drawing": A}]}},
    ],
)  # fmt: skip
def test_drawings_under_other_names(tmp_path, how, record):
    (found,) = read(tmp_path, json.dumps(record), how)
    assert rows(found) == A


def test_drawings_of_an_object_around_them(tmp_path):
    content = json.dumps({"version": 1, "drawings": [{"label": k, "drawing": A} for k in "abc"]})
    for how in BOTH:
        assert [found.word for found in read(tmp_path, content, how)] == ["a", "b", "c"]


@pytest.mark.parametrize("width", [5, 6, 8])
def test_points_of_many_numbers(tmp_path, width):
    stroke = [[k, 3 * k % 7, 10 * k, *[0.5] * (width - 3)] for k in range(12)]
    (found,) = read(tmp_path, json.dumps({"drawing": [stroke]}), "read")
    assert found.strokes[0].tolist() == [point[:2] for point in stroke]
    assert found.times[0].tolist() == [point[2] for point in stroke]


def test_strokes_of_three_points_are_no_rows(tmp_path):
    drawing = [[[0, 0], [5, 5], [9, 3]], [[1, 1], [2, 2], [5, 7]]]
    (found,) = read(tmp_path, json.dumps({"drawing": drawing}), "read")
    assert [stroke.tolist() for stroke in found.strokes] == drawing
    timed = [[[0, 3], [5, 5], [0, 16]], [[1, 1], [2, 2], [40, 56]]]
    (found,) = read(tmp_path, json.dumps({"drawing": timed}), "read")
    assert rows(found) == [stroke[:2] for stroke in timed]


def test_points_with_the_number_of_their_stroke(tmp_path):
    points = [{"x": k, "y": 2 * k, "strokeId": k // 3} for k in range(7)]
    columns = {key: [point[key] for point in points] for key in points[0]}
    for record in ({"drawing": points}, {"drawing": columns}, columns):
        (found,) = read(tmp_path, json.dumps(record), "read")
        assert [len(stroke) for stroke in found.strokes] == [3, 3, 1]


@pytest.mark.parametrize("key", ["penDown", "pen", "isDrawing", "type", "lifted"])
def test_points_that_only_say_where_the_pen_is_are_refused(tmp_path, key):
    points = [{"x": k, "y": 2 * k, key: k % 3 == 0} for k in range(7)]
    with pytest.raises(BadSketch, match=f"points with {key.lower()}; give each stroke a list"):
        read(tmp_path, json.dumps({"drawing": points}), "read")


def test_moves_are_no_places(tmp_path):
    moves = [[3, 4, 0], [5, -6, 1], [7, 8, 0], [9, 9, 0], [1, 1, 1]]
    with pytest.raises(BadSketch, match="moves and a pen, as in stroke-3, not places; save them"):
        read(tmp_path, json.dumps([moves, moves]), "read")


def test_too_many_rows_are_no_stroke(tmp_path):
    with pytest.raises(BadSketch, match="stroke 1 has 9 rows"):
        read(
            tmp_path, json.dumps({"drawing": [A[0], [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]] * 9]}), "read"
        )


@pytest.mark.parametrize(
    ("value", "recognized"),
    [(True, True), (False, False), (1, True), (0, False), ("True", True), ("false", False),
     ("0", False), (0.0, False), (1.0, True), (None, None), ("maybe", "maybe"),
     ([["cat", 0.9], ["false", 0.1]], [["cat", 0.9], ["false", 0.1]])],
)  # fmt: skip
def test_recognized_in_every_spelling(tmp_path, value, recognized):
    path = tmp_path / "a.ndjson"
    path.write_text(json.dumps({"drawing": A, "recognized": value}))
    (block,) = datafiles.ndjson_blocks(str(path), extras=True)
    assert block.recognized.tolist() == [recognized is not False]
    assert block.extras == [{"recognized": recognized}]
    (found,) = datafiles.ndjson_sketches(path)
    assert found.extras == {"recognized": recognized}


def test_other_fields_pass_through(tmp_path):
    (found,) = read(tmp_path, json.dumps({"strokes": A, "label": 3, "k": [1]}), "read_blocks")
    assert found.extras == {"label": 3, "k": [1]}
    assert read_sketches(str(tmp_path / "a.ndjson")) is not None
