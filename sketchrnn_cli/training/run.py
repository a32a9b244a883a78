"""The folder of a run: how it is named, begun, resumed, and recognised."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchrnn_cli import files, locks
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.model.checkpoint import FILE_NAME as MODEL
from sketchrnn_cli.model.config import PRESETS, ModelConfig
from sketchrnn_cli.sketches import practice
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training import state, warm_start
from sketchrnn_cli.training.config import PRESETS as TRAINED
from sketchrnn_cli.training.config import WARM, TrainingConfig, read_toml, to_toml

if TYPE_CHECKING:
    import torch

    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.training.process_group import ProcessGroup
    from sketchrnn_cli.training.trainer import Trainer

CORPUS = "state/corpus.npz"  # in a run folder: the drawings, unless a packed set was given
CONFIG = "config.toml"
BASE = "base"  # the preset, unless another is named
TINY = "tiny"  # the same, to practise on the drawings that ship
PRACTICE_SECONDS = 180.0  # where nothing says how long
UNCONDITIONAL = "magenta"  # the preset whose decoder is not conditioned on labels

Say = Callable[[str], None]
Check = Callable[[ModelConfig, TrainingConfig], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a run; settings by name, those that are given alone."""

    sources: list[str]  # of drawings; none: the practice drawings
    out: Path | None = None
    preset: str | None = None  # as BASE
    warm: str | None = None  # the model whose weights the run starts from
    config: Path | None = None  # a file of more settings; those given win
    tables: dict[str, dict[str, Any]] | None = None  # what is in it
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    words: bool | None = None  # whether the decoder is conditioned on labels; None: by the data
    resume: bool = False
    overwrite: bool = False
    fetch: Callable[[list[str]], list[str]] = list  # a file for every quickdraw: name
    reading: Callable[[list[str]], AbstractContextManager[None]] = lambda _: nullcontext()
    say: Say = lambda text: None  # one line for a person

    def settings(self) -> tuple[ModelConfig, TrainingConfig, bool | None]:
        """Sizes and settings of a new run, and whether its decoder is conditioned on labels.

        Raises:
            BadConfig: a setting that is not one.
        """
        practises = not self.sources and self.warm is None
        preset = self.preset
        if preset is None:
            preset = TINY if practises and not self.tables else BASE
        if preset not in PRESETS:
            raise BadConfig(f"--preset must be one of {', '.join(PRESETS)}, not {preset!r}")
        tables = self.tables or {}
        more = tables.get("model", {})
        trained = TRAINED[preset] if self.warm is None else WARM
        training = TrainingConfig.from_dict(
            {**trained, **tables.get("training", {}), **self.training}
        )
        if practises and not training.is_limited:
            training = replace(training, time_limit=PRACTICE_SECONDS)
        words = self.words
        if self.warm is not None:
            found, asked = warm_start.opened(self.warm), {**more, **self.model}
            model, words = warm_start.sizes(found, self.warm, asked, words)
        else:
            model = ModelConfig.from_dict({**PRESETS[preset], **more, **self.model})
            if words is None and preset == UNCONDITIONAL:
                words = False
            if words is None and "n_words" in more:
                words = model.n_words > 0
        self.check(model)
        return model, training, words

    def check(self, model: ModelConfig) -> None:
        """Refuse a setting that was given, and would be ignored.

        Raises:
            BadConfig: of the encoder, and there is none.
        """
        if not model.encoder and "kl_weight" in self.training:
            raise BadConfig("--kl-weight: the model has no encoder, and no L_KL")


@dataclass(frozen=True, slots=True)
class Plan:
    """What every process needs to know of a run that the first has opened."""

    run: Path
    model: ModelConfig
    training: TrainingConfig
    data: dict[str, Any]  # sources, packed, hash
    resuming: bool = False
    new_rate: bool = False  # a learning rate was given on resume: it counts in full

    def to_bytes(self) -> bytes:
        """As bytes; ``from_bytes`` reads them."""
        return json.dumps(asdict(self), default=str).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Plan:
        """Inverse of ``to_bytes``."""
        values = json.loads(data)
        values["run"] = Path(values["run"])
        values["model"] = ModelConfig.from_dict(values["model"])
        values["training"] = TrainingConfig.from_dict(values["training"])
        return cls(**values)


