"""Where a shape lies: lengths with units, transforms, view boxes.

A matrix is (a, b, c, d, e, f) as SVG writes it: x' = a x + c y + e, y' = b x + d y + f.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.formats.svg.path import NUMBER, numbers

Matrix = tuple[float, float, float, float, float, float]
Box = tuple[float, float, float, float]  # left, top, width, height

SAME: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
LARGEST = 1e15  # an entry beyond is a fault

_UNITS = {
    "": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4,
    "q": 96 / 101.6, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0,
}  # fmt: skip
LONGEST = 64  # characters of a length

_ANGLES = {"": 1.0, "deg": 1.0, "rad": 180 / math.pi, "grad": 0.9, "turn": 360.0}
_LENGTH = re.compile(rf"({NUMBER})\s*([a-zA-Z]*|%)")
_TRANSFORM = re.compile(r"[\s,]*([a-zA-Z]+)\s*\(([^()]*)\)[\s,]*")
_UNIT = re.compile(r"[0-9.]\s*(?:[a-df-zA-DF-Z%]|e[a-z])")
_PLACES = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
_ALIGN = {"xMin": 0.0, "xMid": 0.5, "xMax": 1.0, "YMin": 0.0, "YMid": 0.5, "YMax": 1.0}


def length(text: str | None, whole: float, default: float = 0.0) -> float:
    """A length in pixels.

    Args:
        text: of the attribute; what is no length counts as not given.
        whole: what 100 % is.
        default: for what is not given.
    """
    found = _LENGTH.fullmatch(text.strip()[:LONGEST]) if text else None
    if found is None:
        return default
    number, unit = float(found[1]), found[2].lower()
    if unit == "%":
        return number / 100 * whole
    return number * _UNITS[unit] if unit in _UNITS else default


def view_box(text: str | None) -> Box | None:
    """The four numbers of a view box, or None where there is none that counts."""
    parts = (text or "").replace(",", " ").split()
    found = [re.fullmatch(NUMBER, part[:LONGEST]) for part in parts]
    if len(found) != 4:
        return None
    left, top, width, height = (float(number[0]) if number else math.nan for number in found)
    return (left, top, width, height) if width > 0 < height else None


def into(box: Box, aspect: str | None, width: float, height: float) -> Matrix:
    """Bring a view box into a viewport at the origin, as ``preserveAspectRatio`` says."""
    left, top, wide, high = box
    x, y = width / wide, height / high
    words = (aspect or "").split()
    align = words[0] if words else "xMidYMid"
    if align == "none":
        return x, 0.0, 0.0, y, -left * x, -top * y
    scale = max(x, y) if "slice" in words else min(x, y)
    across, down = _ALIGN.get(align[:4], 0.5), _ALIGN.get(align[4:], 0.5)
    return (
        *(scale, 0.0, 0.0, scale),
        (width - wide * scale) * across - left * scale,
        (height - high * scale) * down - top * scale,
    )


def after(outer: Matrix, inner: Matrix) -> Matrix:
    """The inner transform, and then the outer one.

    Raises:
        BadSketch: entries that lead off every canvas.
    """
    if inner is SAME:
        return outer
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    result = (
        *(a * p + c * q, b * p + d * q),
        *(a * r + c * s, b * r + d * s),
        *(a * t + c * u + e, b * t + d * u + f),
    )
    if not all(abs(value) < LARGEST for value in result):
        raise BadSketch("a transform that leads off every canvas")
    return result


def shift(x: float, y: float = 0.0) -> Matrix:
    """Move by x, y."""
    return 1.0, 0.0, 0.0, 1.0, x, y


def _scale(x: float, y: float | None = None) -> Matrix:
    return x, 0.0, 0.0, x if y is None else y, 0.0, 0.0


def _rotate(degrees: float, x: float = 0.0, y: float = 0.0) -> Matrix:
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    turn = (cosine, sine, -sine, cosine, 0.0, 0.0)
    if x == y == 0:
        return turn
    return after(after(shift(x, y), turn), shift(-x, -y))


_FORMS: Mapping[str, Callable[..., Matrix]] = {
    "matrix": lambda a, b, c, d, e, f: (a, b, c, d, e, f),
    "translate": shift,
    "translateX": shift,
    "translateY": lambda y: shift(0.0, y),
    "scale": _scale,
    "scaleX": lambda x: _scale(x, 1.0),
    "scaleY": lambda y: _scale(1.0, y),
    "rotate": _rotate,
    "skewX": lambda degrees: (1.0, 0.0, math.tan(math.radians(degrees)), 1.0, 0.0, 0.0),
    "skewY": lambda degrees: (1.0, math.tan(math.radians(degrees)), 0.0, 1.0, 0.0, 0.0),
}


_LENGTHS = {"translate", "translateX", "translateY"}
_ANGLED = {"rotate", "skewX", "skewY"}  # their first number is an angle


def transform(text: str | None, width: float = 0.0, height: float = 0.0) -> Matrix:
    """A ``transform``: any number of them, the last one first, numbers with units or without.

    Args:
        text: of the attribute or the property.
        width: what 100 % is, across.
        height: the same, down.

    Raises:
        BadSketch: one that does not exist, or with wrong numbers.
    """
    text = (text or "").strip()
    if text in ("", "none"):
        return SAME
    result = SAME
    at = 0
    while at < len(text):
        found = _TRANSFORM.match(text, at)
        form = found[1] if found else ""
        if found is None or form not in _FORMS:
            raise BadSketch(f"a transform that is not read: {text[at : at + 40]!r}")
        try:
            values = _with_units(form, found[2], width, height)
            result = after(result, _FORMS[form](*values))
        except TypeError:
            raise BadSketch(f"a transform with wrong numbers: {found[0][:40]!r}") from None
        at = found.end()
    return result


def _with_units(form: str, text: str, width: float, height: float) -> list[float]:
    """The numbers of one transform, angles in degrees and lengths in pixels."""
    if not _UNIT.search(text):
        return numbers(text, room=6)
    parts = re.split(r"[\s,]+", text.strip())
    values = []
    for k, part in enumerate(parts[:7]):
        found = _LENGTH.fullmatch(part[:LONGEST])
        unit = found[2].lower() if found else ""
        if found and form in _LENGTHS and (unit in _UNITS or unit == "%"):
            down = form == "translateY" or k == 1
            values.append(length(part, height if down else width))
        elif found and unit in _ANGLES and form in _ANGLED and k == 0:
            values.append(float(found[1]) * _ANGLES[unit])
        elif found and unit == "%" and form.startswith("scale"):
            values.append(float(found[1]) / 100)
        elif found and unit in ("", "px"):
            values.append(float(found[1]))
        else:
            raise BadSketch(f"{part[:20]!r} where a number should be")
    return values


def around(inner: Matrix, origin: str | None, box: Box) -> Matrix:
    """A transform around a ``transform-origin`` and not around 0, 0.

    Args:
        inner: the transform.
        origin: of the property: lengths, shares of the box, or words.
        box: the viewport, or that of a shape.
    """
    words = (origin or "").split()[:2]
    if inner is SAME or not words:
        return inner
    if words[0] in ("top", "bottom") or (len(words) == 2 and words[1] in ("left", "right")):
        words.reverse()  # the word for down stands first
        words = words if len(words) == 2 else ["center", *words]
    words = words if len(words) == 2 else [*words, "center"]
    left, top, width, height = box
    x, y = (
        _PLACES[word] * whole + start if word in _PLACES
        else length(word, whole) + start
        for word, whole, start in zip(words, (width, height), (left, top), strict=True)
    )  # fmt: skip
    return after(after(shift(x, y), inner), shift(-x, -y))
