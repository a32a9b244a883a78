"""Quick, Draw! drawings by name: ``quickdraw:cat`` becomes a file in the user's cache folder.

A word is looked up among Google's 345 before anything is asked of the disk or the network, and
from there on it is Google's spelling that is used. In the folder, ``cat.ndjson`` is whole and
checked; ``cat.ndjson.part`` is what came of it so far, locked by the process that downloads it;
``cat.json`` says where either is from, and how long it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.files import open_output, reason
from sketchrnn_cli.locks import is_at, lock, open_part
from sketchrnn_cli.sketches.quickdraw.words import WORDS
from sketchrnn_cli.sketches.words import closest, fold, visible

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.quickdraw.fetching import Origin, Patience

PREFIX = "quickdraw:"
ADDRESS = "https://storage.googleapis.com/quickdraw_dataset/full/simplified"  # of Google's README
LICENCE = "Quick, Draw! drawings by Google, CC BY 4.0"
ADDRESS_VARIABLE = "SKETCHRNN_QUICKDRAW_URL"
CACHE_VARIABLE = "SKETCHRNN_CACHE"
MAX_LINE = 1 << 20  # bytes
POLL = 0.2  # seconds between two looks at a part that another process has

Say = Callable[[str], None]
Progress = Callable[[str, int, "int | None"], None]  # word, bytes there, bytes in all


def _ignore(*_: object) -> None:
    """Pass over what nobody wants to know."""


_FOLDED = {fold(word): word for word in WORDS}


def is_name(source: str) -> bool:
    """Whether a source is a word of Quick, Draw! and not a file."""
    return source[: len(PREFIX)].lower() == PREFIX


def word_of(source: str) -> str:
    """The word that a name means, as Google spells it: case, hyphens and underscores are alike.

    Raises:
        BadFile: it is none of the 345.
    """
    asked = source[len(PREFIX) :]
    if word := _FOLDED.get(fold(asked)):
        return word
    shown = " ".join(visible(asked).split())
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    if not shown:
        raise BadFile(f'{PREFIX} names no word; give one, like {PREFIX}cat or {PREFIX}"ice cream"')
    if shown in ("*", "all"):
        raise BadFile(
            f"{PREFIX}{shown}: all {len(WORDS)} words are over 20 GB; name those you want, like "
            f"{PREFIX}cat {PREFIX}dog"
        )
    near = closest(shown, WORDS) or closest(shown, WORDS, alike=0)
    raise BadFile(
        f"{PREFIX}{shown}: not one of the {len(WORDS)} words of Quick, Draw!; close to it are "
        f"{', '.join(near)}"
    )


def named(sources: list[str]) -> list[str]:
    """The same sources, the names among them as Google spells them.

    Raises:
        BadFile: a name that is none of the 345 words.
    """
    return [PREFIX + word_of(source) if is_name(source) else source for source in sources]


def folder() -> Path:
    """Where downloads are kept: SKETCHRNN_CACHE, or where the system keeps a user's caches."""
    import platformdirs

    chosen = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir(
        "sketchrnn", appauthor=False
    )
    return Path(chosen) / "quickdraw"


def local(
    sources: list[str],
    *,
    address: str | None = None,
    offline: bool = False,
    say: Say = _ignore,
    note: Say = _ignore,
    progress: Progress = _ignore,
    patience: Patience | None = None,
) -> list[str]:
    """The same sources, with a file for every name; downloaded unless it is in the cache.

    Args:
        sources: files and the like, which stay as they are, and ``quickdraw:`` names.
        address: the folder of WORD.ndjson files, http or https; None: SKETCHRNN_QUICKDRAW_URL, or
            Google's bucket. The cache does not tell mirrors apart.
        offline: take what is in the cache.
        say: told what a person should know: whose drawings they are, what was damaged.
        note: told what passes: attempts that failed, waiting for another process.
        progress: told how much of a word is there, now and then.
        patience: how long to bear with the server.

    Raises:
        BadFile: a name that is none of the 345 words, or not in the cache, offline; a server that
            does not have it or sends something else; a folder that is not writable.
        BadConfig: an address that is none.
    """
    words = {source: word_of(source) for source in sources if is_name(source)}
    if not words:
        return sources
    base, place = _base(address), folder()
    files: dict[str, Path] = {}
    told = False
    for word in dict.fromkeys(words.values()):
        path = files[word] = place / f"{word}.ndjson"
        fault = _fault(path, word)
        if fault is None:
            continue
        if offline:
            raise BadFile(
                f"{PREFIX}{word}: {fault}, and --offline asks nobody; run it once without, or put "
                f"Google's {path.name} into {place}"
            )
        if path.exists():
            say(f"{PREFIX}{word}: {fault}; downloading it again")
        try:
            place.mkdir(parents=True, exist_ok=True)
            with _alone(path, note) as part:
                if _fault(path, word) is not None:  # else another process was quicker
                    url = f"{base}/{quote(word)}.ndjson"
                    _download(word, url, path, part, note, progress, patience)
                    if not told:
                        say(LICENCE)
                    told = True
        except OSError as error:
            raise BadFile(
                f"{path}: cannot be written: {reason(error)}; {CACHE_VARIABLE} can name another "
                "folder"
            ) from None
    return [str(files[words[source]]) if source in words else source for source in sources]


