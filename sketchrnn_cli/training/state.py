"""Saved states of a run: everything that training needs to resume after kill -9.

A state is one safetensors file in ``state/``: weights, Adam's moments, and in its metadata the
counters and the identity of its run. The last two are kept; each carries a checksum, and where
the newest is damaged or of another run, training resumes from the one before.
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

from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.files import writing
from sketchrnn_cli.model import tensor_file

FOLDER = "state"
KEPT = 2
VERSION = 2  # 1: no last_rollback, another checksum; the first of them no average

Arrays = dict[str, npt.NDArray[Any]]  # float32, or float64 where a run asks for it
MOST = 10**12  # steps, rollbacks, seconds
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(slots=True)
class Progress:
    """Counters of a run: all that is not a tensor."""

    step: int = 0  # steps done
    rate_scale: float = 1.0  # the learning rate is multiplied by it; halved at every rollback
    rollbacks: int = 0  # in a row
    last_rollback: int = 0  # the step that the last one went back to
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
    run_id: str = ""  # identity of its run; empty: unknown


class NewerState(BadCheckpoint):
    """A state that a newer version of this program wrote: passing over it would lose it."""


KIND = tensor_file.Kind("sketchrnn-state", VERSION, "state", "`train`", NewerState)


def _checksum_of_version_1(arrays: Arrays, progress: str) -> str:
    digest = hashlib.blake2b(progress.encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def to_bytes(progress: Progress, arrays: Arrays, run_id: str = "") -> bytes:
    """A state as a file; ``from_bytes`` reads it."""
    metadata = {
        "format": KIND.format,
        "format_version": str(VERSION),
        "progress": json.dumps(asdict(progress)),
        "run": run_id,
    }
    metadata["checksum"] = tensor_file.checksum(arrays, metadata)
    return tensor_file.to_bytes(arrays, metadata)


def save(run: Path, progress: Progress, arrays: Arrays, run_id: str = "") -> Path:
    """Write the state of a step, and keep the last two up to this step.

    States of later steps are damaged or of another run, or training would not be here.

    Raises:
        BadFile: it cannot be written.
    """
    folder = run / FOLDER
    with writing(folder):
        folder.mkdir(exist_ok=True)  # but not the run: if it was removed, it stays so
    path = folder / f"step-{progress.step:09d}.safetensors"
    tensor_file.write(path, to_bytes(progress, arrays, run_id))
    found = paths(run)
    kept = [file for step, file in found if step <= progress.step][:KEPT]
    for _, old in found:
        if old in kept:
            continue
        with contextlib.suppress(OSError):  # the next time, then
            old.unlink()
    return path


def paths(run: Path) -> list[tuple[int, Path]]:
    """Saved states by step, newest first."""
    found = []
    for path in (run / FOLDER).glob("step-*.safetensors"):
        if match := re.fullmatch(r"step-(\d+)\.safetensors", path.name):
            found.append((int(match[1]), path))
    return sorted(found, reverse=True)


def load_newest(
    run: Path, error_of: Callable[[State], str] = lambda saved: ""
) -> tuple[State | None, list[str]]:
    """The newest state that is whole, and a line for each newer one passed over.

    Args:
        run: its folder.
        error_of: says why a whole state is not of this run; empty where it is.

    Raises:
        BadCheckpoint: there are states, but none to resume from; or one is of a newer version.
    """
    passed_over: list[str] = []
    for step, path in paths(run):
        try:
            saved = _read(path)
            error = error_of(saved)
            if saved.progress.step != step:
                error = f"damaged state: its name says step {step}, and it is of another"
            if not error:
                return saved, passed_over
            passed_over.append(f"{path}: {error}")
        except NewerState:
            raise
        except BadCheckpoint as reason:
            passed_over.append(str(reason))
    if passed_over:
        raise BadCheckpoint(
            f"{run / FOLDER}: no saved state is whole and of this run ({passed_over[0]}); "
            "--overwrite begins anew"
        )
    return None, passed_over


def _read(path: Path) -> State:
    try:
        data = path.read_bytes()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise BadCheckpoint(f"{path}: damaged state: cannot be read: {why}") from None
    return from_bytes(data, path)


def from_bytes(data: bytes, path: Path) -> State:
    """Inverse of ``to_bytes``; the path is for messages.

    Raises:
        BadCheckpoint: they are damaged.
        NewerState: they are of a newer version.
    """
    arrays, metadata = tensor_file.from_bytes(data, KIND, name=str(path))
    try:
        counters = metadata["progress"]
        if int(metadata["format_version"]) > 1:
            checksum = tensor_file.checksum(arrays, metadata)
        else:
            checksum = _checksum_of_version_1(arrays, counters)
        if metadata["checksum"] != checksum:
            raise BadCheckpoint(f"{path}: damaged state: wrong checksum")
        progress = Progress(**json.loads(counters))
        if error := _error(progress, arrays):
            raise BadCheckpoint(f"{path}: damaged state: {error}")
        return State(path, progress, _with_average(arrays), metadata.get("run", ""))
    except _DAMAGE as error:
        raise BadCheckpoint(f"{path}: damaged state: {type(error).__name__}") from None


def _error(progress: Progress, arrays: Arrays) -> str:
    """What no run leaves behind; empty where there is nothing like it."""
    for name in ("step", "rollbacks", "last_rollback", "best_step"):
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


def _with_average(arrays: Arrays) -> Arrays:
    """Arrays of the first states, which have no average: the weights themselves."""
    if any(name.startswith("average.") for name in arrays):
        return arrays
    weights = {name: array for name, array in arrays.items() if name.startswith("model.")}
    return arrays | {f"average.{name.removeprefix('model.')}": weights[name] for name in weights}
