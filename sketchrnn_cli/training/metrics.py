"""metrics.jsonl: one line per report, kept in step with the saved states.

And metrics.csv, for those who asked for it: the same lines, a column for each key. It is made of
the other, so it is right again whenever a run is resumed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sketchrnn_cli.files import writing
from sketchrnn_cli.model import tensor_file

FILE_NAME = "metrics.jsonl"
CSV_NAME = "metrics.csv"
MAX_LINE = 1 << 16  # bytes; longer lines are not of this program


@dataclass(frozen=True, slots=True)
class Metrics:
    """One line of metrics.jsonl; losses as magenta scales them, padding not counted."""

    step: int  # steps done
    split: str  # "train": mean since the line before; "valid": the validation split;
    # "rollback": training went back to this step, without losses
    loss: float  # l_r + kl_weight * max(l_kl, floor); of validation, with the final KL weight
    l_r: float  # nats per sketch / N_max
    l_kl: float  # nats per latent dimension
    learning_rate: float
    kl_weight: float
    sketches_per_second: float
    seconds: float  # of training, over all sessions


def append(run: Path, metrics: Metrics) -> None:
    """Add a line, to metrics.csv too where there is one.

    Raises:
        BadFile: it cannot be written.
    """
    import orjson

    line = orjson.dumps(asdict(metrics)) + b"\n"
    rows = _rows([orjson.loads(line)])
    for path, data in ((run / FILE_NAME, line), (run / CSV_NAME, rows)):
        if data is line or path.is_file():
            with writing(path), path.open("ab") as stream:
                stream.write(data)


def write_csv(run: Path) -> None:
    """Write metrics.csv of all lines there are; from now on it is kept."""
    header = ",".join(field.name for field in fields(Metrics)) + "\n"
    tensor_file.write(run / CSV_NAME, header.encode() + _rows(Lines(run)))


def _rows(records: Iterable[Mapping[str, object]]) -> bytes:
    """Lines of metrics.csv; a value that is not finite is left empty."""
    names = [field.name for field in fields(Metrics)]
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerows([record.get(name) for name in names] for record in records)
    return stream.getvalue().encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Lines:
    """All whole lines of a run, in order, read anew each time one goes through them.

    A last line cut short by a crash is passed over, as are lines of other programs.
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
    """Forget what was reported after a step, because training resumes from there."""
    import orjson

    path = run / FILE_NAME
    if path.is_file():
        kept = [r for r in Lines(run) if isinstance(n := r.get("step"), int) and n <= step]
        tensor_file.write(path, b"".join(orjson.dumps(record) + b"\n" for record in kept))
    if (run / CSV_NAME).is_file():
        write_csv(run)
