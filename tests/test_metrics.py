"""metrics.jsonl."""

import json

import pytest
from trainers import corpus_in, trainer_of

from sketchrnn_cli.training import loop
from sketchrnn_cli.training import metrics as log


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_in(tmp_path_factory.mktemp("corpus"))


def test_metrics_lines_have_the_contracts_keys(tmp_path, corpus):
    for _ in loop.events(trainer_of(tmp_path / "run", corpus)):
        pass
    keys = [
        "step",
        "split",
        "loss",
        "l_r",
        "l_kl",
        "learning_rate",
        "kl_weight",
        "sketches_per_second",
        "seconds",
    ]
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 5 + 2
    for line in lines:
        assert list(json.loads(line)) == keys


def test_a_cut_last_line_of_metrics_is_passed_over(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step":1}\n{"step":2}\n{"st')
    assert [record["step"] for record in log.read(tmp_path)] == [1, 2]
    log.truncate(tmp_path, 1)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b'{"step":1}\n'
