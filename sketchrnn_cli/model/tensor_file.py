"""One safetensors file: arrays by name, texts of metadata, a format version, a checksum.

Torch-free. Models and saved training states are such files. The same content gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadCheckpoint, BadFile

Arrays = dict[str, npt.NDArray[Any]]
Metadata = dict[str, str]


class Kind(NamedTuple):
    """What a reader expects of a file."""

    format: str  # what the metadata calls it
    version: int  # the newest that this program reads
    noun: str  # what messages call it
    written_by: str  # the command that writes it
    newer: type[BadCheckpoint]  # raised for a later version, which is not corrupt


def checksum(arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> str:
    """32 hex digits that depend on every array and every word of the metadata but "checksum"."""
    texts = {key: value for key, value in metadata.items() if key != "checksum"}
    digest = blake2b(json.dumps(texts, sort_keys=True).encode(), digest_size=16)
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def to_bytes(arrays: Mapping[str, npt.NDArray[Any]], metadata: Metadata) -> bytes:
    """A safetensors file.

    The library writes its metadata in an order that changes from one process to the next, so the
    header is put in order here.
    """
    from safetensors.numpy import save as write_arrays

    data = write_arrays({name: np.ascontiguousarray(a) for name, a in arrays.items()}, metadata)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def from_bytes(data: bytes, kind: Kind, *, name: str) -> tuple[Arrays, Metadata]:
    """Inverse of ``to_bytes``; the checksum is left to the caller, see ``check``.

    Raises:
        BadCheckpoint: not such a file, corrupt, or (``kind.newer``) of a newer version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as read_arrays

    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8 or data[8:9] != b"{":
        raise BadCheckpoint(
            f"{name}: not a sketchrnn {kind.noun} (a safetensors file written by {kind.written_by})"
        )
    try:
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    except (ValueError, RecursionError, AttributeError):
        raise BadCheckpoint(f"{name}: damaged {kind.noun}: unreadable header") from None
    if not isinstance(metadata, dict) or metadata.get("format") != kind.format:
        raise BadCheckpoint(f"{name}: a safetensors file, but not a sketchrnn {kind.noun}")
    version = str(metadata.get("format_version", ""))
    if not re.fullmatch(r"[0-9]{1,9}", version):
        raise BadCheckpoint(f"{name}: damaged {kind.noun}: format version {version[:40]!r}")
    if int(version) > kind.version:
        raise kind.newer(
            f"{name}: format version {version}, and this program reads up to {kind.version}; "
            "update sketchrnn"
        )
    try:
        arrays = read_arrays(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadCheckpoint(f"{name}: damaged {kind.noun}: {error}") from None
    return arrays, {str(key): str(value) for key, value in metadata.items()}


def check(arrays: Arrays, metadata: Metadata, kind: Kind, *, name: str) -> None:
    """Compare a file with its checksum, where it has one: the first files have none.

    Raises:
        BadCheckpoint: they differ.
    """
    if "checksum" in metadata and metadata["checksum"] != checksum(arrays, metadata):
        raise BadCheckpoint(
            f"{name}: damaged {kind.noun}: wrong checksum; fetch it or make it again"
        )


def read(path: Path) -> bytes:
    """Content of a file.

    Raises:
        BadFile: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None


def write(path: Path, data: bytes) -> None:
    """Replace a file by new content, whole or not at all.

    Raises:
        BadFile: it cannot be written.
    """
    try:
        with files.replacing(path) as stream:
            stream.write(data)
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {(error.strerror or '').lower()}") from None
