"""The decoder's predictions, and what training minimises.

Symbols: N sketches, R rows (all moves and ends), H decoder size, M mixtures, Z latent size.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sketchrnn_cli.model.onednn import StepWeights

END = 2  # pen class
BLOCK = 2048  # rows whose loss is computed together on a CPU
# Of |atanh rho|: rho beyond it is 1 in float64 too, and cosh of it, squared, overflows in float32
MAX_ATANH_RHO = 20.0


class Mixture(NamedTuple):
    """Predicted distribution of the next pen move at every row; (R, M) unless noted."""

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

    Values and gradients are finite in float32 for any correlation: 1 - tanh(a)^2 = 1 / cosh(a)^2,
    and a is cut off at +-MAX_ATANH_RHO.

    Source: Graves 2013 (arXiv 1308.0850), equations 24 and 25.
    """
    u = (offsets[:, :1] - mixture.mean_x) * (-mixture.log_std_x).exp()  # (R, M)
    v = (offsets[:, 1:] - mixture.mean_y) * (-mixture.log_std_y).exp()
    a = mixture.atanh_rho.clamp(-MAX_ATANH_RHO, MAX_ATANH_RHO)
    cosh, sinh = a.cosh(), a.sinh()
    log_cosh = cosh.log()  # -log sqrt(1 - rho^2)
    # (u^2 + v^2 - 2 rho u v) / (1 - rho^2), without 1 - rho^2
    distance = u.square() + (v * cosh - u * sinh).square()
    log_normal = (
        log_cosh - math.log(2 * math.pi) - mixture.log_std_x - mixture.log_std_y - distance / 2
    )
    return (mixture.log_pi + log_normal).logsumexp(1)


def reconstruction_nats(
    outputs: Tensor, offsets: Tensor, pen: Tensor, epsilon: float = 0.0
) -> Tensor:
    """Negative log likelihood of every row, exact without an epsilon.

    Args:
        outputs: (R, 3 + 6M) of the decoder.
        offsets: (R, 2), the true moves, model units; ignored at an end.
        pen: (R,) int64, the true pen states: 0 down, 1 up, 2 end.
        epsilon: added to the density inside its logarithm; magenta's is 1e-6.

    Returns:
        (R,) nats: offset (none at an end, where the pen does not move) plus pen state.

    Source: Ha & Eck 2017, equation 9, without the padding up to N_max.
    """
    mixture = mixture_of(outputs)
    offset_nats = -log_density(mixture, offsets)
    if epsilon:
        offset_nats = -torch.logaddexp(-offset_nats, offset_nats.new_tensor(math.log(epsilon)))
    pen_nats = functional.cross_entropy(mixture.pen, pen, reduction="none")
    return torch.where(pen == END, pen_nats, pen_nats + offset_nats)


class OutputNats(torch.autograd.Function):
    """Nats of all rows from hidden states: output layer and loss, a block of rows at a time.

    The forward pass computes the gradients of a block while its outputs are in the cache, so that
    neither outputs nor mixtures are ever kept for all rows.
    """

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        w: Tensor,
        b: Tensor,
        offsets: Tensor,
        pen: Tensor,
        with_gradient: bool,
        epsilon: float = 0.0,
    ) -> Tensor:
        """Sum the nats.

        Args:
            ctx: autograd context.
            y: (R, H) hidden states.
            w: (H, 3 + 6M).
            b: (3 + 6M,).
            offsets: (R, 2), see ``reconstruction_nats``.
            pen: (R,).
            with_gradient: whether a backward pass may come.
            epsilon: see ``reconstruction_nats``.

        Returns:
            scalar.
        """
        ahead, back = StepWeights([w.t().contiguous()]), StepWeights([w.contiguous()])
        total = y.new_zeros(())
        grad_y, grad_w, grad_b = (torch.zeros_like(t) if with_gradient else t for t in (y, w, b))
        block = BLOCK if y.device.type == "cpu" else len(y)
        for first in range(0, len(y), block):
            rows = slice(first, first + block)
            whole = first + block <= len(y)  # a product of a new size is planned first
            outputs = (ahead(y[None, rows])[0] if whole else y[rows] @ w).add_(b)
            with torch.set_grad_enabled(with_gradient):
                outputs.requires_grad_(with_gradient)
                nats = reconstruction_nats(outputs, offsets[rows], pen[rows], epsilon).sum()
            total += nats.detach()
            if with_gradient:
                (grad,) = torch.autograd.grad(nats, outputs)
                grad_y[rows] = back(grad[None])[0] if whole else grad @ w.t()
                grad_w.addmm_(y[rows].t(), grad)
                grad_b += grad.sum(0)
        ctx.save_for_backward(grad_y, grad_w, grad_b)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of y, w and b."""
        grad_y, grad_w, grad_b = ctx.saved_tensors
        (grad,) = grads
        return grad_y * grad, grad_w * grad, grad_b * grad, None, None, None, None


def kl_nats(mu: Tensor, presig: Tensor) -> Tensor:
    """KL divergence of each posterior from N(0, I).

    Args:
        mu: (N, Z).
        presig: (N, Z), log sigma^2.

    Returns:
        (N, Z) nats per dimension.

    Source: Ha & Eck 2017, equation 10, before the mean.
    """
    return -0.5 * (1 + presig - mu.square() - presig.exp())
