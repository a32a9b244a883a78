"""``sketchrnn inspect`` as a person runs it."""

import json
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import datafiles
import numpy as np
import pytest
import synthetic
import warm
from networks import tiny
from typer.testing import CliRunner

from sketchrnn_cli.cli import inspect_pictures, report
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches import corpus, statistics
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.sketches.preparation import Preparation, prepare_like
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3
from sketchrnn_cli.training import metrics as log

KEYS = (
    "magenta_l_r", "magenta_l_kl", "nats_per_sketch", "kl_nats_per_sketch", "nats_per_point",
    "n_max", "n_sketches", "scale_factor", "split_hash",
)  # fmt: skip


def inspect(*arguments):
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)], catch_exceptions=False)


def found(*arguments):
    result = inspect(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def one_line(result, *says):
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for text in says:
        assert text in result.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Doodles as ndjson and packed, and a run of an untrained model with a short history."""
    folder = tmp_path_factory.mktemp("inspect")
    sketches = [synthetic.draw(word, 0, k) for k in range(40) for word in ("star", "boat")]
    sketches[4] = Sketch((*sketches[4].strokes, *sketches[0].strokes), "star")  # the longest
    (folder / "two.ndjson").write_bytes(b"".join(map(ndjson.to_line, [*sketches, sketches[0]])))
    building.build([str(folder / "two.ndjson")], folder / "two.npz", building.BuildOptions())
    packed = corpus.Corpus.open(folder / "two.npz")
    model = tiny(
        words=("boat", "star"),
        scale_factor=packed.scale_factor,
        preparation=packed.preparation.to_dict(),
        training={"step": 40, "seed": 0, "valid": {"loss": 1.5, "l_r": 1.25, "l_kl": 0.5}},
    )
    for name in ("run", "no history"):
        (folder / name).mkdir()
        checkpoint.save(folder / name / checkpoint.FILE_NAME, model)
    for k in range(1, 5):
        for split in ("train", "valid"):
            line = log.Metrics(10 * k, split, 3 / k, 2 / k, 1 / k, 1e-3, 0.01, 100.0, 1.0 * k)
            log.append(folder / "run", line)
    return folder


@pytest.mark.parametrize("form", ["lines", "array", "object"])
def test_json_of_drawings_is_no_model(tmp_path, form):
    drawing = {"word": "cat", "drawing": [[[0, 9, 5], [0, 9, 2]]]}
    text = {
        "lines": f"{json.dumps(drawing)}\n" * 2,
        "array": json.dumps([drawing, drawing]),
        "object": json.dumps(drawing, indent=1) * 2,
    }[form]
    (tmp_path / "cats.json").write_text(text, "utf-8")
    result = inspect(tmp_path / "cats.json")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0, f"{tmp_path / 'cats.json'}: 2 drawings"
    )  # fmt: skip


def test_counts_are_those_of_the_drawings(place):
    facts = found(place / "two.ndjson")
    sketches = list(datafiles.ndjson_sketches(place / "two.ndjson"))
    lengths = [sketch.n_points for sketch in sketches]
    offsets = np.concatenate([to_stroke3(sketch)[:, :2] for sketch in sketches])
    assert facts["kind"] == "drawings"
    assert facts["n_sketches"] == len(sketches) == 81
    assert facts["splits"] == {"unsplit": 81}
    assert facts["words"] == {"star": {"unsplit": 41}, "boat": {"unsplit": 40}}
    assert facts["points"]["total"] == sum(lengths)
    assert facts["points"]["min"] == min(lengths)
    assert facts["n_max"] == facts["points"]["max"] == max(lengths)
    assert facts["points"]["mean"] == pytest.approx(np.mean(lengths))
    assert facts["points"]["median"] == np.median(lengths)
    assert facts["strokes_mean"] == pytest.approx(np.mean([len(s.strokes) for s in sketches]))
    assert facts["scale_factor"] == pytest.approx(np.std(offsets), rel=1e-6)
    assert facts["whole_numbers"] is True
    assert 253 <= facts["extent_mean"] <= 255
    assert facts["n_faulty"] == 0


def test_a_packed_set_tells_splits_preparation_and_duplicates(place):
    facts = found(place / "two.npz")
    packed = corpus.Corpus.open(place / "two.npz")
    assert sum(facts["splits"].values()) == facts["n_sketches"] == 81
    for split in corpus.SPLITS:
        per_word = [counts.get(split, 0) for counts in facts["words"].values()]
        assert sum(per_word) == facts["splits"].get(split, 0) == len(packed.indices(split))
    assert facts["scale_factor"] == packed.scale_factor
    assert facts["n_max"] == packed.n_max
    assert (facts["packed"], facts["dtype"]) == (True, "int16")
    assert facts["preparation"]["fit"] is True
    text = inspect(place / "two.npz").stdout
    assert "fitted to a 255 box" in text
    assert sum(facts["report"]["duplicates"].values()) == 1
    assert "duplicates  1 in " in text
    assert "leakage     none" in text


def test_splits_of_a_sketch_rnn_file_and_its_stray_arrays_are_told(place, tmp_path):
    path = tmp_path / "cat.npz"
    building.build_sketch_rnn([str(place / "two.npz")], path, building.BuildOptions())
    with zipfile.ZipFile(path, "a") as archive, archive.open("odd.npy", "w") as odd:
        np.lib.format.write_array(odd, np.arange(3.0))
    facts = found(path)
    same = found(place / "two.npz")
    assert facts["splits"] == same["splits"]
    assert facts["words"] == {"cat": same["splits"]}
    assert facts["scale_factor"] == pytest.approx(same["scale_factor"], rel=1e-9)
    assert "odd" in facts["notes"][0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "scale", "n_max"),
    [("aaron_sheep", 18.5198, 250), ("omniglot", 53.437, 157), ("kanji.rdp200", 22.7304, 70)],
)
def test_published_figures_of_known_files(shared_data, name, scale, n_max):
    facts = found(shared_data / "sketch-rnn-datasets" / f"{name}.npz")
    assert facts["scale_factor"] == pytest.approx(scale, abs=1e-3)
    assert facts["n_max"] == n_max


def test_a_folder_and_standard_input_are_inspected_too(place, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.ndjson").write_bytes((place / "two.ndjson").read_bytes())
    assert found(tmp_path)["n_sketches"] == 2 * 81
    command = [sys.executable, "-m", "sketchrnn_cli", "inspect", "-", "--json"]
    piped = warm.run(
        command, input=(place / "two.ndjson").read_bytes(), capture_output=True, check=True
    )
    assert json.loads(piped.stdout)["n_sketches"] == 81


def test_faulty_drawings_are_counted_and_the_first_is_named(place, tmp_path):
    lines = (place / "two.ndjson").read_bytes().splitlines(keepends=True)
    lines[16] = b'{"word": "star", "drawing": [[[1, 2], [3\n'
    (tmp_path / "broken.ndjson").write_bytes(b"".join(lines))
    facts = found(tmp_path / "broken.ndjson")
    assert (facts["n_sketches"], facts["n_faulty"]) == (80, 1)
    assert "17" in facts["faults"][0]
    assert "faulty" in inspect(tmp_path / "broken.ndjson").stdout


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.npz", b"", "empty file"),
        ("empty.ndjson", b"", "empty.ndjson"),
        ("page.npz", b"<!DOCTYPE html><html>", "web page"),
        ("cut.npz", b"PK\x03\x04 and then nothing", "cut.npz"),
        ("cut.gen.json", b'[{"mode":2,"version":6}, [[5,', "not a browser model"),
        ("text.ndjson", b"hello\n", "text.ndjson"),
        ("notes.txt", b"hello\n", "unknown format"),
    ],
)
def test_what_is_no_drawing_gets_one_line(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    one_line(inspect(tmp_path / name), says, name)


def test_a_file_of_latents_gets_one_line_saying_what_it_holds(tmp_path):
    np.savez(tmp_path / "z.npz", z=np.zeros((4, 8)), sigma=np.ones((4, 8)))
    one_line(inspect(tmp_path / "z.npz"), "no drawings", "sigma")


def test_a_missing_file_gets_one_line(tmp_path):
    one_line(inspect(tmp_path / "[x].npz"), "[x].npz: no such file")
    one_line(inspect(tmp_path / "[x].safetensors"), "[x].safetensors: no such checkpoint")


def test_a_run_tells_sizes_losses_and_the_next_command(place):
    facts = found(place / "run")
    stored = checkpoint.load(place / "run")
    assert facts["kind"] == "run"
    assert facts["config"]["decoder_size"] == stored.config.decoder_size
    assert facts["parameters"] == sum(array.size for array in stored.weights.values())
    assert facts["words"] == ["boat", "star"]
    assert facts["scale_factor"] == stored.scale_factor
    assert facts["last_valid"]["step"] == facts["last_train"]["step"] == 40
    assert facts["sample"] == f"sketchrnn sample --model {place / 'run'} -n 9 -o samples.svg"
    text = inspect(place / "run").stdout
    assert "step 40: loss 1.5000, L_R 1.2500, L_KL 0.5000" in text
    assert facts["sample"] in text
    alone = found(place / "run" / checkpoint.FILE_NAME)
    assert alone["kind"] == "model"
    assert "last_valid" not in alone


def test_the_next_command_is_quoted_for_a_shell(place):
    assert "'" in found(place / "no history")["sample"]
    assert found(place / "no history")["last_valid"] is None


@pytest.mark.parametrize("data", ["two.npz", "two.ndjson"])
def test_evaluate_gives_the_stable_keys(place, data):
    facts = found(place / "run", "--evaluate", place / data, "--split", "train")
    packed = corpus.Corpus.open(place / "two.npz")
    network = Engine(checkpoint.load(place / "run"))
    expected = score.evaluate(network, packed, "train", seed=0)
    assert facts["split"] == "train"
    assert facts["split_hash"] == expected["split_hash"]
    for key in set(KEYS) - {"split_hash"}:
        assert facts[key] == pytest.approx(expected[key], rel=1e-6), key


def test_evaluate_says_which_loss_is_which(place):
    text = inspect(place / "run", "--evaluate", place / "two.npz", "--split", "train").stdout
    expected = found(place / "run", "--evaluate", place / "two.npz", "--split", "train")
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert f"{expected['magenta_l_r']:.4f}" in lines["L_R"]
    assert f"{expected['magenta_l_kl']:.4f}" in lines["L_KL"]
    exact = f"{expected['nats_per_sketch']:.2f} nats per drawing (z sampled)"
    assert f"{exact}, {expected['nats_per_point']:.4f} per point" in lines["exact"]
    order = [text.index(f"\n  {name} ") for name in ("exact", "dequantised", "L_R", "L_KL")]
    assert order == sorted(order)
    assert f"{expected['dequantised_nats_per_sketch']:.2f} nats" in lines["dequantised"]
    said = (
        "averaged over each pixel",
        "negative log-likelihood",
        "reconstruction loss of magenta",
        "KL loss of magenta",
    )
    assert all(what in text for what in said)
    assert expected["split_hash"] in text


def test_a_decoder_only_model_is_evaluated_without_latents(place, tmp_path):
    packed = corpus.Corpus.open(place / "two.npz")
    model = tiny(encoder=False, scale_factor=packed.scale_factor)
    checkpoint.save(tmp_path / "d.safetensors", model)
    text = inspect(
        tmp_path / "d.safetensors", "--evaluate", place / "two.npz", "--split", "train"
    ).stdout
    assert "L_R" in text
    assert "L_KL" not in text
    assert "decoder only" in inspect(tmp_path / "d.safetensors").stdout


def test_samples_bound_the_likelihood_by_importance_weighting(place):
    arguments = (place / "run", "--evaluate", place / "two.npz")
    one, many = (found(*arguments, "--samples", k) for k in (1, 50))
    assert (one["iw_samples"], many["iw_samples"]) == (1, 50)
    assert many["iw_nats_per_sketch"] < one["iw_nats_per_sketch"]
    assert "iw_samples" not in found(*arguments)
    text = inspect(*arguments, "--samples", 50).stdout
    assert f"{many['iw_nats_per_sketch']:.2f} at most (50 latents per drawing" in text
    refused = inspect(place / "run", "--samples", 5)
    assert refused.exit_code == 1
    assert "--samples needs --evaluate" in refused.stderr


def test_scores_are_worst_first_and_those_of_the_model(place):
    facts = found(place / "two.ndjson", "--model", place / "run", "--score")
    scores = facts["scores"]
    each = [entry["per_prediction"] for entry in scores]
    assert each == sorted(each)
    assert sorted(entry["index"] for entry in scores) == list(range(81))
    network = Engine(checkpoint.load(place / "run"))
    sketches = list(datafiles.ndjson_sketches(place / "two.ndjson"))
    entry = scores[7]
    sketch = sketches[entry["index"]]
    moves = to_stroke3(sketch)
    moves[:, :2] /= network.checkpoint.scale_factor
    alone = score.log_likelihood(network, [moves], network.encode([moves])[0])[0]
    assert entry["word"] == sketch.word
    assert entry["n_points"] == sketch.n_points
    assert entry["log_likelihood"] == pytest.approx(alone, rel=1e-4)
    assert entry["per_prediction"] == pytest.approx(alone / (sketch.n_points + 1), rel=1e-4)
    lines = inspect(place / "two.ndjson", "--model", place / "run", "--score").stdout.splitlines()
    assert len(lines) == 82
    few = inspect(place / "two.ndjson", "--model", place / "run", "--score", "-n", 5).stdout
    assert few.splitlines() == [*lines[:6], "and 76 more drawings"]
    assert lines[1].split()[3] == str(scores[0]["index"])


def test_scores_of_a_split_number_the_drawings_of_the_set(place, tmp_path):
    packed = corpus.Corpus.open(place / "two.npz")
    grid = tmp_path / "worst.svg"
    facts = found(
        place / "run", "--evaluate", place / "two.npz", "--split", "train", "--score",
        "--grid", grid, "-n", 3,
    )  # fmt: skip
    indices = packed.indices("train").tolist()
    assert sorted(entry["index"] for entry in facts["scores"]) == indices
    captions = [f"{e['word']} {e['per_prediction']:.2f}" for e in facts["scores"]]
    picture = grid.read_text("utf-8")
    at = [picture.find(captions[k]) for k in (0, 1, -1)]  # the worst two and the best
    assert -1 not in at
    assert at == sorted(at)
    assert captions[2] not in picture
    assert captions[-2] not in picture


def test_another_drawing_is_prepared_as_the_training_drawings_were(place, tmp_path):
    drawn = synthetic.draw("star", 0, 3)
    moved = Sketch(tuple(stroke * 3.5 + 41.25 for stroke in drawn.strokes), "star")
    sketch = prepare_like(moved, Preparation(fit=True, simplified=True))
    assert sketch.n_points < drawn.n_points  # it was worth simplifying
    (tmp_path / "one.ndjson").write_bytes(ndjson.to_line(sketch))
    (tmp_path / "far.ndjson").write_bytes(ndjson.to_line(moved))
    one, far = (
        found(tmp_path / name, "--model", place / "run", "--score")["scores"][0]
        for name in ("one.ndjson", "far.ndjson")
    )
    assert far["per_prediction"] == pytest.approx(one["per_prediction"], abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_grid_is_a_sheet_of_the_set_or_of_samples(place, tmp_path, suffix):
    begins = {"svg": b"<?xml", "png": b"\x89PNG"}[suffix]
    for thing in ("two.ndjson", "two.npz", "run"):
        target = tmp_path / f"{thing.split('.')[0]}.{suffix}"
        assert inspect(place / thing, "--grid", target, "-n", 4).exit_code == 0
        data = target.read_bytes()
        assert data.startswith((begins, b"<svg"))
        target.unlink()
        assert inspect(place / thing, "--grid", target, "-n", 4).exit_code == 0
        assert target.read_bytes() == data
        assert inspect(place / thing, "--grid", target, "-n", 4, "--seed", 1).exit_code == 0
        assert target.read_bytes() != data


def test_the_loss_curve_is_drawn_for_a_run_only(place, tmp_path):
    target = tmp_path / "loss.png"
    assert inspect(place / "run", "--plot", target).exit_code == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    one_line(inspect(place / "no history", "--plot", tmp_path / "x.png"), "metrics.jsonl")
    one_line(inspect(place / "two.npz", "--plot", tmp_path / "x.png"), "--plot")
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["two.npz", "--grid", "sheet.bmp"], "bmp"),
        (["two.npz", "--grid", "-"], "error: -o -: the report"),
        (["run", "--plot", "loss.bmp"], "bmp"),
        (["two.npz", "--evaluate", "two.npz"], "--evaluate"),
        (["two.npz", "--model", "run"], "--score"),
        (["run", "--model", "run", "--score"], "--model"),
        (["run", "--score"], "--score"),
        (["run", "--evaluate", "missing.npz"], "missing.npz: no such file"),
        (["two.npz", "--model", "two.npz", "--score"], "not a model, which is a run folder"),
    ],
)
def test_what_does_not_go_together_is_one_line(place, monkeypatch, arguments, says):
    monkeypatch.chdir(place)
    before = set(place.iterdir())
    one_line(inspect(*arguments), says)
    assert set(place.iterdir()) == before


@pytest.mark.slow
def test_examples_are_a_fair_choice_in_file_order(place):
    def chosen(seed, n):
        blocks = datafiles.ndjson_blocks(str(place / "two.ndjson"))
        return statistics.of_blocks(blocks, n_examples=n, seed=seed)[1]

    everything = [to_stroke3(s).tobytes() for s in datafiles.ndjson_sketches(place / "two.ndjson")]
    taken = np.zeros(len(everything))
    for seed in range(200):
        numbers = [everything.index(to_stroke3(s).tobytes()) for s in chosen(seed, 8)]
        assert len(numbers) == 8
        assert [k for k in numbers if k] == sorted(k for k in numbers if k)  # 0 is there twice
        taken[numbers] += 1
    assert taken[1:80].min() > 5  # 20 expected
    assert taken[1:80].max() < 45
    assert len(chosen(0, 500)) == 81


def test_drawings_are_shown_to_a_person_only(place, monkeypatch):
    piped = inspect(place / "two.npz").stdout
    assert not any("⠀" <= c <= "⣿" for c in piped)
    monkeypatch.setattr("sketchrnn_cli.cli.inspect.stdout_is_terminal", lambda: True)
    for thing in ("two.npz", "two.ndjson", "run"):
        shown = inspect(place / thing, "-n", 2).stdout
        assert any("⠁" <= c <= "⣿" for c in shown), thing
    assert inspect(place / "two.npz", "--json").stdout.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["two.npz"], ["run"], ["run", "--evaluate", "two.npz", "--split", "train"]]
)
def test_torch_is_not_loaded(place, arguments):
    def loads_torch(before):
        code = (
            f"{before}\nimport sys\nfrom sketchrnn_cli.cli.app import app\n"
            "try:\n    app(['inspect', *sys.argv[1:]])\n"
            "except SystemExit as end:\n    assert not end.code, end.code\n"
            "sys.exit(77 if 'torch' in sys.modules else 0)"
        )
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=place, check=False, stdout=subprocess.DEVNULL)
        assert done.returncode in (0, 77)
        return done.returncode == 77

    assert not loads_torch("")
    if arguments == ["run"]:
        assert loads_torch("import sys; sys.modules['torch'] = sys")  # the check can fail


# pictures


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A model that is told words and knows where their latents lie, and a decoder-only one."""
    folder = tmp_path_factory.mktemp("told")
    rng = np.random.default_rng(5)
    network = tiny(n_words=2, words=("boat", "star"))
    weights = {
        "latent.share": np.full(2, 0.5, "f4"),
        "latent.weight": np.ones((2, 1), "f4"),
        "latent.mean": rng.normal(size=(2, 1, 8)).astype("f4"),
        "latent.scale": np.stack([np.eye(8, dtype="f4")] * 2),
    }
    checkpoint.save(
        folder / "told.safetensors", replace(network, weights={**network.weights, **weights})
    )
    checkpoint.save(folder / "bare.safetensors", tiny(encoder=False))
    return folder


def made(path, *arguments):
    """A picture that a command makes, and what it says in JSON; the same each time."""
    facts = found(*arguments)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")
    path.unlink()
    again = found(*arguments)
    assert (again, path.read_bytes()) == (facts, data)
    return data, facts


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_several_runs_share_a_plot(place, tmp_path, suffix):
    (tmp_path / "other").mkdir()
    checkpoint.save(tmp_path / "other" / checkpoint.FILE_NAME, tiny())
    for k in range(1, 9):
        line = log.Metrics(5 * k, "valid", 4 / k, 3 / k, 1 / k, 1e-3, 0.01, 100.0, 1.0 * k)
        log.append(tmp_path / "other", line)
    target = tmp_path / f"curves.{suffix}"
    one, _ = made(target, place / "run", "--plot", target)
    two, _ = made(target, place / "run", tmp_path / "other", "--plot", target)
    assert one != two


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_histogram_of_scores_with_the_worst_and_the_best(place, tmp_path, suffix):
    target = tmp_path / f"scores.{suffix}"
    by_data = ("--model", place / "run", "--score", "--plot", target)
    few, facts = made(target, place / "two.ndjson", *by_data, "-n", 4)
    assert len(facts["scores"]) == 81
    more, _ = made(target, place / "two.ndjson", *by_data)
    assert few != more
    by_run = ("--evaluate", place / "two.npz", "--split", "train", "--score", "--plot", target)
    _, facts = made(target, place / "run", *by_run)
    assert facts["scores"]
    assert facts["split"] == "train"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_map_of_drawings_and_of_the_models_own(place, told, tmp_path, suffix):
    target = tmp_path / f"map.{suffix}"
    model = told / "told.safetensors"
    _, facts = made(target, place / "two.ndjson", "--model", model, "--map", target)
    assert facts["map"] == {
        "file": str(target), "projection": "pca", "n_sketches": 81,
        "n_shown": facts["map"]["n_shown"],
    }  # fmt: skip
    assert 1 < facts["map"]["n_shown"] <= 81
    _, facts = made(target, model, "--map", target, "-n", 12)
    assert facts["map"]["n_sketches"] == 12
    assert facts["kind"] == "model"
    text = inspect(place / "two.npz", "--model", model, "--map", target, "-n", 30).stdout
    assert "30 latents by pca" in text


@pytest.mark.slow
def test_a_map_by_neighbours_of_one_split(place, told, tmp_path):
    target = tmp_path / "map.svg"
    split = ("--evaluate", place / "two.npz", "--split", "train")
    arguments = (*split, "--map", target, "--projection", "tsne")
    _, facts = made(target, told / "told.safetensors", *arguments)
    assert facts["map"]["projection"] == "tsne"
    assert facts["map"]["n_sketches"] == facts["n_sketches"]
    assert "magenta_l_r" in facts


def test_drawings_of_a_map_are_a_fair_choice():
    taken = np.zeros(40)
    for seed in range(300):
        gathered = inspect_pictures.Gathered(10, False, None, seed)
        sketch = Sketch(())
        assert sum(1 for _ in gathered.passing((k, sketch) for k in range(40))) == 40
        numbers = [number for number, _ in gathered.kept]
        assert len(set(numbers)) == 10
        taken[numbers] += 1
    assert taken.min() > 45  # 75 expected
    assert taken.max() < 110


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_densities_along_a_drawing_of_the_data_or_of_the_models_own(place, told, tmp_path, suffix):
    target = tmp_path / f"densities.{suffix}"
    scored = found(place / "two.ndjson", "--model", place / "run", "--score")["scores"]
    numbered = ("--densities", target, "--drawing", 7)
    _, facts = made(target, place / "two.ndjson", "--model", place / "run", *numbered)
    (entry,) = [entry for entry in scored if entry["index"] == 7]
    assert facts["densities"]["drawing"] == 7
    assert facts["densities"]["word"] == entry["word"]
    assert facts["densities"]["n_points"] == entry["n_points"]
    assert facts["densities"]["log_likelihood"] == pytest.approx(entry["log_likelihood"], rel=1e-4)
    own = ("--densities", target, "--drawing", 3)
    assert found(told / "told.safetensors", *own)["densities"]["drawing"] == 3
    text = inspect(place / "run", "--densities", target).stdout
    assert f"{target}: drawing 0" in text


@pytest.mark.slow
def test_a_drawing_of_one_dot_has_its_pictures(place, tmp_path):
    (tmp_path / "dot.ndjson").write_text('{"word": "dot", "drawing": [[[5], [5]]]}\n')
    (tmp_path / "dot.npz").parent.mkdir(exist_ok=True)
    thing = (tmp_path / "dot.ndjson", "--model", place / "run")
    for option in ("--map", "--densities", "--grid"):
        extra = ["--score"] if option == "--grid" else []
        target = tmp_path / f"{option[2:]}.svg"
        assert inspect(*thing, *extra, option, target).exit_code == 0
        assert target.exists()
    target = tmp_path / "plot.png"
    assert inspect(*thing, "--score", "--plot", target).exit_code == 0
    assert target.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["run", "--map", "m.bmp"],
            "m.bmp: unknown format 'bmp'; did you mean m.png? known are svg, png",
        ),
        (["run", "--densities", "d.gif"], "d.gif: unknown format 'gif'; known are svg, png"),
        (["run", "--map", "-"], "--map -: the report goes to standard output"),
        (["run", "--map", "two.npz/m.svg"], "is not a folder"),
        (["run", "--map", "a.svg", "--plot", "./a.svg"], "two pictures of one name"),
        (["run", "--projection", "tsne"], "--projection needs --map"),
        (["run", "--drawing", "3"], "--drawing needs --densities"),
        (
            ["two.npz", "--plot", "p.svg"],
            "--plot needs a model or --score: it draws the losses of a run",
        ),
        (
            ["run", "no history", "--map", "m.svg"],
            "--map does not go with several things: runs are compared",
        ),
        (["run", "two.npz", "--plot", "p.svg"], "two.npz: not a run folder"),
        (["two.npz", "--grid", "g.svg", "-n", "10001"], "more than 10,000 drawings"),
        (["two.npz", "--score", "--plot", "p.svg", "-n", "161"], "at most 160 drawings"),
    ],
)
def test_pictures_that_cannot_be_are_refused_before_work_starts(
    place, monkeypatch, arguments, says
):
    monkeypatch.chdir(place)
    monkeypatch.setattr(checkpoint, "load", None)
    monkeypatch.setattr(corpus.Corpus, "open", None)
    before = set(place.iterdir())
    one_line(inspect(*arguments), says)
    assert set(place.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{told}/bare.safetensors", "--map", "m.svg"], "decoder-only and knows no latents"),
        (["two.npz", "--model", "{told}/bare.safetensors", "--map", "m.svg"], "decoder-only"),
        (["run", "--map", "m.svg"], "has no latent prior; give drawings"),
        (["two.npz", "--model", "run", "--densities", "d.svg", "--drawing", "81"], "none of that"),
        (["empty.ndjson", "--model", "run", "--map", "m.svg"], "empty.ndjson"),
        (["long.ndjson", "--model", "run", "--densities", "d.svg"], "has 1,001 points; at most"),
        (["run", *["no history"] * 8, "--plot", "p.svg"], "at most 8 are told apart"),
        (["run", "no history", "--plot", "p.svg"], "no history: no metrics.jsonl here"),
    ],
)
def test_what_a_picture_lacks_is_one_line(place, told, monkeypatch, arguments, says):
    monkeypatch.chdir(place)
    (place / "empty.ndjson").write_bytes(b"")
    zigzag = [[[k % 256 for k in range(1001)], [255 * (k % 2) for k in range(1001)]]]
    (place / "long.ndjson").write_text(json.dumps({"word": "star", "drawing": zigzag}))
    before = set(place.iterdir())
    one_line(inspect(*(each.format(told=told) for each in arguments)), says)
    assert set(place.iterdir()) == before
    (place / "empty.ndjson").unlink()
    (place / "long.ndjson").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["run"], ["two.npz"], ["run", "--grid", "g.svg", "-n", "1"]])
