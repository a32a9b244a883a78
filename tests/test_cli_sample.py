"""`sketchrnn sample`: its exit codes, its files, and what bad input gets."""

import contextlib
import html
import inspect
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import datafiles
import networks
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sketchrnn_cli import files
from sketchrnn_cli.cli import sample as command
from sketchrnn_cli.cli import sample_output
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.style import ADDED, hexadecimal, rgb
from sketchrnn_cli.inference import conditioning as plan
from sketchrnn_cli.inference import ranking, sampler
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.interpolation import slerp
from sketchrnn_cli.inference.settings import COUNT, FRAMES, GUIDANCE, RANGES, Settings
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.formats import latents, read_sketches
from sketchrnn_cli.sketches.preparation import Preparation

FITTED = Preparation(fit=True, simplified=True).to_dict()
HALF = {"word": "hat", "drawing": [[[10, 60, 120], [20, 90, 30]], [[5], [200]]]}
SHORT = ["--max-points", "30"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A run folder of a conditional model, and a decoder-only checkpoint."""
    folder = tmp_path_factory.mktemp("models")
    run = folder / "run"
    run.mkdir()
    checkpoint.save(run / "model.safetensors", networks.tiny(preparation=FITTED))
    checkpoint.save(folder / "bare.safetensors", networks.tiny(encoder=False, preparation=FITTED))
    return SimpleNamespace(run=str(run), bare=str(folder / "bare.safetensors"))


def run(*arguments, stdin=b""):
    return CliRunner().invoke(app, ["sample", *map(str, arguments)], input=stdin)


def drawings(result):
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_pipe_gets_a_line_for_each_drawing(models):
    records = drawings(run("--model", models.run, "-n", 4, "--temp", 0.7, *SHORT))
    assert len(records) == 4
    for record in records:
        assert set(record) == {
            *("word", "drawing", "seed", "number", "temperature", "log_likelihood", "finished")
        }
        assert (record["word"], record["seed"], record["temperature"]) == ("blob", 0, 0.7)
        assert all(len(xs) == len(ys) > 0 for xs, ys in record["drawing"])


def test_nine_is_the_number_and_checkpoint_and_temperature_are_understood(models):
    records = drawings(run("--checkpoint", models.bare, "--temperature", 1, "-o", "-", *SHORT))
    assert len(records) == 9


def test_the_same_seed_gives_the_same_bytes_and_a_batch_begins_alike(models):
    def lines(*arguments):
        return run("--model", models.run, *SHORT, *arguments).stdout.splitlines()

    five = lines("-n", 5)
    assert five == lines("-n", 5)
    assert five != lines("-n", 5, "--seed", 1)
    for one, other in zip(five, lines("-n", 2), strict=False):
        a, b = (json.loads(line)["drawing"] for line in (one, other))
        assert [len(x) for x, _ in a] == [len(x) for x, _ in b]


@pytest.mark.slow
@pytest.mark.parametrize("kind", command.KNOWN)
def test_every_format_makes_its_file(models, tmp_path, kind):
    if kind == "mp4":
        pytest.importorskip("av")
    out = tmp_path / "deep" / f"some.{kind}"
    result = run("--model", models.run, "-n", 3, "-o", out, "--json", *SHORT)
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["file"], answer["format"], answer["n_drawings"]) == (str(out), kind, 3)
    assert str(out) in result.stderr
    assert list(out.parent.iterdir()) == [out]
    if kind in outputs.DATA:
        assert len(list(read_sketches(str(out)))) == 3
    elif kind == "svg":
        assert out.read_text().startswith("<svg")
    elif kind == "mp4":
        assert out.read_bytes()[4:8] == b"ftyp"
    else:
        with Image.open(out) as image:
            assert image.width > 0


@pytest.mark.slow
def test_npz_holds_the_drawings_rounded_to_whole_pixels(models, tmp_path):
    out = tmp_path / "some.npz"
    assert run("--model", models.run, "-n", 5, "-o", out, *SHORT).exit_code == 0
    records = drawings(run("--model", models.run, "-n", 5, *SHORT))
    for sketch, record in zip(read_sketches(str(out)), records, strict=True):
        points = np.concatenate([np.transpose(stroke) for stroke in record["drawing"]])
        found = sketch.points()
        found = found - found[0] + np.rint(points[0])
        np.testing.assert_allclose(found, np.rint(points), atol=1)


def test_a_terminal_shows_the_drawings(models, monkeypatch):
    monkeypatch.setattr(sample_output, "stdout_is_terminal", lambda: True)
    result = run("--model", models.run, "-n", 2, *SHORT)
    assert result.exit_code == 0, result.stderr
    assert any(0x2800 < ord(c) < 0x2900 for c in result.stdout)
    assert "blob" in result.stdout
    assert result.stdout.count('"drawing"') == 0
    assert run("--model", models.run, "-n", 2, "-o", "-", *SHORT).stdout.count('"drawing"') == 2


@pytest.mark.parametrize(
    ("arguments", "alone"),
    [
        (["-n", "1"], True),
        ([], True),
        (["-n", "100"], False),
        (["-n", "9", "--best-of", "20"], False),
        (["--threads", "1"], True),
    ],
)
def test_a_few_drawings_are_drawn_by_one_thread(models, monkeypatch, arguments, alone):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    drawings(run("--model", models.run, *SHORT, *arguments))
    assert os.environ.get("OPENBLAS_NUM_THREADS") == ("1" if alone else None)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")  # what the user sets goes first
    drawings(run("--model", models.run, "-n", 1, *SHORT))
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"


def test_scores_are_kept_only_when_asked_for(models):
    sketches = list(networks.draw(Engine(checkpoint.load(models.run)), 3))
    for asked in (False, True):
        tally = sample_output.Tally(keep_scores=asked)
        assert list(tally.passing(sketches)) == sketches
        assert len(tally.scores) == 3 * asked
        assert tally.n_points == sum(sketch.n_points for sketch in sketches)


def test_scores_are_listed_best_first(models):
    result = run("--model", models.run, "-n", 5, "--score", *SHORT)
    ranks = [line for line in result.stderr.splitlines() if "nats" in line]
    values = [float(line.split(" per prediction")[0].split(", ")[-1]) for line in ranks]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)
    assert "nats" not in run("--model", models.run, "-n", 5, *SHORT).stderr


def test_drawings_that_were_cut_are_counted(models):
    result = run("--model", models.run, "-n", 20, "--max-points", 2)
    n_cut = sum(not record["finished"] for record in drawings(result))
    assert n_cut > 0
    assert f"{n_cut} of 20 had not ended after 2 points" in result.stderr
    assert run("--model", models.run, "-n", 20, "--max-points", 2, "--quiet").stderr == ""


def test_best_of_keeps_better_drawings(models, tmp_path):
    scale_factor = checkpoint.load(models.run).scale_factor

    def mean(*arguments):
        out = tmp_path / "ranked.ndjson"
        run("--model", models.run, "-n", 12, *SHORT, *arguments, "-o", out, "--overwrite")
        return np.mean([ranking.rank(each, scale_factor) for each in read_sketches(str(out))], 0)

    best, plain = mean("--best-of", 6), mean()
    assert best[0] >= plain[0]  # share that ended
    assert best[1] > plain[1]


@pytest.fixture
def some_latents(tmp_path):
    z = np.random.default_rng(1).normal(size=(3, 8)).astype("f4")
    path = tmp_path / "z.npz"
    with path.open("wb") as stream:
        datafiles.write_latents(stream, latents.Latents(z, None, ("a", None, "c")))
    return path


def test_each_latent_is_drawn_and_keeps_its_word(models, some_latents):
    records = drawings(run("--model", models.run, "--latents", some_latents, *SHORT))
    assert [record.get("word") for record in records] == ["a", None, "c"]
    records = drawings(run("--model", models.run, "--latents", some_latents, "-n", 2, *SHORT))
    assert [record.get("word") for record in records] == ["a", "a", None, None, "c", "c"]
    lines = b"".join(
        json.dumps({"z": z.tolist()}).encode() + b"\n" for z in latents.read(str(some_latents)).mu
    )
    piped = drawings(run("--model", models.run, "--latents", "-", "-n", 2, *SHORT, stdin=lines))
    assert [r["drawing"] for r in piped] == [r["drawing"] for r in records]
    assert piped[0]["word"] == "blob"


def test_frames_lead_from_latent_to_latent(models, some_latents):
    arguments = ["--model", models.run, "--latents", some_latents, *SHORT]
    frames = drawings(run(*arguments, "--frames", 4))
    assert len(frames) == 9
    still = drawings(run(*arguments))
    assert frames[0]["drawing"] == still[0]["drawing"]
    assert len({json.dumps(frame["drawing"]) for frame in frames}) == 9


@pytest.mark.parametrize("name", ["run", "bare"])
def test_a_beginning_is_gone_on_from_in_its_place(models, name):
    line = json.dumps(HALF).encode() + b"\n"
    model = getattr(models, name)
    result = run("--model", model, "--complete", "-", "-n", 4, *SHORT, stdin=line)
    records = drawings(result)
    assert len(records) == 4
    for record in records:
        assert record["word"] == "hat"
        assert record["drawing"][:2] == HALF["drawing"]
        assert record["given_strokes"] == 2
    assert len({json.dumps(record["drawing"]) for record in records}) == 4


@pytest.mark.parametrize("suffix", ["svg", "gif"])
def test_a_completion_has_two_inks(models, tmp_path, suffix):
    line = json.dumps(HALF).encode() + b"\n"
    out = tmp_path / f"c.{suffix}"
    arguments = ["--model", models.run, "--complete", "-", "--pen-temp", "2", *SHORT]
    assert run(*arguments, "-o", out, stdin=line).exit_code == 0
    found = out.read_bytes()
    blue = rgb(ADDED[0])
    assert (bytes(blue) if suffix == "gif" else hexadecimal(blue).encode()) in found
    assert run("--model", models.run, "-n", 1, *SHORT, "-o", out).exit_code == 0
    found = out.read_bytes()
    assert bytes(blue) not in found
    assert hexadecimal(blue).encode() not in found


@pytest.fixture
def bad(tmp_path):
    """Files that are not what they should be."""
    good = json.dumps({"z": [0.0] * 8, "drawing": HALF["drawing"]})
    (tmp_path / "bad.ndjson").write_text("\n".join([*[good] * 16, '{"z": [0.0, ', good]))
    with (tmp_path / "narrow.npz").open("wb") as stream:
        datafiles.write_latents(stream, latents.Latents(np.zeros((2, 5), "f4")))
    (tmp_path / "other.safetensors").write_bytes(b"PK\x03\x04 something of another program")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    return tmp_path


REFUSED = [  # {run}, {bare}: models; {bad}: a folder
    ("--model {bad}/[x]", "[x]: no such checkpoint"),
    ("--model {bad}/other.safetensors", "other.safetensors: not a sketchrnn checkpoint"),
    ("--model {bad}/empty", "empty: no model.safetensors in this folder"),
    ("--model {run} --latents {bad}/narrow.npz", "narrow.npz: the latents are 5 numbers wide"),
    ("--model {run} --latents {bad}/none.npz", "none.npz: no such file"),
    ("--model {run} --latents {bad}/bad.ndjson", "bad.ndjson: line 17: not JSON"),
    ("--model {bare} --latents {bad}/bad.ndjson", "--latents {bad}/bad.ndjson: the model is dec"),
    ("--model {run} --complete {bad}/bad.ndjson", "bad.ndjson:17"),
    ("--model {run} --complete {bad}/none.ndjson", "none.ndjson: no such file"),
    (
        "--model {run} --complete - --max-points 3",
        "standard input: drawing 1 has 4 points already; --max-points is 3",
    ),
    ("--model {run} --complete - --latents -", "--latents does not go with --complete"),
    ("--model {run} --frames 3", "--frames needs a PROMPT or --latents"),
    ("--model {run} --json -o -", "give -o FILE"),
    ("--model {run} -o {bad}/a.bmp", "a.bmp: unknown format 'bmp'"),
    ("--model {run} -o {bad}/file/a.svg", "is not a folder"),
    ("--model {run} -o {bad}/empty --format svg", "empty: is a folder"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_input_is_one_line_and_leaves_no_file(models, bad, arguments, message):
    names = {"run": models.run, "bare": models.bare, "bad": str(bad)}
    words = [word.format(**names) for word in arguments.split()]
    if "-o" not in words:
        words += ["-o", str(bad / "out.ndjson")]
    before = sorted(bad.rglob("*"))
    result = run(*words, stdin=json.dumps(HALF).encode())
    assert (result.exit_code, result.stdout) == (1, "")
    assert message.format(**names) in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert sorted(bad.rglob("*")) == before


def test_a_gif_to_a_terminal_is_refused_before_the_model_is_read(monkeypatch):
    monkeypatch.setattr(files, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=bool)))
    assert "no such checkpoint" in run("--model", "none", "--format", "gif").stderr
    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(files, "sys", terminal)
    result = run("--model", "none", "--format", "gif")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not written to a terminal" in result.stderr


def test_wrong_usage_is_exit_2(models):
    assert run("--model", models.run, "-n", 0).exit_code == 2
    assert run("--model", models.run, "--temp", "hot").exit_code == 2
    result = run("--model", models.run, "--max-points", 0)
    assert result.exit_code == 2
    assert "--max-points 0: must be from 1 to 10,000" in result.stderr


def test_help_names_the_real_defaults():
    settings, (low, high) = Settings(), RANGES["temperature"]
    parameters = inspect.signature(command.sample, eval_str=True).parameters

    def text(name):
        return parameters[name].annotation.__metadata__[0].help

    assert f"[default: {settings.temperature:g}]" in text("temp")
    assert f"{low:g}-{high:g}" in text("temp")
    assert f"[default: {settings.max_points}]" in text("max_points")
    assert f"[default: {COUNT}, or 1" in text("count")
    assert f"[default: {FRAMES}]" in text("frames")
    assert f"[default: {GUIDANCE:g}; 1 with" in text("guidance")
    assert parameters["seed"].default == settings.seed


def loads_torch(code):
    check = f"{code}\nimport sys; sys.exit(77 if 'torch' in sys.modules else 0)"
    return (
        subprocess.run(
            [sys.executable, "-c", check], check=False, stdout=subprocess.DEVNULL
        ).returncode
        == 77
    )


@pytest.mark.slow
def test_drawing_on_a_cpu_never_loads_torch(models):
    call = "from sketchrnn_cli.cli.app import app; app({}, standalone_mode=False)"
    words = ["sample", "--model", models.run, "-n", "2", "--max-points", "9", "--quiet"]
    assert not loads_torch(call.format(words))
    as_if = "import sys; sys.modules['torch'] = sys"
    assert loads_torch(f"{call.format(words)}; {as_if}")


def test_every_line_is_flushed_into_a_pipe_and_none_into_a_file(models, monkeypatch, tmp_path):
    events = []
    stream = SimpleNamespace(
        write=lambda data: events.append(data.count(b"\n")), flush=lambda: events.append("flush")
    )
    monkeypatch.setattr(outputs, "open_output", lambda *_, **__: contextlib.nullcontext(stream))
    for is_file, wanted in ((False, [1, "flush"] * 3), (True, [1] * 3)):
        events.clear()
        stream.seekable = lambda is_file=is_file: is_file
        out = tmp_path / "a.ndjson" if is_file else "-"
        assert run("--model", models.run, "-n", 3, "-o", out, *SHORT).exit_code == 0
        assert events == wanted


def test_drawings_leave_one_by_one(models):
    """The first line of very many can be read long before the last is drawn."""
    words = ["sample", "--model", models.run, "-n", "100000", "--max-points", "20"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sketchrnn_cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    watch = threading.Timer(60, process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        assert "drawing" in json.loads(process.stdout.readline())
        assert process.poll() is None
    finally:
        watch.cancel()
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A model of four words that knows where their latents lie."""
    rng = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("told") / "told.safetensors"
    words = ("bird", "cat", "owl", "pig")
    network = networks.tiny(n_words=4, words=words, preparation=FITTED)
    weights = {
        "latent.share": np.full(4, 0.25, "f4"),
        "latent.weight": np.ones((4, 1), "f4"),
        "latent.mean": rng.normal(size=(4, 1, 8)).astype("f4"),
        "latent.scale": np.stack([0.3 * np.eye(8, dtype="f4")] * 4),
    }
    checkpoint.save(path, replace(network, weights={**network.weights, **weights}))
    return str(path)


def test_several_temperatures_draw_the_same_latents_each(told, monkeypatch):
    seen = []
    inner = plan.Conditioning.latents

    def latents_of(self, *arguments):
        seen.append(inner(self, *arguments))
        return seen[-1]

    monkeypatch.setattr(plan.Conditioning, "latents", latents_of)
    records = drawings(run("cat", "--model", told, "-n", 3, "--temp", "0.2,1,0.4", *SHORT))
    assert [r["temperature"] for r in records] == [0.2] * 3 + [1] * 3 + [0.4] * 3
    assert [r["number"] for r in records] == [0, 1, 2] * 3
    assert len(seen) == 3
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[0], seen[2])
    assert records[0]["drawing"] != records[3]["drawing"]
    seen.clear()
    alone = drawings(run("cat", "--model", told, "-n", 3, "--temp", "0.4", *SHORT))
    assert alone == records[6:]  # what is drawn at the default temperature
    default = seen[0]
    seen.clear()
    given = ("--temp", "0.2,1", "--latent-temp", "1")
    drawings(run("cat", "--model", told, "-n", 3, *given, *SHORT))
    assert not np.array_equal(seen[0], default)
    np.testing.assert_array_equal(seen[0], seen[1])


