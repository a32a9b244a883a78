"""What training minimises.

Letters: N sketches, R rows (all moves and ends), Z latent size.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sketchrnn_cli.model.mixture import log_density, mixture_of
from sketchrnn_cli.model.onednn import StepWeights

END = 2  # pen class
BLOCK = 2048  # rows whose loss is worked out together on a CPU


def reconstruction_nats(
    outputs: Tensor, offsets: Tensor, pen: Tensor, epsilon: float = 0.0
) -> Tensor:
    """Negative log likelihood of every row, exact without an epsilon.

    Args:
        outputs: (R, 3 + 6M) of the decoder.
        offsets: (R, 2) the moves that came, model units; ignored at an end.
        pen: (R,) int64 the pen states that came: 0 down, 1 up, 2 end.
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

    The forward pass works out the gradients of a block while its outputs are in the cache, so
    that neither outputs nor what the mixture makes of them are ever kept for all rows.
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
        ahead, back = StepWeights(w.t().contiguous()), StepWeights(w.contiguous())
        total = y.new_zeros(())
        grad_y, grad_w, grad_b = (torch.zeros_like(t) if with_gradient else t for t in (y, w, b))
        block = BLOCK if y.device.type == "cpu" else len(y)
        for first in range(0, len(y), block):
            rows = slice(first, first + block)
            whole = first + block <= len(y)  # products of a new size have to be planned first
            outputs = (ahead(y[rows]) if whole else y[rows] @ w).add_(b)
            with torch.set_grad_enabled(with_gradient):
                outputs.requires_grad_(with_gradient)
                nats = reconstruction_nats(outputs, offsets[rows], pen[rows], epsilon).sum()
            total += nats.detach()
            if with_gradient:
                (grad,) = torch.autograd.grad(nats, outputs)
                grad_y[rows] = back(grad) if whole else grad @ w.t()
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
        (N, Z) nats a dimension.

    Source: Ha & Eck 2017, equation 10, before the mean.
    """
    return -0.5 * (1 + presig - mu.square() - presig.exp())
