"""``sketchrnn export``: a model in a form to pass on."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sketchrnn_cli import files, pretrained
from sketchrnn_cli.cli import completion, options, report
from sketchrnn_cli.cli.options import between, flag, option
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.inference.settings import GUIDANCE, RANGES

if TYPE_CHECKING:
    from sketchrnn_cli.model.checkpoint import Checkpoint, Numbers

KNOWN = ("html", "safetensors", "npz", "gen.json", "vae.json", "onnx")
BROWSER = ("gen.json", "vae.json")

THE_MODEL = "The model"  # a panel of --help


def export(
    out: Annotated[
        str,
        options.out(
            "FILE.gen.json (decoder only, for sketch-rnn-js and @magenta/sketch) or "
            "FILE.vae.json (with encoder, for sketch-rnn-js): a browser model. "
            "FILE.html: a page to draw on. FILE.safetensors: any command takes it as --model. "
            "FILE.npz: the weights as plain arrays, for `numpy.load`. FILE.onnx: a decoder step, "
            "with FILE.encoder.onnx and FILE.prior.onnx (an extra). - is a pipe.",
            KNOWN,
        ),
    ],
    model: options.Model = None,
    word: Annotated[
        str | None,
        option(
            "The one label that a browser model draws.",
            "WORD",
            panel=THE_MODEL,
            autocompletion=completion.words,
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        option(
            f"Guidance scale of --word, 0-4: 1 is off, {GUIDANCE:g} the default of `sample`. "
            "\\[default: 1]",
            "X",
            panel=THE_MODEL,
            callback=between(*RANGES["guidance"]),
        ),
    ] = None,
    half: Annotated[
        bool,
        flag(
            "safetensors and html as float16: half the size, 3 digits of each weight.",
            "--half",
            panel=THE_MODEL,
        ),
    ] = False,
    int8: Annotated[
        bool,
        flag(
            "safetensors of 8-bit matrices: a quarter of the size, 0.07 nats lost.",
            "--int8",
            panel=THE_MODEL,
        ),
    ] = False,
    format: Annotated[str | None, options.format(KNOWN)] = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Write a model as one file: to pass on, for a browser, or as a page to draw on."""
    kind = files.format_of(out, format, KNOWN).name
    inputs = options.model_file(model)
    files.check_output(out, binary=True, inputs=inputs, is_data=True, overwrite=overwrite)
    terminal = Terminal(quiet=quiet)

    from sketchrnn_cli.model.load import open_model

    name, cut = model or pretrained.NAME, dict[str, int]()
    found = open_model(model or pretrained.FILE)
    refuse_other_cells(found, name, kind)
    if kind in BROWSER:
        data, cut = _browser_model(found, kind, name, word, 1.0 if guidance is None else guidance)
        made = {out: data}
    elif kind == "onnx":
        made = _onnx(found, out, inputs, overwrite=overwrite)
    else:
        numbers: Numbers = "int8" if int8 else "float16" if half else "float32"
        made = {out: _whole_model(found, kind, model, terminal, numbers)}
    _write(made)
    _say(terminal, made, cut)
    if json:
        written = {"file": out, "format": kind, "half": half, "int8": int8, "bytes": len(made[out])}
        others = {file: len(data) for file, data in made.items() if file != out}
        terminal.answer({**written, "others": others, "saturated": cut})


def _say(terminal: Terminal, made: dict[str, bytes], cut: dict[str, int]) -> None:
    """Say which files were written, and what no longer fits into their numbers."""
    if cut:
        terminal.warn(report.saturated(cut))
    for file, data in made.items():
        if file != files.STDIO:
            terminal.say(f"{file}: {len(data) / 1e6:.2f} MB")


def _write(made: dict[str, bytes]) -> None:
    """Write files: all of them, or none."""
    with ExitStack() as stack:
        streams = [stack.enter_context(files.open_output(file, binary=True)) for file in made]
        for stream, data in zip(streams, made.values(), strict=True):
            stream.write(data)


def _onnx(found: Checkpoint, out: str, inputs: list[Path], *, overwrite: bool) -> dict[str, bytes]:
    """The ONNX files of a model, by their names.

    Raises:
        BadConfig: the package that writes them is missing; or several files for a pipe.
        BadFile: one exists, or cannot be written.
    """
    from sketchrnn_cli.model import onnx_files

    onnx_files.check()
    parts = onnx_files.files_of(found)
    if out == files.STDIO and len(parts) > 1:
        raise BadConfig("-o -: this model is several ONNX files; name one, as in -o model.onnx")
    stem = out[: -len(".onnx")] if out.lower().endswith(".onnx") else out
    made = {f"{stem}{part}.onnx" if part else out: data for part, data in parts.items()}
    for file in made:
        files.check_output(file, binary=True, inputs=inputs, is_data=True, overwrite=overwrite)
    return made


