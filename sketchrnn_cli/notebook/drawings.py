"""Drawings that show themselves: from a file, from points, or from a model.

Every name here means what the command line means by it.
"""

from __future__ import annotations

import html
import math
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from sketchrnn_cli import files
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadConfig, BadFile, BadSketch
from sketchrnn_cli.notebook.arguments import numbers, whole
from sketchrnn_cli.sketches.sketch import Sketch

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.film.frames import Film, Timing
    from sketchrnn_cli.drawing.film.pen import Pen
    from sketchrnn_cli.inference.recognition import Answer
    from sketchrnn_cli.notebook.model import Model

Array = npt.NDArray[np.float32]

SHOWN, SHOWN_POINTS = 99, 200_000  # on a sheet in a notebook, at most; then how many more
SHEET_WIDTH, CELL = 640, 240  # pixels: a notebook is narrower than a page
LISTED = 5  # words that a repr names
NOTES = 5  # of a file, of which each is a warning
READ = 10_000  # drawings of a file, unless more are asked for


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Drawing:
    """One drawing. In a notebook it shows itself.

    >>> house = sk.from_strokes([[(0, 100), (0, 40), (50, 0), (100, 40), (100, 100), (0, 100)]])
    >>> house
    a drawing of 6 points
    """

    sketch: Sketch

    @property
    def word(self) -> str | None:
        """What it is of."""
        return self.sketch.word

    @property
    def strokes(self) -> tuple[Array, ...]:
        """One (points, 2) array of x, y a stroke, pixels; y grows downwards."""
        return self.sketch.strokes

    @property
    def extras(self) -> dict[str, object]:
        """What else is known: of a sample its ``seed``, ``number``, ``log_likelihood`` ..."""
        return self.sketch.extras

    def recognize(self, n: int = 3, *, model: Model | None = None) -> Answer:
        """As ``Drawings.recognize``, of this one."""
        return Drawings(self).recognize(n, model=model)[0]

    def save(self, path: str | Path) -> None:
        """As ``Drawings.save``."""
        Drawings(self).save(path)

    def animate(
        self,
        *,
        fps: float | None = None,
        duration: float | None = None,
        hold: float | None = None,
        size: int | None = None,
        dark: bool = False,
        color_by: str | None = None,
        pen_tip: bool = False,
    ) -> Animation:
        """As ``Drawings.animate``."""
        look: Any = {"size": size, "dark": dark, "color_by": color_by, "pen_tip": pen_tip}
        return Drawings(self).animate(fps=fps, duration=duration, hold=hold, **look)

    def __repr__(self) -> str:
        n = self.sketch.n_points
        return f"{listed([self.word]) or 'a drawing'} of {n:,} point{'s' * (n != 1)}"

    def _repr_svg_(self) -> str | None:
        return Drawings(self)._repr_svg_()


