"""Sheets: rows with labels, marked corners, and how many drawings they take."""

import io
import itertools
from xml.etree import ElementTree

import numpy as np
import pytest
from drawings import CAT, DOT, EMPTY, scribble
from PIL import Image

from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.raster import to_png
from sketchrnn_cli.drawing.sheet import caption_of, check_room, lay_out
from sketchrnn_cli.drawing.style import MAX_DRAWINGS, Room, Style
from sketchrnn_cli.drawing.svg import to_svg
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.sketch import Sketch

LONG = Sketch(CAT.strokes, "a word so long that no cell has room for it " * 3, {"seed": 1})


def pixels(sketches, style):
    return np.array(Image.open(io.BytesIO(to_png(sketches, style))).convert("L"))


def boxes(sheet):
    """Ink of every drawing: left, top, right, bottom."""
    for cell in sheet.cells:
        points = np.concatenate([*cell.lines, np.zeros((0, 2))])
        if len(points):
            yield (*points.min(0), *points.max(0))


def apart(one, other):
    return (
        one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    )  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("labels", [(), ("temp 0.2", "temp 1")])
def test_nothing_overlaps_and_nothing_leaves_the_sheet(n, labels):
    kinds = [CAT, DOT, LONG, EMPTY, scribble(3)]
    sketches = [kinds[k % len(kinds)] for k in range(n * max(len(labels), 1))]
    sheet = lay_out(sketches, Style(labels=labels))
    found = list(boxes(sheet))
    assert len(found) >= 1
    for one, other in itertools.combinations(found, 2):
        assert apart(one, other)
    for left, top, right, bottom in found:
        assert 0 <= left <= right <= sheet.width
        assert 0 <= top <= bottom <= sheet.height
        assert not labels or left > max(
            label.left + 0.5 * len(label.text) for label in sheet.labels
        )
    for above, below in itertools.pairwise(label.baseline for label in sheet.labels):
        assert below - above > sheet.cell_size - 1  # each beside its own row
    assert all(cell.baseline < sheet.height for cell in sheet.cells)


def test_a_label_stands_before_its_row_and_off_the_ink():
    style = Style(labels=("low", "high"), captions=False)
    sheet = lay_out([CAT] * 6, style)
    assert [round(cell.center) for cell in sheet.cells[:3]] == [
        round(cell.center) for cell in sheet.cells[3:]
    ]
    middle = [(label.baseline - 0.35 * label.font_size) for label in sheet.labels]
    tops = [min(line[:, 1].min() for line in sheet.cells[k].lines) for k in (0, 3)]
    assert all(top < y < top + sheet.cell_size for y, top in zip(middle, tops, strict=True))
    picture = pixels([CAT] * 6, style)
    margin = round(sheet.cells[0].center - sheet.cell_size / 2)
    inked = np.flatnonzero((picture[:, :margin] < 128).any(0))
    assert 0 < inked.min() <= inked.max() < margin - 1  # all of the text, whole
    text = to_svg([CAT] * 6, style)
    assert text.index(">low<") < text.index(">high<")


def test_blocks_of_several_sizes_have_a_row_each():
    style = Style(labels=("cat", "dog", "owl"), shares=(3, 2, 4), captions=False)
    sheet = lay_out([CAT] * 9, style)
    middles = [np.concatenate(cell.lines).mean(0) for cell in sheet.cells]
    rows = [round(y / sheet.cell_size - 0.5) for _, y in middles]
    assert rows == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    left = sheet.width - 4 * sheet.cell_size
    columns = [int((x - left) / sheet.cell_size) for x, _ in middles]
    assert columns == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert [label.text for label in sheet.labels] == ["cat", "dog", "owl"]
    for k, label in enumerate(sheet.labels):
        assert k < label.baseline / sheet.cell_size < k + 1
    page = lay_out([CAT] * 9, Style(labels=style.labels, shares=style.shares, page="a5"))
    heights = [round(cell.baseline) for cell in page.cells]
    assert [heights.count(y) for y in dict.fromkeys(heights)] == [3, 2, 4]
    other = lay_out([CAT] * 8, style)  # shares of another number of drawings mean nothing
    assert [label.text for label in other.labels] == ["cat", "dog", "owl"]


@pytest.mark.parametrize(
    ("morph", "label", "caption"),
    [
        (["cat", "owl", 0.25], "cat -> owl", "25 %"),
        (["cat", "owl", 0], "cat -> owl", "0 %"),
        (["cat", "owl", 1.0], "cat -> owl", "100 %"),
        (["cat", "owl", 0.25], "", "cat to owl 25 %"),
        (["cat", "owl", 0.25], "cat -> owl -> pig", "cat to owl 25 %"),
        (["cat", "owl", 0.0], "cat -> owl -> pig", "cat"),
        (["cat", "owl", 1], "cat -> owl -> pig", "owl"),
        (["cat", "owl", 2], "cat -> owl", "cat · seed 7"),  # nothing of ours
        (["cat", "owl"], "", "cat · seed 7"),
        ("cat", "cat", "seed 7"),
    ],
)
def test_the_caption_of_a_morph_says_how_far_it_is(morph, label, caption):
    assert caption_of(CAT.with_extras(morph=morph), label) == caption


