"""From any files to a packed set: read, prepare, split, count. Memory does not grow with the data.

Drawings pass in blocks, prepared on several threads, into scratch files beside the output, a
column each; the packed set is written from these.
"""

from __future__ import annotations

import math
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.files import STDIO, open_output
from sketchrnn_cli.scratch import scratch_folder
from sketchrnn_cli.sketches import formats
from sketchrnn_cli.sketches.block import (
    UNSPLIT,
    Block,
    Bools,
    boxes,
    per_drawing,
    take,
    to_moves,
)
from sketchrnn_cli.sketches.corpus import (
    Corpus,
    Writer,
    is_packed,
    write_about,
    write_sketch_rnn,
)
from sketchrnn_cli.sketches.formats import whiteboards
from sketchrnn_cli.sketches.formats.ndjson import to_lines
from sketchrnn_cli.sketches.labels import Labels, is_number
from sketchrnn_cli.sketches.preparation import Preparation, prepare
from sketchrnn_cli.sketches.scratch import Columns, Shares, Splits, split
from sketchrnn_cli.sketches.simplify import EPSILON, LONGEST, lengths, looks_raw
from sketchrnn_cli.sketches.sketch import BOX, Sketch
from sketchrnn_cli.sketches.statistics import UNNAMED, Deviation, Report

DEFAULT_SPLIT = (90.0, 5.0, 5.0)
BATCH = 4096  # drawings
FLAT = 16  # pixels; what is lower, when 255 wide, and has long lines has lost its details


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
    labels: Labels | None = None  # names of words that are numbers
    join_spellings: bool = False  # words that differ in case, gaps and hyphens are one
    recognized_only: bool = False
    doubtful: Callable[[Block], Bools] | None = None  # (D,) which drawings of a block to drop
    split: Shares | None = None  # split everything anew: train, valid, test
    on_error: str = "fail"  # or skip
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.on_error not in ("fail", "skip"):
            raise BadConfig(f"on error must be fail or skip, not {self.on_error!r}")
        if self.per_word is not None and self.per_word < 1:
            raise BadConfig(f"per word must be 1 or more, not {self.per_word}")
        if self.split is not None:
            good = all(math.isfinite(share) and share >= 0 for share in self.split)
            if len(self.split) != 3 or not good or not self.split[0] > 0:
                text = ",".join(f"{share:g}" for share in self.split)
                raise BadConfig(
                    f"--split {text}: give three shares for train, valid, test, like 90,5,5"
                )
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


def build(sources: list[str], out: str | Path, options: BuildOptions) -> dict[str, Any]:
    """Make a packed set of any files.

    Args:
        sources: files, folders, patterns, ``-``.
        out: the packed set; it appears whole or not at all.
        options: what to do.

    Returns:
        The report: read, kept, dropped by reason, words, points, splits, duplicates, leakage.

    Raises:
        BadFile, BadSketch: a file or a drawing that is none, or no drawing left.
        BadConfig: files of both kinds of frame, without a word on which to use.
    """
    job = _Job.of(sources, options)
    return _pack(_prepared(job), out, job)


def build_sketch_rnn(sources: list[str], out: str | Path, options: BuildOptions) -> dict[str, Any]:
    """The same as sketch-rnn's own ``.npz``, for the old programs."""
    with scratch_folder(out) as folder:
        packed = folder / "packed.npz"
        report = build(sources, packed, options)
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
) -> dict[str, Any]:
    """The same drawings as NDJSON, one after the other; splits are not kept.

    From pipe to pipe they go on as they come in.
    """
    at_once = str(out) == STDIO
    job = _Job.of(sources, options)
    with open_output(out, binary=compress, compressed=compress) as stream:
        for block in _prepared(job, extras=True, at_once=at_once):
            job.report.keep(block)
            stream.writelines(to_lines(block))
            if at_once:
                stream.flush()
        job.report.refuse_empty()
    return job.report.to_dict()


def build_excalidraw(sources: list[str], out: str | Path, options: BuildOptions) -> dict[str, Any]:
    """The same drawings on a board of Excalidraw, side by side."""
    job = _Job.of(sources, options)

    def sketches() -> Iterator[Sketch]:
        for block in _prepared(job, extras=True):
            job.report.keep(block)
            yield from map(block.sketch, range(len(block)))
        job.report.refuse_empty()

    with open_output(out, binary=False) as stream:
        whiteboards.write(stream, sketches())
    return job.report.to_dict()


