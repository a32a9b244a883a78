"""Write sketch-rnn's ``.npz``, for the old programs and ``numpy.load``."""

from __future__ import annotations

import contextlib
import io
import pickle  # its opcodes only: nothing is pickled or unpickled
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.formats.archive import NewZip
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3


def write_objects(stream: BinaryIO, arrays: Iterable[npt.NDArray[Any]], n: int) -> None:
    """Write a .npy with an object array, as ``numpy.save`` would, item by item.

    The pickle (protocol 3) is put together here, so that it names nothing but numpy's arrays.

    Args:
        stream: written to.
        arrays: n of (points, 3), int16.
        n: how many.
    """
    header = {"descr": "|O", "fortran_order": False, "shape": (n,)}
    np.lib.format.write_array_header_1_0(stream, header)

    def number(value: int) -> bytes:
        return pickle.BININT + value.to_bytes(4, "little", signed=True)

    def text(value: str) -> bytes:
        return pickle.BINUNICODE + len(value).to_bytes(4, "little") + value.encode()

    def kind(code: str, order: str, flags: int) -> bytes:
        made = pickle.GLOBAL + b"numpy\ndtype\n" + text(code) + number(0) + number(1)
        state = number(3) + text(order) + pickle.NONE * 3 + number(-1) * 2 + number(flags)
        return (
            made + pickle.TUPLE3 + pickle.REDUCE + pickle.MARK + state + pickle.TUPLE + pickle.BUILD
        )

    def memo(index: int) -> bytes:
        return pickle.BINPUT + bytes([index])

    def get(index: int) -> bytes:
        return pickle.BINGET + bytes([index])

    parts = (
        pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n",
        pickle.GLOBAL + b"numpy\nndarray\n",
        number(0) + pickle.TUPLE1,
        pickle.SHORT_BINBYTES + b"\x01b",
    )
    stream.write(pickle.PROTO + b"\x03" + b"".join(parts) + pickle.TUPLE3 + pickle.REDUCE)
    stream.write(pickle.MARK + number(1) + number(n) + pickle.TUPLE1 + kind("O8", "|", 63))
    stream.write(pickle.NEWFALSE + pickle.EMPTY_LIST)
    # The first item remembers what every other needs again: how it is made, and its type.
    again = b"".join(part + memo(k) for k, part in enumerate(parts))
    short = b"".join(map(get, range(len(parts))))
    for i, array in enumerate(arrays):
        data = np.ascontiguousarray(array, "<i2").tobytes()
        first = i == 0
        stream.write((again if first else short) + pickle.TUPLE3 + pickle.REDUCE)
        stream.write(pickle.MARK + number(1) + number(len(array)) + number(3) + pickle.TUPLE2)
        stream.write(kind("i2", "<", 0) + memo(4) if first else get(4))
        stream.write(pickle.NEWFALSE + pickle.BINBYTES + len(data).to_bytes(4, "little") + data)
        stream.write(pickle.TUPLE + pickle.BUILD + pickle.APPEND)
    stream.write(pickle.TUPLE + pickle.BUILD + pickle.STOP)


def write_sketches(stream: BinaryIO, sketches: Iterable[Sketch], n: int) -> None:
    """Write drawings as sketch-rnn's files are: all under ``train``, in whole pixels, undated.

    Drawings of several words have an array of labels beside them, ``train_words``.

    Args:
        stream: written to.
        sketches: n of them.
        n: how many.

    Raises:
        BadSketch: one without strokes, or with an offset that int16 does not hold.
    """
    words: list[str] = []

    def moves() -> Iterator[npt.NDArray[np.int16]]:
        for sketch in sketches:
            words.append(sketch.word or "")
            yield whole_moves(sketch.points(), to_stroke3(sketch)[:, 2])

    with NewZip(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in (("train", n), ("valid", 0), ("test", 0)):
            with new_member(archive, name) as member:
                write_objects(member, moves() if size else iter(()), size)
        if len(set(words)) > 1:
            with new_member(archive, "train_words") as member:
                np.lib.format.write_array(member, np.array(words, np.str_), allow_pickle=False)


@contextlib.contextmanager
def new_member(archive: zipfile.ZipFile, name: str) -> Iterator[BinaryIO]:
    """An array to write in a zip, packed and undated: the same bytes tomorrow."""
    info = zipfile.ZipInfo(f"{name}.npy")
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as member:
        buffered = io.BufferedWriter(cast(io.RawIOBase, member), 1 << 20)
        yield buffered
        buffered.flush()
        buffered.detach()


def whole_moves(
    points: npt.NDArray[np.floating[Any]], lifts: npt.NDArray[Any]
) -> npt.NDArray[np.int16]:
    """Moves (P, 3) between positions (P, 2) that are rounded, so that errors do not add up.

    Raises:
        BadSketch: an offset that int16 does not hold.
    """
    moves = np.diff(np.rint(points), axis=0, prepend=0)
    if np.abs(moves).max() > np.iinfo(np.int16).max:
        raise BadSketch("an offset beyond 32,767 pixels, which sketch-rnn's npz cannot hold")
    return np.column_stack([moves, lifts]).astype(np.int16)
