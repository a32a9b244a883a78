"""``sketchrnn encode``: from drawings to latents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sketchrnn_cli import pretrained
from sketchrnn_cli.cli import downloads, options
from sketchrnn_cli.cli.options import Device, Drawings, Json, Model, OnError, Quiet, Threads, flag
from sketchrnn_cli.cli.terminal import Terminal, limit_threads, work_alone
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile, BadSketch
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.model.checkpoint import Checkpoint
    from sketchrnn_cli.sketches.formats.latents import Array
    from sketchrnn_cli.sketches.sketch import Sketch

KNOWN = outputs.LATENTS
FEW = 1 << 14  # bytes of a file that holds a few drawings at most
BATCH = 256  # drawings of a file read together; a pipe's go one by one, as they come

MAX_OTHERS = 10_000  # words that a model does not have, counted each by itself

Encoded = Iterator[tuple["Sketch", "Array", "Array"]]


@dataclass(slots=True)
class _Faults:
    """Drawings that were skipped."""

    n: int = 0
    first: str = ""

    def add(self, message: str) -> None:
        """Count one."""
        self.first = self.first or message
        self.n += 1


def encode(
    sketches: Drawings = streams.STDIO,
    model: Model = None,
    out: Annotated[
        str, options.out("FILE.ndjson or FILE.npz; - is a pipe.", KNOWN)
    ] = streams.STDIO,
    fit: Annotated[
        bool,
        flag(
            "--fit",
            help="Fit the latent mixture of each label to these drawings and store it in the "
            "model, or in -o FILE.safetensors.",
        ),
    ] = False,
    format: Annotated[str | None, options.format(KNOWN, options.AS_SUFFIX)] = None,
    on_error: OnError = "fail",
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find the latents of drawings: mean z and its sigma, beside each drawing or as arrays."""
    terminal = Terminal(quiet=quiet)
    if fit:
        limit_threads(threads)
        sketches = downloads.local([sketches], terminal)[0]
        _fit(sketches, model, out, on_error, device, terminal, json=json)
        return
    kind = "ndjson" if (out, format) == (streams.STDIO, None) else None
    kind = kind or streams.suffix_of(out, format, KNOWN)
    streams.check_output(out, binary=outputs.is_binary(kind))
    limit_threads(threads)
    sketches = downloads.local([sketches], terminal)[0]
    if sketches == streams.STDIO or _is_small(sketches):
        work_alone()

    from sketchrnn_cli.sketches.formats import read_sketches

    network = _open(model, device)
    faults = _Faults()
    found = read_sketches(sketches, on_error=on_error, skipped=faults.add)
    size = 1 if sketches == streams.STDIO else BATCH
    taken = _of_some_length(found, network.checkpoint, sketches, on_error, faults)
    encoded = terminal.track(_encode(network, taken, size), what="encoding")
    with streams.open_output(out, binary=outputs.is_binary(kind)) as stream:
        n = outputs.write_latents(stream, encoded, kind, out)
        if not n:
            raise BadFile(f"{streams.name_of(sketches)}: no drawings to encode")

    if faults.n:
        terminal.warn(f"{faults.n} skipped; the first: {faults.first}")
    if out != streams.STDIO:
        terminal.say(f"{out}: latents of {n} drawing{'s' * (n != 1)}")
    if json:
        values = {"file": out, "format": kind, "n_drawings": n, "n_skipped": faults.n}
        terminal.answer({**values, "latent_size": network.checkpoint.config.latent_size})


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
    sketches: str,
    model: str | None,
    out: str,
    on_error: str,
    device: str,
    terminal: Terminal,
    *,
    json: bool,
) -> None:
    """Fit the latents of the model's words to drawings, and write the model."""
    from sketchrnn_cli.inference import latent_prior as latent_mixture
    from sketchrnn_cli.model import checkpoint
    from sketchrnn_cli.sketches.words import visible

    target = _target_of_fit(model, out)
    network = _open(model, device)
    words = network.checkpoint.words
    others: dict[str, int] = {}
    faults = _Faults()

    def of_known_words() -> Iterator[tuple[int, Array]]:
        place = {word: k for k, word in enumerate(words)}
        for word, moves in _training_drawings(sketches, network.checkpoint, on_error, faults):
            if word in place or len(words) < 2:
                yield place.get(word, 0), moves
            else:
                word = word if word in others or len(others) < MAX_OTHERS else ""
                others[word] = others.get(word, 0) + 1

    try:
        fitted = latent_mixture.fit_model(network, terminal.track(of_known_words(), what="fitting"))
    except BadFile:
        raise BadFile(
            f"{streams.name_of(sketches)}: no drawings of the model's words in it: "
            f"{', '.join(map(visible, words[:5]))}"
        ) from None
    checkpoint.save(target, fitted)
    if faults.n:
        terminal.warn(f"{faults.n} skipped; the first: {faults.first}")
    if others:
        worst = max(others, key=lambda word: others[word])
        terminal.warn(
            f"{sum(others.values()):,} drawings left out: the model has no such word ({worst!r})"
        )
    n_components = (fitted.weights["latent.weight"] > 0).sum(1)
    terminal.say(f"{target}: {n_components.sum()} Gaussians for {len(n_components)} words")
    if json:
        found = {word: int(n) for word, n in zip(words, n_components, strict=False)}
        terminal.answer({"file": str(target), "components": found})