def _base(address: str | None) -> str:
    from sketchrnn_cli.sketches.quickdraw.fetching import check_address

    base = check_address(address or os.environ.get(ADDRESS_VARIABLE) or ADDRESS)
    if "?" in base or "#" in base:
        raise BadConfig(f"{base}: give the address of a folder, without ? and #")
    return base.rstrip("/")


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _record(path: Path) -> Path:
    return path.with_suffix(".json")


def _fault(path: Path, word: str) -> str | None:
    """Why a file of the cache cannot be used; None: it can.

    Raises:
        BadFile: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            _check(stream, word, str(path), _read_record(_record(path)))
    except FileNotFoundError:
        return "not in the cache"
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {reason(error)}") from None
    except BadFile:
        return "damaged in the cache"
    return None


@contextlib.contextmanager
def _alone(path: Path, note: Say) -> Iterator[BinaryIO]:
    """The part of a file, for this process alone; it waits while another has it.

    An empty one goes again, with the record of it.
    """
    part, waits = _part(path), False
    while True:
        stream = open_part(part)
        if lock(stream.fileno()) is not False and is_at(stream.fileno(), part):
            break
        stream.close()
        if not waits:
            note(f"another process is downloading {path.name}; waiting for it")
        waits = True
        time.sleep(POLL)
    try:
        yield stream
    finally:
        if sys.platform == "win32":
            stream.close()  # there, an open file cannot be removed
        with contextlib.suppress(OSError):
            if (stream.closed or is_at(stream.fileno(), part)) and not part.stat().st_size:
                part.unlink()
                if not path.exists():
                    _record(path).unlink()
        stream.close()


def _download(
    word: str,
    address: str,
    path: Path,
    part: BinaryIO,
    note: Say,
    progress: Progress,
    patience: Patience | None,
) -> None:
    """Bring a part to the whole file, check it, and give it its name."""
    from sketchrnn_cli.sketches.quickdraw.fetching import Patience, fetch

    where = f"{PREFIX}{word}: {address}"
    origin = fetch(
        address,
        part,
        _read_record(_record(path)),
        where=where,
        keep=partial(_write_record, _record(path)),
        check_start=lambda head: _check_drawing(_first_line(head), word, where),
        progress=partial(progress, word),
        note=note,
        patience=patience or Patience(),
    )
    try:
        digest = _check(part, word, where, origin)
    except BadFile:
        part.truncate(0)
        raise
    os.fsync(part.fileno())
    _write_record(_record(path), replace(origin, size=part.seek(0, 2), md5=digest))
    if sys.platform == "win32":
        part.close()  # there, an open file keeps its name
    os.replace(_part(path), path)


def _check(stream: BinaryIO, word: str, where: str, origin: Origin | None) -> str:
    """Look at both ends of a file, and at its sum if that is known; the sum.

    Raises:
        BadFile: it cannot be the drawings of this word, or not all of them.
    """
    stream.seek(0)
    head = stream.read(MAX_LINE)
    if not head:
        raise BadFile(f"{where}: an empty file")
    _check_drawing(_first_line(head), word, where)
    stream.seek(max(stream.seek(0, 2) - MAX_LINE, 0))
    last = stream.read().rstrip().rsplit(b"\n", 1)[-1]
    _check_drawing(last, word, f"{where}: cut short or damaged: the last line")
    stream.seek(0)
    digest = md5(usedforsecurity=False)
    while piece := stream.read(MAX_LINE):
        digest.update(piece)
    if origin is not None and origin.md5 not in (None, digest.hexdigest()):
        raise BadFile(f"{where}: damaged on the way: its MD5 is not the one announced; try again")
    return digest.hexdigest()


def _first_line(head: bytes) -> bytes:
    return head.lstrip().split(b"\n", 1)[0]


def _check_drawing(line: bytes, word: str, where: str) -> None:
    """Refuse what is no drawing of this word.

    Raises:
        BadFile: it says what is there instead.
    """
    import orjson

    if line.startswith(b"<"):
        raise BadFile(f"{where}: a web page, not drawings; is there a login page on the way?")
    try:
        drawing = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadFile(f"{where}: not a line of JSON") from None
    if not isinstance(drawing, dict) or not isinstance(drawing.get("drawing"), list):
        raise BadFile(f"{where}: JSON, but not a drawing")
    if drawing.get("word") != word:
        found = " ".join(visible(str(drawing.get("word"))).split())[:40]
        raise BadFile(f"{where}: a drawing of {found!r}, not of {word!r}")


def _read_record(path: Path) -> Origin | None:
    """Where a part or a file is from; None where nothing says so."""
    from sketchrnn_cli.sketches.quickdraw.fetching import Origin

    try:
        return Origin.from_dict(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None


def _write_record(path: Path, origin: Origin) -> None:
    with open_output(path, binary=True) as stream:
        stream.write(json.dumps(asdict(origin)).encode())
