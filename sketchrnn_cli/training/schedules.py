"""Rates as functions of the step. Source: magenta sketch_rnn_train.py."""

from __future__ import annotations

from sketchrnn_cli.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Decays by a constant factor a step towards its minimum; step 0 is the first."""
    low = min(config.min_learning_rate, config.learning_rate)
    return low + (config.learning_rate - low) * config.learning_rate_decay**step


def kl_weight(config: TrainingConfig, step: int) -> float:
    """Grows from its start towards ``kl_weight``; step 0 is the first."""
    start = min(config.kl_weight_start, config.kl_weight)
    return config.kl_weight - (config.kl_weight - start) * config.kl_weight_decay**step