def test_libraries_of_plots_are_not_loaded_for_anything_else(place, arguments):
    def loads(before):
        code = (
            f"{before}\nimport sys\nfrom sketchrnn_cli.cli.app import app\n"
            "try:\n    app(['inspect', *sys.argv[1:]])\n"
            "except SystemExit as end:\n    assert not end.code, end.code\n"
            "sys.exit(77 if {'matplotlib', 'sklearn', 'scipy'} & sys.modules.keys() else 0)"
        )
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=place, check=False, stdout=subprocess.DEVNULL)
        assert done.returncode in (0, 77)
        return done.returncode == 77

    assert not loads("")
    if arguments == ["run"]:
        assert loads("import matplotlib")  # the check can fail
    (place / "g.svg").unlink(missing_ok=True)


# how far a run is, and two of them


@pytest.fixture
def half(place, tmp_path):
    """A run that was stopped on its way."""
    run = tmp_path / "half"
    (run / "state").mkdir(parents=True)
    model = checkpoint.load(place / "run")
    training = {**model.training, "n_train": 72, "counts": [36, 36]}
    checkpoint.save(run / checkpoint.FILE_NAME, replace(model, training=training))
    (run / "state" / "step-000000055.safetensors").write_bytes(b"")
    (run / "config.toml").write_text(
        "[model]\ndecoder_size = 12\n[training]\nsteps = 200\nbatch_size = 8\n[data]\n"
        'sources = ["two words.ndjson"]\npacked = "state/corpus.npz"\nhash = "abc"\n'
    )
    for k in range(1, 6):
        for split in ("train", "valid"):
            loss = abs(k - 4) + 1.0  # best at 40
            log.append(run, log.Metrics(10 * k, split, loss, loss, 0.3, 1e-3, 0.5, 80.0, 2.0 * k))
    return run


