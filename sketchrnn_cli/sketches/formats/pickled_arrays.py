"""Read a pickled object array of arrays without unpickling it.

An interpreter of the few opcodes that numpy's pickles consist of. Nothing is called: the seven
names that occur stand for themselves, any other name is an error, and what comes out is bytes
with a checked type and shape. Memory stays small: only what is referred to later is remembered
(``used_memos`` finds out which, in a first pass), and the items are handed on in batches.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from sketchrnn_cli.errors import BadFile

CHUNK = 1 << 20
BATCH = 2048  # items handed on together
BATCH_BYTES = 1 << 24  # or so many
MAX_STRING = 1 << 24  # bytes of one array
MAX_HELD = 1 << 27  # bytes of arrays in memory; pickles have a thousand arrays in one go
MAX_NAME = 200
MAX_STACK = 1 << 20
MAX_REMEMBERED = 1 << 16  # memo entries in use; numpy's pickles have about ten

_RECONSTRUCT, _NDARRAY, _DTYPE, _ENCODE = "reconstruct", "ndarray", "dtype", "encode"
_NAMES = {
    **{
        f"{module} _reconstruct": _RECONSTRUCT
        for module in (
            "numpy.core.multiarray",
            "numpy._core.multiarray",
            "numpy.core._multiarray_umath",
            "numpy._core._multiarray_umath",
        )
    },
    "numpy ndarray": _NDARRAY,
    "numpy dtype": _DTYPE,
    "_codecs encode": _ENCODE,
}


class Item(NamedTuple):
    """One array of the object array: what the pickle says of it."""

    descr: str  # numpy's type string
    shape: tuple[int, ...]
    fortran: bool
    data: bytes


class _Name:
    """A global: nothing but its name."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what


