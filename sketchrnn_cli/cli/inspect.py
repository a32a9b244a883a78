"""``sketchrnn inspect``: what is in a file of drawings, a model or a run.

What it finds is its data, so the report goes to stdout.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sketchrnn_cli import pretrained
from sketchrnn_cli.cli import completion, downloads, inspect_pictures, options, rules
from sketchrnn_cli.cli.display import show_drawings
from sketchrnn_cli.cli.options import (
    LARGEST,
    Device,
    Json,
    Quiet,
    Seed,
    Threads,
    between,
    flag,
    option,
)
from sketchrnn_cli.cli.terminal import Terminal, limit_threads, stdout_is_terminal
from sketchrnn_cli.errors import BadConfig, BadFile, BadSketch
from sketchrnn_cli.sketches.streams import name_of, open_output

if TYPE_CHECKING:
    from sketchrnn_cli.inference.engine import Network
    from sketchrnn_cli.model.checkpoint import Checkpoint
    from sketchrnn_cli.sketches.block import Block
    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.sketches.sketch import Sketch

GRID = 36  # drawings on a sheet, unless -n says otherwise
FAULTS = 5  # faulty drawings that are quoted
HOPELESS = 10_000  # of them and no other, and nothing will come
SPLITS = ("train", "valid", "test")
Facts = dict[str, Any]

PICTURES, LIKELIHOOD = "Pictures", "Likelihood"  # panels of --help


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
        options.picture("--grid", "A sheet of its drawings (samples): svg or png.", PICTURES),
    ] = None,
    plot: Annotated[
        str | None,
        options.picture(
            "--plot",
            "The loss curves of a run, or of several; with --score a histogram of likelihoods, "
            "and the worst and the best drawings: svg or png.",
            PICTURES,
        ),
    ] = None,
    map: Annotated[
        str | None,
        options.picture(
            "--map",
            "The latents of drawings in two dimensions (without DATA: of samples): svg or png.",
            PICTURES,
        ),
    ] = None,
    projection: Annotated[
        Literal["pca", "tsne"] | None,
        option(
            "--projection",
            help="For --map: pca or tsne. \\[default: pca]",
            metavar="NAME",
            panel=PICTURES,
        ),
    ] = None,
    densities: Annotated[
        str | None,
        options.picture(
            "--densities",
            "Teacher-forced predictive distributions of each next point of a drawing, and of the "
            "pen: svg or png.",
            PICTURES,
        ),
    ] = None,
    drawing: Annotated[
        int | None,
        option(
            "--drawing",
            help="For --densities: which one, by its number in --score. \\[default: the first]",
            metavar="N",
            panel=PICTURES,
            callback=between(0, LARGEST),
        ),
    ] = None,
    evaluate: Annotated[
        str | None,
        option(
            "--evaluate",
            help="The losses of the model on these drawings.",
            metavar="DATA",
            panel=LIKELIHOOD,
            autocompletion=completion.things,
        ),
    ] = None,
    split: Annotated[
        Literal["train", "valid", "test"] | None,
        option(
            "--split",
            help="For --evaluate: train, valid or test. \\[default: test]",
            metavar="NAME",
            panel=LIKELIHOOD,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        option(
            "--samples",
            help="For --evaluate: bound the likelihood by K latents per drawing (importance "
            "weighted).",
            metavar="K",
            panel=LIKELIHOOD,
            callback=between(1, 10_000),
        ),
    ] = None,
    score: Annotated[
        bool,
        flag(
            "--score",
            help="Likelihood of every drawing, worst first; --grid shows the worst and the best.",
            panel=LIKELIHOOD,
        ),
    ] = False,
    model: Annotated[
        str | None,
        option(
            "--model",
            "--checkpoint",
            "-m",
            help="What scores or encodes drawings. \\[default: the built-in model]",
            metavar="RUN",
            autocompletion=completion.runs,
        ),
    ] = None,
    count: Annotated[
        int | None, options.count("Drawings to list, to show, or on the sheet.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Say what is in a file of drawings, a model or a run, and show some of it."""
    limit_threads(threads)
    terminal = Terminal(quiet=quiet)
    wanted = inspect_pictures.Wanted(
        grid=grid,
        plot=plot,
        map=map,
        densities=densities,
        projection=projection,
        drawing=drawing,
    )
    runs = downloads.local(things or [str(pretrained.FILE)], terminal)
    thing, *others = runs
    is_model = _is_model(thing)
    found = {"SEVERAL"} if others else set()
    found |= {"MODEL"} if is_model else {"DRAWINGS"}
    options_given: Facts = {**wanted.given(), "evaluate": evaluate, "score": score, "model": model}
    options_given["count"] = count
    found |= {name for name, value in options_given.items() if value}
    rules.check("inspect THING", found)
    if others:
        for run in runs:
            if not _is_model(run):
                raise BadConfig(f"{run}: not a run folder, and only runs and models are compared")
        if plot is None:
            _compare(runs, terminal, as_json=json)
            return
    split = split or "test"
    grid_format = inspect_pictures.format_of("--grid", grid)
    few = inspect_pictures.SHOWN if score and plot is not None else _in_a_row()
    n_shown = count or (GRID if grid else few)
    inspect_pictures.check_number(wanted, n_shown, histogram=score)
    shows = grid is not None or (stdout_is_terminal() and not json)
    examples: Iterable[Sketch] = ()
    from sketchrnn_cli.cli import inspect_runs, inspect_text

    asked = any(each is not None for each in (grid, plot, map, densities))
    reads = wanted.of_latents and not is_model
    if evaluate is not None or score or reads:
        judge = thing if is_model else model or str(pretrained.FILE)
        network = _network(judge, device)
        inspect_pictures.check_model(wanted, network, has_drawings=True)
        facts: Facts = {"model": _name(judge), "data": evaluate or thing}
        lines: list[str] = []
        gathered = inspect_pictures.gather(wanted, count, seed)
        with _drawings(network.checkpoint, evaluate, thing, split, terminal) as (corpus, drawings):
            if corpus is not None:
                from sketchrnn_cli.inference import score as scoring

                facts |= {"split": split, **scoring.evaluate(network, corpus, split, seed=seed)}
                if samples is not None:
                    facts["iw_samples"] = samples
                    facts["iw_nats_per_sketch"] = scoring.importance_weighted(
                        network, corpus, split, samples, seed=seed
                    )
                lines += inspect_text.evaluation(facts)
            if score or wanted.of_latents:
                passing = gathered.passing(_scorable(drawings, evaluate or thing))
                doing = "scoring" if score else "reading"
                passing = terminal.track(passing, what=doing)
            if score:
                from sketchrnn_cli.inference.score import worst_first

                facts["scores"], examples = worst_first(network, passing, n_shown)
                lines += inspect_text.scores(facts["scores"])
            elif wanted.of_latents and not sum(1 for _ in passing):
                raise BadFile(f"{name_of(evaluate or thing)}: no drawings in it")
    elif is_model and not asked and inspect_runs.is_young(Path(thing)):
        facts, shows = inspect_runs.young_facts(thing), False
        lines = inspect_text.young(facts)
    elif is_model:
        network = _network(thing, device)
        inspect_pictures.check_model(wanted, network, has_drawings=False)
        facts = _model_facts(thing, network.checkpoint)
        lines = inspect_text.model(facts)
        if wanted.of_latents:
            gathered = inspect_pictures.own(network, wanted, count, seed)
    else:
        facts, examples = _data_facts(thing, n_shown if shows else 0, seed)
        lines = inspect_text.drawings(facts)
    if is_model and shows and not score:
        from sketchrnn_cli.inference import request
        from sketchrnn_cli.inference.settings import Settings

        settings = Settings(seed=seed)
        examples = request.draw(network, request.unconditional(n_shown), settings)

    if plot is not None and score:
        inspect_pictures.draw_histogram(plot, facts["scores"], list(examples))
    elif plot is not None:
        inspect_pictures.draw_curves(plot, runs)
    if map is not None:
        facts["map"] = inspect_pictures.draw_map(network, wanted, gathered, seed)
        lines.append(inspect_pictures.map_line(facts["map"]))
    if densities is not None:
        facts["densities"] = inspect_pictures.draw_densities(network, wanted, gathered)
        lines.append(inspect_pictures.densities_line(facts["densities"]))
    if grid is not None:
        _write_grid(grid, grid_format, examples)
    if json:
        terminal.answer(facts)
        return
    typer.echo("\n".join(lines))
    if shows and grid is None:
        show_drawings(examples, n_shown)


