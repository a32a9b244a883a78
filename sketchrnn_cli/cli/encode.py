"""``sketchrnn encode``: from drawings to latents."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from sketchrnn_cli import files, pretrained
from sketchrnn_cli.cli import downloads, options, report
from sketchrnn_cli.cli.options import flag
from sketchrnn_cli.cli.terminal import (
    Terminal,
    limit_threads,
    stdout_is_terminal,
    unbroken,
    work_alone,
)
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile, BadSketch
from sketchrnn_cli.files import Format
from sketchrnn_cli.inference.settings import MAX_POINTS

if TYPE_CHECKING:
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.sketches.formats.latents import Array
    from sketchrnn_cli.sketches.sketch import Sketch

KNOWN = outputs.LATENTS
FEW = 1 << 14  # bytes of a file that holds a few drawings at most
BATCH = 256  # drawings of a file read together; a pipe's go one by one, as they come

MAX_OTHERS = 10_000  # words that a model does not have, counted each by itself

T = TypeVar("T")
Encoded = Iterator[tuple["Sketch", "Array", "Array"]]


@dataclass(slots=True)
class _Given:
    """The drawings that are given; those of them that are skipped are counted."""

    sources: list[str]
    count: int | None
    on_error: str
    preparation: Mapping[str, Any]  # of those that the model learned from
    terminal: Terminal
    n_skipped: int = 0
    first: str = ""  # why the first of these was

    @property
    def name(self) -> str:
        """What messages call them."""
        return _named(self.sources)

    def skip(self, message: str) -> None:
        """Count one that is skipped."""
        self.first = self.first or message
        self.n_skipped += 1

    def track(self, items: Iterable[T]) -> Iterator[T]:
        """What becomes of them, with a bar that shows how far it is."""
        total = self.terminal.count(self.sources)
        return self.terminal.track(items, what="encoding", total=total)

    def read(self, sources: Sequence[str]) -> Iterator[tuple[Sketch, Array]]:
        """Drawings and their moves, (P, 3), data units, prepared as those of the model were.

        Raises:
            BadSketch: one that would take the model minutes, unless these are skipped.
        """
        from sketchrnn_cli.sketches.formats import read_sketches
        from sketchrnn_cli.sketches.preparation import prepare_like
        from sketchrnn_cli.sketches.sketch import to_stroke3

        found = read_sketches(
            sources, on_error=self.on_error, skipped=self.skip, note=self.terminal.note
        )
        for number, sketch in enumerate(found, start=1):
            moves = to_stroke3(prepare_like(sketch, self.preparation))
            if len(moves) <= MAX_POINTS:
                yield sketch, moves
                continue
            message = (
                f"{_named(sources)}: drawing {number:,} has {len(moves):,} points; at most "
                f"{MAX_POINTS:,} are encoded"
            )
            if self.on_error == "fail":
                raise BadSketch(f"{message}; leave it out, or use --on-error skip")
            self.skip(message)

    def training(self) -> Iterator[tuple[str, Array]]:
        """Word and moves of drawings, data units: of a packed set its training split, or all."""
        from sketchrnn_cli.sketches.corpus import Corpus, is_packed
        from sketchrnn_cli.sketches.preparation import moves_like

        for source in self.sources:
            if source != files.STDIO and Path(source).is_file() and is_packed(source):
                corpus = Corpus.open(source)
                made, wanted = corpus.preparation, self.preparation
                for i in corpus.indices("train"):
                    yield corpus.word_of(i), moves_like(corpus.moves_of(i), made, wanted)
                continue
            for sketch, moves in self.read([source]):
                yield sketch.word or "", moves


def encode(
    sketches: options.Drawings = None,
    model: options.Model = None,
    out: Annotated[
        str, options.out("FILE.ndjson or FILE.npz; - is a pipe, in a terminal a summary.", KNOWN)
    ] = files.STDIO,
    fit: Annotated[
        bool,
        flag(
            "Fit the latent mixture of each label to these drawings and store it in the "
            "model, or in -o FILE.safetensors.",
            "--fit",
        ),
    ] = False,
    format: Annotated[str | None, options.format(KNOWN)] = None,
    count: Annotated[int | None, options.count("Only the first N drawings.")] = None,
    on_error: options.OnError = "fail",
    overwrite: options.Overwrite = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Find the latents of drawings: mean z and its sigma, beside each drawing or as arrays."""
    sources, written = sketches or [files.STDIO], _format(out, format, fit=fit)
    target = _target_of_fit(model, out) if fit else out
    if target == out:
        inputs: list[str | Path] = [*sources, *options.model_file(model)]
        files.check_output(
            out, binary=written.binary, inputs=inputs, is_data=True, overwrite=overwrite
        )
    limit_threads(threads)
    terminal = Terminal(quiet=quiet)
    sources = downloads.local(sources, terminal)
    if not fit and all(source == files.STDIO or _is_small(source) for source in sources):
        work_alone()
    network = _open(model, device)
    given = _Given(sources, count, on_error, network.checkpoint.preparation, terminal)
    if fit:
        facts = _fit(network, given, target)
    elif out == files.STDIO and format is None and stdout_is_terminal():
        facts = _summarise(network, given)
    else:
        facts = _write(network, given, out, written)
    if given.n_skipped:
        terminal.warn(f"{given.n_skipped:,} skipped; the first: {given.first}")
    if json:
        terminal.answer({**facts, **({} if fit else {"n_skipped": given.n_skipped})})


