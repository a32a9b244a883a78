"""Plots of models and their drawings: readable, deterministic, and true to the numbers."""

from __future__ import annotations

import io
import itertools
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib as mpl
import networks
import numpy as np
import pytest
from drawings import CAT, DOT, scribble
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from PIL import Image
from readable import overlaps, texts

from sketchrnn_cli.drawing.plots import curves as plots
from sketchrnn_cli.drawing.plots import densities, figure, likelihoods
from sketchrnn_cli.drawing.plots import latents as latent_map
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import mixture, predictions, projection, score
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

LONG = "a word so long that no picture on any paper has enough room for it"
WORDS = ["cat", "$x^2$", "_hidden", LONG, "bo\u0007at\n", "猫", "<b>", "owl"]


def sketches(n, n_words):
    words = [*WORDS, *(f"word {k}" for k in range(100))][:n_words] or [None]
    return [Sketch(scribble(k, 2).strokes, words[k % len(words)]) for k in range(n)]


@pytest.fixture
def shown(monkeypatch):
    """Figures on their way to becoming bytes."""
    found: list[Figure] = []
    inner = figure.to_bytes

    def to_bytes(made, format):
        found.append(made)
        return inner(made, format)

    monkeypatch.setattr(figure, "to_bytes", to_bytes)
    return found


def run(n, *, kl=1.0, start=1.0, every=10):
    return [
        {"step": k, "split": split, "l_r": start * (1 + 8 * np.exp(-k / 5)), "l_kl": kl * k / n}
        for split, steps in (("train", range(0, n, 2)), ("valid", range(0, n, every)))
        for k in steps
    ]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(figure, "DPI", 60)  # lengths are points: the layout is the same


def of_model(seed=0, sketch=CAT, **kept):
    return predictions.predict(Engine(networks.tiny(seed=seed, **kept)), sketch)


def places(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2))


