# ruff: noqa: E501, lines of JavaScript and SVG
"""What a person finds on the drawing page: words, walks, endings, files, keys, and room for all."""

import io
import json
import re
from collections import Counter

import networks
import numpy as np
import pytest
from PIL import Image, ImageSequence
from visitors import ARC, LINE, SUGGEST, Person, asked, knowing, packed, worded

from sketchrnn_cli import pretrained
from sketchrnn_cli.drawing.page import to_html
from sketchrnn_cli.inference.conditioning import condition
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.interpolation import slerp
from sketchrnn_cli.inference.page_model import page_model
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.words import QUICKDRAW

pytestmark = pytest.mark.slow  # a person in a browser, again and again
SIZES = [
    *((1366, 650), (1024, 600), (1920, 1080), (768, 1024), (1024, 768)),
    *((820, 1180), (390, 844), (390, 664), (375, 553), (320, 568), (844, 390)),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page of a model with few words, and one of a model with all of Quick, Draw!'s."""
    folder = tmp_path_factory.mktemp("site")
    few = networks.with_recogniser(knowing(worded()))
    (folder / "few.html").write_text(to_html(*page_model(few, name="few")), "utf-8")
    many = networks.tiny(n_words=len(QUICKDRAW), words=QUICKDRAW, preparation=few.preparation)
    notice = pretrained.NOTICE
    (folder / "many.html").write_text(to_html(*page_model(many, name="m", notice=notice)), "utf-8")
    return folder


@pytest.fixture
def visit(browser, site):
    """Opens a page in a window; at the end nothing has gone wrong and nobody was asked."""
    opened = []

    def begin(name="few.html", *, width=1100, height=760, before="", mark="#seed=1", **more):
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", **more
        )
        page = context.new_page()
        if before:
            page.add_init_script(before)
        opened.append(Person(page, (site / name).as_uri() + mark))
        return opened[-1]

    yield begin
    for someone in opened:
        assert someone.faults == []
        assert all(url.startswith(("file:", "blob:", "data:")) for url in someone.asked_for)
        someone.page.context.close()


def status(person):
    return person.page.inner_text("#status")


# ---- words ---------------------------------------------------------------------------------


def listed(person, box="word"):
    return person.page.locator(f"#{box}-list li").all_inner_texts()


def test_words_are_searched_as_one_types(visit):
    person = visit("many.html")
    page, word = person.page, person.page.locator("#word")
    word.click()
    assert listed(person) == ["anything", *QUICKDRAW]
    page.keyboard.type("cre")
    assert "ice cream" in listed(person)
    assert all("cre" in name for name in listed(person))
    assert len(listed(person)) < 10
    page.keyboard.type("am")
    assert listed(person) == ["ice cream", "call it “cream”"]
    page.keyboard.press("Enter")
    assert word.input_value() == "ice cream"
    assert page.locator("#word-list").is_hidden()
    assert word.get_attribute("aria-expanded") == "false"


def test_exact_words_come_first_then_those_that_begin_so(visit):
    person = visit("many.html")
    person.page.fill("#word", "Car")
    names = listed(person)
    assert names[0] == "car"
    begin = [name for name in QUICKDRAW if name.startswith("car") and name != "car"]
    assert names[1 : 1 + len(begin)] == begin
    person.page.fill("#word", "bear")
    assert listed(person)[:2] == ["bear", "beard"]


def test_arrows_choose_and_escape_changes_nothing(visit):
    person = visit("many.html")
    page, word = person.page, person.page.locator("#word")
    person.choose("owl")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "word"
    page.keyboard.press("Control+a")
    page.keyboard.type("ca")
    active = page.locator("#word-list li[aria-selected=true]")
    third = listed(person)[2]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert active.inner_text() == third
    assert word.get_attribute("aria-activedescendant") == active.get_attribute("id")
    page.keyboard.press("Escape")
    assert word.input_value() == "owl"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert word.input_value() == QUICKDRAW[QUICKDRAW.index("owl") - 1]