def test_a_run_tells_how_far_it_is_and_how_to_go_on(half):
    facts = found(half)
    assert (facts["state"], facts["step"], facts["last_step"]) == ("stopped", 55, 200)
    assert (facts["best"]["step"], facts["best"]["loss"]) == (40, 1.0)
    assert (facts["seconds"], facts["sketches_per_second"]) == (10.0, 80.0)
    assert facts["steps_per_second"] == pytest.approx(5.0)
    assert facts["seconds_left"] == pytest.approx(145 / 5)
    assert facts["commands"]["go on"] == f"sketchrnn train -o {half} --resume"
    text = inspect(half).stdout
    assert "stopped, step 55 of 200, 10 s of training" in text
    assert "80 drawings per second, 5 steps; 29 s left" in text
    assert "two words.ndjson" in text
    config = half / "config.toml"
    config.write_text(config.read_text().replace("steps = 200", "epochs = 5.0"))
    assert found(half)["last_step"] == 45  # 5 x 72 / 8
    assert found(half)["state"] == "done"
    assert "go on" not in found(half)["commands"]
    config.write_text("not [ toml")
    assert found(half)["last_step"] is None
    config.write_text("[data]\nsources = 3\npacked = 4\n[training]\nsteps = 'many'\n")
    assert found(half)["sources"] == []
    assert inspect(half).exit_code == inspect(half, half).exit_code == 0