def open_or_build(sources: list[str], work: str | Path) -> Corpus:
    """Open a single packed set; make one of anything else, at ``work``, with default options."""
    if len(sources) == 1 and is_packed(sources[0]):
        return Corpus.open(Path(sources[0]))
    build(sources, work, BuildOptions())
    return Corpus.open(Path(work))


# read and prepare


@dataclass(slots=True)
class _Made:
    """A block on its way, and what becomes of it."""

    block: Block
    read: int
    dropped: Counter[str] = field(default_factory=Counter)
    n_flat: int = 0  # drawings that lose their details when they are fitted
    n_raw: int = 0  # drawings that are simplified

    def only(self, wanted: Bools, why: str) -> None:
        """Drop what is not wanted."""
        if n := int((~wanted).sum()):
            self.dropped[why] += n
            self.block = take(self.block, wanted)

    def by_length(self, preparation: Preparation) -> None:
        """Drop what is too long or too short."""
        most, least = preparation.max_points, preparation.min_points
        self.only(np.diff(self.block.bounds) <= most, f"over {most} points")
        self.only(np.diff(self.block.bounds) >= least, f"under {least} points")


@dataclass(slots=True)
class _Job:
    """The files, how auto settings come out for them, and what was found in them so far."""

    files: tuple[formats.File, ...]
    options: BuildOptions
    preparation: Preparation
    report: Report = field(default_factory=Report)
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)  # by word and split
    n_flat: int = 0
    n_raw: int = 0

    @classmethod
    def of(cls, sources: list[str], options: BuildOptions) -> _Job:
        """Look at the files, not into them.

        Raises:
            BadFile: nothing there, or a format that is not known.
            BadConfig: both kinds of frame.
        """
        if not sources:
            raise BadFile("no drawings: name a file, a folder, or - for standard input")
        report = Report(sources, options.join_spellings, options.labels)
        files = tuple(formats.expand(sources, report.note))
        kinds = {_on_canvas(file.path): file for file in reversed(files)}
        if len(kinds) > 1 and options.fit is None:
            raise BadConfig(
                f"{kinds[True]} lies on the 0..255 canvas and {kinds[False]} in a frame of its "
                "own; say --fit to bring all to one box, or --no-fit to leave all as they are"
            )
        fit = options.fit if options.fit is not None else True in kinds
        simplified = options.simplify if options.simplify is not None else True in kinds
        preparation = options.preparation(fit=fit, simplified=simplified)
        return cls(files, options, preparation, report)

    def finish(self, made: _Made) -> Block:
        """Count what was made, in order, and take the first drawings of each word."""
        self.report.read += made.read
        self.report.dropped.update(made.dropped)
        self.n_flat += made.n_flat
        self.n_raw += made.n_raw
        block = self.report.labelled(made.block)
        most = self.options.per_word
        if most is None:
            return block
        wanted = np.ones(len(block), bool)
        for i, word in enumerate(block.words):
            key = word or UNNAMED, block.origin
            self.seen[key] += 1
            wanted[i] = self.seen[key] <= most
        self.report.dropped[f"over {most} of a word"] += int((~wanted).sum())
        return take(block, wanted)


def _on_canvas(file: str) -> bool:
    """Whether a file's drawings lie on the 0..255 canvas, or will when they are fitted."""
    if formats.on_canvas(file):
        return True
    return is_packed(file) and Corpus.open(Path(file)).preparation.fit


def _prepared(job: _Job, *, extras: bool = False, at_once: bool = False) -> Iterator[Block]:
    """Drawings of all files in order, made ready on several threads while the next are read.

    At once: those of a pipe are not kept waiting for the next.
    """
    options, report = job.options, job.report
    threads = options.threads or min(os.cpu_count() or 1, 8)
    waiting: deque[Future[_Made]] = deque()

    def finished() -> Block:
        return job.finish(waiting.popleft().result())

    pool = ThreadPoolExecutor(threads)
    try:
        for files in formats.together(job.files):
            piped = at_once and files[0].path == STDIO
            simplified = options.simplify
            if simplified is None and not formats.on_canvas(files[0].path):
                simplified = False
            reading = formats.ReadOptions(
                label=options.label,
                skipped=report.skip if options.on_error == "skip" else None,
                note=report.note,
                extras=extras,
                at_once=piped,
            )
            for block in formats.read_blocks(files, reading):
                waiting.append(pool.submit(_make, block, job, simplified))
                if piped:
                    while waiting:
                        yield finished()
                if len(waiting) > threads:
                    yield finished()
        while waiting:
            yield finished()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    _say_what_did_nothing(job)
    if job.n_flat > report.read // 10:
        report.note(
            f"{job.n_flat:,} drawings are so wide or high that, fitted to 255 pixels, they lose "
            "their details; --no-fit keeps their size"
        )


