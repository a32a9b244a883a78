"""What ``train`` fits to its drawings when a run has ended: the latent prior and the recogniser."""

from __future__ import annotations

from dataclasses import replace

from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.inference import latent_prior
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import checkpoint, recogniser
from sketchrnn_cli.training import batches
from sketchrnn_cli.training import recogniser as fitting
from sketchrnn_cli.training.trainer import Trainer

FITTED = 20_000  # drawings, over all words, that the latent prior of a finished run is fitted to;
FITTED_PER_WORD = 100  # of each word at least so many, where there are


def fit_latents(trainer: Trainer, terminal: Terminal) -> None:
    """Fit the latent prior of the run's best model: a mixture per label.

    While training, one Gaussian per label does.
    """
    if trainer.network.encoder is None:
        return
    corpus, indices, seed = trainer.corpus, trainer.train_indices, trainer.config.seed
    n_words = len(corpus.words)
    chosen = batches.per_word(
        corpus,
        indices,
        max(FITTED // n_words, FITTED_PER_WORD),
        seed=batches.seed_of(seed, batches.LATENTS, 1),
    ).tolist()
    terminal.say(f"fitting the latent prior to {len(chosen):,} of {len(indices):,} drawings")
    drawings = ((int(corpus.word_ids[i]), corpus.moves_of(i)) for i in chosen)
    path = trainer.run / checkpoint.FILE_NAME
    fitted = latent_prior.fit_model(
        Engine(checkpoint.load(path)),
        terminal.track(drawings, what="encoding drawings", total=len(chosen)),
        seed=seed,
        track=lambda labels: terminal.track(labels, what="fitting labels", total=n_words),
    )
    checkpoint.save(path, fitted)


def fit_recogniser(trainer: Trainer, terminal: Terminal) -> None:
    """Fit the recogniser of the run's best model, where it is conditioned on words.

    A short run ends without one, and one that is there already stays.
    """
    import torch

    path = trainer.run / checkpoint.FILE_NAME
    found = checkpoint.load(path)
    indices, config, n_words = trainer.train_indices, trainer.config, found.config.n_words
    n = fitting.n_seen(len(indices), n_words, trainer.progress.step * config.batch_size)
    if not (n_words and n) or recogniser.of(found.weights):
        return
    terminal.say(f"fitting the recogniser: {n:,} looks at {len(indices):,} drawings")
    weights = fitting.fit(
        trainer.corpus,
        indices,
        n,
        seed=batches.seed_of(config.seed, batches.LATENTS, 2),
        bfloat16=trainer.compute is torch.bfloat16,
        track=lambda steps: terminal.track(steps, what="steps", total=len(steps)),
    )
    checkpoint.save(path, replace(found, weights=found.weights | weights))
