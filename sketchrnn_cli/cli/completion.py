"""What the Tab key offers: words of the model, runs, formats, settings.

Runs in the shell while a person types, so it reads what it needs from the head of a file and
loads neither numpy nor torch; what it cannot read, it leaves to the shell. A shell pastes what is
offered into the line that it will run: an untrusted name with a sign that means something there
is not offered.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import typer

from sketchrnn_cli import pretrained

MOST_ENTRIES = 2_000  # of a folder that are looked at
MOST_HEADER = 1 << 22  # bytes of a model before its weights
MODELS = (".safetensors", ".gen.json", ".vae.json")
DRAWINGS = (".ndjson", ".ndjson.gz", ".npz", ".bin", ".svg")
_PLAIN = re.compile(rf"(?!-)[\w./:{re.escape(os.sep)}-]*")  # means itself in every shell
_WORDS = re.compile(r"(?!-)[\w -]+")  # the same, in quotes where it has spaces

Complete = Callable[..., list[str]]


def choice(names: Iterable[str]) -> Complete:
    """One of these."""
    known = tuple(names)

    def offer(begun: str) -> list[str]:
        return [name for name in known if name.startswith(begun)]

    return offer


def words(context: typer.Context, begun: str) -> list[str]:
    """The last words of a prompt, in the words of the model that is named.

    A prompt of several words is in quotes already; elsewhere a hyphen stands for the space.
    """
    tails = [match.end() for match in re.finditer(r"(?:^|[\s,+]|->)(?=\S|$)", begun)] or [0]
    known = words_of(context.params.get("model"))
    forms = [word if " " in begun else word.replace(" ", "-") for word in known]
    forms = [form for form in forms if _WORDS.fullmatch(form)]
    for start in tails:  # the longest tail first: after "an ice c" comes "ice cream"
        if found := [form for form in forms if form.startswith(begun[start:])]:
            return [begun[:start] + form for form in found]
    return []


def words_of(model: str | None) -> list[str]:
    """The words in the head of a model; none where it cannot be read."""
    path = Path(model) if model else pretrained.FILE
    try:
        if path.is_dir():
            path = path / "model.safetensors"
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if size > MOST_HEADER:
                return []
            about = json.loads(stream.read(size))["__metadata__"]
            found = json.loads(about["words"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [word for word in found if isinstance(word, str)] if isinstance(found, list) else []


def runs(begun: str) -> list[str]:
    """Run folders here and in the folders here, and models by their suffix."""
    return _plain(_runs(begun) + _files(begun, MODELS))


def things(begun: str) -> list[str]:
    """Runs, models and files of drawings."""
    return _plain(_runs(begun) + _files(begun, MODELS + DRAWINGS))


def sources(context: typer.Context, begun: str) -> list[str]:
    """Words after ``quickdraw:``, or files of drawings.

    bash takes the colon for the end of a word, and has what is before it in another.
    """
    prefix = "quickdraw:"
    given = (context.params.get(name) for name in ("sources", "data"))
    before = [str(value) for values in given for value in values or ()]
    parted = before[-2:] == ["quickdraw", ":"] or before[-1:] == ["quickdraw:"]
    if not parted and not begun.startswith(prefix):
        offered = _files(begun, DRAWINGS)
        return _plain(offered + [prefix] * (bool(begun) and prefix.startswith(begun)))
    from sketchrnn_cli.sketches.words import QUICKDRAW

    rest = begun if parted else begun.removeprefix(prefix)
    offered = [word.replace(" ", "-") for word in QUICKDRAW]
    lead = "" if parted else prefix
    return [lead + word for word in offered if word.startswith(rest)]


def output(suffixes: Iterable[str]) -> Complete:
    """A new name with each of these suffixes; names that are there are left to the shell."""
    known = tuple(suffixes)

    def offer(begun: str) -> list[str]:
        stem, dot, suffix = begun.rpartition(".")
        if not begun or begun.endswith(os.sep):
            return []
        if not dot or os.sep in suffix:
            stem, suffix = begun, ""
            if _entries(begun):
                return []
        return _plain(f"{stem}.{each}" for each in known if each.startswith(suffix))

    return offer


def _plain(offered: Iterable[str]) -> list[str]:
    return [each for each in offered if _PLAIN.fullmatch(each)]


def _entries(begun: str) -> list[Path]:
    """What lies where a path leads, and begins as it does; none that is hidden."""
    folder, name = os.path.split(begun)
    try:
        with os.scandir(folder or ".") as entries:
            found = [entry.name for entry in islice(entries, MOST_ENTRIES)]
    except OSError:
        return []
    hidden = name.startswith(".")
    kept = (each for each in found if each.startswith(name) and each.startswith(".") == hidden)
    return [Path(folder, each) for each in sorted(kept)]


def _is_run(path: Path) -> bool:
    return (path / "model.safetensors").is_file() or (path / "state").is_dir()


def _runs(begun: str) -> list[str]:
    found = []
    for path in _entries(begun):
        try:
            if not path.is_dir():
                continue
            inside = [path] if _is_run(path) else [p for p in _entries(f"{path}{os.sep}")]
            found += [str(each) for each in inside if _is_run(each)]
        except OSError:
            continue
    return found


def _files(begun: str, suffixes: tuple[str, ...]) -> list[str]:
    return [str(path) for path in _entries(begun) if path.name.lower().endswith(suffixes)]
