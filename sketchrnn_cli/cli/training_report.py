"""What a person reads about a run: how it begins and ends, what went wrong, and what is odd."""

from __future__ import annotations

import shlex
from typing import Any

from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.model.checkpoint import FILE_NAME
from sketchrnn_cli.training import loop, state
from sketchrnn_cli.training.metrics import Metrics
from sketchrnn_cli.training.trainer import Trainer

WEIGHTS_PER_POINT = 20  # from so many on, a model memorizes its drawings
STUCK = 5  # validations in a row with the KL term at its floor
NAMED = 800  # steps until about half of the drawings of one word can be named; see docs/log.md
NEAR = 1.02  # times the floor is at the floor
SETTLED = 0.9  # of its final value the KL weight has reached by then


def announce(terminal: Terminal, trainer: Trainer, *, resuming: bool) -> None:
    """Say what is about to be trained, on what."""
    config = trainer.network.config
    size = sum(parameter.numel() for parameter in trainer.network.parameters())
    kind = "encoder and decoder" if config.encoder else "decoder only"
    if config.n_words:
        kind += f", conditioned on {config.n_words} words"
    terminal.say(
        f"{trainer.run}: {len(trainer.train_indices):,} training and "
        f"{len(trainer.valid_indices):,} validation drawings"
    )
    corpus, arithmetic = trainer.corpus, str(trainer.compute).removeprefix("torch.")
    terminal.say(
        f"{config.cell} {config.decoder_size}, {kind}, {size / 1e6:.2f} M weights, on "
        f"{trainer.device.type} in {arithmetic}; N_max {corpus.n_max}, "
        f"scale {corpus.scale_factor:.2f}"
    )
    if trainer.group.world > 1:
        batch = trainer.config.batch_size
        terminal.say(f"{trainer.group.world} processes share a batch of {batch}")
    if resuming:
        terminal.say(f"resuming from step {trainer.progress.step:,}")
    step, after = trainer.progress.step, named_after(trainer)
    if step < after and not terminal.is_live:
        terminal.say(f"step {step:,} of about {after:,} for drawings that can be named")


def named_after(trainer: Trainer) -> int:
    """Steps from which on drawings can be named, about; 0 for a run that began with a model."""
    if trainer.is_warm:
        return 0
    n_words = max(len(trainer.corpus.words), 1)
    steps: float = NAMED * n_words ** (1 / 3)
    return 100 * round(steps / 100)


class Report:
    """Warnings of a run, and notes about what is odd when it is first seen."""

    def __init__(self, terminal: Terminal, trainer: Trainer) -> None:
        self.terminal, self.trainer, self.config = terminal, trainer, trainer.config
        self.n_at_floor = 0
        self.said: set[str] = set()
        if not len(trainer.valid_indices):
            self._once(
                "no validation drawings, so nothing to choose the best model by: the newest is "
                "kept; with --split 90,5,5, preprocess sets some apart"
            )
        corpus = trainer.corpus
        n_points = len(corpus.moves) * len(trainer.train_indices) / max(len(corpus), 1)
        n_weights = sum(parameter.numel() for parameter in trainer.network.parameters())
        if n_weights > WEIGHTS_PER_POINT * n_points:
            small = ", or a smaller model (--preset tiny)"
            if n_weights < 500_000 or trainer.is_warm:
                small = ""
            self._once(
                f"{n_weights:,} weights for {n_points:,.0f} points of "
                f"{len(trainer.train_indices):,} drawings: it may memorize them and draw little "
                f"else; more drawings help{small}"
            )

    def tell(self, event: loop.Event) -> None:
        """Say what a person should know of an event."""
        match event:
            case loop.Reported(metrics) | loop.Validated(metrics):
                self.advise(metrics)
            case loop.ModelRepaired(error):
                self._warn(f"{error}; written anew, of this step")
            case loop.RolledBack():
                for line in event.passed_over:
                    self._warn(f"{line}; going back to the state before it")
                self._warn(
                    f"the loss was not finite at step {event.at}: back to step {event.to}, "
                    f"learning rate now {event.learning_rate:.2g} ({event.left} tries left)"
                )
            case loop.Ending():
                self.terminal.say(self._todo(event))

    def _todo(self, event: loop.Ending) -> str:
        """What is still to do after the last step."""
        tasks = ["validating"] * event.validates + ["saving", "drawing samples"]
        if event.why != "stopped" and self.trainer.network.encoder is not None:
            tasks.append("fitting the latent prior")
        begins = "stopping" if event.why == "stopped" else "finishing"
        return f"{begins} at step {event.step}: {', '.join(tasks)}"

    def _warn(self, text: str) -> None:
        if self.trainer.group.is_first:
            self.terminal.warn(text)

    def advise(self, metrics: Metrics) -> None:
        """Explain odd losses of training or of validation; not finite where there are none."""
        if metrics.loss < 0:
            self._once(
                "the loss is below 0, and that is well: where a move is sure, its density is "
                "above 1 (these are nats of densities); lower is better still"
            )
        floor = self.config.kl_floor
        if metrics.split != "valid" or not metrics.kl_weight or not floor:
            return
        settled = metrics.kl_weight >= SETTLED * self.config.kl_weight
        at_floor = settled and metrics.l_kl <= NEAR * floor
        self.n_at_floor = self.n_at_floor + 1 if at_floor else 0
        if self.n_at_floor >= STUCK:
            self._once(
                f"the KL has stayed at its floor ({metrics.l_kl:.3f}, kl_floor {floor:g}) for "
                f"{STUCK} validations: latents say as little of a drawing as they may, so "
                "encode and morph follow it loosely; a lower --kl-weight lets them say more"
            )

    def _once(self, text: str) -> None:
        topic = text[:20]
        if topic not in self.said:
            self.said.add(topic)
            self.terminal.advise(text)


def say_what_is_kept(terminal: Terminal, trainer: Trainer) -> None:
    """Say what a second Ctrl-C leaves behind."""
    run = shlex.quote(str(trainer.run))
    steps = [step for step, _ in state.paths(trainer.run)]
    kept = [f"the state of step {steps[0]}"] if steps else []
    if (trainer.run / FILE_NAME).is_file():
        kept.append("the best model so far")
    if trainer.group.is_first and kept:
        terminal.warn(
            f"ended at once; kept: {' and '.join(kept)}; resume: sketchrnn train -o {run} --resume"
        )


def conclude(
    terminal: Terminal, trainer: Trainer, finished: loop.Finished, *, as_json: bool
) -> None:
    """Say how it ended, and what to type next."""
    progress, run = trainer.progress, shlex.quote(str(trainer.run))
    why = {
        "steps": "done",
        "time": "time is up",
        "stopped": "stopped and saved; --resume goes on",
    }[finished.why]
    command = f"sketchrnn sample --model {run} -n 9 -o samples.svg"
    terminal.say(f"{why}: {progress.step} steps in {progress.seconds:.0f} s of training")
    if progress.best_step:
        terminal.say(f"best on validation: loss {progress.best_loss:.4f} at {progress.best_step}")
    elif not len(trainer.valid_indices):
        terminal.say("no validation drawings to choose by: the newest model is kept")
    if finished.why == "stopped":
        terminal.say(f"resume: sketchrnn train -o {run} --resume")
    terminal.say(f"try: {command}")
    if as_json:
        answer: dict[str, Any] = {
            "run": str(trainer.run),
            "why": finished.why,
            "step": progress.step,
            "best_step": progress.best_step,
            "best_loss": progress.best_loss if progress.best_step else None,
            "seconds": progress.seconds,
            "sample": command,
        }
        terminal.answer(answer)
