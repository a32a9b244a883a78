"""SVG as text: rounded, undated, one path a stroke in drawing order. Diffs well, plots clean."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from sketchrnn_cli.drawing.curves import Beziers
from sketchrnn_cli.drawing.sheet import (
    CAPTION_INK,
    MARK_INK,
    PIXELS_PER_MM,
    Cell,
    Label,
    Line,
    Sheet,
    ems,
    lay_out,
)
from sketchrnn_cli.drawing.style import Color, Style, hexadecimal, mix
from sketchrnn_cli.sketches.sketch import Sketch

# What XML 1.0 may not hold, not even escaped (section 2.2, production Char).
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_svg(sketches: Iterable[Sketch], style: Style) -> str:
    """A sheet of drawings.

    All ink of a color is a group without fill, so that it is one pen on a plotter, with a group
    for each drawing. ``data-drawings`` and ``data-word`` tell a reader (formats/svg) which is
    which. A dot is a segment of a hundredth of a pixel: round caps make it round, and plotter
    software, which drops what has no length, draws it. On a page, lengths are those of the page,
    there is no rectangle of paper, and the groups are layers.

    Raises:
        BadSketch: no drawings.
        BadConfig: they do not fit on the page.
    """
    sheet = lay_out(sketches, style)
    added = (
        style.added()
        if any(cell.sketch.n_given < len(cell.lines) for cell in sheet.cells)
        else None
    )
    if added is None or sheet.page is None:
        body = [part for cell in sheet.cells for part in _drawing(cell, added)]
        return document(sheet, style, body)
    layers: list[list[str]] = [[], []]
    for cell in sheet.cells:
        layers[0] += _drawing(cell, None, slice(cell.sketch.n_given))
        layers[1] += _drawing(cell, None, slice(cell.sketch.n_given, None))
    return document(sheet, style, layers[0], after=[_ink(sheet, added, 2), *layers[1], "</g>"])


def document(
    sheet: Sheet,
    style: Style,
    body: Iterable[str],
    *,
    ink: str = "",
    captions: Sequence[str] | None = None,
    after: Iterable[str] = (),
) -> str:
    """A picture of what is drawn.

    Args:
        sheet: where everything goes.
        style: how it looks.
        body: elements that are stroked with ink.
        ink: attributes of the group of these.
        captions: text elements; None: those of the sheet.
        after: elements in front of everything.
    """
    color, paper = style.ink(), style.paper()
    ground = paper or (255, 255, 255)
    parts = [_head(sheet)]
    if sheet.page is None:
        parts += _paper(sheet, paper, mix(color, ground, MARK_INK))
    parts += [_ink(sheet, color, 1, ink), *body, "</g>"]
    if captions is None:
        captions = [caption_line(cell, sheet) for cell in sheet.cells if cell.caption]
    if captions:
        grey = hexadecimal(mix(color, ground, CAPTION_INK))
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


def _head(sheet: Sheet) -> str:
    xmlns = 'xmlns="http://www.w3.org/2000/svg"'
    if sheet.page is None:
        size = f'width="{sheet.width}" height="{sheet.height}"'
        return f'<svg {xmlns} {size} viewBox="0 0 {sheet.width} {sheet.height}">'
    width, height = sheet.page
    xmlns += ' xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
    box = f"0 0 {number(width * PIXELS_PER_MM)} {number(height * PIXELS_PER_MM)}"
    size = f'width="{number(width)}mm" height="{number(height)}mm"'
    return f'<svg {xmlns} {size} viewBox="{box}">'


def _ink(sheet: Sheet, color: Color, layer: int, more: str = "") -> str:
    """The beginning of the group of an ink, which on a page is a layer."""
    shown = hexadecimal(color)
    if sheet.page is not None:
        more += f' inkscape:groupmode="layer" inkscape:label="{layer} {shown}" id="layer{layer}"'
    return (
        f'<g data-drawings="{len(sheet.cells)}" fill="none" stroke="{shown}" '
        f'stroke-width="{number(sheet.line_width)}" '
        f'stroke-linecap="round" stroke-linejoin="round"{more}>'
    )


def _paper(sheet: Sheet, paper: Color | None, tint: Color) -> Iterator[str]:
    """A rectangle, filled with the grounds of marked drawings too: a reader takes it for paper."""
    fill = hexadecimal(paper) if paper else ""
    if sheet.marked:
        whole = f'width="{sheet.width}" height="{sheet.height}"'
        yield f'<defs><pattern id="paper" {whole} patternUnits="userSpaceOnUse">'
        yield f'<rect {whole} fill="{fill or "none"}"/>'
        for left, top, right, bottom in sheet.marked:
            size = f'width="{number(right - left)}" height="{number(bottom - top)}"'
            place = f'x="{number(left)}" y="{number(top)}"'
            yield f'<rect {place} {size} fill="{hexadecimal(tint)}"/>'
        yield "</pattern></defs>"
        fill = "url(#paper)"
    if fill:
        yield f'<rect width="{sheet.width}" height="{sheet.height}" fill="{fill}"/>'


def _drawing(cell: Cell, added: Color | None, strokes: slice = slice(None)) -> list[str]:
    """A group of these strokes; those that a model added have an ink of their own."""
    word = cell.sketch.word
    label = f' data-word="{escape(word)}"' if word else ""
    title = f"<title>{escape(cell.caption)}</title>" if cell.caption else ""
    paths = []
    for k in range(len(cell.lines))[strokes]:
        data = path_data(cell.lines[k])
        if cell.curves is not None and len(cell.curves[k]):
            data = curve_data(cell.curves[k])
        color = f' stroke="{hexadecimal(added)}"' if added and k >= cell.sketch.n_given else ""
        paths.append(f'<path{color} d="{data}"/>')
    return [f"<g{label}>{title}", *paths, "</g>"]


def path_data(line: Line) -> str:
    """Points (K, 2) as a path; a dot is a hundredth of a pixel long."""
    x0, y0, *rest = (number(value) for value in line.ravel().tolist())
    if set(rest[::2]) <= {x0} and set(rest[1::2]) <= {y0}:
        rest = [*rest[:-2], number(float(x0) + 0.01), y0]
    pairs = " ".join(f"{x} {y}" for x, y in zip(rest[::2], rest[1::2], strict=True))
    return f"M{x0} {y0}L{pairs}"


def curve_data(curves: Beziers) -> str:
    """Curves (K, 4, 2) as a path."""
    x0, y0 = (number(value) for value in curves[0, 0].tolist())
    handles = [" ".join(map(number, curve.ravel().tolist())) for curve in curves[:, 1:]]
    return f"M{x0} {y0}C{' '.join(handles)}"


def caption_line(cell: Cell, sheet: Sheet, visibility: str = "", animation: str = "") -> str:
    """A text element, with what animates it."""
    room = sheet.caption_width / sheet.font_size
    text = escape(cell.fitted(lambda text: ems(text) <= room))
    place = f'x="{number(cell.center)}" y="{number(cell.baseline)}"'
    seen = f' visibility="{visibility}"' if visibility else ""
    return f"<text {place}{seen}>{text}{animation}</text>"


def _label(label: Label) -> str:
    place = f'x="{number(label.left)}" y="{number(label.baseline)}"'
    return f'<text {place} font-size="{label.font_size}">{escape(label.text)}</text>'


def number(value: float) -> str:
    """Two decimals at most, no trailing zeros, no minus zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def escape(text: str) -> str:
    """Text for an element or a quoted attribute: characters XML forbids go, markup is escaped."""
    legal = html.escape(_ILLEGAL.sub("", text))
    return legal.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;")
