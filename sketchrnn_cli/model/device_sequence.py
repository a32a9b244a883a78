"""The LSTM over packed rows on a GPU, where the number of launches is what costs.

Without dropout a whole sequence is one call of the library's own LSTM (cuDNN on CUDA). With
recurrent dropout, which cuDNN cannot give one gate alone, a step is one product and a kernel or
two each way: the arithmetic between two products is a function of a step's rows that torch.compile
puts together on CUDA, and that runs as it stands anywhere else. ``lstm_sequence`` is the same on a
CPU, with the sums in another order.

Nothing here waits for the device.

Letters: G layers side by side, N sequences, R rows (all steps of all sequences), n rows of a
step, I inputs, H hidden units, Z constant inputs of a sequence.
"""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, split_with_sizes

from sketchrnn_cli.model.packing import Packing, copied, steps_and_ranks


class Layer(NamedTuple):
    """One layer: what it reads, and its weights; gate columns i, f, o, j."""

    x: Tensor  # (R, I)
    w_x: Tensor  # (I, 4H)
    w_h: Tensor  # (H, 4H)
    b: Tensor  # (4H,)


class Constant(NamedTuple):
    """What each sequence hears at every step."""

    z: Tensor  # (N, Z)
    w: Tensor  # (Z, 4H)


def run(
    layers: Sequence[Layer],
    packing: Packing,
    *,
    compute: torch.dtype,
    constant: Constant | None,
    h0: Tensor | None,
    c0: Tensor | None,
    mask: Tensor | None,
    keep: float,
) -> tuple[Tensor, Tensor]:
    """Run layers of one size side by side over packed rows.

    Args:
        layers: G of them.
        packing: layout of the rows, the same for all.
        compute: type of the products.
        constant: of the only layer (G = 1), or None.
        h0: (N, H) state before the first step, or None: zeros; for G = 1 only.
        c0: (N, H) the same.
        mask: (G R, H) bool, False where recurrent dropout strikes the candidate gate, a step's G
            groups one after the other; or None: nowhere.
        keep: probability of keeping, by which the rest is divided.

    Returns:
        h of every row (G, R, H), and h after the last step of every sequence (G, N, H).
    """
    if mask is None:
        if constant is not None:
            (layer,) = layers
            z = _Repeated.apply(constant.z, packing)  # type: ignore[no-untyped-call]
            w_x = torch.cat([layer.w_x, constant.w])
            layers = [layer._replace(x=torch.cat([layer.x, z], dim=1), w_x=w_x)]
        both = [_library_lstm(layer, packing, compute, h0, c0) for layer in layers]
        return torch.stack([rows for rows, _ in both]), torch.stack([last for _, last in both])
    added = [torch.addmm(layer.b, layer.x, layer.w_x) for layer in layers]
    if constant is not None:
        each = constant.z @ constant.w
        added[0] = added[0] + _Repeated.apply(each, packing)  # type: ignore[no-untyped-call]
    w_h = torch.stack([layer.w_h for layer in layers])
    rows: Tensor
    last: Tensor
    rows, last = _DroppingSequence.apply(  # type: ignore[no-untyped-call]
        packing, compute, mask, keep, h0, c0, w_h, *added
    )
    return rows.transpose(0, 1), last.transpose(0, 1)


