"""Settings of training compared at the same cost, by the exact likelihood of drawings held out.

    python tests/bench/likelihood DATA.npz [--arms magenta,base] [--seconds 60,240] [--seeds 0,1,2]
        [--at-steps 100,500] [--decoder-only] [--kl-weights 0.25,0.5,1] [--split test]
        [--record runs.jsonl]

DATA.npz is a packed set with a training and a test split. Every arm (see arms.py) is trained for
so many seconds of the processor, of its steps alone, in one thread or as many as --threads says,
and judged at each of the times (or of the steps) given by numpy's engine: nats per sketch, the end
scored once, z sampled, beside the nats of KL. Training drawings that are held out as well are
left out. Prints a table; nothing is a test here. With --record the figures are added to a file,
and what is there already is not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from arms import ARMS

from sketchrnn_cli.errors import SketchError
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.training.trainer import Trainer

STEPS = 10**6  # no end but the time


def main():
    options = _options()
    torch.set_num_threads(options.threads)
    try:
        corpus = Corpus.open(options.data)
        for arm, kl_weight, seed in (
            (arm, kl_weight, seed)
            for seed in options.seeds
            for arm in options.arms
            for kl_weight in options.kl_weights
        ):
            _run(corpus, arm, kl_weight, seed, options)
    except SketchError as error:
        sys.exit(f"error: {error}")
    _table(_recorded(options.record), options)


def _options():
    parser = argparse.ArgumentParser(prog="likelihood", description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="packed set of `sketchrnn preprocess`")
    parser.add_argument("--arms", type=_arms, default=["magenta", "base"])
    parser.add_argument("--seconds", type=_numbers, default=[60.0, 240.0], help="of the processor")
    parser.add_argument("--at-steps", type=_numbers, default=[], help="the last one is the end")
    parser.add_argument("--seeds", type=lambda text: list(map(int, text.split(","))), default=[0])
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--kl-weights", type=_weights, default=[None], help="default: the arm's")
    parser.add_argument("--split", default="test")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--record", type=Path, default=Path(tempfile.mkdtemp()) / "record.jsonl")
    return parser.parse_args()


def _arms(text):
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in ARMS:
            raise argparse.ArgumentTypeError(f"no arm {name!r}; there are {', '.join(ARMS)}")
    return names


def _numbers(text):
    return sorted(map(float, text.split(",")))


def _weights(text):
    return [float(part) for part in text.split(",")]


def _recorded(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _run(corpus, arm, kl_weight, seed, options):
    """Train an arm, and record what it reaches at every time."""
    kind = "decoder-only" if options.decoder_only else "conditional"
    key = {
        "data": options.data.name,
        "split": options.split,
        "kind": kind,
        "arm": arm,
        "kl_weight": kl_weight,
        "seed": seed,
        "precision": options.precision,
    }
    done = {
        (record["at"], record["at_step"])
        for record in _recorded(options.record)
        if all(record[name] == value for name, value in key.items())
    }
    wanted = [(seconds, 0) for seconds in options.seconds if (seconds, 0) not in done]
    if options.at_steps:
        wanted = [(0.0, int(step)) for step in options.at_steps if (0.0, int(step)) not in done]
    if not wanted:
        return
    more = {} if kl_weight is None else {"kl_weight": kl_weight}
    if ARMS[arm].training.get("schedule") == "cosine":
        if options.at_steps:
            more["steps"] = int(options.at_steps[-1])
        else:
            more["steps"] = _steps_of(corpus, arm, options)
        wanted = wanted[-1:]
    else:
        more["steps"] = STEPS
    model, config = ARMS[arm].configs(
        encoder=not options.decoder_only, seed=seed, precision=options.precision, **more
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(Path(folder), corpus, model, config, device=torch.device("cpu"))
        trainer.train_indices = _without_leaks(corpus)
        seconds = 0.0
        n_parameters = sum(each.numel() for each in trainer.network.parameters())
        for at, at_step in wanted:
            while (seconds < at or trainer.progress.step < at_step) and (
                trainer.progress.step < config.steps
            ):
                started = time.process_time()
                trainer.take_step()
                seconds += time.process_time() - started
            network = Engine(trainer.model({}))
            facts = score.evaluate(network, corpus, options.split)
            record = key | {
                "at": at,
                "at_step": at_step,
                "step": trainer.progress.step,
                "seconds": round(seconds, 1),
                "parameters": n_parameters,
                "nats": facts["nats_per_sketch"],
                "nats_at_mean": facts.get("nats_per_sketch_at_mean"),
                "kl": facts["kl_nats_per_sketch"] if model.encoder else 0.0,
                "magenta_l_r_masked": facts["magenta_l_r_masked"],
                "magenta_l_kl": facts["magenta_l_kl"] if model.encoder else 0.0,
            }
            with options.record.open("a") as stream:
                stream.write(json.dumps(record) + "\n")
            print(
                f"{arm}, KL weight {config.kl_weight:g}, seed {seed}: {record['step']} steps in "
                f"{seconds:.0f} s: {record['nats']:.2f} + {record['kl']:.2f}",
                file=sys.stderr,
                flush=True,
            )


def _without_leaks(corpus):
    """Training drawings but for those that are held out too."""
    held_out = {
        corpus.moves_of(int(i)).tobytes()
        for split in ("valid", "test")
        for i in corpus.indices(split)
    }
    train = corpus.indices("train")
    return train[[corpus.moves_of(int(i)).tobytes() not in held_out for i in train]]


def _steps_of(corpus, arm, options):
    """How many steps of an arm fit into the last of the times."""
    model, config = ARMS[arm].configs(
        encoder=not options.decoder_only, steps=STEPS, precision=options.precision
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(Path(folder), corpus, model, config, device=torch.device("cpu"))
        for _ in range(10):
            trainer.take_step()
        started = time.process_time()
        for _ in range(40):
            trainer.take_step()
        return int(options.seconds[-1] / (time.process_time() - started) * 40)


def _table(records, options):
    """Mean and spread over seeds of every arm at every time."""
    kind = "decoder-only" if options.decoder_only else "conditional"
    rows = {}
    for record in records:
        same = (record["data"], record["split"], record["kind"], record["precision"])
        if same == (options.data.name, options.split, kind, options.precision) and (
            record["arm"] in options.arms
        ):
            place = (record["at"], record["at_step"], record["arm"], record["kl_weight"])
            rows.setdefault(place, []).append(record)
    print("| CPU s | arm | KL weight | seeds | steps | nats per sketch | KL | sum | L_R | L_KL |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for (_, _, arm, weight), found in sorted(rows.items(), key=str):
        seconds, steps = (statistics.mean(r[name] for r in found) for name in ("seconds", "step"))
        nats, kl = ([record[name] for record in found] for name in ("nats", "kl"))
        both = [a + b for a, b in zip(nats, kl, strict=True)]
        own = [[r[name] for r in found] for name in ("magenta_l_r_masked", "magenta_l_kl")]
        cells = [_spread(values) for values in (nats, kl, both)]
        cells += [_spread(values, digits=3) for values in own]
        weight = "" if weight is None else f"{weight:g}"
        start = f"| {seconds:.0f} | {arm} | {weight} | {len(found)} | {steps:.0f} | "
        print(start + " | ".join(cells) + " |")


def _spread(values, digits=2):
    """A mean, and how far the values lie from one another."""
    low, mean, high = min(values), statistics.mean(values), max(values)
    spread = f" ({low:.{digits}f} to {high:.{digits}f})" if values[1:] else ""
    return f"{mean:.{digits}f}{spread}"


if __name__ == "__main__":
    main()
