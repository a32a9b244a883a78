"""APNG, WebP, MP4 and animated SVG show what the GIF shows, and the pen's tip and colours."""

from __future__ import annotations

import io
import re
import tracemalloc
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from drawings import CAT, DOT, EMPTY, LINE, scribble
from PIL import Image

from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.film import animation, apng, frames
from sketchrnn_cli.drawing.film import morph as morphing
from sketchrnn_cli.drawing.film.frames import Film, Timing
from sketchrnn_cli.drawing.film.pen import COLOR_BY, LEVELS, TIP, Pen, inks_of
from sketchrnn_cli.drawing.raster import to_png
from sketchrnn_cli.drawing.style import Style, rgb
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.sketch import Sketch, from_polylines

QUICK = Timing(fps=10, duration=1.0, hold=0.5)
ONE_LEVEL = 255 / (LEVELS - 1) / 2 + 2  # rounding to the palette
PENS = {
    "plain": Pen(),
    "tip": Pen(tip=True),
    "stroke": Pen(color_by="stroke"),
    "time": Pen(color_by="time", tip=True),
}
SOME = (CAT, DOT, EMPTY, scribble(2))
NAMESPACE = "{http://www.w3.org/2000/svg}"


def shot(
    *sketches: Sketch, pen: Pen | None = None, timing: Timing = QUICK, **style: object
) -> Film:
    if pen is None:
        return morphing.plan_morph(sketches, Style(**style), timing)
    return animation.plan(sketches, Style(**style), timing, pen)


def encoded(film: Film, format: str) -> bytes:
    stream = io.BytesIO()
    outputs.write_film(stream, film, format)
    return stream.getvalue()


def shown(film: Film, background: tuple[int, int, int] = (255, 255, 255)) -> list[np.ndarray]:
    """What every moment of 10 ms looks like, (moments, height, width, 3), from the frames alone."""
    colors, alphas = (each.astype(float) for each in film.palette())
    screen = np.zeros((film.height, film.width), int)
    seen = []
    for frame in film.frames:
        height, width = frame.pixels.shape
        screen[frame.top : frame.top + height, frame.left : frame.left + width] = frame.pixels
        alpha = alphas[screen][..., None] / 255
        seen += [colors[screen] * alpha + np.array(background) * (1 - alpha)] * frame.ticks
    return seen


def decoded(data: bytes, background: tuple[int, int, int] = (255, 255, 255)) -> list[np.ndarray]:
    """The same of a file."""
    seen = []
    with Image.open(io.BytesIO(data)) as image:
        for k in range(image.n_frames):
            image.seek(k)
            image.load()
            ground = Image.new("RGBA", image.size, background)
            ground.alpha_composite(image.convert("RGBA"))
            picture = np.array(ground.convert("RGB")).astype(float)
            seen += [picture] * round(image.info["duration"] / 10)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("paper", ["#ffffff", "#17191c", "none"])
@pytest.mark.parametrize("pen", PENS)
@pytest.mark.parametrize("format", ["apng", "webp"])
def test_every_moment_is_that_of_the_film(format: str, pen: str, paper: str) -> None:
    style = {"size": 60, "background": paper, "columns": 2}
    seen = decoded(encoded(shot(*SOME, pen=PENS[pen], **style), format), (40, 90, 160))
    expected = shown(shot(*SOME, pen=PENS[pen], **style), (40, 90, 160))
    assert len(seen) == len(expected) == 150
    assert np.abs(np.array(seen) - np.array(expected)).max() <= 1.5  # of blending


@pytest.mark.parametrize("pen", PENS)
def test_a_gif_shows_the_film_too(pen: str) -> None:
    style = {"size": 60, "columns": 2}
    seen = decoded(encoded(shot(*SOME, pen=PENS[pen], **style), "gif"))
    np.testing.assert_array_equal(
        np.array(seen), np.array(shown(shot(*SOME, pen=PENS[pen], **style)))
    )


