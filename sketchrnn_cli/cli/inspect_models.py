"""`inspect` of a model, of a run, and of several: what it is, how far, and how they differ."""

from __future__ import annotations

import contextlib
import math
import shlex
import shutil
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sketchrnn_cli import locks, pretrained
from sketchrnn_cli.cli import report
from sketchrnn_cli.cli.inspect_pictures import Gathered, check_map, own_drawing
from sketchrnn_cli.cli.inspect_request import Facts, Result, Wanted
from sketchrnn_cli.errors import SketchError
from sketchrnn_cli.inference import devices, request
from sketchrnn_cli.inference.engine import Network
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model.checkpoint import FILE_NAME, Checkpoint
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.training import metrics
from sketchrnn_cli.training import state as states
from sketchrnn_cli.training.config import TrainingConfig, read_toml
from sketchrnn_cli.training.run import CONFIG, packed_set

RECENT = 50  # lines of training that tell the speed


def find_several(wanted: Wanted) -> Result:
    """How runs or models differ: settings and figures."""
    facts = compare([_model_facts(run, open_model(run)) for run in wanted.things])
    width = shutil.get_terminal_size().columns if wanted.shows else None
    return Result(facts=facts, lines=report.comparison(facts, width))


def find(wanted: Wanted) -> Result:
    """A checkpoint or a run, and drawings of its own."""
    network = open_network(wanted.thing, wanted, has_drawings=False)
    facts = _model_facts(wanted.thing, network.checkpoint)
    result = Result(facts=facts, lines=report.model(facts), network=network)
    if wanted.of_latents:
        result.gathered = Gathered.of(wanted)
        if result.gathered.wants_one:
            result.gathered.one = own_drawing(network, wanted.drawing or 0, wanted.seed)
    if wanted.needs_examples:
        asked = request.unconditional(wanted.n_shown)
        result.examples = request.draw(network, asked, Settings(seed=wanted.seed))
    return result


def name_of_model(model: str) -> str:
    """What a report calls a model."""
    return pretrained.NAME if model == str(pretrained.FILE) else model


def open_network(model: str, wanted: Wanted, *, has_drawings: bool) -> Network:
    """A model in use."""
    devices.check(wanted.device)
    network = devices.open_engine(open_model(model), wanted.device)
    if "map" in wanted.targets:
        check_map(network, wanted.targets["map"], has_drawings=has_drawings)
    return network


def _model_facts(thing: str, checkpoint: Checkpoint) -> Facts:
    """What a checkpoint says of itself, and what its run has written down."""
    path = Path(thing)
    built_in = name_of_model(thing) == pretrained.NAME
    option = "" if built_in else f" --model {shlex.quote(thing)}"
    what = f" {shlex.quote(checkpoint.words[0])}" if checkpoint.config.n_words else ""
    facts: Facts = {
        "path": name_of_model(thing),
        "kind": "run" if path.is_dir() else "model",
        "config": asdict(checkpoint.config),
        "parameters": sum(array.size for array in checkpoint.weights.values()),
        "words": list(checkpoint.words),
        "scale_factor": checkpoint.scale_factor,
        "n_max": checkpoint.n_max,
        "preparation": checkpoint.preparation,
        "training": checkpoint.training,
        "counts": checkpoint.counts if "counts" in checkpoint.training else None,
        "sample": f"sketchrnn sample{what}{option} -n 9 -o samples.svg",
    }
    if path.is_dir():
        n_train = checkpoint.training.get("n_train")
        facts |= facts_of(path, n_train if isinstance(n_train, int) else None)
    if not built_in:
        facts["commands"] = commands_of(thing, facts)
    return facts


def facts_of(run: Path, n_train: int | None) -> Facts:
    """How far a run is, from its settings and metrics.jsonl; torch is not needed.

    Args:
        run: the folder.
        n_train: training drawings, where that is known.
    """
    settings = _settings(run)
    last: dict[str, Facts] = {}  # the newest line of each split
    best: Facts | None = None
    best_loss = math.inf
    recent: deque[tuple[float, float]] = deque(maxlen=RECENT)
    rollbacks = 0
    for record in metrics.Lines(run):
        split = record.get("split")
        if split in ("train", "valid"):
            last[split] = record
        rollbacks += split == "rollback"
        step, seconds = _number(record.get("step")), _number(record.get("seconds"))
        if split == "train" and step is not None and seconds is not None:
            recent.append((step, seconds))
        loss = _number(record.get("loss"))
        if split == "valid" and loss is not None and loss < best_loss:
            best, best_loss = record, loss
    saved = [step for step, _ in states.paths(run)]
    step = max([0, *saved, *map(int, _numbers(last, "step"))])
    pace = None  # steps a second
    if len(recent) > 1 and recent[-1][1] > recent[0][1]:
        pace = (recent[-1][0] - recent[0][0]) / (recent[-1][1] - recent[0][1])
    elif recent and recent[0][1] > 0:
        pace = recent[0][0] / recent[0][1]
    last_step = _last_step(settings["training"], n_train) if "training" in settings else None
    done = last_step is not None and step >= last_step
    state = "running" if locks.is_locked(run) else "done" if done else "stopped"
    left = None
    if state != "done" and last_step is not None and pace is not None and pace > 0:
        left = (last_step - step) / pace
    data = settings.get("data", {})
    sources = data.get("sources")
    return {
        "last_train": last.get("train"),
        "last_valid": last.get("valid"),
        "state": state,
        "step": step,
        "last_step": last_step,
        "time_limit": _number(settings.get("training", {}).get("time_limit")) or None,
        "best": best,
        "rollbacks": rollbacks,
        "seconds": max(_numbers(last, "seconds"), default=None),
        "sketches_per_second": _number(last.get("train", {}).get("sketches_per_second")),
        "steps_per_second": pace,
        "seconds_left": left,
        "sources": sources if isinstance(sources, list) else [],
        "data": str(packed_set(run, data)) if data else None,
        "settings": settings,
    }


