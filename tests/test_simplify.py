"""Quick, Draw!'s simplification: equal to Google's, and to the slow textbook way of doing it."""

from __future__ import annotations

import gzip
import json
import math

import datafiles
import numpy as np
import pytest

from sketchrnn_cli.sketches import simplify
from sketchrnn_cli.sketches.block import from_sketches
from sketchrnn_cli.sketches.preparation import Preparation, moves_like, prepare_like
from sketchrnn_cli.sketches.sketch import from_polylines, to_stroke3


def slow_resample(points):
    walked = [0.0]
    for a, b in zip(points[:-1], points[1:], strict=True):
        d = b - a
        walked.append(walked[-1] + math.sqrt(d[0] * d[0] + d[1] * d[1]))
    result = []
    for distance in range(math.floor(walked[-1]) + 1):
        k = 0
        while k + 2 < len(points) and walked[k + 1] <= distance:
            k += 1
        if k + 1 == len(points):
            result.append(points[k])
            continue
        a, b = points[k], points[k + 1]
        d = b - a
        length = math.sqrt(d[0] * d[0] + d[1] * d[1])
        share = (distance - walked[k]) / length if length else 0.0
        result.append(a * (1 - share) + b * share)
    return np.array([*result, points[-1]])


def slow_douglas_peucker(points, epsilon):
    if len(points) < 3:
        return [True] * len(points)
    a, b = points[0], points[-1]
    d = b - a
    length = math.sqrt(d[0] * d[0] + d[1] * d[1])
    best, where = -1.0, 0
    for i in range(1, len(points) - 1):
        q = points[i] - a
        if length:
            far = abs(q[0] * d[1] - q[1] * d[0]) / length
        else:
            far = math.sqrt(q[0] * q[0] + q[1] * q[1])
        if far > best:
            best, where = far, i
    if best <= epsilon:
        return [True] + [False] * (len(points) - 2) + [True]
    left = slow_douglas_peucker(points[: where + 1], epsilon)
    return left[:-1] + slow_douglas_peucker(points[where:], epsilon)


def walks(seed, n):
    """Strokes with straight parts, dots, loops and repeated points."""
    rng = np.random.default_rng(seed)
    strokes = []
    for _ in range(n):
        k = int(rng.integers(1, 40))
        steps = rng.integers(-12, 13, (k, 2)) * rng.integers(0, 2, (k, 1))
        stroke = np.cumsum(steps, axis=0) + rng.integers(0, 255, 2)
        if rng.random() < 0.3:
            stroke = np.concatenate([stroke, stroke[:1]])  # the ends coincide
        strokes.append(stroke * (1.0 if rng.random() < 0.5 else 0.731))
    return strokes


@pytest.mark.parametrize("seed", range(8))
def test_block_wise_is_the_textbook(seed):
    block = from_sketches([from_polylines(walks(seed + 50 * i, 5)) for i in range(4)])
    points, strokes = simplify.resample(block.points, block.strokes)
    keep = simplify.douglas_peucker(points, strokes, epsilon=2.0)
    for epsilon in (0.0, 0.3, 2.0, 9.0):  # what cannot stray is not looked at
        kept = [
            simplify.douglas_peucker(points, strokes, epsilon=epsilon, spaced=spaced).tolist()
            for spaced in (False, True)
        ]
        assert kept[0] == kept[1]
    for i in range(len(strokes) - 1):
        stroke = block.points[block.strokes[i] : block.strokes[i + 1]]
        slow = slow_resample(stroke)
        np.testing.assert_array_equal(points[strokes[i] : strokes[i + 1]], slow)
        assert keep[strokes[i] : strokes[i + 1]].tolist() == slow_douglas_peucker(slow, 2.0)


def test_size_of_the_chunks_does_not_matter(monkeypatch):
    block = simplify.fit(from_sketches([from_polylines(walks(i, 6)) for i in range(9)]))
    whole = simplify.simplify(block)
    monkeypatch.setattr(simplify, "CHUNK", 50)
    parts = simplify.simplify(block)
    np.testing.assert_array_equal(whole.points, parts.points)
    np.testing.assert_array_equal(whole.strokes, parts.strokes)


def test_a_dot_becomes_two_equal_points():
    block = from_sketches([from_polylines([[[3, 4]], [[0, 0], [100, 0]]])])
    lines = simplify.simplify(simplify.fit(block)).sketch(0).strokes
    assert lines[0].tolist() == [[8, 10], [8, 10]]
    assert lines[1].tolist() == [[0, 0], [255, 0]]


def test_only_a_dot_survives_the_fit():
    block = simplify.simplify(simplify.fit(from_sketches([from_polylines([[[30, 40]]])])))
    assert block.points.tolist() == [[0, 0], [0, 0]]


def test_rounding_is_half_to_even():
    block = from_sketches([from_polylines([[[0.5, 1.5], [40.5, 2.5]]])])
    assert simplify.simplify(block).points.tolist() == [[0, 2], [40, 2]]


