"""The loop over packed steps against autograd through the reference step, in float64."""

import dataclasses

import numpy as np
import pytest
import torch

from sketchrnn_cli.model import cells, gates
from sketchrnn_cli.model.cells import Dropout
from sketchrnn_cli.model.config import CELLS, ModelConfig
from sketchrnn_cli.model.packing import Packing

CONFIG = ModelConfig(hyper_size=6, hyper_embedding=2)
H, C = 7, 3
LENGTHS = [[5, 4, 4, 2, 1], [3, 3], [4], [1, 1, 1], [9] * 9]


def cell_of(kind, n_inputs, n_hidden=H, seed=0, scale=0.3):
    """A cell in float64 whose weights are large enough that every one of them matters."""
    generator = torch.Generator().manual_seed(seed)
    cell = cells.make(kind, CONFIG, n_inputs, n_hidden, generator=generator).double()
    with torch.no_grad():
        for weight in cell.parameters():
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
            weight.add_(scale * noise)
    return cell


def loop(cell, x, packing, cond=None, start=None, dropout=cells.NO_DROPOUT):
    """Hidden state of every row, step by step by the reference."""
    n, weights = packing.n_sequences, dict(cell.named_parameters())
    sizes = [H, H, 6, 6] if cell.name == "hyper" else [H, H]
    if start is None:
        start = x.new_zeros(n, sum(sizes))
    state, rows = start.split(sizes, dim=1), []
    constants = [
        None if cond is None or name not in weights else cond @ weights[name]
        for name in ("w_const", "small_w_const")
    ]
    for t, n in enumerate(packing.batch_sizes):
        here = slice(packing.starts[t], packing.starts[t + 1])
        mask = None if dropout.mask is None else dropout.mask[here].to(x.dtype) / dropout.keep
        state = cells.step(
            cell.name,
            weights,
            x[here],
            tuple(part[:n] for part in state),
            tuple(None if part is None else part[:n] for part in constants),
            mask,
        )
        rows.append(state[1])
    return torch.cat(rows)


def last_of(rows, packing, lengths):
    return torch.stack([rows[packing.starts[n - 1] + k] for k, n in enumerate(lengths)])


def gradients(result, parameters):
    """Of a sum in which every number of the result has a weight of its own."""
    generator = torch.Generator().manual_seed(9)
    weights = torch.randn(result.shape, generator=generator, dtype=torch.float64)
    return torch.autograd.grad((result * weights).sum(), parameters)


def close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("kind", CELLS)
def test_states_and_gradients_are_those_of_the_reference_step(kind, lengths, conditional, dropped):
    torch.manual_seed(0)
    packing, n = Packing.of_lengths(lengths), len(lengths)
    cell, x = cell_of(kind, 5 + C * conditional), torch.randn(sum(lengths), 5).double()
    parameters = list(cell.parameters())
    cond = start = None
    if conditional:
        n_state = 2 * H + 12 * (kind == "hyper")
        cond, start = torch.randn(n, C).double(), torch.randn(n, n_state).double()
        parameters += [cond.requires_grad_(), start.requires_grad_()]
    dropout = cells.NO_DROPOUT
    if dropped:
        dropout = Dropout(torch.rand(sum(lengths), H) < 0.7, 0.7)
    rows = cell(x, packing, compute=torch.float64, cond=cond, start=start, dropout=dropout)
    found = gradients(rows, parameters)
    rows = rows.detach().clone()
    wanted = loop(cell, x, packing, cond, start, dropout)
    close([rows], [wanted])
    close(found, gradients(wanted, parameters))


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("kind", CELLS)
def test_layers_side_by_side_are_layers_one_after_the_other(kind, lengths, dropped):
    torch.manual_seed(1)
    packing, n_rows = Packing.of_lengths(lengths), sum(lengths)
    layers = [cell_of(kind, 5, seed=seed) for seed in (1, 2)]
    xs = [torch.randn(n_rows, 5).double() for _ in layers]
    masks = [torch.rand(n_rows, H) < 0.7 if dropped else None for _ in layers]
    joint = None
    if dropped:  # of every step first the one, then the other
        halves = zip(*(mask.split(packing.batch_sizes) for mask in masks), strict=True)
        joint = torch.cat([half for pair in halves for half in pair])
    parameters = [p for layer in layers for p in layer.parameters()]
    dropout = Dropout(joint, 0.7)
    last = cells.last_states(layers, xs, packing, compute=torch.float64, dropout=dropout)
    found = gradients(last, parameters)
    wanted = torch.stack(
        [
            last_of(loop(layer, x, packing, dropout=Dropout(mask, 0.7)), packing, lengths)
            for layer, x, mask in zip(layers, xs, masks, strict=True)
        ]
    )
    close([last], [wanted])
    close(found, gradients(wanted, parameters))


