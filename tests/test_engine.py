"""The numpy network against the slow float64 reference, and against itself."""

import networks
import numpy as np
import pytest
import reference

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.inference import engine as engines
from sketchrnn_cli.inference.conditioning import condition, label_rows
from sketchrnn_cli.inference.engine import Engine, to_model
from sketchrnn_cli.inference.torch_engine import TorchEngine


def some_moves(seed, lengths):
    rng = np.random.default_rng(seed)
    return [networks.random_moves(rng, n) for n in lengths]


@pytest.mark.parametrize("lengths", [(1,), (7, 1, 30, 12), tuple(range(1, 21))])
@pytest.mark.parametrize("make", [Engine, lambda c: TorchEngine(c, "cpu")], ids=["numpy", "torch"])
def test_encoder_equals_the_slow_reference(make, lengths):
    checkpoint = networks.tiny(seed=len(lengths))
    weights, moves = networks.exact(checkpoint), some_moves(3, lengths)
    mu, sigma = make(checkpoint).encode(moves)
    for k, sketch in enumerate(moves):
        wanted_mu, presig = reference.encode(weights, sketch.astype(np.float64))
        np.testing.assert_allclose(mu[k], wanted_mu, atol=1e-5)
        np.testing.assert_allclose(sigma[k], np.exp(presig / 2), rtol=1e-5)


@pytest.mark.parametrize("encoder", [True, False], ids=["conditional", "decoder-only"])
@pytest.mark.parametrize("lengths", [(0,), (5,), (7, 0, 30, 12), tuple(range(1, 21))])
@pytest.mark.parametrize("make", [Engine, lambda c: TorchEngine(c, "cpu")], ids=["numpy", "torch"])
def test_forward_equals_the_slow_reference(make, lengths, encoder):
    checkpoint = networks.tiny(encoder=encoder, seed=len(lengths))
    weights, moves = networks.exact(checkpoint), some_moves(4, lengths)
    z = np.random.default_rng(5).normal(size=(len(moves), 8)).astype("f4") if encoder else None
    raws = make(checkpoint).unroll([engines.decoder_input(m) for m in moves], z)
    for k, (raw, sketch) in enumerate(zip(raws, moves, strict=True)):
        latent = None if z is None else z[k].astype(np.float64)
        wanted = reference.decode(weights, sketch.astype(np.float64), latent)
        assert raw.shape == wanted.shape == (len(sketch) + 1, 3 + 6 * 5)
        np.testing.assert_allclose(raw, wanted, atol=1e-5)


def test_base_size_equals_the_slow_reference():
    checkpoint = networks.tiny(decoder_size=512, encoder_size=256, latent_size=128, n_mixtures=20)
    weights, moves = networks.exact(checkpoint), some_moves(6, (9, 4))
    engine = Engine(checkpoint)
    mu, _ = engine.encode(moves)
    raws = engine.forward(moves, mu)
    for k, sketch in enumerate(moves):
        wanted_mu, _ = reference.encode(weights, sketch.astype(np.float64))
        np.testing.assert_allclose(mu[k], wanted_mu, atol=1e-5)
        wanted = reference.decode(weights, sketch.astype(np.float64), mu[k].astype(np.float64))
        np.testing.assert_allclose(raws[k], wanted, atol=2e-5)


@pytest.mark.parametrize("make", [Engine, lambda c: TorchEngine(c, "cpu")], ids=["numpy", "torch"])
@pytest.mark.parametrize("encoder", [True, False], ids=["conditional", "decoder-only"])
def test_steps_equal_the_unrolled_decoder_also_after_rows_have_moved(make, encoder):
    engine = make(networks.tiny(encoder=encoder))
    moves = some_moves(7, (6,) * 9)
    z = np.random.default_rng(8).normal(size=(9, 8)).astype("f4") if encoder else None
    inputs = [engines.decoder_input(m) for m in moves]
    wanted = engine.unroll(inputs, z)
    decoding = engine.memory(9)
    decoding.start(np.arange(9), z)
    who = np.arange(9)
    for t in range(7):
        raw = decoding.step(np.stack([inputs[k][t] for k in who]))
        np.testing.assert_allclose(raw, np.stack([wanted[k][t] for k in who]), atol=1e-5)
        if t == 2:  # sketches 1 and 4 leave; the last ones take their rows
            decoding.move(np.array([7, 8]), np.array([1, 4]))
            who = np.array([0, 7, 2, 3, 8, 5, 6])
    decoding.start(np.array([2]), None if z is None else z[5:6])  # a row is used again
    raw = decoding.step(np.stack([inputs[5][0]] * 3))
    np.testing.assert_allclose(raw[2], wanted[5][0], atol=1e-5)


