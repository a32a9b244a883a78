"""What to draw: settings, and for every sketch its random numbers, its word and its latent.

Letters: N sketches, Z latent size, W words, C numbers that stay the same for a sketch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference.beginnings import CANDIDATES, Guesses, guess
from sketchrnn_cli.inference.engine import Network, condition, label_rows, stroke5

Array = npt.NDArray[np.float32]

TEMPERATURES = (0.01, 2.0)  # lowest and highest that make sense
LATENT_TEMPERATURES = (0.0, 4.0)  # at 0 the means of the mixture
GUIDANCES = (0.0, 4.0)
GUIDANCE = 2.0  # where latents are drawn, too; see tests/bench/recognisability
MAX_POINTS = 10_000  # of one drawing: memory is kept for every live sketch
WORD, COMPONENT, BEGINNING = 1, 2, 3  # what is chosen besides moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to draw. Temperature as in the paper: sigma * sqrt(tau), mixture logits / tau."""

    temperature: float = 0.4  # tau
    pen_temperature: float | None = None  # divides the pen logits; None: 0.5 + 0.5 tau
    greedy: bool = False  # the likeliest mixture's mean and the likeliest pen, no chance
    prior: bool = False  # latents from N(0, I), not from where the training drawings lie
    most_likely: bool = False  # the latent that is most probable there, no chance
    latent_temperature: float | None = None  # sigma * sqrt(tau); None: see Plan.latent_tau
    guidance: float | None = None  # how much the word counts; None: GUIDANCE, 1 for given latents
    seed: int = 0
    max_points: int = 250  # a drawing that has not ended by then is cut

    def __post_init__(self) -> None:
        low, high = TEMPERATURES
        for name in ("temperature", "pen_temperature"):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                advice = "; for no chance at all, use greedy" if value == 0 else ""
                raise BadConfig(f"{name} must be from {low} to {high}, not {value:g}{advice}")
        for name, (low, high) in (
            ("latent_temperature", LATENT_TEMPERATURES),
            ("guidance", GUIDANCES),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise BadConfig(f"{name} must be from {low:g} to {high:g}, not {value:g}")
        if not 1 <= self.max_points <= MAX_POINTS:
            raise BadConfig(f"max_points must be from 1 to {MAX_POINTS}, not {self.max_points}")
        if not 0 <= self.seed < 2**63:
            raise BadConfig(f"seed must be from 0 to 2^63 - 1, not {self.seed}")

    @property
    def pen_tau(self) -> float:
        """A cold pen never ends a drawing, so by default it stays warmer than the hand."""
        if self.pen_temperature is not None:
            return self.pen_temperature
        return 0.5 + 0.5 * self.temperature


def random_numbers(
    seed: int, number: int, candidate: int = 0, *, choice: int = 0
) -> np.random.Generator:
    """The random numbers of one sketch, whatever is drawn beside it.

    A model with an encoder takes its Z latent normals first; then come blocks of B steps. What is
    chosen besides has numbers of its own: the word (choice 1) and the component of its mixture (2).
    """
    key = np.array([seed, number], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, choice, candidate]))


