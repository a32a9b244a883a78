"""Whether a shape is seen: presentation attributes, ``style``, and simple rules of CSS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from sketchrnn_cli.sketches.formats.svg.document import STYLING, Node
from sketchrnn_cli.sketches.formats.svg.path import NUMBER

Properties = Mapping[str, str]

MAX_CLASSES = 16  # of one element
LONGEST = 10_000  # characters of a style; the rest is left alone
INHERITED = STYLING - {"display", "opacity", "transform"}

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_SELECTOR = re.compile(r"(?:\*|[\w-]*)(?:[.#][\w-]+)?")
_CLEAR = re.compile(
    r"none|transparent|#[0-9a-f]{6}00|#[0-9a-f]{3}0"
    r"|(?:rgb|hsl)a?\((?:[^,/()]*,){3}\s*[0.]+%?\s*\)"
    r"|(?:rgb|hsl)a?\([^,/()]*/\s*[0.]+%?\s*\)"
)
_NUMBER = re.compile(NUMBER)


def declarations(text: str) -> dict[str, str]:
    """What a ``style`` says of the properties that matter here."""
    result = {}
    for part in text[:LONGEST].split(";"):
        name, colon, value = part.partition(":")
        name = name.strip().lower()
        if colon and name in STYLING:
            result[name] = value.replace("!important", "").strip()
    return result


class Rules:
    """The rules of all <style> elements that select by element, class or id alone."""

    def __init__(self, css: str) -> None:
        self.by_selector: dict[str, dict[str, tuple[int, str]]] = {}  # property: order, value
        depth = 0  # of blocks such as @media, which are passed over
        for order, part in enumerate(_COMMENT.sub("", css).split("}")):
            *around, head, body = ["", *part.split("{")]
            if not around:
                depth = max(depth - 1, 0)
                continue
            depth += len(around) - 1
            found = {name: (order, value) for name, value in declarations(body).items()}
            for selector in head.split(",") if found and not depth else ():
                key = selector.strip()
                if key and _SELECTOR.fullmatch(key):
                    self.by_selector.setdefault(key.lstrip("*"), {}).update(found)

    def of(self, node: Node) -> dict[str, str]:
        """What they say of an element; ids weigh more than classes, and these than elements."""
        if not self.by_selector:
            return {}
        classes = islice((node.attributes.get("class") or "").split(), MAX_CLASSES)
        named = [f"{tag}.{name}" for name in classes for tag in ("", node.tag)]
        identity = node.attributes.get("id")
        ids = [f"{tag}#{identity}" for tag in ("", node.tag)] if identity else []
        result: dict[str, str] = {}
        for keys in (["", node.tag], named, ids):
            rules = [self.by_selector[key] for key in keys if key in self.by_selector]
            entries = [(entry, name) for rule in rules for name, entry in rule.items()]
            for (_, value), name in sorted(entries):
                result[name] = value
        return result


def own(node: Node, rules: Rules) -> dict[str, str]:
    """The properties that an element has itself: attributes, then rules, then its style."""
    attributes = node.attributes
    result = {name: attributes[name].strip() for name in STYLING & attributes.keys()}
    result.update(rules.of(node))
    if "style" in attributes:
        result.update(declarations(_COMMENT.sub("", attributes["style"][:LONGEST])))
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


def _is_clear(paint: str) -> bool:
    return _CLEAR.fullmatch(paint.strip().lower()[:64]) is not None


def _is_zero(text: str | None) -> bool:
    found = _NUMBER.match(text.strip()) if text else None
    return found is not None and float(found[0]) == 0
