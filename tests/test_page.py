"""The drawing page, in headless Chromium: the network in it, and the page under a real pointer."""

import dataclasses
import math
import re
from collections import Counter

import networks
import numpy as np
import pytest
from PIL import Image
from visitors import ARC, LINE, SUGGEST, WORDS, Person, asked, ended_of, knowing, packed, worded

from sketchrnn_cli import pretrained
from sketchrnn_cli.drawing.page import to_html
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.inference import mixture
from sketchrnn_cli.inference.conditioning import condition
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.page_model import page_model
from sketchrnn_cli.inference.recogniser import Recogniser
from sketchrnn_cli.inference.settings import GUIDANCE
from sketchrnn_cli.model import checkpoint, int8
from sketchrnn_cli.sketches.block import from_sketches
from sketchrnn_cli.sketches.build import BuildOptions, build
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.simplify import simplify
from sketchrnn_cli.sketches.sketch import from_polylines

MODELS = {
    "decoder only": lambda: networks.tiny(encoder=False),
    "decoder with words": lambda: worded(encoder=False),
    "latents": networks.tiny,
    "latents and words": lambda: knowing(worded()),
    "odd sizes": lambda: networks.tiny(encoder=False, decoder_size=13, n_mixtures=2),
    "built in": lambda: checkpoint.load(pretrained.FILE),
}


UNROLL = """([model, weights, moves, z, shares]) => {
  const decoder = new Decoder(model, unpack(model, weights));
  const states = moves.map((_, k) => decoder.start(
    decoder.constant(z && z[k], shares && shares[k])));
  const result = moves.map(() => []);
  for (let t = 0; t <= moves[0].length; t++)
    decoder.step(states, moves.map((rows) => t ? rows[t - 1] : null))
      .forEach((raw, k) => result[k].push(Array.from(raw)));
  return result;
}"""


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("name", MODELS)
def test_the_decoder_of_the_page_agrees_with_the_engine(script, name, n):
    model = MODELS[name]()
    rng = np.random.default_rng(n)
    moves = [networks.random_moves(rng, 20) for _ in range(n)]
    config = model.config
    z = rng.normal(size=(n, config.latent_size)).astype("f4") if config.encoder else None
    labels = rng.dirichlet(np.ones(config.n_words + 1), n).astype("f4") if config.n_words else None
    wanted = Engine(model).forward(moves, condition(model, n, z=z, labels=labels))
    facts, weights = packed(*page_model(model, name="it"))
    given = [m.tolist() for m in moves]
    shares = None if labels is None else labels.tolist()
    found = script.evaluate(
        UNROLL, [facts, weights, given, None if z is None else z.tolist(), shares]
    )
    np.testing.assert_allclose(np.array(found), np.array(wanted), atol=1e-3)
    np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=1e-3, atol=2e-4)


def test_old_browser_models_get_tanh_of_their_latents(script):
    model = dataclasses.replace(networks.tiny(), training={"tanh_z": True})
    moves = [networks.random_moves(np.random.default_rng(0), 4)]
    z = np.linspace(-3, 3, model.config.latent_size, dtype="f4")[None]
    wanted = Engine(model).forward(moves, condition(model, 1, z=z))
    facts, weights = packed(*page_model(model, name="it"))
    found = script.evaluate(UNROLL, [facts, weights, [moves[0].tolist()], z.tolist(), None])
    np.testing.assert_allclose(np.array(found), np.array(wanted), atol=1e-4)