def _format(out: str, format: str | None, *, fit: bool) -> Format:
    """What to write; a pipe gets NDJSON."""
    if fit and out != files.STDIO:
        return files.format_of(out, None, ("safetensors",))
    if (out, format) == (files.STDIO, None):
        return Format("ndjson")
    return files.format_of(out, format, KNOWN)


def _write(network: Network, given: _Given, out: str, format: Format) -> dict[str, object]:
    """Encode drawings, those of a pipe one by one."""
    encoded = _encode(network, given, recognises=format.name == "ndjson")
    with files.open_output(out, binary=format.binary, compressed=format.compressed) as stream:
        n = outputs.write_latents(stream, encoded, format.name, out)
        if not n:
            raise BadFile(f"{given.name}: no drawings to encode")
    if out != files.STDIO:
        given.terminal.say(f"{out}: latents of {report.number(n, 'drawing')}")
    latent_size = network.checkpoint.config.latent_size
    return {"file": out, "format": format.name, "n_drawings": n, "latent_size": latent_size}


def _summarise(network: Network, given: _Given) -> dict[str, object]:
    """What a person reads in place of thousands of numbers."""
    import numpy as np

    words, answers, size = Counter[str](), Counter[str](), 0
    sums = np.zeros(3)  # over drawings, means over Z: mu, its square, sigma
    for sketch, mu, sigma in _encode(network, given, recognises=True):
        words[sketch.word or ""] += 1
        likeliest = cast("list[tuple[str, float]]", sketch.extras.get("recognized", []))[:1]
        answers.update(word for word, _ in likeliest)
        sums += mu.mean(dtype="f8"), np.square(mu, dtype="f8").mean(), sigma.mean(dtype="f8")
        size = len(mu)
    if not (n := words.total()):
        raise BadFile(f"{given.name}: no drawings to encode")
    mean, square, sigma_mean = (sums / n).tolist()
    facts: dict[str, object] = {"path": given.name, "n_drawings": n, "latent_size": size}
    facts |= {"mu": mean, "mu_deviation": (square - mean**2) ** 0.5, "sigma": sigma_mean}
    facts |= {"words": words, "recognized": answers}
    command = shlex.join(["sketchrnn", "encode", *given.sources, "-o", "z.ndjson"])
    lines = report.latents(facts, command)
    typer.echo("\n".join(unbroken(line, sys.stdout, indent=14) for line in lines))
    return facts


