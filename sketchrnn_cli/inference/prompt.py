"""Prompt items, from a line of text: "three cats", "cat, dog", "cat:0.7 + bus:0.3", "cat -> bus".

This is a small grammar and a table of words, not a language model. It knows the words the model
was trained on (in any case, hyphenation and number), a few synonyms of them, nouns that come near
one (a dachshund is drawn as a dog), and combinations of these: lists, counts, mixtures,
interpolations. "A happy cat" is a cat: what else the prompt says is handed back as ignored, and
which nouns were drawn as what, so that whoever shows the drawing can say so. The same text and
words give the same result everywhere.

    prompt   = element, separated by , ; / | . ! ? newline & and with, or by nothing
    element  = [count] mixture, then any number of: -> mixture
    mixture  = word [: weight], then any number of: + word [: weight]

A label of the model is looked for before anything else, the longest first, so "salt and pepper",
"3" or "draw" can be labels.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import nouns
from sketchrnn_cli.inference.prompt_tokens import Token, key_of, tokens_of
from sketchrnn_cli.inference.prompt_words import (
    ARROWS,
    CARRIERS,
    DENIALS,
    GRAMMAR,
    NUMBERS,
    PAIRED,
    SEPARATORS,
    SILENT,
    SYNONYMS,
    UNITS,
)
from sketchrnn_cli.sketches.words import closest, fold, forms, visible

MAX_CHARACTERS = 2_000
MAX_WORDS = 1_000  # of the model, in one prompt
MAX_COUNT = 10_000
WEIGHTS = (1e-6, 1e6)
LIST_WORDS = "--list-words shows all"

_SHOWN = 40  # characters of the prompt in a message


@dataclass(frozen=True, slots=True)
class Item:
    """One item to draw."""

    parts: tuple[tuple[str, float], ...]  # label as the model spells it, weight; these sum to 1
    count: int | None  # as the prompt says; None: it does not


@dataclass(frozen=True, slots=True)
class Interpolation:
    """From one item to the next: "cat -> pig"."""

    stops: tuple[Item, ...]  # at least 2, without counts
    count: int | None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a prompt asks for."""

    items: tuple[Item | Interpolation, ...]  # at least one
    ignored: tuple[str, ...]  # words that mean nothing here, as written, in order; printable
    drawn_as: tuple[tuple[str, str], ...] = ()  # nouns, as written, and their nearest labels

    @property
    def notes(self) -> list[str]:
        """What a person should know of how it was understood, a line each."""
        found = [f"{noun}: drawn as {_shown(label)}" for noun, label in self.drawn_as]
        if self.ignored:
            found.append(f"means nothing to this model, ignored: {', '.join(self.ignored)}")
        return found

    @property
    def has_interpolation(self) -> bool:
        """Whether there is an interpolation anywhere."""
        return any(isinstance(item, Interpolation) for item in self.items)


def parse(text: str, words: Sequence[str], *, strict: bool = False) -> Prompt:
    """Understand a prompt in the words of a model.

    Args:
        text: what the user wrote.
        words: labels of the model; of labels that fold alike the exact spelling, or the first.
        strict: a word that would be ignored, or drawn as another, is an error.

    Raises:
        BadConfig: nothing known in a part of it, an operator or count without its word, a count
            or weight out of range, too long, or a model without words.
    """
    if not words:
        raise BadConfig("this model has no words: leave the prompt out")
    plain = visible(text) if len(text) <= MAX_CHARACTERS else text
    if len(plain) > MAX_CHARACTERS:  # one character can stand for 18 others
        raise BadConfig(
            f"the prompt has {len(plain):,} characters; give {MAX_CHARACTERS:,} at most"
        )
    if not plain.strip():
        raise BadConfig(f"the prompt is empty: name what to draw; {LIST_WORDS} words")
    reader = _Reader(plain, _vocabulary(tuple(words)), words)
    reader.read()
    n_words = sum(isinstance(item, _Word) for item in reader.items)
    if n_words > MAX_WORDS:
        raise BadConfig(f"the prompt names {n_words:,} things; name {MAX_WORDS:,} at most")
    items = tuple(_items(reader.items))
    if not items:
        raise BadConfig(f"{_quoted(plain)} names nothing to draw; {LIST_WORDS} words")
    if strict and reader.drawn_as:
        noun, label = next(iter(reader.drawn_as.items()))
        raise BadConfig(
            f'"{noun}" means nothing to this model; nearest: {_shown(label)}; {LIST_WORDS} words'
        )
    if strict and reader.ignored:
        raise _unknown(reader.ignored[:1], words)
    return Prompt(items, tuple(reader.ignored), tuple(reader.drawn_as.items()))


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    labels: dict[str, str]  # every form that is understood, by its tokens: label
    spelled: dict[str, str]  # as the model spells it: label, for labels that fold alike
    longest: dict[str, int]  # first token: tokens of the longest form that begins with it
    tokens: set[str]


