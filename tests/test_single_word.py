"""One label of a conditioned model, folded into the biases of an unconditional one."""

import networks
import numpy as np
import pytest

from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.inference.conditioning import Conditioning, condition, label_rows
from sketchrnn_cli.inference.engine import Engine, decoder_input
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model import checkpoint, single_word

WORDS = ("ant", "bee", "cow")


def told(**kept):
    return networks.tiny(n_words=3, words=WORDS, training={"counts": [3, 4, 5]}, **kept)


def with_latents(model):
    shapes = checkpoint.latent_shapes(model.config, 3, 2)
    rng = np.random.default_rng(9)
    model.weights.update({name: rng.random(shape).astype("f4") for name, shape in shapes.items()})
    return model


def outputs(model, moves, z=None, labels=None):
    constant = condition(model, 1, z=z, labels=labels)
    return Engine(model).unroll([decoder_input(moves)], constant)[0]


@pytest.mark.parametrize("guidance", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("start", ["own", "zero"])
@pytest.mark.parametrize("encoder", [True, False])
def test_it_expects_what_the_model_expects_that_is_told_the_word(encoder, start, word, guidance):
    model = told(encoder=encoder)
    if start == "zero":
        model.weights["decoder.start_w"][:] = model.weights["decoder.start_b"][:] = 0
    made = single_word.of(model, word, guidance=guidance)
    moves = networks.random_moves(np.random.default_rng(0), 11)
    z = np.random.default_rng(1).normal(size=(1, 8)).astype("f4") if encoder else None
    plan = Conditioning(network=Engine(model), settings=Settings(guidance=guidance), mu=z)
    wanted = outputs(model, moves, z, plan.guided(label_rows(model, [word])))
    if not encoder and start == "own":
        z = np.full((1, 1), 3, np.float32)  # which the decoder never reads
    np.testing.assert_allclose(outputs(made, moves, z), wanted, atol=1e-5)


@pytest.mark.parametrize("encoder", [True, False])
def test_it_is_a_whole_model_of_that_word(tmp_path, encoder):
    model = with_latents(told()) if encoder else told(encoder=False)
    made = single_word.of(model, "bee")
    checkpoint.save(tmp_path / "bee.safetensors", made)
    again = checkpoint.load(tmp_path / "bee.safetensors")
    assert (again.words, again.counts, again.config.n_words) == (("bee",), [4], 0)
    assert again.config.encoder  # without one, it is there to hold the start state
    if encoder:
        for name in ("weight", "mean", "scale"):
            np.testing.assert_array_equal(
                again.weights[f"latent.{name}"][0], model.weights[f"latent.{name}"][1]
            )
        assert again.weights["latent.share"].tolist() == [1]
    else:
        mu, sigma = Engine(again).encode([networks.random_moves(np.random.default_rng(2), 5)])
        assert (mu.tolist(), sigma.tolist()) == ([[0]], [[1]])


def test_without_a_start_of_its_own_it_needs_no_encoder(tmp_path):
    model = told(encoder=False)
    model.weights["decoder.start_w"][:] = model.weights["decoder.start_b"][:] = 0
    checkpoint.save(tmp_path / "bee.safetensors", single_word.of(model, "bee"))
    config = checkpoint.load(tmp_path / "bee.safetensors").config
    assert (config.encoder, config.constant_size) == (False, 0)


@pytest.mark.parametrize("cell", ["layer-norm", "hyper"])
def test_a_cell_without_a_bias_before_its_norm_is_refused(cell):
    with pytest.raises(BadCheckpoint, match=f"its cell is {cell}, and a label folds into a plain"):
        single_word.of(told(cell=cell), "bee")


def test_a_model_without_label_embeddings_is_refused():
    with pytest.raises(BadCheckpoint, match="no label embeddings"):
        single_word.of(networks.tiny(words=("bee",)), "bee")