def test_a_finger_takes_a_word_and_a_name_of_ones_own(visit, tmp_path):
    person = visit("many.html", width=390, height=664, has_touch=True, is_mobile=True)
    page = person.page
    page.tap("#word")
    page.keyboard.type("pen")
    page.locator("#word-list li", has_text="pencil").tap()
    assert page.input_value("#word") == "pencil"
    assert page.evaluate("document.activeElement.id") == "canvas"  # no keyboard on the screen
    page.tap("#word")
    page.keyboard.type("my house")
    page.locator("#word-list li", has_text="call it").tap()
    person.touch(LINE)
    (saved,) = person.strokes(tmp_path)
    assert saved["word"] == "my house"


def test_what_was_chosen_survives_a_reload(visit):
    person = visit()
    page = person.page
    for how in ("", "walk"):
        person.choose("bee")
        page.get_by_label("one stroke").check()
        page.locator("#temperature").fill("0.85")
        if how:
            page.keyboard.press("w")
            person.choose("cow", "#other")
            page.locator("#at").fill("0.7")
        page.reload()
        person.wait()
        assert page.input_value("#word") == "bee"
        assert page.get_by_label("one stroke").is_checked()
        assert page.inner_text("#heat") == "0.85"
        assert page.locator("#way").is_visible() is bool(how)
    assert (page.input_value("#other"), page.input_value("#at")) == ("cow", "0.7")
    address = page.url
    page.goto(re.sub("#.*", "", address))  # and a visit without what the address says
    person.wait()
    assert page.input_value("#word") == "bee"


def test_it_survives_where_a_browser_keeps_nothing(visit):
    refuse = """Object.defineProperty(window, "localStorage", {
      get() { throw new DOMException("no", "SecurityError"); } });"""
    person = visit(before=refuse)
    person.choose("a räksmörgås")
    person.draw(ARC)
    person.page.reload()
    person.wait()
    assert person.page.input_value("#word") == "a räksmörgås"
    person.choose("cow")
    person.page.reload()
    person.wait()
    assert person.page.input_value("#word") == "cow"


def test_a_page_works_where_the_address_may_not_change(visit):
    person = visit(before='history.replaceState = () => { throw new Error("no"); };')
    person.choose("cow")
    person.page.reload()
    person.wait()
    assert person.page.input_value("#word") == "cow"


# ---- a walk --------------------------------------------------------------------------------


def test_a_walk_interpolates_as_sample_does(script):  # noqa: F811
    model = knowing(worded())
    facts, weights = packed(*page_model(model, name="it"))
    found = script.evaluate(
        """([model, weights]) => {
          const decoder = new Decoder(model, unpack(model, weights));
          const z = (word) => Array.from(latent(decoder, word, new Random(9), 0.3));
          const random = () => ({ uniform: () => 0.4, index: (w) => 0, normal: () => 0.3 });
          const ends = [0, 2].map((word) => Array.from(latent(decoder, word, random(), 0.3)));
          return { ends, slerps: [0, 0.3, 1].map((t) => slerp(z(0), z(2), t)), zs: [z(0), z(2)],
            words: [0.49, 0.5].map((at) => begin(decoder, 0, random(), 0.3, 2, { other: 2, at }).word),
            raws: [0, 0.3, 1].map((at) => Array.from(
              decoder.step([begin(decoder, 0, random(), 0.3, 2, { other: 2, at }).state], [null])[0])) };
        }""",
        [facts, weights],
    )
    wanted = [slerp(*found["zs"], t) for t in (0, 0.3, 1)]
    np.testing.assert_allclose(found["slerps"], wanted, rtol=1e-5)
    assert found["words"] == [0, 2]
    z = np.stack([slerp(*found["ends"], t) for t in (0, 0.3, 1)])
    shares = np.array([[2, 0, 0, -1], [1.4, 0, 0.6, -1], [0, 0, 2, -1]], "f4")
    moves = [np.zeros((1, 3), "f4")] * 3
    raws = [
        rows[0] for rows in Engine(model).forward(moves, condition(model, 3, z=z, labels=shares))
    ]
    np.testing.assert_allclose(found["raws"], raws, atol=1e-3)


