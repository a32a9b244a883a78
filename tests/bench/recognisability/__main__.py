"""Are the drawings of a model what they were asked to be? Two judges say so, word by word.

    python tests/bench/recognisability WORDS.npz [--model RUN] [--judge judge.npz] [-n 100]
        [--temps 0.2,0.4,0.7,1.0] [--seed 0] [--json out.json] [--sheet sheet.png]

WORDS.npz is a packed set with a training and a test split. Prints tables; nothing is a test here.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import drawn
import judges
import measures
import numpy as np
import torch

from sketchrnn_cli import pretrained
from sketchrnn_cli.errors import SketchError
from sketchrnn_cli.inference import devices
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.sketches.corpus import Corpus

N_POINTS = 96  # along the ink, of distances
N_COMPARED = 50  # drawings of a word, of distances
ON_SHEET = 8  # samples of a word
LOW = 0.7  # of the rate of a word's real drawings
VERDICTS = (*judges.NAMES, judges.TOGETHER)


def main():
    options = _options()
    torch.set_num_threads(1)  # so that the judges come out the same
    try:
        _bench(options)
    except SketchError as error:
        sys.exit(f"error: {error}")


def _options():
    parser = argparse.ArgumentParser(prog="recognisability", description=__doc__.splitlines()[0])
    parser.add_argument("words", type=Path, help="packed set of `sketchrnn preprocess`")
    parser.add_argument("--model", help="run or checkpoint; default: the built-in one")
    parser.add_argument(
        "--judge", type=Path, help="npz of the judges; made where there is none (minutes)"
    )
    parser.add_argument("-n", "--count", type=int, default=100, help="samples of a word")
    parser.add_argument("--temps", type=_temperatures, default=(0.2, 0.4, 0.7, 1.0))
    parser.add_argument("--best-of", type=int, help="candidates of each sample; default: as sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write every figure there")
    parser.add_argument("--sheet", type=Path, help=f"write a PNG there: {ON_SHEET} of each word")
    parser.add_argument(
        "--only-judges", action="store_true", help="no model: how well real drawings are judged"
    )
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"-n must be 1 or more, not {options.count}")
    return options


def _temperatures(text):
    return tuple(float(part) for part in text.split(","))


def _bench(options):
    for temperature in options.temps:
        Settings(temperature=temperature, best_of=options.best_of)  # refused before minutes of work
    corpus = Corpus.open(options.words)
    network = None if options.only_judges else _network(options.model)
    word_ids = np.arange(len(corpus.words)) if network is None else drawn.known(corpus, network)
    if left_out := len(corpus.words) - len(word_ids):
        print(f"{left_out} words of {corpus.path} are unknown to the model and left out")
    judging = _judges(options.judge, corpus)
    words = [corpus.words[k] for k in word_ids]
    kinds = [drawn.real(corpus, "test", word_ids)]
    if network is not None:
        if network.checkpoint.config.encoder:
            kinds.append(drawn.rebuilt(corpus, network, word_ids, seed=options.seed))
        kinds += [
            drawn.samples(
                corpus,
                network,
                word_ids,
                options.count,
                Settings(temperature=temperature, best_of=options.best_of, seed=options.seed),
            )
            for temperature in options.temps
        ]
    recognised = [_recognised(kind, judging, corpus.words, word_ids) for kind in kinds]
    _print_words(kinds, recognised, words)
    _print_means(kinds, recognised)
    result = {
        "words": words,
        "n": options.count,
        "seed": options.seed,
        "training_split_hash": corpus.split_hash("train"),
        "recognised": {k.name: r for k, r in zip(kinds, recognised, strict=True)},
    }
    if network is not None:
        result["distances"] = _distances(corpus, kinds, words, word_ids)
    if options.sheet and network is not None:
        png = drawn.sheet(corpus, network, word_ids, ON_SHEET, seed=options.seed)
        options.sheet.write_bytes(png)
    if options.json:
        options.json.write_text(json.dumps(_plain(result), indent=1) + "\n", encoding="utf-8")


def _plain(value):
    """The same without nan and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _network(model):
    found = open_model(model or pretrained.FILE)
    if not found.config.n_words:
        print("the model is unconditional: a word is no more than where its latents come from")
    return devices.open_engine(found)


def _judges(path, corpus):
    if path is not None and path.exists():
        return judges.load(path, corpus)

    def report(name, epoch, loss, seconds):
        print(f"judge of {name}, epoch {epoch}: loss {loss:.3f}, {seconds:.0f} s", flush=True)

    judging = judges.taught(corpus, seed=0, report=report)
    if path is not None:
        judges.save(path, judging, corpus)
    return judging


