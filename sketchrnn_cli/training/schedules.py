"""Rates as functions of the step. Source: magenta sketch_rnn_train.py."""

from __future__ import annotations

import math

from sketchrnn_cli.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int, last_step: int) -> float:
    """Rises over the warm-up, then falls towards its minimum; step 0 is the first.

    It falls by a constant factor per step, or along half a cosine that ends with the last step.
    """
    low = min(config.min_learning_rate, config.learning_rate)
    if config.schedule == "cosine":
        share = 0.5 + 0.5 * math.cos(math.pi * min(step / last_step, 1.0))
    else:
        share = config.learning_rate_decay**step
    rate = low + (config.learning_rate - low) * share
    return rate * min(1.0, (step + 1) / (config.warm_up + 1))


def kl_weight(config: TrainingConfig, step: int) -> float:
    """Grows from its start towards ``kl_weight``; step 0 is the first."""
    start = min(config.kl_weight_start, config.kl_weight)
    return config.kl_weight - (config.kl_weight - start) * config.kl_weight_decay**step
