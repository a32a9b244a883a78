"""What the machine can do: the largest matrix products, by every road to them."""

from __future__ import annotations

from measuring import median_seconds

SIZE = 2048
FLOP = 2 * SIZE**3


def torch_float32():
    """The product that torch takes unless it is told otherwise, GFLOP/s."""
    import torch

    a, b = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    return FLOP / median_seconds(lambda: torch.mm(a, b), 7) / 1e9


def onednn_float32():
    """The product of oneDNN with a matrix it has laid out before; 0 where it is not there."""
    import torch

    a, b = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    try:
        laid_out = torch.ops.mkldnn._reorder_linear_weight(b, SIZE)

        def product():
            return torch.ops.mkldnn._linear_pointwise(a, laid_out, None, "none", [], "")

        product()
    except (AttributeError, RuntimeError):
        return 0.0
    return FLOP / median_seconds(product, 7) / 1e9


def torch_bfloat16():
    """The same in bfloat16."""
    import torch

    a, b = (torch.randn(SIZE, SIZE).bfloat16() for _ in range(2))
    return FLOP / median_seconds(lambda: torch.mm(a, b), 7) / 1e9


def numpy_float32():
    """The product that sampling is made of."""
    import numpy as np

    rng = np.random.default_rng(0)
    a, b = (rng.random((SIZE, SIZE), np.float32) for _ in range(2))
    return FLOP / median_seconds(lambda: a @ b, 7) / 1e9


class Ceilings:
    """The best seen of every product, measured before and after what is compared with it."""

    WAYS = {
        "torch.mm": torch_float32,
        "oneDNN": onednn_float32,
        "numpy": numpy_float32,
        "bfloat16": torch_bfloat16,
    }

    def __init__(self, *names):
        self.best = dict.fromkeys(names or self.WAYS, 0.0)
        self.measure()

    def measure(self):
        for name in self.best:
            self.best[name] = max(self.best[name], self.WAYS[name]())

    def __getitem__(self, name):
        return self.best[name]

    @property
    def float32(self):
        """The best float32 product of all."""
        return max(value for name, value in self.best.items() if name != "bfloat16")
