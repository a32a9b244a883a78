"""From any files to a packed set: read, prepare, split, count. Memory does not grow with the data.

Drawings pass in blocks, prepared on several threads, into scratch files beside the target; the
packed set is written from these.
"""

from __future__ import annotations

import contextlib
import gzip
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.files import STDIO, name_of, open_output, scratch_file, scratch_folder
from sketchrnn_cli.sketches import formats, splitting
from sketchrnn_cli.sketches.block import (
    UNSPLIT,
    Block,
    Bools,
    boxes,
    from_sketches,
    take,
    to_moves,
)
from sketchrnn_cli.sketches.corpus import (
    SPLITS,
    Corpus,
    Writer,
    is_packed,
    write_about,
    write_sketch_rnn,
)
from sketchrnn_cli.sketches.formats.ndjson import to_lines
from sketchrnn_cli.sketches.preparation import Preparation, prepare
from sketchrnn_cli.sketches.scratch import UNNAMED, Scratch
from sketchrnn_cli.sketches.simplify import EPSILON, LONGEST, lengths, looks_raw
from sketchrnn_cli.sketches.sketch import BOX, Sketch
from sketchrnn_cli.sketches.tally import Tally

DEFAULT_SPLIT = (90.0, 5.0, 5.0)

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What to do with the drawings. None: as fits the files."""

    fit: bool | None = None  # None: canvas formats are fitted to 255, npz keeps its own frame
    simplify: bool | None = None  # None: raw canvas drawings are
    epsilon: float = EPSILON
    max_points: int = 250
    min_points: int = 1
    per_word: int | None = None  # keep this many of each word, in each split that a file has
    label: str | None = None  # word of drawings that do not say
    recognized_only: bool = False
    split: tuple[float, float, float] | None = None  # split everything anew: train, valid, test
    on_error: str = "fail"  # or skip
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.on_error not in ("fail", "skip"):
            raise BadConfig(f"on error must be fail or skip, not {self.on_error!r}")
        if self.per_word is not None and self.per_word < 1:
            raise BadConfig(f"per word must be 1 or more, not {self.per_word}")
        if self.split is not None:
            splitting.check(self.split)
        self.preparation(fit=True, simplified=True)  # checks the numbers

    def preparation(self, *, fit: bool, simplified: bool) -> Preparation:
        """These settings, with what auto came to."""
        return Preparation(
            fit=fit,
            simplified=simplified,
            epsilon=self.epsilon,
            max_points=self.max_points,
            min_points=self.min_points,
        )


def build(
    sources: list[str], out: str | Path, options: BuildOptions, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Make a packed set of any files.

    Args:
        sources: files, folders, patterns, ``-``.
        out: the packed set; it appears whole or not at all.
        options: what to do.
        progress: told how many drawings were read, now and then.

    Returns:
        The report: read, kept, dropped by reason, words, points, splits, duplicates, leakage.

    Raises:
        BadFile, BadSketch: a file or a drawing that is none, or no drawing left.
        BadConfig: files of both kinds of frame, without a word on which to use.
    """
    tally = Tally(tuple(sources))
    plan = Plan.of(sources, options)
    blocks = prepared(plan, tally, progress=progress)
    return _pack(blocks, out, plan.preparation, tally, options.split)


def build_sketches(
    sketches: Iterable[Sketch],
    out: str | Path,
    *,
    split: tuple[float, float, float] = DEFAULT_SPLIT,
) -> dict[str, Any]:
    """Make a packed set of drawings at hand, which lie on the 0..255 canvas and are simplified."""
    tally = Tally()
    preparation = BuildOptions().preparation(fit=True, simplified=True)

    def blocks() -> Iterator[Block]:
        batch: list[Sketch] = []
        for sketch in sketches:
            batch.append(sketch)
            if len(batch) >= 2048:
                yield _choose(from_sketches(batch), preparation, tally)
                batch = []
        if batch:
            yield _choose(from_sketches(batch), preparation, tally)

    return _pack(blocks(), out, preparation, tally, split)


def build_sketch_rnn(
    sources: list[str], out: str | Path, options: BuildOptions, *, progress: Progress | None = None
) -> dict[str, Any]:
    """The same as sketch-rnn's own ``.npz``, for the old programs."""
    with scratch_folder(out) as folder:
        packed = folder / "packed.npz"
        report = build(sources, packed, options, progress=progress)
        corpus = Corpus.open(packed)
        with open_output(out, binary=True) as stream:
            write_sketch_rnn(corpus, stream)
        del corpus  # Windows removes no file that is mapped
    return report


