"""SVG: golden text, plotter-clean structure, and untrusted words that stay words."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from drawings import CAT, DOT, EMPTY, LINE, scribble
from hypothesis import given, settings
from hypothesis import strategies as st
from outside import missing

from sketchrnn_cli.drawing.sheet import caption_of, lay_out
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.drawing.svg import number, to_svg
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.sketch import Sketch, from_polylines

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
CASES = {
    "cat": ([CAT], Style()),
    "sheet": ([CAT, DOT, EMPTY, LINE, CAT], Style(size=96, columns=3, background="none")),
}


def points_of(path: ElementTree.Element) -> np.ndarray:
    numbers = re.findall(r"-?[0-9.]+", path.attrib["d"])
    return np.array(numbers, float).reshape(-1, 2)


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_golden(name: str) -> None:
    sketches, style = CASES[name]
    golden = (GOLDEN / f"{name}.svg").read_bytes().replace(b"\r\n", b"\n").decode()
    assert to_svg(sketches, style) == golden


def test_the_golden_comparison_can_fail() -> None:
    moved = from_polylines([*CAT.strokes[:-1], CAT.strokes[-1] + [0, 1]], "cat", {"seed": 7})
    assert to_svg([moved], Style()) != (GOLDEN / "cat.svg").read_text(encoding="utf-8")


def test_one_path_a_stroke_in_drawing_order() -> None:
    root = ElementTree.fromstring(to_svg([CAT], Style()))
    paths = [points_of(path) for path in root.iter(f"{SVG}path")]
    assert len(paths) == len(CAT.strokes)
    scale = np.ptp(paths[0][:, 0]) / np.ptp(CAT.strokes[0][:, 0])
    for path, stroke in zip(paths, CAT.strokes, strict=True):
        expected = (stroke - CAT.strokes[0][0]) * scale + paths[0][0]
        drawn = path[: len(stroke)]
        np.testing.assert_allclose(drawn, expected, atol=0.03)


def test_a_dot_is_the_shortest_segment_with_round_caps() -> None:
    root = ElementTree.fromstring(to_svg([DOT], Style(size=100)))
    (path,) = root.iter(f"{SVG}path")
    assert path.attrib["d"] == "M50 50L50.01 50"
    assert 'stroke-linecap="round"' in to_svg([DOT], Style())


def test_nothing_but_strokes_has_a_shape() -> None:
    text = to_svg([CAT, LINE], Style(background="navy"))
    root = ElementTree.fromstring(text)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags == {"svg", "rect", "g", "title", "path", "text"}
    paper, ink, captions = root  # one layer, one pen
    assert (ink.attrib["fill"], ink.attrib["data-drawings"]) == ("none", "2")
    assert [group.attrib["data-word"] for group in ink] == ["cat", "line"]
    assert [text.text for text in captions] == ["cat · seed 7", "line"]
    size = {name: root.attrib[name] for name in ("width", "height")}
    assert paper.attrib == {"fill": "#000080", **size}  # what every viewer shows


def test_a_sheet_without_words_has_no_captions() -> None:
    bare = Sketch(CAT.strokes)
    assert "<text" not in to_svg([bare], Style())
    assert "<text" not in to_svg([CAT], Style(captions=False))
    small = Style(size=96)
    assert lay_out([bare], small).height < lay_out([CAT], small).height


@pytest.mark.parametrize(("n", "columns"), [(1, None), (3, None), (7, 2), (100, None), (5, 50)])
def test_drawings_stay_in_their_cells(n: int, columns: int | None) -> None:
    sheet = lay_out([scribble(seed) for seed in range(n)], Style(columns=columns, line_width=6))
    per_row = round(sheet.width / sheet.cell_size)
    assert per_row == min(columns or int(np.ceil(np.sqrt(n))), n)
    row_height = sheet.height // int(np.ceil(n / per_row))
    for k, cell in enumerate(sheet.cells):
        corner = np.array([k % per_row * sheet.cell_size, k // per_row * row_height])
        for line in cell.lines:
            assert (line - 3 >= corner).all()
            assert (line + 3 <= corner + sheet.cell_size).all()
            assert (line + 3 <= [sheet.width, sheet.height]).all()
            ascent, descent = 0.8 * sheet.font_size, 0.3 * sheet.font_size
            assert line[:, 1].max() + 3 < cell.baseline - ascent
        assert cell.baseline + descent < corner[1] + row_height


def test_scale_is_uniform_and_the_drawing_centred() -> None:
    (cell,) = lay_out([from_polylines([[[10, 10], [210, 110]]])], Style(size=400)).cells
    (line,) = cell.lines
    width, height = np.ptp(line, axis=0)
    assert width == pytest.approx(2 * height)
    np.testing.assert_allclose(line.mean(0), [200, 200])


@pytest.mark.parametrize("scale", [1e-40, 1e-3, 1e6, 3e38])
def test_any_finite_coordinates_fit(scale: float) -> None:
    lines = [[[-1, -1], [1, 1]], [[0.5, -1], [0.5, -1]]]
    sketch = from_polylines([np.array(line) * scale for line in lines])
    points = np.concatenate(lay_out([sketch], Style(size=100)).cells[0].lines)
    assert np.isfinite(points).all()
    np.testing.assert_allclose(np.ptp(points, axis=0), 100 * 0.82 - 1.7, atol=0.1)


def test_numbers_have_two_decimals_and_no_minus_zero() -> None:
    numbers = re.findall(
        r"-?\d+(?:\.\d+)?", " ".join(re.findall(r' d="([^"]*)"', to_svg([scribble(3)], Style())))
    )
    assert numbers
    assert all(re.fullmatch(r"-?\d+(\.\d?[1-9])?", number) for number in numbers)
    assert [number(value) for value in (-0.001, 0.0, 10.0, 2.50, -1.239)] == [
        *("0", "0", "10", "2.5", "-1.24")
    ]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_a_word_never_becomes_markup(word: str) -> None:
    sketch = Sketch(CAT.strokes, word)
    root = ElementTree.fromstring(to_svg([sketch], Style()).encode())
    tags = [element.tag.removeprefix(SVG) for element in root.iter()]
    captioned = ["title", "g", "text"] if caption_of(sketch) else []
    assert sorted(tags) == sorted(
        ["svg", "rect", "g", "g", *captioned, *["path"] * len(CAT.strokes)]
    )
    legal = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", word)
    assert root[1][0].attrib.get("data-word", "") == legal


@pytest.mark.parametrize(
    "word",
    ['"/><script>x</script>', "]]>&lt;</g></svg>", "a\x00b\x1b[31m\ud800\uffff", "'onload='x"],
)
def test_hostile_words_are_escaped(word: str) -> None:
    text = to_svg([Sketch(CAT.strokes, word)], Style())
    root = ElementTree.fromstring(text.encode())
    assert "<script" not in text
    assert {name for element in root.iter() for name in element.attrib} <= {
        *("width", "height", "viewBox", "style", "fill", "stroke", "stroke-width", "d", "x", "y"),
        *("stroke-linecap", "stroke-linejoin", "data-word", "data-drawings", "font-family"),
        *("font-size", "text-anchor"),
    }


def test_a_long_caption_is_cut_and_the_word_kept() -> None:
    root = ElementTree.fromstring(to_svg([Sketch(CAT.strokes, "cat " * 100)], Style(size=96)))
    assert root[2][0].text.endswith("…")
    assert len(root[2][0].text) < 20
    assert root[1][0].attrib["data-word"] == "cat " * 100


def test_no_drawings_is_one_line() -> None:
    with pytest.raises(BadSketch, match="no drawings"):
        to_svg([], Style())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "size must be"),
        ({"columns": 0}, "columns must be"),
        ({"line_width": 0.0}, "line_width must be"),
        ({"color": "blurple"}, "unknown color 'blurple'"),
        ({"color": "none"}, "invisible"),
        ({"background": "#12345"}, "unknown color"),
        ({"color": '#fff"/>'}, "unknown color"),
    ],
)
def test_a_wrong_style_dies_at_birth(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        Style(**wrong)


def test_colors_are_names_or_hex() -> None:
    assert Style(color="NAVY").ink() == (0, 0, 128)
    assert Style(color="#0af").ink() == Style(color="#00aaff").ink() == (0, 170, 255)
    assert Style(background="none").paper() is None
    assert Style(background="none").paper() is None


def vpype(*arguments: str) -> str:
    """What vpype says to this."""
    if importlib.util.find_spec("vpype_cli") is None:
        if (3, 11) <= sys.version_info < (3, 14):
            missing("vpype is not installed")
        pytest.skip("vpype is for Python 3.11 to 3.13")
    command = [sys.executable, "-m", "vpype_cli", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_vpype_reads_ours_and_we_read_what_it_writes(tmp_path: Path) -> None:
    sketches = [CAT, DOT, EMPTY, LINE, *map(scribble, range(5))]
    out, again = tmp_path / "sheet.svg", tmp_path / "cat.svg"
    out.write_text(to_svg(sketches, Style(page="a4", captions=False)), encoding="utf-8")
    facts = vpype("read", str(out), "stat", "write", str(again))
    lines = [
        line
        for cell in lay_out(sketches, Style(page="a4", captions=False)).cells
        for line in cell.lines
    ]
    assert f"Path count: {len(lines)}\n" in facts  # dots among them
    assert "Layer count: 1\n" in facts
    points = np.concatenate(lines)
    left, top, right, bottom = map(float, re.findall(r"[\d.]+", facts.split("Bounds:")[1])[:4])
    np.testing.assert_allclose([left, top], points.min(0), atol=0.02)
    np.testing.assert_allclose([right, bottom], points.max(0), atol=0.02)
    (together,) = read_sketches(str(again))  # it knows nothing of drawings, so they are one
    assert together.word == "cat"
    for stroke, line in zip(together.strokes, lines, strict=True):
        kept = line if np.ptp(line, axis=0).any() else line[:1]
        np.testing.assert_allclose(stroke, kept, atol=0.02)


def loads(module: str, heavy: str) -> bool:
    code = f"import sys, {module}; sys.exit({heavy!r} in sys.modules)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 1


@pytest.mark.parametrize("module", ["svg", "terminal", "plots", "outputs", "sheet"])
def test_light_rooms_load_no_heavy_package(module: str) -> None:
    code = (
        f"import sys, sketchrnn_cli.drawing.{module}\n"
        "sys.exit(bool({'PIL', 'matplotlib', 'imageio', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_import_check_can_fail() -> None:
    assert loads("sketchrnn_cli.drawing.raster", "PIL")
    assert not loads("sketchrnn_cli.drawing.raster", "torch")
