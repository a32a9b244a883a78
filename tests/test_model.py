"""The torch network against the slow float64 reference."""

import dataclasses

import numpy as np
import pytest
import reference
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.model import recurrent
from sketchrnn_cli.model.config import CELLS, PRESETS, ModelConfig
from sketchrnn_cli.model.loss import BLOCK, OutputNats, kl_nats, reconstruction_nats
from sketchrnn_cli.model.lstm_sequence import LSTMSequence
from sketchrnn_cli.model.mixture import log_density, mixture_of
from sketchrnn_cli.model.packing import Packing, Workspace
from sketchrnn_cli.model.sketch_rnn import Noise, SketchRNN
from sketchrnn_cli.training.batches import FlatSketches, noise_of, pack

SMALL = ModelConfig(
    encoder_size=5, latent_size=4, decoder_size=7, n_mixtures=3, hyper_size=6, hyper_embedding=2
)
CPU = torch.device("cpu")


def random_sketches(rng, lengths=(6, 1, 9, 3, 9)):
    """Stroke-3 rows in model units."""
    sketches = []
    for length in lengths:
        moves = rng.normal(size=(length, 3)).astype(np.float32)
        moves[:, 2] = rng.random(length) < 0.3
        moves[-1, 2] = 1
        sketches.append(moves)
    return sketches


def packed(sketches, words=None):
    flat = np.concatenate(sketches)
    lengths = np.array([len(s) for s in sketches])
    numbers = np.arange(len(lengths))
    words = np.zeros(len(lengths), int) if words is None else np.asarray(words)
    return pack(FlatSketches(flat[:, :2], flat[:, 2] > 0, lengths, numbers, words), device=CPU)


def double(batch):
    return dataclasses.replace(
        batch,
        inputs=batch.inputs.double(),
        moves=batch.moves.double(),
        offsets=batch.offsets.double(),
        backwards=batch.backwards.double(),
    )


def random_network(config, seed=0):
    """Weights large enough that every one of them matters."""
    network = SketchRNN(config, seed=seed).double()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.3 * noise)
    weights = {name: p.detach().numpy() for name, p in network.named_parameters()}
    return network, weights


def of_cell(cell, **sizes):
    return dataclasses.replace(SMALL, cell=cell, encoder_cell=cell, **sizes)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cell", CELLS)
