"""Three examples of every command: what its --help and the tests show and run.

Together they are one story: run in this order in an empty folder, each finds what it takes.
"""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """One line to type, and what comes of it."""

    line: str
    what: str


FIRST = (
    Example('sketchrnn sample "three cats"', "in the terminal"),
    Example("sketchrnn sample owl -n 16 -o owls.svg", "as a picture"),
    Example("sketchrnn train --preset tiny --no-encoder --time-limit 2m", "learn to draw"),
)

EXAMPLES: dict[str, tuple[Example, ...]] = {
    "sample": (
        Example('sketchrnn sample "three cats, an owl and a pig"', "in this terminal"),
        Example("sketchrnn sample cat -n 16 --temp 0.2 -o cats.svg", "sixteen careful cats"),
        Example("sketchrnn sample cat -n 60 --seed 7 -o cats.ndjson", "sixty, for what follows"),
    ),
    "animate": (
        Example("sketchrnn animate cats.ndjson -n 4 -o cats.gif", "the pen draws four cats"),
        Example(
            "sketchrnn sample owl -n 3 | sketchrnn animate --in-turn --pen-tip -o owls.svg",
            "a pipe; small enough for any page",
        ),
        Example('sketchrnn sample "cat -> pig" | sketchrnn animate --morph -o m.gif', "a morph"),
    ),
    "encode": (
        Example("sketchrnn encode cats.ndjson -o latents.npz", "mu and sigma, as arrays"),
        Example("sketchrnn encode cats.ndjson -o z.ndjson", "the same, beside each drawing"),
        Example(
            "sketchrnn sample pig -n 3 | sketchrnn encode | sketchrnn sample --latents -",
            "three pigs, drawn again from their latents",
        ),
    ),
    "inspect": (
        Example("sketchrnn inspect", "the built-in model"),
        Example("sketchrnn inspect cats.ndjson -o sheet.png", "what is in a file, on a sheet"),
        Example("sketchrnn inspect cats.ndjson --score", "how likely each is, the worst first"),
    ),
    "preprocess": (
        Example("sketchrnn preprocess cats.ndjson -o cats.npz", "a set to train on"),
        Example(
            'sketchrnn preprocess quickdraw:"ice cream" --per-word 200 -o ice.npz', "downloaded"
        ),
        Example("sketchrnn preprocess cats.npz ice.npz -o two.npz", "two words in one set"),
    ),
    "train": (
        Example(
            "sketchrnn train --preset tiny --no-encoder --time-limit 2m",
            "on the practice drawings, to see it work",
        ),
        Example(
            "sketchrnn train cats.npz -o runs/cats --preset tiny --steps 20", "on your drawings"
        ),
        Example("sketchrnn train --resume -o runs/cats --steps 30", "it goes on from there"),
    ),
    "export": (
        Example("sketchrnn export -o draw.html", "a page on which the model draws with you"),
        Example("sketchrnn export --word owl -o owl.vae.json", "for Google's sketch-rnn-js"),
        Example(
            "sketchrnn export --model runs/cats --half -o cats.safetensors", "a model to pass on"
        ),
    ),
    "demo": (
        Example("sketchrnn demo", "draw together with the built-in model"),
        Example("sketchrnn demo --model runs/cats", "with your own"),
        Example("sketchrnn demo --json", "where the page is, for scripts"),
    ),
}


def epilog(examples: tuple[Example, ...]) -> str:
    """Examples as they stand under a --help: to be copied, with what each one does before it."""
    lines = []
    for what, line in ((each.what, each.line) for each in examples):
        lines += [f"[dim]# {_plain(what)}[/dim]", _plain(line)]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text without styles; rich.markup.escape would have rich imported at every start."""
    return text.replace("[", r"\[")


def beside(examples: tuple[Example, ...]) -> list[str]:
    """Each line with what comes of it beside it."""
    width = max(len(example.line) for example in examples)
    return [f"{example.line:{width}}  # {example.what}" for example in examples]
