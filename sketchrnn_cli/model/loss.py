"""What training minimises.

Letters: N sketches, R rows (all moves and ends), Z latent size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sketchrnn_cli.model.mixture import log_density, mixture_of

END = 2  # pen class


def reconstruction_nats(outputs: Tensor, offsets: Tensor, pen: Tensor) -> Tensor:
    """Exact negative log likelihood of every row.

    Args:
        outputs: (R, 3 + 6M) of the decoder.
        offsets: (R, 2) the moves that came, model units; ignored at an end.
        pen: (R,) int64 the pen states that came: 0 down, 1 up, 2 end.

    Returns:
        (R,) nats: offset (none at an end, where the pen does not move) plus pen state.

    Source: Ha & Eck 2017, equation 9, without the padding up to N_max.
    """
    mixture = mixture_of(outputs)
    offset_nats = -log_density(mixture, offsets)
    pen_nats = functional.cross_entropy(mixture.pen, pen, reduction="none")
    return torch.where(pen == END, pen_nats, pen_nats + offset_nats)


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
