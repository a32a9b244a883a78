"""What is to be inspected, and what was found."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchrnn_cli import files, pretrained
from sketchrnn_cli.cli import inspect_pictures as pictures
from sketchrnn_cli.cli import rules
from sketchrnn_cli.errors import BadConfig

if TYPE_CHECKING:
    from sketchrnn_cli.drawing.style import Style
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.sketches.sketch import Sketch

DOUBTED = 20  # drawings that --doubtful lists, the same
GRID = 36  # drawings on a sheet, unless -n says otherwise
HISTOGRAM = 16  # the worst and the best under a histogram, the same
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be inspected, and how."""

    things: list[str]
    targets: dict[str, str]  # picture files by option
    projection: str
    drawing: int | None
    evaluate: str | None
    split: str
    samples: int | None
    score: bool
    doubtful: bool
    model: str | None
    count: int | None
    seed: int
    device: str
    style: Style  # of the sheet
    shows: bool  # drawings on the terminal

    @property
    def thing(self) -> str:
        """The only one, or the first."""
        return self.things[0]

    @property
    def of_latents(self) -> bool:
        """Whether a model has to read drawings for a picture."""
        return bool({"map", "densities"} & self.targets.keys())

    @property
    def n_shown(self) -> int:
        """Drawings on a list, on a sheet, under a histogram, or in a row of the terminal."""
        if self.count is not None:
            return self.count
        if self.doubtful:
            return DOUBTED
        if "grid" in self.targets:
            return GRID
        if self.score and "plot" in self.targets:
            return HISTOGRAM
        return max((shutil.get_terminal_size().columns + 2) // 26, 1)

    @property
    def needs_examples(self) -> bool:
        """Whether drawings are shown, or on a sheet."""
        return self.shows or "grid" in self.targets

    def check(self) -> bool:
        """Refuse what does not go together. Returns whether the thing is a model.

        Raises:
            BadConfig, BadFile: says what does not go together, or cannot be written.
        """
        kinds = [is_model(thing) for thing in self.things]
        found = {"SEVERAL"} if len(kinds) > 1 else set()
        given: Facts = {**self.targets, "evaluate": self.evaluate, "score": self.score}
        given |= {"doubtful": self.doubtful, "model": self.model, "count": self.count}
        given |= {"seed": self.seed, "device": self.device != "auto"}
        found |= {name for name, value in given.items() if value}
        found |= self._facts(is_model=kinds[0])
        rules.check("inspect THING", found)
        for thing, known in zip(self.things, kinds, strict=True):
            if len(kinds) > 1 and not known:
                raise BadConfig(f"{thing}: not a run folder, and only runs and models are compared")
        inputs = [*self.things, *filter(None, [self.evaluate, self.model])]
        pictures.check_files(self.targets, inputs)
        self._check_number()
        return kinds[0]

    def _facts(self, *, is_model: bool) -> set[str]:
        """What the table of rules calls this."""
        reads = self.evaluate is not None or (self.of_latents and not is_model)
        facts = {
            "MODEL": is_model,
            "DRAWINGS": not is_model,
            "READ": reads and not self.score,
            "FIGURES": reads and not (self.score or "map" in self.targets),
            "ALL": not is_model
            and (self.score or self.doubtful or "densities" in self.targets)
            and "map" not in self.targets,
        }
        return {name for name, holds in facts.items() if holds}

    def _check_number(self) -> None:
        """Refuse more drawings than a sheet, or the paper under a histogram, takes."""
        if "grid" in self.targets:
            from sketchrnn_cli.drawing import outputs

            path = self.targets["grid"]
            n = 1 if outputs.is_numbered(path) else self.n_shown
            outputs.check(files.format_of(path, None, outputs.STILLS).name, self.style, n)
        if self.score and "plot" in self.targets:
            from sketchrnn_cli.drawing.plots.likelihoods import MOST

            if self.n_shown > 2 * MOST:
                raise BadConfig(f"-n {self.n_shown:,}: at most {2 * MOST} drawings go under a plot")


@dataclass(slots=True, kw_only=True)
class Result:
    """What was found."""

    facts: Facts
    lines: list[str]
    examples: Iterable[Sketch] = ()
    network: Network | None = None
    gathered: pictures.Gathered | None = None


def is_model(thing: str) -> bool:
    """Whether it is a checkpoint, a browser model or a run folder, and not drawings."""
    from sketchrnn_cli.cli.inspect_models import is_run

    path = Path(thing)
    if path.is_dir():
        return is_run(path)
    if path.name.lower().endswith((".safetensors", ".gen.json", ".vae.json")):
        return True
    from sketchrnn_cli.model.sketch_rnn_js import is_browser_model

    return path.is_file() and is_browser_model(path)


def gathered(wanted: Wanted) -> pictures.Gathered:
    """What keeps the drawings that pictures need; -n limits those of a map."""
    most = 0
    if "map" in wanted.targets:
        from sketchrnn_cli.inference.projection import MOST

        most = min(wanted.count or MOST, MOST)
    return pictures.Gathered(most, "densities" in wanted.targets, wanted.drawing, wanted.seed)


def name_of_model(model: str) -> str:
    """What a report calls a model."""
    return pretrained.NAME if model == str(pretrained.FILE) else model


def open_network(model: str, wanted: Wanted, *, has_drawings: bool) -> Network:
    """A model in use."""
    from sketchrnn_cli.inference import devices
    from sketchrnn_cli.model.load import open_model

    devices.check(wanted.device)
    network = devices.open_engine(open_model(model), wanted.device)
    if "map" in wanted.targets:
        pictures.check_map(network, wanted.targets["map"], has_drawings=has_drawings)
    return network