def test_likelihoods_of_the_page_are_those_of_the_mixture(script):
    rng = np.random.default_rng(1)
    raw = rng.normal(size=(50, 3 + 6 * 4)) * 2
    raw[:5, -4:] *= 20  # rho next to 1
    moves = rng.normal(size=(50, 2))
    pen = rng.integers(0, 3, 50)
    wanted = mixture.log_likelihood(raw, moves, pen)
    rows = [[raw[k].tolist(), [*moves[k].tolist(), int(pen[k])]] for k in range(50)]
    found = script.evaluate(
        "(rows) => rows.map(([raw, move]) => logLikelihood(raw, 4, move))", rows
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def scribbles(rng):
    """Strokes as pointers make them: wiggles, dots, straight lines, closed and doubled ones."""
    walk = np.cumsum(rng.normal(size=(int(rng.integers(2, 60)), 2)) * 6, axis=0) + 120
    ring = [
        [100 + 60 * math.cos(a), 90 + 60 * math.sin(a)] for a in np.linspace(0, 2 * math.pi, 40)
    ]
    there = [[10.5, 20.25], [200.0, 20.25], [10.5, 20.25]]
    return [walk.round(3), np.array(ring), np.array([[7.25, 9.5]]), np.array(there)]


@pytest.mark.parametrize("seed", range(8))
def test_strokes_are_simplified_as_in_training(script, seed):
    lines = scribbles(np.random.default_rng(seed))
    # One float type on both sides: a Sketch holds float32.
    sketch = from_polylines(lines)
    lines = [np.asarray(stroke, np.float64) for stroke in sketch.strokes]
    (made,) = (simplify(from_sketches([sketch])).sketch(k) for k in (0,))
    found = script.evaluate(
        "(lines) => lines.map((line) => simplify(line, 2))", [line.tolist() for line in lines]
    )
    assert [stroke.tolist() for stroke in made.strokes] == found


@pytest.mark.slow
def test_latents_are_drawn_from_where_the_drawings_of_the_word_lie(script):
    model = knowing(worded())
    facts, weights = packed(*page_model(model, name="it"))
    found = np.array(
        script.evaluate(
            """([model, weights]) => {
              const decoder = new Decoder(model, unpack(model, weights)), chance = new Random(7);
              const draw = () => Array.from(latent(decoder, 0, chance, 0.5));
              return Array.from({ length: 6000 }, draw);
            }""",
            [facts, weights],
        )
    )
    w = {k: v.astype(np.float64) for k, v in model.weights.items() if k.startswith("latent.")}
    share, mean, scale = w["latent.weight"][0], w["latent.mean"][0], w["latent.scale"][0]
    middle = share @ mean
    spread = 0.5 * scale @ scale.T + (mean - middle).T @ np.diag(share) @ (mean - middle)
    np.testing.assert_allclose(found.mean(0), middle, atol=0.15)
    np.testing.assert_allclose(np.cov(found.T), spread, atol=0.12 * np.abs(spread).max())


@pytest.mark.slow
def test_moves_are_drawn_from_the_tempered_mixture(script):
    rng = np.random.default_rng(2)
    raw = rng.normal(size=3 + 6 * 3)
    found = np.array(
        script.evaluate(
            """([raw]) => {
              const chance = new Random(3), heat = { temperature: 0.5, penTemperature: 0.75 };
              return Array.from({ length: 20000 }, () => choose(raw, 3, chance, heat, false));
            }""",
            [raw.tolist()],
        )
    )
    pen = np.exp(raw[:3] / 0.75)
    np.testing.assert_allclose(
        np.bincount(found[:, 2].astype(int)) / 20000, pen / pen.sum(), atol=0.02
    )
    pi, x, y, log_sx, log_sy, r = raw[3:].reshape(6, 3)
    pi = np.exp(pi / 0.5) / np.exp(pi / 0.5).sum()
    sx, sy, rho = np.exp(log_sx), np.exp(log_sy), np.tanh(r)
    mx, my = pi @ x, pi @ y
    np.testing.assert_allclose(found[:, :2].mean(0), [mx, my], atol=0.05)
    each = [
        [0.5 * a * a, 0.5 * c * a * b, 0.5 * b * b] for a, b, c in zip(sx, sy, rho, strict=True)
    ]
    between = np.stack([(x - mx) ** 2, (x - mx) * (y - my), (y - my) ** 2], axis=1)
    cov = pi @ (np.array(each) + between)
    found_cov = np.cov(found[:, :2].T)
    np.testing.assert_allclose(
        [found_cov[0, 0], found_cov[0, 1], found_cov[1, 1]], cov, rtol=0.08, atol=0.02
    )


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"built in"}))
def test_every_suggestion_ends_and_adds_something(script, name):
    facts, weights = packed(*page_model(MODELS[name](), name="it"))
    for changes in ({}, {"prefix": [[4, 5, 0], [20, 3, 1]]}, {"word": None}, {"maxPoints": 3}):
        messages = script.evaluate(SUGGEST, [facts, weights, asked(**changes)])
        moves = [move for message in messages for move in message.get("moves", [])]
        for k in range(6):
            pens = [pen for number, _, _, pen in moves if number == k]
            assert pens.count(2) == 1
            assert pens[-1] == 2
            assert 2 <= len(pens) <= changes.get("maxPoints", 60) + 1
        assert sorted(ended_of(messages)) == list(range(6))
        assert messages[-1] == {"done": True}
        assert messages == script.evaluate(SUGGEST, [facts, weights, asked(**changes)])


