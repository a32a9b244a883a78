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

import torch
from torch import Tensor

PADDED_TO = 32  # columns of a product's operand: whole cache lines, in bfloat16 too
STEP_ROWS = 8  # rows of a step's product, a multiple of this where there are so many
ROWS_PADDED_TO = 512  # rows of a weight gradient: a product of new sizes has to be planned first


def padded(n: int, to: int) -> int:
    """The next multiple."""
    return -(-n // to) * to


def planned(n: int, at_most: int) -> int:
    """Rows to multiply for n: few sizes, as each is planned and its plan kept.

    What follows a step's rows in memory is multiplied with them and not looked at.
    """
    return min(padded(n, STEP_ROWS), at_most)


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

    def __init__(self, weights: Tensor) -> None:
        """Lay out weights (O, I), contiguous; the product is ``rows @ weights.T``."""
        self._onednn = onednn_takes(weights)
        self._weights = (
            torch.ops.mkldnn._reorder_linear_weight(weights) if self._onednn else weights.t()
        )

    def __call__(self, rows: Tensor, added: Tensor | None = None) -> Tensor:
        """Multiply.

        Args:
            rows: (n, I).
            added: (n, O), added to the product, or None.

        Returns:
            (n, O), a new tensor.
        """
        result: Tensor
        if self._onednn:
            if added is None:
                result = torch.ops.mkldnn._linear_pointwise(
                    rows, self._weights, None, "none", [], ""
                )
            else:
                result = torch.ops.mkldnn._linear_pointwise.binary(
                    rows, added, self._weights, None, "add"
                )
        elif added is None:
            result = rows @ self._weights
        else:
            result = torch.addmm(added, rows, self._weights)
        return result


def weight_gradient(inputs: Tensor, grads: Tensor) -> Tensor:
    """Gradient of weights from all rows at once: ``inputs.T @ grads``.

    Args:
        inputs: (R, I) what was multiplied.
        grads: (R, O) gradients of the products.

    Returns:
        (I, O) in the type of the inputs.
    """
    result: Tensor
    if inputs.dtype is torch.float32 and onednn_takes(inputs):
        result = torch.ops.mkldnn._linear_pointwise(inputs.t(), grads.t(), None, "none", [], "")
    else:
        result = (grads.t() @ inputs).t()
    return result