# which folders are runs


def is_run(folder: Path) -> bool:
    """Whether a folder is one of a run: settings alone, in a folder of drawings, make none."""
    others = (MODEL, state.FOLDER, log.FILE_NAME)
    return (folder / CONFIG).is_file() and any((folder / name).exists() for name in others)


def is_unstarted(folder: Path) -> bool:
    """Whether a run has learned nothing and holds nothing else, as when a disk was full."""
    if not is_run(folder):
        return False
    found = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    states = [step for step, _ in state.paths(folder)]
    return found <= {CONFIG, state.FOLDER, log.CSV_NAME} and not any(states)


def named(request: Request) -> Path:
    """The folder named, or ``runs/NAME``, with a number where that is taken."""
    from sketchrnn_cli.sketches import download

    if request.out is not None:
        return request.out
    name, sources = practice.SOURCE, request.sources
    if sources:
        first = Path(sources[0].removeprefix(download.PREFIX))
        name = first.name.split(".")[0].strip("*?-") or "drawings"
        if len(sources) > 1:
            name += f"-and-{len(sources) - 1}-more"
    run, number = Path("runs") / name, 2
    while run.exists() and not request.resume and not is_unstarted(run):
        run, number = Path("runs") / f"{name}-{number}", number + 1
    return run


def refuse(run: Path, *, overwrite: bool) -> None:
    """Keep what is there, unless it is a run (or an empty folder) and may go.

    Raises:
        BadFile: it stays.
    """
    if not run.is_dir():
        raise BadFile(f"{run}: exists and is not a folder; name another run folder")
    if not any(run.iterdir()) or is_unstarted(run):
        return
    if not overwrite:
        raise BadFile(f"{run}: exists already; give --resume, --overwrite or another -o")
    if not is_run(run):
        raise BadFile(f"{run}: does not look like a run, so it is not overwritten; name another")


# a run is opened


@contextmanager
def opened(request: Request, group: ProcessGroup, check: Check) -> Iterator[tuple[Plan, Corpus]]:
    """The run of a request and its drawings, in every process; locked while it is open.

    Args:
        request: what is asked.
        group: the first of its processes prepares what the others read.
        check: refuses settings of a new run before anything is prepared.

    Raises:
        SketchError: as of ``begin`` and ``reopen``; in the first process.
    """
    plan, corpus = None, None
    with ExitStack() as held:
        with group.together():
            if group.is_first:
                restarted = group.run_of_launch()  # of this launch, before it was restarted
                run = Path(restarted) if restarted else named(request)
                held.enter_context(locks.exclusive(run))
                for folder in (run, run / state.FOLDER, run / "samples"):
                    locks.remove_stale(folder)
                if (request.resume or restarted) and (run / CONFIG).is_file():
                    plan, corpus = reopen(run, request, group, restarted=bool(restarted))
                else:
                    plan, corpus = begin(run, request, group, check)
                group.remember_run(str(run))
        plan = Plan.from_bytes(group.broadcast(plan.to_bytes() if plan else b""))
        corpus = own_corpus(group, corpus, plan, request)
        group.agree_on_drawings(corpus)
        yield plan, corpus


def begin(run: Path, request: Request, group: ProcessGroup, check: Check) -> tuple[Plan, Corpus]:
    """Prepare the drawings beside the run, then move the folder to its place.

    So bad drawings leave nothing behind, and a run that is overwritten goes only when the new
    one's drawings are good.

    Raises:
        BadFile: nothing to resume, a folder that stays, or no drawings.
        BadConfig: settings that are wrong.
    """
    from sketchrnn_cli.sketches.corpus import Corpus

    if request.resume and not request.sources:
        raise BadFile(f"{run}: nothing to resume: no {CONFIG} in it; name a run with -o RUN")
    model, training, words = request.settings()
    group.check_batch(training.batch_size)
    if run.exists():
        refuse(run, overwrite=request.overwrite)
    _keep_inputs(run, request)
    check(model, training)
    fresh, old = run.parent / f".{run.name}.new", run.parent / f".{run.name}.old"
    try:
        for left in (fresh, old):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        (fresh / CORPUS).parent.mkdir(parents=True)
        packed = _pack(request.sources, fresh / CORPUS, request)
        if not len(packed.indices("train")):
            raise BadFile(f"{', '.join(request.sources)}: no drawings to train on")
        own = packed.path == fresh / CORPUS
        record = {
            "sources": request.sources or [practice.SOURCE],
            "packed": CORPUS if own else str(packed.path.resolve()),
            "hash": packed.split_hash("train"),
        }
        if request.warm is not None:
            record["from"] = warm_start.source(request.warm)
            _say_what_is_new(request, packed)
        plan = Plan(run, _conditioned(model, packed, words), training, record)
        del packed
        write_config(fresh, plan)
        if run.exists():
            run.rename(old)  # at once: half a run is none
        fresh.rename(run)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise BadFile(f"{run}: cannot be written: {files.reason(error)}") from None
    finally:
        if old.exists() and not run.exists():
            old.rename(run)
        shutil.rmtree(fresh, ignore_errors=True)
    return plan, Corpus.open(packed_set(plan.run, plan.data))