def to_model(moves: Array, scale_factor: float) -> Array:
    """Stroke-3 moves in data units as the network reads them: clipped to +-1000 and scaled."""
    rows = np.array(moves, np.float32)
    rows[:, :2] = np.clip(rows[:, :2], -1000, 1000) / np.float32(scale_factor)
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was asked for; candidate c of sketch k has index k * best_of + c."""

    network: Network
    settings: Settings
    mu: Array | None  # latents; None: a sample from where the training drawings lie
    sigma: Array | None  # how far to stray from them; None: not at all
    prefixes: Sequence[Array] | None
    words: Sequence[str | None] | None
    labels: Array | None  # (n, W + 1); None: words by chance, or none
    numbers: Sequence[int] | None
    best_of: int
    _guesses: dict[tuple[int, bytes], Guesses] = field(default_factory=dict)

    @property
    def latent_tau(self) -> float:
        """Temperature of latents.

        Moves bring chance of their own, so by default latents keep closer to their middle; a
        beginning is explained by the best of many, so these lie as widely as drawings do.
        """
        if self.settings.latent_temperature is not None:
            return self.settings.latent_temperature
        return self.settings.temperature**2 if self.prefixes is None else 1.0

    def word(self, index: int) -> str | None:
        """What is written on a sketch."""
        if self.words is not None:
            return self.words[index // self.best_of]
        words = self.network.checkpoint.words
        if self.by_chance:
            return words[self.chosen(index)]
        return words[0] if len(words) == 1 and self.labels is None else None

    def number(self, index: int) -> int:
        """Name of a sketch in the random numbers."""
        k = index // self.best_of
        return k if self.numbers is None else self.numbers[k]

    def random(self, index: int, choice: int = 0) -> np.random.Generator:
        """Random numbers of a candidate; those that choose the word are of its sketch."""
        candidate = 0 if choice == WORD else index % self.best_of
        return random_numbers(self.settings.seed, self.number(index), candidate, choice=choice)

    @property
    def by_chance(self) -> bool:
        """Whether a model that is told words is told one of its own, by chance."""
        told = self.network.checkpoint.config.n_words > 0
        return told and self.labels is None and self.mu is None and self.prefixes is None

    def chosen(self, index: int) -> int:
        """The number of a word for a sketch, the same for all its candidates."""
        return self.any_word(self.random(index, WORD).random())

    def any_word(self, u: float) -> int:
        """The number of a word, each as often as there are drawings of it, for u from [0, 1)."""
        checkpoint = self.network.checkpoint
        shares = np.cumsum(checkpoint.weights.get("latent.share", checkpoint.counts), dtype="f8")
        return int(np.searchsorted(shares / shares[-1], u, side="right"))

    def beginnings(self, indices: range) -> list[Array]:
        """Given moves of sketches, stroke-5, model units; nothing where nothing is given."""
        if self.prefixes is None:
            return []
        scale = self.network.checkpoint.scale_factor
        given = [self.prefixes[index // self.best_of] for index in indices]
        return [stroke5(to_model(moves, scale)) for moves in given]

    def constant(self, indices: range, generators: Sequence[np.random.Generator]) -> Array | None:
        """What the decoder hears all along, (n, C)."""
        checkpoint = self.network.checkpoint
        labels = None
        if self.labels is not None:
            labels = self.labels[[index // self.best_of for index in indices]]
        elif self.by_chance:
            words = [checkpoint.words[self.chosen(index)] for index in indices]
            labels = label_rows(checkpoint, words)
        z = self.latents(indices, generators, labels)
        return condition(checkpoint, len(indices), z=z, labels=self.guided(labels))

    def guided(self, labels: Array | None) -> Array | None:
        """Labels moved away from no word, by the guidance.

        At 1 they stay. Beyond, what the word changes is exaggerated: classifier-free guidance (Ho &
        Salimans 2022), but of what the decoder is told, and so at no cost, not of what it says.
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
        checkpoint = self.network.checkpoint
        if not checkpoint.config.encoder:
            return None
        normal = np.empty((len(indices), checkpoint.config.latent_size), np.float32)
        for row, generator in zip(normal, generators, strict=True):
            generator.standard_normal(dtype=np.float32, out=row)
        if self.mu is not None:
            given = [index // self.best_of for index in indices]
            mu = self.mu[given]
            return mu if self.sigma is None else mu + self.sigma[given] * normal
        if self.settings.prior or "latent.share" not in checkpoint.weights:
            return normal
        shares = [None] * len(indices) if labels is None else list(labels)
        if self.prefixes is not None:
            for k, index in enumerate(indices):
                guesses = self.guesses(self.prefixes[index // self.best_of], shares[k])
                if self.settings.greedy or self.settings.most_likely:
                    normal[k] = guesses.best()
                else:
                    normal[k] = guesses.choose(self.random(index, COMPONENT).random())
            return normal
        spread = 0.0 if self.settings.most_likely else math.sqrt(self.latent_tau)
        normal *= np.float32(spread)
        for k, index in enumerate(indices):
            u = self.random(index, COMPONENT).random()
            word = partial(self.chosen, index)
            normal[k] = self.where_drawings_lie(normal[k], shares[k], u=u, word=word)
        return normal

    def guesses(self, prefix: Array, shares: Array | None) -> Guesses:
        """Latents that a beginning may have, the same for all sketches that begin so."""
        key = (id(prefix), b"" if shares is None else shares.tobytes())
        if key not in self._guesses:
            checkpoint = self.network.checkpoint
            generator = random_numbers(self.settings.seed, 0, choice=BEGINNING)
            size = (CANDIDATES, checkpoint.config.latent_size)
            z = generator.standard_normal(size, np.float32) * np.float32(math.sqrt(self.latent_tau))
            u, v = generator.random(CANDIDATES), generator.random(CANDIDATES)
            for k in range(CANDIDATES):
                word = partial(self.any_word, v[k])
                z[k] = self.where_drawings_lie(z[k], shares, u=u[k], word=word)
            moves = to_model(prefix, checkpoint.scale_factor)
            labels = None if shares is None else self.guided(shares[None])
            self._guesses.clear()  # sketches of a beginning follow one another
            self._guesses[key] = guess(
                self.network, moves, z, None if labels is None else labels[0]
            )
        return self._guesses[key]

    def where_drawings_lie(
        self, normal: Array, shares: Array | None, *, u: float, word: Callable[[], int]
    ) -> Array:
        """A latent (Z,) of a sketch made of words, from standard normal numbers (Z,).

        Between words it lies between their latents of the same numbers, so that it moves evenly
        with the shares.

        Args:
            normal: (Z,).
            shares: (W + 1,) of words; None: no word.
            u: from [0, 1), chooses the component.
            word: chooses any of them, to stand for no word.
        """
        weights = self.network.checkpoint.weights
        told = np.zeros(0) if shares is None else shares[: len(self.network.checkpoint.words)]
        parts = {int(k): float(told[k]) for k in np.flatnonzero(told)}
        if (rest := 1 - sum(parts.values())) > 1e-6:
            instead = word()
            parts[instead] = parts.get(instead, 0) + rest
        result = np.zeros_like(normal)
        for k, share in parts.items():
            weight = weights["latent.weight"][k]
            if self.settings.most_likely:
                component = int(weight.argmax())
            else:
                steps = np.cumsum(weight, dtype=np.float64)
                component = int(np.searchsorted(steps / steps[-1], u, side="right"))
            mean = weights["latent.mean"][k, component]
            result += np.float32(share) * (mean + weights["latent.scale"][k] @ normal)
        return result
