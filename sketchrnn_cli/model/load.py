"""Open any model: a checkpoint, the best one of a run folder, a browser model. Torch-free."""

from __future__ import annotations

from pathlib import Path

from sketchrnn_cli.model import checkpoint, sketch_rnn_js
from sketchrnn_cli.model.checkpoint import Checkpoint


def open_model(source: str | Path) -> Checkpoint:
    """Read a model, whatever program wrote it.

    Raises:
        BadFile: no such file or folder.
        BadCheckpoint: not a model, or damaged.
        NewerModel: a later version of this program wrote it.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if (
        path.is_file()
        and suffix != ".safetensors"
        and (suffix == ".json" or sketch_rnn_js.is_browser_model(path))
    ):
        return sketch_rnn_js.load(path)
    return checkpoint.load(path)
