import itertools

import numpy as np
import pytest

from sketchrnn_cli.errors import SketchError
from sketchrnn_cli.sketches import doodles
from sketchrnn_cli.sketches.sketch import Sketch

PER_WORD = 200


@pytest.fixture(scope="module")
def drawings() -> dict[str, list[Sketch]]:
    """PER_WORD drawings of every word, one seed."""
    return {word: [doodles.draw(word, 0, k) for k in range(PER_WORD)] for word in doodles.WORDS}


def key(sketch: Sketch) -> bytes:
    """Equal for drawings of the same points and strokes."""
    return b"|".join(stroke.tobytes() for stroke in sketch.strokes)


def picture(sketch: Sketch, size: int = 12) -> np.ndarray:
    """Ink in a size x size grid, each drawing centred and of length 1."""
    grid = np.zeros((size + 2, size + 2))
    left, top, right, bottom = sketch.box()
    for stroke in sketch.strokes:
        pieces = [np.linspace(a, b, 24) for a, b in itertools.pairwise(stroke)] or [stroke]
        points = np.concatenate(pieces) + [127.5 - (left + right) / 2, 127.5 - (top + bottom) / 2]
        cells = np.floor(points / 256 * size).astype(int) + 1
        np.add.at(grid, (cells[:, 1], cells[:, 0]), 1.0)
    grid = np.minimum(grid, 24)
    blurred = 2 * grid + sum(np.roll(grid, step, axis) for step in (-1, 1) for axis in (0, 1))
    return blurred.ravel() / np.linalg.norm(blurred)


def test_there_are_at_least_eight_words():
    assert len(set(doodles.WORDS)) == len(doodles.WORDS) >= 8


@pytest.mark.parametrize("word", doodles.WORDS)
def test_a_drawing_is_a_function_of_its_arguments(word, drawings):
    state = np.random.get_state()[1].copy()
    again = [doodles.draw(word, 0, k) for k in (7, 3)]  # alone and in another order
    assert [key(s) for s in again] == [key(drawings[word][k]) for k in (7, 3)]
    assert np.array_equal(np.random.get_state()[1], state)  # and touches no global state


@pytest.mark.parametrize("word", doodles.WORDS)
def test_no_two_drawings_of_a_word_are_alike(word, drawings):
    assert len({key(sketch) for sketch in drawings[word]}) == PER_WORD
    assert key(doodles.draw(word, 1, 0)) not in {key(sketch) for sketch in drawings[word]}


def test_no_drawing_belongs_to_two_words(drawings):
    keys = {key(sketch) for sketches in drawings.values() for sketch in sketches}
    assert len(keys) == PER_WORD * len(doodles.WORDS)


@pytest.mark.parametrize("word", doodles.WORDS)
def test_drawings_look_like_simplified_quick_draw(word, drawings):
    for sketch in drawings[word]:
        points = sketch.points()
        assert sketch.word == word
        assert points.dtype == np.float32
        np.testing.assert_array_equal(points, np.rint(points))
        assert 0 <= points.min(axis=0).min() <= points.min(axis=0).max() <= 2
        assert 253 <= points.max() <= 255  # simplification may drop the outermost point
        assert 1 <= len(sketch.strokes) <= 30
    lengths = [sketch.n_points for sketch in drawings[word]]
    assert 15 <= np.mean(lengths) <= 70
    assert min(lengths) >= 8
    assert max(lengths) <= 125


@pytest.mark.parametrize("word", doodles.WORDS)
def test_hands_differ_in_length_strokes_and_shape(word, drawings):
    assert np.std([sketch.n_points for sketch in drawings[word]]) > 3
    assert len({len(sketch.strokes) for sketch in drawings[word]}) >= 2
    boxes = np.array([sketch.box()[2:] for sketch in drawings[word]])
    assert np.std(boxes[:, 0] / boxes[:, 1]) > 0.05
    starts = np.array([sketch.strokes[0][0] for sketch in drawings[word]])
    assert np.ptp(starts, axis=0).min() > 15  # not all begin at the same place


def test_dots_survive(drawings):
    dotted = [s for s in drawings["cat"] if any(np.ptp(k, axis=0).max() == 0 for k in s.strokes)]
    assert PER_WORD * 0.1 < len(dotted) < PER_WORD * 0.5


def test_generate_takes_the_words_in_turn_and_draws_the_same():
    n = doodles.BATCH // len(doodles.WORDS) + 2  # more than are simplified at once
    sketches = list(doodles.generate(n, seed=5))
    assert [sketch.word for sketch in sketches] == list(doodles.WORDS) * n
    for k in range(0, len(sketches), 7):
        alone = doodles.draw(sketches[k].word, 5, k // len(doodles.WORDS))
        assert key(alone) == key(sketches[k])


def test_nearest_neighbours_tell_the_words_apart(drawings):
    known = np.array([picture(s) for sketches in drawings.values() for s in sketches[:60]])
    labels = np.repeat(doodles.WORDS, 60)
    asked = [s for sketches in drawings.values() for s in sketches[60:80]]
    answers = labels[(np.array([picture(s) for s in asked]) @ known.T).argmax(axis=1)]
    right = np.mean(answers == [s.word for s in asked])
    assert right > 0.85  # by chance 0.1


def test_an_unknown_word_is_one_line_naming_those_there_are():
    with pytest.raises(SketchError, match=r"no practice drawing of 'bus'; there are .*house"):
        doodles.draw("bus", 0, 0)