def _say_what_did_nothing(job: _Job) -> None:
    """Note options that these drawings gave nothing to do."""
    options, report = job.options, job.report
    if options.epsilon != EPSILON and not job.n_raw:
        report.note(
            f"--epsilon {options.epsilon:g}: none of the drawings is raw, so none was simplified; "
            "--simplify does"
        )
    if options.labels is not None and not any(map(is_number, report.labels)):
        report.note("--labels: none of the labels is a number, so none was given a name")


def _make(block: Block, job: _Job, simplified: bool | None) -> _Made:
    """Prepare a block, and drop what is not wanted. Simplified None: the drawings that are raw."""
    made, preparation = _Made(block, len(block)), job.preparation
    if job.options.recognized_only and block.recognized is not None:
        made.only(block.recognized, "not recognized")
    made.only(np.diff(made.block.bounds) > 0, "empty")
    raw = looks_raw(made.block)
    if simplified is not None:
        raw = np.full(len(made.block), simplified)
    if preparation.fit and raw.any():
        extent, ink = boxes(made.block)[1], lengths(made.block)
        scale = BOX / np.where(extent > 0, extent, BOX)
        made.n_flat = _n_flat(take(made.block, raw & (scale < 0.5) & (ink > 1.5 * extent)))
        endless = raw & (ink * scale >= LONGEST)
        raw = raw[~endless]
        made.only(~endless, "endless")
    made.n_raw = int(raw.sum())
    made.block = prepare(made.block, preparation, fit=preparation.fit, raw=raw)
    made.by_length(preparation)
    if job.options.doubtful is not None:
        made.only(~job.options.doubtful(made.block), "doubtful")
    made.block = replace(made.block, moves=to_moves(made.block))
    return made


def _n_flat(block: Block) -> int:
    """How many of some drawings that wind a good deal are too low, or narrow, once fitted."""
    low = per_drawing(np.minimum.reduceat, block.points, block.bounds, empty=0.0)
    sides = per_drawing(np.maximum.reduceat, block.points, block.bounds, empty=0.0) - low
    return int((sides.min(axis=1) * BOX < FLAT * sides.max(axis=1)).sum())


# gather and write


def _pack(blocks: Iterable[Block], out: str | Path, job: _Job) -> dict[str, Any]:
    """Gather blocks, split them, write the packed set."""
    anew, report = job.options.split, job.report
    with scratch_folder(out) as folder:
        columns = Columns(folder, out)
        with columns.closing:
            for block in blocks:
                columns.add(block if anew is None else replace(block, origin=UNSPLIT))
                report.keep(block)
            report.refuse_empty()
            splits, facts = split(columns, anew or DEFAULT_SPLIT)
            with open_output(out, binary=True) as stream, Writer(stream) as writer:
                return _write(writer, columns, splits, job, facts)


def _write(
    writer: Writer, columns: Columns, splits: Splits, job: _Job, facts: dict[str, Any]
) -> dict[str, Any]:
    words = sorted(columns.words)
    order = np.argsort([columns.words[word] for word in words]).astype(np.int32)
    deviation = Deviation(job.preparation.clip)
    n, kind = columns.n, "<i2" if columns.whole else "<f4"
    moves = columns.moves(splits, deviation)
    writer.add("moves", kind, (columns.n_points, 3), moves)
    writer.add("offsets", "<i8", (n + 1,), columns.offsets())
    writer.add("word_ids", "<i4", (n,), (order[part] for part in columns.pieces("words")))
    writer.add("splits", "|u1", (n,), (splits[i : i + BATCH] for i in range(0, n, BATCH)))
    writer.add("hashes", "<u8", (n,), columns.pieces("hashes"))
    scale = deviation.value() or 1.0
    report = job.report.to_dict() | {"splits": facts["splits"], "scale_factor": scale} | facts
    about = {
        "words": words,
        "scale_factor": scale,
        "n_max": job.report.counts.n_max,
        "preparation": job.preparation.to_dict(),
        "report": report,
    }
    write_about(writer, about)
    return report
