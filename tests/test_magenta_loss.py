"""A step of the preset ``magenta`` against magenta's formulas, written out anew.

Source of the formulas: magenta sketch_rnn, model.py (get_lossfunc, build_model), utils.py
(pad_batch) and sketch_rnn_train.py: padded arrays, masks, an epsilon, and autograd in float64.
"""

import dataclasses
import math

import numpy as np
import pytest
import synthetic
import torch

from sketchrnn_cli.model.config import PRESETS, ModelConfig
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.training import batches, loop, noise, schedules
from sketchrnn_cli.training import config as settings
from sketchrnn_cli.training.config import TrainingConfig

SIZES = {"encoder_size": 6, "latent_size": 5, "decoder_size": 9, "n_mixtures": 3}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawings")
    lines = [ndjson.to_line(synthetic.draw("star", 0, k)) for k in range(30)]
    (folder / "stars.ndjson").write_bytes(b"".join(lines))
    return building.open_or_build([str(folder / "stars.ndjson")], folder / "stars.npz")


def padded(sketches, n_max):
    """Stroke-5 of the (P, 3) sketches, (N, n_max + 1, 5): utils.py, pad_batch."""
    result = np.zeros((len(sketches), n_max + 1, 5))
    for row, sketch in zip(result, sketches, strict=True):
        p = len(sketch)
        row[1 : p + 1, :2] = sketch[:, :2]
        row[1 : p + 1, 3] = sketch[:, 2]
        row[1 : p + 1, 2] = 1 - row[1 : p + 1, 3]
        row[p + 1 :, 4] = 1
        row[0] = [0, 0, 1, 0, 0]
    return torch.from_numpy(result)


def lstm(w, prefix, xs, c, h):
    """h after every one of the rows xs (T, N, I)."""
    w_x = w[f"{prefix}.w_x"]
    if f"{prefix}.w_const" in w:
        w_x = torch.cat([w_x, w[f"{prefix}.w_const"]])
    for x in xs:
        i, f, o, j = (x @ w_x + h @ w[f"{prefix}.w_h"] + w[f"{prefix}.b"]).chunk(4, dim=1)
        c = c * f.sigmoid() + i.sigmoid() * j.tanh()
        h = c.tanh() * o.sigmoid()
        yield h


def magenta_costs(w, sketches, n_max, latent, kl_weight, tolerance):
    """cost, r_cost and the unfloored kl_cost: model.py; the encoder reads one by one, unpadded."""
    strokes = padded(sketches, n_max)
    raw = kl_cost = torch.zeros((), dtype=torch.float64)
    z = None
    if latent is not None:
        ends = []
        for sketch, row in zip(sketches, strokes, strict=True):
            moves = row[1 : len(sketch) + 1, None]
            zero = torch.zeros(1, SIZES["encoder_size"], dtype=torch.float64)
            *_, forwards = lstm(w, "encoder.fw", moves, zero, zero)
            *_, backwards = lstm(w, "encoder.bw", moves.flip(0), zero, zero)
            ends.append(torch.cat([forwards, backwards], dim=1))
        last = torch.cat(ends)
        mean = last @ w["encoder.mu_w"] + w["encoder.mu_b"]
        presig = last @ w["encoder.presig_w"] + w["encoder.presig_b"]
        z = mean + (presig / 2.0).exp() * latent
        raw = -0.5 * (1 + presig - mean.square() - presig.exp()).mean()
        kl_cost = torch.maximum(raw, torch.tensor(tolerance, dtype=torch.float64))
    xs = strokes[:, :n_max].transpose(0, 1)
    n = len(sketches)
    c = h = torch.zeros(n, SIZES["decoder_size"], dtype=torch.float64)
    if z is not None:
        xs = torch.cat([xs, z.expand(n_max, n, -1)], dim=2)
        c, h = (z @ w["decoder.start_w"] + w["decoder.start_b"]).tanh().chunk(2, dim=1)
    out = torch.stack(list(lstm(w, "decoder.cell", xs, c, h)), dim=1)
    out = (out @ w["decoder.out_w"] + w["decoder.out_b"]).flatten(0, 1)  # (N * n_max, 3 + 6M)
    target = strokes[:, 1:].reshape(-1, 5)
    pen, pi, mu1, mu2, s1, s2, corr = out.split([3] + [SIZES["n_mixtures"]] * 6, dim=1)
    pi, pen, s1, s2, corr = pi.softmax(1), pen.softmax(1), s1.exp(), s2.exp(), corr.tanh()
    norm1, norm2 = target[:, :1] - mu1, target[:, 1:2] - mu2
    big = (norm1 / s1) ** 2 + (norm2 / s2) ** 2 - 2 * corr * norm1 * norm2 / (s1 * s2)
    rho = 1 - corr**2
    density = (-big / (2 * rho)).exp() / (2 * math.pi * s1 * s2 * rho.sqrt())
    result1 = -((pi * density).sum(1, keepdim=True) + 1e-6).log()
    result1 = result1 * (1.0 - target[:, 4:5])
    result2 = -(target[:, 2:] * pen.log()).sum(1, keepdim=True)  # of the padding too
    r_cost = (result1 + result2).mean()
    return r_cost + kl_weight * kl_cost, r_cost, raw  # reported without the floor