def _target_of_fit(model: str | None, out: str) -> Path:
    """The file that --fit writes, checked before there is work to lose."""
    from sketchrnn_cli.model import checkpoint

    if out != streams.STDIO:
        streams.suffix_of(out, None, ("safetensors",))
        streams.check_output(out, binary=True)
        return Path(out)
    if model is None:
        raise BadConfig("--fit does not change the built-in model: give -o FILE.safetensors")
    path = Path(model) / checkpoint.FILE_NAME if Path(model).is_dir() else Path(model)
    if path.suffix != ".safetensors":
        raise BadConfig(f"--fit does not change {model}: give -o FILE.safetensors")
    return path


def _training_drawings(
    source: str, model: Checkpoint, on_error: str, faults: _Faults
) -> Iterator[tuple[str, Array]]:
    """Word and moves of drawings, data units: of a packed set its training split, or all.

    What is skipped is added to the faults.
    """
    from sketchrnn_cli.sketches.corpus import Corpus, is_packed
    from sketchrnn_cli.sketches.formats import read_sketches
    from sketchrnn_cli.sketches.preparation import moves_like

    if source != streams.STDIO and Path(source).is_file() and is_packed(source):
        corpus = Corpus.open(source)
        made, wanted = corpus.preparation, model.preparation
        for i in corpus.indices("train"):
            yield corpus.word_of(i), moves_like(corpus.moves_of(i), made, wanted)
        return
    found = read_sketches(source, on_error=on_error, skipped=faults.add)
    for sketch, moves in _of_some_length(found, model, source, on_error, faults):
        yield sketch.word or "", moves


def _is_small(source: str) -> bool:
    path = Path(source)
    return path.is_file() and path.stat().st_size <= FEW


def _of_some_length(
    sketches: Iterable[Sketch], model: Checkpoint, source: str, on_error: str, faults: _Faults
) -> Iterator[tuple[Sketch, Array]]:
    """Drawings and their moves, (P, 3), data units, prepared as those of the model were.

    Raises:
        BadSketch: one that would take the model minutes, unless these are skipped.
    """
    from sketchrnn_cli.inference.settings import MAX_POINTS
    from sketchrnn_cli.sketches.preparation import prepare_like
    from sketchrnn_cli.sketches.sketch import to_stroke3

    for number, sketch in enumerate(sketches, start=1):
        moves = to_stroke3(prepare_like(sketch, model.preparation))
        if len(moves) <= MAX_POINTS:
            yield sketch, moves
            continue
        name = streams.name_of(source)
        message = f"{name}: drawing {number} has {len(moves):,} points; at most {MAX_POINTS:,} are"
        if on_error == "fail":
            raise BadSketch(f"{message} encoded; leave it out, or use --on-error skip")
        faults.add(f"{message} encoded")


def _encode(network: Network, sketches: Iterator[tuple[Sketch, Array]], size: int) -> Encoded:
    """Every drawing with its mean and sigma, (Z,) each."""
    from sketchrnn_cli.inference.engine import to_model

    scale = network.checkpoint.scale_factor
    while batch := list(islice(sketches, size)):
        moves = [to_model(each, scale) for _, each in batch]
        drawings = [sketch for sketch, _ in batch]
        yield from zip(drawings, *network.encode(moves), strict=True)
