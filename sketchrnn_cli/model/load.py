"""Open any model: a checkpoint, the best one of a run folder, a browser model. Torch-free."""

from __future__ import annotations

import shlex
from pathlib import Path

from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.model import checkpoint, sketch_rnn_js
from sketchrnn_cli.model.checkpoint import Checkpoint

DRAWINGS = (".ndjson", ".jsonl", ".npz", ".svg", ".csv")  # files that may hold some


def open_model(source: str | Path) -> Checkpoint:
    """Read a model, whatever program wrote it.

    Raises:
        BadFile: no such file or folder.
        BadCheckpoint: not a model, or damaged.
        NewerModel: a later version of this program wrote it.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in DRAWINGS and path.is_file():
        raise BadCheckpoint(
            f"{source}: not a model, which is a run folder or a .safetensors file; to train one on "
            f"drawings: {shlex.join(['sketchrnn', 'train', str(source)])}"
        )
    if (
        path.is_file()
        and suffix != ".safetensors"
        and (suffix == ".json" or sketch_rnn_js.is_browser_model(path))
    ):
        return sketch_rnn_js.load(path)
    return checkpoint.load(path)
