"""Change files so that they get past the first check: by tree, by opcode, by member, by field.

A mutator takes the bytes of an input, a source of chance, and ``raw``, which changes plain bytes
(libFuzzer's own, where there is atheris). It returns other bytes, and never raises.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import pickletools
import random
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Raw = Callable[[bytes], bytes]
Mutator = Callable[[bytes, random.Random, Raw], bytes]

LARGEST = 1 << 16  # bytes of an input
NUMBERS = [
    "0", "1", "-1", "2", "3", "5", "127", "255", "256", "32767", "65535", "65536", "-0", "0.5",
    "2147483647", "4294967295", "9223372036854775807", "18446744073709551616", "1e9", "-1e9",
    "1e12", "1e-12", "1e-160", "5e-324", "1e-320", "1e38", "4e38", "1e308", "-1e308", "1e309",
    "1e999", "NaN", "inf", "-inf", "1_0", "0x10", "0b1", "00", "1.", ".5", "+1", "--1", "1e",
    "9" * 400, "1" + "0" * 30, "²", "٣", "",
]  # fmt: skip
TEXTS = [
    "", "a", "cat", " ", "\0", "\n", "\r", "\x1b[2J", "\ud800", "\u202e", "\ufeff", "é", "e\u0301",
    "ǅ", "ß", "İ", "²", "①", "\U0001f408", "'", '"', "\\", "[bold]", "%s", "{}", "${HOME}",
    "a" * 300, "none", "null", "true", "-", "--", "mu", "word", "1", "-1", "1e999",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 255, 256, 2**31, 2**53, 2**63, 2**64, 10**30, 10**400,
    -(10**400), 0.5, -0.0, 1e-320, 1e9, 1e38, 1e308, -1e308, float("nan"), float("inf"),
    -float("inf"), [], {}, [[]], [0], [0, 0], [[0, 1], [0, 1]], {"a": 1}, *TEXTS,
]  # fmt: skip
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_TOKEN = re.compile(rb"[A-Za-z_]+|[+-]?[\d.]+(?:[eE][+-]?\d+)?|\s+|[^\w\s]")


def plain(data: bytes, rng: random.Random, tokens: list[bytes]) -> bytes:
    """What libFuzzer does to bytes, where there is none: a few small changes."""
    out = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        at = rng.randrange(len(out) + 1)
        end = min(at + 1 + rng.randrange(1 << rng.randrange(1, 7)), len(out))
        kind = rng.randrange(8)
        if kind == 0 and at < len(out):
            out[at] = rng.randrange(256)
        elif kind == 1 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del out[at:end]
        elif kind == 3:
            out[at:at] = rng.randbytes(1 + rng.randrange(4))
        elif kind == 4:
            out[at:at] = out[at:end] * (1 + rng.randrange(3))
        elif kind == 5 and tokens:
            out[at:at] = rng.choice(tokens)
        elif kind == 6:
            out[at:end] = rng.choice(NUMBERS).encode()
        elif kind == 7 and at < len(out):
            width = rng.choice((1, 2, 4, 8))
            value = rng.choice(
                (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
            )
            out[at : at + width] = (value & (256**width - 1)).to_bytes(width, "little")
    return bytes(out[:LARGEST])


def text(data: bytes, rng: random.Random, raw: Raw) -> bytes:
    """Text: numbers, words and signs are exchanged, dropped, doubled."""
    if rng.random() < 0.3:
        return raw(data)
    parts = _TOKEN.findall(data) or [b""]
    for _ in range(1 << rng.randrange(3)):
        at = rng.randrange(len(parts))
        kind = rng.randrange(6)
        if kind == 0:
            parts[at] = rng.choice(NUMBERS).encode()
        elif kind == 1:
            parts[at] = rng.choice(parts)
        elif kind == 2:
            del parts[at : at + 1 + rng.randrange(3)]
            parts = parts or [b""]
        elif kind == 3:
            parts[at:at] = parts[at : at + 1 + rng.randrange(12)]
        elif kind == 4:
            parts.insert(at, rng.choice(TEXTS).encode("utf-8", "surrogatepass"))
        elif found := [k for k, part in enumerate(parts) if _NUMBER.fullmatch(part)]:
            parts[rng.choice(found)] = rng.choice(NUMBERS).encode()
    return b"".join(parts)[:LARGEST]


def tree(value: Any, rng: random.Random, raw: Raw) -> Any:
    """A JSON value with another value, key or item somewhere in it."""
    places: list[tuple[Any, Any]] = []
    todo = [value]
    while todo and len(places) < 2000:
        node = todo.pop()
        keys = (
            node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        )
        for key in keys:
            places.append((node, key))
            todo.append(node[key])
    if not places or rng.random() < 0.01:
        return rng.choice(VALUES)
    for _ in range(1 << rng.randrange(3)):
        node, key = rng.choice(places)
        if (key not in node) if isinstance(node, dict) else key >= len(node):
            continue
        kind = rng.randrange(7)
        if kind <= 1:
            node[key] = _copy(rng.choice(VALUES))
        elif kind == 2:
            node[key] = _changed(node[key], rng, raw)
        elif kind == 3:
            other, name = rng.choice(places)
            with contextlib.suppress(KeyError, IndexError):
                node[key] = _copy(other[name])
        elif kind == 4:
            del node[key]
        elif kind == 5 and isinstance(node, list):
            node[key:key] = _copy(node[key : key + 1 + rng.randrange(4)])
        elif isinstance(node, dict):
            node[rng.choice([*node, *TEXTS])] = _copy(rng.choice([node[key], *VALUES]))
        else:
            node[key] = [node[key]]
    return value


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value)) if isinstance(value, dict | list) else value


def _changed(value: Any, rng: random.Random, raw: Raw) -> Any:
    if isinstance(value, bool) or value is None:
        return rng.choice(VALUES)
    if isinstance(value, int):
        return rng.choice(
            (value + 1, value - 1, -value, value * 2, value * 256, float(value % 2**60))
        )
    if isinstance(value, float):
        return rng.choice((-value, value * 1e10, value / 1e10, value + 0.5, value * 1e200))
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):  # JSON in JSON
            inner = json.loads(value)
            if isinstance(inner, dict | list):
                return json.dumps(tree(inner, rng, raw))
        return raw(value.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
    return rng.choice(VALUES)


def json_text(data: bytes, rng: random.Random, raw: Raw) -> bytes:
    """One JSON value."""
    if rng.random() < 0.2:
        return text(data, rng, raw)
    try:
        value = tree(json.loads(data), rng, raw)
        return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return text(data, rng, raw)


def json_lines(data: bytes, rng: random.Random, raw: Raw) -> bytes:
    """A JSON value a line."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    kind = rng.randrange(12)
    if kind == 0:
        return raw(data)
    if kind == 1:
        lines.insert(
            at, rng.choice((b"", b" ", b"\r", b"null", b"[]", b"\xef\xbb\xbf", b"{}", b"7"))
        )
    elif kind == 2:
        lines.insert(at, rng.choice(lines))
    elif kind == 3:
        del lines[at]
    else:
        lines[at] = json_text(lines[at], rng, raw)
    return b"\n".join(lines)[:LARGEST]


