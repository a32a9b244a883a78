"""Animations: read back by other decoders, they last as long and end as the still picture does."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable

import imageio.v3 as iio
import numpy as np
import pytest
from drawings import CAT, DOT, EMPTY, LINE, scribble
from PIL import Image

from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.film import gif
from sketchrnn_cli.drawing.film.animation import plan, recorded, schedule
from sketchrnn_cli.drawing.film.frames import Timing
from sketchrnn_cli.drawing.film.pen import LEVELS
from sketchrnn_cli.drawing.raster import to_png
from sketchrnn_cli.drawing.sheet import lay_out
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadConfig, BadSketch
from sketchrnn_cli.sketches.sketch import Sketch, from_polylines

QUICK = Timing(fps=10, duration=1.0, hold=0.5)
ONE_LEVEL = 255 / (LEVELS - 1) / 2 + 2  # rounding to the palette


def encoded(
    *sketches: Sketch, format: str = "gif", timing: Timing = QUICK, **style: object
) -> bytes:
    stream = io.BytesIO()
    if outputs.OUTPUTS[format].kind == "animation":
        outputs.write_film(stream, plan(sketches, Style(**style), timing), format)
    else:
        outputs.write(stream, sketches, format, Style(**style))
    return stream.getvalue()


def frames_of(data: bytes, mode: str = "RGB") -> tuple[list[np.ndarray], list[int]]:
    frames, durations = [], []
    with Image.open(io.BytesIO(data)) as image:
        for k in range(image.n_frames):
            image.seek(k)
            image.load()
            frames.append(np.array(image.convert(mode)).astype(int))
            durations.append(image.info["duration"])
    return frames, durations


def still(*sketches: Sketch, mode: str = "RGB", **style: object) -> np.ndarray:
    image = Image.open(io.BytesIO(to_png(sketches, Style(**style))))
    return np.array(image.convert(mode)).astype(int)


@pytest.mark.parametrize("in_turn", [False, True])
def test_the_last_frame_is_the_still_picture(in_turn: bool) -> None:
    sketches = [CAT, DOT, EMPTY, LINE, scribble(1)]
    timing = Timing(fps=12, duration=1.0, hold=0.3, in_turn=in_turn)
    style = {"size": 90, "color": "#803000", "background": "#e0f0ff"}
    frames, _ = frames_of(encoded(*sketches, timing=timing, **style))
    assert np.abs(frames[-1] - still(*sketches, **style)).max() <= ONE_LEVEL


@pytest.mark.parametrize("fps", [1, 7, 24, 29.97, 30, 50])
def test_it_lasts_as_long_as_asked(fps: float) -> None:
    timing = Timing(fps=fps, duration=2.0, hold=0.7)
    data = encoded(CAT, DOT, timing=timing, size=40)
    frames, durations = frames_of(data)
    assert sum(durations) == pytest.approx(2700)
    assert durations[-1] >= 700
    assert min(durations) >= 20
    assert 1 < len(frames) <= 2 * fps


def test_no_frame_is_shorter_than_viewers_play() -> None:
    _, durations = frames_of(encoded(CAT, timing=Timing(fps=50, duration=0.11, hold=0), size=40))
    assert (min(durations) >= 20, sum(durations)) == (True, 110)


def test_imageio_reads_the_same_gif() -> None:
    data = encoded(CAT, scribble(4), size=80)
    frames, durations = frames_of(data)
    read = iio.imread(data, extension=".gif", mode="RGB")
    np.testing.assert_array_equal(read, np.stack(frames))
    assert iio.immeta(data, extension=".gif")["loop"] == 0
    assert sum(durations) == 1500


def test_moments_without_new_ink_keep_their_time() -> None:
    far = from_polylines([[[0, 0], [9, 0]], [[0, 9], [9, 9]]])  # a long rest between two lines
    data = encoded(far, timing=Timing(fps=50, duration=3.0, hold=1.0), size=60)
    frames, durations = frames_of(data)
    assert sum(durations) == 4000
    assert len(frames) < 145
    assert max(durations[:-1]) > 100  # the rest at the lift, in one frame
    changed = [not np.array_equal(a, b) for a, b in zip(frames, frames[1:], strict=False)]
    assert all(changed)


@pytest.mark.parametrize("sketch", [DOT, EMPTY])
def test_a_picture_that_never_moves_still_lasts(sketch: Sketch) -> None:
    frames, durations = frames_of(encoded(sketch, size=64))
    assert np.abs(frames[-1] - still(sketch, size=64)).max() <= ONE_LEVEL
    assert sum(durations) == 1500


def test_a_rest_longer_than_a_gif_frame_can_last_is_repeated() -> None:
    timing = Timing(fps=1, duration=1000, hold=600)
    _, durations = frames_of(encoded(EMPTY, timing=timing, size=16))
    assert sum(durations) == 1_600_000
    assert max(durations) <= 655_350


def test_ink_only_grows() -> None:
    frames, _ = frames_of(encoded(CAT, scribble(2), size=80))
    for before, after in zip(frames, frames[1:], strict=False):
        assert (after <= before).all()


def test_the_pen_has_one_speed() -> None:
    """Length of new ink a frame, from the schedule alone: equal wherever the pen is down."""
    zigzag = from_polylines([[[0, 0], [100, 0], [100, 50], [0, 50]]])
    sheet = lay_out([zigzag], Style(size=200))
    begins, ends = schedule(sheet, in_turn=False)
    lengths = np.concatenate([np.hypot(*np.diff(line, axis=0).T) for line in sheet.cells[0].lines])
    np.testing.assert_allclose(ends - begins, lengths)
    np.testing.assert_allclose(begins[1:], ends[:-1])


def test_the_pen_rests_at_lifts_and_drawings_follow_in_turn() -> None:
    sheet = lay_out([CAT, LINE], Style(size=100))
    n_cat = sum(max(len(line) - 1, 1) for line in sheet.cells[0].lines)
    begins, ends = schedule(sheet, in_turn=True)
    assert begins[n_cat] > ends[n_cat - 1]
    at_once, _ = schedule(sheet, in_turn=False)
    assert at_once[n_cat] == at_once[0] == 0
    first_stroke = len(CAT.strokes[0]) - 1
    assert begins[first_stroke] > ends[first_stroke - 1]


def test_many_lifts_cost_at_most_half_the_ink() -> None:
    rng = np.random.default_rng(0)
    dashes = from_polylines(list(rng.uniform(0, 200, (150, 1, 2)) + [[0, 0], [3, 0]]))
    sheet = lay_out([dashes], Style(size=100))
    begins, ends = schedule(sheet, in_turn=False)
    assert ends.max() <= 1.5 * (ends - begins).sum()


def _timed(*times: list[float]) -> Sketch:
    strokes = tuple(
        np.array([[k, 9 * i] for i in range(len(t))], "f4") for k, t in enumerate(times)
    )
    return Sketch(strokes, times=tuple(np.array(t, float) for t in times))


@pytest.mark.parametrize(
    ("times", "begins", "ends"),
    [
        ([[500, 600, 1500], [3500, 6500]], [0, 0.1, 3], [0.1, 1, 6]),  # milliseconds, with a pause
        ([[0.5, 0.6, 1.5], [3.5, 6.5]], [0, 0.1, 3], [0.1, 1, 6]),  # seconds
        ([[0, 1000], [0, 2000]], [0, 1], [1, 3]),  # each stroke from 0
        ([[0, 200, 100, 400], [500]], [0, 0.2, 0.2, 0.5], [0.2, 0.2, 0.4, 0.5]),  # back; a dot
        ([[0, 0], [0, 0]], [0, 0], [0, 0]),
    ],
)
def test_real_time_is_as_it_was_drawn(
    times: list[list[float]], begins: list[float], ends: list[float]
) -> None:
    for style in (Style(size=100), Style(size=100, smooth=True)):
        found = recorded(lay_out([_timed(*times)], style), in_turn=False)
        if not style.smooth:
            np.testing.assert_allclose(found, [begins, ends], atol=1e-9)
        assert (found[0] <= found[1]).all()
        assert found[1].max() == pytest.approx(ends[-1])


def test_a_film_in_real_time_lasts_as_the_drawing_did() -> None:
    one, other = _timed([0, 1000], [3000, 4000]), _timed([0, 500])
    for in_turn, seconds in ((False, 4.0), (True, 5.0)):
        film = plan([one, other], Style(size=40), Timing(hold=0, in_turn=in_turn, real_time=True))
        assert film.seconds == seconds
        assert sum(frame.ticks for frame in film.frames) == 100 * seconds
    data = encoded(one, timing=Timing(fps=10, hold=0, real_time=True), size=40)
    _, durations = frames_of(data)
    assert max(durations) >= 2000  # the pause


@pytest.mark.parametrize(
    ("sketch", "says"),
    [
        (CAT, "drawing 1 has no times, which raw drawings have; leave out --real-time"),
        (_timed([0, 10], [9e6, 9e6]), "drawing 1 ends after 2.5 hours"),
    ],
)
def test_what_has_no_real_time_says_so(sketch: Sketch, says: str) -> None:
    with pytest.raises(BadSketch, match=says):
        plan([sketch], Style(), Timing(real_time=True))


def test_in_turn_finishes_one_before_the_next_begins() -> None:
    timing = Timing(fps=10, duration=2.0, hold=0.0, in_turn=True)
    data = encoded(CAT, CAT, timing=timing, size=60, columns=2, captions=False)
    frames, _ = frames_of(data)
    left, right = (
        [(frame[:, half] < 255).sum() for frame in frames]
        for half in (slice(0, 60), slice(60, 120))
    )
    starts = int(np.flatnonzero(right)[0])
    assert left[starts] == left[-1]
    assert left[0] < left[-1]


def test_the_same_bytes_every_time() -> None:
    sketches = [scribble(seed) for seed in range(4)]
    once = encoded(*sketches, size=64)
    assert encoded(*sketches, size=64) == once
    assert encoded(*sketches[::-1], size=64) != once


def test_transparent_paper() -> None:
    frames, _ = frames_of(encoded(CAT, size=64, background="none"), "RGBA")
    assert frames[0][0, 0, 3] == frames[-1][0, 0, 3] == 0
    alpha = still(CAT, mode="RGBA", size=64, background="none")[..., 3]
    assert set(np.unique(frames[-1][..., 3])) == {0, 255}  # a pixel is there or not
    np.testing.assert_array_equal(frames[-1][..., 3][alpha > 128], 255)


@pytest.mark.parametrize("size", [8, 9, 33])
def test_odd_sizes_and_places(size: int) -> None:
    sketches = [scribble(seed) for seed in range(3)]
    frames, _ = frames_of(encoded(*sketches, size=size, columns=3, captions=False))
    expected = still(*sketches, size=size, columns=3, captions=False)
    assert np.abs(frames[-1] - expected).max() <= ONE_LEVEL


@pytest.mark.slow
def test_no_frame_is_kept() -> None:
    """Ten times the frames, the same peak of memory."""

    def peak(duration: float) -> int:
        film = plan([CAT, scribble(1)], Style(size=200), Timing(duration=duration))
        sink = Nowhere()
        tracemalloc.start()
        gif.write(sink, film)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sink.size > 1000
        return top

    peak(0.5)
    assert peak(10.0) < 1.2 * peak(1.0)


class Nowhere(io.RawIOBase):
    size = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.size += len(data)
        return len(data)


@pytest.mark.slow
def test_sixteen_drawings_stay_small() -> None:
    """A page's limit; the scribbles have twice the ink of real drawings."""
    data = encoded(*(scribble(seed, 5) for seed in range(16)), timing=Timing())
    assert len(data) < 500_000


