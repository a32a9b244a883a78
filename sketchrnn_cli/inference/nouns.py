"""Nouns that a model does not know, and the word of it that comes nearest: a dachshund is a dog.

The table is baked by .ci/nouns.py; pretrained/README.md says how. A line of it is a word of Quick,
Draw!, the words that may stand in for it, the nearest first, and the nouns that are drawn as it:
"dog,cat|beagle,dachshund". It is read when the first unknown word is looked up.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from sketchrnn_cli import pretrained
from sketchrnn_cli.sketches.words import forms

MAX_TOKENS = 4  # of a noun


@functools.cache
def table() -> dict[str, tuple[str, ...]]:
    """Every noun, and the words that it may be drawn as, the nearest first; all folded."""
    import gzip

    found: dict[str, tuple[str, ...]] = {}
    for line in gzip.decompress(pretrained.NOUNS.read_bytes()).decode().splitlines():
        words, _, nouns = line.partition("|")
        row = tuple(words.split(","))
        found |= dict.fromkeys((row[0], *nouns.split(",")), row)
    return found


def nearest(noun: str, labels: Mapping[str, str]) -> str | None:
    """The label that a noun may be drawn as, or None.

    Args:
        noun: folded, singular or plural.
        labels: of a model, by what each is called.
    """
    known = table()
    words = next((known[form] for form in forms(noun) if form in known), ())
    return next((labels[word] for word in words if word in labels), None)