@pytest.mark.parametrize("paper", ["#ffffff", "none"])
@pytest.mark.parametrize("format", ["apng", "webp"])
def test_morphs(format: str, paper: str) -> None:
    style = {"size": 60, "background": paper, "captions": False}
    seen = decoded(encoded(shot(CAT, scribble(3), LINE, **style), format))
    expected = shown(shot(CAT, scribble(3), LINE, **style))
    assert len(seen) == len(expected) == 200
    assert np.abs(np.array(seen) - np.array(expected)).max() <= 1.5


@pytest.mark.parametrize("format", ["gif", "apng", "webp"])
def test_they_begin_again_and_keep_their_time(format: str) -> None:
    far = from_polylines([[[0, 0], [9, 0]], [[0, 9], [9, 9]]])  # a long rest between two lines
    timing = Timing(fps=29.97, duration=3.0, hold=2.0)
    data = encoded(shot(far, pen=Pen(), timing=timing, size=60), format)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["loop"] == 0
    assert len(decoded(data)) == 500


def test_a_rest_longer_than_two_bytes_of_ticks() -> None:
    timing = Timing(fps=1, duration=700, hold=600)
    data = encoded(shot(DOT, pen=Pen(), timing=timing, size=16), "apng")
    with Image.open(io.BytesIO(data)) as image:
        durations = []
        for k in range(image.n_frames):
            image.seek(k)
            durations.append(image.info["duration"])
    assert sum(durations) == pytest.approx(1_300_000)


def test_mp4_shows_the_film() -> None:
    av = pytest.importorskip("av")
    timing = Timing(fps=12.5, duration=2.0, hold=1.0)
    style = {"size": 75, "columns": 1, "dark": True}  # an odd width and an even height
    pen = Pen(color_by="stroke")
    film = shot(CAT, scribble(2), pen=pen, timing=timing, **style)
    data = encoded(film, "mp4")
    with av.open(io.BytesIO(data)) as container:
        (video,) = container.streams.video
        assert (video.width, video.height) == (76, film.height + film.height % 2)
        assert float(video.average_rate) == 12.5
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video)]
    assert len(frames) == 38  # 3 s are 37.5
    still = np.array(
        shown(shot(CAT, scribble(2), pen=Pen(color_by="stroke"), timing=timing, **style))[-1]
    )
    last = frames[-1][: film.height, : film.width].astype(float)
    assert np.abs(last - still).mean() < 6  # lossy, and with colours at half the size
    assert np.abs(frames[0].astype(float) - frames[-1]).mean() > 1


def test_the_extra_is_named_before_work_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadConfig, match=r"pip install 'sketchrnn\[video\]'"):
        outputs.check("mp4", Style())
    outputs.check("webp", Style())
    outputs.check("gif", Style(background="none"))


def test_mp4_has_no_transparency() -> None:
    pytest.importorskip("av")
    with pytest.raises(BadConfig, match="transparent"):
        outputs.check("mp4", Style(background="none"))


@pytest.mark.parametrize("format", outputs.ANIMATIONS)
def test_the_same_bytes_every_time(format: str) -> None:
    if format == "mp4":
        pytest.importorskip("av")
    pen = Pen(color_by="time", tip=True)
    once = encoded(shot(*SOME, pen=pen, size=48), format)
    assert encoded(shot(*SOME, pen=pen, size=48), format) == once
    assert encoded(shot(*SOME[::-1], pen=pen, size=48), format) != once