def test_the_ends_of_a_walk_are_its_words_and_its_steps_are_small(script):  # noqa: F811
    facts, weights = packed(*page_model(knowing(worded()), name="it"))

    def drawn(**changes):
        messages = script.evaluate(SUGGEST, [facts, weights, asked(**changes)])
        words = {k: word for message in messages for k, word in message.get("words", [])}
        return words, [move for message in messages for move in message.get("moves", [])]

    start = {"other": 2, "at": 0}
    np.testing.assert_allclose(drawn(word=0, walk=start)[1], drawn(word=0)[1], rtol=1e-9)
    words, _ = drawn(word=0, walk=start | {"at": 1})
    assert set(words.values()) == {2}
    one, near = (drawn(word=0, walk=start | {"at": at})[1] for at in (0.3, 0.3001))
    first = [move for move in one if move[0] == 3][0]
    second = [move for move in near if move[0] == 3][0]
    np.testing.assert_allclose(first, second, atol=0.1)


def test_a_slider_walks_from_word_to_word(visit, tmp_path):
    person = visit()
    page = person.page
    assert page.locator("#at").is_hidden()
    person.choose("ant")
    page.get_by_role("button", name="Walk").click()
    person.choose("cow", "#other")
    names = []
    for at in ("0", "0.45", "0.5", "1"):
        page.locator("#at").fill(at)
        person.wait()
        names.append(page.locator(".offer span").all_inner_texts())
    assert names == [["ant"] * 6, ["ant"] * 6, ["cow"] * 6, ["cow"] * 6]
    pictures = page.locator(".offer canvas").first
    there = pictures.evaluate("(c) => c.toDataURL()")
    page.locator("#at").fill("0.2")
    person.wait()
    assert pictures.evaluate("(c) => c.toDataURL()") != there
    page.locator("#at").fill("1")
    person.wait()
    assert pictures.evaluate("(c) => c.toDataURL()") == there
    person.press("Continue")
    assert person.strokes(tmp_path)[0]["word"] == "cow"
    page.keyboard.press("w")
    assert page.locator("#way").is_hidden()


# ---- thinking, and the end -----------------------------------------------------------------


@pytest.mark.parametrize("word", [None, 1])
@pytest.mark.parametrize("one_stroke", [False, True])
@pytest.mark.parametrize("recognises", [True, False])
@pytest.mark.parametrize("length", [1, 30, 700])
def test_the_first_suggestion_comes_after_few_steps(script, word, one_stroke, recognises, length):  # noqa: F811
    """Steps of the decoder, on any machine: a few tries at first, and the others after that."""
    facts, weights = packed(*page_model(networks.with_recogniser(knowing(worded())), name="it"))
    prefix = [[3, (-1) ** k * 5, 0] for k in range(length - 1)] + [[1, 1, 1]]
    steps = script.evaluate(
        """([model, weights, ask, recognises]) => {
          const decoder = new Decoder(model, unpack(model, weights)), step = decoder.step;
          const recogniser = recognises ? new Recogniser(decoder.arrays) : null;
          let n = 0, first = null;
          decoder.step = function (states, moves) {
            n += states.length;
            return step.call(this, states, moves);
          };
          const ended = [];
          for (const message of suggest(decoder, ask, recogniser)) {
            if (message?.moves && first === null) first = n;
            for (const [k] of message?.ended || []) ended.push([k, n]);
          }
          return { first, ended };
        }""",
        [facts, weights, asked(prefix=prefix, word=word, oneStroke=one_stroke), recognises],
    )
    assert steps["first"] <= max(240, length + 1)
    assert [k for k, _ in steps["ended"]] == list(range(6))  # one is there before the next begins
    assert steps["ended"][0][1] < 0.5 * steps["ended"][-1][1] or length > 600


def test_the_first_suggestion_is_of_what_the_drawing_looks_like(script):  # noqa: F811
    model = networks.with_recogniser(knowing(worded()))
    facts, weights = packed(*page_model(model, name="it"))
    start = [[4, 5, 0], [20, 3, 1]]
    code = SUGGEST.replace("ask))", "ask, new Recogniser(decoder.arrays)))")
    best = script.evaluate(
        "([model, weights, moves]) => new Recogniser(unpack(model, weights)).top(moves, 1)[0][0]",
        [facts, weights, start],
    )
    for seed in range(5):
        messages = script.evaluate(
            code, [facts, weights, asked(prefix=start, word=None, seed=seed)]
        )
        assert messages[0] == {"words": [[0, best]]}


