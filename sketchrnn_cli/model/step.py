"""One step of every recurrent cell, as the papers write it, in plain torch.

What a device without kernels of our own runs, and autograd through it is what those kernels are
held against. ``lstm_sequence``, ``layer_norm_sequence`` and ``hyper_sequence`` are the same, fast.

Letters: n rows of a step, I inputs, H hidden units, Y hidden units of a hyper cell's small network.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from sketchrnn_cli.model.normalised import EPSILON

State = tuple[Tensor, ...]  # c and h (n, H); of a hyper cell also those of its small network (n, Y)
Heard = tuple[Tensor | None, Tensor | None]  # what constant inputs give: (n, 4H), and (n, 4Y)


def step(
    cell: str,
    w: Mapping[str, Tensor],
    x: Tensor,
    state: State,
    heard: Heard = (None, None),
    mask: Tensor | None = None,
    *,
    compute: torch.dtype | None = None,
) -> State:
    """The state after a step.

    Args:
        cell: one of ``config.CELLS``.
        w: weights of the cell by name, see ``checkpoint``.
        x: (n, I).
        state: before the step.
        heard: what the constant inputs of each row give.
        mask: (n, H) what the candidate gate is multiplied with; None: nothing.
        compute: type of the products with the state; None: its own.
    """
    c, h, *small = state

    def product(rows: Tensor, weights: Tensor) -> Tensor:
        if compute is None:
            return rows @ weights
        return (rows.to(compute) @ weights.to(compute)).to(rows.dtype)

    read = x @ w["w_x"]
    if heard[0] is not None:
        read = read + heard[0]
    recurrent = product(h, w["w_h"])
    if cell == "lstm":
        c, h = _gates(read + recurrent + w["b"], c, mask, None)
        return c, h
    norms = {name: w[name] for name in ("gain", "b", "cell_gain", "cell_b")}
    if cell == "layer-norm":
        c, h = _gates(read + recurrent, c, mask, norms)
        return c, h
    small_c, small_h = small
    total = x @ w["small_w_x"] + product(h, w["small_w_y"]) + product(small_h, w["small_w_h"])
    if heard[1] is not None:
        total = total + heard[1]
    small_norms = {name: w[f"small_{name}"] for name in norms}
    small_c, small_h = _gates(total, small_c, None, small_norms)
    embedded = small_h @ w["embed_w"]  # (n, 12 D)
    n_scales = len(w["embed_b"])
    embedded = torch.cat(
        [embedded[:, :n_scales] + w["embed_b"], embedded[:, n_scales:]], dim=1
    ).view(len(x), 12, -1)
    scale = torch.einsum("nkd,kdh->nkh", embedded, w["scale_w"]).flatten(1)  # (n, 12 H)
    scale_x, scale_h, shift = scale.chunk(3, dim=1)
    total = scale_x * read + scale_h * recurrent + shift + w["sum_b"]
    c, h = _gates(total, c, mask, norms)
    return c, h, small_c, small_h


def _gates(
    total: Tensor, c: Tensor, mask: Tensor | None, norms: Mapping[str, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """C and h after a step, from the sum of its products (n, 4H)."""
    if norms is not None:
        gates = layer_norm(total.view(len(total), 4, -1), c.shape[1:], eps=EPSILON)
        total = gates.flatten(1) * norms["gain"] + norms["b"]
    i, f, o, j = total.chunk(4, dim=1)
    candidate = j.tanh() if mask is None else j.tanh() * mask
    c = f.sigmoid() * c + i.sigmoid() * candidate
    out = c
    if norms is not None:
        out = layer_norm(c, c.shape[1:], eps=EPSILON) * norms["cell_gain"] + norms["cell_b"]
    return c, o.sigmoid() * out.tanh()
