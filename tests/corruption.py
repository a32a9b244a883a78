"""Ways in which a file can be damaged."""

import numpy as np


def cuts(data):
    """Every length at steps of 1 %, none, and all but a byte."""
    lengths = {len(data) * share // 100 for share in range(100)} | {0, 1, 7, 8, len(data) - 1}
    for length in sorted(lengths):
        yield data[:length]


def flips(data, n=400):
    """A bit, then every bit, of each byte of the header; and of so many bytes of the data."""
    header = 8 + int.from_bytes(data[:8], "little")
    rng = np.random.default_rng(1)
    for at in (*range(header), *rng.integers(header, len(data), n).tolist()):
        for mask in (1 << int(rng.integers(8)), 255):
            changed = bytearray(data)
            changed[at] ^= mask
            yield at, bytes(changed)
