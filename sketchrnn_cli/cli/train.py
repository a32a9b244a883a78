"""``sketchrnn train``: drawings in, a model out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sketchrnn_cli import locks
from sketchrnn_cli.cli import completion, downloads, run_folder, signals
from sketchrnn_cli.cli.options import (
    LARGEST,
    Device,
    Json,
    Offline,
    Overwrite,
    QuickdrawUrl,
    Quiet,
    Threads,
    between,
    flag,
    option,
)
from sketchrnn_cli.cli.terminal import Terminal, limit_threads
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.model.config import CELLS, PRESETS, ModelConfig
from sketchrnn_cli.training.config import (
    PRECISIONS,
    TrainingConfig,
    parse_duration,
    read_toml,
    to_toml,
)
from sketchrnn_cli.training.config import (
    PRESETS as TRAINED,
)

if TYPE_CHECKING:
    import torch

    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.training.process_group import ProcessGroup
    from sketchrnn_cli.training.tensorboard import Events
    from sketchrnn_cli.training.trainer import Trainer

CLASSIC = "magenta"  # the preset whose decoder is told no words
PICTURES_EVERY = 30.0  # seconds, at least, between sample sheets while training

HOW_LONG, NETWORK, TRAINING, LOGS = "How long", "Network", "Training", "Logs"  # panels of --help


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
        option(
            "--data",
            help="The same, as an option.",
            metavar="DATA",
            autocompletion=completion.sources,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        option(
            "--out",
            "-o",
            help="Run folder. \\[default: runs/ and the name of the data]",
            metavar="RUN",
            autocompletion=completion.runs,
        ),
    ] = None,
    preset: Annotated[
        str,
        option(
            "--preset",
            help=f"Sizes and settings: {', '.join(PRESETS)}.",
            metavar="NAME",
            autocompletion=completion.choice(PRESETS),
        ),
    ] = "base",
    steps: Annotated[
        int | None,
        option("--steps", help="Stop after N steps.", metavar="N", panel=HOW_LONG, min=1),
    ] = None,
    epochs: Annotated[
        float | None,
        option("--epochs", help="Stop after N passes over the data.", metavar="N", panel=HOW_LONG),
    ] = None,
    time_limit: Annotated[
        str | None,
        option(
            "--time-limit",
            help="Stop after 90s, 10m, 1h30m of this session.",
            metavar="TIME",
            panel=HOW_LONG,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        option("--batch-size", help="Drawings per step.", metavar="N", panel=TRAINING),
    ] = None,
    learning_rate: Annotated[
        float | None,
        option("--learning-rate", help="Adam's rate at step 0.", metavar="X", panel=TRAINING),
    ] = None,
    kl_weight: Annotated[
        float | None,
        option("--kl-weight", help="Final weight of L_KL.", metavar="X", panel=TRAINING),
    ] = None,
    precision: Annotated[
        str | None,
        option(
            "--precision",
            help=f"Arithmetic: {', '.join(PRECISIONS)}; auto is the fastest.",
            metavar="NAME",
            panel=TRAINING,
            autocompletion=completion.choice(PRECISIONS),
        ),
    ] = None,
    cell: Annotated[
        str | None,
        option(
            "--cell",
            help=f"Recurrent cell: {', '.join(CELLS)}.",
            metavar="CELL",
            panel=NETWORK,
            autocompletion=completion.choice(CELLS),
        ),
    ] = None,
    encoder_cell: Annotated[
        str | None,
        option(
            "--encoder-cell",
            help="Cell of the encoder, if not that of --cell.",
            metavar="CELL",
            panel=NETWORK,
            autocompletion=completion.choice(CELLS),
        ),
    ] = None,
    encoder: Annotated[
        bool | None,
        flag(
            "--encoder/--no-encoder",
            help="Without: the paper's decoder-only model.",
            panel=NETWORK,
        ),
    ] = None,
    words: Annotated[
        bool | None,
        flag(
            "--words/--no-words",
            help="Condition the decoder on the label. \\[default: with two labels or more]",
            panel=NETWORK,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        option(
            "--config",
            help="TOML with a model and a training table; options win.",
            metavar="FILE",
        ),
    ] = None,
    tensorboard: Annotated[
        bool,
        flag(
            "--tensorboard",
            help="Losses and samples for TensorBoard too, in RUN/tensorboard (an extra).",
            panel=LOGS,
        ),
    ] = False,
    log_csv: Annotated[
        bool, flag("--log-csv", help="metrics.csv beside metrics.jsonl.", panel=LOGS)
    ] = False,
    quickdraw_url: QuickdrawUrl = None,
    offline: Offline = False,
    resume: Annotated[
        bool, flag("--resume", help="Resume the run from its last state.", panel=HOW_LONG)
    ] = False,
    overwrite: Overwrite = False,
    seed: Annotated[
        int | None,
        option(
            "--seed",
            help="Random seed: the same seed gives the same model.",
            metavar="N",
            panel=TRAINING,
            callback=between(0, LARGEST),
        ),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model on drawings; without DATA, on the practice drawings that ship.

    Ctrl-C saves first; `--resume` goes on from there, also after a crash. Several processes
    that torchrun started share every batch.
    """
    from sketchrnn_cli.sketches import download
    from sketchrnn_cli.training import process_group as distributed
    from sketchrnn_cli.training import tensorboard as event_files

    limit_threads(distributed.threads_per_process() if threads is None else threads)
    _wait_patiently()
    sources = [*(more_data or []), *(data or [])]
    flags: dict[str, Any] = {
        "steps": steps,
        "epochs": epochs,
        "time_limit": None if time_limit is None else parse_duration(time_limit),
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "kl_weight": kl_weight,
        "precision": precision,
        "seed": seed,
    }
    sizes: dict[str, Any] = {
        "cell": cell,
        "encoder_cell": encoder_cell or cell,
        "encoder": encoder,
    }
    training_flags = {key: value for key, value in flags.items() if value is not None}
    model_flags = {key: value for key, value in sizes.items() if value is not None}
    held = contextlib.ExitStack()
    try:
        group = distributed.ProcessGroup.from_environment()  # loads torch, but not for one process
        terminal = Terminal(quiet=quiet or not group.is_first)
        local = partial(downloads.local, terminal=terminal, url=quickdraw_url, offline=offline)
        with group.together():
            if resume and overwrite:
                raise BadConfig(
                    "--resume goes on with a run and --overwrite removes it: give one of them"
                )
            if tensorboard:
                event_files.check()
            sources = download.named(sources)
            settings = read_toml(config) if config else {}
        alike = {"preset": preset, "resume": resume, "overwrite": overwrite, "settings": settings}
        one_machine = group.world == group.local_world
        alike["words"] = words
        alike["data"] = sources if one_machine and not run_folder.is_packed_set(sources) else None
        group.agree_on_options({**training_flags, **model_flags, **alike})
        home = _home(group, device) if group.world > 1 else None

        plan: dict[str, Any] = {}
        corpus: Corpus | None = None
        events: Events | None = None
        with group.together():
            if group.is_first:
                begun = group.run_of_launch()  # by this launch, which was restarted since
                run = Path(begun) if begun else run_folder.named(out, sources, may_exist=resume)
                held.enter_context(locks.exclusive(run))
                for folder in (run, run / "state", run / "samples"):
                    locks.remove_stale(folder)
                if (resume or begun) and (run / run_folder.CONFIG).is_file():
                    if config and not begun:
                        raise BadConfig(
                            "--resume takes its settings from the run: leave out --config"
                        )
                    plan, corpus = run_folder.reopen(
                        run, sources, model_flags, training_flags, group
                    )
                    run_folder.refuse_other_words(run, plan["model"]["n_words"], words)
                else:
                    if resume and not sources:
                        raise BadFile(f"{run}: nothing to resume: no {run_folder.CONFIG} in it")
                    if preset not in PRESETS:
                        raise BadConfig(
                            f"--preset must be one of {', '.join(PRESETS)}, not {preset!r}"
                        )
                    chosen = {**PRESETS[preset], **settings.get("model", {}), **model_flags}
                    model = ModelConfig.from_dict(chosen)
                    training = TrainingConfig.from_dict(
                        {**TRAINED[preset], **settings.get("training", {}), **training_flags}
                    )
                    group.check_batch(training.batch_size)
                    if run.exists():
                        run_folder.refuse(run, overwrite=overwrite)
                    _check_device(device, model, training)
                    if words is None and preset == CLASSIC:
                        words = False
                    if words is None and "n_words" in settings.get("model", {}):
                        words = model.n_words > 0
                    corpus, record, model = run_folder.begin(
                        run, sources, model, training, terminal, words=words, local=local
                    )
                    plan = run_folder.plan_of(run, model, training, record, resuming=False)
                group.remember_run(str(run))
        plan = json.loads(group.broadcast(json.dumps(plan).encode()))
        run, resuming = Path(plan["run"]), bool(plan["resuming"])
        model = ModelConfig.from_dict(plan["model"])
        training = TrainingConfig.from_dict(plan["training"])
        corpus = run_folder.own_corpus(group, corpus, run, plan["data"], sources, terminal, local)
        group.agree_on_drawings(corpus)

        # torch loads here, 1.5 s: after everything that can be wrong has been looked at
        from sketchrnn_cli.cli import training_display
        from sketchrnn_cli.files import open_output
        from sketchrnn_cli.training import metrics as log
        from sketchrnn_cli.training import state
        from sketchrnn_cli.training.device import set_threads
        from sketchrnn_cli.training.trainer import Trainer

        set_threads(threads, model, training, world=group.world)
        with group.together():
            trainer = Trainer(
                run, corpus, model, training, device=home or _home(group, device), group=group
            )
            if group.is_first:
                with open_output(run / run_folder.CONFIG, binary=False) as stream:
                    stream.write(to_toml(model, training, plan["data"]))
            if group.is_first and resuming:
                saved, complaints = state.load_newest(run, trainer.error_of)
                for complaint in complaints:
                    terminal.warn(f"{complaint}; going back to the state before it")
                if saved is not None:
                    trainer.restore(saved)
                else:
                    run_folder.refuse_to_forget(run)
                log.truncate(run, trainer.progress.step)
            if group.is_first and log_csv:
                log.write_csv(run)
            if group.is_first and (tensorboard or (resuming and event_files.is_kept(run))):
                events = event_files.Events(run, trainer.progress.step)
                held.callback(events.close)
        group.agree_on_options({"arithmetic": str(trainer.compute)})  # `auto` goes by the machine
        training_display.announce(terminal, trainer, resuming=resuming)

        # in a group no signal ends at once: torchrun passes on what the processes may have got
        # already, and ends those that take too long
        with signals.noted(ends=group.world == 1) as stopped:
            finished = _run(trainer, terminal, stopped, events)
            group.close()
        if stopped:  # perhaps only after the last step
            finished = replace(finished, why="stopped")
        if group.is_first and finished.why != "stopped":
            _fit_latents(trainer, terminal)
        training_display.conclude(terminal, trainer, finished, as_json=as_json and group.is_first)
        code = 0
        if finished.why == "stopped":
            code = signals.exit_code(stopped[0] if stopped else signal.SIGTERM)
        held.close()
        if group.world > 1:
            _leave(code)
        if code:
            raise typer.Exit(code)
    except distributed.ErrorElsewhere:
        raise typer.Exit(1) from None
    finally:
        held.close()