def _whole_model(
    found: Checkpoint, kind: str, model: str | None, terminal: Terminal, numbers: Numbers
) -> bytes:
    """A file that keeps all labels."""
    from sketchrnn_cli.model import checkpoint

    if kind == "npz":
        return _npz(found)
    if kind == "html":
        return page_of(found, model, terminal, half=numbers == "float16")
    return checkpoint.file_of(found, numbers=numbers)


def refuse_other_cells(found: Checkpoint, name: str, kind: str) -> None:
    """What runs in a browser is a plain LSTM.

    Raises:
        BadCheckpoint: the model has another cell.
    """
    cells = [found.config.cell]
    if kind in BROWSER and found.config.encoder:
        cells.append(found.config.encoder_cell)
    for cell in cells:
        if cell != "lstm" and (kind in BROWSER or kind == "html"):
            raise BadCheckpoint(
                f"{name}: its cell is {cell}, and a .{kind} holds a plain lstm: "
                "train one with --cell lstm, or write .safetensors or .npz"
            )


def _browser_model(
    found: Checkpoint, kind: str, name: str, word: str | None, guidance: float
) -> tuple[bytes, dict[str, int]]:
    """The file, and how many weights of which array were cut off.

    Raises:
        BadCheckpoint: the format cannot hold this model.
        BadConfig: no word, or one that the model does not know.
    """
    from sketchrnn_cli.model import single_word, sketch_rnn_js

    has_encoder = found.config.encoder
    label = _word(found, name, word)
    if label is not None:
        try:
            found = single_word.of(found, label, guidance=guidance)
        except BadCheckpoint as error:
            raise BadCheckpoint(f"{name}: {error}") from None
    if kind == "gen.json" and found.config.encoder:
        why = "it has an encoder" if has_encoder else "its words start from states of their own"
        raise BadCheckpoint(f"{name}: {why}, and a .gen.json has no place for it: write .vae.json")
    if kind == "vae.json" and not found.config.encoder:
        raise BadCheckpoint(f"{name}: has no encoder, and a .vae.json is one with: write .gen.json")
    try:
        return sketch_rnn_js.file_of(found)
    except BadCheckpoint as error:
        raise BadCheckpoint(f"{name}: {error}") from None


def _word(found: Checkpoint, name: str, word: str | None) -> str | None:
    """The label of the word to fold in; None for a model that is told none.

    Raises:
        BadConfig: no word, or one that the model does not know.
    """
    from sketchrnn_cli.sketches.words import visible

    if not found.config.n_words and (word is None or found.words == (word,)):
        return None
    if not found.config.n_words:
        raise BadConfig(f"--word: {name} is unconditional, so it has no word to choose")
    if word is None and len(found.words) == 1:
        return found.words[0]
    if word is None:
        raise BadConfig(
            f"{name}: has {len(found.words):,} words, and a browser model holds one: "
            f"give --word, as in --word {visible(found.words[0])!r}"
        )
    if word in found.words:
        return word
    from sketchrnn_cli.inference import prompt

    try:
        things = prompt.parse(word, found.words, strict=True).items
    except BadConfig as error:
        raise BadConfig(f"--word: {error}") from None
    labels = [thing.parts for thing in things if isinstance(thing, prompt.Item)]
    if len(things) > 1 or len(labels) != 1 or len(labels[0]) > 1:
        raise BadConfig(f"--word {visible(word)!r}: name one word, as in --word cat")
    return labels[0][0][0]


def page_of(found: Checkpoint, model: str | None, terminal: Terminal, *, half: bool) -> bytes:
    """The drawing page of a model, UTF-8; with a bar of the drawings that are made for it."""
    from sketchrnn_cli.drawing import page
    from sketchrnn_cli.inference.page_model import looks_at, page_model

    name = pretrained.NAME if model is None else Path(model).name
    notice = pretrained.NOTICE if model is None else ""
    facts: dict[str, Any] = {"name": name, "notice": notice, "half": half}
    if not (n := looks_at(found)):
        return page.to_html(*page_model(found, **facts)).encode()
    with terminal.counting("measuring drawings", total=n) as advance:
        made = page_model(found, **facts, ended=advance)
    return page.to_html(*made).encode()


def _npz(found: Checkpoint) -> bytes:
    """Every weight under its name, and ``metadata``: all else as a JSON text. Nothing pickled."""
    import json
    import zipfile

    import numpy as np

    from sketchrnn_cli.sketches.formats.archive import NewZip

    metadata = {
        "config": asdict(found.config),
        "scale_factor": found.scale_factor,
        "words": found.words,
        "n_max": found.n_max,
        "preparation": found.preparation,
        "training": found.training,
    }
    file = io.BytesIO()
    with NewZip(file, "w", zipfile.ZIP_STORED) as archive:
        arrays = {**found.weights, "metadata": np.array(json.dumps(metadata))}
        for key, array in sorted(arrays.items()):
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return file.getvalue()
