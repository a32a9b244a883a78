"""Models of Google's browser demos: ``.gen.json`` (decoder only) and ``.vae.json``. Torch-free.

The file is JSON ``[info, dims, blobs]``: blob i is the base64 of little-endian int16, row-major,
shape ``dims[i]``, and a weight is ``10 * q / 32767``. Their gates stand in the order i, j, f, o
(j the candidate), and the forget bias of 1 is added at run time; ours: i, f, o, j, bias inside.
The inputs of their decoder are the move and then z, in one matrix.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.model.checkpoint import Checkpoint, shapes
from sketchrnn_cli.model.config import ModelConfig

Array = npt.NDArray[np.float32]

N_MIXTURES = 20  # the only number the format knows
N_OUT = 3 + 6 * N_MIXTURES
LARGEST = 10.0  # weight that it can hold
STEP = LARGEST / 32767
VERSION = 6  # decoders of earlier ones are fed tanh of the latent
MAX_BYTES = 48 * 2**20  # the largest real ones have 30 MB
MAX_MARKS = 1000  # brackets and commas; real ones have about 80
MAX_NAME = 1000  # characters
HEAD = 1 << 16  # bytes in which an array of drawings says that it is one
DRAWN = (b'"drawing"', b'"strokes"')
BEGINNING = re.compile(rb"(\xef\xbb\xbf)?\s*\[\s*\{")

# The weights in the order of the file; decoder.cell.w_x with decoder.cell.w_const below it.
GEN = ("decoder.out_w", "decoder.out_b", "decoder.cell.w_x", "decoder.cell.w_h", "decoder.cell.b")
VAE = (
    *(f"encoder.{way}.{part}" for way in ("fw", "bw") for part in ("w_x", "w_h", "b")),
    *("encoder.mu_w", "encoder.mu_b", "encoder.presig_w", "encoder.presig_b"),
    *("decoder.start_w", "decoder.start_b"),
    *GEN,
)
GATED = (".w_x", ".w_h", ".b")  # how the names of weights end whose columns are gates


def is_browser_model(path: Path) -> bool:
    """Whether a file begins as one, and not as an array of drawings, whatever it is called."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:
        return False
    return BEGINNING.match(head) is not None and not any(key in head for key in DRAWN)


def load(path: str | Path) -> Checkpoint:
    """Read a browser model.

    A file before version 6 feeds its decoder tanh of the latent; ``training["tanh_z"]`` says so.

    Raises:
        BadFile: it cannot be read.
        BadCheckpoint: it is not such a model, is damaged, or of a kind the format cannot hold.
    """
    name = str(path)
    try:
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise BadCheckpoint(
                f"{name}: {size >> 20} MB; a browser model has at most {MAX_BYTES >> 20}"
            )
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise BadFile(f"{name}: no such checkpoint") from None
    except OSError as error:
        raise BadFile(f"{name}: cannot be read: {(error.strerror or '').lower()}") from None
    info, dims, blobs = _parse(text, name)
    del text
    decoder_only = info.get("mode") in (2, "gen")
    names = GEN if decoder_only else VAE
    if len(blobs) != len(names):
        kind = "a decoder-only" if decoder_only else "an encoder-decoder"
        raise BadCheckpoint(
            f"{name}: {len(blobs)} arrays, and {kind} browser model has {len(names)} "
            "(plain LSTM only: layer-norm and hyper cells have no such form)"
        )
    version = int(_number(info, "version", name, low=0))
    scale_factor = _number(info, "scale_factor", name, low=1e-6)
    n_max = int(_number(info, "max_seq_len", name, low=1))
    words = _words(info, name)
    arrays = [
        _array(k, shape, blob, name)
        for k, (shape, blob) in enumerate(zip(dims, blobs, strict=True))
    ]
    config = _config(arrays, name, encoder=not decoder_only)
    weights = {
        key: _with_our_gates(key, array) if key.endswith(GATED) else array
        for key, array in zip(names, arrays, strict=True)
    }
    if not decoder_only:
        of_moves, of_z = np.split(weights["decoder.cell.w_x"], [5])
        weights |= {"decoder.cell.w_x": of_moves, "decoder.cell.w_const": of_z}
    return Checkpoint(
        config=config,
        weights=weights,
        scale_factor=scale_factor,
        words=words,
        n_max=n_max,
        preparation=_preparation(info, scale_factor, name),
        training={
            "source": "sketch-rnn-js",
            "version": version,
            "tanh_z": not decoder_only and version < VERSION,
        },
    )


