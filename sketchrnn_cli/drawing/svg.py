"""SVG as text: rounded, undated, one path a stroke in drawing order. Diffs well, plots clean."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

from sketchrnn_cli.drawing.sheet import (
    CAPTION_INK,
    MARK_INK,
    Cell,
    Label,
    Line,
    Sheet,
    lay_out,
)
from sketchrnn_cli.drawing.style import Color, Style, hexadecimal, mix
from sketchrnn_cli.sketches.sketch import Sketch

# What XML 1.0 may not hold, not even escaped (section 2.2, production Char).
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_svg(sketches: Iterable[Sketch], style: Style) -> str:
    """A sheet of drawings.

    All ink is one group without fill, so that it is one layer and one pen on a plotter, with a
    group for each drawing. ``data-drawings`` and ``data-word`` tell a reader (formats/svg) which
    is which. The background is a style of the root, never a shape. A dot is a segment of a
    hundredth of a pixel: round caps make it round, and plotter software, which drops what has no
    length, draws it.

    Raises:
        BadSketch: no drawings.
    """
    sheet = lay_out(sketches, style)
    return document(sheet, style, [part for cell in sheet.cells for part in _drawing(cell)])


def document(
    sheet: Sheet,
    style: Style,
    body: Iterable[str],
    *,
    ink: str = "",
    captions: Sequence[str] | None = None,
    after: Iterable[str] = (),
) -> str:
    """A page of what is drawn.

    Args:
        sheet: where everything goes.
        style: how it looks.
        body: elements that are stroked with ink.
        ink: attributes of the group of these.
        captions: text elements; None: those of the sheet.
        after: elements in front of everything.
    """
    color, paper = style.ink(), style.paper()
    size = f'width="{sheet.width}" height="{sheet.height}"'
    layers = [*_marks(sheet, mix(color, paper or (255, 255, 255), MARK_INK))]
    layers += [hexadecimal(paper)] if paper else []
    ground = f' style="background:{",".join(layers)}"' if layers else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {sheet.width} {sheet.height}"{ground}>',
        f'<g data-drawings="{len(sheet.cells)}" fill="none" stroke="{hexadecimal(color)}" '
        f'stroke-width="{number(sheet.line_width)}" '
        f'stroke-linecap="round" stroke-linejoin="round"{ink}>',
        *body,
        "</g>",
    ]
    if captions is None:
        captions = [caption_line(cell, sheet) for cell in sheet.cells if cell.caption]
    if captions:
        grey = hexadecimal(mix(color, paper or (255, 255, 255), CAPTION_INK))
        parts.append(
            f'<g fill="{grey}" font-family="sans-serif" font-size="{sheet.font_size}" '
            'text-anchor="middle">'
        )
        parts += [*captions, "</g>"]
    if sheet.labels:
        parts.append(f'<g fill="{hexadecimal(color)}" font-family="sans-serif">')
        parts += map(_label, sheet.labels)
        parts.append("</g>")
    return "\n".join([*parts, *after, "</svg>", ""])


def _marks(sheet: Sheet, tint: Color) -> list[str]:
    """Grounds of marked drawings as layers of the background, so that no plotter draws them."""
    layers = []
    for left, top, right, bottom in sheet.marked:
        width, height = right - left, bottom - top
        x = 100 * left / max(sheet.width - width, 1)  # in CSS, of the room that is left over
        y = 100 * top / max(sheet.height - height, 1)
        share = f"{100 * width / sheet.width:.4g}% {100 * height / sheet.height:.4g}%"
        color = hexadecimal(tint)
        layers.append(f"linear-gradient({color},{color}) {x:.4g}% {y:.4g}%/{share} no-repeat")
    return layers


def _drawing(cell: Cell) -> list[str]:
    word = cell.sketch.word
    label = f' data-word="{escape(word)}"' if word else ""
    title = f"<title>{escape(cell.caption)}</title>" if cell.caption else ""
    return [f"<g{label}>{title}", *map(_path, cell.lines), "</g>"]


def _path(line: Line) -> str:
    return f'<path d="{path_data(line)}"/>'


def path_data(line: Line) -> str:
    """Points (K, 2) as a path; a dot is a hundredth of a pixel long."""
    x0, y0, *rest = (number(value) for value in line.ravel().tolist())
    if set(rest[::2]) <= {x0} and set(rest[1::2]) <= {y0}:
        rest = [*rest[:-2], number(float(x0) + 0.01), y0]
    pairs = " ".join(f"{x} {y}" for x, y in zip(rest[::2], rest[1::2], strict=True))
    return f"M{x0} {y0}L{pairs}"


def caption_line(cell: Cell, sheet: Sheet, visibility: str = "", animation: str = "") -> str:
    """A text element, with what animates it."""
    room = sheet.caption_width / sheet.font_size
    text = escape(cell.fitted(lambda text: _ems(text) <= room))
    place = f'x="{number(cell.center)}" y="{number(cell.baseline)}"'
    seen = f' visibility="{visibility}"' if visibility else ""
    return f"<text {place}{seen}>{text}{animation}</text>"


def _label(label: Label) -> str:
    place = f'x="{number(label.left)}" y="{number(label.baseline)}"'
    return f'<text {place} font-size="{label.font_size}">{escape(label.text)}</text>'


def _ems(text: str) -> float:
    """Width of text in font sizes, by a generous guess: which font there is, is unknown."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return 0.6 * len(text) + 0.4 * wide


def number(value: float) -> str:
    """Two decimals at most, no trailing zeros, no minus zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def escape(text: str) -> str:
    """Text for an element or a quoted attribute: characters XML forbids go, markup is escaped."""
    legal = html.escape(_ILLEGAL.sub("", text))
    return legal.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;")
