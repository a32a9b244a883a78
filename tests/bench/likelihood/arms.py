"""What is compared: settings by name, each with its prediction in docs/log.md.

An arm is settings of a model and of its training, over those of a preset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sketchrnn_cli.model.config import PRESETS, ModelConfig
from sketchrnn_cli.training import config as settings
from sketchrnn_cli.training.config import TrainingConfig


@dataclass(frozen=True)
class Arm:
    """Settings over those of a preset."""

    preset: str = "base"
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def configs(self, *, encoder: bool, **training: Any) -> tuple[ModelConfig, TrainingConfig]:
        """Of a model with or without encoder; what is given here comes last."""
        model = {**PRESETS[self.preset], **self.model, "encoder": encoder}
        chosen = {**settings.PRESETS[self.preset], **self.training, **training}
        return ModelConfig(**model), TrainingConfig(**chosen)


ARMS = {
    "magenta": Arm("magenta"),
    "base": Arm(),
    # one change at a time from base
    "layer-norm": Arm(model={"cell": "layer-norm", "encoder_cell": "layer-norm"}),
    "layer-norm decoder": Arm(model={"cell": "layer-norm"}),
    "hyper": Arm(model={"cell": "hyper", "decoder_size": 352}),
    "no averaging": Arm(training={"average": 0.0}),
    "batch 100": Arm(training={"batch_size": 100, "learning_rate": 1e-3}),
    "batch 16": Arm(training={"batch_size": 16, "learning_rate": 1.5e-3}),
    "rate 1e-3": Arm(training={"learning_rate": 1e-3}),
    "rate 2e-3": Arm(training={"learning_rate": 2e-3}),
    "rate 8e-3": Arm(training={"learning_rate": 8e-3}),
    "warm-up": Arm(training={"warm_up": 100}),
    "warm-up and rate 2e-3": Arm(training={"warm_up": 100, "learning_rate": 2e-3}),
    "warm-up and rate 6e-3": Arm(training={"warm_up": 100, "learning_rate": 6e-3}),
    "warm-up and rate 8e-3": Arm(training={"warm_up": 100, "learning_rate": 8e-3}),
    "cosine": Arm(training={"schedule": "cosine"}),
    "cosine and rate 2e-3": Arm(training={"schedule": "cosine", "learning_rate": 2e-3}),
    "cosine and rate 8e-3": Arm(
        training={"schedule": "cosine", "warm_up": 100, "learning_rate": 8e-3}
    ),
    "weight decay": Arm(training={"weight_decay": 0.01}),
    "no dropout": Arm(model={"dropout": 0.0}),
    "more dropout": Arm(model={"dropout": 0.2}),
    "input dropout": Arm(model={"input_dropout": 0.05}),
    "output dropout": Arm(model={"output_dropout": 0.1}),
    "no augmentation": Arm(training={"random_scale": 0.0, "point_dropping": 0.0}),
    "floor of each": Arm(training={"kl_floor_of": "each"}),
    "no floor": Arm(training={"kl_floor": 0.0}),
    "free lengths": Arm(training={"window": 1}),
}
