"""The loss plot: both curves, the same bytes, no display and no pyplot."""

from __future__ import annotations

import io
import subprocess
import sys

import matplotlib as mpl
import numpy as np
from PIL import Image

from sketchrnn_cli.drawing.plots.curves import _curve, _thinned, loss_png


def records(n: int, kl: float = 1.0) -> list[dict[str, object]]:
    train = [
        {"step": k, "split": "train", "l_r": 3 / (k + 1), "l_kl": kl * k / n} for k in range(n)
    ]
    valid = [{**train[k], "split": "valid"} for k in range(0, n, 10)]
    return [*train, *valid]


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def colors(png: bytes) -> set[tuple[int, ...]]:
    pixels = np.array(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    return {tuple(color) for color in pixels.tolist()}


def test_the_same_bytes_whatever_the_users_settings() -> None:
    once = loss_png(records(50))
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "savefig.dpi": 300}):
        assert loss_png(records(50)) == once
    assert loss_png(records(51)) != once
    assert b"Software" not in once


def test_both_splits_are_drawn_and_the_kl_has_its_panel() -> None:
    png = loss_png(records(100))
    assert {(0x56, 0xB4, 0xE9), (0xB3, 0x47, 0)} <= colors(png)
    width, height = size(png)
    assert size(loss_png(records(100, kl=0.0))) == (width // 2, height)  # decoder only


def test_missing_and_broken_values_are_left_out() -> None:
    odd: list[dict[str, object]] = [
        {"step": 1, "split": "train", "l_r": float("nan"), "l_kl": None},
        {"step": 2, "split": "train", "l_r": float("inf")},
        {"step": 3, "split": "train", "l_r": 2.0, "l_kl": 0.5},
        {"split": "train", "l_r": 2.0},
    ]
    steps, values = _curve(odd, "train", "l_r")
    assert (steps.tolist(), values.tolist()) == ([3.0], [2.0])
    assert size(loss_png(odd))
    assert size(loss_png([]))


def test_long_curves_are_averaged() -> None:
    steps, values = _thinned(np.arange(10_001.0), np.arange(10_001.0) * 2)
    assert len(steps) == 400
    np.testing.assert_allclose(values, 2 * steps)


def test_pyplot_is_never_loaded() -> None:
    code = (
        "import sys; from sketchrnn_cli.drawing.plots.curves import loss_png; loss_png([]);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
