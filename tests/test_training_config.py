"""Settings of a training run."""

import pytest
from trainers import QUICK, SMALL

from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.training.config import (
    DEFAULT_STEPS,
    TrainingConfig,
    parse_duration,
    read_toml,
    to_toml,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2min", 120),
        ("1h30", 5400),
        ("10m30", 630),
        ("1d12", 129600),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "ten", "10x", "-3m", "0", "m", "30s5", "5m1h", "1h1h", "1m 30", "30 90s"]
)
def test_durations_that_are_none(text):
    with pytest.raises(BadConfig, match="time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"learning_rate": float("nan")}, "learning_rate must be from"),
        ({"kl_wait": 0.5}, "unknown training setting 'kl_wait': did you mean kl_weight?"),
        ({"point_dropping": 1.5}, "point_dropping must be from 0 to 0.99"),
    ],
)
def test_bad_training_settings_die_at_birth(values, says):
    with pytest.raises(BadConfig, match=says.replace("?", r"\?")):
        TrainingConfig.from_dict(values)


def test_the_last_step_is_the_first_limit_reached():
    assert TrainingConfig(steps=50, epochs=2, batch_size=10).last_step(100) == 20
    assert TrainingConfig(epochs=1, batch_size=8).last_step(20) == 3
    assert TrainingConfig().last_step(100) == DEFAULT_STEPS
    assert TrainingConfig(time_limit=5.0).last_step(100) > 10**9


def test_settings_survive_toml(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(to_toml(SMALL, QUICK, {"sources": ["a.npz"]}))
    tables = read_toml(path)
    assert ModelConfig.from_dict(tables["model"]) == SMALL
    assert TrainingConfig.from_dict(tables["training"]) == QUICK
    assert tables["data"] == {"sources": ["a.npz"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("batch_size = 3", r"batch_size belongs under \[training\]"),
        ("[trainin]\nsteps = 3", "did you mean training"),
        ("model = 3", r"model must be a table"),
    ],
)
def test_toml_with_something_else_in_it(tmp_path, text, says):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(BadConfig, match=says):
        read_toml(tmp_path / "x.toml")


def test_a_file_that_is_not_toml(tmp_path):
    (tmp_path / "x.toml").write_text("<html>")
    with pytest.raises(BadFile, match=r"x.toml:.*not TOML, as steps = 1000"):
        read_toml(tmp_path / "x.toml")
