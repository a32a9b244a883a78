"""``sketchrnn train`` as a person runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import synthetic
import warm
from quickdraw_server import drawings as quickdraw
from quickdraw_server import serving
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import practice
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.training.config import TrainingConfig

QUICK = ["--preset", "tiny", "--batch-size", "8", "--quiet"]


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "stars.ndjson"
    lines = [ndjson.to_line(synthetic.draw("star", 0, k)) for k in range(60)]
    path.write_bytes(b"".join(lines))
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)], catch_exceptions=False)


def one_line(result, *says):
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for text in says:
        assert text in result.stderr


@pytest.fixture(scope="module")
def trained(drawings, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "stars"
    result = run(drawings, "-o", out, "--steps", 6, *QUICK[:-1])
    assert result.exit_code == 0, result.stderr
    return out, result


def test_a_run_folder_holds_what_the_contract_says(trained):
    out, result = trained
    names = {path.name for path in out.iterdir()}
    assert names == {
        "model.safetensors",
        "state",
        "config.toml",
        "metrics.jsonl",
        "loss.png",
        "samples",
    }
    assert (out / "loss.png").read_bytes()[:4] == b"\x89PNG"
    assert [path.name for path in (out / "samples").iterdir()] == ["step-000006.png"]
    model = checkpoint.load(out)
    assert model.words == ("star",)
    assert model.preparation["fit"] is True
    assert result.stdout == ""
    assert f"sketchrnn sample --model {out}" in result.stderr
    assert not any(path.name.startswith(".") for path in out.parent.iterdir())


def test_the_command_it_ends_with_works_as_printed(trained, tmp_path, monkeypatch):
    _, result = trained
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("try: "))
    monkeypatch.chdir(tmp_path)
    sampled = CliRunner().invoke(app, line.removeprefix("try: sketchrnn ").split())
    assert sampled.exit_code == 0, sampled.stderr
    assert (tmp_path / "samples.svg").read_text().startswith("<svg")


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_no_data_practises_on_the_drawings_that_ship_in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("practice", "practice-2"):
        result = run("--steps", 1, *QUICK[:-1])
        assert result.exit_code == 0, result.stderr
        assert "practising on 2,000 drawings that ship, of bowtie, " in result.stderr
        made = tmp_path / "runs" / name
        assert checkpoint.load(made).words == Corpus.open(practice.FILE).words
        assert (made / "state" / "corpus.npz").read_bytes() == practice.FILE.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_a_run_on_doodles_of_an_older_version_is_resumed_from_its_own_copy(tmp_path):
    out = tmp_path / "run"
    assert run("-o", out, "--steps", 1, *QUICK).exit_code == 0
    config = out / "config.toml"
    recorded = config.read_text("utf-8")
    assert "practice" in recorded
    config.write_text(recorded.replace('"practice"', '"doodles"'), "utf-8")
    result = run("-o", out, "--resume", "--steps", 2, "--quiet")
    assert result.exit_code == 0, result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_a_shell_glob_after_data_and_underscores_are_accepted(drawings, tmp_path):
    other = tmp_path / "more.ndjson"
    other.write_bytes(drawings.read_bytes().replace(b'"star"', b'"sun"'))
    out = tmp_path / "run"
    arguments = ["--data", drawings, other, "-o", out, "--epochs", 1, "--batch_size", 50]
    result = run(*arguments, "--preset", "tiny", "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["step"] == 3  # about 110 drawings, 50 a step
    assert set(checkpoint.load(out).words) == {"star", "sun"}


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_flags_go_before_the_file_and_the_file_before_defaults(drawings, tmp_path):
    settings = tmp_path / "x.toml"
    settings.write_text(
        "[model]\ndecoder_size = 20\nencoder_size = 9\n"
        "[training]\nbatch_size = 4\nlearning_rate = 0.01\nsteps = 2\n"
    )
    out = tmp_path / "run"
    result = run(drawings, "-o", out, "--config", settings, "--batch-size", 5, "--no-encoder")
    assert result.exit_code == 0, result.stderr
    text = (out / "config.toml").read_text()
    for line in (
        "decoder_size = 20",
        "batch_size = 5",
        "learning_rate = 0.01",
        "encoder = false",
        "n_mixtures = 20",
    ):
        assert line in text
    again = tmp_path / "again"
    result = run(drawings, "-o", again, "--config", out / "config.toml", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert (again / "config.toml").read_text() == text
    a, b = (checkpoint.load(path).weights for path in (out, again))
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_resuming_equals_never_having_stopped(drawings, tmp_path):
    assert run(drawings, "-o", tmp_path / "whole", "--steps", 6, *QUICK).exit_code == 0
    assert run(drawings, "-o", tmp_path / "parts", "--steps", 3, *QUICK).exit_code == 0
    result = run("-o", tmp_path / "parts", "--resume", "--steps", 6)
    assert result.exit_code == 0, result.stderr
    assert "resuming from step 3" in result.stderr
    whole, parts = (
        (tmp_path / name / "state" / "step-000000006.safetensors").read_bytes()[-1000:]
        for name in ("whole", "parts")
    )
    assert whole == parts


@pytest.mark.slow
def test_a_run_that_is_done_resumes_to_nothing_more(trained):
    out, _ = trained
    result = run("-o", out, "--resume")
    assert result.exit_code == 0, result.stderr
    assert "done: 6 steps" in result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_a_run_folder_is_not_overwritten_unless_told(drawings, tmp_path):
    out = tmp_path / "run"
    assert run(drawings, "-o", out, "--steps", 1, *QUICK).exit_code == 0
    before = (out / "model.safetensors").read_bytes()
    one_line(run(drawings, "-o", out, "--steps", 1, *QUICK), "run: exists already", "--overwrite")
    bad = run(tmp_path / "none.npz", "-o", out, "--overwrite", *QUICK)
    one_line(bad, "none.npz: no such file")
    assert (out / "model.safetensors").read_bytes() == before
    result = run(drawings, "-o", out, "--steps", 2, "--seed", 5, "--overwrite", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert (out / "model.safetensors").read_bytes() != before


def test_a_folder_that_is_no_run_is_never_overwritten(drawings, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    result = run(drawings, "-o", tmp_path / "thesis", "--steps", 1, "--overwrite", *QUICK)
    one_line(result, "does not look like a run")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "none.toml"], "none.toml: no such file"),
        (["--resume", "--overwrite"], "--resume does not go with --overwrite"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(drawings, tmp_path, arguments, says):
    one_line(run(drawings, "-o", tmp_path / "run", *arguments), says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cell", "gru"], "--cell gru: must be one of lstm"),
        (["--batch-size", "0"], "--batch-size 0: must be from 1 to 1,000,000"),
        (["--learning-rate", "-1"], "--learning-rate -1: must be from 1e-12 to 10"),
        (["--epochs", "nan"], "--epochs nan: must be from 0"),
        (["--time-limit", "soon"], "--time-limit soon: must be a time above 0, such as 90s"),
        (["--preset", "huge"], "--preset huge: must be one of tiny, base"),
    ],
)
def test_a_number_out_of_range_is_wrong_usage(drawings, tmp_path, arguments, says):
    result = run(drawings, "-o", tmp_path / "run", *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_there_is_one_line_and_leaves_nothing(drawings, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = run(drawings, "-o", tmp_path / "run", "--device", "cuda")
    one_line(result, "--device cuda: not on this machine, which has: cpu")
    assert list(tmp_path.iterdir()) == []


def test_bad_drawings_are_one_line_and_leave_nothing(tmp_path):
    bad = tmp_path / "page.npz"
    bad.write_bytes(b"<!DOCTYPE html><html>Not found</html>")
    one_line(run(bad, "-o", tmp_path / "run"), "page.npz", "a web page")
    one_line(run(tmp_path / "none.npz", "-o", tmp_path / "run"), "none.npz: no such file")
    assert [path.name for path in tmp_path.iterdir()] == ["page.npz"]


def test_resuming_nothing_and_resuming_otherwise_are_one_line(trained, drawings, tmp_path):
    out, _ = trained
    one_line(run("-o", tmp_path / "none", "--resume"), "nothing to resume")
    one_line(run("-o", out, "--resume", "--no-encoder"), "was begun with encoder = True")
    one_line(run(tmp_path / "other.npz", "-o", out, "--resume"), "leave out DATA to resume")
    settings = tmp_path / "settings.toml"
    settings.write_text("[training]\nsteps = 9\n")
    for more in (["--preset", "tiny"], ["--preset", "base"], ["--config", settings]):
        wrong = f"is resumed with its own settings; leave out {more[0]}"
        one_line(run(drawings, "-o", out, "--resume", *more), wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)] if os.name == "posix" else []
)
def test_a_signal_saves_first(drawings, tmp_path, name, code):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "sketchrnn_cli", "train", str(drawings), "-o", str(out)]
    process = warm.Popen([*command, *QUICK[:-1]], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    metrics = out / "metrics.jsonl"
    try:
        while not (metrics.exists() and metrics.stat().st_size):  # it is past its first steps
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(getattr(signal, name))
        _, stderr = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == code, stderr
    assert "stopped and saved; --resume goes on" in stderr
    assert f"resume: sketchrnn train -o {out} --resume\n" in stderr
    assert (out / "model.safetensors").is_file()
    result = run("-o", out, "--resume", "--time-limit", "1s", "--quiet")
    assert result.exit_code == 0, result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_drawings_by_name_beside_files(drawings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("SKETCHRNN_CACHE", str(tmp_path / "cache"))
    with serving({word: quickdraw(word, 40) for word in ("cat", "ice cream")}) as server:
        url = ["--quickdraw-url", server.address]
        one_line(run("quickdraw:kat", *url, *QUICK), "quickdraw:kat: not one of the 345 words")
        one_line(run("quickdraw:cat", *url, "--offline", *QUICK), "quickdraw:cat: not in the cache")
        one_line(run("quickdraw:owl", *url, *QUICK), "owl.ndjson: not found (404)")
        assert not (tmp_path / "runs").exists()
        names = ["quickdraw:Ice_Cream", "quickdraw:cat"]
        result = run(*names, drawings, *url, "--steps", 2, *QUICK[:-1])
        assert result.exit_code == 0, result.stderr
        assert "Quick, Draw! drawings by Google, CC BY 4.0" in result.stderr
    out = Path("runs") / "ice cream-and-2-more"
    assert checkpoint.load(out).words == ("cat", "ice cream", "star")
    again = run("quickdraw:ice-cream", names[1], drawings, "-o", out, "--resume", "--steps", 3)
    assert again.exit_code == 0, again.stderr
    assert '"quickdraw:ice cream"' in (out / "config.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def two_words(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "two.ndjson"
    sketches = [synthetic.draw(word, 0, k) for k in range(60) for word in ("star", "boat")]
    path.write_bytes(b"".join(map(ndjson.to_line, sketches)))
    return path


@pytest.fixture(scope="module")
def told(two_words, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "two"
    result = run(two_words, "-o", out, "--steps", 4, *QUICK[:-1])
    assert result.exit_code == 0, result.stderr
    return out, result


@pytest.mark.slow
def test_two_words_give_a_conditional_model(told):
    out, result = told
    assert "conditioned on 2 words" in result.stderr
    model = checkpoint.load(out)
    assert (model.words, model.config.n_words) == (("boat", "star"), 2)
    assert model.weights["decoder.words"].shape == (3, model.config.word_size)
    assert sum(model.counts) == model.training["n_train"]
    drawn = CliRunner().invoke(app, ["sample", "two boats", "--model", str(out)])
    assert [json.loads(line)["word"] for line in drawn.stdout.splitlines()] == ["boat"] * 2


@pytest.mark.slow
def test_a_run_ends_with_a_mixture_of_latents_a_word(told, two_words):
    out, _ = told
    weights = checkpoint.load(out).weights
    assert weights["latent.weight"].shape[0] == 2
    assert (weights["latent.scale"][0] != weights["latent.scale"][1]).any()
    before = (out / "model.safetensors").read_bytes()
    assert run("-o", out, "--resume", "--quiet").exit_code == 0  # nothing is left to do
    assert (out / "model.safetensors").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "option", "n_words"),
    [("two", "--no-words", 0), ("one", "--words", 1), ("one", None, 0)],
)
@pytest.mark.usefixtures("without_pictures")
def test_words_can_be_asked_for_and_refused(two_words, drawings, tmp_path, words, option, n_words):
    source = {"one": drawings, "two": two_words}[words]
    options = [option] if option else []
    result = run(source, "-o", tmp_path / "run", "--steps", 1, *options, "--no-encoder", *QUICK)
    assert result.exit_code == 0, result.stderr
    config = checkpoint.load(tmp_path / "run").config
    assert config.n_words == n_words
    assert config.constant_size == (config.word_size if n_words else 0)
    if option:
        other = {"--words": "--no-words", "--no-words": "--words"}[option]
        again = run("-o", tmp_path / "run", "--resume", other, "--quiet")
        one_line(again, "cannot change on the way")


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_settings_of_a_run_serve_another_but_not_one_of_other_words(
    told, two_words, drawings, tmp_path
):
    config = told[0] / "config.toml"
    assert "n_words = 2" in config.read_text("utf-8")
    again = run(two_words, "-o", tmp_path / "again", "--config", config, *QUICK)
    assert again.exit_code == 0, again.stderr
    assert checkpoint.load(tmp_path / "again").config.n_words == 2
    result = run(drawings, "-o", tmp_path / "other", "--config", config, *QUICK)
    one_line(result, "n_words is 2, and the drawings are of 1")
    assert not (tmp_path / "other").exists()


# metrics.csv, TensorBoard, advice

COLUMNS = "step,split,loss,l_r,l_kl,learning_rate,kl_weight,sketches_per_second,seconds"


def same_as_jsonl(out):
    """Whether metrics.csv says what metrics.jsonl says, line by line."""
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    header, *rows = (out / "metrics.csv").read_text().splitlines()
    assert header == COLUMNS == ",".join(records[0])
    found = [dict(zip(COLUMNS.split(","), row.split(","), strict=True)) for row in rows]
    assert found == [
        {name: "" if value is None else str(value) for name, value in record.items()}
        for record in records
    ]
    return records


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_a_csv_keeps_step_with_the_metrics(drawings, tmp_path):
    out, settings = tmp_path / "run", tmp_path / "x.toml"
    settings.write_text("[training]\nlog_every = 1\nsave_every = 2\nvalid_every = 3\n")
    common = ["-o", out, "--log-csv", "--config", settings]
    assert run(drawings, *common, "--steps", 5, *QUICK).exit_code == 0
    assert len(same_as_jsonl(out)) == 7
    # what a crash leaves: lines after the saved state, one of them in one file alone, one torn
    records = (out / "metrics.jsonl").read_text().splitlines()
    (out / "state" / "step-000000005.safetensors").unlink()
    with (out / "metrics.csv").open("a") as stream:
        stream.write("6,train,1.5,1.")
    result = run("-o", out, "--resume", "--steps", 6, "--quiet")  # it need not be asked for again
    assert result.exit_code == 0, result.stderr
    again = same_as_jsonl(out)
    assert [record["step"] for record in again] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert [json.dumps(r["loss"]) for r in again[:6]] == [
        json.dumps(json.loads(line)["loss"]) for line in records[:6]
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_a_csv_begun_later_has_all_lines_and_a_rollback_goes_into_it(drawings, tmp_path):
    from sketchrnn_cli.training import metrics as log

    out = tmp_path / "run"
    assert run(drawings, "-o", out, "--steps", 2, *QUICK).exit_code == 0
    assert not (out / "metrics.csv").exists()
    result = run("-o", out, "--resume", "--steps", 3, "--log-csv", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert len(same_as_jsonl(out)) == 2  # validations at the ends of both
    nan = float("nan")
    log.truncate(out, 2)
    log.append(out, log.Metrics(2, "rollback", nan, nan, nan, 1e-3, 0.5, 0.0, 1.0))
    assert [record["split"] for record in same_as_jsonl(out)] == ["valid", "rollback"]


def test_tensorboard_without_its_package_is_one_line_before_any_work(
    drawings, tmp_path, monkeypatch
):
    from sketchrnn_cli.training import tensorboard

    find = tensorboard.importlib.util.find_spec
    monkeypatch.setattr(
        tensorboard.importlib.util,
        "find_spec",
        lambda name, *more: None if name == "tensorboard" else find(name, *more),
    )
    result = run(drawings, "-o", tmp_path / "run", "--tensorboard")
    one_line(result, "pip install 'sketchrnn[tensorboard]'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # other people's
def test_tensorboard_gets_losses_and_sheets_and_forgets_what_is_taken_back(drawings, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out, settings = tmp_path / "run", tmp_path / "x.toml"
    settings.write_text("[training]\nlog_every = 1\nsave_every = 2\nvalid_every = 2\n")
    common = ["-o", out, "--quiet"]
    more = ["--tensorboard", "--config", settings, "--preset", "tiny"]
    first = run(drawings, *common, *more, "--steps", 3)
    assert first.exit_code == 0, first.stderr
    (out / "state" / "step-000000003.safetensors").unlink()
    result = run(*common, "--resume", "--steps", 4)  # which remembers TensorBoard
    assert result.exit_code == 0, result.stderr
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    for name, split in (("loss", "train"), ("l_kl", "train"), ("l_r", "valid")):
        told = [(each.step, each.value) for each in events.Scalars(f"{name}/{split}")]
        lines = [(r["step"], pytest.approx(r[name])) for r in records if r["split"] == split]
        assert told == lines
    assert [each.step for each in events.Scalars("run/learning_rate")] == [1, 2, 3, 4]
    sheets = events.Images("samples")
    assert [sheet.step for sheet in sheets] == [4]  # that of step 3 is hidden: it was taken back
    assert sheets[-1].encoded_image_string.startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_no_validation_drawings_is_said_in_words(tmp_path):
    path, packed = tmp_path / "stars.ndjson", tmp_path / "stars.npz"
    path.write_bytes(b"".join(ndjson.to_line(synthetic.draw("star", 0, k)) for k in range(20)))
    made = CliRunner().invoke(app, ["preprocess", str(path), "-o", str(packed), "--split", "1,0,0"])
    assert made.exit_code == 0, made.stderr
    result = run(packed, "-o", tmp_path / "run", "--steps", 3, *QUICK[:-1])
    assert result.exit_code == 0, result.stderr
    assert "no validation drawings" in result.stderr
    assert "the newest model is kept" in result.stderr
    assert "nan" not in result.stderr
    assert "best" not in result.stderr.replace("the best model", "")


class Listener:
    def __init__(self):
        self.said = []

    def advise(self, text):
        self.said.append(text)


@pytest.fixture(scope="module")
def trainer(drawings, tmp_path_factory):
    import torch

    from sketchrnn_cli.sketches.build import BuildOptions, build
    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.training import loop

    folder = tmp_path_factory.mktemp("trainer")
    build([str(drawings)], folder / "x.npz", BuildOptions())
    model = ModelConfig(encoder_size=8, decoder_size=12, latent_size=4, n_mixtures=2)
    config = TrainingConfig(steps=1, batch_size=8)
    corpus = Corpus.open(folder / "x.npz")
    return loop.Trainer(folder, corpus, model, config, device=torch.device("cpu"))


def test_advice_is_given_once_and_only_where_it_is_due(trainer, monkeypatch):
    from sketchrnn_cli.cli import training_report
    from sketchrnn_cli.training.metrics import Metrics

    def losses(loss, l_kl, weight, split="valid"):
        return Metrics(1, split, loss, loss, l_kl, 1e-3, weight, 100.0, 1.0)

    listener = Listener()
    advice = training_report.Report(listener, trainer)
    assert listener.said == []  # small enough for its drawings
    for _ in range(9):
        advice.advise(losses(0.5, 0.3, 0.5))
        advice.advise(losses(0.5, 0.2, 0.1))  # the weight is not there yet
        advice.advise(losses(0.5, 0.2, 0.5, "train"))
    assert listener.said == []
    for _ in range(training_report.STUCK - 1):
        advice.advise(losses(0.5, 0.2, 0.5))
    assert listener.said == []
    for _ in range(9):
        advice.advise(losses(0.5, 0.2, 0.5))
    (text,) = listener.said
    assert "at its floor" in text
    for _ in range(2):
        advice.advise(losses(-0.1, 0.3, 0.5, "train"))
    assert len(listener.said) == 2
    assert "below 0" in listener.said[1]
    monkeypatch.setattr(training_report, "WEIGHTS_PER_POINT", 0.1)
    training_report.Report(listener, trainer)
    assert "memorize them" in listener.said[2]
