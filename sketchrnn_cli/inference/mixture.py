"""The decoder's raw outputs read as a distribution of the next move, in log space.

Symbols: N predictions, M mixtures. Columns of raw outputs: 3 pen logits (down, up, end), then M
each of mixture logits, mean x, mean y, log sigma x, log sigma y, atanh rho.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]

DOWN, UP, END = 0, 1, 2
LOG_2PI = math.log(2 * math.pi)
NODES = 12  # of a quadrature over a square
FLAT = 4  # standard deviations, in widths of the square, from which a density is flat in it


def log_softmax(logits: Array) -> Array:
    """Logarithms of a softmax over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def log_move(raw: Array, moves: Array) -> Array:
    """Log density of a move under the mixture of bivariate normals.

    Args:
        raw: (N, 3 + 6M).
        moves: (N, 2) dx, dy, model units.

    Returns:
        (N,) nats, in raw's precision.

    Source: Ha & Eck 2017, equations 3 to 5; Graves 2013, equations 24 and 25.
    """
    return _log_sum(_log_components(raw, moves))


def log_move_in_pixel(raw: Array, moves: Array, width: float) -> Array:
    """Log of the density of ``log_move`` averaged over a square about each move.

    Args:
        raw: (N, 3 + 6M), float64.
        moves: (N, 2) dx, dy, model units.
        width: of the square, model units.

    Returns:
        (N,) nats; at most -2 log(width), for a square that holds all of the distribution.
    """
    each = _log_components(raw, moves)  # (N, M)
    pi, mean_x, mean_y, log_sx, log_sy, r = np.split(raw[:, 3:], 6, axis=1)
    narrow = log_sy - _log_cosh(r)  # log standard deviation of y given x
    thin = np.minimum(log_sx, narrow) < math.log(FLAT * width)
    x, y = ((moves[:, k : k + 1] - mean)[thin] for k, mean in ((0, mean_x), (1, mean_y)))
    mass = _log_mass(x, y, log_sx[thin], log_sy[thin], r[thin], width)
    each[thin] = log_softmax(pi)[thin] + mass - 2 * math.log(width)
    return _log_sum(each)


def _log_mass(x: Array, y: Array, log_sx: Array, log_sy: Array, r: Array, width: float) -> Array:
    """Log probability of a square at (x, y) from the mean of a bivariate normal; all (K,).

    One coordinate is integrated by quadrature over its own quantiles, so that a Gaussian much
    thinner than the square counts in full; the other one, given the first, exactly.
    """
    from scipy.special import log_ndtr, ndtri_exp  # a tenth of a second: not for sampling

    x, half_x = x * np.exp(-log_sx), width / 2 * np.exp(-log_sx)
    y, half_y = y * np.exp(-log_sy), width / 2 * np.exp(-log_sy)
    other = np.abs(y) - half_y > np.abs(x) - half_x  # first, the one with more to rule out
    x, y = np.where(other, y, x), np.where(other, x, y)
    half_x, half_y = np.where(other, half_y, half_x), np.where(other, half_x, half_y)
    rho = np.where(x > 0, -np.tanh(r), np.tanh(r))[:, None]
    x = -np.abs(x)  # by symmetry in the lower tail, where logarithms are exact
    low, high = log_ndtr(x - half_x), log_ndtr(x + half_x)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    share = np.exp(low - high)[:, None]
    x_at = ndtri_exp(high[:, None] + np.log(share + (1 - share) * (nodes + 1) / 2))
    steepness = np.exp(_log_cosh(r))[:, None]  # 1 / sqrt(1 - rho^2)
    y_at = -np.abs((y[:, None] - rho * x_at) * steepness)
    half = half_y[:, None] * steepness
    below, above = log_ndtr(y_at - half), log_ndtr(y_at + half)
    inner = above + np.log1p(-np.exp(below - above)) + np.log(weights / 2)
    mass: Array = high + np.log1p(-share[:, 0]) + _log_sum(inner)
    return mass


def _log_components(raw: Array, moves: Array) -> Array:
    """Log weight times density of every component, (N, M)."""
    pi, mean_x, mean_y, log_sx, log_sy, r = np.split(raw[:, 3:], 6, axis=1)  # (N, M) each
    x = (moves[:, :1] - mean_x) * np.exp(-log_sx)
    y = (moves[:, 1:2] - mean_y) * np.exp(-log_sy)
    log_cosh = _log_cosh(r)
    across = (x - np.tanh(r) * y) * np.exp(log_cosh)
    result: Array = (
        log_softmax(pi) - LOG_2PI - log_sx - log_sy + log_cosh - 0.5 * (across**2 + y**2)
    )
    return result


def _log_cosh(r: Array) -> Array:
    """-log sqrt(1 - rho^2) of rho = tanh(r), which stays exact where rho rounds to 1."""
    size = np.abs(r)
    result: Array = size + np.log1p(np.exp(-2 * size)) - math.log(2)
    return result


def _log_sum(values: Array) -> Array:
    """Logarithm of the sum of exponentials over the last axis."""
    top = values.max(-1)
    result: Array = top + np.log(np.exp(values - top[..., None]).sum(-1))
    return result


def log_pen(raw: Array, pen: npt.NDArray[np.intp]) -> Array:
    """Log probability of a pen state, (N,) nats; pen: (N,) of 0 down, 1 up, 2 end."""
    result: Array = log_softmax(raw[:, :3])[np.arange(len(pen)), pen]
    return result


def log_likelihood(raw: Array, moves: Array, pen: npt.NDArray[np.intp]) -> Array:
    """Log likelihood of each prediction, (N,) nats: the end of a sketch has no move to score."""
    total = log_move(raw, moves)
    total[pen == END] = 0
    total += log_pen(raw, pen)
    return total