def is_run(folder: Path) -> bool:
    """Whether a folder is one that `train` made: a config.toml alone may be of any program."""
    if (folder / FILE_NAME).exists() or (folder / metrics.FILE_NAME).exists():
        return True
    return {"model", "training", "data"} <= _settings(folder).keys()


def lacks_model(name: str) -> bool:
    """Whether it is the folder of a run before its first validation."""
    run = Path(name)
    return (run / CONFIG).is_file() and not (run / FILE_NAME).exists()


def find_without_model(wanted: Wanted) -> Result:
    """A run before its first validation."""
    name = wanted.thing
    facts: Facts = {"path": name, "kind": "run", **facts_of(Path(name), None)}
    resume = f"sketchrnn train -o {shlex.quote(name)} --resume"
    facts["commands"] = {} if facts["state"] == "running" else {"go on": resume}
    return Result(facts=facts, lines=report.run_without_model(facts))


def commands_of(name: str, facts: Facts) -> dict[str, str]:
    """What can be done with a model or a run, as it is typed."""
    option, path = f" --model {shlex.quote(name)}", shlex.quote(name)
    data = shlex.quote(str(facts.get("data") or "drawings.ndjson"))
    commands = {"evaluate": f"sketchrnn inspect {path} --evaluate {data}"}
    if facts["config"]["encoder"]:
        commands["encode"] = f"sketchrnn encode {data}{option} -o z.npz"
    commands["export"] = f"sketchrnn export{option} -o page.html"
    if facts.get("state") == "stopped":
        commands["go on"] = f"sketchrnn train -o {path} --resume"
    return commands


def compare(runs: list[Facts]) -> Facts:
    """The settings in which runs differ, and the figures of each."""
    tables = [
        {
            f"{table}.{key}": value
            for table in ("model", "training", "data")
            for key, value in run.get("settings", {}).get(table, {}).items()
        }
        for run in runs
    ]
    names = dict.fromkeys(name for table in tables for name in table)
    differences = {
        name: [table.get(name) for table in tables]
        for name in names
        if any(table.get(name) != tables[0].get(name) for table in tables)
    }
    figures: dict[str, list[Any]] = {name: [] for name in report.FIGURES}
    for run in runs:
        training = run.get("training", {})
        best = run.get("best") or training.get("valid")
        best = best if isinstance(best, dict) else {}
        values = {
            **{name: run.get(name) for name in report.FIGURES},
            "best_step": training.get("step"),
            "n_train": training.get("n_train"),
            **{f"best_{key}": best.get(key) for key in ("loss", "l_r", "l_kl")},
        }
        for name in report.FIGURES:
            figures[name].append(values[name])
    hashes = {str(table.get("data.hash")) for table in tables}
    return {
        "kind": "comparison",
        "paths": [run["path"] for run in runs],
        "same_data": len(hashes) == 1 and hashes != {"None"},
        "differences": differences,
        "figures": figures,
        "runs": runs,
    }


def _settings(run: Path) -> Facts:
    """config.toml; nothing where it is not there or not whole."""
    with contextlib.suppress(SketchError):
        return dict(read_toml(run / CONFIG))
    return {}


def _last_step(training: Facts, n_train: int | None) -> int | None:
    try:
        config = TrainingConfig.from_dict(training)
    except SketchError:
        return None
    if config.epochs and n_train is None:
        return config.steps or None
    last = config.last_step(n_train or 0)
    return None if last == sys.maxsize else last


def _numbers(last: Mapping[str, Facts], name: str) -> list[float]:
    """What the newest lines say, where it is a number."""
    found = (_number(record.get(name)) for record in last.values())
    return [value for value in found if value is not None]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value