def test_the_recogniser_of_the_page_agrees_with_that_of_the_model(script):
    model = networks.with_recogniser(worded())
    facts, weights = packed(*page_model(model, name="it"))
    rng = np.random.default_rng(0)
    moves = [networks.random_moves(rng, n) for n in (1, 2, 3, 20, 80)]
    moves.append(np.array([[5, 5, 1], [0, 0, 1]], np.float32))  # two dots
    found = script.evaluate(
        """([model, weights, moves]) => {
          const recogniser = new Recogniser(unpack(model, weights));
          return moves.map((rows) => Array.from(recogniser.shares(rows)));
        }""",
        [facts, weights, [rows.tolist() for rows in moves]],
    )
    np.testing.assert_allclose(found, Recogniser.of(model).shares(moves), atol=1e-5)


def test_suggestions_come_with_the_share_of_their_word(script):
    model = networks.with_recogniser(worded())
    facts, weights = packed(*page_model(model, name="it"))
    code = SUGGEST.replace("ask))", "ask, new Recogniser(decoder.arrays)))")
    start = [[4, 5, 0], [20, 3, 1]]
    messages = script.evaluate(code, [facts, weights, asked(prefix=start, word=1)])
    drawn = [list(start) for _ in range(6)]
    for k, *move in (move for message in messages for move in message.get("moves", [])):
        drawn[k] += [move] if move[2] != 2 else []
    shares = Recogniser.of(model).shares([np.array(rows, np.float32) for rows in drawn])
    ended = ended_of(messages)
    whole = [math.isfinite(ended[k][0]) for k in range(6)]
    assert any(whole)
    np.testing.assert_allclose([ended[k][1] for k in range(6)], shares[:, 1] * whole, atol=1e-4)
    plain = script.evaluate(SUGGEST, [facts, weights, asked(prefix=start, word=1)])
    assert all(share is None for _, share, _ in ended_of(plain).values())
    assert [m for m in plain if "ended" not in m] == [m for m in messages if "ended" not in m]


def test_one_stroke_is_one_stroke(script):
    facts, weights = packed(*page_model(worded(), name="it"))
    messages = script.evaluate(SUGGEST, [facts, weights, asked(oneStroke=True, n=20)])
    moves = [move for message in messages for move in message.get("moves", [])]
    for k in range(20):
        assert [pen for number, _, _, pen in moves if number == k].count(1) <= 1


@pytest.mark.slow
def test_a_prefix_is_completed_as_the_word_that_it_looks_like(script):
    """With the built-in model and its recogniser, to which a triangle is a triangle."""
    model = checkpoint.load(pretrained.FILE)
    facts, weights = packed(*page_model(model, name="it"))
    corner = [[0, 220, 0], [125, -220, 0], [125, 220, 0], [-250, 0, 1]]
    code = SUGGEST.replace("ask))", "ask, new Recogniser(decoder.arrays)))")
    named = Counter()
    for seed in range(4):
        messages = script.evaluate(
            code, [facts, weights, asked(prefix=corner, word=None, seed=seed, maxPoints=5)]
        )
        for message in messages:
            named.update(model.words[word] for _, word in message.get("words", []))
    assert named.total() == 24
    assert named.most_common(1)[0][0] == "triangle", named
    assert len(named) < 12


# ---- the page as a person uses it ----------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page of a small model, and of a model whose names are hostile."""
    folder = tmp_path_factory.mktemp("site")
    small = networks.with_recogniser(knowing(worded()))
    (folder / "small.html").write_text(to_html(*page_model(small, name="small")), "utf-8")
    bad = "</script><img src=x onerror=alert(1)>"
    hostile = knowing(worded(words=(bad, "bee<!--<script>", "]]>&amp;")))
    page = to_html(*page_model(hostile, name=bad, notice=bad))
    (folder / "hostile.html").write_text(page, "utf-8")
    own = networks.tiny(words=())
    (folder / "own.html").write_text(to_html(*page_model(own, name="own")), "utf-8")
    return folder


