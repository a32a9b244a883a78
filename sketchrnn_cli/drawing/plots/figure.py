"""One look for every plot: readable in print, apart in grey, the same bytes every time.

Through ``matplotlib.figure.Figure``: no display, no global state.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.drawing.sheet import fit, printable
from sketchrnn_cli.sketches.sketch import Sketch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Points = npt.NDArray[np.float64]  # (K, 2) x, y

FORMATS = ("svg", "png")
DPI = 150
INK = "#262626"
FAINT = "#8c8c8c"  # of what is not read at first
# Okabe and Ito's palette without its yellow, which paper swallows; then dashes and markers, so
# that lines are apart in grey too.
COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#262626", "#e69f00", "#56b4e9", "#7a5195",
)  # fmt: skip
DASHES: tuple[Any, ...] = (
    "solid", (0, (6, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)),
    (0, (3, 1.5)), (0, (7, 2, 1.5, 2, 1.5, 2)), (0, (10, 3)), (0, (1, 3)),
)  # fmt: skip
MARKERS = "os^DvPX*"
# What a person's own matplotlibrc must not change, or the bytes would.
_DEFAULTS: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "text.usetex": False,
    "text.parse_math": False,  # an untrusted word may hold dollars
    "text.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.facecolor": "white",
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "figure.facecolor": "white",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.dpi": "figure",
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "svg.fonttype": "path",  # looks the same where DejaVu is missing
    "svg.hashsalt": "sketchrnn",
    "svg.image_inline": True,
    "xtick.color": INK,
    "ytick.color": INK,
}
_SHOWN = 28  # characters of a word or name


@contextmanager
def paper() -> Iterator[None]:
    """Settings under which a plot is made, and turned into bytes."""
    import matplotlib

    with matplotlib.rc_context(_DEFAULTS), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # characters that the font lacks
        yield


def new(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.08)  # inches
    FigureCanvasAgg(figure)
    return figure


def to_bytes(figure: Figure, format: str) -> bytes:
    """The picture in one of ``FORMATS``."""
    stream = BytesIO()
    nothing = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    figure.savefig(stream, format=format, metadata=nothing[format])
    return stream.getvalue()


def named(text: str | None, most: int = _SHOWN) -> str:
    """An untrusted word on one line, or how a long one begins."""
    shown = printable(text or "")
    return shown if len(shown) <= most else f"{shown[: most - 1].rstrip()}…"


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Of a text in the plots' font, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])


def legend(figure: Figure, handles: Sequence[Line2D], *, most: int) -> int:
    """Put a legend under everything, in as many columns as there is room for.

    Returns:
        Its lines.
    """
    size = 10.0
    names = [str(handle.get_label()) for handle in handles]
    widest = max(text_width(name, size) for name in names) + 5.6 * size  # with its line
    room = 72 * figure.get_figwidth() - 2 * size
    n_columns = max(min(int(room / widest), most, len(names)), 1)
    outside = figure.get_layout_engine() is not None
    figure.legend(
        handles=list(handles),
        loc="outside lower center" if outside else "lower center",
        ncols=n_columns,
        fontsize=size,
        handlelength=3.6,
        handletextpad=0.6,
        columnspacing=1.4,
    )
    return -(-len(names) // n_columns)


def shortened(text: str, size: float, width: float) -> str:
    """Text cut to a width in points."""
    text = named(text, 80)
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text)  # characters that fit, and that do not
    while high - low > 1:
        middle = (low + high) // 2
        if text_width(f"{text[:middle]}…", size) <= width:
            low = middle
        else:
            high = middle
    return f"{text[:low].rstrip()}…"


def blank(axes: Axes, width: float, height: float) -> None:
    """Turn axes into a canvas of so many units, y downwards, with nothing on it."""
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()


def visible(line: Points, length: float) -> Points:
    """The same, or for a dot a line of this length, as one of no length is not drawn."""
    if len(line) > 1 and np.ptp(line, axis=0).any():
        return line
    return np.array([line[0] - [length / 2, 0], line[0] + [length / 2, 0]])


def draw(
    axes: Axes,
    sketches: Sequence[Sketch],
    centers: Iterable[tuple[float, float]],
    room: float,
    *,
    colors: Sequence[str] | str = INK,
    width: float = 1.0,
) -> None:
    """Small drawings, each fitted into a square of ``room`` units of the axes.

    Args:
        axes: from ``blank``, or others whose units are square.
        sketches: what to draw.
        centers: of each.
        room: the larger side of its strokes.
        colors: of each, or of all.
        width: of the lines, points.
    """
    from matplotlib.collections import LineCollection

    lines: list[Points] = []
    inks: list[str] = []
    for k, (sketch, center) in enumerate(zip(sketches, centers, strict=True)):
        for line in fit(sketch, center, room):
            lines.append(visible(line, 0.012 * room))
            inks.append(colors if isinstance(colors, str) else colors[k])
    axes.add_collection(
        LineCollection(lines, colors=inks, linewidths=width, capstyle="round", joinstyle="round"),
        autolim=False,
    )
