"""A small network in training, for the tests of its parts."""

import synthetic
import torch

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training import state
from sketchrnn_cli.training.config import TrainingConfig
from sketchrnn_cli.training.trainer import Trainer

CPU = torch.device("cpu")
SMALL = ModelConfig(encoder_size=12, latent_size=6, decoder_size=24, n_mixtures=3)
QUICK = TrainingConfig(batch_size=8, log_every=2, save_every=4, valid_every=5, steps=10)


def corpus_in(folder):
    """A packed set of a few drawings of every word."""
    lines = [ndjson.to_line(sketch) for sketch in synthetic.generate(6, seed=1)]
    (folder / "drawings.ndjson").write_bytes(b"".join(lines))
    return building.open_or_build([str(folder / "drawings.ndjson")], folder / "drawings.npz")


def trainer_of(run, corpus, config=QUICK, model=SMALL):
    run.mkdir(exist_ok=True)
    return Trainer(run, corpus, model, config, device=CPU)


def resumed(run, corpus, config=QUICK, model=SMALL):
    """A trainer that has taken over the newest state, and what was passed over."""
    trainer = trainer_of(run, corpus, config, model)
    saved, passed_over = state.load_newest(run)
    trainer.restore(saved)
    log.truncate(run, trainer.progress.step)
    return trainer, passed_over


def metrics_without_clock(run):
    clock = ("seconds", "sketches_per_second")
    return [{k: v for k, v in record.items() if k not in clock} for record in log.read(run)]
