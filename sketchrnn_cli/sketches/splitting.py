"""Train, valid and test: by what a drawing is, not by where it stands.

A drawing's split is a function of its fingerprint, so identical drawings share one, and neither
the order of the files nor what else is in them changes it. Files that came split keep their
splits; what is missing there is made of their train part.

Letters: N drawings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.sketches.blocks import NO_TEST, NO_VALID, TEST, TRAIN, UNSPLIT, VALID

BUCKET = 2_000_000  # drawings compared at once
SMALL = 200_000  # sets in which a split may come out empty

Shares = tuple[float, float, float]
Splits = npt.NDArray[np.uint8]
Column = Callable[[], Iterator[npt.NDArray[Any]]]


def check(shares: Shares) -> None:
    """Raise BadConfig for shares that are none."""
    good = all(math.isfinite(share) and share >= 0 for share in shares)
    if len(shares) != 3 or not good or not shares[0] > 0:
        text = ",".join(f"{share:g}" for share in shares)
        raise BadConfig(f"--split {text}: give three shares for train, valid, test, like 90,5,5")


def assign(
    hashes: Column, origins: Column, n: int, shares: Shares
) -> tuple[Splits, dict[str, Any]]:
    """Decide the split of every drawing.

    Args:
        hashes: gives the fingerprints of all drawings, in pieces.
        origins: gives the codes of blocks.py, in pieces.
        n: drawings.
        shares: of train, valid, test, for what did not come split.

    Returns:
        (N,) 0 train, 1 valid, 2 test; and duplicates in each split and leakage between them.
    """
    splits = np.empty(n, np.uint8)
    n_buckets = 1 + n // BUCKET
    same = np.zeros(3, np.int64)
    leaks = {"valid_in_train": 0, "test_in_train": 0, "test_in_valid": 0}
    for bucket in range(n_buckets):
        index, hashed, origin = _bucket(hashes, origins, bucket, n_buckets)
        if not len(index):
            continue
        order = np.argsort(hashed, kind="stable")
        index, hashed, origin = index[order], hashed[order], origin[order]
        starts = np.flatnonzero(np.diff(hashed, prepend=hashed[:1] + np.uint64(1)))
        found = _groups(hashed, origin, starts, shares)
        if n_buckets == 1 and n <= SMALL:
            _fill(found, hashed, origin, shares)
        splits[index] = found
        members = np.stack([np.add.reduceat(found == s, starts, dtype=np.int64) for s in range(3)])
        same += np.maximum(members - 1, 0).sum(axis=1)
        train, valid, test = members
        leaks["valid_in_train"] += int(valid[train > 0].sum())
        leaks["test_in_train"] += int(test[train > 0].sum())
        leaks["test_in_valid"] += int(test[valid > 0].sum())
    duplicates = dict(zip(("train", "valid", "test"), same.tolist(), strict=True))
    return splits, {"duplicates": duplicates, "leakage": leaks}


def _bucket(
    hashes: Column, origins: Column, bucket: int, n_buckets: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """Numbers, fingerprints and origins of the drawings whose fingerprint falls in a bucket."""
    index, hashed, origin = [], [], []
    first = 0
    for part, codes in zip(hashes(), origins(), strict=True):
        chosen = np.flatnonzero(part % np.uint64(n_buckets) == bucket)
        index.append(chosen + first)
        hashed.append(part[chosen].astype(np.uint64))
        origin.append(codes[chosen].astype(np.uint8))
        first += len(part)
    if not index:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.uint8)
    return np.concatenate(index), np.concatenate(hashed), np.concatenate(origin)


def _place(hashed: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """A fingerprint as a number in [0, 1)."""
    return (hashed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _groups(
    hashed: npt.NDArray[np.uint64],
    origin: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.intp],
    shares: Shares,
) -> Splits:
    """The splits of drawings sorted by fingerprint; ``starts``: where groups of equals begin."""

    def any_of(code: int) -> npt.NDArray[np.bool_]:
        result: npt.NDArray[np.bool_] = np.logical_or.reduceat(origin == code, starts)
        return result

    train, valid, test = np.array(shares) / sum(shares)
    place = _place(hashed[starts])
    group = np.where(place < train, TRAIN, np.where(place < train + valid, VALID, TEST))
    no_valid, no_test = any_of(NO_VALID), any_of(NO_TEST)
    group[no_valid] = np.where(place < train / (train + valid or 1), TRAIN, VALID)[no_valid]
    group[no_test] = np.where(place < train / (train + test or 1), TRAIN, TEST)[no_test]
    # Where an equal came split, the others follow it; a part that is also in valid or test there
    # stays in train, and is reported.
    for code in (TRAIN, VALID, TEST):
        group[any_of(code)] = code
    made_of_train = (any_of(VALID) | any_of(TEST)) & (no_valid | no_test)
    sizes = np.diff(starts, append=len(hashed))
    result: Splits = np.repeat(group, sizes).astype(np.uint8)
    came = origin < UNSPLIT
    result[came] = origin[came]
    result[(origin > UNSPLIT) & np.repeat(made_of_train, sizes)] = TRAIN
    return result


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
