"""metrics.jsonl: one line a report, kept in step with the saved states."""

from __future__ import annotations

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
    split: str  # "train": mean since the line before; "valid": the validation split
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


def read(run: Path) -> list[dict[str, object]]:
    """All whole lines, in order; a last line cut short by a crash is passed over."""
    import orjson

    path = run / FILE_NAME
    if not path.is_file():
        return []
    records = []
    with path.open("rb") as stream:
        while line := stream.readline(MAX_LINE):
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict):
                records.append(record)
    return records


def truncate(run: Path, step: int) -> None:
    """Forget what was reported after a step, because training goes on from there."""
    import orjson

    path = run / FILE_NAME
    if path.is_file():
        kept = [r for r in read(run) if isinstance(n := r.get("step"), int) and n <= step]
        write_atomic(path, b"".join(orjson.dumps(record) + b"\n" for record in kept))
