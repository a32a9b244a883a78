"""Shapes as path data, begun and turned as SVG says."""

from __future__ import annotations

import math
import re

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.formats.svg.document import Node
from sketchrnn_cli.sketches.formats.svg.path import FAR
from sketchrnn_cli.sketches.formats.svg.transforms import length

_COMMAND = re.compile(r"[A-DF-Za-df-z]")  # a letter, but for the e of numbers


def outline(node: Node, width: float, height: float) -> str:
    """Path data of a path or a shape; empty where it draws nothing.

    Args:
        node: the element.
        width: of the viewport: what 100 % is.
        height: the same.

    Raises:
        BadSketch: points that are none.

    Source: SVG 2, chapter 10.
    """
    attributes = node.attributes
    diagonal = math.hypot(width, height) / math.sqrt(2)

    def along(name: str, whole: float, default: float = 0.0) -> float:
        value = length(attributes.get(name), whole, default)
        if not abs(value) < FAR:
            raise BadSketch(f"{name} is {value:g}, which is no place on a canvas")
        return value

    if node.tag == "path":
        return attributes.get("d", "")
    if node.tag in ("polyline", "polygon"):
        points = attributes.get("points", "").strip()
        if command := _COMMAND.search(points):
            raise BadSketch(f"{command[0]!r} where a number should be")
        return f"M{points}{'z' if node.tag == 'polygon' else ''}" if points else ""
    if node.tag == "line":
        x1, x2 = along("x1", width), along("x2", width)
        return f"M{x1} {along('y1', height)}L{x2} {along('y2', height)}"
    if node.tag == "rect":
        return _rect(
            *(along("x", width), along("y", height)),
            *(along("width", width), along("height", height)),
            *(along("rx", width, -1.0), along("ry", height, -1.0)),
        )
    if node.tag == "circle":
        rx = ry = along("r", diagonal)
    else:
        rx, ry = along("rx", width, -1.0), along("ry", height, -1.0)
        rx, ry = (rx if rx >= 0 else ry), (ry if ry >= 0 else rx)
    if rx <= 0 or ry <= 0:
        return ""
    cx, cy = along("cx", width), along("cy", height)
    half = f"A{rx} {ry} 0 0 1"
    return f"M{cx + rx} {cy}{half} {cx - rx} {cy}{half} {cx + rx} {cy}z"


def _rect(x: float, y: float, width: float, height: float, rx: float, ry: float) -> str:
    """From the top left corner, clockwise. A radius below 0 is not given."""
    if width <= 0 or height <= 0:
        return ""
    rx, ry = (rx if rx >= 0 else ry), (ry if ry >= 0 else rx)
    rx, ry = min(rx, width / 2), min(ry, height / 2)
    right, bottom = x + width, y + height
    if rx <= 0 or ry <= 0:
        return f"M{x} {y}H{right}V{bottom}H{x}z"
    corner = f"A{rx} {ry} 0 0 1"
    return (
        f"M{x + rx} {y}H{right - rx}{corner} {right} {y + ry}"
        f"V{bottom - ry}{corner} {right - rx} {bottom}"
        f"H{x + rx}{corner} {x} {bottom - ry}V{y + ry}{corner} {x + rx} {y}z"
    )
