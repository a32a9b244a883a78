"""The pictures of `inspect`: what is wanted, what they need, and how they become files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.sketches.streams import STDIO, check_output, open_output, suffix_of

if TYPE_CHECKING:
    import numpy as np

    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.sketches.sketch import Sketch

FORMATS = outputs.STILLS
SAMPLES = 400  # drawings of its own on the map of a model
SHOWN = 16  # the worst and the best under a histogram, unless -n says otherwise
CHUNK = 256  # drawings encoded at once
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Picture files that were asked for, and how they should be; checked before work starts."""

    grid: str | None = None
    plot: str | None = None
    map: str | None = None
    densities: str | None = None
    projection: str | None = None
    drawing: int | None = None

    def __post_init__(self) -> None:
        for name in ("grid", "plot", "map", "densities"):
            format_of(f"--{name}", getattr(self, name))
        targets = [t for t in (self.grid, self.plot, self.map, self.densities) if t is not None]
        if len({Path(target).absolute() for target in targets}) < len(targets):
            raise BadConfig("two pictures of one name: the second would take the first one's place")

    def given(self) -> dict[str, str | None]:
        """The files that were asked for, by option."""
        return {name: getattr(self, name) for name in ("grid", "plot", "map", "densities")}

    @property
    def of_latents(self) -> bool:
        """Whether a model has to read drawings for them."""
        return self.map is not None or self.densities is not None


def format_of(option: str, path: str | None) -> str:
    """The format of a picture, checked before there is work to lose.

    Raises:
        BadConfig, BadFile: no file, of no known suffix, or where none can be written.
    """
    if path is None:
        return ""
    if path == STDIO:
        raise BadConfig(f"{option} -: the report goes to standard output; name a file")
    format = suffix_of(path, None, FORMATS)
    check_output(path, binary=format != "svg")
    return format


def check_number(wanted: Wanted, n: int, *, histogram: bool) -> None:
    """Refuse more drawings than a sheet, or the paper under a histogram, takes.

    Raises:
        BadConfig, BadSketch: says so.
    """
    if wanted.grid is not None:
        from sketchrnn_cli.drawing.style import Style

        outputs.check(format_of("--grid", wanted.grid), Style(), n)
    if wanted.plot is not None and histogram:
        from sketchrnn_cli.drawing.plots.likelihoods import MOST

        if n > 2 * MOST:
            raise BadConfig(f"-n {n}: at most {2 * MOST} drawings go under a plot")


def check_model(wanted: Wanted, network: Network, *, has_drawings: bool) -> None:
    """Refuse a map of a model that has none.

    Raises:
        BadCheckpoint: it is decoder-only.
        BadConfig: there are no drawings, and the model does not know where latents lie.
    """
    if wanted.map is None:
        return
    from sketchrnn_cli.inference.engine import no_encoder

    if not network.checkpoint.config.encoder:
        raise BadCheckpoint(f"--map {wanted.map}: {no_encoder()}")
    if not has_drawings and "latent.share" not in network.checkpoint.weights:
        raise BadConfig(
            "--map: this model does not know where its latents lie; give drawings: "
            "inspect RUN --evaluate DATA --map FILE"
        )


# what pictures need


@dataclass(slots=True)
class Gathered:
    """Drawings that go by, of which some are kept for pictures."""

    wanted: Wanted
    most: int  # of a map
    seed: int
    kept: list[tuple[int, Sketch]] = field(default_factory=list)  # a fair choice
    n: int = 0
    one: tuple[int, Sketch] | None = None  # of the densities

    def passing(self, drawings: Iterable[tuple[int, Sketch]]) -> Iterator[tuple[int, Sketch]]:
        """The same drawings."""
        import numpy as np

        generator = np.random.default_rng(self.seed)
        for number, sketch in drawings:
            if self.wanted.map is not None:
                self._keep(number, sketch, generator)
            self.n += 1
            wants = self.wanted.densities is not None and self.one is None
            if wants and self.wanted.drawing in (None, number):
                self.one = number, sketch
            yield number, sketch

    def _keep(self, number: int, sketch: Sketch, generator: np.random.Generator) -> None:
        """Keep each drawing with the same chance."""
        if len(self.kept) < self.most:
            self.kept.append((number, sketch))
        elif (place := int(generator.integers(self.n + 1))) < self.most:
            self.kept[place] = (number, sketch)


def gather(wanted: Wanted, count: int | None, seed: int) -> Gathered:
    """What will keep the drawings that pictures need; ``count`` limits those of a map."""
    from sketchrnn_cli.inference.projection import MOST

    return Gathered(wanted, min(count or MOST, MOST), seed)


def own(network: Network, wanted: Wanted, count: int | None, seed: int) -> Gathered:
    """The same of drawings by the model itself, from where its latents lie."""
    from sketchrnn_cli.inference import request
    from sketchrnn_cli.inference.settings import Settings

    gathered = gather(wanted, count, seed)
    if wanted.densities is not None:
        number = wanted.drawing or 0
        asked = request.unconditional(1, first=number)
        (sketch,) = request.draw(network, asked, Settings(seed=seed))
        gathered.one = number, sketch
    return gathered


