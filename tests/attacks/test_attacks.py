"""Untrusted files, each given to the real command: one line or the right result, no more.

Every attack runs in a child of its own under ``guard``, which ends it when it runs code, imports,
connects, starts a program or writes elsewhere.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import archives
import attack
import models
import networks
import pickles
import pytest
import tables
import texts
from attack import Attack
from datafiles import QUICKDRAW
from guard import TRACEBACK, VIOLATION, WARM, Job, Result, run

from sketchrnn_cli.model import checkpoint

if not hasattr(os, "fork"):
    pytest.skip("the guard forks, and this system has no fork", allow_module_level=True)

MEGABYTES = 500
SECONDS = 10  # of processor time
HOLES = {
    "unpickles": "pickle.find_class",
    "unpickles_in_python": "pickle.find_class",
    "unpickles_by_numpy": "pickle.find_class",
    "unpickles_and_forgives": "pickle.find_class",
    "evaluates": "compile",
    "executes": "compile",
    "compiles": "compile",
    "runs_a_file": "compile",
    "imports_a_neighbour": "import ",
    "imports_the_tests": "import pytest",
    "writes_elsewhere": "open to write",
    "writes_elsewhere_by_number": "open to write",
    "writes_by_a_way_out": "open to write",
    "extracts": "open to write",
    "removes": "os.remove",
    "renames": "os.rename",
    "makes_a_folder": "os.mkdir",
    "links": "os.symlink",
    "connects": "socket.__new__",
    "looks_up": "socket.getaddrinfo",
    "starts_a_program": "subprocess.Popen",
    "asks_the_shell": "os.system",
    "forks": "os.fork",
    "becomes_a_program": "os.exec",
    "loads_a_library": "ctypes.dlopen",
}  # what each planted hole does
CONTROL = re.compile(
    r"[^\n\t\x20-\x7e\xa0-\u200d\u2010-\u2027\u2030-\u2065\u2070-\ud7ff\ue000-\U0010ffff]"
)


class Place:
    """A folder of jobs to be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: list[Job] = []
        self.before: list[list[str]] = []
        self.keys: list[tuple[Attack, int]] = []
        self.words = {"model": str(folder / "model.safetensors"), "data": str(folder / "d.ndjson")}
        checkpoint.save(Path(self.words["model"]), networks.tiny())
        Path(self.words["data"]).write_bytes(QUICKDRAW * 30)

    def add(self, one: Attack, hole: str = "") -> None:
        """Write the file of an attack, and a job for each of its commands."""
        at = self.folder / f"attack-{len(self.jobs)}"
        at.mkdir()
        name = one.name.rstrip("/")
        for number, command in enumerate((*one.commands, *one.also)):
            folder = at / str(number)
            out = folder / "out"
            out.mkdir(parents=True)
            (folder / "tmp").mkdir()
            inside = "{out}/run" in command and one.name.endswith("/")
            file = out / "run" if inside else at / name
            if inside or number == 0:
                _write(file, one.content)
            words = self.words | {"file": str(file), "out": "out"}
            arguments = [_filled(word, words) for word in command]
            stdin = os.devnull
            if arguments[-1].startswith("<"):
                stdin = arguments.pop()[1:]
            self.jobs.append(Job(arguments, str(folder), stdin, hole=hole))
            self.before.append(_listed(folder))
            meant = one
            if number >= len(one.commands) and one.ends != attack.ERROR:
                meant = one._replace(ends=attack.EITHER)
            self.keys.append((meant, number))

    def run(self, *modules: str) -> list[tuple[Attack, int, Result]]:
        """Do all, and say what came of it."""
        results = run(self.jobs, self.folder, *modules)
        return [
            (*key, result._replace(left=sorted({*result.left} - {*before})))
            for key, result, before in zip(self.keys, results, self.before, strict=True)
        ]


def _write(path: Path, content) -> None:
    if callable(content):
        content(path)
    else:
        path.write_bytes(content)


def _filled(word: str, words: dict[str, str]) -> str:
    for key, value in words.items():
        word = word.replace("{" + key + "}", value)
    return word


def _listed(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in (folder / "out").rglob("*")]


def faults(one: Attack, result: Result) -> list[str]:
    """What is wrong with the way an attack ended, if anything is."""
    found = []
    if result.violation or result.code == VIOLATION:
        found.append(f"it broke out: {result.violation}")
    if result.megabytes > MEGABYTES:
        found.append(f"it took {result.megabytes:.0f} MB")
    if result.seconds > SECONDS:
        found.append(f"it took {result.seconds:.1f} s")
    if result.code == 1:
        if not re.fullmatch(r"error: [^\n]+\n", result.stderr):
            found.append(f"not one line: {result.stderr[-2000:]!r}")
        if result.stdout:
            found.append(f"an error, and on stdout {result.stdout[:200]!r}")
        if result.left:
            found.append(f"an error, and it left {result.left[:5]}")
        if one.says not in result.stderr:
            found.append(f"it does not say {one.says!r}: {result.stderr[:500]!r}")
        if one.ends == attack.RESULT:
            found.append(f"no result: {result.stderr[:500]!r}")
    elif result.code == 0:
        if one.ends == attack.ERROR:
            found.append(f"no error, but {result.stdout[:300]!r}")
        if any(name.endswith(".part") or name.startswith("tmp/.") for name in result.left):
            found.append(f"it left {result.left}")
    else:
        found.append(f"exit code {result.code}: {result.stderr[-2000:]}")
    for text in (result.stdout, result.stderr):
        if hidden := CONTROL.search(text):
            found.append(f"it writes the character {hidden[0]!r}")
        if len(text) > 100_000:
            found.append(f"it writes {len(text)} characters")
    return found


