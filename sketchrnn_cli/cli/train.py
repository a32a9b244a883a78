"""``sketchrnn train``: drawings in, a model out."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sketchrnn_cli.cli import completion, downloads, options, signals
from sketchrnn_cli.cli.options import LARGEST, between, choice, flag, option, parsed
from sketchrnn_cli.cli.terminal import Terminal, limit_threads
from sketchrnn_cli.model.config import CELLS, PRESETS, ModelConfig
from sketchrnn_cli.model.device import choose, need_torch
from sketchrnn_cli.training.config import (
    PRECISIONS,
    RANGES,
    TrainingConfig,
    parse_duration,
    read_toml,
)

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.training import run
    from sketchrnn_cli.training.loop import Finished
    from sketchrnn_cli.training.process_group import ProcessGroup
    from sketchrnn_cli.training.tensorboard import Events
    from sketchrnn_cli.training.trainer import Trainer

SIZES = ("cell", "encoder_cell", "encoder")  # options that are settings of the model,
SETTINGS = (  # and of training
    *("steps", "epochs", "time_limit", "batch_size", "learning_rate", "kl_weight"),
    *("precision", "seed"),
)
STOPPING = "stopping after this step, to save it; Ctrl-C again ends at once"
HOW_LONG, NETWORK, TRAINING, LOGS = "How long", "Network", "Training", "Logs"  # panels of --help


def setting(name: str, help: str, metavar: str, panel: str, low: float | None = None) -> Any:
    """An option that is a setting of training, within its bounds."""
    least, most = RANGES[name]
    check = between(least if low is None else low, most)
    return option(help, metavar, panel=panel, callback=check)


def train(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DATA",
            help="npz, ndjson(.gz), .bin, SVG, a packed set, a folder, a pattern, quickdraw:WORD, "
            "or - for NDJSON on standard input. \\[default: the practice drawings]",
            autocompletion=completion.sources,
        ),
    ] = None,
    more_data: Annotated[
        list[str] | None,
        option("The same, as an option.", "DATA", "--data", autocompletion=completion.sources),
    ] = None,
    out: Annotated[
        Path | None,
        option(
            "Run folder. \\[default: runs/ and the name of the data]",
            "RUN",
            "--out",
            "-o",
            autocompletion=completion.runs,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        choice(
            f"Sizes and settings: {', '.join(PRESETS)}. \\[default: base; tiny without DATA]",
            "NAME",
            tuple(PRESETS),
        ),
    ] = None,
    steps: Annotated[
        int | None, setting("steps", "Stop after N steps.", "N", HOW_LONG, low=1)
    ] = None,
    epochs: Annotated[
        float | None, setting("epochs", "Stop after N passes over the data.", "N", HOW_LONG)
    ] = None,
    time_limit: Annotated[
        str | None,
        option(
            "Stop after 90s, 10m, 1h30m of this session. \\[default without DATA: 3m]",
            "TIME",
            panel=HOW_LONG,
            callback=parsed(parse_duration, "a time above 0, such as 90s, 10m or 1h30m"),
        ),
    ] = None,
    batch_size: Annotated[
        int | None, setting("batch_size", "Drawings per step.", "N", TRAINING)
    ] = None,
    learning_rate: Annotated[
        float | None, setting("learning_rate", "Adam's rate at step 0.", "X", TRAINING)
    ] = None,
    kl_weight: Annotated[
        float | None, setting("kl_weight", "Final weight of L_KL.", "X", TRAINING)
    ] = None,
    precision: Annotated[
        str | None,
        choice(
            f"Arithmetic: {', '.join(PRECISIONS)}; auto is the fastest.",
            "NAME",
            PRECISIONS,
            panel=TRAINING,
        ),
    ] = None,
    cell: Annotated[
        str | None, choice(f"Recurrent cell: {', '.join(CELLS)}.", "CELL", CELLS, panel=NETWORK)
    ] = None,
    encoder_cell: Annotated[
        str | None,
        choice("Cell of the encoder, if not that of --cell.", "CELL", CELLS, panel=NETWORK),
    ] = None,
    encoder: Annotated[
        bool | None,
        flag("Without: the paper's decoder-only model.", "--encoder/--no-encoder", panel=NETWORK),
    ] = None,
    words: Annotated[
        bool | None,
        flag(
            "Condition the decoder on the label. \\[default: with two labels or more]",
            "--words/--no-words",
            panel=NETWORK,
        ),
    ] = None,
    config: Annotated[
        Path | None, option("TOML with a model and a training table; options win.", "FILE")
    ] = None,
    tensorboard: Annotated[
        bool,
        flag(
            "Losses and samples for TensorBoard too, in RUN/tensorboard (an extra).",
            "--tensorboard",
            panel=LOGS,
        ),
    ] = False,
    log_csv: Annotated[
        bool, flag("metrics.csv beside metrics.jsonl.", "--log-csv", panel=LOGS)
    ] = False,
    quickdraw_url: options.QuickdrawUrl = None,
    offline: options.Offline = False,
    from_: Annotated[
        str | None,
        option(
            "Start from the weights of a model, or of the built-in one: --from built-in.",
            "RUN",
            "--from",
            autocompletion=completion.runs,
        ),
    ] = None,
    resume: Annotated[
        bool, flag("Resume the run from its last state.", "--resume", panel=HOW_LONG)
    ] = False,
    overwrite: options.Overwrite = False,
    seed: Annotated[
        int | None,
        option(
            "Random seed: the same seed gives the same model.",
            "N",
            panel=TRAINING,
            callback=between(0, LARGEST),
        ),
    ] = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train a model on drawings; without DATA, on the practice drawings that ship.

    Ctrl-C saves first; `--resume` goes on from there, also after a crash. Several processes
    that torchrun started share every batch.
    """
    given = dict(locals())  # by name
    need_torch("train")
    from sketchrnn_cli.training.process_group import ErrorElsewhere, ProcessGroup
    from sketchrnn_cli.training.process_group import threads_per_process as share_of_threads

    limit_threads(share_of_threads() if threads is None else threads)
    _release_idle_cores()
    from sketchrnn_cli.training import run  # numpy loads here, after the threads are limited

    try:
        group = ProcessGroup.from_environment()  # loads torch, but not for one process
        terminal = Terminal(quiet=quiet or not group.is_first)
        request = _request(given, group, terminal)
        with run.opened(request, group, partial(_check_device, device)) as (plan, corpus):
            code = _train(plan, corpus, group, given, terminal)
    except ErrorElsewhere:
        raise typer.Exit(1) from None
    if group.world > 1:
        _leave(code)
    if code:
        raise typer.Exit(code)