def test_labels_are_as_wide_as_their_characters_and_no_wider_than_the_longest():
    left = [
        lay_out([CAT] * 2, Style(labels=(label, "b"), columns=1, size=99)).width
        for label in ("猫" * 6, "c" * 6, "c" * 400, "c" * 40)
    ]
    assert left[0] > left[1]
    assert left[2] == left[3] < 99 + 450


def test_marked_drawings_have_a_ground_and_a_caption_of_their_own():
    plain = Sketch(CAT.strokes, None, {"seed": 1})
    style = Style(columns=3, marked=(0, 2, 6, 8))
    sheet = lay_out([CAT, *[plain] * 8], style)
    captions = [cell.caption for cell in sheet.cells]
    assert captions == ["cat", "", "2", "", "", "", "3", "", "4"]
    picture = pixels([CAT, *[plain] * 8], style)
    height, width = picture.shape
    corners = [picture[y, x] for y in (0, height - 1) for x in (0, width - 1)]
    assert len(set(corners)) == 1
    assert 225 < corners[0] < 250  # grey, and pale enough for ink
    assert picture[height // 2, 0] == picture[0, width // 2] == 255
    assert to_svg([CAT] * 9, style).count('fill="#f0f0f0"') == 4
    assert "pattern" not in to_svg([CAT] * 9, Style(columns=3))


def test_grounds_and_labels_are_no_drawings_when_read_back(tmp_path):
    for k, style in enumerate((Style(columns=2, marked=(0, 3)), Style(labels=("a", "b")))):
        path = tmp_path / f"{k}.svg"
        path.write_text(to_svg([CAT, DOT, scribble(1), scribble(2)], style))
        again = list(read_sketches(str(path)))
        assert [len(sketch.strokes) for sketch in again] == [4, 1, 4, 4]


@pytest.mark.parametrize(
    ("n", "format", "error"),
    [
        (MAX_DRAWINGS, "svg", None),
        (MAX_DRAWINGS, "png", None),
        (MAX_DRAWINGS, "gif", BadConfig),
        (MAX_DRAWINGS + 1, "svg", BadSketch),
        (MAX_DRAWINGS + 1, "png", BadSketch),
        (1, "gif", None),
    ],
)
def test_too_many_drawings_are_refused_before_there_are_any(n, format, error):
    if error is None:
        outputs.check(format, Style(), n)
        return
    with pytest.raises(error, match="take fewer with -n"):
        outputs.check(format, Style(), n)


def test_the_room_is_judged_as_the_picture_turns_out():
    for n, style in ((7, Style()), (60, Style(labels=("a", "b"))), (5, Style(columns=2, size=20))):
        sheet = lay_out([CAT] * n, style)
        room = Room(sheet.width * sheet.height, max(sheet.width, sheet.height))
        check_room(n, style, room)
        for less in (room._replace(pixels=room.pixels - 1), room._replace(side=room.side - 1)):
            with pytest.raises(BadConfig):
                check_room(n, style, less)


@pytest.mark.parametrize(
    ("word", "size", "expected"),
    [
        ("cat", 200, "cat · seed 0 #12"),
        ("alarm clock", 96, "alarm clock #12"),
        ("a word with no end to it", 96, "a word … #12"),
        ("a word with no end to it", 30, "… #12"),
        (None, 96, "seed 0 #12"),
    ],
)
def test_a_caption_that_is_too_long_keeps_its_number(word, size, expected):
    sketch = Sketch(CAT.strokes, word, {"seed": 0, "number": 12})
    text = to_svg([sketch], Style(size=size))
    shown = ElementTree.fromstring(text).find(".//{http://www.w3.org/2000/svg}text").text
    assert (shown == expected) or (expected.startswith("a word") and shown.endswith("… #12"))
    (cell,) = lay_out([sketch], Style(size=size)).cells
    for room in range(6, 40):
        fitted = cell.fitted(lambda text, room=room: len(text) <= room)
        assert len(fitted) <= room
        assert word is None or fitted.endswith("#12")


def test_a_caption_without_a_number_is_cut_at_its_end():
    (cell,) = lay_out([Sketch(CAT.strokes, "x" * 5000)], Style()).cells
    assert cell.fitted(lambda text: len(text) <= 10) == "x" * 9 + "…"
    picture = pixels([Sketch(CAT.strokes, "x" * 5000)], Style(size=96))
    assert (picture[100:, :3] == 255).all()  # whole, inside
