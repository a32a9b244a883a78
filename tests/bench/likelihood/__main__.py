"""Settings of training compared at the same cost, by the exact likelihood of drawings held out.

    python tests/bench/likelihood DATA.npz [--arms magenta,base] [--seconds 60,240] [--seeds 0,1,2]
        [--decoder-only] [--kl-weights 0.25,0.5,1] [--split test] [--record runs.jsonl]

DATA.npz is a packed set with a training and a test split. Every arm (see arms.py) is trained for
so many seconds of the processor, of its steps alone, in one thread or as many as --threads says,
and judged at each of the times given by numpy's engine: nats a sketch, the end scored once, z
sampled, beside the nats of KL. Prints a table; nothing is a test here. With --record the figures
are added to a file, and what is there already is not done again.
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
from sketchrnn_cli.training.loop import Trainer

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
        record["at"]
        for record in _recorded(options.record)
        if all(record[name] == value for name, value in key.items())
    }
    wanted = [seconds for seconds in options.seconds if seconds not in done]
    if not wanted:
        return
    more = {} if kl_weight is None else {"kl_weight": kl_weight}
    if ARMS[arm].training.get("schedule") == "cosine":
        more["steps"] = _steps_of(corpus, arm, options)
        wanted = wanted[-1:]
    else:
        more["steps"] = STEPS
    model, config = ARMS[arm].configs(
        encoder=not options.decoder_only, seed=seed, precision=options.precision, **more
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(Path(folder), corpus, model, config, device=torch.device("cpu"))
        seconds = 0.0
        n_parameters = sum(each.numel() for each in trainer.network.parameters())
        for at in wanted:
            while seconds < at and trainer.progress.step < config.steps:
                started = time.process_time()
                trainer.take_step()
                seconds += time.process_time() - started
            with trainer.averaged():
                network = Engine(trainer.model({}))
            facts = score.evaluate(network, corpus, options.split)
            record = key | {
                "at": at,
                "step": trainer.progress.step,
                "parameters": n_parameters,
                "nats": facts["nats_per_sketch"],
                "nats_at_mean": facts.get("nats_per_sketch_at_mean"),
                "kl": facts["kl_nats_per_sketch"] if model.encoder else 0.0,
                "magenta_l_r_masked": facts["magenta_l_r_masked"],
            }
            with options.record.open("a") as stream:
                stream.write(json.dumps(record) + "\n")
            print(
                f"{arm}, seed {seed}: {record['step']} steps in {at:g} s: "
                f"{record['nats']:.2f} + {record['kl']:.2f}",
                file=sys.stderr,
                flush=True,
            )


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
        same = (record["data"], record["split"], record["kind"])
        if same == (options.data.name, options.split, kind) and record["arm"] in options.arms:
            place = (record["at"], record["arm"], record["kl_weight"])
            rows.setdefault(place, []).append(record)
    print("| CPU s | arm | KL weight | seeds | steps | nats a sketch | KL | sum |")
    print("|---|---|---|---|---|---|---|---|")
    for (at, arm, weight), found in sorted(rows.items(), key=str):
        steps = statistics.mean(record["step"] for record in found)
        nats, kl = ([record[name] for record in found] for name in ("nats", "kl"))
        both = [a + b for a, b in zip(nats, kl, strict=True)]
        cells = [_spread(values) for values in (nats, kl, both)]
        weight = "" if weight is None else f"{weight:g}"
        print(f"| {at:g} | {arm} | {weight} | {len(found)} | {steps:.0f} | {' | '.join(cells)} |")


def _spread(values):
    """A mean, and how far the values lie from one another."""
    mean = statistics.mean(values)
    return f"{mean:.2f}" + (f" ({min(values):.2f} to {max(values):.2f})" if values[1:] else "")


if __name__ == "__main__":
    main()
