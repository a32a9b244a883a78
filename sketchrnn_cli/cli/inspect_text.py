"""What `inspect` found, as lines of text for a person."""

from __future__ import annotations

from typing import Any

from sketchrnn_cli.drawing.sheet import printable
from sketchrnn_cli.sketches.streams import name_of

WORDS_SHOWN = 12
WORD_SHOWN = 200  # characters
Facts = dict[str, Any]


def drawings(facts: Facts) -> list[str]:
    """A file, a folder, a stream or a packed set of drawings."""
    points, splits, words = facts["points"], facts["splits"], facts["words"]
    kind = "a packed training set of " if facts["packed"] else ""
    lines = [f"{name_of(facts['path'])}: {kind}{_n(facts['n_sketches'], 'drawing')}"]
    if list(splits) == ["unsplit"]:
        _row(lines, "split", "no: `preprocess` and `train` will make one")
    else:
        _row(lines, "split", ", ".join(f"{name} {n:,}" for name, n in splits.items()))
    totals = sorted((-sum(n.values()), word) for word, n in words.items())
    named = [f"{_named(word) or '(none)'} {-n:,}" for n, word in totals[:WORDS_SHOWN]]
    more = len(words) - len(named)
    _row(lines, "words", ", ".join(named) + (f" and {more} more" if more else ""))
    _row(
        lines,
        "points",
        f"{points['min']} to {points['max']} a drawing (N_max {points['max']}), "
        f"mean {points['mean']:.1f}, median {points['median']}; "
        f"{facts['strokes_mean']:.1f} strokes",
    )
    numbers = facts.get("dtype") or ("whole numbers" if facts["whole_numbers"] else "fractions")
    _row(lines, "offsets", f"{numbers}, scale factor {facts['scale_factor']:.6g}")
    if facts["extent_mean"] is not None:
        _row(
            lines,
            "extent",
            f"{facts['extent_mean']:.0f} on average, up to {facts['extent_max']:.0f}",
        )
    if facts["packed"]:
        _preparation_line(lines, facts["preparation"])
        _report_lines(lines, facts["report"])
    else:
        _equal_lines(lines, facts)
    for note in facts.get("notes", ()):
        _row(lines, "note", note)
    if facts.get("n_faulty"):
        _row(lines, "faulty", f"{facts['n_faulty']:,}; the first: {facts['faults'][0]}")
    return lines


def _preparation_line(lines: list[str], preparation: Facts) -> None:
    if not preparation:
        return
    box = printable(str(preparation.get("box", 255)).removesuffix(".0"))
    fit = f"fitted to a {box} box" if preparation.get("fit") else "in their own frame"
    simple = f", simplified (epsilon {preparation.get('epsilon')})"
    simple = simple if preparation.get("simplified") else ""
    low, high = preparation.get("min_points"), preparation.get("max_points")
    _row(lines, "prepared", f"{fit}{simple}, {low} to {high} points")


def _report_lines(lines: list[str], report: Facts) -> None:
    """What `preprocess` found out: what it dropped, duplicates, leakage between splits."""
    dropped = ", ".join(f"{n:,} {why}" for why, n in report.get("dropped", {}).items())
    _row(lines, "made of", f"{_n(report.get('read', 0), 'drawing')}; dropped {dropped or 'none'}")
    _equal_lines(lines, report)


def _equal_lines(lines: list[str], report: Facts) -> None:
    """Equal drawings, within a split and between them."""
    if report.get("duplicates", {}) is None:
        _row(lines, "duplicates", "not looked for among so many")
        return
    same = [
        f"{n:,}" if split == "unsplit" else f"{n:,} in {split}"
        for split, n in report.get("duplicates", {}).items()
        if n
    ]
    _row(lines, "duplicates", ", ".join(same) or "none")
    if "unsplit" in report.get("duplicates", {}):
        return
    leaks = report.get("leakage", {}).items()
    leaked = [f"{n:,} {where.replace('_', ' ')}" for where, n in leaks if n]
    _row(lines, "leakage", ", ".join(leaked) or "none between the splits")


