"""Train, valid and test: by what a drawing is, not by where it stands.

A drawing's split is a function of its fingerprint, so identical drawings share one, and neither
the order of the files nor what else is in them changes it. Files that came split keep their
splits; what is missing there is made of their train part.

Letters: N drawings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.sketches.block import NO_TEST, NO_VALID, TEST, TRAIN, UNSPLIT, VALID

BUCKET = 250_000  # distinct drawings compared at once, or somewhat more
PIECE = 1 << 18  # drawings looked at together
N_ORIGINS = 6  # codes of blocks.py
SMALL = 200_000  # sets in which a split may come out empty

Shares = tuple[float, float, float]
Splits = npt.NDArray[np.uint8]
Column = Callable[[], Iterator[npt.NDArray[Any]]]
_RECORD = np.dtype([("hash", "<u8"), ("origin", "u1")])


def check(shares: Shares) -> None:
    """Raise BadConfig for shares that are none."""
    good = all(math.isfinite(share) and share >= 0 for share in shares)
    if len(shares) != 3 or not good or not shares[0] > 0:
        text = ",".join(f"{share:g}" for share in shares)
        raise BadConfig(f"--split {text}: give three shares for train, valid, test, like 90,5,5")


def assign(
    hashes: Column,
    origins: Column,
    n: int,
    shares: Shares,
    scratch_file: Callable[[], BinaryIO],
    *,
    keep: Callable[[Splits], None],
) -> tuple[list[int], dict[str, Any]]:
    """Decide the split of every drawing.

    Equals are found bucket by bucket: drawings whose fingerprints have the same remainder lie
    together in a file, so memory does not grow with their number.

    Args:
        hashes: gives the fingerprints of all drawings, in pieces.
        origins: gives the codes of blocks.py, in the same pieces.
        n: drawings.
        shares: of train, valid, test, for what did not come split.
        scratch_file: makes a file for what is in between.
        keep: takes the splits in order, in pieces: 0 train, 1 valid, 2 test.

    Returns:
        How many drawings are in each; and duplicates in each split and leakage between them.
    """
    n_buckets = 1 + n // BUCKET
    sizes, same = np.zeros(3, np.int64), np.zeros(3, np.int64)
    leaks = {"valid_in_train": 0, "test_in_train": 0, "test_in_valid": 0}
    with scratch_file() as sorted_in, scratch_file() as file:
        counts = np.zeros(n_buckets, np.int64)
        for part in hashes():
            counts += np.bincount(_bucket(part, n_buckets), minlength=n_buckets)
        begins = np.cumsum(counts) - counts
        for pieces in _by_bucket(zip(hashes(), origins(), strict=True), begins, n_buckets):
            for at, records in pieces:
                sorted_in.seek(at * _RECORD.itemsize)
                sorted_in.write(records.tobytes())
        for begin, count in zip(begins.tolist(), counts.tolist(), strict=True):
            distinct, codes = _distinct(_records(sorted_in, begin, count))
            group, made_of_train = _groups(distinct, codes, shares)
            members = np.zeros(3 * len(distinct), np.int64)
            for records in _records(sorted_in, begin, count):
                hashed, origin = records["hash"], records["origin"]
                which = np.searchsorted(distinct, hashed)
                found = group[which]
                came = origin < UNSPLIT
                found[came] = origin[came]
                found[(origin > UNSPLIT) & made_of_train[which]] = TRAIN
                if n_buckets == 1 and n <= SMALL:  # then it is one piece
                    _fill(found, hashed, origin, shares)
                members += np.bincount(3 * which + found, minlength=len(members))
                file.write(found.tobytes())
            train, valid, test = each = members.reshape(-1, 3).T
            sizes += each.sum(axis=1)
            same += np.maximum(each - 1, 0).sum(axis=1)
            leaks["valid_in_train"] += int(valid[train > 0].sum())
            leaks["test_in_train"] += int(test[train > 0].sum())
            leaks["test_in_valid"] += int(test[valid > 0].sum())
        file.flush()
        for part in _back(hashes(), begins, n_buckets, file):
            keep(part)
    duplicates = dict(zip(("train", "valid", "test"), same.tolist(), strict=True))
    return sizes.tolist(), {"duplicates": duplicates, "leakage": leaks}


def _bucket(hashed: npt.NDArray[Any], n_buckets: int) -> npt.NDArray[np.int64]:
    """Which bucket each fingerprint is in."""
    return (hashed % np.uint64(n_buckets)).astype(np.int64)


def _cuts(buckets: npt.NDArray[np.int64], n_buckets: int) -> list[tuple[int, int, int]]:
    """The buckets that there are in a piece, and where each begins and ends when it is sorted."""
    counts = np.bincount(buckets, minlength=n_buckets)
    ends = np.cumsum(counts)
    there = np.flatnonzero(counts)
    starts = (ends - counts)[there]
    return list(zip(there.tolist(), starts.tolist(), ends[there].tolist(), strict=True))


def _by_bucket(
    pieces: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    begins: npt.NDArray[np.int64],
    n_buckets: int,
) -> Iterator[list[tuple[int, npt.NDArray[Any]]]]:
    """Of every piece, the records of each bucket and at which place they belong."""
    filled = begins.copy()
    for part, codes in pieces:
        buckets = _bucket(part, n_buckets)
        order = np.argsort(buckets, kind="stable")
        records = np.empty(len(part), _RECORD)
        records["hash"], records["origin"] = part[order], codes[order]
        placed = []
        for bucket, start, end in _cuts(buckets, n_buckets):
            placed.append((int(filled[bucket]), records[start:end]))
            filled[bucket] += end - start
        yield placed


def _back(
    pieces: Iterable[npt.NDArray[Any]],
    begins: npt.NDArray[np.int64],
    n_buckets: int,
    file: IO[bytes],
) -> Iterator[Splits]:
    """The splits of the drawings in their own order again."""
    taken = begins.copy()
    for part in pieces:
        buckets = _bucket(part, n_buckets)
        order = np.argsort(buckets, kind="stable")
        found = []
        for bucket, start, end in _cuts(buckets, n_buckets):
            file.seek(int(taken[bucket]))
            found.append(np.frombuffer(file.read(end - start), np.uint8))
            taken[bucket] += end - start
        splits = np.empty(len(part), np.uint8)
        splits[order] = np.concatenate(found)
        yield splits


def _place(hashed: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """A fingerprint as a number in [0, 1)."""
    return (hashed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _records(file: IO[bytes], begin: int, count: int) -> Iterator[npt.NDArray[Any]]:
    """The records of a bucket: several pieces where very many drawings are the same."""
    for first in range(begin, begin + count, PIECE):
        n = min(PIECE, begin + count - first)
        file.seek(first * _RECORD.itemsize)
        yield np.frombuffer(file.read(n * _RECORD.itemsize), _RECORD)


def _distinct(
    pieces: Iterable[npt.NDArray[Any]],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """The fingerprints of a bucket, sorted, (D,), and which origins each came from, (D, 6)."""
    hashed, codes = np.zeros(0, np.uint64), np.zeros((0, N_ORIGINS), np.bool_)
    for records in pieces:
        found, which = np.unique(records["hash"], return_inverse=True)
        came = np.zeros((len(found), N_ORIGINS), np.bool_)
        came[which, records["origin"]] = True
        merged, place = np.unique(np.concatenate([hashed, found]), return_inverse=True)
        both = np.zeros((len(merged), N_ORIGINS), np.bool_)
        both[place[: len(hashed)]] = codes
        both[place[len(hashed) :]] |= came
        hashed, codes = merged, both
    return hashed, codes


def _groups(
    hashed: npt.NDArray[np.uint64], codes: npt.NDArray[np.bool_], shares: Shares
) -> tuple[Splits, npt.NDArray[np.bool_]]:
    """The split of drawings of a fingerprint that did not come split, (D,).

    And whether one that was made of a train part goes back there: it is in valid or test too.
    """
    train, valid, test = np.array(shares) / sum(shares)
    place = _place(hashed)
    group = np.where(place < train, TRAIN, np.where(place < train + valid, VALID, TEST))
    no_valid, no_test = codes[:, NO_VALID], codes[:, NO_TEST]
    group[no_valid] = np.where(place < train / (train + valid or 1), TRAIN, VALID)[no_valid]
    group[no_test] = np.where(place < train / (train + test or 1), TRAIN, TEST)[no_test]
    # Where an equal came split, the others follow it; a part that is also in valid or test there
    # stays in train, and is reported.
    for code in (TRAIN, VALID, TEST):
        group[codes[:, code]] = code
    made_of_train = (codes[:, VALID] | codes[:, TEST]) & (no_valid | no_test)
    return group.astype(np.uint8), made_of_train


def _fill(
    splits: Splits,
    hashed: npt.NDArray[np.uint64],
    origin: npt.NDArray[np.uint8],
    shares: Shares,
) -> None:
    """Give a split that is wanted, and came out empty in a small set, the nearest drawing."""
    loose = (origin == UNSPLIT) | (origin == NO_VALID) | (origin == NO_TEST)
    kept = np.unique(hashed[~loose])
    for code, missing in ((VALID, NO_VALID), (TEST, NO_TEST)):
        wanted = ((origin == UNSPLIT) | (origin == missing)).any()
        if not wanted or not shares[code] or (splits == code).any():
            continue
        free = loose & (splits == TRAIN) & ~np.isin(hashed, kept)
        choice = np.unique(hashed[free])
        if len(choice) > 1 or (len(choice) == 1 and (splits[~free] == TRAIN).any()):
            splits[free & (hashed == choice[-1])] = code
