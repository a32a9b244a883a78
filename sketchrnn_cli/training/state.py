"""Saved states of a run: everything that training needs to go on after kill -9.

A state is one safetensors file in ``state/``: weights, Adam's moments, and in its metadata the
counters and the name of the run it is of. The last two are kept; each carries a checksum, and a
newest one that is damaged or of another run gives way to the one before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadFile
from sketchrnn_cli.model import tensor_file

FOLDER = "state"
KEPT = 2
VERSION = 1

Arrays = dict[str, npt.NDArray[Any]]  # float32, or float64 where a run asks for it
MOST = 10**12  # steps, rollbacks, seconds
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
    of: str = ""  # the name of its run; empty: it does not say


class NewerState(BadCheckpoint):
    """A state that a later version of this program wrote: going back to an older one loses it."""


def _checksum(arrays: Arrays, progress: str) -> str:
    digest = hashlib.blake2b(progress.encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def to_bytes(progress: Progress, arrays: Arrays, of: str = "") -> bytes:
    """A state as a file; ``from_bytes`` reads it."""
    counters = json.dumps(asdict(progress))
    metadata = {
        "format": "sketchrnn-state",
        "format_version": str(VERSION),
        "progress": counters,
        "checksum": _checksum(arrays, counters),
        "run": of,
    }
    return tensor_file.to_bytes(arrays, metadata)


def save(run: Path, progress: Progress, arrays: Arrays, of: str = "") -> Path:
    """Write the state of a step; of all that are there, keep the last two up to this step.

    Those of later steps are damaged or of another run, or training would not be here.

    Raises:
        BadFile: it cannot be written.
    """
    folder = run / FOLDER
    try:
        folder.mkdir(exist_ok=True)  # but not the run: who removes it does not want it back
    except OSError as error:
        raise BadFile(f"{folder}: cannot be written: {(error.strerror or '').lower()}") from None
    path = folder / f"step-{progress.step:09d}.safetensors"
    tensor_file.write(path, to_bytes(progress, arrays, of))
    found = _files(run)
    kept = [file for step, file in found if step <= progress.step][:KEPT]
    for _, old in found:
        if old in kept:
            continue
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


def load_newest(
    run: Path, fault_of: Callable[[State], str] = lambda saved: ""
) -> tuple[State | None, list[str]]:
    """The newest state that is whole, and a line for each newer one passed over.

    Args:
        run: its folder.
        fault_of: says why a whole state is not of this run; nothing where it is.

    Raises:
        BadCheckpoint: there are states, but none to go on from; or one is of a newer version.
    """
    complaints: list[str] = []
    for step, path in _files(run):
        try:
            saved = _read(path)
            fault = fault_of(saved)
            if saved.progress.step != step:
                fault = f"damaged state: its name says step {step}, and it is of another"
            if not fault:
                return saved, complaints
            complaints.append(f"{path}: {fault}")
        except NewerState:
            raise
        except BadCheckpoint as error:
            complaints.append(str(error))
    if complaints:
        raise BadCheckpoint(
            f"{run / FOLDER}: no saved state is whole and of this run ({complaints[0]}); "
            "--overwrite begins anew"
        )
    return None, complaints


def _read(path: Path) -> State:
    try:
        data = path.read_bytes()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise BadCheckpoint(f"{path}: damaged state: cannot be read: {why}") from None
    return from_bytes(data, path)


def from_bytes(data: bytes, path: Path) -> State:
    """Inverse of ``to_bytes``, for bytes at hand; the path is for messages.

    Raises:
        BadCheckpoint: they are damaged.
        NewerState: they are of a newer version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as to_arrays

    if not data:
        raise BadCheckpoint(f"{path}: damaged state: an empty file")
    try:
        size = int.from_bytes(data[:8], "little")
        if size > len(data) - 8:
            raise BadCheckpoint(f"{path}: damaged state: it ends early")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        version = str(metadata["format_version"])
        if not re.fullmatch(r"[0-9]{1,9}", version):
            raise BadCheckpoint(f"{path}: damaged state: format version {version[:40]!r}")
        if int(version) > VERSION:
            raise NewerState(
                f"{path}: a state of format version {version}, and this program reads up to "
                f"{VERSION}; update sketchrnn"
            )
        arrays = to_arrays(data)
        counters = metadata["progress"]
        if metadata["checksum"] != _checksum(arrays, counters):
            raise BadCheckpoint(f"{path}: damaged state: wrong checksum")
        progress = Progress(**json.loads(counters))
        if fault := _fault(progress, arrays):
            raise BadCheckpoint(f"{path}: damaged state: {fault}")
        return State(path, progress, _of_today(arrays), str(metadata.get("run", "")))
    except (*_DAMAGE, SafetensorError) as error:
        raise BadCheckpoint(f"{path}: damaged state: {type(error).__name__}") from None


def _fault(progress: Progress, arrays: Arrays) -> str:
    """What no run of ours leaves behind, or nothing."""
    for name in ("step", "rollbacks", "best_step"):
        value = getattr(progress, name)
        if type(value) is not int or not 0 <= value <= MOST:
            return f"a {name} of {str(value)[:40]}"
    if not (_is_number(progress.rate_scale) and 0 < progress.rate_scale <= 1):
        return f"a rate_scale of {str(progress.rate_scale)[:40]}"
    if not (_is_number(progress.seconds) and 0 <= progress.seconds <= MOST):
        return f"{str(progress.seconds)[:40]} seconds of training"
    if not _is_number(progress.best_loss) and progress.best_loss != math.inf:
        return f"a best_loss of {str(progress.best_loss)[:40]}"
    sums = progress.sums
    if not isinstance(sums, list) or len(sums) != 4 or not all(map(_is_number, sums)):
        return "sums that are not four numbers"
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            return f"{name} holds {array.dtype}"
        if not np.isfinite(array).all():
            return f"{name} holds a number that is not finite"
    return ""


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _of_today(arrays: Arrays) -> Arrays:
    """Arrays of the first states, which have no average, as those of today."""
    if any(name.startswith("average.") for name in arrays):
        return arrays
    weights = {name: array for name, array in arrays.items() if name.startswith("model.")}
    return arrays | {f"average.{name.removeprefix('model.')}": weights[name] for name in weights}