def test_conditional_losses_equal_the_slow_reference(seed, cell):
    rng = np.random.default_rng(seed)
    sketches = random_sketches(rng)
    network, weights = random_network(of_cell(cell), seed)
    latent = rng.normal(size=(len(sketches), 4))
    longest_first = np.argsort([-len(s) for s in sketches], kind="stable")
    nats, kl = 0.0, np.zeros(4)
    for k, sketch in enumerate(sketches):
        mu, presig = reference.encode(weights, sketch)
        z = mu + np.exp(presig / 2) * latent[k]
        nats += reference.sketch_nats(weights, sketch, z)
        kl += -0.5 * (1 + presig - mu**2 - np.exp(presig))
    noise = Noise(torch.from_numpy(latent[longest_first]), None, None, 1.0)
    losses = network(double(packed(sketches)), noise)
    assert losses.reconstruction.item() == pytest.approx(nats, rel=1e-9)
    np.testing.assert_allclose(losses.kl.detach().numpy(), kl, rtol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_decoder_only_losses_equal_the_slow_reference(cell):
    sketches = random_sketches(np.random.default_rng(5))
    network, weights = random_network(of_cell(cell, encoder=False))
    losses = network(double(packed(sketches)))
    nats = sum(reference.sketch_nats(weights, sketch) for sketch in sketches)
    assert losses.reconstruction.item() == pytest.approx(nats, rel=1e-9)
    assert losses.kl.numel() == 0


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_decoder_that_is_told_words_equals_the_slow_reference(encoder, cell):
    sketches = random_sketches(np.random.default_rng(7))
    words = [2, 0, 3, 3, 1]  # 3: no word
    config = of_cell(cell, encoder=encoder, n_words=3, word_size=6)
    network, weights = random_network(config)
    losses = network(double(packed(sketches, words)))
    nats = 0.0
    for sketch, word in zip(sketches, words, strict=True):
        mu = reference.encode(weights, sketch)[0] if encoder else np.zeros(0)
        heard = np.concatenate([mu, weights["decoder.words"][word]])
        nats += reference.sketch_nats(weights, sketch, heard)
    assert losses.reconstruction.item() == pytest.approx(nats, rel=1e-9)
    losses.reconstruction.backward()
    gradient = network.decoder.words.grad
    assert (gradient.abs().sum(1) > 0).all()  # every word was told


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_dropout_masks_the_candidate_gate_alone(cell):
    sketch = random_sketches(np.random.default_rng(6), lengths=(5,))
    network, weights = random_network(of_cell(cell, encoder=False))
    mask = torch.rand(6, 7, generator=torch.Generator().manual_seed(1)) < 0.7
    losses = network(double(packed(sketch)), Noise(None, mask, None, 0.7))
    nats = reference.sketch_nats(weights, sketch[0], masks=mask.numpy() / 0.7)
    assert losses.reconstruction.item() == pytest.approx(nats, rel=1e-9)
    assert losses.reconstruction.item() != pytest.approx(
        reference.sketch_nats(weights, sketch[0]), rel=1e-3
    )


def random_layers(groups, n_rows, n_hidden, dtype=torch.float64):
    """x, w_x, w_h and b of layers side by side."""
    shapes = [(n_rows, 5), (5, 4 * n_hidden), (n_hidden, 4 * n_hidden), (4 * n_hidden,)]
    return [torch.randn(s, dtype=dtype) for _ in range(groups) for s in shapes]


@pytest.mark.parametrize("dropped", [False, True])
def test_lstm_gradients_are_those_of_finite_differences(dropped):
    torch.manual_seed(0)
    packing = Packing.of_lengths([4, 4, 2, 1])
    mask = torch.rand(11, 3) < 0.8 if dropped else None
    constant, h0, c0 = (torch.randn(4, k, dtype=torch.float64) for k in (12, 3, 3))
    x, *weights = random_layers(1, 11, 3)

    def run(constant, h0, c0, *weights):
        return LSTMSequence.apply(
            packing, Workspace(), torch.float64, True, mask, 0.8, constant, h0, c0, x, *weights
        )

    wanted_rows, wanted_last = (torch.randn(k, 3, dtype=torch.float64) for k in (11, 4))

    def value(*parameters):
        rows, last = run(*parameters)
        return (rows * wanted_rows).sum() + (last * wanted_last).sum()

    parameters = [p.requires_grad_() for p in (constant, h0, c0, *weights)]
    gradients = torch.autograd.grad(value(*parameters), parameters)
    for k, gradient in enumerate(gradients):
        direction = torch.randn_like(gradient)
        ahead, behind = (
            value(*(p + e * direction if j == k else p for j, p in enumerate(parameters))).item()
            for e in (1e-6, -1e-6)
        )
        slope = (gradient * direction).sum().item()
        assert (ahead - behind) / 2e-6 == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("dropped", [False, True])
def test_layers_side_by_side_are_layers_one_after_the_other(dropped):
    torch.manual_seed(1)
    packing = Packing.of_lengths([5, 3, 3, 1])
    layers = random_layers(2, 12, 3)
    weights = [p.requires_grad_() for k, p in enumerate(layers) if k % 4]
    masks = [torch.rand(12, 3) < 0.7 if dropped else None for _ in range(2)]
    joint = None
    if dropped:  # of every step first the one, then the other
        halves = zip(*(mask.split(packing.batch_sizes) for mask in masks), strict=True)
        joint = torch.cat([half for pair in halves for half in pair])
    state = (None, None, None)
    head = (packing, Workspace(), torch.float64, False)
    _, last = LSTMSequence.apply(*head, joint, 0.7, *state, *layers)
    (last * torch.arange(12, dtype=torch.float64).view(1, 4, 3)).sum().backward()
    together = [p.grad.clone() for p in weights]
    for p in weights:
        p.grad = None
    for g in range(2):
        head = (packing, Workspace(), torch.float64, g == 0)
        _, alone = LSTMSequence.apply(*head, masks[g], 0.7, *state, *layers[4 * g : 4 * g + 4])
        torch.testing.assert_close(alone[0], last[g])
        (alone * torch.arange(12, dtype=torch.float64).view(1, 4, 3)).sum().backward()
    for p, grad in zip(weights, together, strict=True):
        torch.testing.assert_close(p.grad, grad)


@pytest.mark.parametrize(("compute", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.06)])
def test_fast_products_have_the_gradients_of_float64(compute, tolerance):
    """float32 goes through oneDNN where that is there; bfloat16 has 8 bits."""
    torch.manual_seed(2)
    packing = Packing.of_lengths([9, 7, 7, 4, 1])
    layers = random_layers(1, 28, 16)
    for p in layers[1:]:
        p.mul_(0.3)
    grads = []
    for dtype in (torch.float64, compute):
        kind = torch.float64 if dtype is torch.float64 else torch.float32
        x, *weights = (p.to(kind).clone() for p in layers)
        for p in weights:
            p.requires_grad_()
        rows, last = LSTMSequence.apply(
            packing, Workspace(), dtype, True, None, 1.0, None, None, None, x, *weights
        )
        (rows.square().sum() + last.sum()).backward()
        grads.append([p.grad.double() for p in weights])
    for exact, fast in zip(*grads, strict=True):
        assert (fast - exact).norm() < tolerance * exact.norm()
        assert (fast != exact).any()


