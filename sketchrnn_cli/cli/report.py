"""What a person reads when a command is done: lines of text, from facts as ``--json`` has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sketchrnn_cli.files import name_of

Facts = dict[str, Any]

WORDS_SHOWN = 12
WORD_SHOWN = 200  # characters
COLUMN = 28  # characters of a cell of a comparison
FIGURES = {  # of a comparison, in their order
    "state": "state", "step": "step", "best_step": "best step", "best_loss": "best loss",
    "best_l_r": "L_R there", "best_l_kl": "L_KL there", "parameters": "weights",
    "n_train": "drawings", "sketches_per_second": "drawings/s", "seconds": "training time",
}  # fmt: skip


def printable(text: str) -> str:
    """Untrusted text on one line."""
    from sketchrnn_cli.drawing import sheet  # loads numpy

    return sheet.printable(text)


def number(n: int, noun: str) -> str:
    """``1 drawing``, ``3,563 drawings``."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def duration(seconds: float) -> str:
    """``45 s``, ``3 min`` or ``2 h 05 min``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min"


def output(path: str) -> str:
    """What an output is called."""
    return "standard output" if path == "-" else path


def row(name: str, text: str) -> str:
    """A line of a report."""
    return f"  {name:<11} {text}"


def _named(word: str) -> str:
    """A word, or how a very long one begins."""
    word = printable(word)
    return word if len(word) <= WORD_SHOWN else f"{word[:WORD_SHOWN]}..."


def _listed(names: Sequence[str], n: int) -> str:
    """The first names, and how many more there are."""
    more = len(names) - n
    return ", ".join(names[:n]) + (f" and {more:,} more" if more > 0 else "")


# drawings


def drawings(facts: Facts) -> list[str]:
    """A file, a folder, a stream or a packed set of drawings."""
    points, splits, words = facts["points"], facts["splits"], facts["words"]
    kind = "a packed training set of " if facts["packed"] else ""
    split = ", ".join(f"{name} {n:,}" for name, n in splits.items())
    totals = sorted((-sum(n.values()), word) for word, n in words.items())
    numbers = facts.get("dtype") or ("whole numbers" if facts["whole_numbers"] else "fractions")
    lines = [
        f"{name_of(facts['path'])}: {kind}{number(facts['n_sketches'], 'drawing')}",
        row("split", "none" if list(splits) == ["unsplit"] else split),
        row("words", _listed([f"{_named(word) or '(none)'} {-n:,}" for n, word in totals], 12)),
        row(
            "points",
            f"{points['min']:,} to {points['max']:,} per drawing (N_max {points['max']:,}), "
            f"mean {points['mean']:.1f}, median {points['median']}; "
            f"{facts['strokes_mean']:.1f} strokes",
        ),
        row("offsets", f"{numbers}, scale factor {facts['scale_factor']:.6g}"),
    ]
    if facts["extent_mean"] is not None:
        mean, most = facts["extent_mean"], facts["extent_max"]
        lines.append(row("extent", f"{mean:.0f} on average, up to {most:.0f}"))
    if facts["packed"]:
        report = facts["report"]
        dropped = ", ".join(f"{n:,} {why}" for why, n in report.get("dropped", {}).items())
        source = number(report.get("read", 0), "drawing")
        lines += _preparation(facts["preparation"])
        lines.append(row("made of", f"{source}; dropped {dropped or 'none'}"))
        lines += _equal(report)
    else:
        lines += _equal(facts)
    lines += _recognised(facts.get("recognized", ()))
    lines += [row("note", note) for note in facts.get("notes", ())]
    if facts.get("n_faulty"):
        lines.append(row("faulty", f"{facts['n_faulty']:,}; the first: {facts['faults'][0]}"))
    return lines


def _recognised(answers: Sequence[Sequence[tuple[str, float]]]) -> list[str]:
    """What each of a few drawings looks like; which one, where there are several."""
    told = [", ".join(f"{share:.0%} {_named(word)}" for word, share in each) for each in answers]
    several = len(told) > 1
    return [
        row("" if i else "looks like", f"{i}: {text or '-'}" if several else text)
        for i, text in enumerate(told)
    ]


def latents(facts: Facts, command: str) -> list[str]:
    """Latents of drawings, in a summary; the command writes all of them."""
    counts = {"words": facts["words"], "looks like": facts["recognized"]}
    listed = {
        name: [f"{_named(word) or '(none)'} {n:,}" for word, n in found.most_common()]
        for name, found in counts.items()
    }
    return [
        f"{facts['path']}: {number(facts['n_drawings'], 'drawing')}, {facts['latent_size']:,} "
        "numbers each",
        *(row(name, _listed(names, 6)) for name, names in listed.items() if names),
        row("mu", f"{facts['mu']:.2f} on average, deviation {facts['mu_deviation']:.2f}"),
        row("sigma", f"{facts['sigma']:.2f} on average"),
        row("write them", command),
    ]


def doubtful(facts: Facts) -> list[str]:
    """One line per drawing whose label is doubted, and how many there are."""
    lines = ["label's share  drawing"]
    for entry in facts["doubtful"]:
        word, share = entry["recognized"][0]
        named = f"{entry['index']} {_named(entry['word'])}"
        lines.append(f"{entry['share']:13.4f}  {named}: {share:.0%} {_named(word)}")
    unknown = number(facts["n_unknown"], "drawing")
    judged = f"{facts['n_doubtful']:,} of {number(facts['n_judged'], 'drawing')} doubtful"
    left = f"; {unknown} without a word that it knows" if facts["n_unknown"] else ""
    return [*lines, f"{judged} (share under {facts['threshold']:.2g}){left}"]


def _preparation(preparation: Facts) -> list[str]:
    if not preparation:
        return []
    box = printable(str(preparation.get("box", 255)).removesuffix(".0"))
    fit = f"fitted to a {box} box" if preparation.get("fit") else "in their own frame"
    simple = f", simplified (epsilon {preparation.get('epsilon')})"
    simple = simple if preparation.get("simplified") else ""
    low, high = preparation.get("min_points"), preparation.get("max_points")
    return [row("prepared", f"{fit}{simple}, {low} to {high} points")]


def _equal(report: Facts) -> list[str]:
    """Equal drawings, within a split and between them."""
    duplicates = report.get("duplicates", {})
    if duplicates is None:
        return [row("duplicates", "not looked for among so many")]
    same = [
        f"{n:,}" if split == "unsplit" else f"{n:,} in {split}"
        for split, n in duplicates.items()
        if n
    ]
    lines = [row("duplicates", ", ".join(same) or "none")]
    if "unsplit" not in duplicates:
        leaks = report.get("leakage", {}).items()
        leaked = [f"{n:,} {where.replace('_', ' ')}" for where, n in leaks if n]
        lines.append(row("leakage", ", ".join(leaked) or "none between the splits"))
    return lines


# models and runs


def model(facts: Facts) -> list[str]:
    """A checkpoint or a run."""
    config, training, words = facts["config"], facts["training"], facts["words"]
    encoder = f"encoder 2 x {config['encoder_size']}, z {config['latent_size']}"
    conditional = config["n_words"] > 0
    counts = facts["counts"] or [0] * len(words)
    named = [
        f"{_named(word)} {n:,}" if n else _named(word)
        for word, n in zip(words, counts, strict=True)
    ]
    lines = [
        f"{facts['path']}: a {facts['kind']} of {facts['parameters'] / 1e6:.2f} M weights",
        row(
            "network",
            f"{encoder if config['encoder'] else 'decoder only'}, decoder "
            f"{config['decoder_size']}, M {config['n_mixtures']}, {config['cell']}",
        ),
        row("words", _listed(named, len(named) if conditional else WORDS_SHOWN)),
    ]
    if len(words) > 1:
        each = ", with the training drawings of each" if facts["counts"] else ""
        what = "draws the one asked for" if conditional else "is unconditional"
        lines.append(row("", f"{len(words):,} words{each}; the model {what}"))
    scale = f"N_max {facts['n_max']:,}, scale factor {facts['scale_factor']:.6g}"
    lines.append(row("trained on", scale))
    lines += _preparation(facts["preparation"])
    if "step" in training:
        losses = _losses(training.get("valid"))
        lines.append(row("best", f"step {_step(training['step'])}{losses}"))
    for split in ("train", "valid"):
        if last := facts.get(f"last_{split}"):
            lines.append(row(f"last {split}", f"step {_step(last.get('step', 0))}{_losses(last)}"))
    if "state" in facts:
        lines += _state(facts)
    commands = {"try": facts["sample"], **facts.get("commands", {})}
    return lines + _commands(commands)


def run_without_model(facts: Facts) -> list[str]:
    """A run before its first validation."""
    first = f"{printable(facts['path'])}: a run without a model: the first validation writes it"
    return [first, *_state(facts), *_commands(facts["commands"])]


def _commands(commands: Mapping[str, str]) -> list[str]:
    return [row(what, printable(command)) for what, command in commands.items()]


def _state(facts: Facts) -> list[str]:
    """How far a run is, how fast, and how long it will take."""
    of = f" of {facts['last_step']:,}" if facts["last_step"] is not None else ""
    state = f"{facts['state']}, step {facts['step']:,}{of}"
    if facts["seconds"] is not None:
        state += f", {duration(facts['seconds'])} of training"
    if facts["rollbacks"]:
        state += f", {number(facts['rollbacks'], 'rollback')}"
    lines = [row("state", state)]
    if facts["sketches_per_second"] is not None:
        speed = f"{facts['sketches_per_second']:,.0f} drawings per second"
        if facts["steps_per_second"] is not None:
            speed += f", {facts['steps_per_second']:.3g} steps"
        if facts["seconds_left"] is not None:
            speed += f"; {duration(facts['seconds_left'])} left"
        lines.append(row("speed", speed))
    if facts["sources"]:
        named = [_named(name_of(str(source))) for source in facts["sources"][:WORDS_SHOWN]]
        lines.append(row("data", ", ".join(named)))
    data = facts["settings"].get("data")
    if isinstance(data, dict) and isinstance(begun := data.get("from"), str):
        lines.append(row("from", _named(name_of(begun))))
    return lines


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


# comparisons


def comparison(facts: Facts, width: int | None) -> list[str]:
    """Runs side by side; under one another where the window is too narrow.

    Args:
        facts: of ``inspect_models.compare``.
        width: of the window; None: as wide as it gets.
    """
    table = [["", *(_tail(path) for path in facts["paths"])]]
    for name, values in facts["figures"].items():
        if any(value is not None for value in values):
            table.append([FIGURES[name], *(_figure(name, value) for value in values)])
    settings = [
        [name.removeprefix("training."), *(_figure("", value) for value in values)]
        for name, values in facts["differences"].items()
        if name not in ("data.hash", "data.packed")
    ]
    widths = [max(len(cells[k]) for cells in [*table, *settings]) for k in range(len(table[0]))]
    side_by_side = width is None or sum(widths) + 2 * len(widths) <= width

    def laid(cells: list[str]) -> list[str]:
        if side_by_side:
            padded = [cell.ljust(w) for cell, w in zip(cells, widths, strict=True)]
            return ["  ".join(padded).rstrip()]
        return [cells[0], *(f"  {cell}" for cell in cells[1:])][not cells[0] :]

    lines = [line for cells in table for line in laid(cells)]
    lines += ["", "settings that differ:" if settings else "no settings differ"]
    lines += [line for cells in settings for line in laid(cells)]
    if not facts["same_data"]:
        lines.append("their drawings differ: compare losses on the same drawings only")
    return lines


def _figure(name: str, value: object) -> str:
    """One cell of the table."""
    if value is None:
        return "-"
    if name == "seconds" and isinstance(value, int | float):
        return duration(value)
    if isinstance(value, float):
        return f"{value:.4f}" if name.startswith("best") else f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return _tail(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _tail(text: str) -> str:
    """How a long text ends."""
    text = printable(text)
    return text if len(text) <= COLUMN else f"...{text[3 - COLUMN :]}"


# likelihoods


def evaluation(facts: Facts) -> list[str]:
    """The losses of a model on drawings: exact first, those of the reference code last."""
    has_latent = "nats_per_sketch_at_mean" in facts
    of_z = " (z sampled)" if has_latent else ""
    per = f"{facts['nats_per_point']:.4f} per point"
    lines = [
        f"{facts['model']} on {facts['data']}, {facts['split']} split: "
        f"{number(facts['n_sketches'], 'drawing')} ({facts['split_hash']})",
        row("exact", f"{facts['nats_per_sketch']:.2f} nats per drawing{of_z}, {per}"),
    ]
    if has_latent:
        lines.append(row("", f"{facts['nats_per_sketch_at_mean']:.2f} (z = mu)"))
    lines.append(row("", "negative log-likelihood: no padding, the end of a drawing scored once"))
    if has_latent:
        lines.append(row("KL", f"{facts['kl_nats_per_sketch']:.2f} nats per drawing, to N(0, I)"))
    if has_latent and "iw_nats_per_sketch" in facts:
        latents = f"{number(facts['iw_samples'], 'latent')} per drawing, importance weighted"
        lines.append(row("log p(x)", f"{facts['iw_nats_per_sketch']:.2f} at most ({latents})"))
    if DEQUANTISED in facts:
        lines += [
            row("dequantised", f"{facts[DEQUANTISED]:.2f} nats per drawing{of_z}"),
            row("", "the density averaged over each pixel: narrow Gaussians gain nothing"),
        ]
    lines.append(row("L_R", f"{facts['magenta_l_r']:.4f}{of_z}, padding counted as in the paper"))
    if has_latent:
        lines.append(row("", f"{facts['magenta_l_r_at_mean']:.4f} (z = mu), padding counted"))
    masked = f"{facts['magenta_l_r_masked']:.4f}{of_z}, padding not counted"
    lines += [
        row("", f"{masked}, as magenta's evaluation prints it"),
        row("", "reconstruction loss of magenta's code: nats / N_max"),
    ]
    if facts["magenta_l_r"] > 1.1 * facts["magenta_l_r_masked"] + 0.01:
        lines.append(row("", "(training here shows no padding: the first figure means little)"))
    if has_latent:
        lines.append(row("L_KL", f"{facts['magenta_l_kl']:.4f}"))
        lines.append(row("", "KL loss of magenta's code: nats per latent dimension"))
    units = f"scale factor {facts['scale_factor']:.6g}, N_max {facts['n_max']:,}"
    return [*lines, row("units", f"{units}: compare on the same file only")]


DEQUANTISED = "dequantised_nats_per_sketch"


def scores(ranked: Sequence[Facts], n: int | None) -> list[str]:
    """One line per drawing, of the first n."""
    shown = ranked[:n]
    lines = ["nats/prediction      nats  points  drawing"]
    lines += [
        f"{entry['per_prediction']:15.3f} {entry['log_likelihood']:9.2f} {entry['n_points']:7,}  "
        f"{entry['index']} {_named(entry['word'] or '')}".rstrip()
        for entry in shown
    ]
    more = len(ranked) - len(shown)
    return lines + ([f"and {number(more, 'more drawing')}"] if more else [])


def picture(name: str, facts: Facts) -> str:
    """What is said of a picture of `inspect`."""
    if name == "map":
        return (
            f"{facts['file']}: {number(facts['n_sketches'], 'latent')} by {facts['projection']}, "
            f"{number(facts['n_shown'], 'drawing')} where there is room"
        )
    if name == "densities":
        return (
            f"{facts['file']}: drawing {facts['drawing']}, {number(facts['n_points'], 'point')}, "
            f"{facts['log_likelihood']:.2f} nats"
        )
    what = {"grid": "drawing", "plot": facts.get("of", "")}[name]
    return f"{facts['file']}: {number(facts['n'], what)}"


# what was written


def animation(facts: Facts) -> str:
    """An animation."""
    return (
        f"{output(facts['file'])}: {number(facts['n_drawings'], 'drawing')}, "
        f"{facts['width']} x {facts['height']} pixels, {facts['seconds']:g} s"
    )


def cut(n_cut: int, n: int, max_points: int) -> str:
    """Drawings that did not end."""
    return (
        f"{n_cut:,} of {n:,} had not ended after {max_points:,} points (--max-points) and are "
        "cut there: raise it, or the temperature of the pen (--pen-temp 1)"
    )


def sampled_scores(ranked: Sequence[tuple[float, float, int]]) -> list[str]:
    """Drawings of `sample --score`, each with nats per prediction, nats and number."""
    return [
        f"{place:4}. drawing {index}: {total:.2f} nats, {each:.3f} per prediction"
        for place, (each, total, index) in enumerate(ranked, start=1)
    ]


def saturated(arrays: Mapping[str, int]) -> str:
    """Weights that a browser model cannot hold."""
    listed = ", ".join(f"{n:,} of {key}" for key, n in arrays.items())
    return f"weights beyond 10, which a browser model cannot hold, cut off: {listed}"
