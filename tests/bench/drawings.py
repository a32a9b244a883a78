"""The drawings that are measured with, in every form that `preprocess` reads."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import orjson


def to_ndjson(sources, path):
    """All files as one."""
    with path.open("wb") as out:
        for source in sources:
            reader = gzip.open if str(source).endswith(".gz") else open
            with reader(source, "rb") as stream:
                shutil.copyfileobj(stream, out)


def synthetic(path):
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    from synthetic import generate

    from sketchrnn_cli.sketches.formats import ndjson

    with path.open("wb") as stream:
        stream.writelines(ndjson.to_line(sketch) for sketch in generate(1000, seed=0))


def count(path):
    with path.open("rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


def times(path, n, out):
    """A file n times over."""
    with out.open("wb") as stream:
        for _ in range(n):
            with path.open("rb") as part:
                shutil.copyfileobj(part, stream)
    return out


def zipped(path, out):
    with path.open("rb") as stream, gzip.open(out, "wb", compresslevel=1) as sink:
        shutil.copyfileobj(stream, sink)
    return out


def folder(path, n, out):
    """A folder of n files."""
    out.mkdir()
    for k in range(n):
        try:
            (out / f"part-{k:02}.ndjson").symlink_to(path.resolve())
        except OSError:
            shutil.copy(path, out / f"part-{k:02}.ndjson")
    return out


def raw(path, out, n, seed=0):
    """The first n drawings as a hand would have drawn them: large, shaky, dense and timed."""
    rng = np.random.default_rng(seed)
    with path.open("rb") as stream, out.open("wb") as sink:
        for _, line in zip(range(n), stream, strict=False):
            record = orjson.loads(line)
            record["drawing"] = [_by_hand(stroke, rng) for stroke in record["drawing"]]
            sink.write(orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
    return out


def _by_hand(stroke, rng):
    x, y = np.array(stroke[0], float), np.array(stroke[1], float)
    walked = np.concatenate([[0], np.hypot(np.diff(x), np.diff(y)).cumsum()])
    at = np.arange(0, walked[-1] + 4, 4).clip(max=walked[-1])
    points = [2.5 * np.interp(at, walked, axis) + rng.normal(0, 0.5, len(at)) for axis in (x, y)]
    return [*points, 16.0 * np.arange(len(at))]


def dense(packed, n, out):
    """A set n times over as one array (drawings, longest, 3) of int16, padded with zeros."""
    from sketchrnn_cli.sketches.corpus import Corpus

    corpus = Corpus.open(packed)
    header = io.BytesIO()
    shape = (n * len(corpus), corpus.n_max, 3)
    described = {"descr": "<i2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("train.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(n):
            for first in range(0, len(corpus), 2048):
                part = np.zeros((min(2048, len(corpus) - first), *shape[1:]), "<i2")
                for k, row in enumerate(part):
                    moves = corpus.moves_of(first + k)
                    row[: len(moves)] = moves
                member.write(part.tobytes())
    return out


def prepare(sources, folder):
    """The files given, or synthetic drawings, as one ndjson file."""
    path = Path(folder) / "drawings.ndjson"
    if sources:
        to_ndjson(sources, path)
    else:
        synthetic(path)
    return path