def test_latents_from_a_pipe_are_drawn_at_every_temperature(models, some_latents):
    lines = b"".join(
        json.dumps({"z": z.tolist()}).encode() + b"\n" for z in latents.read(str(some_latents)).mu
    )
    arguments = ("--model", models.run, "--temp", "0.2,1", *SHORT)
    piped = drawings(run(*arguments, "--latents", "-", stdin=lines))
    whole = drawings(run(*arguments, "--latents", some_latents))
    assert [r["temperature"] for r in piped] == [0.2, 1] * 3
    assert [r["drawing"] for r in piped[::2] + piped[1::2]] == [r["drawing"] for r in whole]


def test_a_temperature_is_a_row_with_its_label(told, tmp_path, monkeypatch):
    out = tmp_path / "t.svg"
    result = run("cat", "--model", told, "-n", 3, "--temp", "0.2,1.0", "-o", out, "--json", *SHORT)
    assert json.loads(result.stdout)["n_drawings"] == 6
    text = out.read_text()
    assert ">temp 0.2<" in text
    assert ">temp 1<" in text
    run("cat", "--model", told, "-n", 3, "--temp", "0.2", "-o", out, *SHORT)
    assert "temp" not in out.read_text()
    monkeypatch.setattr(sample_output, "stdout_is_terminal", lambda: True)
    shown = run("cat", "--model", told, "-n", 2, "--temp", "0.2,1", *SHORT).stdout
    assert shown.index("temp 0.2 ") < shown.index("temp 1 ")
    assert shown.count("seed 0 #1") == 2


