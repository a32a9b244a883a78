"""What was found stays repaired, each target runs a little, and the harness sees what is wrong."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import campaign
import mutators
import pytest
import targets

from sketchrnn_cli.errors import BadFile, SketchError

FOUND = sorted(path for path in campaign.REGRESSIONS.glob("*/*") if path.is_file())
EXECUTIONS = 10_000  # of all targets together
NOT_HERE = ("train-command",)  # loads torch
QUICK = [name for name in targets.TARGETS if name not in (*NOT_HERE, *campaign.SLOW)]
SLOW = [name for name in campaign.SLOW if name not in NOT_HERE]


def judge(path):
    finding = campaign.judge(targets.TARGETS[path.parent.name], path.read_bytes())
    assert finding is None, finding.text


def called(path):
    return f"{path.parent.name}: {path.name}"


@pytest.mark.parametrize("path", [p for p in FOUND if p.parent.name not in NOT_HERE], ids=called)
def test_what_was_found_stays_mended(path):
    judge(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in FOUND if p.parent.name in NOT_HERE], ids=called)
def test_what_was_found_in_training_stays_mended(path):
    judge(path)


def test_a_finding_stands_in_a_folder_of_a_target():
    assert {path.parent.name for path in FOUND} <= targets.TARGETS.keys()
    assert FOUND


def read_seeds(name):
    target = targets.TARGETS[name]
    read = 0
    for seed in target.seeds():
        try:
            target.run(seed)
            read += 1
        except SketchError:
            pass  # drawings of two kinds in one file
    assert 2 * read > len(target.seeds())


@pytest.mark.parametrize("name", QUICK)
def test_seeds_are_read(name):
    read_seeds(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SLOW if name != "command-line"])
def test_seeds_of_commands_are_read(name):  # test_properties has those of the command line
    read_seeds(name)


def change_blindly(name, n):
    target = targets.TARGETS[name]
    rng = random.Random(name)
    inputs = campaign.blind_inputs(target, rng)
    for data in (next(inputs) for _ in range(n)):
        try:
            finding = campaign.judge(target, data)
        except targets.NoInput:
            continue
        assert finding is None, f"{data!r}: {finding.text}"


@pytest.mark.parametrize("name", QUICK)
def test_inputs_that_are_changed_blindly(name):
    change_blindly(name, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_inputs_of_commands_that_are_changed_blindly(name):
    change_blindly(name, 10)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a campaign forks, and this system has no fork")
def test_a_short_campaign_finds_nothing(tmp_path):
    names = [name for name in targets.TARGETS if name not in NOT_HERE]
    command = [sys.executable, campaign.__file__, "--executions", str(EXECUTIONS), "--seed", "11"]
    command += ["--keep", str(tmp_path), "--only", *names]
    result = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    found = [f"{path.name}: {path.read_bytes()!r}" for path in tmp_path.glob("*/*")]
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{found}"
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    for name in names:
        assert int(rows[name][1].replace(",", "")) >= 1
    led = "led by coverage" in result.stdout
    assert led == campaign.has_atheris()
    if led:
        assert int(rows["npz"][2].replace(",", "")) > 300, "coverage is not counted"


# the harness


def _target(run, seeds=(b"abc",)):
    return targets.Target(run, lambda: list(seeds), mutators.text)


def _grow(data: bytes) -> None:
    """Beyond what was ever held, whatever that was."""
    start, held = campaign._largest(), []
    while campaign._largest() < start + campaign.MEGABYTES + 1:
        held.append(b"x" * 4_000_000)


def _busy(data: bytes) -> None:
    sum(range(10**6))


@pytest.mark.parametrize(
    ("run", "signature"),
    [
        (lambda data: {}[data], "KeyError-<lambda>"),
        (lambda data: (_ for _ in ()).throw(MemoryError), "MemoryError"),
        (lambda data: (_ for _ in ()).throw(RecursionError), "RecursionError"),
        (lambda data: (_ for _ in ()).throw(BadFile("")), "no-message"),
        (lambda data: __import__("warnings").warn("a", RuntimeWarning, stacklevel=1), "RuntimeW"),
        (lambda data: sys.exit(3), "SystemExit"),
        (_busy, "slow"),
        (_grow, "large"),
    ],
)
def test_a_fault_is_a_finding(run, signature, monkeypatch):
    if signature == "large" and sys.platform == "win32":
        pytest.skip("the largest memory of a process is not asked for here")
    monkeypatch.setattr(campaign, "MEGABYTES", 20)
    finding = campaign.judge(_target(run), b"abc", seconds=1e-9 if signature == "slow" else None)
    assert finding is not None
    assert finding.signature.startswith(signature)


def test_what_may_be_is_no_finding():
    def refuse(data: bytes) -> None:
        raise BadFile("x: no such file")

    assert campaign.judge(_target(refuse), b"") is None
    assert campaign.judge(_target(len), b"") is None


def test_the_shortest_of_a_kind_is_kept(tmp_path):
    finding = campaign.Finding("KeyError-a-b", "text")
    for data in (b"long long", b"short", b"longer again"):
        campaign.keep("npz", data, finding, tmp_path)
    campaign.keep("npz", b"other", finding._replace(signature="KeyError-a-c"), tmp_path)
    kept = sorted(path.read_bytes() for path in (tmp_path / "npz").iterdir())
    assert kept == [b"other", b"short"]


@pytest.mark.parametrize(
    "name", ["npz", "packed", "model", "state", "browser-model", "latents", "bin", "svg"]
)
def test_mutators_get_past_the_first_check(name):
    """A changed file can still be read as a file of its kind."""
    target = targets.TARGETS[name]
    seeds = target.seeds()
    for data in itertools.islice(campaign.blind_inputs(target, random.Random(1)), 400):
        with contextlib.suppress(Exception):  # whatever is wrong with it
            target.run(data)
            if data not in seeds:
                return
    pytest.fail("none of 400")


def test_commands_lead_nowhere_else():
    for word in (
        "/etc/passwd",
        "../../x",
        "..",
        "http://example.org/a",
        "C:\\x",
        "a/../../b",
        "~/x",
    ):
        made = campaign_word(word)
        assert ".." not in made
        assert "://" not in made
        assert not Path(made).is_absolute()


def campaign_word(word: str) -> str:
    import commands

    return commands.words_of(json.dumps(["sample", word]).encode())[1]
