"""Models of Google's browser demos: ``.gen.json`` (decoder only) and ``.vae.json``. Torch-free.

The file is JSON ``[info, dims, blobs]``: blob i is the base64 of little-endian int16, row-major,
shape ``dims[i]``, and a weight is ``10 * q / 32767``. Their gates stand in the order i, j, f, o
(j the candidate), and the forget bias of 1 is added at run time; ours: i, f, o, j, bias inside.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.model.checkpoint import Checkpoint, Weights
from sketchrnn_cli.model.config import ModelConfig

Array = npt.NDArray[np.float32]

N_MIXTURES = 20  # the only number the format knows
N_OUT = 3 + 6 * N_MIXTURES
MAX_BYTES = 256 * 2**20  # the largest real ones have 30 MB
LATENT = ("mu_w", "mu_b", "presig_w", "presig_b")


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
            raise BadCheckpoint(f"{name}: {size >> 20} MB; a browser model has at most 256")
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise BadFile(f"{name}: no such checkpoint") from None
    except OSError as error:
        raise BadFile(f"{name}: cannot be read: {(error.strerror or '').lower()}") from None
    info, arrays = _parse(text, name)
    decoder_only = info.get("mode") in (2, "gen")
    wanted = 5 if decoder_only else 17
    if len(arrays) != wanted:
        kind = "decoder-only" if decoder_only else "encoder-decoder"
        raise BadCheckpoint(
            f"{name}: {len(arrays)} arrays, and a {kind} browser model has {wanted} "
            "(plain LSTM only: layer-norm and hyper cells have no such form)"
        )
    version = info.get("version", 0)
    if isinstance(version, bool) or not isinstance(version, int | float):
        raise BadCheckpoint(f"{name}: version {version!r} is not a number")
    weights, config = (_decoder_only if decoder_only else _vae)(arrays, name)
    return Checkpoint(
        config=config,
        weights=weights,
        scale_factor=_number(info, "scale_factor", name),
        words=(str(info["name"]),) if info.get("name") else (),
        n_max=int(_number(info, "max_seq_len", name)),
        training={
            "source": "sketch-rnn-js",
            "version": version,
            "tanh_z": not decoder_only and version < 6,
        },
    )


def _parse(text: bytes, name: str) -> tuple[dict[str, Any], list[Array]]:
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        cut = text[:3] == b'[{"'
        hint = f"it is cut short, after {len(text)} bytes" if cut else "it is not JSON"
        raise BadCheckpoint(f"{name}: not a browser model: {hint}; fetch it again") from None
    if not (
        isinstance(parts, list)
        and [type(part) for part in parts] == [dict, list, list]
        and len(parts[1]) == len(parts[2])
    ):
        raise BadCheckpoint(f"{name}: not a browser model ([info, dims, blobs] of sketch-rnn-js)")
    info, dims, blobs = parts
    return info, [
        _array(k, shape, blob, name)
        for k, (shape, blob) in enumerate(zip(dims, blobs, strict=True))
    ]


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
            f"{name}: array {k} has {len(data)} bytes, and its shape {shape} takes "
            f"{2 * math.prod(shape)}; fetch the file again"
        )
    return np.frombuffer(data, "<i2").reshape(shape) * np.float32(10 / 32767)


def _number(info: dict[str, Any], key: str, name: str) -> float:
    value = info.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise BadCheckpoint(f"{name}: {key} is {value!r}, and must be a positive number")
    return float(value)


def _decoder_only(arrays: list[Array], name: str) -> tuple[Weights, ModelConfig]:
    out_w, out_b, w_x, w_h, b = arrays
    _expect_mixtures(out_w, name)
    h = _size(w_h, name, 3)
    _expect(name, {0: (h, N_OUT), 1: (N_OUT,), 2: (5, 4 * h), 4: (4 * h,)}, arrays)
    config = _config(name, encoder=False, decoder_size=h)
    return {
        **_lstm("decoder.cell", w_x, w_h, b),
        "decoder.out_w": out_w,
        "decoder.out_b": out_b,
    }, config


def _vae(arrays: list[Array], name: str) -> tuple[Weights, ModelConfig]:
    _expect_mixtures(arrays[12], name)
    e, h = _size(arrays[1], name, 1), _size(arrays[15], name, 15)
    z = arrays[6].shape[-1]
    shapes = (
        *((5, 4 * e), (e, 4 * e), (4 * e,)) * 2,
        *((2 * e, z), (z,)) * 2,
        *((z, 2 * h), (2 * h,)),
        *((h, N_OUT), (N_OUT,)),
        *((5 + z, 4 * h), (h, 4 * h), (4 * h,)),
    )
    _expect(name, dict(enumerate(shapes)), arrays)
    config = _config(name, encoder_size=e, latent_size=z, decoder_size=h)
    w_x = arrays[14]
    return {
        **_lstm("encoder.fw", *arrays[0:3]),
        **_lstm("encoder.bw", *arrays[3:6]),
        **{f"encoder.{key}": array for key, array in zip(LATENT, arrays[6:10], strict=True)},
        "decoder.start_w": arrays[10],
        "decoder.start_b": arrays[11],
        "decoder.out_w": arrays[12],
        "decoder.out_b": arrays[13],
        **_lstm("decoder.cell", w_x[:5], *arrays[15:17]),
        "decoder.cell.w_const": _gates(w_x[5:]),
    }, config


def _lstm(prefix: str, w_x: Array, w_h: Array, b: Array) -> Weights:
    bias = _gates(b)
    size = len(bias) // 4
    bias[size : 2 * size] += 1
    return {f"{prefix}.w_x": _gates(w_x), f"{prefix}.w_h": _gates(w_h), f"{prefix}.b": bias}


def _gates(columns: Array) -> Array:
    """Gate columns i, j, f, o in our order i, f, o, j; a copy."""
    i, j, f, o = np.split(columns, 4, axis=-1)
    return np.concatenate([i, f, o, j], axis=-1)


def _size(w_h: Array, name: str, k: int) -> int:
    """Hidden size, from a recurrent matrix (H, 4H)."""
    if w_h.ndim != 2 or w_h.shape[1] != 4 * w_h.shape[0]:
        raise BadCheckpoint(
            f"{name}: array {k} has shape {list(w_h.shape)}, not [H, 4H] of a plain LSTM; "
            "other cells have no such form"
        )
    return int(w_h.shape[0])


def _expect_mixtures(out_w: Array, name: str) -> None:
    if out_w.ndim != 2 or out_w.shape[1] != N_OUT:
        found = out_w.shape[-1]
        what = f"{(found - 3) // 6} mixtures" if (found - 3) % 6 == 0 else f"{found} outputs"
        raise BadCheckpoint(f"{name}: {what}; a browser model has exactly {N_MIXTURES} mixtures")


def _expect(name: str, shapes: dict[int, tuple[int, ...]], arrays: list[Array]) -> None:
    for k, shape in shapes.items():
        if arrays[k].shape != shape:
            raise BadCheckpoint(
                f"{name}: array {k} has shape {list(arrays[k].shape)}, and should have "
                f"{list(shape)} beside the others"
            )


def _config(name: str, **sizes: Any) -> ModelConfig:
    try:
        return ModelConfig(n_mixtures=N_MIXTURES, **sizes)
    except BadConfig as error:
        raise BadCheckpoint(f"{name}: {error}") from None
