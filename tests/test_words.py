"""Spellings and forms of a name."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sketchrnn_cli.sketches.words import closest, fold, forms


@pytest.mark.parametrize(
    ("spelling", "folded"),
    [
        ("Ice_CREAM ", "ice cream"),
        ("ice-cream", "ice cream"),
        ("ice \t\n cream", "ice cream"),
        ("ice – cream", "ice cream"),
        ("t-shirt", "t shirt"),
        ("ＣＡＴ", "cat"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("cafe\u0301", "café"),
        ("c\u200bat\u202e\x00", "cat"),
        ("c\u200bafe\u0301-bar", "café bar"),
        ("cat’s", "cat's"),
        ("-", ""),
        ("", ""),
    ],
)
def test_spellings_of_a_word_fold_alike(spelling, folded):
    assert fold(spelling) == folded


@pytest.mark.parametrize("label", ["猫", "кот", "बिल्ली", "고양이", "قطة", "😺", "c++", "3d"])
def test_labels_of_any_script_survive(label):
    assert fold(label)
    assert fold(label.upper()) == fold(label)


@given(st.text())
@example("ͅα")
@example("İ")
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


def test_the_closest_come_first_as_the_model_spells_them():
    known = ["dog", "Alarm-Clock", "clock", "ice cream"]
    assert closest("clok", known, 1) == ["clock"]
    assert closest("alarm_clock", known) == ["Alarm-Clock", "clock"]
    assert closest("zzz", known) == []
    assert len(closest("zzz", known, alike=0)) == 3


PAIRS = """owl/owls butterfly/butterflies mosquito/mosquitos mosquito/mosquitoes cactus/cacti
cactus/cactuses octopus/octopuses octopus/octopi mouse/mice goose/geese tooth/teeth foot/feet
knife/knives leaf/leaves person/people child/children snowman/snowmen bus/buses box/boxes
axe/axes peach/peaches brush/brushes shoe/shoes house/houses key/keys giraffe/giraffes
wave/waves grape/grapes potato/potatoes piano/pianos scarf/scarves pie/pies dress/dresses
quiz/quizzes fox/foxes cliché/clichés airplane/airplanes"""


@pytest.mark.parametrize("pair", PAIRS.split())
def test_singular_and_plural_answer_to_each_other(pair):
    singular, plural = pair.split("/")
    assert plural in forms(singular)
    assert singular in forms(plural)


@pytest.mark.parametrize(
    ("label", "form"),
    [
        ("Coffee-Cup", "coffee cups"),
        ("Coffee-Cup", "coffeecup"),
        ("hot dog", "hotdogs"),
        ("flowers", "flower"),
        ("flip flops", "flip flop"),
        ("cup of tea", "cups of tea"),
        ("The Eiffel Tower", "eiffel tower"),
        ("sheep", "sheep"),
        ("fish", "fish"),
        ("fish", "fishes"),
        ("scissors", "scissors"),
    ],
)
def test_a_label_answers_to(label, form):
    assert form in forms(label)


@pytest.mark.parametrize("label", ["cactus", "bus", "grass", "axis"])
def test_not_every_final_s_is_a_plural(label):
    assert label[:-1] not in forms(label)


@given(st.text())
def test_the_own_form_comes_first_and_no_form_twice(label):
    found = forms(label)
    assert found[0] == fold(label)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("label", ["猫", "кот"])
def test_other_scripts_are_not_inflected(label):
    assert forms(label) == [label]


def loads_numpy(module):
    code = f"import {module}, sys; sys.exit(77 if 'numpy' in sys.modules else 0)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 77


def test_words_and_prompts_load_no_numpy():
    assert not loads_numpy("sketchrnn_cli.inference.prompt")


def test_the_check_for_numpy_can_fail():
    assert loads_numpy("sketchrnn_cli.inference.engine")
