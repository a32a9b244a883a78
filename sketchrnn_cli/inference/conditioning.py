"""What each sketch is conditioned on: its label shares, its latent, and its random numbers.

Symbols: N sketches, Z latent size, V vocabulary size, C size of the conditioning vector, K
candidates of a prefix posterior, P points of a prefix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import latent_prior, mixture
from sketchrnn_cli.inference.engine import Network, decoder_input, no_encoder, stroke5, to_model
from sketchrnn_cli.inference.recogniser import Recogniser
from sketchrnn_cli.inference.settings import GUIDANCE, SPREAD, Settings
from sketchrnn_cli.model import recogniser as weights_of
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.sketches.sketch import Morph
from sketchrnn_cli.sketches.words import fold

if TYPE_CHECKING:
    from sketchrnn_cli.inference.prompt import Item

Array = npt.NDArray[np.float32]
T = TypeVar("T")

LABEL, COMPONENT, PREFIX = 1, 2, 3  # what is sampled besides moves
CANDIDATES = 128  # K
TEMPERING = 0.15  # exponent of the prefix likelihood: the decoder is overconfident; see
# tests/bench/prefixes.py


def random_numbers(
    seed: int, number: int, candidate: int = 0, *, choice: int = 0
) -> np.random.Generator:
    """The random stream of one sketch, whatever is drawn beside it.

    A model with an encoder takes its Z latent normals first; then come blocks of steps. What is
    sampled besides has streams of its own: the label (choice 1), the component of the latent
    prior (2), the candidates of a prefix (3).
    """
    key = np.array([seed, number], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, choice, candidate]))


def label_rows(checkpoint: Checkpoint, words: Sequence[str | None]) -> Array | None:
    """Words as label shares (N, V + 1), 1 for the label of each; an unknown word is the null label.

    Case, hyphens and underscores do not matter. None for an unconditional model.
    """
    if not checkpoint.config.n_words:
        return None
    null = len(checkpoint.words)
    place = {fold(word): k for k, word in reversed(list(enumerate(checkpoint.words)))}
    place |= {word: k for k, word in enumerate(checkpoint.words)}  # spelled alike: before all
    found = {w: null if w is None else place.get(w, place.get(fold(w), null)) for w in set(words)}
    rows = np.zeros((len(words), null + 1), np.float32)
    rows[np.arange(len(words)), [found[word] for word in words]] = 1
    return rows


def label_shares(
    checkpoint: Checkpoint, rows: Sequence[Sequence[tuple[Item | None, float]]]
) -> Array | None:
    """(N, V + 1) shares of labels; each row sums items times factors; None is the null label."""
    if not checkpoint.config.n_words:
        return None
    place = {word: k for k, word in enumerate(checkpoint.words)}
    labels = np.zeros((len(rows), len(place) + 1), np.float32)
    for row, items in zip(labels, rows, strict=True):
        for item, factor in items:
            if item is None:
                row[-1] += factor
            else:
                for word, share in item.parts:
                    row[place[word]] += factor * share
    return labels


def check_latents(checkpoint: Checkpoint, z: Array | None) -> Array:
    """The latents as this model's decoder wants them.

    Browser models before version 6 want tanh of them.

    Raises:
        BadCheckpoint: the model is decoder-only.
        BadConfig: none, or other than (N, Z).
    """
    if not checkpoint.config.encoder:
        raise no_encoder()
    if z is None:
        raise BadConfig("this model draws from latents, and none were given")
    wanted = checkpoint.config.latent_size
    if z.ndim != 2 or z.shape[1] != wanted:
        found = z.shape[1] if z.ndim == 2 else f"of shape {z.shape}"
        raise BadConfig(f"the latents are {found} numbers wide, and this model's {wanted}")
    return np.tanh(z) if checkpoint.training.get("tanh_z") else z


def condition(
    checkpoint: Checkpoint, n: int, *, z: Array | None = None, labels: Array | None = None
) -> Array | None:
    """The conditioning vector of each sketch, constant over time: z, then the label embedding.

    Args:
        checkpoint: of the model.
        n: sketches.
        z: (N, Z) of a model with encoder; None for another.
        labels: (N, V + 1) shares of labels, the last of the null label, summing to 1; None: the
            null label. An unconditional model takes none.

    Returns:
        (N, C), or None where C is 0.

    Raises:
        BadCheckpoint: latents for a decoder-only model.
        BadConfig: no latents for another, or of another size.
    """
    config, parts = checkpoint.config, []
    if config.encoder or z is not None:
        parts.append(check_latents(checkpoint, z))
    if config.n_words:
        if labels is None:
            labels = np.zeros((n, config.n_words + 1), np.float32)
            labels[:, -1] = 1
        parts.append(labels @ checkpoint.weights["decoder.words"])
    return np.concatenate(parts, axis=1) if parts else None


@dataclass(frozen=True, slots=True)
class PrefixPosterior:
    """Candidates for the latent of a whole drawing, given its prefix.

    The encoder has only ever read whole drawings, so it takes a prefix for a whole one. Where the
    latent prior is known, the posterior is estimated by importance sampling: candidates from the
    prior, weighted by the likelihood of the prefix given each, tempered.
    """

    z: Array  # (K, Z)
    nats: npt.NDArray[np.float64]  # (K,) log likelihood of the prefix given each

    def best(self) -> Array:
        """The likeliest, (Z,)."""
        likeliest: Array = self.z[self.nats.argmax()]
        return likeliest

    def choose(self, u: float) -> Array:
        """One of them by its weight, (Z,), for a number u from [0, 1)."""
        weights = np.exp(TEMPERING * (self.nats - self.nats.max()))
        chosen: Array = self.z[latent_prior.chosen(weights, u)]
        return chosen


def prefix_posterior(
    network: Network, moves: Array, z: Array, labels: Array | None
) -> PrefixPosterior:
    """Weigh candidates by how well they explain a prefix.

    Args:
        network: of a model with an encoder.
        moves: (P, 3) the prefix, stroke-3 in model units.
        z: (K, Z) from the latent prior.
        labels: (V + 1,) shares, as ``condition`` takes them; None: the null label.
    """
    n = len(z)
    rows = None if labels is None else np.broadcast_to(labels, (n, len(labels)))
    inputs = decoder_input(moves)[:-1]  # the last one predicts what comes after the prefix
    raw = network.unroll([inputs] * n, condition(network.checkpoint, n, z=z, labels=rows))
    pen = (moves[:, 2] >= 1).astype(np.intp)
    with np.errstate(all="ignore"):  # a corrupt model; what is drawn will say so
        nats = [mixture.log_likelihood(r.astype(np.float64), moves[:, :2], pen).sum() for r in raw]
    return PrefixPosterior(z, np.nan_to_num(np.array(nats), nan=-np.inf, neginf=-1e300))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """A request as a network takes it; candidate c of sketch k has index k * best_of + c."""

    network: Network
    settings: Settings
    mu: Array | None = None  # (N, Z) latents; None: sampled
    sigma: Array | None = None  # (N, Z) standard deviations around them; None: 0
    prefixes: Sequence[Array] | None = None
    words: Sequence[str | None] | None = None
    labels: Array | None = None  # (N, V + 1) shares; None: sampled labels, or the null label
    numbers: Sequence[int] | None = None
    morphs: Sequence[Morph | None] | None = None
    rounds: int = 1  # of candidates, where none of those before surely shows its word
    before: int = 0  # candidates of each sketch that earlier rounds drew
    _posteriors: dict[tuple[int, bytes], PrefixPosterior] = field(default_factory=dict)

    @property
    def best_of(self) -> int:
        """Candidates of each sketch."""
        return self.settings.best_of or 1

    @property
    def latent_tau(self) -> float:
        """Temperature of z.

        Moves vary by themselves, so by default latents stay closer to their mean. Where a
        recogniser keeps the best of several, which are alike, they spread wider than those of
        drawings do; and a prefix is explained by the best of many.
        """
        if self.settings.latent_temperature is not None:
            return self.settings.latent_temperature
        ranked = self.best_of > 1 and bool(weights_of.of(self.network.checkpoint.weights))
        if self.prefixes is not None:
            return 1.0
        return SPREAD if ranked else self.settings.temperature**2

    def again(self, sketches: Sequence[int], done: int) -> Conditioning:
        """Other candidates of some of the sketches, after so many rounds."""
        rows = list(sketches)

        def of(values: Sequence[T] | None) -> list[T] | None:
            return None if values is None else [values[k] for k in rows]

        return replace(
            self,
            mu=None if self.mu is None else self.mu[rows],
            sigma=None if self.sigma is None else self.sigma[rows],
            prefixes=of(self.prefixes),
            words=of(self.words),
            labels=None if self.labels is None else self.labels[rows],
            numbers=rows if self.numbers is None else of(self.numbers),
            morphs=of(self.morphs),
            before=done * self.best_of,
        )

    def word(self, index: int) -> str | None:
        """The word that is written on a sketch."""
        if self.words is not None:
            return self.words[index // self.best_of]
        words = self.network.checkpoint.words
        if self.samples_labels:
            return words[self.sampled_label(index)]
        return words[0] if len(words) == 1 and self.labels is None else None

    def word_shares(self, index: int) -> Array | None:
        """What a sketch is to show: (V,) shares of the words; None where nobody says."""
        shares: Array = np.zeros(len(self.network.checkpoint.words), np.float32)
        if self.samples_labels:
            shares[self.sampled_label(index)] = 1
        elif self.labels is not None:
            shares = self.labels[index // self.best_of, :-1]
        return shares if shares.any() else None

    def number(self, index: int) -> int:
        """Which random stream belongs to a sketch."""
        k = index // self.best_of
        return k if self.numbers is None else self.numbers[k]

    def morph(self, index: int) -> Morph | None:
        """Between which words a sketch is, and how far."""
        return None if self.morphs is None else self.morphs[index // self.best_of]

    def random(self, index: int, choice: int = 0) -> np.random.Generator:
        """The random stream of a candidate; that of the label is of its sketch."""
        candidate = 0 if choice == LABEL else self.before + index % self.best_of
        return random_numbers(self.settings.seed, self.number(index), candidate, choice=choice)

    @property
    def samples_labels(self) -> bool:
        """Whether a conditional model is given one of its own labels at random."""
        conditional = self.network.checkpoint.config.n_words > 0
        return conditional and self.labels is None and self.mu is None and self.prefixes is None

    def sampled_label(self, index: int) -> int:
        """The label of a sketch, the same for all its candidates."""
        return self.label_at(self.random(index, LABEL).random())

    def label_at(self, u: float) -> int:
        """A label, each as often as there are drawings of it, for u from [0, 1)."""
        checkpoint = self.network.checkpoint
        shares = checkpoint.weights.get("latent.share", checkpoint.counts)
        return latent_prior.chosen(shares, u)

    def _label_of(self, prefix: Array) -> Callable[[float], int]:
        """A label for u from [0, 1): of those that a prefix looks like, as far as is known."""
        recogniser = Recogniser.of(self.network.checkpoint)
        if recogniser is None:
            return self.label_at
        shares = np.sqrt(recogniser.shares([prefix])[0])
        return lambda u: latent_prior.chosen(shares, u)

    def prefix_rows(self, indices: range) -> list[Array]:
        """Prefixes of sketches, stroke-5, model units; none where there are none."""
        if self.prefixes is None:
            return []
        scale = self.network.checkpoint.scale_factor
        given = [self.prefixes[index // self.best_of] for index in indices]
        return [stroke5(to_model(moves, scale)) for moves in given]

    def cond(self, indices: range, generators: Sequence[np.random.Generator]) -> Array | None:
        """Conditioning vectors of sketches, (n, C)."""
        checkpoint = self.network.checkpoint
        labels = None
        if self.labels is not None:
            labels = self.labels[[index // self.best_of for index in indices]]
        elif self.samples_labels:
            words = [checkpoint.words[self.sampled_label(index)] for index in indices]
            labels = label_rows(checkpoint, words)
        z = self.latents(indices, generators, labels)
        return condition(checkpoint, len(indices), z=z, labels=self.guided(labels))

    def guided(self, labels: Array | None) -> Array | None:
        """Label shares moved away from the null label, by the guidance scale.

        Classifier-free guidance (Ho & Salimans 2022), but of the label embedding, and so at no
        cost, not of the outputs. 1 is off.
        """
        guidance = self.settings.guidance
        if guidance is None:
            guidance = GUIDANCE if self.mu is None and self.prefixes is None else 1.0
        if labels is None or guidance == 1:
            return labels
        result = labels * np.float32(guidance)
        result[:, -1] += np.float32(1 - guidance)
        return result

    def latents(
        self, indices: range, generators: Sequence[np.random.Generator], labels: Array | None
    ) -> Array | None:
        """Latents of sketches, (n, Z); every generator gives its first Z numbers."""
        checkpoint, settings = self.network.checkpoint, self.settings
        if not checkpoint.config.encoder:
            return None
        normal = np.empty((len(indices), checkpoint.config.latent_size), np.float32)
        for row, generator in zip(normal, generators, strict=True):
            generator.standard_normal(dtype=np.float32, out=row)
        if self.mu is not None:
            given = [index // self.best_of for index in indices]
            mu = self.mu[given]
            return mu if self.sigma is None else mu + self.sigma[given] * normal
        if settings.prior or not latent_prior.is_fitted(checkpoint.weights):
            return normal
        shares = [None] * len(indices) if labels is None else list(labels)
        if self.prefixes is None:
            normal *= np.float32(0 if settings.most_likely else math.sqrt(self.latent_tau))
        for k, index in enumerate(indices):
            if self.prefixes is None:
                u = self.random(index, COMPONENT).random()
                label = partial(self.sampled_label, index)
                normal[k] = self._from_prior(normal[k], shares[k], u=u, label=label)
                continue
            posterior = self.posterior(self.prefixes[index // self.best_of], shares[k])
            if settings.greedy or settings.most_likely:
                normal[k] = posterior.best()
            else:
                normal[k] = posterior.choose(self.random(index, COMPONENT).random())
        return normal

    def posterior(self, prefix: Array, shares: Array | None) -> PrefixPosterior:
        """Latents that a prefix may have, the same for all sketches with this prefix."""
        key = (id(prefix), b"" if shares is None else shares.tobytes())
        if key not in self._posteriors:
            checkpoint = self.network.checkpoint
            generator = random_numbers(self.settings.seed, 0, choice=PREFIX)
            size = (CANDIDATES, checkpoint.config.latent_size)
            z = generator.standard_normal(size, np.float32) * np.float32(math.sqrt(self.latent_tau))
            u, v = generator.random(CANDIDATES), generator.random(CANDIDATES)
            label_at = self._label_of(prefix)
            for k in range(CANDIDATES):
                z[k] = self._from_prior(z[k], shares, u=u[k], label=partial(label_at, v[k]))
            moves = to_model(prefix, checkpoint.scale_factor)
            labels = None if shares is None else self.guided(shares[None])
            self._posteriors.clear()  # sketches with the same prefix follow one another
            self._posteriors[key] = prefix_posterior(
                self.network, moves, z, None if labels is None else labels[0]
            )
        return self._posteriors[key]

    def _from_prior(
        self, normal: Array, shares: Array | None, *, u: float, label: partial[int]
    ) -> Array:
        """See ``latent_prior.sample``; shares (V + 1,), None: the null label."""
        checkpoint = self.network.checkpoint
        known = np.zeros(0) if shares is None else shares[: len(checkpoint.words)]
        parts = {int(k): float(known[k]) for k in np.flatnonzero(known)}
        if (rest := 1 - sum(parts.values())) > 1e-6:
            instead = label()
            parts[instead] = parts.get(instead, 0) + rest
        most_likely = self.settings.most_likely
        return latent_prior.sample(checkpoint.weights, parts, normal, None if most_likely else u)
