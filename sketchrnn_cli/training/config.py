"""Settings of a training run, checked at birth; TOML in and out."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sketchrnn_cli import files
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.model.config import ModelConfig, refuse_unknown

PRECISIONS = ("auto", "float32", "bfloat16", "float64")  # float64: for comparisons
SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}  # of the units of a time
SMALLER = {"d": "h", "h": "m", "m": "s"}
DEFAULT_STEPS = 10_000  # where neither steps, epochs nor a time limit is given


def _setting(default: float, low: float, high: float) -> Any:
    """A number, a whole one where the default is, within bounds."""
    return field(default=default, metadata={"known": (low, high)})


def _choice(*known: str) -> Any:
    """One of several words, the first by default."""
    return field(default=known[0], metadata={"known": known})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a model is trained.

    Defaults: magenta sketch_rnn, get_default_hparams, but for batch_size (100 there),
    learning_rate (1e-3), kl_weight_decay (0.99995) and average (none): these reach a lower
    held-out loss in the same time on a CPU, see docs/log.md.
    """

    seed: int = _setting(0, 0, 2**63 - 1)
    steps: int = _setting(0, 0, 10**12)  # 0: no limit
    epochs: float = _setting(0.0, 0, 1e12)  # 0: no limit
    time_limit: float = _setting(0.0, 0, 1e12)  # seconds of this session; 0: no limit
    precision: str = _choice(*PRECISIONS)  # arithmetic of the products, see PRECISIONS
    # exact: every move and one end; magenta: also all ends up to N_max, which are read as well,
    # and 1e-6 added to densities inside their logarithm
    loss: str = _choice("exact", "magenta")
    batch_size: int = _setting(32, 1, 1_000_000)
    learning_rate: float = _setting(4e-3, 1e-12, 10)
    schedule: str = _choice("exponential", "cosine")  # cosine: down to the minimum at the last step
    learning_rate_decay: float = _setting(0.9999, 1e-6, 1)  # per step, of the exponential schedule
    min_learning_rate: float = _setting(1e-5, 0, 10)
    warm_up: int = _setting(0, 0, 10**9)  # steps over which the rate rises from near zero
    weight_decay: float = _setting(0.0, 0, 10)  # of matrices, times the learning rate (AdamW)
    gradient_clip: float = _setting(1.0, 1e-9, 1e9)  # by value
    kl_weight: float = _setting(0.5, 0, 1e6)
    kl_weight_start: float = _setting(0.01, 0, 1e6)
    kl_weight_decay: float = _setting(0.998, 0, 1)  # per step, of the distance to kl_weight
    kl_floor: float = _setting(0.2, 0, 1e6)  # nats per latent dimension below which KL is free
    kl_floor_of: str = _choice("mean", "each")  # the mean over dimensions, or each by itself
    average: float = _setting(0.998, 0, 0.999999)  # decay of the average that becomes the model
    window: int = _setting(16, 1, 1_000_000)  # batches sorted by length together; 1: none
    random_scale: float = _setting(0.15, 0, 0.99)  # x and y are stretched by up to this share
    point_dropping: float = _setting(0.1, 0, 0.99)  # of the points within a stroke
    word_dropout: float = _setting(0.1, 0, 1)  # share with the null label in place of the word
    log_every: int = _setting(20, 1, 10**9)  # steps between lines of metrics.jsonl
    save_every: int = _setting(100, 1, 10**9)  # steps between saved states
    valid_every: int = _setting(200, 1, 10**9)  # steps between validations
    valid_sketches: int = _setting(1000, 1, 10**9)  # scored at most
    latent_sketches: int = _setting(1000, 1, 10**9)  # the latent prior is fitted to meanwhile

    def __post_init__(self) -> None:
        for each in fields(self):
            name, value, known = each.name, getattr(self, each.name), each.metadata["known"]
            if isinstance(each.default, str):
                if value not in known:
                    raise BadConfig(f"{name} must be one of {', '.join(known)}, not {value!r}")
                continue
            (low, high), whole = known, isinstance(each.default, int)
            number = isinstance(value, int if whole else int | float)
            if not number or isinstance(value, bool) or not low <= value <= high:
                kind = "a whole number " if whole else ""
                bounds = f"from {low:,} to {high:,}"
                if not whole:
                    bounds = f"from {low:,.15g} to {high:,.15g}"
                raise BadConfig(f"{name} must be {kind}{bounds}, not {value!r}")
        if self.schedule == "cosine" and self.time_limit and not (self.steps or self.epochs):
            raise BadConfig(
                "schedule = cosine ends with the last step: give steps or epochs beside the "
                "time limit"
            )

    @property
    def is_limited(self) -> bool:
        """Whether it says how long a run is."""
        return bool(self.steps or self.epochs or self.time_limit)

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


RANGES = {each.name: each.metadata["known"] for each in fields(TrainingConfig)}  # of settings


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
        with files.reading(path):
            values = tomllib.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # also of a number of too many digits
        place = re.search(r"at line ([0-9]+), column ([0-9]+)", str(error))
        where = f"{path}:{place[1]}: column {place[2]}" if place else str(path)
        raise BadFile(f"{where}: not TOML, as steps = 1000 under [training] is") from None
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
        found = error.object[max(error.start - 20, 0) : error.end + 20].strip(' "\n')
        raise BadConfig(f"{found!a}: a name that is not UTF-8; give the file another") from None
