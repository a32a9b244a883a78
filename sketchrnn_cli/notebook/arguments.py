"""Arguments, checked."""

from __future__ import annotations

import operator

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig

Array = npt.NDArray[np.float32]


def numbers(values: npt.ArrayLike) -> Array:
    """An array of finite numbers; an empty one where there is something else."""
    try:
        with np.errstate(over="ignore"):  # infinite then, and refused
            array = np.array(values, np.float32)
    except (ValueError, TypeError):
        return np.zeros(0, np.float32)
    return array if np.isfinite(array).all() else np.zeros(0, np.float32)


def whole(name: str, value: int, low: int) -> int:
    """A whole number, of numpy too.

    Raises:
        BadConfig: another one, or less than the lowest.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if number < low:
        raise BadConfig(f"{name} must be a whole number from {low} on, not {value!r}")
    return number