class _Type:
    """A dtype in the making."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = ""


class _Array:
    """An array in the making."""

    __slots__ = ("data", "fortran", "shape", "type")

    def __init__(self) -> None:
        self.type: _Type | None = None
        self.shape: tuple[int, ...] = ()
        self.fortran = False
        self.data: bytes | _List = b""


class _List:
    """A list of which only the length is kept; the items of the outermost are handed on."""

    __slots__ = ("length",)

    def __init__(self) -> None:
        self.length = 0


_MARK = _Name("mark")

# Bytes that follow an opcode, where that is a fixed number.
_FIXED = {
    b"K": 1, b"M": 2, b"J": 4, b"G": 8,
    b"q": 1, b"r": 4, b"h": 1, b"j": 4,
    b"\x80": 1, b"\x95": 8,
    **{op: 0 for op in (b"(", b")", b"\x85", b"\x86", b"\x87", b"t", b"R", b"b", b"N", b"\x88",
                        b"\x89", b"]", b"a", b"e", b"\x94", b"\x93", b".", b"l")},
}  # fmt: skip
# Bytes of the length that precedes a string.
_STRINGS = {b"U": 1, b"T": 4, b"C": 1, b"B": 4, b"X": 4, b"\x8c": 1, b"\x8d": 8, b"\x8e": 8}

_ARGUMENT = [-1] * 256
for _op, _size in _FIXED.items():
    _ARGUMENT[_op[0]] = _size
_LENGTH = [0] * 256
for _op, _size in _STRINGS.items():
    _LENGTH[_op[0]] = _size


def used_memos(stream: BinaryIO, where: str) -> set[int]:
    """The memo entries that a pickle refers to; reads it to its end.

    Raises:
        BadFile: an opcode that numpy does not write, or the pickle ends early.
    """
    used: set[int] = set()
    buffer, position, end = b"", 0, 0
    from_bytes = int.from_bytes
    argument, length = _ARGUMENT, _LENGTH
    try:
        while True:
            if position + 300 > end:
                buffer = buffer[position:] + stream.read(CHUNK)
                position, end = 0, len(buffer)
            op = buffer[position]
            position += 1
            fixed = argument[op]
            if fixed >= 0:
                if op == 0x68:  # BINGET
                    used.add(buffer[position])
                elif op == 0x6A:  # LONG_BINGET
                    used.add(from_bytes(buffer[position : position + 4], "little"))
                    if len(used) > MAX_REMEMBERED:
                        raise BadFile(f"{where}: arrays that are shared too often")
                elif op == 0x2E:  # STOP
                    return used
                position += fixed
            elif length[op]:
                width = length[op]
                size = from_bytes(buffer[position : position + width], "little")
                _check_size(size, where)
                position += width + size
                while position > end:
                    position -= end
                    buffer = stream.read(max(CHUNK, position))
                    end = len(buffer)
                    if not end:
                        raise _early(where)
            elif op == 0x63:  # GLOBAL
                position = _line(buffer, _line(buffer, position, where)[1], where)[1]
            else:
                raise _opcode(op, where)
    except IndexError:
        raise _early(where) from None


def items(stream: BinaryIO, used: set[int], where: str) -> Iterator[list[Item]]:
    """The arrays inside a pickled object array, in batches, in order.

    Args:
        stream: begins at the pickle.
        used: the memo entries to remember, as found by ``used_memos``.
        where: how the member is called in messages.

    Raises:
        BadFile: it holds something else, or is damaged.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    n_memoized = 0
    outer: _List | None = None
    batch: list[Item] = []
    held = 0  # bytes of strings that may still be in memory
    n_remembered = 0
    buffer, position, end = b"", 0, 0
    push = stack.append
    unpack_int = struct.Struct("<i").unpack_from
    from_bytes = int.from_bytes
    finished = False
    try:
        while True:
            if position + 300 > end:
                buffer = buffer[position:] + stream.read(CHUNK)
                position, end = 0, len(buffer)
                if len(stack) > MAX_STACK or len(marks) > MAX_STACK:
                    raise BadFile(f"{where}: not an array of drawings: nested too deeply")
            op = buffer[position]
            position += 1
            if op == 0x72:  # LONG_BINPUT
                index = from_bytes(buffer[position : position + 4], "little")
                position += 4
                if index in used:
                    memo[index] = stack[-1]
            elif op == 0x68:  # BINGET
                push(memo[buffer[position]])
                position += 1
            elif op == 0x4B:  # BININT1
                push(buffer[position])
                position += 1
            elif op == 0x94:  # MEMOIZE
                if n_memoized in used:
                    memo[n_memoized] = stack[-1]
                n_memoized += 1
            elif op == 0x52:  # REDUCE
                arguments = stack.pop()
                stack[-1] = _reduce(stack[-1], arguments, where)
            elif op == 0x86:  # TUPLE2
                last = stack.pop()
                stack[-1] = (stack[-1], last)
            elif op == 0x87:  # TUPLE3
                last = stack.pop()
                middle = stack.pop()
                stack[-1] = (stack[-1], middle, last)
            elif op == 0x28:  # MARK
                marks.append(len(stack))
            elif op == 0x74:  # TUPLE
                start = marks.pop()
                stack[start:] = [tuple(stack[start:])]
            elif op == 0x62:  # BUILD
                state = stack.pop()
                _build(stack[-1], state, where)
            elif op == 0x89:  # NEWFALSE
                push(False)
            elif op == 0x85:  # TUPLE1
                stack[-1] = (stack[-1],)
            elif op in _LENGTHS:
                width = _LENGTHS[op]
                size = from_bytes(buffer[position : position + width], "little")
                position += width
                _check_size(size, where)
                if position + size > end:
                    buffer = buffer[position:] + stream.read(max(CHUNK, size))
                    position, end = 0, len(buffer)
                    if size > end:
                        raise _early(where)
                text = buffer[position : position + size]
                position += size
                held += size
                if held > MAX_HELD:
                    raise BadFile(f"{where}: arrays too large to be drawings")
                push(text.decode("utf-8", "surrogatepass") if op in _TEXT else text)
            elif op == 0x71:  # BINPUT
                index = buffer[position]
                position += 1
                if index in used:
                    memo[index] = stack[-1]
            elif op == 0x4D:  # BININT2
                push(buffer[position] + 256 * buffer[position + 1])
                position += 2
            elif op == 0x4A:  # BININT
                push(unpack_int(buffer, position)[0])
                position += 4
            elif op == 0x6A:  # LONG_BINGET
                push(memo[from_bytes(buffer[position : position + 4], "little")])
                position += 4
            elif op == 0x4E:  # NONE
                push(None)
            elif op == 0x88:  # NEWTRUE
                push(True)
            elif op in (0x65, 0x61):  # APPENDS, APPEND
                start = marks.pop() if op == 0x65 else len(stack) - 1
                target = stack[start - 1]
                if start < 1 or not isinstance(target, _List):
                    raise BadFile(f"{where}: not an array of drawings")
                target.length += len(stack) - start
                if target is outer:
                    for entry in stack[start:]:
                        batch.append(_item(entry, where))
                    if len(batch) >= BATCH or held >= BATCH_BYTES:
                        yield batch
                        batch = []
                        if len(memo) == n_remembered:  # else some may be in there
                            held = 0
                        n_remembered = len(memo)
                del stack[start:]
            elif op == 0x5D:  # EMPTY_LIST
                fresh = _List()
                outer = outer or fresh
                push(fresh)
            elif op == 0x63:  # GLOBAL
                module, position = _line(buffer, position, where)
                name, position = _line(buffer, position, where)
                push(_global(f"{module} {name}", where))
            elif op == 0x93:  # STACK_GLOBAL
                name = stack.pop()
                stack[-1] = _global(f"{stack[-1]} {name}", where)
            elif op == 0x29:  # EMPTY_TUPLE
                push(())
            elif op == 0x80:  # PROTO
                position += 1
            elif op == 0x95:  # FRAME
                position += 8
            elif op == 0x2E:  # STOP
                finished = True
                break
            else:
                raise _opcode(op, where)
    except KeyError:
        raise BadFile(f"{where}: damaged pickle: it refers to nothing") from None
    except (IndexError, struct.error):
        raise _early(where) from None
    except UnicodeError:
        raise BadFile(f"{where}: damaged pickle: a string that is no text") from None
    top = stack[-1] if finished and stack else None
    if not isinstance(top, _Array) or (outer is not None and top.data is not outer):
        raise BadFile(f"{where}: not an array of drawings, but {_kind(top)}")
    if batch:
        yield batch