def _is_model(thing: str) -> bool:
    """Whether it is a checkpoint, a browser model or a run folder, and not drawings."""
    from sketchrnn_cli.model.checkpoint import FILE_NAME

    path = Path(thing)
    if path.is_dir():
        return any((path / name).exists() for name in (FILE_NAME, "config.toml", "metrics.jsonl"))
    if path.suffix.lower() in (".safetensors", ".json"):
        return True
    from sketchrnn_cli.model.sketch_rnn_js import is_browser_model

    return path.is_file() and is_browser_model(path)


def _name(model: str) -> str:
    """What a report calls a model."""
    return pretrained.NAME if model == str(pretrained.FILE) else model


def _compare(runs: list[str], terminal: Terminal, *, as_json: bool) -> None:
    """How runs or models differ: settings and figures."""
    import shutil

    from sketchrnn_cli.cli import inspect_runs, inspect_text
    from sketchrnn_cli.model.load import open_model

    facts = inspect_runs.compare([_model_facts(run, open_model(run)) for run in runs])
    if as_json:
        terminal.answer(facts)
        return
    width = shutil.get_terminal_size().columns if stdout_is_terminal() else None
    typer.echo("\n".join(inspect_text.comparison(facts, width)))


def _network(model: str, device: str) -> Network:
    """A model in use."""
    from sketchrnn_cli.inference import devices
    from sketchrnn_cli.model.load import open_model

    devices.check(device)
    return devices.open_engine(open_model(model), device)


