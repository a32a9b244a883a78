"""Morphs: the ends are the drawings, and nothing tears, jumps or gets lost in between."""

from __future__ import annotations

import io
import itertools
import tracemalloc

import numpy as np
import pytest
from drawings import CAT, DOT, EMPTY, LINE, scribble
from PIL import Image

from sketchrnn_cli.drawing.film import gif, matching
from sketchrnn_cli.drawing.film import morph as morphing
from sketchrnn_cli.drawing.film.frames import Timing
from sketchrnn_cli.drawing.film.matching import match
from sketchrnn_cli.drawing.film.morph import plan_morph, progress
from sketchrnn_cli.drawing.film.pen import LEVELS
from sketchrnn_cli.drawing.raster import draw, to_png
from sketchrnn_cli.drawing.sheet import lay_out
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.sketches.sketch import Sketch, from_polylines

QUICK = Timing(fps=10, duration=2.0, hold=0.5)
ONE_LEVEL = 255 / (LEVELS - 1) / 2 + 2  # rounding to the palette
DRAWINGS = [CAT, DOT, LINE, *(scribble(seed, 1 + 2 * seed) for seed in range(5))]
PAIRS = list(itertools.product(range(len(DRAWINGS)), repeat=2))


def lines_of(sketch: Sketch, size: int = 200) -> tuple[np.ndarray, ...]:
    return lay_out([sketch], Style(size=size, captions=False)).cells[0].lines


def ring(*, center: float = 100.0, radius: float = 50.0, turn: float = 0.0) -> np.ndarray:
    angle = turn + np.linspace(0, 2 * np.pi, 41)
    return center + radius * np.column_stack([np.cos(angle), np.sin(angle)])


