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
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


_MARKS = {  # by which a text that is no NDJSON is known, blanks left out
    "excalidraw": re.compile(rb'\{"type":"excalidraw"'),
    "tldr": re.compile(rb'\{"tldrawFileFormatVersion"'),
    "csv": re.compile(rb"""(?:[\w"'-]+[,;\t|])*["']?(?:drawing|strokes)["']?[,;\t|\r\n]"""),
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
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        raise BadFile(f"{name}: {PIXELS}")
    if head.startswith(b"%PDF"):
        raise BadFile(f"{name}: a PDF; save its drawing as SVG first")
    text = head.removeprefix(BOM).lstrip()[:64].lower()
    if text.startswith(b"<svg"):
        raise BadFile(f"{name}: an SVG drawing; name it .svg")
    if text.startswith(b"<"):
        raise BadFile(f"{name}: a web page, not drawings; download the raw file")
    if text.startswith(b"version https://git-lfs"):
        raise BadFile(f"{name}: a git-lfs pointer, not the file itself; run `git lfs pull`")


def refuse_zip(head: bytes, name: str, wanted: str) -> None:
    """Raise BadFile for a zip in place of another format."""
    if head.startswith(b"PK\x03\x04"):
        raise BadFile(f"{name}: a zip file, not {wanted}; name it .npz if it is one")


def _format_of(head: bytes) -> str:
    """The format of a pipe that is not NDJSON, or nothing. XML is SVG until an <ink> comes."""
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    text = head.removeprefix(BOM).lstrip()
    if text.lower().startswith((b"<?xml", b"<!doctype svg", b"<!--")) or _ROOT.match(text):
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
        head = reader.peek(64)
        if not head and source == STDIO:
            raise BadFile(f"{name}: no drawings came in")
        if source == STDIO and _format_of(head):
            data = _whole(reader, name)
            raise OtherFormat(name, _format_of(data), data)
        if not head.startswith(_UTF16):
            say_what_it_is(head, name)
            refuse_zip(head, name, wanted)
            if wanted == "ndjson" and (other := _format_of(head)) in ("excalidraw", "tldr"):
                raise BadFile(f"{name}: a whiteboard; name it .{other}")
            if b"\0" in head:
                raise BadFile(f"{name}: no text, or UTF-16 without its mark; save it as UTF-8")
        decoder = codecs.getincrementaldecoder("utf-16")() if head.startswith(_UTF16) else None
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