def test_gradients_of_every_weight_equal_autograd_through_the_obvious_loop():
    sketches = random_sketches(np.random.default_rng(8))
    network, _ = random_network(SMALL)
    batch = double(packed(sketches))
    noise = noise_of(batch, SMALL, seed=3, dropout=False, device=CPU)
    noise = Noise(noise.latent.double(), None, None, 1.0)
    losses = network(batch, noise)
    (losses.reconstruction + losses.kl.sum()).backward()
    fast = {name: p.grad.clone() for name, p in network.named_parameters()}

    leaves = {n: p.detach().clone().requires_grad_() for n, p in network.named_parameters()}

    def run(prefix, rows, h, c, constant=0):
        for row in rows:
            gates = row @ leaves[f"{prefix}.w_x"] + constant + h @ leaves[f"{prefix}.w_h"]
            i, f, o, j = (gates + leaves[f"{prefix}.b"]).chunk(4)
            c = f.sigmoid() * c + i.sigmoid() * j.tanh()
            h = o.sigmoid() * c.tanh()
            yield h

    total = torch.zeros((), dtype=torch.float64)
    order = np.argsort([-len(s) for s in sketches], kind="stable")
    for rank, k in enumerate(order):
        rows = torch.from_numpy(reference.stroke5(sketches[k]))
        zero = torch.zeros(5, dtype=torch.float64)
        h = torch.cat(
            [
                list(run("encoder.fw", rows, zero, zero))[-1],
                list(run("encoder.bw", rows.flip(0), zero, zero))[-1],
            ]
        )
        mu = h @ leaves["encoder.mu_w"] + leaves["encoder.mu_b"]
        presig = h @ leaves["encoder.presig_w"] + leaves["encoder.presig_b"]
        z = mu + (presig / 2).exp() * noise.latent[rank]
        c, h = (z @ leaves["decoder.start_w"] + leaves["decoder.start_b"]).tanh().chunk(2)
        start = torch.tensor([[0.0, 0, 1, 0, 0]], dtype=torch.float64)
        constant = z @ leaves["decoder.cell.w_const"]
        hs = torch.stack(list(run("decoder.cell", torch.cat([start, rows]), h, c, constant)))
        out = hs @ leaves["decoder.out_w"] + leaves["decoder.out_b"]
        pens = rows[:, 3].long().tolist() + [2]
        total = total - out[:, :3].log_softmax(1)[range(len(pens)), pens].sum()
        total = total - log_density(mixture_of(out[:-1]), rows[:, :2]).sum()
        total = total + kl_nats(mu, presig).sum()
    total.backward()
    for name, grad in fast.items():
        np.testing.assert_allclose(grad, leaves[name].grad, rtol=1e-8, atol=1e-10, err_msg=name)


