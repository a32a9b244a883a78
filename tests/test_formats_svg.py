"""SVG in: what is seen is drawn, the same picture gives the same strokes, and nothing runs away."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawings import CAT, DOT, EMPTY, LINE, scribble
from outside import missing
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.drawing.svg import to_svg
from sketchrnn_cli.errors import BadFile, BadSketch, SketchError
from sketchrnn_cli.sketches.build import BuildOptions, build, build_ndjson
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.formats import File, ReadOptions, expand, read_sketches, sniff, svg
from sketchrnn_cli.sketches.formats.svg import curves, document, path
from sketchrnn_cli.sketches.formats.svg import style as looks
from sketchrnn_cli.sketches.formats.svg import transforms as frames
from sketchrnn_cli.sketches.formats.svg import walk as drawn
from sketchrnn_cli.sketches.simplify import fit, simplify
from sketchrnn_cli.sketches.sketch import Sketch

INK = '<path d="M0 0L10 0 10 10"/>'


def wrapped(inside: str, attributes: str = "") -> str:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {names} {attributes}>{inside}</svg>"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[Sketch]]:
    """The drawings in some text, or in some bytes."""

    def reader(content: str | bytes, name: str = "cat.svg", **options: object) -> list[Sketch]:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(read_sketches(str(file), **options))

    return reader


@pytest.fixture
def strokes(read: Callable[..., list[Sketch]]) -> Callable[[str], list[list[list[float]]]]:
    """The strokes of the one drawing that some elements make."""

    def reader(inside: str, attributes: str = "") -> list[list[list[float]]]:
        (sketch,) = read(wrapped(inside, attributes))
        return [np.round(stroke, 3).tolist() for stroke in sketch.strokes]

    return reader


def length_of(lines: list[list[list[float]]]) -> float:
    return sum(np.hypot(*np.diff(np.array(line), axis=0).T).sum() for line in lines)


# path data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("M1 2L3 4 5 6", [[1, 2], [3, 4], [5, 6]]),
        ("M1,2 3,4-5-6.5.5", [[1, 2], [3, 4], [-5, -6.5]]),  # the .5 is one too few
        ("m1 2 3 4 5 6", [[1, 2], [4, 6], [9, 12]]),
        ("M1 2H5h-1V9v1", [[1, 2], [5, 2], [4, 2], [4, 9], [4, 10]]),
        ("M1 2H5 6 7v1 1", [[1, 2], [5, 2], [6, 2], [7, 2], [7, 3], [7, 4]]),
        ("\n M+1-2\tL1e1,.5 , 2.E0 -0.5e-0 ", [[1, -2], [10, 0.5], [2, -0.5]]),
        ("M0 0L4 0 4 4z", [[0, 0], [4, 0], [4, 4], [0, 0]]),
        ("M0 0L4 0 4 4 0 0Z", [[0, 0], [4, 0], [4, 4], [0, 0]]),
    ],
)
def test_straight_commands(strokes, data: str, expected: list[list[float]]) -> None:
    assert strokes(f'<path d="{data}"/>') == [expected]


def test_subpaths_are_strokes_and_closing_returns_to_where_they_began(strokes) -> None:
    assert strokes('<path d="M0 0h4v4zl2 2M9 9m1 1l2 0zm5 5h1"/>') == [
        [[0, 0], [4, 0], [4, 4], [0, 0]],
        [[0, 0], [2, 2]],
        [[10, 10], [12, 10], [10, 10]],
        [[15, 15], [16, 15]],
    ]


def test_a_move_alone_draws_nothing_and_a_closed_one_a_dot(strokes) -> None:
    assert strokes(f'{INK}<path d="M5 5M6 6z M7 7zz M8 8"/>')[1:] == [[[6, 6]], [[7, 7]]]
    assert strokes(f'{INK}<path d=""/><path/><path d=" none "/>')[1:] == []


@pytest.mark.parametrize("data", ["a1 1 0 0110 0", "a1,1,0,0,1,10,0", "a 1 1 0 0 1 10 0"])
def test_flags_of_arcs_need_no_gaps_and_radii_grow(strokes, data: str) -> None:
    (half,) = strokes(f'<path d="M0 0{data}"/>')
    radii = np.hypot(*(np.array(half) - [5, 0]).T)
    np.testing.assert_allclose(radii, 5, atol=0.005)
    assert np.array(half)[:, 1].max() <= 0  # sweep 1 is clockwise as it is seen
    assert half[-1] == [10, 0]


@pytest.mark.parametrize("large", [0, 1])
@pytest.mark.parametrize("sweep", [0, 1])
def test_an_arc_lies_on_its_ellipse(strokes, large: int, sweep: int) -> None:
    (arc,) = strokes(f'<path d="M30 0A30 20 40 {large} {sweep} 0 25"/>')
    points = np.array(arc) @ np.array(  # in the frame of the ellipse, as circles of radius 1
        [
            [math.cos(math.radians(40)) / 30, -math.sin(math.radians(40)) / 20],
            [math.sin(math.radians(40)) / 30, math.cos(math.radians(40)) / 20],
        ]
    )
    a, b, c = points[0], points[len(points) // 3], points[-1]
    left = 2 * np.array([b - a, c - a])
    center = np.linalg.solve(left, [b @ b - a @ a, c @ c - a @ a])
    np.testing.assert_allclose(np.hypot(*(points - center).T), 1, atol=5e-3)
    around = np.unwrap(np.arctan2(*(points - center).T[::-1]))
    assert (abs(around[-1] - around[0]) > math.pi) == bool(large)
    assert (around[-1] > around[0]) == bool(sweep)


def test_odd_arcs(strokes) -> None:
    assert strokes(f'{INK}<path d="M0 0A0 5 0 0 0 9 9"/>')[1:] == [[[0, 0], [9, 9]]]
    assert strokes(f'{INK}<path d="M0 0A5 5 0 0 0 0 0 L9 9"/>')[1:] == [[[0, 0], [9, 9]]]
    assert strokes('<path d="M0 0A-5-5 0 0 1 10 0"/>') == strokes('<path d="M0 0A5 5 0 0 1 10 0"/>')


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("M0 0C1 2 3 4 5 6S7 8 9 3", "M0 0C1 2 3 4 5 6C7 8 7 8 9 3"),
        ("M0 0c1 2 3 9 5 6s4 2 4-3", "M0 0C1 2 3 9 5 6C7 3 9 8 9 3"),
        ("M0 0S7 8 9 3", "M0 0C0 0 7 8 9 3"),
        ("M0 0Q5 9 9 0T20 0", "M0 0Q5 9 9 0Q13-9 20 0"),
        ("M0 0q5 9 9 0t11 0 11 0", "M0 0Q5 9 9 0Q13-9 20 0Q27 9 31 0"),
        ("M0 0T9 3L20 9", "M0 0L9 3L20 9"),
        ("M0 0C1 2 3 9 5 6T9 9L0 9", "M0 0C1 2 3 9 5 6L9 9L0 9"),  # T reflects no cubic
        ("M0 0Q3 0 3 3", "M0 0C2 0 3 1 3 3"),
    ],
)
def test_smooth_and_quadratic_curves(strokes, short: str, long: str) -> None:
    one, other = strokes(f'<path d="{short}"/>'), strokes(f'<path d="{long}"/>')
    if short.startswith("M0 0C1 2 3 4"):  # the reflected handle is 7, 8
        assert one == other
    ends = [stroke[-1] for stroke in one]
    assert ends == [stroke[-1] for stroke in other]
    assert length_of(one) == pytest.approx(length_of(other), rel=1e-4)


def random_path(rng: random.Random) -> str:
    def numbers(n: int) -> str:
        return " ".join(f"{rng.uniform(-50, 50):.2f}" for _ in range(n))

    parts = [f"M{numbers(2)}l9 9"]
    family = ""
    for _ in range(rng.randrange(1, 12)):
        command = rng.choice("LlHhVvCcSsQqTtAaZzMm")
        if command in {"CS": "Tt", "QT": "Ss"}.get(family, ()):
            continue  # svgelements reflects the handle of the other family, which SVG does not
        family = next((f for f in ("CS", "QT") if command.upper() in f), "")
        n = path._ARITY[command.upper()]
        if command in "Zz":
            parts.append(command)
        elif command in "Aa":
            radii = f"{rng.uniform(1, 60):.2f} {rng.uniform(1, 60):.2f} {rng.uniform(-90, 90):.1f}"
            parts.append(f"{command}{radii} {rng.randrange(2)}{rng.randrange(2)}{numbers(2)}")
        else:
            parts.append(command + " ".join(numbers(n) for _ in range(rng.randrange(1, 3))))
    return "".join(parts)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_random_paths_go_where_another_library_goes() -> None:
    try:
        import svgelements
    except ImportError:
        missing("svgelements, which vpype brings, is not installed")
    rng = random.Random(1)
    for _ in range(60):
        data = random_path(rng)
        theirs = [s for s in svgelements.Path(data) if not isinstance(s, svgelements.Move)]
        ours, _ = path.parse(data, room=10**6)
        expected = [[complex(*segment.point(k / 16)) for k in range(17)] for segment in theirs]
        points, cuts = curves.flatten(ours, 0.02)
        lines = [points[a:b] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
        near = np.concatenate([dense(line) for line in lines])
        for row in expected:
            gap = np.abs(near[None] - np.array(row)[:, None]).min(axis=1)
            assert gap.max() < 0.2, data
        assert sum(abs(np.diff(dense(line))).sum() for line in lines) == pytest.approx(
            sum(np.abs(np.diff([complex(*s.point(k / 200)) for k in range(201)])).sum()
                for s in theirs),
            rel=5e-3,
        ), data  # fmt: skip


def dense(line: np.ndarray) -> np.ndarray:
    """Points every tenth of a pixel along a polyline, complex."""
    z = line[:, 0] + 1j * line[:, 1]
    walked = np.concatenate([[0], np.cumsum(np.abs(np.diff(z)))])
    return np.interp(np.arange(0, walked[-1] + 0.1, 0.1).clip(max=walked[-1]), walked, z)


@pytest.mark.parametrize("seed", range(8))
def test_a_curve_is_no_further_away_than_the_tolerance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = rng.normal(size=4) * 100 + 1j * rng.normal(size=4) * 100
    tolerance = 0.5
    points, cuts = curves.flatten([nodes], tolerance)
    line = points[:, 0] + 1j * points[:, 1]
    t = np.linspace(0, 1, 4001)
    p, a, b, q = nodes
    truth = (1 - t) ** 3 * p + 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t * t * b + t**3 * q
    k = np.minimum((t * (len(line) - 1)).astype(int), len(line) - 2)
    along = t * (len(line) - 1) - k
    assert np.abs(truth - (line[k] * (1 - along) + line[k + 1] * along)).max() <= tolerance
    assert (line[0], line[-1], cuts.tolist()) == (p, q, [0, len(line)])
    assert len(line) < 60


def test_flattening_is_fine_beside_the_drawing_whatever_its_unit(strokes) -> None:
    small, large = (
        strokes(f'<circle r="{r}" cx="{r}" cy="{r}"/>', 'viewBox="0 0 1 1"') for r in (0.4, 4000)
    )
    assert 40 < len(small[0]) == len(large[0]) < 250


# shapes, frames, references: two ways to say the same

SAME = {
    "rect": ('<rect x="1" y="2" width="8" height="6"/>', '<path d="M1 2H9V8H1z"/>'),
    "round rect": (
        '<rect x="1" y="2" width="8" height="6" rx="2"/>',
        '<path d="M3 2H7A2 2 0 0 1 9 4V6A2 2 0 0 1 7 8H3A2 2 0 0 1 1 6V4A2 2 0 0 1 3 2z"/>',
    ),
    "too round rect": (
        '<rect width="8" height="6" rx="99" ry="1"/>',
        '<path d="M4 0H4A4 1 0 0 1 8 1V5A4 1 0 0 1 4 6H4A4 1 0 0 1 0 5V1A4 1 0 0 1 4 0z"/>',
    ),
    "circle": (
        '<circle cx="5" cy="6" r="4"/>', '<path d="M9 6A4 4 0 0 1 1 6 4 4 0 0 1 9 6z"/>',
    ),
    "ellipse": (
        '<ellipse cx="5" cy="6" rx="4" ry="2"/>', '<path d="M9 6A4 2 0 0 1 1 6 4 2 0 0 1 9 6z"/>',
    ),
    "line": ('<line x1="1" y1="2" x2="8" y2="6"/>', '<path d="M1 2L8 6"/>'),
    "polyline": ('<polyline points="1,2 3-4, 5.5.5"/>', '<path d="M1 2L3-4 5.5 0.5"/>'),
    "polygon": ('<polygon points="1,2 3,4 5,0"/>', '<path d="M1 2L3 4 5 0z"/>'),
    "no size": (f'{INK}<rect width="5"/><circle/><ellipse rx="3" ry="0"/><polyline/>', INK),
    "translate": ('<g transform="translate(3,4)"><path d="M0 0L5 5"/></g>', '<path d="M3 4L8 9"/>'),
    "translate x": ('<path transform="translate(3)" d="M0 0L5 5"/>', '<path d="M3 0L8 5"/>'),
    "scale": ('<path transform="scale(2 3)" d="M1 1L5 5"/>', '<path d="M2 3L10 15"/>'),
    "rotate": ('<path transform="rotate(90)" d="M1 0L5 2"/>', '<path d="M0 1L-2 5"/>'),
    "rotate about": ('<path transform="rotate(90 1 1)" d="M1 1L5 1"/>', '<path d="M1 1L1 5"/>'),
    "skew": (
        '<path transform="skewX(45) skewY(0)" d="M0 0L0 5"/>', '<path d="M0 0L5 5"/>',
    ),
    "matrix": (
        '<path transform="matrix(1 2 3 4 5 6)" d="M1 1L0 2"/>', '<path d="M9 12L11 14"/>',
    ),
    "several": (
        '<path transform=" translate(1e1,0),scale(2)\nrotate(-90)" d="M0 1L5 1"/>',
        '<path d="M12 0L12-10"/>',
    ),
    "nested": (
        '<g transform="translate(1 0)"><g transform="scale(2)"><path d="M0 0L1 1"/></g></g>',
        '<path d="M1 0L3 2"/>',
    ),
    "css transform": (
        '<path style="transform: translate(3px, 4px) rotate(90deg)" d="M0 0L5 0"/>',
        '<path d="M3 4L3 9"/>',
    ),
    "use": (
        '<defs><path id="p" d="M0 0L5 5"/></defs><use href="#p" x="1" y="2"/>'
        '<use xlink:href="#p" transform="scale(2)" x="1"/><use href="#none"/>',
        '<path d="M1 2L6 7"/><path d="M2 0L12 10"/>',
    ),
    "use of what comes later": (
        '<use href="#p"/><g transform="translate(1)"><path id="p" d="M0 0L5 5"/></g>',
        '<path d="M0 0L5 5"/><path d="M1 0L6 5"/>',
    ),
    "symbol": (
        '<symbol id="s" viewBox="0 0 2 2"><path d="M0 0L2 2"/></symbol>'
        '<use href="#s" x="10" width="8" height="4"/>',
        '<path d="M12 0L16 4"/>',
    ),
    "svg in svg": (
        '<svg x="5" y="1" width="20" height="10" viewBox="0 0 10 10"><path d="M0 0L10 10"/></svg>',
        '<path d="M10 1L20 11"/>',
    ),
    "slice at a corner": (
        '<svg width="20" height="10" viewBox="0 0 10 10" preserveAspectRatio="xMaxYMin slice">'
        '<path d="M0 0L10 10"/></svg>',
        '<path d="M0 0L20 20"/>',
    ),
    "stretched": (
        '<svg width="20" height="10" viewBox="5 0 10 10" preserveAspectRatio="none">'
        '<path d="M5 0L15 10"/></svg>',
        '<path d="M0 0L20 10"/>',
    ),
    "units": ('<line x2="1in" y2="2.54cm"/>', '<line x2="96px" y2="25.4mm"/>'),
    "more units": ('<line x2="72pt" y2="2em"/>', '<line x2="6pc" y2="32"/>'),
    "percent": ('<line x2="50%" y2="10%"/>', '<line x2="100" y2="10"/>'),
    "link": (f'<a href="https://example.org">{INK}</a>', INK),
    "switch": (
        f'<switch><foreignObject/><g requiredExtensions="x"><path d="M0 0L1 9"/></g>'
        f"<g>{INK}</g><g>{INK}</g></switch>",
        INK,
    ),
    "foreign": (f'<path xmlns="urn:x" d="M0 0L5 5"/><g xmlns="urn:x">{INK}</g>{INK}', INK),
    "prefix": ('<s:path xmlns:s="http://www.w3.org/2000/svg" d="M0 0L10 0 10 10"/>', INK),
    "paper": (f'<rect width="200" height="100%" fill="#fff"/>{INK}', INK),
    "paper as a path": (f'<path d="M0 0H200V100H0z" fill="white"/>{INK}', INK),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_two_ways_of_drawing_the_same(strokes, name: str) -> None:
    one, other = (strokes(text, 'viewBox="0 0 200 100"') for text in SAME[name])
    assert [len(stroke) for stroke in one] == [len(stroke) for stroke in other]
    for mine, yours in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, yours, atol=0.01)


def test_the_view_box_keeps_its_unit_unless_it_is_stretched(strokes) -> None:
    plain = strokes(INK, 'viewBox="0 0 10 10" width="210mm" height="99%"')
    assert plain == [[[0, 0], [10, 0], [10, 10]]]
    stretched = strokes(
        INK, 'viewBox="0 0 10 10" width="20" height="10" preserveAspectRatio="none"'
    )
    assert stretched == [[[0, 0], [20, 0], [20, 10]]]


# what is seen

UNSEEN = [
    '<g display="none"><path d="M0 0L1 9"/></g>',
    '<g style="fill:red;display : none"><path d="M0 0L1 9"/></g>',
    '<path visibility="hidden" d="M0 0L1 9"/>',
    '<path opacity="0" d="M0 0L1 9"/>',
    '<g opacity="0.0"><path d="M0 0L1 9"/></g>',
    '<path fill="none" d="M0 0L1 9"/>',
    '<path style="fill:none;stroke:none" d="M0 0L1 9"/>',
    '<path fill="none" stroke="#000" stroke-width="0" d="M0 0L1 9"/>',
    '<path fill="#fff0" stroke="rgba(0, 0, 0, 0)" d="M0 0L1 9"/>',
    '<path fill="transparent" stroke="rgb(0 0 0 / 0%)" d="M0 0L1 9"/>',
    '<path fill-opacity="0" stroke="red" stroke-opacity="0%" d="M0 0L1 9"/>',
    '<g fill="none"><g stroke="none"><path d="M0 0L1 9"/></g></g>',
    '<defs><path d="M0 0L1 9"/></defs>',
    '<clipPath id="c"><path d="M0 0L1 9"/></clipPath>',
    '<mask><path d="M0 0L1 9"/></mask><marker><path d="M0 0L1 9"/></marker>',
    '<pattern><path d="M0 0L1 9"/></pattern><symbol id="s"><path d="M0 0L1 9"/></symbol>',
    '<style>.a{fill:none}</style><path class="b a" d="M0 0L1 9"/>',
    "<style>/* x */ .b, #i { display:none!important }</style><path id='i' d='M0 0L1 9'/>",
    "<style>g{visibility:hidden}</style><g><path d='M0 0L1 9'/></g>",
    '<text>a</text><image href="x.png"/><metadata><path d="M0 0L1 9"/></metadata>',
]
SEEN = [
    '<g visibility="hidden"><path visibility="visible" d="M0 0L1 9"/></g>',
    '<g fill="none"><path stroke="#000" d="M0 0L1 9"/></g>',
    '<path fill="none" stroke="rgb(0,0,0)" d="M0 0L1 9"/>',
    '<path fill="none" stroke="#f000ff" d="M0 0L1 9"/>',
    '<path fill="none" style="stroke:currentColor" d="M0 0L1 9"/>',
    '<g opacity="0.01"><path d="M0 0L1 9"/></g>',
    '<path style="fill:none" stroke="white" d="M0 0L1 9"/>',
    '<style>@media print{.a{display:none}} .b{fill:none}</style><path class="a" d="M0 0L1 9"/>',
    '<style>.a{fill:none} #i{fill:red}</style><path id="i" class="a" d="M0 0L1 9"/>',
    '<style>.a{fill:none}</style><path class="a" style="stroke:red" d="M0 0L1 9"/>',
    '<style>g .a{display:none}</style><path class="a" d="M0 0L1 9"/>',  # not read
    '<rect width="200" height="100" fill="none" stroke="red"/>',
    '<rect width="100" height="100" fill="red"/>',
]


@pytest.mark.parametrize("text", UNSEEN)
def test_what_is_not_seen_is_not_drawn(strokes, text: str) -> None:
    assert len(strokes(INK + text, 'viewBox="0 0 200 100"')) == 1


@pytest.mark.parametrize("text", SEEN)
def test_what_is_seen_is_drawn(strokes, text: str) -> None:
    assert len(strokes(INK + text, 'viewBox="0 0 200 100"')) == 2


def test_a_page_with_nothing_on_it_is_a_drawing_of_a_rectangle(strokes) -> None:
    assert len(strokes('<rect width="9" height="9"/>', 'width="9" height="9"')) == 1


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ("", "$"),
        ("<text>cat</text>", "only text, which is not drawn: convert it to paths"),
        ('<image href="data:"/>', "only a picture of pixels, which is not drawn: trace it"),
        ('<g display="none"><path d="M0 0L1 1"/></g>', "only shapes that are hidden"),
        ('<defs><path d="M0 0L1 1"/></defs>', "$"),
        ('<path d="M1 1"/>', "$"),
    ],
)
def test_nothing_to_draw_is_one_line_that_says_why(read, inside: str, says: str) -> None:
    with pytest.raises(BadSketch, match=rf"cat\.svg: no strokes in it.*{says}"):
        read(wrapped(inside))


# our own sheets


def fitted(sketch: Sketch) -> list[np.ndarray]:
    left, top, right, bottom = sketch.box()
    scale = 255 / (max(right - left, bottom - top) or 255)
    return [(stroke.astype(float) - [left, top]) * scale for stroke in sketch.strokes]


@pytest.mark.parametrize("size", [None, 32])
def test_a_sheet_reads_back_as_the_drawings_it_was_made_of(read, size: int | None) -> None:
    wordless = Sketch(scribble(5).strokes)
    sheet = [CAT, wordless, DOT, LINE, *(scribble(seed) for seed in range(20))]
    back = read(to_svg(sheet, Style(size=size)), label="thing")
    assert [sketch.word for sketch in back] == [sketch.word or "thing" for sketch in sheet]
    for mine, yours in zip(sheet, back, strict=True):
        for stroke, again in zip(fitted(mine), fitted(yours), strict=True):
            if np.ptp(stroke, axis=0).max() == 0:
                assert len(again) == 1  # a dot, also one of two equal points
            else:
                assert len(again) == len(stroke)
            np.testing.assert_allclose(again, stroke[: len(again)], atol=0.1 if size is None else 1)


@pytest.mark.parametrize("n", [1, 2])
def test_drawings_without_words_and_strokes_keep_their_places(read, tmp_path: Path, n: int) -> None:
    bare = Sketch(CAT.strokes)
    back = read(to_svg([bare, EMPTY, bare][: n + 1], Style()))
    assert [sketch.word for sketch in back] == ["cat"] * n  # of the file; without the empty one
    report = build([str(tmp_path / "cat.svg")], tmp_path / "a.npz", BuildOptions())
    assert report["dropped"] == {"empty": 1}


def test_simplified_drawings_come_back_from_a_sheet_point_for_point(tmp_path: Path) -> None:
    from synthetic import draw

    from sketchrnn_cli.sketches.block import from_sketches

    sheet = [draw("snail", 0, k) for k in range(20)] + [draw("house", 0, k) for k in range(20)]
    sheet = [simplify(fit(from_sketches([sketch]))).sketch(0) for sketch in sheet]
    (tmp_path / "sheet.svg").write_text(to_svg(sheet, Style()), encoding="utf-8")
    build_ndjson([str(tmp_path / "sheet.svg")], tmp_path / "a.ndjson", BuildOptions())
    back = list(read_sketches(str(tmp_path / "a.ndjson")))
    for mine, yours in zip(sheet, back, strict=True):
        for stroke, again in zip(fitted(mine), yours.strokes, strict=True):
            line = stroke if np.ptp(stroke, axis=0).any() else stroke[:1]  # two equal points: a dot
            assert len(again) == len(line)
            np.testing.assert_allclose(again, line, atol=0.55)


def test_dense_and_curved_drawings_are_simplified(tmp_path: Path) -> None:
    points = " ".join(f"{k / 10} {math.sin(k / 100):.3f}" for k in range(700))
    zigzag = " ".join(f"{k} {k % 2 * 20}" for k in range(0, 225, 5))
    files = {
        "among lines": f'<polyline points="{zigzag}"/><circle r="9" cx="50" cy="50"/>',
        "dense": f'<polyline points="{points}"/>',
        "curved": '<path d="M0 0C9 30 60-30 70 0"/>',
        "sparse": '<polyline points="0.5 0 10.25 10 20.5 0 30 30.75"/>',
    }
    for name, inside in files.items():
        (tmp_path / f"{name}.svg").write_text(wrapped(inside), encoding="utf-8")

    def counts(**options: bool) -> dict[str | None, int]:
        build([str(tmp_path)], tmp_path / "a.npz", BuildOptions(max_points=9999, **options))
        corpus = Corpus.open(tmp_path / "a.npz")
        found = [corpus.sketch(i).n_points for i in range(len(corpus))]
        (tmp_path / "a.npz").unlink()
        return dict(zip(sorted(files), found, strict=True))

    auto = counts()
    assert auto["sparse"] == 4
    assert auto["among lines"] < 70
    assert 2 < auto["dense"] < 20
    assert 2 < auto["curved"] < 20
    plain = counts(simplify=False)
    assert plain["dense"] == 700
    assert plain["curved"] > 40
    assert counts(simplify=True)["sparse"] >= 4


def test_what_lies_beside_the_drawings_of_a_sheet(read) -> None:
    more = '<path d="M0 0L9 9"/></svg>'
    one = to_svg([CAT], Style()).replace("</svg>", more)
    (sketch,) = read(one)
    assert len(sketch.strokes) == len(CAT.strokes) + 1  # a stroke that an editor added
    assert sketch.word == "cat"
    with pytest.raises(BadSketch, match=r"1 stroke\(s\) beside the groups of its 2 drawings"):
        read(to_svg([CAT, LINE], Style()).replace("</svg>", more))


def test_a_sheet_keeps_its_drawings_when_an_editor_moves_them(read) -> None:
    text = to_svg([CAT, LINE], Style()).replace(
        '<g data-word="cat">', '<g transform="matrix(0,2,-2,0,7,9)" id="g3" data-word="cat">'
    )
    cat, line = read(text)
    assert (cat.word, line.word) == ("cat", "line")
    width, height = cat.box()[2] - cat.box()[0], cat.box()[3] - cat.box()[1]
    before = CAT.box()
    assert width / height == pytest.approx((before[3] - before[1]) / (before[2] - before[0]), 0.01)
    text = to_svg([CAT, LINE], Style()).replace('<g data-word="cat">', '<g display="none">')
    assert [sketch.word for sketch in read(text)] == ["line"]


@pytest.mark.slow
def test_sample_writes_what_preprocess_reads(tmp_path: Path) -> None:
    out = str(tmp_path / "out.svg")
    runner = CliRunner()
    drawn_by_us = runner.invoke(app, ["sample", "cat, owl", "-n", "2", "--seed", "2", "-o", out])
    assert drawn_by_us.exit_code == 0
    again = runner.invoke(app, ["sample", "cat, owl", "-n", "2", "--seed", "2", "-o", "-"])
    expected = [json.loads(line) for line in again.stdout.splitlines()]
    read_back = runner.invoke(app, ["preprocess", out, "-o", "-", "--format", "ndjson"])
    found = [json.loads(line) for line in read_back.stdout.splitlines()]
    assert [record["word"] for record in found] == ["cat", "cat", "owl", "owl"]
    for mine, yours in zip(expected, found, strict=True):
        for sampled, back in zip(mine["drawing"], yours["drawing"], strict=True):
            is_dot = max(max(row) - min(row) for row in sampled) < 1  # pixel; read as one point
            assert is_dot or len(sampled[0]) == len(back[0])


@pytest.mark.parametrize("command", [["encode"], ["inspect"], ["animate", "-o", "a.gif"]])
@pytest.mark.parametrize("what", ["a.svg", "folder", "folder/*/*.svg"])
def test_every_command_reads_them(tmp_path: Path, monkeypatch, command: list[str], what) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder/cat").mkdir(parents=True)
    for name in ("a.svg", "folder/cat/1.svg", "folder/cat/2.svg"):
        Path(name).write_text(to_svg([CAT], Style()), encoding="utf-8")
    name, *options = command
    result = CliRunner().invoke(app, [name, what, *options])
    assert result.exit_code == 0, result.stderr
    if name == "encode":
        assert result.stdout.count('"word":"cat"') == (1 if what == "a.svg" else 2)


# editors

INKSCAPE = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<!-- Created with Inkscape (http://www.inkscape.org/) -->
<svg width="210mm" height="297mm" viewBox="0 0 210 297" id="svg1" xml:space="preserve"
   inkscape:version="1.3.2" sodipodi:docname="cat.svg"
   xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"
   xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"
   xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg">
  <sodipodi:namedview id="namedview1"><inkscape:grid type="xygrid" id="grid1"/></sodipodi:namedview>
  <defs id="defs1"><path id="ear" d="m 0,0 15,-40 25,30"/>
    <inkscape:path-effect effect="spiro" id="pe"/></defs>
  <metadata><rdf:RDF xmlns:rdf="urn:r"><path xmlns="urn:p" d="x"/></rdf:RDF></metadata>
  <g inkscape:label="Layer 1" inkscape:groupmode="layer" transform="translate(10,20)">
    <path style="fill:none;stroke:#000000;stroke-width:0.264583" inkscape:connector-curvature="0"
      d="m 50,60 c 0,-30 60,-40 90,0 10,40 -20,80 -50,80 -30,0 -50,-40 -40,-80 z" />
    <use xlink:href="#ear" x="50" y="55" style="fill:none;stroke:#000" />
    <g transform="translate(40,0) scale(1.1,0.9)"><circle style="fill:#000" cx="60" cy="85" r="4" />
    </g>
  </g>
  <g inkscape:groupmode="layer" style="display:none"><path d="M 0,0 210,297" /></g>
</svg>"""
ILLUSTRATOR = """<?xml version="1.0" encoding="utf-8"?>
<!-- Generator: Adobe Illustrator 25.0.0, SVG Export Plug-In . SVG Version: 6.00 Build 0)  -->
<svg version="1.1" id="Layer_1" xmlns="http://www.w3.org/2000/svg" x="0px" y="0px"
\t viewBox="0 0 300 200" style="enable-background:new 0 0 300 200;" xml:space="preserve">
<style type="text/css">
\t.st0{fill:#FFFFFF;}
\t.st1{fill:none;stroke:#231F20;stroke-miterlimit:10;}
\t.st2{display:none;}
\t.st3,.st4{fill:none;}
</style>
<rect class="st0" width="300" height="200"/>
<switch><foreignObject requiredExtensions="http://ns.adobe.com/AdobeIllustrator/10.0/"/>
<g><path class="st1" d="M20,150c0,0,30.5-120,80-100s30,80,90,60s40-70,90-80"/>
<polyline class="st1" points="20.5,170 60,160.3 100,180 140.1,155 "/>
<path class="st2" d="M0,0L300,200"/><path class="st3" d="M0,0h300v200H0V0z"/></g></switch>
</svg>"""
FIGMA = """<svg width="64" height="64" viewBox="0 0 64 64" fill="none" xmlns="http://www.w3.org/2000/svg">
<rect width="64" height="64" fill="white"/>
<g clip-path="url(#clip0_1_2)">
<path d="M8 56C8 42.7452 18.7452 32 32 32C45.2548 32 56 42.7452 56 56" stroke="black"/>
<path fill-rule="evenodd" d="M32 28a10 10 0 100-20 10 10 0 000 20zm0-4a6 6 0 110-12 6 6 0 010 12z"
 fill="#333"/></g>
<defs><clipPath id="clip0_1_2"><rect width="64" height="64" fill="white"/></clipPath></defs>
</svg>"""
AFFINITY = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg width="100%" height="100%" viewBox="0 0 400 400" version="1.1"
 xmlns="http://www.w3.org/2000/svg" xmlns:serif="http://www.serif.com/" style="fill-rule:evenodd;">
    <g id="Artboard1" serif:id="Artboard 1" transform="matrix(0.8,0,0,0.8,20,20)">
        <rect x="0" y="0" width="400" height="400" style="fill:none;"/>
        <ellipse cx="200" cy="250" rx="80" ry="30" style="fill:none;stroke:black;"/>
    </g>