def file_of(checkpoint: Checkpoint) -> tuple[bytes, dict[str, int]]:
    """A browser model: ``.gen.json`` of a model without encoder, ``.vae.json`` of one with.

    Its numbers are within half a step of 10 / 32767 of those of the model, or cut off at 10.

    Returns:
        The file, and how many weights of which array were cut off.

    Raises:
        BadCheckpoint: the format cannot hold the model; the message says why.
    """
    config = checkpoint.config
    for cell in (config.cell, *([config.encoder_cell] if config.encoder else [])):
        if cell != "lstm":
            raise BadCheckpoint(f"its cell is {cell}, and a browser model is a plain lstm")
    if config.n_mixtures != N_MIXTURES:
        raise BadCheckpoint(
            f"it has {config.n_mixtures} mixtures, and a browser model exactly {N_MIXTURES} "
            "(train with --preset base, or n_mixtures = 20 in --config)"
        )
    if config.n_words:
        raise BadCheckpoint("it has several words, and a browser model holds one: fold it in first")
    size = sum(math.prod(shape) for shape in shapes(config).values()) * 8 // 3
    if size > MAX_BYTES - 2**16:
        raise BadCheckpoint(
            f"decoder_size {config.decoder_size}: the file would have {size >> 20} MB, and "
            f"a browser model has at most {MAX_BYTES >> 20}"
        )
    dims: list[list[int]] = []
    blobs: list[str] = []
    cut: dict[str, int] = {}
    for key in VAE if config.encoder else GEN:
        array = checkpoint.weights[key].astype(np.float64)
        if key == "decoder.cell.w_x" and config.encoder:
            array = np.concatenate([array, checkpoint.weights["decoder.cell.w_const"]])
        if key.endswith(GATED):
            array = _with_their_gates(key, array)
        if n := int((np.abs(array) > LARGEST + STEP / 2).sum()):
            cut[key] = n
        stored = np.rint(np.clip(array / LARGEST, -1, 1) * 32767).astype("<i2")
        dims.append(list(stored.shape))
        blobs.append(base64.b64encode(stored.tobytes()).decode())
    tanh_z = bool(checkpoint.training.get("tanh_z"))
    info: dict[str, Any] = {
        "mode": 1 if config.encoder else 2,  # every client takes 2 and "gen" for decoder only
        "version": VERSION - 1 if tanh_z else VERSION,
        "max_seq_len": checkpoint.n_max,
        "name": _name(checkpoint.words),
        "scale_factor": float(checkpoint.scale_factor),
    }
    if checkpoint.preparation not in ({}, _guessed(checkpoint.scale_factor)):
        info["preparation"] = checkpoint.preparation  # ours alone; clients pass over it
    return json.dumps([info, dims, blobs], separators=(",", ":")).encode() + b"\n", cut


def _parse(text: bytes, name: str) -> tuple[dict[str, Any], list[Any], list[Any]]:
    """The three parts, with as many shapes as blobs."""
    whole = BadCheckpoint(f"{name}: not a browser model ([info, dims, blobs] of sketch-rnn-js)")
    if sum(text.count(mark) for mark in (b"[", b"{", b",")) > MAX_MARKS:
        raise whole  # before it is taken apart: ten million empty lists take a gigabyte
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        cut = BEGINNING.match(text)
        hint = f"it is cut short, after {len(text):,} bytes" if cut else "it is not JSON"
        raise BadCheckpoint(f"{name}: not a browser model: {hint}; fetch it again") from None
    if not (
        isinstance(parts, list)
        and [type(part) for part in parts] == [dict, list, list]
        and len(parts[1]) == len(parts[2])
    ):
        raise whole
    info, dims, blobs = parts
    return info, dims, blobs


def _array(k: int, shape: object, blob: object, name: str) -> Array:
    if not (
        isinstance(shape, list)
        and len(shape) in (1, 2)
        and all(type(size) is int and 1 <= size <= 65536 for size in shape)
    ):
        raise BadCheckpoint(f"{name}: array {k} has no shape: {str(shape)[:60]}")
    try:
        if not isinstance(blob, str):
            raise ValueError
        data = base64.b64decode(blob, validate=True)
    except (ValueError, binascii.Error):
        raise BadCheckpoint(f"{name}: array {k} is not base64; fetch the file again") from None
    if len(data) != 2 * math.prod(shape):
        raise BadCheckpoint(
            f"{name}: array {k} has {len(data):,} bytes, and its shape {shape} takes "
            f"{2 * math.prod(shape)}; fetch the file again"
        )
    return np.frombuffer(data, "<i2").reshape(shape) * np.float32(STEP)


