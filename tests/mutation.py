"""Would a test notice? Change the code line by line, and run the tests of the room.

    pip install -e '.[dev,mutation]'
    python tests/mutation.py score                  # or several of ROOMS; without: all of them
    python tests/mutation.py score --show           # the survivors, as diffs
    python tests/mutation.py prompt --minutes 5     # stop after a while, and count what was tried

Runs mutmut on a copy of the tree in a temporary folder, and prints a row per room. A mutant that
runs into the time limit counts as killed. Not every survivor is a gap: a change that no one can
see (an equivalent mutant) survives any test.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "sketchrnn_cli"

# of a room: what is changed, and the tests that should notice
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "formats": (
        ("sketches/formats/*.py", "sketches/formats/svg/*.py"),
        ("test_formats_*.py",),
    ),
    "state": (("training/state.py",), ("test_state.py",)),
    "prompt": (("inference/prompt.py",), ("test_prompt.py",)),
    "score": (("inference/score.py",), ("test_score.py",)),
    "sampler": (("inference/sampler.py",), ("test_sampler.py", "test_completion.py")),
    "conditioning": (
        ("inference/conditioning.py",),
        ("test_conditioning.py", "test_sampler.py", "test_completion.py"),
    ),
    "loss": (("model/loss.py",), ("test_loss.py",)),
}


def copy_of(folder: Path, room: str) -> Path:
    """The files that git knows, with mutmut set up for a room."""
    sources, tests = ROOMS[room]
    tree = folder / room
    known = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, known.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    changed = [p.relative_to(tree) for each in sources for p in (tree / PACKAGE).glob(each)]
    chosen = [p.relative_to(tree) for each in tests for p in (tree / "tests").glob(each)]
    settings = {
        "source_paths": [str(path) for path in sorted(changed)],
        "pytest_add_cli_args_test_selection": [str(path) for path in sorted(chosen)],
        "also_copy": [PACKAGE, "tests", "examples", "docs", "README.md"],
    }
    with (tree / "pyproject.toml").open("a", encoding="utf-8", newline="\n") as stream:
        lines = (f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        stream.write("\n[tool.mutmut]\n" + "".join(lines))
    return tree


def mutmut(tree: Path, *arguments: str, minutes: float | None = None) -> str:
    """What a command of mutmut says."""
    environment = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, "-m", "mutmut", *arguments]
    limit = None if minutes is None else 60 * minutes
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.decode("utf-8", "replace")


def report(tree: Path, room: str, *, show: bool) -> str:
    """The row of a room."""
    mutmut(tree, "export-cicd-stats")
    stats = tree / "mutants" / "mutmut-cicd-stats.json"
    if not stats.exists():
        return f"{room:14} the tests do not pass on a copy of the tree"
    found = json.loads(stats.read_text("utf-8"))
    killed = found["killed"] + found["timeout"] + found["segfault"]
    survived = found["survived"] + found["no_tests"] + found["suspicious"]
    tried = killed + survived
    if show:
        for line in mutmut(tree, "results").splitlines():
            name, _, state = line.strip().partition(": ")
            if state in ("survived", "no tests"):
                print(mutmut(tree, "show", name))
    share = f"{killed / tried:.1%}" if tried else "-"
    return f"{room:14} {found['total']:8,} {tried:8,} {killed:8,} {survived:9,} {share:>8}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Would a test notice?")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--minutes", type=float, help="stop each room after so long")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", action="store_true", help="the survivors, as diffs")
    options = parser.parse_args()
    if unknown := set(options.rooms) - ROOMS.keys():
        parser.error(f"no such room: {', '.join(sorted(unknown))}; there are {', '.join(ROOMS)}")
    print(f"{'room':14} {'mutants':>8} {'tried':>8} {'killed':>8} {'survived':>9} {'share':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for room in options.rooms or ROOMS:
            tree = copy_of(Path(folder), room)
            mutmut(tree, "run", f"--max-children={options.processes}", minutes=options.minutes)
            print(report(tree, room, show=options.show), flush=True)


if __name__ == "__main__":
    main()
