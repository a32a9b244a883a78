"""Which options of a command exclude or need one another: one table, one refusal.

Names are those of the parameters of a command. Names in capitals are facts: some follow from the
values that were given (``FACTS``), the others are found out by the command itself, which then
asks ``check`` once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any, NamedTuple

from sketchrnn_cli import files
from sketchrnn_cli.cli.downloads import PREFIX
from sketchrnn_cli.cli.options import LOOKS
from sketchrnn_cli.drawing.outputs import PICTURES
from sketchrnn_cli.errors import BadConfig

BROWSER = (".gen.json", ".vae.json")


class Rule(NamedTuple):
    """An option that does not go with some others, or needs one of them."""

    first: str
    excluded: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    why: str = ""


def excludes(first: str, *others: str, why: str) -> Rule:
    """An option that does not go with any of the others."""
    return Rule(first, excluded=others, why=why)


def needs(first: str, *others: str, why: str) -> Rule:
    """An option that needs one of the others."""
    return Rule(first, needed=others, why=why)


TO_A_PIPE = excludes("json", "STDOUT", why="both go to standard output; give -o FILE")
LISTS = "it only lists the words of the model"
GRID_BETWEEN = "it fills a grid between four drawings"
LOOK_OF_PICTURE = "it is how a picture looks; give -o FILE.svg, .png, .gif ..."
LOOK_OF_SHEET = "it is how a sheet looks; give -o FILE.svg or .png"
MARGIN = "it is the margin of a page"
NO_PEN = "no pen draws in a morph"
DOWNLOADS = tuple(
    needs(name, "QUICKDRAW", why="nothing else is downloaded")
    for name in ("offline", "quickdraw_url")
)

RULES: dict[str, tuple[Rule, ...]] = {
    "preprocess": (
        TO_A_PIPE,
        needs("model", "DROP", why="its recogniser finds the doubtful drawings"),
        excludes("epsilon", "RAW", why="it is the tolerance of the simplification"),
        excludes("split", "LINES", why="NDJSON keeps no splits"),
        *DOWNLOADS,
    ),
    "train": (
        excludes("resume", "overwrite", why="one resumes the run, the other removes it"),
        excludes(
            "RESUMED",
            *("preset", "config", "offline", "quickdraw_url"),
            why="the run has its settings and its drawings",
        ),
        excludes("DECODER", "kl_weight", "encoder_cell", why="it has no encoder, and no L_KL"),
        excludes("from_", "resume", why="a run goes on with its own weights"),
        excludes("from_", "preset", why="the sizes are those of the model"),
        *DOWNLOADS,
    ),
    "sample": (
        TO_A_PIPE,
        excludes(
            "list_words",
            *("prompt", "count", "strict", "no_word", "temp", "pen_temp", "latent_temp"),
            *("guidance", "greedy", "best_of", "latents", "prior", "most_likely", "frames"),
            *("interpolate", "complete", "first", "max_points", "score", "out", "format"),
            *("overwrite", "seed", "device"),
            *LOOKS,
            why=LISTS,
        ),
        excludes("latents", "complete", "first", why="each latent is drawn as it comes"),
        excludes("latents", "prior", "most_likely", "latent_temp", why="the latents are given"),
        excludes("complete", "frames", "first", why="each partial drawing is completed"),
        excludes("interpolate", "frames", "complete", "TEMPS", why=GRID_BETWEEN),
        excludes("prior", "most_likely", "latent_temp", why="z is sampled from N(0, I)"),
        excludes("most_likely", "latent_temp", why="it takes the most probable z"),
        excludes("greedy", "pen_temp", "TEMPS", why="it samples nothing"),
        excludes("no_word", "prompt", why="a PROMPT is made of words"),
        excludes("no_word", "guidance", why="it leads away from the null label"),
        excludes("score", "quiet", why="the list goes to stderr"),
        needs("strict", "prompt", why="it is about the words of a PROMPT"),
        *(needs(name, "PICTURE", why=LOOK_OF_PICTURE) for name in LOOKS),
        excludes("interpolate", "columns", why="it says how many columns there are"),
        needs("margin", "page", why=MARGIN),
        needs("frames", "prompt", "latents", why='it interpolates, as in "cat -> pig"'),
    ),
    "encode": (
        TO_A_PIPE,
        excludes("fit", "format", "PIPE", why="it writes a model, FILE.safetensors"),
    ),
    "animate": (
        TO_A_PIPE,
        excludes("morph", "in_turn", "real_time", "pen_tip", "color_by", why=NO_PEN),
        excludes("fps", "SVG", why="an SVG moves as smoothly as its viewer draws it"),
        excludes("real_time", "duration", why="the times of the drawings say how long it lasts"),
        excludes("morph", "columns", why="a morph shows one drawing at a time"),
    ),
    "inspect": (
        needs("projection", "map", why="it lays out the latents of a map"),
        needs("drawing", "densities", why="it is the drawing whose densities are shown"),
        needs("split", "evaluate", why="only --evaluate reads one split of its DATA"),
        *(needs(name, "grid", why=LOOK_OF_SHEET) for name in LOOKS),
        needs("margin", "page", why=MARGIN),
        needs("samples", "evaluate", why="it bounds the likelihood of DATA"),
    ),
    "inspect THING": (  # checked when it is known what the thing is
        *(
            excludes(name, "SEVERAL", why="runs are compared, and with --plot drawn in one plot")
            for name in (
                *("evaluate", "score", "doubtful", "map", "densities"),
                *("grid", "count", "model", "seed", "device"),
            )
        ),
        excludes("grid", "READ", why="with --score it shows the worst and the best drawings"),
        excludes("count", "FIGURES", why="nothing is listed or shown"),
        excludes("seed", "ALL", why="every drawing is read, and nothing is sampled"),
        excludes(
            "doubtful",
            *("score", "evaluate", "plot", "map", "densities", "device"),
            why="it lists drawings by their labels",
        ),
        needs("doubtful", "DRAWINGS", why="as in sketchrnn inspect DATA --doubtful"),
        excludes("model", "MODEL", why="the model is what is inspected"),
        needs("evaluate", "MODEL", why="as in sketchrnn inspect RUN --evaluate DATA"),
        needs("plot", "MODEL", "score", why="it draws the losses of a run, or likelihoods"),
        needs("score", "DRAWINGS", "evaluate", why="as in sketchrnn inspect DATA --score"),
        needs("device", "MODEL", "score", "map", "densities", why="a model computes there"),
    ),
    "export": (
        TO_A_PIPE,
        excludes("word", "WHOLE", why="give -o FILE.gen.json or .vae.json"),
        excludes("int8", "half", why="each says how the weights are stored"),
        excludes("half", "FLOAT32", why="float16 is for safetensors and html"),
        excludes("int8", "OTHER", why="int8 is for safetensors"),
        needs("guidance", "word", why="it says how much the word counts"),
    ),
    "demo": (),
}

CALLED = {
    "prompt": "a PROMPT",
    "from_": "--from",
    "STDOUT": "-o -",
    "PIPE": "-o -",
    "RAW": "--no-simplify",
    "LINES": "NDJSON",
    "DECODER": "--no-encoder",
    "SVG": "an SVG",
    "READ": "--evaluate, --map or --densities of drawings",
    "FIGURES": "--evaluate or --densities",
    "ALL": "--score, --densities or --doubtful of drawings",
    "DROP": "--doubtful drop",
    "RESUMED": "--resume without DATA",
    "QUICKDRAW": "quickdraw:WORD",
    "TEMPS": "several temperatures",
    "WHOLE": "a file of all words",
    "FLOAT32": "this format",
    "OTHER": "this format",
    "MODEL": "a model",
    "PICTURE": "a picture",
    "grid": "-o",
    "DRAWINGS": "drawings",
    "SEVERAL": "several things",
}

Values = Mapping[str, Any]


def _sources(values: Values) -> list[str]:
    """The drawings that a command is to read."""
    named = ("sources", "data", "more_data")
    return [source for name in named for source in values.get(name) or []]


def _by_name(values: Values) -> bool:
    """Whether some of the drawings are downloaded by name."""
    return any(source.lower().startswith(PREFIX) for source in _sources(values))


def _is_written_as(values: Values, suffixes: tuple[str, ...]) -> bool:
    """Whether ``--format``, or else the name of the output, has one of these suffixes."""
    return f".{values['format'] or values['out']}".lower().endswith(suffixes)


def _is_picture(values: Values) -> bool:
    suffixes = (files.SUFFIXES.get(name, (f".{name}",)) for name in PICTURES)
    return _is_written_as(values, tuple(chain(*suffixes)))


FACTS: dict[str, dict[str, Callable[[Values], bool]]] = {
    "preprocess": {
        "STDOUT": lambda values: values["out"] == "-",
        "DROP": lambda values: values["doubtful"] == "drop",
        "RAW": lambda values: values["simplify"] is False,
        "LINES": lambda values: _is_written_as(values, files.SUFFIXES["ndjson"]),
        "QUICKDRAW": _by_name,
    },
    "train": {
        "DECODER": lambda values: values["encoder"] is False,
        "RESUMED": lambda values: values["resume"] and not _sources(values),
        "QUICKDRAW": _by_name,
    },
    "sample": {
        "STDOUT": lambda values: values["out"] in (None, "-") and not values["list_words"],
        "PICTURE": _is_picture,
        "TEMPS": lambda values: "," in (values["temp"] or ""),
    },
    "encode": {"STDOUT": lambda values: values["out"] == "-" and not values["fit"]},
    "animate": {
        "STDOUT": lambda values: values["out"] in (None, "-"),
        "SVG": lambda values: _is_written_as(values, files.SUFFIXES["svg"]),
    },
    "export": {
        "STDOUT": lambda values: values["out"] == "-",
        "WHOLE": lambda values: not _is_written_as(values, BROWSER),
        "FLOAT32": lambda values: not _is_written_as(values, (".safetensors", ".html")),
        "OTHER": lambda values: not _is_written_as(values, (".safetensors",)),
    },
}


def given(context: Any) -> set[str]:
    """The parameters that stand on the command line, and the facts that follow from them."""
    values = context.params
    found = {
        name
        for name in values
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }
    if "out" in found and values["out"] == "-":
        found.add("PIPE")
    facts = FACTS.get(context.command.name, {})
    return found | {fact for fact, holds in facts.items() if holds(values)}


def check(command: str, found: AbstractSet[str]) -> None:
    """Refuse options that would be ignored.

    Args:
        command: its name.
        found: parameters that were given, and facts.

    Raises:
        BadConfig: says which option does not go with which, or needs which.
    """
    for rule in RULES[command]:
        if rule.first not in found:
            continue
        for other in rule.excluded:
            if other in found:
                raise BadConfig(
                    f"{called(rule.first)} does not go with {called(other)}: {rule.why}"
                )
        if rule.needed and not found & set(rule.needed):
            listed = " or ".join(map(called, rule.needed))
            raise BadConfig(f"{called(rule.first)} needs {listed}: {rule.why}")


def called(name: str) -> str:
    """What a message calls a parameter or a fact."""
    return CALLED.get(name) or f"--{name.replace('_', '-')}"
