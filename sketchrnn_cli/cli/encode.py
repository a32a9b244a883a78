"""``sketchrnn encode``: from drawings to latents."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from sketchrnn_cli import files, pretrained
from sketchrnn_cli.cli import downloads, options
from sketchrnn_cli.cli.options import (
    Device,
    Drawings,
    Json,
    Model,
    OnError,
    Overwrite,
    Quiet,
    Threads,
    flag,
)
from sketchrnn_cli.cli.terminal import (
    Terminal,
    limit_threads,
    stdout_is_terminal,
    unbroken,
    work_alone,
)
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile, BadSketch

if TYPE_CHECKING:
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.inference.recognition import Recognition
    from sketchrnn_cli.model.checkpoint import Checkpoint
    from sketchrnn_cli.sketches.formats.latents import Array
    from sketchrnn_cli.sketches.sketch import Sketch

KNOWN = outputs.LATENTS
FEW = 1 << 14  # bytes of a file that holds a few drawings at most
BATCH = 256  # drawings of a file read together; a pipe's go one by one, as they come

MAX_OTHERS = 10_000  # words that a model does not have, counted each by itself

Encoded = Iterator[tuple["Sketch", "Array", "Array"]]


@dataclass(slots=True)
class _Skipped:
    """Drawings that were skipped."""

    note: Callable[[str], None]  # called for what is left out of a drawing
    n: int = 0
    first: str = ""

    def add(self, message: str) -> None:
        """Count one."""
        self.first = self.first or message
        self.n += 1


def encode(
    sketches: Drawings = None,
    model: Model = None,
    out: Annotated[
        str, options.out("FILE.ndjson or FILE.npz; - is a pipe, in a terminal a summary.", KNOWN)
    ] = files.STDIO,
    fit: Annotated[
        bool,
        flag(
            "--fit",
            help="Fit the latent mixture of each label to these drawings and store it in the "
            "model, or in -o FILE.safetensors.",
        ),
    ] = False,
    format: Annotated[str | None, options.format(KNOWN, options.AS_SUFFIX)] = None,
    count: Annotated[int | None, options.count("Only the first N drawings.")] = None,
    on_error: OnError = "fail",
    overwrite: Overwrite = False,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find the latents of drawings: mean z and its sigma, beside each drawing or as arrays."""
    sources = sketches or [files.STDIO]
    kind = _kind(out, format, fit=fit)
    target = _target_of_fit(model, out) if fit else out
    if target == out:
        inputs: list[str | Path] = [*sources, *options.model_file(model)]
        binary = fit or outputs.is_binary(kind) or _is_compressed(out, kind, format)
        files.check_output(out, binary=binary, inputs=inputs, is_data=True, overwrite=overwrite)
    limit_threads(threads)
    terminal = Terminal(quiet=quiet)
    sources = downloads.local(sources, terminal)
    if not fit and all(source == files.STDIO or _is_small(source) for source in sources):
        work_alone()
    network, skipped = _open(model, device), _Skipped(terminal.note)
    if fit:
        facts = _fit(network, sources, target, on_error, skipped, count, terminal)
    else:
        facts = _write(network, sources, target, kind, format, on_error, skipped, count, terminal)
    if skipped.n:
        terminal.warn(f"{skipped.n:,} skipped; the first: {skipped.first}")
    if json:
        terminal.answer({**facts, **({} if fit else {"n_skipped": skipped.n})})


def _kind(out: str, format: str | None, *, fit: bool) -> str:
    """The format to write; a pipe gets NDJSON."""
    if fit and out != files.STDIO:
        return files.format_of(out, None, ("safetensors",)).name
    if (out, format) == (files.STDIO, None):
        return "ndjson"
    return files.format_of(out, format, KNOWN).name


def _is_compressed(out: str, kind: str, format: str | None) -> bool:
    """Whether latents are written through gzip."""
    return files.format_of(out, format or kind, KNOWN).compressed


def _write(
    network: Network,
    sources: Sequence[str],
    out: str,
    kind: str,
    format: str | None,
    on_error: str,
    skipped: _Skipped,
    count: int | None,
    terminal: Terminal,
) -> dict[str, object]:
    """Encode drawings, those of a pipe one by one."""
    from sketchrnn_cli.cli import report
    from sketchrnn_cli.inference.recognition import Recognition

    size = 1 if files.STDIO in sources else BATCH
    found = _of_some_length(sources, network.checkpoint, on_error, skipped)
    taken = islice(found, count)
    recognition = Recognition.of(network.checkpoint) if kind == "ndjson" else None
    total = terminal.count(sources)
    encoded = terminal.track(
        _encode(network, taken, size, recognition), what="encoding", total=total
    )
    if out == files.STDIO and format is None and stdout_is_terminal():
        return _summarise(encoded, sources)
    compressed = _is_compressed(out, kind, format)
    binary = outputs.is_binary(kind) or compressed
    with files.open_output(out, binary=binary, compressed=compressed) as stream:
        n = outputs.write_latents(stream, encoded, kind, out)
        if not n:
            raise BadFile(f"{_named(sources)}: no drawings to encode")
    if out != files.STDIO:
        terminal.say(f"{out}: latents of {report.number(n, 'drawing')}")
    latent_size = network.checkpoint.config.latent_size
    return {"file": out, "format": kind, "n_drawings": n, "latent_size": latent_size}