@pytest.mark.parametrize("kind", CELLS)
def test_without_a_mask_the_keep_probability_is_of_no_interest(kind):
    torch.manual_seed(3)
    packing, cell, x = Packing.of_lengths([3, 2]), cell_of(kind, 5), torch.randn(5, 5).double()
    rows = cell(x, packing, compute=torch.float64, dropout=Dropout(None, 0.5))
    close([rows], [loop(cell, x, packing)])


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize(("compute", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
def test_fewer_bits_have_nearly_the_gradients_of_float64(kind, compute, tolerance):
    """float32 goes through oneDNN where that is there; bfloat16 has 8 bits."""
    torch.manual_seed(2)
    lengths = [9, 7, 7, 4, 1]
    packing, x = Packing.of_lengths(lengths), torch.randn(sum(lengths), 5)
    cond, start = torch.randn(5, C), torch.randn(5, 2 * H + 12 * (kind == "hyper"))
    dropout = Dropout(torch.rand(sum(lengths), H) < 0.8, 0.8)
    exact, fast = (cell_of(kind, 5 + C, scale=0.2) for _ in range(2))
    fast = fast.float()
    found = []
    for cell, dtype in ((exact, torch.float64), (fast, compute)):
        kept = [part.to(cell.b.dtype).requires_grad_() for part in (cond, start)]
        parameters = [*cell.parameters(), *kept]
        rows = cell(
            x.to(cell.b.dtype), packing, compute=dtype, cond=kept[0], start=kept[1], dropout=dropout
        )
        assert rows.dtype is cell.b.dtype
        total = (rows * torch.linspace(-1, 1, H, dtype=rows.dtype)).sum()
        found.append([g.double() for g in torch.autograd.grad(total, parameters)])
    assert any((a != b).any() for a, b in zip(*found, strict=True))
    for wanted, grad in zip(*found, strict=True):
        assert (grad - wanted).norm() <= tolerance * wanted.norm() + 1e-6


@pytest.mark.parametrize("kind", CELLS)
def test_what_lay_in_the_workspace_before_is_of_no_interest(kind):
    torch.manual_seed(4)
    cell = cell_of(kind, 5)
    long, short = [8, 8, 8, 7], [6, 3, 1]
    for lengths in (long, short):
        packing, x = Packing.of_lengths(lengths), torch.randn(sum(lengths), 5).double()
        for buffer in cell.workspace._buffers.values():
            buffer.fill_(torch.nan)
        rows = cell(x, packing, compute=torch.float64)
        found = gradients(rows, list(cell.parameters()))
        wanted = loop(cell, x, packing)
        close([rows], [wanted])
        close(found, gradients(wanted, list(cell.parameters())))


@pytest.mark.parametrize("kind", CELLS)
def test_a_workspace_in_use_is_refused_not_overwritten(kind):
    packing, cell = Packing.of_lengths([3, 2]), cell_of(kind, 5)
    rows = cell(torch.randn(5, 5).double(), packing, compute=torch.float64)
    cell(torch.randn(5, 5).double(), packing, compute=torch.float64)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        rows.sum().backward()


# as on a GPU: the steps of an LSTM put together by a compiler, or not


def lstm_gradients():
    torch.manual_seed(5)
    result = []
    for n_hidden, lengths in ((7, [3, 2]), (5, [2, 2]), (7, [3, 3, 2])):
        packing, n_rows = Packing.of_lengths(lengths), sum(lengths)
        layers = [cell_of("lstm", 5, n_hidden, seed) for seed in range(2)]
        xs = [torch.randn(n_rows, 5).double() for _ in layers]
        dropout = Dropout(torch.rand(2 * n_rows, n_hidden) < 0.7, 0.7)
        last = cells.last_states(layers, xs, packing, compute=torch.float64, dropout=dropout)
        result += gradients(last, [p for layer in layers for p in layer.parameters()])
    return result


@pytest.mark.slow
def test_fused_steps_have_the_same_gradients(monkeypatch):
    wanted, graphs = lstm_gradients(), []

    def compiler(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    for name in ("lstm_forward", "lstm_backward"):
        whole = gates.fused(getattr(gates, name), on="cpu", backend=compiler)
        monkeypatch.setattr(gates, f"_{name}", whole)
    close(lstm_gradients(), wanted)
    assert graphs


@pytest.mark.slow
def test_where_nothing_compiles_the_steps_run_as_they_stand(monkeypatch):
    wanted, tries = lstm_gradients(), []

    def broken(graph, inputs):
        tries.append(graph)
        raise RuntimeError("no compiler here")

    torch._dynamo.reset()
    for name in ("lstm_forward", "lstm_backward"):
        whole = gates.fused(getattr(gates, name), on="cpu", backend=broken)
        monkeypatch.setattr(gates, f"_{name}", whole)
    close(lstm_gradients(), wanted)
    assert len(tries) == 2  # once each


def test_an_error_of_the_step_itself_is_not_taken_for_one_of_the_compiler():
    def step(first):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        gates.fused(step, on="cpu", backend="eager")(torch.ones(1))


# packing


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_a_packing_are_the_sequences_alive(seed):
    rng = np.random.default_rng(seed)
    lengths = sorted(rng.integers(1, 9, 6).tolist(), reverse=True)
    packing = Packing.of_lengths(lengths)
    assert packing.n_rows == sum(lengths)
    assert packing.batch_sizes == tuple(
        sum(length > t for length in lengths) for t in range(lengths[0])
    )
    assert dataclasses.astuple(Packing.of_lengths([])) == ((), (0,))