_LENGTHS = {op[0]: size for op, size in _STRINGS.items()}
_TEXT = frozenset(b"X\x8c\x8d")


def _check_size(size: int, where: str) -> None:
    if size > MAX_STRING:
        raise BadFile(f"{where}: damaged pickle: a string of {size} bytes")


def _early(where: str) -> BadFile:
    return BadFile(f"{where}: damaged pickle: it ends early; get the file again")


def _opcode(op: int, where: str) -> BadFile:
    return BadFile(
        f"{where}: a pickle with opcode 0x{op:02x}, which no array of drawings has; "
        "it is not read, because it could run code"
    )


def _line(buffer: bytes, position: int, where: str) -> tuple[str, int]:
    stop = buffer.find(b"\n", position, position + MAX_NAME)
    if stop < 0:
        raise BadFile(f"{where}: damaged pickle: a name without an end")
    return buffer[position:stop].decode("latin1"), stop + 1


def _global(name: str, where: str) -> _Name:
    what = _NAMES.get(name)
    if what is None:
        shown = ".".join(name.split(" ", 1))[:80]
        raise BadFile(
            f"{where}: the pickle names {shown!r}, which no array of drawings has; "
            "it is not read, because it could run code"
        )
    return _Name(what)


def _reduce(function: Any, arguments: Any, where: str) -> Any:
    what = function.what if type(function) is _Name else None
    if type(arguments) is tuple:
        if what == _RECONSTRUCT and len(arguments) == 3:
            return _Array()
        if what == _ENCODE and len(arguments) == 2 and isinstance(arguments[0], str):
            return arguments[0].encode("latin1")
        if what == _DTYPE and 1 <= len(arguments) <= 3:
            return _Type(_text(arguments[0], where))
    raise BadFile(f"{where}: a pickle that calls {_kind(function)}; it is not read")


def _build(target: Any, state: Any, where: str) -> None:
    if type(state) is tuple:
        if type(target) is _Array and len(state) in (4, 5):
            shape, kind, fortran, data = state[-4:]
            if (
                type(shape) is tuple
                and all(type(n) is int and n >= 0 for n in shape)
                and type(kind) is _Type
                and isinstance(data, bytes | _List)
            ):
                target.type, target.shape, target.data = kind, shape, data
                target.fortran = bool(fortran)
                return
        if type(target) is _Type and len(state) >= 8 and state[2] is None and state[3] is None:
            target.order = _text(state[1], where)
            return
    raise BadFile(f"{where}: a pickle that builds {_kind(target)} in no known way; it is not read")


def _text(value: Any, where: str) -> str:
    """A short text of Python 3 or 2. Nothing else: the text of tuples can be without end."""
    if isinstance(value, bytes):
        value = value.decode("latin1")
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise BadFile(f"{where}: a pickle with a type of {_kind(value)}; it is not read")
    return value


def _item(entry: Any, where: str) -> Item:
    if type(entry) is not _Array:
        raise BadFile(f"{where}: holds {_kind(entry)} where an array (points, 3) should be")
    kind, data = entry.type, entry.data
    if kind is None or not isinstance(data, bytes):
        raise BadFile(f"{where}: holds arrays of arrays; it should hold one (points, 3) a drawing")
    return Item(kind.order + kind.code, entry.shape, entry.fortran, data)


def _kind(thing: Any) -> str:
    """What a person calls it."""
    if isinstance(thing, _Name):
        return thing.what
    names = {_Array: "an array", _Type: "a type", _List: "a list", bytes: "text", str: "text"}
    names.update({int: "a number", tuple: "a tuple", type(None): "nothing", bool: "a number"})
    return names.get(type(thing), "something else")
