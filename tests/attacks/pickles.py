"""npz whose pickles try to run something, to take memory, or to go round in circles."""

from __future__ import annotations

import io
import pickletools
import struct
import zipfile
from pathlib import Path

import numpy as np
from attack import DRAWINGS, EITHER, EVALUATE, RESULT, SKETCHES, Attack, with_more
from datafiles import member, objects, stroke3

MARK = "was-run"  # a folder that the exploits make where they run

HUGE = struct.pack("<I", 0x7FFFFFFF)
NAME = "V" + MARK + "\n"
_SHORT = bytes([0x8C, len(MARK)]) + MARK.encode()

# Each makes the folder MARK when it is unpickled; by the opcode that does it.
EXPLOITS = {
    "GLOBAL REDUCE 0": f"cos\nmkdir\n({NAME}tR.".encode(),
    "GLOBAL REDUCE 2": b"\x80\x02cos\nmkdir\nX\x07\x00\x00\x00" + MARK.encode() + b"\x85R.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93" + _SHORT + b"\x85R.",
    "STACK_GLOBAL framed": b"\x80\x05\x95\x18\0\0\0\0\0\0\0\x8c\x02os\x8c\x05mkdir\x93"
    + _SHORT + b"\x85R.",
    "INST": f"({NAME}ios\nmkdir\n.".encode(),
    "OBJ": f"(cos\nmkdir\n{NAME}o.".encode(),
    "NEWOBJ": f"\x80\x02cbuiltins\nbytes\ncbuiltins\nmap\n(cos\nmkdir\n({NAME}ltR\x85\x81.".encode(
        "latin1"
    ),
    "NEWOBJ_EX": b"\x80\x04\x8c\x08builtins\x8c\x05bytes\x93\x8c\x08builtins\x8c\x03map\x93"
    b"\x8c\x02os\x8c\x05mkdir\x93](" + _SHORT + b"e\x86R\x85}\x92.",
    "BUILD": b"\x80\x02ctypes\nSimpleNamespace\n)R}X\x0c\0\0\0__setstate__cos\nmkdir\nsb"
    b"X\x07\0\0\0" + MARK.encode() + b"b.",
    "APPENDS": b"\x80\x02ctypes\nSimpleNamespace\n)R}X\x06\0\0\0extendcbuiltins\nexec\nsb"
    b"(X\x19\0\0\0import os; os.mkdir('" + MARK[:4].encode() + b".",
    "eval": f"cbuiltins\neval\n(V__import__('os').mkdir('{MARK}')\ntR.".encode(),
    "exec": f"cbuiltins\nexec\n(Vimport os; os.mkdir('{MARK}')\ntR.".encode(),
    "os.system": f"cos\nsystem\n(Vmkdir {MARK}\ntR.".encode(),
    "posix": f"cposix\nsystem\n(Vmkdir {MARK}\ntR.".encode(),
    "subprocess": f"csubprocess\ngetoutput\n(Vmkdir {MARK}\ntR.".encode(),
    "importlib": b"cimportlib\nimport_module\n(Vantigravity\ntR.",
    "runpy": b"crunpy\n_run_code\n(Vimport os\n}tR.",
    "numpy": b"cnumpy\nload\n(V/etc/passwd\ntR.",
    "numpy f2py": f"cnumpy.testing._private.utils\nrunstring\n(Vimport os; os.mkdir('{MARK}')\n"
    "}tR.".encode(),
    "attribute": b"\x80\x04\x8c\x05numpy\x8c\x0cf2py.os.mkdir\x93" + _SHORT + b"\x85R.",
    "newline in a name": b"\x80\x04\x8c\x05numpy\x8c\x0andarray\nos\x93.",
}  # fmt: skip
SURE = [name for name in EXPLOITS if name not in (
    "APPENDS", "importlib", "runpy", "numpy", "numpy f2py", "attribute", "newline in a name",
)]  # fmt: skip

_RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
_START = b"\x80\x02" + _RECONSTRUCT
_DTYPE = b"cnumpy\ndtype\n"


def _laughs(n: int) -> bytes:
    """A tuple of 2**n leaves in 5n bytes."""
    return b")" + b"q\x01h\x01\x86" * n


def _one(shape: bytes, kind: bytes, data: bytes) -> bytes:
    """A pickled array."""
    return _START + b"(K\x01" + shape + kind + b"\x89" + data + b"tb."


