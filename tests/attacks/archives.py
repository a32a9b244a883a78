"""npz and gzip whose containers lie: bombs, overlaps, ways out of the folder, sizes, headers."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from attack import (
    DRAWINGS,
    EITHER,
    EVALUATE,
    LATENTS,
    PIPED,
    RESULT,
    SKETCHES,
    Attack,
    with_more,
)
from datafiles import QUICKDRAW, member, stroke3, write_npz

from sketchrnn_cli.sketches import corpus as packed


def _good() -> bytes:
    """A file of drawings."""
    stream = io.BytesIO()
    write_npz(stream, train=stroke3(30), valid=stroke3(5, 1))
    return stream.getvalue()


def _zip(*members: tuple[str, bytes], packed: bool = True) -> bytes:
    stream = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def _array(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _header(text: str, data: bytes = b"", version: int = 1) -> bytes:
    """A .npy with any header."""
    raw = text.encode("latin1")
    width = 2 if version == 1 else 4
    return b"\x93NUMPY" + bytes([version, 0]) + len(raw).to_bytes(width, "little") + raw + data


def _shape(text: str, descr: str = "'<i2'", data: bytes = bytes(600)) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {text}}}\n"
    return _zip(("train.npy", _header(header, data)), packed=False)


def _lying(data: bytes, *, at: int, value: int, width: int = 4) -> bytes:
    """The last directory entry with another number in it."""
    entry = data.rindex(b"PK\x01\x02")
    changed = bytearray(data)
    changed[entry + at : entry + at + width] = value.to_bytes(width, "little")
    return bytes(changed)


def _overlapping() -> bytes:
    """Two hundred names for one member."""
    data = _zip(("train.npy", _array(np.zeros((50, 20_000, 3), np.int16))))
    start = data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    entry = data[start:end]
    names = [b"t%04d.npy" % k for k in range(200)]
    entries = b"".join(entry.replace(b"train.npy", name) for name in names)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 200, 200, len(entries), start, 0)
    return data[:start] + entries + tail


def _million_members(path: Path) -> None:
    """A directory of a million names, 50 MB."""
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0
    ) + b"a.npy"  # fmt: skip
    n = 1_000_000
    with path.open("wb") as stream:
        stream.write(b"PK\x03\x04" + bytes(26))
        for _ in range(n // 10_000):
            stream.write(entry * 10_000)
        size = n * len(entry)
        stream.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, size, 30, 0))


def _bomb(path: Path) -> None:
    """80 MB of zeros in 400 kB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        info = zipfile.ZipInfo("train.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as stream:
            header = "{'descr': '|i1', 'fortran_order': False, 'shape': (9, 3000000, 3)}\n"
            stream.write(_header(header))
            for _ in range(9):
                stream.write(bytes(9_000_000))


def _dense(path: Path, shape: tuple[int, ...], *, fortran: bool, noise: int) -> None:
    """An array of zeros after some noise, which is not packed too tightly to be believed."""
    header = f"{{'descr': '|i1', 'fortran_order': {fortran}, 'shape': {shape}}}\n"
    size = int(np.prod(shape))
    with zipfile.ZipFile(path, "w", compresslevel=1) as archive:
        info = zipfile.ZipInfo("train.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as stream:
            stream.write(_header(header))
            ones = np.random.default_rng(0).integers(0, 2, noise, np.int8)
            stream.write(ones.tobytes())
            for start in range(noise, size, 1 << 22):
                stream.write(bytes(min(1 << 22, size - start)))


def _gzipped(path: Path, line: bytes, times: int, last: bytes = b"") -> None:
    with gzip.open(path, "wb", 6) as stream:
        for _ in range(times):
            stream.write(line)
        stream.write(last)


def _crc(data: bytes) -> bytes:
    """Gzip with a wrong checksum."""
    whole = gzip.compress(data)
    return whole[:-8] + struct.pack("<I", zlib.crc32(data) ^ 1) + whole[-4:]


def _packed(**changed) -> bytes:
    """A packed set whose parts do not fit together."""
    import json

    about = {
        "format": packed.FORMAT, "version": packed.VERSION, "words": ["cat"], "scale_factor": 1.0,
        "n_max": 3, "report": {},
        "preparation": {"fit": True, "simplified": True, "epsilon": 2.0, "max_points": 250,
                        "min_points": 1, "clip": 1000.0, "box": 255.0},
    }  # fmt: skip
    parts = {
        "moves": np.array([[1, 1, 0], [2, 2, 0], [3, 3, 1]] * 2, "<i2"),
        "offsets": np.array([0, 3, 6], "<i8"), "word_ids": np.zeros(2, "<i4"),
        "splits": np.array([0, 1], "|u1"), "hashes": np.arange(2, dtype="<u8"),
    }  # fmt: skip
    about |= changed.pop("about", {})
    text = changed.pop("text", json.dumps(about).encode())
    parts |= changed
    parts["about"] = np.frombuffer(text, np.uint8)
    members = [(f"{name}.npy", _array(part)) for name, part in parts.items()]
    return _zip(*members, packed=False)


GOOD = _good()
LINE = QUICKDRAW
_LOOK = "{'descr': '<i2', 'fortran_order': False, 'shape': (9, 9, 3), 'x': %s}\n"
_SHAPES = {
    "10^15 drawings": "(281474976710655, 10, 3)",
    "drawings of 10^14 points": "(1, 93824992236885, 3)",
    "an empty array of 10^14": "(281474976710655, 0, 3)",
    "a negative shape": "(-5, -10, 3)",
    "a shape of booleans": "(True, True, 3)",
    "a shape of floats": "(1e3, 2, 3)",
    "a shape of 10^4000": f"({'9' * 4000}, 2, 3)",
    "a shape that is a list": "[5, 10, 3]",
    "a shape of a thousand": "(" + "1, " * 1000 + ")",
}
_EXPRESSIONS = {
    "an import": "__import__('os').mkdir('was-run')",
    "a power": "9**9**9",
    "a product": "('a'*10**9)",
    "a comprehension": "[i for i in range(10**9)]",
    "a lambda": "(lambda: 1)()",
    "parentheses": "(" * 3000 + ")" * 3000,
    "brackets": "[" * 90 + "]" * 90,
    "minus signs": "-" * 9000 + "1",
    "nots": "not " * 2000 + "1",
    "plus": "1" + "+1" * 4000,
    "a null": "'\0'",
    "a set": "{1, {2}}",
    "an unhashable key": "{[]: 1}",
}
_DESCRS = {
    "an object with fields": "[('a', '|O'), ('b', '<i2', (3,))]",
    "an object of bytes": "'|O8'",
    "a type that never ends": "'" + "i" * 8000 + "'",
    "a type of 2 GB": "'|V2000000000'",
    "a long name": "'|S999999999999'",
    "a date": "'<M8[ns]'",
    "a type in a type": "(('<i2', (3,)), 'x')",
    "nothing": "None",
}

DATA = [
    Attack("zip bomb.npz", _bomb, DRAWINGS, says="packed so tightly"),
    Attack(
        "dense drawings of 100 MB.npz",
        lambda path: _dense(path, (1, 33_000_000, 3), fortran=False, noise=4_000_000),
        DRAWINGS,
        EITHER,
    ),
    Attack(
        "dense Fortran array of 100 MB.npz",
        lambda path: _dense(path, (33_000_000, 1, 3), fortran=True, noise=4_000_000),
        DRAWINGS[:1],
        EITHER,
    ),
    Attack("overlapping members.npz", _overlapping(), DRAWINGS),
    Attack("million members.npz", _million_members, DRAWINGS),
    Attack("zip in zip.npz", _zip(("train.npy", _good())), DRAWINGS),
    Attack("zip in zip in zip.npz", _zip(("a.npz", _zip(("b.npz", _good())))), DRAWINGS),
    *(
        Attack(
            f"way out {k}.npz", _zip((name, _array(np.ones((5, 4, 3), "<i2")))), DRAWINGS, EITHER
        )
        for k, name in enumerate(
            (
                "../../train.npy",
                "/etc/train.npy",
                "..\\..\\train.npy",
                "C:\\train.npy",
                "train\0.npy",
                "a\nerror: b.npy",
                "\x1b[2J\x1b]0;x\x07.npy",
                "\u202etrain.npy",
                "x" * 60_000 + ".npy",
            )
        )
    ),
    Attack("names with escape codes.npz", _zip(("\x1b[2J\nb.txt", b"")), DRAWINGS),
    Attack("broken array with a name.npz", _zip(("\x1b[31m\nerror: x.npy", b"xx")), DRAWINGS),
    Attack("wrong crc.npz", _lying(_good(), at=16, value=1), DRAWINGS, EITHER),
    Attack("less than it says.npz", _lying(_good(), at=24, value=2**31), DRAWINGS),
    Attack("more than it says.npz", _lying(_good(), at=24, value=100), DRAWINGS),
    Attack("packed size lies.npz", _lying(_good(), at=20, value=2**31 - 1), DRAWINGS, EITHER),
    Attack("offset lies.npz", _lying(_good(), at=42, value=2**31), DRAWINGS),
    Attack("offset of itself.npz", _lying(_good(), at=42, value=len(_good()) - 22), DRAWINGS),
    Attack("encrypted.npz", _lying(_good(), at=8, value=1, width=2), DRAWINGS),
    Attack("unknown packing.npz", _lying(_good(), at=10, value=99, width=2), DRAWINGS),
    Attack("lzma packing.npz", _lying(_good(), at=10, value=14, width=2), DRAWINGS),
    Attack("bzip2 packing.npz", _lying(_good(), at=10, value=12, width=2), DRAWINGS),
    Attack("cut short.npz", _good()[:-30], DRAWINGS),
    Attack("only an end.npz", b"PK\x05\x06" + bytes(18), DRAWINGS),
    Attack(
        "only a zip64 end.npz",
        b"PK\x06\x06"
        + b"\xff" * 52
        + b"PK\x06\x07"
        + bytes(4)
        + bytes(8)
        + b"\1\0\0\0"
        + b"PK\x05\x06"
        + b"\xff" * 16
        + b"\0\0",
        DRAWINGS,
    ),
    *(Attack(f"shape {k}.npz", _shape(text), DRAWINGS, EITHER) for k, text in _SHAPES.items()),
    *(
        Attack(
            f"header {k}.npz",
            _zip(("train.npy", _header(_LOOK % text, bytes(600)))),
            DRAWINGS,
            EITHER,
        )
        for k, text in _EXPRESSIONS.items()
    ),
    *(Attack(f"type {k}.npz", _shape("(9, 9, 3)", text), DRAWINGS) for k, text in _DESCRS.items()),
    Attack("object array of 10^12.npz", _zip(("train.npy", member(b"N.", 10**12))), DRAWINGS),
    Attack("header of 4 GB.npz", _zip(("train.npy", b"\x93NUMPY\2\0\xff\xff\xff\xff")), DRAWINGS),
    Attack("set: n_max is infinite.npz", _packed(about={"n_max": float("inf")}), DRAWINGS),
    Attack("set: n_max is 10^400.npz", _packed(about={"n_max": 10**400}), DRAWINGS, EITHER),
    Attack("set: scale is 10^400.npz", _packed(about={"scale_factor": 10**400}), DRAWINGS),
    Attack("set: scale is nan.npz", _packed(about={"scale_factor": float("nan")}), DRAWINGS),
    Attack("set: words is a number.npz", _packed(about={"words": 5}), DRAWINGS),
    Attack(
        "set: words with escape codes.npz",
        _packed(about={"words": ["\x1b[2J\n\u202ecat"]}),
        DRAWINGS,
        EITHER,
    ),
    Attack("set: a lone surrogate.npz", _packed(about={"words": ["\ud800"]}), DRAWINGS, EITHER),
    Attack("set: preparation is a list.npz", _packed(about={"preparation": [1]}), DRAWINGS),
    Attack(
        "set: preparation of text.npz",
        _packed(
            about={
                "preparation": {
                    "fit": "x",
                    "simplified": "x",
                    "epsilon": "x",
                    "max_points": "x",
                    "min_points": "x",
                    "clip": "x",
                    "box": "x",
                }
            }
        ),
        DRAWINGS,
    ),
    Attack("set: report is a list.npz", _packed(about={"report": [[1, 2]]}), DRAWINGS, EITHER),
    Attack(
        "set: deep report.npz",
        _packed(
            text=b'{"format":"sketchrnn-packed","report":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        ),
        DRAWINGS,
    ),
    Attack(
        "set: million lists.npz",
        lambda path: path.write_bytes(
            _packed(
                text=b'{"format":"sketchrnn-packed","version":1,"report":['
                + b"[]," * 20_000_000
                + b"1]}"
            )
        ),
        DRAWINGS,
    ),
    Attack(
        "set: offsets that wrap.npz",
        _packed(
            about={"n_max": 2**63},
            offsets=np.array([0, 2**63 - 1, -2, 6], "<i8"),
            word_ids=np.zeros(3, "<i4"),
            splits=np.zeros(3, "|u1"),
            hashes=np.zeros(3, "<u8"),
        ),
        DRAWINGS,
    ),
    Attack("set: offsets beyond.npz", _packed(offsets=np.array([0, 10**12, 6], "<i8")), DRAWINGS),
    Attack("set: offsets back.npz", _packed(offsets=np.array([0, -5, 6], "<i8")), DRAWINGS),
    Attack("set: no offsets.npz", _packed(offsets=np.zeros(0, "<i8")), DRAWINGS),
    Attack("set: words beyond.npz", _packed(word_ids=np.array([0, 9], "<i4")), DRAWINGS),
    Attack("set: words before.npz", _packed(word_ids=np.array([0, -1], "<i4")), DRAWINGS),
    Attack("set: lifts of 7.npz", _packed(moves=np.full((6, 3), 7, "<i2")), DRAWINGS, EITHER),
    Attack("set: not finite.npz", _packed(moves=np.full((6, 3), np.nan, "<f4")), DRAWINGS),
    Attack("set: infinite.npz", _packed(moves=np.full((6, 3), np.inf, "<f4")), DRAWINGS),
    Attack("set: objects.npz", _packed(hashes=np.array(["<i8", None], object)), DRAWINGS),
    Attack("set: no attack.npz", _packed(), DRAWINGS, RESULT),
    # gzip
    Attack(
        "bomb of one line.ndjson.gz", lambda path: _gzipped(path, bytes(1 << 20), 150), DRAWINGS
    ),
    Attack(
        "bomb of blanks.ndjson.gz", lambda path: _gzipped(path, b" " * (1 << 20), 150), DRAWINGS
    ),
    Attack(
        "bomb of lines.ndjson.gz",
        lambda path: _gzipped(path, b"\n" * (1 << 20), 15),
        DRAWINGS,
        EITHER,
    ),
    Attack("gzip cut short.ndjson.gz", gzip.compress(LINE * 50)[:-9], DRAWINGS),
    Attack("gzip with a wrong sum.ndjson.gz", _crc(LINE * 50), DRAWINGS),
    Attack("gzip and noise.ndjson.gz", gzip.compress(LINE * 50) + b"noise" * 50, DRAWINGS),
    Attack("gzip and zeros.ndjson.gz", gzip.compress(LINE * 50) + bytes(50), DRAWINGS, RESULT),
    Attack("gzip and gzip.ndjson.gz", gzip.compress(LINE * 50) * 20, DRAWINGS, RESULT),
    Attack("gzip of nothing, often.ndjson.gz", gzip.compress(b"") * 50_000, DRAWINGS),
    Attack("gzip in gzip.ndjson.gz", gzip.compress(gzip.compress(LINE)), DRAWINGS),
    Attack(
        "gzip with a long name.ndjson.gz",
        b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 5_000_000,
        DRAWINGS,
    ),
]


def _latents(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _latent_header(text: str, data: bytes = b"") -> bytes:
    return _zip(("mu.npy", _header(text, data)))


def _latent_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", compresslevel=1) as archive:
        info = zipfile.ZipInfo("mu.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as stream:
            header = "{'descr': '<f4', 'fortran_order': False, 'shape': (5000000, 8)}\n"
            stream.write(_header(header))
            for _ in range(40):
                stream.write(bytes(4_000_000))


def _lines_of_latents(path: Path) -> None:
    path.write_bytes(b'{"z":[' + b"0," * 30_000_000 + b"0]}")


MU = np.zeros((2, 8), "f4")
_F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s}\n"
OF_LATENTS = [
    Attack("latents.npz", _latents(mu=MU), LATENTS, RESULT),
    Attack(
        "latents: pickled.npz", _zip(("mu.npy", member(b"cos\nmkdir\n(Vwas-run\ntR."))), LATENTS
    ),
    Attack(
        "latents: pickled words.npz",
        _zip(("mu.npy", _array(MU)), ("words.npy", member(b"cos\nmkdir\n(Vwas-run\ntR.", 2))),
        LATENTS,
    ),
    Attack("latents: a bomb.npz", _latent_bomb, LATENTS),
    Attack("latents: not finite.npz", _latents(mu=MU + np.nan), LATENTS),
    Attack("latents: 1e308.npz", _latents(mu=MU.astype("f8") + 1e308), LATENTS),
    Attack("latents: huge.npz", _latents(mu=MU + np.float32(3e38)), LATENTS, EITHER),
    Attack("latents: sigma below zero.npz", _latents(mu=MU, sigma=MU - 5), LATENTS, EITHER),
    Attack("latents: another size.npz", _latents(mu=np.zeros((2, 9), "f4")), LATENTS),
    Attack("latents: no rows.npz", _latents(mu=np.zeros((0, 8), "f4")), LATENTS),
    Attack("latents: one number.npz", _latents(mu=np.float32(1)), LATENTS),
    Attack("latents: text.npz", _latents(mu=np.array([["a"]])), LATENTS),
    Attack("latents: negative shape.npz", _latent_header(_F4 % "(-2, -8)", bytes(64)), LATENTS),
    Attack("latents: huge shape.npz", _latent_header(_F4 % "(2, 10**18)", bytes(64)), LATENTS),
    Attack(
        "latents: shape of 10^18.npz", _latent_header(_F4 % f"(2, {10**18})", bytes(64)), LATENTS
    ),
    Attack(
        "latents: minus signs.npz", _latent_header(_F4 % ("-" * 9000 + "1"), bytes(64)), LATENTS
    ),
    Attack("latents: parentheses.npz", _latent_header(_F4 % ("(" * 3000 + ")" * 3000)), LATENTS),
    Attack("latents: long header.npz", _latent_header(" " * 60_000), LATENTS),
    Attack("latents: version 9.npz", _zip(("mu.npy", b"\x93NUMPY\x09\0" + bytes(90))), LATENTS),
    Attack(
        "latents: fields.npz",
        _latent_header("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (2,)}\n"),
        LATENTS,
    ),
    Attack(
        "latents: words of escape codes.npz",
        _latents(mu=MU, words=np.array(["\x1b[2J\n", "\u202e"])),
        LATENTS,
        EITHER,
    ),
    Attack(
        "latents: words of surrogates.npz",
        _latents(mu=MU, words=np.array([0xD800, 0x110000], "<u4").view("<U1")),
        LATENTS,
        EITHER,
    ),
    Attack("latents: encrypted.npz", _lying(_latents(mu=MU), at=8, value=1, width=2), LATENTS),
    Attack("latents: escape codes in a name.npz", _zip(("\x1b[2J\nx", b"")), LATENTS),
    Attack("latents: million members.npz", _million_members, LATENTS),
    Attack("latents: deep.ndjson", b'{"z":' + b"[" * 100_000 + b"]" * 100_000 + b"}", LATENTS),
    Attack("latents: nested.ndjson", b'{"z":[[1,2],[3]]}', LATENTS),
    Attack("latents: 1e999.ndjson", b'{"z":[1e999,0,0,0,0,0,0,0]}', LATENTS),
    Attack("latents: NaN.ndjson", b'{"z":[NaN,0,0,0,0,0,0,0]}', LATENTS),
    Attack("latents: 10^400.ndjson", b'{"z":[1' + b"0" * 400 + b",0,0,0,0,0,0,0]}", LATENTS),
    Attack("latents: text.ndjson", b'{"z":["1",null,true,0,0,0,0,0]}', LATENTS, EITHER),
    Attack("latents: an object.ndjson", b'{"z":{"a":1}}', LATENTS),
    Attack(
        "latents: a surrogate.ndjson", b'{"z":[0,0,0,0,0,0,0,0],"word":"\\ud800"}', LATENTS, EITHER
    ),
    Attack("latents: not UTF-8.ndjson", b'{"z":[0],"word":"\xff"}', LATENTS),
    Attack("latents: 30 million.ndjson", _lines_of_latents, LATENTS),
]

GZIPPED = [one for one in DATA if one.name.endswith(".gz")]
ATTACKS = [
    *with_more([one for one in DATA if one not in GZIPPED], (EVALUATE, *SKETCHES)),
    *with_more(GZIPPED, SKETCHES, PIPED),
    *OF_LATENTS,
]