def _open(model: str | None, device: str) -> Network:
    """A model with an encoder, in use."""
    from sketchrnn_cli.inference import devices
    from sketchrnn_cli.model.load import open_model

    devices.check(device)
    network = devices.open_engine(open_model(model or pretrained.FILE), device)
    if not network.checkpoint.config.encoder:
        raise BadCheckpoint(f"{model}: decoder-only, so it knows no latents; train with an encoder")
    return network


def _fit(network: Network, given: _Given, target: str) -> dict[str, object]:
    """Fit the latent prior of the model's labels to drawings, and write the model."""
    from sketchrnn_cli.inference import latent_prior
    from sketchrnn_cli.model import checkpoint
    from sketchrnn_cli.sketches.words import visible

    words, terminal = network.checkpoint.words, given.terminal
    others: dict[str, int] = {}

    def of_known_words() -> Iterator[tuple[int, Array]]:
        place = {word: k for k, word in enumerate(words)}
        for word, moves in islice(given.training(), given.count):
            if word in place or len(words) < 2:
                yield place.get(word, 0), moves
            else:
                word = word if word in others or len(others) < MAX_OTHERS else ""
                others[word] = others.get(word, 0) + 1

    try:
        fitted = latent_prior.fit_model(
            network,
            given.track(of_known_words()),
            track=lambda labels: terminal.track(labels, what="fitting", total=len(words) or 1),
        )
    except BadFile:
        raise BadFile(
            f"{given.name}: no drawings of the model's words in it: "
            f"{', '.join(map(visible, words[:5]))}"
        ) from None
    checkpoint.save(Path(target), fitted)
    if others:
        worst = max(others, key=lambda word: others[word])
        left = report.number(sum(others.values()), "drawing")
        terminal.warn(f"{left} left out: the model has no such word ({worst!r})")
    n_components = (fitted.weights["latent.weight"] > 0).sum(1)
    fits = f"{report.number(int(n_components.sum()), 'Gaussian')} for {len(n_components):,} words"
    terminal.say(f"{target}: {fits}")
    found = {word: int(n) for word, n in zip(words, n_components, strict=False)}
    return {"file": target, "components": found}


def _target_of_fit(model: str | None, out: str) -> str:
    """The file that --fit writes: -o, or the model itself."""
    if out != files.STDIO:
        return out
    if model is None:
        raise BadConfig("--fit does not change the built-in model: give -o FILE.safetensors")
    (path,) = options.model_file(model)
    if path.suffix.lower() != ".safetensors":
        raise BadConfig(f"--fit does not change {model}: give -o FILE.safetensors")
    return str(path)


def _named(sources: Sequence[str]) -> str:
    return ", ".join(map(files.name_of, sources))


def _is_small(source: str) -> bool:
    path = Path(source)
    return path.is_file() and path.stat().st_size <= FEW


def _encode(network: Network, given: _Given, *, recognises: bool) -> Encoded:
    """Every drawing with its mean and sigma, (Z,) each, and what it looks like."""
    from sketchrnn_cli.inference.engine import to_model
    from sketchrnn_cli.inference.recognition import SHOWN, Recognition, rounded

    recognition = Recognition.of(network.checkpoint) if recognises else None
    scale = network.checkpoint.scale_factor
    size = 1 if files.STDIO in given.sources else BATCH
    sketches = islice(given.read(given.sources), given.count)

    def encoded() -> Encoded:
        while batch := list(islice(sketches, size)):
            drawings, moves = [sketch for sketch, _ in batch], [each for _, each in batch]
            if recognition is not None:
                answers = recognition.recogniser.top(moves, SHOWN)
                drawings = [
                    sketch.with_extras(recognized=rounded(answer))
                    for sketch, answer in zip(drawings, answers, strict=True)
                ]
            latents = network.encode([to_model(each, scale) for each in moves])
            yield from zip(drawings, *latents, strict=True)

    return given.track(encoded())
