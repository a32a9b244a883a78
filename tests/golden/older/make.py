"""Make the files of one version of the program, as it was; what is beside it was made so.

    PYTHONPATH=WHERE_THAT_VERSION_LIES python make.py FOLDER [--told] [--no-encoder]

A run of six steps on thirty drawings, and in expected.json what that version's own engine says of
its model: the log-likelihood of four drawings at given latents. By their folders:

    first     model format 1 before there was `train`: no "cell" in the names of the weights. That
              version has no engine: the weights are v1-train's, written by its own `save`
    v1-train  the first `train`: a model without latents, states without an average, and the first
              packed sets
    v1-plain  the same, --no-encoder
    v1-average    states with an average; in the model one Gaussian for all latents
    v1-words  one Gaussian of latents a word; files whose header is in order
    v2        --told: a decoder that is told words; a mixture of latents a word
    v2-plain  --told --no-encoder: of the same version
    v2-counts --told: a model that knows the counts of its words; preparations that tell of a box;
              also written in half precision, half.safetensors
    v2-checksum   --told: models with a checksum, states with the name of their run
    v3-int8   model format 3: v2-checksum's model as int8, by `export --int8`

A version that writes something new adds its folder; nothing here is ever made again.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

CONFIG = """[model]
encoder_size = 4
latent_size = 3
decoder_size = 6
n_mixtures = 2
{told}
[training]
batch_size = 4
log_every = 2
save_every = 3
valid_every = 3
"""


def main(folder, *options):
    from sketchrnn_cli.inference import score
    from sketchrnn_cli.inference.engine import Engine
    from sketchrnn_cli.model import checkpoint
    from sketchrnn_cli.sketches.corpus import Corpus
    from sketchrnn_cli.training import state

    rng = np.random.default_rng(3)
    with Path("drawings.ndjson").open("w", encoding="utf-8", newline="\n") as stream:
        for k in range(30):
            n = 1 + k % 2
            strokes = []
            for _ in range(n):
                size = int(rng.integers(2, 5))
                strokes.append(rng.integers(0, 256, (2, size)).tolist())
            print(json.dumps({"word": ["cat", "bus"][k % 2], "drawing": strokes}), file=stream)
    told = "--told" in options
    Path("config.toml").write_text(CONFIG.format(told="word_size = 2" * told), "utf-8")
    command = ["train", "drawings.ndjson", "-o", folder, "--config", "config.toml", "--steps", "6"]
    command += [option for option in options if option != "--told"]
    subprocess.run([sys.executable, "-m", "sketchrnn_cli", *command], check=False)

    run = Path(folder)
    model = checkpoint.load(run / "model.safetensors")
    corpus = Corpus.open(run / "state" / "corpus.npz")
    moves = [corpus.moves_of(i) / [model.scale_factor, model.scale_factor, 1] for i in range(4)]
    z = None
    if model.config.encoder:
        z = np.random.default_rng(0).normal(size=(4, model.config.latent_size)).astype("f4")
    words = {"words": [corpus.word_of(i) for i in range(4)]} if told else {}
    nats = score.log_likelihood(Engine(model), [m.astype("f4") for m in moves], z, **words)
    saved, _ = state.load_newest(run)
    sums = {name: float(array.sum(dtype=float)) for name, array in saved.arrays.items()}
    expected = {
        "words": list(model.words),
        "scale_factor": model.scale_factor,
        "n_max": model.n_max,
        "nats": nats.tolist(),
        "points": [len(corpus.moves_of(i)) for i in range(len(corpus))],
        "train": corpus.split_hash("train"),
        "step": saved.progress.step,
        "best_loss": saved.progress.best_loss,
        "sums": sums,
    }
    (run / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