</svg>"""
PAPER_JS = """<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="800" height="600"
 xmlns:xlink="http://www.w3.org/1999/xlink"><g fill="none" fill-rule="nonzero" stroke="#000000"
 stroke-width="1" stroke-dasharray="" font-family="none" style="mix-blend-mode: normal">
<path d="M100,100c0,-55.22847 44.77153,-100 100,-100"/><path d="M10,10v0"/></g></svg>"""
P5_JS = """<svg version="1.1" xmlns="http://www.w3.org/2000/svg"
 xmlns:xlink="http://www.w3.org/1999/xlink" width="100" height="100" viewBox="0 0 100 100"><defs/>
<g transform="scale(1,1)"><rect fill="rgb(255,255,255)" stroke="none" x="0" y="0" width="100"
 height="100"/><g transform="scale(1,1)"><path fill="none" stroke="rgb(0,0,0)" paint-order="fill"
 d=" M 10 20 L 30 40" stroke-opacity="1" stroke-linecap="round"/></g></g></svg>"""
VPYPE = """<?xml version="1.0" encoding="utf-8" ?>
<svg baseProfile="tiny" height="12.7cm" version="1.2" viewBox="0 0 480.0 480.0" width="12.7cm"
 xmlns="http://www.w3.org/2000/svg" xmlns:ev="http://www.w3.org/2001/xml-events"
 xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"><metadata/><defs />
