"""The command line as a target: a folder of small files, and commands out of the option tables."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import shlex
import shutil
import signal
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import datafiles
import networks
import numpy as np
import typer
from mutators import TEXTS

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.model import checkpoint, sketch_rnn_js
from sketchrnn_cli.sketches import build as building

PATIENCE = 20  # seconds of processor time; a command that asks for much is given up then
LATIN1 = "caf\udce9.ndjson"  # as Python has a name that is not UTF-8
FILES = [
    LATIN1, "d.ndjson", "raw.ndjson.gz", "d.npz", "p.npz", "d.bin", "d.svg", "m.safetensors",
    "w.safetensors", "dec.safetensors", "b.gen.json", "b.vae.json", "z.npz", "z.ndjson", "run",
    "noise.npz", "empty.ndjson", "c.toml", "folder", "missing", "-", "*.ndjson", "quickdraw:cat",
    "quickdraw:", ".",
]  # fmt: skip
OUTPUTS = [
    "o.npz", "o.ndjson", "o.svg", "o.png", "o.gif", "o.html", "o.gen.json", "o.vae.json",
    "o.safetensors", "o", "o.xyz", "folder", "folder/o.svg", "new/o.gif", "d.ndjson", "-",
    "m.safetensors",
]  # fmt: skip
STDIN = ["d.ndjson"] * 5 + ["z.ndjson", "noise.npz", "empty.ndjson", "d.svg", "raw.ndjson.gz"]
SMALL = ["0", "1", "2", "3", "7", "12", "-1", "0.5", "1.5", "4", "1e3", "nan", "inf", "x", ""]
WORDS = [
    "cat", "dog", "blob", "three cats", "cat, dog", "cat:0.7 + dog:0.3", "cat -> dog", "2 blobs",
    "unicorn", "auto", "cpu", "cuda", "mps", "fail", "skip", "packed", "sketch-rnn", "ndjson",
    "train", "valid", "test", "red", "#12345", "none", "transparent", "90,5,5", "0,0,0", "1,2",
    "1e9,1,1", "10m", "1s", "tiny", "paper",
]  # fmt: skip


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    stdout: bytes
    stderr: str


class Impatient(BaseException):
    """It takes long, and perhaps it was asked to."""


@cache
def _command() -> Any:
    return typer.main.get_command(app)


def _run(arguments: list[str]) -> int:
    """The exit code of the program, in this process."""
    try:
        _command().main(args=arguments, prog_name="sketchrnn")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


class _Screen(io.TextIOWrapper):
    """A terminal, as far as the program asks."""

    def isatty(self) -> bool:
        return True


def call(arguments: list[str], stdin: bytes = b"", *, terminal: bool = False) -> Ended:
    """Run a command in this process, its standard streams in memory.

    Args:
        arguments: the command.
        stdin: what comes in.
        terminal: whether a person looks at stdout.
    """
    kind = _Screen if terminal else io.TextIOWrapper
    streams = sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    sys.stdout = kind(out, "utf-8", errors="surrogateescape", write_through=True)
    sys.stderr = io.TextIOWrapper(err, "utf-8", errors="backslashreplace", write_through=True)
    try:
        code = _run(arguments)
        return Ended(code, out.getvalue(), err.getvalue().decode("utf-8", "replace"))
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams


def check(ended: Ended) -> None:
    """Done, one line that says why not, or a wrong use. Anything else is a finding."""
    assert ended.code in (0, 1, 2), f"exit code {ended.code}: {ended.stderr[-300:]}"
    assert "Traceback" not in ended.stderr, ended.stderr
    if ended.code:
        others = re.sub(r"^warning: .+\n", "", ended.stderr, flags=re.MULTILINE)
        assert re.fullmatch(r"error: [^\n]+\n", others), f"not one line: {ended.stderr!r}"
    else:
        errors = re.findall(r"^error: .+$", ended.stderr, re.MULTILINE)
        assert not errors, f"exit code 0, and {errors}"


def fill(folder: Path) -> None:
    """Small files of every kind that a command takes."""
    from sketchrnn_cli.training import metrics as log
    from sketchrnn_cli.training import state

    cat = datafiles.QUICKDRAW
    (folder / "d.ndjson").write_bytes(cat * 3 + cat.replace(b"cat", b"dog") * 2)
    raw = b'{"word":"cat","drawing":[[[0.5,90.25,30],[3,9.5,200],[0,16,40]],[[4],[5],[90]]]}\n'
    (folder / "raw.ndjson.gz").write_bytes(gzip.compress(raw * 3, mtime=0))
    datafiles.write_npz(
        folder / "d.npz",
        train=datafiles.stroke3(6),
        valid=datafiles.stroke3(2, 1),
        test=datafiles.stroke3(2, 2),
    )
    building.build([str(folder / "d.ndjson")], folder / "p.npz", building.BuildOptions(threads=1))
    record = b"\1\0\0\0\0\0\0\0US\1\0\0\0\1\1\0\3\0\0\x20\xff\0\x40\xff"
    (folder / "d.bin").write_bytes(record * 3)
    path = "M0 0L90 10C20 30 40 50 60 70zm5 5h3v3a4 4 0 1 0 3 3"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg"><path fill="none" stroke="red" d="{path}"/></svg>'
    )
    (folder / "d.svg").write_text(svg, "utf-8")
    small = {"decoder_size": 6, "encoder_size": 4, "latent_size": 3, "n_mixtures": 2}
    checkpoint.save(folder / "m.safetensors", networks.tiny(**small))
    words = {"words": ("cat", "dog"), "n_words": 2}
    wide = {**small, "n_mixtures": 20}  # as browser models have
    checkpoint.save(folder / "w.safetensors", networks.tiny(**wide, **words))
    checkpoint.save(folder / "dec.safetensors", networks.tiny(encoder=False, **wide))
    for kind, encoder in (("gen", False), ("vae", True)):
        model = networks.tiny(encoder=encoder, **wide)
        (folder / f"b.{kind}.json").write_bytes(sketch_rnn_js.file_of(model)[0])
    np.savez(folder / "z.npz", mu=np.zeros((2, 3), "f4"))
    (folder / "z.ndjson").write_bytes(b'{"z":[0,0.5,1],"word":"cat"}\n{"z":[1,0,-1]}\n')
    run = folder / "run"
    (run / "state").mkdir(parents=True)
    checkpoint.save(run / "model.safetensors", networks.tiny(**small))
    values = (20, "train", 2.5, 2.0, 0.5, 1e-3, 0.5, 90.0, 3.5)
    for step in (20, 40):
        log.append(run, log.Metrics(step, *values[1:]))
    log.append(run, log.Metrics(40, "valid", *values[2:]))
    (run / "config.toml").write_text("[model]\n[training]\nsteps = 40\n", "utf-8")
    state.save(run, state.Progress(step=40), {"model.a": np.zeros(3, np.float32)})
    (folder / "noise.npz").write_bytes(np.random.default_rng(0).bytes(300))
    (folder / "empty.ndjson").write_bytes(b"")
    (folder / "c.toml").write_text("[model]\nlatent_size = 4\n[training]\nsteps = 1\n", "utf-8")
    with contextlib.suppress(OSError, UnicodeError):  # where names are UTF-8, there is none
        (folder / LATIN1).write_bytes(b'{"drawing":[[[0,5,9],[7,0,9]]]}\n')
    (folder / "folder").mkdir()
    (folder / "folder" / "cat-1.svg").write_text(svg, "utf-8")


def _times(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for at, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(at, name)
            one = os.lstat(path)
            found[path] = (0, 0) if name in folders else (one.st_mtime_ns, one.st_size)
    return found


class Place:
    """A folder of ``fill``, which is as it was before every command."""

    def __init__(self, folder: Path) -> None:
        self.kept = folder / "kept"
        self.work = folder / "outer" / "work"
        self.kept.mkdir(parents=True)
        fill(self.kept)
        shutil.copytree(self.kept, self.work)
        self.was = _times(self.work)

    def repair(self) -> list[str]:
        """Put back what was changed. Returns the names of what has been left behind."""
        now = _times(self.work)
        if now == self.was:
            return []
        new = sorted(os.path.relpath(path, self.work) for path in now.keys() - self.was.keys())
        shutil.rmtree(self.work)
        shutil.copytree(self.kept, self.work)
        self.was = _times(self.work)
        return new


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before, variables = os.getcwd(), dict(os.environ)
    os.chdir(folder)
    home = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(folder.parent))
    os.environ.update(home, SKETCHRNN_QUICKDRAW_URL="http://127.0.0.1:9", COLUMNS="80")
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(variables)


@contextlib.contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """End what takes long, where the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def end(*_: object) -> None:
        raise Impatient

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.1)  # again: a destructor may swallow the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def sane(word: str) -> str:
    """A word that leads nowhere else: no path out of the folder, no address of another machine."""
    word = word.replace("\0", "").replace("\\", "_").replace("://", "_").strip("/")
    word = re.sub(r"\.\.+|//+", ".", word)
    return re.sub(r"\d{4,}", lambda found: found[0] if len(found[0]) > 17 else "9", word)[:2000]