def _leave(code: int) -> NoReturn:
    """End a process of a group whose work is done and saved, at once.

    Threads of the process group that are still there when Python takes itself down abort the
    process now and then, and torchrun would take that for a failure and start all of them again.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait_patiently() -> None:
    """Let threads that wait for one another give up their core soon; before torch is imported.

    By default they hold on to it for milliseconds. On a quiet machine that gains a few per cent,
    and beside one other busy program a step takes twice as long.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # torch on Linux
    os.environ.setdefault("KMP_BLOCKTIME", "1")  # torch on macOS and Windows, milliseconds


def _home(group: ProcessGroup, device: str) -> torch.device:
    """The device of this process."""
    from sketchrnn_cli.training.device import choose_device

    with group.together():
        chosen = choose_device(device)
    return group.place(chosen)


def _check_device(device: str, model: ModelConfig, training: TrainingConfig) -> None:
    """Refuse what is not there before anything is prepared; the usual devices are."""
    if device not in ("auto", "cpu") or training.precision == "bfloat16":
        from sketchrnn_cli.training.device import choose_device, products_type

        products_type(training.precision, choose_device(device), model)


def _run(trainer: Trainer, terminal: Terminal, stopped: list[int], events: Events | None) -> Any:
    """Follow the events of a run: show them, and draw its pictures now and then."""
    from sketchrnn_cli.cli.training_advice import Advice
    from sketchrnn_cli.cli.training_display import TrainingDisplay
    from sketchrnn_cli.cli.training_pictures import Pictures
    from sketchrnn_cli.training import loop
    from sketchrnn_cli.training import metrics as log

    last_step = None if trainer.last_step == sys.maxsize else trainer.last_step
    first = trainer.group.is_first
    advice = Advice(terminal, trainer)
    with TrainingDisplay(
        terminal,
        last_step=last_step,
        time_limit=trainer.config.time_limit,
        first_step=trainer.progress.step,
        before=log.Lines(trainer.run),
    ) as display:
        pictures = Pictures(trainer, terminal, display, events, every=PICTURES_EVERY)
        for event in loop.events(trainer, should_stop=lambda: bool(stopped)):
            if isinstance(event, loop.Stepped):
                display.stepped(event.step)
            elif isinstance(event, loop.Reported):
                if events is not None:
                    events.add(event.metrics)
                advice.look(event.metrics)
                display.reported(event.metrics)
            elif isinstance(event, loop.Validated):
                if events is not None:
                    events.add(event.metrics)
                advice.look(event.metrics)
                display.validated(event.metrics, best=event.best)
                if first:
                    pictures.after_validation()
            elif isinstance(event, loop.ModelRepaired):
                if first:
                    terminal.warn(f"{event.error}; written anew, of this step")
            elif isinstance(event, loop.RolledBack):
                if events is not None:
                    events.go_back(event.to)
                display.went_back(event.to)
                if first:
                    for complaint in event.passed_over:
                        terminal.warn(f"{complaint}; going back to the state before it")
                    terminal.warn(
                        f"the loss was not finite at step {event.at}: back to step {event.to}, "
                        f"learning rate now {event.learning_rate:.2g} ({event.left} tries left)"
                    )
            elif isinstance(event, loop.Finished):
                finished = event
        if first:
            pictures.draw()
    return finished


def _fit_latents(trainer: Trainer, terminal: Terminal) -> None:
    """Put into the run's best model where the latents of each word lie.

    While training, one Gaussian a word does; what a model ends with is a mixture of them.
    """
    from sketchrnn_cli.inference import latent_prior as latent_mixture
    from sketchrnn_cli.inference.engine import Engine
    from sketchrnn_cli.model import checkpoint

    corpus = trainer.corpus
    if trainer.network.encoder is None:
        return
    path = trainer.run / checkpoint.FILE_NAME
    train = corpus.indices("train").tolist()
    drawings = ((int(corpus.word_ids[i]), corpus.moves_of(i)) for i in train)
    fitted = latent_mixture.fit_model(
        Engine(checkpoint.load(path)),
        terminal.track(drawings, what="fitting latents", total=len(train)),
        seed=trainer.config.seed,
    )
    checkpoint.save(path, fitted)
