"""Curves on paper, through ``matplotlib.figure.Figure``: no display, no global state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # steps, values

# Okabe and Ito's palette; also apart in grey, in width and in dashes.
_LOOKS: dict[str, dict[str, Any]] = {
    "train": {"color": "#56b4e9", "linewidth": 1.2, "label": "train"},
    "valid": {
        "color": "#b34700",
        "linewidth": 1.8,
        "label": "validation",
        "linestyle": (0, (5, 1.5)),
        "marker": "o",
        "markersize": 3.5,
    },
}
# What a person's own matplotlibrc must not change, or the bytes would.
_DEFAULTS: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "text.usetex": False,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "savefig.dpi": "figure",
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
}
_LARGEST = 1e15  # a step or a loss beyond is none
_POINTS = 400  # of one curve; more are averaged
_BEGINNING = 0.02  # part of a curve that may leave the plot at the top: the first steps


def loss_png(metrics: Iterable[Mapping[str, object]]) -> bytes:
    """Reconstruction loss and KL against the step, train and validation; the same bytes each time.

    Args:
        metrics: records of metrics.jsonl: step, split, l_r, l_kl; gone through several times.
            Values that are not finite are left out, and the KL panel where there is none (decoder
            only).
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [("l_r", "reconstruction loss $L_R$"), ("l_kl", "KL divergence $L_{KL}$")]
    if not any(_number(record.get("l_kl")) for record in metrics):
        panels = panels[:1]
    with matplotlib.rc_context(_DEFAULTS):
        figure = Figure(figsize=(4.8 * len(panels), 3.6), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        for axes, (key, title) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _panel(axes, metrics, key, title)
        stream = BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _panel(axes: Axes, metrics: Iterable[Mapping[str, object]], key: str, title: str) -> None:
    curves = {split: _curve(metrics, split, key) for split in _LOOKS}
    for split, (steps, values) in curves.items():
        if len(steps):
            axes.plot(*_thinned(steps, values), **_LOOKS[split])
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("step")
    axes.set_axisbelow(True)
    shown = [values for _, values in curves.values() if len(values)]
    if not shown:
        axes.text(0.5, 0.5, "no records yet", ha="center", transform=axes.transAxes)
        return
    tops = [values[int(len(values) * _BEGINNING) :].max() for values in shown]
    low, high = min(values.min() for values in shown), max(tops)
    room = max(0.05 * (high - low) or 0.05, 1e-6 * abs(high))  # more than rounding errors
    axes.set_ylim(low - room, high + room)
    axes.legend(frameon=False)


def _curve(metrics: Iterable[Mapping[str, object]], split: str, key: str) -> Curve:
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