def model(facts: Facts) -> list[str]:
    """A checkpoint or a run."""
    config = facts["config"]
    encoder = f"encoder 2 x {config['encoder_size']}, z {config['latent_size']}"
    lines = [f"{facts['path']}: a {facts['kind']} of {facts['parameters'] / 1e6:.2f} M weights"]
    network = f"{encoder}, " if config["encoder"] else "decoder only, "
    network += f"decoder {config['decoder_size']}, M {config['n_mixtures']}, {config['cell']}"
    _row(lines, "network", network)
    counts = facts["counts"] or [0] * len(facts["words"])
    words = [
        f"{_named(word)} {n:,}" if n else _named(word)
        for word, n in zip(facts["words"], counts, strict=True)
    ]
    told = facts["config"]["n_words"] > 0
    shown = words if told else words[:WORDS_SHOWN]
    more = len(words) - len(shown)
    _row(lines, "words", ", ".join(shown) + (f" and {more} more" if more > 0 else ""))
    if len(words) > 1:
        what = "draws the one asked for" if told else "is told none of them"
        of_each = ", with the training drawings of each" if facts["counts"] else ""
        _row(lines, "", f"{len(words)} words{of_each}; the model {what}")
    _row(lines, "trained on", f"N_max {facts['n_max']}, scale factor {facts['scale_factor']:.6g}")
    _preparation_line(lines, facts["preparation"])
    training = facts["training"]
    if "step" in training:
        _row(lines, "best", f"step {_step(training['step'])}{_losses(training.get('valid'))}")
    for split in ("train", "valid"):
        if last := facts.get(f"last_{split}"):
            _row(lines, f"last {split}", f"step {_step(last.get('step', 0))}{_losses(last)}")
    if "state" in facts:
        _state_lines(lines, facts)
    _row(lines, "try", printable(facts["sample"]))
    for what, command in facts.get("commands", {}).items():
        _row(lines, what, printable(command))
    return lines


def young(facts: Facts) -> list[str]:
    """A run that has no model yet."""
    lines = [f"{printable(facts['path'])}: a run without a model: the first validation writes it"]
    _state_lines(lines, facts)
    for what, command in facts["commands"].items():
        _row(lines, what, printable(command))
    return lines


def _state_lines(lines: list[str], facts: Facts) -> None:
    """How far a run is, how fast, and how long it will take."""
    of = f" of {facts['last_step']:,}" if facts["last_step"] is not None else ""
    state = f"{facts['state']}, step {facts['step']:,}{of}"
    if facts["seconds"] is not None:
        state += f", {_duration(facts['seconds'])} of training"
    if facts["rollbacks"]:
        state += f", {_n(facts['rollbacks'], 'rollback')}"
    _row(lines, "state", state)
    if facts["sketches_per_second"] is not None:
        speed = f"{facts['sketches_per_second']:,.0f} drawings a second"
        if facts["steps_per_second"] is not None:
            speed += f", {facts['steps_per_second']:.3g} steps"
        if facts["seconds_left"] is not None:
            speed += f"; {_duration(facts['seconds_left'])} left"
        _row(lines, "speed", speed)
    if facts["sources"]:
        named = [_named(name_of(str(source))) for source in facts["sources"][:WORDS_SHOWN]]
        _row(lines, "data", ", ".join(named))


