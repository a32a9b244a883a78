"""Untrusted XML as a tree of the elements that may draw: bounded, with entities of text alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.formats import sniff

MAX_BYTES = 1 << 25  # unpacked
MAX_ELEMENTS = 200_000
MAX_ATTRIBUTES = 600_000
MAX_DEPTH = 200
MAX_CSS = 1 << 20  # characters
MAX_ENTITIES = 1 << 20  # characters that references to entities may become
MAX_PREFIXES = 100  # without a declaration

SVG = "http://www.w3.org/2000/svg"
HREF = "http://www.w3.org/1999/xlink}href"
SHAPES = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"}
GROUPS = {"svg", "g", "a", "switch", "use"}
UNSEEN = {"defs", "symbol", "clipPath", "mask", "marker", "pattern"}  # drawn by `use` alone
UNDRAWN = {"text", "image", "foreignObject"}  # they show something, but no strokes
STYLING = {
    "display", "visibility", "opacity", "fill", "fill-opacity", "stroke", "stroke-opacity",
    "stroke-width", "transform", "transform-origin", "transform-box", "clip-path", "mask",
    "overflow", "rotate", "scale", "translate", "marker", "marker-start", "marker-mid",
    "marker-end",
}  # fmt: skip
_ATTRIBUTES = STYLING | {
    "id", "class", "style", "href", "viewBox", "preserveAspectRatio", "width", "height", "x", "y",
    "d", "points", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "requiredExtensions",
    "systemLanguage", "data-word", "data-drawings", "clipPathUnits",
}  # fmt: skip

_ROOT = re.compile(rb"(<(?:[\w.-]+:)?svg)[\s/>][^>]*")
_PREFIX = re.compile(rb"[\s</]([A-Za-z_][\w.-]{0,40}):[A-Za-z_]")


@dataclass(slots=True)
class Node:
    """One element."""

    tag: str  # without namespace
    attributes: dict[str, str]  # those that have a meaning here
    children: list[Node] = field(default_factory=list)
    parent: Node | None = field(default=None, repr=False)


@dataclass(slots=True)
class Document:
    """What a file holds."""

    root: Node
    ids: dict[str, Node]
    css: str  # of all <style> elements
    undrawn: set[str]  # kinds of elements that show something, but no strokes


def parse(data: bytes) -> Document:
    """Read XML.

    Args:
        data: the file, unpacked.

    Raises:
        BadSketch: damaged, of another kind, too large, too deep, or with entities.
    """
    if len(data) > MAX_BYTES:
        raise BadSketch(f"over {MAX_BYTES >> 20} MiB of XML; a drawing has far less")
    # Counted before the parser sees them: it makes an object of each.
    if data.count(b"<") > 2 * MAX_ELEMENTS:
        raise BadSketch(f"more than {MAX_ELEMENTS:,} elements; a drawing has far fewer")
    if data.count(b'"') + data.count(b"'") > 2 * MAX_ATTRIBUTES:
        raise BadSketch(f"more than {MAX_ATTRIBUTES:,} attributes; a drawing has far fewer")
    data = data.lstrip(b" \t\r\n")
    try:
        try:
            builder = _build(data)
        except expat.ExpatError as error:
            if expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX] != error.code:
                raise
            builder = _build(_declared(data))
    except expat.ExpatError as error:
        why = expat.ErrorString(error.code)
        raise BadSketch(f"damaged XML, {why} in line {error.lineno}; export it again") from None
    except (LookupError, ValueError) as error:  # of the declared encoding
        raise BadSketch(f"an encoding that is not read ({error}); save it as UTF-8") from None
    assert builder.root is not None, "expat finds no document without an element"
    return Document(builder.root, builder.ids, "".join(builder.css), builder.undrawn)


def _build(data: bytes) -> _Builder:
    """Parse a whole file."""
    parser = expat.ParserCreate(namespace_separator="}")
    builder = _Builder(data.count(b"&"))
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.EntityDeclHandler = builder.entity
    parser.ExternalEntityRefHandler = builder.external
    parser.Parse(data, True)
    return builder


def _declared(data: bytes) -> bytes:
    """The same file with the prefixes declared in its first tag that it uses without."""
    root = _ROOT.search(data)
    if root is None:
        return data
    used = dict.fromkeys(_PREFIX.findall(data))
    new = [prefix for prefix in used if b"xmlns:" + prefix not in root[0]][:MAX_PREFIXES]
    known = {b"xlink": HREF.rpartition("}")[0].encode(), b"svg": SVG.encode()}
    added = [b' xmlns:%s="%s"' % (prefix, known.get(prefix, b"urn:" + prefix)) for prefix in new]
    at = root.end(1)
    return data[:at] + b"".join(added) + data[at:]


class _Builder:
    """Takes what the parser finds."""

    def __init__(self, n_references: int) -> None:
        self.n_references = n_references  # at most, to entities
        self.root: Node | None = None
        self.stack: list[Node] = []
        self.ids: dict[str, Node] = {}
        self.css: list[str] = []
        self.css_size = 0
        self.undrawn: set[str] = set()
        self.n = 0
        self.ignored = 0  # elements around that are not looked into
        self.in_style = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, tag = name.rpartition("}")
        self.n += 1
        if self.n > MAX_ELEMENTS:
            raise BadSketch(f"more than {MAX_ELEMENTS:,} elements")
        if len(self.stack) + self.ignored >= MAX_DEPTH:
            raise BadSketch(f"elements nested deeper than {MAX_DEPTH}")
        known = not self.ignored and namespace in (SVG, "")
        if self.root is None and (tag != "svg" or not known):
            raise BadSketch(f"begins with <{tag[:40]}>, not <svg>; no SVG")
        if not known or tag not in SHAPES | GROUPS | UNSEEN:
            if known and tag in UNDRAWN and "requiredExtensions" not in attributes:
                self.undrawn.add(tag)
            self.in_style = self.in_style or (known and tag == "style")
            self.ignored += 1
            return
        if HREF in attributes:
            attributes.setdefault("href", attributes[HREF])
        node = Node(tag, {key: attributes[key] for key in attributes.keys() & _ATTRIBUTES})
        if self.root is None:
            self.root = node
        else:
            node.parent = self.stack[-1]
            node.parent.children.append(node)
        self.stack.append(node)
        if "id" in node.attributes:
            self.ids.setdefault(node.attributes["id"], node)

    def end(self, name: str) -> None:
        if self.ignored:
            self.ignored -= 1
            self.in_style = self.in_style and self.ignored > 0
        else:
            self.stack.pop()

    def text(self, data: str) -> None:
        if self.in_style:
            self.css.append(data)
            self.css_size += len(data)
            if self.css_size > MAX_CSS:
                raise BadSketch(f"over {MAX_CSS >> 20} MiB of CSS")

    def entity(self, entity: str, is_parameter: int, value: str | None, *_: object) -> None:
        """Let pass what stands for plain text, as Illustrator writes it, and is not too much."""
        plain = not is_parameter and value is not None and not set(value) & set("&<%")
        if not plain or len(value or "") * self.n_references > MAX_ENTITIES:
            raise BadSketch(
                f"declares the XML entity {entity[:40]!r}, which is not read: it is "
                "no plain text, or too much of it; save it as plain SVG"
            )

    def external(self, *_: object) -> int:
        raise BadSketch("refers to another file, which is not read")


def say_what_it_is(data: bytes, name: str) -> None:
    """Raise for what is often found under the name of an SVG."""
    head = data[:512].removeprefix(sniff.BOM).lstrip()
    if head[:14].lower().startswith((b"<!doctype html", b"<html", b"<head")):
        raise BadSketch(f"{name}: a web page, not SVG; download the raw file")
    if not head.startswith((b"<", b"\0<", b"\xff\xfe", b"\xfe\xff")):
        sniff.say_what_else(head, name)
        raise BadSketch(f"{name}: not SVG, which is XML")