def gzipped(inside: Mutator) -> Mutator:
    """A gzip whose content is changed, its sums right; or its own bytes."""

    def mutate(data: bytes, rng: random.Random, raw: Raw) -> bytes:
        if rng.random() < 0.2:
            return raw(data)
        try:
            content = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return raw(data)
        made = gzip.compress(inside(content, rng, raw), 1, mtime=0)
        if rng.random() < 0.1:
            made += rng.choice((b"\0" * 9, b"x", gzip.compress(b"\n", mtime=0), made))
        return made[:LARGEST]

    return mutate


_OPCODES = [(code.code.encode("latin1"), code.arg) for code in pickletools.opcodes]
_STARTS = [
    b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n",
    b"K\x00\x85", b"C\x01b", b"U\x01b", b"cos\nsystem\n", b"c_codecs\nencode\n",
    b"X\x06\0\0\0latin1", b"X\x02\0\0\0i2", b"U\x02f8", b"U\x01O", b"K\x01K\x03\x86",
    b"(K\x01K\x05K\x03\x86", b"U\x01<", b"J\xff\xff\xff\xff", b"NNN", b"tb", b"e", b"]", b"](",
    b"R", b"q\x01", b"h\x01", b"\x87R", b"\x8a\x01\x05",
]  # fmt: skip


