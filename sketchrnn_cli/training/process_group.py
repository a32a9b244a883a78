"""Processes that train one model together, as ``torchrun`` starts them.

Every process takes its share of every batch; sums over all shares are the only thing that makes
the result, so each process holds the same weights after every step. What is said at the start
goes as bytes, never as pickled objects. ``torch.distributed`` is loaded for a team alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sketchrnn_cli.errors import BadConfig, SketchError

if TYPE_CHECKING:
    import torch

    from sketchrnn_cli.sketches.corpus import Corpus

PATIENCE = timedelta(days=7)  # the first may prepare drawings for hours; one that died is noticed
BEGUN = "sketchrnn/run"  # what torchrun's store remembers from one restart to the next


class FaultElsewhere(SketchError):
    """Another process says what is wrong; this one ends without a word."""


@dataclass(slots=True)
class Team:
    """This process and the others; ``Team.alone()`` is one that needs none."""

    rank: int = 0
    world: int = 1  # processes in all
    local_rank: int = 0  # among those of this machine
    local_world: int = 1
    _group: Any = field(default=None, repr=False)  # of device tensors; None: the one of the CPU
    _store: Any = field(default=None, repr=False)

    @classmethod
    def alone(cls) -> Team:
        """One process."""
        return cls()

    @classmethod
    def from_environment(cls) -> Team:
        """The team that torchrun started, or one process without it. Waits for all to come.

        Raises:
            SketchError: they do not find one another.
        """
        if not is_launched():
            return cls.alone()
        import torch.distributed as dist

        team = cls(
            rank=int(os.environ["RANK"]),
            world=int(os.environ["WORLD_SIZE"]),
            local_rank=int(os.environ["LOCAL_RANK"]),
            local_world=int(os.environ["LOCAL_WORLD_SIZE"]),
        )
        with team._in_touch():
            store: Any = None  # of torchrun, which outlives its processes
            if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
                address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
                team._store = dist.TCPStore(  # type: ignore[attr-defined]
                    address, port, is_master=False
                )
                # names of its own for every attempt: those before left addresses of the dead
                attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
                store = dist.PrefixStore(  # type: ignore[attr-defined]
                    f"sketchrnn/{attempt}-of-{team.world}", team._store
                )
            dist.init_process_group(
                "gloo",
                store=store,
                rank=team.rank,
                world_size=team.world,
                timeout=PATIENCE,
            )
        return team

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prepares, writes and speaks."""
        return self.rank == 0

    # sums

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Replace a tensor, of the device ``at_home`` gave, by its sum over all processes."""
        if self.world > 1:
            import torch.distributed as dist

            with self._in_touch():
                dist.all_reduce(tensor, group=self._group)
        return tensor

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """The sum over all processes; its gradient is that of this process's part."""
        if self.world == 1:
            return part
        return self.sum_(part.detach().clone()) + (part - part.detach())

    def sum_floats(self, values: list[float]) -> list[float]:
        """Sum each of some numbers over all processes, in float64."""
        if self.world == 1:
            return values
        import torch
        import torch.distributed as dist

        tensor = torch.tensor(values, dtype=torch.float64)
        with self._in_touch():
            dist.all_reduce(tensor)
        result: list[float] = tensor.tolist()
        return result

    # words

    def send(self, data: bytes) -> bytes:
        """What the first process gives, in every process; the others give anything."""
        if self.world == 1:
            return data
        import torch
        import torch.distributed as dist

        size = torch.tensor([len(data)])
        with self._in_touch():
            dist.broadcast(size, 0)
            buffer = torch.empty(int(size), dtype=torch.uint8)
            if self.is_first and data:
                buffer.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
            dist.broadcast(buffer, 0)
        return buffer.numpy().tobytes()

    def gather(self, text: str) -> list[str]:
        """What each process says, in every process, in order of rank."""
        if self.world == 1:
            return [text]
        import torch
        import torch.distributed as dist

        data = text.encode(errors="backslashreplace")
        sizes = [torch.empty(1, dtype=torch.int64) for _ in range(self.world)]
        with self._in_touch():
            dist.all_gather(sizes, torch.tensor([len(data)]))
            room = max(int(size) for size in sizes)
            mine = torch.zeros(room, dtype=torch.uint8)
            mine[: len(data)] = torch.tensor(list(data), dtype=torch.uint8)
            buffers = [torch.empty_like(mine) for _ in range(self.world)]
            dist.all_gather(buffers, mine)
        return [
            bytes(buffer[: int(size)].tolist()).decode()
            for buffer, size in zip(buffers, sizes, strict=True)
        ]

    @contextmanager
    def together(self) -> Iterator[None]:
        """What goes wrong in here for one process is the end of all, and the first says it.

        Raises:
            SketchError: in the first process, the fault of the lowest rank.
            FaultElsewhere: in the others.
        """
        if self.world == 1:
            yield
            return
        fault: SketchError | None = None
        try:
            yield
        except SketchError as error:
            fault = error
        faults = self.gather("" if fault is None else str(fault) or type(fault).__name__)
        for rank, text in enumerate(faults):
            if text and not self.is_first:
                raise FaultElsewhere(text) from fault
            if text:
                raise fault or SketchError(f"process {rank}: {text}")

    @contextmanager
    def _in_touch(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # torch's DistError is one
            if not self.is_first:
                raise FaultElsewhere("another process ended early") from error
            raise SketchError(
                f"lost touch with the other processes of {self.world}: one of them ended early, "
                "or cannot be reached; the last saved state is kept"
            ) from error

    # agreement

    def agree_on_options(self, options: Mapping[str, object]) -> None:
        """Check that all processes were started alike.

        Raises:
            BadConfig: one was not; in the first process. FaultElsewhere in the others.
        """
        given = [json.loads(text) for text in self.gather(json.dumps(dict(options), default=str))]
        with self.together():
            for rank, theirs in enumerate(given):
                for name in sorted(given[0].keys() | theirs.keys()):
                    a, b = theirs.get(name), given[0].get(name)
                    if a != b:
                        raise BadConfig(
                            f"process {rank} was started with {name} = {a}, and process 0 with "
                            f"{b}: start all of them with the same options"
                        )

    def agree_on_drawings(self, corpus: Corpus) -> None:
        """Check that all processes read the same drawings in the same order.

        Raises:
            BadConfig: one does not; in the first process. FaultElsewhere in the others.
        """
        if self.world == 1:
            return
        order = blake2b(corpus.hashes.tobytes(), digest_size=8)
        order.update(corpus.splits.tobytes() + corpus.offsets.tobytes() + corpus.word_ids.tobytes())
        n_train, n_valid = (len(corpus.indices(split)) for split in ("train", "valid"))
        what = (
            f"{n_train:,} for training and {n_valid:,} for validation, hash "
            f"{corpus.split_hash('train')}, scale {corpus.scale_factor:.6g}, N_max {corpus.n_max}"
        )
        exact = [corpus.scale_factor, corpus.n_max, corpus.words, order.hexdigest()]
        given = [
            json.loads(text) for text in self.gather(json.dumps([str(corpus.path), what, exact]))
        ]
        (first_path, first_what, first_exact) = given[0]
        with self.together():
            for rank, (path, text, theirs) in enumerate(given):
                if text != first_what:
                    raise BadConfig(
                        f"process {rank} reads other drawings than process 0 ({path}: {text}; "
                        f"process 0: {first_path}: {first_what}): give every process the same data"
                    )
                if theirs != first_exact:
                    raise BadConfig(
                        f"process {rank} reads the drawings of process 0 in another order or with "
                        f"other words ({path} and {first_path}): give every process the same file"
                    )

    def check_batch(self, batch_size: int) -> None:
        """Refuse batches that leave a process without work.

        Raises:
            BadConfig: fewer drawings than processes.
        """
        if batch_size < self.world:
            raise BadConfig(
                f"a batch of {batch_size} cannot be shared by {self.world} processes: give "
                f"--batch-size {self.world} or more, or start fewer"
            )

    def at_home(self, device: torch.device) -> torch.device:
        """The device of this process, ready for ``sum_``.

        Raises:
            BadConfig: processes on different kinds, or more of them than GPUs; in the first
                process. FaultElsewhere in the others.
        """
        if self.world == 1:
            return device
        import torch
        import torch.distributed as dist

        kinds = self.gather(device.type)
        with self.together():
            for rank, kind in enumerate(kinds):
                if kind != kinds[0]:
                    raise BadConfig(
                        f"process {rank} would train on {kind}, and process 0 on {kinds[0]}: say "
                        "which with --device"
                    )
            if device.type not in ("cpu", "cuda"):
                raise BadConfig(f"{device.type} trains in one process: give --device cpu")
            n_gpus = torch.cuda.device_count() if device.type == "cuda" else self.local_world
            if n_gpus < self.local_world:
                raise BadConfig(
                    f"{self.local_world} processes on a machine with {n_gpus} GPU(s): give "
                    f"--nproc-per-node {n_gpus}, or --device cpu"
                )
        if device.type == "cuda":
            device = torch.device("cuda", self.local_rank)
            torch.cuda.set_device(device)
            self._group = dist.new_group(backend="nccl", timeout=PATIENCE)
        return device

    # from one restart to the next

    def begun(self) -> str:
        """The run folder that this launch has begun; empty before, and without torchrun."""
        if self._store is None or not self._store.check([BEGUN]):
            return ""
        return bytes(self._store.get(BEGUN)).decode()

    def note_begun(self, run: str) -> None:
        """Remember the run folder: after a restart training goes on in it."""
        if self._store is not None:
            self._store.set(BEGUN, run)

    def close(self) -> None:
        """Wait for all, then part."""
        if self.world > 1:
            import torch.distributed as dist

            self.gather("")
            dist.destroy_process_group()


def is_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ


def threads_each() -> int | None:
    """CPU threads of one process, so that all of this machine use its cores; None: as usual.

    torchrun sets OMP_NUM_THREADS to 1 for two processes and more, where nobody has set it.
    """
    n = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if is_launched() else 1
    if n == 1 or os.environ.get("OMP_NUM_THREADS", "1") != "1":
        return None
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    return max(1, cores // n)
