"""The loop: what it reports, when it ends, and that a resumed run is the same run."""

import dataclasses

import numpy as np
import pytest
import synthetic
import torch
from trainers import QUICK, SMALL, corpus_in, metrics_without_clock, resumed, trainer_of

from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.training import loop, state
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training.config import (
    TrainingConfig,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_in(tmp_path_factory.mktemp("corpus"))


@pytest.mark.slow
def test_two_hundred_steps_on_twenty_drawings_halve_the_loss(tmp_path):
    lines = [ndjson.to_line(synthetic.draw("star", 0, k)) for k in range(20)]
    (tmp_path / "stars.ndjson").write_bytes(b"".join(lines))
    stars = building.open_or_build([str(tmp_path / "stars.ndjson")], tmp_path / "stars.npz")
    config = TrainingConfig(
        batch_size=20, steps=200, log_every=1, valid_every=200, learning_rate=0.004
    )
    model = ModelConfig(encoder_size=24, latent_size=8, decoder_size=48, n_mixtures=4)
    run = tmp_path / "run"
    for _ in loop.events(trainer_of(run, stars, config, model)):
        pass
    losses = [record["l_r"] for record in log.read(run) if record["split"] == "train"]
    assert losses[-1] < losses[0] / 2


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("stopped_after", [1, 5, 7])
def test_ten_steps_equal_some_steps_then_a_resumed_rest(tmp_path, corpus, encoder, stopped_after):
    model = dataclasses.replace(SMALL, encoder=encoder)
    whole = trainer_of(tmp_path / "whole", corpus, model=model)
    for _ in loop.events(whole):
        pass
    cut = trainer_of(tmp_path / "cut", corpus, model=model)
    for event in loop.events(cut):  # killed: no last save
        if isinstance(event, loop.Stepped) and event.step == stopped_after:
            break
    again, _ = resumed(tmp_path / "cut", corpus, model=model)
    assert again.progress.step <= stopped_after
    for _ in loop.events(again):
        pass
    for name, array in whole.arrays().items():
        assert array.tobytes() == again.arrays()[name].tobytes(), name
    assert metrics_without_clock(tmp_path / "whole") == metrics_without_clock(tmp_path / "cut")
    a, b = (checkpoint.load(tmp_path / name) for name in ("whole", "cut"))
    assert a.training == b.training
    assert all((a.weights[name] == b.weights[name]).all() for name in a.weights)


def test_the_model_that_is_kept_averages_the_last_weights(tmp_path, corpus):
    config = dataclasses.replace(QUICK, average=0.5)
    trainer = trainer_of(tmp_path / "run", corpus, config)
    average = trainer.network.weights()
    for event in loop.events(trainer):
        if isinstance(event, loop.Stepped):
            share = min(0.5, event.step / (event.step + 9))
            for name, weight in trainer.network.weights().items():
                average[name] = share * average[name] + (1 - share) * weight
    last = trainer.network.weights()
    with trainer.averaged():
        shown = trainer.network.weights()
    saved = checkpoint.load(tmp_path / "run").weights
    for name in average:
        np.testing.assert_allclose(shown[name], average[name], atol=1e-6)
        assert (trainer.network.weights()[name] == last[name]).all()
        assert (saved[name] == shown[name]).all()
    assert any((shown[name] != last[name]).any() for name in last)


@pytest.mark.slow
def test_stopping_saves_between_the_rhythm_too(tmp_path, corpus):
    whole = trainer_of(tmp_path / "whole", corpus)
    for _ in loop.events(whole):
        pass
    cut = trainer_of(tmp_path / "cut", corpus)
    events = list(loop.events(cut, should_stop=lambda: cut.progress.step == 3))
    assert events[-1] == loop.Finished(3, "stopped")
    assert (tmp_path / "cut" / "model.safetensors").is_file()
    again, _ = resumed(tmp_path / "cut", corpus)
    assert again.progress.step == 3
    for _ in loop.events(again):
        pass
    for name, array in whole.arrays().items():
        assert array.tobytes() == again.arrays()[name].tobytes(), name


@pytest.mark.slow
def test_the_best_model_is_the_one_with_the_lowest_validation_loss(tmp_path, corpus):
    config = dataclasses.replace(QUICK, steps=40, learning_rate=0.02)
    for _ in loop.events(trainer_of(tmp_path / "run", corpus, config)):
        pass
    scored = [r for r in log.read(tmp_path / "run") if r["split"] == "valid"]
    best = min(scored, key=lambda record: record["loss"])
    saved = checkpoint.load(tmp_path / "run")
    assert saved.training["step"] == best["step"]
    assert saved.training["valid"]["l_r"] == best["l_r"]
    assert saved.scale_factor == corpus.scale_factor
    assert saved.words == corpus.words
    assert saved.preparation == corpus.preparation.to_dict()


@pytest.mark.slow
def test_a_loss_that_is_not_finite_rolls_back_and_lowers_the_rate(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    take_step, spoilt = trainer.take_step, []

    def spoil():
        values = take_step()
        if trainer.progress.step == 7 and not spoilt:
            spoilt.append(True)
            with torch.no_grad():
                trainer.network.decoder.out_b.fill_(torch.nan)
            return values * torch.nan
        return values

    trainer.take_step = spoil
    events = list(loop.events(trainer))
    rolled = [event for event in events if isinstance(event, loop.RolledBack)]
    assert [(event.at, event.to, event.left) for event in rolled] == [(8, 4, 2)]
    assert events[-1] == loop.Finished(10, "steps")
    assert trainer.progress.rate_scale == 0.5
    assert all(p.isfinite().all() for p in trainer.network.parameters())
    steps = [r["step"] for r in log.read(tmp_path / "run") if r["split"] == "train"]
    assert steps == [2, 4, 6, 8, 10]


@pytest.mark.slow
def test_training_stops_after_three_rollbacks(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    take_step = trainer.take_step

    def spoil():
        return take_step() * (torch.nan if trainer.progress.step == 6 else 1)

    trainer.take_step = spoil
    with pytest.raises(loop.Diverged, match="not finite at step 6, after 3 rollbacks"):
        list(loop.events(trainer))
    kept, _ = state.load_newest(tmp_path / "run")
    assert kept.progress.step == 4
    assert kept.progress.rate_scale == 0.125


def test_a_set_without_validation_drawings_keeps_the_newest_model(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    trainer.valid_indices = trainer.valid_indices[:0]
    for _ in loop.events(trainer):
        pass
    assert checkpoint.load(tmp_path / "run").training["step"] == 10


def newer(path):
    """Make a model look as one that a newer version wrote."""
    data = path.read_bytes()
    old, new = b'"format_version":"2"', b'"format_version":"9"'
    assert old in data
    path.write_bytes(data.replace(old, new))


def test_a_model_of_a_newer_version_stays_when_its_run_is_resumed(tmp_path, corpus):
    run = tmp_path / "run"
    list(loop.events(trainer_of(run, corpus)))
    newer(run / "model.safetensors")
    before = (run / "model.safetensors").read_bytes()
    again, _ = resumed(run, corpus, dataclasses.replace(QUICK, steps=11))
    with pytest.raises(checkpoint.NewerModel, match="update sketchrnn"):
        list(loop.events(again))
    assert (run / "model.safetensors").read_bytes() == before


def spoiled_at(trainer, *steps):
    """Give a trainer losses that are not finite the first time it takes each of these steps."""
    take_step, left = trainer.take_step, list(steps)

    def spoiled():
        losses = take_step()
        if trainer.progress.step in left:
            left.remove(trainer.progress.step)
            return losses * torch.nan
        return losses

    trainer.take_step = spoiled


@pytest.mark.slow
def test_a_rollback_is_forgotten_after_enough_good_steps(tmp_path, corpus, monkeypatch):
    monkeypatch.setattr(loop, "ENOUGH_GOOD_STEPS", 12)
    config = dataclasses.replace(QUICK, steps=80)
    trainer = trainer_of(tmp_path / "run", corpus, config)
    spoiled_at(trainer, 6, 21, 38, 54, 70)
    left = [e.left for e in loop.events(trainer) if isinstance(e, loop.RolledBack)]
    assert left == [2] * 5
    assert trainer.progress.rate_scale == 1 / 32


@pytest.mark.slow
def test_rollbacks_close_together_are_counted_across_a_resume(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    spoiled_at(trainer, 6, 7)
    left = [e.left for e in loop.events(trainer) if isinstance(e, loop.RolledBack)]
    assert left == [2, 1]
    again, _ = resumed(tmp_path / "run", corpus, dataclasses.replace(QUICK, steps=20))
    assert (again.progress.rollbacks, again.progress.last_rollback) == (2, 4)
    spoiled_at(again, 13)
    left = [e.left for e in loop.events(again) if isinstance(e, loop.RolledBack)]
    assert left == [0]


def test_what_is_left_to_do_is_told_before_it_is_done(tmp_path, corpus):
    events = list(loop.events(trainer_of(tmp_path / "run", corpus)))
    place = events.index(loop.Ending(10, "steps", validates=True))
    assert isinstance(events[place + 1], loop.Validated)
    again, _ = resumed(tmp_path / "run", corpus, dataclasses.replace(QUICK, steps=30))
    events = list(loop.events(again, should_stop=lambda: again.progress.step == 13))
    assert events[-2:] == [
        loop.Ending(13, "stopped", validates=False),
        loop.Finished(13, "stopped"),
    ]
