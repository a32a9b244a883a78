"""Whether a shape is seen: presentation attributes, ``style``, and simple rules of CSS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.formats.svg.document import STYLING, Node
from sketchrnn_cli.sketches.formats.svg.path import NUMBER

Properties = Mapping[str, str]

MAX_CLASSES = 16  # of one element
MAX_RULES = 20_000
MAX_PARTS = 20  # of a selector
MAX_TRIES = 2_000_000  # of a rule at an element, in all
LONGEST = 10_000  # characters of a style; the rest is left alone
INHERITED = STYLING - {
    *("display", "opacity", "transform", "transform-origin", "transform-box", "clip-path", "mask"),
    *("overflow", "rotate", "scale", "translate"),
}

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMPOUND = re.compile(r"(?:\*|[\w-]+)?(?:[.#][\w-]+)*")
_TAG = re.compile(r"[\w-]+")
_NAMED = re.compile(r"[.#][\w-]+")
_CLEAR = re.compile(
    r"none|transparent|#[0-9a-f]{6}00|#[0-9a-f]{3}0"
    r"|(?:rgb|hsl)a?\((?:[^,/()]*,){3}\s*[0.]+%?\s*\)"
    r"|(?:rgb|hsl)a?\([^,/()]*/\s*[0.]+%?\s*\)"
)
_WHITE = re.compile(
    r"white|#(?:fff|(?:f[c-f]){3})(?:ff?)?|(?:rgb|hsl)a?\(\s*(?:(?:25[2-5]|100%)[\s,]+){2}"
    r"(?:25[2-5]|100%)\s*(?:[,/]\s*(?:1|100%)\s*)?\)|hsla?\([^()]*[\s,]100%\s*(?:[,/]\s*(?:1|100%)\s*)?\)"
)
_SCREEN = re.compile(r"@media\s+(?:only\s+)?(?:screen|all)")
_NUMBER = re.compile(NUMBER)


def declarations(text: str) -> dict[str, str]:
    """What a ``style`` says of the properties that matter here; once more if it is important."""
    result = {}
    for part in text[:LONGEST].split(";"):
        name, colon, value = part.partition(":")
        name = name.strip().lower()
        if colon and name in STYLING:
            value, important, _ = value.partition("!")
            result[name] = value.strip()
            if important:
                result[f"!{name}"] = value.strip()
    return result


class _Part(NamedTuple):
    """One element of a selector: what it must be."""

    tag: str  # "" for any
    classes: frozenset[str]
    identity: str  # "" for any
    child: bool  # of the part before, and not only below it

    def fits(self, node: Node) -> bool:
        return (
            self.tag in ("", node.tag)
            and self.identity in ("", node.attributes.get("id"))
            and (not self.classes or self.classes <= set(_classes(node)))
        )


class _Rule(NamedTuple):
    """A selector, and what it says."""

    weight: tuple[int, int, int, int]  # ids, classes, tags, and the place in the text
    parts: list[_Part]
    values: dict[str, str]


class Rules:
    """The rules of all <style> elements whose selectors name tags, classes and ids.

    Compound selectors (``path.thin``), descendants (``#guides line``) and children
    (``g > path``) are followed; rules with any other are passed over.
    """

    def __init__(self, css: str) -> None:
        self.by_key: dict[str, list[_Rule]] = {}  # of what the last part must have
        self.n_tries = 0
        self.passed_over = "@import" if "@import" in css else ""  # what is not followed first
        n_rules = depth = 0
        block = ""  # such as @media, around the rules
        for order, part in enumerate(_COMMENT.sub("", css).split("}")):
            *around, head, body = ["", *part.split("{")]
            if not around:
                depth = max(depth - 1, 0)
                continue
            if len(around) > 1:
                block = around[-1].rpartition(";")[2].strip()
            depth += len(around) - 1
            head = head.rpartition(";")[2]  # behind @import and the like
            values = declarations(body)
            is_passed = values and depth and not _SCREEN.fullmatch(block) and "print" not in block
            if is_passed:
                self.passed_over = self.passed_over or block[:40]
            is_seen = not depth or (depth == 1 and _SCREEN.fullmatch(block))
            for selector in head.split(",") if values and is_seen else ():
                parts = _parts(selector.strip())
                if not parts:
                    self.passed_over = self.passed_over or " ".join(selector.split())[:40]
                else:
                    n_rules += 1
                    if n_rules > MAX_RULES:
                        raise BadSketch(f"more than {MAX_RULES:,} rules of CSS")
                    self._add(_Rule(_weight(parts, order), parts, values))

    def _add(self, rule: _Rule) -> None:
        last = rule.parts[-1]
        key = f"#{last.identity}" if last.identity else last.tag
        if last.classes and not last.identity:
            key = f".{min(last.classes)}"
        self.by_key.setdefault(key, []).append(rule)

    def of(self, node: Node) -> dict[str, str]:
        """What they say of an element; ids weigh more than classes, and these than tags.

        Raises:
            BadSketch: there are more rules to try than a drawing has.
        """
        if not self.by_key:
            return {}
        keys = ["", node.tag, *(f".{name}" for name in _classes(node))]
        keys.append(f"#{node.attributes.get('id', '')}")
        rules = (rule for key in dict.fromkeys(keys) for rule in self.by_key.get(key, ()))
        fitting = [rule for rule in rules if self._fits(rule.parts, node)]
        result: dict[str, str] = {}
        for rule in sorted(fitting, key=lambda rule: rule.weight):
            result.update(rule.values)
        return result

    def _fits(self, parts: list[_Part], node: Node) -> bool:
        """Whether a selector chooses an element."""
        self._count()
        return parts[-1].fits(node) and self._below(parts[:-1], node, child=parts[-1].child)

    def _below(self, parts: list[_Part], node: Node, *, child: bool) -> bool:
        """Whether an element is (a child of, or somewhere in) what these parts choose."""
        if not parts:
            return True
        *before, part = parts
        above = node.parent
        while above is not None:
            self._count()
            if part.fits(above) and self._below(before, above, child=part.child):
                return True
            above = None if child else above.parent
        return False

    def _count(self) -> None:
        self.n_tries += 1
        if self.n_tries > MAX_TRIES:
            raise BadSketch("more rules of CSS than a drawing has")


def _parts(selector: str) -> list[_Part]:
    """The parts of a selector; none where it has others than are followed."""
    parts = []
    child = False
    for word in selector[:LONGEST].replace(">", " > ").split():
        if word == ">":
            child = True
            continue
        if not _COMPOUND.fullmatch(word):
            return []
        tag = _TAG.match(word)
        names = _NAMED.findall(word)
        identity = [name[1:] for name in names if name[0] == "#"]
        classes = frozenset(name[1:] for name in names if name[0] == ".")
        parts.append(_Part(tag[0] if tag else "", classes, (identity or [""])[-1], child))
        child = False
    return [] if child or len(parts) > MAX_PARTS else parts


def _weight(parts: list[_Part], order: int) -> tuple[int, int, int, int]:
    ids = sum(bool(part.identity) for part in parts)
    tags = sum(bool(part.tag) for part in parts)
    return ids, sum(len(part.classes) for part in parts), tags, order


def _classes(node: Node) -> list[str]:
    return (node.attributes.get("class") or "").split(None, MAX_CLASSES)[:MAX_CLASSES]


def own(node: Node, rules: Rules) -> dict[str, str]:
    """The properties that an element has itself: attributes, then rules, then its style."""
    attributes = node.attributes
    result = {name: attributes[name].strip() for name in STYLING & attributes.keys()}
    result.update(rules.of(node))
    if "style" in attributes:
        result.update(declarations(_COMMENT.sub("", attributes["style"][:LONGEST])))
    for name in [name for name in result if name[0] == "!"]:
        result[name[1:]] = result.pop(name)
    return {name: value for name, value in result.items() if value != "inherit"}


def inherit(properties: Properties, parent: Properties) -> Properties:
    """What the children of an element with these properties get."""
    mine = {name: properties[name] for name in INHERITED & properties.keys()}
    return {**parent, **mine} if mine else parent


def is_gone(properties: Properties) -> bool:
    """Whether an element is not drawn, nor anything in it."""
    return properties.get("display") == "none" or _is_zero(properties.get("opacity"))


def is_stroked(look: Properties) -> bool:
    """Whether a pen goes along the outline."""
    return (
        not _is_clear(look.get("stroke", "none"))
        and not _is_zero(look.get("stroke-opacity"))
        and not _is_zero(look.get("stroke-width"))
    )


def is_filled(look: Properties) -> bool:
    """Whether there is ink inside; black, if nothing is said."""
    return not _is_clear(look.get("fill", "black")) and not _is_zero(look.get("fill-opacity"))


def is_hidden(look: Properties) -> bool:
    """Whether this shape keeps its place, but is not seen."""
    return look.get("visibility") in ("hidden", "collapse")


def has_markers(look: Properties) -> bool:
    """Whether arrowheads or the like are set along the outline."""
    names = ("marker", "marker-start", "marker-mid", "marker-end")
    return any(look.get(name, "none") != "none" for name in names)


def is_turned(properties: Properties) -> bool:
    """Whether it is moved otherwise than by ``transform``."""
    return any(properties.get(name, "none") != "none" for name in ("rotate", "scale", "translate"))


def inks(look: Properties) -> set[str]:
    """The inks that it is drawn with."""
    found = [look.get("stroke", "none")] if is_stroked(look) else []
    found += [look.get("fill", "black")] if is_filled(look) else []
    return {ink.strip().lower()[:64] for ink in found}


def are_white(inks: set[str]) -> bool:
    """Whether there is white ink alone, which is paper on a white page."""
    return bool(inks) and all(_WHITE.fullmatch(ink) for ink in inks)


def _is_clear(paint: str) -> bool:
    return _CLEAR.fullmatch(paint.strip().lower()[:64]) is not None


def _is_zero(text: str | None) -> bool:
    found = _NUMBER.match(text.strip()) if text else None
    return found is not None and float(found[0]) == 0
