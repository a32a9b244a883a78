"""What is counted: words hit, mistakes, and distances between drawings whatever their order.

Letters: N, M drawings, K points along the ink of each, W words.
"""

from __future__ import annotations

import numpy as np

AT_ONCE = 1 << 18  # squared distances in memory: as many as a core's cache holds


def hits(verdicts, word_ids):
    """(W,) share of each word's drawings for which that word is the likeliest; nan: it has none.

    verdicts: (N, W) probabilities. word_ids: (N,) what was asked for.
    """
    n_words = verdicts.shape[1]
    right = np.bincount(word_ids, verdicts.argmax(1) == word_ids, minlength=n_words)
    n_each = np.bincount(word_ids, minlength=n_words)
    return np.where(n_each > 0, right / np.maximum(n_each, 1), np.nan)


def mistakes(verdicts, word_ids):
    """The most frequent mistake of each word: (W,) which other word, -1: none; (W,) its share."""
    n_words = verdicts.shape[1]
    counts = np.bincount(word_ids * n_words + verdicts.argmax(1), minlength=n_words**2)
    counts = counts.reshape(n_words, n_words)
    n_each = np.maximum(counts.sum(axis=1), 1)
    np.fill_diagonal(counts, 0)
    other, most = counts.argmax(axis=1), counts.max(axis=1)
    return np.where(most > 0, other, -1), most / n_each


def distances(one, other):
    """(N, M) symmetric chamfer distances: from every point to the nearest ink of the other drawing.

    The mean over the points of both. It knows no order of strokes, no direction and no lift.

    one: (N, K, 2). other: (M, K, 2).
    """
    found = np.empty((len(one), len(other)), np.float32)
    k = one.shape[1]
    # |a - b|^2 as a product: (|a|^2, x, y, 1) times (1, -2x, -2y, |b|^2).
    left = np.concatenate([_square(one), one, np.ones_like(one[..., :1])], 2)  # (N, K, 4)
    right = np.concatenate([np.ones_like(other[..., :1]), -2 * other, _square(other)], 2)
    n_at_once = max(AT_ONCE // k**2, 1)
    for first in range(0, len(other), n_at_once):
        part = slice(first, first + n_at_once)
        columns = right[part].reshape(-1, 4).T.copy()  # (4, points of the part)
        for i, rows in enumerate(left):
            squares = (rows @ columns).reshape(k, -1, k)  # (K, drawings, K)
            nearest = np.concatenate([squares.min(axis=2), squares.min(axis=0).T])
            found[i, part] = np.sqrt(np.maximum(nearest, 0)).mean(axis=0)
    return found


def _square(points):
    return (points * points).sum(axis=2, keepdims=True)


def spread(points):
    """Mean distance between two of these drawings; nan for fewer than two. points: (N, K, 2)."""
    n = len(points)
    if n < 2:
        return np.nan
    return float(distances(points, points)[~np.eye(n, dtype=bool)].mean())


def nearest(points, others):
    """(N,) distance of each drawing to the nearest of the others; inf where there are none."""
    return distances(points, others).min(axis=1, initial=np.inf)


def nearer_than(found, beside, share=0.05):
    """Share of distances below that which this share of the others lies below.

    Alike, it is about ``share``; copies of training drawings make it more.
    """
    if not len(found) or not len(beside):
        return np.nan
    return float((found < np.quantile(beside, share)).mean())
