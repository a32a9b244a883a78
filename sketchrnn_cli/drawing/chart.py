"""Losses against the step in the characters of a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sketchrnn_cli.drawing.terminal import NOTHING, Marks, Run, mark, runs

Points = Sequence[tuple[int, float]]  # steps and values, in order
Dot = np.ndarray[tuple[int, ...], np.dtype[np.float64]]  # x and y, from the top left

AXIS = -3  # what a run of characters belongs to, besides those of ``terminal``
TRAIN, VALID = 0, 1
_BEGINNING = 0.1  # part of the steps that may leave the chart at the top,
_SQUASHED = 2.0  # where they take so many times the room of the rest
_FAR = 1e9  # dots above the chart
SMALLEST = (18, 4)  # columns and lines that show anything
VALID_MARK = "o"


def chart(
    train: Points, valid: Points, columns: int, rows: int, *, ascii: bool = False
) -> list[list[Run]]:
    """Both curves over one another: dots for training, ``o`` for validation.

    Values that are not finite are left out, and the first steps leave the chart at the top where
    they would squash the rest.

    Args:
        train: of the training losses.
        valid: of the validation losses.
        columns: of the chart with its labels.
        rows: lines of it; the last is the axis of steps.
        ascii: no character beyond ASCII.

    Returns:
        Lines in runs of characters; none where there is nothing to show or no room.
    """
    shown = [[(s, v) for s, v in points if math.isfinite(v)] for points in (train, valid)]
    if not any(shown) or columns < SMALLEST[0] or rows < SMALLEST[1]:
        return []
    last = max(points[-1][0] for points in shown if points)
    first = min(points[0][0] for points in shown if points)
    low, high = _limits(shown, last)
    labels = [_short(high), _short(low)]
    margin = max(map(len, labels)) + 1
    across, down = (1, 2) if ascii else (2, 4)
    width, height = columns - margin, rows - 1
    marks: Marks = np.zeros((down * height, across * width), np.int64)

    def place(step: int, value: float) -> Dot:
        x = (step - first) / max(last - first, 1) * (across * width - 1)
        y = (high - value) / (high - low) * (down * height - 1)
        return np.array([x, max(y, -_FAR)])

    dots = [place(*point) for point in _thinned(shown[TRAIN], across * width)]
    for start, end in zip(dots, dots[1:] or dots, strict=False):
        if end[1] >= 0 or start[1] >= 0:  # not above the chart as a whole
            mark(marks, _cut(start, end), _cut(end, start), TRAIN + 1)
    characters = [
        [(c, owner) for text, owner in line for c in text] for line in runs(marks, ascii=ascii)
    ]
    for point in _thinned(shown[VALID], width):
        x, y = place(*point)
        if y >= 0:
            row, column = min(int(y) // down, height - 1), min(int(x) // across, width - 1)
            characters[row][column] = (VALID_MARK, VALID)
    lines: list[list[Run]] = []
    for number, line in enumerate(characters):
        label = labels[0] if number == 0 else labels[1] if number == height - 1 else ""
        lines.append([(f"{label:>{margin - 1}} ", AXIS), *_joined(line)])
    begin, end_ = f"{first:,}", f"step {last:,}"
    room = width - len(end_)
    axis = f"{begin if len(begin) < room else '':<{max(room, 0)}}{end_}"[-width:]
    return [*lines, [(" " * margin + axis, AXIS)]]


def _cut(end: Dot, other: Dot) -> Dot:
    """Where a line to another dot leaves the chart at the top, if this end of it is above."""
    if end[1] >= -1:
        return end
    cut: Dot = other + (end - other) * ((other[1] + 1) / (other[1] - end[1]))
    return cut


def _limits(shown: Sequence[Points], last: int) -> tuple[float, float]:
    """Lowest and highest value of the chart, never the same."""
    values = [value for points in shown for _, value in points]
    later = [v for points in shown for step, v in points if step >= _BEGINNING * last] or values
    low, high, top = min(values), max(later), max(values)
    if top - low <= _SQUASHED * (high - low):
        high = top
    if not high > low:
        room = max(abs(low) * 0.05, 0.05)
        return low - room, high + room
    return low, high


def _thinned(points: Points, most: int) -> Points:
    """Means of neighbours, so that each column has one."""
    if len(points) <= most:
        return points
    table = np.array(points, np.float64)
    return [
        (round(float(part[:, 0].mean())), float(part[:, 1].mean()))
        for part in np.array_split(table, most)
    ]


def _joined(characters: Sequence[Run]) -> list[Run]:
    """Runs of the same."""
    line: list[Run] = []
    for character, owner in characters:
        if line and line[-1][1] == owner:
            line[-1] = (line[-1][0] + character, owner)
        else:
            line.append((character, owner))
    return line


def _short(value: float) -> str:
    """A number in at most six characters, as near as that allows."""
    if value and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")
    return f"{value:.3f}"[:6].rstrip(".") if abs(value) >= 1000 else f"{value:.3f}"


__all__ = ["AXIS", "NOTHING", "TRAIN", "VALID", "chart"]
