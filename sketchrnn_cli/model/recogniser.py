"""The recogniser's network: sizes and weights. It says which word of a model a drawing shows.

Symbols: V words. Weights by name, as in a checkpoint; a vector stands left of its matrix.

    recogniser.strokes0_w (7 * 8, 64) ...: convolutions along 96 points of the pen's way, 8 numbers
        each, every second place; the rows of a matrix are place after place of its window
    recogniser.picture0_w (9, 32) ...: convolutions 3 x 3 of a picture of 32 x 32, the same
    recogniser.hidden_w (512, 288): of the means of the last strokes and their maxima, then those
        of the picture; from `train` half of the units have zeros for the picture, half for the
        strokes, those of older models have not
    recogniser.words_w (288, V): logits of the words

All have a ``_b`` beside them; after all but the last, what is below 0 is 0. Torch-free.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

N_POINTS = 192  # along the ink, for the picture; the strokes see every second one
SIDE = 32  # of the picture, pixels
STROKES = ((7, 8, 64), (5, 64, 128), (5, 128, 160))  # places of a window, channels in, out
PICTURE = ((3, 1, 32), (3, 32, 64), (3, 64, 96))
HIDDEN = 288
PREFIX = "recogniser."
LARGEST = 6e4  # a weight, as float16 has it; with all of them so large no sum overflows


def of(
    weights: dict[str, npt.NDArray[np.float32]],
) -> dict[str, npt.NDArray[np.float32]]:
    """Those weights of a model that are its recogniser's; none where it has none."""
    return {name: array for name, array in weights.items() if name.startswith(PREFIX)}


def shapes(n_words: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight of a recogniser of V words."""
    result: dict[str, tuple[int, ...]] = {}

    def layer(name: str, n_in: int, n_out: int) -> None:
        result[f"{PREFIX}{name}_w"] = (n_in, n_out)
        result[f"{PREFIX}{name}_b"] = (n_out,)

    for k, (size, n_in, n_out) in enumerate(STROKES):
        layer(f"strokes{k}", size * n_in, n_out)
    for k, (size, n_in, n_out) in enumerate(PICTURE):
        layer(f"picture{k}", size * size * n_in, n_out)
    layer("hidden", 2 * (STROKES[-1][-1] + PICTURE[-1][-1]), HIDDEN)
    layer("words", HIDDEN, n_words)
    return result
