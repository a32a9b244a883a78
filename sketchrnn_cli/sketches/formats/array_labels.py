"""Labels beside the drawings of an npz: texts, numbers, rows of zeros and a one, and names."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches.formats.archive import Member, decoded
from sketchrnn_cli.sketches.formats.pickled_arrays import texts

MAX_BYTES = 1 << 26  # of an array, which is read whole
LABELS = {
    "y", "label", "labels", "word", "words", "class", "classes", "category", "categories",
    "target", "targets",
}  # fmt: skip
NAMES = {"names", "classes", "categories", "words", "labels"}
_TEXT = re.compile(r"[<>|=]?[US][1-9]\d{0,3}")


def is_label(member: Member) -> bool:
    """Whether an array may hold a label, or a row of zeros and a one, of each drawing."""
    flat = len(member.shape) == 1 or (len(member.shape) == 2 and not member.is_object)
    return flat and any(part in LABELS for part in _parts(member)) and "names" not in _parts(member)


def is_names(member: Member) -> bool:
    """Whether an array may hold the names of labels that are numbers."""
    is_text = member.is_object or _TEXT.fullmatch(member.descr)
    return bool(is_text and len(member.shape) == 1 and NAMES & set(_parts(member)))


def _parts(member: Member) -> list[str]:
    return re.split(r"[\W_]+", member.name.lower())


def read(member: Member, names: Member | None) -> list[str]:
    """What an array of labels says, numbers as texts unless they have names.

    Raises:
        BadFile: another number of labels than drawings, or no labels.
    """
    words = _texts(member)
    if len(words) != member.shape[0]:
        raise BadFile(f"{member.source}: {len(words):,} labels in {member.called}; get it again")
    if names is None or not all(word.isdecimal() and word.isascii() for word in words):
        return words
    called = _texts(names)
    if not all(len(word) < 10 and int(word) < len(called) for word in words):
        return words
    return [called[int(word)] for word in words]


def _of_rows(rows: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    """The place of the one in each row."""
    columns = rows.shape[1] if rows.dtype.kind in "iuf" else 0
    if columns == 1:
        return rows.reshape(-1)
    if not columns or not ((rows == 0) | (rows == 1)).all() or not (rows.sum(axis=1) == 1).all():
        raise BadFile(f"{where}: labels of {rows.shape[1]} columns; give one for each drawing")
    return np.asarray(rows.argmax(axis=1))


def _texts(member: Member) -> list[str]:
    """What an array of labels says, numbers as texts."""
    if member.is_object:
        return texts(member.data, member.where)
    if not (member.is_number or _TEXT.fullmatch(member.descr)):
        raise BadFile(
            f"{member.where}: labels of type {member.descr[:20]!r}; give texts or numbers"
        )
    values = member.array(MAX_BYTES)
    if values.ndim == 2:
        values = _of_rows(values, member.where)
    if values.dtype.kind in "iu":
        return [f"{value}" for value in values]
    if values.dtype.kind == "f":
        return [f"{value:g}" for value in values]
    return decoded(values, f"{member.where}: a label")
