"""Pictures of a run under way: its loss curves, and what the model draws by now."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.cli.training_display import TrainingDisplay
from sketchrnn_cli.drawing.plots import curves
from sketchrnn_cli.drawing.raster import to_png
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import SketchError
from sketchrnn_cli.inference import request
from sketchrnn_cli.inference.conditioning import label_rows
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model import tensor_file
from sketchrnn_cli.sketches.sketch import Sketch
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training.tensorboard import Events
from sketchrnn_cli.training.trainer import Trainer

EVERY = 30.0  # seconds, at least, between sample sheets
N_SAMPLES = 9
SHARE = 0.01  # of the training so far: a hundred in a time, ever fewer, not a folder full
LIVE_SHARE = 0.005  # of the time goes into samples that are shown only


class Pictures:
    """Draws them after a validation, now and then, and at the end of a session."""

    def __init__(
        self,
        trainer: Trainer,
        terminal: Terminal,
        display: TrainingDisplay,
        events: Events | None,
    ) -> None:
        self.trainer, self.terminal, self.display = trainer, terminal, display
        self.events = events
        self.drawn_at = time.monotonic()
        self.sample_at = 0.0  # not before

    def after_validation(self) -> None:
        """Draw what is due."""
        if time.monotonic() - self.drawn_at > max(EVERY, SHARE * self.trainer.progress.seconds):
            self.draw()
        else:
            self.after_report()

    def after_report(self) -> None:
        """Samples for a person's eyes, from early on, at a small share of the time."""
        if self.display.is_live and time.monotonic() >= self.sample_at:
            try:
                self._samples()
            except (SketchError, OSError) as error:
                self._warn(error)

    def draw(self) -> None:
        """loss.png, and a sheet of samples of this step. One that fails does not stop a run."""
        run, step = self.trainer.run, self.trainer.progress.step
        try:
            sheet = to_png(self._samples(), Style())
            folder = run / "samples"
            folder.mkdir(exist_ok=True)
            tensor_file.write(folder / f"step-{step:06d}.png", sheet)
            if self.events is not None:
                self.events.add_sheet(step, sheet)
            tensor_file.write(run / "loss.png", curves.loss_png(log.Lines(run)))
            gc.collect()  # figures are rings, which pile up for many minutes where nobody looks
        except (SketchError, OSError) as error:
            self._warn(error)
        self.drawn_at = time.monotonic()

    def _samples(self) -> list[Sketch]:
        """Drawings by the model as it stands."""
        begun, step = time.monotonic(), self.trainer.progress.step
        model = self.trainer.model({"step": step})
        settings = Settings(seed=self.trainer.config.seed)
        asked = request.unconditional(N_SAMPLES)
        if n_words := model.config.n_words:  # one of each; of many, others at the next report
            first = step // self.trainer.config.log_every if n_words > N_SAMPLES else 0
            words = [model.words[(N_SAMPLES * first + k) % n_words] for k in range(N_SAMPLES)]
            asked = replace(asked, words=words, labels=label_rows(model, words))
        sketches = list(request.draw(Engine(model), asked, settings))
        now = time.monotonic()
        self.sample_at = now + (now - begun) / LIVE_SHARE
        self.display.sampled(step, sketches)
        return sketches

    def _warn(self, error: Exception) -> None:
        self.terminal.warn(f"no pictures at step {self.trainer.progress.step}: {error}")
