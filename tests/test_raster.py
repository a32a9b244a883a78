"""PNG: ink where the strokes are, the same bytes every time, captions that cannot break it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from drawings import CAT, DOT, EMPTY, LINE, scribble
from PIL import Image, ImageDraw, ImageFont

from sketchrnn_cli.drawing import fonts, raster
from sketchrnn_cli.drawing.raster import draw, to_png
from sketchrnn_cli.drawing.sheet import lay_out
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadConfig, SketchWarning
from sketchrnn_cli.sketches.sketch import Sketch


def picture(*sketches: Sketch, mode: str = "RGB", **style: object) -> np.ndarray:
    image = Image.open(io.BytesIO(to_png(sketches, Style(**style))))
    return np.array(image.convert(mode)).astype(int)


def coverage_by_sampling(
    start: np.ndarray, end: np.ndarray, width: float, shape: tuple[int, int]
) -> np.ndarray:
    """The share of 8 x 8 points of each pixel that lie within half a width of a segment."""
    rows, columns = shape
    y, x = np.mgrid[0 : 8 * rows, 0 : 8 * columns] / 8 + 1 / 16
    inside = np.zeros(y.shape, bool)
    for (ax, ay), (bx, by) in zip(start, end, strict=True):
        dx, dy = bx - ax, by - ay
        square = dx * dx + dy * dy
        t = np.clip(((x - ax) * dx + (y - ay) * dy) / square, 0, 1) if square else 0.0
        inside |= np.hypot(x - ax - t * dx, y - ay - t * dy) <= width / 2
    return inside.reshape(rows, 8, columns, 8).mean((1, 3))


@pytest.mark.parametrize("width", [1.0, 2.5, 9.0])
def test_coverage_is_the_area_under_the_line(width: float) -> None:
    rng = np.random.default_rng(0)
    start, end = rng.uniform(-10, 70, (2, 6, 2))  # some leave the canvas
    end[0] = start[0] = [20.3, 31.7]  # a dot
    canvas = np.zeros((50, 60), np.uint8)
    draw(canvas, start, end, width)
    expected = coverage_by_sampling(start, end, width, canvas.shape)
    error = np.abs(canvas / 255 - expected)
    assert error.max() < 0.5  # a pixel between two lines counts the nearer one only
    assert error.mean() < 0.01


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.785])
def test_the_edge_of_a_line_is_exact_to_a_tenth(angle: float) -> None:
    start = np.array([[10.0, 12.3]])
    end = start + 40 * np.array([np.cos(angle), np.sin(angle)])
    canvas = np.zeros((60, 60), np.uint8)
    draw(canvas, start, end, 4.0)
    expected = coverage_by_sampling(start, end, 4.0, canvas.shape)
    assert np.abs(canvas / 255 - expected).max() < 0.1


def test_segments_in_parts_draw_what_the_whole_draws() -> None:
    start, end = np.array([[3.2, 4.1]]), np.array([[90.7, 61.9]])
    cuts = np.linspace(0, 1, 14)[:, None]
    points = start + (end - start) * cuts
    whole, parts = np.zeros((2, 70, 100), np.uint8)
    draw(whole, start, end, 3.0)
    for a, b in zip(points, points[1:], strict=False):
        draw(parts, a[None], b[None], 3.0)
    assert np.abs(whole.astype(int) - parts).max() <= 2
    assert whole.max() == 255


def test_no_segments_draw_nothing() -> None:
    canvas = np.zeros((8, 8), np.uint8)
    draw(canvas, np.zeros((0, 2)), np.zeros((0, 2)), 3.0)
    assert not canvas.any()


def test_colors_are_exactly_ink_and_paper() -> None:
    pixels = picture(LINE, color="#ff8800", background="#001122", captions=False, line_width=9)
    colors = {tuple(color) for color in pixels.reshape(-1, 3)}
    assert {(0xFF, 0x88, 0), (0, 0x11, 0x22)} <= colors


def test_transparent_paper_is_clear_and_ink_is_not() -> None:
    pixels = picture(CAT, mode="RGBA", background="none", color="#102030", line_width=5)
    assert pixels[0, 0, 3] == 0
    assert pixels[..., 3].max() == 255
    inked = pixels[pixels[..., 3] == 255]
    assert (inked[:, :3] == [0x10, 0x20, 0x30]).all()


def test_a_dot_is_as_wide_as_the_pen() -> None:
    dark = 255 - picture(DOT, size=64, line_width=8, captions=False, color="black")[..., 0]
    assert dark.sum() / 255 == pytest.approx(np.pi * 16, rel=0.03)
    np.testing.assert_allclose(np.argwhere(dark).mean(0) + 0.5, [32, 32], atol=0.1)


def test_an_empty_drawing_is_blank_paper() -> None:
    assert (picture(EMPTY, captions=False) == 255).all()
    assert not (picture(EMPTY) == 255).all()  # its caption


def test_same_drawing_same_bytes() -> None:
    sketches = [scribble(seed) for seed in range(5)]
    assert to_png(sketches, Style()) == to_png(sketches, Style())
    assert to_png(sketches, Style()) != to_png(sketches[::-1], Style())


@pytest.mark.parametrize(
    "word", ["кот", "猫", "😀 cat", "é", "a\x00\x1b[2J\ud800b", "‮tac", "x" * 5000]
)
def test_any_caption_draws_inside_its_cell(word: str) -> None:
    sketches = [Sketch((), None), Sketch((), word), Sketch((), None)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SketchWarning)  # a system without its font
        pixels = picture(*sketches, size=96, columns=3)
    assert (pixels[:, 96:192] < 255).any()
    assert (pixels[:, :96] == 255).all()
    assert (pixels[:, 192:] == 255).all()


def test_letters_the_first_font_lacks_come_from_the_second() -> None:
    def caption(word: str) -> bytes:
        return picture(Sketch((), word)).tobytes()

    assert len({caption("кот"), caption("пёс"), caption("дом")}) == 3


def test_what_no_font_has_is_warned_of_once(monkeypatch) -> None:
    monkeypatch.setattr(fonts, "_system_font", lambda characters: None)
    sketches = [Sketch((), f"猫 {k}") for k in range(3)]
    with pytest.warns(SketchWarning, match="no font on this system has all characters") as found:
        to_png(sketches, Style())
    assert len(found) == 1


def test_a_font_of_the_system_is_taken_where_it_has_the_characters(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(fonts, "_fonts", lambda size: [ImageFont.load_default(size)])

    def found(characters: str) -> str:
        asked.append(characters)
        return fonts_path

    from matplotlib import get_data_path

    fonts_path = str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
    monkeypatch.setattr(fonts, "_system_font", found)
    choose = fonts.fonts_for(["кот", "cat", "пёс"], 15)
    assert choose("кот").path == choose("пёс").path == fonts_path
    assert choose("cat").path != fonts_path
    assert asked == ["".join(sorted({*"котпёс"}))]


def test_fonts_of_the_system_are_searched(monkeypatch, tmp_path) -> None:
    from matplotlib import font_manager, get_data_path

    folder = Path(get_data_path()) / "fonts" / "ttf"
    broken = tmp_path / "a.ttf"
    broken.write_bytes(b"no font")
    names = [str(folder / name) for name in ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf")]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [*names, str(broken)])
    fonts._system_font.cache_clear()
    assert fonts._system_font("кот") == names[1]
    assert fonts._system_font("\ue000") is None
    fonts._system_font.cache_clear()


def test_a_picture_too_large_is_refused_before_it_is_made() -> None:
    with pytest.raises(BadConfig, match=r"2 drawings of 8,192 pixels make .* 16,384 x"):
        to_png([CAT, CAT], Style(size=8192, columns=2))


def test_a_sheet_is_made_of_its_single_drawings() -> None:
    sketches = [scribble(seed) for seed in range(4)]
    sheet = picture(*sketches, size=100, columns=2, captions=False)
    for k, sketch in enumerate(sketches):
        top, left = k // 2 * 100, k % 2 * 100
        one = picture(sketch, size=100, captions=False)
        assert np.abs(sheet[top : top + 100, left : left + 100] - one).max() <= 1


def test_png_and_svg_share_their_layout() -> None:
    style = Style(size=120)
    sheet = lay_out([CAT, LINE], style)
    image = Image.open(io.BytesIO(to_png([CAT, LINE], style)))
    assert image.size == (sheet.width, sheet.height)
    for point in np.concatenate([line for cell in sheet.cells for line in cell.lines]):
        x, y = np.floor(point).astype(int).tolist()
        assert image.convert("L").getpixel((x, y)) < 250


def test_windows_are_drawn_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    once = to_png([scribble(1)], Style())
    monkeypatch.setattr(raster, "CHUNK", 1)
    assert to_png([scribble(1)], Style()) == once


def test_the_sampling_reference_sees_a_wrong_line() -> None:
    image = Image.new("L", (60, 50))
    ImageDraw.Draw(image).line([(5, 5), (50, 40)], fill=255, width=3)
    expected = coverage_by_sampling(np.array([[5, 5]]), np.array([[50, 30]]), 3, (50, 60))
    assert np.abs(np.array(image) / 255 - expected).max() > 0.9
