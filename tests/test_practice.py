"""The drawings that ship to practise on."""

from pathlib import Path

import numpy as np

from sketchrnn_cli.sketches import practice
from sketchrnn_cli.sketches.corpus import Corpus


def test_they_are_a_sound_packed_set_of_five_words():
    corpus = Corpus.open(practice.FILE)
    corpus.check()
    assert corpus.words == ("bowtie", "eyeglasses", "hat", "sock", "wine glass")
    assert np.bincount(corpus.word_ids).tolist() == [400] * 5
    assert all(len(corpus.indices(split)) > 80 for split in ("train", "valid", "test"))
    assert corpus.preparation.fit
    assert practice.FILE.stat().st_size < 400_000


def test_their_card_names_source_licence_and_numbers():
    card = practice.FILE.with_suffix(".md").read_text("utf-8")
    corpus = Corpus.open(practice.FILE)
    for said in ("Quick, Draw!", "Google", "CC BY 4.0", *corpus.words, f"{len(corpus):,}"):
        assert said in card
    for split in ("train", "valid", "test"):
        assert f"{len(corpus.indices(split)):,}" in card


def test_a_copy_is_the_same_file(tmp_path: Path):
    practice.copy_to(tmp_path / "corpus.npz")
    assert (tmp_path / "corpus.npz").read_bytes() == practice.FILE.read_bytes()
