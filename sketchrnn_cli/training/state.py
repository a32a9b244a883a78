"""Saved states of a run: everything that training needs to go on after kill -9.

A state is one safetensors file in ``state/``: weights, Adam's moments, and the counters in its
metadata. The last two are kept; each carries a checksum, and a damaged newest one gives way to
the one before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadFile
from sketchrnn_cli.model import checkpoint

FOLDER = "state"
KEPT = 2
VERSION = "1"

Arrays = dict[str, npt.NDArray[Any]]  # float32, or float64 where a run asks for it
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(slots=True)
class Progress:
    """Counters of a run: all that is not a tensor."""

    step: int = 0  # steps done
    rate_scale: float = 1.0  # learning rate is multiplied by it; halved at every rollback
    rollbacks: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    seconds: float = 0.0  # of training, over all sessions
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])  # since the last line


@dataclass(frozen=True, slots=True)
class State:
    """A saved state as read back."""

    path: Path
    progress: Progress
    arrays: Arrays  # model.NAME, average.NAME; mean.NAME and square.NAME (Adam's moments)


def _checksum(arrays: Arrays, progress: str) -> str:
    digest = hashlib.blake2b(progress.encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def to_bytes(progress: Progress, arrays: Arrays) -> bytes:
    """A state as a file; ``from_bytes`` reads it."""
    counters = json.dumps(asdict(progress))
    metadata = {
        "format": "sketchrnn-state",
        "format_version": VERSION,
        "progress": counters,
        "checksum": _checksum(arrays, counters),
    }
    return checkpoint.to_bytes(arrays, metadata)


def save(run: Path, progress: Progress, arrays: Arrays) -> Path:
    """Write the state of a step and drop all but the last two.

    Raises:
        BadFile: it cannot be written.
    """
    folder = run / FOLDER
    try:
        folder.mkdir(exist_ok=True)  # but not the run: who removes it does not want it back
    except OSError as error:
        raise BadFile(f"{folder}: cannot be written: {(error.strerror or '').lower()}") from None
    path = folder / f"step-{progress.step:09d}.safetensors"
    checkpoint.write_atomic(path, to_bytes(progress, arrays))
    for _, old in _files(run)[KEPT:]:
        with contextlib.suppress(OSError):  # the next time, then
            old.unlink()
    return path


def _files(run: Path) -> list[tuple[int, Path]]:
    """Saved states by step, newest first."""
    found = []
    for path in (run / FOLDER).glob("step-*.safetensors"):
        if match := re.fullmatch(r"step-(\d+)\.safetensors", path.name):
            found.append((int(match[1]), path))
    return sorted(found, reverse=True)


def load_newest(run: Path) -> tuple[State | None, list[str]]:
    """The newest state that is whole, and a line for each damaged one passed over.

    Raises:
        BadCheckpoint: there are states, but none is whole.
    """
    complaints: list[str] = []
    files = _files(run)
    for _, path in files:
        try:
            return _read(path), complaints
        except BadCheckpoint as error:
            complaints.append(str(error))
    if files:
        raise BadCheckpoint(f"{run / FOLDER}: no saved state is whole: {complaints[0]}")
    return None, complaints


def _read(path: Path) -> State:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadCheckpoint(f"{path}: damaged state: {type(error).__name__}") from None
    return from_bytes(data, path)


def from_bytes(data: bytes, path: Path) -> State:
    """Inverse of ``to_bytes``, for bytes at hand; the path is for messages.

    Raises:
        BadCheckpoint: they are damaged, or of another version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as to_arrays

    try:
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        arrays = to_arrays(data)
        counters = metadata["progress"]
        if metadata["format_version"] != VERSION:
            raise BadCheckpoint(f"{path}: state of format version {metadata['format_version']}")
        if metadata["checksum"] != _checksum(arrays, counters):
            raise BadCheckpoint(f"{path}: damaged state: wrong checksum")
        return State(path, Progress(**json.loads(counters)), arrays)
    except (*_DAMAGE, SafetensorError) as error:
        raise BadCheckpoint(f"{path}: damaged state: {type(error).__name__}") from None
