"""The pictures of `inspect`: what they need, and how they become files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sketchrnn_cli import files
from sketchrnn_cli.cli.inspect_request import FORMATS, Facts, Wanted
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.drawing.plots import curves, densities, likelihoods
from sketchrnn_cli.drawing.plots import latents as latent_map
from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.inference import predictions, projection, request
from sketchrnn_cli.inference.engine import Network, no_encoder, to_model
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3
from sketchrnn_cli.training import metrics

SAMPLES = 400  # drawings of its own on the map of a model
CHUNK = 256  # drawings encoded at once
Numbered = tuple[int, Sketch]


def check_map(network: Network, path: str, *, has_drawings: bool) -> None:
    """Refuse a map of a model that has none.

    Raises:
        BadCheckpoint: it is decoder-only.
        BadConfig: there are no drawings, and the model has no latent prior.
    """
    if not network.checkpoint.config.encoder:
        raise BadCheckpoint(f"--map {path}: {no_encoder()}")
    if not has_drawings and "latent.share" not in network.checkpoint.weights:
        raise BadConfig(
            "--map: this model has no latent prior; give drawings: "
            "inspect RUN --evaluate DATA --map FILE"
        )


@dataclass(slots=True)
class Gathered:
    """Drawings that go by, of which some are kept for pictures."""

    most: int  # of a map; 0: there is none
    wants_one: bool  # for densities
    number: int | None  # of that one; None: the first
    seed: int
    kept: list[Numbered] = field(default_factory=list)  # a fair choice
    n: int = 0
    one: Numbered | None = None

    @classmethod
    def of(cls, wanted: Wanted) -> Gathered:
        """What is needed for the pictures that are asked for; -n limits those of a map."""
        most = min(wanted.count or projection.MOST, projection.MOST)
        return cls(
            most if "map" in wanted.targets else 0,
            "densities" in wanted.targets,
            wanted.drawing,
            wanted.seed,
        )

    def passing(self, drawings: Iterable[Numbered]) -> Iterator[Numbered]:
        """The same drawings."""
        generator = np.random.default_rng(self.seed)
        for number, sketch in drawings:
            if self.most:
                self._keep(number, sketch, generator)
            self.n += 1
            if self.wants_one and self.one is None and self.number in (None, number):
                self.one = number, sketch
            yield number, sketch

    def _keep(self, number: int, sketch: Sketch, generator: np.random.Generator) -> None:
        """Keep each drawing with the same chance."""
        if len(self.kept) < self.most:
            self.kept.append((number, sketch))
        elif (place := int(generator.integers(self.n + 1))) < self.most:
            self.kept[place] = (number, sketch)


def own_drawing(network: Network, number: int, seed: int) -> Numbered:
    """A drawing by the model itself."""
    asked = request.unconditional(1, first=number)
    (sketch,) = request.draw(network, asked, Settings(seed=seed))
    return number, sketch


def draw_map(
    network: Network, path: str, method: str, gathered: Gathered, terminal: Terminal
) -> Facts:
    """Latents of drawings on paper, or of the model's own where none were given."""
    if not gathered.n:
        sketches, z = _own_latents(network, gathered.most, gathered.seed)
    else:
        sketches = [sketch for _, sketch in sorted(gathered.kept, key=lambda each: each[0])]
        scale = network.checkpoint.scale_factor
        moves = [to_model(to_stroke3(sketch), scale) for sketch in sketches]
        with terminal.counting("encoding", total=len(moves)) as advance:
            parts = []
            for k in range(0, len(moves), CHUNK):
                parts.append(network.encode(moves[k : k + CHUNK])[0])
                advance(len(parts[-1]))
        z = np.concatenate(parts)
    with terminal.counting("laying out"):
        laid = projection.project(z, method)
    data, n_shown = latent_map.picture(laid.places, sketches, laid.axes, _format(path))
    _write(path, data)
    return {"file": path, "projection": method, "n_sketches": len(sketches), "n_shown": n_shown}


def _own_latents(network: Network, n: int, seed: int) -> tuple[list[Sketch], Any]:
    """Drawings by a model at latents of its prior."""
    settings = Settings(seed=seed, latent_temperature=1.0)
    asked = request.unconditional(min(n, SAMPLES))
    asked, settings = request.with_latents(network, asked, settings)
    return list(request.draw(network, asked, settings)), asked.z


def draw_densities(network: Network, path: str, gathered: Gathered) -> Facts:
    """What the model expects along one drawing.

    Raises:
        BadConfig: no such drawing, or one that is too long.
    """
    if gathered.one is None:
        raise BadConfig(
            f"--drawing {gathered.number}: there is none of that number; --score lists them"
        )
    number, sketch = gathered.one
    if sketch.n_points > densities.MOST_POINTS:
        raise BadConfig(
            f"--densities: drawing {number:,} has {sketch.n_points:,} points; at most "
            f"{densities.MOST_POINTS:,} are shown"
        )
    expected = predictions.predict(network, sketch)
    _write(path, densities.picture(expected, sketch.word, _format(path)))
    return {
        "file": path,
        "drawing": number,
        "word": sketch.word,
        "n_points": sketch.n_points,
        "log_likelihood": float(expected.nats.sum()),
    }


def draw_histogram(path: str, scores: Sequence[Facts], examples: Sequence[Sketch]) -> Facts:
    """Likelihoods of all drawings, and the worst and the best of them."""
    n_worst = -(-len(examples) // 2)
    values = [score["per_prediction"] for score in scores]
    worst, best = examples[:n_worst], examples[n_worst:]
    _write(path, likelihoods.picture(values, worst, best, _format(path)))
    return {"file": path, "n": len(values), "of": "likelihood"}


def draw_curves(path: str, runs: Sequence[str]) -> Facts:
    """Losses of runs.

    Raises:
        BadConfig: more runs than are told apart in print.
        BadFile: one of them has no losses.
    """
    if len(runs) > curves.MAX_RUNS:
        raise BadConfig(f"{len(runs)} runs: at most {curves.MAX_RUNS} are told apart in one plot")
    named = []
    for run in runs:
        folder = Path(run)
        lines = metrics.Lines(folder) if folder.is_dir() else None
        if lines is None or next(iter(lines), None) is None:
            raise BadFile(
                f"{run}: no {metrics.FILE_NAME} here, so no losses to plot; give a run folder"
            )
        named.append((run, lines))
    _write(path, curves.curves(named, _format(path)))
    return {"file": path, "n": len(runs), "of": "loss curve"}


def draw_grid(path: str, examples: Iterable[Sketch], style: Style) -> Facts:
    """A sheet of drawings, or a file of each."""
    n = 0

    def counted() -> Iterator[Sketch]:
        nonlocal n
        for n, sketch in enumerate(examples, start=1):  # noqa: B007
            yield sketch

    outputs.write_file(path, counted(), _format(path), style)
    return {"file": path, "n": n}


def _format(path: str) -> str:
    return files.format_of(path, None, FORMATS).name


def _write(path: str, data: bytes) -> None:
    with files.open_output(path, binary=outputs.is_binary(_format(path))) as stream:
        stream.write(data)
