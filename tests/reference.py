"""The slow, obvious network: one sketch, one step, one number at a time, in float64.

Written from the paper's equations (Ha & Eck 2017) and kept apart from the package's own code.
"""

from __future__ import annotations

import math

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, h, c, w_x, w_h, b, mask=None):
    """One step of one sketch; gate columns i, f, o, j; the forget bias is inside b."""
    i, f, o, j = np.split(x @ w_x + h @ w_h + b, 4)
    candidate = np.tanh(j)
    if mask is not None:
        candidate = candidate * mask
    c = sigmoid(f) * c + sigmoid(i) * candidate
    return sigmoid(o) * np.tanh(c), c


def normalised(values, gain, b):
    """Ba et al. 2016, equation 4, with magenta's epsilon inside the root."""
    deviation = math.sqrt(sum((v - values.mean()) ** 2 for v in values) / len(values) + 1e-3)
    return gain * (values - values.mean()) / deviation + b


def normalised_step(total, c, gain, b, cell_gain, cell_b, mask=None):
    """From the sum of the products to h and c; every gate is normalised by itself."""
    i, f, o, j = (
        normalised(*parts)
        for parts in zip(np.split(total, 4), np.split(gain, 4), np.split(b, 4), strict=True)
    )
    candidate = np.tanh(j) if mask is None else np.tanh(j) * mask
    c = sigmoid(f) * c + sigmoid(i) * candidate
    return sigmoid(o) * np.tanh(normalised(c, cell_gain, cell_b)), c


def layer_norm_step(x, h, c, w, mask=None):
    """magenta rnn.py, LayerNormLSTMCell."""
    norms = (w["gain"], w["b"], w["cell_gain"], w["cell_b"])
    return normalised_step(x @ w["w_x"] + h @ w["w_h"], c, *norms, mask)


def hyper_step(x, h, c, small_h, small_c, w, mask=None):
    """Ha et al. 2016, equations 10 to 13 for an LSTM; magenta rnn.py, HyperLSTMCell."""
    total = x @ w["small_w_x"] + h @ w["small_w_y"] + small_h @ w["small_w_h"]
    norms = [w[f"small_{name}"] for name in ("gain", "b", "cell_gain", "cell_b")]
    small_h, small_c = normalised_step(total, small_c, *norms)
    n_numbers = w["scale_w"].shape[1]
    gates = []
    for gate in range(4):
        columns = slice(gate * len(h), (gate + 1) * len(h))
        made = []
        for kind in range(3):  # scale of x, scale of h, shift
            k = 4 * kind + gate
            numbers = slice(k * n_numbers, (k + 1) * n_numbers)
            z = small_h @ w["embed_w"][:, numbers]
            if kind < 2:
                z = z + w["embed_b"][numbers]
            made.append(z @ w["scale_w"][k])
        scale_x, scale_h, shift = made
        gates.append(
            scale_x * (x @ w["w_x"][:, columns])
            + scale_h * (h @ w["w_h"][:, columns])
            + shift
            + w["sum_b"][columns]
        )
    norms = (w["gain"], w["b"], w["cell_gain"], w["cell_b"])
    h, c = normalised_step(np.concatenate(gates), c, *norms, mask)
    return h, c, small_h, small_c


def states(weights, prefix, inputs, state, masks=None):
    """h after every input of the cell with this prefix; state is c, h and what else there is."""
    start = prefix + "."
    w = {name[len(start) :]: a for name, a in weights.items() if name.startswith(start)}
    if "w_const" in w:
        w["w_x"] = np.concatenate([w["w_x"], w["w_const"]])
    if "small_w_const" in w:
        w["small_w_x"] = np.concatenate([w["small_w_x"], w["small_w_const"]])
    sizes = [len(w["w_h"])] * 2 + ([len(w["small_w_h"])] * 2 if "scale_w" in w else [])
    if state is None:
        state = np.zeros(sum(sizes))
    c, h, *small = np.split(state, np.cumsum(sizes)[:-1])
    for t, x in enumerate(inputs):
        mask = None if masks is None else masks[t]
        if "scale_w" in w:
            small_c, small_h = small
            h, c, small_h, small_c = hyper_step(x, h, c, small_h, small_c, w, mask)
            small = small_c, small_h
        elif "gain" in w:
            h, c = layer_norm_step(x, h, c, w, mask)
        else:
            h, c = lstm_step(x, h, c, w["w_x"], w["w_h"], w["b"], mask)
        yield h


def stroke5(moves):
    rows = []
    for dx, dy, lift in moves:
        rows.append([dx, dy, 0.0 if lift else 1.0, 1.0 if lift else 0.0, 0.0])
    return np.asarray(rows, np.float64).reshape(-1, 5)


def encode(weights, moves):
    """mu and presig of one sketch; moves (P, 3) in model units."""
    last = []
    for direction, rows in (("fw", stroke5(moves)), ("bw", stroke5(moves)[::-1])):
        *_, h = states(weights, f"encoder.{direction}", rows, None)
        last.append(h)
    h = np.concatenate(last)
    return (
        h @ weights["encoder.mu_w"] + weights["encoder.mu_b"],
        h @ weights["encoder.presig_w"] + weights["encoder.presig_b"],
    )


def decode(weights, moves, z=None, masks=None):
    """Raw outputs (P + 1, 3 + 6M) of one sketch, given its true moves."""
    start, rows = None, [np.array([0.0, 0, 1, 0, 0]), *stroke5(moves)]
    if z is not None:
        start = np.tanh(z @ weights["decoder.start_w"] + weights["decoder.start_b"])
        rows = [np.concatenate([row, z]) for row in rows]
    hs = states(weights, "decoder.cell", rows, start, masks)
    return np.asarray([h @ weights["decoder.out_w"] + weights["decoder.out_b"] for h in hs])


def density(output, dx, dy):
    """Mixture density of one offset, by equation 3 of the paper and 24, 25 of Graves 2013."""
    pi, mx, my, sx, sy, rho = np.split(output[3:], 6)
    pi = np.exp(pi - pi.max())
    pi = pi / pi.sum()
    sx, sy, rho = np.exp(sx), np.exp(sy), np.tanh(rho)
    total = 0.0
    for m in range(len(pi)):
        u, v = (dx - mx[m]) / sx[m], (dy - my[m]) / sy[m]
        power = (u * u + v * v - 2 * rho[m] * u * v) / (2 * (1 - rho[m] ** 2))
        total += (
            pi[m] * math.exp(-power) / (2 * math.pi * sx[m] * sy[m] * math.sqrt(1 - rho[m] ** 2))
        )
    return total


def pen_nats(output, pen):
    logits = output[:3]
    return float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[pen])


def sketch_nats(weights, moves, z=None, masks=None):
    """Exact negative log likelihood of one sketch, its end scored once."""
    outputs = decode(weights, moves, z, masks)
    nats = 0.0
    for output, (dx, dy, lift) in zip(outputs[:-1], moves, strict=True):
        nats += -math.log(density(output, dx, dy)) + pen_nats(output, 1 if lift else 0)
    return nats + pen_nats(outputs[-1], 2)
