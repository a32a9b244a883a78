"""A model in a notebook: it samples, completes, encodes, decodes, scores, recognises drawings.

Every method means what the command line means by it, with the same defaults, and the same seed
gives the same drawings. Symbols: N drawings, Z latent size.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sketchrnn_cli import pretrained
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.inference import request
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.inference.prompt import LIST_WORDS, Prompt
from sketchrnn_cli.inference.recognition import SHOWN, Answer, Recognition
from sketchrnn_cli.inference.request import Request
from sketchrnn_cli.inference.score import worst_first
from sketchrnn_cli.inference.settings import COUNT, FEW, FRAMES, Settings
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.notebook.arguments import numbers, whole
from sketchrnn_cli.notebook.drawings import AnyDrawings, Drawing, Drawings, listed
from sketchrnn_cli.sketches.formats.latents import Latents
from sketchrnn_cli.sketches.preparation import prepare_like
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

Array = npt.NDArray[np.float32]

DEFAULT = Settings()


class Encoded(NamedTuple):
    """Latents of N drawings."""

    mu: Array  # (N, Z) means
    sigma: Array  # (N, Z) standard deviations


class Scores(NamedTuple):
    """How likely a model finds N drawings, (N,) nats each, in units of its scale factor."""

    log_likelihood: npt.NDArray[np.float64]  # of the whole drawing and its end
    per_prediction: npt.NDArray[np.float64]  # divided by its points + 1: to compare drawings


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Model:
    """A model in use, on the CPU and without torch; see ``load``.

    >>> sk.load()  # doctest: +ELLIPSIS
    the built-in model: 345 words: The Eiffel Tower, The Great Wall of China, ... and 340 more
    >>> "cat" in model.words
    True
    """

    network: Engine
    name: str  # what messages call it

    @property
    def words(self) -> tuple[str, ...]:
        """What it knows."""
        return self.network.checkpoint.words

    def sample(
        self,
        prompt: str | None = None,
        n: int | None = None,
        *,
        temperature: float = DEFAULT.temperature,
        pen_temperature: float | None = None,
        latent_temperature: float | None = None,
        guidance: float | None = None,
        greedy: bool = False,
        prior: bool = False,
        most_likely: bool = False,
        best_of: int | None = None,
        frames: int | None = None,
        first: int = 0,
        seed: int = DEFAULT.seed,
        max_points: int = DEFAULT.max_points,
        strict: bool = False,
    ) -> Drawings:
        """Draw what the prompt says, as `sketchrnn sample` does.

        >>> model.sample("three cats and an owl", temperature=0.3)
        4 drawings: cat, owl

        Args:
            prompt: "cat", "three cats", "cat, dog", "cat:0.7 + bird:0.3" or "cat -> pig"; None:
                anything. A noun that the model does not know is drawn as its nearest word, what
                means nothing to it is ignored, with a warning.
            n: drawings of each thing that the prompt does not count; None: 9, or 1 of several.
            temperature: sampling temperature (tau in the paper), 0.01 to 2.
            pen_temperature: temperature of the pen state; None: 0.5 + 0.5 tau.
            latent_temperature: temperature of z, 0 to 4: 1 samples the latent prior, 0 takes its
                component means; None: tau squared.
            guidance: guidance scale, 0 to 4: 1 is off; None: 2.
            greedy: always the likeliest move.
            prior: z from N(0, I) instead of the latent prior.
            most_likely: the most probable z of the label instead of sampling.
            best_of: draw so many candidates and keep the one that the recogniser is surest of, or
                without one the likeliest; None: 4 where a recogniser knows the word, else 1.
            frames: steps from each item to the next of "cat -> pig"; None: 12.
            first: number of the first drawing.
            seed: the same seed, the same drawings.
            max_points: a drawing that has not ended by then is cut.
            strict: words of the prompt that the model does not know are an error.

        Raises:
            BadConfig: a prompt that names nothing the model knows, or a number out of range.
            BadCheckpoint: an unconditional model draws no word of several.
        """
        settings = Settings(
            temperature=temperature,
            pen_temperature=pen_temperature,
            latent_temperature=latent_temperature,
            guidance=guidance,
            greedy=greedy,
            prior=prior,
            most_likely=most_likely,
            best_of=None if best_of is None else whole("best_of", best_of, 1),
            seed=whole("seed", seed, 0),
            max_points=whole("max_points", max_points, 1),
        )
        count = None if n is None else whole("n", n, 1)
        first = whole("first", first, 0)
        if frames is not None:
            frames = whole("frames", frames, 1)
        if prompt is not None:
            understood = self._understand(prompt, strict=strict)
            asked = request.from_prompt(
                self.network.checkpoint, understood, count=count, frames=frames, first=first
            )
        elif frames is None:
            asked = request.unconditional(count, first=first)
        else:
            raise BadConfig('frames are for interpolations, as in "cat -> pig"')
        with _threads((count or COUNT) * (best_of or 1)):
            return self._draw(asked, settings)

    def complete(
        self,
        drawings: AnyDrawings,
        n: int = 1,
        *,
        prompt: str | None = None,
        temperature: float = DEFAULT.temperature,
        pen_temperature: float | None = None,
        latent_temperature: float | None = None,
        guidance: float | None = None,
        greedy: bool = False,
        prior: bool = False,
        most_likely: bool = False,
        best_of: int | None = None,
        seed: int = DEFAULT.seed,
        max_points: int = DEFAULT.max_points,
    ) -> Drawings:
        """Complete partial drawings, ``n`` times each, as `sketchrnn sample --complete` does.

        They are prepared as the model's own were, and their last stroke counts as finished. The
        label is their word, or else what ``prompt`` says, one item. The other arguments
        are those of ``sample``, but guidance is 1 unless given.

        >>> head = sk.from_strokes([[(60, 60), (40, 10), (90, 50), (130, 10), (130, 70)]], "cat")
        >>> model.complete(head, n=3)
        3 drawings: cat

        Returns:
            The first n of the first drawing, and so on.

        Raises:
            BadConfig: a drawing longer than ``max_points``, or a number out of range.
            BadSketch: no drawings.
        """
        settings = Settings(
            temperature=temperature,
            pen_temperature=pen_temperature,
            latent_temperature=latent_temperature,
            guidance=guidance,
            greedy=greedy,
            prior=prior,
            most_likely=most_likely,
            best_of=None if best_of is None else whole("best_of", best_of, 1),
            seed=whole("seed", seed, 0),
            max_points=whole("max_points", max_points, 1),
        )
        asked = None if prompt is None else self._understand(prompt, strict=False)
        item = None if asked is None else request.only_item(asked)
        if asked is not None and item is None:
            raise BadConfig("prompt: one word at most, the same for every drawing")
        count = (item.count if item else None) or whole("n", n, 1)
        prefixes = request.from_prefixes(self.network.checkpoint, _some(drawings), count=count)
        if item is not None:
            prefixes = request.with_label(self.network.checkpoint, prefixes, item)
        return self._draw(prefixes, settings)

    def encode(self, drawings: AnyDrawings) -> Encoded:
        """Latents of drawings, as `sketchrnn encode` finds them.

        >>> mu, sigma = model.encode(model.sample("cat", n=3))
        >>> mu.shape == sigma.shape == (3, mu.shape[1])
        True

        Raises:
            BadCheckpoint: a decoder-only model.
            BadSketch: no drawings.
        """
        stored = self.network.checkpoint
        prepared = (prepare_like(sketch, stored.preparation) for sketch in _some(drawings))
        moves = [to_model(to_stroke3(sketch), stored.scale_factor) for sketch in prepared]
        return Encoded(*self.network.encode(moves))

    def decode(
        self,
        z: npt.ArrayLike,
        words: Sequence[str | None] | None = None,
        *,
        n: int = 1,
        frames: int | None = None,
        temperature: float = DEFAULT.temperature,
        pen_temperature: float | None = None,
        guidance: float | None = None,
        greedy: bool = False,
        best_of: int | None = None,
        seed: int = DEFAULT.seed,
        max_points: int = DEFAULT.max_points,
    ) -> Drawings:
        """Draw from latents, ``n`` times from each, as `sketchrnn sample --latents` does.

        ``z`` is (N, Z) or a single (Z,). The labels are N ``words``; None, or one that it does
        not know, is no word. With ``frames``, it draws so many steps from each latent to the
        next. The other arguments are those of ``sample``, but guidance is 1 unless given.

        >>> cats = model.sample("cat", n=3)
        >>> model.decode(model.encode(cats).mu, cats.words)
        3 drawings: cat

        Raises:
            BadConfig: latents of another size, or not as many words.
            BadCheckpoint: a decoder-only model.
        """
        settings = Settings(
            temperature=temperature,
            pen_temperature=pen_temperature,
            guidance=guidance,
            greedy=greedy,
            best_of=None if best_of is None else whole("best_of", best_of, 1),
            seed=whole("seed", seed, 0),
            max_points=whole("max_points", max_points, 1),
        )
        mu = _latents(z)
        if isinstance(words, str) or (words is not None and len(words) != len(mu)):
            raise BadConfig(f"words: give a list with a word for each of the {len(mu)} latents")
        given = Latents(mu, words=None if words is None else tuple(words))
        if frames is not None:
            frames = whole("frames", frames, 1)
        asked = request.from_latents(
            self.network.checkpoint, given, frames=frames, count=whole("n", n, 1)
        )
        return self._draw(asked, settings)

    def interpolate(
        self,
        a: Drawing | Sketch,
        b: Drawing | Sketch,
        frames: int = FRAMES,
        *,
        temperature: float = DEFAULT.temperature,
        pen_temperature: float | None = None,
        guidance: float | None = None,
        greedy: bool = False,
        best_of: int | None = None,
        seed: int = DEFAULT.seed,
        max_points: int = DEFAULT.max_points,
    ) -> Drawings:
        """From one drawing to another through the latents between them, in so many steps.

        Both are drawn again by the model, in the first and the last frame. From a word to another
        is ``sample("cat -> pig")``. The other arguments are those of ``sample``, but guidance is
        1 unless given.

        >>> a, b = model.sample("cat, pig")
        >>> model.interpolate(a, b, frames=4)
        5 drawings: cat, pig

        Raises:
            BadCheckpoint: a decoder-only model.
        """
        ends = Drawings((a, b))
        return self.decode(
            self.encode(ends).mu,
            ends.words,
            frames=frames,
            temperature=temperature,
            pen_temperature=pen_temperature,
            guidance=guidance,
            greedy=greedy,
            best_of=best_of,
            seed=seed,
            max_points=max_points,
        )

    def score(self, drawings: AnyDrawings) -> Scores:
        """How likely the model finds drawings, as `sketchrnn inspect --score` says.

        Each given its mean latent and its word.

        >>> model.score(model.sample("cat", n=3)).per_prediction.shape
        (3,)

        Raises:
            BadSketch: no drawings.
        """
        stored = self.network.checkpoint.preparation
        prepared = (prepare_like(sketch, stored) for sketch in _some(drawings))
        found, _ = worst_first(self.network, enumerate(prepared), 0)
        found.sort(key=lambda entry: entry["index"])
        return Scores(
            np.array([entry["log_likelihood"] for entry in found]),
            np.array([entry["per_prediction"] for entry in found]),
        )

    def recognize(self, drawings: AnyDrawings, n: int = SHOWN) -> list[Answer]:
        """What drawings look like to the model's recogniser, as `sketchrnn inspect` says.

        Returns:
            For each drawing its n likeliest words and their shares, the largest first.

        Raises:
            BadCheckpoint: a model without a recogniser.
            BadSketch: no drawings.
        """
        recognition = Recognition.needed(self.network.checkpoint, self.name)
        return recognition.answers(_some(drawings), whole("n", n, 1))

    def _understand(self, prompt: str, *, strict: bool) -> Prompt:
        if not isinstance(prompt, str):
            raise BadConfig(f'the prompt is text such as "cat", not {prompt!r}')
        try:
            asked = request.parse(self.network.checkpoint, prompt, self.name, strict=strict)
        except BadConfig as error:  # there is no such option here
            raise BadConfig(str(error).replace(LIST_WORDS, "model.words has all")) from None
        for note in asked.notes:
            warnings.warn(note, stacklevel=3)
        return asked

    def _draw(self, asked: Request, settings: Settings) -> Drawings:
        request.check_held(asked.n)
        return Drawings(request.draw(self.network, asked, settings))

    def __repr__(self) -> str:
        if not self.words:
            return f"{self.name}: no words"
        n = len(self.words)
        return f"{self.name}: {n} word{'s' * (n != 1)}: {listed(self.words)}"


def load(path: str | Path | None = None) -> Model:
    """Open a model: a run folder, a checkpoint or a browser model; None is the built-in one.

    >>> model.sample("ice cream", n=2, seed=1)
    2 drawings: ice cream

    Raises:
        BadFile: no such file or folder.
        BadCheckpoint: it is something else, or corrupt.
    """
    if path is None:
        return Model(Engine(open_model(pretrained.FILE)), pretrained.NAME)
    return Model(Engine(open_model(path)), str(path))


def _some(drawings: AnyDrawings) -> tuple[Sketch, ...]:
    """What was given, at least one.

    Raises:
        BadSketch: none, or something else.
    """
    sketches = Drawings(drawings).sketches
    if not sketches:
        raise BadSketch("no drawings")
    return sketches


def _latents(z: npt.ArrayLike) -> Array:
    """Latents as (N, Z)."""
    mu = np.atleast_2d(numbers(z))
    if mu.ndim != 2 or not mu.size:
        raise BadConfig("latents are finite numbers of shape (drawings, size)")
    return mu


@contextmanager
def _threads(n_drawings: int) -> Iterator[None]:
    """Let one thread draw a few, as the command does: for its reasons, and to the same last digit.

    What a product of two threads rounds is not what one rounds.
    """
    if n_drawings > FEW:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