# pictures


def draw_map(network: Network, wanted: Wanted, gathered: Gathered, seed: int) -> Facts:
    """Latents of drawings on paper, or of the model's own where none were given.

    Raises:
        BadFile: no drawings.
    """
    import numpy as np

    from sketchrnn_cli.drawing.plots import latents as latent_map
    from sketchrnn_cli.inference import projection
    from sketchrnn_cli.inference.engine import to_model
    from sketchrnn_cli.sketches.sketch import to_stroke3

    path, method = str(wanted.map), wanted.projection or projection.METHODS[0]
    if not gathered.n:
        sketches, z = _own_latents(network, gathered.most, seed)
    else:
        sketches = [sketch for _, sketch in sorted(gathered.kept, key=lambda each: each[0])]
        scale = network.checkpoint.scale_factor
        moves = [to_model(to_stroke3(sketch), scale) for sketch in sketches]
        parts = [network.encode(moves[k : k + CHUNK])[0] for k in range(0, len(moves), CHUNK)]
        z = np.concatenate(parts)
    laid = projection.project(z, method)
    format = format_of("--map", path)
    data, n_shown = latent_map.picture(laid.places, sketches, laid.axes, format)
    _write(path, data)
    return {
        "file": path,
        "projection": method,
        "n_sketches": len(sketches),
        "n_shown": n_shown,
    }


def _own_latents(network: Network, n: int, seed: int) -> tuple[list[Sketch], Any]:
    """Drawings by a model at the latents it would draw from, as widely as they lie."""
    from sketchrnn_cli.inference import request
    from sketchrnn_cli.inference.settings import Settings

    settings = Settings(seed=seed, latent_temperature=1.0)
    asked = request.unconditional(min(n, SAMPLES))
    asked, settings = request.with_latents(network, asked, settings)
    return list(request.draw(network, asked, settings)), asked.z


def draw_densities(network: Network, wanted: Wanted, gathered: Gathered) -> Facts:
    """What the model expects along one drawing.

    Raises:
        BadConfig: no such drawing, or no such step of it.
    """
    from sketchrnn_cli.drawing.plots import densities
    from sketchrnn_cli.inference import predictions as expectations

    path = str(wanted.densities)
    if gathered.one is None:
        raise BadConfig(
            f"--drawing {wanted.drawing}: there is none of that number; --score lists them"
        )
    number, sketch = gathered.one
    if sketch.n_points > densities.MOST_POINTS:
        raise BadConfig(
            f"--densities: drawing {number} has {sketch.n_points:,} points; at most "
            f"{densities.MOST_POINTS:,} are shown"
        )
    expected = expectations.expect(network, sketch)
    format = format_of("--densities", path)
    _write(path, densities.picture(expected, sketch.word, format))
    return {
        "file": path,
        "drawing": number,
        "word": sketch.word,
        "n_points": sketch.n_points,
        "log_likelihood": float(expected.nats.sum()),
    }


def map_line(facts: Facts) -> str:
    """What is said of a map."""
    return (
        f"{facts['file']}: {facts['n_sketches']:,} latents by {facts['projection']}, "
        f"{facts['n_shown']:,} drawings where there is room"
    )


def densities_line(facts: Facts) -> str:
    """What is said of densities."""
    return (
        f"{facts['file']}: drawing {facts['drawing']}, {facts['n_points']:,} points, "
        f"{facts['log_likelihood']:.2f} nats"
    )


def draw_histogram(path: str, scores: Sequence[Facts], examples: Sequence[Sketch]) -> None:
    """Likelihoods of all drawings, and the worst and the best of them."""
    from sketchrnn_cli.drawing.plots import likelihoods

    n_worst = -(-len(examples) // 2)
    values = [score["per_prediction"] for score in scores]
    format = format_of("--plot", path)
    _write(path, likelihoods.picture(values, examples[:n_worst], examples[n_worst:], format))


def draw_curves(path: str, runs: Sequence[str]) -> None:
    """Losses of runs.

    Raises:
        BadConfig: more runs than are told apart in print.
        BadFile: one of them has no losses.
    """
    from sketchrnn_cli.drawing.plots import curves as plots
    from sketchrnn_cli.training import metrics as log

    if len(runs) > plots.MAX_RUNS:
        raise BadConfig(f"{len(runs)} runs: at most {plots.MAX_RUNS} are told apart in one plot")
    named = []
    for run in runs:
        folder = Path(run)
        lines = log.Lines(folder) if folder.is_dir() else None
        if lines is None or next(iter(lines), None) is None:
            raise BadFile(
                f"{run}: no {log.FILE_NAME} here, so no losses to plot; give a run folder"
            )
        named.append((run, lines))
    _write(path, plots.curves(named, format_of("--plot", path)))


def _write(path: str, data: bytes) -> None:
    with open_output(path, binary=not path.lower().endswith(".svg")) as stream:
        stream.write(data)