@pytest.mark.parametrize("encoder", [True, False])
def test_a_step_is_magentas(tmp_path, corpus, encoder):
    config = TrainingConfig(
        **settings.PRESETS["magenta"] | {"batch_size": 6},
        precision="float64",
        random_scale=0,
        point_dropping=0,
        gradient_clip=1e-3,
        kl_floor=0.02,
    )
    model = ModelConfig(**PRESETS["magenta"] | SIZES, encoder=encoder, dropout=0)
    run = tmp_path / "run"
    run.mkdir()
    trainer = loop.Trainer(run, corpus, model, config, device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trainer.network.parameters():
            spread = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.2 * spread)
    weights = {
        name: p.detach().clone().requires_grad_() for name, p in trainer.network.named_parameters()
    }
    trainer.progress.step = 7
    chosen = batches.training_sketches(corpus, trainer.train_indices, config, 7)
    batch = batches.pack(chosen, device=torch.device("cpu"))
    seed = batches.seed_of(config.seed, batches.NOISE, 7)
    drawn = noise.draw(
        batch, model, seed, dropout=False, device=torch.device("cpu"), dtype=torch.float64
    )
    ends = np.cumsum(chosen.lengths)
    rows = np.concatenate([chosen.offsets, chosen.lifts[:, None]], axis=1).astype(np.float64)
    sketches = [rows[end - n : end] for end, n in zip(ends, chosen.lengths, strict=True)]
    longest_first = [sketches[k] for k in batch.numbers]
    assert corpus.n_max > min(len(sketch) for sketch in sketches)

    kl_weight = 0.5 - (0.5 - 0.01) * 0.99995**7
    cost, r_cost, kl_cost = magenta_costs(
        weights, longest_first, corpus.n_max, drawn.latent, kl_weight, 0.02
    )
    cost.backward()
    found = trainer.take_step()
    assert found[0].item() == pytest.approx(cost.item(), rel=1e-9)
    assert found[1].item() == pytest.approx(r_cost.item(), rel=1e-9)
    if encoder:
        assert found[2].item() == pytest.approx(kl_cost.item(), rel=1e-9)
    clipped = 0
    for name, parameter in trainer.network.named_parameters():
        wanted = weights[name].grad.clamp(-1e-3, 1e-3)  # by value, as capped_gvs
        clipped += int((wanted.abs() == 1e-3).sum())
        torch.testing.assert_close(parameter.grad, wanted, rtol=1e-7, atol=1e-12)
    assert clipped > 0
    rate = trainer.optimizer.param_groups[0]["lr"]
    assert rate == pytest.approx((1e-3 - 1e-5) * 0.9999**7 + 1e-5)


def test_a_drawing_of_n_max_points_has_no_end(corpus):
    longest = [k for k in corpus.indices("train") if len(corpus.moves_of(k)) == corpus.n_max]
    if not longest:  # the longest drawing is of another split
        longest = [int(np.argmax(np.diff(corpus.offsets)))]
    sketches = batches.gather(corpus, np.array(longest[:1]), scale_factor=1.0)
    batch = batches.pack(sketches, device=torch.device("cpu"), padded_to=corpus.n_max)
    assert len(batch.inputs) == corpus.n_max
    assert (batch.pen != 2).all()
    shorter = dataclasses.replace(
        sketches,
        offsets=sketches.offsets[:-2],
        lifts=sketches.lifts[:-2],
        lengths=sketches.lengths - 2,
    )
    batch = batches.pack(shorter, device=torch.device("cpu"), padded_to=corpus.n_max)
    assert (batch.pen == 2).tolist() == [False] * (corpus.n_max - 2) + [True] * 2
    assert batch.inputs[-1].tolist() == [0, 0, 0, 0, 1]


def test_the_presets_settings_are_magentas():
    config = TrainingConfig(**settings.PRESETS["magenta"])
    model = ModelConfig(**PRESETS["magenta"])
    hparams = {
        "batch_size": 100,
        "learning_rate": 0.001,
        "learning_rate_decay": 0.9999,
        "min_learning_rate": 0.00001,
        "gradient_clip": 1.0,
        "kl_weight": 0.5,
        "kl_weight_start": 0.01,
        "kl_weight_decay": 0.99995,
        "kl_floor": 0.2,
        "random_scale": 0.15,
        "point_dropping": 0.10,
    }  # model.py, get_default_hparams
    assert {name: getattr(config, name) for name in hparams} == hparams
    sizes = {"decoder_size": 512, "encoder_size": 256, "latent_size": 128, "n_mixtures": 20}
    assert {name: getattr(model, name) for name in sizes} == sizes
    assert (model.cell, model.encoder_cell) == ("lstm", "lstm")
    assert 1 - model.dropout == pytest.approx(0.9)
    assert model.input_dropout == model.output_dropout == 0
    assert schedules.kl_weight(config, 0) == pytest.approx(0.01)
