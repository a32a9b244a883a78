"""Between two latents, along several of them, and in a grid between four.

Symbols: N rows, W numbers of a row (a latent, or label shares), F frames, R rows and C columns of
a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference.settings import SIDES

Array = npt.NDArray[np.float32]
T = TypeVar("T")
Blend = Callable[[T, T, float], T]

CORNERS = 4
PARALLEL = 1e-6  # sine of an angle too small to divide by


def lerp(a: npt.ArrayLike, b: npt.ArrayLike, t: float) -> Array:
    """Linear interpolation: the point at fraction t between a and b."""
    start, end = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return cast(Array, ((1 - t) * start + t * end).astype(np.float32))


def slerp(a: npt.ArrayLike, b: npt.ArrayLike, t: float) -> Array:
    """Spherical interpolation: the point at fraction t between a and b, around the origin.

    Direction and length change evenly, so a point between two normal samples is about as long as
    they are. Exact at both ends. Parallel or zero vectors are interpolated linearly; opposite ones
    turn through a direction at right angles that depends on a alone.

    Args:
        a: (Z,).
        b: (Z,).
        t: 0 at a, 1 at b.

    Source: Shoemake 1985; White 2016, "Sampling generative networks", for latents.
    """
    start, end = np.asarray(a, np.float64), np.asarray(b, np.float64)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if not min(lengths) > 0:
        return lerp(start, end, t)
    u, v = start / lengths[0], end / lengths[1]
    across = v - (u @ v) * u  # the part of v at right angles to u
    sine = float(np.linalg.norm(across))
    angle = float(np.arctan2(sine, u @ v))
    if sine < PARALLEL:
        if angle < 1 or len(u) < 2:
            return lerp(start, end, t)
        across = np.zeros_like(u)
        across[np.abs(u).argmin()] = 1
        across -= (across @ u) * u
        sine = float(np.linalg.norm(across))
    direction = np.cos(t * angle) * u + np.sin(t * angle) * (across / sine)
    length = (1 - t) * lengths[0] + t * lengths[1]
    return cast(Array, (length * direction).astype(np.float32))


def frames(n_stops: int, n_frames: int) -> list[tuple[int, int, float]]:
    """Frames along stops: between which two, and at which fraction; the last stop is the last."""
    between = [(k, k + 1, f / n_frames) for k in range(n_stops - 1) for f in range(n_frames)]
    return [*between, (n_stops - 1, n_stops - 1, 0.0)]


def nearest(start: T, end: T, t: float) -> T:
    """What names a frame at fraction t: of two stops the nearer one, halfway the second."""
    return start if t < 0.5 else end


def path(stops: Sequence[T], n_frames: int, blend: Blend[T]) -> list[T]:
    """N stops and the frames between them, (N - 1) * F + 1 in all."""
    each = [blend(stops[a], stops[b], t) for a, b, t in frames(len(stops), n_frames)[:-1]]
    return [*each, stops[-1]]


def check_shape(n_rows: int, n_columns: int) -> None:
    """Refuse grids that are none, or that no page has room for.

    Raises:
        BadConfig: says so.
    """
    low, high = SIDES
    if not (low <= n_rows <= high and low <= n_columns <= high):
        raise BadConfig(
            f"a grid of {n_rows} x {n_columns}: rows and columns must be from {low} to {high}"
        )


def grid(corners: Sequence[T], n_rows: int, n_columns: int, blend: Blend[T]) -> list[T]:
    """R * C cells between four, in reading order."""
    a, b, c, d = corners
    cells = product(np.linspace(0, 1, n_rows), np.linspace(0, 1, n_columns))
    return [blend(blend(a, b, x), blend(c, d, x), y) for y, x in cells]


def corner_places(n_rows: int, n_columns: int) -> tuple[int, int, int, int]:
    """Where the four are in the grid."""
    n = n_rows * n_columns
    return 0, n_columns - 1, n - n_columns, n - 1
