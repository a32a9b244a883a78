"""A network in training: its weights, their average, the optimiser, one step, and validation.

Everything random is a function of (seed, step), so a run that was killed and resumed takes the
same steps as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.network import Noise, PackedBatch, SketchRNN
from sketchrnn_cli.training import batches, latents, noise, schedules, state
from sketchrnn_cli.training.config import TrainingConfig
from sketchrnn_cli.training.device import products_type, weights_type
from sketchrnn_cli.training.metrics import Metrics
from sketchrnn_cli.training.process_group import ProcessGroup
from sketchrnn_cli.training.state import Arrays, Progress

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

EPSILON = 1e-6  # inside magenta's logarithm
LATENTS_PER_WORD = 10  # drawings of each word, on average, that the latent prior is fitted to
VALID_BATCH = 100  # drawings scored at once


class Trainer:
    """The network, its optimiser and its counters.

    In a process group every process has one, with the same weights; the first alone reads and
    writes the run folder.
    """

    def __init__(
        self,
        run: Path,
        corpus: Corpus,
        model: ModelConfig,
        config: TrainingConfig,
        *,
        device: torch.device,
        group: ProcessGroup | None = None,
    ) -> None:
        self.group = group or ProcessGroup()
        self.stop_votes: Callable[[], tuple[bool, bool]] = lambda: (False, False)
        self.votes: torch.Tensor | None = None  # (2,) processes that vote to end: time, stop
        self.run, self.corpus, self.config, self.device = run, corpus, config, device
        self.train_indices = corpus.indices("train")
        if not len(self.train_indices):
            raise BadConfig(f"{corpus.path}: no training drawings in it")
        self.valid_indices = batches.some(
            corpus.indices("valid"),
            config.valid_sketches,
            seed=batches.seed_of(config.seed, batches.VALIDATION, 1),
        )
        self.dtype = weights_type(config.precision)
        self.compute = products_type(config.precision, device, model)
        self.network = SketchRNN(model, seed=config.seed).to(device, self.dtype)
        matrices = [p for p in self.network.parameters() if p.dim() > 1]
        others = [p for p in self.network.parameters() if p.dim() <= 1]
        groups: list[dict[str, Any]] = [
            {"params": matrices},
            {"params": others, "weight_decay": 0.0},
        ]
        fused = device.type != "mps"
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=fused,
        )
        for parameter in self.network.parameters():
            self.optimizer.state[parameter] = {
                "step": torch.zeros((), device=device if fused else "cpu"),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        self.average = [parameter.detach().clone() for parameter in self.network.parameters()]
        self.progress = Progress()
        self.is_warm = False  # whether the run began with the weights of a model
        self._fitted: tuple[int, checkpoint.Weights] | None = None  # of a step
        self.last_step = config.last_step(len(self.train_indices))
        about = (corpus.words, len(self.train_indices), corpus.n_max, corpus.scale_factor)
        self.run_id = blake2b(json.dumps(about).encode(), digest_size=8).hexdigest()

    # states

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Weights, their average and Adam's moments, by name."""
        named = self.network.named_parameters()
        for (name, parameter), average in zip(named, self.average, strict=True):
            moments = self.optimizer.state[parameter]
            yield f"model.{name}", parameter
            yield f"average.{name}", average
            yield f"mean.{name}", moments["exp_avg"]
            yield f"square.{name}", moments["exp_avg_sq"]

    def arrays(self) -> Arrays:
        """The same as arrays, which on a CPU are the tensors themselves."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.tensors()}

    def save(self) -> None:
        """Write the state of this step."""
        if self.group.is_first:
            state.save(self.run, self.progress, self.arrays(), self.run_id)

    def error_of(self, saved: state.State) -> str:
        """Why a saved state is not of this run; empty where it is."""
        wanted = {name: tuple(array.shape) for name, array in self.arrays().items()}
        if wanted != {name: array.shape for name, array in saved.arrays.items()}:
            return "saved by a model of other sizes than this run's"
        if saved.run_id not in ("", self.run_id):
            return "saved by a run on other drawings than this one"
        return ""

    def restore(self, saved: state.State) -> None:
        """Take over a saved state.

        Raises:
            BadConfig: it belongs to a network of other sizes, or to other drawings.
        """
        if error := self.error_of(saved):
            raise BadConfig(f"{saved.path}: {error}")

        with torch.no_grad():
            for name, tensor in self.tensors():
                tensor.copy_(torch.from_numpy(saved.arrays[name]))
        for moments in self.optimizer.state.values():
            moments["step"].fill_(saved.progress.step)
        self.progress = saved.progress
        self._fitted = None

    def begin_with(self, weights: checkpoint.Weights) -> None:
        """Begin with these weights in place of random ones, and their average with them."""
        self.network.load_weights(weights)
        self.average = [parameter.detach().clone() for parameter in self.network.parameters()]

    def synchronize(self) -> None:
        """Give every process the state of the first, from memory: they need not share a disk."""
        if self.group.world > 1:
            first = self.group.is_first
            own = state.to_bytes(self.progress, self.arrays(), self.run_id) if first else b""
            data = self.group.broadcast(own)
            if not first:
                self.restore(state.from_bytes(data, self.run))

    def is_finite(self) -> bool:
        """Whether all that would be saved is finite."""
        with torch.no_grad():
            each = [tensor.isfinite().all() for _, tensor in self.tensors()]
            return bool(torch.stack(each).all())

    # the model

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with the average of its weights, for a while.

        Averaging over the last steps takes out the noise that a lower learning rate would
        (Polyak & Juditsky 1992), at any moment a run may be stopped.
        """
        parameters = [parameter.data for parameter in self.network.parameters()]
        weights = [parameter.clone() for parameter in parameters]
        torch._foreach_copy_(parameters, self.average)
        try:
            yield
        finally:
            torch._foreach_copy_(parameters, weights)

    def model(self, training: dict[str, Any]) -> checkpoint.Checkpoint:
        """The network with the average of its weights, and what a user of it needs."""
        with self.averaged():
            weights = self.network.weights() | self._latent_prior()
        return checkpoint.Checkpoint(
            config=self.network.config,
            weights=weights,
            scale_factor=self.corpus.scale_factor,
            words=self.corpus.words,
            n_max=self.corpus.n_max,
            preparation=self.corpus.preparation.to_dict(),
            training=training,
        )

    def _latent_prior(self) -> checkpoint.Weights:
        """The latent prior of this step, fitted once: the model and its samples both want it."""
        if self.network.encoder is None:
            return {}
        step = self.progress.step
        if self._fitted is None or self._fitted[0] != step:
            n = max(self.config.latent_sketches, LATENTS_PER_WORD * len(self.corpus.words))
            seed = batches.seed_of(self.config.seed, batches.LATENTS, 0)
            chosen = batches.some(self.train_indices, n, seed=seed)
            fitted = latents.fit(self.network.encoder, self.corpus, chosen, device=self.device)
            self._fitted = (step, fitted)
        return self._fitted[1]

    def write_model(self, metrics: Metrics) -> None:
        """Write the averaged weights of this step as the run's best model."""
        if not self.group.is_first:
            return
        words = self.corpus.word_ids[self.train_indices]
        training: dict[str, Any] = {
            "step": self.progress.step,
            "seed": self.config.seed,
            "n_train": len(self.train_indices),
            "counts": np.bincount(words, minlength=len(self.corpus.words)).tolist(),
        }
        if math.isfinite(metrics.loss):
            training["valid"] = {
                "loss": metrics.loss,
                "l_r": metrics.l_r,
                "l_kl": metrics.l_kl,
            }
        checkpoint.save(self.run / checkpoint.FILE_NAME, self.model(training))

    # one step

    def learning_rate(self, step: int) -> float:
        """The rate of a step, after the rollbacks so far."""
        rate = schedules.learning_rate(self.config, step, self.last_step)
        return rate * self.progress.rate_scale

    def take_step(self) -> torch.Tensor:
        """Take the next step; returns loss, L_R and L_KL as one detached tensor (3,)."""
        config, step, group = self.config, self.progress.step, self.group
        sketches = batches.training_sketches(self.corpus, self.train_indices, config, step)
        n_sketches = len(sketches.lengths)
        sketches = batches.share(sketches, group.rank, group.world)
        magenta = config.loss == "magenta"
        batch = self._pack(sketches, padded_to=self.corpus.n_max if magenta else 0)
        drawn = self._noise(batch, batches.seed_of(config.seed, batches.NOISE, step), dropout=True)
        epsilon = EPSILON if magenta else 0.0
        losses = self.network(batch, drawn, compute=self.compute, epsilon=epsilon)
        l_r = losses.reconstruction / (n_sketches * self.corpus.n_max)
        loss, l_kl = l_r, torch.zeros_like(l_r)
        if self.network.encoder is not None:
            each = group.whole(losses.kl / n_sketches)  # the floor is under all of the batch
            l_kl = each.mean()
            floored = (each if config.kl_floor_of == "each" else l_kl).clamp(min=config.kl_floor)
            loss = l_r + schedules.kl_weight(config, step) * floored.mean()
        self.optimizer.zero_grad()
        loss.backward()
        if group.world > 1:
            l_r, loss = self._sum_gradients(l_r.detach(), loss.detach())
        self._update()
        return torch.stack([loss, l_r, l_kl]).detach()

    def _update(self) -> None:
        """Move the weights along their gradients, and the average after them."""
        config = self.config
        torch.nn.utils.clip_grad_value_(self.network.parameters(), config.gradient_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.progress.step)
        self.optimizer.step()
        self.progress.step += 1
        # the first steps are forgotten sooner: decay k / (k + 9), at most `average`
        decay = min(config.average, self.progress.step / (self.progress.step + 9))
        weights = [parameter.data for parameter in self.network.parameters()]
        torch._foreach_lerp_(self.average, weights, 1 - decay)

    def _sum_gradients(
        self, l_r: torch.Tensor, loss: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum gradients, L_R and votes over all processes at once; returns L_R and the loss."""
        votes = [torch.full_like(l_r, float(vote)) for vote in self.stop_votes()]
        parameters = [each for each in self.network.parameters() if each.grad is not None]
        gradients = [cast(torch.Tensor, each.grad).flatten() for each in parameters]
        flat = torch.cat([*gradients, torch.stack([l_r, *votes])])
        self.group.sum_(flat)
        *sums, rest = torch.split(flat, [*(parameter.numel() for parameter in parameters), 3])
        for parameter, part in zip(parameters, sums, strict=True):
            parameter.grad = part.view_as(parameter)
        self.votes = rest[1:]
        return rest[0], loss + (rest[0] - l_r)

    def _pack(self, sketches: batches.FlatSketches, *, padded_to: int = 0) -> PackedBatch:
        return batches.pack(sketches, device=self.device, dtype=self.dtype, padded_to=padded_to)

    def _noise(self, batch: PackedBatch, seed: int, *, dropout: bool) -> Noise:
        return noise.draw(
            batch,
            self.network.config,
            seed,
            dropout=dropout,
            device=self.device,
            dtype=self.dtype,
        )

    # validation

    def validate(self) -> Metrics | None:
        """Score the averaged network on the validation split; None where there is none."""
        started, n = time.monotonic(), len(self.valid_indices)
        if not n:
            return None
        with torch.no_grad(), self.averaged():
            nats, kl = self._score()
        l_r = nats / (n * self.corpus.n_max)
        each = kl / n  # nats per latent dimension
        l_kl, loss = float(each.mean()), l_r
        if self.network.encoder is not None:
            under = each if self.config.kl_floor_of == "each" else each.mean()
            loss += self.config.kl_weight * float(np.maximum(under, self.config.kl_floor).mean())
        rate = n / max(time.monotonic() - started, 1e-9)
        return self.metrics("valid", loss, l_r, l_kl, rate)

    def _score(self) -> tuple[float, Any]:
        """Sums over the validation split: nats, and the KL of each latent dimension (Z,).

        The noise is that of every validation, so that losses of two steps can be compared.
        """
        n = len(self.valid_indices)
        chunks = range(0, n, VALID_BATCH)
        width = 1 + self.network.config.latent_size
        sums = [0.0] * (width * len(chunks))  # zeros for chunks of other processes
        seed = batches.seed_of(self.config.seed, batches.VALIDATION, 0)
        for k, first in enumerate(chunks):
            if k % self.group.world != self.group.rank:
                continue
            indices = self.valid_indices[first : first + VALID_BATCH]
            sketches = batches.gather(self.corpus, indices, scale_factor=self.corpus.scale_factor)
            batch = self._pack(replace(sketches, numbers=sketches.numbers + first))
            losses = self.network(batch, self._noise(batch, seed, dropout=False))
            sums[k * width] = float(losses.reconstruction)
            sums[k * width + 1 : k * width + 1 + len(losses.kl)] = losses.kl.tolist()
        whole = np.array(self.group.sum_floats(sums)).reshape(-1, width).sum(0)
        return float(whole[0]), whole[1:]

    def metrics(
        self,
        split: str,
        loss: float = math.nan,
        l_r: float = math.nan,
        l_kl: float = math.nan,
        rate: float = 0.0,
    ) -> Metrics:
        """A line of metrics.jsonl about this step."""
        step = self.progress.step
        has_kl = self.network.encoder is not None
        return Metrics(
            step=step,
            split=split,
            loss=loss,
            l_r=l_r,
            l_kl=l_kl,
            learning_rate=self.learning_rate(max(step - 1, 0)),
            kl_weight=schedules.kl_weight(self.config, max(step - 1, 0)) if has_kl else 0.0,
            sketches_per_second=round(rate, 2),
            seconds=round(self.progress.seconds, 3),
        )