<g fill="none" id="layer1" inkscape:groupmode="layer" inkscape:label="1" stroke="#262626"
 style="display:inline"><polyline points="77.55,196.68 55.89,45.06 164.19,131.7" />
<line x1="185.85" x2="185.86" y1="240.0" y2="240.0" /></g></svg>"""
EDITORS = {
    "inkscape": (INKSCAPE, [None, 3, None], (57.4, 35.0, 151.95, 160.0)),
    "illustrator": (ILLUSTRATOR, [None, 4], (20.0, 29.9, 280.0, 180.0)),
    "figma": (FIGMA, [None, None, None], (8.0, 8.0, 56.0, 56.0)),
    "affinity": (AFFINITY, [None], (116.0, 196.0, 244.0, 244.0)),
    "paper.js": (PAPER_JS, [None, 1], (10.0, 0.0, 200.0, 100.0)),
    "p5.js": (P5_JS, [2], (10.0, 20.0, 30.0, 40.0)),
    "vpype": (VPYPE, [3, 1], (55.9, 45.1, 185.9, 240.0)),
}


@pytest.mark.parametrize("name", EDITORS)
def test_files_as_editors_write_them(read, name: str) -> None:
    content, counts, box = EDITORS[name]
    (sketch,) = read(content)
    for stroke, count in zip(sketch.strokes, counts, strict=True):
        assert len(stroke) == count if count else len(stroke) > 15
    np.testing.assert_allclose(sketch.box(), box, atol=0.1)


# words


def test_words_of_files_and_folders(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    def words(*sources: str) -> list[str | None]:
        return [file.word for file in expand(sources)]

    def make(*names: str) -> None:
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(wrapped(INK), encoding="utf-8")

    names = ("cat.svg", "cat-12.svg", "cat 3.svg", "cat_003.svg", "cat (3).svg", "cat7.SVG.gz")
    make(*names, "cat/12.svg", "t-shirt-2.svgz")
    assert words(*names) == ["cat"] * 6
    assert words("cat/12.svg", "t-shirt-2.svgz", "./cat/*.svg") == ["cat", "t-shirt", "cat"]
    make("animals/cat/1.svg", "animals/ice cream/dog-1.svg", "animals/2.svg")
    make("animals/.git/3.svg", "animals/cat/._1.svg")
    assert words("animals") == ["animals", "cat", "ice cream"]
    assert words("animals/cat/", "animals/*") == ["cat", "animals", "cat", "ice cream"]
    monkeypatch.chdir("animals/cat")
    assert words(".") == ["cat"]
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(OSError):  # where a user may not make links
        Path("animals/loop").symlink_to(tmp_path / "animals")
    assert words("animals") == ["animals", "cat", "ice cream"]
    Path("animals/owl.ndjson").write_text("{}")
    Path("animals/cat/pig.ndjson").write_text("{}")
    assert words("animals") == ["animals", "cat", "pig", "ice cream", "owl"]


def test_a_drawing_that_says_what_it_is_is_believed(read, tmp_path: Path) -> None:
    assert [s.word for s in read(to_svg([CAT, LINE], Style()), label="x")] == ["cat", "line"]
    assert [s.word for s in read(wrapped(INK), name="dog-1.svg", label="x")] == ["x"]
    assert [s.word for s in read_sketches(str(tmp_path), label="x")] == ["cat", "line", "x"]
    assert [s.word for s in read_sketches(str(tmp_path / "dog-1.svg"))] == ["dog"]


def test_a_folder_of_words_becomes_a_set(tmp_path: Path) -> None:
    for k, word in enumerate(("cat", "owl") * 6):
        place = tmp_path / "animals" / word
        place.mkdir(parents=True, exist_ok=True)
        text = wrapped(f'<path d="M0 0L{k + 9} 0 0 {k}"/>')
        (place / f"{k}.svg").write_text(text, encoding="utf-8")
    report = build([str(tmp_path / "animals")], tmp_path / "a.npz", BuildOptions())
    assert {word: facts["drawings"] for word, facts in report["words"].items()} == {
        "cat": 6, "owl": 6,
    }  # fmt: skip
    assert Corpus.open(tmp_path / "a.npz").preparation.fit


# faults

HOSTILE = {
    "entity": '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + wrapped(f"&b;{INK}"),
    "external entity": '<!DOCTYPE svg [<!ENTITY a SYSTEM "/etc/passwd">]>' + wrapped(f"&a;{INK}"),
    "parameter entity": '<!DOCTYPE svg [<!ENTITY % a SYSTEM "/x"> %a;]>' + wrapped(INK),
    "use of itself": wrapped(f'{INK}<use id="a" href="#a"/>'),
    "use in a ring": wrapped(f'<g id="a">{INK}<use href="#b"/></g><g id="b"><use href="#a"/></g>'),
    "symbol in itself": wrapped('<symbol id="a"><use href="#a"/></symbol><use href="#a"/>'),
    "many uses": wrapped(
        f'<defs><g id="a0">{INK}</g>'
        + "".join(f'<g id="a{k}">' + f'<use href="#a{k - 1}"/>' * 10 + "</g>" for k in range(1, 12))
        + '</defs><use href="#a11"/>'
    ),
    "many empty uses": wrapped(
        '<g id="a0"/>'
        + "".join(f'<g id="a{k}">' + f'<use href="#a{k - 1}"/>' * 10 + "</g>" for k in range(1, 12))
        + INK
    ),
    "deep unknown elements": wrapped("<metadata>" * 5000 + "</metadata>" * 5000 + INK),
    "a huge arc": wrapped('<path d="M0 0a1e308 1e-9 0 0 0 1e308 1e308"/>'),
    "deep groups": wrapped("<g>" * 5000 + INK + "</g>" * 5000),
    "a million groups": wrapped("<g>" * 10**6 + "</g>" * 10**6),
    "many attributes": wrapped("<g " + " ".join(f"a{k}=''" for k in range(700_000)) + "/>"),
    "many strokes": wrapped('<path d="' + "M0 0h1" * 20_000 + '"/>'),
    "many numbers": wrapped('<path d="M0 0h' + "1 " * 500_000 + '"/>'),
    "many flags": wrapped('<path d="M0 0a' + "1 1 0 111 0 " * 80_000 + '"/>'),
    "many closes": wrapped('<path d="M0 0h1' + "z" * 3_000_000 + '"/>'),
    "many points": wrapped('<path d="M0 0' + "C900-800-700 900 1 1" * 10_000 + '"/>'),
    "only M": wrapped('<path d="' + "M" * 10**6 + '"/>'),
    "a long number": wrapped('<path d="M0 0L' + "1" * 10**6 + ' 1"/>'),
    "a long wrong number": wrapped('<path d="M0 0L' + "1" * 10**6 + 'x"/>'),
    "many transforms": wrapped(f'<g transform="{"rotate(1)" * 10**6}">{INK}</g>'),
    "not a number": wrapped('<path d="M0 0L NaN 5"/>'),
    "infinity": wrapped('<path d="M0 0L 1e999 5"/>'),
    "a huge number": wrapped('<path d="M0 0L 1e308 5"/>'),
    "a huge circle": wrapped('<circle r="1e308"/>'),
    "huge transforms": wrapped(f'<g transform="scale(1e11) scale(1e11)">{INK}</g>'),
    "far away": wrapped('<path transform="scale(1e9)" d="M0 0L5 5"/>'),
    "a letter": wrapped('<path d="M0 0b30h10"/>'),
    "a wrong flag": wrapped('<path d="M0 0A5 5 0 2 0 9 9"/>'),
    "no move": wrapped('<path d="L5 5"/>'),
    "odd points": wrapped('<polyline points="0 0 5"/>'),
    "commands in points": wrapped('<polyline points="0 0L5 5"/>'),
    "a wrong transform": wrapped('<path transform="turn(5)" d="M0 0L5 5"/>'),
    "a transform cut short": wrapped('<path transform="scale(5" d="M0 0L5 5"/>'),
    "a matrix of five": wrapped('<path transform="matrix(1 2 3 4 5)" d="M0 0L5 5"/>'),
    "utf-8": wrapped("<text>").encode() + b"\xff\xfe" + b"</text></svg>",
    "an encoding": '<?xml version="1.0" encoding="zlib"?>' + wrapped(INK),
    "many bytes": '<?xml version="1.0" encoding="utf-32"?>' + wrapped(INK),
    "nothing": "",
    "blanks": " \n ",
    "html": "<!DOCTYPE html><html><body>404</body></html>",
    "xhtml": "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(99),
    "pdf": b"%PDF-1.7",
    "words": "just words",
    "lfs": "version https://git-lfs.github.com/spec/v1\n",
    "cut short": wrapped(INK)[:-20],
    "cut short gzip": gzip.compress(wrapped(INK).encode())[:-9],
    "gzip bomb": gzip.compress(b"<svg>" + bytes(50_000_000)),
    "gzip in gzip": gzip.compress(gzip.compress(wrapped(INK).encode())),
    "css": wrapped(f"<style>{'a' * 2_000_000}</style>{INK}"),
}
SAYS = {
    "entity": "declares the XML entity 'b', which is not read: it is no plain text",
    "external entity": "declares the XML entity 'a'",
    "parameter entity": "declares the XML entity 'a'",
    "use in a ring": "nested deeper than 200",
    "deep groups": "nested deeper than 200",
    "deep unknown elements": "nested deeper than 200",
    "many empty uses": "more than 20,000",
    "a million groups": "more than 200,000 elements",
    "many points": "more than 200,000 points",
    "a letter": "path 1: 'b30' where a number should be",
    "html": "a web page, not SVG; download the raw file",
    "xhtml": "begins with <html>, not <svg>",
    "png": "a picture of pixels",
    "nothing": "an empty file",
    "blanks": "an empty file",
    "lfs": "a git-lfs pointer",
    "cut short": "damaged XML, .* in line 1",
    "words": "not SVG, which is XML",
    "gzip in gzip": "not SVG, which is XML",
    "cut short gzip": "damaged gzip",
    "gzip bomb": "over 32 MiB",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_fault_is_one_line_that_names_the_file(read, name: str) -> None:
    with pytest.raises(SketchError, match=SAYS.get(name)) as error:
        read(HOSTILE[name], name="[x].svg")
    message = str(error.value)
    assert "[x].svg: " in message
    assert "\n" not in message
    assert len(message.partition("[x].svg")[2]) < 200


@pytest.mark.parametrize(
    "text",
    [
        wrapped(INK).encode("utf-16"),
        ('<?xml version="1.0" encoding="UTF-16"?>' + wrapped(INK)).encode("utf-16"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>' + wrapped(f"<desc>é</desc>{INK}")).encode(
            "latin1"
        ),
        ("\ufeff" + wrapped(INK)).encode(),
        ("\n\n<?xml version='1.0'?>" + wrapped(INK)).encode(),
        INK.join(["<svg>", "</svg>"]).encode(),
        gzip.compress(wrapped(INK).encode()),
        b'<!DOCTYPE svg SYSTEM "x" [<!ATTLIST path d CDATA #REQUIRED>]>' + wrapped(INK).encode(),
        wrapped(f"<![CDATA[<!ENTITY]]>&#65;&amp;{INK}").encode(),
        wrapped(f"{INK}<g transform='{' ' * 10**5}'/><g style='{'a:b;' * 10**5}'/>").encode(),
    ],
)
def test_ways_of_writing_xml(read, text: bytes) -> None:
    (sketch,) = read(text)
    assert [stroke.tolist() for stroke in sketch.strokes] == [[[0, 0], [10, 0], [10, 10]]]


def test_limits_hold_for_each_drawing_and_for_all(read, monkeypatch) -> None:
    sheet = to_svg([scribble(k) for k in range(9)], Style())
    assert len(read(sheet)) == 9
    limits = [
        (document, "MAX_BYTES"), (document, "MAX_ELEMENTS"), (document, "MAX_ATTRIBUTES"),
        (drawn, "MAX_DRAWINGS"), (drawn, "MAX_STROKES"), (drawn, "MAX_NUMBERS"),
        (drawn, "MAX_ALL_NUMBERS"), (curves, "MAX_POINTS"),
    ]  # fmt: skip
    for module, limit in limits:
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, 3)
            with pytest.raises(BadSketch):
                read(sheet)


def test_a_faulty_file_is_one_skipped_drawing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, text in (("1", wrapped(INK)), ("2", wrapped("")), ("3", "<html/>"), ("4", INK)):
        (tmp_path / "in" / f"{name}.svg").write_text(text, encoding="utf-8")
    (tmp_path / "in" / "5.svg").write_text(
        wrapped(f"{INK}<path transform='no' d='M1 1h1'/>"), encoding="utf-8"
    )
    with pytest.raises(BadSketch, match=r"2\.svg: no strokes in it; repair it, or use --on-error"):
        build([str(tmp_path / "in")], tmp_path / "a.npz", BuildOptions())
    options = BuildOptions(on_error="skip")
    report = build_ndjson([str(tmp_path / "in")], tmp_path / "a.ndjson", options)
    assert (report["read"], report["kept"], report["dropped"]) == (5, 2, {"faulty": 3})
    assert [Path(fault.split(": ")[0]).name for fault in report["faults"]] == [
        "2.svg", "3.svg", "4.svg",
    ][: len(report["faults"])]  # fmt: skip


def test_files_are_read_one_after_the_other(tmp_path: Path, monkeypatch) -> None:
    opened = []
    content = sniff.content
    monkeypatch.setattr(sniff, "content", lambda *name: opened.append(name) or content(*name))
    monkeypatch.setattr(svg, "BLOCK_DRAWINGS", 4)
    for k in range(12):
        (tmp_path / f"{k:02}.svg").write_text(wrapped(INK), encoding="utf-8")
    drawings = read_sketches(str(tmp_path))
    next(drawings)
    assert len(opened) == 4
    assert len(list(drawings)) == 11
    assert len(opened) == 12


def test_a_drawing_far_from_the_origin_keeps_its_shape(read) -> None:
    (near,) = read(wrapped('<path d="M0 0L1 0 1.25 0.75"/>'))
    (far,) = read(wrapped('<path d="M5e6 4e6L5000001 4e6 5000001.25 4000000.75"/>'))
    np.testing.assert_allclose(far.points(), near.points(), atol=1e-4)


def test_small_strokes_are_dots_and_small_drawings_are_not(strokes) -> None:
    dotted = '<path d="M0 0L255 255M50 50L50.01 50M9 9L9 9.05 9.05 9M70 70l0.5 0"/>'
    assert [len(stroke) for stroke in strokes(dotted)] == [2, 1, 1, 2]
    unit = strokes('<path d="M0.1 0.1L0.9 0.5M0.2 0.2L0.22 0.2"/>', 'viewBox="0 0 1 1"')
    assert [len(stroke) for stroke in unit] == [2, 2]
    assert [len(s) for s in strokes('<path d="M5 5L5.01 5"/>', 'viewBox="0 0 480 480"')] == [1]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"no\.svg: no such file"):
        list(read_sketches(str(tmp_path / "no.svg")))
    with pytest.raises(BadFile, match="no drawings in this folder"):
        list(read_sketches(str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("scale(1e11) scale(1e11)", "a transform that leads off every canvas"),
        ("rotate(1 2 3 4)", "a transform with wrong numbers: 'rotate(1 2 3 4)'"),
        ("spin(1)", "a transform that is not read: 'spin(1)'"),
    ],
)
def test_a_transform_that_is_none_is_named(text: str, says: str) -> None:
    with pytest.raises(BadSketch) as error:
        frames.transform(text)
    assert str(error.value) == says


def test_shares_of_a_translation_are_of_its_own_side() -> None:
    assert frames.transform("translate(50%, 10%)", 80, 200)[4:] == (40, 20)
    assert frames.transform("translateY(10%)", 80, 200)[4:] == (0, 20)
    assert frames.transform("translateX(10%)", 80, 200)[4:] == (8, 0)


@pytest.mark.parametrize("name", ["marker", "marker-start", "marker-mid", "marker-end"])
def test_markers_are_known_by_every_name(name: str) -> None:
    assert looks.has_markers({name: "url(#arrow)"})
    assert not looks.has_markers({name: "none"})


def test_matrices_compose_as_transforms_do() -> None:
    outer, inner = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (0.5, -1.0, 2.0, 0.0, 7.0, -3.0)

    def apply(m: frames.Matrix, x: float, y: float) -> tuple[float, float]:
        a, b, c, d, e, f = m
        return a * x + c * y + e, b * x + d * y + f

    assert apply(frames.after(outer, inner), 3, 4) == apply(outer, *apply(inner, 3, 4))


# Notes: what is drawn otherwise than it is seen, or not at all


@pytest.fixture
def noted(tmp_path: Path):
    """The strokes of a page of 100 x 100, and what is noted of it."""

    def reader(inside: str, attributes: str = 'viewBox="0 0 100 100"') -> tuple[list, list[str]]:
        path = tmp_path / "a.svg"
        text = f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>'
        path.write_text(text, "utf-8")
        notes: list[str] = []
        blocks = list(svg.read_blocks([File(str(path), "a")], ReadOptions(note=notes.append)))
        assert all(note.startswith(f"{path}: ") for note in notes)
        (sketch,) = (block.sketch(k) for block in blocks for k in range(len(block)))
        lines = [np.round(stroke.astype(float), 3).tolist() for stroke in sketch.strokes]
        return lines, [note.removeprefix(f"{path}: ") for note in notes]

    return reader


PEN = 'fill="none" stroke="#000"'
GOOD = f'<path {PEN} d="M10 10L50 90"/>'
LINE_OF_GOOD = [[10, 10], [50, 90]]


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        ("M0 0L9 9L NaN NaN", [[0, 0], [9, 9]], "path 1: 'N' where a number should be"),
        ("M0 0L9 9 3", [[0, 0], [9, 9]], "path 1: 3 numbers after L; it takes 2 each"),
        ("M0 0L9 9z5", [[0, 0], [9, 9], [0, 0]], "path 1: numbers after a Z"),
        ("M0 0L9 9L1e99 3L1 1", [[0, 0], [9, 9]], "path 1: 1e+99, which is no place on a canvas"),
        ("M0 0L9 9A5 5 0 2 0 9 9", [[0, 0], [9, 9]], "path 1: '2 0 9 9' where a flag, 0 or 1,"),
        ("M0 0L9 9M1 2,3 4,5", [[0, 0], [9, 9]], "path 1: 5 numbers after M; it takes 2 each"),
        ("undefined", None, "path 1: path data begins with 'u', not with M"),
    ],
)
def test_a_faulty_path_is_drawn_up_to_the_fault_and_noted(noted, data, line, says) -> None:
    lines, notes = noted(f'<path {PEN} d="{data}"/>{GOOD}')
    assert [lines[0], lines[-1]] == [line or LINE_OF_GOOD, LINE_OF_GOOD]
    (note,) = notes
    assert note.startswith(says)
    assert note.endswith("; drawn up to there")


def test_many_faulty_paths_are_few_notes(noted) -> None:
    lines, notes = noted(f'<path {PEN} d="M0"/>' * 9 + GOOD)
    assert lines == [LINE_OF_GOOD]
    assert len(notes) == 4
    assert notes[-1] == "6 more faulty shape(s)"


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ("<text>a</text>", "text, which is not drawn"),
        ('<image href="a.png"/>', "a picture of pixels, which is not drawn"),
        ("<foreignObject/>", "foreign objects, which are not drawn"),
        ('<g clip-path="url(#c)"/>', "a clip path, which is not followed"),
        ('<g mask="url(#c)"/>', "a mask, which is not followed"),
        ('<path d="M1 1L9 9L9 1z"/>', "1 filled shape(s) drawn as outlines"),
        ('<use href="other.svg#a"/>', "1 use(s) of what is not in the file"),
        (
            "<style>path[d]{fill:red}</style>",
            "rules of CSS that are not followed, as for 'path[d]'",
        ),
        (f'<path {PEN} marker-end="url(#a)" d="M1 1L9 9"/>', "1 shape(s) with markers"),
        ('<path stroke="#FFF" fill="none" d="M1 1L9 9"/>', "1 white shape(s) drawn as ink"),
        ('<rect fill="white" x="1" y="1" width="9" height="9"/>' * 2, "2 white shape(s)"),
        *(
            (f'<path stroke="{ink}" fill="none" d="M1 1L9 9"/>', "1 white shape(s) drawn as ink")
            for ink in (
                "#fefefe",
                "#FFFF",
                "rgba(255, 255, 255, 1)",
                "hsl(0,0%,100%)",
                "rgb(100%,100%,100%)",
            )
        ),
        (
            '<rect fill="#FfE" width="100" height="100"/>'
            '<path stroke="#ffe" fill="none" d="M1 1L9 9"/>',
            "1 shape(s) of the colour of the page drawn as ink",
        ),
        ("<style>@media (width>9px){path{fill:red}}</style>", "rules of CSS that are not followed"),
        ("<style>@import url(a.css);</style>", "rules of CSS that are not followed"),
        ('<g style="rotate:45deg"/>', "a rotate, scale or translate property"),
    ],
)
def test_what_is_not_drawn_as_it_is_seen_is_noted(noted, inside, says) -> None:
    lines, notes = noted(GOOD + inside)
    assert lines[0] == LINE_OF_GOOD
    assert [note[: len(says)] for note in notes] == [says]


@pytest.mark.parametrize(
    "inside",
    [
        "",
        '<rect fill="white" width="100" height="100"/>',  # paper
        '<defs><clipPath id="c"><path d="M0 0h9"/></clipPath></defs>',
        '<switch><foreignObject requiredExtensions="x"/></switch>',
        "<use/>",
        "<style>@media print{path{display:none}} @font-face{font-family:a}</style>",
    ],
)
def test_nothing_is_noted_where_all_is_drawn(noted, inside) -> None:
    assert noted(inside + GOOD) == ([LINE_OF_GOOD], [])


OVER = "stroke(s) reach off the page, where they are not seen; they are drawn whole"


def test_strokes_off_the_page_are_left_out_and_noted(noted) -> None:
    off = f'<path {PEN} d="M900 900l9 9"/>'
    sized = 'width="100mm" height="100mm" viewBox="0 0 100 100"'
    says = ["1 stroke(s) off the page, which are left out"]
    assert noted(off + GOOD, sized) == ([LINE_OF_GOOD], says)
    assert noted(off, sized)[0] == [[[900, 900], [909, 909]]]  # better than nothing
    lines, notes = noted(off + GOOD)  # a view box alone is no page
    assert len(lines) == 2
    assert notes == [f"1 {OVER}"]
    partly = f'<path {PEN} d="M-90 10L9 9"/>'
    assert noted(partly + GOOD, sized) == ([[[-90, 10], [9, 9]], LINE_OF_GOOD], [f"1 {OVER}"])
    assert noted(partly.replace("-90", "-4") + GOOD, sized)[1] == []


def test_notes_reach_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text(wrapped(f"{INK}<text>a</text>"), "utf-8")
    report = build([str(tmp_path / "a.svg")], tmp_path / "a.npz", BuildOptions())
    assert any(
        note.startswith(f"{tmp_path / 'a.svg'}: text, which is not drawn")
        for note in report["notes"]
    )


# Clipping


ACROSS = f'<path {PEN} d="M-50 30H150M20 20h5v5h-5z"/>'
CUT = [[[10, 30], [40, 30]], [[20, 20], [25, 20], [25, 25], [20, 25], [20, 20]]]


@pytest.mark.parametrize(
    "inside",
    [
        f'<clipPath id="c"><rect x="10" y="10" width="30" height="40"/></clipPath>'
        f'<g clip-path="url(#c)">{ACROSS}</g>',
        f'<clipPath id="c"><rect x="5" y="5" width="15" height="20"/></clipPath>'
        f'<g transform="scale(2)" clip-path="url(\'#c\')">'
        f'<g transform="scale(.5)">{ACROSS}</g></g>',
        f'<svg x="10" y="10" width="30" height="40">'
        f'<g transform="translate(-10 -10)">{ACROSS}</g></svg>',
        f'<svg width="40" height="90"><svg x="10" width="200" height="200">'
        f'<g transform="translate(-10 0)">{ACROSS}</g></svg></svg>',
        f'<symbol id="s" viewBox="10 10 30 40">{ACROSS}</symbol>'
        '<use href="#s" x="10" y="10" width="30" height="40"/>',
    ],
)
def test_viewports_and_rectangular_clip_paths_cut(noted, inside) -> None:
    lines, notes = noted(inside)
    assert lines == CUT
    assert notes == []


def test_what_leaves_a_viewport_and_comes_back_is_two_strokes(noted) -> None:
    wave = f'<path {PEN} d="M0 10H50V-10H70V10H90"/>'
    lines, _ = noted(f'<svg width="80" height="80">{wave}</svg>')
    assert lines == [[[0, 10], [50, 10], [50, 0]], [[70, 0], [70, 10], [80, 10]]]
    lines, _ = noted(f'<svg width="80" height="80" overflow="visible">{wave}</svg>')
    assert len(lines) == 1


def test_a_curve_is_cut_where_it_leaves(noted) -> None:
    lines, _ = noted(f'<svg width="80" height="50"><circle {PEN} cx="40" cy="50" r="30"/></svg>')
    points = np.concatenate(lines)
    assert points[:, 1].max() <= 50
    assert points[:, 1].min() == pytest.approx(20, abs=0.1)
    np.testing.assert_allclose(np.hypot(*(points - [40, 50]).T), 30, atol=0.1)


# Styles and transforms of CSS


@pytest.mark.parametrize(
    ("selector", "hides"),
    [
        ("#guides line", True),
        ("#guides > line", True),
        ("#guides > g > line", False),
        ("svg line", True),
        ("svg > line", False),
        ("g.a.b line.thin", True),
        ("g.b.c line", False),
        ("line.thin#one", True),
        ("path, #guides *", True),
        ("#guides line:hover", False),
        ("svg > g line", True),
        ("#guides + line", False),
    ],
)
def test_rules_of_css_with_several_parts_are_followed(noted, selector, hides) -> None:
    css = f"<style>{selector} {{display:none}}</style>"
    guides = f'<g id="guides" class="b a"><line id="one" class="thin" {PEN} x2="9" y2="9"/></g>'
    kept = f"<g {PEN}><polyline points='10 10 50 90'/></g>"
    lines, _ = noted(css + guides + kept)
    assert lines == ([LINE_OF_GOOD] if hides else [[[0, 0], [9, 9]], LINE_OF_GOOD])


def test_a_child_is_found_below_another_that_fits(noted) -> None:
    """The nearest g is no child of the svg, the one around it is."""
    css = "<style>svg > g line {display:none}</style>"
    lines, _ = noted(f'{css}<g><g><line {PEN} x2="9" y2="9"/></g></g>{GOOD}')
    assert lines == [LINE_OF_GOOD]


def test_the_heavier_selector_wins_wherever_it_stands(noted) -> None:
    css = "<style>g .a{stroke:red} path{stroke:none}</style>"
    lines, _ = noted(f'{css}<g><path class="a" fill="none" d="M10 10L50 90"/></g>')
    assert lines == [LINE_OF_GOOD]


@pytest.mark.parametrize(
    ("style", "line"),
    [
        ("transform:rotate(0.25turn)", [[0, 0], [0, 10]]),
        ("transform:rotate(100grad)", [[0, 0], [0, 10]]),
        ("transform:rotate(1.5707963rad)", [[0, 0], [0, 10]]),
        ("transform:rotate(90deg)", [[0, 0], [0, 10]]),
        ("transform:translate(1in,.5in)", [[96, 48], [106, 48]]),
        ("transform:translate(10%, 20%)", [[10, 20], [20, 20]]),
        ("transform:translateY(10%)", [[0, 10], [10, 10]]),
        ("transform:rotate(180deg);transform-origin:50px 50px", [[100, 100], [90, 100]]),
        ("transform:rotate(180deg);transform-origin:center", [[100, 100], [90, 100]]),
        ("transform:rotate(180deg);transform-origin:50% 10px", [[100, 20], [90, 20]]),
        ("transform:rotate(180deg);transform-origin:top left", [[0, 0], [-10, 0]]),
        ("transform:rotate(180deg);transform-origin:bottom", [[100, 200], [90, 200]]),
        ("transform:scale(50%, 2)", [[0, 0], [5, 0]]),
        (
            "transform-box:fill-box;transform-origin:center;transform:rotate(90deg)",
            [[5, -5], [5, 5]],
        ),
        ("transform-box:fill-box;transform-origin:100% 0;transform:scale(2)", [[-10, 0], [10, 0]]),
        ("transform-box:fill-box;transform:translate(50%)", [[5, 0], [15, 0]]),
    ],
)
def test_transforms_of_css_have_units_and_an_origin(noted, style, line) -> None:
    lines, notes = noted(f'<path {PEN} style="{style}" d="M0 0H10"/>')
    np.testing.assert_allclose(lines, [line], atol=1e-3)
    assert {*notes} <= {f"1 {OVER}"}


@pytest.mark.parametrize("text", ["rotate(10mm)", "matrix(1deg 0 0 1 0 0)", "scale(1px%)"])
def test_a_unit_that_does_not_belong_is_refused(read, text) -> None:
    with pytest.raises(BadSketch, match="where a number should be"):
        read(wrapped(f'<path transform="{text}" d="M0 0h9"/>'))


def test_the_origin_does_not_depend_on_the_corner_of_the_page(noted) -> None:
    style = "transform:rotate(180deg);transform-origin:center"
    lines, _ = noted(f'<path {PEN} style="{style}" d="M0 0H10"/>', 'viewBox="-50 -50 100 100"')
    np.testing.assert_allclose(lines, [[[100, 100], [90, 100]]], atol=1e-3)


def test_the_box_of_a_group_is_said_not_to_be_known(noted) -> None:
    style = "transform-box:fill-box;transform-origin:center;transform:"
    _, notes = noted(f'<g style="{style}rotate(9deg)">{GOOD}</g>')
    assert notes == ["a transform-box of a group, which is not followed: view-box is taken"]
    assert noted(f'<g style="{style}none">{GOOD}</g>') == ([LINE_OF_GOOD], [])


@pytest.mark.parametrize(
    "inside",
    [
        '<path d="M10 10h30v40h-30z"/>',
        '<polygon points="10,10 40,10 40,50 10,50"/>',
        '<rect x="5" y="4" width="15" height="20" transform="translate(0 2) scale(2)"/>',
    ],
)
def test_clip_paths_that_are_rectangles_cut(noted, inside) -> None:
    group = f'<g clip-path="url(#c)">{ACROSS}</g>'
    assert noted(f'<clipPath id="c">{inside}</clipPath>{group}') == (CUT, [])
    moved = f'<g transform="translate(3 5)">{inside}</g>'
    assert noted(f'<clipPath id="c">{moved}</clipPath>{group}')[1] == [NOT_CLIPPED, f"1 {OVER}"]
    clip = f'<clipPath id="c" transform="translate(-10 0)">{inside}</clipPath>'
    assert noted(f"{clip}{group}")[0][0] == [[0, 30], [30, 30]]


NOT_CLIPPED = "a clip path, which is not followed: what it cuts off is drawn"


@pytest.mark.parametrize(
    "inside",
    [
        '<rect x="10" y="10" width="30" height="40" rx="5"/>',
        '<path d="M10 10L40 50V10H10z"/>',
        '<path d="M10 10L40 50V10L10 50z"/>',
        '<rect x="10" y="10" width="30" height="40" transform="rotate(NaN)"/>',
    ],
)
def test_clip_paths_that_are_no_rectangles_are_noted(noted, inside) -> None:
    lines, notes = noted(f'<clipPath id="c">{inside}</clipPath><g clip-path="url(#c)">{GOOD}</g>')
    assert (lines, notes) == ([LINE_OF_GOOD], [NOT_CLIPPED])


def test_important_rules_of_css_win(noted) -> None:
    css = "<style>.a{display:none!important} @media screen{.b{display:none}}</style>"
    hidden = f'<path class="a" style="display:inline" {PEN} d="M1 1L2 9"/>'
    hidden += f'<path class="b" {PEN} d="M1 1L2 9"/>'
    assert noted(css + hidden + GOOD) == ([LINE_OF_GOOD], [])


def test_a_clip_path_may_go_by_the_box_of_its_shape(noted) -> None:
    half = '<rect x="0" y="0" width="0.5" height="1"/>'
    clip = f'<clipPath id="c" clipPathUnits="objectBoundingBox">{half}</clipPath>'
    lines, notes = noted(f'{clip}<path clip-path="url(#c)" {PEN} d="M20 10H60V30"/>')
    assert (lines, notes) == ([[[20, 10], [40, 10]]], [])
    lines, notes = noted(f'{clip}<g clip-path="url(#c)">{GOOD}</g>')
    assert (len(lines), notes) == (
        1,
        ["a clip path, which is not followed: what it cuts off is drawn"],
    )


@pytest.mark.parametrize("tag", ["path", "g"])
def test_a_faulty_transform_costs_its_element(noted, tag) -> None:
    inner = f'<path {PEN} d="M0 0h9"/>' if tag == "g" else ""
    more = "" if inner else f'{PEN} d="M0 0h9"'
    lines, notes = noted(f'<{tag} {more} transform="rotate(no)">{inner}</{tag}>{GOOD}')
    number = " 1" if tag == "path" else ""
    assert lines == [LINE_OF_GOOD]
    assert notes == [f"{tag}{number}: 'no' where a number should be; left out"]


# XML as editors leave it


def test_entities_of_plain_text_are_read(read) -> None:
    (sketch,) = read(
        '<!DOCTYPE svg [<!ENTITY ns "http://ns.adobe.com/x/"><!ENTITY d "M10 10L50 90">]>'
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="&ns;"><path {PEN} d="&d;"/></svg>'
    )
    assert sketch.strokes[0].tolist() == LINE_OF_GOOD


@pytest.mark.parametrize(
    "declared", ['"&#60;path/>"', '"a&#38;b;"', '"&lt;"', 'SYSTEM "x"', f'"{"x" * 9000}"']
)
def test_other_entities_are_refused(read, declared) -> None:
    text = f"<!DOCTYPE svg [<!ENTITY e {declared}>]>" + wrapped(INK + "&amp;" * 200)
    with pytest.raises(BadSketch, match="declares the XML entity 'e', which is not read"):
        read(text)


def test_prefixes_without_a_declaration_are_repaired(read) -> None:
    (sketch,) = read(
        '<svg xmlns="http://www.w3.org/2000/svg" i:x="1">'
        '<defs><path id="a" d="M10 10L50 90"/></defs>'
        f'<sodipodi:view/><use xlink:href="#a" {PEN}/></svg>'
    )
    assert [stroke.tolist() for stroke in sketch.strokes] == [LINE_OF_GOOD]