def _key(one: Attack, number: int) -> str:
    return f"{one.name}: {number + 1} {(*one.commands, *one.also)[number][0]}"


PLAIN = [
    *pickles.ATTACKS,
    *archives.ATTACKS,
    *texts.ATTACKS,
    *tables.ATTACKS,
    *texts.PROMPTS,
    *models.ATTACKS,
]
NAMES = [_key(one, number) for one in PLAIN for number in range(len(one.commands) + len(one.also))]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """How each attack ended, by its key: all are run at once."""
    place = Place(tmp_path_factory.mktemp("attacks"))
    for one in PLAIN:
        place.add(one)
    return {_key(one, number): (one, result) for one, number, result in place.run(*WARM)}


def test_every_attack_has_a_name_of_its_own():
    assert len(NAMES) == len(set(NAMES))


def test_every_reader_meets_every_kind_of_attack_or_says_why():
    counts, _ = attack.counted([*PLAIN, *OF_RUNS])
    for reader, kinds in counts.items():
        for kind, n in kinds.items():
            assert bool(n) != (kind in attack.REASONS.get(reader, {})), (reader, kind, n)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_attack_ends_as_it_should(ended, name):
    one, result = ended[name]
    assert not faults(one, result)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of one step, made under the guard; and how its making ended."""
    place = Place(tmp_path_factory.mktemp("trained"))
    one = Attack("a run", b"", (("train", "{data}", "-o", "{out}/run", *attack.TINY),), "result")
    place.add(one)
    ((one, _, result),) = place.run()
    return Path(place.jobs[0].folder) / "out" / "run", one, result


@pytest.fixture(scope="module")
def ended_training(tmp_path_factory, trained):
    place = Place(tmp_path_factory.mktemp("training"))
    for one in [*texts.TOML, *models.PLOTTED, *models.of_resuming(trained[0])]:
        place.add(one)
    return {
        _key(one, number): (one, result) for one, number, result in place.run(*WARM, *OF_TRAINING)
    }


OF_TRAINING = (
    "sketchrnn_cli.training.loop", "torch._dynamo", "matplotlib.figure",
    "matplotlib.backends.backend_agg",
)  # fmt: skip
OF_RUNS = [*texts.TOML, *models.PLOTTED, *models.of_resuming(Path())]
TRAINING = [_key(one, 0) for one in OF_RUNS]


@pytest.mark.slow
def test_training_breaks_out_of_nothing(trained):
    _, one, result = trained
    assert not faults(one, result)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINING)
def test_an_attack_on_training_ends_as_it_should(ended_training, name):
    one, result = ended_training[name]
    assert not faults(one, result)


# the guard itself


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """What became of each planted hole."""
    place = Place(tmp_path_factory.mktemp("holes"))
    exploit = pickles.EXPLOITS["GLOBAL REDUCE 2"]
    for hole in (*HOLES, "nothing", "takes_memory", "leaves_a_part", "breaks"):
        one = Attack(f"{hole}.npz", pickles.npz(exploit), attack.DRAWINGS[:1])
        if hole == "runs_a_file":
            one = one._replace(content=b"import os; os.mkdir('was-run')\n")
        if hole in ("extracts",):
            one = one._replace(content=archives.GOOD)
        place.add(one, hole)
        (place.folder / f"attack-{len(place.jobs) - 1}" / "neighbour.py").write_text("a = 1\n")
    return {one.name[:-4]: (one, result) for one, _, result in place.run(*WARM)}


@pytest.mark.parametrize("hole", HOLES)
def test_a_planted_hole_is_caught(planted, hole):
    one, result = planted[hole]
    assert result.code == VIOLATION
    assert result.violation.startswith(HOLES[hole]), result.violation
    assert any("broke out" in fault for fault in faults(one, result))


def test_what_is_planted_is_what_is_caught(planted):
    assert not faults(*planted["nothing"])


def test_memory_what_is_left_and_bugs_are_seen(planted):
    for hole, says in (
        ("takes_memory", "it took"),
        ("leaves_a_part", "it left"),
        ("breaks", f"exit code {TRACEBACK}: .*KeyError"),
    ):
        found = "\n".join(faults(*planted[hole]))
        assert re.search(says, found, re.DOTALL), found


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seconds": 10.1}, "10.1 s"),
        ({"megabytes": 501}, "501 MB"),
        ({"stderr": "error: a\nerror: b\n"}, "not one line"),
        ({"stderr": "warning: a\n"}, "not one line"),
        ({"stderr": ""}, "not one line"),
        ({"stdout": "x"}, "on stdout"),
        ({"left": ["out/x.npz"]}, "it left"),
        ({"code": 0}, "no error"),
        ({"code": 2}, "exit code 2"),
        ({"code": -9}, "exit code -9"),
        ({"stderr": "error: \x1b[2J\n"}, "the character"),
        ({"stderr": "error: \u202e\n"}, "the character"),
        ({"stderr": "error: " + "x" * 100_000 + "\n"}, "characters"),
        ({"violation": "exec"}, "broke out"),
    ],
)
def test_each_way_to_end_badly_is_seen(changes, says):
    good = Result(1, "", "error: a\n", "", 50.0, 0.1, [])
    one = Attack("a", b"", ())
    assert faults(one, good) == []
    assert says in "; ".join(faults(one, good._replace(**changes)))


@pytest.mark.parametrize("name", pickles.SURE)
def test_the_exploits_work_on_those_who_unpickle(name, tmp_path):
    script = "import pickle, sys; pickle.load(sys.stdin.buffer)"
    import subprocess

    subprocess.run(
        [sys.executable, "-S", "-c", script],
        input=pickles.EXPLOITS[name],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert (tmp_path / pickles.MARK).is_dir()
