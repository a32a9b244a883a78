"""The zip of an npz, and the headers of the arrays in it, before anything is unpacked."""

from __future__ import annotations

import ast
import contextlib
import math
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import open_input
from sketchrnn_cli.sketches.formats import sniff

MAX_MEMBERS = 10_000
MAX_MEMBER = 1 << 34  # bytes, unpacked
MAX_RATIO = 250  # unpacked to packed, of members above a megabyte; drawings have 3 to 30
MAX_HEADER = 10_000
MAX_DIRECTORY = 1 << 22  # bytes of the names in a zip, and what they take

NUMBER = re.compile(r"[<>|=]?(?:[iu][1248]|f[248])")  # types that coordinates have


@dataclass(frozen=True, slots=True)
class Member:
    """One array of the zip."""

    name: str  # without .npy
    descr: str
    fortran: bool
    shape: tuple[int, ...]
    info: zipfile.ZipInfo
    begin: Callable[[], contextlib.AbstractContextManager[IO[bytes]]]  # opens it, at its header
    source: str  # the file

    @property
    def is_object(self) -> bool:
        """Whether it is a pickle."""
        return self.descr.lstrip("|<>=") == "O"

    @property
    def is_number(self) -> bool:
        """Whether its type is one that coordinates have."""
        return NUMBER.fullmatch(self.descr) is not None

    @property
    def called(self) -> str:
        """Its name, for messages: a zip may hold any characters."""
        return "".join(c if c.isprintable() else "?" for c in self.name[:200])

    @property
    def where(self) -> str:
        """File and array, for messages."""
        return f"{self.source}: {self.called}"

    def __str__(self) -> str:
        kind = "object" if self.is_object else self.descr.lstrip("|<")
        return f"{self.called} {kind}[{', '.join(map(str, self.shape))}]"

    @contextlib.contextmanager
    def data(self) -> Iterator[BinaryIO]:
        """The stream of the array, behind its header."""
        with self.begin() as stream:
            read_header(stream, self.where)
            yield cast(BinaryIO, stream)

    def array(self, most: int) -> npt.NDArray[Any]:
        """The whole array of numbers or texts, never of objects, of so many bytes at most.

        Raises:
            BadFile: it is larger than that, or than what is there.
        """
        kind = np.dtype(self.descr)
        size = math.prod(self.shape) * kind.itemsize
        if size > most:
            raise BadFile(f"{self.where}: an array of {size:,} bytes; that is too large")
        with self.data() as stream:
            flat = np.frombuffer(read_exactly(stream, size, self.where), kind)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


@contextlib.contextmanager
def open_zip(source: str) -> Iterator[zipfile.ZipFile]:
    """Open an npz, and say what a file that is none is instead.

    Raises:
        BadFile: no such file, empty, a web page, a git-lfs pointer, truncated, not a zip.
    """
    with open_input(source) as file:
        head = file.read(512)
        if not head.startswith(b"PK"):
            sniff.say_what_else(head, source)
            raise BadFile(f"{source}: not an npz: it does not begin like a zip file")
        with opened(file, source) as archive:
            yield archive


