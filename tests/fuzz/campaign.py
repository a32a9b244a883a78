"""Fuzz every reader: ``python tests/fuzz/campaign.py --executions 2000000 [--only npz svg]``.

With atheris, libFuzzer follows what each input reaches; without, inputs are changed blindly. New
findings become files in ``regressions/TARGET/``, which the tests replay. Runs two processes at a
time, and prints a table in the end: executions, findings, size of the corpus, what was reached.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
REGRESSIONS = HERE / "regressions"
SECONDS = 1.0  # of processor time, for one input
MEGABYTES = 500
ADDRESS_SPACE = 6 << 30  # bytes; so that a bomb is a MemoryError
AT_ONCE = 2
SLOW = ("command-line", "train-command", "plot", "inspect-model", "metrics")  # whole commands
PATIENCE = 25.0  # seconds of one of them

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class Finding(NamedTuple):
    """One way in which a target does not end as it may."""

    signature: str  # what, and where in the package
    text: str


class Tally(NamedTuple):
    """What one target did."""

    executions: int
    findings: dict[str, int]  # by signature
    coverage: int  # edges of the package's code that were reached; 0: not counted
    corpus: int  # inputs that each reached something new
    seconds: float


def load() -> Any:
    """The targets, their package instrumented where there is atheris."""
    try:
        import atheris
    except ImportError:
        import targets

        return targets
    with atheris.instrument_imports(include=["sketchrnn_cli"], enable_loader_override=False):
        import targets
    return targets


def has_atheris() -> bool:
    """Whether inputs are led by coverage here."""
    import importlib.util

    return importlib.util.find_spec("atheris") is not None and hasattr(os, "fork")


def judge(target: Any, data: bytes, *, seconds: float | None = None) -> Finding | None:
    """Run one input.

    Args:
        target: of ``targets.TARGETS``.
        data: the input.
        seconds: of processor time that it may take; None: any.

    Raises:
        NoInput: it stands for nothing.
    """
    import targets

    from sketchrnn_cli.errors import SketchError

    before, start = _largest(), time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a second line on stderr
            target.run(data)
    except SketchError as error:
        if not str(error).strip():
            return Finding("no-message", repr(error))
    except (targets.NoInput, KeyboardInterrupt):
        raise
    except BaseException as error:
        return Finding(_signature(error), "".join(traceback.format_exception(error)[-6:]))
    taken = time.process_time() - start
    if seconds is not None and taken > seconds:
        return Finding("slow", f"{taken:.1f} s")
    grown = _largest() - before
    if grown > MEGABYTES:
        return Finding("large", f"{grown:.0f} MB")
    return None


def _largest() -> float:
    """The most memory that this process had, MB."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _signature(error: BaseException) -> str:
    """The kind of error and the innermost function of the package, or the test, that it left."""
    name = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "sketchrnn_cli" in frame.filename]
    if isinstance(error, AssertionError) and not (frames and frames[-1] in ours):
        words = re.sub(r"[^a-z ]", "", str(error).partition(":")[0].lower()).split()
        return "-".join([frames[-1].name, *words[:6]])
    if not ours:
        return f"{name}-{frames[-1].name if frames else ''}"
    return f"{name}-{Path(ours[-1].filename).stem}-{ours[-1].name}"


def keep(name: str, data: bytes, finding: Finding, where: Path = REGRESSIONS) -> Path:
    """Write a finding down, unless there is one of its kind that is no longer."""
    folder = where / name
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^A-Za-z0-9_-]", "", finding.signature)[:60]
    for old in folder.glob(f"{slug}.*"):
        if old.stat().st_size <= len(data):
            return old
        old.unlink()
    path = folder / f"{slug}.{hashlib.sha256(data).hexdigest()[:8]}"
    path.write_bytes(data)
    return path


