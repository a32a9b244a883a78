"""What an SVG shows, as strokes in drawing order: groups, references and styles followed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.formats.svg import clip, style
from sketchrnn_cli.sketches.formats.svg import transforms as frames
from sketchrnn_cli.sketches.formats.svg.curves import extent, flatten
from sketchrnn_cli.sketches.formats.svg.document import (
    MAX_DEPTH,
    MAX_ELEMENTS,
    SHAPES,
    Document,
    Node,
)
from sketchrnn_cli.sketches.formats.svg.path import MANY, Nodes, parse
from sketchrnn_cli.sketches.formats.svg.shapes import outline

MAX_DRAWINGS = 10_000  # of a file
MAX_STROKES = 10_000  # of a drawing
MAX_NUMBERS = 400_000  # of a drawing
MAX_ALL_NUMBERS = 1_500_000  # of a file
MAX_USES = 20_000
MAX_TRANSFORMS = 1 << 22  # characters of all
EXAMPLES = 3  # faults of a file that are noted in full
PAGE = 100.0  # side of a page that does not say its size

_UNDRAWN = {
    "text": "text, which is not drawn: convert it to paths",
    "image": "a picture of pixels, which is not drawn: trace it to paths",
    "foreignObject": "foreign objects, which are not drawn",
}
_URL = re.compile(r"url\(\s*[\"']?#([^\"')]+)[\"']?\s*\)")
BOX_UNITS = "objectBoundingBox"
OUTLINED = (
    "{n} filled shape(s) drawn as outlines; a pen stroke saved as a shape comes as a closed outline"
)
OFF = "{n} stroke(s) off the page, which are left out"
OVER = "{n} stroke(s) reach off the page, where they are not seen; they are drawn whole"
EDGE = 0.05  # of the page, which a stroke may reach beyond
TINTED = "{n} shape(s) of the colour of the page drawn as ink; an eraser is better removed"
TURNED = "a rotate, scale or translate property, which is not followed; transform is"
WHITE = "{n} white shape(s) drawn as ink; a frame or an eraser is better removed"


class _Faulty(Exception):
    """What is wrong with a shape, and what becomes of it."""


@dataclass(slots=True)
class Drawing:
    """Strokes of one drawing."""

    word: str | None
    strokes: list[Nodes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drawn:
    """All drawings of a file."""

    drawings: list[Drawing]
    ours: bool  # a sheet that this program wrote
    page: float  # the larger side of the page, 0 if it does not say
    notes: list[str]  # of what is not drawn as it is seen


def follow(document: Document) -> Drawn:
    """Draw a document.

    A file is one drawing. A sheet as ``sample`` writes it has a group with ``data-drawings``, and
    in that a group for each drawing, with its word in ``data-word``; it is as many drawings.
    Coordinates are in the unit of the view box, or pixels where there is none.

    Raises:
        BadSketch: nothing that is seen has an outline; too many shapes.
    """
    hand = _Hand(document, style.Rules(document.css))
    hand.draw_root()
    n_loose = sum(group is None for group, _ in hand.strokes)
    if n_loose and len(hand.drawings) > 1:
        raise BadSketch(
            f"{n_loose:,} stroke(s) beside the groups of its {len(hand.drawings):,} "
            "drawings; move them into a group with data-word"
        )
    drawings = hand.drawings or [Drawing(None)]
    for group, nodes in hand.strokes:
        drawings[group or 0].strokes.append(nodes)
    if not hand.strokes and not hand.is_ours:
        why = [_UNDRAWN[tag] for tag in sorted(document.undrawn)]
        why += ["shapes that are hidden or have no ink"] if hand.n_hidden else []
        if hand.faults:
            raise BadSketch(hand.faults[0].rpartition("; ")[0])
        raise BadSketch("no strokes in it" + (f", only {why[0]}" if why else ""))
    return Drawn(drawings, hand.is_ours, max(hand.page[2:]), _notes(hand))


def _notes(hand: _Hand) -> list[str]:
    """What a person should know of the drawing."""
    notes = hand.faults[:EXAMPLES]
    if (more := len(hand.faults) - EXAMPLES) > 0:
        notes.append(f"{more:,} more faulty shape(s)")
    notes += [note.format(n=f"{n:,}") for note, n in hand.notes.items() if n]
    if hand.rules.passed_over:
        notes.append(f"rules of CSS that are not followed, as for {hand.rules.passed_over!r}")
    if not hand.is_ours:  # whose captions are text
        notes += [_UNDRAWN[tag] for tag in sorted(hand.document.undrawn)]
    return notes


class _Place(NamedTuple):
    """What an element inherits from those around it."""

    frame: frames.Matrix
    look: style.Properties
    width: float  # of the viewport: what 100 % is
    height: float
    depth: int
    clip: clip.Edges | None = None  # on the page; what is outside is not seen


class _Hand:
    """Walks over the elements."""

    def __init__(self, document: Document, rules: style.Rules) -> None:
        self.document = document
        self.rules = rules
        self.notes: Counter[str] = Counter()
        self.drawings: list[Drawing] = []  # that have a group
        self.group: int | None = None  # the one under way
        self.is_ours = False
        self.strokes: list[tuple[int | None, Nodes]] = []
        self.paper: set[int] = set()  # strokes that are the edge of the page
        self.paper_ink = "white"  # until a page of another colour is drawn
        self.room = MAX_ALL_NUMBERS
        self.n_numbers: Counter[int | None] = Counter()  # of each drawing
        self.n_strokes: Counter[int | None] = Counter()
        self.n_uses = self.n_transforms = 0
        self.n_visits = self.n_shapes = self.n_hidden = 0
        self.faults: list[str] = []  # of shapes, and what became of each
        width, height = (
            max(frames.length(document.root.attributes.get(side), 0.0), 0.0)
            for side in ("width", "height")
        )
        self.size = width, height
        box = frames.view_box(document.root.attributes.get("viewBox"))
        self.page = box or (0.0, 0.0, width, height)

    def draw_root(self) -> None:
        """Everything. A filled rectangle behind it, as large as the page, is paper."""
        root = self.document.root
        look = style.own(root, self.rules)
        if style.is_gone(look):
            self.n_hidden += 1
            return
        try:
            frame = self._transform(look, self.page)
        except _Faulty as fault:
            raise BadSketch(f"svg: {fault}") from None
        if "none" in root.attributes.get("preserveAspectRatio", "") and all(
            (*self.size, *self.page[2:])
        ):  # else the view box is shown as large as it may be, in its own proportions
            frame = frames.after(frame, frames.into(self.page, "none", *self.size))
        _, _, width, height = self.page
        place = _Place(frame, style.inherit(look, {}), width or PAGE, height or PAGE, 1)
        for child in root.children:
            self._draw(child, place)
        if len(self.paper) < len(self.strokes):
            self.strokes = [s for k, s in enumerate(self.strokes) if k not in self.paper]
        sheet = clip.placed(self.page, frame)
        if sheet and all(self.page[2:]) and not self.is_ours:
            self._look_off(sheet)

    def _look_off(self, sheet: clip.Edges) -> None:
        """Leave out what lies off the page, and note what reaches there."""
        boxes = [clip.bounds(nodes) for _, nodes in self.strokes]
        seen = [k for k, box in enumerate(boxes) if not clip.is_off(box, sheet)]
        if not seen or not all(self.size):  # a view box alone is no page
            seen = [*range(len(boxes))]
        self.notes[OFF] += len(boxes) - len(seen)
        slack = EDGE * max(sheet[2] - sheet[0], sheet[3] - sheet[1])
        near = sheet[0] - slack, sheet[1] - slack, sheet[2] + slack, sheet[3] + slack
        self.notes[OVER] += sum(clip.both(boxes[k], near) != boxes[k] for k in seen)
        self.strokes = [self.strokes[k] for k in seen]

    def _inside(self, node: Node, place: _Place) -> None:
        place = place._replace(depth=place.depth + 1)
        for child in node.children:
            self._draw(child, place)

    def _draw(self, node: Node, place: _Place) -> None:
        """One element."""
        self.n_visits += 1
        if self.n_visits > MAX_ELEMENTS:
            raise BadSketch(f"draws more than {MAX_ELEMENTS:,} elements")
        if place.depth >= MAX_DEPTH:
            raise BadSketch(f"elements nested deeper than {MAX_DEPTH}")
        look = style.own(node, self.rules)
        if style.is_gone(look):
            self.n_hidden += 1
            return
        self.notes[TURNED] += style.is_turned(look)
        if node.tag in SHAPES:
            self.n_shapes += 1
            where = f"{node.tag} {self.n_shapes}"
        else:
            where = node.tag
        try:
            viewport = (0.0, 0.0, place.width, place.height)
            box = self._box(node, place) if _needs_box(look, self.document) else None
            frame = frames.after(place.frame, self._transform(look, viewport, box))
            place = place._replace(frame=frame, look=style.inherit(look, place.look))
            place = self._clip(look, place, box)
            if node.tag in SHAPES:
                self._shape(node, place)
        except BadSketch as error:
            raise BadSketch(f"{where}: {error}") from None
        except _Faulty as fault:
            self.faults.append(f"{where}: {fault}")
            return
        if node.tag in ("g", "a"):
            self._group(node, place)
        elif node.tag == "switch":
            self._switch(node, place)
        elif node.tag == "svg":
            self._nested(node, node.attributes, self._moved(node, place))
        elif node.tag == "use":
            self._use(node, place)

    def _group(self, node: Node, place: _Place) -> None:
        if "data-drawings" in node.attributes and self.group is None:
            self.is_ours = True
            for child in node.children:
                if child.tag == "g":
                    child.attributes.setdefault("data-word", "")
        if "data-word" not in node.attributes or self.group is not None:
            self._inside(node, place)
            return
        self.is_ours = True
        if len(self.drawings) >= MAX_DRAWINGS:
            raise BadSketch(f"more than {MAX_DRAWINGS:,} drawings")
        self.group = len(self.drawings)
        self.drawings.append(Drawing(node.attributes["data-word"].strip() or None))
        self._inside(node, place)
        self.group = None

    def _switch(self, node: Node, place: _Place) -> None:
        """The first child without conditions."""
        for child in node.children:
            if not {"requiredExtensions", "systemLanguage"} & child.attributes.keys():
                self._draw(child, place._replace(depth=place.depth + 1))
                return

    def _nested(self, node: Node, sizes: Mapping[str, str], place: _Place) -> None:
        """An <svg> inside another one, or a symbol, in a viewport of these sizes."""
        width = frames.length(sizes.get("width"), place.width, place.width)
        height = frames.length(sizes.get("height"), place.height, place.height)
        if width <= 0 or height <= 0:
            return
        box = frames.view_box(node.attributes.get("viewBox"))
        if box:
            aspect = node.attributes.get("preserveAspectRatio")
            frame = frames.after(place.frame, frames.into(box, aspect, width, height))
            place = place._replace(frame=frame)
            _, _, width, height = box
        if node.attributes.get("overflow") not in ("visible", "auto"):
            place = self._cut(box or (0.0, 0.0, width, height), place.frame, place)
        self._inside(node, place._replace(width=width, height=height))

    def _use(self, node: Node, place: _Place) -> None:
        """What a <use> refers to, at its place. Other files are not looked into."""
        href = node.attributes.get("href", "").strip()
        target = self.document.ids.get(href[1:]) if href.startswith("#") else None
        if target is None:
            self.notes["{n} use(s) of what is not in the file, which are not drawn"] += bool(href)
            return
        self.n_uses += 1
        if self.n_uses > MAX_USES:
            raise BadSketch(f"uses of elements, more than {MAX_USES:,}")
        place = self._moved(node, place)._replace(depth=place.depth + 1)
        if target.tag in ("symbol", "svg"):
            if place.depth < MAX_DEPTH:
                self._nested(target, {**target.attributes, **node.attributes}, place)
        else:
            self._draw(target, place)

    def _moved(self, node: Node, place: _Place) -> _Place:
        """By x and y of an element."""
        x = frames.length(node.attributes.get("x"), place.width)
        y = frames.length(node.attributes.get("y"), place.height)
        return place._replace(frame=frames.after(place.frame, frames.shift(x, y)))

    def _box(self, node: Node, place: _Place) -> frames.Box | None:
        """The box of a shape, the width of its line left out; None of what is no shape."""
        if node.tag not in SHAPES:
            return None
        strokes, _ = parse(outline(node, place.width, place.height), room=self.room)
        if not strokes:
            return None
        points, _ = flatten(strokes, extent(strokes) * clip.FINE)
        (left, top), (width, height) = points.min(axis=0).tolist(), np.ptp(points, axis=0).tolist()
        return left, top, width, height

    def _clip(
        self, look: style.Properties, place: _Place, shape: frames.Box | None = None
    ) -> _Place:
        """Within the clip path of an element, if that is a rectangle."""
        if look.get("mask", "none") != "none":
            self.notes["a mask, which is not followed: what it hides is drawn"] += 1
        if look.get("clip-path", "none") == "none":
            return place
        named = _URL.match(look["clip-path"])
        path = self.document.ids.get(named[1]) if named else None
        inner = path.children[0] if path and len(path.children) == 1 else None
        if path and inner and path.tag == "clipPath" and inner.tag in SHAPES:
            try:
                found = self._clip_box(path, inner, place, shape)
            except (BadSketch, _Faulty):
                found = None
            if found is not None:
                return self._cut(*found, place)
        self.notes["a clip path, which is not followed: what it cuts off is drawn"] += 1
        return place

    def _clip_box(
        self, path: Node, inner: Node, place: _Place, shape: frames.Box | None
    ) -> tuple[frames.Box, frames.Matrix] | None:
        """The box that the only shape of a clip path is, and where it lies."""
        looks = [style.own(node, self.rules) for node in (path, inner)]
        frame, whole = place.frame, (place.width, place.height)
        if path.attributes.get("clipPathUnits") == BOX_UNITS:
            if shape is None:
                return None
            left, top, width, height = shape
            frame, whole = frames.after(frame, (width, 0.0, 0.0, height, left, top)), (1.0, 1.0)
        for look in looks:
            if "clip-path" in look:
                return None
            frame = frames.after(frame, self._transform(look, (0.0, 0.0, *whole)))
        data = outline(inner, *whole)
        strokes = parse(data, room=MAX_NUMBERS)[0] if len(data) <= clip.LONGEST else []
        box = clip.rectangle(strokes[0]) if len(strokes) == 1 else None
        return None if box is None else (box, frame)

    def _cut(self, box: frames.Box, frame: frames.Matrix, place: _Place) -> _Place:
        """Within a box of a frame."""
        found = clip.placed(box, frame)
        if found is None:
            self.notes["a turned viewport or clip path, which is not followed"] += 1
            return place
        return place._replace(clip=clip.both(place.clip, found))

    def _transform(
        self, look: style.Properties, viewport: frames.Box, shape: frames.Box | None = None
    ) -> frames.Matrix:
        text = look.get("transform", "")
        self.n_transforms += len(text)
        if self.n_transforms > MAX_TRANSFORMS:
            raise BadSketch("more transforms than a drawing has")
        of_shape = look.get("transform-box", "view-box") != "view-box"
        box = shape if of_shape and shape is not None else viewport
        try:
            matrix = frames.transform(text, *box[2:])
        except BadSketch as error:
            raise _Faulty(f"{error}; left out") from None
        if matrix is frames.SAME or "transform-origin" not in look:
            return matrix
        if of_shape and shape is None:
            self.notes["a transform-box of a group, which is not followed: view-box is taken"] += 1
        return frames.around(matrix, look["transform-origin"], box)

    def _shape(self, node: Node, place: _Place) -> None:
        stroked = style.is_stroked(place.look)
        if style.is_hidden(place.look) or not (stroked or style.is_filled(place.look)):
            self.n_hidden += 1
            return
        room = min(self.room, MAX_NUMBERS - self.n_numbers[self.group])
        try:
            data = outline(node, place.width, place.height)
        except BadSketch as error:
            raise _Faulty(f"{error}; left out") from None
        strokes, fault = parse(data, room=room)
        n_numbers = sum(2 * (len(nodes) // 3 + 1) for nodes in strokes)
        self.room -= n_numbers
        self.n_numbers[self.group] += n_numbers
        self.n_strokes[self.group] += len(strokes)
        if n_numbers > room or self.n_strokes[self.group] > MAX_STROKES:
            raise BadSketch(MANY)
        is_paper = False
        for nodes in strokes:
            placed = _transformed(nodes, place.frame)
            if not stroked and len(strokes) == 1 and self._is_page(placed):
                is_paper = True
                self.paper_ink = "".join(style.inks(place.look))
                self.paper.add(len(self.strokes))
            pieces = [placed] if place.clip is None else clip.clipped(placed, place.clip)
            self.strokes += ((self.group, piece) for piece in pieces)
        if strokes and not is_paper and not self.is_ours:
            inks = style.inks(place.look)
            paper = {self.paper_ink}
            if style.are_white(inks) and style.are_white(paper):
                self.notes[WHITE] += 1
            elif inks == paper:
                self.notes[TINTED] += 1
            elif not stroked:
                self.notes[OUTLINED] += 1
            if style.has_markers(place.look):
                self.notes["{n} shape(s) with markers, such as arrowheads, drawn without"] += 1
        if fault:
            raise _Faulty(f"{fault}; drawn up to there")

    def _is_page(self, nodes: Nodes) -> bool:
        """Whether it is a rectangle around the whole page."""
        left, top, width, height = self.page
        box = clip.rectangle(nodes)
        slack_x, slack_y = width / 100, height / 100
        return box is not None and (
            width > 0
            and height > 0
            and box[0] <= left + slack_x
            and box[1] <= top + slack_y
            and box[0] + box[2] >= left + width - slack_x
            and box[1] + box[3] >= top + height - slack_y
        )


def _needs_box(look: style.Properties, document: Document) -> bool:
    """Whether a transform or a clip path goes by the box of its shape."""
    if "transform" in look and look.get("transform-box", "view-box") != "view-box":
        return True
    named = _URL.match(look.get("clip-path", ""))
    path = document.ids.get(named[1]) if named else None
    return path is not None and path.attributes.get("clipPathUnits") == BOX_UNITS


def _transformed(nodes: Nodes, frame: frames.Matrix) -> Nodes:
    """Nodes where they lie on the page."""
    if frame is frames.SAME:
        return nodes
    a, b, c, d, e, f = frame
    return nodes.real * complex(a, b) + nodes.imag * complex(c, d) + complex(e, f)
