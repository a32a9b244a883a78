"""`sketchrnn encode`: its exit codes, its files, and what bad input gets."""

import json
import os
import queue
import subprocess
import sys
import threading
from types import SimpleNamespace

import networks
import numpy as np
import pytest
import reference
import synthetic
import warm
from typer.testing import CliRunner

from sketchrnn_cli import files
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches import corpus
from sketchrnn_cli.sketches.formats import latents, ndjson
from sketchrnn_cli.sketches.preparation import Preparation

CAT = {"word": "cat", "drawing": [[[0, 200, 255], [0, 30, 255]], [[50], [60]]], "key_id": "7"}
DOG = {"drawing": [[[0, 255], [0, 130]], [[50, 70, 90], [60, 2, 0]]], "more": {"a": [1, None]}}
HUGE = {
    "word": "hut",
    "drawing": [
        [[100.5, 1100.5, 900], [50, 60, 2050], [0, 9, 20]],
        [[300, 301], [70, 80], [30, 40]],
    ],
}
LINES = b"".join(json.dumps(drawing).encode() + b"\n" for drawing in (CAT, DOG, HUGE))
PREPARATION = Preparation(fit=True, simplified=True).to_dict()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A conditional model and a decoder-only one."""
    folder = tmp_path_factory.mktemp("models")
    network = networks.tiny(preparation=PREPARATION)
    checkpoint.save(folder / "whole.safetensors", network)
    checkpoint.save(folder / "bare.safetensors", networks.tiny(encoder=False))
    return SimpleNamespace(
        whole=str(folder / "whole.safetensors"), bare=str(folder / "bare.safetensors"), of=network
    )


def run(*arguments, stdin=LINES):
    return CliRunner().invoke(app, ["encode", *map(str, arguments)], input=stdin)


def test_every_line_comes_back_unchanged_with_its_latent(models):
    result = run("--model", models.whole)
    assert result.exit_code == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    for record, given in zip(records, (CAT, DOG, HUGE), strict=True):
        assert len(record.pop("z")) == len(record.pop("sigma")) == 8
        assert record == given


def test_latents_are_those_of_the_slow_reference(models):
    record = json.loads(run("-", "--model", models.whole).stdout.splitlines()[0])
    moves = [[0, 0, 0], [200, 30, 0], [55, 225, 1], [-205, -195, 1]]  # CAT is fitted already
    moves = np.array(moves, float) / (models.of.scale_factor, models.of.scale_factor, 1)
    mu, presig = reference.encode(networks.exact(models.of), moves)
    np.testing.assert_allclose(record["z"], mu, atol=1e-5)
    np.testing.assert_allclose(record["sigma"], np.exp(presig / 2), rtol=1e-5)


def test_a_drawing_is_prepared_as_the_training_drawings_were(models):
    """Shifted and three times as large: the same drawing, the same latent."""
    large = {
        "drawing": [[[3 * v + 40 for v in row] for row in stroke] for stroke in DOG["drawing"]]
    }
    lines = b"".join(json.dumps(drawing).encode() + b"\n" for drawing in (DOG, large))
    records = [
        json.loads(line) for line in run("--model", models.whole, stdin=lines).stdout.splitlines()
    ]
    np.testing.assert_allclose(records[0]["z"], records[1]["z"], atol=1e-5)
    assert records[1]["drawing"] == large["drawing"]


def test_a_file_and_a_pipe_give_the_same_latents_in_every_format(models, tmp_path):
    source, out = tmp_path / "some.ndjson", tmp_path / "z.npz"
    source.write_bytes(LINES)
    result = run(source, "--model", models.whole, "-o", out, "--json", stdin=b"")
    assert result.exit_code == 0, result.stderr
    wanted = {"file": str(out), "format": "npz", "n_drawings": 3, "n_skipped": 0, "latent_size": 8}
    assert json.loads(result.stdout) == wanted
    assert f"{out}: latents of 3 drawings" in result.stderr
    with np.load(out) as arrays:
        assert {name: arrays[name].dtype.kind for name in arrays} == {
            "mu": "f",
            "sigma": "f",
            "words": "U",
        }
        assert arrays["words"].tolist() == ["cat", "some", "hut"]
    as_lines = tmp_path / "z.ndjson"
    as_lines.write_bytes(run("--model", models.whole).stdout_bytes)
    assert run(source, "--model", models.whole, "-o", tmp_path / "y.ndjson").exit_code == 0
    for path in (as_lines, tmp_path / "y.ndjson"):
        found = latents.read(str(path))
        np.testing.assert_allclose(found.mu, latents.read(str(out)).mu, atol=1e-6)
        np.testing.assert_allclose(found.sigma, latents.read(str(out)).sigma, atol=1e-6)


def test_a_few_drawings_are_read_by_one_thread(models, tmp_path, monkeypatch):
    few, many = tmp_path / "few.ndjson", tmp_path / "many.ndjson"
    few.write_bytes(LINES)
    many.write_bytes(LINES * 100)
    for source, alone in ((few, True), ("-", True), (many, False)):
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "")
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
        assert run(source, "--model", models.whole).exit_code == 0
        assert os.environ.get("OPENBLAS_NUM_THREADS") == ("1" if alone else None)


def test_npz_of_strokes_are_read(models, tmp_path):
    source = tmp_path / "cats.npz"
    moves = np.array([[[0, 0, 0], [200, 30, 0], [55, 225, 1], [-205, -195, 1]]], np.int16)
    np.savez(source, train=moves)
    result = run(source, "--model", models.whole, stdin=b"")
    assert result.exit_code == 0, result.stderr
    (record,) = [json.loads(line) for line in result.stdout.splitlines()]
    cat = json.loads(run("-", "--model", models.whole).stdout.splitlines()[0])
    np.testing.assert_allclose(record["z"], cat["z"], atol=1e-5)


def test_many_drawings_keep_their_order(models, tmp_path):
    """More than one batch, of different lengths, each with its own latent."""
    rng = np.random.default_rng(1)
    drawings = [
        {"drawing": [rng.integers(0, 256, (2, n)).tolist()], "n": n}
        for n in rng.integers(3, 12, size=300).tolist()
    ]
    source = tmp_path / "many.ndjson"
    source.write_text("\n".join(map(json.dumps, drawings)))
    records = [json.loads(x) for x in run(source, "--model", models.whole).stdout.splitlines()]
    assert [record["n"] for record in records] == [drawing["n"] for drawing in drawings]
    alone = json.dumps(drawings[280]).encode()
    record = json.loads(run("--model", models.whole, stdin=alone).stdout)
    np.testing.assert_allclose(record["z"], records[280]["z"], atol=1e-5)


BAD_17 = b"".join([json.dumps(CAT).encode() + b"\n"] * 16) + b'{"drawing": [[[0,\n' + LINES


def test_faulty_lines_are_skipped_and_counted_when_asked(models):
    result = run("--model", models.whole, "--on-error", "skip", stdin=BAD_17)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 19
    assert "1 skipped; the first: standard input:17" in result.stderr


REFUSED = [  # {whole}, {bare}: models; {bad}: a folder
    ("{bad}/cat.ndjson --model {bad}/none", "none: no such checkpoint"),
    ("{bad}/cat.ndjson --model {bad}/cat.ndjson", "not a model, which is a run folder"),
    ("{bad}/cat.ndjson --model {bad}/empty", "no model.safetensors in this folder"),
    ("{bad}/cat.ndjson --model {bare}", "bare.safetensors: decoder-only, so it knows no latents"),
    ("{bad}/none.ndjson --model {whole}", "none.ndjson: no such file"),
    ("{bad}/cat.txt --model {whole}", "cat.txt: JSON; name it .ndjson"),
    ("{bad}/page.ndjson --model {whole}", "page.ndjson: a web page"),
    ("{bad}/17.ndjson --model {whole}", "17.ndjson:17: "),
    ("{bad}/nothing.ndjson --model {whole}", "nothing.ndjson: an empty file"),
    ("{bad}/blank.ndjson --model {whole}", "blank.ndjson"),
    ("{bad}/broken.ndjson --model {whole} --on-error skip", "broken.ndjson: no drawings to encode"),
    ("{bad}/cat.ndjson --model {whole} -o {bad}/z.csv", "z.csv: unknown format 'csv'"),
    ("{bad}/cat.ndjson --model {whole} -o {bad}/cat.txt/z.npz", "is not a folder"),
    ("{bad}/cat.ndjson --model {whole} -o - --json", "give -o FILE"),
]


@pytest.fixture
def bad(tmp_path):
    """Files that are not what they should be, and one that is."""
    (tmp_path / "empty").mkdir()
    for name, data in {
        "cat.ndjson": LINES,
        "cat.txt": LINES,
        "17.ndjson": BAD_17,
        "page.ndjson": b"<html></html>",
        "nothing.ndjson": b"",
        "blank.ndjson": b"\n\n",
        "broken.ndjson": b"{\n",
    }.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_input_is_one_line_and_leaves_no_file(models, bad, arguments, message):
    names = {"whole": models.whole, "bare": models.bare, "bad": str(bad)}
    words = [word.format(**names) for word in arguments.split()]
    if "-o" not in words:
        words += ["-o", str(bad / "out.npz")]
    before = sorted(bad.rglob("*"))
    result = run(*words, stdin=b"")
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert sorted(bad.rglob("*")) == before


def test_an_npz_to_a_terminal_is_refused(models, monkeypatch):
    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(files, "sys", terminal)
    result = run("--model", models.whole, "--format", "npz")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "terminal" in result.stderr


def loads_torch(code):
    check = f"{code}\nimport sys; sys.exit(77 if 'torch' in sys.modules else 0)"
    ran = subprocess.run(
        [sys.executable, "-c", check], check=False, input=LINES, stdout=subprocess.DEVNULL
    )
    return ran.returncode == 77


@pytest.mark.slow
def test_encoding_on_a_cpu_never_loads_torch(models):
    words = ["encode", "--model", models.whole, "--quiet"]
    call = f"from sketchrnn_cli.cli.app import app; app({words}, standalone_mode=False)"
    assert not loads_torch(call)
    assert loads_torch(f"{call}; import sys; sys.modules['torch'] = sys")  # as if it were loaded


@pytest.mark.slow
def test_a_line_comes_out_before_the_next_goes_in(models):
    process = warm.Popen(
        [sys.executable, "-m", "sketchrnn_cli", "encode", "--model", models.whole],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    lines = queue.Queue()
    reader = threading.Thread(
        target=lambda: [lines.put(line) for line in process.stdout], daemon=True
    )
    reader.start()
    try:
        for drawing in (CAT, DOG):
            process.stdin.write(json.dumps(drawing).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(lines.get(timeout=60))["drawing"] == drawing["drawing"]
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


@pytest.fixture
def worded(tmp_path):
    """A run whose model is told two words and knows nothing of their latents; drawings of them."""
    (tmp_path / "run").mkdir()
    model = networks.tiny(n_words=2, words=("boat", "star"), preparation=PREPARATION)
    checkpoint.save(tmp_path / "run" / "model.safetensors", model)
    sketches = [synthetic.draw(word, 0, k) for k in range(40) for word in ("star", "boat")]
    (tmp_path / "two.ndjson").write_bytes(b"".join(map(ndjson.to_line, sketches)))
    return tmp_path


def test_fit_puts_the_latents_of_every_word_into_the_model(worded):
    two, run_folder = worded / "two.ndjson", worded / "run"
    result = run(two, "--model", run_folder, "--fit", "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert set(answer["components"]) == {"boat", "star"}
    fitted = checkpoint.load(run_folder).weights
    mus = {"boat": [], "star": []}
    for line in run(two, "--model", run_folder).stdout.splitlines():
        record = json.loads(line)
        mus[record["word"]].append(record["z"])
    for k, word in enumerate(("boat", "star")):
        mean = fitted["latent.weight"][k] @ fitted["latent.mean"][k]
        np.testing.assert_allclose(mean, np.mean(mus[word], 0), atol=0.25)
    assert fitted["latent.share"].tolist() == [0.5, 0.5]
    before = (run_folder / "model.safetensors").read_bytes()
    assert run(two, "--model", run_folder, "--fit").exit_code == 0
    assert (run_folder / "model.safetensors").read_bytes() == before


def test_fit_of_a_packed_set_takes_its_training_split_and_another_file(worded):
    building.build([str(worded / "two.ndjson")], worded / "two.npz", building.BuildOptions())
    before = (worded / "run" / "model.safetensors").read_bytes()
    out = worded / "new.safetensors"
    assert run(worded / "two.npz", "--model", worded / "run", "--fit", "-o", out).exit_code == 0
    assert (worded / "run" / "model.safetensors").read_bytes() == before
    packed = corpus.Corpus.open(worded / "two.npz")
    counts = np.bincount(packed.word_ids[packed.indices("train")])
    np.testing.assert_allclose(
        checkpoint.load(out).weights["latent.share"], counts / counts.sum(), atol=1e-6
    )


def test_fit_counts_faulty_drawings_that_are_skipped(worded):
    lines = b'{"word": "star", "drawing": 7}\n' + (worded / "two.ndjson").read_bytes()
    given = ("-", "--model", worded / "run", "--fit")
    assert run(*given, stdin=lines).exit_code == 1
    result = run(*given, "--on-error", "skip", stdin=lines)
    assert result.exit_code == 0, result.stderr
    assert "1 skipped; the first: standard input" in result.stderr


def test_fit_leaves_out_words_that_the_model_has_not(worded):
    lines = (worded / "two.ndjson").read_bytes() + LINES
    result = run("-", "--model", worded / "run", "--fit", stdin=lines)
    assert result.exit_code == 0
    assert "3 drawings left out" in result.stderr
    result = run("-", "--model", worded / "run", "--fit")
    assert result.exit_code == 1
    assert "standard input: no drawings of the model's words in it: boat, star" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--fit", "does not change the built-in model"),
        ("--fit --model {bare}", "decoder-only"),
        ("--fit --model x.gen.json", "does not change x.gen.json"),
        ("--fit --model {whole} -o z.npz", "safetensors"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(models, arguments, says):
    result = run(*arguments.format(**vars(models)).split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


def test_several_inputs_are_read_in_their_order(models, tmp_path):
    for name, drawing in (("b/one", CAT), ("b/two", DOG), ("a", HUGE)):
        path = tmp_path / f"{name}.ndjson"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(drawing) + "\n")
    line = json.dumps(CAT).encode()
    result = run(tmp_path / "b", "-", tmp_path / "a*", "--model", models.whole, stdin=line)
    assert result.exit_code == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["drawing"] for record in records] == [
        drawing["drawing"] for drawing in (CAT, DOG, CAT, HUGE)
    ]
    out = tmp_path / "fit.safetensors"
    two = [tmp_path / "b" / "one.ndjson", tmp_path / "a.ndjson"]
    result = run(*two, "--model", models.whole, "--fit", "-o", out)
    assert result.exit_code == 0, result.stderr
    assert out.exists()