class _Repeated(torch.autograd.Function):
    """A row of every sequence repeated to all of its rows: (N, columns) to (R, columns).

    Backwards the rows of a sequence are added up in their order, so that the sum is the same
    every time, which it is not where threads add to one place.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, packing: Packing) -> Tensor:
        """Repeat."""
        n, (step, rank) = len(values), steps_and_ranks(packing)
        ranks, cells = copied([rank, step * n + rank], values.device)
        ctx.save_for_backward(cells)  # where each row stands in a table of steps by N
        ctx.n_steps, ctx.n = len(packing.batch_sizes), n
        return values.index_select(0, ranks)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """Add up."""
        (grad,) = grads
        (cells,) = ctx.saved_tensors
        table = grad.new_zeros(ctx.n_steps * ctx.n, grad.shape[1]).index_copy_(0, cells, grad)
        return table.view(ctx.n_steps, ctx.n, -1).sum(0), None


# without dropout


def _library_lstm(
    layer: Layer, packing: Packing, compute: torch.dtype, h0: Tensor | None, c0: Tensor | None
) -> tuple[Tensor, Tensor]:
    """One layer through torch's own LSTM: h of every row (R, H) and of every end (N, H).

    It would keep its cells in bfloat16 too, so in place of bfloat16 products it takes those of
    TensorFloat-32, where it has them, and only then.
    """
    x, _, w_h, b = layer
    if x.device.type == "cuda":
        _allow_tensor_float_32(compute is torch.bfloat16)
    parts = [
        _library_order(layer.w_x).t(),  # (4H, I)
        _library_order(w_h).t(),  # (4H, H)
        _library_order(b),
        torch.zeros_like(b),  # it has two biases
    ]
    flat = torch.cat([part.reshape(-1) for part in parts])  # cuDNN wants them side by side
    pieces = split_with_sizes(flat, [part.numel() for part in parts])
    weights = [piece.view(part.shape) for piece, part in zip(pieces, parts, strict=True)]
    zeros = x.new_zeros(packing.batch_sizes[0], len(w_h))
    state = [(zeros if part is None else part)[None].contiguous() for part in (h0, c0)]
    rows, h, _ = torch._VF.lstm(
        x,
        torch.tensor(packing.batch_sizes),  # stays on the CPU
        state,
        weights,
        True,  # has biases
        1,  # layers
        0.0,  # dropout between layers
        torch.is_grad_enabled(),  # keep what the way back needs
        False,  # in both directions
    )
    return rows, h[0]


def _library_order(weights: Tensor) -> Tensor:
    """Columns i, f, o, j in torch's order: i, f, j, o."""
    i, f, o, j = weights.chunk(4, dim=-1)
    return torch.cat([i, f, j, o], dim=-1)


def _allow_tensor_float_32(wanted: bool) -> None:
    """Let cuDNN round what it multiplies to 10 bits, or not; torch's own setting is that it may."""
    if torch.backends.cudnn.allow_tf32 != wanted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer torch has another name for it as well
            torch.backends.cudnn.allow_tf32 = wanted


# with dropout