def _recognised(kind, judging, every_word, word_ids):
    """What the judges say of drawings of one kind, by judge."""
    words, found = [every_word[k] for k in word_ids], {}
    for name, verdicts in judges.every_verdict(judging, kind.ink).items():
        hits = measures.hits(verdicts, kind.word_ids)[word_ids]
        other, share = measures.mistakes(verdicts, kind.word_ids)
        found[name] = {
            "mean": float(np.nanmean(hits)),  # every word counts the same
            "of_all": float((verdicts.argmax(1) == kind.word_ids).mean()),
            "words": dict(zip(words, hits.tolist(), strict=True)),
            "taken_for": {
                word: [every_word[other[k]], float(share[k])]
                for word, k in zip(words, word_ids, strict=True)
                if other[k] >= 0
            },
        }
    if kind.finished is not None:
        found["finished"] = float(kind.finished.mean())
    return found


def _print_words(kinds, recognised, words):
    """A row a word: recognised by each judge, of every kind, and both's most frequent mistake."""
    shown = _usual(kinds)
    print(f"\nrecognised, % by {', '.join(VERDICTS)}; taken for by both: of {kinds[shown].name}")
    print(f"  {'word':14}" + "".join(f"{kind.name:>12}" for kind in kinds) + "  taken for")
    for word in words:
        cells = [
            "/".join(f"{100 * found[name]['words'][word]:.0f}" for name in VERDICTS)
            for found in recognised
        ]
        other, share = recognised[shown][judges.TOGETHER]["taken_for"].get(word, ("nothing", 0.0))
        print(
            f"  {word:14}" + "".join(f"{cell:>12}" for cell in cells),
            f" {other} {100 * share:.0f} %",
        )


def _print_means(kinds, recognised):
    """A row a kind and judge: means over the words, beside real drawings, and the lowest word."""
    print("\nmeans over the words, of real drawings' in brackets, and the lowest word")
    for kind, found in zip(kinds, recognised, strict=True):
        for name in VERDICTS:
            mean, words = found[name]["mean"], found[name]["words"]
            low = min(words, key=lambda word: _or(words[word], 1))  # noqa: B023
            ratio = mean / (recognised[0][name]["mean"] or np.nan)
            lowest = f"{low} {100 * words[low]:.0f} %"
            print(f"  {kind.name:12}  {name:10} {100 * mean:5.1f} %  ({ratio:.3f})  {lowest}")
            low = [w for w in words if words[w] < LOW * recognised[0][name]["words"][w]]
            print(f"  {'':12}  {len(low)} words under {LOW:g} of real: {', '.join(low[:20])}")
        if "finished" in found:
            print(f"  {'':12}  ended before the point limit: {100 * found['finished']:.1f} %")


def _or(value, otherwise):
    return otherwise if np.isnan(value) else value


def _usual(kinds):
    """Place of the kind nearest to what `sample` draws without options."""
    usual = Settings().temperature
    at = [k for k, kind in enumerate(kinds) if kind.temperature is not None]
    return min(at, key=lambda k: abs(kinds[k].temperature - usual)) if at else 0


def _distances(corpus, kinds, words, word_ids):
    """Spread within a word, and how near the training drawings are, beside real drawings."""
    training = drawn.real(corpus, "train", word_ids)
    compared = [kind for kind in kinds if kind.name != "rebuilt"]
    spreads, nearest, copies = ({kind.name: {} for kind in compared} for _ in range(3))
    for word, word_id in zip(words, word_ids, strict=True):
        pool = training.of_word(word_id, N_POINTS)
        beside = None  # of real drawings, the first kind
        for kind in compared:
            points = kind.of_word(word_id, N_POINTS, N_COMPARED)
            found = measures.nearest(points, pool)
            beside = found if beside is None else beside
            spreads[kind.name][word] = measures.spread(points)
            nearest[kind.name][word] = float(found.mean()) if len(found) else np.nan
            copies[kind.name][word] = measures.nearer_than(found, beside)
    _print_distances("between two drawings of a word", spreads)
    _print_distances("to the nearest training drawing of the word", nearest)
    print("\nnearer to a training drawing than 95 % of the word's test drawings are")
    for name, each in copies.items():
        most = max(each, key=lambda word: _or(each[word], 0))
        mean = 100 * np.nanmean(list(each.values()))
        print(f"  {name:12}  {mean:.1f} %  (most: {most} {100 * each[most]:.0f} %)")
    return {"spread": spreads, "nearest": nearest, "nearer_than_95_of_100": copies}


def _print_distances(what, found):
    """A row a kind: the mean over the words, beside real drawings, and the lowest ratio."""
    print(f"\ndistance {what}, parts of the box, mean over the words")
    real, *_ = found.values()
    for name, each in found.items():
        ratios = {word: each[word] / real[word] for word in each if real[word] > 0}
        low = min(ratios, key=ratios.__getitem__, default="")
        note = f"{np.nanmean(list(ratios.values())):.2f} of real" if ratios else ""
        if low and each is not real:
            note += f" (lowest: {low} {ratios[low]:.2f})"
        print(f"  {name:12}  {np.nanmean(list(each.values())):.4f}  {note}")


if __name__ == "__main__":
    main()