def words_of(data: bytes) -> list[str] | None:
    """The command that an input stands for, or None."""
    try:
        words = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return None
    try:
        words = [os.fsdecode(os.fsencode(sane(word))) for word in words]
    except UnicodeError:  # no word of a command line
        return None
    if "train" in words[:1] and "--help" not in words:
        cheap = ["--steps", "1", "--preset", "tiny", "--batch-size", "2", "--quiet"]
        end = words.index("--") if "--" in words else len(words)
        words[end:end] = cheap
    return words


def run_words(place: Place, words: list[str]) -> None:
    """Run a command and see that it ends as it should.

    Raises:
        AssertionError: it does not.
    """
    chance = zlib.crc32("\0".join(words).encode("utf-8", "surrogateescape"))
    stdin = (place.kept / STDIN[chance % len(STDIN)]).read_bytes()
    try:
        with inside(place.work), _patience(PATIENCE):
            ended = call(words, stdin, terminal=chance // len(STDIN) % 3 == 0)
    except Impatient:
        place.repair()
        return
    left = place.repair()
    if ended.code < 128 and "--debug" not in words:
        check(ended)
    parts = [name for name in left if ".part" in name or os.path.basename(name).startswith(".")]
    assert not parts, f"left behind: {parts}"
    if ended.code:
        made = [name for name in left if os.path.basename(name).startswith("o")]
        assert not made, f"exit code {ended.code}, and it left {made}"


def options() -> dict[str, list[list[str]]]:
    """Every command but ``train``, with what may stand in it."""
    return {name: choices for name, choices in _tables().items() if name != "train"}


def train_options() -> dict[str, list[list[str]]]:
    """The same for ``train``."""
    return {"train": _tables()["train"]}


@cache
def _tables() -> dict[str, list[list[str]]]:
    """Out of the program's own tables."""
    table: dict[str, list[list[str]]] = {}
    for name, command in _command().commands.items():
        choices: list[list[str]] = [["--help"], ["--nonsense"], ["--"], ["--debug"]]
        choices += [[word] for word in FILES[:8]]
        for parameter in command.params:
            if parameter.param_type_name != "option":
                continue
            spellings = [*parameter.opts, *parameter.secondary_opts]
            if parameter.is_flag:
                choices += 6 * [[spelling] for spelling in spellings]
                continue
            pool = _values(parameter)
            for spelling in spellings:
                choices += [[spelling, value] for value in pool]
                choices += [[f"{spelling}={value}"] for value in pool[:2]]
                choices.append([spelling])
                choices.append([spelling.replace("-", "_").replace("__", "--", 1), pool[0]])
        table[name] = choices
    return table


def _values(parameter: Any) -> list[str]:
    """What may stand after an option."""
    kind = parameter.type_descriptor.annotation
    if kind is int:
        return ["1", "2", "3", "7", "12", *SMALL]
    if kind is float:
        return ["1", "2", "0.5", "1.5", "0", "4", "0.1", *SMALL]
    known = {
        "--out": OUTPUTS * 2,
        "--model": [name for name in FILES if "s" in name[-12:]] + ["missing"],
        "--format": ["ndjson", "npz", "svg", "png", "gif", "packed", "sketch-rnn", "x"],
        "--device": ["cpu", "auto", "cuda", "x"],
        "--temp": ["1", "0.5", "0.2,1", "0.2,0.4,1.0", "0", "", ",", "1,,2", *SMALL],
        "--interpolate": ["2x2", "3x4", "1x1", "x", "5", "9999x9999", *SMALL[:3]],
        "--projection": ["pca", "tsne", "x"],
        "--split": ["90,5,5", "train", "valid", "test", "1,1,1", "0,0,0", "1,2", "x"],
        "--on-error": ["fail", "skip", "x"],
        "--latents": ["z.npz", "z.ndjson", "d.npz", "-"],
        "--color": ["red", "#123", "#12345", "none", "x"],
        "--background": ["white", "#123456", "none", "transparent", "x"],
    }
    for spelling in parameter.opts:
        if spelling in known:
            return known[spelling]
    return [*FILES, *WORDS, *OUTPUTS[:4], *SMALL[:4], *TEXTS[:8]]


def seeds() -> list[bytes]:
    """A few commands of each kind that work."""
    return _commands_of("""
        preprocess d.ndjson -o o.npz --quiet
        preprocess d.npz raw.ndjson.gz --no-fit --format ndjson -o -
        preprocess d.bin d.svg -o o.npz --split 80,10,10 --json
        preprocess folder p.npz --per-word 2 --label cat -o o.npz --fit
        sample cat --model w.safetensors -n 2 -o o.svg
        sample "cat:0.7 + dog:0.3" --model w.safetensors -n 2 --temp 0.2 --greedy --json -o o.png
        sample "cat -> dog" --model w.safetensors --frames 2 -o o.gif
        sample cat --model w.safetensors -n 2 --temp 0.2,1 -o o.svg
        sample cat --model w.safetensors --interpolate 2x3 -o o.png
        sample --latents z.npz --model m.safetensors --best-of 2 --score
        sample --complete d.ndjson --model b.vae.json --max-points 20 -o o.npz
        sample --list-words --json
        encode d.ndjson --model m.safetensors -o o.npz
        encode --model m.safetensors --on-error skip
        encode --fit d.npz --model m.safetensors -o o.safetensors
        animate d.ndjson -o o.gif --size 32 --fps 5 --duration 1 --hold 0
        animate d.ndjson --morph --count 2 -o o.gif --size 24
        inspect run --plot o.png
        inspect d.npz --grid o.svg -n 2 --json
        inspect m.safetensors --evaluate p.npz --split train
        inspect d.ndjson --score --model m.safetensors
        inspect d.ndjson --score --model m.safetensors --plot o.svg -n 4
        inspect d.npz --model m.safetensors --map o.svg --projection pca
        inspect d.ndjson --model w.safetensors --densities o.png --drawing 1
        inspect w.safetensors --densities o.svg --seed 3
        export --model w.safetensors --word cat -o o.vae.json --guidance 2
        export --model dec.safetensors -o o.gen.json
        export --model m.safetensors -o o.html --half
        export --model w.safetensors -o o.safetensors --int8
        export --model m.safetensors -o o.npz --overwrite
    """)


def train_seeds() -> list[bytes]:
    """The same for ``train``."""
    return _commands_of("""
        train d.ndjson -o new_run
        train p.npz -o o_run --no-encoder --seed 3 --json
        train -o run --resume
        train d.ndjson --from m.safetensors -o o_run --steps 1
        train d.npz --data d.npz -o o_run --words --config c.toml
        train d.ndjson -o run --overwrite --learning-rate 0.1 --kl-weight 0
    """)


def _commands_of(lines: str) -> list[bytes]:
    """Inputs, from one command a line."""
    return [json.dumps(shlex.split(line)).encode() for line in lines.split("\n") if line.strip()]
