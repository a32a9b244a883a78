"""A short turn of bench/endurance.py, and that it sees what it is there to see."""

import dataclasses
import json
import sys

import pytest
from bench import endurance

STEPS = 800


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
def test_a_long_run_stays_as_it_was(tmp_path):
    looks = endurance.watch(
        tmp_path, steps=STEPS, minutes=0, every=0.2, sizes="least", tell=lambda seen: None
    )
    n_lines, faults = endurance.faults_of_metrics(tmp_path / "run")
    assert faults == []
    assert n_lines == STEPS // endurance.LOG_EVERY + STEPS // endurance.VALID_EVERY
    assert max(seen.states for seen in looks) <= 3
    plain = [seen for seen in looks if seen.step >= STEPS / 4 and not seen.pictures]
    assert plain[-1].memory - plain[0].memory < 10  # MB
    assert plain[-1].files <= plain[0].files + 1


def write_metrics(run, records):
    text = "".join(json.dumps({"step": step, "split": split}) + "\n" for step, split in records)
    (run / "metrics.jsonl").write_text(text, "utf-8")


def test_gaps_and_repeats_are_seen(tmp_path):
    steps = range(20, 420, 20)
    whole = [
        (step, split)
        for step in steps
        for split in ("train", "valid")
        if split == "train" or step % 200 == 0
    ]
    write_metrics(tmp_path, whole)
    assert endurance.faults_of_metrics(tmp_path) == (22, [])
    for spoilt in (whole[:3] + whole[4:], whole[:5] + whole[4:], whole[:9] + whole[10:9:-1]):
        write_metrics(tmp_path, spoilt)
        assert endurance.faults_of_metrics(tmp_path)[1]


def test_growth_is_seen(tmp_path):
    write_metrics(tmp_path, [(20, "train")])
    flat = [endurance.Look(k, 1000 * k, 250.0, 9.0 * k, 15, 0, 9, 2, 9) for k in range(1, 101)]
    assert endurance.report(flat, tmp_path)[1] == []
    for name, grown in {
        "memory": lambda each: dataclasses.replace(each, memory=250 + each.step / 20_000),
        "a step": lambda each: dataclasses.replace(each, processor=each.step**1.2 / 1e3),
        "open files": lambda each: dataclasses.replace(each, files=15 + each.step // 10_000),
        "saved states": lambda each: dataclasses.replace(each, states=each.step // 10_000),
    }.items():
        faults = endurance.report([grown(each) for each in flat], tmp_path)[1]
        assert len(faults) == 1
        assert faults[0].startswith(name)
