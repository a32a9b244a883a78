"""What an attack is: a file, the commands that are given it, and how they should end."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

# Words in braces stand for: file, out, model, data. A last word "<..." is what stdin is.
Command = tuple[str, ...]

INSPECT: Command = ("inspect", "{file}")
PREPROCESS: Command = ("preprocess", "{file}", "-o", "{out}/x.npz", "--quiet")
DRAWINGS = (INSPECT, PREPROCESS)
EVALUATE: Command = ("inspect", "{model}", "--evaluate", "{file}", "--split", "train")
SKETCHES: tuple[Command, ...] = (  # these read drawings one by one, the two above by the thousand
    ("encode", "{file}", "--model", "{model}", "-o", "{out}/x.ndjson", "--quiet"),
    ("sample", "--model", "{model}", "--complete", "{file}", "-o", "{out}/x.npz", "--quiet"),
    ("animate", "{file}", "-o", "{out}/x.gif", "--size", "8", "--fps", "1", "--quiet"),
    ("encode", "{file}", "--model", "{model}", "-o", "{out}/x.npz", "--quiet"),
    ("inspect", "{file}", "--score", "--model", "{model}", "--json"),
    ("sample", "--model", "{model}", "--complete", "{file}", "-o", "{out}/x.svg", "--quiet"),
)
PIPED: tuple[Command, ...] = (
    ("encode", "-", "--model", "{model}", "-o", "{out}/x.ndjson", "--quiet", "<{file}"),
    ("preprocess", "-", "-o", "{out}/x.npz", "--quiet", "<{file}"),
    ("sample", "--model", "{model}", "--complete", "-", "-o", "{out}/x.ndjson", "-q", "<{file}"),
    ("inspect", "-", "<{file}"),
    ("animate", "-", "-o", "{out}/x.gif", "--size", "8", "--fps", "1", "--quiet", "<{file}"),
    ("preprocess", "-", "-o", "{out}/x.ndjson", "--quiet", "<{file}"),
)
EXPORT: Command = ("export", "--model", "{file}", "-o", "{out}/x.npz", "--quiet")
MODEL = (INSPECT, EXPORT, ("sample", "--model", "{file}", "-n", "1", "-o", "{out}/x.svg"))
_DRAW = ("sample", "--model", "{model}", "--latents")
LATENTS = (
    (*_DRAW, "{file}", "-o", "{out}/x.ndjson"),
    (*_DRAW, "-", "-o", "{out}/x.ndjson", "<{file}"),
)
TINY = ("--preset", "tiny", "--no-encoder", "--steps", "1", "--batch-size", "2", "--quiet")
CONFIG = (("train", "{data}", "-o", "{out}/run", "--config", "{file}", *TINY),)
RUN = (("inspect", "{file}"),)

ERROR, RESULT, EITHER = "error", "result", "either"


class Attack(NamedTuple):
    """One untrusted file, or one prompt."""

    name: str  # of the file, with its suffix; a slash at the end: a folder
    content: bytes | Callable[[Path], None]  # or what writes it
    commands: tuple[Command, ...]
    ends: str = ERROR
    says: str = ""  # a part of the error
    also: tuple[Command, ...] = ()  # commands that may refuse what the others take


def with_more(attacks: list[Attack], *choices: tuple[Command, ...]) -> list[Attack]:
    """The same attacks, each on one more command of every choice, in turn."""
    turns = [cycle(choice) for choice in choices]
    return [one._replace(also=(*one.also, *(next(turn) for turn in turns))) for one in attacks]


# what was attacked with what, for those who ask: python tests/attacks/attack.py

READERS = {
    "npz": "npz arrays",
    "zip": "zip members",
    "pickle": "pickled arrays",
    "set": "packed set",
    "ndjson": "NDJSON",
    "page": "NDJSON of the page",
    "stdin": "NDJSON on stdin",
    "gzip": "gzip",
    "bin": ".bin",
    "svg": "SVG",
    "table": "CSV",
    "board": "whiteboards",
    "ink": "InkML",
    "browser": "browser model",
    "safetensors": "safetensors",
    "state": "training state",
    "metrics": "metrics.jsonl",
    "toml": "TOML",
    "latents": "latents",
    "prompt": "prompt",
}
KINDS = {
    "code": r"exploit|pickled|opcode|code\b|script|import|lambda|shell|a power|a codec|dunder",
    "bomb": r"bomb|laughs|10\^1[258]|\d+ MB|huge|2\^6|GB|many|million|60,000|memo|BIN|LONG",
    "nested": r"deep|nested|in zip|in gzip|in lists|in tuples|itself|parentheses|brackets",
    "lies": r"lie|says|wrong|cut|offset|shape|beyond|longer|overlap|fewer|never ends|header|size",
    "way out": r"way out|elsewhere|as entity|a path|link|include|DTD",
    "numbers": r"NaN|nan|inf|1e999|number|not finite|digits|below zero|1e308|10\^|weight|floats",
    "text": r"UTF|surrogate|escape codes|not UTF-8|newlines|right to left|nulls|\bcodes\b|encoding",
    "long": r"line|million|long|megabyte|many|points|words|pluses|100,000|strokes|name|30 MB",
}
_JSON = "JSON has no code, and this no names of files"
_SIZES = "says no sizes"
REASONS = {  # why a reader meets no attack of a kind
    "pickle": {"way out": "a module is its only path, and none is imported"},
    "set": {"code": "arrays of numbers, and JSON", "way out": "names no files"},
    "ndjson": {"way out": _JSON},
    "page": dict.fromkeys(
        ("bomb", "nested", "lies", "way out", "numbers", "text", "long"), "read as all NDJSON is"
    ),
    "stdin": {"way out": _JSON},
    "gzip": {
        "code": "packed bytes",
        "way out": "its name is not read",
        "text": "its name is not read",
    },
    "bin": dict.fromkeys(
        ("code", "nested", "way out", "numbers", "text"), "bytes in rows: any is a number"
    ),
    "svg": {"lies": _SIZES},
    "board": {"way out": _JSON},
    "browser": {"code": _JSON, "way out": _JSON},
    "state": {
        "code": "numbers, and JSON",
        "way out": "names no files",
        "text": "its text is ours, and checked as a model's is",
        "long": "its header and its arrays are limited as a model's are",
    },
    "metrics": {"code": _JSON, "lies": _SIZES, "way out": _JSON},
    "toml": {"way out": "names no files"},
    "latents": {"way out": "names no files"},
    "prompt": {"lies": _SIZES},
}
PNG = "PNG metadata: no command reads a PNG; Pillow is only written with."


def reader_of(one: Attack) -> list[str]:
    """Which readers an attack is for."""
    name = one.name
    found = []
    if name.startswith("latents"):
        found.append("latents")
    elif name.startswith("prompt"):
        found.append("prompt")
    elif name.startswith("resume state"):
        found.append("state")
    elif "metrics" in name:
        found.append("metrics")
    elif name.startswith("page"):
        found += ["page", "ndjson"]
    elif name.startswith("set:"):
        found.append("set")
    elif name.startswith(("exploit", "bomb ", "opcode", "many large", "a huge")) and (
        name.endswith(".npz")
    ):
        found.append("pickle")
    elif name.endswith(".npz"):
        found += ["npz", "zip"]
    for suffix, reader in (
        (".ndjson", "ndjson"), (".ndjson.gz", "ndjson"), (".bin", "bin"), (".bin.gz", "bin"),
        (".csv", "table"), (".csv.gz", "table"), (".excalidraw", "board"), (".tldr", "board"),
        (".inkml", "ink"), (".npy", "npz"),
        (".svg", "svg"), (".svgz", "svg"), (".json", "browser"), (".safetensors", "safetensors"),
        (".toml", "toml"),
    ):  # fmt: skip
        if name.endswith(suffix) and not found:
            found.append(reader)
    if name.endswith((".gz", ".svgz")):
        found.append("gzip")
    if any(command and command[-1].startswith("<") for command in (*one.commands, *one.also)):
        found.append("stdin")
    return found


def counted(attacks: list[Attack]) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Attacks by reader and kind, a name may be of several; and by reader."""
    counts = {reader: dict.fromkeys(KINDS, 0) for reader in READERS}
    totals = dict.fromkeys(READERS, 0)
    for one in attacks:
        for reader in reader_of(one):
            totals[reader] += 1
            for kind, pattern in KINDS.items():
                counts[reader][kind] += bool(re.search(pattern, one.name))
    return counts, totals


def table(attacks: list[Attack]) -> str:
    """How many there are, and why not."""
    counts, totals = counted(attacks)
    lines = [f"{'':20}" + "".join(f"{kind:>9}" for kind in (*KINDS, "all"))]
    for reader, name in READERS.items():
        cells = (str(n) if n else "-" for n in (*counts[reader].values(), totals[reader]))
        lines.append(f"{name:20}" + "".join(f"{cell:>9}" for cell in cells))
    for reader, reasons in REASONS.items():
        for reason in dict.fromkeys(reasons.values()):
            kinds = ", ".join(kind for kind, why in reasons.items() if why == reason)
            lines.append(f"{READERS[reader]}: no {kinds}: {reason}")
    return "\n".join([*lines, PNG])


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.modules["attack"] = sys.modules["__main__"]
    import archives
    import models
    import pickles
    import tables
    import texts

    every = [
        *(one for room in (pickles, archives, texts, tables, models) for one in room.ATTACKS),
        *texts.PROMPTS, *texts.TOML, *models.PLOTTED, *models.of_resuming(Path()),
    ]  # fmt: skip
    print(table(every))
