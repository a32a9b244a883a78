"""Loss curves of one run, or of several beside one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.plots import figure as figures
from sketchrnn_cli.drawing.plots.figure import COLORS, DASHES, FAINT, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # steps, values
Records = Iterable[Mapping[str, object]]  # of metrics.jsonl; gone through several times

MAX_RUNS = len(COLORS)  # more are not distinguished in print
_PANELS = (("l_r", "reconstruction loss $L_R$"), ("l_kl", "KL divergence $L_{KL}$"))
# Of a run alone; also apart in grey, in width and in dashes.
_LOOKS: dict[str, dict[str, Any]] = {
    "train": {"color": "#56b4e9", "linewidth": 1.2, "label": "training"},
    "valid": {
        "color": "#b34700",
        "linewidth": 1.8,
        "label": "validation",
        "linestyle": (0, (5, 1.5)),
        "marker": "o",
        "markersize": 3.5,
    },
}
_LARGEST = 1e15  # a step or a loss beyond is none
_POINTS = 400  # of one curve; more are averaged
_MARKS = 12  # markers on one curve
_BEGINNING = 0.1  # part of a run's steps that may leave the plot at the top,
_SQUASHED = 2.0  # where they take so many times the room of the rest
_LENGTHS = 8.0  # the longest run to the shortest: from there on, steps are on a logarithmic axis


def loss_png(metrics: Records) -> bytes:
    """The curves of one run as PNG; see ``curves``."""
    return curves([("", metrics)], "png")


def curves(runs: Sequence[tuple[str, Records]], format: str) -> bytes:
    """Reconstruction loss and KL against the step, train and validation; the same bytes each time.

    Runs have a colour, a dash and a marker each. The first steps leave the plot at the top where
    they would squash the rest, which is said there.

    Args:
        runs: name and records of each, at most ``MAX_RUNS``. Values that are not finite are left
            out, and the KL panel where there is none (decoder only).
        format: one of ``figure.FORMATS``.
    """
    panels = [
        (key, title)
        for key, title in _PANELS
        if key != "l_kl" or any(_number(each.get(key)) for _, found in runs for each in found)
    ]
    with figures.paper():
        figure = figures.new(4.8 * len(panels), 3.9 if len(runs) <= 2 else 4.4)
        for axes, (key, title) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _panel(axes, [found for _, found in runs], key, title)
        handles = _legend([name for name, _ in runs])
        figures.legend(figure, handles, most=4)
        return figures.to_bytes(figure, format)


def _looks(k: int, n_runs: int) -> dict[str, dict[str, Any]]:
    """How the curves of run k look: a thin line for training, a thick one for validation."""
    if n_runs == 1:
        return _LOOKS
    color = COLORS[k]
    return {
        "train": {"color": color, "linewidth": 0.7, "alpha": 0.55},
        "valid": {
            "color": color,
            "linewidth": 1.7,
            "linestyle": DASHES[k],
            "marker": MARKERS[k],
            "markersize": 5,
            "markerfacecolor": "white",
        },
    }


def _legend(names: Sequence[str]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    if len(names) == 1:
        return [Line2D([], [], **look) for look in _LOOKS.values()]
    lines = [
        # a label that begins with _ is passed over, so a space goes before it
        Line2D([], [], **_looks(k, len(names))["valid"], label=f" {_tail(name)}")
        for k, name in enumerate(names)
    ]
    lines.append(Line2D([], [], color=FAINT, linewidth=0.9, label=" thin: training"))
    return lines


def _tail(name: str) -> str:
    """A path, or how a long one ends."""
    shown = figures.named(name, 4096)
    return shown if len(shown) <= 40 else f"…{shown[-39:]}"


def _panel(axes: Axes, runs: Sequence[Records], key: str, title: str) -> None:
    shown: list[Curve] = []
    for k, records in enumerate(runs):
        if key == "l_kl" and not any(_number(record.get(key)) for record in records):
            continue  # decoder only
        for split, look in _looks(k, len(runs)).items():
            steps, values = _curve(records, split, key)
            if len(steps):
                shown.append((steps, values))
                (line,) = axes.plot(*_thinned(steps, values), **look)
                line.set_markevery(max(min(len(steps), _POINTS) // _MARKS, 1))
    axes.set_title(title, parse_math=True)
    axes.set_xlabel("step")
    if not shown:
        axes.text(0.5, 0.5, "no records yet", ha="center", transform=axes.transAxes)
        return
    ends = [float(steps[-1]) for steps, _ in shown]
    if len(runs) > 1 and min(ends) > 0 and max(ends) / min(ends) > _LENGTHS:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
    low, high, top = _limits(shown)
    room = max(0.05 * (high - low) or 0.05, 1e-6 * abs(high))  # more than rounding errors
    axes.set_ylim(low - room, high + room)
    if top > high:
        note = "↑ first steps above"
        axes.set_title(note, loc="right", fontsize=8, color=FAINT)


def _limits(shown: Sequence[Curve]) -> tuple[float, float, float]:
    """Lowest value, highest that is shown, and highest of all."""
    low = min(float(values.min()) for _, values in shown)
    top = max(float(values.max()) for _, values in shown)
    later = [values[steps >= _BEGINNING * steps[-1]] for steps, values in shown]
    high = max(float(values.max()) for values in later)
    return low, (high if top - low > _SQUASHED * (high - low) else top), top


def _curve(metrics: Records, split: str, key: str) -> Curve:
    rows = [
        (step, value)
        for record in metrics
        if record.get("split") == split
        and (step := _number(record.get("step"))) is not None
        and (value := _number(record.get(key))) is not None
    ]
    table = np.array(sorted(rows), np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _number(value: object) -> float | None:
    """A number that can be plotted, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST else None


def _thinned(steps: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> Curve:
    """Means of neighbours, so that a long run is a line and not a band."""
    if len(steps) <= _POINTS:
        return steps, values
    cuts = np.linspace(0, len(steps), _POINTS + 1).astype(int)[:-1]
    counts = np.diff(cuts, append=len(steps))
    return np.add.reduceat(steps, cuts) / counts, np.add.reduceat(values, cuts) / counts
