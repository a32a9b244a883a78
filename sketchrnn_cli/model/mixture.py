"""The decoder's answer: where the pen goes next, and whether it is down, up or done.

Letters: R rows, M mixtures.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor


class Mixture(NamedTuple):
    """Distribution of the next pen move at every row; (R, M) unless noted."""

    log_pi: Tensor  # log weights; exp sums to 1 over M
    mean_x: Tensor  # model units
    mean_y: Tensor
    log_std_x: Tensor
    log_std_y: Tensor
    atanh_rho: Tensor  # correlation of dx and dy is its tanh
    pen: Tensor  # (R, 3) logits: down, up, end


def mixture_of(outputs: Tensor) -> Mixture:
    """Read the network's output columns.

    Args:
        outputs: (R, 3 + 6M): pen logits, then M each of pi logits, mean x, mean y, log sigma x,
            log sigma y, atanh rho.

    Source: Ha & Eck 2017, equations 3 to 6.
    """
    pen = outputs[:, :3]
    pi, mean_x, mean_y, log_std_x, log_std_y, atanh_rho = outputs[:, 3:].chunk(6, dim=1)
    return Mixture(pi.log_softmax(1), mean_x, mean_y, log_std_x, log_std_y, atanh_rho, pen)


def log_density(mixture: Mixture, offsets: Tensor) -> Tensor:
    """Log probability density of pen offsets, exact in log space.

    Args:
        mixture: of R rows.
        offsets: (R, 2) dx, dy in model units.

    Returns:
        (R,) nats.

    Source: Graves 2013 (arXiv 1308.0850), equations 24 and 25; 1 - tanh(a)^2 = 1 / cosh(a)^2, so
    that a correlation near 1 stays finite.
    """
    u = (offsets[:, :1] - mixture.mean_x) * (-mixture.log_std_x).exp()  # (R, M)
    v = (offsets[:, 1:] - mixture.mean_y) * (-mixture.log_std_y).exp()
    a = mixture.atanh_rho.abs()
    log_cosh = a + (-2 * a).exp().log1p() - math.log(2)  # -log sqrt(1 - rho^2)
    # (u^2 + v^2 - 2 rho u v) / (1 - rho^2), without 1 - rho^2
    cosh, sinh = mixture.atanh_rho.cosh(), mixture.atanh_rho.sinh()
    distance = u.square() + (v * cosh - u * sinh).square()
    log_normal = (
        log_cosh - math.log(2 * math.pi) - mixture.log_std_x - mixture.log_std_y - distance / 2
    )
    return (mixture.log_pi + log_normal).logsumexp(1)
