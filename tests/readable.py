"""Whether a plot can be read: no text cut off at the edge, none across another."""

from __future__ import annotations

import itertools

from matplotlib.figure import Figure
from matplotlib.text import Text

CLOSE = 0.5  # pixels that boxes of text may share


def texts(figure: Figure) -> list[Text]:
    """Every text that is drawn; ticks outside of their axis are not."""
    found: list[Text] = []
    for axes in figure.axes:
        titles = [axes.title, axes._left_title, axes._right_title]  # type: ignore[attr-defined]
        found += [*titles, *axes.texts]
        if axes.axison:
            found += [axes.xaxis.label, axes.yaxis.label]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False):
                    if low <= place <= high:
                        found.append(label)
        legend = axes.get_legend()
        found += legend.get_texts() if legend else []
    for legend in figure.legends:
        found += legend.get_texts()
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def overlaps(figure: Figure) -> list[str]:
    """What cannot be read, in words."""
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    faults = [
        f"{name!r} is cut off: {box}"
        for name, box in boxes
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height
    ]
    for (name, one), (other, two) in itertools.combinations(boxes, 2):
        across = min(one.x1, two.x1) - max(one.x0, two.x0)
        down = min(one.y1, two.y1) - max(one.y0, two.y0)
        if across > CLOSE and down > CLOSE:
            faults.append(f"{name!r} is across {other!r}")
    return faults
