"""Braille drawings: every dot where the ink is, lines no wider than the terminal."""

from __future__ import annotations

import math
import unicodedata

import numpy as np
import pytest
from drawings import CAT, DOT, EMPTY, LINE, scribble

from sketchrnn_cli.drawing.chart import chart
from sketchrnn_cli.drawing.terminal import (
    ADDED,
    CAPTION,
    GIVEN,
    NOTHING,
    braille,
    grid,
    grid_runs,
    lay_out,
    wrapped,
)
from sketchrnn_cli.sketches.sketch import Sketch, from_polylines

# Dots of a character by row and column, numbered as in its Unicode name: 1 4, 2 5, 3 6, 7 8.
NUMBERS = [[1, 4], [2, 5], [3, 6], [7, 8]]


def dots(lines: list[str]) -> np.ndarray:
    """Read braille back through the names of its characters."""
    field = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    for r, line in enumerate(lines):
        for c, character in enumerate(line):
            name = unicodedata.name(character)
            for y, row in enumerate(NUMBERS):
                for x, number in enumerate(row):
                    field[4 * r + y, 2 * c + x] = str(number) in name.rpartition("-")[2]
    return field


def width_of(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_corners_reach_the_corners() -> None:
    square = from_polylines([[[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]])
    field = dots(braille(square, 12, 6))
    assert field[0].all()
    assert field[-1].all()
    assert field[:, 0].all()
    assert field[:, -1].all()
    assert not field[1:-1, 1:-1].any()


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (4, 20), (30, 2), (24, 12)])
def test_the_block_has_its_size_and_uniform_scale(columns: int, rows: int) -> None:
    lines = braille(CAT, columns, rows)
    assert [len(line) for line in lines] == [columns] * rows
    y, x = np.nonzero(dots(lines))
    across, down = np.ptp(x) + 1, np.ptp(y) + 1
    left, top, right, bottom = CAT.box()
    assert across == 2 * columns or down == 4 * rows
    assert abs(across - 1 - (right - left) / (bottom - top) * (down - 1)) <= 2


def test_lines_have_no_holes() -> None:
    field = dots(braille(from_polylines([[[0, 0], [100, 37]]]), 40, 20))
    assert field.any(0).all()
    y = field.argmax(0)
    assert (np.diff(y) <= 1).all()


def test_a_dot_is_one_dot_and_nothing_is_nothing() -> None:
    assert dots(braille(DOT, 8, 4)).sum() == 1
    assert dots(braille(EMPTY, 8, 4)).sum() == 0
    assert dots(braille(LINE, 8, 4)).any(0).all()