@pytest.fixture
def person(browser, site):
    context = browser.new_context(
        viewport={"width": 1100, "height": 760}, reduced_motion="reduce", accept_downloads=True
    )
    someone = Person(context.new_page(), f"{(site / 'small.html').as_uri()}#seed=1")
    yield someone
    context.close()
    assert someone.faults == []
    assert all(url.startswith(("file:", "blob:", "data:")) for url in someone.asked_for)


@pytest.mark.slow
def test_draw_continue_save_and_preprocess(person, tmp_path):
    person.choose("bee")
    person.draw(ARC)
    person.draw(LINE)
    person.wait()
    person.press("Continue")
    person.page.get_by_text(re.compile(r"The model drew \d+ stroke")).wait_for()
    person.wait()
    (saved,) = person.strokes(tmp_path)
    assert saved["word"] == "bee"
    assert saved["drawn_by"][:2] == ["person", "person"]
    assert set(saved["drawn_by"][2:]) == {"model"}
    times = [t for stroke in saved["drawing"] for t in stroke[2]]
    assert times == sorted(times)
    for x, y in ARC[::8]:
        rows = np.array(saved["drawing"][0][:2]).T
        assert np.abs(rows - [x * 1000, y * 1000]).max(1).min() < 5
    out = tmp_path / "own.npz"
    report = build([str(tmp_path / "bee.ndjson")], out, BuildOptions())
    assert report["kept"] == 1
    assert Corpus.open(out).words == ("bee",)
    (sketch,) = read_sketches(str(tmp_path / "bee.ndjson"))
    assert len(sketch.strokes) == len(saved["drawing"])


@pytest.mark.slow
def test_the_page_says_what_the_drawing_looks_like(person, tmp_path):
    looks = person.page.locator("#looks")
    assert looks.is_hidden()
    person.draw(ARC)
    person.page.locator("#looks:not(:empty)").wait_for()
    assert re.fullmatch(r"looks like: (\w+ \d+\u00a0%, ){2}\w+ \d+\u00a0%", looks.inner_text())
    assert all(word in looks.inner_text() for word in WORDS)
    person.press("Clear")
    assert looks.is_hidden()


@pytest.mark.slow
def test_svg_and_png_show_the_drawing(person, tmp_path):
    person.choose("cow")
    person.draw(ARC)
    person.draw([(0.5, 0.9)])
    svg = person.saved("SVG", tmp_path)
    assert svg.name == "cow.svg"
    assert '<rect width="480" height="480" fill="#ffffff"/>' in svg.read_text("utf-8")
    (sketch,) = read_sketches(str(svg))
    assert sketch.word == "cow"
    assert [len(stroke) > 1 for stroke in sketch.strokes] == [True, False]  # a dot stays a dot
    png = Image.open(person.saved("PNG", tmp_path)).convert("L")
    assert png.size == (1024, 1024)
    dark = np.array(png) < 128
    assert 0.001 < dark.mean() < 0.05
    x, y = (round(1024 * (v + 0.09) / 1.18) for v in ARC[12])
    assert dark[y - 8 : y + 9, x - 8 : x + 9].any()


@pytest.mark.slow
def test_undo_redo_clear_and_replay(person):
    blank = person.ink()
    assert blank == 0
    assert person.page.get_by_role("button", name="Undo").is_disabled()
    person.draw(ARC)
    one = person.ink()
    person.draw(LINE)
    two = person.ink()
    assert 0 < one < two
    person.press("Undo")
    assert person.ink() == one
    person.press("Redo")
    assert person.ink() == two
    person.press("Clear")
    assert person.ink() == 0
    person.press("Undo")
    assert person.ink() == two
    person.press("Replay")
    assert person.ink() == two  # still motion was asked for


