"""How likely a model finds drawings: a histogram, and under it the worst and the best of them.

Symbols: N drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.plots import figure as figures
from sketchrnn_cli.drawing.plots.figure import COLORS, FAINT, INK
from sketchrnn_cli.sketches.sketch import Sketch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = npt.NDArray[np.float64]

IN_A_ROW = 8
MOST = 10 * IN_A_ROW  # of the worst, and of the best
WIDTH = 9.6  # inches
CELL = (WIDTH - 0.9) / IN_A_ROW  # inches
STRIP = 0.24  # under a drawing, for its caption, inches
TITLE = 0.34  # above a row, inches
CAPTION = 7.5  # points
FAR = 6.0  # quartile ranges below the lower quartile: what lies there is piled up at the edge
WORST, BEST = COLORS[1], COLORS[0]


def picture(
    scores: Sequence[float], worst: Sequence[Sketch], best: Sequence[Sketch], format: str
) -> bytes:
    """The histogram and the drawings; the same bytes each time.

    Args:
        scores: (N,) nats per prediction, of all drawings.
        worst: the least likely drawings, the worst first; their captions are their words.
        best: the most likely ones, the best last.
        format: one of ``figure.FORMATS``.
    """
    values = np.asarray(scores, np.float64)
    rows = [
        (name, group)
        for name, group in (("least likely", worst), ("most likely", best))
        if len(group)
    ]
    heights = [TITLE + -(-len(group) // IN_A_ROW) * (CELL + STRIP) for _, group in rows]
    with figures.paper():
        figure = figures.new(WIDTH, 4.0 + sum(heights))
        grid = figure.add_gridspec(2, 1, height_ratios=[3.4, max(sum(heights), 0.01)])
        _histogram(figure.add_subplot(grid[0]), values, len(worst), len(best))
        canvas = figure.add_subplot(grid[1])
        figures.blank(canvas, IN_A_ROW * CELL, max(sum(heights), 0.01))
        canvas.set_aspect("equal")
        top = 0.0
        for (name, group), height, color in zip(rows, heights, (WORST, BEST), strict=False):
            _row(canvas, name, group, top, BEST if name == "most likely" else color)
            top += height
        return figures.to_bytes(figure, format)


def _histogram(axes: Axes, values: Values, n_worst: int, n_best: int) -> None:
    from matplotlib.ticker import MaxNLocator

    finite = np.sort(values[np.isfinite(values)])
    axes.set_xlabel("log-likelihood, nats per prediction (higher is likelier)")
    axes.set_ylabel("drawings")
    axes.set_title(_title(values, finite))
    if not len(finite):
        axes.text(0.5, 0.5, "no finite likelihoods", ha="center", transform=axes.transAxes)
        return
    quarter, median, other = np.percentile(finite, (25, 50, 75))
    low = max(finite[0], quarter - FAR * (other - quarter)) if other > quarter else finite[0]
    shown = np.maximum(finite, low)
    n_bins = int(np.clip(np.sqrt(len(shown)) * 1.5, 9, 60))
    room = 0.5 if shown[0] == shown[-1] else 0.0
    edges = np.linspace(shown[0] - room, shown[-1] + room, n_bins + 1)
    axes.hist(shown, edges.tolist(), color="#c9d6df", edgecolor="white", linewidth=0.6)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    n_piled = int((finite < low).sum())
    if n_piled:
        axes.annotate(
            f"← {n_piled:,} below {_signed(low)}",
            (0.0, 1.0),
            xycoords="axes fraction",
            fontsize=8,
            color=FAINT,
            va="bottom",
        )
        axes.set_title(axes.get_title("left"), pad=20)
    handles: list[Any] = [
        axes.axvline(float(median), color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    ]
    names = [f"median {_signed(median)}"]
    floor = -0.035 * axes.get_ylim()[1]
    for n, part, color, marker, name in (
        (n_worst, shown[:n_worst], WORST, "^", "the least likely below"),
        (n_best, shown[len(shown) - n_best :], BEST, "o", "the most likely below"),
    ):
        if n:
            (handle,) = axes.plot(
                part, np.full(len(part), floor), marker, color=color, markersize=5,
                markerfacecolor="white", linestyle="none", clip_on=False,
            )  # fmt: skip
            handles.append(handle)
            names.append(name)
    axes.set_ylim(2 * floor, None)
    axes.figure.legend(handles, names, loc="outside upper right", ncols=len(handles), fontsize=9)


def _signed(value: float) -> str:
    """With the minus that the axis has."""
    return f"{value:.2f}".replace("-", "−")


def _title(values: Values, finite: Values) -> str:
    title = f"{len(values):,} drawing{'s' * (len(values) != 1)}"
    if len(finite) < len(values):
        title += f", {len(values) - len(finite):,} of no finite likelihood"
    return title


def _row(axes: Axes, name: str, group: Sequence[Sketch], top: float, color: str) -> None:
    """Drawings with their captions, in lines of ``IN_A_ROW``."""
    axes.text(0.04, top + 0.72 * TITLE, name, fontsize=10, color=color)
    centers = [
        ((k % IN_A_ROW + 0.5) * CELL, top + TITLE + (k // IN_A_ROW) * (CELL + STRIP) + 0.5 * CELL)
        for k in range(len(group))
    ]
    figures.draw(axes, group, centers, 0.82 * CELL)
    for sketch, (x, y) in zip(group, centers, strict=True):
        text = figures.shortened(sketch.word or "", CAPTION, 72 * 0.8 * CELL)
        axes.text(x, y + 0.5 * CELL + 0.6 * STRIP, text, fontsize=CAPTION, ha="center")