def gradients_of(network, batch, noise, *, by_hand, compute=None):
    """Losses and the gradient of every weight, by the kernels or step by step."""
    network.zero_grad()
    with pytest.MonkeyPatch.context() as patch:
        if not by_hand:
            patch.setattr(recurrent, "BY_HAND", ())
            for kind in (recurrent.LSTM, recurrent.LayerNormLSTM):
                patch.delattr(kind, "last_states")
            patch.delattr(recurrent.LSTM, "on_device")
        losses = network(batch, noise, compute=compute)
        (losses.reconstruction + losses.kl.sum()).backward()
    return losses, {name: p.grad.clone() for name, p in network.named_parameters()}


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("words", [0, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_kernels_have_the_gradients_of_autograd_step_by_step(cell, words, dropped):
    sketches = random_sketches(np.random.default_rng(3), lengths=(6, 1, 9, 3, 9, 12))
    config = of_cell(cell, n_words=words, word_size=3, dropout=0.3)
    network, _ = random_network(config)
    batch = double(packed(sketches, [k % 4 for k in range(6)] if words else None))
    noise = noise_of(batch, config, seed=4, dropout=dropped, device=CPU, dtype=torch.float64)
    (slow, wanted), (fast, found) = (
        gradients_of(network, batch, noise, by_hand=by_hand) for by_hand in (False, True)
    )
    torch.testing.assert_close(fast.reconstruction, slow.reconstruction)
    for name, grad in found.items():
        assert wanted[name].abs().max() > 0, name
        torch.testing.assert_close(grad, wanted[name], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("compute", "tolerance"), [(torch.float32, 1e-3), (torch.bfloat16, 0.15)])
def test_every_cell_in_fewer_bits_has_the_gradients_of_float64(cell, compute, tolerance):
    config = of_cell(cell, decoder_size=32, encoder_size=16)
    sketches = random_sketches(np.random.default_rng(3), lengths=(6, 1, 9, 3, 9, 12))
    exact, fast = SketchRNN(config, seed=2).double(), SketchRNN(config, seed=2)
    batch = packed(sketches)
    _, wanted = gradients_of(exact, double(batch), Noise(None, None, None, 1.0), by_hand=True)
    _, found = gradients_of(
        fast, batch, Noise(None, None, None, 1.0), by_hand=True, compute=compute
    )
    for name, grad in found.items():
        if wanted[name].abs().max() > 0:
            assert (grad - wanted[name]).norm() < tolerance * wanted[name].norm(), name


@pytest.mark.parametrize("n_rows", [5, BLOCK, 2 * BLOCK + 3])
def test_nats_in_blocks_have_the_gradients_of_nats_at_once(n_rows):
    generator = torch.Generator().manual_seed(n_rows)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    y, w, b, offsets = normal(n_rows, 6), normal(6, 3 + 6 * 4), normal(3 + 6 * 4), normal(n_rows, 2)
    pen = torch.randint(0, 3, (n_rows,), generator=generator)
    parameters = [p.requires_grad_() for p in (y, w, b)]
    fast = OutputNats.apply(*parameters, offsets, pen, True)
    slow = reconstruction_nats(y @ w + b, offsets, pen).sum()
    torch.testing.assert_close(fast, slow)
    for a, e in zip(*(torch.autograd.grad(3 * v, parameters) for v in (fast, slow)), strict=True):
        torch.testing.assert_close(a, e)
    with torch.no_grad():
        torch.testing.assert_close(OutputNats.apply(*parameters, offsets, pen, False), slow)


def test_mixture_density_is_that_of_torch_distributions():
    generator = torch.Generator().manual_seed(2)
    outputs = torch.randn(50, 3 + 6 * 4, generator=generator, dtype=torch.float64)
    offsets = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    pi, mx, my, sx, sy, rho = outputs[:, 3:].chunk(6, dim=1)
    sx, sy, rho = sx.exp(), sy.exp(), rho.tanh()
    covariance = torch.stack([sx * sx, rho * sx * sy, rho * sx * sy, sy * sy], -1)
    expected = MixtureSameFamily(
        Categorical(logits=pi),
        MultivariateNormal(torch.stack([mx, my], -1), covariance.unflatten(-1, (2, 2))),
    ).log_prob(offsets)
    torch.testing.assert_close(log_density(mixture_of(outputs), offsets), expected)


def test_density_far_from_every_mean_is_finite():
    outputs = torch.zeros(1, 3 + 6 * 2, requires_grad=True)
    value = log_density(mixture_of(outputs), torch.tensor([[1000.0, -1000.0]]))
    value.sum().backward()
    assert value.item() < -900_000
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_a_prediction_ignores_the_moves_after_it():
    network, _ = random_network(dataclasses.replace(SMALL, encoder=False))
    sketch = random_sketches(np.random.default_rng(0), lengths=(8,))[0]
    changed = sketch.copy()
    changed[5:, :2] += 3
    with torch.no_grad():
        a = network.decoder(double(packed([sketch])).inputs, packed([sketch]).packing, None)
        a = a.clone()
        b = network.decoder(double(packed([changed])).inputs, packed([changed]).packing, None)
    torch.testing.assert_close(a[:6], b[:6])
    assert not torch.allclose(a[6:], b[6:])


def test_a_workspace_in_use_is_refused_not_overwritten():
    network, _ = random_network(SMALL)
    batch = double(packed(random_sketches(np.random.default_rng(0))))
    first = network(batch)
    network(batch)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        first.reconstruction.backward()


def test_initialisation_is_magentas():
    network = SketchRNN(ModelConfig(encoder_size=16, decoder_size=32, latent_size=8))
    cell = network.decoder.cell
    for gate in cell.w_h.detach().split(32, dim=1):
        torch.testing.assert_close(gate @ gate.T, torch.eye(32), atol=1e-5, rtol=0)
    assert cell.b.detach().reshape(4, 32)[:, 0].tolist() == [0, 1, 0, 0]
    limit = (6 / (5 + 8 + 128)) ** 0.5
    assert 0.9 * limit < cell.w_x.abs().max() <= limit
    assert 0.0005 < network.encoder.mu_w.std() < 0.002
    assert network.decoder.out_b.abs().max() <= (3 / 123) ** 0.5


def test_same_seed_same_weights_and_another_seed_others():
    a, b, c = (SketchRNN(SMALL, seed=seed).weights() for seed in (1, 1, 2))
    assert all((a[name] == b[name]).all() for name in a)
    assert any((a[name] != c[name]).any() for name in a)


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
