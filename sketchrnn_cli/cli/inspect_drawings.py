"""`inspect` of a file, a folder or a stream of drawings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sketchrnn_cli.cli import report
from sketchrnn_cli.cli.inspect_recognised import FEW, answers
from sketchrnn_cli.cli.inspect_request import Facts, Result, Wanted
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches import formats, statistics
from sketchrnn_cli.sketches.block import Block
from sketchrnn_cli.sketches.corpus import Corpus, is_packed
from sketchrnn_cli.sketches.sketch import Sketch

FAULTS = 5  # faulty drawings that are quoted
HOPELESS = 10_000  # of them and no other, and nothing will come


def find(wanted: Wanted, terminal: Terminal) -> Result:
    """A file, a folder or a stream of drawings."""
    n_examples = wanted.n_shown if wanted.needs_examples else 0
    with terminal.reading([wanted.thing]):
        facts, examples, few = _facts_of(wanted.thing, n_examples, wanted.seed)
    facts |= answers(wanted, few, facts["n_sketches"])
    return Result(facts=facts, lines=report.drawings(facts), examples=examples)


def _facts_of(thing: str, n_examples: int, seed: int) -> tuple[Facts, list[Sketch], list[Sketch]]:
    """What is in a file, a folder or a stream of drawings, a choice of them, and the first few.

    Raises:
        BadFile: none are in it.
    """
    extra: Facts
    if Path(thing).is_file() and is_packed(thing):
        corpus = Corpus.open(Path(thing))
        corpus.check()
        found, examples = statistics.of_corpus(corpus, n_examples=n_examples, seed=seed)
        few = [corpus.sketch(i) for i in range(min(len(corpus), FEW))]
        extra = {
            "packed": True,
            "dtype": str(corpus.moves.dtype),
            "preparation": corpus.preparation.to_dict(),
            "report": corpus.report,
        }
    else:
        notes: list[str] = []
        faults: list[str] = []
        few = []
        n_faulty = n_drawings = 0

        def skipped(message: str) -> None:
            nonlocal n_faulty
            n_faulty += 1
            if n_faulty <= FAULTS:
                faults.append(message)
            if n_faulty >= HOPELESS and not n_drawings:
                raise BadFile(faults[0])

        def counted(blocks: Iterator[Block]) -> Iterator[Block]:
            nonlocal n_drawings
            for block in blocks:
                n_drawings += len(block)
                few.extend(block.sketch(i) for i in range(min(len(block), FEW - len(few))))
                yield block

        options = formats.ReadOptions(skipped=skipped, note=notes.append, extras=n_examples > 0)
        found, examples = statistics.of_blocks(
            counted(formats.read_all([thing], options)),
            where=name_of(thing),
            n_examples=n_examples,
            seed=seed,
        )
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
    return {"path": thing, "kind": "drawings", **found.to_dict(), **extra}, examples, few
