"""metrics.jsonl: one line a report, kept in step with the saved states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.model.checkpoint import write_atomic

FILE_NAME = "metrics.jsonl"
MAX_LINE = 1 << 16  # bytes; what is longer is no line of ours


@dataclass(frozen=True, slots=True)
class Metrics:
    """One line of metrics.jsonl; losses as magenta scales them, padding not counted."""

    step: int  # steps done
    split: str  # "train": mean since the line before; "valid": the validation split;
    # "rollback": training went back to this step, without losses
    loss: float  # l_r + kl_weight * max(l_kl, floor); of validation, with the final KL weight
    l_r: float  # nats a sketch / N_max
    l_kl: float  # nats a latent dimension
    learning_rate: float
    kl_weight: float
    sketches_per_second: float
    seconds: float  # of training, over all sessions


def append(run: Path, metrics: Metrics) -> None:
    """Add a line.

    Raises:
        BadFile: it cannot be written.
    """
    import orjson

    path = run / FILE_NAME
    try:
        with path.open("ab") as stream:
            stream.write(orjson.dumps(asdict(metrics)) + b"\n")
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {(error.strerror or '').lower()}") from None


@dataclass(frozen=True, slots=True)
class Lines:
    """All whole lines of a run, in order, read anew each time one goes through them.

    A last line cut short by a crash is passed over, as is what is no line of ours.
    """

    run: Path

    def __iter__(self) -> Iterator[dict[str, object]]:
        """The lines, one by one: in a week they become too many to hold."""
        import orjson

        path = self.run / FILE_NAME
        if not path.is_file():
            return
        with path.open("rb") as stream:
            while line := stream.readline(MAX_LINE):
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
                if isinstance(record, dict):
                    yield record


def read(run: Path) -> list[dict[str, object]]:
    """``Lines``, in a list."""
    return list(Lines(run))


def truncate(run: Path, step: int) -> None:
    """Forget what was reported after a step, because training goes on from there."""
    import orjson

    path = run / FILE_NAME
    if path.is_file():
        kept = [r for r in Lines(run) if isinstance(n := r.get("step"), int) and n <= step]
        write_atomic(path, b"".join(orjson.dumps(record) + b"\n" for record in kept))
