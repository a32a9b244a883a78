"""From a line of text to things to draw."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import nouns, prompt
from sketchrnn_cli.inference.prompt import (
    MAX_CHARACTERS,
    MAX_COUNT,
    Interpolation,
    Item,
    Prompt,
    parse,
)
from sketchrnn_cli.inference.prompt_words import SYNONYMS
from sketchrnn_cli.sketches.words import fold, forms

WORDS = [
    "airplane", "alarm clock", "ambulance", "ant", "apple", "backpack", "basket", "bird",
    "butterfly", "cactus", "calculator", "campfire", "candle", "cat", "circle", "coffee cup",
    "crab", "dog", "duck", "face", "flamingo", "horse", "ice cream", "mosquito", "owl", "pig",
    "pineapple", "scorpion", "square", "squiggle", "suitcase", "swan", "triangle",
]  # fmt: skip


def item(*labels, count=None):
    return Item(tuple((label, 1 / len(labels)) for label in labels), count)


def interpolation(*labels, count=None):
    return Interpolation(tuple(item(label) for label in labels), count)


def items(text, words=WORDS):
    """What a prompt asks for where no word of it is ignored."""
    found = parse(text, words)
    assert found.ignored == ()
    return list(found.items)


def fault(text, words=WORDS, **options):
    with pytest.raises(BadConfig) as error:
        parse(text, words, **options)
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).isprintable()
    return str(error.value)


# Words


@pytest.mark.parametrize("label", WORDS)
def test_a_word_in_every_form_is_itself(label):
    for form in forms(label):
        for text in (form, form.upper(), form.title(), form.replace(" ", "-"), f" {form}\n"):
            assert items(text) == [item(label)]
            assert items(text.replace(" ", "_")) == [item(label)]


@pytest.mark.parametrize(
    "text",
    [
        "cat", "a cat", "The Cat.", "draw me a cat, please!", "Can you sketch some cats?",
        "a picture of a cat", "I'd like to see a cat, thank you", "“cat”", "'cats'", "(cat)",
        "#cat", "draw: cat", "lots of cats", "c\u200bat", "ｃａｔ", "\ufeffcat\x00", "cat\r\n",
        "*cat*",
    ],
)  # fmt: skip
def test_politeness_articles_and_marks_mean_nothing(text):
    assert items(text) == [item("cat")]


def test_the_longest_label_wins():
    words = ["alarm", "clock", "alarm clock", "cream"]
    assert items("alarm-clocks", words) == [item("alarm clock")]
    assert items("clock alarm", words) == [item("clock"), item("alarm")]


@pytest.mark.parametrize(
    "label",
    ["salt and pepper", "c++", "a -> b", "3", "0.5", "-3", "1,000", "please", "draw", "and", "a",
     "cat:0.7", "no", "pair", "rock & roll", "o'clock", "st. bernard", "mp3", "4x4", "3d",
     "The Mona Lisa", "t-shirt", "teddy-bear", "猫", "кот", "बिल्ली", "😺", "Straße"],
)  # fmt: skip
def test_labels_come_before_everything_else(label):
    words = [*WORDS, label]
    assert items(label, words) == [item(label)]
    assert items(f"dog, {label}; {label.upper()}", words) == [
        item("dog"), item(label), item(label)
    ]  # fmt: skip


@pytest.mark.parametrize("words", [["mice", "mouse"], ["mouse", "mice"]])
def test_an_exact_label_beats_a_derived_form(words):
    assert items("mice, mouse", words) == [item("mice"), item("mouse")]


def test_of_labels_that_fold_alike_the_spelling_decides_and_then_the_order():
    words = ["Cat", "cat"]
    assert items("cat, Cat, CAT", words) == [item("cat"), item("Cat"), item("Cat")]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("kitty", "cat"), ("kittens", "cat"), ("puppies", "dog"), ("jet", "airplane"),
        ("piglet", "pig"), ("ponies", "horse"), ("duckling", "duck"), ("birdie", "bird"),
        ("icecream", "ice cream"), ("ice-cream cones", "ice cream"), ("mugs", "coffee cup"),
        ("cups of tea", "coffee cup"), ("rucksack", "backpack"), ("bonfire", "campfire"),
    ],
)  # fmt: skip
def test_synonyms(text, label):
    assert items(text) == [item(label)]


def test_a_synonym_that_is_a_label_is_that_label():
    assert items("cups, kitty", [*WORDS, "cup", "kitty"]) == [item("cup"), item("kitty")]


def test_a_synonym_needs_its_target_among_the_words():
    assert '"bunny" means nothing' in fault("bunny", strict=True)


def test_the_first_of_two_targets_has_the_synonym():
    assert items("phone", ["telephone", "cell phone"]) == [item("cell phone")]
    assert items("phone", ["telephone"]) == [item("telephone")]


def test_every_synonym_is_folded_and_none_is_a_target_of_its_own():
    for label, others in SYNONYMS.items():
        assert label not in others
        for other in others:
            assert parse(other, [label]).items == (item(label),)


# Counts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("three owls", 3), ("2 owls", 2), ("one owl", 1), ("TWENTY owls", 20), ("a dozen owls", 12),
        ("a couple of owls", 2), ("a pair of owls", 2), ("two dozen owls", 24), ("3owls", 3),
        ("two pairs of owls", 4), ("half a dozen owls", 6), ("2x owl", 2), ("2 x owl", 2),
        ("1,000 owls", 1000), ("a hundred owls", 100), ("10000 owls", 10_000), ("٣ owls", 3),
        ("two pictures of an owl", 2), ("３ owls", 3), ("nine of the owls", 9), ("1-owl", 1),
    ],
)  # fmt: skip
def test_counts(text, count):
    assert items(text) == [item("owl", count=count)]


def test_a_count_belongs_to_the_word_after_it():
    assert items("two cats and a dog") == [item("cat", count=2), item("dog")]
    assert items("cat 2 dogs") == [item("cat"), item("dog", count=2)]


def test_a_count_reaches_over_an_ignored_word():
    found = parse("three happy cats", WORDS)
    assert found == Prompt((item("cat", count=3),), ("happy",))


def test_a_pair_of_scissors_is_one_drawing():
    words = ["scissors", "sock"]
    assert items("a pair of scissors", words) == [item("scissors", count=1)]
    assert items("two pairs of scissors", words) == [item("scissors", count=2)]
    assert items("two pairs of socks", words) == [item("sock", count=4)]


@pytest.mark.parametrize(
    "text",
    ["0 cats", "zero cats", "-3 cats", "−3 cats", "-3cats", "10001 cats", "2.5 cats",
     "9" * 1999, "thousand " * 200 + "cats", "11 thousand cats"],
)  # fmt: skip
def test_a_count_out_of_range(text):
    assert f"a count is a whole number from 1 to {MAX_COUNT:,}" in fault(text)


@pytest.mark.parametrize("text", ["3", "cat 3", "three", "three and a cat", "2, cat", "a dozen"])
def test_a_count_without_its_word(text):
    assert "counts nothing" in fault(text)


def test_two_counts_in_a_row():
    assert fault("twenty-one cats").startswith('"twenty one": one count a word')


@pytest.mark.parametrize("text", ["no cats", "a dog without a cat", "dog, not cat"])
def test_what_is_ruled_out_is_not_drawn(text):
    assert "nothing can be ruled out" in fault(text)


# Lists, mixtures, ways


@pytest.mark.parametrize(
    "between", [", ", ",", "; ", "\n", "\r\n", " and ", " & ", " with ", " ", ", and a ", "，",
                "、", " / ", ". ", "\u2028", " - ", ",,;"],
)  # fmt: skip
def test_lists(between):
    assert items(f"cat{between}ice cream") == [item("cat"), item("ice cream")]


def test_a_list_keeps_order_and_repetition():
    assert items("dog cat dog") == [item("dog"), item("cat"), item("dog")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("cat:0.7 + bird:0.3", {"cat": "0.7", "bird": "0.3"}),
        ("cat + bird", {"cat": "1/2", "bird": "1/2"}),
        ("cat:3+bird", {"cat": "3/4", "bird": "1/4"}),
        ("cat:0.7", {"cat": "1"}),
        ("cats : .5 + a bird:1.5e0", {"cat": "1/4", "bird": "3/4"}),
        ("cat:70% + bird:30 %", {"cat": "0.7", "bird": "0.3"}),
        ("cat + dog + kitty", {"cat": "2/3", "dog": "1/3"}),
        ("cat:1e6 + dog:1e-6", {"cat": "1", "dog": "1/1000000000000"}),
        ("(cat:0.7) + [bird:0.3].", {"cat": "0.7", "bird": "0.3"}),
    ],
)
def test_mixtures(text, parts):
    [found] = items(text)
    assert found.count is None
    assert [label for label, _ in found.parts] == list(parts)
    for label, weight in found.parts:
        assert weight == pytest.approx(float(Fraction(parts[label])))


def test_a_count_before_a_mixture_counts_the_whole():
    assert items("3 cat:0.5 + bird:0.5") == [item("cat", "bird", count=3)]


def test_a_weight_after_a_label_that_is_a_digit():
    assert items("1:0.5 + 2:0.5", ["1", "2", "0"]) == [item("1", "2")]


@pytest.mark.parametrize(
    "weight",
    ["0", "-1", "nan", "inf", "1e9", "1e-9", "", "x", "0.5.5", "1_0", "dog", "0,7", "1e999", "+1"],
)
def test_a_weight_that_is_none(weight):
    assert "a weight is a number from" in fault(f"cat:{weight} + bird")


@pytest.mark.parametrize("arrow", ["->", "-->", "=>", "→", " -> ", " ==> ", "—>", ">", " \n-> "])
def test_ways(arrow):
    if "\n" in arrow:
        assert '"->" needs a word' in fault(f"cat{arrow}pig")
    else:
        assert items(f"cat{arrow}pig") == [interpolation("cat", "pig")]


def test_a_longer_way_with_a_count_and_a_mixture():
    [found] = items("4 cats -> pig + dog -> owl")
    assert found == Interpolation((item("cat"), item("pig", "dog"), item("owl")), 4)


def test_a_way_takes_one_thing_from_each_side():
    assert items("cat, dog -> pig, owl") == [item("cat"), interpolation("dog", "pig"), item("owl")]
    assert items("cat dog -> pig owl") == [item("cat"), interpolation("dog", "pig"), item("owl")]


@pytest.mark.parametrize(
    "text", ["cat ->", "-> cat", "cat -> -> pig", "cat -> , pig", "cat, -> pig", "->", "a -> the"]
)
def test_an_arrow_without_an_end(text):
    assert '"->" needs a word before it and one after it' in fault(text)


@pytest.mark.parametrize("text", ["cat +", "+ cat", "cat + + pig", "cat + -> pig", "cat, + pig"])
def test_a_plus_without_a_side(text):
    assert "needs a word before it and one after it" in fault(text)


@pytest.mark.parametrize("text", ["cat -> 3 pigs", "cat + two birds"])
def test_a_count_after_an_operator(text):
    assert "the count comes first" in fault(text)


# What is not known


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("Happy cat", ["Happy"]),
        ("a cat ON my bed", ["ON", "my", "bed"]),
        ("cat 😺", ["😺"]),
        ("big cat and tiny dog", ["big", "tiny"]),
        ("cat to pig", ["to"]),
        ("cat " + "x" * 100, ["x" * 37 + "..."]),
        ("cat \udc80", ["?"]),
        ("cat z\u0301\u0301\u0301\u0301", ["ź\u0301\u0301"]),
        ("half a cat", ["half"]),
    ],
)
def test_unknown_words_beside_known_ones_are_handed_back(text, ignored):
    found = parse(text, WORDS)
    assert found.ignored == tuple(ignored)
    assert all(word.isprintable() for word in found.ignored)
    fault(text, strict=True)


def test_strict_names_the_ignored_word():
    assert fault("a happy sad cat", strict=True).startswith('"happy" means nothing to this model')


@pytest.mark.parametrize(
    ("text", "wanted", "drawn_as", "ignored"),
    [
        ("three dachshunds", [item("dog", count=3)], ["dachshunds"], []),
        ("a dachshund and two Poodles", [item("dog"), item("dog", count=2)], 2, []),
        ("golden_retriever", [item("dog")], ["golden_retriever"], []),
        ("dachshund + cat", [item("dog", "cat")], ["dachshund"], []),
        ("dachshund:1 + owl:3", [Item((("dog", 0.25), ("owl", 0.75)), None)], 1, []),
        ("dachshund -> pig", [interpolation("dog", "pig")], ["dachshund"], []),
        ("a happy dachshund", [item("dog")], ["dachshund"], ["happy"]),
        ("orange cat", [item("cat")], [], ["orange"]),  # which only describes the cat
        ("dog collar", [item("dog")], [], ["collar"]),
        ("a cup of the lemonade", [item("coffee cup")], [], ["of", "lemonade"]),
        ("dachshund puppies", [item("dog")], [], ["dachshund"]),
        ("hedgehog candle", [item("candle")], [], ["hedgehog"]),
        ("dachshund, dachshund", [item("dog"), item("dog")], ["dachshund"], []),
        ("a dachshund in the garden of love", [item("dog")], 1, ["in", "garden", "of", "love"]),
    ],
)
def test_an_unknown_noun_is_drawn_as_its_nearest_word(text, wanted, drawn_as, ignored):
    found = parse(text, WORDS)
    assert list(found.items) == wanted
    written = [noun for noun, _ in found.drawn_as]
    assert (written if isinstance(drawn_as, list) else len(written)) == drawn_as
    assert found.ignored == tuple(ignored)
    assert found.notes[: len(written)] == [f"{a}: drawn as {b}" for a, b in found.drawn_as]


def test_two_words_of_a_model_are_two_things_though_together_they_are_a_noun():
    assert items("dog house", ["dog", "house"]) == [item("dog"), item("house")]
    assert parse("bear cub", ["bear", "dog"]).drawn_as == (("bear cub", "bear"),)


def test_strict_draws_nothing_as_another():
    assert '"dachshund" means nothing to this model; nearest: dog;' in fault(
        "a dachshund", strict=True
    )


def test_the_table_is_read_for_unknown_words_alone(monkeypatch):
    monkeypatch.setattr(nouns, "table", lambda: pytest.fail("was read"))
    assert parse("three cats, two ice creams with a dog", WORDS).drawn_as == ()
    with pytest.raises(pytest.fail.Exception, match="was read"):
        parse("dachshund", WORDS)


def test_strict_takes_what_is_known():
    assert parse("draw three cats, please", WORDS, strict=True).items == (item("cat", count=3),)


@pytest.mark.parametrize(
    "text", ["dragon", "dragon, cat", "cat + dragon", "cat -> dragon", "a dragon:0.5 + cat"]
)
def test_a_part_without_a_known_word_is_an_error(text):
    assert '"dragon" means nothing to this model' in fault(text)
    assert "--list-words shows all 33" in fault(text)


OPERATOR = "needs a word before it and one after it, as in"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cat" * 667, "the prompt has 2,001 characters; give 2,000 at most"),
        (" ", "the prompt is empty: name what to draw; --list-words shows all words"),
        ("cat " * 500 + "cat", "the prompt has 2,003 characters; give 2,000 at most"),
        ("draw me a", '"draw me a" names nothing to draw; --list-words shows all words'),
        ("cat:0 + pig", '"cat:0": a weight is a number from 0.000001 to 1,000,000, as in cat:0.7'),
        ("cat: ", '"cat:": a weight is a number from 0.000001 to 1,000,000, as in cat:0.7'),
        ("a dog, no cats", '"no": nothing can be ruled out; name only what to draw'),
        ("two 3 cats", '"two 3": one count a word; write large ones in digits, as in 21 cats'),
        ("10,001 cats", '"10,001": a count is a whole number from 1 to 10,000'),
        ("900 dozen cats", '"900 dozen": a count is a whole number from 1 to 10,000'),
        ("cat 3", '"3" counts nothing: a word comes after a count, as in "3 cats"'),
        ("half a dozen", '"half dozen" counts nothing: a word comes after a count, as in "3 cats"'),
        ("two dozen", '"two dozen" counts nothing: a word comes after a count, as in "3 cats"'),
        ("cat ->", f'"->" {OPERATOR} "cat -> pig"'),
        ("cat > -> pig", f'"->" {OPERATOR} "cat -> pig"'),
        ("+ cat", f'"+" {OPERATOR} "cat + pig"'),
        ("cat + -> pig", f'"+" {OPERATOR} "cat + pig"'),
        (
            "cat -> 3 pigs",
            '"3 pig" after an operator: the count comes first, as in "3 cat -> pig"',
        ),
    ],
)
def test_faults_in_full(text, says):
    assert fault(text) == says
    assert fault(text, strict=True) == says


def test_what_was_ignored_or_drawn_as_another_is_noted():
    found = Prompt((item("dog"),), ("big", "red"), (("dachshund", "dog"), ("pony", "horse")))
    assert found.notes == [
        "dachshund: drawn as dog",
        "pony: drawn as horse",
        "means nothing to this model, ignored: big, red",
    ]
    assert Prompt((item("dog"),), ()).notes == []
    assert not found.has_interpolation
    assert Prompt((item("dog"), interpolation("cat", "pig")), ()).has_interpolation


def test_an_error_names_the_closest_words():
    assert "closest: alarm clock;" in fault("alarmm clok")
    assert "closest: butterfly;" in fault("an enormous butterflie")
    assert fault("xyzzy").count(",") == 2  # none is close, and three are named all the same


@pytest.mark.parametrize("text", ["", " \n\t", "\x00", "\u202e\u200b", "\ufeff"])
def test_an_empty_prompt(text):
    assert "the prompt is empty" in fault(text)


@pytest.mark.parametrize("text", ["please", "!!!", "draw me a", ",,,", "and", "\u0301"])
def test_a_prompt_that_names_nothing(text):
    assert "names nothing to draw" in fault(text)


def test_a_model_without_words():
    assert "this model has no words" in fault("cat", [])


def test_a_prompt_that_is_too_long():
    assert items("cat" + " " * (MAX_CHARACTERS - 3)) == [item("cat")]
    assert "2,001 characters" in fault("cat" + " " * (MAX_CHARACTERS - 2))
    assert "36,000 characters" in fault("\ufdfa" * MAX_CHARACTERS)


def test_too_many_things():
    assert len(items("😺" * 1000, ["😺"])) == 1000
    assert "names 1,001 things" in fault("😺" * 1001, ["😺"])


@pytest.mark.parametrize("hostile", ["\x1b[31mzzz", "zzz\u202egnp", "zzz\x00\x07", "zzz\udcff"])
def test_a_message_echoes_nothing_raw(hostile):
    assert not {*"\x1b\u202e\x00\x07\udcff"} & {*fault(hostile)}
    assert not {*"\x1b\u202e\x00\x07\udcff"} & {*fault("alarmm clok", ["alarm\x1b clock\u202e"])}


# Any text

CHARACTERS = st.one_of(
    st.sampled_from(
        [*WORDS, *"+:->,;&→0123456789.%-'’\n\u0301\u202e", "and", "dozen", "pair", "no"]
    ),
    st.sampled_from([" ", "three", "half", "a", "please", "x", "half a", "ß", "😺", "\udc80"]),
    st.text(max_size=3),
)


def outcome(text, words, *, strict=False):
    try:
        return parse(text, words, strict=strict)
    except BadConfig as error:
        return str(error)


def is_sound(found, words):
    if isinstance(found, str):
        return len(found.splitlines()) == 1 and found.isprintable() and len(found) < 400
    every = [s for t in found.items for s in (t.stops if isinstance(t, Interpolation) else (t,))]
    return (
        len(found.items) > 0
        and all(1 <= t.count <= MAX_COUNT for t in found.items if t.count is not None)
        and all(len(t.stops) > 1 for t in found.items if isinstance(t, Interpolation))
        and all(
            s.count is None for t in found.items if isinstance(t, Interpolation) for s in t.stops
        )
        and all(math.isclose(sum(w for _, w in s.parts), 1) for s in every)
        and all(label in words and weight > 0 for s in every for label, weight in s.parts)
        and all(word and word.isprintable() for word in found.ignored)
    )


@given(st.lists(CHARACTERS, max_size=20), st.sampled_from(["", " "]), st.booleans())
def test_any_text_is_a_prompt_or_one_line(pieces, between, strict):
    text = between.join(pieces)
    found = outcome(text, WORDS, strict=strict)
    assert is_sound(found, WORDS)
    assert outcome(text, tuple(WORDS), strict=strict) == found


@given(st.text(), st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_any_text_and_any_words(text, words):
    assert is_sound(outcome(text, words), words)


def test_the_check_of_outcomes_can_fail():
    assert not is_sound("two\nlines", WORDS)
    assert not is_sound(Prompt((item("zebra"),), ()), WORDS)
    assert not is_sound(Prompt((), ()), WORDS)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5), st.data())
def test_any_label_is_itself_as_spelled(words, data):
    label = data.draw(st.sampled_from(words))
    assume(fold(label) and len(label.splitlines()) == 1)
    [found] = items(label, words)
    [(drawn, _)] = found.parts
    assert fold(drawn) == fold(label)


@pytest.mark.parametrize(
    "piece",
    ["cat ", "zzzq ", "alarn clocj catt ", "9", "cat+", "a\u0301\u0302", ":", "1.", "1,111", "😺",
     "thousand ", "alarm ", "zebra cat,", "\u202e", "'a", "-", "half ", "cat:1" + "1" * 1994,
     "cat:" + "1" * 1995 + "x", "\ufdfa"],
)  # fmt: skip
def test_the_work_of_a_hostile_prompt_grows_as_its_length(piece):
    words = [*WORDS, *(f"{word}{i}" for i in range(12) for word in WORDS[:26])]
    text = (piece * MAX_CHARACTERS)[:MAX_CHARACTERS]
    outcome(text, words)  # what is read once is read
    quarter, half, whole = (n_calls(text[: MAX_CHARACTERS // k], words) for k in (4, 2, 1))
    assert whole - half < 3 * max(half - quarter, 2000)  # twice; four times for a square


def n_calls(text, words):
    """How often Python calls a function to understand a prompt."""
    n = 0

    def count(frame, event, argument):
        nonlocal n
        n += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        outcome(text, words)
    finally:
        sys.setprofile(before)
    return n


def test_the_count_of_calls_can_tell_a_square(monkeypatch):
    plain = prompt.tokens_of

    def again_for_each(text):
        for token in plain(text):
            assert list(plain(text))
            yield token

    monkeypatch.setattr(prompt, "tokens_of", again_for_each)
    quarter, half, whole = (n_calls("cat " * k, WORDS) for k in (25, 50, 100))
    assert whole - half > 3 * (half - quarter)
