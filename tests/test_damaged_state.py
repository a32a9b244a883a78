"""States, models and packed sets that were cut, flipped, mixed up or made up."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
import synthetic
import torch
from corruption import cuts, flips
from networks import tiny
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.errors import BadCheckpoint, BadFile
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import corpus as corpora
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.training import loop, state
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training.config import TrainingConfig

pytestmark = pytest.mark.usefixtures("without_pictures")
SMALL = ModelConfig(encoder_size=6, latent_size=4, decoder_size=8, n_mixtures=2)
QUICK = TrainingConfig(batch_size=8, log_every=2, save_every=4, valid_every=4, steps=12)
CONFIG = """[model]
encoder_size = 6
latent_size = 4
decoder_size = 8
n_mixtures = 2
word_size = 4
[training]
batch_size = 8
log_every = 2
save_every = 4
valid_every = 4
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "drawings.npz"
    synthetic.pack(synthetic.generate(6, seed=1), path)
    return corpora.Corpus.open(path)


def trainer_of(run, corpus, config=QUICK, model=SMALL):
    run.mkdir(exist_ok=True)
    return loop.Trainer(run, corpus, model, config, device=torch.device("cpu"))


# states


@pytest.mark.slow
def test_the_state_of_another_run_is_passed_over_and_goes(tmp_path, corpus):
    run = tmp_path / "run"
    trainer = trainer_of(run, corpus)
    list(loop.events(trainer))
    other_model = dataclasses.replace(SMALL, decoder_size=9)
    path = tmp_path / "other.npz"
    synthetic.pack(synthetic.generate(7, seed=2), path)
    for other, says in (
        (trainer_of(tmp_path / "a", corpus, model=other_model), "other sizes"),
        (trainer_of(tmp_path / "b", corpora.Corpus.open(path)), "other drawings"),
    ):
        other.progress.step = 90
        other.save()
        stale = run / "state" / "step-000000090.safetensors"
        shutil.copy(other.run / "state" / stale.name, stale)
        again = trainer_of(run, corpus, dataclasses.replace(QUICK, steps=16))
        saved, passed_over = state.load_newest(run, again.error_of)
        assert saved.progress.step == 12
        assert len(passed_over) == 1
        assert says in passed_over[0]
        again.restore(saved)
        again.save()
        assert not stale.exists()  # or it would be found again each time, and drive out new ones
    names = sorted(path.name for path in (run / "state").glob("*.safetensors"))
    assert names == ["step-000000008.safetensors", "step-000000012.safetensors"]


# models


@pytest.mark.slow
@pytest.mark.parametrize("numbers", ["float32", "float16", "int8"])
def test_every_cut_and_every_flip_of_a_model_is_refused_or_does_no_harm(tmp_path, numbers):
    path = tmp_path / "model.safetensors"
    model = tiny(decoder_size=6, encoder_size=3, latent_size=2)
    checkpoint.save(path, model, numbers=numbers)
    data, whole = path.read_bytes(), checkpoint.load(path)
    for cut in cuts(data):
        with pytest.raises(BadCheckpoint):
            checkpoint.from_bytes(cut, name="model")
    harmless = 0
    header = 8 + int.from_bytes(data[:8], "little")
    for at, flipped in flips(data):
        try:
            found = checkpoint.from_bytes(flipped, name="model")
        except BadCheckpoint:
            continue
        harmless += 1
        assert at < header
        assert found.weights.keys() == whole.weights.keys()
        for name, array in found.weights.items():
            assert array.tobytes() == whole.weights[name].tobytes(), name
        assert dataclasses.replace(found, weights={}) == dataclasses.replace(whole, weights={})
    assert harmless < 40  # the padding, and the name of the checksum


def test_a_model_without_a_checksum_loads(tmp_path):
    model = tiny()
    data = checkpoint.file_of(model)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    del header["__metadata__"]["checksum"]
    text = json.dumps(header).encode()
    old = len(text).to_bytes(8, "little") + text + data[8 + size :]
    assert checkpoint.from_bytes(old, name="old").words == model.words


# packed sets


def every_way(path):
    """Open a packed set and read all of it."""
    corpus = corpora.Corpus.open(path)
    corpus.check()
    rows = corpus.rows_of(np.arange(len(corpus)))
    told = [corpus.word_of(i) for i in range(len(corpus))]
    return rows.tobytes(), told, corpus.splits.tobytes(), corpus.scale_factor, corpus.n_max