def picture(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    canvas = np.zeros((200, 200), np.uint8)
    draw(canvas, start, end, 2.0)
    return canvas.astype(int)


def ink(lines: tuple[np.ndarray, ...]) -> np.ndarray:
    starts = np.concatenate([line[:-1] if len(line) > 1 else line for line in lines])
    ends = np.concatenate([line[1:] if len(line) > 1 else line for line in lines])
    return picture(starts, ends)


def frames_of(*sketches: Sketch, timing: Timing = QUICK, mode: str = "RGB", **style: object):  # noqa: ANN201
    stream = io.BytesIO()
    gif.write(stream, plan_morph(sketches, Style(**style), timing))
    frames, durations = [], []
    with Image.open(stream) as image:
        for k in range(image.n_frames):
            image.seek(k)
            frames.append(np.array(image.convert(mode)).astype(int))
            durations.append(image.info["duration"])
    return frames, durations, stream.getvalue()


def still(sketch: Sketch, mode: str = "RGB", **style: object) -> np.ndarray:
    with Image.open(io.BytesIO(to_png([sketch], Style(**style)))) as image:
        return np.array(image.convert(mode)).astype(int)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_ends_are_exactly_the_drawings(a: int, b: int) -> None:
    old, new = lines_of(DRAWINGS[a]), lines_of(DRAWINGS[b])
    moving = match(old, new)
    assert np.abs(picture(*moving.at(0)) - ink(old)).max() <= 1
    assert np.abs(picture(*moving.at(1)) - ink(new)).max() <= 1
    for lines, places in ((old, moving.old), (new, moving.new)):
        for vertex in np.concatenate(lines):  # no corner is rounded
            assert np.abs(places - vertex).max(1).min() < 1e-9


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_nothing_leaves_the_box_of_both(a: int, b: int) -> None:
    old, new = lines_of(DRAWINGS[a]), lines_of(DRAWINGS[b])
    corners = np.concatenate([*old, *new])
    for part in np.linspace(0, 1, 7):
        points = np.concatenate(match(old, new).at(part))
        assert np.isfinite(points).all()
        assert (points >= corners.min(0) - 1e-9).all()
        assert (points <= corners.max(0) + 1e-9).all()


@pytest.mark.parametrize("sketch", [*DRAWINGS, from_polylines([ring(), ring(radius=9), [[1, 2]]])])
def test_equal_drawings_stay_still(sketch: Sketch) -> None:
    lines = lines_of(sketch)
    moving = match(lines, lines)
    assert np.abs(moving.new - moving.old).max(initial=0) < 1e-9
    assert moving.way() < 1e-9


def test_a_small_change_moves_little() -> None:
    lines = lines_of(CAT)
    moving = match(lines, [line + 0.5 for line in lines])
    np.testing.assert_allclose(moving.new - moving.old, 0.5, atol=1e-9)
    assert moving.way() == pytest.approx(0.5 * np.sqrt(2))


def test_order_and_direction_of_strokes_do_not_matter() -> None:
    lines = lines_of(CAT)
    moving = match(lines, [line[::-1] for line in lines[::-1]])
    assert np.abs(moving.new - moving.old).max() < 1e-9


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("turn", [0.5, 2.0, 3.0, 6.0])
def test_a_ring_turns_to_where_the_other_begins(turn: float, backwards: bool) -> None:
    other = ring(turn=turn)[:: -1 if backwards else 1]
    moving = match([ring()], [other])
    assert np.abs(moving.new - moving.old).max() < 10  # half a sample of 32, not a diameter


def test_a_line_is_never_cut() -> None:
    moving = match([np.array([[0.0, 0], [9, 0], [200, 5]])], [np.array([[200.0, 9], [0, 3]])])
    assert moving.heads.tolist() == list(range(1, len(moving.old)))
    np.testing.assert_array_equal(moving.new[0], [0, 3])


def test_every_stroke_of_the_larger_drawing_comes_from_ink() -> None:
    """What has no partner lies on the old drawing at first: nothing pops up."""
    old, new = [ring()], [ring(), ring(radius=10), np.array([[90.0, 120], [110, 120]])]
    moving = match(old, new)
    away = np.hypot(*(moving.old - 100).T)
    assert away.min() > 49
    assert away.max() < 50 + 1e-9


def test_near_strokes_become_each_other_and_far_ones_merge() -> None:
    eyes = [np.array([[80.0, 90], [84, 90]]), np.array([[120.0, 90], [124, 90]])]
    moving = match([ring(), *eyes], [ring(), *(eye + [0, 8] for eye in eyes)])
    np.testing.assert_allclose(np.unique(moving.new - moving.old, axis=0), [[0, 0], [0, 8]])
    whisker, tail = np.array([[45.0, 100], [55, 100]]), np.array([[145.0, 100], [155, 100]])
    moving = match([ring(), whisker], [ring(), tail])
    assert np.hypot(*(moving.new - moving.old).T).max() < 20


def test_dots_survive() -> None:
    old = [np.array([[10.0, 10]]), np.array([[50.0, 50]])]
    new = [np.array([[12.0, 10]]), np.array([[50.0, 58]]), np.array([[90.0, 90]])]
    moving = match(old, new)
    for part in (0, 0.5, 1):
        start, end = moving.at(part)
        np.testing.assert_array_equal(start, end)
        assert len(start) == 3
    assert sorted(moving.at(0.5)[0].tolist()) == [[11, 10], [50, 54], [70, 70]]


def test_a_drawing_of_nothing_grows_from_the_middle() -> None:
    line = lines_of(LINE)
    moving = match([], line)
    np.testing.assert_allclose(moving.old, 100)
    np.testing.assert_array_equal(match(line, []).old, moving.new)
    assert match([], []).at(0.5)[0].shape == (0, 2)
    assert match([], []).way() == 0


@pytest.mark.parametrize("shape", [(1, 100_000), (3000, 20), (20_000, 1)])
def test_an_enormous_drawing_moves_in_part(shape: tuple[int, int]) -> None:
    lines = list(np.random.default_rng(0).uniform(0, 200, (*shape, 2)))
    moving = match(lines, lines_of(CAT))
    assert np.isfinite(moving.old).all()
    length = np.hypot(*(moving.old[moving.heads] - moving.old[moving.tails]).T).sum()
    assert length < 1.1 * matching.MAX_INK * 200
    assert len(moving.old) < 2 * matching.MAX_POINTS


@pytest.mark.parametrize("n_steps", [1, 2, 7, 60])
@pytest.mark.parametrize("ways", [[1.0], [0.0], [0.0, 0.0], [0.1] * 23, [2.0, 0.01, 1.0]])
def test_progress_goes_from_the_first_to_the_last(ways: list[float], n_steps: int) -> None:
    places = progress(np.array(ways), n_steps)
    assert places[0] == (0, 0)
    assert places[-1] == (len(ways) - 1, 1)
    assert len(places) == n_steps + 1
    along = [k + part for k, part in places]
    assert (np.diff(along) >= 0).all()


def test_close_drawings_run_and_different_ones_stop() -> None:
    film = np.array([k + part for k, part in progress(np.full(20, 0.01), 200)])
    steps = np.diff(film)[10:-10]
    assert steps.max() < 1.1 * steps.min()
    far = np.array([k + part for k, part in progress(np.full(2, 3.0), 200)])
    steps = np.diff(far)
    assert max(steps[0], steps[99], steps[100], steps[-1]) < 0.1 * steps.max()


def test_what_differs_more_takes_longer() -> None:
    k = np.array([k for k, _ in progress(np.array([0.1, 0.4]), 1000)])
    assert 3 < (k == 1).sum() / (k == 0).sum() < 4


def test_the_film_goes_there_and_back() -> None:
    style = {"size": 80, "captions": False}
    frames, durations, _ = frames_of(CAT, scribble(3), **style)
    assert len(frames) == 20
    assert np.abs(frames[0] - still(CAT, **style)).max() <= ONE_LEVEL
    assert np.abs(frames[10] - still(scribble(3), **style)).max() <= ONE_LEVEL
    for k in range(1, 10):
        np.testing.assert_array_equal(frames[k], frames[20 - k])
    assert durations == [600, *[100] * 9, 600, *[100] * 9]


@pytest.mark.parametrize(("fps", "duration"), [(50, 1.0), (29.97, 3.0), (7, 2.0), (1, 0.1)])
def test_frames_and_seconds_are_those_asked_for(fps: float, duration: float) -> None:
    film = plan_morph([CAT, LINE], Style(size=40), Timing(fps=fps, duration=duration, hold=0.3))
    assert film.n_frames == max(2 * int(fps * duration / 2), 2)
    assert film.seconds == pytest.approx(duration + 0.6)
    assert sum(frame.ticks for frame in film.frames) == round(100 * film.seconds)


def test_without_a_duration_it_depends_on_the_change() -> None:
    def seconds(*sketches: Sketch) -> float:
        return plan_morph(sketches, Style(size=40), Timing(hold=0)).seconds

    least, most = morphing.SECONDS_MORPH
    assert seconds(CAT, CAT) == seconds(*[CAT] * 9) == least
    assert seconds(*[CAT, scribble(3)] * 9) == most
    assert least < seconds(CAT, scribble(3)) < most


def test_equal_drawings_are_one_frame() -> None:
    frames, durations, _ = frames_of(CAT, CAT, CAT, size=40)
    assert (len(frames), durations) == (1, [3000])


@pytest.mark.parametrize("sketches", [(EMPTY, CAT), (CAT, EMPTY), (DOT, LINE, EMPTY)])
def test_dots_and_nothing(sketches: tuple[Sketch, ...]) -> None:
    style = {"size": 64, "captions": False}
    frames, _, _ = frames_of(*sketches, **style)
    assert np.abs(frames[0] - still(sketches[0], **style)).max() <= ONE_LEVEL
    assert np.abs(frames[len(frames) // 2] - still(sketches[-1], **style)).max() <= ONE_LEVEL


def test_the_caption_says_how_far_it_is() -> None:
    a, b = from_polylines([[[0, 0], [9, 9]]], "cat"), from_polylines([[[0, 0], [9, 9]]], "pig")
    frames, durations, _ = frames_of(a, b, size=80)
    assert 5 < len(frames) <= 20  # the line stays, the caption goes from 0 % to 100 and back
    assert sum(durations) == 3000
    scene = plan_morph([a, b], Style(size=80), QUICK).scene
    said = [morphing.caption_at(scene, 0, step) for step in range(11)]
    assert said == ["cat", *(f"cat to pig {k}0 %" for k in range(1, 10)), "pig"]
    between = [b.with_extras(morph=["cat", "pig", part]) for part in (0, 0.5, 1)]
    scene = plan_morph(between, Style(size=80), QUICK).scene
    said = [morphing.caption_at(scene, k, step) for k in (0, 1) for step in (0, 4, 10)]
    assert said == ["cat", *(f"cat to pig {k}0 %" for k in (2, 5, 5, 7)), "pig"]
    assert (frames[0][:80] == frames[1][:80]).all()
    assert (frames[0][80:] != frames[1][80:]).any()
    bare = from_polylines([[[0, 0], [9, 9]]])
    assert frames_of(bare, bare, a, size=80)[0][0].shape == frames[0].shape  # room for the word


@pytest.mark.parametrize("hold", [0.5, 600.0])
def test_on_transparent_paper_the_ink_before_is_gone(hold: float) -> None:
    timing = Timing(fps=1, duration=400.0 if hold > 1 else 2.0, hold=hold)
    style = {"size": 48, "background": "none", "captions": False}
    still_there = [CAT, CAT] if hold > 1 else [CAT, LINE]
    frames, durations, _ = frames_of(*still_there, timing=timing, mode="RGBA", **style)
    assert sum(durations) == 1000 * (timing.duration + 2 * hold)
    seen = [frame[..., 3] > 0 for frame in frames]
    ends = [still(sketch, "RGBA", **style)[..., 3] for sketch in still_there]
    for shown, alpha in ((seen[0], ends[0]), (seen[len(seen) // 2], ends[1])):
        assert shown[alpha > 128].all()
        assert not shown[alpha < 40].any()


def test_the_same_bytes_every_time() -> None:
    sketches = [scribble(seed) for seed in range(4)]
    once = frames_of(*sketches, size=64)[2]
    assert frames_of(*sketches, size=64)[2] == once
    assert frames_of(*sketches[::-1], size=64)[2] != once


def test_no_frame_is_kept() -> None:
    """Ten times the frames, no more memory but what Pillow leaves to the garbage collector."""

    class Nowhere(io.RawIOBase):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return len(data)

    def peak(duration: float) -> int:
        film = plan_morph([CAT, scribble(1)], Style(size=200), Timing(duration=duration))
        tracemalloc.start()
        gif.write(Nowhere(), film)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(0.2)
    assert peak(5.0) < 1.5 * peak(0.5)  # kept, they were 6 megabytes


@pytest.mark.parametrize(
    ("sketches", "style", "error", "message"),
    [
        ([], {}, BadSketch, "at least two drawings, not 0"),
        ([CAT], {}, BadSketch, "at least two drawings, not 1"),
        ([DOT] * 1001, {}, BadSketch, "more than 1,000 drawings"),
        ([CAT, CAT], {"size": 8192}, BadConfig, "smaller --size"),
    ],
)
def test_what_cannot_be_a_morph_is_one_line(
    sketches: list[Sketch], style: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan_morph(sketches, Style(**style), QUICK)
