"""What lies between four drawings: a grid of latents and words with the drawings at its corners.

Letters: R rows, C columns, N drawings of the grid, Z latent size, W words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference.conditioning import GUIDANCE, Plan, Settings
from sketchrnn_cli.inference.engine import Network, label_rows
from sketchrnn_cli.inference.latents import lerp, slerp
from sketchrnn_cli.inference.request import Wish

Array = npt.NDArray[np.float32]

CORNERS = 4
SIDES = (2, 100)  # fewest and most rows and columns


def latents_of(network: Network, wish: Wish, settings: Settings) -> tuple[Wish, Settings]:
    """The same drawings, with the latents and words that chance would give them on the way.

    Args:
        network: of any kind.
        wish: without beginnings.
        settings: see ``sampler.draw``.

    Returns:
        A wish that says them, and settings that take them as they were meant.
    """
    checkpoint, labels, words = network.checkpoint, wish.labels, wish.words
    if labels is None and words is not None:
        labels = label_rows(checkpoint, words)
    plan = Plan(
        network=network,
        settings=settings,
        mu=wish.z,
        sigma=None,
        prefixes=None,
        words=words,
        labels=labels,
        numbers=wish.numbers,
        best_of=1,
    )
    everyone = range(wish.n)
    if plan.by_chance:
        words = [checkpoint.words[plan.chosen(k)] for k in everyone]
        labels = label_rows(checkpoint, words)
    z = plan.latents(everyone, [plan.random(k) for k in everyone], labels)
    guidance = settings.guidance
    if guidance is None:
        guidance = GUIDANCE if wish.z is None else 1.0
    numbers = wish.numbers or everyone
    asked = replace(wish, z=z, labels=labels, words=words, numbers=numbers)
    return asked, replace(settings, guidance=guidance)


def check_shape(n_rows: int, n_columns: int) -> None:
    """Refuse grids that are none, or that no paper has room for.

    Raises:
        BadConfig: says so.
    """
    low, high = SIDES
    if not (low <= n_rows <= high and low <= n_columns <= high):
        raise BadConfig(
            f"a grid of {n_rows} x {n_columns}: rows and columns must be from {low} to {high}"
        )


def between(
    network: Network, wish: Wish, settings: Settings, n_rows: int, n_columns: int
) -> tuple[Wish, Settings]:
    """A grid between four drawings, row by row, the corners in reading order.

    Chance is the same for all, so that only latent and word change. Latents go around the origin,
    as frames between latents do; those of words, which lie off it, on straight lines, as the
    frames of a way between words do.

    Args:
        network: of any kind.
        wish: the four.
        settings: see ``sampler.draw``.
        n_rows: R.
        n_columns: C.

    Raises:
        BadConfig: not four, or nothing that could change between them.
    """
    check_shape(n_rows, n_columns)
    if wish.n != CORNERS:
        raise BadConfig(
            f"a grid lies between {CORNERS} drawings, and this asks for {wish.n}: give four words, "
            'as in "cat, owl, pig, bird", or four of one, as in "four cats", or four latents'
        )
    known = "latent.share" in network.checkpoint.weights and not settings.prior
    go = lerp if wish.z is None and known else slerp
    corners, settings = latents_of(network, wish, settings)
    if corners.z is None and corners.labels is None:
        raise BadConfig(
            "nothing lies between drawings of this model: it has no encoder, and is told no words"
        )
    places = list(product(np.linspace(0, 1, n_rows), np.linspace(0, 1, n_columns)))
    words = corners.words
    grid = Wish(
        n=len(places),
        z=None if corners.z is None else _fill(corners.z, places, go),
        labels=None if corners.labels is None else _fill(corners.labels, places, lerp),
        words=None if words is None else [words[2 * (y >= 0.5) + (x >= 0.5)] for y, x in places],
        numbers=[(corners.numbers or [0])[0]] * len(places),
    )
    return grid, settings


def _fill(
    corners: Array,
    places: list[tuple[float, float]],
    go: Callable[[Array, Array, float], Array],
) -> Array:
    """(N, ...) between (4, ...), each a part of the way down and to the right."""
    a, b, c, d = corners
    return np.stack([go(go(a, b, x), go(c, d, x), y) for y, x in places])


def corner_places(n_rows: int, n_columns: int) -> tuple[int, int, int, int]:
    """Where the four are in the grid."""
    n = n_rows * n_columns
    return 0, n_columns - 1, n - n_columns, n - 1
