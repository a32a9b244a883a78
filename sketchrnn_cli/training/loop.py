"""Training as a generator of events: the loop yields facts, the caller prints and stops.

Everything random is a function of (seed, step), so a run that was killed and resumed takes the
same steps as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, SketchError
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.sketch_rnn import SketchRNN
from sketchrnn_cli.training import batches, latents, schedules, state
from sketchrnn_cli.training import device as precision
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training.config import TrainingConfig
from sketchrnn_cli.training.metrics import Metrics
from sketchrnn_cli.training.process_group import Team
from sketchrnn_cli.training.state import Arrays, Progress

if TYPE_CHECKING:
    from sketchrnn_cli.sketches.corpus import Corpus

EPSILON = 1e-6  # inside magenta's logarithm
MOST_ROLLBACKS = 3
SHARED_PRODUCT = 20e6  # operations of a step's product from which two threads are faster
LOOK_EVERY = 20  # steps between looks at what other processes wish, where a look is a wait
MOST_WAITING = 1000  # steps whose losses wait to be looked at
LATENTS_A_WORD = 30  # drawings of each word, at least, show where its latents lie


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step was taken; losses are reported by ``Reported``."""

    step: int


@dataclass(frozen=True, slots=True)
class Reported:
    """A line was added to metrics.jsonl."""

    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Validated:
    """The validation split was scored."""

    metrics: Metrics
    best: bool  # the model was written to model.safetensors


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A loss or a weight was not finite: back to the last saved state, at a lower rate."""

    at: int
    to: int
    learning_rate: float
    left: int  # how many more are allowed
    complaints: tuple[str, ...] = ()  # a line for each damaged state passed over


@dataclass(frozen=True, slots=True)
class ModelMended:
    """The run's best model was damaged or gone; the model as it stands is in its place."""

    complaint: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Training ended, and everything is saved."""

    step: int
    why: str  # "steps", "time" or "stopped"


Event = Stepped | Reported | Validated | RolledBack | ModelMended | Finished


class Diverged(SketchError):
    """Losses stayed non-finite after several rollbacks."""


class Trainer:
    """The network, its optimiser and its counters; ``events`` runs it.

    In a team every process has one, with the same weights; the first alone reads and writes the
    run folder.
    """

    def __init__(
        self,
        run: Path,
        corpus: Corpus,
        model: ModelConfig,
        config: TrainingConfig,
        *,
        device: torch.device,
        team: Team | None = None,
    ) -> None:
        self.team = team or Team.alone()
        self.wishes: Callable[[], tuple[bool, bool]] = lambda: (False, False)
        self.wished: torch.Tensor | None = None  # (2,) how many wish the end: time, told to stop
        self.run, self.corpus, self.config, self.device = run, corpus, config, device
        self.train_indices = corpus.indices("train")
        if not len(self.train_indices):
            raise BadConfig(f"{corpus.path}: no training drawings in it")
        self.valid_indices = batches.some(
            corpus.indices("valid"),
            config.valid_sketches,
            seed=batches.seed_of(config.seed, batches.VALIDATION, 1),
        )
        self.dtype = precision.weights_type(config.precision)
        self.compute = precision.products_type(config.precision, device, model)
        self.network = SketchRNN(model, seed=config.seed).to(device, self.dtype)
        matrices = [p for p in self.network.parameters() if p.dim() > 1]
        others = [p for p in self.network.parameters() if p.dim() <= 1]
        groups: list[dict[str, Any]] = [
            {"params": matrices},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=device.type != "mps",
        )
        self.average = [parameter.detach().clone() for parameter in self.network.parameters()]
        self.progress = Progress()
        self.last_step = config.last_step(len(self.train_indices))
        about = (corpus.words, len(self.train_indices), corpus.n_max, corpus.scale_factor)
        self.name = blake2b(json.dumps(about).encode(), digest_size=8).hexdigest()  # of its set

    # saving and restoring

    def arrays(self) -> Arrays:
        """Weights, their average and Adam's moments, by name."""
        result: Arrays = {}
        for (name, parameter), average in zip(
            self.network.named_parameters(), self.average, strict=True
        ):
            moments = self.optimizer.state.get(parameter, {})
            zeros = torch.zeros_like(parameter)
            for key, tensor in (
                ("model", parameter),
                ("average", average),
                ("mean", moments.get("exp_avg", zeros)),
                ("square", moments.get("exp_avg_sq", zeros)),
            ):
                result[f"{key}.{name}"] = tensor.detach().cpu().numpy()
        return result

    def save(self) -> None:
        """Write the state of this step."""
        if self.team.is_first:
            state.save(self.run, self.progress, self.arrays(), self.name)

    def fault_of(self, saved: state.State) -> str:
        """Why a saved state is not of this run; nothing where it is."""
        wanted = {name: tuple(array.shape) for name, array in self.arrays().items()}
        if wanted != {name: array.shape for name, array in saved.arrays.items()}:
            return "saved by a model of other sizes than this run's"
        if saved.of not in ("", self.name):
            return "saved by a run on other drawings than this one"
        return ""

    def restore(self, saved: state.State) -> None:
        """Go on from a saved state.

        Raises:
            BadConfig: it belongs to a network of other sizes, or to other drawings.
        """
        if fault := self.fault_of(saved):
            raise BadConfig(f"{saved.path}: {fault}")
        with torch.no_grad():
            for (name, parameter), average in zip(
                self.network.named_parameters(), self.average, strict=True
            ):

                def tensor(key: str, name: str = name) -> torch.Tensor:
                    array = torch.from_numpy(saved.arrays[f"{key}.{name}"])
                    return array.to(self.device, self.dtype)

                parameter.copy_(tensor("model"))
                average.copy_(tensor("average"))
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(float(saved.progress.step), device=self.device),
                    "exp_avg": tensor("mean").clone(),
                    "exp_avg_sq": tensor("square").clone(),
                }
        self.progress = saved.progress

    def level(self) -> None:
        """Give every process the state of the first, from memory: they need not share a disk."""
        if self.team.world > 1:
            first = self.team.is_first
            own = state.to_bytes(self.progress, self.arrays(), self.name) if first else b""
            data = self.team.send(own)
            if not first:
                self.restore(state.from_bytes(data, self.run))

    def is_sound(self) -> bool:
        """Whether all that would be saved is finite."""
        kept = [*self.network.parameters(), *self.average]
        for moments in self.optimizer.state.values():
            kept += [moments["exp_avg"], moments["exp_avg_sq"]]
        with torch.no_grad():
            return bool(torch.stack([tensor.isfinite().all() for tensor in kept]).all())

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
        """The network as it stands, with what a user of it needs."""
        weights = self.network.weights()
        if self.network.encoder is not None:
            n = max(self.config.latent_sketches, LATENTS_A_WORD * len(self.corpus.words))
            seed = batches.seed_of(self.config.seed, batches.LATENTS, 0)
            shown = batches.some(self.train_indices, n, seed=seed)
            weights |= latents.fit(self.network.encoder, self.corpus, shown, device=self.device)
        return checkpoint.Checkpoint(
            config=self.network.config,
            weights=weights,
            scale_factor=self.corpus.scale_factor,
            words=self.corpus.words,
            n_max=self.corpus.n_max,
            preparation=self.corpus.preparation.to_dict(),
            training=training,
        )

    def write_model(self, metrics: Metrics) -> None:
        """Write the averaged weights of this step as the run's best model."""
        if not self.team.is_first:
            return
        training: dict[str, Any] = {
            "step": self.progress.step,
            "seed": self.config.seed,
            "n_train": len(self.train_indices),
            "counts": np.bincount(
                self.corpus.word_ids[self.train_indices], minlength=len(self.corpus.words)
            ).tolist(),
        }
        if math.isfinite(metrics.loss):
            training["valid"] = {
                "loss": metrics.loss,
                "l_r": metrics.l_r,
                "l_kl": metrics.l_kl,
            }
        with self.averaged():
            checkpoint.save(self.run / checkpoint.FILE_NAME, self.model(training))

    # one step

    def take_step(self) -> torch.Tensor:
        """Take the next step; returns loss, L_R and L_KL as one detached tensor (3,)."""
        config, step, team = self.config, self.progress.step, self.team
        sketches = batches.training_sketches(self.corpus, self.train_indices, config, step)
        n_sketches = len(sketches.lengths)
        sketches = batches.share(sketches, team.rank, team.world)
        magenta = config.loss == "magenta"
        batch = batches.pack(
            sketches,
            device=self.device,
            dtype=self.dtype,
            padded_to=self.corpus.n_max if magenta else 0,
        )
        noise = batches.noise_of(
            batch,
            self.network.config,
            batches.seed_of(config.seed, batches.NOISE, step),
            dropout=True,
            device=self.device,
            dtype=self.dtype,
        )
        epsilon = EPSILON if magenta else 0.0
        losses = self.network(batch, noise, compute=self.compute, epsilon=epsilon)
        l_r = losses.reconstruction / (n_sketches * self.corpus.n_max)
        loss, l_kl = l_r, torch.zeros_like(l_r)
        if self.network.encoder is not None:
            each = team.whole(losses.kl / n_sketches)  # the floor is under all of the batch
            l_kl = each.mean()
            floored = (each if config.kl_floor_of == "each" else l_kl).clamp(min=config.kl_floor)
            loss = l_r + schedules.kl_weight(config, step) * floored.mean()
        self.optimizer.zero_grad()
        loss.backward()
        if team.world > 1:
            l_r, loss = self._sum_gradients(l_r.detach(), loss.detach())
        torch.nn.utils.clip_grad_value_(self.network.parameters(), config.gradient_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = (
                schedules.learning_rate(config, step, self.last_step) * self.progress.rate_scale
            )
        self.optimizer.step()
        self.progress.step += 1
        # the first steps are forgotten sooner: share k / (k + 9) of the old, at most `average`
        share = min(config.average, self.progress.step / (self.progress.step + 9))
        weights = [parameter.data for parameter in self.network.parameters()]
        torch._foreach_lerp_(self.average, weights, 1 - share)
        return torch.stack([loss, l_r, l_kl]).detach()

    def _sum_gradients(
        self, l_r: torch.Tensor, loss: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum gradients, L_R and wishes over all processes at once; returns L_R and the loss."""
        wishes = [torch.full_like(l_r, float(wish)) for wish in self.wishes()]
        parameters = [each for each in self.network.parameters() if each.grad is not None]
        gradients = [cast(torch.Tensor, each.grad).flatten() for each in parameters]
        flat = torch.cat([*gradients, torch.stack([l_r, *wishes])])
        self.team.sum_(flat)
        *sums, rest = torch.split(flat, [*(parameter.numel() for parameter in parameters), 3])
        for parameter, part in zip(parameters, sums, strict=True):
            parameter.grad = part.view_as(parameter)
        self.wished = rest[1:]
        return rest[0], loss + (rest[0] - l_r)

    def validate(self) -> Metrics | None:
        """Score the averaged network on the validation split; None where there is none."""
        with torch.no_grad(), self.averaged():
            return self._score()

    def _score(self) -> Metrics | None:
        started = time.monotonic()
        n, n_z = len(self.valid_indices), self.network.config.latent_size
        if not n:
            return None
        chunks = range(0, n, 100)
        width = 1 + n_z  # nats, then KL of each latent dimension
        sums = [0.0] * (width * len(chunks))  # of other processes' chunks none
        for k, first in enumerate(chunks):
            if k % self.team.world != self.team.rank:
                continue
            indices = self.valid_indices[first : first + 100]
            sketches = batches.gather(self.corpus, indices, scale_factor=self.corpus.scale_factor)
            sketches = replace(sketches, numbers=sketches.numbers + first)
            batch = batches.pack(sketches, device=self.device, dtype=self.dtype)
            seed = batches.seed_of(self.config.seed, batches.VALIDATION, 0)
            noise = batches.noise_of(
                batch,
                self.network.config,
                seed,
                dropout=False,
                device=self.device,
                dtype=self.dtype,
            )
            losses = self.network(batch, noise)
            sums[k * width] = float(losses.reconstruction)
            sums[k * width + 1 : k * width + 1 + len(losses.kl)] = losses.kl.tolist()
        whole = np.array(self.team.sum_floats(sums)).reshape(-1, width).sum(0)
        l_r = float(whole[0]) / (n * self.corpus.n_max)
        each = whole[1:] / n  # nats a latent dimension
        l_kl, loss = float(each.mean()), l_r
        if self.network.encoder is not None:
            under = each if self.config.kl_floor_of == "each" else each.mean()
            loss += self.config.kl_weight * float(np.maximum(under, self.config.kl_floor).mean())
        seconds = time.monotonic() - started
        return self._metrics("valid", loss, l_r, l_kl, rate=n / max(seconds, 1e-9))

    def _metrics(self, split: str, loss: float, l_r: float, l_kl: float, rate: float) -> Metrics:
        step = self.progress.step
        has_kl = self.network.encoder is not None
        return Metrics(
            step=step,
            split=split,
            loss=loss,
            l_r=l_r,
            l_kl=l_kl,
            learning_rate=schedules.learning_rate(self.config, max(step - 1, 0), self.last_step)
            * self.progress.rate_scale,
            kl_weight=schedules.kl_weight(self.config, max(step - 1, 0)) if has_kl else 0.0,
            sketches_per_second=round(rate, 2),
            seconds=round(self.progress.seconds, 3),
        )

    # the loop

    def events(self, *, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Train until the last step, the time limit, or until told to stop; then save.

        Raises:
            Diverged: a loss stayed non-finite after three rollbacks.
            BadFile: the run folder cannot be written.
        """
        config, first = self.config, self.progress.step

        def late(since: float) -> bool:
            return bool(config.time_limit) and time.monotonic() - since >= config.time_limit

        pending: list[torch.Tensor] = []  # losses not looked at yet: no wait for the device
        started = mark = time.monotonic()
        self.level()
        self.wishes = lambda: (self.team.is_first and late(started), should_stop())
        reported_at = self.progress.seconds
        if self.progress.step == 0:
            self.save()  # what the first rollback returns to
        yield from self._mended()
        while True:
            done = self.progress.step
            why = ""
            if done >= self.last_step:
                why = "steps"
            elif self.team.world > 1:
                why = self._asked(done)
            elif late(started) and done > first:
                why = "time"
            elif should_stop():
                why = "stopped"
            due = done > 0 and bool(pending)
            if due and (why or any(done % every == 0 for every in self._rhythm())):
                now = time.monotonic()
                self.progress.seconds += now - mark
                mark = now
                keeps = why or any(done % every == 0 for every in self._rhythm()[1:3])
                if not self._absorb(pending) or (keeps and not self._all_sound()):
                    yield self._roll_back(done)
                    reported_at = self.progress.seconds
                    continue
                if done % config.log_every == 0:
                    yield Reported(self._report(self.progress.seconds - reported_at))
                    reported_at = self.progress.seconds
                if done % config.valid_every == 0 or why in ("steps", "time"):
                    yield from self._validated()
                elif why and not self._has_model():
                    yield from self._shown()
                if why or done % config.save_every == 0:
                    self.save()
                mark = time.monotonic()
            if why:
                yield Finished(done, why)
                return
            pending.append(self.take_step())
            yield Stepped(self.progress.step)

    def _all_sound(self) -> bool:
        """Whether every process is: they go back together or not at all."""
        return self.team.sum_floats([float(not self.is_sound())]) == [0.0]

    def _mended(self) -> Iterator[Event]:
        """Write the run's best model again, where one was written and it does not load."""
        complaint = ""
        if self.team.is_first:
            path = self.run / checkpoint.FILE_NAME
            try:
                if path.exists():
                    checkpoint.load(path)
                elif self.progress.best_step:
                    complaint = f"{path}: it is gone"
            except SketchError as error:
                complaint = str(error)
        if self.team.sum_floats([float(bool(complaint))]) == [0.0]:
            return
        self.progress.best_loss, self.progress.best_step = math.inf, 0
        if self.progress.step and (metrics := self.validate()):
            self.progress.best_loss, self.progress.best_step = metrics.loss, metrics.step
        else:
            metrics = self._metrics("valid", math.nan, math.nan, math.nan, rate=0.0)
        self.write_model(metrics)
        yield ModelMended(complaint)

    def _has_model(self) -> bool:
        here = self.team.is_first and (self.run / checkpoint.FILE_NAME).is_file()
        return self.team.sum_floats([float(here)]) != [0.0]

    def _asked(self, done: int) -> str:
        """Why the team ends here, as all of them said at the last step; empty: it does not."""
        rhythms = (LOOK_EVERY, *self._rhythm())
        if self.wished is None or (
            self.device.type != "cpu" and all(done % every for every in rhythms)
        ):
            return ""
        late, told = self.wished.tolist()
        return "time" if late else "stopped" if told else ""

    def _rhythm(self) -> tuple[int, int, int, int]:
        config = self.config
        return config.log_every, config.valid_every, config.save_every, MOST_WAITING

    def _absorb(self, pending: list[torch.Tensor]) -> bool:
        """Add the waiting losses to the sums; False if one is not finite."""
        values = torch.stack(pending).double().sum(0).tolist()
        count = float(len(pending))
        pending.clear()
        if not all(math.isfinite(value) for value in values):
            return False
        self.progress.sums = [
            a + b for a, b in zip(self.progress.sums, [*values, count], strict=True)
        ]
        return True

    def _report(self, seconds: float) -> Metrics:
        loss, l_r, l_kl, count = self.progress.sums
        self.progress.sums = [0.0] * 4
        metrics = self._metrics(
            "train",
            loss / count,
            l_r / count,
            l_kl / count,
            rate=count * self.config.batch_size / max(seconds, 1e-9),
        )
        if self.team.is_first:
            log.append(self.run, metrics)
        return metrics

    def _validated(self) -> Iterator[Event]:
        metrics = self.validate()
        if metrics is None:  # nothing to choose the best by: the newest it is
            newest = self._metrics("valid", math.nan, math.nan, math.nan, rate=0.0)
            self.write_model(newest)
            yield Validated(newest, best=True)
            return
        best = metrics.loss < self.progress.best_loss
        if best:
            self.progress.best_loss, self.progress.best_step = metrics.loss, metrics.step
            self.write_model(metrics)
        if self.team.is_first:
            log.append(self.run, metrics)
        yield Validated(metrics, best=best)

    def _shown(self) -> Iterator[Event]:
        """A model to try, of a run stopped before its first; it goes on as if there were none."""
        metrics = self.validate() or self._metrics("valid", math.nan, math.nan, math.nan, rate=0.0)
        self.write_model(metrics)
        yield Validated(metrics, best=True)

    def _roll_back(self, at: int) -> RolledBack:
        failed, complaints = self.progress, list[str]()
        with self.team.together():
            if failed.rollbacks >= MOST_ROLLBACKS:
                raise Diverged(
                    f"{self.run}: the loss was not finite at step {at}, after "
                    f"{failed.rollbacks} rollbacks; try a lower --learning-rate (the last good "
                    "state is kept)"
                )
            if self.team.is_first:
                saved, complaints = state.load_newest(self.run, self.fault_of)
                if saved is None:
                    raise BadCheckpoint(
                        f"{self.run}: the loss was not finite at step {at}, and the saved states "
                        "to go back to are gone"
                    )
                self.restore(saved)
        self.level()
        self.progress.rollbacks = failed.rollbacks + 1
        self.progress.rate_scale = failed.rate_scale / 2
        told = self._metrics("rollback", math.nan, math.nan, math.nan, rate=0.0)
        rate = schedules.learning_rate(self.config, self.progress.step, self.last_step)
        rate *= self.progress.rate_scale
        if self.team.is_first:
            log.truncate(self.run, self.progress.step)
            log.append(self.run, replace(told, learning_rate=rate))
        self.save()
        left = MOST_ROLLBACKS - self.progress.rollbacks
        return RolledBack(at, self.progress.step, rate, left, tuple(complaints))


def set_threads(
    threads: int | None, model: ModelConfig, config: TrainingConfig, *, world: int = 1
) -> None:
    """Use so many CPU threads; None: all, but one where a product is too small to share.

    Threads that share small products spend their time waiting for one another, and where other
    programs run too they take many times as long.
    """
    if threads is None:
        product = 2 * config.batch_size / world * model.decoder_size * 4 * model.decoder_size
        threads = 1 if product < SHARED_PRODUCT else torch.get_num_threads()
    torch.set_num_threads(threads)


def choose_device(name: str) -> torch.device:
    """The device to train on; ``auto`` is cuda, then cpu.

    Raises:
        BadConfig: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(name, False):
        have = ", ".join(device for device, here in there.items() if here)
        raise BadConfig(f"--device {name}: not on this machine, which has: {have}")
    return torch.device(name)
