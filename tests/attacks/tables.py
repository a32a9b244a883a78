"""CSV, whiteboards, InkML and lone arrays, untrusted."""

from __future__ import annotations

import gzip
import io
import pickle
from pathlib import Path

import numpy as np
from attack import DRAWINGS, EITHER, RESULT, SKETCHES, Attack, with_more
from datafiles import member, objects, stroke3
from pickles import EXPLOITS

HEAD = b"word,drawing\n"
ROW = b'cat,"[[[0,100,255],[0,50,0]],[[20,40],[30,60]]]"\n'
INK = b"<ink><trace>0 0, 9 9, 20 3</trace></ink>"
BOARD = b'{"elements":[{"type":"line","x":0,"y":0,"points":[[0,0],[9,9],[20,3]]}]}'


def _zeros(head: bytes, megabytes: int):
    def write(path: Path) -> None:
        with gzip.open(path, "wb", 1) as stream:
            stream.write(head)
            for _ in range(megabytes):
                stream.write(b"x" * (1 << 20))

    return write


def _points(n: int, number: bytes = b"0") -> bytes:
    return (
        b'{"elements":[{"type":"line","x":0,"y":0,"points":['
        + b",".join([b"[0," + number + b"]"] * n)
        + b"]}]}"
    )


def _deep(n: int) -> bytes:
    return b'{"elements":' + b"[" * n + b"]" * n + b"}"


CSV = [
    Attack("no attack.csv", HEAD + ROW * 20, DRAWINGS, RESULT),
    Attack("a cell that never ends.csv", HEAD + b'cat,"' + b"x\n" * 2_000_000, DRAWINGS),
    Attack("a bomb of one line.csv.gz", _zeros(HEAD, 200), DRAWINGS),
    Attack("a bomb of one cell.csv.gz", _zeros(HEAD + b'cat,"', 200), DRAWINGS),
    Attack("a million columns.csv", b"word," * 1_000_000 + b"drawing\n" + ROW, DRAWINGS),
    Attack("a million cells.csv", HEAD + b"," * 1_000_000 + b"\n" + ROW, DRAWINGS, EITHER),
    Attack("deep lists in a cell.csv", HEAD + b"cat," + b"[" * 100_000 + b"\n", DRAWINGS),
    Attack("a header that says less.csv", b"drawing\n" + ROW.replace(b"cat,", b""), DRAWINGS,
           RESULT),
    Attack("code in a cell.csv", HEAD + b"cat,=cmd|' /C calc'!A0\n", DRAWINGS),
    Attack("numbers 1e999 and NaN.csv", HEAD + b'cat,"[[[1e999,NaN],[1,2]]]"\n', DRAWINGS),
    Attack("escape codes.csv", b"\x1b[2J\nerror: x,drawin\n" + ROW, DRAWINGS),
    Attack("escape codes in a word.csv", HEAD + ROW.replace(b"cat", b"\x1b[2Jx"), DRAWINGS, EITHER),
    Attack("not UTF-8.csv", HEAD + b"\xff\xfe" + ROW, DRAWINGS),
    Attack("a path as word.csv", HEAD + ROW.replace(b"cat", b"../../etc"), DRAWINGS, EITHER),
    Attack("nulls.csv", HEAD + bytes(1000) + ROW, DRAWINGS, EITHER),
]  # fmt: skip
BOARDS = [
    Attack("no attack.excalidraw", BOARD, DRAWINGS, RESULT),
    Attack("deep.excalidraw", _deep(100_000), DRAWINGS),
    Attack("deep enough.excalidraw", _deep(500), DRAWINGS),
    Attack("a million points.excalidraw", _points(1_000_000), DRAWINGS),
    Attack("40 MB.excalidraw", lambda path: path.write_bytes(BOARD + b" " * 40_000_000), DRAWINGS),
    Attack("numbers 1e999.excalidraw", _points(9, b"1e999"), DRAWINGS),
    Attack("numbers 1e308.excalidraw", _points(9, b"1e308"), DRAWINGS),
    Attack("a number of 400 digits.excalidraw", _points(9, b"9" * 400), DRAWINGS),
    Attack("escape codes.excalidraw", b'{"elements":[{"type":"\\u001b[2Jx","x":0,"y":0}]}',
           DRAWINGS, EITHER),
    Attack("a shape that lies.tldr", b'{"records":[{"typeName":"shape","type":"draw","x":0,"y":0,'
           b'"props":{"segments":[{"points":{"a":1}}]}}]}', DRAWINGS,
           EITHER),
    Attack("code dunder.tldr", b'{"records":[{"__class__":1,"typeName":"shape"}]}', DRAWINGS),
    Attack("a circle of groups.tldr", b'{"records":[' + b",".join(
        b'{"typeName":"shape","type":"%s","id":"%d","parentId":"%d","x":1,"y":1,"props":{"segments":'
        b'[{"points":[{"x":0,"y":0},{"x":9,"y":9}]}]}}' % (kind, k, 1 - k)
        for k, kind in enumerate((b"group", b"draw"))) + b"]}", DRAWINGS, EITHER),
    Attack("groups in groups.tldr", b'{"records":[' + b",".join(
        b'{"typeName":"shape","type":"draw","id":"%d","parentId":"%d","x":1e300,"y":1,"rotation":1,'
        b'"props":{"segments":[{"points":[{"x":0,"y":0},{"x":9,"y":9}]}]}}' % (k, k + 1)
        for k in range(9000)) + b"]}", DRAWINGS, EITHER),
    Attack("a library of lies.excalidraw", b'{"libraryItems":{"elements":[1]},"library":[[[]]]}',
           DRAWINGS),
    Attack("wrong sizes.tldr", b'{"records":[{"typeName":"shape","type":"geo","x":0,"y":0,'
           b'"props":{"geo":"rectangle","w":1e300,"h":-1e300}}]}', DRAWINGS),
]  # fmt: skip
INKS = [
    Attack("no attack.inkml", INK, DRAWINGS, RESULT),
    Attack("a bomb of entities.inkml", b'<!DOCTYPE ink [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>'
           + INK, DRAWINGS),
    Attack("a file elsewhere as entity.inkml",
           b'<!DOCTYPE ink [<!ENTITY a SYSTEM "file:///etc/passwd">]><ink><trace>&a;</trace></ink>',
           DRAWINGS),
    Attack("a DTD elsewhere.inkml", b'<!DOCTYPE ink SYSTEM "http://127.0.0.1/x.dtd">' + INK,
           DRAWINGS, EITHER),
    Attack("deep.inkml", b"<ink>" + b"<traceGroup>" * 100_000, DRAWINGS),
    Attack("a million points.inkml", b"<ink><trace>" + b"0 0," * 1_000_001 + b"</trace></ink>",
           DRAWINGS),
    Attack("numbers NaN and inf.inkml", b"<ink><trace>nan 0, inf 1</trace></ink>", DRAWINGS),
    Attack("numbers 1e308.inkml", b"<ink><trace>1e308 0, 1 1</trace></ink>", DRAWINGS),
    Attack("a channel that lies.inkml", b"<ink><channel name='X'/><channel name='Y'/>"
           b"<channel name='T'/><trace>0 0, 1 1</trace></ink>", DRAWINGS),
    Attack("traces without end.inkml", b"<ink><trace>0 0</trace>" + b"<trace continuation='end'>1 1"
           b"</trace>" * 50_000 + b"</ink>", DRAWINGS, EITHER),
    Attack("many channels.inkml", b"<ink>" + b"<channel name='X'/>" * 100_000 + INK + b"</ink>",
           DRAWINGS, EITHER),
    Attack("escape codes.inkml", b"<\x1b[2J\nerror: x>", DRAWINGS),
    Attack("escape codes in a word.inkml",
           b"<ink><annotation type='truth'>&#x202e;&#10;x</annotation>" + INK[5:],
           DRAWINGS, EITHER),
    Attack("an encoding of code.inkml", b'<?xml version="1.0" encoding="rot13"?>' + INK, DRAWINGS),
]  # fmt: skip


