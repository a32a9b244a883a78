"""A drawing page: one HTML file in which a person and the model draw by turns.

It holds the network's weights and asks nobody for anything: a content security policy in it
forbids the network.
"""

from __future__ import annotations

import base64
import html
import json
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

PARTS = {  # files that stand in its place, in this order
    "CSS": ("page.css",),
    "NETWORK": ("decoder.js", "sampling.js", "recogniser.js", "suggest.js"),
    "PAGE": (
        *("turns.js", "painting.js", "words.js", "gif.js", "saving.js"),
        *("opening.js", "controls.js"),
    ),
}


def source(part: str) -> str:
    """The text of one of ``PARTS``."""
    folder = resources.files(__name__)
    return "\n\n".join((folder / name).read_text("utf-8").strip() for name in PARTS[part])


def listed(arrays: dict[str, npt.NDArray[Any]]) -> list[dict[str, Any]]:
    """Name, shape and numbers of each array, as the page's script reads them."""
    return [
        {"name": name, "shape": list(array.shape), "dtype": array.dtype.name}
        for name, array in arrays.items()
    ]


def encoded(arrays: dict[str, npt.NDArray[Any]]) -> str:
    """The arrays one after the other, little-endian, in base64."""
    little = [np.ascontiguousarray(a, a.dtype.newbyteorder("<")) for a in arrays.values()]
    return base64.b64encode(b"".join(array.tobytes() for array in little)).decode()


def to_html(model: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> str:
    """The page of a model.

    Args:
        model: what its scripts ask of it, see ``inference.page_model``.
        arrays: weights by name, float32, float16, or int8 with scales as in ``model.int8``.
    """
    values = {part: source(part) for part in PARTS}
    content = {**model, "arrays": listed(arrays)}
    # In a script element only "</" and "<!--" could end or hide anything.
    values["MODEL"] = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    values["WEIGHTS"] = encoded(arrays)
    values["TITLE"] = html.escape(f"Draw together: {model['name']}")
    page = (resources.files(__name__) / "page.html").read_text("utf-8")
    head, *pieces = page.split("{{")
    for piece in pieces:
        key, rest = piece.split("}}", 1)
        head += values[key] + rest
    return head
