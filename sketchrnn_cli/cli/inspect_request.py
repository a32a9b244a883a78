"""What is to be inspected, and what was found."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchrnn_cli import files
from sketchrnn_cli.cli import options, rules
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.errors import BadConfig, BadFile

if TYPE_CHECKING:
    from sketchrnn_cli.cli.inspect_pictures import Gathered
    from sketchrnn_cli.drawing.style import Style
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.sketches.sketch import Sketch

DOUBTED = 20  # drawings that --doubtful lists, the same
GRID = 36  # drawings on a sheet, unless -n says otherwise
HISTOGRAM = 16  # the worst and the best under a histogram, the same
FORMATS = outputs.STILLS
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
        rules.check("inspect THING", self._facts(is_model=kinds[0]))
        for thing, known in zip(self.things, kinds, strict=True):
            if len(kinds) > 1 and not known:
                raise BadConfig(f"{thing}: not a run folder, and only runs and models are compared")
        self._check_files([*self.things, *filter(None, [self.evaluate, self.model])])
        self._check_number()
        return kinds[0]

    def _check_files(self, inputs: Sequence[str]) -> None:
        """Refuse picture files that cannot be written, before there is work to lose.

        Raises:
            BadConfig, BadFile: says so.
        """
        for name, path in self.targets.items():
            if path == files.STDIO:
                raise BadConfig(
                    f"{rules.called(name)} -: the report goes to standard output; name a file"
                )
            if name == "grid" and path.lower().endswith((".gif", ".apng", ".webp", ".mp4")):
                raise BadFile(f"{path}: an animation: sketchrnn animate {inputs[0]} -o {path}")
            format = files.format_of(path, None, FORMATS).name
            if name == "grid":
                options.check_numbered(path, inputs)
            files.check_output(path, binary=outputs.is_binary(format), inputs=inputs)
        if len({Path(target).absolute() for target in self.targets.values()}) < len(self.targets):
            raise BadConfig("two pictures of one name: the second would take the first one's place")

    def _facts(self, *, is_model: bool) -> set[str]:
        """What the table of rules knows of this: the options that were given, and facts."""
        reads = self.evaluate is not None or (self.of_latents and not is_model)
        facts = {
            **self.targets,
            "evaluate": self.evaluate,
            "score": self.score,
            "doubtful": self.doubtful,
            "model": self.model,
            "count": self.count,
            "seed": self.seed,
            "device": self.device != "auto",
            "SEVERAL": len(self.things) > 1,
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
            path = self.targets["grid"]
            n = 1 if outputs.is_numbered(path) else self.n_shown
            outputs.check(files.format_of(path, None, FORMATS).name, self.style, n)
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
    gathered: Gathered | None = None


def is_model(thing: str) -> bool:
    """Whether it is a checkpoint, a browser model or a run folder, and not drawings."""
    path = Path(thing)
    if path.is_dir():
        from sketchrnn_cli.cli.inspect_models import is_run

        return is_run(path)
    if path.name.lower().endswith((".safetensors", ".gen.json", ".vae.json")):
        return True
    from sketchrnn_cli.model.sketch_rnn_js import is_browser_model

    return path.is_file() and is_browser_model(path)