def gates_forwards(
    product: Tensor, added: Tensor, before: Tensor, mask: Tensor, keep: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """From the product of a step to its gates and its state.

    Args:
        product: (n, 4H) h w_h, in the type of the products.
        added: (n, 4H) what x, the constant and the bias give.
        before: (n, H) c before the step.
        mask: (n, H) bool, False where the candidate is dropped.
        keep: probability of keeping.

    Returns:
        i, f, o, j after their functions, c, h, and h in the type of the products; (n, H).
    """
    i, f, o, j = (added + product).chunk(4, dim=1)
    i, f, o, j = i.sigmoid(), f.sigmoid(), o.sigmoid(), j.tanh()
    c = f * before + i * j * (mask.to(j.dtype) / keep)
    h = o * c.tanh()
    return i, f, o, j, c, h, h.to(product.dtype)


def gates_backwards(
    grad_h: Tensor,
    given: Tensor | None,
    grad_c: Tensor,
    gates: tuple[Tensor, Tensor, Tensor, Tensor],
    before: Tensor,
    c: Tensor,
    mask: Tensor,
    keep: float,
) -> tuple[Tensor, Tensor]:
    """From the gradients of a step's state to that of its product.

    Args:
        grad_h: (n, H) what later steps ask of h, in the type of the products.
        given: (n, H) what is asked of h besides, or None.
        grad_c: (n, H) of c after the step; becomes that of c before it.
        gates: i, f, o, j.
        before: (n, H) c before the step.
        c: (n, H) c after it.
        mask: (n, H) bool.
        keep: probability of keeping.

    Returns:
        (n, 4H) gradient of the product and of what was added to it, in the type of the cells
        and in that of the products.
    """
    i, f, o, j = gates
    scaled = mask.to(c.dtype) / keep
    t = c.tanh()
    dh = grad_h.to(c.dtype) if given is None else grad_h + given
    dc = grad_c + dh * o * (1 - t * t)
    di = dc * j * scaled * i * (1 - i)
    df = dc * before * f * (1 - f)
    do = dh * t * o * (1 - o)
    dj = dc * i * scaled * (1 - j * j)
    grad_c.copy_(dc * f)
    grad = torch.cat([di, df, do, dj], dim=1)
    return grad, grad.to(grad_h.dtype)


class _Kernels(NamedTuple):
    forwards: Callable[..., Any]
    backwards: Callable[..., Any]


EAGER = _Kernels(gates_forwards, gates_backwards)


@functools.cache
def _kernels(device_type: str, compute: torch.dtype) -> _Kernels:
    """The arithmetic between products, compiled where that can be."""
    if device_type != "cuda" or importlib.util.find_spec("triton") is None:
        return EAGER
    return _compiled(torch.device(device_type), compute, "inductor") or EAGER


@torch.no_grad()
def _compiled(device: torch.device, compute: torch.dtype, backend: Any) -> _Kernels | None:
    """Both functions compiled for any number of rows; None where this machine cannot.

    They are tried at once, on parts of larger tensors, as in a sequence: what a compiler learns
    from whole ones would not hold later.
    """
    kernels = _Kernels(*(torch.compile(part, dynamic=True, backend=backend) for part in EAGER))
    n, h, bases = 3, 7, iter((5, 9, 11, 13, 17, 19))  # no two alike: equality would be learned

    def part(columns: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(next(bases), columns, dtype=dtype, device=device)[:n]

    product = torch.zeros(n, 4 * h, dtype=compute, device=device)
    before, mask = part(h), part(h, torch.bool)
    try:
        *gates, c, _, _ = kernels.forwards(product, part(4 * h), before, mask, 0.9)
        kernels.backwards(part(h, compute), part(h), part(h), tuple(gates), before, c, mask, 0.9)
    except (RuntimeError, OSError, subprocess.SubprocessError):  # no compiler for the host's part
        return None
    return kernels


class _DroppingSequence(torch.autograd.Function):
    """LSTMs over packed rows with recurrent dropout on the candidate gate.

    Gates and sources: ``lstm_sequence.LSTMSequence``. What h is multiplied with and the gradients
    of the products are in the type ``compute``; gates, cells and sums in the weights' own.

    A sequence's G rows of a step stand one after the other, so that the sequences still alive are
    the first rows of everything. What a compiled function is given are first rows of tensors of
    two axes, without a history of gradients: for anything else it would be compiled once more.
    """

    @staticmethod
    def forward(
        ctx: Any,
        packing: Packing,
        compute: torch.dtype,
        mask: Tensor,
        keep: float,
        h0: Tensor | None,
        c0: Tensor | None,
        w_h: Tensor,
        *added: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Run all steps.

        Args:
            ctx: autograd context.
            packing: layout of the rows.
            compute: type of the products.
            mask: (G R, H) bool, a step's groups one after the other.
            keep: probability of keeping.
            h0: (N, H) or None: zeros; for G = 1 only.
            c0: (N, H) or None: zeros; for G = 1 only.
            w_h: (G, H, 4H).
            *added: (R, 4H) to the product of every row, for each layer.

        Returns:
            h of every row (R, G, H), and after the last step of every sequence (N, G, H).
        """
        groups, n_hidden = w_h.shape[:2]
        sizes = [groups * n for n in packing.batch_sizes]  # rows of each step
        parts = [part.detach() for part in added]
        all_added = w_h.new_empty(sum(sizes), 4 * n_hidden)
        torch.stack(parts, dim=1, out=all_added.view(-1, groups, 4 * n_hidden))
        masks = mask.new_empty(sum(sizes), n_hidden)
        by_sequence = [step.transpose(0, 1) for step in packing.steps(mask, groups)]
        torch.cat(by_sequence, out=masks.view(-1, groups, n_hidden))
        zeros = w_h.new_zeros(sizes[0], n_hidden)
        h_narrow = (zeros if h0 is None else zeros + h0.detach()).to(compute)
        c = zeros if c0 is None else zeros + c0.detach()
        weights = w_h.to(compute)
        forwards = _kernels(w_h.device.type, compute).forwards
        kept, hs, inputs = [], [], []
        for n, step_added, step_mask in zip(
            sizes,
            split_with_sizes(all_added, sizes),
            split_with_sizes(masks, sizes),
            strict=True,
        ):
            inputs.append(h_narrow[:n])
            before = c[:n]
            product = h_narrow.new_empty(n, 4 * n_hidden)
            _multiply(inputs[-1], weights, product)
            *gates, c, h, h_narrow = forwards(product, step_added, before, step_mask, keep)
            kept.append((tuple(gates), before, c, step_mask))
            hs.append(h)
        ends = [
            h[n_next:]
            for h, n_next in zip(reversed(hs), (0, *reversed(sizes[1:])), strict=True)
            if len(h) > n_next
        ]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(w_h)
        ctx.kept, ctx.inputs, ctx.compute, ctx.keep, ctx.sizes = kept, inputs, compute, keep, sizes
        ctx.has_state = h0 is not None, c0 is not None
        shape = (-1, groups, n_hidden)
        return torch.cat(hs).view(shape), torch.cat(ends).view(shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Back through all steps; the gradient of the weights is one product at the end."""
        grad_rows, grad_last = grads
        (w_h,) = ctx.saved_tensors
        kept, sizes = ctx.kept, ctx.sizes
        groups, n_hidden = w_h.shape[:2]
        weights_t = w_h.to(ctx.compute).transpose(1, 2)
        grad_c = w_h.new_zeros(sizes[0], n_hidden)
        grad_h = torch.zeros_like(grad_c)  # of rows that have ended: as they were left
        if grad_last is not None:
            grad_h.copy_(grad_last.reshape(grad_h.shape))
        grad_h = grad_h.to(ctx.compute)
        given: Sequence[Tensor | None] = [None] * len(sizes)
        if grad_rows is not None:
            all_given = w_h.new_empty(sum(sizes), n_hidden)
            all_given.view(grad_rows.shape).copy_(grad_rows)
            given = split_with_sizes(all_given, sizes)
        backwards = _kernels(w_h.device.type, ctx.compute).backwards
        step_grads = []
        for n, step_given in zip(reversed(sizes), reversed(given), strict=True):
            grad, narrow = backwards(grad_h[:n], step_given, grad_c[:n], *kept.pop(), ctx.keep)
            _multiply(narrow, weights_t, grad_h[:n])
            step_grads.append((grad, narrow))
        step_grads.reverse()
        grad_added = torch.cat([grad for grad, _ in step_grads])
        if ctx.compute is w_h.dtype:
            narrow = grad_added
        else:
            narrow = torch.cat([narrow for _, narrow in step_grads])
        rows = torch.cat(ctx.inputs).view(-1, groups, n_hidden)
        grad_w = torch.bmm(rows.permute(1, 2, 0), _by_layer(narrow, groups)).to(w_h.dtype)
        has_h0, has_c0 = ctx.has_state
        return (
            *(None, None, None, None),
            grad_h.to(w_h.dtype) if has_h0 else None,
            grad_c if has_c0 else None,
            grad_w,
            *grad_added.view(-1, groups, 4 * n_hidden).unbind(1),
        )


def _by_layer(rows: Tensor, groups: int) -> Tensor:
    """The rows (n G, columns) of each layer: (G, n, columns)."""
    return rows.view(-1, groups, rows.shape[1]).transpose(0, 1)


def _multiply(rows: Tensor, weights: Tensor, result: Tensor) -> None:
    """Rows (n G, I) times the weights (G, I, O) of their layers, into the result (n G, O)."""
    groups = len(weights)
    torch.bmm(_by_layer(rows, groups), weights, out=_by_layer(result, groups))
