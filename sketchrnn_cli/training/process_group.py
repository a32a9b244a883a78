"""Processes that train one model together, as ``torchrun`` starts them.

Every process takes its share of every batch; sums over all shares are all that the result depends
on, so each process holds the same weights after every step. What is exchanged at the start goes
as bytes, never as pickled objects. ``torch.distributed`` is loaded for a group alone.
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

TIMEOUT = timedelta(days=7)  # the first may prepare drawings for hours; one that died is noticed
RUN_KEY = "sketchrnn/run"  # in torchrun's store, which outlives a restart


class ErrorElsewhere(SketchError):
    """Another process reports the error; this one ends silently."""


@dataclass(slots=True)
class ProcessGroup:
    """This process and the others; without arguments it is the only one."""

    rank: int = 0
    world: int = 1  # processes in all
    local_rank: int = 0  # among those of this machine
    local_world: int = 1
    _device_group: Any = field(default=None, repr=False)  # None: tensors are on the CPU
    _store: Any = field(default=None, repr=False)

    @classmethod
    def from_environment(cls) -> ProcessGroup:
        """The group that torchrun started, or one process without it. Waits for all to come.

        Raises:
            SketchError: they do not find one another.
        """
        if not is_launched():
            return cls()
        import torch.distributed as dist

        group = cls(
            rank=int(os.environ["RANK"]),
            world=int(os.environ["WORLD_SIZE"]),
            local_rank=int(os.environ["LOCAL_RANK"]),
            local_world=int(os.environ["LOCAL_WORLD_SIZE"]),
        )
        with group._connected():
            store: Any = None  # of torchrun, which outlives its processes
            if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
                address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
                group._store = dist.TCPStore(  # type: ignore[attr-defined]
                    address, port, is_master=False
                )
                # a prefix per attempt: those before left addresses of dead processes
                attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
                store = dist.PrefixStore(  # type: ignore[attr-defined]
                    f"sketchrnn/{attempt}-of-{group.world}", group._store
                )
            dist.init_process_group(
                "gloo", store=store, rank=group.rank, world_size=group.world, timeout=TIMEOUT
            )
        return group

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prepares, writes and prints."""
        return self.rank == 0

    # sums

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Replace a tensor, of the device that ``place`` gave, by its sum over all processes."""
        if self.world > 1:
            import torch.distributed as dist

            with self._connected():
                dist.all_reduce(tensor, group=self._device_group)
        return tensor

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """The sum over all processes; its gradient is that of this process's part."""
        if self.world == 1:
            return part
        return self.sum_(part.detach().clone()) + (part - part.detach())

    def sum_floats(self, values: list[float]) -> list[float]:
        """Sum each of some numbers over all processes, in float64 on the CPU."""
        if self.world == 1:
            return values
        import torch
        import torch.distributed as dist

        tensor = torch.tensor(values, dtype=torch.float64)
        with self._connected():
            dist.all_reduce(tensor)
        result: list[float] = tensor.tolist()
        return result

    def any_process(self, value: bool) -> bool:
        """Whether this holds in any process."""
        return self.sum_floats([float(value)]) != [0.0]

    # bytes

    def broadcast(self, data: bytes, source: int = 0) -> bytes:
        """What the process of rank ``source`` gives, in every process; others give anything."""
        if self.world == 1:
            return data
        import torch
        import torch.distributed as dist

        size = torch.tensor([len(data)])
        with self._connected():
            dist.broadcast(size, source)
            buffer = torch.empty(int(size), dtype=torch.uint8)
            if self.rank == source and data:
                buffer.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
            dist.broadcast(buffer, source)
        return buffer.numpy().tobytes()

    def gather(self, text: str) -> list[str]:
        """The text of each process, in every process, in order of rank."""
        data = text.encode(errors="backslashreplace")
        return [self.broadcast(data, source).decode() for source in range(self.world)]

    @contextmanager
    def together(self) -> Iterator[None]:
        """An error in here in one process ends all of them, and the first reports it.

        Raises:
            SketchError: in the first process, the error of the lowest rank.
            ErrorElsewhere: in the others.
        """
        if self.world == 1:
            yield
            return
        own: SketchError | None = None
        try:
            yield
        except SketchError as error:
            own = error
        texts = self.gather("" if own is None else str(own) or type(own).__name__)
        for rank, text in enumerate(texts):
            if text and not self.is_first:
                raise ErrorElsewhere(text) from own
            if text:
                raise own or SketchError(f"process {rank}: {text}")

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # torch's DistError is one
            if not self.is_first:
                raise ErrorElsewhere("another process ended early") from error
            raise SketchError(
                f"lost touch with the other processes of {self.world}: one of them ended early, "
                "or cannot be reached; the last saved state is kept"
            ) from error

    # agreement

    def agree_on_options(self, options: Mapping[str, object]) -> None:
        """Check that all processes were started alike.

        Raises:
            BadConfig: one was not; in the first process. ErrorElsewhere in the others.
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
            BadConfig: one does not; in the first process. ErrorElsewhere in the others.
        """
        if self.world == 1:
            return
        order = blake2b(corpus.hashes.tobytes(), digest_size=8)
        order.update(corpus.splits.tobytes() + corpus.offsets.tobytes() + corpus.word_ids.tobytes())
        order.update(repr((corpus.scale_factor, corpus.n_max, corpus.words)).encode())
        n_train, n_valid = (len(corpus.indices(split)) for split in ("train", "valid"))
        what = (
            f"{n_train:,} for training and {n_valid:,} for validation, hash "
            f"{corpus.split_hash('train')}, in order {order.hexdigest()}"
        )
        given = [json.loads(text) for text in self.gather(json.dumps([str(corpus.path), what]))]
        first_path, first = given[0]
        with self.together():
            for rank, (path, text) in enumerate(given):
                if text != first:
                    raise BadConfig(
                        f"process {rank} reads other drawings than process 0, or in another order "
                        f"({path}: {text}; process 0: {first_path}: {first}): give every process "
                        "the same file"
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

    def place(self, device: torch.device) -> torch.device:
        """The device of this process, ready for ``sum_``.

        Raises:
            BadConfig: processes on different kinds, or more of them than GPUs; in the first
                process. ErrorElsewhere in the others.
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
            self._device_group = dist.new_group(backend="nccl", timeout=TIMEOUT)
        return device

    # from one restart to the next

    def run_of_launch(self) -> str:
        """The run folder of this launch before a restart; empty in the first attempt."""
        if self._store is None or not self._store.check([RUN_KEY]):
            return ""
        return bytes(self._store.get(RUN_KEY)).decode()

    def remember_run(self, run: str) -> None:
        """Remember the run folder: after a restart training resumes in it."""
        if self._store is not None:
            self._store.set(RUN_KEY, run)

    def close(self) -> None:
        """Wait for all, then part."""
        if self.world > 1:
            import torch.distributed as dist

            self.gather("")
            dist.destroy_process_group()


def is_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ


def threads_per_process() -> int | None:
    """CPU threads of one process, so that all of this machine use its cores; None: as usual.

    torchrun sets OMP_NUM_THREADS to 1 for two processes and more, where nobody has set it.
    """
    n = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if is_launched() else 1
    if n == 1 or os.environ.get("OMP_NUM_THREADS", "1") != "1":
        return None
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    return max(1, cores // n)