@lru_cache(maxsize=1)
def _vocabulary(words: tuple[str, ...]) -> _Vocabulary:
    """Exact labels come first, then their singulars and plurals, then synonyms."""
    labels: dict[str, str] = {}
    answers = [(label, [key_of(form) for form in forms(label)]) for label in words]
    for label, keys in answers:
        labels.setdefault(keys[0], label)
    for label, keys in answers:
        for key in keys:
            labels.setdefault(key, label)
    synonyms = {
        key_of(form): labels[fold(label)]
        for label, others in reversed(SYNONYMS.items())  # so the first of two labels stays
        if fold(label) in labels
        for other in others
        for form in forms(other)
    }
    labels = synonyms | labels
    labels.pop("", None)  # a label of hyphens only
    spelled = {visible(label): label for label in reversed(words)}
    longest: dict[str, int] = {}
    tokens: set[str] = set()
    for key in labels:
        parts = key.split(" ")
        longest[parts[0]] = max(longest.get(parts[0], 0), len(parts))
        tokens.update(parts)
    return _Vocabulary(labels, spelled, longest, tokens)


_GLUED = re.compile(r"(\W?\d+)(\D.*)")  # 3cats
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?")
_WEIGHT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)((?:e[+-]?\d+)?)(\s*%)?(?!\.?\w)", re.IGNORECASE)


class _Word(NamedTuple):
    label: str
    weight: float
    number: int | None  # its count


