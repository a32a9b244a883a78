"""Files and pipes: ``-``, formats by name, outputs that appear whole or not at all.

An output is written to a hidden ``.part`` file beside its target, locked by the process that
writes it, which in the end takes the target's place. A process that was killed leaves its part
behind, unlocked, and the next one that writes the same target removes it.
"""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import glob
import gzip
import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.locks import new_part, remove_stale

STDIO = "-"
CACHE_VARIABLE = "SKETCHRNN_CACHE"
SUFFIXES = {  # of formats that have others than their name
    "ndjson": (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz"),
    "svg": (".svg", ".svgz", ".svg.gz"),
    "bin": (".bin", ".bin.gz"),
    "json": (".json", ".json.gz"),
    "csv": (".csv", ".csv.gz", ".tsv", ".tsv.gz"),
    "packed": (".npz",),
    "sketch-rnn": (),  # --format says it
}
TEXTS = ("ndjson", "svg", "excalidraw")  # formats a terminal can show
PICTURES = ("svg", "png", "gif", "apng", "webp", "mp4")  # formats that are made anew at any time
_GZIP = (".gz", ".svgz")
_DATA = (
    *(".npz", ".npy", ".ndjson", ".jsonl", ".bin", ".json", ".csv", ".tsv", ".gz"),
    *(".excalidraw", ".tldr", ".inkml", ".safetensors", ".onnx"),
)
_OTHERS = {  # suffixes that are not written, and what is in their place
    "jpg jpeg bmp tif tiff heic": "png",
    "pdf eps ps ai dxf hpgl gcode": "svg",
    "avi mov mkv webm m4v mpg mpeg": "mp4",
    "json txt": "ndjson",
    "pt pth ckpt bin h5": "safetensors",
    "csv zip npy pkl": "npz",
}
_MISSPELLED = 0.6
_COMPARED = 2_000  # names of a folder, for one that is nearly another
_ALIKE = 0.7  # share of letters in common


class Format(NamedTuple):
    """What a file holds, by its name."""

    name: str
    compressed: bool = False  # with gzip

    @property
    def binary(self) -> bool:
        """Not text, so nothing for a terminal."""
        return self.compressed or self.name not in TEXTS

    @property
    def is_data(self) -> bool:
        """Drawings, latents, packed sets and models; pictures are replaced without asking."""
        return self.name not in PICTURES


def format_of(path: str | Path, explicit: str | None, known: Iterable[str]) -> Format:
    """The format of a file: ``--format`` if given, else by its suffix, which may say gzip too.

    Args:
        path: a file or ``-``.
        explicit: what ``--format`` says: a format or a suffix.
        known: names of the formats that the command knows.

    Raises:
        BadFile: neither says one of the known formats.
    """
    names = tuple(known)
    named = explicit or ("" if str(path) == STDIO else Path(path).name)
    text = named.lower()
    for name in names:
        suffixes = SUFFIXES.get(name, (f".{name}",))
        if text.endswith(suffixes) or (explicit and f".{text}" in (f".{name}", *suffixes)):
            return Format(name, f"{path}".lower().endswith(_GZIP) or text.endswith(_GZIP))
    if explicit:
        raise BadFile(f"--format {explicit}: unknown format; known are {', '.join(names)}")
    firsts = [SUFFIXES.get(name, (f".{name}",))[:1] for name in names]
    listed = ", ".join(suffix[1:] for first in firsts for suffix in first)
    where, suffix = "standard output" if str(path) == STDIO else path, Path(named).suffix[1:]
    if not suffix:
        if str(path) == STDIO:
            raise BadFile(f"{where}: no format; give --format, one of {', '.join(names)}")
        first = "svg" if "svg" in names and names[0] == "ndjson" else listed.split(", ")[0]
        if Path(path).is_dir() or str(path).endswith(("/", os.sep)):
            inside = Path(path) / f"drawing.{first}"
            raise BadFile(f"{path}: a folder; name a file, as in {inside}")
        raise BadFile(f"{path}: no format; name it {path}.{first}, or with one of {listed}")
    near = _nearest(suffix.lower(), listed.split(", "))
    meant = f"did you mean {Path(path).with_suffix(f'.{near}')}? " if near else ""
    raise BadFile(f"{where}: unknown format {suffix.lower()!r}; {meant}known are {listed}")


def _nearest(suffix: str, known: Sequence[str]) -> str | None:
    """The format that may be meant by another one, or by one that is misspelled."""
    for names, other in _OTHERS.items():
        if suffix in names.split():
            return other if other in known else None
    return next(iter(difflib.get_close_matches(suffix, known, 1, _MISSPELLED)), None)


def name_of(path: str | Path) -> str:
    """How a source is called in messages."""
    return "standard input" if str(path) == STDIO else str(path)


def reason(error: OSError) -> str:
    """What the system says, without its own copy of the path."""
    return (error.strerror or str(error)).lower()


def missing(path: str | Path, what: str = "file") -> str:
    """A message that says what is not there, and what is in that folder of nearly that name."""
    wanted = Path(path)
    try:
        with os.scandir(wanted.parent) as entries:
            names = [entry.name for _, entry in zip(range(_COMPARED), entries, strict=False)]
    except (OSError, ValueError):  # no such folder either, or a NUL in the name
        names = []
    near = difflib.get_close_matches(wanted.name, sorted(names), 1, _ALIKE)
    hint = f"; did you mean {wanted.with_name(near[0])}?" if near else ""
    return f"{path}: no such {what}{hint}"


# inputs

_READ: ContextVar[Callable[[int], None] | None] = ContextVar("read", default=None)


@contextlib.contextmanager
def counting(tell: Callable[[int], None]) -> Iterator[None]:
    """Call with the number of bytes, as they are on the disk, when some of an input are read."""
    token = _READ.set(tell)
    try:
        yield
    finally:
        _READ.reset(token)


class _File(io.FileIO):
    """A file whose errors name it, or the output it becomes, whatever else is open."""

    called: str | Path = ""
    is_input = False

    def readinto(self, buffer: Any, /) -> int | None:
        with reading(self.called):
            n = super().readinto(buffer)
        if n and self.is_input and (tell := _READ.get()) is not None:
            tell(n)
        return n

    def readall(self) -> bytes:
        with reading(self.called):
            return super().readall() or b""

    def write(self, data: Any, /) -> int:
        with writing(self.called):
            return super().write(data) or 0


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn what the system says while a file is read into one line about that file."""
    try:
        yield
    except FileNotFoundError:
        raise BadFile(missing(path)) from None
    except OSError as error:
        raise BadFile(f"{name_of(path)}: cannot be read: {reason(error)}") from None


@contextlib.contextmanager
def open_input(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for reading, or standard input for ``-``.

    Raises:
        BadFile: no such file, a folder, or one that cannot be read, now or later.
    """
    if str(path) == STDIO:
        if sys.stdin is None or sys.stdin.isatty():
            raise BadFile(
                "standard input is a terminal or closed: give a file, or pipe drawings in"
            )
        try:
            raw = _File(sys.stdin.fileno(), closefd=False)
        except (OSError, ValueError, AttributeError):  # it is in memory
            yield sys.stdin.buffer
            return
    else:
        with reading(path):
            raw = _File(path)
    raw.called, raw.is_input = str(path), True
    with io.BufferedReader(raw) as stream:
        yield cast("BinaryIO", stream)


# outputs


def cache_folder() -> Path:
    """What can be made or downloaded again: SKETCHRNN_CACHE, or where a user's caches are."""
    import platformdirs

    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen or platformdirs.user_cache_dir("sketchrnn", appauthor=False))


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn what the system says while an output is written into one line; read nothing within."""
    try:
        yield
    except OSError as error:
        if error.errno is None or isinstance(error, BrokenPipeError):
            raise
        where = "standard output" if str(path) == STDIO else path
        raise BadFile(f"{where}: cannot be written: {reason(error)}") from None


@contextlib.contextmanager
def open_output(
    path: str | Path, *, binary: bool, compressed: bool | None = None
) -> Iterator[BinaryIO]:
    """Open a file that appears whole or not at all, or standard output for ``-``.

    An existing file that is not a regular one (``/dev/null``, a named pipe) is written directly.

    Args:
        path: the target; missing folders are made.
        binary: what is written is not text, so a terminal refuses it.
        compressed: it goes through gzip; None: where the name says so.

    Raises:
        BadFile: the target is a terminal and the data binary, or it cannot be written.
    """
    if compressed is None:
        compressed = str(path).lower().endswith(_GZIP)
    with contextlib.ExitStack() as stack:
        if str(path) == STDIO:
            _refuse_terminal(binary)
            stream: BinaryIO = sys.stdout.buffer
            stack.callback(stream.flush)
        else:
            target = Path(path)
            with writing(target):
                if target.is_dir():
                    raise BadFile(f"{target}: is a folder; name a file in it")
                if target.exists() and not target.is_file():
                    stream = stack.enter_context(_written(target, target))
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    stream = stack.enter_context(replacing(target))
        if compressed:
            stream = cast("BinaryIO", stack.enter_context(gzip.GzipFile("", "wb", 6, stream, 0)))
        yield stream


def check_output(
    path: str | Path,
    *,
    binary: bool,
    inputs: Iterable[str | Path] = (),
    is_data: bool = False,
    overwrite: bool = False,
) -> None:
    """Refuse an output, before work starts, that cannot be written or would cost something.

    Args:
        path: a file or ``-``.
        binary: as ``open_output``.
        inputs: what the same command reads: files, folders and patterns of drawings, ``-``, the
            file of a model.
        is_data: not a picture, so an existing file is replaced only with ``overwrite``.
        overwrite: what is there may be replaced, unless it is an input.

    Raises:
        BadFile: as ``open_output``; or it is an input or in one, or exists.
    """
    called = "standard output" if str(path) == STDIO else str(path)
    is_svg = called.lower().endswith(SUFFIXES["svg"])
    is_data = is_data or (called.lower().endswith(_DATA) and not is_svg)
    may_be_read = is_data or is_svg
    for source in map(str, inputs):
        if _reads(source, str(path), may_be_read=may_be_read):
            raise BadFile(
                f"{called}: is also read, as {name_of(source)}; write to a file that is not"
            )
    if str(path) == STDIO:
        _refuse_terminal(binary)
        return
    target = Path(path)
    if target.is_dir():
        raise BadFile(f"{target}: is a folder; name a file in it")
    folder = nearest_folder(target)
    if not folder.is_dir():
        raise BadFile(f"{target}: cannot be written: {folder} is not a folder")
    if not os.access(folder, os.W_OK):
        raise BadFile(f"{target}: cannot be written: {folder} is read-only")
    if is_data and target.is_file() and not overwrite:
        raise BadFile(f"{target}: exists; give --overwrite to replace it")


def lies_in(source: str, folder: Path) -> bool:
    """Whether something that is read, perhaps by a pattern, lies in a folder, links followed."""
    found = [Path(path).resolve() for path in (source, *glob.glob(source, recursive=True))]
    return any(path.exists() and folder.resolve() in (path, *path.parents) for path in found)


def _refuse_terminal(binary: bool) -> None:
    if binary and sys.stdout.isatty():
        raise BadFile("a picture is not written to a terminal: give -o FILE, or pipe it on")


def nearest_folder(target: Path) -> Path:
    """Where a file lies or will, or what is there of the path to it."""
    folder = target.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _reads(source: str, path: str, *, may_be_read: bool) -> bool:
    """Whether a source of drawings is, or contains, the file that a path names, now or later."""
    there = _status(path, sys.stdout)
    if there and (found := _status(source, sys.stdin)) and os.path.samestat(found, there):
        return True
    if not may_be_read or STDIO in (source, path):
        return False
    if os.path.isdir(source):
        return _contains(source, path, there)
    if os.path.exists(source) or not glob.has_magic(source):
        return False
    wanted = (Path(os.path.abspath(name)).parts for name in (path, source))
    return _matches(*wanted) or any(
        _reads(match, path, may_be_read=True) for match in glob.glob(source, recursive=True)
    )


def _status(path: str, stream: Any) -> os.stat_result | None:
    """Of a regular file, which a standard stream may be too."""
    try:
        status = os.fstat(stream.fileno()) if path == STDIO else os.stat(path)
    except (OSError, ValueError, AttributeError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _contains(folder: str, path: str, there: os.stat_result | None) -> bool:
    """Whether a file lies in a folder or below, or one that it is a link to does."""
    beside = nearest_folder(Path(path))
    for place, names in below(folder):
        if os.path.samefile(place, beside):
            return True
        inside = (_status(os.path.join(place, name), None) for name in names if there)
        if any(each and there and os.path.samestat(each, there) for each in inside):
            return True
    return False


def below(folder: str) -> Iterator[tuple[str, list[str]]]:
    """A folder and those in it, each once, and the names in each; hidden ones are passed over."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = sorted(n for n in folders if real not in seen and not n.startswith("."))
        if real not in seen:
            yield place, [name for name in names if not name.startswith(".")]
        seen.add(real)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[n:], pattern[1:]) for n in range(len(parts) + 1))
    same = bool(parts) and fnmatch.fnmatch(parts[0], pattern[0])
    return same and _matches(parts[1:], pattern[1:])


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Write a file that takes the target's place when the block ends without an error.

    Raises:
        BadFile: it cannot be written; the old file, or none, is as it was.
    """
    with writing(target):
        remove_stale(target.parent, target.name)
        descriptor, part = new_part(target.parent, target.name)
    try:
        with _written(descriptor, target) as stream:
            yield stream
            stream.flush()
            with writing(target):
                os.fsync(descriptor)
                umask = os.umask(0)
                os.umask(umask)
                part.chmod(0o666 & ~umask)  # it was made private
                if sys.platform != "win32":
                    os.replace(part, target)  # still locked
        if sys.platform == "win32":
            with writing(target):
                os.replace(part, target)  # there, an open file keeps its name
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    if sys.platform != "win32":  # let the new name outlive a loss of power, too
        with contextlib.suppress(OSError):
            descriptor = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _written(file: Path | int, called: str | Path) -> BinaryIO:
    return cast("BinaryIO", io.BufferedWriter(named(file, "wb", called)))


def named(file: Path | int, mode: str, called: str | Path) -> io.FileIO:
    """An open file whose errors name the output that it becomes."""
    raw = _File(file, mode)
    raw.called = called
    return raw
