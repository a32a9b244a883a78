"""A model as ONNX files: a decoder step, the encoder, the latent prior. Wants the extra `onnx`.

Symbols: N sketches, T steps, Z latent size, V words, M mixtures, H hidden units, Y those of a
hyper cell's small network, D numbers an embedding, S numbers of the state.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadCheckpoint, BadConfig
from sketchrnn_cli.model.checkpoint import Checkpoint

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8  # onnxruntime from 1.12 on
EPSILON = 1e-3  # of layer normalisation, see ``model.gates.NormGates``
LARGEST = 2**31 - 2**16  # bytes of weights in a protobuf


def check() -> None:
    """Look whether the package that writes ONNX is there, without loading it.

    Raises:
        BadConfig: it is not; says how it is installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise BadConfig("ONNX files need the package onnx: pip install 'sketchrnn[onnx]'")


def files_of(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The files of a model, by what goes before ``.onnx`` in their names.

    ``""`` is the decoder step, ``".encoder"`` the encoder and ``".prior"`` the latent prior, each
    where the model has one; docs/formats.md has inputs and outputs.

    Raises:
        BadCheckpoint: more weights than a file holds.
    """
    if sum(array.nbytes for array in checkpoint.weights.values()) > LARGEST:
        raise BadCheckpoint("the model has more than 2 GB of weights, and an ONNX file holds less")
    graphs = {"": _decoder}
    if checkpoint.config.encoder:
        graphs[".encoder"] = _encoder
    if "latent.mean" in checkpoint.weights:
        graphs[".prior"] = _prior
    return {name: _bytes(make(checkpoint), checkpoint) for name, make in graphs.items()}


def _bytes(graph: onnx.GraphProto, checkpoint: Checkpoint) -> bytes:
    from onnx import helper

    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, producer_name="sketchrnn", ir_version=IR_VERSION, opset_imports=opset
    )
    facts = {
        "scale_factor": checkpoint.scale_factor,
        "words": checkpoint.words,
        "config": asdict(checkpoint.config),
        "preparation": checkpoint.preparation,
        "n_max": checkpoint.n_max,
    }
    helper.set_model_props(model, {name: json.dumps(fact) for name, fact in facts.items()})
    data: bytes = model.SerializeToString(deterministic=True)
    return data


class _Nodes:
    """Nodes of a graph in their order. Those of its branches and loops use its weights."""

    def __init__(self, outer: _Nodes | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: dict[str, npt.NDArray[Any]] = outer.arrays if outer else {}
        self.numbers: count[int] = outer.numbers if outer else count()

    def __call__(self, kind: str, *inputs: str, n: int = 0, **attributes: Any) -> Any:
        """Add a node; gives the name of its output, or the names of n."""
        from onnx import helper

        outputs = [f"{kind.lower()}_{next(self.numbers)}" for _ in range(n or 1)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs if n else outputs[0]

    def array(self, values: Any, name: str | None = None) -> str:
        """A constant of the graph; gives its name."""
        name = name or f"constant_{next(self.numbers)}"
        self.arrays[name] = np.asarray(values)
        return name

    def floats(self, values: Any) -> str:
        """A constant of float32."""
        return self.array(np.asarray(values, np.float32))

    def linear(self, x: str, w: str, b: str) -> str:
        """``x @ w + b``."""
        return str(self("Add", self("MatMul", x, w), b))

    def split(self, x: str, sizes: Sequence[int]) -> list[str]:
        """Columns of x, so many each."""
        parts: list[str] = self("Split", x, self.array(sizes), n=len(sizes), axis=-1)
        return parts

    def name(self, outputs: Mapping[str, str]) -> None:
        """Give outputs the names that the graph has for them."""
        from onnx import helper

        for name, output in outputs.items():
            self.nodes.append(helper.make_node("Identity", [output], [name]))

    def graph(
        self, name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any], *, inner: bool
    ) -> onnx.GraphProto:
        """The graph, from names with type and shape; an inner one uses the weights outside."""
        from onnx import TensorProto, helper, numpy_helper

        def values(named: Mapping[str, Any]) -> list[onnx.ValueInfoProto]:
            types = {bool: TensorProto.BOOL, int: TensorProto.INT64, float: TensorProto.FLOAT}
            return [
                helper.make_tensor_value_info(key, types[kind], shape)
                for key, (kind, shape) in named.items()
            ]

        arrays = {} if inner else self.arrays
        weights = [numpy_helper.from_array(array, key) for key, array in arrays.items()]
        return helper.make_graph(self.nodes, name, values(inputs), values(outputs), weights)


class _Cell:
    """A recurrent cell whose weights have names with this prefix; see ``inference.cells``."""

    def __init__(self, nodes: _Nodes, kind: str, checkpoint: Checkpoint, prefix: str) -> None:
        start = prefix + "."
        found = sorted(checkpoint.weights.items())  # safetensors hands them out in any order
        self.w = {k[len(start) :]: nodes.array(a, k) for k, a in found if k.startswith(start)}
        self.kind, self.scale_w = kind, checkpoint.weights.get(start + "scale_w")
        size = len(checkpoint.weights[start + "w_h"])
        small = len(checkpoint.weights[start + "small_w_h"]) if kind == "hyper" else 0
        self.sizes = [size, size, *[small, small] * (kind == "hyper")]  # c, h; small c, small h
        names = ["w_const", *["small_w_const"] * (kind == "hyper")]
        self.const = [self.w[name] for name in names if name in self.w]  # of constant inputs
        self.const_sizes = [4 * size, 4 * small][: len(self.const)]

    def step(
        self, nodes: _Nodes, move: str, state: Sequence[str], constant: Sequence[str]
    ) -> list[str]:
        """The next c, h and what else, from a move (N, 5) and products of constant inputs."""
        c, h, *small = state
        w, parts = self.w, list(constant)

        def total(x: str, k: int) -> str:
            """With the product of the constant inputs, where there are any."""
            return str(nodes("Add", x, parts[k])) if parts else x

        read = total(nodes("MatMul", move, w["w_x"]), 0)
        recurrent = nodes("MatMul", h, w["w_h"])
        if self.kind == "hyper":
            small_c, small_h = small
            inner = total(nodes("MatMul", move, w["small_w_x"]), 1)
            for of, by in ((h, w["small_w_y"]), (small_h, w["small_w_h"])):
                inner = nodes("Add", inner, nodes("MatMul", of, by))
            small = self._advance(nodes, inner, small_c, "small_")
            scale_x, scale_h, shift = self._scales(nodes, small[1])
            gates = nodes("Mul", scale_x, read)
            gates = nodes("Add", gates, nodes("Mul", scale_h, recurrent))
            gates = nodes("Add", nodes("Add", gates, shift), w["sum_b"])
        else:
            gates = nodes("Add", read, recurrent)
        return [*self._advance(nodes, gates, c, ""), *small]

    def _scales(self, nodes: _Nodes, small_h: str) -> list[str]:
        """What scales x, what scales h and what shifts the gates, (N, 4H) each."""
        assert self.scale_w is not None
        n_parts, d, size = self.scale_w.shape  # 12, D, H
        bias = nodes("Pad", self.w["embed_b"], nodes.array([0, 4 * d]))
        embedded = nodes.linear(small_h, self.w["embed_w"], bias)
        parts = nodes("Reshape", embedded, nodes.array([0, n_parts, d]))
        scales = nodes("MatMul", nodes("Transpose", parts, perm=[1, 0, 2]), self.w["scale_w"])
        flat = nodes("Transpose", scales, perm=[1, 0, 2])  # (N, 12, H)
        flat = nodes("Reshape", flat, nodes.array([0, n_parts * size]))
        return nodes.split(flat, [4 * size] * 3)

    def _advance(self, nodes: _Nodes, gates: str, c: str, small: str) -> list[str]:
        """The next c and h from sums of products (N, 4H)."""
        size = self.sizes[2 if small else 0]
        w = {
            name: self.w.get(f"{small}{name}", "") for name in ("gain", "b", "cell_gain", "cell_b")
        }
        normed = self.kind != "lstm"
        if normed:
            gates = nodes("Reshape", gates, nodes.array([0, 4, size]))
            gates = nodes("Reshape", _normalised(nodes, gates, size), nodes.array([0, 4 * size]))
            gates = nodes("Mul", gates, w["gain"])
        i, f, o, j = nodes.split(nodes("Add", gates, w["b"]), [size] * 4)
        i, f, o = (nodes("Sigmoid", gate) for gate in (i, f, o))
        kept, added = nodes("Mul", f, c), nodes("Mul", i, nodes("Tanh", j))
        c = out = nodes("Add", kept, added)
        if normed:
            out = nodes("Mul", _normalised(nodes, c, size), w["cell_gain"])
            out = nodes("Add", out, w["cell_b"])
        return [c, nodes("Mul", o, nodes("Tanh", out))]


def _normalised(nodes: _Nodes, x: str, size: int) -> Any:
    """Rows to mean 0 and deviation 1."""
    return nodes("LayerNormalization", x, nodes.floats(np.ones(size)), epsilon=EPSILON)


def _decoder(checkpoint: Checkpoint) -> onnx.GraphProto:
    """A move and the state in; the distribution of the next move and the next state out."""
    config, m = checkpoint.config, checkpoint.config.n_mixtures
    nodes = _Nodes()
    cell = _Cell(nodes, config.cell, checkpoint, "decoder.cell")
    sizes = cell.sizes + cell.const_sizes
    given: dict[str, Any] = {"z": (float, ("N", config.latent_size))} if config.encoder else {}
    if config.n_words:
        given["labels"] = (float, ("N", config.n_words + 1))
    state = _begun(nodes, cell, checkpoint, (float, ("N", sum(sizes))))
    parts = nodes.split(state, sizes)
    n_state = len(cell.sizes)
    next_parts = cell.step(nodes, "move", parts[:n_state], parts[n_state:])
    out_w, out_b = (
        nodes.array(checkpoint.weights[k], k) for k in ("decoder.out_w", "decoder.out_b")
    )
    raw = nodes.linear(next_parts[1], out_w, out_b)
    pen, weights, mean, log_std, rho = nodes.split(raw, [3, m, 2 * m, 2 * m, m])
    pairs, swap = nodes.array([0, 2, m]), [0, 2, 1]
    mean, log_std = (
        nodes("Transpose", nodes("Reshape", x, pairs), perm=swap) for x in (mean, log_std)
    )
    nodes.name(
        {
            "pen": pen,
            "mixture": weights,
            "mean": mean,
            "std": nodes("Exp", log_std),
            "rho": nodes("Tanh", rho),
            "next_state": nodes("Concat", *next_parts, *parts[n_state:], axis=-1),
        }
    )
    inputs = {"move": (float, ("N", 5)), "state": (float, ("N", sum(sizes))), "first": (bool, ())}
    outputs = {
        "pen": (float, ("N", 3)),
        "mixture": (float, ("N", m)),
        "mean": (float, ("N", m, 2)),
        "std": (float, ("N", m, 2)),
        "rho": (float, ("N", m)),
        "next_state": (float, ("N", sum(sizes))),
    }
    return nodes.graph("decoder_step", inputs | given, outputs, inner=False)


def _begun(nodes: _Nodes, cell: _Cell, checkpoint: Checkpoint, shape: Any) -> Any:
    """The state that was given; on the first step that of z and labels, or zeros."""
    config = checkpoint.config
    first, later = _Nodes(nodes), _Nodes(nodes)
    w = {
        name: nodes.array(checkpoint.weights[f"decoder.{name}"], f"decoder.{name}")
        for name in ("words", "start_w", "start_b")
        if f"decoder.{name}" in checkpoint.weights
    }
    parts = []
    if config.encoder:
        parts.append(first("Tanh", "z") if checkpoint.training.get("tanh_z") else "z")
    if config.n_words:
        parts.append(first("MatMul", "labels", w["words"]))
    if parts:
        cond = first("Concat", *parts, axis=-1)
        start = first("Tanh", first.linear(cond, w["start_w"], w["start_b"]))
        products = [first("MatMul", cond, each) for each in cell.const]
        first.name({"state_at_first": first("Concat", start, *products, axis=-1)})
    else:
        first.name({"state_at_first": first("Mul", "state", first.floats(0))})
    later.name({"state_later": "state"})
    return nodes(
        "If",
        "first",
        then_branch=first.graph("at_first", {}, {"state_at_first": shape}, inner=True),
        else_branch=later.graph("later", {}, {"state_later": shape}, inner=True),
    )


def _encoder(checkpoint: Checkpoint) -> onnx.GraphProto:
    """Padded stroke-5 rows and the lengths in; mu and sigma out."""
    config, w = checkpoint.config, checkpoint.weights
    nodes = _Nodes()
    n_rows = nodes("Shape", "lengths")
    rows = nodes("Transpose", "moves", perm=[1, 0, 2])  # (T, N, 5)
    n_steps = nodes("Gather", nodes("Shape", rows), nodes.array(0))
    steps = nodes("Range", nodes.array(0), n_steps, nodes.array(1))
    steps = nodes("Unsqueeze", steps, nodes.array([1, 2]))  # (T, 1, 1)
    alive = nodes("Less", steps, nodes("Unsqueeze", "lengths", nodes.array([1])))  # (T, N, 1)
    last = []
    for direction in ("fw", "bw"):
        if direction == "bw":
            rows = nodes("ReverseSequence", rows, "lengths", batch_axis=1, time_axis=0)
        cell = _Cell(nodes, config.encoder_cell, checkpoint, f"encoder.{direction}")
        last.append(_scan(nodes, cell, n_rows, rows, alive))
    h = nodes("Concat", *last, axis=-1)
    named = {
        name: nodes.array(w[f"encoder.{name}"], f"encoder.{name}")
        for name in ("mu_w", "mu_b", "presig_w", "presig_b")
    }
    presig = nodes.linear(h, named["presig_w"], named["presig_b"])
    sigma = nodes("Exp", nodes("Mul", presig, nodes.floats(0.5)))
    nodes.name({"mu": nodes.linear(h, named["mu_w"], named["mu_b"]), "sigma": sigma})
    inputs = {"moves": (float, ("N", "T", 5)), "lengths": (int, ("N",))}
    size = (float, ("N", config.latent_size))
    return nodes.graph("encoder", inputs, {"mu": size, "sigma": size}, inner=False)


def _scan(nodes: _Nodes, cell: _Cell, n_rows: str, rows: str, alive: str) -> str:
    """The h after the last row of every sketch, (N, H)."""
    body, k = _Nodes(nodes), next(nodes.numbers)
    before = {f"before_{k}_{i}": (float, ("N", size)) for i, size in enumerate(cell.sizes)}
    after = {name.replace("before", "after"): shape for name, shape in before.items()}
    new = cell.step(body, f"row_{k}", list(before), [])
    kept = (body("Where", f"alive_{k}", b, a) for a, b in zip(before, new, strict=True))
    body.name(dict(zip(after, kept, strict=True)))
    scanned = {f"row_{k}": (float, ("N", 5)), f"alive_{k}": (bool, ("N", 1))}
    zeros = [
        nodes("ConstantOfShape", nodes("Concat", n_rows, nodes.array([size]), axis=0))
        for size in cell.sizes
    ]
    last: list[str] = nodes(
        "Scan",
        *zeros,
        rows,
        alive,
        n=len(zeros),
        body=body.graph("step", before | scanned, after, inner=True),
        num_scan_inputs=2,
    )
    return last[1]


def _prior(checkpoint: Checkpoint) -> onnx.GraphProto:
    """A latent of each word, from standard normal numbers and one that chooses the component."""
    w, size = checkpoint.weights, checkpoint.config.latent_size
    steps = np.cumsum(w["latent.weight"], axis=1, dtype=np.float64)
    nodes = _Nodes()
    shares = nodes("Gather", nodes.array((steps / steps[:, -1:]).astype(np.float32)), "word")
    column = nodes.array([1])
    over = nodes("LessOrEqual", shares, nodes("Unsqueeze", "uniform", column))
    component = nodes("ReduceSum", nodes("Cast", over, to=7), column, keepdims=1)  # 7: int64
    place = nodes("Concat", nodes("Unsqueeze", "word", column), component, axis=1)
    mean = nodes("GatherND", nodes.array(w["latent.mean"], "latent.mean"), place)
    scale = nodes("Gather", nodes.array(w["latent.scale"], "latent.scale"), "word")
    last = nodes.array([2])
    spread = nodes("MatMul", scale, nodes("Unsqueeze", "normal", last))
    nodes.name({"z": nodes("Add", mean, nodes("Squeeze", spread, last))})
    inputs = {
        "word": (int, ("N",)),
        "uniform": (float, ("N",)),
        "normal": (float, ("N", size)),
    }
    return nodes.graph("latent_prior", inputs, {"z": (float, ("N", size))}, inner=False)
