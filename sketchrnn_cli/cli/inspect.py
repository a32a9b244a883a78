"""``sketchrnn inspect``: what is in a file of drawings, a model or a run.

What it finds is its data, so the report goes to stdout. One function per kind of thing finds it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import typer

from sketchrnn_cli import pretrained
from sketchrnn_cli.cli import completion, downloads, options, report
from sketchrnn_cli.cli.display import show_drawings
from sketchrnn_cli.cli.inspect_request import Facts, Result, Wanted
from sketchrnn_cli.cli.options import LARGEST, between, flag, option
from sketchrnn_cli.cli.terminal import Terminal, limit_threads, stdout_is_terminal, unbroken

PICTURES, LIKELIHOOD, RECOGNISER = "Pictures", "Likelihood", "Recogniser"  # panels of --help


def _picture(help: str, *names: str) -> Any:
    """A picture to write beside the report."""
    complete = completion.output(("svg", "png"))
    return option(help, "FILE", *names, panel=PICTURES, autocompletion=complete)


@options.with_look
def inspect(
    things: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="THING",
            help="Drawings (- for NDJSON), a model, or a run folder; several runs are compared. "
            "\\[default: the built-in model]",
            autocompletion=completion.things,
        ),
    ] = None,
    grid: Annotated[
        str | None,
        _picture(
            "A sheet of its drawings (samples): svg or png; x-%d.png is a file each.",
            "--out",
            "--grid",
            "-o",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        _picture(
            "The loss curves of a run, or of several; with --score a histogram of "
            "likelihoods, and the worst and the best drawings: svg or png."
        ),
    ] = None,
    map: Annotated[
        str | None,
        _picture(
            "The latents of drawings in two dimensions (without DATA: of samples): svg or png."
        ),
    ] = None,
    projection: Annotated[
        Literal["pca", "tsne"] | None,
        option("For --map: pca or tsne. \\[default: pca]", "NAME", panel=PICTURES),
    ] = None,
    densities: Annotated[
        str | None,
        _picture(
            "Teacher-forced predictive distributions of each next point of a drawing, and of "
            "the pen: svg or png."
        ),
    ] = None,
    drawing: Annotated[
        int | None,
        option(
            "For --densities: which one, by its number in --score. \\[default: the first]",
            "N",
            panel=PICTURES,
            callback=between(0, LARGEST),
        ),
    ] = None,
    evaluate: Annotated[
        str | None,
        option(
            "The losses of the model on these drawings.",
            "DATA",
            panel=LIKELIHOOD,
            autocompletion=completion.things,
        ),
    ] = None,
    split: Annotated[
        Literal["train", "valid", "test"] | None,
        option("For --evaluate: train, valid or test. \\[default: test]", "NAME", panel=LIKELIHOOD),
    ] = None,
    samples: Annotated[
        int | None,
        option(
            "For --evaluate: bound the likelihood by K latents per drawing (importance weighted).",
            "K",
            panel=LIKELIHOOD,
            callback=between(1, 10_000),
        ),
    ] = None,
    score: Annotated[
        bool,
        flag(
            "Likelihood of every drawing, worst first; -o shows the worst and the best.",
            "--score",
            panel=LIKELIHOOD,
        ),
    ] = False,
    doubtful: Annotated[
        bool,
        flag(
            "The drawings whose labels the recogniser doubts most: mislabelled ones and "
            "scribbles; -o shows them.",
            "--doubtful",
            panel=RECOGNISER,
        ),
    ] = False,
    model: Annotated[
        str | None, options.model("What recognises, scores or encodes drawings.")
    ] = None,
    count: Annotated[
        int | None, options.count("Drawings to list, to show, or on the sheet.")
    ] = None,
    look: options.Look = options.USUAL,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Say what is in a file of drawings, a model or a run, and show some of it."""
    limit_threads(threads)
    terminal = Terminal(quiet=quiet)
    targets = (("grid", grid), ("plot", plot), ("map", map), ("densities", densities))
    wanted = Wanted(
        things=downloads.local(things or [str(pretrained.FILE)], terminal),
        targets={name: path for name, path in targets if path is not None},
        projection=projection or "pca",
        drawing=drawing,
        evaluate=evaluate,
        split=split or "test",
        samples=samples,
        score=score,
        doubtful=doubtful,
        model=model,
        count=count,
        seed=seed,
        device=device,
        style=options.style(look),
        shows=stdout_is_terminal() and not json,
    )
    result = _inspect(wanted, terminal)
    if json:
        terminal.answer(result.facts)
    else:
        _show(wanted, result)


def _show(wanted: Wanted, result: Result) -> None:
    """The report, and on a terminal some drawings."""
    lines = "\n".join(unbroken(line, sys.stdout, indent=14) for line in result.lines)
    typer.echo(lines)
    if wanted.shows and "grid" not in wanted.targets:
        show_drawings(result.examples, wanted.n_shown, above=lines.count("\n") + 1)


def _inspect(wanted: Wanted, terminal: Terminal) -> Result:
    """Find out what the thing is, and draw the pictures of it."""
    result = _find(wanted, terminal, is_model=wanted.check())
    for name, drawn in _draw(wanted, result, terminal):
        result.facts[name] = drawn
        result.lines.append(report.picture(name, drawn))
    return result


def _find(wanted: Wanted, terminal: Terminal, *, is_model: bool) -> Result:
    """Find out what the thing is; what can do so is loaded where it has to."""
    if wanted.doubtful:
        from sketchrnn_cli.cli import inspect_recognised

        return inspect_recognised.find(wanted, terminal)
    if wanted.evaluate is not None or wanted.score or (wanted.of_latents and not is_model):
        from sketchrnn_cli.cli import inspect_likelihoods

        return inspect_likelihoods.find(wanted, terminal, is_model=is_model)
    if not is_model:
        from sketchrnn_cli.cli import inspect_drawings

        return inspect_drawings.find(wanted, terminal)
    from sketchrnn_cli.cli import inspect_models

    if len(wanted.things) > 1:
        return inspect_models.find_several(wanted)
    if wanted.targets.keys() <= {"plot"} and inspect_models.lacks_model(wanted.thing):
        return inspect_models.find_without_model(wanted)
    return inspect_models.find(wanted)


def _draw(wanted: Wanted, result: Result, terminal: Terminal) -> Iterator[tuple[str, Facts]]:
    """The pictures that were asked for, each with what is said of it."""
    for name, path in wanted.targets.items():
        from sketchrnn_cli.cli import inspect_pictures as pictures

        if name == "grid":
            yield name, pictures.draw_grid(path, result.examples, wanted.style)
        elif name == "plot" and wanted.score:
            result.examples = list(result.examples)
            yield name, pictures.draw_histogram(path, result.facts["scores"], result.examples)
        elif name == "plot":
            yield name, pictures.draw_curves(path, wanted.things)
        elif result.network is not None and result.gathered is not None:
            if name == "map":
                drawn = pictures.draw_map(
                    result.network, path, wanted.projection, result.gathered, terminal
                )
            else:
                drawn = pictures.draw_densities(result.network, path, result.gathered)
            yield name, drawn