@dataclass(slots=True)
class _Reader:
    """Reads a prompt from left to right, once, into words and what stands between them."""

    text: str  # visible
    vocabulary: _Vocabulary
    words: Sequence[str]
    items: list[_Word | str] = field(default_factory=list)  # a word, or one of + > ,
    ignored: list[str] = field(default_factory=list)
    drawn_as: dict[str, str] = field(default_factory=dict)  # noun as written: its label
    end: int = 0  # tokens up to the end of the last word
    # of the segment, which ends at a separator or an operator
    n_found: int = 0
    unknown: list[str] = field(default_factory=list)
    count: int | None = None  # waits for its word
    count_text: str = ""
    in_pairs: bool = False

    def read(self) -> None:
        tokens = list(self._split(tokens_of(self.text)))
        keys = [token.key for token in tokens]
        i = 0
        while i < len(tokens):
            n_taken = self._word(tokens, keys, i)
            if n_taken:
                i += n_taken
                if i < len(keys) and keys[i] == ":":
                    end = self._weigh(tokens[i].end)
                    while i < len(tokens) and tokens[i].start < end:
                        i += 1
                continue
            self._other(tokens[i])
            i += 1
        self._close(",")

    def _split(self, tokens: Iterable[Token]) -> Iterator[Token]:
        """Part a count from the word it is glued to."""
        known = self.vocabulary.tokens
        for token in tokens:
            glued = None if token.key in known else _GLUED.fullmatch(token.written)
            rest = fold(glued[2]) if glued else ""
            if glued and (rest in known or rest in CARRIERS):
                middle = token.start + glued.start(2)
                yield Token(glued[1], fold(glued[1]), token.start, middle)
                yield Token(glued[2], rest, middle, token.end)
            else:
                yield token

    def _word(self, tokens: list[Token], keys: list[str], i: int) -> int:
        """Take the longest form or noun that begins here. Returns its length in tokens, or 0."""
        n, label = self._label(keys, i)
        n_noun, nearest = self._noun(keys, i, n)
        written = self.text[tokens[i].start : tokens[i + max(n, n_noun, 1) - 1].end]
        if nearest and self._is_aside(keys, i, i + n_noun):
            self.unknown.append(_shown(written))
            return n_noun
        if nearest:
            n, label = n_noun, nearest
            self.drawn_as[_shown(written)] = label
        elif label is None:
            return 0
        else:
            label = self.vocabulary.spelled.get(written, label)
        self.items.append(_Word(label, 1.0, self._take_count(label)))
        self.n_found += 1
        self.end = i + n
        return n

    def _label(self, keys: list[str], i: int) -> tuple[int, str | None]:
        """Tokens of the longest form of a label that begins here, or 0, and the label."""
        longest = min(self.vocabulary.longest.get(keys[i], 0), len(keys) - i)
        found = self.vocabulary.labels
        texts = ((n, " ".join(keys[i : i + n])) for n in range(longest, 0, -1))
        return next(((n, found[text]) for n, text in texts if text in found), (0, None))

    def _noun(self, keys: list[str], i: int, n_known: int) -> tuple[int, str | None]:
        """Tokens of the longest noun here that has more than n_known, and its nearest label."""
        part = list(itertools.takewhile(_may_be_in_noun, keys[i : i + nouns.MAX_TOKENS]))
        for n in range(len(part), n_known, -1):
            spelled = n_known and self.vocabulary.tokens.issuperset(part[:n])  # "dog house"
            if spelled or {part[0], part[n - 1]} & GRAMMAR:
                continue
            label = nouns.nearest(" ".join(part[:n]), self.vocabulary.labels)
            if label is not None:
                return n, label
        return 0, None

    def _is_aside(self, keys: list[str], i: int, end: int) -> bool:
        """Whether a noun describes its neighbor: "orange cat", "dog collar", "box of pears"."""
        between = keys[self.end : i]
        described = self.end and between[:1] in ([], ["of"]) and SILENT.issuperset(between[1:])
        if described or end == len(keys):
            return bool(described)
        return bool(self._label(keys, end)[0] or self._noun(keys, end, 0)[0])

    def _take_count(self, label: str) -> int | None:
        count = self.count
        if count is not None and self.in_pairs and fold(label) in PAIRED:
            count //= UNITS["pair"]
        if count is not None and not 1 <= count <= MAX_COUNT:
            raise _bad_count(self.count_text)
        self.count, self.count_text, self.in_pairs = None, "", False
        return count

    def _weigh(self, start: int) -> int:
        """Give the word just taken the weight that is written here. Returns where it ends."""
        word = self.items[-1]
        assert isinstance(word, _Word)
        match = _WEIGHT.match(self.text, start)
        low, high = WEIGHTS
        weight = float(match[1] + match[2]) / (100 if match[3] else 1) if match else 0.0
        if match is None or not low <= weight <= high:
            written = re.match(r"\s*[^\s,;+&>→]*", self.text[start:])
            found = _quoted(f"{word.label}:{written[0] if written else ''}")
            raise BadConfig(
                f"{found}: a weight is a number from {low:f} to {high:,.0f}, as in cat:0.7"
            )
        self.items[-1] = word._replace(weight=weight)
        return match.end()

    def _other(self, token: Token) -> None:
        """A token that no word of the model begins with."""
        key = token.key
        number = NUMBERS.get(key)
        if key in SEPARATORS:
            self._close(",")
        elif key == "+":
            self._close("+")
        elif key in ARROWS:
            self._close(">")
        elif key in DENIALS:
            raise BadConfig(
                f"{_quoted(token.written)}: nothing can be ruled out; name only what to draw"
            )
        elif _NUMBER.fullmatch(key) or number is not None:
            self._number(token, number)
        elif key in UNITS:
            self._unit(token)
        elif key not in SILENT and not self._is_carrier(key) and not _is_punctuation(key):
            self.unknown.append(_shown(token.written))

    def _is_carrier(self, key: str) -> bool:
        return key in CARRIERS and (self.n_found == 0 or self.count is not None)

    def _number(self, token: Token, number: int | None) -> None:
        """Take a count. ``number``: of a number word."""
        if self.unknown and not self.n_found and "." in token.key:
            raise _unknown(self.unknown, self.words)  # a weight of no known word
        if self.count is not None:
            both = _quoted(f"{self.count_text} {token.written}")
            raise BadConfig(f"{both}: one count a word; write large ones in digits, as in 21 cats")
        if number is None:
            if "." in token.key or not token.written[0].isdecimal():
                raise _bad_count(token.written)
            number = int(token.key.replace(",", ""))
        if not 1 <= number <= MAX_COUNT:
            raise _bad_count(token.written)
        self.count, self.count_text = number, token.written

    def _unit(self, token: Token) -> None:
        """Multiply the count: "a pair", "two dozen", "half a dozen"."""
        size = UNITS[token.key]
        if self.count is None and self.unknown and fold(self.unknown[-1]) == "half":
            self.count_text = self.unknown.pop()
            size //= 2
        self.count = size * (1 if self.count is None else self.count)
        self.count_text = f"{self.count_text} {token.written}".strip()
        self.in_pairs |= token.key in ("pair", "pairs")

    def _close(self, item: str) -> None:
        """End the segment."""
        if self.unknown and not self.n_found:
            raise _unknown(self.unknown, self.words)
        if self.count is not None:
            raise BadConfig(
                f"{_quoted(self.count_text)} counts nothing: "
                'a word comes after a count, as in "3 cats"'
            )
        self.ignored += self.unknown
        self.unknown = []
        self.n_found = 0
        self.items.append(item)


