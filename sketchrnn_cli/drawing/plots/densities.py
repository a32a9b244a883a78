"""What a model expects while a drawing is drawn: a heat along the pen's way, ellipses, the pen.

After Graves 2013 (arXiv 1308.0850), figures 10 and 11, of the mixtures of Ha & Eck 2017.

Symbols: P points, T = P + 1 predictions, M mixtures, G pixels along a side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.plots import figure as figures
from sketchrnn_cli.drawing.plots.figure import COLORS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

G = 200  # of the heat, along its longer side
REACH = 4.0  # standard deviations of a Gaussian that are drawn
LEAST = 0.05  # weight of a Gaussian that has an ellipse
MARGIN = 0.12  # around the drawing, of its extent
HEAT = ("#ffffff", "#fde3c0", "#f2a65e", "#cc5a14", "#6e2405")  # ever darker, in grey too
GAMMA = 0.4  # densities span many powers of ten: their power is what is shown,
BRIGHTEST = 99.7  # the darkest at this percentile of them
PENS = (("down", "#dce6ec", ""), ("up", COLORS[5], "////"), ("end", COLORS[0], ""))
MOST_POINTS = 1_000  # of a drawing: each takes some milliseconds
MOST_ELLIPSES = 600  # of all steps: those that weigh most
MOST_MARKED = 150  # predictions whose points are marked


class Expected(Protocol):
    """See ``inference.predictions``."""

    @property
    def points(self) -> Floats:
        """(P, 2) the drawing."""
        ...

    @property
    def pen(self) -> npt.NDArray[np.intp]:
        """(T,) what the pen did: 0 down, 1 up, 2 end."""
        ...

    @property
    def pen_probability(self) -> Floats:
        """(T, 3)."""
        ...

    @property
    def weight(self) -> Floats:
        """(T, M)."""
        ...

    @property
    def mean(self) -> Floats:
        """(T, M, 2)."""
        ...

    @property
    def std(self) -> Floats:
        """(T, M, 2)."""
        ...

    @property
    def rho(self) -> Floats:
        """(T, M)."""
        ...

    @property
    def nats(self) -> Floats:
        """(T,)."""
        ...


def picture(expected: Expected, word: str | None, format: str) -> bytes:
    """Draw it; the same bytes each time.

    Args:
        expected: of one drawing.
        word: what the drawing is of.
        format: one of ``figure.FORMATS``.
    """
    from matplotlib.ticker import MaxNLocator

    box = _view(expected)
    with figures.paper():
        figure = figures.new(10.4, 8.2)
        grid = figure.add_gridspec(3, 2, height_ratios=[4.6, 1.5, 1.3])
        heat, ellipses = (figure.add_subplot(grid[0, k]) for k in (0, 1))
        pen, weights = (figure.add_subplot(grid[k, :]) for k in (1, 2))
        n = len(expected.points)
        name = figures.named(word)
        total = f"{expected.nats.sum():.1f} nats".replace("-", "−")
        title = f"{name}: " if name else ""
        title += f"{n:,} point{'s' * (n != 1)}, {total}"
        _heat(figure, heat, expected, box, range(n), title)
        _all_ellipses(ellipses, expected, box)
        _pens(pen, expected)
        _weights(weights, expected)
        for axes in (pen, weights):
            axes.set_xlim(0.5, n + 1.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        weights.set_xlabel(
            "prediction: the next point and what the pen does there; the last: the end"
        )
        return figures.to_bytes(figure, format)


def _view(expected: Expected) -> tuple[Floats, Floats]:
    """Corners of the part of the plane that is shown, (2,) each: a square."""
    points, n = expected.points, len(expected.points)
    low, high = points.min(0), points.max(0)
    extent = float((high - low).max())
    half = max(extent * (0.5 + MARGIN), 2.5 * float(np.median(expected.std[:n])), 1e-6)
    middle = (low + high) / 2
    if not extent:  # a dot: as far as the likeliest Gaussian was off
        likeliest = expected.mean[np.arange(n), expected.weight[:n].argmax(1)]
        half = max(half, 1.2 * float(np.abs(likeliest - points).max()))
    return middle - half, middle + half


def _strokes(expected: Expected) -> list[Floats]:
    cuts = np.flatnonzero(expected.pen[:-1] > 0) + 1
    return [line for line in np.split(expected.points, cuts) if len(line)]


def _plane(axes: Axes, box: tuple[Floats, Floats], title: str) -> None:
    (left, top), (right, bottom) = box
    axes.set_xlim(float(left), float(right))
    axes.set_ylim(float(bottom), float(top))
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#d0d0d0")
    axes.set_title(title, fontsize=10)


def _ink(axes: Axes, lines: list[Floats], color: str, width: float) -> None:
    from matplotlib.collections import LineCollection

    span = abs(axes.get_xlim()[1] - axes.get_xlim()[0])
    axes.add_collection(
        LineCollection(
            [figures.visible(line, span / 400) for line in lines],
            colors=color,
            linewidths=width,
            capstyle="round",
            joinstyle="round",
        ),
        autolim=False,
    )


def density(expected: Expected, box: tuple[Floats, Floats], steps: range) -> Floats:
    """Densities of the next point, summed over some predictions, (G, G), per square unit.

    Each Gaussian is computed where it is: within ``REACH`` standard deviations.
    """
    low, high = box
    pixel = (high - low) / G
    xs, ys = (low[k] + (np.arange(G) + 0.5) * pixel[k] for k in (0, 1))
    result = np.zeros((G, G))
    for t in steps:
        for k in np.flatnonzero(expected.weight[t] > 1e-3):
            mean, rho = expected.mean[t, k], float(expected.rho[t, k])
            std = np.maximum(expected.std[t, k], 0.35 * pixel)  # at least what a pixel shows
            rho = float(np.clip(rho, -0.999, 0.999))
            first = np.floor((mean - REACH * std - low) / pixel)
            last = np.ceil((mean + REACH * std - low) / pixel) + 1
            if not np.isfinite([*first, *last]).all():
                continue
            (a, c), (b, d) = np.clip(first, 0, G).astype(int), np.clip(last, 0, G).astype(int)
            x = (xs[None, a:b] - mean[0]) / std[0]
            y = (ys[c:d, None] - mean[1]) / std[1]
            power = -0.5 * (x * x + y * y - 2 * rho * x * y) / (1 - rho * rho)
            area = 2 * np.pi * std[0] * std[1] * np.sqrt(1 - rho * rho)
            result[c:d, a:b] += expected.weight[t, k] / area * np.exp(power)
    return result


def _heat(
    figure: Figure,
    axes: Axes,
    expected: Expected,
    box: tuple[Floats, Floats],
    steps: range,
    title: str,
) -> None:
    image = _image(axes, density(expected, box, steps), box)
    _plane(axes, box, f"{title}\nheat: where each next point was expected")
    _ink(axes, _strokes(expected), INK, 1.0)
    bar = figure.colorbar(image, ax=axes, location="left", shrink=0.7, aspect=30, pad=0.02)
    bar.set_label("density per square pixel, all steps")
    bar.outline.set_visible(False)
    most = float(image.norm.vmax)
    bar.set_ticks([0, most], labels=["0", f"{most:.2g}"])


def _image(axes: Axes, values: Floats, box: tuple[Floats, Floats]) -> Any:
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    seen = values[values > 0]
    top = float(np.percentile(seen, BRIGHTEST)) if len(seen) else 1.0
    (left, upper), (right, lower) = box
    return axes.imshow(
        values,
        cmap=LinearSegmentedColormap.from_list("heat", HEAT),
        norm=PowerNorm(GAMMA, vmin=0, vmax=top),
        extent=(float(left), float(right), float(lower), float(upper)),
        interpolation="bilinear",
        aspect="equal",
    )


def _ellipses(axes: Axes, expected: Expected, t: int, least: float) -> None:
    """One standard deviation of each Gaussian that counts, its line as wide as it weighs."""
    from matplotlib.patches import Ellipse

    for k in np.flatnonzero(expected.weight[t] > least).tolist():
        sx, sy = expected.std[t, k]
        cross = expected.rho[t, k] * sx * sy
        covariance = np.array([[sx * sx, cross], [cross, sy * sy]])
        if not np.isfinite(covariance).all():
            continue
        values, vectors = np.linalg.eigh(covariance)
        across, along = 2 * np.sqrt(np.maximum(values, 0))
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        weight = float(expected.weight[t, k])
        axes.add_patch(
            Ellipse(
                (float(expected.mean[t, k, 0]), float(expected.mean[t, k, 1])),
                float(along),
                float(across),
                angle=float(angle),
                facecolor=(*_rgb(COLORS[0]), 0.10 * weight),
                edgecolor=(*_rgb(COLORS[0]), min(0.25 + 0.75 * weight, 1.0)),
                linewidth=1.3 * weight,
            )
        )


def _rgb(color: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(color)


def _all_ellipses(axes: Axes, expected: Expected, box: tuple[Floats, Floats]) -> None:
    _plane(axes, box, "the mixture before each point:\nellipses of one σ, as thick as they weigh")
    _ink(axes, _strokes(expected), "#b8b8b8", 0.9)
    weights = np.sort(expected.weight[:-1], axis=None)
    least = (
        max(LEAST, float(weights[-MOST_ELLIPSES - 1])) if len(weights) > MOST_ELLIPSES else LEAST
    )
    for t in range(len(expected.points)):
        _ellipses(axes, expected, t, least)
    if len(expected.points) <= MOST_MARKED:
        axes.plot(*expected.points.T, ".", color=INK, markersize=3)


def _pens(axes: Axes, expected: Expected) -> None:
    """Pen-state probabilities, one bar per prediction, and what the pen did."""
    steps = np.arange(1, len(expected.pen) + 1)
    below = np.zeros(len(steps))
    handles = []
    for (name, color, hatch), part in zip(PENS, expected.pen_probability.T, strict=True):
        handles.append(
            axes.bar(
                steps, part, 1.0, below, label=f"pen {name}", color=color, hatch=hatch,
                edgecolor="white" if hatch else color, linewidth=0.0,
            )
        )  # fmt: skip
        below += part
    lifts = steps[expected.pen == 1]
    axes.plot(lifts, np.full(len(lifts), 1.07), "v", color=INK, markersize=4.5, clip_on=False,
              label="it was lifted")  # fmt: skip
    axes.plot(steps[-1:], [1.07], "s", color=INK, markersize=4.5, clip_on=False, label="it ended")
    axes.set_ylim(0, 1.0)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("probability")
    axes.grid(visible=False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1.1), ncols=5, fontsize=9, borderpad=0)


def _weights(axes: Axes, expected: Expected) -> None:
    """Weights of the Gaussians over the drawing, those that count most on top."""
    order = np.argsort(-expected.weight.mean(0), kind="stable")
    shares = expected.weight[:, order].T  # (M, T)
    axes.imshow(
        shares,
        cmap="Greys",
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
        extent=(0.5, shares.shape[1] + 0.5, shares.shape[0] + 0.5, 0.5),
    )
    axes.grid(visible=False)
    axes.set_yticks([1, shares.shape[0]] if shares.shape[0] > 1 else [1])
    axes.set_ylabel("Gaussian")
    axes.set_title("weight of each Gaussian: white 0, black 1", fontsize=9)
