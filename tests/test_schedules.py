"""Learning rate and KL weight by step."""

import numpy as np
import pytest

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.training import schedules
from sketchrnn_cli.training.config import (
    TrainingConfig,
)


def test_schedules_are_magentas():
    config = TrainingConfig(learning_rate=1e-3, kl_weight_decay=0.99995)
    assert schedules.learning_rate(config, 0, 10**9) == 1e-3
    assert schedules.learning_rate(config, 500, 10**9) == pytest.approx(
        0.00099 * 0.9999**500 + 1e-5
    )
    assert schedules.kl_weight(config, 0) == pytest.approx(0.01)
    assert schedules.kl_weight(config, 1000) == pytest.approx(0.5 - 0.49 * 0.99995**1000)


def test_the_rate_rises_over_the_warm_up_and_falls_along_half_a_cosine():
    config = TrainingConfig(
        learning_rate=1e-2, min_learning_rate=1e-4, schedule="cosine", warm_up=9, steps=100
    )
    rates = [schedules.learning_rate(config, step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[9] == pytest.approx(1e-4 + 0.0099 * (0.5 + 0.5 * np.cos(np.pi * 0.09)))
    assert rates[50] == pytest.approx(1e-4 + 0.0099 / 2)
    assert rates[100] == pytest.approx(1e-4)
    assert all(a > b for a, b in zip(rates[9:], rates[10:], strict=False))
    with pytest.raises(BadConfig, match="give steps or epochs"):
        TrainingConfig(schedule="cosine", time_limit=60.0)
