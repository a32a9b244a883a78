"""What a person sees while a model trains: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

import shlex
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from sketchrnn_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from sketchrnn_cli.training.log import Metrics
    from sketchrnn_cli.training.loop import Trainer

PLAIN_SECONDS = 10.0  # between lines where stderr is no terminal


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, second = divmod(int(max(0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


class TrainingDisplay:
    """Progress of a run towards its last step or its time limit, whichever comes first."""

    def __init__(
        self, terminal: Terminal, *, last_step: int | None, time_limit: float, first_step: int
    ) -> None:
        self.terminal = terminal
        self.last_step, self.time_limit, self.first_step = last_step, time_limit, first_step
        self.started = time.monotonic()
        self.train: Metrics | None = None
        self.valid: Metrics | None = None
        self.said_at = 0.0
        console = terminal.console
        live = console.is_terminal and not console.is_dumb_terminal and not terminal.quiet
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[left]}")
        )
        self.task = self.bar.add_task("step 0", total=1.0, left="")
        self.live = Live(console=console, refresh_per_second=4, transient=True) if live else None

    def __enter__(self) -> TrainingDisplay:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.update(Text(""))
            self.live.stop()

    def stepped(self, step: int) -> None:
        """Move the bar."""
        if not self.live:
            return
        share, left = self._share(step)
        of = f" of {self.last_step}" if self.last_step else ""
        self.bar.update(self.task, completed=share, description=f"step {step}{of}", left=left)
        lines = [Text(line, overflow="ellipsis", no_wrap=True) for line in self._lines()]
        self.live.update(Group(self.bar, *lines))

    def _share(self, step: int) -> tuple[float, str]:
        elapsed = time.monotonic() - self.started
        share = elapsed / self.time_limit if self.time_limit else 0.0
        if self.last_step and self.last_step > self.first_step:
            share = max(share, (step - self.first_step) / (self.last_step - self.first_step))
        share = min(share, 1.0)
        left = clock(elapsed / share - elapsed) + " left" if share > 0.002 else ""
        return share, left

    def _lines(self) -> list[str]:
        return [describe(metrics) for metrics in (self.train, self.valid) if metrics is not None]

    def reported(self, metrics: Metrics) -> None:
        """New training losses."""
        self.train = metrics
        now = time.monotonic()
        if not self.live and now - self.said_at >= PLAIN_SECONDS:
            self.said_at = now
            _, left = self._share(metrics.step)
            self.terminal.say(f"step {metrics.step}  {describe(metrics)}  {left}".rstrip())

    def validated(self, metrics: Metrics, *, best: bool) -> None:
        """New validation losses."""
        self.valid = metrics
        if not self.live:
            mark = "  best so far" if best else ""
            self.terminal.say(f"step {metrics.step}  {describe(metrics)}{mark}")


def describe(metrics: Metrics) -> str:
    """One line of losses."""
    parts = [f"{metrics.split:5}  loss {metrics.loss:7.4f}  L_R {metrics.l_r:7.4f}"]
    if metrics.kl_weight:
        parts.append(f"KL {metrics.l_kl:.4f} x {metrics.kl_weight:.3f}")
    if metrics.split == "train":
        parts.append(f"{metrics.sketches_per_second:.0f} drawings/s")
    return "  ".join(parts)


def announce(terminal: Terminal, trainer: Trainer, *, resuming: bool) -> None:
    """Say what is about to be trained, on what."""
    config = trainer.network.config
    size = sum(parameter.numel() for parameter in trainer.network.parameters())
    kind = "conditional" if config.encoder else "decoder only"
    kind += f", told {config.n_words} words" if config.n_words else ""
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
    if trainer.team.world > 1:
        terminal.say(f"{trainer.team.world} processes share a batch of {trainer.config.batch_size}")
    if resuming:
        terminal.say(f"going on from step {trainer.progress.step}")


def conclude(terminal: Terminal, trainer: Trainer, finished: Any, *, as_json: bool) -> None:
    """Say how it ended, and what to type next."""
    progress = trainer.progress
    why = {
        "steps": "done",
        "time": "time is up",
        "stopped": "stopped and saved; --resume goes on",
    }[finished.why]
    command = f"sketchrnn sample --model {shlex.quote(str(trainer.run))} -n 9 -o samples.svg"
    terminal.say(f"{why}: {progress.step} steps in {progress.seconds:.0f} s of training")
    if progress.best_step:
        terminal.say(f"best on validation: loss {progress.best_loss:.4f} at {progress.best_step}")
    terminal.say(f"try: {command}")
    if as_json:
        terminal.answer(
            {
                "run": str(trainer.run),
                "why": finished.why,
                "step": progress.step,
                "best_step": progress.best_step,
                "best_loss": progress.best_loss if progress.best_step else None,
                "seconds": progress.seconds,
                "sample": command,
            }
        )