def test_a_run_without_a_model_yet_tells_how_far_it_is(half):
    (half / checkpoint.FILE_NAME).unlink()
    facts = found(half)
    assert (facts["kind"], facts["state"], facts["step"]) == ("run", "stopped", 55)
    text = inspect(half).stdout
    assert "a run without a model" in text
    assert f"go on       sketchrnn train -o {half} --resume" in text
    one_line(inspect(half, "--grid", "x.svg"), "no model.safetensors")
    one_line(inspect(half, half), "no model.safetensors")


def test_a_run_that_is_trained_just_now_is_running(half):
    from sketchrnn_cli import locks

    with locks.exclusive(half):
        facts = found(half)
    assert facts["state"] == "running"
    assert "go on" not in facts["commands"]
    assert found(half)["state"] == "stopped"


def test_the_commands_a_model_is_told_with_work_as_printed(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drawings.ndjson").write_bytes((place / "two.ndjson").read_bytes())
    commands = found(place / "run")["commands"]
    assert set(commands) == {"evaluate", "encode", "export", "go on"}
    for what in ("evaluate", "encode", "export"):
        arguments = shlex.split(commands[what])[1:]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{what}: {result.stderr}"
    assert {path.name for path in tmp_path.iterdir()} == {"drawings.ndjson", "z.npz", "page.html"}
    assert "commands" not in found()


def test_two_runs_are_compared(half, tmp_path):
    other = shutil.copytree(half, tmp_path / "other")
    same = found(half, other)
    assert (same["kind"], same["differences"], same["same_data"]) == ("comparison", {}, True)
    config = other / "config.toml"
    config.write_text(config.read_text().replace("batch_size = 8", "batch_size = 16"))
    log.append(other, log.Metrics(60, "valid", 0.5, 0.4, 0.2, 1e-3, 0.5, 80.0, 12.0))
    facts = found(half, other)
    assert facts["differences"] == {"training.batch_size": [8, 16]}
    assert facts["figures"]["best_loss"] == [1.0, 0.5]
    assert facts["figures"]["step"] == [55, 60]
    assert [run["path"] for run in facts["runs"]] == facts["paths"] == [str(half), str(other)]
    text = inspect(half, other).stdout
    assert [line.split() for line in text.splitlines() if line.startswith("batch_size")] == [
        ["batch_size", "8", "16"]
    ]
    assert "best loss" in text
    assert "compare losses on the same drawings only" not in text
    config.write_text(config.read_text().replace('hash = "abc"', 'hash = "abd"'))
    assert "compare losses on the same drawings only" in inspect(half, other).stdout


@pytest.mark.parametrize("width", [20, 40])
def test_a_comparison_fits_a_narrow_window(half, tmp_path, width):
    other = shutil.copytree(half, tmp_path / "other")
    facts = found(half, other)
    lines = report.comparison(facts, width)
    table = lines[: lines.index("")]
    assert max(map(len, table)) <= max(width, 31)
    assert "step" in lines


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "two.npz"], "only runs and models are compared"),
        (["run", "run", "--score"], "--score does not go with several things"),
        (["run", "run", "--grid", "x.svg"], "-o does not go with several things"),
        (["run", "run", "--map", "x.svg"], "--map does not go with several things"),
    ],
)
def test_what_is_not_compared_is_one_line(place, monkeypatch, arguments, says):
    monkeypatch.chdir(place)
    one_line(inspect(*arguments), says)


