"""Where the drawings of `sample` go: a file or many, a pipe, or characters in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sketchrnn_cli import files
from sketchrnn_cli.cli import options, report
from sketchrnn_cli.cli.display import show_drawings
from sketchrnn_cli.cli.terminal import Terminal, stdout_is_terminal
from sketchrnn_cli.drawing import outputs
from sketchrnn_cli.files import Format

if TYPE_CHECKING:
    from sketchrnn_cli.cli.sample_request import Prepared
    from sketchrnn_cli.drawing.style import Style
    from sketchrnn_cli.inference.settings import Settings
    from sketchrnn_cli.sketches.sketch import Sketch

KNOWN = outputs.FORMATS
SHOWN = Format("terminal")  # no file at all: drawings in characters


class Target(NamedTuple):
    """Where the drawings go, and how they look there."""

    path: str
    format: Format
    style: Style


@dataclass(slots=True)
class Tally:
    """What is said of drawings at the end, counted while they go by."""

    keep_scores: bool  # of every sketch: memory grows with their number
    scores: list[tuple[float, float, int]] = field(default_factory=list)
    n: int = 0
    n_cut: int = 0
    n_points: int = 0

    def passing(self, sketches: Iterable[Sketch]) -> Iterator[Sketch]:
        """The same sketches."""
        for sketch in sketches:
            self.n += 1
            if self.keep_scores:
                total = cast(float, sketch.extras["log_likelihood"])
                self.scores.append((total / (sketch.n_points + 1), total, self.n))
            self.n_cut += not sketch.extras["finished"]
            self.n_points += sketch.n_points
            yield sketch

    def facts(self, target: Target, ignored: Iterable[str]) -> dict[str, Any]:
        """As ``--json`` has them; also the words of the prompt that were ignored."""
        return {
            "file": target.path,
            "format": target.format.name,
            "n_drawings": self.n,
            "n_finished": self.n - self.n_cut,
            "n_points": self.n_points,
            "ignored": list(ignored),
        }


def format_of(out: str | None, format: str | None) -> Format:
    """What to write; a pipe gets NDJSON, a person a look."""
    if out is None and format is None and stdout_is_terminal():
        return SHOWN
    if out in (None, files.STDIO) and format is None:
        return Format("ndjson")
    return files.format_of(out or files.STDIO, format, KNOWN)


def check(
    target: Target, given: Iterable[str | None], model: str | None, *, overwrite: bool
) -> None:
    """Refuse a file that cannot be written, or would cost something."""
    path, format, _ = target
    if format == SHOWN:
        return
    inputs: list[str | Path] = [*filter(None, given), *options.model_file(model)]
    options.check_numbered(path, inputs)
    files.check_output(
        path,
        binary=format.binary,
        inputs=inputs,
        is_data=format.is_data,
        overwrite=overwrite,
    )


def draw(drawn: Prepared, target: Target, terminal: Terminal, *, keep_scores: bool) -> Tally:
    """Draw and write; a bar shows how many have ended, unless they go to the same terminal."""
    path, format, _ = target
    style, tally = drawn.styled(target.style), Tally(keep_scores)
    if format != SHOWN:
        outputs.check(format.name, style, 1 if outputs.is_numbered(path) else drawn.n)
    shows = path == files.STDIO and stdout_is_terminal()
    with nullcontext() if shows else terminal.counting("drawing", total=drawn.n_all) as ended:
        sketches = tally.passing(drawn.sketches(ended))
        if format == SHOWN:
            show_drawings(sketches, drawn.n, style)
        else:
            outputs.write_file(
                path, sketches, format.name, style, n=drawn.n, compressed=format.compressed
            )
    return tally


def say(terminal: Terminal, tally: Tally, target: str, settings: Settings) -> None:
    """What is said on stderr at the end."""
    for line in report.sampled_scores(sorted(tally.scores, reverse=True)):
        terminal.say(line)
    if tally.n_cut:
        terminal.say(report.cut(tally.n_cut, tally.n, settings.max_points))
    if target != files.STDIO:
        terminal.say(f"{target}: {report.number(tally.n, 'drawing')}")
