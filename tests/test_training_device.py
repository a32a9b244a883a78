"""Devices, threads and arithmetic."""

import torch

from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.training import device
from sketchrnn_cli.training.config import (
    TrainingConfig,
)


def test_small_products_are_not_shared_between_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        device.set_threads(None, ModelConfig(decoder_size=160), TrainingConfig())
        assert torch.get_num_threads() == 1
        torch.set_num_threads(2)
        device.set_threads(None, ModelConfig(), TrainingConfig())
        assert torch.get_num_threads() == 2
        device.set_threads(1, ModelConfig(), TrainingConfig())
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
