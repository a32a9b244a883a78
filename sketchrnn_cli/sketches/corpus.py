"""Training sets: the packed file, and how it is made of any others."""

from sketchrnn_cli.sketches.building import (
    BuildOptions,
    build,
    build_ndjson,
    build_sketch_rnn,
    build_sketches,
    open_or_build,
)
from sketchrnn_cli.sketches.packed import SPLITS, Corpus, is_packed

__all__ = [
    "SPLITS",
    "BuildOptions",
    "Corpus",
    "build",
    "build_ndjson",
    "build_sketch_rnn",
    "build_sketches",
    "is_packed",
    "open_or_build",
]
