"""The table of nouns: what it holds, and which word of a model a noun is drawn as."""

from pathlib import Path

import pytest

from sketchrnn_cli import pretrained
from sketchrnn_cli.inference import nouns
from sketchrnn_cli.sketches.words import QUICKDRAW, fold

LABELLED = Path(__file__).with_name("labelled_nouns.txt").read_text("utf-8").splitlines()[1:]
ALL = {fold(word): word for word in QUICKDRAW}


def wrong_ones(labelled=LABELLED):
    """Nouns that are drawn as what a person would not take."""
    for line in labelled:
        noun, _, taken = line.partition(": ")
        if (nouns.nearest(fold(noun), ALL) or "-") not in taken.split(", "):
            yield f"{noun}: {nouns.nearest(fold(noun), ALL)}"


def test_at_least_95_of_100_labelled_nouns_are_drawn_as_a_person_would():
    wrong = list(wrong_ones())
    assert len(LABELLED) >= 500
    assert len(wrong) <= 0.05 * len(LABELLED), wrong


def test_the_check_of_labels_can_fail():
    assert list(wrong_ones(["dachshund: cat", "love: circle", "poodle: dog"])) == [
        "dachshund: dog",
        "love: None",
    ]


def test_the_table_is_small_and_holds_every_word_and_25_000_nouns():
    table = nouns.table()
    assert pretrained.NOUNS.stat().st_size < 200_000
    assert len(table) >= 25_000
    assert {row[0] for row in table.values()} == ALL.keys()
    assert all(table[word][0] == word for word in ALL)
    for noun, row in table.items():
        assert fold(noun) == noun
        assert ALL.keys() >= set(row)
        assert len(set(row)) == len(row)


@pytest.mark.parametrize(
    ("noun", "word"),
    [
        ("dachshunds", "dog"),
        ("wolves", "dog"),
        ("geese", "swan"),
        ("polar bears", "bear"),
        ("grey wolf", "dog"),
        ("gray wolf", "dog"),
        ("sun flower", "flower"),
        ("tyre", "wheel"),
        ("tire", "wheel"),
    ],
)
def test_a_noun_in_the_plural_and_in_either_spelling(noun, word):
    assert nouns.nearest(noun, ALL) == word


@pytest.mark.parametrize(
    ("noun", "words", "label"),
    [
        ("dachshund", ["Cat", "DOG"], "DOG"),
        ("dachshund", ["cat", "bus"], "cat"),  # no dog, so the next
        ("dog", ["cat", "bus"], "cat"),
        ("dachshund", ["bus", "wolf"], None),
        ("ambulance", ["sailing boat", "van"], "van"),
    ],
)
def test_a_model_of_ones_own_draws_its_nearest_word(noun, words, label):
    assert nouns.nearest(noun, {fold(word): word for word in words}) == label
