"""The network in use, in plain numpy: encoder, decoder step and unrolled decoder.

Symbols: N sketches, T steps, H hidden size, E encoder size, Z latent size, W words, M mixtures,
C numbers that stay the same for a sketch: its latent and what stands for its word.

Everything is cut to what ink costs: no row is computed after its sketch has ended, and the part
of the input that stays the same for a whole sketch is multiplied once. A step is a cell's, see
``cells``; everything here serves any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.inference.cells import MOVE, Cell, Memory, cell_of
from sketchrnn_cli.inference.products import Matrix
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.sketches.sketch import START

Array = npt.NDArray[np.float32]
Rows = slice | npt.NDArray[np.intp]

UNROLL_ROWS, UNROLL_STEPS = 256, 16384  # sketches at once, and their steps in all


class Network(Protocol):
    """What sampler and score ask of an engine, here or on a device."""

    checkpoint: Checkpoint

    def encode(self, moves: Sequence[Array]) -> tuple[Array, Array]:
        """Latents of sketches."""
        ...

    def unroll(self, inputs: Sequence[Array], constant: Array | None) -> list[Array]:
        """Raw outputs of the decoder after every given input."""
        ...

    def memory(self, capacity: int) -> Decoding:
        """Room for sketches being drawn."""
        ...


class Decoding(Protocol):
    """Sketches being drawn: the live ones are the first rows."""

    def start(self, rows: npt.NDArray[np.intp], constant: Array | None) -> None:
        """Let new sketches begin in these rows."""
        ...

    def step(self, moves: Array) -> Array:
        """Feed one stroke-5 row to each live sketch; gives raw outputs, valid until the next."""
        ...

    def move(self, source: npt.NDArray[np.intp], target: npt.NDArray[np.intp]) -> None:
        """Put the sketches of some rows in the place of others."""
        ...


class Engine:
    """Encoder and decoder of one checkpoint, on the CPU."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        config, w = checkpoint.config, checkpoint.weights
        self.checkpoint = checkpoint
        self.cell = cell_of(config.cell, w, "decoder.cell")
        self.out = Matrix(w["decoder.out_w"] * np.float32(0.5))  # its input is 2h
        self.out_b = w["decoder.out_b"]
        self._readers: tuple[Cell, Cell] | None = None

    def encode(self, moves: Sequence[Array]) -> tuple[Array, Array]:
        """Read each sketch to its real end, forwards and backwards.

        Args:
            moves: (P, 3) stroke-3 each, model units.

        Returns:
            mu and sigma, (N, Z) each.

        Raises:
            BadCheckpoint: a decoder-only model.
        """
        if not self.checkpoint.config.encoder:
            raise no_encoder()
        w = self.checkpoint.weights
        if self._readers is None:  # a model that only draws never pays for them
            kind = self.checkpoint.config.encoder_cell
            self._readers = (cell_of(kind, w, "encoder.fw"), cell_of(kind, w, "encoder.bw"))
        size = self.checkpoint.config.encoder_size
        last = np.empty((len(moves), 2 * size), np.float32)  # h at each end, both directions
        rows = [stroke5(m) for m in moves]
        for batch in _batches([len(m) for m in moves]):
            for k, (reader, order) in enumerate(zip(self._readers, (1, -1), strict=True)):
                memory = reader.memory(len(batch), n_out=0, shared=True)
                for _ in _run(reader, memory, [rows[i][::order] for i in batch]):
                    pass
                last[batch, k * size : (k + 1) * size] = 0.5 * memory.input[:, :size]
        mu = last @ w["encoder.mu_w"] + w["encoder.mu_b"]
        presig = last @ w["encoder.presig_w"] + w["encoder.presig_b"]
        return mu, np.exp(presig * 0.5)

    def memory(self, capacity: int) -> EngineDecoding:
        """Room for so many sketches being drawn at once."""
        shared = not self.checkpoint.config.constant_size
        memory = self.cell.memory(capacity, n_out=len(self.out_b), shared=shared)
        return EngineDecoding(self, memory)

    def unroll(self, inputs: Sequence[Array], constant: Array | None) -> list[Array]:
        """Run the decoder over given inputs.

        Args:
            inputs: (T, 5) stroke-5 rows each, beginning with the start token.
            constant: (N, C), see ``condition``.

        Returns:
            (T, 3 + 6M) raw outputs each: predictions after every input.
        """
        lengths = [len(rows) for rows in inputs]
        result: list[Array] = [np.empty((0, len(self.out_b)), np.float32)] * len(inputs)
        size = self.cell.size
        for batch in _batches(lengths):
            decoding = self.memory(len(batch))
            decoding.start(np.arange(len(batch)), None if constant is None else constant[batch])
            ends = np.cumsum([lengths[i] for i in batch])
            begins = ends - [lengths[i] for i in batch]
            hidden = np.empty((ends[-1], size), np.float32)
            steps = _run(self.cell, decoding.memory, [inputs[i] for i in batch])
            for t, h2 in enumerate(steps):
                hidden[begins[: len(h2)] + t] = h2
            raw = hidden @ self.out.w
            raw += self.out_b
            for i, begin, end in zip(batch, begins, ends, strict=True):
                result[i] = raw[begin:end]
        return result

    def forward(self, moves: Sequence[Array], constant: Array | None) -> list[Array]:
        """Raw outputs for all P + 1 predictions of each sketch, given its own moves.

        Args:
            moves: (P, 3) stroke-3 each, model units.
            constant: (N, C), see ``condition``.
        """
        return self.unroll([decoder_input(m) for m in moves], constant)


