"""One look for every picture: dark, smooth, on a page, in two inks."""

import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from drawings import CAT, DOT, scribble
from imageio.v3 import imread

from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.curves import polyline, smooth
from sketchrnn_cli.drawing.film.animation import plan
from sketchrnn_cli.drawing.film.frames import Timing
from sketchrnn_cli.drawing.raster import to_png
from sketchrnn_cli.drawing.sheet import PIXELS_PER_MM, lay_out
from sketchrnn_cli.drawing.style import ADDED, DARK, PAGES, Style, rgb
from sketchrnn_cli.drawing.svg import to_svg
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.sketches.formats import read_sketches

SVG = "{http://www.w3.org/2000/svg}"
LAYER = "{http://www.inkscape.org/namespaces/inkscape}label"
COMPLETED = CAT.with_extras(given_strokes=1)


def colors_of(png: bytes) -> set[tuple[int, ...]]:
    picture = imread(png, mode="RGB")
    return set(map(tuple, picture.reshape(-1, 3).tolist()))


def test_dark_is_a_choice_that_colors_come_before() -> None:
    assert (Style(dark=True).ink(), Style(dark=True).paper()) == (rgb(DARK[0]), rgb(DARK[1]))
    assert Style(dark=True, color="red").ink() == (255, 0, 0)
    assert Style(dark=True, background="none").paper() is None


@pytest.mark.parametrize("style", [{}, {"color": "navy"}, {"dark": True}, {"background": "none"}])
def test_a_picture_has_the_colors_of_its_style(style) -> None:
    look = Style(size=99, captions=False, **style)
    picture = imread(to_png([CAT], look), mode="RGBA")
    assert tuple(picture[0, 0]) == (*(look.paper() or look.ink()), 255 if look.paper() else 0)
    assert (picture == [*look.ink(), 255]).all(-1).any()


@pytest.mark.parametrize("seed", range(5))
def test_a_smooth_curve_goes_through_every_point(seed: int) -> None:
    line = scribble(seed).strokes[0].astype(float)
    curves = smooth(line)
    np.testing.assert_allclose(curves[:, 0], line[:-1])
    np.testing.assert_allclose(curves[:, 3], line[1:])
    points = polyline(curves)
    for point in line:
        assert np.hypot(*(points - point).T).min() < 1e-9
    low, high = line.min(0), line.max(0)
    room = 0.1 * np.ptp(line, axis=0).max()
    assert ((points > low - room) & (points < high + room)).all()


def test_a_smooth_curve_turns_no_sharper_than_its_corners() -> None:
    angles = np.linspace(0, 2 * np.pi, 13)
    circle = 100 * np.column_stack([np.cos(angles), np.sin(angles)])
    steps = np.diff(polyline(smooth(circle)), axis=0)
    bends = np.abs(np.diff(np.unwrap(np.arctan2(*steps.T))))
    assert np.degrees(bends.max()) < 6  # the polygon has 30
    corner = np.array([[0, 0], [50.0, 0], [50, 50]])
    np.testing.assert_allclose(polyline(smooth(corner)).min(0), 0, atol=1e-9)
    np.testing.assert_allclose(polyline(smooth(corner)).max(0), 50, atol=1e-9)


def test_points_that_do_not_move_are_still_a_drawing() -> None:
    assert len(smooth(np.zeros((3, 2)))) == 0
    text = to_svg([DOT], Style(smooth=True, size=100))
    assert 'd="M50 50L50.01 50"' in text
    assert to_png([DOT], Style(smooth=True)) == to_png([DOT], Style())


