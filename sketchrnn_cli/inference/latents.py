"""Interpolation between latents.

Symbols: N latents, Z latent size.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

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


def path(latents: Array, n_frames: int) -> Array:
    """Frames from each latent to the next, around the origin, and the last one itself.

    Args:
        latents: (N, Z).
        n_frames: frames of each way, its beginning counted and its end not.

    Returns:
        ((N - 1) * n_frames + 1, Z).
    """
    frames = [
        slerp(a, b, k / n_frames)
        for a, b in zip(latents[:-1], latents[1:], strict=True)
        for k in range(n_frames)
    ]
    return np.stack([*frames, *latents[-1:]])


def straight_path(rows: Array, n_frames: int) -> Array:
    """The same frames as ``path``, on straight lines: for shares of words."""
    frames = [
        lerp(a, b, k / n_frames)
        for a, b in zip(rows[:-1], rows[1:], strict=True)
        for k in range(n_frames)
    ]
    return np.stack([*frames, *rows[-1:]])
