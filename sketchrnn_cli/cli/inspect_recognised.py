"""`inspect` of drawings by a recogniser: what they look like, and which labels it doubts."""

from __future__ import annotations

from collections.abc import Sequence

from sketchrnn_cli import pretrained
from sketchrnn_cli.cli import report
from sketchrnn_cli.cli.inspect_request import Facts, Result, Wanted
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.files import name_of
from sketchrnn_cli.inference.recognition import Recognition, rounded
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.sketches.formats import read_sketches
from sketchrnn_cli.sketches.sketch import Sketch

FEW = 5  # drawings: `inspect` says of each what it looks like


def find(wanted: Wanted, terminal: Terminal) -> Result:
    """The drawings whose labels the recogniser doubts most.

    Raises:
        BadCheckpoint: the model has no recogniser.
        BadFile: no drawing has a label that it knows.
    """
    recognition = Recognition.open(wanted.model)
    name = wanted.model or pretrained.NAME
    n = terminal.count([wanted.thing])
    drawings = terminal.track(
        enumerate(read_sketches(wanted.thing, note=terminal.note)), what="recognising", total=n
    )
    found, examples = recognition.most_doubtful(drawings, wanted.n_shown)
    if not found["n_judged"]:
        raise BadFile(f"{name_of(wanted.thing)}: no drawings of the words of {name} in it")
    facts: Facts = {"model": name, "data": wanted.thing, **found}
    return Result(facts=facts, lines=report.doubtful(facts), examples=examples)


def answers(wanted: Wanted, sketches: Sequence[Sketch], n_sketches: int) -> Facts:
    """What a few drawings look like; of many nothing.

    Args:
        wanted: for its model.
        sketches: the first ``FEW``, or all.
        n_sketches: how many there are.

    Raises:
        BadConfig: a model that has nothing to do, because there are many.
        BadCheckpoint: a model was given that has no recogniser.
    """
    if n_sketches > FEW:
        if wanted.model is not None:
            raise BadConfig(
                f"--model: it says what up to {FEW} drawings look like, and here are "
                f"{n_sketches:,}; add --doubtful, --score, --map or --densities"
            )
        return {}
    if wanted.model is None:
        recognition = Recognition.of(open_model(pretrained.FILE))
        if recognition is None:
            return {}
    else:
        recognition = Recognition.open(wanted.model)
    return {"recognized": [rounded(answer) for answer in recognition.answers(sketches)]}