AXES = ("first principal component: 60 % of the variance", "second: 20 % of the variance")
PICTURES = {
    "one run": lambda f: plots.curves([("", run(300))], f),
    "no records": lambda f: plots.curves([("", [])], f),
    "two runs": lambda f: plots.curves([("a", run(300)), ("b", run(90, start=0.7))], f),
    "many runs": lambda f: plots.curves(
        [(f"runs/{LONG}/{k}", run(50 * 3**k, start=1 + k / 8)) for k in range(plots.MAX_RUNS)], f
    ),
    "short and long": lambda f: plots.curves([("a", run(20)), ("b", run(3000, kl=0))], f),
    "histogram": lambda f: likelihoods.picture(
        np.sort(places(300)[:, 0]).tolist(), sketches(8, 8), sketches(8, 8), f
    ),
    "one score": lambda f: likelihoods.picture([-1.5], [DOT], [], f),
    "strays": lambda f: likelihoods.picture(
        [-1e9, float("-inf"), *np.linspace(-1, 1, 60)], sketches(11, 8), sketches(9, 8), f
    ),
    "no score": lambda f: likelihoods.picture([float("nan")], [DOT], [], f),
    "map": lambda f: latent_map.picture(places(120), sketches(120, 8), AXES, f)[0],
    "map of long words": lambda f: latent_map.picture(
        places(90), [Sketch(DOT.strokes, f"{k % 8} {LONG}") for k in range(90)], AXES, f
    )[0],
    "map of one": lambda f: latent_map.picture(places(1), [DOT], AXES, f)[0],
    "map without words": lambda f: latent_map.picture(places(9), sketches(9, 0), AXES, f)[0],
    "map of many words": lambda f: latent_map.picture(places(200), sketches(200, 60), AXES, f)[0],
    "map of equal places": lambda f: latent_map.picture(
        np.zeros((40, 2)), sketches(40, 8), AXES, f
    )[0],
    "densities": lambda f: densities.picture(of_model(), LONG, f),
    "densities of a dot": lambda f: densities.picture(of_model(sketch=DOT), None, f),
    "densities of a long drawing": lambda f: densities.picture(
        of_model(sketch=scribble(1, 8)), "$_", f
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_every_text_is_whole_and_across_no_other(name, shown):
    PICTURES[name]("png")
    assert overlaps(shown[0]) == []


def test_the_check_for_texts_can_fail():
    with figure.paper():
        made = figure.new(3, 2)
        axes = made.add_subplot()
        axes.text(0.5, 0.5, "one text")
        axes.text(0.52, 0.5, "another one that is too long for so small a picture")
        made.set_layout_engine("none")
        found = overlaps(made)
    assert any("is cut off" in overlap for overlap in found)
    assert any("'one text' is across" in overlap for overlap in found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one score", "map", "densities of a dot"])
def test_the_same_bytes_in_both_formats_whatever_the_users_settings(name):
    for format in figure.FORMATS:
        once = PICTURES[name](format)
        with mpl.rc_context({"font.size": 30, "axes.grid": False, "svg.fonttype": "none"}):
            assert PICTURES[name](format) == once
        if format == "svg":
            root = ElementTree.fromstring(once)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert b"<dc:date>" not in once
        else:
            assert Image.open(io.BytesIO(once)).format == "PNG"


@pytest.mark.slow
def test_runs_are_apart_in_grey_by_dash_and_marker(shown):
    PICTURES["many runs"]("png")
    legend = shown[0].legends[0]
    lines = legend.get_lines()[:-1]
    assert len(lines) == plots.MAX_RUNS
    assert len({(line.get_marker(), str(line._dash_pattern)) for line in lines}) == len(lines)
    assert len({line.get_marker() for line in lines}) == len(lines)


def test_names_are_shown_as_they_are(shown):
    plots.curves([("$a_b$", run(30)), ("_c", run(30))], "png")
    names = [text.get_text().strip() for text in shown[0].legends[0].get_texts()]
    assert names == ["$a_b$", "_c", "thin: training"]
    assert not any(text.get_parse_math() for text in shown[0].legends[0].get_texts())


def test_first_steps_that_would_squash_the_rest_leave_the_plot_and_it_is_said(shown):
    steep = [{"step": k, "split": "train", "l_r": 1 + 99 * 0.5**k} for k in range(200)]
    even = [{"step": k, "split": "train", "l_r": 2 - k / 200} for k in range(200)]
    for records, note in ((steep, "↑ first steps above"), (even, "")):
        plots.curves([("", records)], "png")
        axes = shown[-1].axes[0]
        assert (axes.get_title("right"), axes.get_ylim()[1] < 10) == (note, True)
        assert axes.get_ylim()[0] < 1.0 + 0.01  # the end is always there


def test_runs_of_very_different_length_share_a_logarithmic_axis(shown):
    PICTURES["short and long"]("png")
    assert shown[-1].axes[0].get_xscale() == "log"
    PICTURES["two runs"]("png")
    assert shown[-1].axes[0].get_xscale() == "linear"


def test_the_histogram_counts_every_drawing_and_strays_at_its_edge(shown):
    PICTURES["strays"]("png")
    axes = shown[0].axes[0]
    counted = sum(patch.get_height() for patch in axes.patches)
    assert counted == 61
    said = [text.get_text() for text in texts(shown[0])]
    assert any("1 below" in text for text in said)
    assert any("1 of no finite likelihood" in text for text in said)
    assert axes.get_xlim()[0] > -20


def ink(made, k=0):
    """Boxes of the drawings of a figure's axes: left, top, right, bottom, by collection."""
    (lines,) = (c for c in made.axes[k].collections if isinstance(c, LineCollection))
    return [(*path.vertices.min(0), *path.vertices.max(0)) for path in lines.get_paths()]


@pytest.mark.slow
@pytest.mark.parametrize("n_words", [0, 1, 4, 60])
@pytest.mark.parametrize("n", [1, 5, 300])
def test_drawings_of_a_map_are_apart_from_one_another_and_from_words(n, n_words, shown):
    lone = [Sketch(s.strokes[:1], s.word) for s in sketches(n, n_words)]
    _, n_shown = latent_map.picture(places(n), lone, AXES, "png")
    boxes = ink(shown[0])
    assert len(boxes) == n_shown >= min(n, 3)
    axes = shown[0].axes[0]
    renderer = shown[0].canvas.get_renderer()
    for text in axes.texts:
        corners = text.get_window_extent(renderer).transformed(axes.transData.inverted())
        top, bottom = sorted((corners.y0, corners.y1))
        boxes.append((corners.x0, top, corners.x1, bottom))
    for one, other in itertools.combinations(boxes, 2):
        across = min(one[2], other[2]) - max(one[0], other[0])
        down = min(one[3], other[3]) - max(one[1], other[1])
        assert across <= 1 or down <= 1, (one, other)  # a point
    for left, top, right, bottom in boxes:
        assert -1 <= left <= right <= latent_map.WIDTH + 1
        assert -1 <= top <= bottom <= latent_map.HEIGHT + 1


def test_a_drawing_lies_where_its_latent_does(shown):
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    latent_map.picture(corners, [DOT, DOT, DOT, DOT], AXES, "png")
    middles = [((a + c) / 2, (b + d) / 2) for a, b, c, d in ink(shown[0])]
    x, y = np.transpose(middles)
    assert x[0] == x[2] < x[1] == x[3]
    assert y[0] == y[1] > y[2] == y[3]  # y downwards on paper


def test_every_word_has_its_turn(shown):
    rare = [Sketch(DOT.strokes, "rare" if k == 77 else "common") for k in range(200)]
    _, n_shown = latent_map.picture(places(200) * 0.01, rare, AXES, "png")
    colors = {tuple(color) for color in shown[0].axes[0].collections[0].get_colors().tolist()}
    assert n_shown < 200
    assert len(colors) == 2


def test_principal_components_are_those_of_a_library():
    from sklearn.decomposition import PCA

    z = np.random.default_rng(3).normal(size=(50, 6)) * [5, 1, 3, 1, 1, 2]
    found = projection.project(z.astype("f4"), "pca")
    expected = PCA(2).fit(z)
    np.testing.assert_allclose(np.abs(found.places), np.abs(expected.transform(z)), rtol=1e-4)
    share = f"{100 * expected.explained_variance_ratio_[0]:.0f} %"
    assert share in found.axes[0]
    turned = projection.project(z[::-1].astype("f4"), "pca").places[::-1]
    np.testing.assert_allclose(turned, found.places, atol=1e-4)  # no sign by chance


def test_neighbours_stay_neighbours_the_same_way_each_time():
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(size=(20, 8)) * 0.1 + 9 * k for k in range(2)]).astype("f4")
    once, twice = (projection.project(z, "tsne").places for _ in range(2))
    np.testing.assert_array_equal(once, twice)
    away = np.linalg.norm(once[:20].mean(0) - once[20:].mean(0))
    assert away > 3 * max(once[:20].std(), once[20:].std())


@pytest.mark.parametrize("method", projection.METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_a_few_latents_have_places_too(method, n):
    found = projection.project(np.eye(n, 8, dtype="f4"), method).places
    assert found.shape == (n, 2)
    assert np.isfinite(found).all()
    with pytest.raises(BadConfig, match="must be one of pca, tsne"):
        projection.project(np.eye(n, 8, dtype="f4"), "umap")


@pytest.mark.parametrize("kind", ["encoder", "bare", "told", "hyper"])
def test_what_is_expected_is_what_the_drawing_is_scored_by(kind):
    kept = {
        "encoder": {},
        "bare": {"encoder": False},
        "told": {"n_words": 2, "words": ("cat", "owl")},
        "hyper": {"cell": "hyper"},
    }[kind]
    network = Engine(networks.tiny(**kept))
    found = predictions.predict(network, CAT)
    moves = to_model(to_stroke3(CAT), network.checkpoint.scale_factor)
    z = network.encode([moves])[0] if network.checkpoint.config.encoder else None
    whole = score.log_likelihood(network, [moves], z, words=[CAT.word])[0]
    assert found.nats.sum() == pytest.approx(whole, rel=1e-6)
    np.testing.assert_allclose(found.weight.sum(1), 1)
    np.testing.assert_allclose(found.pen_probability.sum(1), 1)
    np.testing.assert_allclose(found.points, CAT.points(), atol=1e-3)
    assert found.pen.tolist() == [0] * 7 + [1, 1, 0, 1, 0, 0, 1, 2]


def test_the_heat_is_the_density_the_model_scores_by():
    network = Engine(networks.tiny())
    found = predictions.predict(network, CAT)
    scale, t = network.checkpoint.scale_factor, 4
    before, point = found.points[t - 1], found.points[t]
    half = np.full(2, 0.25)  # so fine that a pixel is a point
    heat = densities.density(found, (point - half, point + half), range(t, t + 1))
    center = slice(densities.G // 2 - 1, densities.G // 2 + 1)
    middle = heat[center, center]
    moves = to_model(to_stroke3(CAT), scale)
    nats = found.nats[t] - np.log(found.pen_probability[t, found.pen[t]])
    assert middle.mean() * scale**2 == pytest.approx(np.exp(nats), rel=5e-3)
    assert ((point - before) / scale) == pytest.approx(moves[t, :2], abs=1e-5)
    far = np.full(2, 1000.0)
    wide = densities.density(found, (before - far, before + far), range(t, t + 1))
    pixel = (2 * 1000 / densities.G) ** 2
    assert wide.sum() * pixel == pytest.approx(1, abs=0.02)


def test_ellipses_are_one_standard_deviation_around_each_mean(shown):
    found = of_model()
    densities.picture(found, "cat", "png")
    drawn = [patch for patch in shown[0].axes[1].patches if isinstance(patch, Ellipse)]
    counts = np.argwhere(found.weight[:-1] > densities.LEAST)
    assert len(drawn) == len(counts) > 1
    for patch, (t, k) in zip(drawn, counts, strict=True):
        edge = patch.get_patch_transform().transform(patch.get_path().vertices)
        away = (edge - found.mean[t, k]) / found.std[t, k]
        rho = found.rho[t, k]
        square = (away**2).sum(1) - 2 * rho * away[:, 0] * away[:, 1]
        on_curve = square[::3] / (1 - rho**2)  # between them are control points
        np.testing.assert_allclose(on_curve[:-1], 1, rtol=1e-2)


@pytest.mark.slow
def test_of_very_many_ellipses_the_heaviest_are_drawn(shown, monkeypatch):
    monkeypatch.setattr(densities, "MOST_ELLIPSES", 60)
    found = of_model(sketch=scribble(1, 6))
    assert (found.weight[:-1] > densities.LEAST).sum() > densities.MOST_ELLIPSES
    densities.picture(found, None, "png")
    drawn = [patch for patch in shown[0].axes[1].patches if isinstance(patch, Ellipse)]
    assert densities.MOST_ELLIPSES * 0.9 < len(drawn) <= densities.MOST_ELLIPSES


def test_bars_of_the_pen_fill_up_to_one_and_its_lifts_are_marked(shown):
    found = of_model()
    densities.picture(found, "cat", "png")
    axes = shown[0].axes[2]
    heights = np.reshape([patch.get_height() for patch in axes.patches], (3, -1))
    np.testing.assert_allclose(heights.T, found.pen_probability)
    tops = heights + np.reshape([patch.get_y() for patch in axes.patches], (3, -1))
    np.testing.assert_allclose(tops, np.cumsum(heights, axis=0))
    lifts = next(line for line in axes.lines if line.get_marker() == "v").get_xdata()
    assert (np.flatnonzero(found.pen == 1) + 1).tolist() == list(lifts)


@pytest.mark.slow
def test_odd_mixtures_are_drawn_or_left_out():
    found = of_model()
    odd = SimpleNamespace(
        **{name: getattr(found, name).copy() for name in type(found).__dataclass_fields__}
    )
    odd.rho[1] = 1.0
    odd.std[2] = np.inf
    odd.std[3] = 1e-30
    odd.mean[4] = np.nan
    assert densities.picture(odd, "cat", "png")
    box = densities._view(odd)
    assert np.isfinite(densities.density(odd, box, range(len(odd.points)))).all()


def test_mixtures_read_raw_outputs_as_scores_do():
    """Means and spreads are in the units of the drawing: sigma times the scale factor."""
    network = Engine(networks.tiny())
    found = predictions.predict(network, CAT)
    t, scale = 6, network.checkpoint.scale_factor
    before = found.points[t - 1]
    raw = np.concatenate(
        [
            np.log(found.pen_probability[t]),
            np.log(found.weight[t]),
            *((found.mean[t] - before) / scale).T,
            *np.log(found.std[t] / scale).T,
            np.arctanh(found.rho[t]),
        ]
    )
    move = (found.points[t] - before) / scale
    pen = np.array([found.pen[t]])
    assert mixture.log_likelihood(raw[None], move[None], pen)[0] == pytest.approx(found.nats[t])