class EngineDecoding:
    """Sketches being drawn by an ``Engine``."""

    def __init__(self, engine: Engine, memory: Memory) -> None:
        self.engine = engine
        self.memory = memory

    def start(self, rows: npt.NDArray[np.intp], constant: Array | None) -> None:
        """Let new sketches begin in these rows, from ``condition`` (n, C) or from zeros."""
        engine, memory = self.engine, self.memory
        if not engine.checkpoint.config.constant_size:
            engine.cell.start(memory, rows, None, None)
            return
        w = engine.checkpoint.weights
        if constant is None:
            raise BadConfig("this model draws from latents or words, and none were given")
        state = np.tanh(constant @ w["decoder.start_w"] + w["decoder.start_b"])  # (n, S)
        engine.cell.start(memory, rows, state, constant)

    def step(self, moves: Array) -> Array:
        """Feed one stroke-5 row to each of the first n sketches.

        Args:
            moves: (n, 5), model units.

        Returns:
            (n, 3 + 6M) raw outputs, overwritten by the next step.
        """
        n, size = len(moves), self.engine.cell.size
        self.memory.input[:n, size : size + MOVE] = moves
        output = self.memory.output[:n]
        self.engine.out.multiply(self.engine.cell.step(self.memory, n), output)
        output += self.engine.out_b
        return output

    def move(self, source: npt.NDArray[np.intp], target: npt.NDArray[np.intp]) -> None:
        """Put the sketches of some rows in the place of others."""
        self.memory.move(source, target)


def stroke5(moves: Array) -> Array:
    """Stroke-3 moves (P, 3) as stroke-5 rows (P, 5), without the end row."""
    rows = np.zeros((len(moves), MOVE), np.float32)
    rows[:, :2] = moves[:, :2]
    lift = moves[:, 2] >= 1
    rows[:, 2] = ~lift
    rows[:, 3] = lift
    return rows


def decoder_input(moves: Array) -> Array:
    """The start token and all moves, (P + 1, 5): one input for every prediction."""
    return np.concatenate([np.array([START], np.float32), stroke5(moves)])


def to_model(moves: Array, scale_factor: float) -> Array:
    """Stroke-3 moves in data units as the network reads them: clipped to +-1000 and scaled."""
    rows = np.array(moves, np.float32)
    rows[:, :2] = np.clip(rows[:, :2], -1000, 1000) / np.float32(scale_factor)
    return rows


def no_encoder() -> BadCheckpoint:
    """The error of asking a decoder-only model for latents, or giving it some."""
    return BadCheckpoint(
        "the model is decoder-only and knows no latents; use one trained with an encoder"
    )


def _batches(lengths: Sequence[int]) -> Iterator[npt.NDArray[np.intp]]:
    """Indices of sketches that run together: of like length, longest first."""
    order = np.argsort(-np.asarray(lengths, np.intp), kind="stable")
    begin = steps = 0
    for k, index in enumerate(order):
        if k > begin and (k - begin == UNROLL_ROWS or steps + lengths[index] > UNROLL_STEPS):
            yield order[begin:k]
            begin, steps = k, 0
        steps += lengths[index]
    if len(order):
        yield order[begin:]


def _run(cell: Cell, memory: Memory, inputs: Sequence[Array]) -> Iterator[Array]:
    """Feed given rows, longest sketch first; yields 2h of those that still have a row."""
    lengths = np.array([len(rows) for rows in inputs])
    n_alive = (lengths[:, None] > np.arange(lengths.max(initial=0))).sum(0)  # of each step
    begins = np.cumsum(lengths) - lengths
    rows = np.concatenate(inputs) if len(inputs) else np.zeros((0, MOVE), np.float32)
    for t, n in enumerate(n_alive.tolist()):
        memory.input[:n, cell.size : cell.size + MOVE] = rows[begins[:n] + t]
        yield cell.step(memory, n)
