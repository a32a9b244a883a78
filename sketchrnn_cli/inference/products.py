"""Products of some rows with a large matrix that stays the same, in plain numpy.

OpenBLAS copies the whole matrix into an order of its own for every product: 10 MB at every step of
the built-in model, which takes longer than the arithmetic of up to 70 rows. Its kernels for
processors with AVX-512 leave that out where a product is small. So there a matrix is kept in blocks
of a few columns, and a product of few rows is one of each block. A row of it does not depend on the
others then: it is the same bit for bit among however many.

Symbols: n rows, K numbers of a row, N columns, B blocks.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

COLUMNS = 32  # of a block
SMALL = 1_000_000  # multiplications of a product that OpenBLAS takes for small, at most
PARTS = 2  # up to so many parts of rows beat one product of all
GEMV_ROWS = 6  # without blocks, up to so many rows go one by one: faster in every BLAS met


class Matrix:
    """A matrix (K, N) and products with it."""

    def __init__(self, w: Array) -> None:
        self.w = w
        whole = not w.shape[1] % COLUMNS and _has_small_products()
        self.rows = SMALL // (len(w) * COLUMNS) if whole else 0  # of a small product; 0: no blocks
        self._blocks: Array | None = None  # (B, K, COLUMNS)

    def multiply(self, a: Array, out: Array) -> None:
        """``a @ w``, (n, K) by (K, N), into ``out``, (n, N) whose rows follow one another."""
        n = len(a)
        if 1 < n <= PARTS * self.rows:
            by_block = out.reshape(n, -1, COLUMNS)  # a view
            for first in range(0, n, self.rows):
                part = slice(first, first + self.rows)
                np.matmul(a[part], self._in_blocks(), out=by_block[part].transpose(1, 0, 2))
        elif n <= GEMV_ROWS:
            for row, target in zip(a, out, strict=True):
                np.dot(row, self.w, out=target)
        else:
            np.matmul(a, self.w, out=out)

    def _in_blocks(self) -> Array:
        if self._blocks is None:  # a model that draws many never pays for them
            k, n = self.w.shape
            blocks = self.w.reshape(k, n // COLUMNS, COLUMNS).transpose(1, 0, 2)
            self._blocks = np.ascontiguousarray(blocks)
        return self._blocks


@functools.cache
def _has_small_products() -> bool:
    """Whether numpy multiplies by OpenBLAS, on a processor for which that has small products."""
    config = np.show_config(mode="dicts") or {}
    blas = config.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    found = config.get("SIMD Extensions", {}).get("found", [])
    return "openblas" in blas and any(name in found for name in ("X86_V4", "AVX512_SKX"))
