"""Settings of a training run, checked at birth; TOML in and out."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.model.config import ModelConfig, refuse_unknown

PRECISIONS = ("auto", "float32", "bfloat16", "float64")  # float64: for comparisons
CHOICES = {
    "precision": PRECISIONS,
    "loss": ("exact", "magenta"),
    "schedule": ("exponential", "cosine"),
    "kl_floor_of": ("mean", "each"),
}
WHOLE = {  # ranges of settings that are whole numbers
    "seed": (0, 2**63 - 1),
    "steps": (0, 10**12),
    "batch_size": (1, 1_000_000),
    "window": (1, 1_000_000),
    "warm_up": (0, 10**9),
    "log_every": (1, 10**9),
    "save_every": (1, 10**9),
    "valid_every": (1, 10**9),
    "valid_sketches": (1, 10**9),
    "latent_sketches": (1, 10**9),
}
REAL = {  # and of the others
    "epochs": (0, 1e12),
    "time_limit": (0, 1e12),
    "learning_rate": (1e-12, 10),
    "learning_rate_decay": (1e-6, 1),
    "min_learning_rate": (0, 10),
    "weight_decay": (0, 10),
    "gradient_clip": (1e-9, 1e9),
    "kl_weight": (0, 1e6),
    "kl_weight_start": (0, 1e6),
    "kl_weight_decay": (0, 1),
    "kl_floor": (0, 1e6),
    "average": (0, 0.999999),
    "random_scale": (0, 0.99),
    "point_dropping": (0, 0.99),
    "word_dropout": (0, 1),
}
SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}  # of the units of a time
SMALLER = {"d": "h", "h": "m", "m": "s"}
DEFAULT_STEPS = 10_000  # where neither steps, epochs nor a time limit is given


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a model is trained.

    Defaults: magenta sketch_rnn, get_default_hparams, but for batch_size (100 there),
    learning_rate (1e-3), kl_weight_decay (0.99995) and average (none): these reach a lower
    held-out loss in the same time on a CPU, see docs/log.md.
    """

    seed: int = 0
    steps: int = 0  # 0: no limit
    epochs: float = 0.0  # 0: no limit
    time_limit: float = 0.0  # seconds of this session; 0: no limit
    precision: str = "auto"  # arithmetic of the products, see PRECISIONS
    # exact: every move and one end; magenta: also all ends up to N_max, which are read as well,
    # and 1e-6 added to densities inside their logarithm
    loss: str = "exact"
    batch_size: int = 32
    learning_rate: float = 4e-3
    schedule: str = "exponential"  # or cosine, down to min_learning_rate at the last step
    learning_rate_decay: float = 0.9999  # per step, of the exponential schedule
    min_learning_rate: float = 1e-5
    warm_up: int = 0  # steps over which the rate rises from near zero
    weight_decay: float = 0.0  # of matrices, times the learning rate (AdamW)
    gradient_clip: float = 1.0  # by value
    kl_weight: float = 0.5
    kl_weight_start: float = 0.01
    kl_weight_decay: float = 0.998  # per step, of the distance to kl_weight
    kl_floor: float = 0.2  # nats per latent dimension on the batch mean, below which KL is free
    kl_floor_of: str = "mean"  # over all latent dimensions; or of each by itself
    average: float = 0.998  # decay of the moving average of weights that becomes the model
    window: int = 16  # batches that are sorted by length together; 1: any lengths in a batch
    random_scale: float = 0.15  # x and y of a drawing are stretched by up to this share
    point_dropping: float = 0.1  # probability that a point within a stroke is left out
    word_dropout: float = 0.1  # probability of the null label in place of the word
    log_every: int = 20  # steps between lines of metrics.jsonl
    save_every: int = 100  # steps between saved states
    valid_every: int = 200  # steps between validations
    valid_sketches: int = 1000  # at most so many validation drawings are scored
    latent_sketches: int = 1000  # training drawings that the latent prior is fitted to meanwhile

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if (value := getattr(self, name)) not in known:
                raise BadConfig(f"{name} must be one of {', '.join(known)}, not {value!r}")
        if self.schedule == "cosine" and self.time_limit and not (self.steps or self.epochs):
            raise BadConfig(
                "schedule = cosine ends with the last step: give steps or epochs beside the "
                "time limit"
            )
        for name, (low, high) in WHOLE.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise BadConfig(f"{name} must be a whole number from {low} to {high}, not {value}")
        for name, (low_, high_) in REAL.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or not low_ <= value <= high_:
                raise BadConfig(f"{name} must be from {low_:g} to {high_:g}, not {value!r}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Inverse of ``dataclasses.asdict``; an unknown name is an error, never ignored."""
        refuse_unknown("training", values, (f.name for f in fields(cls)))
        return cls(**values)

    def last_step(self, n_train: int) -> int:
        """The step after which training ends, as far as steps and epochs say."""
        ends = []
        if self.steps:
            ends.append(self.steps)
        if self.epochs:
            ends.append(max(1, math.ceil(self.epochs * n_train / self.batch_size)))
        if not ends and not self.time_limit:
            ends.append(DEFAULT_STEPS)
        return min(ends) if ends else sys.maxsize


# What the presets of ``model.config.PRESETS`` are trained with, besides the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {},
    "base": {},
    "paper": {"batch_size": 100, "learning_rate": 1e-4, "average": 0.0},
    "magenta": {
        "loss": "magenta",
        "batch_size": 100,
        "window": 1,
        "learning_rate": 1e-3,
        "kl_weight_decay": 0.99995,
        "average": 0.0,
    },
}

