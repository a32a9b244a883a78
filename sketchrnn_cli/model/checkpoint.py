"""One self-describing safetensors file: weights, and in its metadata all a user of them needs.

Weights by name. Symbols: H decoder size, E encoder size, Z latent size, V vocabulary size, D label
embedding size, C = Z + D (either alone where a model has but one), K and M mixture components. A
vector stands left of its matrix, ``x @ w``. Columns of the 4H (4E) gates: i, f, o, j; the forget
bias of 1 is inside ``b``.

    encoder.fw.w_x (5, 4E)   encoder.fw.w_h (E, 4E)   encoder.fw.b (4E)     and encoder.bw.*
    encoder.mu_w (2E, Z)  encoder.mu_b (Z)  encoder.presig_w (2E, Z)  encoder.presig_b (Z)
    decoder.words (V + 1, D): the label embedding; the last row is the null label (unconditional)
    decoder.start_w (C, 2H)  decoder.start_b (2H): tanh of it is c, then h
    decoder.cell.w_x (5, 4H)  decoder.cell.w_const (C, 4H): of the conditioning vector
    decoder.cell.w_h (H, 4H)  decoder.cell.b (4H)
    decoder.out_w (H, 3 + 6M)  decoder.out_b (3 + 6M): 3 pen logits (down, up, end), then M each
        of mixture logits, mean x, mean y, log sigma x, log sigma y, atanh rho

A cell with layer normalisation has ``gain`` (4H), ``cell_gain`` (H) and ``cell_b`` (H) besides,
and ``b`` and ``gain`` come after the gates are normalised. A hyper cell has in addition what
``gates.HyperWeights`` lists (Y hidden units, D numbers per embedding), and its start state is c, h,
and those of its small network: ``decoder.start_w`` (C, 2H + 2Y).

A model of ``train`` with an encoder also has a latent prior, a Gaussian mixture per label (a model
without words has one): ``latent.share`` (V), ``latent.weight`` (V, K), ``latent.mean`` (V, K, Z)
and ``latent.scale`` (V, Z, Z), lower triangular. A drawing is of label w with probability
share[w], and z = mean[w, k] + scale[w] e with probability weight[w, k], e from N(0, I).
A decoder-only model has no ``encoder.*``, an unconditional one no ``decoder.words``; one that is
both has no ``decoder.start_*`` and no ``decoder.cell.w_const``, and starts from zeros.
A model of words may have a recogniser of these, ``recogniser.*`` as ``model.recogniser`` lists
them, float16 in the file, and matrices may be int8, see ``int8``; such a file is of format version
3, and others of version 2.
The metadata ends in a checksum of all the rest, which the first files do not have. Torch-free.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.model import int8, recogniser, tensor_file
from sketchrnn_cli.model.config import ModelConfig

# 1: no decoder.words; of latents nothing, or latent.mean (Z) and latent.scale (Z, Z), or one
# Gaussian per word with one latent.scale; before `train` was there, no "cell" in names
# 2: no recogniser.*, no int8
FORMAT_VERSION = 3
FILE_NAME = "model.safetensors"
MAX_LATENT_NUMBERS = 1 << 26  # of latent.scale, where one stands for every word
LARGEST_WEIGHT = 1e6  # trained ones are below 100; products of larger ones overflow
LARGEST_SCALE = 1e9  # data units per model unit; the smallest is one by it
MAX_POINTS = 10**9  # of a drawing
PROBABILITIES = ("latent.share", "latent.weight")

Weights = dict[str, npt.NDArray[np.float32]]
Numbers = Literal["float32", "float16", "int8"]  # in which a file holds the weights


class NewerModel(BadCheckpoint):
    """A model that a later version of this program wrote: not corrupt, and never overwritten."""


KIND = tensor_file.Kind("sketchrnn", FORMAT_VERSION, "checkpoint", "`train`", NewerModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained network and what is needed to use it."""

    config: ModelConfig
    weights: Weights
    scale_factor: float  # data units per model unit
    words: tuple[str, ...] = ()
    n_max: int = 250  # longest training sketch, points
    preparation: dict[str, Any] = field(default_factory=dict)  # how training drawings were made
    training: dict[str, Any] = field(default_factory=dict)  # step, seed, validation losses

    @property
    def counts(self) -> list[int]:
        """Training drawings of each word, as far as the file says; else 1 of each."""
        found = self.training.get("counts")
        wanted = len(self.words)
        if (
            isinstance(found, list)
            and len(found) == wanted
            and all(type(n) is int and 0 <= n < 2**53 for n in found)
            and any(found)
        ):
            return found
        return [1] * wanted


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight of a network of these sizes."""
    e, z, h = config.encoder_size, config.latent_size, config.decoder_size
    constant = config.constant_size
    n_out = 3 + 6 * config.n_mixtures
    result: dict[str, tuple[int, ...]] = {}
    if config.encoder:
        for direction in ("fw", "bw"):
            for name, shape in _cell_shapes(config.encoder_cell, config, e, 0).items():
                result[f"encoder.{direction}.{name}"] = shape
        for name in ("mu", "presig"):
            result[f"encoder.{name}_w"] = (2 * e, z)
            result[f"encoder.{name}_b"] = (z,)
    if config.n_words:
        result["decoder.words"] = (config.n_words + 1, config.word_size)
    if constant:
        result["decoder.start_w"] = (constant, config.start_size)
        result["decoder.start_b"] = (config.start_size,)
    for name, shape in _cell_shapes(config.cell, config, h, constant).items():
        result[f"decoder.cell.{name}"] = shape
    result["decoder.out_w"] = (h, n_out)
    result["decoder.out_b"] = (n_out,)
    return result


def _cell_shapes(
    cell: str, config: ModelConfig, h: int, constant: int
) -> dict[str, tuple[int, ...]]:
    """Weights of a recurrent cell of h hidden units and so many constant inputs."""
    result: dict[str, tuple[int, ...]] = {"w_const": (constant, 4 * h)} if constant else {}
    result |= {"w_x": (5, 4 * h), "w_h": (h, 4 * h), "b": (4 * h,)}
    if cell != "lstm":
        result |= {"gain": (4 * h,), "cell_gain": (h,), "cell_b": (h,)}
    if cell == "hyper":
        y, d = config.hyper_size, config.hyper_embedding
        result |= {
            "sum_b": (4 * h,),
            "small_w_x": (5, 4 * y),
            "small_w_y": (h, 4 * y),
            "small_w_h": (y, 4 * y),
            "small_gain": (4 * y,),
            "small_b": (4 * y,),
            "small_cell_gain": (y,),
            "small_cell_b": (y,),
            "embed_w": (y, 12 * d),
            "embed_b": (8 * d,),
            "scale_w": (12, d, h),
        }
        if constant:
            result["small_w_const"] = (constant, 4 * y)
    return result


def latent_shapes(config: ModelConfig, n_words: int, k: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of a latent prior of k components per word; a wordless model has one row."""
    if not config.encoder:
        return {}
    w, z = max(n_words, 1), config.latent_size
    return {
        "latent.share": (w,),
        "latent.weight": (w, k),
        "latent.mean": (w, k, z),
        "latent.scale": (w, z, z),
    }