def _items(items: Iterable[_Word | str]) -> Iterator[Item | Interpolation]:
    """Join what operators join. A separator comes last."""
    stops: list[list[_Word]] = []
    operator = ""  # waits for its right side
    for item in items:
        if isinstance(item, _Word):
            if operator == "+":
                stops[-1].append(item)
            elif operator:
                stops.append([item])
            else:
                yield from _item(stops)
                stops = [[item]]
            operator = ""
        elif operator or (item != "," and not stops):
            name = (operator or item).replace(">", "->")
            raise BadConfig(
                f'"{name}" needs a word before it and one after it, as in "cat {name} pig"'
            )
        elif item == ",":
            yield from _item(stops)
            stops = []
        else:
            operator = item


def _item(stops: list[list[_Word]]) -> Iterator[Item | Interpolation]:
    """The item, the interpolation, or nothing that these stops are."""
    if not stops:
        return
    first, *others = [word for stop in stops for word in stop]
    for word in others:
        if word.number is not None:
            found = _quoted(f"{word.number} {word.label}")
            raise BadConfig(
                f'{found} after an operator: the count comes first, as in "3 cat -> pig"'
            )
    if len(stops) == 1:
        yield Item(_parts(stops[0]), first.number)
    else:
        yield Interpolation(tuple(Item(_parts(stop), None) for stop in stops), first.number)


def _parts(mixture: list[_Word]) -> tuple[tuple[str, float], ...]:
    weights: dict[str, float] = {}
    for word in mixture:
        weights[word.label] = weights.get(word.label, 0.0) + word.weight
    total = sum(weights.values())
    return tuple((label, weight / total) for label, weight in weights.items())


def _may_be_in_noun(key: str) -> bool:
    return key[0].isalpha() and (key not in GRAMMAR or key in ("of", "the"))


def _is_punctuation(key: str) -> bool:
    return key == "=" or all(unicodedata.category(c)[0] in "PM" for c in key)


def _unknown(found: Sequence[str], words: Sequence[str]) -> BadConfig:
    phrase = _shown(" ".join(found))
    near = closest(phrase, words) or [label for w in found[:3] for label in closest(w, words, 1)]
    near = near or closest(phrase, words, alike=0)
    hint = f"closest: {', '.join(map(_shown, dict.fromkeys(near)))}"
    return BadConfig(f'"{phrase}" means nothing to this model; {hint}; {LIST_WORDS} {len(words):,}')


def _bad_count(written: str) -> BadConfig:
    return BadConfig(f"{_quoted(written)}: a count is a whole number from 1 to {MAX_COUNT:,}")


def _quoted(text: str) -> str:
    return f'"{_shown(text)}"'


def _shown(text: str) -> str:
    """Untrusted text in a message: one short line, printable, no piles of accents."""
    characters: list[str] = []
    n_marks = 0  # in a row
    for c in " ".join(visible(text).split()):
        n_marks = n_marks + 1 if unicodedata.category(c)[0] == "M" else 0
        if n_marks <= 2:  # as many as a Vietnamese vowel has
            characters.append(c if c.isprintable() else "?")
    line = "".join(characters)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
