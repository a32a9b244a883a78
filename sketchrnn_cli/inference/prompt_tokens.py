"""The tokens that a prompt is made of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from sketchrnn_cli.sketches.words import fold, is_hyphen


class Token(NamedTuple):
    """A word, a number, a mark or a new line of a prompt."""

    written: str
    key: str  # folded
    start: int
    end: int


# A token is found in the classes of its characters: d digit, m mark, w of other words, p other
# punctuation and symbols, n new line, and - ' . , themselves. The rest are gaps.
_TOKEN = re.compile(
    r"((?:(?<![wdm])-(?=d))?(?:d{1,3}(?:,ddd)+(?![wdm])|d+\.d+(?![wdm])|[wdm]+(?:'[wdm]+)*))"
    r"|[p.,']m*|n"
)
_NEW_LINES = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def _class(character: str) -> str:
    if character in "'.,":
        return character
    if character.isdecimal():
        return "d"
    if character in _NEW_LINES:
        return "n"
    if character.isspace() or character == "_":
        return " "
    if character == "’":
        return "'"
    if is_hyphen(character):
        return "-"
    category = unicodedata.category(character)[0]
    return {"M": "m", "P": "p", "S": "p"}.get(category, "w")


def tokens_of(text: str) -> Iterator[Token]:
    """The tokens of a line of text, in order."""
    for match in _TOKEN.finditer("".join(map(_class, text))):
        written = text[match.start() : match.end()]
        key = "\n" if match[0] == "n" else fold(written) if match[1] else written
        if key:
            yield Token(written, key, match.start(), match.end())


def key_of(form: str) -> str:
    """A folded form, its tokens one space apart."""
    if form.isascii() and form.replace(" ", "").isalnum():
        return form
    return " ".join(token.key for token in tokens_of(form))