def test_equal_drawings_are_found_in_files_too(place, tmp_path):
    facts = found(place / "two.ndjson")
    assert facts["duplicates"] == {"unsplit": 1}
    assert "duplicates  1\n" in inspect(place / "two.ndjson").stdout
    rows = [to_stroke3(synthetic.draw("star", 0, k)).astype(np.int16) for k in range(6)]
    parts = {"train": [0, 1, 1, 2, 2, 2], "valid": [1, 3, 3], "test": [1, 3, 4]}
    arrays = {}
    for name, numbers in parts.items():
        arrays[name] = np.empty(len(numbers), object)
        arrays[name][:] = [rows[k] for k in numbers]
    np.savez(tmp_path / "star.npz", **arrays)
    facts = found(tmp_path / "star.npz")
    assert facts["duplicates"] == {"train": 3, "valid": 1, "test": 0}
    assert facts["leakage"] == {"valid_in_train": 1, "test_in_train": 1, "test_in_valid": 2}
    text = inspect(tmp_path / "star.npz").stdout
    assert "leakage     1 valid in train, 1 test in train, 2 test in valid" in text


def test_equal_drawings_are_not_looked_for_among_too_many(place, monkeypatch):
    monkeypatch.setattr(statistics, "MOST_COMPARED", 80)
    assert found(place / "two.ndjson")["duplicates"] is None
    assert "not looked for" in inspect(place / "two.ndjson").stdout


