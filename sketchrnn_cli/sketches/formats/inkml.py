"""InkML, the W3C's format of pen input: one drawing a file, one stroke a ``trace``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

import orjson

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.formats import sniff
from sketchrnn_cli.sketches.formats.json_objects import Numbered

MAX_BYTES = 1 << 25
MAX_DEPTH = 100
MAX_POINTS = 1_000_000
LABELS = ("label", "word", "truth")  # of an annotation that says what is drawn
SECONDS = ("s", "sec", "second", "seconds")
_MINUS = re.compile(r"(?<=[0-9.])-")  # which may follow a number at once
_DIFFERENCES = re.compile(r"['\"!*?#TF]")


def arrivals(source: str) -> Iterator[Iterator[Numbered]]:
    """The drawing of a file as one JSON object; see ``json_objects.arrivals``.

    Raises:
        BadFile: another kind of file, damaged, or too large.
        BadSketch: a trace that is no list of places.
    """
    name = name_of(source)
    data = sniff.content(source, MAX_BYTES)
    if len(data) > MAX_BYTES:
        raise BadFile(f"{name}: over {MAX_BYTES >> 20} MiB; a drawing has far less")
    if sniff.format_of(data[:512]) != "inkml":
        sniff.say_what_else(data[:512], name)
    if not data.removeprefix(sniff.BOM).lstrip().startswith((b"<", *sniff.UTF16)):
        raise BadFile(f"{name}: not InkML, which is XML")
    ink = _Ink(name)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler, parser.EndElementHandler = ink.start, ink.end
    parser.CharacterDataHandler, parser.EntityDeclHandler = ink.text, ink.entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BadFile(f"{name}: damaged XML: {error}; get the file again") from None
    fields: dict[str, object] = {"word": ink.word} if ink.word else {}
    if not ink.traces:
        raise BadSketch(f"{name}: no traces in it")
    yield iter([(1, orjson.dumps(fields | {"drawing": ink.strokes()}))])


class _Ink:
    """Takes what the parser finds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.depth, self.n_points = 0, 0
        self.formats: list[dict[str, float]] = [{}]  # channels in order, and what each is times
        self.traces: list[list[str]] = []  # the pieces of each
        self.parts: list[str] | None = None  # of the text that is wanted
        self.word = ""
        self.is_more = False  # of the trace before

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        tag = tag.rpartition("}")[2]
        if self.depth > MAX_DEPTH:
            raise BadFile(f"{self.name}: elements nested deeper than {MAX_DEPTH}")
        if self.depth == 1 and tag != "ink":
            raise BadFile(f"{self.name}: begins with <{tag[:40]}>, not <ink>; no InkML")
        if tag == "traceFormat":
            self.formats.append({})
        elif tag == "channel":
            name = attributes.get("name", "").upper()[:40]
            in_seconds = name == "T" and attributes.get("units", "") in SECONDS
            turned = attributes.get("orientation") == "-ve"  # values grow to the left, or upwards
            self.formats[-1][name] = 1000.0 if in_seconds else -1.0 if turned else 1.0
        elif tag == "trace":
            self.is_more = attributes.get("continuation") in ("middle", "end")
            self.parts = [] if attributes.get("type") != "penUp" else None
        elif tag == "annotation" and attributes.get("type") in LABELS:
            self.parts = []

    def end(self, tag: str) -> None:
        self.depth -= 1
        if self.parts is None:
            return
        text, self.parts = "".join(self.parts).strip(), None
        if tag.rpartition("}")[2] != "trace":
            self.word = self.word or text
        elif self.is_more and self.traces:
            self.traces[-1].append(text)
        else:
            self.traces.append([text])

    def text(self, text: str) -> None:
        if self.parts is not None:
            self.parts.append(text)

    def entity(self, *_: object) -> None:
        raise BadFile(f"{self.name}: XML with entities, which no InkML needs; it is not read")

    def strokes(self) -> list[list[list[float]]]:
        """Rows x, y and, if there are times, those, of every trace."""
        channels, *others = [found for found in self.formats if found] or [{"X": 1.0, "Y": 1.0}]
        if any([*found.items()] != [*channels.items()] for found in others):
            raise BadSketch(f"{self.name}: several trace formats that differ; save it with one")
        if "X" not in channels or "Y" not in channels:
            raise BadSketch(f"{self.name}: no channels X and Y")
        factors = [(name, channels[name]) for name in ("X", "Y", "T") if name in channels]
        wanted = [[*channels].index(name) for name, _ in factors]
        strokes = [self._stroke(k, wanted, len(channels)) for k in range(len(self.traces))]
        return [
            [
                [factor * value for value in row]
                for (_, factor), row in zip(factors, rows, strict=True)
            ]
            for rows in strokes
        ]

    def _stroke(self, k: int, wanted: list[int], width: int) -> list[list[float]]:
        trace = ",".join(self.traces[k])
        here = f"{self.name}: trace {k}"
        if _DIFFERENCES.search(trace):
            raise BadSketch(f"{here}: written as differences; export it with explicit places")
        trace = _MINUS.sub(" -", trace)
        points = [point.split() for point in trace.split(",") if point.strip()]
        self.n_points += len(points)
        if self.n_points > MAX_POINTS:
            raise BadSketch(f"{here}: over {MAX_POINTS:,} points, which is no drawing")
        if any(len(point) <= max(wanted) for point in points):
            raise BadSketch(f"{here}: a point without a number for each of {width} channels")
        if any(len(point) > width for point in points):
            raise BadSketch(f"{here}: more numbers at a point than its {width} channels")
        try:
            return [[float(point[at]) for point in points] for at in wanted]
        except ValueError:
            raise BadSketch(f"{here}: holds something else than numbers") from None
