"""Sizes of the network are checked at birth."""

import pytest

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.model.config import PRESETS, ModelConfig


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"latent_size": 0}, "latent_size"),
        ({"dropout": 1.0}, r"dropout must be from 0 to below 1"),
        ({"cell": "gru"}, "cell must be one of lstm"),
        ({"n_mixtures": 2.5}, "n_mixtures"),
        ({"encoder": 1}, "encoder must be true or false"),
        ({"decoder_sizes": 3}, "did you mean decoder_size"),
    ],
)
def test_bad_model_settings_die_at_birth(values, says):
    with pytest.raises(BadConfig, match=says):
        ModelConfig.from_dict(values)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name):
    assert ModelConfig.from_dict(PRESETS[name])