def _number(info: dict[str, Any], key: str, name: str, *, low: float) -> float:
    value = info.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= 1e9:
        raise BadCheckpoint(
            f"{name}: {key} is {repr(value)[:60]}, and must be a number from {low:g} on"
        )
    return float(value)


def _preparation(info: dict[str, Any], scale_factor: float, name: str) -> dict[str, Any]:
    """How training drawings were made, as ``file_of`` wrote it; else a guess."""
    found = info.get("preparation")
    if found is None:
        return _guessed(scale_factor)
    if not isinstance(found, dict):
        raise BadCheckpoint(f"{name}: preparation is {repr(found)[:60]}, and must be an object")
    return found


def _guessed(scale_factor: float) -> dict[str, Any]:
    """How drawings are made for a model that does not say what it was trained on.

    The larger extent of the drawings in Google's sketch-rnn sets is 7.8 to 9.7 scale factors, and
    of Quick, Draw!'s simplified ones, fitted to 255 pixels, 7 to 9. Those sets leave the place of
    the first point out.
    """
    return {
        "fit": True,
        "simplified": True,
        "epsilon": 2.0,
        "max_points": 250,
        "min_points": 1,
        "clip": 1000.0,
        "box": round(8.5 * scale_factor, 3),
        "from_origin": True,
    }


def _words(info: dict[str, Any], name: str) -> tuple[str, ...]:
    """What the model draws: any text, or nothing."""
    value = info.get("name")
    if value is None or value == "":
        return ()
    if not isinstance(value, str) or len(value) > MAX_NAME or not _is_text(value):
        raise BadCheckpoint(f"{name}: its name is not a text of at most {MAX_NAME} characters")
    return (value,)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _name(words: tuple[str, ...]) -> str:
    if len(words) == 1:
        return words[0][:MAX_NAME]
    return textwrap.shorten(", ".join(words), MAX_NAME, placeholder=" ...")


def _config(arrays: list[Array], name: str, *, encoder: bool) -> ModelConfig:
    """Sizes of the network, after checking every shape against the others."""
    names = VAE if encoder else GEN
    place = {key: k for k, key in enumerate(names)}
    out_w = arrays[place["decoder.out_w"]]
    if out_w.ndim != 2 or out_w.shape[1] != N_OUT:
        found = out_w.shape[-1]
        what = f"{(found - 3) // 6} mixtures" if (found - 3) % 6 == 0 else f"{found} outputs"
        raise BadCheckpoint(f"{name}: {what}; a browser model has exactly {N_MIXTURES} mixtures")
    sizes: dict[str, Any] = {"decoder_size": _size(arrays, place["decoder.cell.w_h"], name)}
    if encoder:
        sizes["encoder_size"] = _size(arrays, place["encoder.fw.w_h"], name)
        sizes["latent_size"] = arrays[place["encoder.mu_w"]].shape[-1]
    try:
        config = ModelConfig(encoder=encoder, n_mixtures=N_MIXTURES, **sizes)
    except BadConfig as error:
        raise BadCheckpoint(f"{name}: {error}") from None
    wanted = shapes(config)
    if encoder:
        wanted["decoder.cell.w_x"] = (5 + config.latent_size, 4 * config.decoder_size)
    for k, key in enumerate(names):
        if arrays[k].shape != wanted[key]:
            raise BadCheckpoint(
                f"{name}: array {k} has shape {list(arrays[k].shape)}, and should have "
                f"{list(wanted[key])} beside the others"
            )
    return config


def _size(arrays: list[Array], k: int, name: str) -> int:
    """Hidden size, from a recurrent matrix (H, 4H)."""
    shape = arrays[k].shape
    if len(shape) != 2 or shape[1] != 4 * shape[0]:
        raise BadCheckpoint(
            f"{name}: array {k} has shape {list(shape)}, not [H, 4H] of a plain LSTM; "
            "other cells have no such form"
        )
    return int(shape[0])


def _with_our_gates(key: str, array: Array) -> Array:
    i, j, f, o = np.split(array, 4, axis=-1)
    return np.concatenate([i, f + 1 if key.endswith(".b") else f, o, j], axis=-1)


def _with_their_gates(key: str, array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    i, f, o, j = np.split(array, 4, axis=-1)
    return np.concatenate([i, j, f - 1 if key.endswith(".b") else f, o], axis=-1)