@pytest.mark.slow
def test_a_drawing_is_replayed_before_the_eye(browser, site):
    context = browser.new_context(viewport={"width": 900, "height": 700})
    someone = Person(context.new_page(), (site / "small.html").as_uri())
    someone.draw(ARC)
    whole = someone.ink()
    someone.press("Replay")
    shares = [someone.ink() / whole]
    while shares[-1] < 1 and len(shares) < 200:
        shares.append(someone.ink() / whole)
    context.close()
    assert shares[0] < 0.9
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.slow
def test_suggestions_are_several_and_taken_by_click_or_key(person, tmp_path):
    offers = person.page.locator("#offers button")
    assert offers.count() == 6
    pictures = set()
    for k in range(6):
        pictures.add(offers.nth(k).locator("canvas").evaluate("(c) => c.toDataURL()"))
    assert len(pictures) == 6
    offers.nth(2).click()
    person.wait()
    (first,) = person.strokes(tmp_path)
    person.press("Go on with it")
    person.wait()
    person.page.keyboard.press("4")
    person.wait()
    (second,) = person.strokes(tmp_path)
    assert len(second["drawing"]) > len(first["drawing"])
    assert second["drawing"][: len(first["drawing"])] == first["drawing"]
    person.press("Others")
    person.wait()
    assert person.strokes(tmp_path) == [second]


@pytest.mark.slow
def test_one_stroke_at_a_time(person, tmp_path):
    person.page.get_by_label("one stroke").check()
    person.draw(ARC)
    for n in (2, 3):
        person.wait()
        person.press("Continue")
        person.wait()
        (saved,) = person.strokes(tmp_path)
        assert len(saved["drawing"]) == n


@pytest.mark.slow
def test_everything_is_reached_by_keyboard(person, tmp_path):
    page, seen = person.page, set()
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    wanted = {"word", "walk", "temperature", "canvas", "offer", "continue", "again", "open"}
    assert wanted <= seen
    page.keyboard.press("c")
    person.wait()
    for button in ("another", "undo", "clear", "replay", "keep", "open", "save"):
        page.focus(f"#{button}")
        assert page.evaluate("document.activeElement.id") == button
    page.keyboard.press("Enter")
    for button in ("svg", "png", "gif", "film", "ndjson", "svg"):
        assert page.evaluate("document.activeElement.id") == button
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "save"
    assert page.locator("#formats").is_hidden()
    assert person.strokes(tmp_path)[0]["drawing"]
    page.keyboard.press("x")
    assert person.ink() == 0
    page.keyboard.press("Control+z")
    assert person.ink() > 0
    page.keyboard.press("Control+Shift+z")
    assert person.ink() == 0


@pytest.mark.slow
def test_kept_drawings_are_saved_together_and_outlive_the_page(person, tmp_path):
    person.choose("ant")
    person.draw(ARC)
    person.page.keyboard.press("n")
    person.choose("räksmörgås / 1")
    person.draw(LINE)
    person.page.reload()
    person.wait()
    person.choose("cow")
    saved = person.strokes(tmp_path)
    assert [line["word"] for line in saved] == ["ant", "cow"]
    person.choose("räksmörgås / 1")
    saved = person.strokes(tmp_path)
    assert [line["word"] for line in saved] == ["ant", "räksmörgås / 1"]
    assert sorted(path.name for path in tmp_path.glob("*.ndjson")) == [
        "cow.ndjson",
        "r-ksm-rg-s-1.ndjson",
    ]


@pytest.mark.slow
def test_a_finger_draws_on_a_phone(browser, site, tmp_path):
    context = browser.new_context(
        viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True,
        device_scale_factor=3, reduced_motion="reduce",
    )  # fmt: skip
    someone = Person(context.new_page(), (site / "small.html").as_uri())
    someone.touch(ARC)
    someone.wait()
    assert someone.ink() > 0
    widths = (
        "[document.documentElement.scrollWidth, innerWidth, document.documentElement.scrollHeight]"
    )
    wide, window, high = someone.page.evaluate(widths)
    assert wide <= window
    assert high <= 780 * 1.2
    small = [
        button.bounding_box()["height"]
        for button in someone.page.locator("button:visible").all()
        if button.bounding_box()["height"] < 40
    ]
    assert small == []
    (saved,) = someone.strokes(tmp_path)
    assert len(saved["drawing"]) == 1
    assert len(saved["drawing"][0][0]) > 10
    context.close()
    assert someone.faults == []


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_page_is_dark_where_the_machine_is(browser, site, scheme, dark):
    context = browser.new_context(color_scheme=scheme, viewport={"width": 900, "height": 700})
    someone = Person(context.new_page(), (site / "small.html").as_uri())
    ground = someone.page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(n) for n in re.findall(r"\d+", ground)[:3]]
    assert (max(levels) < 90) is dark
    context.close()


