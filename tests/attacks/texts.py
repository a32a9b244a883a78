"""Untrusted text: NDJSON, SVG, TOML and prompts; and Quick, Draw!'s .bin, which is none."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from attack import (
    CONFIG,
    DRAWINGS,
    EITHER,
    ERROR,
    EVALUATE,
    PIPED,
    RESULT,
    SKETCHES,
    Attack,
    with_more,
)
from datafiles import QUICKDRAW as LINE

INK = '<path d="M10 10L90 90" stroke="#000"/>'


def _drawing(drawing: bytes, rest: bytes = b"") -> bytes:
    return b'{"word":"cat","drawing":' + drawing + rest + b"}\n"


def _lines(path: Path, *parts: tuple[bytes, int]) -> None:
    """A gzipped file of these pieces, each so many times."""
    with gzip.open(path, "wb", 1) as stream:
        for piece, times in parts:
            n = max(1, min(times, (1 << 20) // max(len(piece), 1)))
            for _ in range(times // n):
                stream.write(piece * n)
            stream.write(piece * (times % n))


def _number(text: bytes) -> bytes:
    return _drawing(b"[[[0," + text + b"],[0,1]]]")


BEGUN = b'{"word":"cat","drawing":['
NUMBERS = {
    "1e999": b"1e999", "-1e999": b"-1e999", "1e308": b"1e308", "NaN": b"NaN", "nan": b"nan",
    "Infinity": b"Infinity", "-Infinity": b"-Infinity", "10^400": b"1" + b"0" * 400,
    "a million digits": b"1" * 1_000_000, 
    "an exponent of a million digits": b"1e" + b"1" * 1_000_000, "2^63": b"9223372036854775808",
    "2^64": b"18446744073709551616", "null": b"null", "true": b"true", "text": b'"x"',
    "text of a million digits": b'"' + b"1" * 1_000_000 + b'"', "text NaN": b'"NaN"',
    "text 1e999": b'"1e999"', "text 1_0": b'"1_0"', "empty text": b'""',
    "a list": b"[1]", "an object": b'{"a":1}', "hexadecimal": b"0x10", "octal": b"010",
    "1e30": b"1e30",
}  # fmt: skip
SMALL = {
    "as text": b'"1"',
    "a million decimals": b"0." + b"1" * 1_000_000,
    "1e-400": b"1e-400",
    "-0": b"-0",
    "-0.0": b"-0.0",
    "5e-324": b"5e-324",
}

LINES = [
    Attack("no attack.ndjson", LINE * 20, DRAWINGS, RESULT),
    *(Attack(f"number {k}.ndjson", _number(text), DRAWINGS) for k, text in NUMBERS.items()),
    *(Attack(f"number {k}.ndjson", _number(text), DRAWINGS, RESULT) for k, text in SMALL.items()),
    Attack("deep.ndjson", _drawing(b"[" * 100_000 + b"]" * 100_000), DRAWINGS),
    Attack("deep objects.ndjson", b'{"drawing":' * 100_000 + b"1" + b"}" * 100_000, DRAWINGS),
    Attack("deep beside.ndjson", _drawing(
        b"[[[0,1],[0,1]]]", b',"x":' + b"[" * 900 + b"]" * 900), DRAWINGS, EITHER),
    Attack("million strokes.ndjson.gz", lambda path: _lines(
        path, (BEGUN, 1), (b"[[0,1],[0,1]],", 999_999), (b"[[0,1],[0,1]]]}\n", 1)),
        DRAWINGS, EITHER),
    Attack("million dots.ndjson.gz", lambda path: _lines(
        path, (BEGUN, 1), (b"[[1],[1]],", 1_000_000), (b"[[1],[1]]]}\n", 1)), DRAWINGS[1:],
        EITHER),
    Attack("million empty strokes.ndjson.gz", lambda path: _lines(
        path, (BEGUN, 1), (b"[[],[]],", 1_000_000), (b"[[1,2],[1,2]]]}\n", 1)), DRAWINGS[:1],
        EITHER),
    Attack("a stroke of two million points.ndjson.gz", lambda path: _lines(
        path, (BEGUN + b"[[0", 1), (b",7,8", 1_000_000), (b"],[0", 1), (b",1,9", 1_000_000),
        (b"]]]}\n", 1)), DRAWINGS, EITHER),
    Attack("a line of 200 MB.ndjson.gz", lambda path: _lines(
        path, (BEGUN, 1), (b"[[0,1],[0,1]],", 14_000_000)), DRAWINGS, says="a line of over"),
    Attack("a word of 200 MB.ndjson.gz", lambda path: _lines(
        path, (b'{"word":"', 1), (b"x" * 1000, 200_000), (b'","drawing":[[[0,1],[0,1]]]}', 1)),
        DRAWINGS, says="a line of over"),
    *(
        Attack(f"a line of {name}.ndjson.gz", lambda path, piece=piece, n=n: _lines(
            path, (LINE[:-2] + b',"x":[', 1), (piece, n), (b"1]}\n", 1)), (DRAWINGS[k % 2],),
            EITHER)
        for k, (name, piece, n) in enumerate((
            ("60 MB of lists", b"[],", 20_000_000), ("60 MB of objects", b"{},", 20_000_000),
            ("60 MB of members", b'{"":0},', 8_500_000), ("60 MB of floats", b"1.5,", 15_000_000),
            ("15 MB of lists", b"[],", 5_000_000), ("15 MB of objects", b"{},", 5_000_000),
            ("15 MB of members", b'{"":0},', 2_100_000), ("15 MB of floats", b"1.5,", 3_700_000),
            ("15 MB of texts", b'"ab",', 3_000_000),
        ))
    ),
    Attack("a line of 15 MB of keys.ndjson.gz", lambda path: path.write_bytes(gzip.compress(
        LINE[:-2] + b"".join(b',"%d":0' % k for k in range(1_200_000)) + b"}\n", 1)),
        DRAWINGS, EITHER),
    Attack("many strokes that read both ways.ndjson.gz", lambda path: _lines(
        path, (BEGUN + b"[[0,1],[0,1]]," * 20_000 + b"[[0,1],[0,1]]]}\n", 150)), (), EITHER,
        also=SKETCHES[:1]),
    Attack("a drawing of a million points.ndjson.gz", lambda path: _lines(
        path, (BEGUN + b"[[0", 1), (b",0,255", 500_000), (b"],[0", 1), (b",255,1", 500_000),
        (b"]]]}\n", 1)), (), EITHER, also=(SKETCHES[0], SKETCHES[4])),
    Attack("a thousand drawings of 9,000 points.ndjson.gz", lambda path: _lines(
        path, (BEGUN + b"[[0" + b",0,255" * 4500 + b"],[0" + b",255,1" * 4500 + b"]]]}\n", 300)),
        (), EITHER, also=(SKETCHES[1],)),
    Attack("100,000 faulty lines.ndjson.gz", lambda path: _lines(path, (b"{}\n", 100_000)),
           DRAWINGS),
    Attack("not UTF-8.ndjson", LINE.replace(b"cat", b"\xff\xfe\x80"), DRAWINGS),
    Attack("overlong UTF-8.ndjson", LINE.replace(b"cat", b"\xc0\xaf"), DRAWINGS),
    Attack("UTF-16.ndjson", LINE.decode().encode("utf-16"), DRAWINGS, RESULT),
    Attack("UTF-32.ndjson", LINE.decode().encode("utf-32"), DRAWINGS),
    Attack("a lone surrogate.ndjson", LINE.replace(b"cat", b"\\ud800"), DRAWINGS, EITHER),
    Attack("surrogates the wrong way.ndjson", LINE.replace(b"cat", b"\\udc00\\ud800"), DRAWINGS,
           EITHER),
    Attack("escape codes.ndjson", LINE.replace(b"cat", b"\\u001b[2J\\u001b]0;x\\u0007") * 3,
           DRAWINGS, RESULT),
    Attack("a word of newlines.ndjson", LINE.replace(b"cat", b"a\\nerror: b\\r\\n") * 3, DRAWINGS,
           RESULT),
    Attack("a word of nulls.ndjson", LINE.replace(b"cat", b"\\u0000") * 3, DRAWINGS, RESULT),
    Attack("a word from right to left.ndjson", LINE.replace(b"cat", "\u202etac".encode()) * 3,
           DRAWINGS, RESULT),
    Attack("a word of a megabyte.ndjson.gz", lambda path: _lines(
        path, (LINE.replace(b"cat", b"c" * 1_000_000), 3)), DRAWINGS, EITHER),
    Attack("10,000 words.ndjson.gz", lambda path: path.write_bytes(gzip.compress(
        b"".join(LINE.replace(b"cat", b"w%d" % k) for k in range(10_000)), 1)), DRAWINGS, EITHER),
    Attack("raw escape codes.ndjson", LINE.replace(b"cat", b"\x1b[2J"), DRAWINGS),
    Attack("a key of escape codes.ndjson", b'{"\\u001b[2J\\nerror: x":1}\n', DRAWINGS),
    Attack("duplicate keys.ndjson", _drawing(b"[]", b',"drawing":[[[0,1],[0,1]]]') * 9, DRAWINGS,
           RESULT),
    Attack("duplicate keys the other way.ndjson", _drawing(
        b"[[[0,1],[0,1]]]", b',"drawing":[]') * 9, DRAWINGS, EITHER),
    Attack("a word that is an object.ndjson", LINE.replace(b'"cat"', b'{"a":1}') * 9, DRAWINGS,
           RESULT),
    Attack("a dunder.ndjson", LINE.replace(b'"word"', b'"__class__"') * 9, DRAWINGS, RESULT),
    Attack("rows of other lengths.ndjson", _drawing(b"[[[0,1],[0]]]"), DRAWINGS),
    Attack("rows of rows.ndjson", _drawing(b"[[[[0]],[[1]]]]"), DRAWINGS),
    Attack("only whites.ndjson", b" \t\r\n" * 1000, DRAWINGS),
    Attack("nulls.ndjson", bytes(100_000), DRAWINGS),
    Attack("nothing.ndjson", b"", DRAWINGS),
    Attack("a script.ndjson", b"#!/bin/sh\nmkdir was-run\n", DRAWINGS),
    Attack("YAML.ndjson", b"!!python/object/apply:os.mkdir ['was-run']\n", DRAWINGS),
    # as the page writes them, and as one who wants to be somebody else does
    Attack("page.ndjson", LINE[:-2] + b',"drawn_by":["person","model"],"model":"cat",'
           b'"temperature":0.4}\n', DRAWINGS, RESULT),
    Attack("page: drawn_by.ndjson", LINE[:-2] + b',"drawn_by":' + b"[" * 500 + b"]" * 500
           + b',"model":"\\u001b[2J","temperature":1e999}\n', DRAWINGS),
    Attack("page: scripts.ndjson", LINE.replace(b"cat", b"</script><script>alert(1)</script>")
           * 9, DRAWINGS, RESULT),
]  # fmt: skip

SHEETS = tuple(
    ("animate", "{file}", "-o", "{out}/x" + suffix, "--quiet") for suffix in (".svg", ".gif")
)
DRAWN = [
    Attack("animated scripts.ndjson", LINE.replace(b"cat", b"</title><script>alert(1)</script>"),
           SHEETS[:1], EITHER),
    Attack("animated escape codes.ndjson", LINE.replace(b"cat", b"\\u0000\\u001b[2J\\ud83d"),
           SHEETS[:1], EITHER),
    Attack("animated, far away.ndjson", _drawing(b"[[[9e8,-9e8],[9e8,-9e8]]]"), SHEETS[1:], EITHER),
    Attack("animated, tiny.ndjson", _drawing(b"[[[1e-300,2e-300],[0,5e-324]]]"), SHEETS[1:],
           EITHER),
    Attack("animated, 5,000 drawings.ndjson.gz", lambda path: _lines(path, (LINE, 5_000)),
           SHEETS[1:], EITHER),
    Attack("animated, a word of a megabyte.ndjson.gz", lambda path: _lines(
        path, (LINE.replace(b"cat", b"c" * 1_000_000), 1)), SHEETS[1:], EITHER),
]  # fmt: skip


def _svg(inside: str) -> bytes:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 100 100">{inside}</svg>'
    ).encode()


_LAUGHS = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 12))
SVG = [
    Attack("no attack.svg", _svg(INK), DRAWINGS, RESULT),
    Attack("billion laughs.svg", f'<!DOCTYPE svg [<!ENTITY a0 "ha">{_LAUGHS}]>'.encode()
           + _svg(f"&a11;{INK}"), DRAWINGS),
    Attack("a file as entity.svg", b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
           + _svg(f"&a;{INK}"), DRAWINGS),
    Attack("an address as entity.svg", b'<!DOCTYPE svg [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x">'
           b"%a;]>" + _svg(INK), DRAWINGS),
    Attack("a DTD elsewhere.svg", b'<!DOCTYPE svg SYSTEM "http://127.0.0.1:9/svg.dtd">' + _svg(INK),
           DRAWINGS, EITHER),
    Attack("include.svg", _svg('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" '
           f'href="file:///etc/passwd" parse="text"/>{INK}'), DRAWINGS, RESULT),
    Attack("a script.svg", _svg(f"<script>fetch('//x')</script>{INK}"), DRAWINGS, RESULT),
    Attack("a picture elsewhere.svg", _svg(f'<image xlink:href="http://127.0.0.1:9/x"/>{INK}'),
           DRAWINGS, RESULT),
    Attack("use elsewhere.svg", _svg(f'<use href="http://127.0.0.1:9/x.svg#a"/>{INK}'), DRAWINGS,
           EITHER),
    Attack("use of itself.svg", _svg('<use id="a" href="#a"/>' + INK), DRAWINGS, EITHER),
    Attack("use that laughs.svg", _svg(f'<defs><g id="a0">{INK}</g>' + "".join(
        f'<g id="a{k}">' + f'<use href="#a{k - 1}"/>' * 10 + "</g>" for k in range(1, 12))
        + '</defs><use href="#a11"/>'), DRAWINGS),
    Attack("deep.svg", _svg("<g>" * 50_000 + INK + "</g>" * 50_000), DRAWINGS),
    Attack("million groups.svg", lambda path: path.write_bytes(_svg("<g/>" * 1_000_000)),
           DRAWINGS),
    Attack("million attributes.svg", lambda path: path.write_bytes(
        _svg("<g " + " ".join(f"a{k}=''" for k in range(1_000_000)) + "/>")), DRAWINGS),
    Attack("30 MB of text.svgz", lambda path: path.write_bytes(gzip.compress(
        _svg("<text>" + "x" * 30_000_000 + "</text>" + INK), 1)), DRAWINGS, EITHER),
    Attack("30 MB of one attribute.svgz", lambda path: path.write_bytes(gzip.compress(
        _svg('<path d="' + "M0 0h9v9" * 3_700_000 + '"/>'), 1)), DRAWINGS),
    Attack("bomb.svgz", lambda path: path.write_bytes(gzip.compress(
        b"<svg>" + bytes(100_000_000), 1)), DRAWINGS),
    Attack("CSS.svg", lambda path: path.write_bytes(_svg(
        "<style>" + "g g g g g{fill:none}" * 50_000 + "</style>" + f"<g>{INK}</g>" * 1000)),
        DRAWINGS, EITHER),
    Attack("CSS of classes.svg", lambda path: path.write_bytes(_svg(
        "<style>" + "".join(f".c{k}{{stroke:red}}" for k in range(50_000)) + "</style>"
        + f'<g class="{" ".join(f"c{k}" for k in range(20_000))}">{INK}</g>' * 20)),
        DRAWINGS, EITHER),
    Attack("CSS import.svg", _svg(f"<style>@import url(http://127.0.0.1:9/x);</style>{INK}"),
           DRAWINGS, EITHER),
    Attack("CSS of descendants.svg", lambda path: path.write_bytes(_svg(
        "<style>" + ("g " * 15 + "a.b > path{fill:none}") * 2000 + "</style>"
        + "<g>" * 150 + INK * 9000 + "</g>" * 150)), DRAWINGS, EITHER),
    Attack("a million rules of CSS.svg", lambda path: path.write_bytes(_svg(
        "<style>" + "a," * 500_000 + "a{fill:none}</style>" + INK)), DRAWINGS, EITHER),
    Attack("entities of much text.svg", f'<!DOCTYPE svg [<!ENTITY a "{"ha" * 5000}">]>'.encode()
           + _svg("<g id='" + "&a;" * 100_000 + f"'/>{INK}"), DRAWINGS),
    Attack("a thousand prefixes.svg", _svg("".join(f"<p{k}:a/>" for k in range(1000)) + INK),
           DRAWINGS),
    Attack("clip paths in a ring.svg", _svg('<clipPath id="c" clip-path="url(#c)"><rect id="r" '
           'clip-path="url(#c)" width="9" height="9"/></clipPath><g clip-path="url(#c)">'
           f"{INK}</g>"), DRAWINGS, EITHER),
    Attack("dashes.svg", _svg('<path d="' + "-" * 1_000_000 + '"/>'), DRAWINGS),
    Attack("a number of a million digits.svg", _svg(f'<path d="M0 0L{"1" * 1_000_000} 1"/>'),
           DRAWINGS),
    Attack("1e999.svg", _svg('<path d="M0 0L1e999 1"/>'), DRAWINGS),
    Attack("NaN.svg", _svg('<path d="M0 0LNaN 1"/>'), DRAWINGS),
    Attack("1e308.svg", _svg('<path d="M0 0L1e308 1"/>'), DRAWINGS),
    Attack("a curve of 1e30.svg", _svg('<path d="M0 0C1e30 5-1e30 5 1 1"/>'), DRAWINGS, EITHER),
    Attack("an arc of 1e300.svg", _svg('<path d="M0 0a1e300 1e-300 0 0 0 1e300 1"/>'), DRAWINGS),
    Attack("transforms.svg", _svg(f'<g transform="{"scale(9)" * 400}">{INK}</g>'), DRAWINGS),
    Attack("transforms that pass.svg", _svg(f'<g transform="{"rotate(9)" * 10**6}">{INK}</g>'),
           DRAWINGS, EITHER),
    Attack("a word of escape codes.svg", _svg(f'<g data-word="&#x202e;&#10;&#9;x">{INK}</g>'),
           DRAWINGS, EITHER),
    Attack("escape codes.svg", b"<\x1b[2J\nerror: x>", DRAWINGS),
    Attack("not UTF-8.svg", _svg("<g>").replace(b"<g>", b"<g id='\xff\xfe'>"), DRAWINGS),
    Attack("UTF-7.svg", b'<?xml version="1.0" encoding="utf-7"?>' + _svg(INK), DRAWINGS),
    Attack("an encoding of code.svg", b'<?xml version="1.0" encoding="rot13"?>' + _svg(INK),
           DRAWINGS),
    Attack("undefined encoding.svg", b'<?xml version="1.0" encoding="undefined"?>' + _svg(INK),
           DRAWINGS),
    Attack("attributes of attributes.svg", _svg("<g " + "xmlns:a='b' " * 2 + "/>"), DRAWINGS),
    Attack("namespaces.svg", _svg("".join(f"<a{k}:g xmlns:a{k}='{k}'/>" for k in range(40_000))
           + INK), DRAWINGS, EITHER),
    Attack("comments.svg", lambda path: path.write_bytes(
        _svg("<!--" + "- " * 5_000_000 + "-->" + INK)), DRAWINGS, EITHER),
]  # fmt: skip


def _record(n_strokes: int, strokes: bytes, recognized: int = 1) -> bytes:
    return struct.pack("<Q2sBIH", 2**63, b"\x1b[", recognized, 0xFFFFFFFF, n_strokes) + strokes


_STROKE = struct.pack("<H", 2) + b"\0\1\2\3"
BIN = [
    Attack("no attack.bin", _record(2, _STROKE * 2) * 20, DRAWINGS, RESULT),
    Attack("65535 strokes of none.bin", _record(65535, b"\0\0" * 65535) * 5, DRAWINGS, EITHER),
    Attack("fewer strokes.bin", _record(65535, _STROKE), DRAWINGS),
    Attack("fewer points.bin", _record(1, b"\xff\xff" + b"\1\2"), DRAWINGS),
    Attack("no strokes.bin", _record(0, b"") * 1000, DRAWINGS, EITHER),
    Attack("recognized.bin", _record(1, _STROKE, 7), DRAWINGS),
    Attack("zeros.bin", bytes(1_000_000), DRAWINGS, EITHER),
    Attack("ones.bin", b"\xff" * 1_000_000, DRAWINGS),
    Attack("a drawing that never ends.bin.gz", lambda path: _lines(
        path, (_record(65535, b""), 1), (b"\xff\xff" + bytes(131_070), 400)), DRAWINGS),
    Attack("a drawing of 15 MB.bin.gz", lambda path: _lines(
        path, (_record(115, b""), 1), (b"\xff\xff" + bytes(range(210)) * 624 + bytes(30), 115)),
        DRAWINGS, EITHER),
    Attack("a bomb of drawings.bin.gz", lambda path: _lines(
        path, (_record(1, _STROKE), 100_000)), DRAWINGS, RESULT),
    Attack("a bomb of nothing.bin.gz", lambda path: _lines(path, (_record(0, b""), 300_000)),
           DRAWINGS, EITHER),
]  # fmt: skip

TOML = [
    Attack("no attack.toml", b"[training]\nseed = 5\n", CONFIG, RESULT),
    Attack("deep.toml", b"[model]\na = " + b"[" * 100_000 + b"]" * 100_000, CONFIG),
    Attack("deep tables.toml", b"[" + b"a." * 50_000 + b"a]\n", CONFIG),
    Attack("deep inline.toml", b"a = " + b"{a = " * 50_000 + b"1" + b"}" * 50_000, CONFIG),
    Attack("a number of a million digits.toml", b"[training]\nseed = " + b"9" * 1_000_000, CONFIG),
    Attack("hexadecimal.toml", b"[training]\nseed = 0x" + b"f" * 100_000, CONFIG),
    Attack("seed of 2^64.toml", b"[training]\nseed = 18446744073709551616", CONFIG),
    Attack("seed below zero.toml", b"[training]\nseed = -1", CONFIG),
    Attack("nan.toml", b"[training]\nlearning_rate = nan", CONFIG),
    Attack("inf.toml", b"[training]\nlearning_rate = inf", CONFIG),
    Attack("1e999.toml", b"[training]\nkl_weight = 1e999", CONFIG),
    Attack("huge sizes.toml", b"[model]\ndecoder_size = 999999999", CONFIG),
    Attack("a table.toml", b"[training.seed]\na = 1", CONFIG),
    Attack("a date.toml", b"[training]\nseed = 1979-05-27T07:32:00Z", CONFIG),
    Attack("unknown.toml", b"[training]\n__class__ = 1", CONFIG),
    Attack("unknown with escape codes.toml", b'[training]\n"\\u001b[2J\\nerror: x" = 1', CONFIG),
    Attack("a table with escape codes.toml", b'["\\u001b[2J\\nerror: x"]\na = 1', CONFIG),
    Attack("many unknown.toml", b"[training]\n" + b"".join(b"a%d = 1\n" % k for k in range(50_000)),
           CONFIG),
    Attack("a long name.toml", b"[training]\n" + b"a" * 1_000_000 + b" = 1\n", CONFIG),
    Attack("twice.toml", b"[training]\nseed = 1\nseed = 2", CONFIG),
    Attack("not UTF-8.toml", b"\xff\xfe[training]", CONFIG),
    Attack("nulls.toml", bytes(1000), CONFIG),
    Attack("code.toml", b"[training]\nseed = __import__('os').mkdir('was-run')", CONFIG),
]  # fmt: skip


def _prompt(text: str) -> tuple[tuple[str, ...], ...]:
    return (("sample", "-n", "1", "-o", "{out}/x.ndjson", "--", text),)


PROMPTS = [
    Attack(f"prompt {name}", b"", _prompt(text), ends)
    for name, text, ends in (
        ("no attack", "two cats", RESULT),
        ("long", "cat " * 30_000, ERROR),
        ("one word of 100,000", "c" * 100_000, ERROR),
        ("pluses", "cat" + " + cat" * 5000, EITHER),
        ("arrows", "cat" + " -> cat" * 5000, EITHER),
        ("only arrows", "->" * 20_000, ERROR),
        ("only colons", ":" * 50_000, ERROR),
        ("only commas", "," * 50_000, EITHER),
        ("parentheses", "(" * 20_000 + "cat", EITHER),
        ("a count of 10^18", f"{10**18} cats", ERROR),
        ("a count of 4000 digits", "9" * 4000 + " cats", ERROR),
        ("a count of 10,000 digits", "9" * 10_000 + " cats", ERROR),
        ("a count below zero", "-5 cats", EITHER),
        ("a weight of nan", "cat:nan + owl", ERROR),
        ("a weight of 1e999", "cat:1e999 + owl", ERROR),
        ("a weight of 1e-999", "cat:1e-999 + owl:1e-999", ERROR),
        ("weights of 9000 digits", f"cat:{'9' * 9000} + owl:0.{'1' * 9000}", EITHER),
        ("from right to left", "\u202ecat\u202c", EITHER),
        ("joined", "c\u200da\u200bt", EITHER),
        ("marks", "c" + "\u0301" * 5000 + "at", EITHER),
        ("escape codes", "\x1b[2Jcat\x1b]0;x\x07", EITHER),
        ("newlines", "cat\nerror: owned\r\n", EITHER),
        ("escape codes alone", "\x1b[2J\nerror: x", ERROR),
        ("half a surrogate", "cat \udcff", EITHER),
        ("other digits", "\u0663 cats", EITHER),
        ("superscripts", "\u00b2 cats", EITHER),
        ("fullwidth", "\uff43\uff41\uff54", EITHER),
        ("ligatures", "\ufb01sh " * 1000, EITHER),
        ("a format", "{0.__class__} %s%n cat", EITHER),
        ("a shell", "$(mkdir was-run) `mkdir was-run` cat", EITHER),
        ("a path", "../../../etc/passwd", ERROR),
    )
]

ATTACKS = [
    *with_more(LINES, SKETCHES, PIPED),
    *DRAWN,
    *with_more([*SVG, *BIN], (EVALUATE, *SKETCHES)),
]
OF_TRAINING = TOML
