"""A map of latents: drawings at their places, as many as fit without overlap, by word.

Symbols: N drawings. Lengths are points, a 72nd of an inch, y downwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.plots import figure as figures
from sketchrnn_cli.drawing.plots.figure import COLORS, INK
from sketchrnn_cli.sketches.sketch import Sketch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Places = npt.NDArray[np.float64]  # (N, 2)
Box = tuple[float, float, float, float]  # left, top, right, bottom

WIDTH, HEIGHT = 660.0, 500.0  # of the map
LEFT, RIGHT, TOP, BOTTOM = 30.0, 10.0, 28.0, 30.0  # round it
LINE = 17.0  # of the legend
SIZES = (78.0, 64.0, 52.0, 42.0, 34.0, 27.0)  # of thumbnails: the largest of which
SHOWN = 0.6  # of the drawings have room
PAD = 3.0  # between two things
LABEL = 12.0  # font of a word under one of its drawings
TRIES = 60  # drawings of a word that its name is tried under
MOST_WIDE = 60.0  # room for such a word
CAPTION = 6.5  # font of a word under a drawing, where there are too many for a legend
MOST_IN_LEGEND = len(COLORS)
IN_A_LINE = 4  # of the legend
STRAY = 0.5  # percent of latents on each side that may lie at the edge


def picture(
    places: Places, sketches: Sequence[Sketch], axes: tuple[str, str], format: str
) -> tuple[bytes, int]:
    """Draw the map; the same bytes each time.

    A word stands under the most typical of its drawings that has room; where there are more words
    than colours, under each drawing. Drawings whose place is taken are left out.

    Args:
        places: (N, 2), any units, y upwards.
        sketches: N drawings.
        axes: names of the two directions.
        format: one of ``figure.FORMATS``.

    Returns:
        The picture, and how many drawings are on it.
    """
    counts = Counter(figures.named(sketch.word) for sketch in sketches)
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    named = [word for word in words if word]
    color = {word: COLORS[k % len(COLORS)] for k, word in enumerate(named)} | {"": INK}
    few = len(named) <= MOST_IN_LEGEND
    own = [figures.named(sketch.word) for sketch in sketches]
    with figures.paper():
        below = 0.0 if few else 1.5 * CAPTION
        widest = 0.0 if few else max(figures.text_width(word, CAPTION) for word in named)
        for size in SIZES:
            box = (max(size, min(widest, MOST_WIDE)), size + below)
            where = _on_paper(places, box)
            typical, labels = _labels(named if few else [], where, own, size)
            shown = _choose(where, own, box, typical, list(labels.values()))
            if len(shown) >= SHOWN * len(sketches):
                break
        handles = [_handle(word or "no word", color[word], counts[word]) for word in words]
        handles = handles if few and named else []
        figure, canvas = _canvas(axes, handles)
        ink = [color[own[k]] for k in shown]
        centers = [(float(where[k, 0]), float(where[k, 1] - below / 2)) for k in shown]
        chosen = [sketches[k] for k in shown]
        figures.draw(canvas, chosen, centers, size - 1, colors=ink, width=0.9)
        for word, (left, _, right, bottom) in labels.items():
            x, y = (left + right) / 2, bottom - 0.35 * LABEL
            canvas.text(
                x, y, word, color=color[word], fontsize=LABEL, fontweight="bold", ha="center"
            )
        for k, (x, y) in zip(shown, centers, strict=True) if not few else ():
            text = figures.shortened(own[k], CAPTION, box[0])
            y += size / 2 + 1.1 * CAPTION
            canvas.text(x, y, text, color=color[own[k]], fontsize=CAPTION, ha="center")
        n = len(sketches)
        title = f"{n:,} drawing{'s' * (n != 1)}"
        if len(shown) < n:
            title += f", {len(shown):,} shown where there is room"
        canvas.set_title(title)
        return figures.to_bytes(figure, format), len(shown)


def _canvas(names: tuple[str, str], handles: Sequence[Line2D]) -> tuple[Figure, Axes]:
    """A figure with the map on it, whose units are points, and a legend below."""
    width = LEFT + WIDTH + RIGHT
    figure = figures.new(width / 72, 1)
    figure.set_layout_engine("none")  # exact
    n_lines = figures.legend(figure, handles, most=IN_A_LINE) if handles else 0
    bottom = BOTTOM + LINE * n_lines + (4 if n_lines else 0)
    height = TOP + HEIGHT + bottom
    figure.set_figheight(height / 72)
    rectangle = (LEFT / width, bottom / height, WIDTH / width, HEIGHT / height)
    canvas = figure.add_axes(rectangle)
    canvas.set_xlim(0, WIDTH)
    canvas.set_ylim(HEIGHT, 0)
    canvas.grid(visible=False)
    canvas.set_xticks([])
    canvas.set_yticks([])
    canvas.set_xlabel(names[0])
    canvas.set_ylabel(names[1])
    return figure, canvas


def _handle(name: str, color: str, n: int) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=2.2, label=f" {name} ({n:,})")


def _on_paper(places: Places, box: tuple[float, float]) -> Places:
    """Middles of boxes, scaled to fill the map, strays at its edge, y downwards."""
    low, high = np.percentile(places, (STRAY, 100 - STRAY), axis=0)
    if len(places) < 100 / STRAY:
        low, high = places.min(0), places.max(0)
    extent = np.where(high > low, high - low, 1.0)
    part = np.where(high > low, (np.clip(places, low, high) - low) / extent, 0.5)
    part[:, 1] = 1 - part[:, 1]
    edge = np.array(box) + 2 * PAD
    result: Places = edge / 2 + part * (np.array([WIDTH, HEIGHT]) - edge)
    return result


def _labels(
    words: Sequence[str], where: Places, own: Sequence[str], size: float
) -> tuple[list[int], dict[str, Box]]:
    """For each word a drawing near the middle of all of it, and the box of its name under that."""
    if len(words) < 2:
        return [], {}
    typical: list[int] = []
    labels: dict[str, Box] = {}
    taken: list[Box] = []
    for word in words:
        numbers = np.array([k for k, each in enumerate(own) if each == word])
        away = np.linalg.norm(where[numbers] - np.median(where[numbers], axis=0), axis=1)
        width = figures.text_width(word, LABEL, bold=True) + 2 * PAD
        for k in numbers[np.argsort(away, kind="stable")[:TRIES]].tolist():
            x, y = where[k]
            half = size / 2 + PAD / 2
            left = min(max(float(x) - width / 2, 0), WIDTH - width)
            top = float(y) + half
            if top + 1.4 * LABEL > HEIGHT:  # above it
                top = float(y) - half - 1.4 * LABEL
            drawing = float(x) - half, float(y) - half, float(x) + half, float(y) + half
            name = left, top, left + width, top + 1.4 * LABEL
            if any(_overlap(box, other) for box in (drawing, name) for other in taken):
                continue
            typical.append(k)
            labels[word] = name
            taken += [drawing, name]
            break
    return typical, labels


def _overlap(one: Box, other: Box) -> bool:
    across = one[0] < other[2] and other[0] < one[2]
    return across and one[1] < other[3] and other[1] < one[3]


def _choose(
    where: Places,
    own: Sequence[str],
    size: tuple[float, float],
    first: Sequence[int],
    taken: Sequence[Box],
) -> list[int]:
    """Numbers of drawings that have room, every word in its turn, in an order of their own."""
    turns: dict[str, list[int]] = {}
    for k in [*first, *np.random.default_rng(0).permutation(len(own)).tolist()]:
        turns.setdefault(own[k], []).append(k)
    order = sorted((turn, k) for group in turns.values() for turn, k in enumerate(group))
    box = np.array(size)
    labels = np.array(taken, np.float64).reshape(-1, 2, 2)
    middles, extents = labels.mean(1), labels[:, 1] - labels[:, 0]
    chosen: list[int] = []
    kept = np.empty((len(own), 2))
    for _, k in order:
        off = np.abs(kept[: len(chosen)] - where[k])
        beside = np.abs(middles - where[k])
        if (off < box + PAD).all(1).any() or (beside < (box + extents) / 2).all(1).any():
            continue
        kept[len(chosen)] = where[k]
        chosen.append(k)
    return sorted(chosen)
