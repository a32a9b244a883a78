"""Kill -9, and nothing is lost."""

import json

import kills
import pytest


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path):
    count = kills.campaign(tmp_path, kills=3, seed=3)
    assert count.kills >= 3


def test_the_comparison_sees_a_difference(tmp_path):
    """Of one number in one line of the metrics, or one weight: the harness can fail."""
    wanted, _ = kills.prepare(tmp_path)
    path = tmp_path / "whole" / "metrics.jsonl"
    lines = path.read_text("utf-8").splitlines()
    record = json.loads(lines[3])
    record["l_r"] += 1e-12
    path.write_text("\n".join([*lines[:3], json.dumps(record), *lines[4:]]) + "\n", "utf-8")
    found = kills.facts(tmp_path / "whole")
    assert [name for name in wanted if found[name] != wanted[name]] == ["metrics"]