BOMBS = {
    "memo LONG_BINPUT": b"\x80\x02Nr" + HUGE + b"j" + HUGE + b".",
    "memo LONG_BINPUT, many": b"\x80\x02N"
    + b"".join(b"r" + struct.pack("<I", 2**31 - k) for k in range(100_000))
    + b".",
    "memo PUT": b"Np" + b"9" * 4000 + b"\n.",
    "memo MEMOIZE": b"\x80\x04N" + b"\x94" * 2_000_000 + b".",
    "memo LONG_BINGET": b"\x80\x02N"
    + b"".join(b"r" + struct.pack("<I", k) + b"j" + struct.pack("<I", k) for k in range(100_000))
    + b".",
    "ndarray of 64 GiB": b"\x80\x02cnumpy\nndarray\n\x8a\x05\0\0\0\0\x10\x85U\x02i1\x86R.",
    "ndarray of 2 GiB": b"\x80\x02cnumpy\nndarray\nJ" + HUGE + b"\x85U\x02i1\x86R.",
    "BINSTRING": b"\x80\x02T" + HUGE + b".",
    "BINUNICODE": b"\x80\x02X" + HUGE + b".",
    "BINBYTES": b"\x80\x03B\xff\xff\xff\xff.",
    "BINBYTES8": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
    "BINUNICODE8": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f.",
    "BYTEARRAY8": b"\x80\x05\x96" + b"\0" * 5 + b"\x10\0\0.",
    "NEXT_BUFFER": b"\x80\x05\x97\x98.",
    "LONG1": b"\x80\x02\x8a\xff" + b"\xff" * 255 + b".",
    "LONG4": b"\x80\x02\x8b" + HUGE + b".",
    "LONG of a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "INT of a million digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "FLOAT": b"F1e999\n.",
    "STRING": b"S'" + b"x" * 100_000 + b"'\n.",
    "a frame that lies": b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
    "a frame of nothing": b"\x80\x04\x95" + b"\0" * 8 + b"N.",
    "frames in frames": b"\x80\x04" + (b"\x95" + b"\xff" * 8) * 200_000 + b"N.",
    "a protocol from the future": b"\x80\xffN.",
    "a million marks": b"\x80\x02" + b"(" * 3_000_000 + b".",
    "marks within tuples": b"\x80\x02" + b"((N" * 500_000 + b"t" * 500_000 + b".",
    "a list behind a hundred thousand marks": b"\x80\x02]("
    + b"(" * 100_000
    + b"t" * 100_000
    + b"e.",
    "marks that are filled": b"\x80\x02"
    + (b"(" + b"N" * 700) * 99
    + b"N" * 3_000
    + b"t" * 99
    + b".",
    "tuples of tuples of tuples": b"\x80\x02"
    + b"(" * 3
    + b"N" * 15
    + b"t"
    + b"K\x01" * 14
    + b"tt.",
    "a million flat tuples": b"\x80\x02" + b"NN\x86" * 1_000_000 + b".",
    "a million Nones": b"\x80\x02" + b"N" * 3_000_000 + b".",
    "a million lists": b"\x80\x02" + b"]" * 500_000 + b".",
    "lists in lists": b"\x80\x02" + b"]" * 500_000 + b"a" * 499_999 + b".",
    "tuples in tuples": b"\x80\x02N" + b"\x85" * 1_000_000 + b".",
    "tuples in tuples in a type": b"\x80\x02" + _DTYPE + b"N" + b"\x85" * 300_000 + b"R.",
    "a type that laughs": b"\x80\x02" + _DTYPE + _laughs(40) + b"\x85R.",
    "an order that laughs": b"\x80\x02"
    + _DTYPE
    + b"U\x02i2\x85R(K\x03"
    + _laughs(40)
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.",
    "a shape that laughs": _one(_laughs(40), _DTYPE + b"U\x02i2\x85R", b"U\x00"),
    "a shape of a million": _one(
        b"(" + b"K\x01" * 900_000 + b"t", _DTYPE + b"U\x02i2\x85R", b"U\x02ab"
    ),
    "a list that holds itself": b"\x80\x02]q\x01h\x01a.",
    "an array that holds itself": _START
    + b"q\x01(K\x01K\x01\x85"
    + _DTYPE
    + b"U\x01O\x85R\x89](h\x01etb.",
    "a shape of 10^18": _one(
        b"J" + HUGE + b"J" + HUGE + b"\x86", _DTYPE + b"U\x02i2\x85R", b"U\x00"
    ),
    "a type of 2 GB": _one(b"K\x01K\x03\x86", _DTYPE + b"U\x0bV2000000000\x85R", b"U\x06abcdef"),
    "a type with fields": _one(b"K\x01K\x03\x86", _DTYPE + b"U\x05i2,i2\x85R", b"U\x06abcdef"),
    "a codec": b"\x80\x02c_codecs\nencode\nX\x02\0\0\0abX\x0b\0\0\0rot13_codec\x86R.",
    "a name that never ends": b"\x80\x02c" + b"x" * 1_000_000,
    "escape codes in a name": b"\x80\x02c\x1b[2J\x1b]0;owned\x07\nx\n.",
    "stack underflow": b"\x80\x02R.",
    "nothing on the stack": b"\x80\x02.",
    "no end": b"\x80\x02N",
    "nothing": b"",
    "noise": bytes(np.random.default_rng(0).integers(0, 256, 4000, np.uint8)),
}


