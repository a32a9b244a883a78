"""Latents laid out on paper: two dimensions for many.

Symbols: N latents, Z latent size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig

Array = npt.NDArray[np.float32]

METHODS = ("pca", "tsne")
MOST = 2_000  # latents of a map; t-SNE takes seconds for these
FEWEST = 5  # of t-SNE: fewer have no neighbourhoods
PERPLEXITY = 30.0


@dataclass(frozen=True, slots=True)
class Projection:
    """Where latents lie on paper."""

    places: npt.NDArray[np.float64]  # (N, 2)
    axes: tuple[str, str]  # what the two directions are


def project(z: Array, method: str) -> Projection:
    """Lay out latents; the same every time.

    Args:
        z: (N, Z), N at least 1.
        method: ``pca``: the two directions in which they differ most;
            ``tsne``: neighbours stay neighbours, and distances mean little. Of less than
            ``FEWEST`` there is only the first.

    Raises:
        BadConfig: no such method.

    Source: van der Maaten & Hinton 2008, "Visualizing data using t-SNE".
    """
    if method not in METHODS:
        raise BadConfig(f"--projection {method}: must be one of {', '.join(METHODS)}")
    if method == "tsne" and len(z) >= FEWEST:
        from sklearn.manifold import TSNE  # a second

        perplexity = min(PERPLEXITY, (len(z) - 1) / 3)
        flat = TSNE(init="pca", perplexity=perplexity, random_state=0)
        places = np.asarray(flat.fit_transform(z.astype(np.float64)), np.float64)
        return Projection(places, ("t-SNE: neighbours lie together, distances mean little", ""))
    return _principal(z.astype(np.float64))


def _principal(z: npt.NDArray[np.float64]) -> Projection:
    away = z - z.mean(0)
    _, lengths, directions = np.linalg.svd(away, full_matrices=False)
    directions = directions[:2]
    if len(directions) < 2:
        directions = np.concatenate([directions, np.zeros_like(directions)])
    # A direction has no sign of its own: its largest part is positive.
    largest = np.abs(directions).argmax(1)
    signs = np.where(np.take_along_axis(directions, largest[:, None], 1) < 0, -1, 1)
    total = float((lengths**2).sum())
    shares = [float(length**2 / total) if total > 0 else 0.0 for length in lengths[:2]]
    shares += [0.0] * (2 - len(shares))
    first, second = (f"{100 * share:.0f} % of the variance" for share in shares)
    return Projection(
        away @ (signs * directions).T,
        (f"first principal component: {first}", f"second: {second}"),
    )
