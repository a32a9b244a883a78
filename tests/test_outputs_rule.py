"""One rule for the outputs of every command: never an input, and data only with --overwrite."""

from __future__ import annotations

import gzip
import shutil
import sys

import networks
import pytest
import synthetic
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.build import BuildOptions, build
from sketchrnn_cli.sketches.formats import ndjson

MODEL = ("--model", "run")
SAMPLE = ("sample", "-n", "2", "--max-points", "20", *MODEL)
ANIMATE = ("animate", "data/cats.ndjson", "--size", "32", "--duration", "0.5")
DATA = {  # commands that write data, and the suffix
    "preprocess": ("preprocess", "data/cats.ndjson", ".npz"),
    "preprocess sketch-rnn": ("preprocess", "data/cats.ndjson", "--format", "sketch-rnn", ".npz"),
    "preprocess ndjson": ("preprocess", "data/cats.ndjson", ".ndjson"),
    "preprocess ndjson.gz": ("preprocess", "data/cats.ndjson", ".jsonl.gz"),
    "sample ndjson": (*SAMPLE, ".ndjson"),
    "sample ndjson.gz": (*SAMPLE, ".ndjson.gz"),
    "sample npz": (*SAMPLE, ".npz"),
    "encode ndjson": ("encode", "data/cats.ndjson", *MODEL, ".ndjson"),
    "encode npz": ("encode", "data/cats.ndjson", *MODEL, ".npz"),
    "encode --fit": ("encode", "data/cats.npz", *MODEL, "--fit", ".safetensors"),
    "export safetensors": ("export", *MODEL, ".safetensors"),
    "export html": ("export", *MODEL, ".html"),
    "export npz": ("export", *MODEL, ".npz"),
    "export json": ("export", *MODEL, ".vae.json"),
}
SVGZ = {  # commands that write an SVG
    "sample": (*SAMPLE, "-o"),
    "sample numbered": (*SAMPLE, "-o", "%d"),
    "animate": (*ANIMATE, "-o"),
    "inspect": ("inspect", "data/cats.ndjson", "-o"),
    "inspect --map": ("inspect", "data/cats.ndjson", *MODEL, "--map"),
}
PICTURES = {  # commands that write pictures: arguments, the option and the suffix
    "sample svg": (*SAMPLE, "-o", ".svg"),
    "sample png": (*SAMPLE, "-o", ".png"),
    "animate": (*ANIMATE, "-o", ".gif"),
    "animate svg": (*ANIMATE, "-o", ".svg"),
    "inspect --grid": ("inspect", "data/cats.ndjson", "--grid", ".svg"),
}
READS = {  # commands with an input among the arguments that the output could be, and the option
    "preprocess": ("preprocess", "{}", "-o"),
    "preprocess ndjson": ("preprocess", "{}", "--format", "ndjson", "-o"),
    "encode": ("encode", "{}", *MODEL, "--format", "npz", "-o"),
    "sample --complete": (*SAMPLE, "--complete", "{}", "--format", "ndjson", "-o"),
    "animate": ("animate", "{}", "--format", "gif", "-o"),
}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Drawings, a packed set and a model."""
    place = tmp_path_factory.mktemp("given")
    (place / "data").mkdir()
    lines = [ndjson.to_line(sketch) for sketch in synthetic.generate(6, seed=1)]
    (place / "data" / "cats.ndjson").write_bytes(b"".join(lines))
    source, out = place / "data" / "cats.ndjson", place / "cats.npz"
    build([str(source)], out, BuildOptions(label="cat"))
    (place / "run").mkdir()
    words = tuple(sorted({sketch.word for sketch in synthetic.generate(6, seed=1)}))
    network = networks.tiny(n_mixtures=20, words=words[:1])
    checkpoint.save(place / "run" / "model.safetensors", network)
    return place


@pytest.fixture
def place(given, tmp_path, monkeypatch):
    shutil.copytree(given, tmp_path, dirs_exist_ok=True)
    (tmp_path / "cats.npz").rename(tmp_path / "data" / "cats.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.mark.parametrize("name", DATA)
def test_data_is_replaced_only_when_told_to(place, name):
    *arguments, suffix = DATA[name]
    target = place / f"out{suffix}"
    target.write_bytes(b"precious")
    result = run(*arguments, "-o", target)
    assert result.exit_code == 1, result.output
    assert f"out{suffix}: exists; give --overwrite to replace it" in result.stderr
    assert target.read_bytes() == b"precious"
    result = run(*arguments, "-o", target, "--overwrite")
    assert result.exit_code == 0, result.output
    assert target.read_bytes() != b"precious"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_replaced_without_asking(place, name):
    *arguments, option, suffix = PICTURES[name]
    target = place / f"out{suffix}"
    target.write_bytes(b"a picture")
    result = run(*arguments, option, target)
    assert result.exit_code == 0, result.output
    assert target.read_bytes() != b"a picture"


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".safetensors", ".npy", ".ndjson.gz"])
@pytest.mark.parametrize("name", ["sample png", "animate"])
def test_a_picture_does_not_take_the_place_of_data(place, name, suffix):
    format = {"sample png": "png", "animate": "gif"}[name]
    arguments = SAMPLE if name.startswith("sample") else ANIMATE
    target = place / f"mine{suffix}"
    target.write_bytes(b"precious")
    result = run(*arguments, "--format", format, "-o", target)
    assert result.exit_code == 1, result.output
    assert f"mine{suffix}: exists; give --overwrite to replace it" in result.stderr
    assert target.read_bytes() == b"precious"
    assert run(*arguments, "--format", format, "-o", target, "--overwrite").exit_code == 0
    assert target.read_bytes() != b"precious"


@pytest.mark.parametrize("suffix", [".svgz", ".svg.gz"])
@pytest.mark.parametrize("name", SVGZ)
def test_an_svg_is_compressed_where_its_name_says_so(place, name, suffix):
    *arguments, last = SVGZ[name]
    target = f"out-1{suffix}"
    given = (last, target) if last != "%d" else (f"out-%d{suffix}",)
    result = run(*arguments, *given)
    assert result.exit_code == 0, result.output
    assert b"<svg" in gzip.decompress((place / target).read_bytes())
    assert run(*arguments, *given).exit_code == 0  # again, without asking
    if not name.startswith("inspect --map"):
        assert run("inspect", target).exit_code == 0


def test_names_of_labels_are_not_written_over(place):
    names = place / "names.json"
    names.write_text('["cat", "dog"]', "utf-8")
    arguments = ("preprocess", "data/cats.ndjson", "--labels", names, "--overwrite")
    result = run(*arguments, "--format", "packed", "-o", names)
    assert (result.exit_code, "is also read" in result.stderr) == (1, True)
    assert names.read_text("utf-8") == '["cat", "dog"]'


@pytest.mark.parametrize("name", READS)
def test_an_input_is_never_written(place, name):
    """By its name, another name, a link, a folder or a pattern, whatever the format is."""
    source = place / "data" / "cats.ndjson"
    before = source.read_bytes()
    (place / "link.ndjson").symlink_to(source)
    *arguments, option = READS[name]
    more = ["--overwrite"] if arguments[0] != "animate" else []
    for read, written in (
        ("data/cats.ndjson", "data/cats.ndjson"),
        ("data/cats.ndjson", place / "data" / ".." / "data" / "cats.ndjson"),
        ("link.ndjson", "data/cats.ndjson"),
        ("data/cats.ndjson", "link.ndjson"),
        ("data", "data/cats.ndjson"),
        ("data", "data/new.npz"),
        ("data/*.ndjson", "data/cats.ndjson"),
        ("data/*.ndjson", "data/new.ndjson"),
    ):
        result = run(*[a.format(read) for a in arguments], option, written, *more)
        assert result.exit_code == 1, (read, written, result.output)
        assert "is also read" in result.stderr, (read, written)
        assert source.read_bytes() == before
        assert not (place / "data" / "new.npz").exists()


def test_a_model_is_not_written_by_a_command_that_uses_it(place):
    model = place / "run" / "model.safetensors"
    before = model.read_bytes()
    for arguments in (
        ("export", *MODEL, "-o", model, "--overwrite"),
        ("export", "--model", model, "-o", model, "--overwrite"),
        ("encode", "data/cats.ndjson", *MODEL, "-o", model, "--format", "npz", "--overwrite"),
        (*SAMPLE, "-o", model, "--format", "npz", "--overwrite"),
    ):
        result = run(*arguments)
        assert (result.exit_code, "is also read" in result.stderr) == (1, True), result.output
        assert model.read_bytes() == before
    assert run(*SAMPLE, "-o", place / "run" / "cats.svg").exit_code == 0
    assert run("export", *MODEL, "-o", place / "run" / "page.html").exit_code == 0


def test_a_set_in_the_folder_it_is_made_of_is_refused_the_first_time_too(place):
    result = run("preprocess", "data", "-o", "data/set.npz")
    assert (result.exit_code, "is also read" in result.stderr) == (1, True)
    assert run("preprocess", "data/cats.ndjson", "-o", "data/set.npz").exit_code == 0


def test_a_run_is_replaced_only_when_told_to(place):
    before = (place / "run" / "model.safetensors").read_bytes()
    result = run("train", "data/cats.npz", "-o", "run", "--steps", "1")
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert (place / "run" / "model.safetensors").read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="a file that cannot be read, on Linux")
@pytest.mark.parametrize("suffix", [".ndjson", ".npz", ".svg", ".bin"])
@pytest.mark.parametrize("name", [name for name in READS if name != "sample --complete"])
def test_a_read_error_is_told_of_what_was_read(place, name, suffix):
    source = place / f"broken{suffix}"
    source.symlink_to("/proc/self/mem")  # its first byte cannot be read
    *arguments, option = READS[name]
    result = run(*[a.format(source) for a in arguments], option, "out.npz")
    assert result.exit_code == 1, result.output
    assert f"error: {source}: cannot be read: input/output error\n" in result.stderr
    assert not (place / "out.npz").exists()