def _array(payload: bytes, n: int = 1) -> bytes:
    return member(payload, n)


def _saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


LONE = [
    Attack("no attack.npy", _array(pickle.dumps(objects(stroke3(30)), protocol=3), 30), DRAWINGS,
           RESULT),
    *(Attack(f"exploit {name}.npy", _array(data), DRAWINGS[:1]) for name, data in EXPLOITS.items()),
    Attack("a shape of 10^15.npy", _saved(np.zeros((2, 2, 3), np.int8)).replace(
        b"(2, 2, 3), }" + b" " * 9, b"(999999999999999, 2, 3)}"[:21].ljust(21)), DRAWINGS, EITHER),
    Attack("cut.npy", _saved(np.ones((9, 9, 3), np.int8))[:-40], DRAWINGS),
    Attack("a header of a power.npy", b"\x93NUMPY\x01\x00\x10\x009**9**9**9**9**9*", DRAWINGS),
]  # fmt: skip
NAMED = (  # the file names its own labels
    ("preprocess", "{file}", "--labels", "{file}", "-o", "{out}/x.npz", "--quiet"),
)
_ONE = b'{"word":"0","drawing":[[[0,255],[0,9]]],"names":["cat"]}'
NAMES = [
    Attack("labels: no attack.ndjson", _ONE, NAMED, RESULT),
    Attack("labels: deep.ndjson", b'{"a":' * 1000 + b"{}" + b"}" * 1000, NAMED),
    Attack("labels: deeper.ndjson", b'{"names":' + b"[" * 100_000, NAMED),
    Attack("labels: a million numbers.ndjson", b"[" + b"1," * 1_000_000 + b"1]", NAMED),
    Attack("labels: a number of a million digits.ndjson", _ONE.replace(b'"0"', b"9" * 10**6),
           NAMED),
    Attack("labels: a bomb.ndjson.gz", _zeros(b"cat\n", 200), NAMED),
    Attack("labels: escape codes.ndjson", _ONE.replace(b"cat", b"\\u001b[2J"), NAMED, EITHER),
]  # fmt: skip
ATTACKS = NAMES + with_more([*CSV, *BOARDS, *INKS, *LONE], SKETCHES)
