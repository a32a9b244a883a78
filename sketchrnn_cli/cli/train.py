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
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Optional

import typer

from sketchrnn_cli import locks
from sketchrnn_cli.cli import downloads, run_folder, signals
from sketchrnn_cli.cli.options import (
    Device,
    Json,
    Offline,
    Overwrite,
    QuickdrawUrl,
    Quiet,
    Threads,
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
    from sketchrnn_cli.training.loop import Trainer
    from sketchrnn_cli.training.process_group import Team
    from sketchrnn_cli.training.tensorboard import Events

CLASSIC = "magenta"  # the preset whose decoder is told no words
PICTURES_EVERY = 30.0  # seconds, at least, between sample sheets while training

Seed = Annotated[Optional[int], typer.Option("--seed", help="Same seed, same model.")]  # noqa: UP045


def train(
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            help="npz, ndjson(.gz), .bin, SVG, a packed set, a folder, a pattern, quickdraw:WORD, "
            "or - for ndjson on stdin; none: the practice drawings."
        ),
    ] = None,
    more_data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--data", metavar="DATA", help="The same, as an option."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Run folder; default: runs/ and the data's name."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help=f"Sizes and settings: {', '.join(PRESETS)}.")
    ] = "base",
    steps: Annotated[Optional[int], typer.Option(min=1, help="Stop after so many steps.")] = None,  # noqa: UP045
    epochs: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Stop after so many passes over the drawings."),
    ] = None,
    time_limit: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Stop after 90s, 10m, 1h30m of this session."),
    ] = None,
    batch_size: Annotated[Optional[int], typer.Option(help="Drawings a step.")] = None,  # noqa: UP045
    learning_rate: Annotated[Optional[float], typer.Option(help="Adam's rate at step 0.")] = None,  # noqa: UP045
    kl_weight: Annotated[Optional[float], typer.Option(help="Weight of L_KL at the end.")] = None,  # noqa: UP045
    precision: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help=f"Arithmetic: {', '.join(PRECISIONS)}; auto is the fastest."),
    ] = None,
    cell: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help=f"Recurrent cell: {', '.join(CELLS)}."),
    ] = None,
    encoder_cell: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The encoder's, where it is another."),
    ] = None,
    encoder: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--encoder/--no-encoder", help="Without: the paper's decoder-only model."),
    ] = None,
    words: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--words/--no-words",
            help="Tell the decoder the word, to draw by it. "
            "\\[default: where there are two or more]",
        ),
    ] = None,
    config: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--config", help="TOML with a model and a training table; flags win."),
    ] = None,
    tensorboard: Annotated[
        bool,
        typer.Option(
            "--tensorboard",
            help="Losses and samples for TensorBoard too, in RUN/tensorboard (an extra).",
        ),
    ] = False,
    log_csv: Annotated[
        bool, typer.Option("--log-csv", help="metrics.csv beside metrics.jsonl.")
    ] = False,
    quickdraw_url: QuickdrawUrl = None,
    offline: Offline = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    overwrite: Overwrite = False,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model on drawings; without DATA, on the practice drawings that ship.

    Ctrl-C saves first; `--resume` goes on from there, also after a crash. Several processes
    that torchrun started share every batch.
    """
    from sketchrnn_cli.sketches import quickdraw
    from sketchrnn_cli.training import process_group as distributed
    from sketchrnn_cli.training import tensorboard as event_files

    limit_threads(distributed.threads_each() if threads is None else threads)
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
        team = distributed.Team.from_environment()  # loads torch, but not for one process
        terminal = Terminal(quiet=quiet or not team.is_first)
        local = partial(downloads.local, terminal=terminal, url=quickdraw_url, offline=offline)
        with team.together():
            if resume and overwrite:
                raise BadConfig(
                    "--resume goes on with a run and --overwrite removes it: give one of them"
                )
            if tensorboard:
                event_files.check()
            sources = quickdraw.named(sources)
            settings = read_toml(config) if config else {}
        alike = {"preset": preset, "resume": resume, "overwrite": overwrite, "settings": settings}
        one_machine = team.world == team.local_world
        alike["words"] = words
        alike["data"] = sources if one_machine and not run_folder.is_packed_set(sources) else None
        team.agree_on_options({**training_flags, **model_flags, **alike})
        home = _home(team, device) if team.world > 1 else None

        plan: dict[str, Any] = {}
        corpus: Corpus | None = None
        events: Events | None = None
        with team.together():
            if team.is_first:
                begun = team.begun()  # by this launch, which was restarted since
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
                        run, sources, model_flags, training_flags, team
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
                    team.check_batch(training.batch_size)
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
                team.note_begun(str(run))
        plan = json.loads(team.send(json.dumps(plan).encode()))
        run, resuming = Path(plan["run"]), bool(plan["resuming"])
        model = ModelConfig.from_dict(plan["model"])
        training = TrainingConfig.from_dict(plan["training"])
        corpus = run_folder.own_corpus(team, corpus, run, plan["data"], sources, terminal, local)
        team.agree_on_drawings(corpus)

        # torch loads here, 1.5 s: after everything that can be wrong has been looked at
        from sketchrnn_cli.cli import training_display
        from sketchrnn_cli.files import open_output
        from sketchrnn_cli.training import loop, state
        from sketchrnn_cli.training import metrics as log

        loop.set_threads(threads, model, training, world=team.world)
        with team.together():
            trainer = loop.Trainer(
                run, corpus, model, training, device=home or _home(team, device), team=team
            )
            if team.is_first:
                with open_output(run / run_folder.CONFIG, binary=False) as stream:
                    stream.write(to_toml(model, training, plan["data"]))
            if team.is_first and resuming:
                saved, complaints = state.load_newest(run, trainer.fault_of)
                for complaint in complaints:
                    terminal.warn(f"{complaint}; going back to the state before it")
                if saved is not None:
                    trainer.restore(saved)
                else:
                    run_folder.refuse_to_forget(run)
                log.truncate(run, trainer.progress.step)
            if team.is_first and log_csv:
                log.write_csv(run)
            if team.is_first and (tensorboard or (resuming and event_files.is_kept(run))):
                events = event_files.Events(run, trainer.progress.step)
                held.callback(events.close)
        team.agree_on_options({"arithmetic": str(trainer.compute)})  # `auto` goes by the machine
        training_display.announce(terminal, trainer, resuming=resuming)

        # in a team no signal ends at once: torchrun passes on what the processes may have got
        # already, and ends those that take too long
        with signals.noted(ends=team.world == 1) as stopped:
            finished = _run(trainer, terminal, stopped, events)
            team.close()
        if stopped:  # perhaps only after the last step
            finished = replace(finished, why="stopped")
        if team.is_first and finished.why != "stopped":
            _fit_latents(trainer, terminal)
        training_display.conclude(terminal, trainer, finished, as_json=as_json and team.is_first)
        code = 0
        if finished.why == "stopped":
            code = signals.exit_code(stopped[0] if stopped else signal.SIGTERM)
        held.close()
        if team.world > 1:
            _leave(code)
        if code:
            raise typer.Exit(code)
    except distributed.FaultElsewhere:
        raise typer.Exit(1) from None
    finally:
        held.close()


def _leave(code: int) -> NoReturn:
    """End a process of a team whose work is done and saved, at once.

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


