"""`import sketchrnn_cli as sk`: it draws what the command draws, and drawings show themselves."""

import doctest
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import networks
import numpy as np
import pytest
import warm
from PIL import Image
from typer.testing import CliRunner

import sketchrnn_cli as sk
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile, BadSketch
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.notebook import drawings as notebook
from sketchrnn_cli.notebook import model as models
from sketchrnn_cli.sketches.formats import ndjson, read_sketches
from sketchrnn_cli.sketches.sketch import Sketch

HALF = [[(10, 20), (60, 90), (120, 30)], [(5, 200)]]
NAMES = ("Drawing", "Drawings", "Model", "SketchError", "from_strokes", "load", "read")


@pytest.fixture(scope="module")
def built_in():
    return sk.load()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The file of a small model that is told words."""
    path = tmp_path_factory.mktemp("model") / "told.safetensors"
    checkpoint.save(path, networks.of_words())
    return path


@pytest.fixture(scope="module")
def model(saved):
    return sk.load(saved)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A decoder-only model without words."""
    path = tmp_path_factory.mktemp("model") / "bare.safetensors"
    checkpoint.save(path, networks.tiny(encoder=False, words=()))
    return sk.load(path)


def lines(drawings):
    return b"".join(map(ndjson.to_line, drawings.sketches))


def shell(*arguments, stdin=b""):
    """What a command writes, in a process of its own."""
    call = [sys.executable, "-m", "sketchrnn_cli", *map(str, arguments)]
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")  # it has its own mind about them
    env = {name: value for name, value in os.environ.items() if name not in threads}
    return warm.run(call, check=True, capture_output=True, input=stdin, env=env).stdout


