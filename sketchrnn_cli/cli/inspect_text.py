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
    same = [f"{n:,} in {split}" for split, n in report.get("duplicates", {}).items() if n]
    _row(lines, "duplicates", ", ".join(same) or "none")
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
    _row(lines, "try", printable(facts["sample"]))
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
