"""A run that begins with the weights of a model, for other drawings and words. Torch-free.

Symbols: V words, D label embedding size, H hidden units, Z latent, M mixture components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli import pretrained
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.model.checkpoint import Checkpoint, Weights
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.sketches.preparation import Preparation
from sketchrnn_cli.sketches.words import fold

BUILT_IN = "built-in"
FREE = (
    "dropout",
    "input_dropout",
    "output_dropout",
    "n_words",
)  # no sizes of weights that are kept
GROWING = ("decoder_size", "word_size")  # may be larger than the model's, of an LSTM decoder
SPREAD = 0.7  # of the known words, at which new ones begin around their mean


def source(name: str) -> str:
    """A model as ``config.toml`` names it: found again from any folder."""
    return name if name == BUILT_IN else str(Path(name).resolve())


def opened(name: str) -> Checkpoint:
    """The model of this name, ``BUILT_IN`` or a file or run.

    Raises:
        SketchError: as ``open_model``.
        BadConfig: its latents pass a tanh, which training does not know.
    """
    model = open_model(pretrained.FILE if name == BUILT_IN else name)
    if model.training.get("tanh_z"):
        raise BadConfig(f"--from {name}: its latents pass a tanh, and those of `train` do not")
    return model


def sizes(
    model: Checkpoint, name: str, asked: Mapping[str, Any], words: bool | None
) -> tuple[ModelConfig, bool]:
    """Sizes of a run that starts from a model, and whether its decoder is conditioned on labels.

    Args:
        model: the one to start from.
        name: what messages call it.
        asked: settings of the model that were given.
        words: whether the decoder is to be conditioned on labels; None: as the model.

    Raises:
        BadConfig: the model does not fit.
    """
    for key, value in asked.items():
        found = getattr(model.config, key, value)
        if key == "encoder" and value != found:
            raise BadConfig(f"--from {name}: it has {'an' if found else 'no'} encoder")
        larger = key in GROWING and model.config.cell == "lstm" and value > found
        if key not in FREE and value != found and not larger:
            raise BadConfig(f"--from {name}: its {key} is {found}, and cannot be {value}")
    conditioned = model.config.n_words > 0
    if words is None and "n_words" in asked:
        words = bool(asked["n_words"])
    if words is not None and words != conditioned:
        kind = "conditioned on words" if conditioned else "unconditional"
        raise BadConfig(f"--from {name}: its decoder is {kind}")
    return ModelConfig.from_dict({**asdict(model.config), "n_words": 0, **asked}), conditioned


def new_words(model: Checkpoint, words: Sequence[str]) -> list[str]:
    """Those that the model does not know, in any spelling."""
    known = {fold(word) for word in model.words}
    return [word for word in words if fold(word) not in known]


def ratio(model: Checkpoint, scale_factor: float, preparation: Preparation) -> float:
    """The model unit of a run, in those of the model that it starts from.

    Drawings that were fitted to a box are as large in either. Others have no common unit, and so
    a model unit of one stands for one of the other.
    """
    made = Preparation.from_dict(model.preparation) if model.preparation else None
    if made is None or not (made.fit and preparation.fit):
        return 1.0
    return scale_factor / preparation.box / (model.scale_factor / made.box)


def weights(
    model: Checkpoint, fresh: Weights, words: Sequence[str], ratio: float, seed: int
) -> Weights:
    """Weights with which the run starts: the same function of the same drawings, for known words.

    Args:
        model: the one to start from.
        fresh: weights of the sizes of the run, see ``sizes``; those of units it adds stay.
        words: V of them, those of the run.
        ratio: its model unit, in those of the model.
        seed: of where new words begin.

    Raises:
        BadConfig: the model does not fit.
    """
    result = {name: np.array(model.weights[name]) for name in fresh.keys() & model.weights.keys()}
    if "decoder.words" in fresh:
        result["decoder.words"] = _rows(model, words, seed)
    if model.config.cell == "lstm":
        result |= _grown(model.config, result, fresh)
    wanted = {name: array.shape for name, array in fresh.items()}
    found = {name: array.shape for name, array in result.items()}
    if wrong := [name for name in sorted(wanted) if found.get(name) != wanted[name]]:
        raise BadConfig(f"the model to start from has another {wrong[0]} than this run")
    for name, array in result.items():
        if name.endswith("w_x"):  # small_w_x too; it reads offsets in model units
            array[:2] *= ratio
    first, m = 3 + model.config.n_mixtures, model.config.n_mixtures
    for name in ("decoder.out_w", "decoder.out_b"):
        result[name][..., first : first + 2 * m] /= ratio  # means
    result["decoder.out_b"][first + 2 * m : first + 4 * m] -= np.log(ratio)  # of log sigma
    return result


def _rows(model: Checkpoint, words: Sequence[str], seed: int) -> npt.NDArray[np.float32]:
    """Label embeddings (V + 1, D) of a run: known words have their own."""
    old = model.weights["decoder.words"]
    known = {fold(word): row for word, row in zip(model.words, old[:-1], strict=True)}
    rng = np.random.default_rng(seed)
    mean, spread = old[:-1].mean(0), SPREAD * old[:-1].std(0)
    rows = []
    for word in words:
        begun = mean + spread * rng.normal(size=mean.shape)
        rows.append(known.get(fold(word), begun))
    return np.array([*rows, old[-1]], np.float32)


def _grown(old: ModelConfig, weights: Weights, fresh: Weights) -> Weights:
    """A decoder with units and label dimensions added that do not change what it computes yet.

    Added units read everything and are read by none of the old ones, nor by the output; the added
    dimensions of every label are 0. The weights that they start with are those of ``fresh``.
    """
    h, n = old.decoder_size, len(fresh["decoder.cell.w_h"])
    units = np.arange(h)
    gates, start = (np.concatenate([units + n * k for k in range(count)]) for count in (4, 2))
    places: dict[str, tuple[npt.NDArray[np.intp] | slice, ...]] = {
        "words": (slice(None), slice(old.word_size)),
        "start_w": (slice(old.constant_size), start),
        "start_b": (start,),
        "cell.w_const": (slice(old.constant_size), gates),
        "cell.w_x": (slice(None), gates),
        "cell.b": (gates,),
        "cell.w_h": (slice(h), gates),
        "out_w": (slice(h),),
        "out_b": (slice(None),),
    }
    result = {}
    for name, place in places.items():
        if (key := f"decoder.{name}") in fresh.keys() & weights.keys():
            result[key] = np.array(fresh[key])
            result[key][place] = weights[key]
    if "decoder.words" in result:
        result["decoder.words"][:, old.word_size :] = 0
    result["decoder.cell.w_h"][h:, gates] = 0
    result["decoder.out_w"][h:] = 0
    return result