def _summarise(encoded: Encoded, sources: Sequence[str]) -> dict[str, object]:
    """What a person reads in place of thousands of numbers."""
    import numpy as np
    import typer

    from sketchrnn_cli.cli import report

    words, answers, size = Counter[str](), Counter[str](), 0
    sums = np.zeros(3)  # over drawings, means over Z: mu, its square, sigma
    for sketch, mu, sigma in encoded:
        words[sketch.word or ""] += 1
        likeliest = cast("list[tuple[str, float]]", sketch.extras.get("recognized", []))[:1]
        answers.update(word for word, _ in likeliest)
        sums += mu.mean(dtype="f8"), np.square(mu, dtype="f8").mean(), sigma.mean(dtype="f8")
        size = len(mu)
    if not (n := words.total()):
        raise BadFile(f"{_named(sources)}: no drawings to encode")
    mean, square, sigma_mean = (sums / n).tolist()
    facts: dict[str, object] = {"path": _named(sources), "n_drawings": n, "latent_size": size}
    facts |= {"mu": mean, "mu_deviation": (square - mean**2) ** 0.5, "sigma": sigma_mean}
    facts |= {"words": words, "recognized": answers}
    command = shlex.join(["sketchrnn", "encode", *sources, "-o", "z.ndjson"])
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


def _fit(
    network: Network,
    sources: Sequence[str],
    target: str,
    on_error: str,
    skipped: _Skipped,
    count: int | None,
    terminal: Terminal,
) -> dict[str, object]:
    """Fit the latent prior of the model's labels to drawings, and write the model."""
    from sketchrnn_cli.cli import report
    from sketchrnn_cli.inference import latent_prior
    from sketchrnn_cli.model import checkpoint
    from sketchrnn_cli.sketches.words import visible

    words = network.checkpoint.words
    others: dict[str, int] = {}

    def of_known_words() -> Iterator[tuple[int, Array]]:
        place = {word: k for k, word in enumerate(words)}
        found = _training_drawings(sources, network.checkpoint, on_error, skipped)
        for word, moves in islice(found, count):
            if word in place or len(words) < 2:
                yield place.get(word, 0), moves
            else:
                word = word if word in others or len(others) < MAX_OTHERS else ""
                others[word] = others.get(word, 0) + 1

    try:
        fitted = latent_prior.fit_model(
            network,
            terminal.track(of_known_words(), what="encoding", total=terminal.count(sources)),
            track=lambda labels: terminal.track(labels, what="fitting", total=len(words) or 1),
        )
    except BadFile:
        raise BadFile(
            f"{_named(sources)}: no drawings of the model's words in it: "
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
    from sketchrnn_cli.model import checkpoint

    if out != files.STDIO:
        return out
    if model is None:
        raise BadConfig("--fit does not change the built-in model: give -o FILE.safetensors")
    path = Path(model) / checkpoint.FILE_NAME if Path(model).is_dir() else Path(model)
    if path.suffix.lower() != ".safetensors":
        raise BadConfig(f"--fit does not change {model}: give -o FILE.safetensors")
    return str(path)


def _named(sources: Sequence[str]) -> str:
    return ", ".join(map(files.name_of, sources))


def _training_drawings(
    sources: Sequence[str], model: Checkpoint, on_error: str, skipped: _Skipped
) -> Iterator[tuple[str, Array]]:
    """Word and moves of drawings, data units: of a packed set its training split, or all.

    What is skipped is counted.
    """
    from sketchrnn_cli.sketches.corpus import Corpus, is_packed
    from sketchrnn_cli.sketches.preparation import moves_like

    for source in sources:
        if source != files.STDIO and Path(source).is_file() and is_packed(source):
            corpus = Corpus.open(source)
            made, wanted = corpus.preparation, model.preparation
            for i in corpus.indices("train"):
                yield corpus.word_of(i), moves_like(corpus.moves_of(i), made, wanted)
            continue
        for sketch, moves in _of_some_length([source], model, on_error, skipped):
            yield sketch.word or "", moves


def _is_small(source: str) -> bool:
    path = Path(source)
    return path.is_file() and path.stat().st_size <= FEW


def _of_some_length(
    sources: Sequence[str], model: Checkpoint, on_error: str, skipped: _Skipped
) -> Iterator[tuple[Sketch, Array]]:
    """Drawings and their moves, (P, 3), data units, prepared as those of the model were.

    Raises:
        BadSketch: one that would take the model minutes, unless these are skipped.
    """
    from sketchrnn_cli.inference.settings import MAX_POINTS
    from sketchrnn_cli.sketches.formats import read_sketches
    from sketchrnn_cli.sketches.preparation import prepare_like
    from sketchrnn_cli.sketches.sketch import to_stroke3

    found = read_sketches(sources, on_error=on_error, skipped=skipped.add, note=skipped.note)
    for number, sketch in enumerate(found, start=1):
        moves = to_stroke3(prepare_like(sketch, model.preparation))
        if len(moves) <= MAX_POINTS:
            yield sketch, moves
            continue
        message = (
            f"{_named(sources)}: drawing {number:,} has {len(moves):,} points; at most "
            f"{MAX_POINTS:,} are encoded"
        )
        if on_error == "fail":
            raise BadSketch(f"{message}; leave it out, or use --on-error skip")
        skipped.add(message)


def _encode(
    network: Network,
    sketches: Iterator[tuple[Sketch, Array]],
    size: int,
    recognition: Recognition | None,
) -> Encoded:
    """Every drawing with its mean and sigma, (Z,) each, and what it looks like."""
    from sketchrnn_cli.inference.engine import to_model
    from sketchrnn_cli.inference.recognition import SHOWN, rounded

    scale = network.checkpoint.scale_factor
    while batch := list(islice(sketches, size)):
        moves = [to_model(each, scale) for _, each in batch]
        drawings = [sketch for sketch, _ in batch]
        if recognition is not None:
            answers = recognition.recogniser.top([moves for _, moves in batch], SHOWN)
            drawings = [
                sketch.with_extras(recognized=rounded(answer))
                for sketch, answer in zip(drawings, answers, strict=True)
            ]
        yield from zip(drawings, *network.encode(moves), strict=True)