def build_ndjson(
    sources: list[str],
    out: str | Path,
    options: BuildOptions,
    *,
    compress: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The same drawings as NDJSON, one after the other; splits are not kept.

    From pipe to pipe they go on as they come in.
    """
    at_once = str(out) == STDIO
    tally = Tally(tuple(sources))
    plan = Plan.of(sources, options)
    with open_output(out, binary=compress) as stream, contextlib.ExitStack() as stack:
        sink: IO[bytes] | gzip.GzipFile = stream
        if compress:
            sink = gzip.GzipFile("", "wb", 6, stream, mtime=0)
            stack.callback(sink.close)
        for block in prepared(plan, tally, progress=progress, extras=True, at_once=at_once):
            words = [word or UNNAMED for word in block.words]
            tally.keep(words, np.diff(block.bounds))
            sink.writelines(to_lines(block))
            if at_once:
                sink.flush()
        _refuse_empty(tally)
    return tally.report()


def _refuse_empty(tally: Tally) -> None:
    if not tally.kept:
        why = ", ".join(f"{n} {reason}" for reason, n in tally.dropped.items() if n)
        where = ", ".join(name_of(source) for source in tally.sources[:3])
        where += f" and {len(tally.sources) - 3} more" if len(tally.sources) > 3 else ""
        prefix = f"{where}: " if where else ""
        raise BadFile(f"{prefix}no drawings left of {tally.read} read ({why or 'there were none'})")


def open_or_build(sources: list[str], work: str | Path) -> Corpus:
    """Open a single packed set; make one of anything else, at ``work``, with default options."""
    if len(sources) == 1 and is_packed(sources[0]):
        return Corpus.open(Path(sources[0]))
    build(sources, work, BuildOptions())
    return Corpus.open(Path(work))


@dataclass(frozen=True, slots=True)
class Plan:
    """The files, and how auto settings come out for them."""

    files: tuple[formats.File, ...]
    options: BuildOptions
    preparation: Preparation

    @classmethod
    def of(cls, sources: list[str], options: BuildOptions) -> Plan:
        """Look at the files, not into them.

        Raises:
            BadFile: nothing there, or a format that is not known.
            BadConfig: both kinds of frame.
        """
        if not sources:
            raise BadFile("no drawings: name a file, a folder, or - for standard input")
        files = tuple(formats.expand(sources))
        kinds = {_on_canvas(file.path): file for file in reversed(files)}
        if len(kinds) > 1 and options.fit is None:
            raise BadConfig(
                f"{kinds[True]} lies on the 0..255 canvas and {kinds[False]} in a frame of its "
                "own; say --fit to bring all to one box, or --no-fit to leave all as they are"
            )
        fit = options.fit if options.fit is not None else True in kinds
        simplified = options.simplify if options.simplify is not None else True in kinds
        return cls(files, options, options.preparation(fit=fit, simplified=simplified))


def _on_canvas(file: str) -> bool:
    """Whether a file's drawings lie on the 0..255 canvas, or will when they are fitted."""
    if formats.on_canvas(file):
        return True
    return is_packed(file) and Corpus.open(Path(file)).preparation.fit


def prepared(
    plan: Plan,
    tally: Tally,
    *,
    progress: Progress | None = None,
    extras: bool = False,
    at_once: bool = False,
) -> Iterator[Block]:
    """Drawings of all files in order, made ready on several threads while the next are read.

    At once: those of a pipe are not kept waiting for the next.
    """
    threads = plan.options.threads or min(os.cpu_count() or 1, 8)
    skipped = tally.skip if plan.options.on_error == "skip" else None
    per_word: Counter[tuple[str, int]] = Counter()
    waiting: deque[Future[tuple[Block, Counter[str], int]]] = deque()

    def finish(future: Future[tuple[Block, Counter[str], int]]) -> Block:
        block, dropped, n_read = future.result()
        tally.dropped.update(dropped)
        tally.read += n_read
        if plan.options.per_word is not None:
            block = _limit(block, plan.options.per_word, per_word, tally)
        if progress:
            progress(tally.read)
        return block

    pool = ThreadPoolExecutor(threads)
    try:
        for files in formats.together(plan.files):
            simplified = plan.options.simplify
            if simplified is None and not formats.on_canvas(files[0].path):
                simplified = False
            for block in formats.read_blocks(
                files,
                label=plan.options.label,
                skipped=skipped,
                note=tally.note,
                extras=extras,
                at_once=at_once,
            ):
                raw = simplified
                if raw is None:
                    raw = bool(len(block)) and bool(looks_raw(block).mean() > 0.5)
                    if block.raw is None:  # the first drawings decide for the file
                        simplified = raw
                waiting.append(pool.submit(_make, block, plan, raw))
                if at_once and files[0].path == STDIO:
                    while waiting:
                        yield finish(waiting.popleft())
                if len(waiting) > threads:
                    yield finish(waiting.popleft())
        while waiting:
            yield finish(waiting.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _make(block: Block, plan: Plan, simplified: bool) -> tuple[Block, Counter[str], int]:
    """Prepare a block, and drop what is not wanted; the reasons, and how many there were."""
    dropped: Counter[str] = Counter()
    n_read = len(block)
    preparation = plan.preparation

    def drop(wanted: Bools, why: str) -> None:
        nonlocal block
        if n := int((~wanted).sum()):
            dropped[why] += n
            block = take(block, wanted)

    if plan.options.recognized_only and block.recognized is not None:
        drop(block.recognized, "not recognized")
    drop(np.diff(block.bounds) > 0, "empty")
    if simplified and preparation.fit:
        low, extent = boxes(block)
        scale = BOX / np.where(extent > 0, extent, BOX)
        drop(lengths(block) * scale < LONGEST, "endless")
    block = prepare(
        block,
        fit=preparation.fit,
        simplified=simplified,
        whole=preparation.fit,
        preparation=preparation,
    )
    block = _by_length(block, preparation, dropped)
    return replace(block, moves=to_moves(block)), dropped, n_read


def _by_length(block: Block, preparation: Preparation, dropped: Counter[str]) -> Block:
    counts = np.diff(block.bounds)
    for wanted, why in (
        (counts <= preparation.max_points, f"over {preparation.max_points} points"),
        (counts >= preparation.min_points, f"under {preparation.min_points} points"),
    ):
        dropped[why] += int((~wanted).sum())
    wanted = (counts <= preparation.max_points) & (counts >= preparation.min_points)
    return take(block, wanted)


def _choose(block: Block, preparation: Preparation, tally: Tally) -> Block:
    tally.read += len(block)
    full = take(block, np.diff(block.bounds) > 0)
    tally.dropped["empty"] += len(block) - len(full)
    return _by_length(full, preparation, tally.dropped)


def _limit(block: Block, per_word: int, seen: Counter[tuple[str, int]], tally: Tally) -> Block:
    """The first so many drawings of each word, of each split."""
    wanted = np.ones(len(block), bool)
    for i, word in enumerate(block.words):
        key = word or UNNAMED, block.origin
        seen[key] += 1
        wanted[i] = seen[key] <= per_word
    tally.dropped[f"over {per_word} of a word"] += int((~wanted).sum())
    return take(block, wanted)


def _pack(
    blocks: Iterator[Block],
    out: str | Path,
    preparation: Preparation,
    tally: Tally,
    split: tuple[float, float, float] | None,
) -> dict[str, Any]:
    """Gather blocks, split them, write the packed set."""
    with scratch_folder(out) as folder:
        scratch = Scratch(folder, out)
        try:
            for block in blocks:
                if split is not None:
                    block = replace(block, origin=UNSPLIT)
                tally.keep(*scratch.add(block))
            _refuse_empty(tally)
            sizes, facts = splitting.assign(
                lambda: scratch.pieces("hashes"),
                lambda: scratch.pieces("origins"),
                scratch.n,
                split or DEFAULT_SPLIT,
                partial(scratch_file, folder, out),
                keep=scratch.add_splits,
            )
            scale = scratch.scale_factor(preparation.clip, train=sizes[0] > 0)
            report = tally.report() | {
                "splits": dict(zip(SPLITS, sizes, strict=True)),
                "scale_factor": scale,
                **facts,
            }
            words = sorted(scratch.words)
            order = np.empty(len(words), np.int32)
            for i, word in enumerate(words):
                order[scratch.words[word]] = i
            with open_output(out, binary=True) as stream, Writer(stream) as writer:
                kind = "<i2" if scratch.whole else "<f4"
                moves = (part for part, _ in scratch.moves())
                writer.add("moves", kind, (scratch.n_points, 3), moves)
                writer.add("offsets", "<i8", (scratch.n + 1,), scratch.offsets())
                ids = (order[part] for part in scratch.pieces("words"))
                writer.add("word_ids", "<i4", (scratch.n,), ids)
                writer.add("splits", "|u1", (scratch.n,), scratch.pieces("splits"))
                writer.add("hashes", "<u8", (scratch.n,), scratch.pieces("hashes"))
                about = {
                    "words": words,
                    "scale_factor": scale,
                    "n_max": len(tally.lengths) - 1,
                    "preparation": preparation.to_dict(),
                    "report": report,
                }
                write_about(writer, about)
        finally:
            scratch.close()
    return report
