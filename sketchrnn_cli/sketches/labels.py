"""Names of number labels, as classes have in a data set: 64 is the sixty-fifth of a list."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.formats import sniff

MAX_BYTES = 1 << 24
KEYS = ("names", "id2label", "label2id")  # of a data set's labels
_NUMBER = r"""['"]?(?P<number>[0-9]{1,9})['"]?"""
_NUMBERED = re.compile(rf"{_NUMBER}(?:\s*[:,;=]\s*|\s+)(?P<name>\S.*)")  # 64: cat
_NAMED = re.compile(rf"(?P<name>\S.*?)\s*[:,;=\t]\s*{_NUMBER}")  # cat,64
_QUOTES = "'\" \t"

Labels = Mapping[str, str]  # names by number, as text


def read(source: str) -> Labels:
    """Read a file of names.

    Args:
        source: a text with a name a line, or a number and a name, as in a table or the card of a
            data set; or JSON: a list, an object of
            names by number or of numbers by name, or the ClassLabel of a data set, whose
            ``names`` may lie anywhere in it.

    Raises:
        BadFile: no such file, or no names in it.
    """
    name, data = name_of(source), b""
    for chunk in sniff.text_chunks(source, "a list of labels"):
        data += chunk
        if len(data) > MAX_BYTES:
            raise BadFile(f"{name}: over {MAX_BYTES >> 20} MiB of labels")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadFile(f"{name}: not UTF-8; save it as UTF-8") from None
    labels = _of_json(text, name) if text.lstrip()[:1] in ("[", "{") else _of_lines(text)
    if not labels:
        raise BadFile(f"{name}: no names of labels: give one a line, or JSON")
    return labels


def _of_lines(text: str) -> Labels:
    """Names a line, or numbers and names on all lines; on some, if these count up from 0."""
    lines = [line.strip() for line in text.splitlines()]
    n = sum(map(bool, lines))
    for pattern in (_NUMBERED, _NAMED):
        found = [match for line in lines if (match := pattern.fullmatch(line))]
        names = {str(int(match["number"])): match["name"].strip(_QUOTES) for match in found}
        counted = len(names) > 1 and {*names} == {*map(str, range(len(names)))}
        if n and (len(found) == n or (len(names) == len(found) and counted)):
            return names
    return {str(number): line for number, line in enumerate(lines) if line}


def _of_json(text: str, name: str) -> Labels:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadFile(f"{name}: not JSON: {error.msg} at column {error.colno}") from None
    return next(_within(found), {}) or _names(found)


def _within(found: Any) -> Iterator[Labels]:
    """Names under the keys of a data set, anywhere in a JSON value."""
    waiting = deque([found])
    while waiting:
        outer = waiting.popleft()
        for key, value in outer.items() if isinstance(outer, dict) else enumerate(outer):
            if key in KEYS and (names := _names(value)):
                yield names
            if isinstance(value, dict | list):
                waiting.append(value)


def _names(found: Any) -> Labels:
    """The names that a list or an object holds itself; empty where it is something else."""
    if isinstance(found, list) and all(isinstance(item, str) for item in found):
        return {str(number): label for number, label in enumerate(found)}
    if not isinstance(found, dict):
        return {}
    if all(key.isdecimal() and isinstance(item, str) for key, item in found.items()):
        return {key.lstrip("0") or "0": label for key, label in found.items()}
    if all(type(item) is int and item >= 0 for item in found.values()):
        return {str(number): label for label, number in found.items()}
    return {}


def is_number(word: str) -> bool:
    """Whether a label is a whole number."""
    return re.fullmatch(r"-?[0-9]+(?:\.0)?", word, re.ASCII) is not None


def named(word: str, labels: Labels, where: str) -> str:
    """The name of a number label; another word is itself.

    Raises:
        BadFile: a number that has no name.
    """
    if not is_number(word):
        return word
    label = labels.get(word.removesuffix(".0"))
    if label is None:
        raise BadFile(f"{where}: label {word[:20]}, but --labels names {len(labels):,} others")
    return label