@pytest.mark.slow
def test_runs_are_compared_and_their_curves_drawn(place, tmp_path):
    target = tmp_path / "curves.svg"
    text = inspect(place / "run", place / "run", "--plot", target).stdout
    assert text.startswith(inspect(place / "run", place / "run").stdout)
    assert text.endswith(f"{target}: 2 loss curves\n")
    assert target.exists()


@pytest.mark.slow
def test_every_picture_is_said_to_be_written(place, tmp_path):
    for option, thing in (("--grid", "run"), ("--plot", "run"), ("--grid", "two.npz")):
        target = tmp_path / f"{thing}{option}.png"
        extra = ["-n", 2] if option == "--grid" else []
        assert f"\n{target}: " in inspect(place / thing, option, target, *extra).stdout
        assert found(place / thing, option, target, *extra)[option[2:]]["file"] == str(target)


def test_a_picture_does_not_replace_what_is_read(place, tmp_path):
    line = b'{"word": "dot", "drawing": [[[5, 9], [5, 9]]]}\n'
    (tmp_path / "a.ndjson").write_bytes(line)
    (tmp_path / "a.svg").symlink_to(tmp_path / "a.ndjson")
    one_line(inspect(tmp_path / "a.ndjson", "--grid", tmp_path / "a.svg"), "is also read")
    assert (tmp_path / "a.ndjson").read_bytes() == line


def test_a_folder_of_drawings_with_a_config_of_another_program_is_drawings(place, tmp_path):
    (tmp_path / "a.ndjson").write_bytes(b'{"word": "dot", "drawing": [[[5, 9], [5, 9]]]}\n')
    (tmp_path / "config.toml").write_text("[server]\nport = 80\n")
    facts = found(tmp_path)
    assert (facts["kind"], facts["n_sketches"]) == ("drawings", 1)
