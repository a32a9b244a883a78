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
    "PAGE": ("turns.js", "painting.js", "controls.js"),
}


def source(part: str) -> str:
    """The text of one of ``PARTS``."""
    folder = resources.files(__name__)
    return "\n\n".join((folder / name).read_text("utf-8").strip() for name in PARTS[part])


def to_html(model: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> str:
    """The page of a model.

    Args:
        model: what its scripts ask of it, see ``inference.page_model``.
        arrays: weights by name, all float16 or all float32.
    """
    values = {part: source(part) for part in PARTS}
    dtype = next(iter(arrays.values())).dtype
    listed = [{"name": name, "shape": list(array.shape)} for name, array in arrays.items()]
    content = {**model, "dtype": dtype.name, "arrays": listed}
    # In a script element only "</" and "<!--" could end or hide anything.
    values["MODEL"] = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    little = dtype.newbyteorder("<")
    data = b"".join(np.ascontiguousarray(array, little).tobytes() for array in arrays.values())
    values["WEIGHTS"] = base64.b64encode(data).decode()
    values["TITLE"] = html.escape(f"Draw together: {model['name']}")
    page = (resources.files(__name__) / "page.html").read_text("utf-8")
    head, *pieces = page.split("{{")
    for piece in pieces:
        key, rest = piece.split("}}", 1)
        head += values[key] + rest
    return head
