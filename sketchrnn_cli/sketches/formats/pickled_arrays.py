"""Read a pickled object array of arrays without running what it says.

The standard library's unpickler, left with the opcodes of numpy's pickles. Names stand for inert
stubs that record what they are given; another name or opcode is an error. Memory stays small: a
first pass finds the memo entries that are used, and arrays are handed on in batches.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import pickletools
import struct
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, BinaryIO, cast

from sketchrnn_cli.errors import BadFile

CHUNK = 1 << 20  # bytes
CHECKED = 1024  # opcodes between two looks at the limits
BATCH, BATCH_BYTES = 2048, 1 << 24  # arrays handed on together
MAX_STRING = 1 << 24  # bytes
MAX_HELD = 1 << 27  # bytes of strings in memory; a pickler writes a thousand arrays at once
MAX_NAME = 200  # characters
MAX_STACK, MAX_MARKS, MAX_TUPLE = 1 << 16, 100, 16  # numpy has three marks inside one another
MAX_SHARED = 1 << 16  # memo entries in use; numpy has about ten

_CODES = {code.name: code for code in pickletools.opcodes}
_ALLOWED = [_CODES[name] for name in (
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE",
    "TUPLE1", "TUPLE2", "TUPLE3", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2",
    "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
)]  # fmt: skip
_GETS, _STOP, _TUPLES = b"hj", b"."[0], b"t\x85\x86\x87"
_LINES, _REFUSED = -1, -9  # in place of a size; the other sizes below 0 are pickletools' for
_LENGTHS = {-2: 1, -3: 4, -4: 4, -5: 8}  # a string, with the bytes of its length before it
_SIZES = [_REFUSED] * 256  # bytes after an opcode
for _code in _ALLOWED:
    _SIZES[ord(_code.code)] = _code.arg.n if _code.arg else 0
_NEVER = "which no array of drawings has; it is not read, because it could run code"


class _Refused(Exception):
    """Why a pickle is not read."""


class Array:
    """Stub of an array: what the pickle says of it."""

    descr = ""  # numpy's type string
    shape: tuple[int, ...] = ()
    fortran = shared = False
    data: bytes = b""  # or a list, which is no array of numbers

    def __init__(self, kind: object, shape: object, code: object) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.shape, kind, self.fortran, self.data = state[-4:]
        if type(self.shape) is not tuple or {type(n) for n in self.shape} - {int}:
            raise TypeError
        self.descr = kind.order + kind.code


class _Type:
    """Stub of a dtype."""

    def __init__(self, code: object, *_: object) -> None:
        self.code, self.order = _text(code), ""

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])


def _text(value: object) -> str:
    """A short text of Python 3 or 2."""
    text = value.decode("latin1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > MAX_NAME:
        raise TypeError
    return text


_STUBS: dict[str, Any] = {"numpy ndarray": None, "numpy dtype": _Type} | dict.fromkeys((
    "numpy.core.multiarray _reconstruct", "numpy.core._multiarray_umath _reconstruct",
    "numpy._core.multiarray _reconstruct", "numpy._core._multiarray_umath _reconstruct",
), Array)  # fmt: skip


class _Unpickler(pickle._Unpickler):
    """Makes stubs, strings, numbers, flat tuples, and one list: that of the arrays."""

    def __init__(self, buffered: io.BufferedReader[Any], used: set[int]) -> None:
        super().__init__(buffered, encoding="bytes")
        self.take, self.readline = buffered.read, partial(buffered.readline, MAX_NAME)
        self.metastack: list[list[Any]] = []
        self.stack: list[Any] = []
        self.append = self.stack.append
        self.memo: dict[int, Any] = {}
        self.outer: list[Any] = []
        self.used, self.n_lists, self.n_memoized, self.held = used, 0, 0, 0
        self.finished = False

    def read(self, size: int) -> bytes:
        data = self.take(size)
        if len(data) < size:
            raise EOFError
        self.held += size if size > 8 else 0
        return data

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return self.encode
        if f"{module} {name}" not in _STUBS:
            raise _Refused(f"the pickle names {f'{module}.{name}'[:80]!r}, {_NEVER}")
        return _STUBS[f"{module} {name}"]

    def encode(self, text: str, codec: object) -> bytes:
        self.held += len(text)
        return text.encode("latin1")

    def load_empty_list(self) -> None:
        self.n_lists += 1
        if self.n_lists > 1:
            raise _Refused("holds arrays of arrays; it should hold one (points, 3) a drawing")
        self.append(self.outer)

    def load_binint1(self) -> None:
        self.append(self.take(1)[0])

    def load_binget(self) -> None:
        self.append(self.memo[self.take(1)[0]])

    def load_binput(self) -> None:
        self.put(self.take(1)[0])

    def load_long_binput(self) -> None:
        index = int.from_bytes(self.take(4), "little")
        if index in self.used:
            self.put(index)

    def load_memoize(self) -> None:
        self.put(self.n_memoized)
        self.n_memoized += 1

    def put(self, index: int) -> None:
        if index in self.used:
            self.memo[index] = self.stack[-1]
            if type(self.stack[-1]) is Array:
                self.stack[-1].shared = True

    def load_frame(self) -> None:
        self.read(8)

    def load_stop(self) -> None:
        self.finished = True

    def check(self) -> None:
        """Refuse more than memory should hold."""
        n_entries = len(self.stack) + sum(map(len, self.metastack))
        if n_entries > MAX_STACK or len(self.metastack) > MAX_MARKS:
            raise _Refused("not an array of drawings: nested too deeply")
        if self.held > MAX_HELD:
            raise _Refused("arrays too large to be drawings")

    def check_tuple(self, made: tuple[Any, ...]) -> None:
        """Refuse what grows when it is hashed or shown."""
        inner = [part for part in made if type(part) is tuple] if tuple in map(type, made) else ()
        if len(made) > MAX_TUPLE or any(tuple in map(type, part) for part in inner):
            raise _Refused("not an array of drawings: nested too deeply")

    def hand_on(self) -> list[Any]:
        """What the list has held since the last time."""
        entries, self.outer[:] = list(self.outer), ()
        for entry in entries:
            if type(entry) is Array and not entry.shared:
                self.held -= len(entry.data)
        return entries


def _flat(load: Callable[[Any], None]) -> Callable[[Any], None]:
    """A handler of tuples that refuses long ones, and tuples of tuples of tuples."""

    def checked(unpickler: Any) -> None:
        load(unpickler)
        unpickler.check_tuple(unpickler.stack[-1])

    return checked


cast(Any, _Unpickler).dispatch = {
    code: getattr(_Unpickler, load.__name__) if code not in _TUPLES else _flat(load)
    for code, load in pickle._Unpickler.dispatch.items()
    if _SIZES[code] != _REFUSED
}


def _kind(thing: object) -> str:
    """What a person calls it."""
    names = {Array: "an array", int: "a number", bool: "a number", str: "text", bytes: "text"}
    return names.get(type(thing), "something else")


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Tell of what is wrong as a BadFile."""
    try:
        yield
    except _Refused as why:
        raise BadFile(f"{where}: {why}") from None
    except (EOFError, IndexError, struct.error):
        raise BadFile(f"{where}: damaged pickle: it ends early; get the file again") from None
    except (AttributeError, KeyError, TypeError, ValueError, pickle.UnpicklingError):
        raise BadFile(f"{where}: damaged, or a pickle of something else than drawings") from None