def save(path: Path, checkpoint: Checkpoint, *, numbers: Numbers = "float32") -> None:
    """Write the file whole or not at all.

    Args:
        path: the file.
        checkpoint: the model.
        numbers: float16 is half the size, with 3 digits of each number; int8
            a fourth, see ``int8``.

    Raises:
        BadFile: it cannot be written.
        BadConfig: a number is too large for float16.
        BadCheckpoint: ``load`` would refuse the file.
    """
    tensor_file.write(path, file_of(checkpoint, numbers=numbers, name=str(path)))


def file_of(
    checkpoint: Checkpoint, *, numbers: Numbers = "float32", name: str = "the model"
) -> bytes:
    """What ``save`` writes; the name is for messages."""
    _check(checkpoint, name)
    arrays: tensor_file.Arrays = dict(checkpoint.weights)
    if numbers == "int8":
        arrays = int8.pack(checkpoint.weights)
    elif numbers == "float16":
        arrays = {key: int8.halved(key, array) for key, array in checkpoint.weights.items()}
    else:
        arrays |= {key: int8.halved(key, a) for key, a in recogniser.of(checkpoint.weights).items()}
    metadata = {
        "format": KIND.format,
        "format_version": str(3 if numbers == "int8" or recogniser.of(arrays) else 2),
        "config": json.dumps(asdict(checkpoint.config)),
        "scale_factor": repr(float(checkpoint.scale_factor)),
        "words": json.dumps(list(checkpoint.words)),
        "n_max": str(checkpoint.n_max),
        "preparation": json.dumps(checkpoint.preparation),
        "training": json.dumps(checkpoint.training),
    }
    metadata["checksum"] = tensor_file.checksum(arrays, metadata)
    return tensor_file.to_bytes(arrays, metadata)


def load(source: str | Path) -> Checkpoint:
    """Read a checkpoint, or the best one of a run folder; ``load.open_model`` reads more.

    Raises:
        BadFile: no such file or folder.
        BadCheckpoint: not a sketchrnn checkpoint, or damaged.
        NewerModel: of a newer version.
    """
    path = Path(source)
    if path.is_dir():
        run, path = path, path / FILE_NAME
        if not path.is_file():
            raise BadFile(f"{run}: no {FILE_NAME} in this folder; is it a run of `train`?")
    if not path.is_file():
        found = files.missing(path, "checkpoint")
        kinds = "; a run folder of `train` is one, or a .safetensors file"
        raise BadFile(found if "did you mean" in found else found + kinds)
    return from_bytes(tensor_file.read(path), name=str(path))