@pytest.mark.slow
def test_hostile_names_are_text(browser, site, tmp_path):
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 900, "height": 700})
    someone = Person(context.new_page(), (site / "hostile.html").as_uri())
    bad = "</script><img src=x onerror=alert(1)>"
    assert bad in someone.page.inner_text("footer")
    assert someone.page.locator("img").count() == 0
    someone.choose(bad)
    someone.draw(ARC)
    (saved,) = someone.strokes(tmp_path)
    assert saved["word"] == bad
    (sketch,) = read_sketches(str(someone.saved("SVG", tmp_path)))
    assert sketch.word == bad
    context.close()
    assert someone.faults == []


@pytest.mark.slow
def test_a_model_without_words_or_canvas_draws_in_the_middle(browser, site, tmp_path):
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 900, "height": 700})
    someone = Person(context.new_page(), (site / "own.html").as_uri() + "#seed=1")
    someone.page.keyboard.press("1")
    someone.wait()
    (saved,) = someone.strokes(tmp_path)
    assert "word" not in saved
    points = np.concatenate([np.array(stroke[:2]).T for stroke in saved["drawing"]])
    np.testing.assert_allclose((points.max(0) + points.min(0)) / 2, [500, 500], atol=1)
    assert np.ptp(points, axis=0).max() < 4000
    context.close()
    assert someone.faults == []


@pytest.mark.slow
def test_the_page_works_without_workers(browser, site, tmp_path):
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 900, "height": 700})
    page = context.new_page()
    page.add_init_script("window.Worker = class { constructor() { throw new Error('no'); } };")
    someone = Person(page, (site / "small.html").as_uri())
    someone.draw(ARC)
    someone.wait()
    someone.press("Continue")
    someone.wait()
    assert someone.strokes(tmp_path)[0]["drawn_by"][-1] == "model"
    context.close()
    assert someone.faults == []


@pytest.mark.slow
def test_the_page_may_ask_nobody_for_anything(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.goto((site / "small.html").as_uri())
    blocked = page.evaluate(
        """() => Promise.all([
          fetch("https://example.org/").then(() => "fetched", () => "refused"),
          new Promise((done) => { const i = new Image(); i.onload = () => done("loaded");
            i.onerror = () => done("refused"); i.src = "https://example.org/x.png"; }),
        ])"""
    )
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    context.close()
    assert blocked == ["refused", "refused"]
    assert policy.startswith("default-src 'none'")


# ---- the file ------------------------------------------------------------------------------


def test_the_built_in_page_is_small_and_names_nobody_else():
    model = checkpoint.load(pretrained.FILE)
    facts, arrays = page_model(model, name="the built-in model")
    page = to_html(facts, arrays)
    assert len(page.encode()) < 8e6
    assert arrays["decoder.cell.w_h"].dtype == np.int8
    unpacked = int8.unpack(arrays, 1e6, name="")
    for key, array in unpacked.items():  # nothing is lost
        assert np.array_equal(array, model.weights[key])
    assert facts["guidance"] == GUIDANCE
    assert facts["extent"] == 255
    links = set(re.findall(r"https?://[^\s'\"`<>]+", page))
    assert links == {"http://www.w3.org/2000/svg"}
    assert "src=" not in page.replace("src=x", "")


def test_weights_stay_exact_unless_half_is_asked_for():
    model = networks.tiny()
    _, exact = page_model(model, name="it")
    _, half = page_model(model, name="it", half=True)
    for name, array in exact.items():
        assert array.dtype == np.float32
        assert (array == model.weights[name]).all()
        assert half[name].dtype == np.float16
    assert not any(name.startswith("encoder.") for name in exact)
    model.weights["decoder.out_b"][0] = 1e6
    with pytest.raises(BadConfig, match="too large for float16"):
        page_model(model, name="it", half=True)


def test_the_same_model_gives_the_same_page():
    made = [to_html(*page_model(networks.tiny(words=()), name="it")) for _ in range(2)]
    assert made[0] == made[1]