def test_distance_is_to_the_infinite_line():
    # The second point lies beyond the chord's end, 8 px from the segment and 1 from the line.
    points = np.array([[0.0, 0], [18, 1], [10, 0]])
    keep = simplify.douglas_peucker(points, np.array([0, 3]), epsilon=2.0)
    assert keep.tolist() == [True, False, True]


def test_every_drawing_that_google_simplified(shared_data):
    same = []
    for path in sorted((shared_data / "quickdraw" / "raw").glob("*.gz")):
        theirs = {}
        with gzip.open(shared_data / "quickdraw" / "raw-simplified-by-google" / path.name) as file:
            for record in map(json.loads, file):
                theirs[record["key_id"]] = record["drawing"]
        for block in datafiles.ndjson_blocks(str(path), extras=True):
            simple = simplify.simplify(simplify.fit(block))
            for i in range(len(block)):
                drawing = theirs.get(block.extras[i]["key_id"])
                if drawing is not None:
                    ours = [s.T.tolist() for s in simple.sketch(i).strokes]
                    same.append(ours == drawing)
    assert (sum(same), len(same)) == (468, 468)


def test_fitted_drawings_stay_and_others_are_fitted():
    fitted = from_polylines([[[0, 1], [254, 30]]])
    small = from_polylines([[[10, 10], [61, 10]]])
    block = simplify.fit_rounded(from_sketches([fitted, small]))
    assert block.sketch(0).strokes[0].tolist() == [[0, 1], [254, 30]]
    assert block.sketch(1).strokes[0].tolist() == [[0, 0], [255, 0]]


CANVAS = Preparation(fit=True, simplified=True)


def test_a_raw_stranger_is_made_as_the_training_data_was():
    raw = from_polylines([[[100.5, 100], [150.5, 100.4], [200.5, 100]]], "cat", {"key_id": "1"})
    made = prepare_like(raw, CANVAS)
    assert made.strokes[0].tolist() == [[0, 0], [255, 0]]
    assert (made.word, made.extras) == ("cat", {"key_id": "1"})


def test_a_partial_drawing_on_the_canvas_keeps_its_place():
    half = from_polylines([[[100, 100], [150, 120]]])
    assert prepare_like(half, CANVAS, partial=True) is half
    speck = from_polylines([[[100, 100], [110, 100]]])
    assert prepare_like(speck, CANVAS, partial=True).strokes[0].tolist() == [[0, 0], [255, 0]]
    far = from_polylines([[[1000, 100], [1510, 100]]])
    assert prepare_like(far, CANVAS, partial=True).strokes[0].tolist() == [[0, 0], [255, 0]]


def test_a_set_in_its_own_frame_leaves_strangers_alone():
    raw = from_polylines([[[100.5, 100], [150.5, 100.4], [200.5, 100]]])
    assert prepare_like(raw, Preparation(fit=False, simplified=False)) is raw
    assert prepare_like(raw, {}) is raw


def test_preparing_twice_changes_nothing():
    raw = from_polylines(walks(3, 6))
    once = prepare_like(raw, CANVAS)
    twice = prepare_like(once, CANVAS.to_dict())
    assert [s.tolist() for s in once.strokes] == [s.tolist() for s in twice.strokes]


GOOGLES = Preparation(fit=True, simplified=True, box=510.0, from_origin=True)


def test_drawings_of_a_model_may_lie_in_another_box_and_from_their_first_point():
    """As Google's browser models have them, whose files leave the place of that point out."""
    drawing = from_polylines([[[10, 255], [255, 0]], [[0, 100]]], "cat")
    (first, dot) = prepare_like(drawing, GOOGLES, partial=True).strokes
    assert first.tolist() == [[0, 0], [490, -510]]
    assert dot.tolist() == [[-20, -310]]
    boxed = prepare_like(drawing, Preparation(fit=True, simplified=True, box=510.0))
    assert boxed.strokes[0].tolist() == [[20, 510], [510, 0]]


def test_moves_of_a_packed_set_lie_as_those_of_the_drawings_themselves():
    drawing = from_polylines([[[10, 255], [255, 0]], [[0, 100]]], "cat")
    moves = to_stroke3(drawing)
    wanted = to_stroke3(prepare_like(drawing, GOOGLES))
    assert moves_like(moves, CANVAS, GOOGLES).tolist() == wanted.tolist()
    assert moves_like(moves, CANVAS, GOOGLES.to_dict()).tolist() == wanted.tolist()
    for same in ({}, CANVAS, Preparation(fit=False, simplified=False)):
        assert moves_like(moves, CANVAS, same) is moves
    assert moves_like(moves, Preparation(fit=False, simplified=False), GOOGLES) is moves
    assert moves[0].tolist() == [10, 255, 0]  # untouched