def test_a_prediction_ignores_later_moves():
    engine = Engine(networks.tiny(encoder=False))
    (moves,) = some_moves(9, (10,))
    changed = moves.copy()
    changed[6:] += 3
    before, after = engine.forward([moves], None)[0], engine.forward([changed], None)[0]
    np.testing.assert_array_equal(before[:7], after[:7])
    assert np.abs(before[7:] - after[7:]).min() > 0


def test_large_inputs_are_cut_into_batches_without_a_trace(monkeypatch):
    engine = Engine(networks.tiny())
    moves = some_moves(10, [3, 20, 8, 1, 14, 20, 2])
    mu, sigma = engine.encode(moves)
    raws = engine.forward(moves, mu)
    monkeypatch.setattr(engines, "UNROLL_ROWS", 3)
    monkeypatch.setattr(engines, "UNROLL_STEPS", 25)
    for a, b in zip((mu, sigma), engine.encode(moves), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for raw, again in zip(raws, engine.forward(moves, mu), strict=True):
        np.testing.assert_allclose(raw, again, atol=1e-6)


def test_nothing_to_encode_gives_no_latents():
    mu, sigma = Engine(networks.tiny()).encode([])
    assert mu.shape == sigma.shape == (0, 8)


def test_old_browser_models_squash_their_latents():
    old = networks.tiny(training={"tanh_z": True})
    new = networks.tiny()
    (moves,) = some_moves(11, (4,))
    z = np.linspace(-2, 2, 8, dtype="f4")[None]
    for make in (Engine, lambda c: TorchEngine(c, "cpu")):
        inputs = [engines.decoder_input(moves)]
        squashed = make(old).unroll(inputs, condition(old, 1, z=z))[0]
        np.testing.assert_allclose(squashed, make(new).unroll(inputs, np.tanh(z))[0], atol=1e-6)
        assert np.abs(squashed - make(new).unroll(inputs, z)[0]).max() > 1e-3


@pytest.mark.parametrize("make", [Engine, lambda c: TorchEngine(c, "cpu")], ids=["numpy", "torch"])
def test_latents_that_do_not_fit_are_a_fault(make):
    moves = some_moves(12, (4,))
    with pytest.raises(BadCheckpoint, match="decoder-only"):
        make(networks.tiny(encoder=False)).encode(moves)
    with pytest.raises(BadConfig, match="none were given"):
        make(networks.tiny()).memory(1).start(np.arange(1), None)
    for network in (networks.tiny(), networks.tiny(n_words=1)):
        with pytest.raises(BadConfig, match="7 numbers wide, and this model's 8"):
            condition(network, 1, z=np.zeros((1, 7), np.float32))
        with pytest.raises(BadConfig, match="none were given"):
            condition(network, 1)
    with pytest.raises(BadCheckpoint, match="decoder-only"):
        condition(networks.tiny(encoder=False), 1, z=np.zeros((1, 8), np.float32))


def test_a_decoder_hears_its_latent_and_then_the_shares_of_its_words():
    network = networks.tiny(n_words=2, words=("ant", "bee"))
    table = network.weights["decoder.words"]
    z = np.random.default_rng(13).normal(size=(3, 8)).astype("f4")
    labels = label_rows(network, ["_BEE", None, "dragon"])
    conditioning = condition(network, 3, z=z, labels=labels)
    np.testing.assert_array_equal(conditioning[:, :8], z)
    np.testing.assert_array_equal(conditioning[:, 8:], table[[1, 2, 2]])
    np.testing.assert_array_equal(condition(network, 3, z=z)[:, 8:], table[[2, 2, 2]])
    between = condition(network, 1, z=z[:1], labels=np.array([[0.25, 0.75, 0]], "f4"))
    np.testing.assert_allclose(between[0, 8:], 0.25 * table[0] + 0.75 * table[1], atol=1e-6)
    assert label_rows(networks.tiny(), ["blob"]) is None
    assert condition(networks.tiny(encoder=False), 4) is None


def test_moves_are_clipped_to_a_thousand_and_scaled():
    moves = np.array([[5000, -5000, 1], [999, -1001, 0]], np.float32)
    given = moves.copy()
    np.testing.assert_allclose(to_model(moves, 10), [[100, -100, 1], [99.9, -100, 0]], rtol=1e-6)
    np.testing.assert_array_equal(moves, given)


def test_torch_reads_and_unrolls_more_than_one_batch():
    network = networks.tiny()
    rng = np.random.default_rng(0)
    moves = [networks.random_moves(rng, 1 + k % 3) for k in range(520)]
    by_numpy, by_torch = Engine(network), TorchEngine(network, "cpu")
    for ours, theirs in zip(by_numpy.encode(moves), by_torch.encode(moves), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    z = by_numpy.encode(moves)[0]
    inputs = [engines.decoder_input(m) for m in moves]
    for ours, theirs in zip(by_numpy.unroll(inputs, z), by_torch.unroll(inputs, z), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