def used_memos(stream: BinaryIO, where: str) -> set[int]:
    """The memo entries that a pickle refers to; reads it to its end.

    Raises:
        BadFile: an opcode that numpy does not write, or the pickle ends early.
    """
    used: set[int] = set()
    sizes, data, at, end = _SIZES, b"", 0, 0
    with _told(where):
        while True:
            if at + 2 * MAX_NAME > end:
                data, at = data[at:] + stream.read(CHUNK), 0
                end = len(data)
            code = data[at]
            size = sizes[code]
            at += 1
            if size >= 0:
                if code in _GETS:
                    used.add(int.from_bytes(data[at : at + size], "little"))
                elif code == _STOP:
                    return used
                at += size
            elif size == _REFUSED:
                raise _Refused(f"a pickle with opcode 0x{code:02x}, {_NEVER}")
            elif size == _LINES:
                for _ in range(2):
                    at = data.find(b"\n", at, at + MAX_NAME) + 1
                    if not at:
                        raise _Refused("damaged pickle: a name without an end")
            else:
                width = _LENGTHS[size]
                size = int.from_bytes(data[at : at + width], "little")
                if size > MAX_STRING:
                    raise _Refused(f"damaged pickle: a string of {size:,} bytes")
                at += width + size
                while at > end:
                    data, at = stream.read(CHUNK), at - end
                    end = len(data)
                    if not data:
                        raise EOFError
            if len(used) > MAX_SHARED:
                raise _Refused("arrays that are shared too often")


Opened = Callable[[], contextlib.AbstractContextManager[BinaryIO]]  # a stream at the pickle


def items(opened: Opened, where: str) -> Iterator[list[Array]]:
    """The arrays inside a pickled object array, in batches, in order.

    Args:
        opened: opens it; that is done twice.
        where: how the member is called in messages.

    Raises:
        BadFile: it holds something else, or is damaged.
    """
    with _told(where):
        for entries in _entries(opened, where):
            for entry in entries:
                if type(entry) is not Array or type(entry.data) is not bytes or not entry.descr:
                    found = _kind(entry)
                    raise _Refused(f"holds {found} where an array (points, 3) should be")
            yield entries


def texts(opened: Opened, where: str) -> list[str]:
    """The texts and whole numbers inside a pickled object array, as texts; see ``items``."""
    with _told(where):
        entries = [entry for some in _entries(opened, where) for entry in some]
        if not all(type(entry) in (str, bytes, int) for entry in entries):
            raise _Refused("holds something else than labels")
        found = (_text(str(entry) if type(entry) is int else entry) for entry in entries)
        return [text.encode().decode() for text in found]  # half a surrogate pair is no text


def _entries(opened: Opened, where: str) -> Iterator[list[Any]]:
    """What a pickled object array holds."""
    with opened() as stream:
        used = used_memos(stream, where)
    with opened() as stream:
        buffered: Any = io.BufferedReader(cast(io.RawIOBase, stream), CHUNK)
        try:
            yield from _handed_on(_Unpickler(buffered, used))
        finally:
            buffered.detach()  # or it would close the stream, which is not ours


def _handed_on(unpickler: Any) -> Iterator[list[Any]]:
    dispatch, codes = unpickler.dispatch, iter(partial(unpickler.take, 1), b"")
    while not unpickler.finished:
        code = -1
        for (code,) in islice(codes, CHECKED):
            dispatch[code](unpickler)
            if code == _STOP:
                break
        if code < 0:
            raise EOFError
        unpickler.check()
        if len(unpickler.outer) >= BATCH or unpickler.held >= BATCH_BYTES:
            yield unpickler.hand_on()
    top = unpickler.stack[-1]
    if type(top) is not Array or (unpickler.n_lists and top.data is not unpickler.outer):
        raise _Refused(f"not an array of drawings, but {_kind(top)}")
    yield unpickler.hand_on()