def _request(given: dict[str, Any], group: ProcessGroup, terminal: Terminal) -> run.Request:
    """What the options ask for, the same in every process."""
    from sketchrnn_cli.sketches import download
    from sketchrnn_cli.training import run, tensorboard

    limit, warm = given["time_limit"], given["from_"]
    asked = {
        **given,
        "time_limit": None if limit is None else parse_duration(limit),
        "encoder_cell": given["encoder_cell"] or given["cell"],
    }
    training = {name: asked[name] for name in SETTINGS if asked[name] is not None}
    model = {name: asked[name] for name in SIZES if asked[name] is not None}
    with group.together():
        if given["tensorboard"]:
            tensorboard.check()
        sources = download.named([*(given["more_data"] or []), *(given["data"] or [])])
        tables = read_toml(given["config"]) if given["config"] else None
    alike = {name: given[name] for name in ("preset", "resume", "overwrite", "words")}
    one_machine = group.world == group.local_world and not run.is_packed_set(sources)
    group.agree_on_options(
        {
            **training,
            **model,
            **alike,
            "from": warm,
            "settings": tables,
            "data": sources if one_machine else None,
        }
    )
    return run.Request(
        sources=sources,
        out=given["out"],
        config=given["config"],
        tables=tables,
        model=model,
        training=training,
        warm=warm,
        **alike,
        fetch=partial(
            downloads.local,
            terminal=terminal,
            url=given["quickdraw_url"],
            offline=given["offline"],
        ),
        reading=terminal.reading,
        say=terminal.say,
    )