@pytest.mark.parametrize(
    ("prompt", "labels", "captions"),
    [
        ("three cats, two owls", ["cat", "owl"], ["seed 0 #4"]),
        ("cat -> owl", ["cat -&gt; owl"], ["0 %", "25 %", "50 %", "75 %", "100 %"]),
        ("cat, owl", [], ["cat · seed 0 #0", "owl · seed 0 #1"]),
        ("four cats", [], ["cat · seed 0 #3"]),
        ("cat -> owl -> pig", ["cat -&gt; owl -&gt; pig"], ["cat", "owl to pig 25 %", "pig"]),
    ],
)
def test_a_sheet_has_a_row_for_each_word(prompt, labels, captions, told, tmp_path, monkeypatch):
    arguments = (prompt, "--model", told, *SHORT)
    if "->" in prompt:
        arguments += ("--frames", 4)
    assert run(*arguments, "-o", tmp_path / "t.svg").exit_code == 0
    texts = re.findall(r"<text[^>]*>([^<]*)<", (tmp_path / "t.svg").read_text())
    assert [text for text in texts if text in labels] == labels
    for caption in captions:
        assert caption in texts
    monkeypatch.setattr(sample_output, "stdout_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    shown = run(*arguments).stdout
    for text in [*labels, *captions]:
        assert html.unescape(text) in shown


def test_frames_between_words_say_so(told):
    (*_, before, last) = drawings(run("cat -> owl", "--model", told, "--frames", 4, *SHORT))
    assert (before["morph"], last["morph"]) == (["cat", "owl", 0.75], ["cat", "owl", 1])
    assert "morph" not in drawings(run("cat", "--model", told, "-n", 1, *SHORT))[0]


def test_a_grid_lies_between_four_and_its_corners_are_those(told, tmp_path):
    arguments = ("cat, owl, pig, bird", "--model", told, "--temp", "0.01", *SHORT)
    records = drawings(run(*arguments, "--interpolate", "3x5"))
    assert len(records) == 15
    assert {r["number"] for r in records} == {0}
    corners = [records[k] for k in (0, 4, 10, 14)]
    assert [r["word"] for r in corners] == ["cat", "owl", "pig", "bird"]
    assert corners[0]["drawing"] == drawings(run(*arguments))[0]["drawing"]
    assert len({json.dumps(r["drawing"]) for r in records}) == 15
    out = tmp_path / "i.svg"
    assert run(*arguments, "--interpolate", "3×5", "-o", out).exit_code == 0
    text = out.read_text()
    assert text.count("<text") == 4
    assert text.count('fill="#f0f0f0"') == 4  # grounds of the corners
    four = drawings(run("cat", "--model", told, "--interpolate", "2x2", *SHORT))
    counted = drawings(run("four cats", "--model", told, "--interpolate", "2x2", *SHORT))
    assert four == counted
    assert len({json.dumps(r["drawing"]) for r in four}) == 4


def test_a_grid_between_latents_goes_around_the_origin(models, tmp_path, monkeypatch):
    z = np.random.default_rng(1).normal(size=(4, 8)).astype("f4")
    path = tmp_path / "z.npz"
    with path.open("wb") as stream:
        datafiles.write_latents(stream, latents.Latents(z))
    seen = []
    inner = plan.Conditioning.latents
    monkeypatch.setattr(
        plan.Conditioning, "latents", lambda self, *a: seen.append(inner(self, *a)) or seen[-1]
    )
    arguments = ("--model", models.run, "--latents", path, *SHORT)
    records = drawings(run(*arguments, "--interpolate", "3x3"))
    grid = seen[-1]
    np.testing.assert_allclose(grid[[0, 2, 6, 8]], z, rtol=1e-6)
    np.testing.assert_allclose(grid[1], slerp(z[0], z[1], 0.5), rtol=1e-5)
    left, right = slerp(z[0], z[2], 0.5), slerp(z[1], z[3], 0.5)
    np.testing.assert_allclose(grid[3], left, rtol=1e-5)
    np.testing.assert_allclose(grid[5], right, rtol=1e-5)
    assert len(records) == 9


PICTURES_REFUSED = [
    ("--temp 0.2,3", 2, "--temp 3: must be from 0.01 to 2"),
    ("--temp 0.2,,1", 2, "several as in"),
    ("--temp 0.2,1 --greedy", 1, "--greedy does not go with several temperatures"),
    ("--interpolate 3", 2, "ROWSxCOLUMNS"),
    ("--interpolate 1x5", 2, "--interpolate 1x5: rows and columns must be from 2 to 100"),
    ("--interpolate 3x3 --temp 0.2,1", 1, "--interpolate does not go with several temperatures"),
    ("--interpolate 3x3 --frames 2 --latents -", 1, "--interpolate does not go with --frames"),
    ("--interpolate 3x3 --complete -", 1, "--interpolate does not go with --complete"),
    ("--interpolate 3x3 -n 3", 1, "and this asks for 3: give four words"),
    ("blob->blob --interpolate 3x3", 1, "name four things instead"),
    ("-n 10001 -o {out}.svg", 1, "more than 10,000 drawings for one sheet"),
    ("-n 2501 --temp 0.1,0.2,0.3,0.4 -o {out}.png", 1, "more than 10,000 drawings"),
    ("-n 10000 -o {out}.gif", 1, "take fewer with -n"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), PICTURES_REFUSED)
def test_what_no_picture_can_show_is_refused_before_anything_is_drawn(
    models, tmp_path, monkeypatch, arguments, code, message
):
    monkeypatch.setattr(sampler, "_draw", None)  # not called
    words = arguments.format(out=tmp_path / "x").split()
    result = run(*words, "--model", models.run, stdin=b"")
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_lies_between_drawings_that_differ_by_chance_alone(models):
    result = run("--model", models.bare, "--interpolate", "3x3")
    assert result.exit_code == 1
    assert "nothing lies between drawings of this model" in result.stderr
