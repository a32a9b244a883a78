"""Excalidraw, tldraw and InkML: one drawing a file."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from drawings import CAT, DOT, LINE

from sketchrnn_cli.errors import BadFile, BadSketch, SketchError
from sketchrnn_cli.sketches.formats import inkml, read_sketches, whiteboards


def element(kind, **fields):
    return {"type": kind, "x": 10, "y": 20, "width": 40, "height": 20, "angle": 0, **fields}


def read(tmp_path, content, name="cat.excalidraw", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    (sketch,) = read_sketches(str(path), **options)
    return sketch


def lines(sketch):
    return [np.round(stroke, 3).tolist() for stroke in sketch.strokes]


def test_excalidraw(tmp_path):
    notes = []
    board = {
        "type": "excalidraw",
        "elements": [
            element("freedraw", points=[[0, 0], [5, 6], [7, 0]], pressures=[0.5] * 3),
            element("line", points=[[0, 0], [1, 1]], isDeleted=True),
            element("draw", points=[[0, 0], [1, 1]]),
            element("arrow", points=[[0, 0], [1, 1]]),
            element("rectangle"),
            element("diamond"),
            element("line", points=[[0, 0], [40, 0]], angle=np.pi / 2),
            element("text", text="hello"),
            element("image"),
            element("image"),
        ],
    }
    found = read(tmp_path, board, note=notes.append)
    assert found.word == "cat"
    assert lines(found) == [
        [[10, 20], [15, 26], [17, 20]],
        [[10, 20], [11, 21]],
        [[10, 20], [11, 21]],
        [[10, 20], [50, 20], [50, 40], [10, 40], [10, 20]],
        [[30, 20], [50, 30], [30, 40], [10, 30], [30, 20]],
        [[40, 10], [40, 50]],
    ]
    assert notes == [
        f"{tmp_path / 'cat.excalidraw'}: left out what has no strokes: 2 image, 1 text"
    ]


def written(*sketches):
    stream = io.BytesIO()
    whiteboards.write(stream, sketches)
    return stream.getvalue()


def test_what_is_written_for_excalidraw_is_read_back(tmp_path):
    path = tmp_path / "a.excalidraw"
    path.write_bytes(written(CAT, DOT, LINE))
    for one, other in zip(read_sketches(str(path)), (CAT, DOT, LINE), strict=True):
        assert one.word == (other.word or "a")
        for a, b in zip(one.strokes, other.strokes, strict=True):
            np.testing.assert_allclose(a - one.points()[0], b - other.points()[0], atol=2e-3)
    (alone,) = read_sketches(_put(path, written(CAT)))
    for a, b in zip(alone.strokes, CAT.strokes, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def _put(path, data):
    path.write_bytes(data)
    return str(path)


def test_drawings_for_excalidraw_lie_side_by_side():
    """Each a group, at its place, and of no stroke that Excalidraw would drop."""
    board = json.loads(written(*[LINE, DOT] * 3, LINE, CAT))
    assert (board["type"], board["version"]) == ("excalidraw", 2)
    corners = {}
    for part in board["elements"]:
        assert len(part["points"]) > 1
        assert part["points"][0] == [0, 0]
        corners.setdefault(part["groupIds"][0], (part["x"], part["y"]))
    x, y = CAT.points()[0].tolist()
    assert corners["drawing-7"] == (x + 300, y + 300)
    assert len({part["id"] for part in board["elements"]}) == len(board["elements"])


def test_a_stroke_has_every_field_that_excalidraw_writes():
    """Those of its version 2, of a pen that draws by itself."""
    (stroke,) = LINE.strokes
    moved = np.round(stroke - stroke[0], 3)
    width, height = np.ptp(stroke, axis=0).tolist()
    board = json.loads(written(LINE, DOT))
    assert board.keys() == {"type", "version", "source", "elements", "appState", "files"}
    assert (board["appState"], board["files"]) == ({"viewBackgroundColor": "#ffffff"}, {})
    first, dot = board["elements"]
    usual = {
        "type": "freedraw", "angle": 0, "strokeColor": "#1e1e1e", "strokeWidth": 2,
        "backgroundColor": "transparent", "fillStyle": "solid", "strokeStyle": "solid",
        "roughness": 1, "opacity": 100, "frameId": None, "roundness": None, "version": 1,
        "isDeleted": False, "boundElements": None, "updated": 1, "link": None, "locked": False,
        "pressures": [], "simulatePressure": True, "lastCommittedPoint": None,
    }  # fmt: skip
    said = {"drawing": 0} | ({"word": LINE.word} if LINE.word else {})
    assert first == usual | {
        "id": "stroke-0", "x": stroke[0, 0], "y": stroke[0, 1], "seed": 1, "versionNonce": 1,
        "width": pytest.approx(width, abs=1e-3), "height": pytest.approx(height, abs=1e-3),
        "points": moved.tolist(), "groupIds": ["drawing-0"], "customData": said,
    }  # fmt: skip
    assert (dot["id"], dot["seed"], dot["versionNonce"]) == ("stroke-1", 2, 2)
    assert dot["points"] == [[0, 0], [whiteboards.POINT / 10] * 2]


def test_a_board_of_more_than_one_piece(tmp_path):
    board = json.dumps({"elements": [element("line", points=[[0, 0], [1, 1]])]})
    assert lines(read(tmp_path, board.replace("{", "{" + " " * (3 << 19), 1).encode())) == [
        [[10, 20], [11, 21]]
    ]


def test_a_board_that_somebody_added_to_is_one_drawing(tmp_path):
    board = json.loads(written(CAT, LINE))
    board["elements"].append(element("freedraw", points=[[0, 0], [5, 5]]))
    assert len(read(tmp_path, board).strokes) == len(CAT.strokes) + len(LINE.strokes) + 1


def test_an_ellipse_is_round(tmp_path):
    (stroke,) = read(tmp_path, {"elements": [element("ellipse")]}).strokes
    assert len(stroke) == whiteboards.SIDES + 1
    inside = (stroke - [30, 30]) / [20, 10]
    np.testing.assert_allclose(np.hypot(*inside.T), 1, atol=1e-5)
    np.testing.assert_allclose(stroke[0], stroke[-1], atol=1e-5)


def shape(kind, props, **fields):
    return {"typeName": "shape", "type": kind, "x": 10, "y": 20, "props": props, **fields}


def test_tldraw(tmp_path):
    points = [{"x": 0, "y": 0, "z": 0.5}, {"x": 3, "y": 4, "z": 0.5}]
    notes = []
    board = {
        "tldrawFileFormatVersion": 1,
        "records": [
            {"typeName": "page", "id": "page:1"},
            shape("draw", {"segments": [{"type": "free", "points": points}]}, index="a2"),
            shape("geo", {"geo": "rectangle", "w": 2, "h": 1}, index="a1", rotation=np.pi / 2),
            shape("line", {"points": {"b": {"index": "a2", "x": 5, "y": 0},
                                      "a": {"index": "a1", "x": 0, "y": 0}}}, index="a3"),
            shape("draw", {"segments": [{"points": "AAAA"}]}, index="a4"),
            shape("geo", {"geo": "cloud", "w": 2, "h": 1}, index="a5"),
        ],
    }  # fmt: skip
    found = read(tmp_path, board, "cat.tldr", note=notes.append)
    assert lines(found) == [
        [[10, 20], [10, 22], [9, 22], [9, 20], [10, 20]],
        [[10, 20], [13, 24]],
        [[10, 20], [15, 20]],
    ]
    assert notes == [f"{tmp_path / 'cat.tldr'}: left out what has no strokes: 1 draw, 1 geo"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"{", "not JSON"),
        (b"{}", "a shape without places"),
        (b"[]", "a shape without places"),
        ({"elements": [3]}, "a shape without places"),
        ({"elements": [element("freedraw")]}, "a shape without places"),
        ({"elements": [element("freedraw", points=[[1]])]}, "a shape without places"),
        ({"elements": [element("freedraw", points=[["a", 1]])]}, "a shape without places"),
        ({"records": [shape("draw", {})]}, "a shape without places"),
        ({"elements": [element("line", points=[[0, 1e300], [1, 2]])]}, "no place on a canvas"),
        (b"\x89PNG\r\n", "a picture of pixels"),
    ],
)
def test_what_is_no_board_is_one_line(tmp_path, content, says):
    for name in ("cat.excalidraw", "cat.tldr"):
        with pytest.raises(SketchError, match=says) as error:
            read(tmp_path, content, name)
        assert str(error.value).startswith(str(tmp_path / name))


def test_a_board_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(whiteboards, "MAX_PARTS", 300)
    with pytest.raises(BadFile, match="over 300 points and shapes; a drawing has far fewer"):
        read(tmp_path, {"elements": [element("line", points=[[0, 0]] * 300)]})
    points = [{"x": k, "y": k} for k in range(296)]
    strokes = {"records": [shape("draw", {"segments": [{"points": points}]})]}
    with pytest.raises(BadFile, match="over 300 points and shapes"):
        read(tmp_path, strokes, "cat.tldr")
    monkeypatch.setattr(whiteboards, "MAX_PARTS", 303)
    assert len(read(tmp_path, strokes, "cat.tldr").strokes[0]) == 296
    monkeypatch.setattr(whiteboards, "MAX_BYTES", 1000)
    with pytest.raises(BadFile, match="over 0 MiB; a drawing has far less"):
        read(tmp_path, {"elements": [element("line", points=[[0, 0]] * 300)]})


INK = """<ink xmlns="http://www.w3.org/2003/InkML"><traceFormat>{channels}</traceFormat>
<annotation type="author">me</annotation><annotation type="truth">alpha</annotation>
<trace id="1">{one}</trace><traceGroup><trace id="2">{two}</trace></traceGroup></ink>"""


def ink(names="X Y", one="0 0, 5 6, 7 8", two="9 9", head="<?xml version='1.0'?>"):
    channels = "".join(f'<channel name="{name}" type="decimal"/>' for name in names.split())
    return (head + INK.format(channels=channels, one=one, two=two)).encode()


def test_inkml(tmp_path):
    found = read(tmp_path, ink(), "a.inkml")
    assert found.word == "alpha"
    assert lines(found) == [[[0, 0], [5, 6], [7, 8]], [[9, 9]]]
    assert found.times is None
    assert lines(read(tmp_path, ink("", two="1.5 -2e1"), "a.inkml"))[1] == [[1.5, -20]]


def test_inkml_has_times_and_other_channels(tmp_path):
    found = read(tmp_path, ink("F Y X T", "1 2 3 0, 1 4 5 16", "1 6 7 40"), "a.inkml")
    assert lines(found) == [[[3, 2], [5, 4]], [[7, 6]]]
    assert [t.tolist() for t in found.times] == [[0, 16], [40]]
    for units in ("s", "sec", "second", "seconds", "ms", ""):
        content = ink("X Y T", "2 3 0, 4 5 0.5", "6 7 2").replace(
            b'"T" type="decimal"', f'"T" units="{units}"'.encode()
        )
        times = [[0, 500], [2000]] if units.startswith("s") else [[0, 0.5], [2]]
        found = read(tmp_path, content, "a.inkml")
        assert [t.tolist() for t in found.times] == times, units


def test_ink_may_begin_with_a_mark_and_have_many_traces(tmp_path):
    many = ink(one="0 0</trace><trace>" * 150 + "1 1", head="\ufeff<?xml version='1.0'?>")
    assert len(read(tmp_path, many, "a.inkml").strokes) == 152


@pytest.mark.parametrize(
    ("content", "says", "kind"),
    [
        (b"", "an empty file", BadFile),
        (b"hello", "not InkML, which is XML", BadFile),
        (b"<svg/>", "an SVG drawing; name it .svg", BadFile),
        (b"<a/>", "XML, but neither SVG nor InkML", BadFile),
        (b"<ink>", "damaged XML: no element found", BadFile),
        (b"<ink>" + b"<g>" * 101, "elements nested deeper than 100", BadFile),
        (ink(head='<!DOCTYPE ink [<!ENTITY a "b">]>'), "XML with entities", BadFile),
        (ink("A B"), "no channels X and Y", BadSketch),
        (ink(one="1 2, 3"), "trace 0: a point without a number for each of 2 ch", BadSketch),
        (ink(two="1 b"), "trace 1: holds something else than numbers", BadSketch),
        (ink(one="1 2, '3 4"), "trace 0: written as differences", BadSketch),
        (
            ink(one="1 2 3, 4 5 6"),
            "trace 0: more numbers at a point than its 2 channels",
            BadSketch,
        ),
        (
            ink().replace(
                b"<trace id",
                b"<traceFormat><channel name='Y'/><channel name='X'/></traceFormat><trace id",
                1,
            ),
            "several trace formats that d",
            BadSketch,
        ),
        (ink(one="1 nan"), "holds NaN|null where a number", BadSketch),
    ],
)
def test_what_is_no_ink_is_one_line(tmp_path, content, says, kind):
    with pytest.raises(kind, match=says) as error:
        read(tmp_path, content, "a.inkml")
    assert str(error.value).startswith(str(tmp_path / "a.inkml"))


def test_limits_of_ink(tmp_path, monkeypatch):
    monkeypatch.setattr(inkml, "MAX_POINTS", 3)
    with pytest.raises(BadSketch, match="trace 1: over 3 points, which is no drawing"):
        read(tmp_path, ink(), "a.inkml")
    monkeypatch.setattr(inkml, "MAX_BYTES", 100)
    with pytest.raises(BadFile, match="over 0 MiB; a drawing has far less"):
        read(tmp_path, ink(), "a.inkml")


def test_traces_of_a_lifted_pen_and_in_pieces(tmp_path):
    content = ink(one="0 0</trace><trace type='penUp'>1 1, 2 2</trace><trace>5-3, 6-4")
    found = read(tmp_path, content.replace(b'id="2"', b'continuation="end"'), "a.inkml")
    assert lines(found) == [[[0, 0]], [[5, -3], [6, -4], [9, 9]]]


def test_channels_that_grow_upwards(tmp_path):
    content = ink().replace(b'name="Y"', b'name="Y" orientation="-ve"')
    assert lines(read(tmp_path, content, "a.inkml"))[0] == [[0, 0], [5, -6], [7, -8]]


def test_inkml_in_utf_16(tmp_path):
    content = ink(head="").decode().encode("utf-16")
    assert lines(read(tmp_path, content, "a.inkml")) == lines(read(tmp_path, ink(), "b.inkml"))


def test_what_is_unseen_on_a_board_is_left_out_and_its_erasers_are_noted(tmp_path):
    points, notes = [[0, 0], [5, 6]], []
    board = {
        "elements": [
            element("line", points=points),
            element("line", points=points, opacity=0),
            element("line", points=points, strokeColor="transparent"),
            element("freedraw", points=points, strokeColor="#ABCDEF"),
        ],
        "appState": {"viewBackgroundColor": "#abcdef"},
    }
    assert len(read(tmp_path, board, note=notes.append).strokes) == 2
    assert [note.partition(": ")[2] for note in notes] == [
        "1 shape(s) of the colour of the board drawn as ink",
        "left out what has no strokes: 2 unseen line",
    ]


@pytest.mark.parametrize("key", ["libraryItems", "library"])
def test_a_library_is_a_drawing_an_item(tmp_path, key):
    parts = [[element("line", points=[[0, 0], [k, 1]])] for k in (1, 2)]
    items = [{"elements": part, "name": "owl"} for part in parts[:1]] + parts[1:]
    path = tmp_path / "a.excalidrawlib"
    path.write_text(json.dumps({"type": "excalidrawlib", key: items}))
    found = list(read_sketches(str(path)))
    assert [(one.word, lines(one)) for one in found] == [
        ("owl", [[[10, 20], [11, 21]]]), ("a", [[[10, 20], [12, 21]]])
    ]  # fmt: skip


def test_shapes_in_groups_lie_where_these_are_and_pages_are_drawings(tmp_path):
    drawn = {"segments": [{"points": [{"x": 0, "y": 0}, {"x": 3, "y": 4}]}]}
    board = {
        "records": [
            shape("group", {}, id="g", parentId="page:1", rotation=np.pi / 2),
            shape("draw", drawn, parentId="g"),
            shape("draw", drawn, parentId="page:2", opacity=0.5),
        ]
    }
    for kept in (board, {"document": {"store": dict(enumerate(board["records"]))}}):
        path = tmp_path / "a.tldr"
        path.write_text(json.dumps(kept))
        notes = []
        found = [lines(one) for one in read_sketches(str(path), note=notes.append)]
        assert found == [[[[-10, 30], [-14, 33]]], [[[10, 20], [13, 24]]]]
        assert notes == []
    board["records"][0]["parentId"] = "g"  # a circle ends
    assert len(list(read_sketches(_put(path, json.dumps(board).encode())))) == 2


def test_a_file_of_tldraw_1_says_the_way_out(tmp_path):
    with pytest.raises(BadSketch, match="tldraw 1; open it at tldraw.com and save it again"):
        read(tmp_path, {"document": {"pages": {"page": {"shapes": {}}}}}, "a.tldr")