@pytest.mark.slow
def test_every_cut_and_every_flip_of_a_packed_set_is_refused_or_does_no_harm(tmp_path):
    path = tmp_path / "set.npz"
    synthetic.pack(synthetic.generate(1, seed=1), path)
    data, whole = path.read_bytes(), every_way(path)
    for cut in cuts(data):
        path.write_bytes(cut)
        with pytest.raises(BadFile):
            every_way(path)
    rng = np.random.default_rng(0)
    places = {*range(0, len(data), 37), *range(400), *range(len(data) - 400, len(data))}
    harmless = 0
    for at in sorted(places):
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8)) if at % 2 else 255
        path.write_bytes(changed)
        try:
            found = every_way(path)
        except BadFile:
            continue
        harmless += 1
        assert found == whole, at
    assert harmless < len(places) / 2  # padding, times and attributes in the zip


def with_moves(path, change):
    """Rewrite the moves of a packed set, as float32, with everything else as it was."""
    with np.load(path) as loaded:
        members = {name: loaded[name] for name in loaded.files}
    members["moves"] = members["moves"].astype(np.float32)
    change(members["moves"], members["offsets"])
    np.savez(path, **members)


@pytest.mark.parametrize(
    ("value", "column"),
    [(math.nan, 0), (math.inf, 1), (-math.inf, 0), (1e30, 1), (-1e12, 0), (7, 2), (math.nan, 2)],
)
def test_a_corrupt_drawing_in_a_packed_set_names_itself(tmp_path, corpus, value, column):
    path = tmp_path / "set.npz"
    shutil.copy(corpus.path, path)
    with_moves(path, lambda moves, offsets: None)
    list(corpora.Corpus.open(path).blocks())
    with_moves(path, lambda moves, offsets: moves.__setitem__((offsets[17] + 1, column), value))
    spoilt = corpora.Corpus.open(path)
    says = rf"set\.npz: damaged packed set: drawing 17 \({spoilt.word_of(17)}\) has a move of "
    with pytest.raises(BadFile, match=says):
        list(spoilt.blocks())
    with pytest.raises(BadFile, match=says):
        spoilt.moves_of(17)
    with pytest.raises(BadFile, match=says):
        spoilt.rows_of(np.array([3, 17, 16]))
    in_memory = dataclasses.replace(spoilt, moves=np.array(spoilt.moves))
    with pytest.raises(BadFile, match=says):
        in_memory.rows_of(np.array([3, 17, 16]))
    with pytest.raises(BadFile, match=says):
        list(loop.events(trainer_of(tmp_path / "run", spoilt)))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"word":"cat","drawing":[[[0,NaN],[1,2]]]}', ""),
        ('{"word":"cat","drawing":[[[0,1e400],[1,2]]]}', ""),
        ('{"word":"cat","drawing":[[[0,1e30],[1,2]]]}', ""),
        ('{"word":"cat","drawing":[[[0,1],[1,2]', ""),
    ],
)
def test_a_bad_line_in_the_middle_of_a_file_names_itself(tmp_path, line, says):
    lines = [ndjson.to_line(synthetic.draw("star", 0, k)).decode() for k in range(9)]
    lines[5] = line + "\n"
    path = tmp_path / "drawings.ndjson"
    path.write_text("".join(lines), "utf-8")
    result = invoke("train", path, "-o", tmp_path / "run", "--quiet")
    one_line(result, f"{path}:6: ")
    assert not (tmp_path / "run").exists()


# the command line on damaged runs


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