def _home(team: Team, device: str) -> torch.device:
    """The device of this process."""
    from sketchrnn_cli.training.loop import choose_device

    with team.together():
        chosen = choose_device(device)
    return team.at_home(chosen)


def _check_device(device: str, model: ModelConfig, training: TrainingConfig) -> None:
    """Refuse what is not there before anything is prepared; the usual devices are."""
    if device not in ("auto", "cpu") or training.precision == "bfloat16":
        from sketchrnn_cli.training.device import products_type
        from sketchrnn_cli.training.loop import choose_device

        products_type(training.precision, choose_device(device), model)


def _run(trainer: Trainer, terminal: Terminal, stopped: list[int], events: Events | None) -> Any:
    """Follow the events of a run: show them, and draw its pictures now and then."""
    from sketchrnn_cli.cli.training_advice import Advice
    from sketchrnn_cli.cli.training_display import TrainingDisplay
    from sketchrnn_cli.cli.training_pictures import Pictures
    from sketchrnn_cli.training import loop
    from sketchrnn_cli.training import metrics as log

    last_step = None if trainer.last_step == sys.maxsize else trainer.last_step
    first = trainer.team.is_first
    advice = Advice(terminal, trainer)
    with TrainingDisplay(
        terminal,
        last_step=last_step,
        time_limit=trainer.config.time_limit,
        first_step=trainer.progress.step,
        before=log.Lines(trainer.run),
    ) as display:
        pictures = Pictures(trainer, terminal, display, events, every=PICTURES_EVERY)
        for event in trainer.events(should_stop=lambda: bool(stopped)):
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
            elif isinstance(event, loop.ModelMended):
                if first:
                    terminal.warn(f"{event.complaint}; written anew, of this step")
            elif isinstance(event, loop.RolledBack):
                if events is not None:
                    events.go_back(event.to)
                display.went_back(event.to)
                if first:
                    for complaint in event.complaints:
                        terminal.warn(f"{complaint}; going back to the state before it")
                    terminal.warn(
                        f"the loss was not finite at step {event.at}: back to step {event.to}, "
                        f"learning rate now {event.learning_rate:.2g} ({event.left} tries left)"
                    )
            else:
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
