"""Kill -9, and nothing is lost."""

import json
import os
import shutil

import kills
import pytest

from sketchrnn_cli.training import metrics as log


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path):
    count = kills.campaign(tmp_path, kills=3, seed=3)
    assert count.kills >= 3


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="forks are POSIX")
def test_the_comparison_sees_a_difference(tmp_path):
    """Of one number in one line of the metrics: the harness can fail."""
    folder, wanted, _ = kills.undisturbed()
    run = shutil.copytree(folder / "whole" / "run", tmp_path / "run")
    assert kills.facts(run) == wanted
    path = run / "metrics.jsonl"
    lines = path.read_text("utf-8").splitlines()
    record = json.loads(lines[3])
    record["l_r"] += 1e-12
    path.write_text("\n".join([*lines[:3], json.dumps(record), *lines[4:]]) + "\n", "utf-8")
    log.write_csv(run)
    found = kills.facts(run)
    assert [name for name in wanted if found[name] != wanted[name]] == ["metrics"]