class Run:
    """One target in one process: counts, keeps what it finds, and ends the process."""

    def __init__(
        self, targets: Any, name: str, n: int, seed: int, report: Path, where: Path
    ) -> None:
        self.target = targets.TARGETS[name]
        self.no_input = targets.NoInput
        self.name, self.n, self.seed = name, n, seed
        self.report, self.where = report, where
        self.n_done = 0
        self.n_tried = 0
        self.findings: dict[str, int] = {}
        self.start = time.monotonic()
        self.told = self.start

    def one(self, data: bytes) -> None:
        """One input."""
        self.n_tried += 1
        seconds = PATIENCE if self.name in SLOW else SECONDS
        try:
            finding = judge(self.target, data, seconds=seconds)
            if finding is not None and finding.signature == "slow":
                finding = judge(self.target, data, seconds=seconds)  # what loads once, is slow once
        except self.no_input:
            finding = None
        else:
            self.n_done += 1
        if finding is not None:
            if finding.signature not in self.findings:
                print(f"{self.name}: {finding.signature}\n{finding.text}", flush=True)
            self.findings[finding.signature] = self.findings.get(finding.signature, 0) + 1
            keep(self.name, data, finding, self.where)
        if time.monotonic() - self.told > 60:
            self.told = time.monotonic()
            self.tell()
        if self.n_done >= self.n or self.n_tried >= 20 * self.n:
            self.tell()
            self.end()

    def tell(self) -> None:
        """Write down what was done so far."""
        facts = {"executions": self.n_done, "findings": self.findings}
        facts["seconds"] = time.monotonic() - self.start
        self.report.write_text(json.dumps(facts), "utf-8")

    def end(self) -> NoReturn:
        """End the process, its folder gone."""
        import shutil

        import targets

        shutil.rmtree(targets.folder(), ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def lead(self, corpus: Path) -> NoReturn:
        """Follow coverage, with atheris."""
        import atheris

        for number, seed in enumerate(self.target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        arguments = [
            "fuzz",
            f"-seed={self.seed or 1}",
            f"-max_len={self.target.longest}",
            "-timeout=120",
            f"-artifact_prefix={corpus}-",  # inputs that took long, beside the corpus
        ]
        arguments += ["-rss_limit_mb=0", "-detect_leaks=0", "-handle_segv=0", "-len_control=0"]
        if self.target.tokens:
            tokens = corpus.with_suffix(".dict")
            tokens.write_text(
                "\n".join(f'"{_escaped(token)}"' for token in self.target.tokens) + "\n"
            )
            arguments.append(f"-dict={tokens}")

        def mutate(data: bytes, size: int, seed: int) -> bytes:
            made = self.target.mutate(
                data, random.Random(seed), lambda raw: atheris.Mutate(raw, size)
            )
            return made[:size]

        atheris.Setup([*arguments, str(corpus)], self.one, custom_mutator=mutate)
        atheris.Fuzz()
        self.end()

    def blindly(self) -> None:
        """Change inputs at random."""
        for data in blind_inputs(self.target, random.Random(self.seed)):
            self.one(data)


def blind_inputs(target: Any, rng: random.Random) -> Iterator[bytes]:
    """The seeds of a target, and then without end what comes of changing them."""
    import mutators

    seeds = target.seeds()
    tokens = list(target.tokens)
    yield from seeds
    inputs = list(seeds)
    while True:
        data = target.mutate(rng.choice(inputs), rng, lambda raw: mutators.plain(raw, rng, tokens))[
            : target.longest
        ]
        yield data
        if rng.random() < 0.2:
            inputs.append(data)
            if len(inputs) > 200:
                del inputs[len(seeds)]


def _escaped(token: bytes) -> str:
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in token)


def _limit() -> None:
    """So that a bomb does not take the machine with it."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def campaign(
    counts: dict[str, int], seed: int, folder: Path, *, where: Path = REGRESSIONS
) -> dict[str, Tally]:
    """Fuzz targets, each in a process of its own, forked from this one.

    Args:
        counts: executions of each target.
        seed: of chance.
        folder: for logs and corpora.
        where: findings go there.
    """
    targets = load()
    tallies: dict[str, Tally] = {}
    running: dict[int, str] = {}
    for name, n in counts.items():
        if len(running) == AT_ONCE:
            _reap(running, folder, tallies)
        (folder / name).mkdir(exist_ok=True)
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            _child(targets, name, n, seed, folder, where)
        running[pid] = name
    while running:
        _reap(running, folder, tallies)
    return {name: tallies[name] for name in counts}


def _child(targets: Any, name: str, n: int, seed: int, folder: Path, where: Path) -> NoReturn:
    try:
        text = os.open(folder / f"{name}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(text, 1)
        os.dup2(text, 2)
        os.environ["TMPDIR"] = tempfile.gettempdir()
        _limit()
        run = Run(targets, name, n, seed, folder / f"{name}.json", where)
        if has_atheris():
            run.lead(folder / name)
        run.blindly()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(1)


def _reap(running: dict[int, str], folder: Path, tallies: dict[str, Tally]) -> None:
    pid, status = os.wait()
    name = running.pop(pid)
    log = (folder / f"{name}.log").read_text("utf-8", "replace")
    report = folder / f"{name}.json"
    facts = json.loads(report.read_text("utf-8")) if report.is_file() else {}
    findings = dict(facts.get("findings", {}))
    if status:
        findings[f"died: status {os.waitstatus_to_exitcode(status)}: {log[-300:]}"] = 1
    reached = re.findall(r"cov: (\d+) ft: \d+ corp: (\d+)", log)
    coverage, corpus = map(int, reached[-1]) if reached else (0, 0)
    tallies[name] = Tally(
        facts.get("executions", 0), findings, coverage, corpus, facts.get("seconds", 0.0)
    )
    print(_row(name, tallies[name]), flush=True)


def _row(name: str, tally: Tally) -> str:
    found = ", ".join(f"{k} ({n:,})" for k, n in tally.findings.items())
    return (
        f"{name:<14} {tally.executions:>10,} {tally.coverage:>6,} {tally.corpus:>6,} "
        f"{tally.seconds:>8.0f}  {found}"
    )


def shares(n: int, only: list[str], targets: Any) -> dict[str, int]:
    """How many of n executions each target gets, the heaviest first."""
    chosen = {k: t.share for k, t in targets.TARGETS.items() if not only or k in only}
    total = sum(chosen.values())
    return {name: max(round(n * share / total), 1) for name, share in chosen.items()}


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--only", nargs="*", default=[], help="targets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=REGRESSIONS, help="where findings go")
    parser.add_argument(
        "--folder", type=Path, help="for logs and corpora, which grow from run to run"
    )
    given = parser.parse_args()
    if not hasattr(os, "fork"):
        parser.error("this system has no fork; the tests fuzz without")
    targets = load()
    if unknown := set(given.only) - targets.TARGETS.keys():
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(targets.TARGETS)}")
    counts = shares(given.executions, given.only, targets)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as made:
        folder = given.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        print("led by coverage" if has_atheris() else "blindly: no atheris here", flush=True)
        print(
            f"{'target':<14} {'executions':>10} {'edges':>6} {'corpus':>6} {'seconds':>8}  findings"
        )
        tallies = campaign(counts, given.seed, folder, where=given.keep)
    total = sum(tally.executions for tally in tallies.values())
    found = sum(len(tally.findings) for tally in tallies.values())
    print(f"{total:,} executions of {len(tallies)} targets, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
