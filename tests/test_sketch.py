"""Conversions between strokes, stroke-3 and stroke-5 lose nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.block import from_moves, from_sketches, take, to_moves
from sketchrnn_cli.sketches.sketch import (
    Sketch,
    from_polylines,
    from_stroke3,
    to_stroke3,
)

points = st.tuples(st.integers(-2000, 2000), st.integers(-2000, 2000))
drawings = st.lists(st.lists(points, min_size=1, max_size=12), min_size=1, max_size=6)


@given(drawings)
def test_strokes_to_stroke3_and_back(lines):
    sketch = from_polylines(lines, "cat", {"key_id": "7"})
    back = from_stroke3(to_stroke3(sketch), "cat", {"key_id": "7"})
    assert [s.tolist() for s in back.strokes] == [s.tolist() for s in sketch.strokes]
    assert (back.word, back.extras) == (sketch.word, sketch.extras)


@given(drawings)
def test_one_row_a_point_and_one_lift_a_stroke(lines):
    moves = to_stroke3(from_polylines(lines))
    assert len(moves) == sum(len(line) for line in lines)
    assert moves[:, 2].sum() == len(lines)
    assert moves[-1, 2] == 1


@given(st.lists(drawings, min_size=1, max_size=5))
def test_a_block_is_its_drawings(many):
    sketches = [from_polylines(lines, str(i)) for i, lines in enumerate(many)]
    block = from_sketches(sketches)
    moves = to_moves(block)
    np.testing.assert_array_equal(moves, np.concatenate([to_stroke3(s) for s in sketches]))
    again = from_moves(moves, block.bounds, block.words)
    for i, sketch in enumerate(sketches):
        for made in (block.sketch(i), again.sketch(i)):
            assert made.word == sketch.word
            assert [s.tolist() for s in made.strokes] == [s.tolist() for s in sketch.strokes]


@given(st.lists(drawings, min_size=1, max_size=5), st.data())
def test_taking_drawings_out_of_a_block(many, data):
    sketches = [from_polylines(lines, str(i)) for i, lines in enumerate(many)]
    wanted = np.array([data.draw(st.booleans()) for _ in sketches])
    some = take(from_sketches(sketches), wanted)
    assert list(some.words) == [s.word for s, w in zip(sketches, wanted, strict=True) if w]
    for i, sketch in enumerate(s for s, w in zip(sketches, wanted, strict=True) if w):
        made = some.sketch(i)
        assert [s.tolist() for s in made.strokes] == [s.tolist() for s in sketch.strokes]


def test_dots_survive():
    sketch = from_polylines([[[5, 5]], [[1, 2], [3, 4]], [[9, 9]]])
    assert [len(s) for s in from_stroke3(to_stroke3(sketch)).strokes] == [1, 2, 1]


def test_a_last_row_that_does_not_lift_ends_its_stroke():
    sketch = from_stroke3([[1, 1, 1], [2, 0, 0], [0, 2, 0]])
    assert [s.tolist() for s in sketch.strokes] == [[[1, 1]], [[3, 1], [3, 3]]]


def test_pen_two_ends_the_drawing():
    sketch = from_stroke3([[1, 1, 0], [2, 0, 2], [9, 9, 0]])
    assert [s.tolist() for s in sketch.strokes] == [[[1, 1], [3, 1]]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 2]], "shape"),
        ([[float("nan"), 0, 0]], "finite"),
        ([[float("inf"), 0, 0]], "finite"),
    ],
)
def test_rows_that_are_no_moves(rows, message):
    with pytest.raises(BadSketch, match=message):
        from_stroke3(rows)


def test_no_strokes_no_moves():
    with pytest.raises(BadSketch, match="without strokes"):
        to_stroke3(Sketch(()))
    with pytest.raises(BadSketch, match="shape"):
        Sketch((np.zeros((0, 2), np.float32),))