def run(*arguments, stdin=b""):
    """What a command writes, in this process: the same threads."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--quiet"], input=stdin)
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes


def cells(svg):
    """The groups of an SVG sheet, one a drawing; and its texts."""
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    return root.findall(f"{space}g/{space}g"), [text.text for text in root.iter(f"{space}text")]


# The package


def in_a_fresh_interpreter(code):
    """The heavy modules that this code loads, and what else it prints."""
    check = (
        "import sys\n"
        f"{code}\n"
        "heavy = {'numpy', 'torch', 'PIL', 'typer', 'sklearn', 'scipy', 'matplotlib'}\n"
        "print(*sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[-2].split()


def test_importing_loads_nothing_and_lists_the_names():
    assert in_a_fresh_interpreter("import sketchrnn_cli") == []
    assert in_a_fresh_interpreter("import sketchrnn_cli as sk; dir(sk); sk.SketchError") == []
    assert "numpy" in in_a_fresh_interpreter("import sketchrnn_cli as sk; sk.load")
    assert set(NAMES) < set(dir(sk))
    assert all(getattr(sk, name).__name__ == name for name in NAMES)
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        sk.paint  # noqa: B018


def test_nothing_in_a_notebook_loads_torch(saved, tmp_path):
    code = (
        f"import sketchrnn_cli as sk\nmodel = sk.load({str(saved)!r})\n"
        "drawings = model.sample('cat, pig', max_points=9)\n"
        "drawings._repr_svg_(); repr(drawings); drawings.animate(duration=1)._repr_html_()\n"
        "model.interpolate(*drawings, frames=2); model.score(drawings)\n"
        "model.complete(drawings[0], max_points=20)\n"
        f"drawings.save({str(tmp_path / 'a.png')!r})\n"
    )
    assert in_a_fresh_interpreter(code) == ["PIL", "numpy"]
    assert "torch" in in_a_fresh_interpreter("sys.modules['torch'] = sys")  # as if it were loaded


@pytest.mark.slow
@pytest.mark.parametrize("module", [notebook, models], ids=["drawings", "model"])
def test_the_examples_in_the_docstrings_are_true(module, built_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(module, extraglobs={"sk": sk, "model": built_in})
    assert found.attempted > 5
    assert not found.failed


# Drawing as the command does


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["cat", "-n", 9, "--seed", 0], lambda m: m.sample("cat", n=9, seed=0)),
        (
            ["2 owls, pig -> cat", "-n", 1, "--frames", 3, "--temp", 0.9, "--best-of", 3],
            lambda m: m.sample("2 owls, pig -> cat", n=1, frames=3, temperature=0.9, best_of=3),
        ),
    ],
)  # fmt: skip
def test_the_same_seed_gives_the_bytes_of_the_command(built_in, words, asked):
    assert shell("sample", *words) == lines(asked(built_in))


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ("", {}),
        ("cat --first 3", {"prompt": "cat", "first": 3}),
        ("cat -n 2 --pen-temp 1 --latent-temp 3", {
            "prompt": "cat", "n": 2, "pen_temperature": 1, "latent_temperature": 3}),
        ("pig --guidance 0 --greedy", {"prompt": "pig", "guidance": 0, "greedy": True}),
        ("pig --prior", {"prompt": "pig", "prior": True}),
        ("pig --most-likely", {"prompt": "pig", "most_likely": True}),
        ("cat:0.7+pig:0.3 -n 20", {"prompt": "cat:0.7+pig:0.3", "n": 20}),
    ],
)  # fmt: skip
def test_every_argument_is_the_option_of_its_name(saved, model, options, given):
    written = run("sample", "--model", saved, "--max-points", 15, *options.split())
    drawn = lines(model.sample(**given, max_points=15))
    for one, other in zip(written.splitlines(), drawn.splitlines(), strict=True):
        alike(json.loads(one), json.loads(other))


def alike(record, other):
    """The same drawing up to what two threads round otherwise than one."""
    assert record.keys() == other.keys()
    assert [len(x) for x, _ in record["drawing"]] == [len(x) for x, _ in other["drawing"]]
    for stroke, again in zip(record["drawing"], other["drawing"], strict=True):
        np.testing.assert_allclose(stroke, again, atol=0.05)
    for key in record.keys() - {"drawing", "log_likelihood"}:
        assert record[key] == other[key], key


def test_beginnings_latents_and_scores_are_those_of_the_commands(saved, model, tmp_path):
    begun = sk.from_strokes(HALF, "pig")
    short = ["--model", saved, "--max-points", 15]
    line = ndjson.to_line(begun.sketch)
    for words, drawn in (
        (["-n", 3], model.complete(begun, n=3, max_points=15)),
        (["two cats"], model.complete([begun], prompt="two cats", max_points=15)),
    ):
        written = run("sample", *words, "--complete", "-", *short, stdin=line)
        for one, other in zip(written.splitlines(), lines(drawn).splitlines(), strict=True):
            alike(json.loads(one), json.loads(other))

    some = model.sample("cat, pig", max_points=15)
    encoded = run("encode", "--model", saved, stdin=lines(some))
    mu, sigma = model.encode(some)
    for line, m, s in zip(encoded.splitlines(), mu, sigma, strict=True):
        np.testing.assert_allclose(json.loads(line)["z"], m, atol=1e-4)
        np.testing.assert_allclose(json.loads(line)["sigma"], s, atol=1e-4)
    for words, drawn in (
        (["-n", 2], model.decode(mu, some.words, n=2, max_points=15)),
        (["--frames", 4], model.interpolate(*some, frames=4, max_points=15)),
    ):
        written = run("sample", "--latents", "-", *words, *short, stdin=encoded)
        for one, other in zip(written.splitlines(), lines(drawn).splitlines(), strict=True):
            alike(json.loads(one), json.loads(other))

    some.save(tmp_path / "some.ndjson")
    report = run("inspect", tmp_path / "some.ndjson", "--score", "--model", saved, "--json")
    listed = sorted(json.loads(report)["scores"], key=lambda entry: entry["index"])
    scores = model.score(some)
    for key in ("log_likelihood", "per_prediction"):
        wanted = [entry[key] for entry in listed]
        np.testing.assert_allclose(getattr(scores, key), wanted, rtol=1e-4)


def test_what_is_encoded_scored_and_completed_is_prepared_like_the_models_own(tmp_path):
    path = tmp_path / "fitted.safetensors"
    checkpoint.save(path, networks.tiny(preparation=networks.FITTED))
    model = sk.load(path)
    near = sk.from_strokes(HALF[:1])
    far = sk.from_strokes([[(x + 999, y) for x, y in HALF[0]]])
    np.testing.assert_allclose(model.encode(far).mu, model.encode(near).mu, atol=1e-5)
    np.testing.assert_allclose(model.score(far), model.score(near), rtol=1e-5)
    assert model.complete(far, max_points=30)[0].sketch.box()[0] < 100


def test_ignored_words_are_a_warning_and_an_error_if_strict(model):
    with pytest.warns(UserWarning, match="ignored: happy") as caught:
        assert model.sample("a happy cat", n=1).words == ("cat",)
    assert caught[0].filename == __file__
    with pytest.raises(BadConfig, match="happy"):
        model.sample("a happy cat", strict=True)
    with pytest.warns(UserWarning, match="ignored: happy") as caught:
        model.complete(sk.from_strokes(HALF), prompt="a happy cat", max_points=9)
    assert caught[0].filename == __file__


def test_an_unknown_noun_is_drawn_as_the_nearest_word_with_a_warning(model):
    with pytest.warns(UserWarning, match="^dachshund: drawn as cat$") as caught:
        assert model.sample("dachshund", n=1).words == ("cat",)
    assert caught[0].filename == __file__
    with pytest.raises(BadConfig, match="nearest: cat; model.words has all"):
        model.sample("dachshund", strict=True)


# Drawings


def test_drawings_are_a_sequence(model):
    some = model.sample("cat, pig, ice cream", max_points=9)
    assert len(some) == 3
    assert [drawing.word for drawing in some] == ["cat", "pig", "ice cream"]
    assert some[-1].word == "ice cream"
    assert some[1:].words == ("pig", "ice cream")
    assert (some + some[:1]).words == ("cat", "pig", "ice cream", "cat")
    assert [d.extras["number"] for d in reversed(some)] == [2, 1, 0]
    assert all(stroke.shape[1] == 2 for stroke in some[0].strokes)
    with pytest.raises(IndexError):
        some[3]


def test_drawings_show_themselves_and_one_shows_itself_alone(built_in):
    cats = built_in.sample("cat", n=4)
    groups, texts = cells(cats._repr_svg_())
    assert len(groups) == 4
    assert texts == [f"cat · seed 0 #{k}" for k in range(4)]
    assert 'width="480"' in cats._repr_svg_()
    assert 'width="639"' in (cats + cats)._repr_svg_()
    groups, texts = cells(cats[2]._repr_svg_())
    assert 'width="240"' in cats[2]._repr_svg_()
    assert len(groups) == 1
    assert texts == ["cat · seed 0 #2"]


def test_a_sheet_of_very_many_says_how_many_more():
    dots = notebook.Drawings(Sketch((np.zeros((1, 2), "f4"),), "dot") for _ in range(1500))
    groups, texts = cells(dots._repr_svg_())
    assert len(groups) == len(texts) == notebook.SHOWN + 1
    assert texts[-1] == f"+ {1500 - notebook.SHOWN:,}"
    _, texts = cells(dots[: notebook.SHOWN]._repr_svg_())
    assert set(texts) == {"dot"}
    long = notebook.Drawings((Sketch((np.zeros((150_000, 2), "f4"),)),) * 2)
    _, texts = cells(long._repr_svg_())
    assert texts == ["+ 1"]
    assert notebook.Drawings((Sketch((np.zeros((250_000, 2), "f4"),)),))._repr_svg_() is None
    assert dots[:0]._repr_svg_() is None


def test_a_repr_is_one_short_line_whatever_the_words(model, bare):
    assert repr(model.sample("cat", n=1, max_points=200)) == "1 drawing: cat"
    assert repr(notebook.Drawings(())) == "0 drawings"
    evil = sk.from_strokes([[(0, 0), (1, 1)]], "\x1b[31mred\n\u202e</svg>")
    assert repr(evil) == "[31mred </svg> of 2 points"
    assert len(cells(evil._repr_svg_())[0]) == 1
    many = notebook.Drawings(Sketch((), f"w{k}") for k in range(1200))
    assert repr(many) == "1,200 drawings: w0, w1, w2, w3, w4 and 1,195 more"
    cut = model.sample("cat", n=5, max_points=1)
    assert repr(cut).endswith("not finished")
    assert repr(model).endswith("told.safetensors: 3 words: cat, ice cream, pig")
    assert repr(bare).endswith("bare.safetensors: no words")


@pytest.mark.slow
@pytest.mark.parametrize("kind", outputs.FORMATS)
def test_every_format_is_saved_as_the_command_writes_it(saved, model, tmp_path, kind):
    ours, theirs = tmp_path / f"ours.{kind}", tmp_path / f"theirs.{kind}"
    model.sample("cat", n=20, max_points=4).save(str(ours))  # 20: as many threads on both sides
    run("sample", "cat", "-n", 20, "--max-points", 4, "--model", saved, "-o", theirs)
    assert ours.read_bytes() == theirs.read_bytes()
    assert sorted(tmp_path.iterdir()) == [ours, theirs]


def test_an_npz_has_no_date_and_no_offset_that_does_not_fit(tmp_path):
    import zipfile

    path = tmp_path / "a.npz"
    sk.from_strokes(HALF).save(path)
    with zipfile.ZipFile(path) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
        assert archive.namelist() == ["train.npy", "valid.npy", "test.npy"]
    # As sketch-rnn's own programs open it, which is what it is for; we have just written it.
    found = np.load(path, allow_pickle=True, encoding="latin1")
    assert [len(found[name]) for name in ("train", "valid", "test")] == [1, 0, 0]
    with pytest.raises(BadSketch, match="32,767"):
        sk.from_strokes([[(0, 0), (40_000, 0)]]).save(tmp_path / "b.npz")
    assert list(tmp_path.iterdir()) == [path]


def test_an_animation_plays_in_a_notebook_and_is_saved(built_in, tmp_path):
    cats = built_in.sample("cat -> owl", frames=1, most_likely=True, temperature=0.1)
    for film in (cats.animate(size=64, fps=10, duration=1, hold=0.5), cats[0].animate(duration=1)):
        with Image.open(io.BytesIO(film.gif)) as image:
            assert image.n_frames > 5
            assert image.size == (film.width, film.height)
        assert film._repr_html_().startswith('<img src="data:image/gif;base64,R0lGOD')
    morph = cats.animate(morph=True, size=64)
    assert "2 drawings" in repr(morph)
    morph.save(tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes() == morph.gif
    cats.save(tmp_path / "cats.ndjson")
    run("animate", tmp_path / "cats.ndjson", "--morph", "--size", 64, "-o", tmp_path / "b.gif")
    assert (tmp_path / "b.gif").read_bytes() == morph.gif


@pytest.mark.parametrize("kind", ["gif", "apng", "webp", "svg", "mp4"])
def test_an_animation_is_saved_as_the_command_line_writes_it(tmp_path, kind):
    if kind == "mp4":
        pytest.importorskip("av")
    drawings = sk.from_strokes(HALF, "cat")
    film = drawings.animate(size=48, fps=10, duration=1, dark=True, color_by="time", pen_tip=True)
    film.save(tmp_path / f"a.{kind}")
    drawings.save(tmp_path / "cat.ndjson")
    options = ["--size", 48, "--duration", 1, "--dark", "--color-by", "time"]
    options += [] if kind == "svg" else ["--fps", 10]
    out = tmp_path / f"b.{kind}"
    run("animate", tmp_path / "cat.ndjson", *options, "--pen-tip", "-o", out)
    assert (tmp_path / f"a.{kind}").read_bytes() == out.read_bytes()


# From files and points


def test_what_is_read_is_what_the_file_holds(model, tmp_path):
    some = model.sample("cat, pig", max_points=15)
    some.save(tmp_path / "a.ndjson")
    again = sk.read(tmp_path / "a.ndjson")
    assert lines(again) == lines(some)
    assert sk.read(str(tmp_path / "a.ndjson"), n=1).words == ("cat",)
    some.save(tmp_path / "b.npz")
    assert [d.sketch.n_points for d in sk.read(tmp_path / "b.npz")] == [
        sketch.n_points for sketch in read_sketches(str(tmp_path / "b.npz"))
    ]
    assert len(sk.read(tmp_path)) == 4
    assert len(model.complete(again, n=2, max_points=30)) == 4


def test_a_long_file_is_not_read_to_its_end(tmp_path, monkeypatch):
    path = tmp_path / "long.ndjson"
    line = b'{"word":"dot","drawing":[[[1],[1]]]}\n'
    path.write_bytes(line * (notebook.READ + 1) + b"no drawing\n" * 100_000)
    with pytest.raises(BadFile, match=r"long.ndjson: more than 10,000 drawings; say with n"):
        sk.read(path)
    assert len(sk.read(path, n=notebook.READ + 1)) == notebook.READ + 1
    path.write_bytes(line * notebook.READ)
    assert len(sk.read(path)) == notebook.READ


def test_faulty_drawings_are_an_error_or_skipped_with_a_warning(tmp_path):
    path = tmp_path / "some.ndjson"
    path.write_text('{"word":"a","drawing":[[[1,2],[1,2]]]}\n{"word":\n')
    with pytest.raises(BadSketch, match=r'some.ndjson:2: not JSON.*or use on_error="skip"'):
        sk.read(path)
    with pytest.warns(UserWarning, match=r"1 skipped; the first: .*some.ndjson:2") as caught:
        assert sk.read(path, on_error="skip").words == ("a",)
    assert caught[0].filename == __file__


def test_points_become_a_drawing():
    drawing = sk.from_strokes([np.eye(2), [(3, 4.5)]], "thing")
    assert [stroke.tolist() for stroke in drawing.strokes] == [[[1, 0], [0, 1]], [[3, 4.5]]]
    mine = np.array([[1.0, 2.0]], np.float32)
    drawing = sk.from_strokes([mine])
    mine[:] = 9
    assert drawing.strokes[0].tolist() == [[1, 2]]


# What bad input gets

NAN = float("nan")
REFUSED = [
    (lambda m: sk.load("no/such"), BadFile, "no/such: no such checkpoint"),
    (lambda m: sk.load(""), BadFile, "no model.safetensors"),
    (lambda m: sk.load(__file__), BadCheckpoint, "not a sketchrnn checkpoint"),
    (lambda m: sk.read("no/such.ndjson"), BadFile, "no such file"),
    (lambda m: sk.read("a.txt"), BadFile, "a.txt: no such file"),
    (lambda m: sk.read("a.ndjson", n=0), BadConfig, "n must be a whole number from 1 on, not 0"),
    (lambda m: sk.read("a.ndjson", on_error="x"), BadConfig, "on_error must be"),
    (lambda m: sk.from_strokes([]), BadSketch, "without strokes"),
    (lambda m: sk.from_strokes([[1, 2, 3]]), BadSketch, "stroke 0 is not a list of points"),
    (lambda m: sk.from_strokes([HALF[0], []]), BadSketch, "stroke 1"),
    (lambda m: sk.from_strokes([[(NAN, 0)]]), BadSketch, "stroke 0"),
    (lambda m: sk.from_strokes([[(1e300, 0)]]), BadSketch, "stroke 0"),
    (lambda m: sk.from_strokes([[(1, 2), (3,)]]), BadSketch, "stroke 0"),
    (lambda m: sk.from_strokes([["ab", "cd"]]), BadSketch, "stroke 0"),
    (lambda m: m.sample("zebra"), BadConfig, '"zebra".*model.words has all'),
    (lambda m: m.sample(9), BadConfig, "the prompt is text"),
    (lambda m: m.sample("cat", n=0), BadConfig, "n must be a whole number from 1 on, not 0"),
    (lambda m: m.sample("cat", n=2.5), BadConfig, "n must be a whole number"),
    (lambda m: m.sample("cat", n=10**9), BadConfig, "more than 1,000,000 drawings"),
    (lambda m: m.sample(n=10**9), BadConfig, "more than 1,000,000 drawings"),
    (lambda m: m.complete(sk.from_strokes(HALF), n=10**9), BadConfig, "more than 1,000,000"),
    (lambda m: m.decode(np.zeros((2, 8)), frames=10**9), BadConfig, "more than 1,000,000"),
    (lambda m: m.sample("cat", seed=-1), BadConfig, "seed must be a whole number from 0 on"),
    (lambda m: m.sample("cat", seed=1.5), BadConfig, "seed must be a whole number"),
    (lambda m: m.sample("cat", seed=2**63), BadConfig, "seed must be from 0 to"),
    (lambda m: m.sample("cat", first=-1), BadConfig, "first"),
    (lambda m: m.sample("cat", first=2**64), BadConfig, "numbers end at 9,007,199"),
    (lambda m: m.sample(first=2**64, n=1), BadConfig, "numbers end at 9,007,199"),
    (lambda m: m.sample("cat", best_of=0), BadConfig, "best_of"),
    (lambda m: m.sample("cat", best_of=2**63), BadConfig, "best_of must be from 1 to 1000"),
    (lambda m: m.sample(n=2**63), BadConfig, "drawings"),
    (lambda m: m.sample("cat", greedy=True, pen_temperature=1), BadConfig, "likeliest pen"),
    (lambda m: m.sample("cat", prior=True, latent_temperature=1), BadConfig, "no temperature"),
    (lambda m: m.sample("cat", max_points=10**6), BadConfig, "max_points"),
    (lambda m: m.sample("cat", temperature=NAN), BadConfig, "temperature must be from 0.01"),
    (lambda m: m.sample("cat", guidance=9), BadConfig, "guidance must be from 0 to 4"),
    (lambda m: m.sample("cat", frames=3), BadConfig, "frames are for interpolations"),
    (lambda m: m.sample(frames=3), BadConfig, "frames are for interpolations"),
    (lambda m: m.sample("cat -> pig", frames=0), BadConfig, "frames"),
    (lambda m: m.sample("cat", prior=True, most_likely=True), BadConfig, "not both"),
    (lambda m: m.complete([]), BadSketch, "no drawings"),
    (lambda m: m.complete("a.ndjson"), BadSketch, r"a file is read by read"),
    (lambda m: m.complete(None), BadSketch, "None is not drawings"),
    (lambda m: m.complete([HALF]), BadSketch, "hold list; see from_strokes"),
    (lambda m: m.complete(sk.from_strokes(HALF), max_points=2), BadConfig, "drawing 0: 4 points"),
    (lambda m: m.complete(sk.from_strokes(HALF), prompt="cat, pig"), BadConfig, "one word at most"),
    (lambda m: m.decode(np.zeros((2, 3))), BadConfig, "3 numbers wide, and this model's 8"),
    (lambda m: m.decode([[NAN] * 8]), BadConfig, "finite numbers"),
    (lambda m: m.decode([]), BadConfig, "finite numbers"),
    (lambda m: m.decode(np.zeros((2, 2, 8))), BadConfig, "finite numbers"),
    (lambda m: m.decode(np.zeros((2, 8)), ["cat"]), BadConfig, "each of the 2 latents"),
    (lambda m: m.decode(np.zeros((3, 8)), "cat"), BadConfig, "each of the 3 latents"),
    (lambda m: notebook.Drawings(()).save("a.svg"), BadSketch, "a.svg: no drawings to save"),
    (lambda m: notebook.Drawings(()).animate(), BadSketch, "no drawings"),
    (lambda m: sk.from_strokes(HALF).save("a.bmp"), BadFile, "a.bmp: end the name in one of .ndj"),
    (lambda m: sk.from_strokes(HALF).save("a"), BadFile, "a: end the name"),
    (lambda m: sk.from_strokes(HALF).save(f"{__file__}/a.svg"), BadFile, "cannot be written"),
    (lambda m: m.sample("cat", n=1).animate(morph=True), BadSketch, "at least two"),
    (lambda m: m.sample("cat", n=2).animate(morph=True, in_turn=True), BadConfig, "drop one"),
    (lambda m: m.sample("cat", n=1).animate(fps=99), BadConfig, "fps"),
    (lambda m: m.sample("cat", n=1).animate(duration=1).save("a.bmp"), BadFile, "one of .gif"),
    (lambda m: m.sample("cat", n=2).animate(morph=True, pen_tip=True), BadConfig, "pen_tip"),
    (lambda m: m.sample("cat", n=1).animate(color_by="mood"), BadConfig, "color-by"),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "error", "says"), REFUSED)
def test_what_cannot_be_done_is_said_in_one_line(model, tmp_path, monkeypatch, ask, error, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=says) as caught:
        ask(model)
    assert isinstance(caught.value, sk.SketchError)
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)
    assert list(Path().iterdir()) == []


def test_a_decoder_only_model_says_that_it_knows_no_latents(bare):
    assert len(bare.sample(n=2, max_points=9)) == 2
    with pytest.raises(BadCheckpoint, match="knows no words"):
        bare.sample("cat")
    for ask in (bare.encode, lambda d: bare.interpolate(d, d), lambda d: bare.decode(np.zeros(8))):
        with pytest.raises(BadCheckpoint, match="decoder-only"):
            ask(sk.from_strokes(HALF))
    assert bare.score(sk.from_strokes(HALF)).log_likelihood.shape == (1,)