def test_no_drawings_is_one_line() -> None:
    with pytest.raises(BadSketch, match="no drawings"):
        encoded()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Timing(fps=0), "fps must be"),
        (lambda: Timing(fps=float("nan")), "fps must be"),
        (lambda: Timing(fps=100), "fps must be from 1 to 50, not 100"),
        (lambda: Timing(duration=0), "duration must be"),
        (lambda: Timing(duration=float("inf")), "duration must be"),
        (lambda: Timing(hold=-1), "hold must be"),
        (lambda: plan([CAT], Style(size=8192), QUICK), "smaller --size"),
        (lambda: plan([CAT] * 9000, Style(size=8, columns=9000), QUICK), "smaller --size"),
    ],
)
def test_wrong_timing_dies_at_birth(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        wrong()


def test_every_format_writes_a_sheet() -> None:
    png = b"\x89PNG"
    starts = {"svg": b"<svg", "png": png, "gif": b"GIF89a", "apng": png, "webp": b"RIFF"}
    starts["mp4"] = b"\0\0\0\x20ftyp"
    assert set(starts) == {*outputs.STILLS, *outputs.ANIMATIONS}
    for format, start in starts.items():
        assert encoded(CAT, format=format, size=32).startswith(start)
        assert outputs.is_binary(format) == (format != "svg")
