"""A sampling request: the items of a prompt, latents, partial drawings, or anything.

Symbols: N drawings, Z latent size, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.inference import interpolation, latent_prior, prompt, sampler
from sketchrnn_cli.inference.conditioning import (
    Conditioning,
    check_latents,
    label_rows,
    label_shares,
)
from sketchrnn_cli.inference.engine import Network, no_encoder, to_model
from sketchrnn_cli.inference.interpolation import lerp, nearest, slerp
from sketchrnn_cli.inference.prompt import Item, Prompt
from sketchrnn_cli.inference.ranking import usual_candidates
from sketchrnn_cli.inference.settings import COUNT, FRAMES, GUIDANCE, ROUNDS, Settings
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.sketches.preparation import prepare_like
from sketchrnn_cli.sketches.sketch import Morph, Sketch, to_stroke3

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.formats.latents import Latents

Array = npt.NDArray[np.float32]
T = TypeVar("T")

MAX_HELD = 1_000_000  # drawings of one request, where what they are is held in memory
MAX_PREFIX_POINTS = 20_000_000  # of prefixes, the same
MAX_NUMBER = 2**53  # of a drawing: JSON has no larger whole numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """N drawings, and what is given of each.

    Two drawings with the same number, settings and conditioning are the same, but for the last
    bits of matrix products, which depend on how many drawings are alive.
    """

    n: int
    z: Array | None = None  # (N, Z) latents; None: sampled, or the posterior of the prefixes
    prefixes: Sequence[Array] | None = None  # N of (points, 3), stroke-3 in data units
    words: Sequence[str | None] | None = None  # on the drawings; None: the sampled labels
    labels: Array | None = None  # (N, V + 1) label shares, the null label last; None: of the words
    numbers: Sequence[int] | None = None  # in the random streams; None: 0, 1, 2 ...
    morphs: Sequence[Morph | None] | None = None  # between which words each is, and how far
    rows: Sequence[tuple[str, int]] = ()  # items of a prompt, and how many drawings each has

    def __post_init__(self) -> None:
        if not 0 <= self.n <= MAX_NUMBER:
            raise BadConfig(f"{self.n:,} drawings: ask for fewer")
        each = (self.z, self.prefixes, self.words, self.labels, self.numbers, self.morphs)
        for given in each:
            if given is not None and len(given) != self.n:
                raise BadConfig(
                    f"{len(given):,} latents, prefixes, words, labels or numbers for "
                    f"{self.n:,} drawings"
                )


def draw(
    network: Network,
    request: Request,
    settings: Settings | None = None,
    *,
    batch_size: int = sampler.BATCH,
    ended: Callable[[int], None] | None = None,
) -> Iterator[Sketch]:
    """The drawings of a request, in order, each as soon as it is ready.

    Args:
        network: an ``Engine``, or its like on a device.
        request: how many, and what is given.
        settings: temperatures, candidates, seed, limits.
        batch_size: sketches alive at once; no influence on what is drawn, up to rounding.
        ended: called with how many candidates have just ended, in whatever order they do.

    Returns:
        Sketches in data units, two decimals, with extras ``seed``, ``number``, ``temperature``,
        ``log_likelihood`` (nats of the whole sketch and its end at temperature 1, model units,
        prefix included) and ``finished`` (False: cut at max_points).

    Raises:
        BadConfig: latents or labels of another size, a prefix beyond max_points, or a setting
            that has no effect here.
        BadCheckpoint: latents for a decoder-only model; or the model draws what is not finite.
    """
    settings = settings or Settings()
    _check(network.checkpoint, request, settings)
    rounds = ROUNDS if settings.best_of is None else 1
    if settings.best_of is None:
        settings = replace(settings, best_of=usual_candidates(network.checkpoint, request))
    conditioning = replace(_conditioning(network, request, settings), rounds=rounds)
    return sampler.sample(conditioning, request.n, batch_size, ended)


def _check(checkpoint: Checkpoint, request: Request, settings: Settings) -> None:
    """Refuse what does not fit the model, and settings that would be ignored."""
    config = checkpoint.config
    if request.z is not None:
        check_latents(checkpoint, request.z)
    labels = request.labels
    if labels is not None and (not config.n_words or labels.shape[1:] != (config.n_words + 1,)):
        raise BadConfig(f"labels of shape {labels.shape} for a vocabulary of {config.n_words}")
    for k, prefix in enumerate(request.prefixes or ()):
        if len(prefix) > settings.max_points:
            raise BadConfig(
                f"partial drawing {k}: {len(prefix):,} points, and max_points is "
                f"{settings.max_points:,}"
            )
    if settings.guidance not in (None, 1.0) and not config.n_words:
        raise BadConfig("guidance has no effect: the model is unconditional")
    if not config.encoder:
        why = "the model is decoder-only and has no latents"
    elif request.z is not None:
        why = "latents are given"
    elif request.prefixes is None and not latent_prior.is_fitted(checkpoint.weights):
        why = "the model has no latent prior; `encode --fit` fits one"
    else:
        return
    for name in ("prior", "most_likely", "latent_temperature"):
        value = getattr(settings, name)
        if value is not None and value is not False:
            raise BadConfig(f"{name} has no effect: {why}")


def _conditioning(network: Network, request: Request, settings: Settings) -> Conditioning:
    checkpoint = network.checkpoint
    mu, sigma, labels = request.z, None, request.labels
    known = latent_prior.is_fitted(checkpoint.weights) and not settings.prior
    if request.prefixes is not None and mu is None and checkpoint.config.encoder and not known:
        mu, sigma = _encode_prefixes(network, request.prefixes)
    if labels is None and request.words is not None:
        labels = label_rows(checkpoint, request.words)
    return Conditioning(
        network=network,
        settings=settings,
        mu=mu,
        sigma=None if settings.greedy or settings.most_likely else sigma,
        prefixes=request.prefixes,
        words=request.words,
        labels=labels,
        numbers=request.numbers,
        morphs=request.morphs,
    )


def _encode_prefixes(network: Network, prefixes: Sequence[Array]) -> tuple[Array, Array]:
    """Latents of prefixes; one that is there several times is encoded once."""
    distinct = {id(prefix): prefix for prefix in prefixes}
    place = {name: k for k, name in enumerate(distinct)}
    scale = network.checkpoint.scale_factor
    mu, sigma = network.encode([to_model(prefix, scale) for prefix in distinct.values()])
    index = [place[id(prefix)] for prefix in prefixes]
    return mu[index], sigma[index]


def parse(checkpoint: Checkpoint, text: str, name: str, *, strict: bool) -> Prompt:
    """A prompt in the words of a model.

    Args:
        checkpoint: of the model.
        text: what the user wrote.
        name: what messages call the model.
        strict: a word that means nothing here is an error.

    Raises:
        BadConfig: it cannot be understood.
        BadCheckpoint: the model is unconditional, and has more than one word.
    """
    if not checkpoint.words:
        raise BadCheckpoint(f"{name}: knows no words, so leave the prompt out")
    if not checkpoint.config.n_words and len(checkpoint.words) > 1:
        raise BadCheckpoint(
            f"{name}: is unconditional, so it cannot draw one word of several; "
            "leave the prompt out, or train with --words"
        )
    return prompt.parse(text, checkpoint.words, strict=strict)


def check_held(n: int) -> None:
    """Refuse more drawings than should be held in memory.

    Raises:
        BadConfig: more than ``MAX_HELD``.
    """
    if n > MAX_HELD:
        raise BadConfig(f"more than {MAX_HELD:,} drawings: ask for fewer")


def unconditional(count: int | None = None, *, first: int = 0) -> Request:
    """So many drawings, of whatever the model draws; ``first`` is the number of the first one.

    Raises:
        BadConfig: too many, or numbers that are too large.
    """
    n = COUNT if count is None else count
    return Request(n=_checked(n, first), numbers=range(first, first + n))


def from_prompt(
    checkpoint: Checkpoint,
    prompt: Prompt,
    *,
    count: int | None = None,
    frames: int | None = None,
    first: int = 0,
) -> Request:
    """Drawings of a prompt, item after item; of an interpolation, frame after frame.

    Args:
        checkpoint: of the model.
        prompt: in its words.
        count: drawings of each item that is not counted; None: ``COUNT``, or 1 of several.
        frames: steps from each stop of an interpolation to the next; None: ``FRAMES``.
        first: number of the first drawing.

    Raises:
        BadConfig: frames without an interpolation, or too many drawings.
    """
    if frames is not None and not prompt.has_interpolation:
        raise BadConfig('frames are for interpolations, as in "cat -> pig"')
    default = count or (1 if len(prompt.items) > 1 else None)
    words: list[str | None] = []
    shares: list[list[tuple[Item | None, float]]] = []
    numbers: list[int] = []
    morphs: list[Morph | None] = []
    rows: list[tuple[str, int]] = []
    number = first
    for item in prompt.items:
        stops = (item,) if isinstance(item, Item) else item.stops
        single = len(stops) == 1
        n = item.count or default or (COUNT if single else 1)
        check_held(len(words) + n * ((len(stops) - 1) * (frames or FRAMES) + 1))
        between = interpolation.frames(len(stops), frames or FRAMES)
        names = [_name(stop) for stop in stops]
        rows += [(names[0], n)] if single else [(" -> ".join(names), len(between))] * n
        for _ in range(n):
            for a, b, t in between:
                words.append(nearest(names[a], names[b], t))
                shares.append([(stops[a], 1 - t), (stops[b], t)])
                numbers.append(number)
                before, part = (a, t) if a < b else (a - 1, 1.0)
                morphs.append(None if single else (names[before], names[b], round(part, 4)))
            number += 1
    _checked(number - first, first)
    labels = label_shares(checkpoint, shares)
    return Request(
        n=len(words), words=words, labels=labels, numbers=numbers, morphs=morphs, rows=rows
    )


def from_latents(
    checkpoint: Checkpoint,
    latents: Latents,
    *,
    count: int = 1,
    frames: int | None = None,
    first: int = 0,
) -> Request:
    """Drawings of latents, and of the words beside them.

    Args:
        checkpoint: of the model.
        latents: only their means count.
        count: drawings of each.
        frames: steps from each latent to the next; None: none between them. All frames have the
            random numbers of one drawing, so that only latent and label change.
        first: number of the first drawing.

    Raises:
        BadCheckpoint: a decoder-only model.
        BadConfig: latents of another size, or too many drawings.
    """
    if not checkpoint.config.encoder:
        raise no_encoder()
    check_latents(checkpoint, latents.mu)
    n_stops = len(latents.mu)
    n = n_stops if frames is None else (n_stops - 1) * frames + 1
    check_held(n * count)
    words = list(latents.words) if latents.words is not None and any(latents.words) else None
    labels = None if words is None else label_rows(checkpoint, words)
    z, numbers = latents.mu, list(range(first, first + n * count))
    if frames is not None:
        z = np.stack(interpolation.path(list(z), frames, slerp))
        numbers = [number for _ in z for number in range(first, first + count)]
        if labels is not None:
            labels = np.stack(interpolation.path(list(labels), frames, lerp))
        if words is not None:
            words = interpolation.path(words, frames, nearest)
    return Request(
        n=n * count,
        z=np.repeat(z, count, axis=0),
        words=None if words is None else _each(words, count),
        labels=None if labels is None else np.repeat(labels, count, axis=0),
        numbers=numbers,
    )


def from_prefixes(
    checkpoint: Checkpoint, sketches: Iterable[Sketch], *, count: int = 1, first: int = 0
) -> Request:
    """Completions of partial drawings, prepared as the model's own were; so many of each.

    Raises:
        BadSketch: one without strokes.
        BadConfig: too many drawings, or points.
    """
    prefixes: list[Array] = []
    words: list[str | None] = []
    n_points = 0
    for number, sketch in enumerate(sketches, start=1):
        check_held(number * count)
        n_points += sketch.n_points
        if n_points > MAX_PREFIX_POINTS:
            raise BadConfig(
                f"partial drawings of more than {MAX_PREFIX_POINTS:,} points: give fewer, or "
                "as NDJSON from pipe to pipe"
            )
        prefixes.append(to_stroke3(prepare_like(sketch, checkpoint.preparation, partial=True)))
        words.append(sketch.word)
    n = len(prefixes) * count
    return Request(
        n=n,
        prefixes=_each(prefixes, count),
        words=_each(words, count),
        numbers=range(first, first + n),
    )


def with_label(checkpoint: Checkpoint, request: Request, item: Item | None) -> Request:
    """The same drawings, all conditioned on one item, or on the null label."""
    labels = label_shares(checkpoint, [[(item, 1.0)]])
    labels = None if labels is None else np.repeat(labels, request.n, axis=0)
    return replace(
        request, words=[None if item is None else _name(item)] * request.n, labels=labels
    )


def only_item(prompt: Prompt) -> Item | None:
    """The one item of a prompt; None where there are several, or an interpolation."""
    (item,) = prompt.items[:1]
    return item if len(prompt.items) == 1 and isinstance(item, Item) else None


def with_latents(
    network: Network, request: Request, settings: Settings
) -> tuple[Request, Settings]:
    """The same drawings, with the latents and labels that would be sampled.

    Args:
        network: of any kind.
        request: without prefixes.
        settings: how to sample them.

    Returns:
        A request that gives them, and settings for it.
    """
    checkpoint = network.checkpoint
    _check(checkpoint, request, settings)
    sampled = _conditioning(network, request, replace(settings, best_of=1))
    words, labels, everyone = request.words, sampled.labels, range(request.n)
    if sampled.samples_labels:
        words = [checkpoint.words[sampled.sampled_label(k)] for k in everyone]
        labels = label_rows(checkpoint, words)
    z = sampled.latents(everyone, [sampled.random(k) for k in everyone], labels)
    if checkpoint.config.n_words and settings.guidance is None:
        settings = replace(settings, guidance=GUIDANCE if request.z is None else 1.0)
    if z is not None:
        settings = replace(settings, prior=False, most_likely=False, latent_temperature=None)
    numbers = request.numbers or everyone
    return replace(request, z=z, labels=labels, words=words, numbers=numbers), settings


def grid(
    network: Network, request: Request, settings: Settings, n_rows: int, n_columns: int
) -> tuple[Request, Settings]:
    """A grid between four drawings, row by row, the corners in reading order.

    All have the random numbers of one drawing, so that only latent and label change. Given latents
    and those from N(0, I) are interpolated spherically; those of a latent prior, which lie off the
    origin, linearly, as in an interpolation between words.

    Raises:
        BadConfig: not four, or nothing that could change between them.
    """
    interpolation.check_shape(n_rows, n_columns)
    if request.n != interpolation.CORNERS:
        raise BadConfig(
            f"a grid lies between {interpolation.CORNERS} drawings, and this asks for "
            f'{request.n}: give four words, as in "cat, owl, pig, bird", or four of one, as in '
            '"four cats", or four latents'
        )
    fitted = latent_prior.is_fitted(network.checkpoint.weights) and not settings.prior
    blend = lerp if request.z is None and fitted else slerp
    corners, settings = with_latents(network, request, settings)
    z, labels, words = corners.z, corners.labels, corners.words
    if z is None and labels is None:
        raise BadConfig(
            "nothing lies between drawings of this model: it has no encoder, and is unconditional"
        )
    shape = n_rows, n_columns
    filled = Request(
        n=n_rows * n_columns,
        z=None if z is None else np.stack(interpolation.grid(list(z), *shape, blend)),
        labels=None if labels is None else np.stack(interpolation.grid(list(labels), *shape, lerp)),
        words=None if words is None else interpolation.grid(words, *shape, nearest),
        numbers=[(corners.numbers or [0])[0]] * (n_rows * n_columns),
    )
    return filled, settings


def at_temperatures(
    checkpoint: Checkpoint, settings: Settings, temperatures: Sequence[float]
) -> list[Settings]:
    """Settings for the same drawings at several temperatures: sampled latents stay the same."""
    given = settings.latent_temperature is not None or settings.prior or settings.most_likely
    if len(temperatures) > 1 and not given and latent_prior.is_fitted(checkpoint.weights):
        settings = replace(settings, latent_temperature=Settings().temperature ** 2)
    return [replace(settings, temperature=temperature) for temperature in temperatures]


def _checked(n: int, first: int) -> int:
    """A number of drawings, after checking that their own numbers are small enough."""
    if n < 0 or first < 0 or first + n > MAX_NUMBER:
        raise BadConfig(f"{n:,} drawings from number {first:,}: numbers end at {MAX_NUMBER:,}")
    return n


def _each(values: Sequence[T], count: int) -> list[T]:
    return [value for value in values for _ in range(count)]


def _name(item: Item) -> str:
    """What is written on a drawing of an item: a word, or words with their shares."""
    if len(item.parts) == 1:
        return item.parts[0][0]
    return " + ".join(f"{word}:{share:.2g}" for word, share in item.parts)