def test_thinking_is_seen(visit):
    slow = """window.Worker = class { constructor() { throw new Error("no"); } };
      const wait = window.setTimeout; window.held = false;
      window.setTimeout = (f, ms) => wait(function again() { held ? wait(again, 10) : f(); }, ms);"""
    person = visit(before=slow)
    page = person.page
    assert page.locator("#thinking").is_hidden()
    page.evaluate("held = true")
    person.draw(ARC)
    assert page.locator("#thinking").is_visible()
    assert page.inner_text("#thinking").startswith("thinking")
    assert page.locator(".offer.blank[aria-busy=true]").count() == 6
    page.evaluate("held = false")
    person.wait()
    assert page.locator("#thinking").is_hidden()
    assert page.locator(".offer[aria-busy]").count() == 0


def test_a_finished_drawing_says_so_and_offers_a_new_one(visit, tmp_path):
    person = visit()
    page = person.page
    person.choose("bee")
    person.draw(ARC)
    person.wait()
    assert page.locator("#finished").is_hidden()
    page.locator("#continue").focus()
    person.press("Continue")
    page.locator("#finished").wait_for()
    assert re.fullmatch(
        r"Finished: bee\. Strokes: 1 by you and \d+ by the model\.", page.inner_text("#verdict")
    )
    assert page.locator("#offers").is_hidden()
    assert page.locator("#continue").is_disabled()
    assert page.evaluate("document.activeElement.id") == "another"
    page.reload()
    assert page.locator("#finished").is_visible()
    (before,) = person.strokes(tmp_path)
    page.keyboard.press("n")
    person.wait()
    assert page.locator("#finished").is_hidden()
    assert (person.ink(), page.locator("#offers").is_visible()) == (0, True)
    assert person.strokes(tmp_path) == [before]  # it is kept


def test_a_drawing_that_goes_on_is_not_finished(visit):
    person = visit()
    person.page.locator(".offer").first.click()
    person.page.locator("#finished").wait_for()
    for act in ("Undo", "Redo"):
        person.press(act)
        assert person.page.locator("#finished").is_visible() is (act == "Redo")
    person.draw(LINE)
    assert person.page.locator("#finished").is_hidden()
    person.press("Undo")
    person.press("Go on with it")
    person.wait()
    assert person.page.locator("#offers").is_visible()


def test_keys_are_shown_and_do_what_they_stand_on(visit):
    person = visit()
    page = person.page
    shown = page.evaluate(
        """() => [...document.querySelectorAll("#tools > button, #save")].map((button) =>
          [button.id, button.querySelector("kbd")?.checkVisibility() && button.querySelector("kbd").innerText,
           button.title, button.getAttribute("aria-keyshortcuts")])"""
    )
    for name, key, title, shortcuts in shown:
        assert len(key) == 1, name
        assert title.endswith(f"({key})")
        assert key in shortcuts.split()
    assert len({key for _, key, _, _ in shown}) == len(shown) == 9
    assert page.locator(".offer kbd").all_inner_texts() == list("123456")
    person.draw(ARC)
    keys = {name: key for name, key, _, _ in shown}
    for name, blank in [
        ("clear", True),
        ("undo", False),
        ("redo", True),
        ("undo", False),
        ("keep", True),
    ]:
        page.keyboard.press(keys[name])
        assert (person.ink() == 0) is blank, name
    page.keyboard.press(keys["save"])
    assert page.locator("#formats").is_visible()
    page.keyboard.press("Escape")
    choosers = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    for _ in range(20):  # a browser lets a key open files for 5 s: too few where all are busy
        page.keyboard.press(keys["open"])
        page.wait_for_timeout(500)
        if choosers:
            break
    assert choosers


# ---- files ---------------------------------------------------------------------------------


