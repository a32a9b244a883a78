"""Products with a matrix in blocks and without, against numpy's own in float64."""

import numpy as np
import pytest

from sketchrnn_cli.inference import products
from sketchrnn_cli.inference.products import Matrix


@pytest.mark.parametrize("in_blocks", [True, False], ids=["blocks", "whole"])
@pytest.mark.parametrize("columns", [96, 123])
def test_a_product_is_that_of_numpy_whatever_its_size(monkeypatch, in_blocks, columns):
    monkeypatch.setattr(products, "_has_small_products", lambda: in_blocks)
    monkeypatch.setattr(products, "SMALL", 5 * 64 * products.COLUMNS)  # five rows
    rng = np.random.default_rng(columns)
    w = rng.standard_normal((64, columns)).astype(np.float32)
    matrix = Matrix(w)
    for n in (1, 2, 4, 5, 6, 9, 10, 11, 40):
        wide = rng.standard_normal((n, 80)).astype(np.float32)
        rows, out = wide[:, :64], np.full((n, columns), np.nan, np.float32)
        matrix.multiply(rows, out)
        wanted = rows.astype(np.float64) @ w.astype(np.float64)
        np.testing.assert_allclose(out, wanted, atol=2e-5)


def test_blocks_are_for_a_blas_that_gains_by_them(monkeypatch):
    def found(blas, *names):
        config = {"Build Dependencies": {"blas": {"name": blas}}}
        config["SIMD Extensions"] = {"found": [*names]}
        monkeypatch.setattr(np, "show_config", lambda mode: config)
        return products._has_small_products.__wrapped__()

    assert found("scipy-openblas", "X86_V3", "X86_V4")
    assert found("openblas64", "AVX512F", "AVX512_SKX")  # as numpy named it before 2.4
    assert not found("scipy-openblas", "X86_V3")
    assert not found("accelerate", "NEON")
    assert not found("mkl", "X86_V4")
