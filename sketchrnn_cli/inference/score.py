"""How likely a model finds drawings: exact nats, and magenta's two losses beside them.

Symbols: N sketches, P points of one, T predictions, Z latent size.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.inference import mixture
from sketchrnn_cli.inference.conditioning import condition, label_rows, random_numbers
from sketchrnn_cli.inference.engine import Network, decoder_input, to_model
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.preparation import moves_like
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

Array = npt.NDArray[np.float32]
Nats = npt.NDArray[np.float64]

EPSILON = 1e-6  # inside magenta's logarithm
CHUNK = 128  # sketches scored at once
LISTED = 256  # drawings listed by likelihood at once
LISTED_POINTS = 100_000  # of them; each takes a kilobyte meanwhile

Tell = Callable[[int], None]


def _ignore(n: int) -> None:
    """Pass a number over in silence."""


def log_likelihood(
    network: Network,
    moves: Sequence[Array],
    z: Array | None,
    *,
    words: Sequence[str | None] | None = None,
) -> Nats:
    """Log likelihood of whole sketches given their latents and words, the end scored once.

    Args:
        network: an ``Engine``, or its like on a device.
        moves: (P, 3) stroke-3 each, model units.
        z: (N, Z), or None for a decoder-only model.
        words: N labels of a conditional model; None: the null label.

    Returns:
        (N,) nats.
    """
    labels = label_rows(network.checkpoint, [None] * len(moves) if words is None else words)
    constant = condition(network.checkpoint, len(moves), z=z, labels=labels)
    result = np.empty(len(moves), np.float64)
    for begin in range(0, len(moves), CHUNK):
        part = slice(begin, begin + CHUNK)
        inputs = [decoder_input(m) for m in moves[part]]
        raws = network.unroll(inputs, None if constant is None else constant[part])
        for k, (raw, rows) in enumerate(zip(raws, inputs, strict=True)):
            result[begin + k] = of_predictions(raw, rows).sum()
    return result


def evaluate(
    network: Network, corpus: Corpus, split: str, *, seed: int = 0, tell: Tell = _ignore
) -> dict[str, object]:
    """Losses on one split. Data is normalised by the model's scale factor, not its own.

    A fitted set is brought to the box and the origin of a model of fitted drawings.

    Each sketch's latent is drawn from (seed, its index); keys in ``_at_mean`` use mu instead. A
    conditional model is given the labels of the drawings. ``tell`` is called with the number of
    sketches that are done, now and then.

    Returns:
        ``nats_per_sketch``: exact, the end scored once; ``nats_per_point`` divides the same total
            by the points (not counting the end); ``dequantised_nats_per_sketch``: the same with
            the density averaged over the pixel of each offset, one data unit wide, so that
            Gaussians thinner than a pixel gain nothing from the grid that the data is on;
            ``kl_nats_per_sketch``: KL to the standard normal, summed over Z.
        ``magenta_l_r``: L_s + L_p over N x N_max, its padding fed and counted, as magenta trains
            and the paper defines it; ``magenta_l_r_masked``: without the padding's pen, as
            magenta's own evaluation prints it; ``magenta_l_kl``: KL over N x Z, no floor.
        ``n_max`` (of all splits), ``n_sketches``, ``scale_factor``, ``split_hash``.

    Raises:
        BadConfig: no such split, or nothing in it.

    Source: Ha & Eck 2017, equations 9 to 11; magenta sketch_rnn model.py, get_lossfunc.
    """
    indices = corpus.indices(split)
    if not len(indices):
        raise BadConfig(f"no drawings in the {split} split: nothing to evaluate")
    config, scale_factor = network.checkpoint.config, network.checkpoint.scale_factor
    n_max = int(corpus.n_max)
    n_points = 0
    kl = dequantised = 0.0
    sums: dict[str, Nats] = {}
    for chunk in np.array_split(indices, math.ceil(len(indices) / CHUNK)):
        moves = [_moves(network, corpus, int(i)) for i in chunk]
        n_points += sum(len(m) for m in moves)
        inputs = [decoder_input(m) for m in moves]
        latents: dict[str, Array | None] = {"": None}
        if config.encoder:
            mu, sigma = network.encode(moves)
            kl += float(_kl(mu, sigma).sum())
            noise = [random_numbers(seed, int(i)).standard_normal(mu.shape[1]) for i in chunk]
            latents = {"": (mu + sigma * np.array(noise)).astype(np.float32), "_at_mean": mu}
        labels = label_rows(network.checkpoint, [corpus.word_of(int(i)) for i in chunk])
        padded = [_padded(rows, n_max) for rows in inputs]
        for key, z in latents.items():
            total = sums.setdefault(key, np.zeros(3))
            constant = condition(network.checkpoint, len(chunk), z=z, labels=labels)
            for raw, rows in zip(network.unroll(padded, constant), inputs, strict=True):
                total += _losses(raw, rows, n_max)
                if key == "":
                    dequantised += _dequantised(raw, rows, 1 / scale_factor)
        tell(len(chunk))
    n = len(indices)
    result: dict[str, object] = {
        "split": split,
        "n_sketches": n,
        "n_max": n_max,
        "scale_factor": scale_factor,
        "split_hash": corpus.split_hash(split),
        "magenta_l_kl": kl / (n * config.latent_size),
        "kl_nats_per_sketch": kl / n,
        "dequantised_nats_per_sketch": dequantised / n,
    }
    for key, (nats, magenta, masked) in sums.items():
        result[f"nats_per_sketch{key}"] = float(nats / n)
        result[f"nats_per_point{key}"] = float(nats / n_points)
        result[f"magenta_l_r{key}"] = float(magenta / (n * n_max))
        result[f"magenta_l_r_masked{key}"] = float(masked / (n * n_max))
    return result


def importance_weighted(
    network: Network,
    corpus: Corpus,
    split: str,
    n_samples: int,
    *,
    seed: int = 0,
    tell: Tell = _ignore,
) -> float:
    """An upper bound on the nats of a sketch with its latent integrated out.

    -log (1/K) sum_k p(x | z_k) p(z_k) / q(z_k | x) on the mean over sketches, z_k from the
    posterior q. It falls towards the true -log p(x) as K grows, and is at most the sum of
    reconstruction and KL, which is K = 1. A decoder-only model has no latent: exact.

    Args:
        network: of any kind.
        corpus: a packed training set.
        split: train, valid or test.
        n_samples: K.
        seed: of the latents; each sketch's are drawn from (seed, its index).
        tell: called with the latents that were scored, now and then.

    Source: Burda et al. 2016 (arXiv 1509.00519), equation 8.
    """
    indices, checkpoint = corpus.indices(split), network.checkpoint
    total = 0.0
    for chunk in np.array_split(indices, math.ceil(len(indices) / CHUNK)):
        moves = [_moves(network, corpus, int(i)) for i in chunk]
        words = [corpus.word_of(int(i)) for i in chunk]
        if not checkpoint.config.encoder:
            total -= float(log_likelihood(network, moves, None, words=words).sum())
            continue
        mu, sigma = network.encode(moves)
        generators = [random_numbers(seed, int(i)) for i in chunk]
        weights = np.empty((n_samples, len(chunk)))
        for k in range(n_samples):
            noise = np.array([each.standard_normal(mu.shape[1]) for each in generators])
            z = mu + sigma * noise
            weights[k] = log_likelihood(network, moves, z.astype(np.float32), words=words)
            # log p(z) - log q(z | x): their constants cancel
            weights[k] += (0.5 * (noise**2 - z**2) + np.log(sigma.astype(np.float64))).sum(1)
            tell(len(chunk))
        highest = weights.max(0)
        mean = np.log(np.exp(weights - highest).mean(0)) + highest
        total -= float(mean.sum())
    return total / len(indices)


def worst_first(
    network: Network, drawings: Iterable[tuple[int, Sketch]], n_shown: int
) -> tuple[list[dict[str, Any]], list[Sketch]]:
    """The likelihood of every drawing given its mean latent and its word, the least likely first.

    Likelihood is compared a prediction: by the sum, the longest drawings would be the worst.

    Args:
        network: of any kind.
        drawings: each with its number; prepared as those of the network were, data units.
        n_shown: how many drawings to return: half of them the worst, half the best.

    Returns:
        ``index`` (its number), ``word``, ``n_points``, ``log_likelihood`` (nats of the whole
        drawing and its end) and ``per_prediction`` (divided by points + 1) of all; and the worst
        drawings and the best, from worst to best, with the last as caption.

    Raises:
        BadFile: no drawings.
    """
    scale, has_latent = network.checkpoint.scale_factor, network.checkpoint.config.encoder
    scores: list[dict[str, Any]] = []
    n_best = n_shown // 2
    worst: list[tuple[float, int, Sketch]] = []
    best: list[tuple[float, int, Sketch]] = []
    stream = iter(drawings)
    while batch := list(_chunk(stream)):
        moves = [to_model(to_stroke3(sketch), scale) for _, sketch in batch]
        z = network.encode(moves)[0] if has_latent else None
        words = [sketch.word for _, sketch in batch]
        found = log_likelihood(network, moves, z, words=words).tolist()
        for (index, sketch), nats in zip(batch, found, strict=True):
            each = round(nats / (sketch.n_points + 1), 5)  # so that drawings alike are equal
            scores.append(
                {
                    "index": index,
                    "word": sketch.word,
                    "n_points": sketch.n_points,
                    "log_likelihood": nats,
                    "per_prediction": each,
                }
            )
            caption = f"{sketch.word or ''} {each:.2f}".strip()
            shown = (each, index, replace(sketch, word=caption, extras={}))
            worst.append(shown)
            best.append(shown)
        worst = heapq.nsmallest(n_shown, worst, key=lambda entry: entry[:2])
        best = heapq.nlargest(n_best, best, key=lambda entry: entry[:2])
    if not scores:
        raise BadFile("no drawings to score")
    scores.sort(key=lambda entry: (entry["per_prediction"], entry["index"]))
    if len(scores) > n_shown:
        worst = worst[: n_shown - n_best] + best[::-1]
    return scores, [sketch for _, _, sketch in worst]


def _chunk(drawings: Iterator[tuple[int, Sketch]]) -> Iterator[tuple[int, Sketch]]:
    """The next drawings, so many as are scored at once."""
    room = LISTED_POINTS
    for index, sketch in islice(drawings, LISTED):
        yield index, sketch
        room -= sketch.n_points
        if room <= 0:
            return


def _moves(network: Network, corpus: Corpus, index: int) -> Array:
    """A drawing of the corpus as the network takes it, (P, 3) model units."""
    checkpoint = network.checkpoint
    moves = moves_like(corpus.moves_of(index), corpus.preparation, checkpoint.preparation)
    return to_model(moves, checkpoint.scale_factor)


def _kl(mu: Array, sigma: Array) -> Nats:
    """KL of the posterior to the standard normal, (N, Z) nats."""
    m, s = mu.astype(np.float64), sigma.astype(np.float64)
    result: Nats = 0.5 * (m * m + s * s - 1) - np.log(s)
    return result


def of_predictions(raw: Array, rows: Array) -> Nats:
    """Nats of the moves in stroke-5 rows 1.. and of the end, one for each row of raw."""
    exact = raw.astype(np.float64)
    pen = np.append(rows[1:, 2:].argmax(1), mixture.END)
    nats = mixture.log_pen(exact, pen)
    nats[:-1] += mixture.log_move(exact[:-1], rows[1:])
    return cast(Nats, nats)


def _padded(rows: Array, n_max: int) -> Array:
    """Decoder inputs (P + 1, 5) followed by end rows, up to N_max inputs in all."""
    padding = np.zeros((max(n_max - len(rows), 0), 5), np.float32)
    padding[:, 4] = 1
    return np.concatenate([rows, padding])


def _losses(raw: Array, rows: Array, n_max: int) -> Nats:
    """Sums over one sketch: exact nats, magenta's L_R, and that without the padding's pen.

    Args:
        raw: (max(P + 1, N_max), 3 + 6M) outputs of the decoder on padded rows.
        rows: (P + 1, 5) its inputs before the padding.
        n_max: predictions that magenta counts.
    """
    p = len(rows) - 1
    exact = raw.astype(np.float64)
    move = mixture.log_move(exact[:p], rows[1:])
    pen = mixture.log_softmax(exact[:, :3])
    drawn = pen[np.arange(p), rows[1:, 2:].argmax(1)]
    nats = -(move.sum() + drawn.sum() + pen[p, mixture.END])
    masked = -(np.logaddexp(move, math.log(EPSILON)).sum() + drawn.sum())
    return np.array([nats, masked - pen[p:n_max, mixture.END].sum(), masked])


def _dequantised(raw: Array, rows: Array, pixel: float) -> float:
    """Exact nats of one sketch with the density of every move averaged over its pixel."""
    p = len(rows) - 1
    exact = raw[: p + 1].astype(np.float64)
    pen = np.append(rows[1:, 2:].argmax(1), mixture.END)
    move = mixture.log_move_in_pixel(exact[:p], rows[1:], pixel)
    return -float(move.sum() + mixture.log_pen(exact, pen).sum())
