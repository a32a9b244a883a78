"""Would a test notice? Change the code line by line, and run the tests of the room.

    pip install -e '.[dev,mutation]'
    python tests/mutation.py score                  # or several of ROOMS; without: all of them
    python tests/mutation.py score --show           # the survivors, as diffs
    python tests/mutation.py svg --sample 150       # of so many, drawn at random

mutmut makes the mutants of a room, in a copy of the tree in a temporary folder. The tests are
collected once; each mutant is tried in a fork (so not on Windows) that runs those that reach it,
short ones first, until one fails. Prints a row per room. Not every survivor is a gap: a change that
no one can see (an equivalent mutant) survives any test.
"""

from __future__ import annotations

import argparse
import ast
import collections
import difflib
import functools
import gc
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PACKAGE = "sketchrnn_cli"
MUTANT = "MUTANT_UNDER_TEST"  # where the code that mutmut makes looks for what it is

# of a room: what is changed, and the tests that should notice
FORMATS = "sketches/formats/"
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "formats": ((f"{FORMATS}__init__.py", f"{FORMATS}sniff.py"), ("test_formats.py",)),
    "ndjson": ((f"{FORMATS}ndjson.py",), ("test_formats_ndjson.py", "test_formats_json.py")),
    "json": (
        (f"{FORMATS}json_objects.py", f"{FORMATS}strokes.py"),
        ("test_formats_json.py", "test_formats_ndjson.py", "test_formats.py"),
    ),
    "npz": ((f"{FORMATS}npz.py", f"{FORMATS}archive.py"), ("test_formats_npz.py",)),
    "pickles": ((f"{FORMATS}pickled_arrays.py",), ("test_formats_npz.py",)),
    "latents": ((f"{FORMATS}latents.py",), ("test_formats_latents.py",)),
    "bin": ((f"{FORMATS}quickdraw_bin.py",), ("test_formats_quickdraw_bin.py",)),
    "tables": ((f"{FORMATS}tables.py",), ("test_formats_tables.py",)),
    "whiteboards": (
        (f"{FORMATS}whiteboards.py", f"{FORMATS}inkml.py"),
        ("test_formats_whiteboards.py",),
    ),
    "svg": ((f"{FORMATS}svg/*.py",), ("test_formats_svg.py",)),
    "state": (("training/state.py",), ("test_state.py",)),
    "prompt": (
        ("inference/prompt.py", "inference/prompt_tokens.py"),
        ("test_prompt.py", "test_words.py"),
    ),
    "score": (("inference/score.py",), ("test_score.py",)),
    "sampler": (
        ("inference/sampler.py",),
        ("test_sampler.py", "test_request.py", "test_ranking.py"),
    ),
    "conditioning": (
        ("inference/conditioning.py",),
        ("test_conditioning.py", "test_request.py", "test_sampler.py"),
    ),
    "loss": (("model/loss.py",), ("test_loss.py",)),
}
LONG = (  # tests that take seconds, or start another process, and tell no mutant from another
    *("memory_does_not_grow", "every_flipped_byte", "any_text_is_a_prompt"),
    *("importance_weighting_tightens", "random_paths_go", "sample_writes_what", "torch_draws"),
    *("a_pipe_is_known_by", "a_pipe_of_something_else", "every_command_reads"),
)
SECONDS = 5.0  # of a processor that a mutant may take beyond tenfold the time of its tests


def copy_of(folder: Path, room: str) -> Path:
    """The files that git knows, as they stand."""
    tree = folder / room
    known = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, known.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    return tree


def matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """Files of a folder; each pattern has some."""
    found = [sorted(folder.glob(pattern)) for pattern in patterns]
    if not all(found):
        sys.exit(f"{folder}: not all there: {', '.join(patterns)}")
    return sum(found, [])


