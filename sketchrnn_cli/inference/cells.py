"""One step of every recurrent cell, in plain numpy, in place.

A step begins with one large product, ``[2h, move] @ [w_h / 2; w_x]``. Gates i, f, o are sigmoids,
taken as ``(1 + tanh(x / 2)) / 2``, so that one tanh serves all four gates. The halves are folded
into the weights (which is exact) and h is kept doubled.

Symbols: N sketches, H hidden size, Y that of a hyper cell's small network, D numbers an embedding,
S numbers of a state, C constant inputs of a sketch, M mixtures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.inference.products import Matrix

Array = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

MOVE = 5  # width of a stroke-5 row
EPSILON = np.float32(1e-3)  # of layer normalisation, see ``model.gates.NormGates``


@dataclass(frozen=True, slots=True)
class Memory:
    """What a cell knows of up to ``capacity`` sketches; the live ones are the first rows."""

    input: Array  # (capacity, K): 2h, the last move as a stroke-5 row, zeros up to K
    c: Array  # (capacity, H)
    constant: Array  # (capacity, 4H), or (1, 4H) where all sketches share it
    gates: Array  # (capacity, 4H), scratch
    output: Array  # (capacity, 3 + 6M), scratch
    more: dict[str, Array] = field(default_factory=dict)  # of a sketch each row, as a cell needs

    def move(self, source: Rows, target: Rows) -> None:
        """Put the sketches of some rows in the place of others."""
        for part in (self.input, self.c, self.constant, *self.more.values()):
            if len(part) == len(self.c):  # not what all sketches share
                part[target] = part[source]


class LstmCell:
    """The plain LSTM, and what the engine asks of any cell."""

    def __init__(self, w: Mapping[str, Array]) -> None:
        size = w["w_h"].shape[0]
        self.size = size
        self.half = np.ones(4 * size, np.float32)
        self.half[: 3 * size] = 0.5
        self.width = _whole(size + MOVE)
        matrix = np.zeros((self.width, 4 * size), np.float32)
        np.multiply(w["w_h"], self.half * 0.5, out=matrix[:size])
        np.multiply(w["w_x"], self.half, out=matrix[size : size + MOVE])
        self.matrix = Matrix(matrix)
        self.b = w["b"] * self.half
        self.w_const = w["w_const"] * self.half if "w_const" in w else None

    def memory(self, capacity: int, *, n_out: int, shared: bool) -> Memory:
        """Room for so many sketches, all of them before their first step, at zeros.

        Args:
            capacity: sketches.
            n_out: numbers that the network puts out.
            shared: no sketch has constant inputs of its own.
        """
        constant = np.empty((1 if shared else capacity, 4 * self.size), np.float32)
        constant[:] = self.b
        return Memory(
            np.zeros((capacity, self.width), np.float32),
            np.zeros((capacity, self.size), np.float32),
            constant,
            np.empty((capacity, 4 * self.size), np.float32),
            np.empty((capacity, n_out), np.float32),
        )

    def start(self, memory: Memory, rows: Rows, state: Array | None, cond: Array | None) -> None:
        """Put sketches before their first step in these rows.

        Args:
            memory: of this cell.
            rows: n of them.
            state: (n, S) c, h and what else; None: zeros.
            cond: (n, C) constant inputs, or None: none.
        """
        size = self.size
        memory.c[rows] = 0 if state is None else state[:, :size]
        memory.input[rows, :size] = 0 if state is None else 2 * state[:, size : 2 * size]
        if cond is not None and self.w_const is not None:
            memory.constant[rows] = cond @ self.w_const + self.b

    def step(self, memory: Memory, n: int) -> Array:
        """Advance the first n sketches by the move in ``memory.input``; gives 2h, (n, H)."""
        size = self.size
        gates, c = memory.gates[:n], memory.c[:n]
        self.matrix.multiply(memory.input[:n], gates)
        gates += memory.constant[:n]
        np.tanh(gates, out=gates)
        _advance(gates, c)
        j = gates[:, 3 * size :]
        np.tanh(c, out=j)
        h2 = memory.input[:n, :size]
        np.multiply(gates[:, 2 * size : 3 * size], j, out=h2)
        return h2


class LayerNormCell(LstmCell):
    """The LSTM with normalised gates and cell, see ``model.gates.NormGates``."""

    def __init__(self, w: Mapping[str, Array]) -> None:
        super().__init__({**w, "b": np.zeros_like(w["b"])})
        self.norms = Norms(w["gain"], w["b"], w["cell_gain"], w["cell_b"])
        # nothing is halved before it is normalised
        self.matrix.w /= self.half
        self.w_const = w.get("w_const")

    def step(self, memory: Memory, n: int) -> Array:
        """See ``LstmCell``."""
        gates, h2 = memory.gates[:n], memory.input[:n, : self.size]
        self.matrix.multiply(memory.input[:n], gates)
        gates += memory.constant[:n]
        self.norms.step(gates, memory.c[:n], h2)
        return h2


class Norms:
    """What comes between products where gates and cell are normalised."""

    def __init__(self, gain: Array, b: Array, cell_gain: Array, cell_b: Array) -> None:
        size = len(cell_gain)
        half = np.ones(4 * size, np.float32)
        half[: 3 * size] = 0.5
        self.gain, self.b = gain * half, b * half
        self.cell_gain, self.cell_b = cell_gain, cell_b

    def step(self, gates: Array, c: Array, h2: Array) -> None:
        """From sums of products (n, 4H), overwritten, and c (n, H) to the next c and 2h (n, H)."""
        n, size = c.shape
        _normalise(gates.reshape(4 * n, size))
        gates *= self.gain
        gates += self.b
        np.tanh(gates, out=gates)
        _advance(gates, c)
        out = gates[:, 3 * size :]
        out[:] = c
        _normalise(out)
        out *= self.cell_gain
        out += self.cell_b
        np.tanh(out, out=out)
        np.multiply(gates[:, 2 * size : 3 * size], out, out=h2)


class HyperCell:
    """An LSTM whose products a small layer-norm LSTM scales, see ``model.hyper_gates``.

    Its input row is ``[2h, move, 2 small_h]``; ``memory.constant`` is what x w_x gets of the
    constant inputs, and ``more`` holds what belongs to the small network.
    """

    def __init__(self, w: Mapping[str, Array]) -> None:
        size, small = w["w_h"].shape[0], w["small_w_h"].shape[0]
        self.size, self.small = size, small
        self.width = _whole(size + MOVE + small)
        self.w_x = w["w_x"]
        self.matrix = Matrix(w["w_h"] * np.float32(0.5))
        small_w = np.zeros((self.width, 4 * small), np.float32)
        small_w[:size] = 0.5 * w["small_w_y"]
        small_w[size : size + MOVE] = w["small_w_x"]
        small_w[size + MOVE : size + MOVE + small] = 0.5 * w["small_w_h"]
        self.small_matrix = Matrix(small_w)
        self.sum_b = w["sum_b"]
        self.w_const, self.small_w_const = w.get("w_const"), w.get("small_w_const")
        self.norms = Norms(w["gain"], w["b"], w["cell_gain"], w["cell_b"])
        self.small_norms = Norms(
            w["small_gain"], w["small_b"], w["small_cell_gain"], w["small_cell_b"]
        )
        self.embed_matrix = Matrix(w["embed_w"] * np.float32(0.5))
        self.embed_b = np.zeros(w["embed_w"].shape[1], np.float32)
        self.embed_b[: len(w["embed_b"])] = w["embed_b"]
        self.scale_w = w["scale_w"]  # (12, D, H)

    def memory(self, capacity: int, *, n_out: int, shared: bool) -> Memory:
        """See ``LstmCell``."""
        own = 1 if shared else capacity
        return Memory(
            np.zeros((capacity, self.width), np.float32),
            np.zeros((capacity, self.size), np.float32),
            np.zeros((own, 4 * self.size), np.float32),
            np.empty((capacity, 4 * self.size), np.float32),
            np.empty((capacity, n_out), np.float32),
            {
                "c": np.zeros((capacity, self.small), np.float32),
                "constant": np.zeros((own, 4 * self.small), np.float32),
            },
        )

    def start(self, memory: Memory, rows: Rows, state: Array | None, cond: Array | None) -> None:
        """See ``LstmCell``."""
        size, small = self.size, self.small
        own = slice(size + MOVE, size + MOVE + small)
        if state is None:
            state = np.zeros((len(rows), 2 * size + 2 * small), np.float32)
        c, h, small_c, small_h = np.split(state, [size, 2 * size, 2 * size + small], axis=1)
        memory.c[rows], memory.more["c"][rows] = c, small_c
        memory.input[rows, :size] = 2 * h
        memory.input[rows, own] = 2 * small_h
        if cond is not None and self.w_const is not None and self.small_w_const is not None:
            memory.constant[rows] = cond @ self.w_const
            memory.more["constant"][rows] = cond @ self.small_w_const

    def step(self, memory: Memory, n: int) -> Array:
        """See ``LstmCell``."""
        size, small = self.size, self.small
        rows = memory.input[:n]
        h2, move = rows[:, :size], rows[:, size : size + MOVE]
        small_h2 = rows[:, size + MOVE : size + MOVE + small]
        inner = np.empty((n, 4 * small), np.float32)
        self.small_matrix.multiply(rows, inner)
        inner += memory.more["constant"][:n]
        self.small_norms.step(inner, memory.more["c"][:n], small_h2)

        embedded = np.empty((n, len(self.embed_b)), np.float32)
        self.embed_matrix.multiply(small_h2, embedded)
        embedded += self.embed_b
        scales = np.matmul(embedded.reshape(n, 12, -1).transpose(1, 0, 2), self.scale_w)
        by_gate = memory.gates[:n].reshape(n, 4, size).transpose(1, 0, 2)  # (4, n, H)
        recurrent = np.empty((n, 4 * size), np.float32)
        self.matrix.multiply(h2, recurrent)
        read = move @ self.w_x
        read += memory.constant[:n]
        np.multiply(scales[:4], read.reshape(n, 4, size).transpose(1, 0, 2), out=by_gate)
        scales[4:8] *= recurrent.reshape(n, 4, size).transpose(1, 0, 2)
        by_gate += scales[4:8]
        by_gate += scales[8:]
        memory.gates[:n] += self.sum_b
        self.norms.step(memory.gates[:n], memory.c[:n], h2)
        return h2


Cell = LstmCell | HyperCell


def cell_of(kind: str, weights: Mapping[str, Array], prefix: str) -> Cell:
    """The cell whose weights have names with this prefix; kind is one of ``config.CELLS``."""
    start = prefix + "."
    w = {name[len(start) :]: array for name, array in weights.items() if name.startswith(start)}
    if kind == "hyper":
        return HyperCell(w)
    return LayerNormCell(w) if kind == "layer-norm" else LstmCell(w)


def _advance(gates: Array, c: Array) -> None:
    """The next c, from gates (n, 4H) after their tanh; i, f, o become doubled sigmoids."""
    size = c.shape[1]
    gates[:, : 3 * size] += 1
    i, f, _, j = (gates[:, k * size : (k + 1) * size] for k in range(4))
    np.multiply(i, j, out=i)
    np.multiply(f, c, out=f)
    np.add(i, f, out=c)
    np.multiply(c, 0.5, out=c)


def _normalise(rows: Array) -> None:
    """Every row to mean 0 and deviation 1, in place."""
    rows -= rows.mean(1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows)[:, None]
    variance /= rows.shape[1]
    variance += EPSILON
    rows /= np.sqrt(variance, out=variance)


def _whole(width: int) -> int:
    return -(-width // 16) * 16  # BLAS likes whole vectors