def _keep_inputs(run: Path, request: Request) -> None:
    """Refuse a run that would take the place of what is read for it, or lie among drawings."""
    warm = warm_start.source(request.warm or warm_start.BUILT_IN)
    for name in map(str, filter(None, [*request.sources, request.config, warm])):
        if files.lies_in(name, run):
            raise BadConfig(f"{name}: is in the run that would be overwritten")
    files.check_output(run / MODEL, binary=True, inputs=request.sources, overwrite=True)


def reopen(
    run: Path, request: Request, group: ProcessGroup, *, restarted: bool
) -> tuple[Plan, Corpus]:
    """Open a run again, as it was begun but for the settings that may change.

    Raises:
        BadConfig: a setting that may not, other drawings, or drawings that have changed.
    """
    from sketchrnn_cli.sketches.corpus import Corpus

    for name, value in (("config", request.tables), ("preset", request.preset)):
        if value is not None and not restarted:
            raise BadConfig(f"{run}: is resumed with its own settings; leave out --{name}")
    stored = read_toml(run / CONFIG)
    model = ModelConfig.from_dict(stored.get("model", {}))
    for name, value in request.model.items():
        if getattr(model, name) != value:
            raise BadConfig(
                f"{run}: was begun with {name} = {getattr(model, name)}; it cannot change to "
                f"{value} on the way"
            )
    if request.words is not None and request.words != (model.n_words > 0):
        was = f"conditioned on {model.n_words} words" if model.n_words else "unconditional"
        raise BadConfig(f"{run}: its decoder is {was}; that cannot change on the way")
    request.check(model)
    training = TrainingConfig.from_dict({**stored.get("training", {}), **request.training})
    group.check_batch(training.batch_size)
    new_rate = "learning_rate" in request.training and not restarted
    data = stored.get("data", {})
    plan = Plan(run, model, training, data, resuming=True, new_rate=new_rate)
    sources = [str(source) for source in data.get("sources", [])]
    if request.sources and request.sources != sources:
        raise BadConfig(f"{run}: trains on {', '.join(sources)}; leave out DATA to resume")
    corpus = Corpus.open(packed_set(plan.run, plan.data))
    if corpus.split_hash("train") != data.get("hash"):
        raise BadConfig(f"{corpus.path}: the drawings have changed since the run was begun")
    corpus.check()
    return plan, corpus


def _conditioned(model: ModelConfig, corpus: Corpus, words: bool | None) -> ModelConfig:
    """Sizes with the vocabulary of the decoder; ``words`` None: where there are several.

    Raises:
        BadConfig: the sizes name another number than there are words.
    """
    n_words = len(corpus.words)
    if not words and (words is not None or n_words < 2):
        return replace(model, n_words=0)
    if model.n_words not in (0, n_words):
        raise BadConfig(
            f"n_words is {model.n_words}, and the drawings are of {n_words}: leave it out"
        )
    return replace(model, n_words=n_words)


def _say_what_is_new(request: Request, corpus: Corpus) -> None:
    """Say which words the model that a run starts from does not know."""
    from sketchrnn_cli.sketches.words import visible

    new = warm_start.new_words(warm_start.opened(request.warm or ""), corpus.words)
    listed = ", ".join(map(visible, new)) or "none"
    request.say(f"starting from {request.warm}; words that are new to it: {listed}")


