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


def stroke5(moves):
    rows = []
    for dx, dy, lift in moves:
        rows.append([dx, dy, 0.0 if lift else 1.0, 1.0 if lift else 0.0, 0.0])
    return np.asarray(rows, np.float64).reshape(-1, 5)


def encode(weights, moves):
    """mu and presig of one sketch; moves (P, 3) in model units."""
    last = []
    for direction, rows in (("fw", stroke5(moves)), ("bw", stroke5(moves)[::-1])):
        w_x, w_h, b = (weights[f"encoder.{direction}.{name}"] for name in ("w_x", "w_h", "b"))
        h = np.zeros(w_h.shape[0])
        c = np.zeros(w_h.shape[0])
        for row in rows:
            h, c = lstm_step(row, h, c, w_x, w_h, b)
        last.append(h)
    h = np.concatenate(last)
    return (
        h @ weights["encoder.mu_w"] + weights["encoder.mu_b"],
        h @ weights["encoder.presig_w"] + weights["encoder.presig_b"],
    )


def decode(weights, moves, z=None, masks=None):
    """Raw outputs (P + 1, 3 + 6M) of one sketch, given its true moves."""
    w_x, w_h, b = (weights[f"decoder.cell.{name}"] for name in ("w_x", "w_h", "b"))
    n_hidden = w_h.shape[0]
    h, c = np.zeros(n_hidden), np.zeros(n_hidden)
    if z is not None:
        start = np.tanh(z @ weights["decoder.start_w"] + weights["decoder.start_b"])
        c, h = start[:n_hidden], start[n_hidden:]
        w_x = np.concatenate([w_x, weights["decoder.cell.w_const"]])
    outputs = []
    for t, row in enumerate([np.array([0.0, 0, 1, 0, 0]), *stroke5(moves)]):
        x = row if z is None else np.concatenate([row, z])
        h, c = lstm_step(x, h, c, w_x, w_h, b, None if masks is None else masks[t])
        outputs.append(h @ weights["decoder.out_w"] + weights["decoder.out_b"])
    return np.asarray(outputs)


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
