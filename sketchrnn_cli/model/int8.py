"""Weights as a file of format version 3 holds them: matrices of 8-bit integers, the rest float16.

The recurrent and conditioning matrices NAME (..., columns) are int8, and ``NAME.scale`` (columns),
float32, says what 1 stands for in each column; so are the larger matrices of the recogniser. Output
heads, start states, embeddings and biases lose too much that way, and are float16. Of
``latent.scale`` (V, Z, Z) only the lower triangle is there, row by row: (V, Z (Z + 1) / 2), with
one scale for each of its places. Torch-free.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.model.tensor_file import Arrays

MATRICES = re.compile(
    r"(encoder\.[fb]w|decoder\.cell)\.(small_)?w_(h|y|const)"
    r"|recogniser\.((strokes|picture)[12]|hidden|words)_w"
)
TRIANGLES = "latent.scale"
SUFFIX = ".scale"
LARGEST = 127
SMALLEST_SCALE = 2.0**-21  # 8 times float16's smallest number, see ``_scales``


def pack(weights: dict[str, npt.NDArray[np.float32]]) -> Arrays:
    """Weights as they are stored.

    Raises:
        BadConfig: a number is too large for float16.
    """
    arrays: Arrays = {}
    for name, array in weights.items():
        if name == TRIANGLES and not np.triu(array, 1).any():
            rows, columns = np.tril_indices(array.shape[-1])
            array = array[:, rows, columns]
        elif not MATRICES.fullmatch(name):
            arrays[name] = halved(name, array)
            continue
        scales = _scales(array)
        arrays[name] = np.rint(array / scales).astype(np.int8)
        arrays[name + SUFFIX] = scales
    return arrays


def unpack(arrays: Arrays, largest: float, *, name: str) -> Arrays:
    """Inverse of ``pack``, as float32; what holds no int8 is left as it is.

    Args:
        arrays: of a file.
        largest: what no weight may exceed.
        name: of the file, for messages.

    Raises:
        BadCheckpoint: int8 without scales, or with such as were never written.
    """
    result = dict(arrays)
    for key, array in arrays.items():
        if array.dtype != np.int8:
            continue
        scales = result.pop(key + SUFFIX, None)
        if scales is None:
            raise BadCheckpoint(f"{name}: weight {key} is int8, and there is no {key}{SUFFIX}")
        wanted = array.shape[-1:]
        if array.ndim < 2 or scales.shape != wanted or scales.dtype != np.float32:
            raise BadCheckpoint(
                f"{name}: {key}{SUFFIX} is {scales.dtype} {scales.shape}, and should be one "
                f"float32 for each column of {array.shape}"
            )
        if not ((scales >= 0) & (scales <= largest / LARGEST)).all():  # nor is NaN
            raise BadCheckpoint(f"{name}: {key}{SUFFIX} is not from 0 to {largest / LARGEST:g}")
        result[key] = array * scales
    if TRIANGLES in result and "latent.weight" in result and result[TRIANGLES].ndim == 2:
        result[TRIANGLES] = _squares(result[TRIANGLES], name)
    return result


def halved(name: str, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """As float16.

    Raises:
        BadConfig: a number is too large for it.
    """
    if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise BadConfig(f"{name} holds a number too large for float16")
    return array.astype(np.float16)


def _scales(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What 1 stands for in every column, the least with three bits behind the point.

    Then every number is one of float16 too. A column of whole multiples of the next or the one
    after, as of a file that was read, keeps that: what was packed once is packed the same again.
    """
    columns = np.abs(array).reshape(-1, array.shape[-1])
    least = np.maximum(columns.max(0, initial=0) / LARGEST, SMALLEST_SCALE)
    mantissa, exponent = np.frexp(least)
    sixteenths = np.ceil(mantissa * 16)
    scales: npt.NDArray[np.float32] = np.ldexp(sixteenths / 16, exponent).astype(np.float32)
    for more in (2, 1, 0):
        steps = sixteenths + more
        steps += np.maximum(steps - 16, 0)  # beyond 1 they are twice as long
        tried = np.ldexp(steps / 16, exponent).astype(np.float32)
        exact = (np.rint(columns / tried) * tried == columns).all(0)
        scales = np.where(exact, tried, scales)
    return scales


def _squares(triangles: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    """Lower triangles (V, Z (Z + 1) / 2) as matrices (V, Z, Z)."""
    n_rows, n = triangles.shape
    size = int(np.sqrt(2 * n))
    if size * (size + 1) != 2 * n:
        raise BadCheckpoint(f"{name}: weight {TRIANGLES} is {triangles.shape}: no triangles")
    result = np.zeros((n_rows, size, size), np.float32)
    begin = 0
    for row in range(size):  # by slices: a third of the time of an index of all
        result[:, row, : row + 1] = triangles[:, begin : begin + row + 1]
        begin += row + 1
    return result
