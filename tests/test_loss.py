"""The loss against the slow float64 reference, torch.distributions and plain numbers."""

import math

import numpy as np
import pytest
import reference
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from sketchrnn_cli.model import loss
from sketchrnn_cli.model.loss import (
    BLOCK,
    MAX_ATANH_RHO,
    OutputNats,
    kl_nats,
    log_density,
    mixture_of,
    reconstruction_nats,
)

M = 4


def normal(*shape, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_columns_of_the_outputs_are_read_in_their_order():
    outputs = torch.arange(3 + 6 * 2, dtype=torch.float64).repeat(5, 1)
    mixture = mixture_of(outputs)
    assert mixture.pen[0].tolist() == [0, 1, 2]
    log_pi = torch.tensor([3.0, 4.0]).double().log_softmax(0)
    torch.testing.assert_close(mixture.log_pi[4], log_pi)
    rest = [part[0].tolist() for part in mixture[1:6]]
    assert rest == [[5, 6], [7, 8], [9, 10], [11, 12], [13, 14]]


def test_density_is_that_of_torch_distributions():
    outputs, offsets = normal(50, 3 + 6 * M), normal(50, 2, seed=3)
    pi, mx, my, sx, sy, rho = outputs[:, 3:].chunk(6, dim=1)
    sx, sy, rho = sx.exp(), sy.exp(), rho.tanh()
    covariance = torch.stack([sx * sx, rho * sx * sy, rho * sx * sy, sy * sy], -1)
    expected = MixtureSameFamily(
        Categorical(logits=pi),
        MultivariateNormal(torch.stack([mx, my], -1), covariance.unflatten(-1, (2, 2))),
    ).log_prob(offsets)
    torch.testing.assert_close(log_density(mixture_of(outputs), offsets), expected)


@pytest.mark.parametrize("atanh_rho", [-6.0, -1.0, 0.0, 0.5, 6.0])
def test_density_is_the_references(atanh_rho):
    outputs = 0.3 * normal(20, 3 + 6 * M)
    outputs[:, -M:] = atanh_rho
    offsets = outputs[:, 3 + M : 3 + 3 * M : M] + 1e-3  # near the first mean
    found = log_density(mixture_of(outputs), offsets)
    wanted = [
        math.log(reference.density(row, *at))
        for row, at in zip(outputs.numpy(), offsets.numpy(), strict=True)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-7)


def one_gaussian(atanh_rho, dtype):
    """Of one component at 0 with deviations 1; each row has its correlation."""
    outputs = torch.zeros(len(atanh_rho), 9, dtype=dtype)
    outputs[:, 8] = torch.tensor(atanh_rho, dtype=dtype)
    return outputs.requires_grad_()


def test_density_and_gradients_are_finite_in_float32_at_any_correlation():
    rhos = [s * a for a in (0, 9, 15, 20, 59, 60, 88, 90, 1e4, 3e38) for s in (1, -1)]
    for offset in ([1.0, 1.0], [1.0, -1.0], [3.0, 0.5], [0.0, 0.0], [100.0, -100.0]):
        outputs = one_gaussian(rhos, torch.float32)
        value = log_density(mixture_of(outputs), torch.tensor([offset]).expand(len(rhos), 2))
        value.sum().backward()
        assert value.isfinite().all()
        assert outputs.grad is not None
        assert outputs.grad.isfinite().all()


def test_beyond_the_largest_correlation_nothing_changes():
    offsets = torch.tensor([[0.5, -0.25]]).double()
    edge, inside, beyond = (
        log_density(mixture_of(one_gaussian([a], torch.float64)), offsets).item()
        for a in (MAX_ATANH_RHO, MAX_ATANH_RHO - 1, 1000.0)
    )
    assert beyond == edge < 6 * inside < 0
    for sign in (1, -1):
        outputs = one_gaussian([1000.0 * sign], torch.float64)
        log_density(mixture_of(outputs), offsets).sum().backward()
        assert outputs.grad is not None
        assert outputs.grad[0, 8] == 0


def test_on_the_line_a_correlation_near_one_is_dense():
    """At dx = dy the density grows as 1 / sqrt(1 - rho^2) = cosh, up to the largest."""
    for a in (1.0, 10.0, 18.0):
        outputs, offsets = one_gaussian([a], torch.float64), torch.zeros(1, 2).double()
        value = log_density(mixture_of(outputs), offsets).item()
        assert value == pytest.approx(math.log(math.cosh(a)) - math.log(2 * math.pi), rel=1e-12)


def test_density_far_from_every_mean_is_finite():
    outputs = torch.zeros(1, 3 + 6 * 2, requires_grad=True)
    value = log_density(mixture_of(outputs), torch.tensor([[1000.0, -1000.0]]))
    value.sum().backward()
    assert value.item() < -900_000
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


@pytest.mark.parametrize("epsilon", [0.0, 1e-6, 0.5])
def test_nats_of_a_row_are_offset_plus_pen_and_of_an_end_the_pen_alone(epsilon):
    outputs, offsets, pen = normal(30, 3 + 6 * M), normal(30, 2, seed=5), torch.arange(30) % 3
    found = reconstruction_nats(outputs, offsets, pen, epsilon)
    assert found.shape == (30,)
    for row, at, state, nats in zip(outputs, offsets, pen, found, strict=True):
        wanted = reference.pen_nats(row.numpy(), int(state))
        if state != 2:
            wanted -= math.log(reference.density(row.numpy(), *at.tolist()) + epsilon)
        assert nats.item() == pytest.approx(wanted, rel=1e-9)


def test_without_an_epsilon_nats_are_exact():
    outputs, offsets = normal(9, 3 + 6 * M), normal(9, 2, seed=5)
    pen = torch.zeros(9, dtype=torch.int64)
    exact = reconstruction_nats(outputs, offsets, pen, 0.0)
    torch.testing.assert_close(reconstruction_nats(outputs, offsets, pen), exact, rtol=0, atol=0)
    assert (reconstruction_nats(outputs, offsets, pen, 1e-3) < exact).all()


def layer(n_rows):
    y, w, b = normal(n_rows, 6), normal(6, 3 + 6 * M, seed=3), normal(3 + 6 * M, seed=4)
    return [part.requires_grad_() for part in (y, w, b)]


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
@pytest.mark.parametrize("n_rows", [0, 5, BLOCK, 2 * BLOCK + 3])
def test_nats_in_blocks_have_the_gradients_of_nats_at_once(n_rows, epsilon):
    y, w, b = parameters = layer(n_rows)
    offsets, pen = normal(n_rows, 2, seed=6), torch.arange(n_rows) % 3
    fast = OutputNats.apply(*parameters, offsets, pen, True, epsilon)
    slow = reconstruction_nats(y @ w + b, offsets, pen, epsilon).sum()
    torch.testing.assert_close(fast, slow)
    for found, wanted in zip(
        *(torch.autograd.grad(3 * value, parameters) for value in (fast, slow)), strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_without_gradients_the_sum_is_the_same_and_none_are_computed(monkeypatch):
    y, w, b = layer(7)
    offsets, pen = normal(7, 2, seed=6), torch.arange(7) % 3
    wanted = reconstruction_nats(y @ w + b, offsets, pen).sum().item()

    def refused(*arguments, **options):
        raise AssertionError("a gradient")

    monkeypatch.setattr(torch.autograd, "grad", refused)
    with torch.no_grad():
        assert OutputNats.apply(y, w, b, offsets, pen, False).item() == pytest.approx(wanted)
    with pytest.raises(AssertionError, match="a gradient"):
        OutputNats.apply(y, w, b, offsets, pen, True)


def test_outputs_are_never_there_for_all_rows_on_a_cpu(monkeypatch):
    sizes = []

    def watched(outputs, *arguments):
        sizes.append(len(outputs))
        return reconstruction_nats(outputs, *arguments)

    monkeypatch.setattr(loss, "reconstruction_nats", watched)
    n_rows = 2 * BLOCK + 3
    OutputNats.apply(*layer(n_rows), normal(n_rows, 2), torch.arange(n_rows) % 3, True)
    assert sizes == [BLOCK, BLOCK, 3]


def test_rows_in_float32_have_the_gradients_of_float64():
    exact = layer(BLOCK + 9)
    rows = normal(BLOCK + 9, 2, seed=6), torch.arange(BLOCK + 9) % 3
    fast = [part.detach().float().requires_grad_() for part in exact]
    for parameters, offsets in ((exact, rows[0]), (fast, rows[0].float())):
        OutputNats.apply(*parameters, offsets, rows[1], True).backward()
    for a, b in zip(fast, exact, strict=True):
        assert (a.grad - b.grad).norm() < 1e-5 * b.grad.norm()


def test_kl_is_that_of_torch_distributions():
    mu, presig = normal(6, 3), normal(6, 3, seed=4)
    posterior = torch.distributions.Normal(mu, (presig / 2).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    torch.testing.assert_close(
        kl_nats(mu, presig), torch.distributions.kl_divergence(posterior, prior).double()
    )
    assert kl_nats(torch.zeros(1, 2), torch.zeros(1, 2)).tolist() == [[0, 0]]