def pickled(data: bytes, rng: random.Random, raw: Raw) -> bytes:
    """A pickle, opcode by opcode."""
    if rng.random() < 0.2:
        return raw(data)
    parts = []
    try:
        starts = [at for _, _, at in pickletools.genops(data)]
        parts = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    except Exception:  # whatever it raises on noise
        return raw(data)
    for _ in range(1 << rng.randrange(3)):
        at = rng.randrange(len(parts) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            parts.insert(at, rng.choice(_STARTS))
        elif kind == 1:
            code, argument = rng.choice(_OPCODES)
            size = argument.n if argument is not None else 0
            tail = (
                rng.randbytes(size)
                if size >= 0
                else rng.choice((b"\1\0\0\0a", b"\x01a", b"1\n", b"a\nb\n"))
            )
            parts.insert(at, code + tail)
        elif kind == 2:
            del parts[at : at + 1 + rng.randrange(4)]
        elif kind == 3 and parts:
            parts[at:at] = parts[at : at + 1 + rng.randrange(20)]
        elif kind == 4 and parts:
            parts.insert(at, rng.choice(parts))
        elif at < len(parts):
            part = bytearray(parts[at])
            where = rng.randrange(len(part))
            part[where] = rng.choice(
                (0, 1, 2, 3, 5, 127, 128, 255, part[where] ^ (1 << rng.randrange(8)))
            )
            parts[at] = bytes(part)
    return b"".join(parts)[:LARGEST]


_DESCRS = [
    "|O", "<i2", "<i8", "<f2", "<f4", "<f8", ">i2", "|u1", "|b1", "<c8", "<U4", "|S3", "<M8[s]",
    "|V6", "O", "i2", "=f4", "|i2", "<i3", "<u4", "|i1", ">f8",
]  # fmt: skip
_SHAPES = [
    "()", "(0,)", "(1,)", "(2,)", "(3,)", "(2,3)", "(0,2)", "(3,2)", "(2,4,3)", "(0,0,3)",
    "(2,0,3)", "(0,4,3)", "(2,3,5)", "(1,1,1,1)", "(-1,)", "(1<<40,)", "(10**12, 3)",
    "(281474976710655,)", "(2.0,)", "(True,)", "[2]", "2", "(2, 9, 3)", "(1, 2)", "(5,2)", "(2, 2)",
    "(4294967296, 4294967296, 3)", "(0, 100000000000, 3)",
]  # fmt: skip
_DESCR = re.compile(r"'descr': ('[^']*'|\[[^\]]*\])")
_SHAPE = re.compile(r"'shape': \([^)]*\)")


def npy(data: bytes, rng: random.Random, raw: Raw) -> bytes:
    """An array: its header by field, or what follows."""
    if data[:6] != b"\x93NUMPY" or len(data) < 10 or rng.random() < 0.05:
        return raw(data)
    size = int.from_bytes(data[8:10], "little")
    head, rest = data[10 : 10 + size].decode("latin1"), data[10 + size :]
    kind = rng.randrange(10)
    if kind == 0:
        head = _DESCR.sub(lambda _: f"'descr': '{rng.choice(_DESCRS)}'", head)
    elif kind == 1:
        head = _SHAPE.sub(lambda _: f"'shape': {rng.choice(_SHAPES)}", head)
    elif kind == 2:
        head = head.replace("False", "True") if "False" in head else head.replace("True", "False")
    elif kind == 3:
        head = text(head.encode("latin1"), rng, raw).decode("latin1")
    elif rest[:1] == b"\x80" or b"|O" in data[10 : 10 + size]:
        rest = pickled(rest, rng, raw)
    elif kind == 4:
        rest = rest[: rng.randrange(len(rest) + 1)]
    else:
        rest = _numbers(rest, rng) if rng.random() < 0.6 else raw(rest)
    text_ = head.encode("latin1", "replace")[:60000]
    return data[:8] + len(text_).to_bytes(2, "little") + text_ + rest


_SPECIAL = [
    struct.pack("<f", v) for v in (0.0, 1.0, -0.0, 3e38, 1e9, 1e-40, float("nan"), float("inf"))
] + [struct.pack("<d", v) for v in (1.0, 1e300, -1e300, 1e39, float("nan"), float("inf"), 2.0)] + [
    struct.pack("<h", v) for v in (0, 1, 2, -1, 32767, -32768)
] + [struct.pack("<q", v) for v in (0, 1, -1, 2**31, 2**62)]  # fmt: skip


def _numbers(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        value = rng.choice(_SPECIAL)
        if len(out) >= len(value):
            at = rng.randrange(len(out) // len(value)) * len(value)
            out[at : at + len(value)] = value
    return bytes(out)


_MEMBERS = [
    "train", "valid", "test", "sketches", "x", "arr_0", "arr_1", "arr_²", "mu", "z", "sigma",
    "words", "about", "moves", "offsets", "word_ids", "splits", "hashes", "../x", "a\x1b[2J",
    "train/", "",
]  # fmt: skip


def zipped(inside: dict[str, Mutator]) -> Mutator:
    """A zip, member by member, its sums right; or the fields of its headers; or plain bytes.

    ``zipfile`` warns of two members of one name, which is wanted here.

    Args:
        inside: how members are changed, by their names; arrays, if it does not say.
    """

    def mutate(data: bytes, rng: random.Random, raw: Raw) -> bytes:
        kind = rng.randrange(20)
        if kind == 0:
            return raw(data)
        if kind <= 2:
            return _zip_fields(data, rng)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                infos = archive.infolist()
                if sum(info.file_size for info in infos) > 1 << 20:
                    return raw(data)
                held = [(i.filename, i.compress_type, archive.read(i), i.extra) for i in infos]
        except Exception:  # whatever zipfile raises on noise
            return raw(data)
        if not held:
            return raw(data)
        at = rng.randrange(len(held))
        name, how, content, extra = held[at]
        if kind == 3:
            held[at] = (
                rng.choice(_MEMBERS) + rng.choice((".npy", ".npy", ".txt")),
                how,
                content,
                extra,
            )
        elif kind == 4:
            del held[at]
        elif kind == 5:
            held.append((rng.choice((name, f"{rng.choice(_MEMBERS)}.npy")), how, content, extra))
        elif kind == 6:
            held[at] = (name, rng.choice((0, 8, 8, 12, 14)), content, extra)
        else:
            change = inside.get(name, npy)
            held[at] = (name, how, change(content, rng, raw), extra)
        stream = io.BytesIO()
        try:
            with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
                warnings.simplefilter("ignore")
                for name, how, content, extra in held:
                    info = zipfile.ZipInfo(name)
                    info.compress_type = how
                    info.extra = extra
                    archive.writestr(info, content)
        except Exception:  # a name or field that zipfile does not write
            return raw(data)
        return stream.getvalue()[: 1 << 18]

    return mutate


def _zip_fields(data: bytes, rng: random.Random) -> bytes:
    """Another number in a local header, the directory or its end."""
    marks = [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"]
    spots = [m.start() for mark in marks for m in re.finditer(re.escape(mark), data)]
    if not spots:
        return data[: rng.randrange(len(data) + 1)]
    out = bytearray(data)
    for _ in range(1 + rng.randrange(2)):
        at = rng.choice(spots) + 4 + 2 * rng.randrange(21)
        width = rng.choice((2, 4))
        old = int.from_bytes(out[at : at + width], "little")
        value = rng.choice(
            (0, 1, 8, 9, 12, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, old + 1, max(old - 1, 0), old * 2)
        )
        if at + width <= len(out):
            out[at : at + width] = (value & (256**width - 1)).to_bytes(width, "little")
    return bytes(out)


def safetensors(seal: Callable[[dict[str, Any], bytes], None] | None = None) -> Mutator:
    """A safetensors file: its header as a tree, or its numbers.

    Args:
        seal: puts the header in order again, given the header and the data.
    """

    def mutate(data: bytes, rng: random.Random, raw: Raw) -> bytes:
        size = int.from_bytes(data[:8], "little")
        if size > len(data) - 8 or rng.random() < 0.05:
            return raw(data)
        text_, rest = data[8 : 8 + size], data[8 + size :]
        kind = rng.randrange(8)
        try:
            header = json.loads(text_)
            if not isinstance(header, dict):
                return raw(data)
            if kind == 0:
                rest = _numbers(rest, rng)
            elif kind == 1:
                rest = raw(rest)
            elif (
                kind <= 3
                and isinstance(header.get("__metadata__"), dict)
                and header["__metadata__"]
            ):
                metadata = header["__metadata__"]
                name = rng.choice(list(metadata))
                if isinstance(metadata[name], str):
                    metadata[name] = json_text(metadata[name].encode(), rng, raw).decode(
                        "utf-8", "replace"
                    )
            else:
                header = tree(header, rng, raw)
            if seal is not None and isinstance(header, dict) and rng.random() < 0.95:
                seal(header, rest)
            text_ = json.dumps(header).encode()
        except (ValueError, RecursionError, TypeError):
            text_ = raw(text_)
        text_ += b" " * (-len(text_) % 8)
        return len(text_).to_bytes(8, "little") + text_ + rest

    return mutate


_RECORD = struct.Struct("<Q2sBIH")


def quickdraw_bin(data: bytes, rng: random.Random, raw: Raw) -> bytes:
    """Records of a .bin: one field of one of them, or plain bytes."""
    if len(data) < _RECORD.size or rng.random() < 0.3:
        return raw(data)
    starts, at = [], 0
    while at + _RECORD.size <= len(data):
        starts.append(at)
        n_strokes = data[at + 15] | data[at + 16] << 8
        at += _RECORD.size
        for _ in range(min(n_strokes, 1000)):
            at += 2 + 2 * int.from_bytes(data[at : at + 2], "little")
    starts.append(min(at, len(data)))
    a, b = rng.choice(list(zip(starts, starts[1:], strict=False)))
    out = bytearray(data)
    kind = rng.randrange(5)
    if kind == 0:
        out[a + 15 : a + 17] = rng.choice((0, 1, 2, 3, 255, 65535)).to_bytes(2, "little")
    elif kind == 1:
        out[a + 17 : a + 19] = rng.choice((0, 1, 2, 255, 65535)).to_bytes(2, "little")
    elif kind == 2:
        out[a:a] = out[a:b]
    elif kind == 3:
        del out[a:b]
    else:
        where = a + rng.randrange(max(min(b - a, 17), 1))
        out[where] = rng.choice((0, 1, 2, 127, 128, 255))
    return bytes(out[:LARGEST])


def arguments(
    options: Callable[[], dict[str, list[list[str]]]], seeds: Callable[[], list[bytes]]
) -> Mutator:
    """A command as a JSON list of words; most changes leave it one that may be done.

    Args:
        options: of every command, what stands for it: an option with a value, or a plain word.
        seeds: commands to begin with.
    """

    def mutate(data: bytes, rng: random.Random, raw: Raw) -> bytes:
        try:
            words = json.loads(rng.choice(seeds()) if rng.random() < 0.4 else data)
            assert isinstance(words, list)
            assert all(isinstance(word, str) for word in words)
        except (ValueError, AssertionError, RecursionError):
            words = json.loads(rng.choice(seeds()))
        table = options()
        if not words or words[0] not in table:
            words = json.loads(rng.choice(seeds()))
        for _ in range(1 + rng.randrange(3)):
            # before an option, or at the end: an option keeps its value
            gaps = [k for k in range(1, len(words)) if words[k].startswith("-")] + [len(words)]
            at = rng.choice(gaps)
            kind = rng.randrange(12)
            if kind <= 6:
                words[at:at] = rng.choice(table[words[0]])
            elif kind <= 8 and at < len(words):
                has_value = words[at + 1 : at + 2] and not words[at + 1].startswith("-")
                del words[at : at + 1 + bool(has_value)]
            elif kind == 9 and at < len(words):
                text_ = raw(words[at].encode("utf-8", "replace"))[:300]
                words[at] = text_.decode("utf-8", "surrogateescape")
            elif kind == 10 and len(words) > 1:
                words[rng.randrange(1, len(words))] = rng.choice([*TEXTS[:-1], *NUMBERS])
            elif kind == 11:
                words.insert(rng.randrange(1, len(words) + 1), rng.choice(words))
        return json.dumps(words[:40]).encode()

    return mutate