class Drawings:
    """Drawings in order: a sequence of ``Drawing``. In a notebook they show themselves on a sheet.

    Of a hundred or more the sheet shows the first ones.

    >>> cats = model.sample("cat", n=3)
    >>> cats
    3 drawings: cat
    >>> cats[0].extras["number"], len(cats[1:]), len(cats + cats)
    (0, 2, 6)
    >>> Drawings(cat for cat in cats if cat.extras["number"] != 1)
    2 drawings: cat
    """

    __slots__ = ("sketches",)

    def __init__(self, drawings: AnyDrawings = ()) -> None:
        """From any drawings, in this order.

        Raises:
            BadSketch: something else.
        """
        self.sketches = _sketches(drawings)

    def __len__(self) -> int:
        return len(self.sketches)

    @overload
    def __getitem__(self, index: int) -> Drawing: ...
    @overload
    def __getitem__(self, index: slice) -> Drawings: ...
    def __getitem__(self, index: int | slice) -> Drawing | Drawings:
        if isinstance(index, slice):
            return Drawings(self.sketches[index])
        return Drawing(self.sketches[index])

    def __iter__(self) -> Iterator[Drawing]:
        return map(Drawing, self.sketches)

    def __add__(self, other: Drawings) -> Drawings:
        if not isinstance(other, Drawings):
            return NotImplemented
        return Drawings((*self, *other))

    @property
    def words(self) -> tuple[str | None, ...]:
        """What each is of."""
        return tuple(sketch.word for sketch in self.sketches)

    def recognize(self, n: int = 3, *, model: Model | None = None) -> list[Answer]:
        """What each looks like: its n likeliest words and their shares, the largest first.

        Args:
            n: words of each.
            model: whose recogniser; None: the built-in one. See ``Model.recognize``.
        """
        from sketchrnn_cli.notebook.model import load

        return (model or load()).recognize(self, n)

    def save(self, path: str | Path) -> None:
        """Write them into a file, by its suffix: .ndjson, .npz, .svg, .png, .gif, .webp ...

        The file is the one that `sketchrnn sample -o` writes, and appears whole or not at all.

        Raises:
            BadFile: another suffix, or a file that cannot be written.
            BadSketch: no drawings.
            BadConfig: .mp4 without the extra ``video``.
        """
        kind = _kind(path, outputs.FORMATS)
        if not self.sketches:
            raise BadSketch(f"{path}: no drawings to save")
        outputs.check(kind, Style())
        with files.open_output(path, binary=True) as stream:
            outputs.write(stream, self.sketches, kind)

    def animate(
        self,
        *,
        morph: bool = False,
        in_turn: bool = False,
        fps: float | None = None,
        duration: float | None = None,
        hold: float | None = None,
        size: int | None = None,
        dark: bool = False,
        color_by: str | None = None,
        pen_tip: bool = False,
    ) -> Animation:
        """Let the pen draw them; or, with ``morph``, let each turn into the next.

        >>> model.sample("cat -> pig", frames=2).animate(morph=True, duration=2)
        animation of 3 drawings, 480 x 480 pixels, 5 s

        Args:
            morph: each drawing turns into the next, there and back.
            in_turn: one drawing after the other, not all at once.
            fps: frames a second, 1 to 50; None: 30.
            duration: seconds of drawing; None: 4, or in turn 2 per drawing, or by what changes.
            hold: seconds the finished picture stays; None: 1.5.
            size: pixels of one drawing; None: by the number of drawings.
            dark: light ink on dark paper.
            color_by: ink by ``stroke``, or by ``time``; None: all of one colour.
            pen_tip: show where the pen is.

        Raises:
            BadSketch: no drawings, or a single one to morph.
            BadConfig: a number out of range, or more pixels than an animation should have.
        """
        from sketchrnn_cli.drawing.film.frames import Timing
        from sketchrnn_cli.drawing.film.pen import Pen

        for name, given in (
            ("in_turn", in_turn),
            ("pen_tip", pen_tip),
            ("color_by", color_by is not None),
        ):
            if morph and given:
                raise BadConfig(
                    f"{name} is for a pen that draws, and with morph none does; drop one"
                )
        pace: dict[str, Any] = {"fps": fps, "duration": duration, "hold": hold}
        pace = {name: value for name, value in pace.items() if value is not None}
        timing = Timing(in_turn=in_turn, **pace)
        style = Style(size=size, dark=dark)
        pen = None if morph else Pen(color_by=color_by, tip=pen_tip)
        return Animation.of(self.sketches, style, timing, pen)

    def __repr__(self) -> str:
        words = listed(self.words)
        cut = sum(sketch.extras.get("finished") is False for sketch in self.sketches)
        return (
            _count(len(self))
            + (f": {words}" if words else "")
            + (f"; {cut:,} not finished" if cut else "")
        )

    def _repr_svg_(self) -> str | None:
        room, shown = SHOWN_POINTS, []
        for sketch in self.sketches[:SHOWN]:
            room -= sketch.n_points
            if room < 0:
                break
            shown.append(sketch)
        if not shown:
            return None
        if rest := len(self) - len(shown):
            shown.append(Sketch((), f"+ {rest:,}"))
        from sketchrnn_cli.drawing.svg import to_svg

        columns = math.ceil(math.sqrt(len(shown)))
        return to_svg(shown, Style(size=min(SHEET_WIDTH // columns, CELL)))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Animation:
    """An animated GIF. In a notebook it plays."""

    gif: bytes
    width: int  # pixels
    height: int
    seconds: float
    n_drawings: int
    plan: Callable[[], Film]  # once more, for another format

    @classmethod
    def of(
        cls, sketches: tuple[Sketch, ...], style: Style, timing: Timing, pen: Pen | None
    ) -> Animation:
        """Of a pen that draws, or without one of a morph."""
        from sketchrnn_cli.drawing.film.animation import plan
        from sketchrnn_cli.drawing.film.morph import plan_morph

        again: Callable[[], Film]
        if pen is None:
            again = partial(plan_morph, sketches, style, timing)
        else:
            again = partial(plan, sketches, style, timing, pen)
        film, stream = again(), BytesIO()
        outputs.write_film(stream, film, "gif")
        facts = film.width, film.height, film.seconds, len(sketches)
        return cls(stream.getvalue(), *facts, again)

    def save(self, path: str | Path) -> None:
        """Write it into a file, by its suffix: .gif, .apng, .webp, .svg or .mp4.

        The file appears whole or not at all.

        Raises:
            BadFile: another suffix, or a file that cannot be written.
            BadConfig: .mp4 without the extra ``video``.
        """
        kind = _kind(path, outputs.ANIMATIONS)
        film = self.plan()
        outputs.check(kind, film.style)
        with files.open_output(path, binary=True) as stream:
            if kind == "gif":
                stream.write(self.gif)
            else:
                outputs.write_film(stream, film, kind)

    def __repr__(self) -> str:
        return (
            f"animation of {_count(self.n_drawings)}, {self.width} x {self.height} pixels, "
            f"{self.seconds:g} s"
        )

    def _repr_html_(self) -> str:
        data = b64encode(self.gif).decode()
        return f'<img src="data:image/gif;base64,{data}" alt="{html.escape(repr(self))}">'


AnyDrawings = Drawings | Drawing | Sketch | Iterable[Drawing | Sketch]


def read(source: str | Path, n: int | None = None, *, on_error: str = "fail") -> Drawings:
    """Read drawings of any format that `sketchrnn preprocess` reads, as they stand there.

    Memory holds them all, so a file of more than ten thousand is not read to its end unless ``n``
    says how many of them to read; what lies behind these is not looked at.

    >>> model.sample("cat", n=3).save("cats.ndjson")
    >>> sk.read("cats.ndjson")
    3 drawings: cat
    >>> sk.read("cats.ndjson", n=1)
    1 drawing: cat

    Args:
        source: a file, a folder or a pattern; NDJSON, npz, SVG ...
        n: the first so many.
        on_error: of a faulty drawing: ``fail``, or ``skip`` it with a warning.

    Raises:
        BadFile: no such file, one that holds something else, or too many drawings.
        BadSketch: a faulty drawing.
    """
    from sketchrnn_cli.sketches.formats import read_sketches

    if on_error not in ("fail", "skip"):
        raise BadConfig(f"on_error must be fail or skip, not {on_error!r}")
    limit = READ if n is None else whole("n", n, 1)
    first, n_faulty = "", 0

    def skipped(fault: str) -> None:
        nonlocal first, n_faulty
        first = first or fault
        n_faulty += 1

    notes: list[str] = []
    found = read_sketches(str(source), on_error=on_error, skipped=skipped, note=notes.append)
    try:
        sketches = list(islice(found, limit + (n is None)))
    except BadSketch as error:  # there is no such option here
        raise BadSketch(str(error).replace("--on-error skip", 'on_error="skip"')) from None
    if len(sketches) > limit:
        raise BadFile(f"{source}: more than {limit:,} drawings; say with n how many to read")
    if n_faulty:
        warnings.warn(f"{n_faulty:,} skipped; the first: {first}", stacklevel=2)
    for text in notes[:NOTES]:
        warnings.warn(text, stacklevel=2)
    if not sketches:
        raise BadFile(f"{source}: no drawings in it")
    return Drawings(sketches)


def from_strokes(strokes: Iterable[npt.ArrayLike], word: str | None = None) -> Drawing:
    """A drawing of your own.

    >>> sk.from_strokes([[(0, 0), (90, 10)], [(45, 5), (50, 80)]], "t-shirt")
    t-shirt of 4 points

    Args:
        strokes: points (x, y) of each, pixels; y grows downwards.
        word: what it is of.

    Raises:
        BadSketch: no strokes, or one that is not a list of points.
    """
    lines = []
    for k, stroke in enumerate(strokes):
        line = numbers(stroke)
        if line.ndim != 2 or line.shape[1] != 2 or not len(line):
            raise BadSketch(f"stroke {k} is not a list of points (x, y)")
        lines.append(line)
    if not lines:
        raise BadSketch("a drawing without strokes: give a list of points (x, y) for each")
    return Drawing(Sketch(tuple(lines), word))


def _sketches(drawings: AnyDrawings) -> tuple[Sketch, ...]:
    """What was given, checked."""
    if isinstance(drawings, Drawing | Sketch):
        drawings = (drawings,)
    if isinstance(drawings, str | Path) or not isinstance(drawings, Iterable):
        raise BadSketch(f"{drawings!r} is not drawings; a file is read by read(...)")
    found = []
    for drawing in drawings:
        if not isinstance(drawing, Drawing | Sketch):
            raise BadSketch(f"drawings hold {type(drawing).__name__}; see from_strokes(...)")
        found.append(drawing.sketch if isinstance(drawing, Drawing) else drawing)
    return tuple(found)


def _kind(path: str | Path, known: tuple[str, ...]) -> str:
    """The format of a file by its suffix."""
    name = Path(path).name.lower()
    kind = next((kind for kind in known if name.endswith(f".{kind}")), None)
    if kind is None:
        raise BadFile(f"{path}: end the name in one of .{', .'.join(known)}")
    return kind


def _count(n: int) -> str:
    return f"{n:,} drawing{'s' * (n != 1)}"


def listed(words: Iterable[str | None]) -> str:
    """Different words in order, the first few by name."""
    from sketchrnn_cli.drawing.sheet import printable

    different = [printable(word) for word in dict.fromkeys(words) if word]
    shown = ", ".join(different[:LISTED])
    rest = len(different) - LISTED
    return f"{shown} and {rest:,} more" if rest > 0 else shown