def _duration(seconds: float) -> str:
    """``45 s``, ``3 min`` or ``2 h 05 min``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min"


NAMES = {
    "best_step": "best step", "best_loss": "best loss", "best_l_r": "L_R there",
    "best_l_kl": "L_KL there", "parameters": "weights", "n_train": "drawings",
    "sketches_per_second": "drawings/s", "seconds": "training time",
}  # fmt: skip
COLUMN = 28  # characters of what a run says of one thing


def comparison(facts: Facts, width: int | None) -> list[str]:
    """Runs side by side; under one another where the window is too narrow.

    Args:
        facts: of ``inspect_runs.compare``.
        width: of the window; None: as wide as it gets.
    """
    table = [["", *(_tail(path) for path in facts["paths"])]]
    for name, values in facts["figures"].items():
        if any(value is not None for value in values):
            table.append([NAMES.get(name, name), *(_figure(name, value) for value in values)])
    settings = [
        [name.removeprefix("training."), *(_figure("", value) for value in values)]
        for name, values in facts["differences"].items()
        if name not in ("data.hash", "data.packed")
    ]
    widths = [max(len(row[k]) for row in [*table, *settings]) for k in range(len(table[0]))]
    side_by_side = width is None or sum(widths) + 2 * len(widths) <= width
    lines: list[str] = []

    def add(row: list[str]) -> None:
        if side_by_side:
            cells = [cell.ljust(w) for cell, w in zip(row, widths, strict=True)]
            lines.append("  ".join(cells).rstrip())
        else:
            lines.extend([row[0], *(f"  {cell}" for cell in row[1:])][not row[0] :])

    for row in table:
        add(row)
    lines.append("")
    if settings:
        lines.append("settings that differ:")
        for row in settings:
            add(row)
    else:
        lines.append("no settings differ")
    if not facts["same_data"]:
        lines.append("their drawings differ: compare losses on the same drawings only")
    return lines


def _figure(name: str, value: object) -> str:
    """One cell of the table."""
    if value is None:
        return "-"
    if name == "seconds" and isinstance(value, int | float):
        return _duration(value)
    if isinstance(value, float):
        return f"{value:.4f}" if name.startswith("best") else f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return _tail(text)


def _tail(text: str) -> str:
    """How a long text ends."""
    text = printable(text)
    return text if len(text) <= COLUMN else f"...{text[3 - COLUMN :]}"


def _step(value: object) -> str:
    """A step that a file names, which may be anything."""
    return f"{value:,}" if isinstance(value, int) else printable(str(value)[:40])


def _losses(record: object) -> str:
    """Losses of a record of metrics.jsonl, as far as they are numbers."""
    names = {"loss": "loss", "l_r": "L_R", "l_kl": "L_KL"}
    values = [
        f"{name} {record[key]:.4f}"
        for key, name in names.items()
        if isinstance(record, dict) and isinstance(record.get(key), int | float)
    ]
    return ": " + ", ".join(values) if values else ""


def evaluation(facts: Facts) -> list[str]:
    """Both ways of counting, and which is which."""
    lines = [
        f"{facts['model']} on {facts['data']}, {facts['split']} split: "
        f"{_n(facts['n_sketches'], 'drawing')} ({facts['split_hash']})"
    ]
    has_latent = "nats_per_sketch_at_mean" in facts
    of_z = " (z sampled)" if has_latent else ""
    _row(lines, "magenta", "nats / N_max, by magenta's formulas")
    _row(lines, "  L_R", f"{facts['magenta_l_r']:.4f}{of_z}, padding counted as in the paper")
    if has_latent:
        _row(lines, "", f"{facts['magenta_l_r_at_mean']:.4f} (z = mu), padding counted")
    _row(
        lines, "", f"{facts['magenta_l_r_masked']:.4f}{of_z}, not counted, as its evaluation prints"
    )
    if facts["magenta_l_r"] > 1.1 * facts["magenta_l_r_masked"] + 0.01:
        _row(lines, "", "(`train` shows a model no padding, so what it says of it means little)")
    if has_latent:
        _row(lines, "  L_KL", f"{facts['magenta_l_kl']:.4f} a latent dimension")
    _row(lines, "exact", "nats, no padding, the end of a drawing scored once")
    _row(lines, "  a sketch", f"{facts['nats_per_sketch']:.2f}{of_z}")
    if has_latent:
        _row(lines, "", f"{facts['nats_per_sketch_at_mean']:.2f} (z = mu)")
        _row(lines, "  KL", f"{facts['kl_nats_per_sketch']:.2f} a sketch")
    if has_latent and "iw_nats_per_sketch" in facts:
        latents = f"{_n(facts['iw_samples'], 'latent')} a drawing, importance weighted"
        _row(lines, "  log p(x)", f"{facts['iw_nats_per_sketch']:.2f} at most ({latents})")
    _row(lines, "  a point", f"{facts['nats_per_point']:.4f}{of_z}")
    _row(
        lines,
        "units",
        f"scale factor {facts['scale_factor']:.6g}, N_max {facts['n_max']}: "
        "compare on the same file only",
    )
    return lines


def scores(ranked: list[Facts]) -> list[str]:
    """One line a drawing."""
    lines = ["nats/prediction      nats  points  drawing"]
    lines += [
        f"{entry['per_prediction']:15.3f} {entry['log_likelihood']:9.2f} {entry['n_points']:7}  "
        f"{entry['index']} {_named(entry['word'] or '')}".rstrip()
        for entry in ranked
    ]
    return lines


def _named(word: str) -> str:
    """A word, or how a very long one begins."""
    word = printable(word)
    return word if len(word) <= WORD_SHOWN else f"{word[:WORD_SHOWN]}..."


def _row(lines: list[str], name: str, text: str) -> None:
    lines.append(f"  {name:<11} {text}")


def _n(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' * (n != 1)}"