def test_smooth_pictures_are_the_same_curves_in_every_format() -> None:
    look = Style(smooth=True, size=200, captions=False)
    assert re.search(r'd="M[\d. ]+C', to_svg([CAT], look))
    assert to_png([CAT], look) != to_png([CAT], Style(size=200, captions=False))
    film = plan([CAT], look, Timing(fps=5, duration=1))
    screen = np.zeros((film.height, film.width), np.uint8)
    for frame in film.frames:
        height, width = frame.pixels.shape
        screen[frame.top : frame.top + height, frame.left : frame.left + width] = frame.pixels
    last = film.palette()[0][screen].astype(int)
    still = imread(to_png([CAT], look), mode="RGB").astype(int)
    assert np.abs(last - still).max() < 12


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("margin", [None, 0, 25.5])
def test_a_page_has_its_millimetres_and_its_margin(page: str, margin: float | None) -> None:
    drawings = [CAT, *map(scribble, range(6))]
    style = Style(page=page, margin=margin)
    root = ElementTree.fromstring(to_svg(drawings, style))
    assert [root.attrib[side] for side in ("width", "height")] == [
        f"{side:g}mm" for side in PAGES[page]
    ]
    box = [float(number) for number in root.attrib["viewBox"].split()]
    np.testing.assert_allclose(box[2:], np.array(PAGES[page]) * PIXELS_PER_MM, atol=0.01)
    points = np.concatenate(
        [line for cell in lay_out(drawings, style).cells for line in cell.lines]
    )
    edge = (10 if margin is None else margin) * PIXELS_PER_MM
    assert (points >= edge).all()
    assert (points <= np.array(box[2:]) - edge).all()
    assert np.ptp(points, axis=0).max() > 0.6 * (min(box[2:]) - 2 * edge)  # it is used


def test_a_page_has_a_layer_per_color_and_nothing_else_to_draw() -> None:
    root = ElementTree.fromstring(to_svg([COMPLETED, CAT], Style(page="a5")))
    assert not list(root.iter(f"{SVG}rect"))
    layers = {group.attrib[LAYER]: group for group in root if LAYER in group.attrib}
    assert list(layers) == ["1 #262626", f"2 {ADDED[0]}"]
    n_strokes = len(CAT.strokes)
    counts = [len(list(layer.iter(f"{SVG}path"))) for layer in layers.values()]
    assert counts == [1 + n_strokes, n_strokes - 1]


def test_what_does_not_fit_on_a_page_is_refused() -> None:
    for style in (Style(page="a5", size=400), Style(page="a5", columns=90)):
        with pytest.raises(BadConfig, match="do not fit on a5"):
            to_svg([CAT] * 90, style)
    for wrong in ({"page": "a3"}, {"page": "a4", "margin": 200}, {"margin": 3}):
        with pytest.raises(BadConfig, match="page|margin"):
            Style(**wrong)


def test_what_a_model_added_has_an_ink_of_its_own(tmp_path) -> None:
    blue = rgb(ADDED[0])
    look = Style(size=120, captions=False)
    assert blue in colors_of(to_png([COMPLETED], look))
    assert blue not in colors_of(to_png([CAT], look))
    text = to_svg([COMPLETED, CAT], look)
    assert text.count(f'<path stroke="{ADDED[0]}"') == len(CAT.strokes) - 1
    path = tmp_path / "two.svg"
    path.write_text(text)
    assert [len(sketch.strokes) for sketch in read_sketches(str(path))] == 2 * [len(CAT.strokes)]
    film = plan([COMPLETED], look, Timing(fps=5, duration=1))
    assert film.inks == (look.ink(), blue)
    stream = io.BytesIO()
    outputs.write_film(stream, film, "gif")
    assert blue in {
        tuple(color)
        for frame in imread(stream.getvalue())
        for row in frame
        for color in row.tolist()
    }


@pytest.mark.parametrize("given", [0, -1, 99, "one", None, True])
def test_a_strange_number_of_given_strokes_does_no_harm(given) -> None:
    n_given = CAT.with_extras(given_strokes=given).n_given
    assert n_given == (0 if given == 0 and given is not False else len(CAT.strokes))


def test_a_word_before_its_row_is_not_said_again_under_it() -> None:
    sketch = CAT.with_extras(seed=1, number=2)
    sheet = lay_out([sketch, sketch], Style(labels=("cat", "owl")))
    assert [cell.caption for cell in sheet.cells] == ["seed 1 #2", "cat · seed 1 #2"]