def _train(
    plan: run.Plan,
    corpus: Corpus,
    group: ProcessGroup,
    given: dict[str, Any],
    terminal: Terminal,
) -> int:
    """Train until the end; returns the exit code."""
    # torch loads here, 1.5 s: after everything that can be wrong has been looked at
    import torch

    from sketchrnn_cli.cli import training_report as report
    from sketchrnn_cli.cli.training_fits import fit_latents, fit_recogniser
    from sketchrnn_cli.training import run
    from sketchrnn_cli.training.device import set_threads

    set_threads(given["threads"], plan.model, plan.training, world=group.world)
    with group.together():
        chosen = choose(given["device"])
    device = group.place(torch.device(chosen))
    with ExitStack() as held:
        with group.together():
            trainer = run.start(plan, corpus, device, group, terminal.warn)
            events = _logs(trainer, given, resuming=plan.resuming)
            if events is not None:
                held.callback(events.close)
        group.agree_on_options({"arithmetic": str(trainer.compute)})  # `auto` is by the machine
        report.announce(terminal, trainer, resuming=plan.resuming)
        try:
            # in a group no signal ends at once: torchrun passes on what the processes may have
            # received already, and ends those that take too long
            answer = partial(terminal.interject, STOPPING)
            with signals.noted(ends=group.world == 1, answer=answer) as stopped:
                finished = _follow(trainer, terminal, stopped, events)
                group.close()
            if stopped:  # perhaps only after the last step
                finished = replace(finished, why="stopped")
            if group.is_first and finished.why != "stopped":
                fit_latents(trainer, terminal)
                fit_recogniser(trainer, terminal)
        except SystemExit:  # a second Ctrl-C, or one while these are fitted
            report.say_what_is_kept(terminal, trainer)
            raise
    report.conclude(terminal, trainer, finished, as_json=given["as_json"] and group.is_first)
    if finished.why != "stopped":
        return 0
    return signals.exit_code(stopped[0] if stopped else signal.SIGTERM)


def _leave(code: int) -> NoReturn:
    """End a process of a group whose work is done and saved, at once.

    Threads of the process group that are still there when Python shuts down abort the process
    now and then, and torchrun would take that for a failure and start all of them again.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _release_idle_cores() -> None:
    """Let threads that wait for one another release their core soon; before torch is imported.

    By default they hold on to it for milliseconds. On a quiet machine that gains a few per cent,
    and beside one other busy program a step takes twice as long.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # torch on Linux
    os.environ.setdefault("KMP_BLOCKTIME", "1")  # torch on macOS and Windows, milliseconds


def _check_device(device: str, model: ModelConfig, training: TrainingConfig) -> None:
    """Refuse what is not there before anything is prepared; the usual devices are."""
    if device not in ("auto", "cpu") or training.precision == "bfloat16":
        import torch

        from sketchrnn_cli.training.device import products_type

        products_type(training.precision, torch.device(choose(device)), model)


def _logs(trainer: Trainer, given: dict[str, Any], *, resuming: bool) -> Events | None:
    """Begin the logs that are asked for, or that a resumed run has: metrics.csv, TensorBoard."""
    from sketchrnn_cli.training import metrics, tensorboard

    if not trainer.group.is_first:
        return None
    if given["log_csv"]:
        metrics.write_csv(trainer.run)
    if given["tensorboard"] or (resuming and tensorboard.is_kept(trainer.run)):
        return tensorboard.Events(trainer.run, trainer.progress.step)
    return None


def _follow(
    trainer: Trainer, terminal: Terminal, stopped: list[int], events: Events | None
) -> Finished:
    """Follow the events of a run: show them, and draw its pictures now and then."""
    from sketchrnn_cli.cli.training_display import TrainingDisplay
    from sketchrnn_cli.cli.training_pictures import Pictures
    from sketchrnn_cli.cli.training_report import Report, named_after
    from sketchrnn_cli.training import loop
    from sketchrnn_cli.training.metrics import Lines

    first = trainer.group.is_first
    report = Report(terminal, trainer)
    with TrainingDisplay(
        terminal,
        last_step=None if trainer.last_step == sys.maxsize else trainer.last_step,
        time_limit=trainer.config.time_limit,
        first_step=trainer.progress.step,
        before=Lines(trainer.run),
        named_after=named_after(trainer),
    ) as display:
        pictures = Pictures(trainer, terminal, display, events)
        for event in loop.events(trainer, should_stop=lambda: bool(stopped)):
            if events is not None:
                events.tell(event)
            report.tell(event)
            match event:
                case loop.Stepped(step):
                    display.stepped(step)
                case loop.Reported(metrics):
                    display.reported(metrics)
                    if first:
                        pictures.after_report()
                case loop.Validated(metrics, best):
                    display.validated(metrics, best=best)
                    if first:
                        pictures.after_validation()
                case loop.RolledBack(_, to):
                    display.went_back(to)
                case loop.Finished():
                    finished = event
        if first:
            pictures.draw()
    return finished
