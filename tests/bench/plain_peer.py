"""The peer's network in plain torch, for where labml-nn is not installed.

Written from the paper and from the sizes and the layout that labml-nn publishes; none of its code.
A bidirectional LSTM of 256 reads every drawing with its padding; an LSTM of 512 reads a move and z
at every step and is initialised from z; a mixture of 20. Padded to 250 steps, the longest
that the peer takes, and so counted at every step.

Source: Ha & Eck 2017, sections 3.2 and 3.3.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

NAME = "the same network in plain torch"
ENCODER, DECODER, LATENT, MIXTURES = 256, 512, 128, 20
LONGEST = 250


def padded(drawings):
    """Stroke-5 (n, 252, 5) with a start token, and which offsets count (n, 251)."""
    drawings = [moves for moves in drawings if len(moves) <= LONGEST]
    scale = np.concatenate([moves[:, :2] for moves in drawings]).std()
    data, mask = np.zeros((len(drawings), LONGEST + 2, 5)), np.zeros((len(drawings), LONGEST + 1))
    data[:, 0, 2] = 1
    for rows, counted, moves in zip(data, mask, drawings, strict=True):
        n = len(moves)
        rows[1 : n + 1, :2] = moves[:, :2] / scale
        rows[1 : n + 1, 2] = 1 - moves[:, 2]
        rows[1 : n + 1, 3] = moves[:, 2]
        rows[n + 1 :, 4] = 1
        counted[:n] = 1
    return torch.tensor(data, dtype=torch.float32), torch.tensor(mask, dtype=torch.float32)


class Network(nn.Module):
    """Encoder and decoder over padded batches, step after step by ``nn.LSTM``."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(5, ENCODER, bidirectional=True)
        self.mu, self.sigma_hat = (nn.Linear(2 * ENCODER, LATENT) for _ in range(2))
        self.start = nn.Linear(LATENT, 2 * DECODER)
        self.decoder = nn.LSTM(5 + LATENT, DECODER)
        self.mixtures, self.pen = nn.Linear(DECODER, 6 * MIXTURES), nn.Linear(DECODER, 3)

    def forward(self, data):
        """Of (steps, batch, 5): parameters of the mixtures, pen logits, mu, sigma_hat."""
        _, (h, _) = self.encoder(data)
        h = torch.cat([h[0], h[1]], 1)
        mu, sigma_hat = self.mu(h), self.sigma_hat(h)
        z = mu + (sigma_hat / 2).exp() * torch.randn_like(mu)
        state = self.start(z).tanh().split(DECODER, 1)
        inputs = torch.cat([data[:-1], z[None].expand(len(data) - 1, -1, -1)], 2)
        y, _ = self.decoder(inputs, tuple(part[None].contiguous() for part in state))
        return self.mixtures(y), self.pen(y), mu, sigma_hat


def reconstruction(mask, target, mixtures, pen):
    """Equation 9 of the paper, the padding of the pen counted."""
    pi, mean_x, mean_y, log_x, log_y, rho = mixtures.chunk(6, 2)
    rho = rho.tanh().clamp(-0.999, 0.999)
    x, y = (target[..., :1] - mean_x) / log_x.exp(), (target[..., 1:2] - mean_y) / log_y.exp()
    free = 1 - rho.square()
    log_normal = -(x.square() + y.square() - 2 * rho * x * y) / (2 * free)
    log_normal = log_normal - math.log(2 * math.pi) - log_x - log_y - free.log() / 2
    offsets = -(pi.log_softmax(2) + log_normal).logsumexp(2)
    pens = -(target[..., 2:] * pen.log_softmax(2)).sum(2)
    return (mask * offsets).mean() + pens.mean()


def training_step():
    """A function of a batch (n, 252, 5) with its mask: one step of Adam."""
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step(batch):
        data, mask = (part.transpose(0, 1) for part in batch)
        mixtures, pen, mu, sigma_hat = network(data)
        divergence = -0.5 * (1 + sigma_hat - mu.square() - sigma_hat.exp()).mean()
        loss = reconstruction(mask, data[1:], mixtures, pen) + 0.5 * divergence
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step
