"""Files of latents: npz with mu, sigma and words, or NDJSON with z.

Symbols: N latents, Z latent size.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.files import name_of, open_input
from sketchrnn_cli.sketches.corpus import Writer
from sketchrnn_cli.sketches.formats.archive import Member, decoded, opened, read_members

Array = npt.NDArray[np.float32]
Encoded = Iterable[tuple[Array, Array, str | None]]

MAX_BYTES = 2**27  # of an npz, of one array in it, of one line
MAX_LINE = 1 << 24  # bytes
MAX_WORD = 256  # characters
PIECE = 1 << 18  # bytes copied at once
_DESCR = re.compile(r"[<>|=]?(?:f[248]|U[1-9][0-9]{0,7})")  # numpy knows no wider texts
MAGIC = b"PK\x03\x04"  # a zip


@dataclass(frozen=True, slots=True)
class Latents:
    """Latents of N sketches, and what the sketches are called."""

    mu: Array  # (N, Z)
    sigma: Array | None = None  # (N, Z)
    words: tuple[str | None, ...] | None = None


def read(source: str) -> Latents:
    """Read latents as ``encode`` writes them: npz with ``mu`` (or ``z``), or NDJSON with ``z``.

    There is a sigma where every line has one.

    Raises:
        BadFile: it is neither, holds no latents, or latents of several sizes or not finite.
    """
    found: list[Latents] = []
    size = 0
    for each in read_each(source):
        found.append(each)
        size += each.mu.nbytes + (0 if each.sigma is None else each.sigma.nbytes)
        if size > MAX_BYTES:
            raise _too_many(name_of(source))
    if len(found) == 1:
        return found[0]
    sigmas = [each.sigma for each in found if each.sigma is not None]
    return Latents(
        np.concatenate([each.mu for each in found]),
        np.concatenate(sigmas) if len(sigmas) == len(found) else None,
        tuple(word for each in found for word in each.words or ()),
    )


def read_each(source: str) -> Iterator[Latents]:
    """Read latents: those of NDJSON one by one, as they come in; those of an npz all together.

    Raises:
        BadFile: as ``read``.
    """
    name = name_of(source)
    with open_input(source) as stream:
        head = stream.read(len(MAGIC))
        if head != MAGIC:
            yield from _of_lines(head, stream, name)
            return
        data = head + stream.read(MAX_BYTES)
        if len(data) > MAX_BYTES:
            raise _too_many(name)
        yield _of_npz(data, name)


def _too_many(name: str) -> BadFile:
    return BadFile(f"{name}: over {MAX_BYTES >> 20} MiB of latents; give fewer at once")


def write_npz_of(stream: BinaryIO, encoded: Encoded, folder: Path) -> int:
    """Write mu, sigma and words ("" where there is none) of latents that come one by one.

    They are never all in memory.

    Args:
        stream: written to.
        encoded: mu and sigma, (Z,), and word of each.
        folder: for files in between.

    Returns:
        How many there were. Of none, nothing is written.

    Raises:
        BadSketch: a word that is a text.
    """
    numbers: dict[str, int] = {}
    n = size = 0
    with (
        TemporaryFile(dir=folder) as mus,
        TemporaryFile(dir=folder) as sigmas,
        TemporaryFile(dir=folder) as words,
    ):
        for mu, sigma, word in encoded:
            if word and len(word) > MAX_WORD:
                raise BadSketch(
                    f"drawing {n + 1:,}: a word of {len(word):,} characters, which an npz would "
                    "have room for in every row; write NDJSON"
                )
            n, size = n + 1, len(mu)
            mus.write(np.asarray(mu, "<f4").tobytes())
            sigmas.write(np.asarray(sigma, "<f4").tobytes())
            number = numbers.setdefault(word or "", len(numbers))
            words.write(number.to_bytes(4, "little"))
        if not n:
            return 0
        with Writer(stream) as writer:
            writer.add("mu", "<f4", (n, size), _pieces(mus, "<f4"))
            writer.add("sigma", "<f4", (n, size), _pieces(sigmas, "<f4"))
            texts = np.array(list(numbers), np.str_)
            kind = f"<U{max(texts.itemsize // 4, 1)}"
            writer.add("words", kind, (n,), (texts[part] for part in _pieces(words, "<i4")))
    return n


def _pieces(file: IO[bytes], kind: str) -> Iterator[npt.NDArray[Any]]:
    """What is in a file, from its beginning."""
    file.seek(0)
    while data := file.read(PIECE):
        yield np.frombuffer(data, kind)


def _of_npz(data: bytes, name: str) -> Latents:
    with opened(io.BytesIO(data), name) as archive:
        members = {member.name: member for member in read_members(archive, name)}
        key = next((key for key in ("mu", "z") if key in members), None)
        if key is None:
            held = ", ".join(list(members)[:5])
            raise BadFile(f"{name}: no latents (mu or z) in it, but {held}; see `encode -o`")
        wanted = (key, "sigma", "words")
        arrays = {each: _array(members[each]) for each in wanted if each in members}
    mu = _checked(arrays[key], f"{name}: {key}")
    sigma = _checked(arrays["sigma"], f"{name}: sigma") if "sigma" in arrays else None
    words: tuple[str | None, ...] | None = None
    if "words" in arrays:
        texts = decoded(arrays["words"].ravel(), f"{name}: words holds a word")
        words = tuple(text or None for text in texts)
    if sigma is not None and sigma.shape != mu.shape:
        raise BadFile(f"{name}: sigma has shape {sigma.shape}, and {key} {mu.shape}")
    if words is not None and len(words) != len(mu):
        raise BadFile(f"{name}: {len(words):,} words for {len(mu):,} latents")
    return Latents(mu, sigma, words)


def _array(member: Member) -> npt.NDArray[Any]:
    if not _DESCR.fullmatch(member.descr):
        raise BadFile(
            f"{member.where} is of type {member.descr[:20]!r}, and latents are plain numbers"
        )
    return member.array(MAX_BYTES)


def _of_lines(head: bytes, stream: BinaryIO, name: str) -> Iterator[Latents]:
    """Latent, sigma and word of every line, as it comes in."""
    import orjson

    first: Array | None = None
    for number, line in enumerate(_lines(head, stream), start=1):
        if not line.strip():
            continue
        where = f"{name}: line {number}"
        try:
            record = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            raise BadFile(f"{where}: not JSON ({error}); latents are NDJSON or npz") from None
        if not isinstance(record, dict) or "z" not in record:
            raise BadFile(f"{where}: no latent in it; pass the drawings through `encode` first")
        mu = _vector(record["z"], f"{where}: z", first)
        first = mu if first is None else first
        sigma = None
        if "sigma" in record:
            sigma = _vector(record["sigma"], f"{where}: sigma", first)[None]
        word = record.get("word")
        yield Latents(mu[None], sigma, (word if isinstance(word, str) else None,))
    if first is None:
        raise BadFile(f"{name}: empty: no latents")


def _lines(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Lines of a stream whose first bytes have been read."""
    yield from (head + stream.readline(MAX_LINE)).splitlines(keepends=True)
    while line := stream.readline(MAX_LINE):
        yield line


def _vector(values: object, where: str, first: Array | None) -> Array:
    try:
        with np.errstate(over="ignore"):  # infinite then, and refused below
            vector = np.asarray(values, np.float32)
    except (ValueError, TypeError, OverflowError):
        vector = np.zeros(0, np.float32)
    if vector.ndim != 1 or not len(vector) or not np.isfinite(vector).all():
        raise BadFile(f"{where} is not a list of numbers")
    if first is not None and len(vector) != len(first):
        raise BadFile(f"{where} has {len(vector):,} numbers, and the first one {len(first):,}")
    return vector


def _checked(values: npt.NDArray[Any], where: str) -> Array:
    if values.dtype.kind != "f" or values.ndim != 2 or not values.size:
        raise BadFile(
            f"{where}: latents have shape (sketches, size), not {values.shape} of {values.dtype}"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        single = np.asarray(values, np.float32)
    if not np.isfinite(single).all():
        raise BadFile(f"{where}: a latent is not a finite number")
    return single
