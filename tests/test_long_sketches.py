"""Drawings of 500 points and more: they train, and a model draws as far as it is asked to."""

import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches import corpus as corpora
from sketchrnn_cli.training import loop
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training.config import TrainingConfig

POINTS = 500


def spiral(rng):
    """One line of so many points, round and round with some noise."""
    turn = np.linspace(0, rng.uniform(20, 40), POINTS)
    radius = np.linspace(rng.uniform(5, 20), rng.uniform(60, 120), POINTS)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)]) + rng.normal(size=(2, POINTS))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("long"), np.random.default_rng(0)
    lines = [
        json.dumps({"word": "spiral", "drawing": [spiral(rng).round(2).tolist()]})
        for _ in range(24)
    ]
    (folder / "spirals.ndjson").write_text("\n".join(lines) + "\n")
    options = building.BuildOptions(max_points=POINTS, simplify=False, split=(70, 15, 15))
    building.build([str(folder / "spirals.ndjson")], folder / "spirals.npz", options)
    return corpora.Corpus.open(folder / "spirals.npz")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "encoder"), [("lstm", True), ("lstm", False), ("layer-norm", True), ("hyper", False)]
)
def test_500_points_train_without_divergence_and_are_drawn(tmp_path, corpus, cell, encoder):
    assert corpus.n_max == POINTS
    model = ModelConfig(
        encoder=encoder,
        encoder_size=12,
        latent_size=6,
        decoder_size=32,
        n_mixtures=4,
        cell=cell,
        encoder_cell=cell,
        hyper_size=8,
        hyper_embedding=4,
    )
    config = TrainingConfig(batch_size=4, steps=9, learning_rate=1e-2, valid_every=9, log_every=3)
    trainer = loop.Trainer(tmp_path, corpus, model, config, device=torch.device("cpu"))
    events = list(loop.events(trainer))
    assert not [event for event in events if isinstance(event, loop.RolledBack)]
    losses = [record["l_r"] for record in log.read(tmp_path) if record["split"] == "train"]
    assert losses[-1] < losses[0] - 0.1
    assert math.isfinite(trainer.progress.best_loss)

    facts = score.evaluate(Engine(checkpoint.load(tmp_path)), corpus, "test")
    assert facts["n_max"] == POINTS
    assert math.isfinite(facts["nats_per_sketch"])


def test_a_model_draws_and_scores_beyond_the_longest_drawing_that_it_learned_from(tmp_path, corpus):
    """Of drawings of 60 points at most, with an end that it has no reason to expect."""
    rng = np.random.default_rng(1)
    short = tmp_path / "short.ndjson"
    lines = [
        json.dumps({"word": "s", "drawing": [spiral(rng)[:, :60].round(1).tolist()]})
        for _ in range(12)
    ]
    short.write_text("\n".join(lines) + "\n")
    run = str(tmp_path / "run")
    small = "[model]\nencoder = false\ndecoder_size = 24\nn_mixtures = 3\n"
    (tmp_path / "small.toml").write_text(small)
    arguments = ["train", str(short), "-o", run, "--steps", "5", "-q"]
    runner = CliRunner()
    result = runner.invoke(app, [*arguments, "--config", str(tmp_path / "small.toml")])
    assert result.exit_code == 0, result.stderr

    saved = checkpoint.load(tmp_path / "run")
    assert saved.n_max <= 60
    saved.weights["decoder.out_b"][2] -= 50  # it never ends
    checkpoint.save(tmp_path / "endless.safetensors", saved)
    arguments = ["sample", "--model", str(tmp_path / "endless.safetensors"), "-n", "2", "-o", "-"]
    result = runner.invoke(app, [*arguments, "--max-points", "700"])
    assert result.exit_code == 0, result.stderr
    for line in result.stdout.splitlines():
        drawing = json.loads(line)
        points = sum(len(stroke[0]) for stroke in drawing["drawing"])
        assert points >= 690
        assert not drawing["finished"]
        assert all(math.isfinite(v) for s in drawing["drawing"] for axis in s for v in axis)

    facts = score.evaluate(Engine(saved), corpus, "test")
    assert math.isfinite(facts["nats_per_sketch"])