def test_the_tip_is_where_the_pen_is_and_goes() -> None:
    line = from_polylines([[[0, 0], [100, 0]], [[100, 100], [0, 100]]])
    moments = shown(shot(line, pen=Pen(tip=True), size=100, captions=False))
    red = [np.argwhere(np.abs(picture - rgb(TIP)).sum(2) < 30) for picture in moments]
    assert len(red[0])
    x = np.array([places[:, 1].mean() for places in red[:100] if len(places)])
    assert (np.diff(x[: len(x) // 3]) >= 0).all()  # there
    assert (np.diff(x[-len(x) // 3 :]) <= 0).all()  # and back
    y = np.array([places[:, 0].mean() for places in red[:100] if len(places)])
    assert ((y > 20) & (y < 80)).any()  # lifted, in between
    assert not len(red[-1])
    still = np.array(Image.open(io.BytesIO(to_png([line], Style(size=100)))).convert("RGB"))
    assert np.abs(moments[-1] - still).max() <= ONE_LEVEL


def test_every_stroke_has_a_colour_of_its_own() -> None:
    lines = from_polylines([[[0, y], [100, y]] for y in range(0, 100, 20)])
    film = shot(lines, pen=Pen(color_by="stroke"), size=200)
    picture = shown(film)[-1]
    inks = {tuple(picture[y, 100].astype(int).tolist()) for y in range(200)} & set(film.inks)
    assert inks == set(film.inks[1:6])


def test_where_lines_cross_the_new_one_is_on_top() -> None:
    cross = from_polylines([[[0, 50], [100, 50]], [[50, 0], [50, 100]]])
    film = shot(cross, pen=Pen(color_by="stroke"), size=101, captions=False)
    assert tuple(shown(film)[-1][50, 50].astype(int).tolist()) == film.inks[2]


def test_time_goes_through_all_colours_of_a_drawing() -> None:
    spiral = np.linspace(0, 6 * np.pi, 300)
    snail = from_polylines([np.column_stack([spiral * np.cos(spiral), spiral * np.sin(spiral)])])
    timing = Timing(fps=30, duration=3.0)
    film = shot(snail, snail, pen=Pen(color_by="time"), timing=timing, size=150, columns=2)
    moments = shown(film)
    last = moments[-1].reshape(-1, 3).astype(int)
    assert {tuple(color) for color in last.tolist()} >= set(film.inks[1:])
    first = {tuple(color) for color in moments[3].reshape(-1, 3).astype(int).tolist()}
    assert film.inks[1] in first
    assert film.inks[-1] not in first


@pytest.mark.parametrize("color_by", [None, *COLOR_BY])
@pytest.mark.parametrize("paper", ["white", "black"])
def test_colours_are_seen_on_their_paper(color_by: str | None, paper: str) -> None:
    ink = "#f0f0f0" if paper == "black" else "#262626"
    style = Style(color=ink, background=paper)
    inks = np.array(inks_of(style, Pen(color_by=color_by, tip=True)), float)
    contrast = [abs(_luminance(color) - _luminance(style.paper())) for color in inks]
    assert min(contrast) > 0.1


def _luminance(color: tuple[int, int, int]) -> float:
    return float(np.dot((np.array(color) / 255) ** 2.2, [0.2126, 0.7152, 0.0722]))


def test_a_wrong_colour_by_is_one_line() -> None:
    with pytest.raises(BadConfig, match="color-by is stroke or time, not 'mood'"):
        Pen(color_by="mood")


@pytest.mark.slow
def test_no_frame_is_kept_by_apng() -> None:
    class Nowhere(io.RawIOBase):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return len(data)

    def peak(duration: float) -> int:
        film = shot(CAT, scribble(1), pen=Pen(tip=True), timing=Timing(duration=duration), size=200)
        tracemalloc.start()
        apng.write(Nowhere(), film)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(0.5)
    assert peak(10.0) < 1.3 * peak(1.0)


def _tree(data: bytes) -> ET.Element:
    return ET.fromstring(data)


@pytest.mark.parametrize("pen", [*PENS, "morph"])
def test_svg_is_well_formed_and_lasts_as_long(pen: str) -> None:
    film = shot(CAT, LINE, scribble(5), pen=PENS.get(pen), size=80)
    animations = [
        element
        for element in _tree(encoded(film, "svg")).iter()
        if element.tag in (f"{NAMESPACE}animate", f"{NAMESPACE}animateMotion")
    ]
    assert animations
    for element in animations:
        assert element.get("dur") == f"{film.seconds:g}s"
        assert element.get("repeatCount") == "indefinite"
        times = [float(time) for time in element.get("keyTimes").split(";")]
        assert times == sorted(times)
        assert times[0] == 0
        assert len(times) == len(element.get("values").split(";"))
        if element.get("calcMode") != "discrete":
            assert times[-1] == 1
        if splines := element.get("keySplines"):
            assert len(splines.split(";")) == len(times) - 1
    for element in _tree(encoded(film, "svg")).iter(f"{NAMESPACE}animate"):
        if element.get("attributeName") == "d":
            shapes = {re.sub(r"[-\d.]+", "", value) for value in element.get("values").split(";")}
            assert len(shapes) == 1  # only numbers change, or no browser could go between


@pytest.mark.parametrize("pen", ["plain", "tip", "stroke"])
def test_our_reader_finds_the_drawings_in_an_animation(pen: str, tmp_path) -> None:  # noqa: ANN001
    path, still = tmp_path / "a.svg", tmp_path / "b.svg"
    path.write_bytes(encoded(shot(CAT, LINE, scribble(5), pen=PENS[pen], size=80), "svg"))
    with still.open("wb") as stream:
        outputs.write(stream, (CAT, LINE, scribble(5)), "svg", Style(size=80))
    found, expected = (list(read_sketches(str(file))) for file in (path, still))
    assert len(found) == 3
    for a, b in zip(found, expected, strict=True):
        assert a.word == b.word
        assert len(a.strokes) == len(b.strokes)
        for one, other in zip(a.strokes, b.strokes, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("pen", [*PENS, "morph"])
def test_chromium_shows_the_same_moments(pen: str, browser) -> None:  # noqa: ANN001
    """At every tenth of the loop the SVG looks as the frames do."""
    timing = Timing(fps=50, duration=3.0, hold=1.0)
    style = {"size": 160, "captions": False}
    film = shot(CAT, scribble(5, 3), pen=PENS.get(pen), timing=timing, **style)
    moments = shown(shot(CAT, scribble(5, 3), pen=PENS.get(pen), timing=timing, **style))
    page = browser.new_page(viewport={"width": film.width, "height": film.height})
    svg = encoded(film, "svg").decode()
    page.set_content(f"<style>body{{margin:0}}svg{{display:block}}</style>{svg}")
    page.evaluate("document.querySelector('svg').pauseAnimations()")
    for k in range(1, 10):
        now = k * film.seconds / 10
        page.evaluate("t => document.querySelector('svg').setCurrentTime(t)", now)
        picture = np.array(Image.open(io.BytesIO(page.screenshot())).convert("L")).astype(float)
        expected = moments[min(round(100 * now), len(moments) - 1)]
        expected = expected @ [0.299, 0.587, 0.114]
        ink = (255 - expected).sum() + 1e3
        assert np.abs(picture - expected).sum() / ink < 0.2, (k, now)
    page.close()


def test_the_color_of_a_segment_is_computed_while_it_is_drawn(monkeypatch) -> None:
    sizes = []
    ink_at = frames.ink_at
    monkeypatch.setattr(frames, "ink_at", lambda part: sizes.append(len(part)) or ink_at(part))
    film = shot(*(scribble(k, 9) for k in range(4)), pen=PENS["time"])
    n_segments = len(film.scene.begins)
    for _ in film.frames:
        pass
    assert n_segments <= sum(sizes) <= n_segments + film.n_frames * film.n_drawings


@pytest.mark.parametrize("pen", PENS)
@pytest.mark.parametrize("background", ["#ffffff", "none"])
def test_every_frame_changes_what_it_says_and_no_more(pen: str, background: str) -> None:
    film = shot(*SOME, pen=PENS[pen], size=60, background=background)
    screen = np.full((film.height, film.width), 255, np.uint8)
    for frame in film.frames:
        height, width = frame.pixels.shape
        box = screen[frame.top : frame.top + height, frame.left : frame.left + width]
        if not film.replaces:
            np.testing.assert_array_equal(box != frame.pixels, frame.changed)
            assert not height or (frame.changed.any(1)[[0, -1]].all())
            assert not width or (frame.changed.any(0)[[0, -1]].all())
        box[...] = frame.pixels
