"""The torch network against the slow float64 reference."""

import dataclasses

import numpy as np
import pytest
import reference
import torch
from packed_batches import CPU, SMALL, double, packed, random_sketches

from sketchrnn_cli.model.config import CELLS, ModelConfig
from sketchrnn_cli.model.loss import kl_nats, log_density, mixture_of
from sketchrnn_cli.model.network import Noise, SketchRNN
from sketchrnn_cli.training import noise as noises


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
def test_a_decoder_with_labels_equals_the_slow_reference(encoder, cell):
    sketches = random_sketches(np.random.default_rng(7))
    words = [2, 0, 3, 3, 1]  # 3: the null label
    config = of_cell(cell, encoder=encoder, n_words=3, word_size=6)
    network, weights = random_network(config)
    losses = network(double(packed(sketches, words)))
    nats = 0.0
    for sketch, word in zip(sketches, words, strict=True):
        mu = reference.encode(weights, sketch)[0] if encoder else np.zeros(0)
        cond = np.concatenate([mu, weights["decoder.words"][word]])
        nats += reference.sketch_nats(weights, sketch, cond)
    assert losses.reconstruction.item() == pytest.approx(nats, rel=1e-9)
    losses.reconstruction.backward()
    gradient = network.decoder.label_embedding.grad
    assert (gradient.abs().sum(1) > 0).all()


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


def test_gradients_of_every_weight_equal_autograd_through_the_obvious_loop():
    sketches = random_sketches(np.random.default_rng(8))
    network, _ = random_network(SMALL)
    batch = double(packed(sketches))
    noise = noises.draw(batch, SMALL, seed=3, dropout=False, device=CPU)
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