def one_line(result, *says):
    assert result.exit_code == 1, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    for text in says:
        assert text in result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of eight steps by the command: states of steps 4 and 8."""
    folder = tmp_path_factory.mktemp("runs")
    lines = [ndjson.to_line(sketch) for sketch in synthetic.generate(4, seed=1)]
    (folder / "drawings.ndjson").write_bytes(b"".join(lines))
    (folder / "config.toml").write_text(CONFIG, "utf-8")
    result = invoke(
        "train", folder / "drawings.ndjson", "-o", folder / "run",
        "--config", folder / "config.toml", "--steps", 8, "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return folder / "run"


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def states(run):
    return sorted((run / "state").glob("step-*.safetensors"))


def flip(path, at=-5):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def metrics_of(run):
    clocks = ("seconds", "sketches_per_second")
    return [{k: v for k, v in each.items() if k not in clocks} for each in log.read(run)]


@pytest.mark.slow
def test_resuming_from_the_state_before_comes_to_the_same_end(run, tmp_path):
    resumed = ("train", "--resume", "--steps", 12, "--quiet", "-o")
    undisturbed = shutil.copytree(run, tmp_path / "undisturbed")
    assert invoke(*resumed, undisturbed).exit_code == 0
    flip(states(run)[-1])
    result = invoke(*resumed, run)
    assert result.exit_code == 0
    assert result.stderr.count("\n") == 1
    assert "step-000000008.safetensors: damaged state: wrong checksum; going back" in result.stderr
    assert metrics_of(run) == metrics_of(undisturbed)
    for one, other in zip(states(run), states(undisturbed), strict=True):
        a, b = (state._read(path) for path in (one, other))
        assert {k: v.tobytes() for k, v in a.arrays.items()} == {
            k: v.tobytes() for k, v in b.arrays.items()
        }
    weights = [checkpoint.load(each).weights for each in (run, undisturbed)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[1])


def test_resuming_with_no_state_left_is_one_line_and_keeps_the_rest(run):
    before = (run / "metrics.jsonl").read_bytes()
    for path in states(run):
        flip(path)
    one_line(invoke("train", "-o", run, "--resume"), "no saved state is whole", "--overwrite")
    for path in states(run):
        path.unlink()
    one_line(invoke("train", "-o", run, "--resume"), "no saved state", "--overwrite")
    shutil.rmtree(run / "state")
    one_line(invoke("train", "-o", run, "--resume"), "corpus.npz: no such file")
    assert (run / "metrics.jsonl").read_bytes() == before


@pytest.mark.slow
def test_a_damaged_model_is_told_of_and_written_anew_from_the_state(run):
    path = run / "model.safetensors"
    for spoil in (flip, lambda p: p.write_bytes(b""), lambda p: p.unlink()):
        spoil(path)
        if path.exists():
            one_line(invoke("sample", "--model", run, "-n", 1), "model.safetensors: ")
            one_line(invoke("inspect", run), "model.safetensors: ")
        result = invoke("train", "-o", run, "--resume", "--quiet")
        assert result.exit_code == 0, result.stderr
        assert result.stderr.count("\n") == 1
        assert "written anew" in result.stderr
        assert "latent.weight" in checkpoint.load(run).weights
        assert invoke("inspect", run, "--json").exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config.toml", "metrics.jsonl", "state/corpus.npz"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_other_damaged_pieces_of_a_run_are_one_line_or_do_no_harm(run, name, share):
    data = (run / name).read_bytes()
    (run / name).write_bytes(data[: int(share * len(data))])
    result = invoke("train", "-o", run, "--resume", "--steps", 9, "--quiet")
    if name == "metrics.jsonl":  # the lines that are gone are gone
        assert (result.exit_code, result.stderr) == (0, "")
        assert log.read(run)[-1]["step"] == 9
    else:
        one_line(result, str(run))
    assert invoke("sample", "--model", run, "-n", 1, "--seed", 1).exit_code == 0
    assert invoke("inspect", run).exit_code == 0


def test_a_flipped_byte_of_the_drawings_is_found_before_training(run, tmp_path):
    path = run / "state" / "corpus.npz"
    corpus = corpora.Corpus.open(path)
    at = corpus.moves.offset + 7
    del corpus
    flip(path, at)
    one_line(invoke("train", "-o", run, "--resume"), "corpus.npz", "moves has a wrong checksum")
    one_line(invoke("train", path, "-o", tmp_path / "new"), "moves has a wrong checksum")
    one_line(invoke("inspect", path), "moves has a wrong checksum")


# a number that is none, in the middle of a run


def spoil_once(trainer, step, how):
    """Do something to a trainer just after this step, once."""
    take_step, done = trainer.take_step, []

    def spoilt():
        losses = take_step()
        if trainer.progress.step == step and not done:
            done.append(True)
            with torch.no_grad():
                how(trainer)
        return losses

    trainer.take_step = spoilt


def a_weight(trainer):
    trainer.network.decoder.out_b[1] = torch.nan


def an_average(trainer):
    trainer.average[2].flatten()[0] = torch.inf


def a_moment(trainer):
    trainer.optimizer.state[trainer.network.decoder.out_b]["exp_avg_sq"][0] = torch.nan


@pytest.mark.slow
@pytest.mark.parametrize("how", [a_weight, an_average, a_moment])
@pytest.mark.parametrize("step", [6, 7, 8, 12])
def test_what_is_not_finite_is_never_saved_and_rolls_back(tmp_path, corpus, how, step):
    trainer = trainer_of(tmp_path / "run", corpus)
    spoil_once(trainer, step, how)
    events = list(loop.events(trainer))
    rolled = [event for event in events if isinstance(event, loop.RolledBack)]
    assert len(rolled) == 1
    assert step <= rolled[0].at <= step + 4
    assert rolled[0].to == (4 if step <= 8 else 8)
    assert events[-1] == loop.Finished(12, "steps")
    assert trainer.is_finite()
    for path in states(tmp_path / "run"):
        assert all(np.isfinite(array).all() for array in state._read(path).arrays.values())
    checkpoint.load(tmp_path / "run")
    records = log.read(tmp_path / "run")
    told = [record for record in records if record["split"] == "rollback"]
    assert [(each["step"], each["loss"]) for each in told] == [(rolled[0].to, None)]
    assert told[0]["learning_rate"] == rolled[0].learning_rate
    assert [r["step"] for r in records if r["split"] == "train"] == [2, 4, 6, 8, 10, 12]


@pytest.mark.slow
def test_a_gradient_that_is_not_finite_rolls_back(tmp_path, corpus):
    trainer, calls = trainer_of(tmp_path / "run", corpus), []

    def spoil(gradient):
        calls.append(True)
        return gradient * torch.nan if len(calls) == 8 else gradient

    trainer.network.decoder.out_b.register_hook(spoil)
    events = list(loop.events(trainer))
    rolled = [event for event in events if isinstance(event, loop.RolledBack)]
    assert [(event.at, event.to) for event in rolled] == [(8, 4)]
    assert events[-1] == loop.Finished(12, "steps")
    assert checkpoint.load(tmp_path / "run").training["step"] in (4, 8, 12)


@pytest.mark.slow
def test_repeated_failures_end_in_one_line_and_lose_nothing(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    take_step = trainer.take_step

    def spoilt():
        losses = take_step()
        if trainer.progress.step == 8:
            with torch.no_grad():
                a_weight(trainer)
        return losses

    trainer.take_step = spoilt
    with pytest.raises(loop.Diverged, match="not finite at step 8, after 3 rollbacks"):
        list(loop.events(trainer))
    saved, passed_over = state.load_newest(tmp_path / "run", trainer.error_of)
    assert (saved.progress.step, saved.progress.rollbacks, passed_over) == (4, 3, [])
    assert [r["split"] for r in log.read(tmp_path / "run")].count("rollback") == 3


@pytest.mark.slow
def test_a_rollback_passes_over_a_damaged_state_and_says_so(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)

    def also_the_disk(trainer):
        a_weight(trainer)
        flip(states(trainer.run)[-1])

    spoil_once(trainer, 10, also_the_disk)
    rolled = [event for event in loop.events(trainer) if isinstance(event, loop.RolledBack)]
    assert [(event.at, event.to) for event in rolled] == [(12, 4)]
    assert "step-000000008.safetensors" in rolled[0].passed_over[0]


@pytest.mark.slow
def test_losses_do_not_wait_for_ever(tmp_path, corpus, monkeypatch):
    monkeypatch.setattr(loop, "MOST_WAITING", 3)
    rare = dataclasses.replace(QUICK, log_every=10**6, save_every=10**6, valid_every=10**6)
    trainer, most = trainer_of(tmp_path / "run", corpus, rare), 0
    add_losses = loop._Loop._add_losses

    def counted(self):
        nonlocal most
        most = max(most, len(self.pending))
        return add_losses(self)

    monkeypatch.setattr(loop._Loop, "_add_losses", counted)
    list(loop.events(trainer))
    assert most == 3