def write_config(folder: Path, plan: Plan) -> None:
    """Write the settings of a run, whole or not at all."""
    with files.open_output(folder / CONFIG, binary=False) as stream:
        stream.write(to_toml(plan.model, plan.training, plan.data))


# its drawings


def is_packed_set(sources: list[str]) -> bool:
    """Whether the drawings are one packed set, which is read in place."""
    from sketchrnn_cli.sketches.corpus import is_packed

    return len(sources) == 1 and is_packed(sources[0])


def packed_set(run: Path, data: Mapping[str, Any]) -> Path:
    """The packed set of a run, as the data table of its settings says."""
    return run / str(data.get("packed", CORPUS))  # where absolute, that


def _pack(sources: list[str], path: Path, request: Request) -> Corpus:
    """The drawings of these sources, or the practice drawings, packed at a path."""
    from sketchrnn_cli.sketches import build
    from sketchrnn_cli.sketches.corpus import Corpus

    if sources:
        sources = request.fetch(sources)
        with request.reading(sources):
            packed = build.open_or_build(sources, path)
        if packed.path != path:  # it was there before
            packed.check()
        return packed
    practice.copy_to(path)
    packed = Corpus.open(path)
    *words, last = packed.words
    request.say(
        f"no DATA: practising on {len(packed):,} drawings that ship, of {', '.join(words)} "
        f"and {last}; for others: sketchrnn train quickdraw:cat"
    )
    return packed


def own_corpus(group: ProcessGroup, corpus: Corpus | None, plan: Plan, request: Request) -> Corpus:
    """The drawings as this process reads them; the first has them already.

    A packed set is read where this process was told it is. Anything else was packed in the run
    folder; a machine that does not see that folder packs its own, in a folder of the same name.
    """
    from sketchrnn_cli.sketches.corpus import Corpus

    path = packed_set(plan.run, plan.data)
    with group.together():
        if corpus is None and is_packed_set(request.sources):
            corpus = Corpus.open(request.sources[0])
        elif group.local_rank == 0 and path == plan.run / CORPUS and not path.is_file():
            begun = [str(source) for source in plan.data.get("sources", [])]
            path.parent.mkdir(parents=True, exist_ok=True)
            sources = request.sources or ([] if begun == [practice.SOURCE] else begun)
            corpus = _pack(sources, path, request)
    with group.together():
        return Corpus.open(path) if corpus is None else corpus


# its trainer


def start(
    plan: Plan, corpus: Corpus, device: torch.device, group: ProcessGroup, warn: Say
) -> Trainer:
    """A trainer of the run, as of its newest state, where there is one.

    Raises:
        BadCheckpoint: states, but none to resume from.
        BadFile: no state, though steps were taken.
    """
    from sketchrnn_cli.training.trainer import Trainer  # torch loads here

    trainer = Trainer(plan.run, corpus, plan.model, plan.training, device=device, group=group)
    trainer.is_warm = "from" in plan.data
    if not group.is_first:
        return trainer
    write_config(plan.run, plan)
    saved, passed_over = None, list[str]()
    if plan.resuming:
        saved, passed_over = state.load_newest(plan.run, trainer.error_of)
    for line in passed_over:
        warn(f"{line}; going back to the state before it")
    if saved is not None:
        trainer.restore(saved)
    elif any(log.Lines(plan.run)):
        raise BadFile(
            f"{plan.run / state.FOLDER}: no saved state, but {log.FILE_NAME} tells of steps done; "
            "put it back, or --overwrite begins anew"
        )
    elif trainer.is_warm:
        model, seed = warm_start.opened(plan.data["from"]), plan.training.seed
        ratio = warm_start.ratio(model, corpus.scale_factor, corpus.preparation)
        fresh = trainer.network.weights()
        trainer.begin_with(warm_start.weights(model, fresh, corpus.words, ratio, seed))
    if plan.new_rate and trainer.progress.step:
        trainer.progress.rate_scale, trainer.progress.rollbacks = 1.0, 0
        trainer.save()  # or a crash would bring the lowered rate back
    log.truncate(plan.run, trainer.progress.step)
    return trainer
