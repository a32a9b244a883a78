"""Untrusted files of drawings, for the tests of readers."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import zipfile

import numpy as np

from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.formats import json_objects, ndjson

HEADER = "{'descr': '|O', 'fortran_order': False, 'shape': (%d,), }\n"


def stroke3(n=30, seed=0, dtype=np.int16):
    """n drawings of 2 to 19 points."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(n):
        k = int(rng.integers(2, 20))
        moves = np.column_stack([rng.integers(-50, 51, (k, 2)), rng.random(k) < 0.2])
        moves[-1, 2] = 1
        result.append(moves.astype(dtype))
    return result


def objects(arrays):
    """An object array of them, one dimension."""
    result = np.empty(len(arrays), object)
    result[:] = arrays
    return result


def member(payload, n=1):
    """A .npy with an object header and any bytes in place of the pickle."""
    header = (HEADER % n).encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + payload


def write_zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


def write_npz(path, protocol=3, **arrays):
    """An npz whose lists of arrays are pickled at this protocol, as numpy does."""
    members = {}
    for name, value in arrays.items():
        if isinstance(value, list):
            members[name] = member(pickle.dumps(objects(value), protocol=protocol), len(value))
        else:
            buffer = io.BytesIO()
            np.save(buffer, value)
            members[name] = buffer.getvalue()
    write_zip(path, **members)
    return str(path)


def python2(pickled):
    """A protocol-3 pickle as Python 2 writes it: ``str`` for bytes and text, no protocol 3."""
    out = []
    listed = list(pickletools.genops(pickled))
    ends = [position for _, _, position in listed[1:]] + [len(pickled)]
    for (code, argument, position), end in zip(listed, ends, strict=True):
        if code.name in ("BINUNICODE", "BINBYTES", "SHORT_BINBYTES"):
            data = argument.encode("latin1") if isinstance(argument, str) else argument
            short = len(data) < 256
            out.append(b"U" + bytes([len(data)]) if short else b"T" + struct.pack("<i", len(data)))
            out.append(data)
        else:
            out.append(b"\x80\x02" if code.name == "PROTO" else pickled[position:end])
    return b"".join(out)


QUICKDRAW = (
    b'{"word":"cat","countrycode":"VE","timestamp":"2017-03-02 23:25:10.07453 UTC",'
    b'"recognized":true,"key_id":"5201136883597312",'
    b'"drawing":[[[0,255,130],[0,40,72]],[[10,20,30,40],[5,6,7,8]]]}\n'
)


def ndjson_blocks(path, *, word=None, skipped=None, **how):
    """The drawings of a file, in blocks."""
    arriving = json_objects.arrivals(str(path))
    return ndjson.blocks_of(arriving, name_of(str(path)), word, skipped, **how)


def ndjson_sketches(path, **how):
    """The same one by one, with their times."""
    for block in ndjson_blocks(path, extras=True, singly=True, **how):
        yield from map(block.sketch, range(len(block)))


def write_latents(stream, latents):
    """Latents as an npz, as numpy writes it."""
    arrays = {"mu": latents.mu}
    if latents.sigma is not None:
        arrays["sigma"] = latents.sigma
    if latents.words is not None:
        arrays["words"] = np.array([word or "" for word in latents.words], np.str_)
    np.savez(stream, **arrays)
