"""What the drawing page needs of a model: its weights, and how its drawings lie on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference.conditioning import TEMPERING
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.request import draw, unconditional
from sketchrnn_cli.inference.settings import GUIDANCE, Settings
from sketchrnn_cli.model import int8
from sketchrnn_cli.model.checkpoint import LARGEST_WEIGHT, Checkpoint, Weights
from sketchrnn_cli.model.tensor_file import Arrays
from sketchrnn_cli.sketches.preparation import Preparation
from sketchrnn_cli.sketches.sketch import BOX

PARTS = ("decoder.", "latent.", "recogniser.")  # the encoder has only ever read whole drawings
LARGEST_HALF = float(np.finfo(np.float16).max)
LOOKED_AT = 32  # drawings of a model, to see how large they are


def page_model(
    checkpoint: Checkpoint,
    *,
    name: str,
    notice: str = "",
    half: bool = False,
    ended: Callable[[int], None] | None = None,
) -> tuple[dict[str, Any], Arrays]:
    """A model as the page takes it.

    Args:
        checkpoint: the model.
        name: what the page calls it.
        notice: a line under the page.
        half: weights as float16 even where that rounds them.
        ended: called with how many of the ``looks_at`` drawings have just ended.

    Returns:
        Sizes and facts, for JSON, and the arrays: each as ``model.int8`` packs it where this
        loses nothing, else float16 where that does not, or ``half``.

    Raises:
        BadConfig: a number is too large for float16.
    """
    config = checkpoint.config
    # Sorted: safetensors hands them out in any order, and the same model is the same page.
    weights = {k: v for k, v in sorted(checkpoint.weights.items()) if k.startswith(PARTS)}
    arrays = _stored(weights, half=half)
    stored = checkpoint.preparation
    made = Preparation.from_dict(stored) if stored else Preparation(fit=False, simplified=False)
    shares = checkpoint.weights.get("latent.share")
    return {
        "name": name,
        "notice": notice,
        "words": list(checkpoint.words),
        "counts": checkpoint.counts if shares is None else shares.tolist(),
        "n_words": config.n_words,
        "word_size": config.word_size if config.n_words else 0,
        "latent_size": config.latent_size if config.encoder else 0,
        "tanh_z": bool(checkpoint.training.get("tanh_z")),
        "decoder_size": config.decoder_size,
        "n_mixtures": config.n_mixtures,
        "scale_factor": checkpoint.scale_factor,
        "n_max": checkpoint.n_max,
        "trust": TEMPERING,
        "guidance": GUIDANCE if config.n_words else 1.0,
        "epsilon": made.epsilon,
        # Whether the first move is a place on paper, and not the second point of the drawing.
        "absolute": made.fit and not made.from_origin,
        "extent": made.box if made.fit else _extent(checkpoint, ended),
    }, arrays


def looks_at(checkpoint: Checkpoint) -> int:
    """How many drawings are made to see how large those of a model are."""
    return 0 if checkpoint.preparation.get("fit") else LOOKED_AT


def _stored(weights: Weights, *, half: bool) -> Arrays:
    """Every array in the smallest form that loses nothing; with ``half`` in one that may."""
    if any(np.abs(array).max(initial=0) > LARGEST_HALF for array in weights.values()):
        if half:
            raise BadConfig("a weight is too large for float16; leave --half out")
        return dict(weights)
    packed = int8.pack(weights)
    again = int8.unpack(packed, LARGEST_WEIGHT, name="")
    for key, array in weights.items():
        if np.array_equal(again[key], array):
            continue
        halves = int8.halved(key, array)
        packed[key] = halves if half or np.array_equal(halves, array) else array
        packed.pop(key + int8.SUFFIX, None)
    return packed


def _extent(checkpoint: Checkpoint, ended: Callable[[int], None] | None) -> float:
    """How large the drawings of a model are that have a frame of their own, data units."""
    settings = Settings(max_points=min(250, max(checkpoint.n_max, 1)), best_of=1)
    sketches = draw(Engine(checkpoint), unconditional(LOOKED_AT), settings, ended=ended)
    boxes = np.array([sketch.box() for sketch in sketches])
    extents = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return round(float(np.median(extents)), 2) or BOX