def test_gif_and_animated_svg_show_the_pen_at_work(visit, tmp_path):
    person = visit()
    person.choose("cow")
    person.draw(ARC)
    person.draw(LINE)
    film = Image.open(io.BytesIO(person.saved("GIF", tmp_path).read_bytes()))
    assert (film.size, film.info["loop"]) == ((320, 320), 0)
    frames = [np.array(frame.convert("L")) for frame in ImageSequence.Iterator(film)]
    dark = [int((frame < 128).sum()) for frame in frames]
    assert len(frames) > 8
    assert dark == sorted(dark)
    assert 0 < dark[0] < 0.3 * dark[-1]
    still = Image.open(person.saved("PNG", tmp_path)).convert("L").resize((320, 320))
    assert np.abs(np.array(still).astype(int) - frames[-1]).mean() < 2
    path = person.saved("Animated SVG", tmp_path)
    text = path.read_text("utf-8")
    assert text.count("<animate ") == 2
    (sketch,) = read_sketches(str(path))
    assert (sketch.word, len(sketch.strokes)) == ("cow", 2)
    for times in re.findall(r'keyTimes="([^"]*)"', text):
        moments = [float(moment) for moment in times.split(";")]
        assert moments == sorted(moments)
        assert (moments[0], moments[-1]) == (0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_gif_encoder_packs_pillow_unpacks(visit, seed):
    """Noise fills the LZW dictionary several times; a plain frame and no change at all follow."""
    person = visit()
    rng = np.random.default_rng(seed)
    side = 97
    frames = [rng.integers(0, 16, (side, side)), np.full((side, side), 7)]
    frames += [frames[1], np.where(np.arange(side) == 50, 3, frames[1])]
    palette = rng.integers(0, 256, (16, 3))
    data = person.page.evaluate(
        """async ([side, palette, frames]) => {
          const gif = new Gif(side, palette);
          for (const frame of frames) gif.add(Uint8Array.from(frame), 300);
          return [...new Uint8Array(await gif.file().arrayBuffer())];
        }""",
        [side, palette.tolist(), [frame.ravel().tolist() for frame in frames]],
    )
    film = Image.open(io.BytesIO(bytes(data)))
    found = [
        (frame.info["duration"], np.array(frame.convert("RGB")))
        for frame in ImageSequence.Iterator(film)
    ]
    assert sum(duration for duration, _ in found) == 4 * 3000  # one that is as before may be joined
    shown = [palette[frame] for frame in (frames[0], frames[1], frames[3])]
    distinct = [picture for k, (_, picture) in enumerate(found) if k != 2 or len(found) == 3]
    for picture, wanted in zip(distinct, shown, strict=True):
        assert (picture == wanted).all()


def offer(person, path, how="choose"):
    """Give the page a file."""
    if how == "choose":
        with person.page.expect_file_chooser() as chooser:
            person.press("Open")
        chooser.value.set_files(str(path))
    else:
        person.page.evaluate(
            """([name, text]) => {
              const data = new DataTransfer();
              data.items.add(new File([text], name));
              document.getElementById("paper").dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
            }""",
            [path.name, path.read_text("utf-8")],
        )
    person.page.locator("#status:not(:empty)").wait_for()


@pytest.mark.parametrize("how", ["choose", "drop"])
@pytest.mark.parametrize("kind", ["NDJSON", "SVG", "Animated SVG"])
def test_a_saved_drawing_is_opened_again(visit, tmp_path, kind, how):
    person = visit()
    person.choose("cow")
    person.draw(ARC)
    person.draw([(0.5, 0.9), (0.6, 0.9)])
    (before,) = person.strokes(tmp_path)
    path = person.saved(kind, tmp_path)
    person.press("Clear")
    person.choose("ant")
    person.page.evaluate("say('')")
    offer(person, path, how)
    assert status(person) == f"Opened {path.name}."
    (again,) = person.strokes(tmp_path)
    assert again["word"] == "cow"
    assert again["drawn_by"] == ["person", "person"]
    for old, new in zip(before["drawing"], again["drawing"], strict=True):
        # an SVG is fitted to the paper, so shapes are compared, not places
        ends = [np.array(stroke[:2])[:, [0, -1]] @ [-1, 1] for stroke in (old, new)]
        scale = 1 if kind == "NDJSON" else 1000 / 700
        np.testing.assert_allclose(ends[1], ends[0] * scale, atol=12)
    person.press("Undo")
    assert person.ink() == 0
    person.press("Redo")
    person.wait()
    person.press("Continue")
    person.page.get_by_text(re.compile(r"The model drew \d+ stroke")).wait_for()


SHAPES = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100" width="20">
  <rect width="200" height="100" fill="white"/>
  <g transform="translate(100 0)" stroke="red" fill="none">
    <path d="M0 0h40m-40 20l40 0M0 40 40 40"/><line x1="0" y1="60" x2="40" y2="60"/>
    <rect y="80" width="20" height="20"/><path stroke="none" d="M0 0 9 9"/>
    <script>document.title = "bad"</script><image href="https://example.org/x.png"/>
    <foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="alert(1)"/></foreignObject>
    <circle cx="20" cy="50" r="0" onload="alert(1)"/><polyline points="0 90 10 95 40 100" style="display:none"/>
  </g>
</svg>"""


def test_an_svg_of_others_is_read_for_its_strokes_alone(visit, tmp_path):
    person = visit()
    (tmp_path / "shapes.svg").write_text(SHAPES)
    offer(person, tmp_path / "shapes.svg")
    (saved,) = person.strokes(tmp_path)
    lines = [np.array(stroke[:2]).T / 10 for stroke in saved["drawing"]]
    lines = [line for line in lines if np.ptp(line, axis=0).max() > 1]
    ends = [(line[0].round().tolist(), line[-1].round().tolist()) for line in lines]
    assert ends == [
        ([0, 0], [40, 0]), ([0, 20], [40, 20]), ([0, 40], [40, 40]), ([0, 60], [40, 60]),
        ([0, 80], [0, 80]),
    ]  # fmt: skip
    assert person.page.title() != "bad"
    assert person.page.locator("img").count() == 0


@pytest.fixture(scope="module")
def drawn(browser, site, tmp_path_factory):
    """A page on which somebody has drawn, and what is saved of it."""
    context = browser.new_context(reduced_motion="reduce")
    person = Person(context.new_page(), (site / "few.html").as_uri() + "#seed=1")
    person.choose("bee")
    person.draw(ARC)
    person.wait()
    yield person, person.strokes(tmp_path_factory.mktemp("drawn"))
    context.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "neither an SVG nor NDJSON"),
        ("\x89PNG\x00", "neither an SVG nor NDJSON"),
        ("{}", "line 1 is no drawing"),
        ('{"drawing": [[[1, 2], [3]]]}', "line 1 is no drawing"),
        ('{"drawing": [[[1, "2"], [3, 4]]]}', "line 1 is no drawing"),
        ('{"drawing": []}', "there are no strokes in it"),
        ("null", "line 1 is no drawing"),
        ("<svg", "not an SVG that can be read"),
        ("<html></html>", "not an SVG that can be read"),
        ("<svg xmlns='http://www.w3.org/2000/svg'/>", "there are no strokes in it"),
        (
            f'{{"drawing": [[{[*range(0, 90000, 9)]}, {[0, 5000] * 5000}]]}}',
            "more than 2000 points",
        ),
        ("[" * 4_100_000, "4.1 MB, at most 4 can be opened"),
    ],
)
def test_a_bad_file_is_one_line_and_loses_nothing(drawn, tmp_path, text, reason):
    person, before = drawn
    person.page.evaluate("say('')")
    (tmp_path / "bad.svg").write_text(text)
    offer(person, tmp_path / "bad.svg")
    assert status(person).startswith("bad.svg: ")
    assert reason in status(person)
    assert status(person).count("\n") == 0
    assert person.strokes(tmp_path) == before
    assert person.faults == []


def test_of_several_drawings_the_first_is_opened(visit, tmp_path):
    person = visit()
    lines = [{"word": "owl", "drawing": [[[0, 255], [10, 20]]]}, {"drawing": [[[1, 2], [3, 4]]]}]
    (tmp_path / "x.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    offer(person, tmp_path / "x.ndjson")
    assert status(person) == "Opened x.ndjson, the first of its 2 drawings."
    (saved,) = person.strokes(tmp_path)
    assert saved["word"] == "owl"  # which the model does not know
    assert saved["drawing"][0][:2] == [[0, 1000], [39.22, 78.43]]


# ---- room ----------------------------------------------------------------------------------

FAULTS = """() => {
  const faults = [], seen = [...document.querySelectorAll("header label, header input, #walk, #canvas, " +
    "#hint, .offer, .offer span, #tools button, #status, #looks, #thinking, footer, #finished button, #verdict")]
    .filter((e) => e.checkVisibility() && !e.closest("#formats") && e.getBoundingClientRect().width > 1);
  const name = (e) => e.id || e.className || e.textContent.trim() || e.name;
  const boxes = seen.map((e) => [e, e.getBoundingClientRect()]);
  for (const [e, box] of boxes) {
    if (box.left < -0.6 || box.top < -0.6 || box.right > innerWidth + 0.6 || box.bottom > innerHeight + 0.6)
      faults.push(`${name(e)} is cut`);
    if (e.tagName !== "INPUT" && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1) && e.clientWidth)
      faults.push(`${name(e)} has too little room`);
  }
  for (const [e, a] of boxes)
    for (const [f, b] of boxes)
      if (e !== f && !e.contains(f) && !f.contains(e) && !(e.id === "canvas" && f.id === "hint") &&
          !(f.id === "canvas" && e.id === "hint") &&
          Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
          Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1) faults.push(`${name(e)} lies on ${name(f)}`);
  const tools = [...document.querySelectorAll("#tools > button, #save")].map((e) => e.getBoundingClientRect().top);
  if (Math.max(...tools) - Math.min(...tools) > 2) faults.push("the tools are not in one row");
  return faults;
}"""


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_overlaps_and_nothing_is_cut(visit, width, height):
    phone = min(width, height) < 500
    person = visit(
        "many.html", width=width, height=height, has_touch=phone, is_mobile=phone, mark="#seed=4"
    )
    page = person.page
    canvas = page.locator("#canvas").bounding_box()
    assert canvas["width"] == pytest.approx(canvas["height"], abs=1)
    assert canvas["width"] > 0.35 * min(width, height)
    tiles = {round(tile.bounding_box()["width"]) for tile in page.locator(".offer").all()}
    assert len(tiles) == 1
    assert min(tiles) >= 40
    tops = Counter(round(tile.bounding_box()["y"]) for tile in page.locator(".offer").all())
    assert len(set(tops.values())) == 1  # as many in every row
    page.evaluate("(n) => { state.offers.forEach((offer, k) => { offer.word = n; label(k); }); }",
                  max(range(len(QUICKDRAW)), key=lambda k: len(QUICKDRAW[k])))  # fmt: skip
    assert page.evaluate(FAULTS) == []
    person.draw(ARC)
    page.evaluate("say('The model drew 12 strokes.')")
    assert page.evaluate(FAULTS) == []
    person.wait()
    page.keyboard.press("w")
    person.choose("The Great Wall of China")
    person.choose("washing machine", "#other")
    assert page.evaluate(FAULTS) == []
    page.evaluate("() => { finished.add(drawing()); settle('') }")
    assert page.locator("#finished").is_visible()
    assert page.evaluate(FAULTS) == []
    page.locator("#save").click()
    menu = page.locator("#formats").bounding_box()
    assert menu["x"] >= 0
    assert menu["y"] >= 0
    assert menu["x"] + menu["width"] <= width
    page.locator("#word").click()
    drop = page.locator("#word-list").bounding_box()
    assert drop["x"] >= 0
    assert drop["x"] + drop["width"] <= width
    assert drop["y"] + drop["height"] <= height


def test_a_short_text_is_no_proof_that_the_search_for_faults_works(visit):
    person = visit(width=390, height=664)
    assert person.page.evaluate(FAULTS) == []
    for style in ("#canvas { width: 600px }", "#status { position: fixed; top: 0 }"):
        handle = person.page.add_style_tag(content=style)
        person.page.evaluate("say('some words')")
        assert person.page.evaluate(FAULTS) != []
        handle.evaluate("(e) => e.remove()")


def test_the_built_in_page_begins_with_a_search_of_all_words(browser, tmp_path):
    model = checkpoint.load(pretrained.FILE)
    (tmp_path / "x.html").write_text(to_html(*page_model(model, name="it")), "utf-8")
    someone = Person(browser.new_page(), (tmp_path / "x.html").as_uri() + "#seed=1")
    someone.choose("octop")
    assert someone.page.input_value("#word") == "octopus"
    someone.wait()
    someone.press("Continue")
    someone.page.locator("#finished").wait_for()
    assert someone.faults == []
    someone.page.close()
