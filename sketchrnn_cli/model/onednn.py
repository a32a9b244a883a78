"""Matrix products of training: many small ones with the same weights, and a few large ones.

A step of a recurrent layer multiplies the few rows still alive by weights that stay as they are
for the whole batch. oneDNN lays such weights out once for the product's inner loop; on processors
for which torch's default library has only its 256-bit loops, and for few rows anywhere, that is
two to four times as fast. Where oneDNN is not there (another device, float64), torch's product
does the same.

Letters: n rows, I inputs, O outputs, R rows of a whole batch.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

PADDED_TO = 32  # columns of a product's operand: whole cache lines, in bfloat16 too
STEP_SIZES = 64  # numbers of rows of a step's products: oneDNN keeps 1,024 plans in all
ROWS_PADDED_TO = 128  # rows of a weight gradient: a product of a new size is planned first


def padded(n: int, to: int) -> int:
    """The next multiple."""
    return -(-n // to) * to


def planned(n: int, at_most: int) -> int:
    """Rows to multiply for n: so few sizes that the plan of each is kept (it takes a millisecond).

    What follows a step's rows in memory is multiplied with them and not looked at.
    """
    return min(padded(n, -(-at_most // STEP_SIZES)), at_most)


@functools.lru_cache(maxsize=8)
def _has_onednn(device: str, dtype: torch.dtype) -> bool:
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if device != "cpu" or not there:
        return False
    if dtype is not torch.float32 and dtype is not torch.bfloat16:
        return False
    try:
        weights = torch.ops.mkldnn._reorder_linear_weight(torch.ones(8, 8, dtype=dtype))
        one = torch.ops.mkldnn._linear_pointwise(
            torch.ones(1, 8, dtype=dtype), weights, None, "none", [], ""
        )
    except (AttributeError, RuntimeError):  # another build of torch
        return False
    return float(one[0, 0]) == 8.0


def onednn_takes(like: Tensor) -> bool:
    """Whether products of such tensors go through oneDNN here."""
    return _has_onednn(like.device.type, like.dtype)


class StepWeights:
    """Weights for products with few rows, laid out once and used at every step."""

    def __init__(self, layers: Sequence[Tensor]) -> None:
        """Lay out weights (O, I) of G layers; a product is ``rows @ weights.T``."""
        self._onednn = onednn_takes(layers[0])
        if self._onednn:
            self._weights = [torch.ops.mkldnn._reorder_linear_weight(w) for w in layers]
        else:
            self._stacked = torch.stack(list(layers)).transpose(1, 2)  # (G, I, O)

    def __call__(self, rows: Tensor, added: Tensor | None = None) -> Sequence[Tensor]:
        """Multiply.

        Args:
            rows: (G, n, I).
            added: (n, O), added to the product, or None; for G = 1 only.

        Returns:
            G new tensors (n, O).
        """
        if not self._onednn:
            if added is None:
                return torch.bmm(rows, self._stacked).unbind(0)
            return (torch.addmm(added, rows[0], self._stacked[0]),)
        if added is None:
            product = torch.ops.mkldnn._linear_pointwise
            return [
                product(part, weights, None, "none", [], "")
                for part, weights in zip(rows, self._weights, strict=True)
            ]
        added_to = torch.ops.mkldnn._linear_pointwise.binary
        return (added_to(rows[0], added, self._weights[0], None, "add"),)


def weight_gradient(inputs: Tensor, grads: Tensor, dtype: torch.dtype) -> Tensor:
    """Gradient of weights from all rows at once: ``inputs.T @ grads``.

    Args:
        inputs: (R, I) what was multiplied.
        grads: (R, O) gradients of the products.
        dtype: of the result.

    Returns:
        (I, O), row after row in memory, as the weights are.
    """
    result: Tensor
    if inputs.dtype is torch.float32 and onednn_takes(inputs) and _has_512_bits():
        result = torch.ops.mkldnn._linear_pointwise(inputs.t(), grads.t(), None, "none", [], "")
    else:
        result = (grads.t() @ inputs).t()
    return result.to(dtype, memory_format=torch.contiguous_format)


@functools.cache
def _has_512_bits() -> bool:
    """Whether oneDNN has longer loops than torch's default library; else that is faster."""
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")