# What a run is trained with that starts from the weights of a model, besides the defaults.
WARM: dict[str, Any] = {
    "learning_rate": 5e-4,
    "warm_up": 50,
    "kl_weight": 0.15,
    "kl_weight_start": 0.15,
    "kl_floor": 0.25,
    "valid_every": 100,
}


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``10m``, ``1.5h``, ``1h30m``, ``1h30``.

    A last number without a unit is of the next smaller one: ``1h30`` is 1 hour 30 minutes.

    Raises:
        BadConfig: anything else.
    """
    text = text.strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)(d|h|m|s|)", text.replace("min", "m"))
    units = [unit for _, unit in parts]
    if len(units) > 1 and not units[-1] and units[-2] in SMALLER:
        units[-1] = SMALLER[units[-2]]
    order = ["dhms".find(unit or "s") for unit in units]
    whole = "".join(number + unit for number, unit in parts) == text.replace("min", "m")
    if not parts or not whole or "" in units[1:] or order != sorted(set(order)):
        raise BadConfig(f"a time is written like 90s, 10m or 1h30m, not {text!r}")
    seconds = sum(
        SECONDS[unit] * float(number) for unit, (number, _) in zip(units, parts, strict=True)
    )
    if seconds <= 0:
        raise BadConfig(f"a time limit must be longer than {text!r}")
    return seconds


def read_toml(path: Path) -> dict[str, dict[str, Any]]:
    """Tables ``model`` and ``training`` (and ``data``) of a settings file.

    Raises:
        BadFile: it is missing or not TOML.
        BadConfig: another table, or a setting outside of a table.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BadFile(files.missing(path)) from None
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    except (ValueError, RecursionError) as error:  # also of a number of too many digits
        raise BadFile(f"{path}: not TOML: {error}") from None
    tables = ("model", "training", "data")
    for name, table in values.items():
        if not isinstance(table, dict):
            homes = {"model": ModelConfig, "training": TrainingConfig}
            for home, cls in homes.items():
                if name in {f.name for f in fields(cls)}:
                    raise BadConfig(f"{path}: {name} belongs under [{home}]")
        if name not in tables or not isinstance(table, dict):
            try:
                refuse_unknown("file", [name], tables)
            except BadConfig as error:
                raise BadConfig(f"{path}: {error}") from None
            raise BadConfig(f"{path}: {name} must be a table, [{name}]")
        for key, value in table.items():
            if isinstance(value, int) and value.bit_length() > 64:  # may be too long to print
                raise BadConfig(f"{path}: {key} is a number of too many digits")
    return values


def to_toml(model: ModelConfig, training: TrainingConfig, data: Mapping[str, Any]) -> bytes:
    """The settings of a run as a file that ``read_toml`` and ``--config`` read.

    Raises:
        BadConfig: a name that is not UTF-8, which TOML cannot say.
    """
    import tomli_w

    tables = {"model": asdict(model), "training": asdict(training), "data": dict(data)}
    try:
        return tomli_w.dumps(tables).encode()
    except UnicodeEncodeError as error:
        around = error.object[max(error.start - 20, 0) : error.end + 20].split("\n")
        found = next(part for part in around if not _is_text(part)).strip(' ",')
        raise BadConfig(f"{found}: a name that is not UTF-8; give the file another") from None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
