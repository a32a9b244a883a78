"""The folder of a run: whether it may be one, how it is begun, and how it is opened again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import practice
from sketchrnn_cli.training.config import TrainingConfig, read_toml, to_toml

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.training.process_group import ProcessGroup

CORPUS = "state/corpus.npz"  # in a run folder: the drawings, unless a packed set was given
CONFIG = "config.toml"

Local = Callable[[list[str]], list[str]]  # sources with files in the place of quickdraw: names


def named(out: Path | None, sources: list[str], *, may_exist: bool) -> Path:
    """The folder named, or ``runs/NAME``, with a number where that is taken."""
    from sketchrnn_cli.sketches import download

    if out is not None:
        return out
    name = practice.SOURCE
    if sources:
        first = Path(sources[0].removeprefix(download.PREFIX))
        name = first.name.split(".")[0].strip("*?-") or "drawings"
        if len(sources) > 1:
            name += f"-and-{len(sources) - 1}-more"
    run, number = Path("runs") / name, 2
    while run.exists() and not may_exist:
        run, number = Path("runs") / f"{name}-{number}", number + 1
    return run


def refuse(run: Path, *, overwrite: bool) -> None:
    """Keep what is there, unless it is a run (or an empty folder) and may go."""
    if not run.is_dir():
        raise BadFile(f"{run}: exists and is not a folder; name another run folder")
    if not any(run.iterdir()):
        return
    if not overwrite:
        raise BadFile(f"{run}: exists already; give --resume, --overwrite or another -o")
    if not (run / CONFIG).is_file() and not (run / "model.safetensors").is_file():
        raise BadFile(f"{run}: does not look like a run, so it is not overwritten; name another")


def _refuse_other_model(run: Path, model: ModelConfig, flags: dict[str, Any]) -> None:
    for name, value in flags.items():
        if getattr(model, name) != value:
            raise BadConfig(
                f"{run}: was begun with {name} = {getattr(model, name)}; it cannot change to "
                f"{value} on the way"
            )


def refuse_other_words(run: Path, n_words: int, words: bool | None) -> None:
    """Keep a decoder that is told words told them, and no other."""
    if words is not None and words != (n_words > 0):
        told = f"was begun with a decoder that is told {n_words or 'no'} words"
        raise BadConfig(f"{run}: {told}; that cannot change on the way")


def _told(model: ModelConfig, corpus: Corpus, words: bool | None) -> ModelConfig:
    """Sizes with the number of words that the decoder is told; None: where there are several.

    Raises:
        BadConfig: the sizes name another number than there are words.
    """
    there = len(corpus.words)
    if not words and (words is not None or there < 2):
        return replace(model, n_words=0)
    if model.n_words not in (0, there):
        raise BadConfig(
            f"n_words is {model.n_words}, and the drawings are of {there}: leave it out"
        )
    return replace(model, n_words=there)


def plan_of(
    run: Path,
    model: ModelConfig,
    training: TrainingConfig,
    record: dict[str, Any],
    *,
    resuming: bool,
) -> dict[str, Any]:
    """What a process needs to know of a run that another has opened."""
    return {
        "run": str(run),
        "model": asdict(model),
        "training": asdict(training),
        "data": record,
        "resuming": resuming,
    }


def reopen(
    run: Path,
    sources: list[str],
    model_flags: dict[str, Any],
    training_flags: dict[str, Any],
    group: ProcessGroup,
) -> tuple[dict[str, Any], Corpus]:
    """Open a run again, as it was begun but for the settings that may change."""
    stored = read_toml(run / CONFIG)
    record = stored.get("data", {})
    model = ModelConfig.from_dict(stored.get("model", {}))
    _refuse_other_model(run, model, model_flags)
    training = TrainingConfig.from_dict({**stored.get("training", {}), **training_flags})
    group.check_batch(training.batch_size)
    corpus = _stored_corpus(run, record, sources)
    return plan_of(run, model, training, record, resuming=True), corpus


def begin(
    run: Path,
    sources: list[str],
    model: ModelConfig,
    training: TrainingConfig,
    terminal: Terminal,
    *,
    words: bool | None,
    local: Local,
) -> tuple[Corpus, dict[str, Any], ModelConfig]:
    """Prepare the drawings beside the run, then move the folder to its place.

    So bad drawings leave nothing behind, and a run that is overwritten goes only when the new
    one's drawings are good.
    """
    from sketchrnn_cli.sketches import corpus as corpus_file
    from sketchrnn_cli.sketches.streams import open_output, reason

    fresh, old = run.parent / f".{run.name}.new", run.parent / f".{run.name}.old"
    try:
        for left in (fresh, old):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        (fresh / CORPUS).parent.mkdir(parents=True)
        packed = _pack(sources, fresh / CORPUS, terminal, local)
        n_train = len(packed.indices("train"))
        if not n_train:
            raise BadFile(f"{', '.join(sources)}: no drawings to train on")
        model = _told(model, packed, words)
        own = packed.path == fresh / CORPUS
        record = {
            "sources": sources or [practice.SOURCE],
            "packed": CORPUS if own else str(packed.path.resolve()),
            "hash": packed.split_hash("train"),
        }
        with open_output(fresh / CONFIG, binary=False) as stream:
            stream.write(to_toml(model, training, record))
        del packed
        if run.exists():
            run.rename(old)  # at once: half a run looks like none
        fresh.rename(run)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise BadFile(f"{run}: cannot be written: {reason(error)}") from None
    finally:
        if old.exists() and not run.exists():
            old.rename(run)
        shutil.rmtree(fresh, ignore_errors=True)
    corpus = corpus_file.Corpus.open(run / CORPUS if own else Path(str(record["packed"])))
    return corpus, record, model


def refuse_to_forget(run: Path) -> None:
    """Refuse to begin anew what has been under way, for want of a saved state."""
    from sketchrnn_cli.training import metrics as log
    from sketchrnn_cli.training import state

    if any(log.Lines(run)):
        raise BadFile(
            f"{run / state.FOLDER}: no saved state, but {log.FILE_NAME} tells of steps done; "
            "put it back, or --overwrite begins anew"
        )


def is_packed_set(sources: list[str]) -> bool:
    """Whether the drawings are one packed set, which is read where it lies."""
    from sketchrnn_cli.sketches.corpus import is_packed

    return len(sources) == 1 and is_packed(sources[0])


def _pack(sources: list[str], path: Path, terminal: Terminal, local: Local) -> Corpus:
    """The drawings of these sources, or the practice drawings, packed at a path."""
    from sketchrnn_cli.sketches import build as corpora
    from sketchrnn_cli.sketches import corpus as corpus_file

    if sources:
        packed = corpora.open_or_build(local(sources), path)
        if packed.path != path:  # it was there before
            packed.check()
        return packed
    practice.copy_to(path)
    packed = corpus_file.Corpus.open(path)
    *words, last = packed.words
    terminal.say(
        f"no DATA: practising on {len(packed):,} drawings that ship, of {', '.join(words)} "
        f"and {last}"
    )
    return packed


def own_corpus(
    group: ProcessGroup,
    corpus: Corpus | None,
    run: Path,
    record: dict[str, Any],
    sources: list[str],
    terminal: Terminal,
    local: Local,
) -> Corpus:
    """The drawings as this process reads them; the first has them already.

    A packed set is read where this process was told it lies. Anything else was packed in the run
    folder; a machine that does not see that folder packs its own, in a folder of the same name.
    """
    from sketchrnn_cli.sketches.corpus import Corpus

    place = Path(str(record.get("packed", CORPUS)))
    path = place if place.is_absolute() else run / place
    with group.together():
        if corpus is None and is_packed_set(sources):
            corpus = Corpus.open(sources[0])
        elif group.local_rank == 0 and path == run / CORPUS and not path.is_file():
            begun = [str(source) for source in record.get("sources", [])]
            path.parent.mkdir(parents=True, exist_ok=True)
            if begun == ["doodles"]:  # of an older version, drawn by rule
                raise BadFile(
                    f"{path}: no such file, and this version does not draw the doodles of this "
                    "run again; copy the file from where the run was begun"
                )
            named = sources or ([] if begun == [practice.SOURCE] else begun)
            corpus = _pack(named, path, terminal, local)
    with group.together():
        return Corpus.open(path) if corpus is None else corpus


def _stored_corpus(run: Path, record: dict[str, Any], sources: list[str]) -> Corpus:
    """The drawings a run was begun with.

    Raises:
        BadConfig: other drawings are named, or they have changed.
    """
    from sketchrnn_cli.sketches.corpus import Corpus

    begun = [str(source) for source in record.get("sources", [])]
    if sources and sources != begun:
        raise BadConfig(f"{run}: trains on {', '.join(begun)}; leave out DATA to go on")
    packed = Path(str(record.get("packed", CORPUS)))
    corpus = Corpus.open(packed if packed.is_absolute() else run / packed)
    if corpus.split_hash("train") != record.get("hash"):
        raise BadConfig(f"{corpus.path}: the drawings have changed since the run was begun")
    corpus.check()
    return corpus