@contextlib.contextmanager
def opened(file: BinaryIO, source: str) -> Iterator[zipfile.ZipFile]:
    """The zip that a file is, whatever comes before it.

    Raises:
        BadFile: it is none, or damaged, also where that is found later.
    """
    file.seek(0)
    try:
        archive = zip_of(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise BadFile(f"{source}: truncated or damaged zip; get the file again") from None
    try:
        with archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise BadFile(f"{source}: damaged zip ({error}); get the file again") from None
    except (NotImplementedError, RuntimeError) as error:
        if type(error) not in (NotImplementedError, RuntimeError):
            raise
        raise BadFile(f"{source}: a zip that cannot be read: {error}") from None


@contextlib.contextmanager
def open_arrays(source: str) -> Iterator[list[Member]]:
    """The arrays of an npz, or the one of a ``.npy``: there, (points, 3 or 5) is one drawing.

    Raises:
        BadFile: it is neither.
    """
    if not source.lower().endswith(".npy"):
        with open_zip(source) as archive:
            yield read_members(archive, source)
        return
    with open_input(source) as stream:
        head = stream.read(512)
        if not head.startswith(b"\x93NUMPY"):
            sniff.say_what_else(head, source)
        stream.seek(0)
        descr, fortran, shape = read_header(stream, source)
    if shape[1:] in ((3,), (5,)):
        shape = (1, *shape)
    begin = partial(open_input, source)
    yield [Member("drawings", descr, fortran, shape, zipfile.ZipInfo(), begin, source)]


class NewZip(zipfile.ZipFile):
    """A zip to write; one that is given up, perhaps inside of a member, is left as it is."""

    def __exit__(self, kind: object, *_: object) -> None:
        """Write the directory, if all went well."""
        if kind is None:
            self.close()

    def __del__(self) -> None:
        """Write no directory."""


def zip_of(file: BinaryIO) -> zipfile.ZipFile:
    """A zip whose directory is of a length that an npz has.

    Raises:
        zipfile.BadZipFile: it is longer, or this is no zip.
    """
    reader = _Reader(file)
    try:
        archive = zipfile.ZipFile(cast(IO[bytes], reader))
    except UnicodeDecodeError:
        raise zipfile.BadZipFile("a name that is no text") from None
    reader.limit = sys.maxsize
    return archive


class _Reader:
    """A file for ``zipfile``, which makes an object of every name before one can count them."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.limit = MAX_DIRECTORY
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET and not 0 <= offset <= sys.maxsize:
            raise zipfile.BadZipFile("a member that lies outside of the file")
        return self.file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if size > self.limit:
            raise zipfile.BadZipFile("a directory that is too long")
        return self.file.read(size)


def read_members(archive: zipfile.ZipFile, source: str) -> list[Member]:
    """The arrays of a zip, after reading nothing but their headers.

    Raises:
        BadFile: too many, too large, packed too tightly to be drawings, or a broken header.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BadFile(f"{source}: {len(infos):,} members; an npz of drawings has a few")
    members = []
    for info in infos:
        if not info.filename.endswith(".npy"):
            continue
        where = f"{source}: {info.filename}"
        if info.file_size > MAX_MEMBER:
            raise BadFile(f"{where}: unpacks to {info.file_size:,} bytes; that is too large")
        if info.file_size > max(1 << 20, MAX_RATIO * max(info.compress_size, 1)):
            raise BadFile(
                f"{where}: {info.compress_size:,} bytes that unpack to {info.file_size:,}; "
                "no drawings are packed so tightly"
            )
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # as numpy does
            raise BadFile(f"{where}: packed in a way that no npz is; save it again with numpy")
        with archive.open(info) as stream:
            descr, fortran, shape = read_header(stream, where)
        name, begin = info.filename.removesuffix(".npy"), partial(archive.open, info)
        members.append(Member(name, descr, fortran, shape, info, begin, source))
    if not members:
        held = ", ".join(info.filename for info in infos[:5]) or "nothing"
        raise BadFile(f"{source}: a zip without arrays; it holds {held}")
    return members


def read_header(stream: IO[bytes], where: str) -> tuple[str, bool, tuple[int, ...]]:
    """Type, order and shape of the .npy that begins here.

    Raises:
        BadFile: it is none.
    """
    head = stream.read(8)
    if len(head) < 8 or head[:6] != b"\x93NUMPY" or head[6] not in (1, 2, 3):
        raise BadFile(f"{where}: not a .npy array")
    size = int.from_bytes(stream.read(2 if head[6] == 1 else 4), "little")
    if size > MAX_HEADER:
        raise BadFile(f"{where}: a .npy header of {size:,} bytes; that is too long")
    text = stream.read(size)
    try:
        header = ast.literal_eval(text.decode("latin1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise BadFile(f"{where}: a .npy header that cannot be read") from None
    if not isinstance(descr, str):
        descr = "record"
    if type(shape) is not tuple or not all(type(n) is int and 0 <= n < 1 << 48 for n in shape):
        raise BadFile(f"{where}: a .npy header with shape {str(shape)[:40]}")
    return descr, bool(fortran), shape


def read_exactly(stream: IO[bytes], size: int, where: str) -> bytes:
    """So many bytes of an array.

    Raises:
        BadFile: there are fewer.
    """
    data = stream.read(size)
    if len(data) != size:
        raise BadFile(f"{where}: the array ends early; get the file again")
    return data


def decoded(values: npt.NDArray[Any], what: str) -> list[str]:
    """The texts of an array, which may be of bytes.

    Raises:
        BadFile: one of them, called this, is no text.
    """
    try:
        if values.dtype.kind == "U":
            codes = np.ascontiguousarray(values).view(f"{values.dtype.byteorder}u4")
            if (codes > sys.maxunicode).any():  # such a text cannot even be looked at
                raise ValueError
        found = (value.decode() if isinstance(value, bytes) else str(value) for value in values)
        return [text.encode().decode() for text in found]
    except ValueError:  # also half a surrogate pair
        raise BadFile(f"{what} that is no text") from None