def _in_a_row() -> int:
    """Drawings that fit beside one another on this terminal."""
    import shutil

    return max((shutil.get_terminal_size().columns + 2) // 26, 1)


def _write_grid(path: str, format: str, examples: Iterable[Sketch]) -> None:
    from sketchrnn_cli.drawing import outputs
    from sketchrnn_cli.drawing.style import Style

    with open_output(path, binary=outputs.is_binary(format)) as stream:
        outputs.write(stream, examples, format, Style())


# drawings


def _data_facts(thing: str, n_examples: int, seed: int) -> tuple[Facts, list[Sketch]]:
    """What is in a file, a folder or a stream of drawings, and some of them.

    Raises:
        BadFile: none are in it.
    """
    from sketchrnn_cli.sketches import statistics
    from sketchrnn_cli.sketches.corpus import Corpus, is_packed
    from sketchrnn_cli.sketches.tally import MAX_WORDS, PER_WORD

    extra: Facts
    if Path(thing).is_file() and is_packed(thing):
        corpus = Corpus.open(Path(thing))
        corpus.check()
        found, examples = statistics.of_corpus(corpus, n_examples=n_examples, seed=seed)
        extra = {
            "packed": True,
            "dtype": str(corpus.moves.dtype),
            "preparation": corpus.preparation.to_dict(),
            "report": corpus.report,
        }
    else:
        notes: list[str] = []
        faults: list[str] = []
        n_faulty = n_drawings = 0

        def skipped(message: str) -> None:
            nonlocal n_faulty
            n_faulty += 1
            if n_faulty <= FAULTS:
                faults.append(message)
            if n_faulty >= HOPELESS and not n_drawings:
                raise BadFile(faults[0])

        def bounded(blocks: Iterator[Block]) -> Iterator[Block]:
            """The same blocks, as long as their words can be kept and told."""
            nonlocal n_drawings
            words: set[str | None] = set()
            room = MAX_WORDS
            for block in blocks:
                n_drawings += len(block)
                for word in {*block.words} - words:
                    words.add(word)
                    room -= 6 * len(word or "") + PER_WORD
                if room < 0:
                    raise BadFile(
                        f"{name_of(thing)}: over {len(words) - 1:,} different words; a word is "
                        "what is drawn, of which there are fewer"
                    )
                yield block

        blocks = bounded(statistics.read_blocks(thing, skipped=skipped, note=notes.append))
        found, examples = statistics.of_blocks(blocks, n_examples=n_examples, seed=seed)
        if not found.n_sketches:
            raise BadFile(faults[0] if faults else f"{name_of(thing)}: no drawings in it")
        extra = {
            "packed": False,
            "notes": notes,
            "n_faulty": n_faulty,
            "faults": faults,
            "duplicates": found.duplicates,
            "leakage": found.leakage,
        }
    return {"path": thing, "kind": "drawings", **found.to_dict(), **extra}, examples


# models


def _model_facts(thing: str, checkpoint: Checkpoint) -> Facts:
    """What a checkpoint says of itself, and what its run has written down."""
    from dataclasses import asdict

    from sketchrnn_cli.cli import inspect_runs

    path = Path(thing)
    built_in = _name(thing) == pretrained.NAME
    option = "" if built_in else f" --model {shlex.quote(thing)}"
    what = f" {shlex.quote(checkpoint.words[0])}" if checkpoint.config.n_words else ""
    facts: Facts = {
        "path": _name(thing),
        "kind": "run" if path.is_dir() else "model",
        "config": asdict(checkpoint.config),
        "parameters": sum(array.size for array in checkpoint.weights.values()),
        "words": list(checkpoint.words),
        "scale_factor": checkpoint.scale_factor,
        "n_max": checkpoint.n_max,
        "preparation": checkpoint.preparation,
        "training": checkpoint.training,
        "counts": checkpoint.counts if "counts" in checkpoint.training else None,
        "sample": f"sketchrnn sample{what}{option} -n 9 -o samples.svg",
    }
    if path.is_dir():
        n_train = checkpoint.training.get("n_train")
        facts |= inspect_runs.facts_of(path, n_train if isinstance(n_train, int) else None)
    if not built_in:
        facts["commands"] = inspect_runs.commands_of(thing, facts)
    return facts


# a model on drawings


def _scorable(drawings: Iterable[tuple[int, Sketch]], source: str) -> Iterator[tuple[int, Sketch]]:
    """The same drawings.

    Raises:
        BadSketch: one that would take the model minutes.
    """
    from sketchrnn_cli.inference.settings import MAX_POINTS

    for index, sketch in drawings:
        if sketch.n_points > MAX_POINTS:
            raise BadSketch(
                f"{name_of(source)}: drawing {index} has {sketch.n_points:,} points; at most "
                f"{MAX_POINTS:,} are scored"
            )
        yield index, sketch


@contextmanager
def _drawings(
    checkpoint: Checkpoint, evaluate: str | None, thing: str, split: str, terminal: Terminal
) -> Iterator[tuple[Corpus | None, Iterable[tuple[int, Sketch]]]]:
    """The drawings to judge with their numbers, made as the model's were.

    For --evaluate they are one split of a packed set, which comes first.
    """
    import tempfile

    from sketchrnn_cli.sketches import build as corpora
    from sketchrnn_cli.sketches import corpus as corpus_file
    from sketchrnn_cli.sketches.formats import read_sketches
    from sketchrnn_cli.sketches.preparation import Preparation, moves_like, prepare_like
    from sketchrnn_cli.sketches.sketch import from_stroke3

    stored = checkpoint.preparation
    if evaluate is None:
        yield None, enumerate(prepare_like(sketch, stored) for sketch in read_sketches(thing))
        return
    with tempfile.TemporaryDirectory(prefix="sketchrnn-", ignore_cleanup_errors=True) as folder:
        if corpus_file.is_packed(evaluate):
            corpus = corpus_file.Corpus.open(evaluate)
            if stored and corpus.preparation.fit != stored.get("fit"):
                terminal.warn(
                    f"{evaluate}: its drawings were prepared otherwise than those of the model; "
                    "evaluate on the file they were made of"
                )
        else:
            options = corpora.BuildOptions()
            if stored:
                like = Preparation.from_dict(stored)
                options = corpora.BuildOptions(
                    fit=like.fit,
                    simplify=None if like.simplified else False,
                    epsilon=like.epsilon,
                    max_points=like.max_points,
                    min_points=like.min_points,
                )
            packed = Path(folder) / "packed.npz"
            corpora.build([evaluate], packed, options)
            corpus = corpus_file.Corpus.open(packed)

        def drawing(i: int) -> tuple[int, Sketch]:
            moves = moves_like(corpus.moves_of(i), corpus.preparation, stored)
            return i, from_stroke3(moves, corpus.word_of(i))

        yield corpus, map(drawing, corpus.indices(split).tolist())
