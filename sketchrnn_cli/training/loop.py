"""Training as a generator of events: the loop yields facts, the caller prints and stops."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import torch

from sketchrnn_cli.errors import BadCheckpoint, SketchError
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training import state
from sketchrnn_cli.training.metrics import Metrics
from sketchrnn_cli.training.trainer import Trainer

MOST_ROLLBACKS = 3  # in a row
ENOUGH_GOOD_STEPS = 1000  # after which a rollback no longer counts
VOTES_EVERY = 20  # steps between looks at the votes of other processes, where a look is a wait
MOST_WAITING = 1000  # steps whose losses wait to be looked at


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
    passed_over: tuple[str, ...] = ()  # a line for each damaged state


@dataclass(frozen=True, slots=True)
class ModelRepaired:
    """The run's best model was damaged or gone; it was written anew, of this step."""

    error: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The last step is taken; what is still to do may take seconds."""

    step: int
    why: str  # as of ``Finished``
    validates: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """Training ended, and everything is saved."""

    step: int
    why: str  # "steps", "time" or "stopped"


Event = Stepped | Reported | Validated | RolledBack | ModelRepaired | Ending | Finished


class Diverged(SketchError):
    """Losses stayed non-finite after several rollbacks."""


def events(trainer: Trainer, *, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Train until the last step, the time limit, or until told to stop; then save.

    Raises:
        Diverged: a loss stayed non-finite after three rollbacks.
        NewerModel: the run's model is of a newer version.
        BadFile: the run folder cannot be written.
    """
    return _Loop(trainer, should_stop).events()


