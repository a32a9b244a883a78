"""A run's losses and sample sheets for TensorBoard, in ``tensorboard/`` of its folder."""

from __future__ import annotations

import importlib.util
import io
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.files import writing

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from sketchrnn_cli.training.loop import Event
    from sketchrnn_cli.training.metrics import Metrics

FOLDER = "tensorboard"
INSTALL = "pip install 'sketchrnn[tensorboard]'"
CURVES = ("loss", "l_r", "l_kl")  # a curve of each split; the rest is one of the run
OTHERS = ("learning_rate", "kl_weight", "sketches_per_second")


def check() -> None:
    """Look whether the package that writes them is there, without loading it.

    Raises:
        BadConfig: it is not; says how it is installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise BadConfig(f"--tensorboard: TensorBoard is not installed; {INSTALL}")


def is_kept(run: Path) -> bool:
    """Whether a resumed run has written event files so far, and can write more."""
    return (run / FOLDER).is_dir() and importlib.util.find_spec("tensorboard") is not None


class Events:
    """Writes event files. Each session begins one, and hides what was written of later steps.

    Everything is on the disk when a call returns, before the state of that step is: a run that is
    killed resumes from a state whose events are all there.
    """

    def __init__(self, run: Path, step: int) -> None:
        self.folder = run / FOLDER
        self.writer = self._begin(step)

    def _begin(self, step: int) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter

        with writing(self.folder):
            # the steps from this one on are hidden where an earlier session wrote them
            return SummaryWriter(str(self.folder), purge_step=step + 1)

    def tell(self, event: Event) -> None:
        """Write what an event of the loop says; a rollback hides the steps after its target."""
        from sketchrnn_cli.training import loop

        if isinstance(event, loop.Reported | loop.Validated):
            self._add(event.metrics)
        elif isinstance(event, loop.RolledBack):
            self.writer.close()
            self.writer = self._begin(event.to)

    def _add(self, metrics: Metrics) -> None:
        values = asdict(metrics)
        curves = {f"{name}/{metrics.split}": values[name] for name in CURVES}
        if metrics.split == "train":
            curves |= {f"run/{name}": values[name] for name in OTHERS}
        for name, value in curves.items():
            if math.isfinite(value):
                self.writer.add_scalar(name, value, metrics.step)
        self.writer.flush()

    def add_sheet(self, step: int, png: bytes) -> None:
        """A sheet of samples."""
        from PIL import Image

        with Image.open(io.BytesIO(png)) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        self.writer.add_image("samples", pixels, step, dataformats="HWC")
        self.writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()
