"""sketchrnn: a command line that learns to draw (Sketch-RNN, Ha & Eck 2017).

For a notebook, ``import sketchrnn_cli as sk``; what it needs loads when it is first asked for::

    sk.load().sample("cat", n=9)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sketchrnn_cli.errors import SketchError
    from sketchrnn_cli.notebook.drawings import Drawing, Drawings, from_strokes, read
    from sketchrnn_cli.notebook.model import Model, load

__version__ = "0.1.0"
__all__ = ["Drawing", "Drawings", "Model", "SketchError", "from_strokes", "load", "read"]

_MODULES = {"SketchError": "errors", "Model": "notebook.model", "load": "notebook.model"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _MODULES.get(name, "notebook.drawings")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return ["__version__", *__all__]