class _Loop:
    """One session of a run."""

    def __init__(self, trainer: Trainer, should_stop: Callable[[], bool]) -> None:
        self.trainer, self.config, self.group = trainer, trainer.config, trainer.group
        self.should_stop = should_stop
        self.first = trainer.progress.step
        self.pending: list[torch.Tensor] = []  # losses not looked at yet: no wait for the device
        self.started = self.mark = time.monotonic()
        self.reported_at = 0.0  # seconds of training

    def events(self) -> Iterator[Event]:
        trainer = self.trainer
        trainer.synchronize()
        trainer.stop_votes = lambda: (self.group.is_first and self._is_late(), self.should_stop())
        self.reported_at = trainer.progress.seconds
        if trainer.progress.step == 0:
            trainer.save()  # what the first rollback returns to
        yield from self._repair_model()
        while True:
            why = self._why_end()
            if self.pending and (why or self._is_due(*self._rhythm())):
                good = yield from self._look(why)
                if not good:
                    continue
            if why:
                yield Finished(trainer.progress.step, why)
                return
            self.pending.append(trainer.take_step())
            yield Stepped(trainer.progress.step)

    def _look(self, why: str) -> Generator[Event, None, bool]:
        """Look at the waiting losses; report, validate and save what is due. False: went back."""
        trainer, step, config = self.trainer, self.trainer.progress.step, self.config
        now = time.monotonic()
        trainer.progress.seconds += now - self.mark
        self.mark = now
        keeps = why or self._is_due(config.valid_every, config.save_every)
        if not self._add_losses() or (keeps and self.group.any_process(not trainer.is_finite())):
            yield self._roll_back(step)
            self.reported_at = trainer.progress.seconds
            return False
        if self._is_due(config.log_every):
            yield Reported(self._report(trainer.progress.seconds - self.reported_at))
            self.reported_at = trainer.progress.seconds
        validates = self._is_due(config.valid_every) or why in ("steps", "time")
        first_model = bool(why) and not validates and not self._has_model()
        if why:
            yield Ending(step, why, validates or first_model)
        if validates:
            yield self._validate()
        elif first_model:
            yield self._write_first_model()
        if why or self._is_due(config.save_every):
            trainer.save()
        self.mark = time.monotonic()
        return True

    # when

    def _rhythm(self) -> tuple[int, int, int, int]:
        config = self.config
        return config.log_every, config.valid_every, config.save_every, MOST_WAITING

    def _is_due(self, *rhythm: int) -> bool:
        return any(self.trainer.progress.step % every == 0 for every in rhythm)

    def _is_late(self) -> bool:
        limit = self.config.time_limit
        return bool(limit) and time.monotonic() - self.started >= limit

    def _why_end(self) -> str:
        """Why training ends here; empty: it does not."""
        done = self.trainer.progress.step
        if done >= self.trainer.last_step:
            return "steps"
        if self.group.world > 1:
            return self._voted()
        if self._is_late() and done > self.first:
            return "time"
        return "stopped" if self.should_stop() else ""

    def _voted(self) -> str:
        """Why the group ends here, by its votes at the last step; empty: it does not."""
        trainer = self.trainer
        may_look = trainer.device.type == "cpu" or self._is_due(VOTES_EVERY, *self._rhythm())
        if trainer.votes is None or not may_look:
            return ""
        late, stop = trainer.votes.tolist()
        return "time" if late else "stopped" if stop else ""

    # losses

    def _add_losses(self) -> bool:
        """Add the waiting losses to the sums; False if one is not finite."""
        progress = self.trainer.progress
        values = torch.stack(self.pending).tolist()  # summed in float64, which a device may lack
        self.pending.clear()
        if not all(math.isfinite(value) for row in values for value in row):
            return False
        columns = [*zip(*values, strict=True), [1.0] * len(values)]
        progress.sums = [
            before + sum(column) for before, column in zip(progress.sums, columns, strict=True)
        ]
        return True

    def _report(self, seconds: float) -> Metrics:
        progress = self.trainer.progress
        loss, l_r, l_kl, count = progress.sums
        progress.sums = [0.0] * 4
        rate = count * self.config.batch_size / max(seconds, 1e-9)
        metrics = self.trainer.metrics("train", loss / count, l_r / count, l_kl / count, rate)
        self._log(metrics)
        return metrics

    def _log(self, metrics: Metrics) -> None:
        if self.group.is_first:
            log.append(self.trainer.run, metrics)

    # the model

    def _validate(self) -> Validated:
        trainer = self.trainer
        metrics = trainer.validate()
        if metrics is None:  # nothing to choose the best by: the newest it is
            newest = trainer.metrics("valid")
            trainer.write_model(newest)
            return Validated(newest, best=True)
        best = metrics.loss < trainer.progress.best_loss
        if best:
            trainer.progress.best_loss, trainer.progress.best_step = metrics.loss, metrics.step
            trainer.write_model(metrics)
        self._log(metrics)
        return Validated(metrics, best=best)

    def _write_first_model(self) -> Validated:
        """A model to try, of a run stopped before its first validation, which is still to come."""
        metrics = self.trainer.validate() or self.trainer.metrics("valid")
        self.trainer.write_model(metrics)
        return Validated(metrics, best=True)

    def _has_model(self) -> bool:
        path = self.trainer.run / checkpoint.FILE_NAME
        return self.group.any_process(self.group.is_first and path.is_file())

    def _repair_model(self) -> Iterator[Event]:
        """Write the run's best model again, where one was written and it does not load."""
        trainer, progress = self.trainer, self.trainer.progress
        error = ""
        with self.group.together():
            if self.group.is_first:
                error = self._error_of_model()
        if not self.group.any_process(bool(error)):
            return
        progress.best_loss, progress.best_step = math.inf, 0
        metrics = trainer.validate() if progress.step else None
        if metrics is not None:
            progress.best_loss, progress.best_step = metrics.loss, metrics.step
        trainer.write_model(metrics or trainer.metrics("valid"))
        yield ModelRepaired(error)

    def _error_of_model(self) -> str:
        path = self.trainer.run / checkpoint.FILE_NAME
        try:
            if path.exists():
                checkpoint.load(path)
            elif self.trainer.progress.best_step:
                return f"{path}: it is gone"
        except checkpoint.NewerModel:
            raise  # whole, and worth more than what would replace it
        except SketchError as error:
            return str(error)
        return ""

    # rollbacks

    def _roll_back(self, at: int) -> RolledBack:
        trainer, failed, passed_over = self.trainer, self.trainer.progress, list[str]()
        rollbacks = failed.rollbacks if at - failed.last_rollback < ENOUGH_GOOD_STEPS else 0
        with self.group.together():
            if rollbacks >= MOST_ROLLBACKS:
                lower = trainer.learning_rate(0) / 2
                raise Diverged(
                    f"{trainer.run}: the loss was not finite at step {at}, after {rollbacks} "
                    f"rollbacks; try --resume with a lower rate, --learning-rate {lower:.2g} (the "
                    "last good state is kept)"
                )
            if self.group.is_first:
                saved, passed_over = state.load_newest(trainer.run, trainer.error_of)
                if saved is None:
                    raise BadCheckpoint(
                        f"{trainer.run}: the loss was not finite at step {at}, and the saved "
                        "states to go back to are gone"
                    )
                trainer.restore(saved)
        trainer.synchronize()
        progress = trainer.progress
        progress.rollbacks, progress.last_rollback = rollbacks + 1, progress.step
        progress.rate_scale = failed.rate_scale / 2
        rate = trainer.learning_rate(progress.step)
        if self.group.is_first:
            log.truncate(trainer.run, progress.step)
        self._log(replace(trainer.metrics("rollback"), learning_rate=rate))
        trainer.save()
        left = MOST_ROLLBACKS - progress.rollbacks
        return RolledBack(at, progress.step, rate, left, tuple(passed_over))