@pytest.mark.parametrize("width", [1, 5, 24, 49, 50, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = grid([scribble(k) for k in range(7)], width)
    assert max(map(width_of, text.split("\n"))) <= max(width, 4)


def test_a_row_holds_as_many_drawings_as_fit() -> None:
    lines = grid([CAT] * 4, 76, cell=24).split("\n")
    assert len(lines[0]) == 3 * 24 + 2 * 2
    assert lines[12].split() == ["cat", "·", "seed", "7"] * 3
    assert len(lines) == 2 * 13 + 1


def test_captions_cannot_steer_the_terminal() -> None:
    sketch = Sketch(CAT.strokes, "c\x1b[2Jat\n\r\x07‮ 猫" + "x" * 90)
    *_, caption = grid([sketch], 24).split("\n")
    assert caption.isprintable()
    assert caption.startswith("c[2Jat 猫x")
    assert caption.endswith("…")
    assert width_of(caption) <= 24


def test_a_stream_is_taken_row_by_row() -> None:
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield CAT

    from sketchrnn_cli.drawing.terminal import grid_lines

    next(grid_lines(endless(), 80))
    assert len(taken) == 3


def n_lines(layout, blocks):
    """Lines of a sheet with captions, and blank ones between its rows."""
    n_rows = sum(-(-block // layout.columns) for block in blocks)
    return n_rows * (layout.cell // 2 + 1) + n_rows - 1


@pytest.mark.parametrize("height", [5, 10, 24, 40, 60])
@pytest.mark.parametrize("width", [8, 20, 40, 80, 120, 200])
@pytest.mark.parametrize("blocks", [[1], [2], [9], [3, 2], [36], [13], [4, 4, 4], None])
def test_a_sheet_fits_the_window_while_it_is_legible(width, height, blocks) -> None:
    labels = [f"word {k}" for k, _ in enumerate(blocks or ())] if len(blocks or ()) > 1 else []
    layout = lay_out(width, height, blocks, labels=labels)
    room = width - layout.margin + 2
    assert layout.columns * (layout.cell + 2) <= room or layout.cell == 4
    fits = blocks is not None and n_lines(layout, blocks) < height
    assert fits or layout.cell == max(min(24, room - 2), 4)
    if blocks is None or max(blocks) > room:
        return
    for columns in range(1, max(blocks) + 1):  # no other has larger drawings, or fits
        for cell in range(
            max(layout.cell + 1 if fits else 12, 12), min(room // columns - 2, 48) + 1
        ):
            other = layout._replace(cell=cell, columns=columns)
            assert n_lines(other, blocks) >= height


@pytest.mark.parametrize(
    ("label", "width", "most", "lines"),
    [
        ("cat", 16, 6, ["cat"]),
        ("", 16, 6, [""]),
        ("The Great Wall of China", 16, 6, ["The Great Wall", "of China"]),
        ("The Great Wall of China", 8, 6, ["The", "Great", "Wall of", "China"]),
        ("The Great Wall of China", 8, 2, ["The", "Great W…"]),
        ("The Great Wall of China", 8, 1, ["The Gre…"]),
        ("hippopotamus -> cat", 8, 6, ["hippopo…", "-> cat"]),
        ("猫 と 犬 と 鳥", 8, 6, ["猫 と 犬", "と 鳥"]),
    ],
)
def test_a_long_label_goes_on_below_between_words(label, width, most, lines) -> None:
    assert wrapped(label, width, most) == lines


def test_a_row_shows_the_whole_of_a_long_label() -> None:
    label = "The Great Wall of China"
    sketches = [Sketch(CAT.strokes, label), CAT]
    layout = lay_out(60, 24, [1, 1], labels=[label, "cat"])
    lines = grid_runs(sketches, 60, layout=layout, blocks=[1, 1], labels=[label, "cat"])
    beside = ["".join(text for text, _ in line)[: layout.margin].strip() for line in lines]
    assert [text for text in beside if text] == ["The Great", "Wall of", "China", "cat"]


def test_a_row_has_its_label_at_the_left_and_no_word_below() -> None:
    cats = [CAT] * 3
    owls = [Sketch(CAT.strokes, "owl", {"seed": 7}) for _ in range(2)]
    layout = lay_out(80, 24, [3, 2], labels=["cat", "owl"])
    shown = [
        "".join(text for text, _ in line)
        for line in grid_runs(
            [*cats, *owls], 80, layout=layout, blocks=[3, 2], labels=["cat", "owl"]
        )
    ]
    assert len(shown) < 24
    labelled = [line.split()[0] for line in shown if line[:1].strip()]
    assert labelled == ["cat", "owl"]
    captions = [line.split() for line in shown if "seed" in line]
    assert captions == [["seed", "7"] * 3, ["seed", "7"] * 2]
    assert max(map(width_of, shown)) <= 80


def test_a_caption_that_is_too_long_keeps_its_number() -> None:
    *_, caption = grid([CAT.with_extras(number=3)], 14, cell=14).split("\n")
    assert caption.split() == ["cat", "#3"]
    between = CAT.with_extras(morph=["ice cream", "coffee cup", 0.25])
    assert grid([between], 14, cell=14).split("\n")[-1].strip() == "ice crea… 25 %"


def test_what_a_model_added_is_told_apart() -> None:
    sketch = from_polylines([[[0, 0], [0, 9]], [[5, 0], [5, 9]], [[9, 0], [9, 9]]])
    completed = Sketch(sketch.strokes, None, {"given_strokes": 1})
    for line in grid_runs([completed], 12, cell=12):
        assert [owner for _, owner in line if owner != NOTHING] == [GIVEN, ADDED, ADDED]


def test_each_stroke_is_a_run_of_its_own() -> None:
    sketch = from_polylines([[[0, 0], [0, 9]], [[9, 0], [9, 9]]])
    for line in grid_runs([sketch], 10, cell=10):
        assert [owner for _, owner in line if owner != NOTHING] == [0, 1]
    *_, caption = grid_runs([CAT], 24)
    assert caption == [("      cat · seed 7", CAPTION)]


def test_ascii_is_ascii_and_in_the_same_places() -> None:
    sketch = Sketch(CAT.strokes, "猫·cat")
    *lines, caption = ("".join(t for t, _ in line) for line in grid_runs([sketch], 24, ascii=True))
    assert "".join(lines).isascii()
    assert set("".join(lines)) <= set(" '.:")
    assert caption.split() == ["?-cat"]
    fine = dots(braille(CAT, 24, 12))
    coarse = np.array([[c != " " for c in line] for line in lines])
    blocks = fine.reshape(12, 4, 24, 2).any((1, 3))
    assert (blocks & coarse).sum() > 0.8 * coarse.sum()  # rounding moves a dot now and then


def lines_of(*arguments, **more):
    return ["".join(text for text, _ in line) for line in chart(*arguments, **more)]


TRAINED = [(20 * k, 5.0 / k) for k in range(1, 60)]
SCORED = [(200 * k, 4.0 / k) for k in range(1, 6)]


@pytest.mark.parametrize(("columns", "rows"), [(18, 4), (40, 6), (76, 12), (200, 30)])
@pytest.mark.parametrize("ascii", [False, True])
def test_a_chart_has_its_size_and_its_ends(columns: int, rows: int, ascii: bool) -> None:
    lines = lines_of(TRAINED, SCORED, columns, rows, ascii=ascii)
    assert len(lines) == rows
    assert all(len(line) <= columns for line in lines)
    assert "".join(lines).isascii() == ascii
    assert lines[-1].endswith("step 1,180")
    assert sum(line.count("o") for line in lines) == len(SCORED)
    marks = sorted((x, y) for y, line in enumerate(lines) for x, c in enumerate(line) if c == "o")
    heights = [y for _, y in marks]
    assert heights == sorted(heights)  # the loss falls


def test_a_chart_of_nothing_is_nothing_and_of_one_value_is_a_point() -> None:
    assert chart([], [], 80, 10) == []
    assert chart([(20, math.nan)], [(20, math.inf)], 80, 10) == []
    assert chart(TRAINED, SCORED, 17, 10) == chart(TRAINED, SCORED, 80, 3) == []
    (line,) = (line for line in lines_of([], [(5, -2.0)], 40, 6) if "o" in line)
    assert line.split() == ["o"]


@pytest.mark.parametrize("first", [9.0, 1e6, 1e300])
def test_wild_first_steps_leave_the_chart_at_the_top(first: float) -> None:
    wild = [(1, first), *((k, 2 + math.sin(k)) for k in range(2, 100))]
    top, *others = lines_of(wild, [], 60, 8)
    assert float(top.split()[0]) < 4
    assert others[1:] == lines_of([(1, 1e3), *wild[1:]], [], 60, 8)[2:]