def from_bytes(data: bytes, *, name: str) -> Checkpoint:
    """Inverse of ``file_of``; the name is for messages.

    Raises:
        BadCheckpoint: as ``load``.
    """
    arrays, metadata = tensor_file.from_bytes(data, KIND, name=name)
    tensor_file.check(arrays, metadata, KIND, name=name)
    arrays = int8.unpack(arrays, LARGEST_WEIGHT, name=name)
    for key, array in arrays.items():
        if array.dtype.kind != "f":
            raise BadCheckpoint(f"{name}: weight {key} is {array.dtype}, and should be float32")
    try:
        words = json.loads(metadata["words"])
        if not isinstance(words, list):
            raise TypeError(f"words is {json.dumps(words)[:60]}, and should be a list")
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            weights = {key: np.asarray(value, np.float32) for key, value in arrays.items()}
        checkpoint = Checkpoint(
            config=ModelConfig.from_dict(json.loads(metadata["config"])),
            weights=_upgraded(weights, len(words)),
            scale_factor=float(metadata["scale_factor"]),
            words=tuple(words),
            n_max=int(metadata["n_max"]),
            preparation=dict(json.loads(metadata["preparation"])),
            training=dict(json.loads(metadata["training"])),
        )
    except BadConfig as error:
        raise BadCheckpoint(f"{name}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadCheckpoint(f"{name}: damaged checkpoint: bad metadata: {error}") from None
    _check(checkpoint, name)
    return checkpoint


def _upgraded(weights: Weights, n_words: int) -> Weights:
    """Weights of format version 1 under the names and shapes of this one; others as they are."""
    for name in ("w_x", "w_h", "w_const", "b"):
        if (old := f"decoder.{name}") in weights:
            weights = {**weights, f"decoder.cell.{name}": weights[old]}
            del weights[old]
    mean, scale = weights.get("latent.mean"), weights.get("latent.scale")
    if "latent.weight" in weights or mean is None or scale is None or scale.ndim != 2:
        return weights
    n_rows = len(mean) if mean.ndim == 2 else max(n_words, 1)
    if n_rows * scale.size > MAX_LATENT_NUMBERS:  # refused for its shape
        return weights
    if mean.ndim == 1 and "latent.share" not in weights:  # one Gaussian for all words
        mean = np.repeat(mean[None], n_rows, axis=0)
        weights = weights | {"latent.share": np.full(n_rows, 1 / n_rows, np.float32)}
    if mean.ndim != 2:
        return weights
    return weights | {
        "latent.weight": np.ones((len(mean), 1), np.float32),
        "latent.mean": mean[:, None],
        "latent.scale": np.repeat(scale[None], len(mean), axis=0),
    }


def _check(checkpoint: Checkpoint, name: str) -> None:
    """Refuse what no model is: before it is written, and after it is read."""
    config, words = checkpoint.config, checkpoint.words
    for word in words:
        if not isinstance(word, str) or word != word.encode(errors="replace").decode():
            raise BadCheckpoint(f"{name}: damaged checkpoint: {ascii(word)[:60]} is not a word")
    if config.n_words not in (0, len(words)):
        raise BadCheckpoint(
            f"{name}: damaged checkpoint: {len(words)} words, and label embeddings for "
            f"{config.n_words}"
        )
    if not 1 <= checkpoint.n_max <= MAX_POINTS:
        raise BadCheckpoint(f"{name}: n_max {checkpoint.n_max:,} is not from 1 to {MAX_POINTS:,}")
    if not 1 / LARGEST_SCALE <= checkpoint.scale_factor <= LARGEST_SCALE:
        raise BadCheckpoint(
            f"{name}: scale factor {checkpoint.scale_factor:g} is not from {1 / LARGEST_SCALE:g} "
            f"to {LARGEST_SCALE:g}"
        )
    _check_weights(checkpoint, name)


def _check_weights(checkpoint: Checkpoint, name: str) -> None:
    weights, wanted = checkpoint.weights, shapes(checkpoint.config)
    k = weights.get("latent.weight", np.empty((0, 1))).shape[-1:]
    optional = latent_shapes(checkpoint.config, len(checkpoint.words), *(k or (1,)))
    if optional.keys() & weights.keys():
        wanted |= optional
    if recogniser.of(weights):
        wanted |= recogniser.shapes(len(checkpoint.words))
    if missing := wanted.keys() - weights.keys():
        raise BadCheckpoint(f"{name}: damaged checkpoint: no weight {sorted(missing)[0]}")
    if extra := weights.keys() - wanted.keys():
        raise BadCheckpoint(f"{name}: unknown weight {sorted(extra)[0]}")
    for key, shape in wanted.items():
        found = weights[key]
        if found.shape != shape:
            raise BadCheckpoint(f"{name}: weight {key} is {found.shape}, and should be {shape}")
        ends = found.min(initial=0), found.max(initial=0)  # NaN, where one is in it
        if not np.isfinite(ends).all():
            raise BadCheckpoint(f"{name}: weight {key} holds a number that is not finite")
        highest = recogniser.LARGEST if key.startswith(recogniser.PREFIX) else LARGEST_WEIGHT
        if (largest := max(-ends[0], ends[1])) > highest:
            raise BadCheckpoint(f"{name}: weight {key} holds {largest:g}; damaged?")
        if key in PROBABILITIES and (ends[0] < 0 or not found.any(-1).all()):
            raise BadCheckpoint(f"{name}: weight {key} holds no probabilities")
