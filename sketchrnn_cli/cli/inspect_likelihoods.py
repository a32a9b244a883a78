"""`inspect` of drawings by a model: losses, likelihoods, latents."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sketchrnn_cli import pretrained
from sketchrnn_cli.cli import report
from sketchrnn_cli.cli.inspect_models import name_of_model, open_network
from sketchrnn_cli.cli.inspect_pictures import Gathered
from sketchrnn_cli.cli.inspect_request import Facts, Result, Wanted
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.files import name_of
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.engine import Network
from sketchrnn_cli.inference.settings import MAX_POINTS
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.sketches import build
from sketchrnn_cli.sketches.corpus import Corpus, is_packed
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.preparation import Preparation, moves_like, prepare_like
from sketchrnn_cli.sketches.sketch import Sketch, from_stroke3


def find(wanted: Wanted, terminal: Terminal, *, is_model: bool) -> Result:
    """Losses of a model on a set of drawings, the likelihood of each, or its latents of them."""
    judge = wanted.thing if is_model else wanted.model or str(pretrained.FILE)
    source = wanted.evaluate or wanted.thing
    network = open_network(judge, wanted, has_drawings=True)
    facts: Facts = {"model": name_of_model(judge), "data": source}
    kept = Gathered.of(wanted)
    result = Result(facts=facts, lines=[], network=network, gathered=kept)
    with _prepared(network.checkpoint, wanted, terminal) as (corpus, drawings):
        if corpus is not None:
            facts |= _losses(network, corpus, wanted, terminal)
            result.lines += report.evaluation(facts)
        if not (wanted.score or wanted.of_latents):
            return result
        doing = "scoring" if wanted.score else "reading"
        n = terminal.count([source]) if corpus is None else len(corpus.indices(wanted.split))
        passing = terminal.track(kept.passing(_short(drawings, source)), what=doing, total=n)
        if wanted.score:
            facts["scores"], result.examples = score.worst_first(network, passing, wanted.n_shown)
            result.lines += report.scores(facts["scores"], wanted.count)
        elif not sum(1 for _ in passing):
            raise BadFile(f"{name_of(source)}: no drawings in it")
    return result


def _losses(network: Network, corpus: Corpus, wanted: Wanted, terminal: Terminal) -> Facts:
    """Of one split."""
    facts, n = dict[str, Any](split=wanted.split), len(corpus.indices(wanted.split))
    with terminal.counting("evaluating", total=n) as advance:
        facts |= score.evaluate(network, corpus, wanted.split, seed=wanted.seed, tell=advance)
    if wanted.samples is not None:
        facts["iw_samples"] = wanted.samples
        with terminal.counting("sampling latents", total=n * wanted.samples) as advance:
            facts["iw_nats_per_sketch"] = score.importance_weighted(
                network, corpus, wanted.split, wanted.samples, seed=wanted.seed, tell=advance
            )
    return facts


def _short(drawings: Iterable[tuple[int, Sketch]], source: str) -> Iterator[tuple[int, Sketch]]:
    """The same drawings.

    Raises:
        BadSketch: one that would take the model minutes.
    """
    for index, sketch in drawings:
        if sketch.n_points > MAX_POINTS:
            raise BadSketch(
                f"{name_of(source)}: drawing {index} has {sketch.n_points:,} points; at most "
                f"{MAX_POINTS:,} are scored"
            )
        yield index, sketch


@contextmanager
def _prepared(
    checkpoint: Checkpoint, wanted: Wanted, terminal: Terminal
) -> Iterator[tuple[Corpus | None, Iterable[tuple[int, Sketch]]]]:
    """The drawings to judge with their numbers, made as the model's were.

    For --evaluate they are one split of a packed set, which comes first.
    """
    stored, evaluate = checkpoint.preparation, wanted.evaluate
    if evaluate is None:
        found = read_sketches(wanted.thing, note=terminal.note)
        yield None, enumerate(prepare_like(sketch, stored) for sketch in found)
        return
    with tempfile.TemporaryDirectory(prefix="sketchrnn-", ignore_cleanup_errors=True) as folder:
        if is_packed(evaluate):
            corpus = Corpus.open(evaluate)
            if stored and corpus.preparation.fit != stored.get("fit"):
                terminal.warn(
                    f"{evaluate}: its drawings were prepared otherwise than those of the model; "
                    "evaluate on the file they were made of"
                )
        else:
            options = build.BuildOptions()
            if stored:
                like = Preparation.from_dict(stored)
                options = build.BuildOptions(
                    fit=like.fit,
                    simplify=None if like.simplified else False,
                    epsilon=like.epsilon,
                    max_points=like.max_points,
                    min_points=like.min_points,
                )
            packed = Path(folder) / "packed.npz"
            with terminal.reading([evaluate]):
                build.build([evaluate], packed, options)
            corpus = Corpus.open(packed)

        def drawing(i: int) -> tuple[int, Sketch]:
            moves = moves_like(corpus.moves_of(i), corpus.preparation, stored)
            return i, from_stroke3(moves, corpus.word_of(i))

        yield corpus, map(drawing, corpus.indices(wanted.split).tolist())
