"""``sketchrnn encode``: from drawings to latents."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from sketchrnn_cli.cli.options import Device, Format, Json, Quiet, Threads
from sketchrnn_cli.cli.terminal import Terminal, limit_threads, work_alone
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.sketches import streams

if TYPE_CHECKING:
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.inference.latents import Array
    from sketchrnn_cli.sketches.sketch import Sketch

KNOWN = ("ndjson", "npz")
FEW = 1 << 14  # bytes of a file that holds a few drawings at most
BATCH = 256  # drawings of a file read together; a pipe's go one by one, as they come

Encoded = Iterator[tuple["Sketch", "Array", "Array"]]


def encode(
    sketches: Annotated[
        str, typer.Argument(help="Drawings in any format `preprocess` reads; - is NDJSON.")
    ] = streams.STDIO,
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--model", "--checkpoint", "-m", help="Run folder or checkpoint of `train`."),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", "-o", help="FILE.ndjson or FILE.npz; - is a pipe.")
    ] = streams.STDIO,
    format: Format = None,
    on_error: Annotated[
        str, typer.Option("--on-error", help="A faulty drawing: fail, or skip and count.")
    ] = "fail",
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find the latents of drawings: mean z and its sigma, beside each drawing or as arrays."""
    kind = "ndjson" if (out, format) == (streams.STDIO, None) else None
    kind = kind or streams.suffix_of(out, format, KNOWN)
    if json and out == streams.STDIO:
        raise BadConfig("--json and the latents both want standard output: give -o FILE")
    if on_error not in ("fail", "skip"):
        raise BadConfig(f"--on-error {on_error}: must be fail or skip")
    streams.check_output(out, binary=kind == "npz")
    if model is None:
        raise BadConfig("no model: give --model RUN, or make one with `sketchrnn train -o RUN`")
    limit_threads(threads)
    if sketches == streams.STDIO or _is_small(sketches):
        work_alone()
    terminal = Terminal(quiet=quiet)

    from sketchrnn_cli.inference import devices
    from sketchrnn_cli.model import checkpoint
    from sketchrnn_cli.sketches.formats import read_sketches

    devices.check(device)
    network = devices.open_engine(checkpoint.load(model), device)
    if not network.checkpoint.config.encoder:
        raise BadCheckpoint(f"{model}: decoder-only, so it knows no latents; train with an encoder")
    faults: list[str] = []
    found = read_sketches(sketches, on_error=on_error, skipped=faults.append)
    size = 1 if sketches == streams.STDIO else BATCH
    encoded = terminal.track(_encode(network, found, size), what="encoding")
    with streams.open_output(out, binary=kind == "npz") as stream:
        n = 0
        if kind == "ndjson":
            from sketchrnn_cli.sketches.formats import ndjson

            for sketch, mu, sigma in encoded:
                stream.write(ndjson.to_line(sketch.with_extras(z=mu, sigma=sigma)))
                n += 1
                if size == 1 or n % BATCH == 0:
                    stream.flush()
        else:
            import numpy as np

            from sketchrnn_cli.inference import latents

            rows = [(mu, sigma, sketch.word) for sketch, mu, sigma in encoded]
            n = len(rows)
            if n:
                mus, sigmas, words = zip(*rows, strict=True)
                latents.write_npz(stream, latents.Latents(np.stack(mus), np.stack(sigmas), words))
        if not n:
            raise BadFile(f"{streams.name_of(sketches)}: no drawings to encode")

    if faults:
        terminal.warn(f"{len(faults)} skipped; the first: {faults[0]}")
    if out != streams.STDIO:
        terminal.say(f"{out}: latents of {n} drawing{'s' * (n != 1)}")
    if json:
        values = {"file": out, "format": kind, "n_drawings": n, "n_skipped": len(faults)}
        terminal.answer({**values, "latent_size": network.checkpoint.config.latent_size})


def _is_small(source: str) -> bool:
    path = Path(source)
    return path.is_file() and path.stat().st_size <= FEW


def _encode(network: Network, sketches: Iterator[Sketch], size: int) -> Encoded:
    """Every drawing with its mean and sigma, (Z,) each."""
    from sketchrnn_cli.inference.sampler import to_model
    from sketchrnn_cli.sketches.preparation import prepare_like
    from sketchrnn_cli.sketches.sketch import to_stroke3

    preparation, scale = network.checkpoint.preparation, network.checkpoint.scale_factor
    while batch := list(islice(sketches, size)):
        moves = [to_model(to_stroke3(prepare_like(s, preparation)), scale) for s in batch]
        yield from zip(batch, *network.encode(moves), strict=True)