def mutated(tree: Path, room: str) -> dict[str, Path]:
    """Change the sources of a room into all their mutants: the file of each, by its name."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    found = {}
    for path in matching(tree / PACKAGE, ROOMS[room][0]):
        made = mutate_file_contents(str(path), path.read_text("utf-8"))
        path.write_text(made.code, "utf-8", newline="\n")
        parts = path.relative_to(tree).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        found.update({f"{module}.{name}": path for name in made.mutant_names})
    return found


class Trials:
    """A plugin of pytest that runs the tests that were collected once for each mutant."""

    def __init__(self, names: list[str], results: Path) -> None:
        self.names, self.results = names, results

    def pytest_runtestloop(self, session: Any) -> bool:
        """Find out which tests reach which function, then try the mutants."""
        from mutmut.mutation import trampoline

        reached: set[str] = set()
        trampoline.record_trampoline_hit = lambda name, **_: reached.add(name)  # type: ignore[assignment]
        os.environ[MUTANT] = "stats"
        tests = collections.defaultdict(list)
        for item in session.items:
            reached.clear()
            before = time.process_time()
            if fails([item]):
                raise SystemExit(f"fails without a change: {item.nodeid}")
            for function in reached:
                tests[function].append((time.process_time() - before, item))
        gc.unfreeze()  # what conftest has frozen is not looked through
        for each in gc.get_objects():
            if type(each) is functools._lru_cache_wrapper:  # torch has some that warn when asked
                each.cache_clear()
        with self.results.open("w", encoding="utf-8") as stream:
            for name in self.names:
                chosen = sorted(tests[name.rpartition("__mutmut_")[0]], key=lambda pair: pair[0])
                print(json.dumps([name, tried(name, chosen)]), file=stream, flush=True)
        return True


def fails(items: list[Any]) -> bool:
    """Whether one of these tests fails; those after it are not run."""
    from _pytest.runner import runtestprotocol

    for item in items:
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
            return True
    return False


def tried(name: str, tests: list[tuple[float, Any]]) -> str:
    """What became of a mutant: killed, survived, too slow, or never reached."""
    if not tests:
        return "no tests"
    child = os.fork()
    if not child:
        code = 1
        try:
            seconds = 10 * sum(pair[0] for pair in tests) + SECONDS
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
            signal.alarm(int(20 * seconds))
            os.environ[MUTANT] = name
            code = int(fails([item for _, item in tests]))
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "too slow" if os.WTERMSIG(status) != signal.SIGSEGV else "killed"
    return "killed" if os.WEXITSTATUS(status) else "survived"


def run(tree: Path, room: str, names: list[str], results: Path) -> None:
    """Try mutants, in this process."""
    import pytest

    os.chdir(tree)
    sys.path[:] = [str(tree), *sys.path[1:]]
    os.environ["PYTHONPATH"] = str(tree)
    sys.setrecursionlimit(10_000)  # a mutant is called through functions of mutmut's
    left_out = " and ".join(f"not {name}" for name in LONG)
    files = map(str, matching(tree / "tests", ROOMS[room][1]))
    options = ["-q", "--tb=native", "-p", "no:cacheprovider", "-k", left_out]
    sys.exit(pytest.main([*options, *files], plugins=[Trials(names, results)]))


@functools.cache
def functions(path: Path) -> dict[str, ast.FunctionDef]:
    """The functions of a file, and the methods."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


def diff(name: str, path: Path) -> str:
    """A mutant beside what it was."""
    function = name.rpartition(".")[2]
    pair = (f"{function.rpartition('__mutmut_')[0]}__mutmut_orig", function)
    was, became = (ast.unparse(functions(path)[each]).splitlines()[1:] for each in pair)
    changed = [line for line in difflib.ndiff(was, became) if line[0] in "-+"]
    return "\n".join([f"# {name}", *changed, ""])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Would a test notice?")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, help="try so many of each room, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--show", action="store_true", help="the survivors, as diffs")
    options = parser.parse_args()
    if unknown := set(options.rooms) - ROOMS.keys():
        parser.error(f"no such room: {', '.join(sorted(unknown))}; there are {', '.join(ROOMS)}")
    os.chdir(ROOT)  # where mutmut looks for its settings
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a fork has one thread
    print(f"{'room':14} {'mutants':>8} {'tried':>8} {'killed':>8} {'survived':>9} {'share':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for room in options.rooms or ROOMS:
            tree, results = copy_of(Path(folder), room), Path(folder) / f"{room}.jsonl"
            made = mutated(tree, room)
            size = min(options.sample or len(made), len(made))
            names = random.Random(options.seed).sample(sorted(made), size)
            trial = multiprocessing.get_context("fork").Process(
                target=run, args=(tree, room, names, results)
            )
            trial.start()
            trial.join()
            if not results.exists():
                sys.exit(f"{room}: the tests do not pass on a copy of the tree")
            became = dict(map(json.loads, results.read_text("utf-8").splitlines()))
            lived = [name for name in became if became[name] in ("survived", "no tests")]
            killed = len(became) - len(lived)
            share = f"{killed / max(len(became), 1):.1%}"
            print(
                f"{room:14} {len(made):8,} {len(became):8,} {killed:8,} {len(lived):9,} {share:>8}"
            )
            if options.show:
                print(*(f"{became[name]}: {diff(name, made[name])}" for name in lived), sep="\n")


if __name__ == "__main__":
    main()
