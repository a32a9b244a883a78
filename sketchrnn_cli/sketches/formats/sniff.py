"""What a file really is, whatever it is called, and its bytes without compression."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import STDIO, name_of, open_input

READ_SIZE = 1 << 20  # bytes
MAX_PIPED = 1 << 27  # bytes of a format that is not read as it comes in
BOM = b"\xef\xbb\xbf"
PIXELS = "a picture of pixels, which has no strokes; trace it to SVG first"
PDF = "a PDF; save its drawing as SVG first"
PICKLE = "a pickle, which is not read; save its drawings with numpy.savez"
_PACKED = "compressed otherwise than with gzip; unpack it first"
_TABLE = "a table or a database of another program; write its drawings as NDJSON"
_KINDS: dict[str, tuple[bytes, ...]] = {  # what files are that begin so
    PIXELS: (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"8BPS"),
    PDF: (b"%PDF",),
    "PostScript; save its drawing as SVG first": (b"%!PS",),
    "a document of Office; save its drawing as SVG first": (b"\xd0\xcf\x11\xe0",),
    PICKLE: (
        b"\x80\x04\x95",
        b"\x80\x05\x95",
        *(b"\x80%c%c" % (k, c) for k in (2, 3) for c in b"]}c("),
    ),
    _PACKED: (b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd"),
    _TABLE: (b"PAR1", b"ARROW1", b"\x89HDF", b"SQLite format 3"),
}
_CALLED = {  # formats that are known by their content
    "npz": "a zip file; name it .npz if it is one", "npy": "a NumPy array; name it .npy",
    "svg": "an SVG drawing; name it .svg", "inkml": "InkML; name it .inkml",
    "excalidraw": "a whiteboard; name it .excalidraw", "tldr": "a whiteboard; name it .tldr",
    "csv": "a table; name it .csv",
}  # fmt: skip
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


_MARKS = {  # by which a text that is no NDJSON is known, blanks left out
    "excalidraw": re.compile(rb'\{"type":"excalidraw'),
    "tldr": re.compile(rb'\{"(?:tldrawFileFormatVersion"|(?:document":\{")?store":\{)'),
    "csv": re.compile(
        rb"""(?:sep=.[\r\n]+)?(?:[\w"'-]*[,;\t|])*["']?(?:drawing|strokes)["']?[,;\t|\r\n]""", re.I
    ),
}
_ROOT = re.compile(rb"<(?:[\w.-]+:)?(svg|ink)[\s/>]")


class OtherFormat(BadFile):
    """A pipe of another format than NDJSON, with what came in."""

    def __init__(self, name: str, format: str, data: bytes) -> None:
        super().__init__(f"{name}: {format}, not ndjson")
        self.format, self.data = format, data


def say_what_it_is(head: bytes, name: str) -> None:
    """Raise BadFile for the things that are downloaded, or named, in place of a data file."""
    if not head:
        raise BadFile(f"{name}: an empty file; get it again")
    what = next((what for what, begins in _KINDS.items() if head.startswith(begins)), "")
    if (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (
        head[:2] == b"BM" and not any(head[6:10])
    ):
        what = PIXELS
    elif head[4:8] == b"ftyp":
        is_still = head[8:12] in (b"heic", b"heix", b"mif1", b"avif")
        what = PIXELS if is_still else "a film, which has no strokes"
    elif head[257:262] == b"ustar":
        what = "a tar archive; unpack it, and name the folder"
    text = head.removeprefix(BOM).lstrip()[:64].lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        what = "a web page, not drawings; download the raw file"
    elif text.startswith(b"<"):
        what = (_ROOT.search(head) and _CALLED.get(format_of(head))) or (
            "XML, but neither SVG nor InkML; save its drawing as one of these"
        )
    elif text.startswith(b"version https://git-lfs"):
        what = "a git-lfs pointer, not the file itself; run `git lfs pull`"
    if what:
        raise BadFile(f"{name}: {what}")


def say_what_else(head: bytes, name: str) -> None:
    """The same, also for formats that are read under another name."""
    kind = format_of(head)
    if (what := _CALLED.get(kind)) and (kind != "svg" or _ROOT.search(head)):
        raise BadFile(f"{name}: {what}")
    say_what_it_is(head, name)


def what_by_content(source: str) -> str:
    """What a file is whose name says nothing; nothing where its content does not, either."""
    try:
        with open_input(source) as stream:
            head = stream.read(512)
        if head:
            say_what_else(head, source)
    except BadFile as error:
        return str(error).removeprefix(f"{source}: ")
    except OSError:
        return ""
    is_json = head.removeprefix(BOM).lstrip()[:1] in (b"{", b"[")
    return "JSON; name it .ndjson" if is_json else ""


def refuse_zip(head: bytes, name: str, wanted: str) -> None:
    """Raise BadFile for a zip in place of another format."""
    if head.startswith(b"PK\x03\x04"):
        raise BadFile(f"{name}: a zip file, not {wanted}; name it .npz if it is one")


def format_of(head: bytes) -> str:
    """The format of a pipe that is not NDJSON, or nothing. XML is SVG until an <ink> comes."""
    if head.startswith(UTF16):
        head = head[: len(head) & ~1].decode("utf-16", "replace").encode()
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    text = head.removeprefix(BOM).lstrip()
    if text.lower().startswith(
        (b"<?xml", b"<!doctype svg", b"<!doctype ink", b"<!--")
    ) or _ROOT.match(text):
        root = _ROOT.search(text)
        return "inkml" if root is not None and root[1] == b"ink" else "svg"
    dense = re.sub(rb"[ \r\n]+" if text.startswith(b"{") else rb" ", b"", text[:4096])
    return next((kind for kind, mark in _MARKS.items() if mark.match(dense)), "")


def _whole(stream: BinaryIO, name: str) -> bytes:
    data = stream.read(MAX_PIPED + 1)
    if len(data) > MAX_PIPED:
        raise BadFile(f"{name}: over {MAX_PIPED >> 20} MiB; write it to a file and name that")
    return data


@contextlib.contextmanager
def unpacked(source: str) -> Iterator[io.BufferedReader]:
    """The bytes of a file that may be gzipped, whatever it is called.

    Raises:
        BadFile: it cannot be read, or is a damaged gzip, also where that is found later.
    """
    with open_input(source) as stream:
        reader = cast(io.BufferedReader, stream)
        if not hasattr(reader, "peek"):
            reader = io.BufferedReader(cast(io.RawIOBase, stream))
        if reader.peek(2)[:2] != b"\x1f\x8b":
            yield reader
            return
        try:
            with gzip.GzipFile(fileobj=reader) as unzipped:
                yield io.BufferedReader(cast(io.RawIOBase, unzipped), READ_SIZE)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            text = f"{name_of(source)}: damaged gzip ({error}); get the file again"
            raise BadFile(text) from None


def content(source: str, most: int) -> bytes:
    """All bytes of a file, gzipped or not; one more than ``most`` where there are more."""
    with unpacked(source) as reader:
        return reader.read(most + 1)


def text_chunks(source: str, wanted: str, size: int = READ_SIZE) -> Iterator[bytes]:
    """UTF-8 text of a file as it arrives, never empty, without a byte-order mark at its beginning.

    Args:
        source: a file, gzipped or not, in UTF-8 or in UTF-16 with a mark, or ``-``.
        wanted: what it should be, for messages.
        size: bytes at most.

    Raises:
        BadFile: nothing there, another kind of file, damaged gzip, or no UTF-16.
    """
    name = name_of(source)
    with unpacked(source) as reader:
        head = reader.peek(512)
        if not head and source == STDIO:
            raise BadFile(f"{name}: no drawings came in")
        if source == STDIO and format_of(head):
            data = _whole(reader, name)
            raise OtherFormat(name, format_of(data), data)
        if not head.startswith(UTF16) or head[2:4] == b"\0\0":
            refuse_zip(head, name, wanted)
            if wanted == "ndjson":
                say_what_else(head, name)
            say_what_it_is(head, name)
            if b"\0" in head[:64]:
                raise BadFile(f"{name}: no text, or UTF-16 without its mark; save it as UTF-8")
        decoder = codecs.getincrementaldecoder("utf-16")() if head.startswith(UTF16) else None
        if head.startswith(BOM):
            reader.read(len(BOM))
        while chunk := reader.read1(size):
            if decoder is not None:
                try:
                    chunk = decoder.decode(chunk).encode()
                except UnicodeError:
                    raise BadFile(f"{name}: damaged UTF-16; save it as UTF-8") from None
            if chunk:
                yield chunk