def _arguments(code: pickletools.OpcodeInfo) -> bytes:
    """Some argument for an opcode."""
    kind = code.arg
    if kind is None:
        return b""
    lines = {"decimalnl_short": b"1\n", "decimalnl_long": b"1L\n", "floatnl": b"1.5\n",
             "stringnl": b"'os'\n", "stringnl_noescape": b"os\n", "unicodestringnl": b"os\n",
             "stringnl_noescape_pair": b"os\nmkdir\n"}  # fmt: skip
    if kind.name in lines:
        return lines[kind.name]
    if kind.name.startswith(("uint", "int")):
        return b"\x01" + bytes(kind.n - 1)
    if kind.name == "float8":
        return bytes(8)
    width = {1: 1, 4: 4, 8: 8}[int(kind.name[-1]) if kind.name[-1].isdigit() else 4]
    return (2).to_bytes(width, "little") + b"os"


OPCODES = {
    code.name: b"\x80\x05(NN" + code.code.encode("latin1") + _arguments(code) + b"."
    for code in pickletools.opcodes
}


def _many_large(path: Path) -> None:
    """One member of 60 arrays of 3 MB of zeros, in 5 MB."""
    kind = b"cnumpy\ndtype\nU\x02i1\x85R"
    one = _RECONSTRUCT + b"(K\x01J" + struct.pack("<i", 1 << 20) + b"K\x03\x86" + kind
    one += b"\x89T" + struct.pack("<i", 3 << 20) + bytes(3 << 20) + b"tb"
    n = 60
    noise = np.random.default_rng(0).bytes(4 << 20)  # so that it is not packed too tightly
    filler = _RECONSTRUCT + b"(K\x01K\x00K\x03\x86" + kind + b"\x89U\x00tb"
    with zipfile.ZipFile(path, "w", compresslevel=1) as archive:
        info = zipfile.ZipInfo("train.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as stream:
            head = member(b"", n + 1)
            stream.write(head + _START + b"(K\x01M" + struct.pack("<H", n + 1) + b"\x85")
            stream.write(b"cnumpy\ndtype\nU\x01O\x85R\x89](")
            stream.write(b"T" + struct.pack("<i", len(noise)) + noise + b"\x85\x85")
            stream.write(filler)
            for _ in range(n):
                stream.write(one)
            stream.write(b"etb.")


def npz(payload: bytes):
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:  # not packed, so that it is no zip bomb
            archive.writestr("train.npy", member(payload))

    return write


def _one_huge(path: Path) -> None:
    """A drawing of 22 million points of int8, in 300 kB."""
    _dump(path, np.zeros((22_000_000, 3), np.int8))


def _dump(path: Path, array: np.ndarray) -> None:
    import pickle

    stream = io.BytesIO()
    pickle.dump(objects([array]), stream, protocol=2 if array.size < 1000 else 4)
    noise = np.random.default_rng(0).bytes(300_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.npy", member(stream.getvalue()) + noise)


def _real(path: Path) -> None:
    from datafiles import write_npz

    write_npz(path, train=stroke3(30), valid=stroke3(5, 1), test=stroke3(5, 2))


OTHERS = (DRAWINGS[1], EVALUATE, *SKETCHES)  # the same reader: one command each, in turn
ATTACKS = [
    *with_more(
        [
            Attack(f"exploit {name}.npz", npz(data), DRAWINGS[:1], says="train")
            for name, data in EXPLOITS.items()
        ],
        OTHERS,
    ),
    *with_more(
        [Attack(f"bomb {name}.npz", npz(data), DRAWINGS[:1]) for name, data in BOMBS.items()],
        OTHERS,
    ),
    *(Attack(f"opcode {name}.npz", npz(data), DRAWINGS[:1]) for name, data in OPCODES.items()),
    Attack("many large drawings.npz", _many_large, DRAWINGS[:1], EITHER),
    Attack("a huge drawing.npz", _one_huge, DRAWINGS, EITHER, also=(EVALUATE, *SKETCHES)),
    Attack("no attack.npz", _real, DRAWINGS, RESULT),
]
