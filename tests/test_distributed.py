"""Several processes that train one model."""

import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import synthetic
import torch
import warm
from safetensors.numpy import load_file
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.errors import BadConfig, SketchError
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import corpus as corpora
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.training import batches, loop, state
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training import process_group as distributed
from sketchrnn_cli.training.config import TrainingConfig, to_toml
from sketchrnn_cli.training.process_group import ErrorElsewhere, ProcessGroup

CPU = torch.device("cpu")
SMALL = ModelConfig(encoder_size=12, latent_size=6, decoder_size=24, n_mixtures=3)
EXACT = TrainingConfig(
    precision="float64", batch_size=7, log_every=1, save_every=4, valid_every=6, steps=12
)
LOSSES = ("loss", "l_r", "l_kl")
PATIENCE = 300  # seconds until a test that hangs fails: cores may be busy


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    path = tmp_path_factory.mktemp("drawings") / "drawings.npz"
    synthetic.pack(synthetic.generate(12, seed=1), path, split=(50, 50, 0))
    return path


@pytest.fixture(scope="module")
def corpus(drawings):
    return corpora.Corpus.open(drawings)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads within threads wait for one another where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# groups of threads: the arithmetic, without the seconds that processes take to start


class Table:
    """Where the members of a group of threads put what the others take up."""

    def __init__(self, world):
        self.places = [None] * world
        self.barrier = threading.Barrier(world, timeout=PATIENCE)

    def exchange(self, rank, thing):
        self.places[rank] = thing
        self.barrier.wait()
        things = list(self.places)
        self.barrier.wait()
        return things


@dataclasses.dataclass(slots=True)
class Threads(ProcessGroup):
    """A group of threads."""

    table: Table = None

    def sum_(self, tensor):
        parts = self.table.exchange(self.rank, tensor.clone())
        return tensor.copy_(torch.stack(parts).sum(0))

    def sum_floats(self, values):
        return [sum(column) for column in zip(*self.table.exchange(self.rank, values), strict=True)]

    def broadcast(self, data, source=0):
        return self.table.exchange(self.rank, data)[source]


def in_threads(world, work):
    """What work(group) gave or raised in each of so many threads."""
    table, results = Table(world), [None] * world

    def member(rank):
        try:
            results[rank] = work(Threads(rank=rank, world=world, local_world=world, table=table))
        except SketchError as error:
            results[rank] = error
        except BaseException:
            table.barrier.abort()
            raise

    threads = [threading.Thread(target=member, args=(rank,)) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def trained(run, corpus, world=1, config=EXACT, model=SMALL, stop=lambda trainer: False):
    """The trainers of a group after training, and their events; all write in one folder."""
    run.mkdir(exist_ok=True)

    def work(group):
        trainer = loop.Trainer(run, corpus, model, config, device=CPU, group=group)
        saved, _ = state.load_newest(run)
        if group.is_first and saved is not None:
            trainer.restore(saved)
        return trainer, list(loop.events(trainer, should_stop=lambda: stop(trainer)))

    return in_threads(world, work) if world > 1 else [work(ProcessGroup())]


def differences(run, other):
    """Largest relative difference of any loss reported."""
    lines, others = log.read(run), log.read(other)
    assert [(r["step"], r["split"]) for r in lines] == [(r["step"], r["split"]) for r in others]
    return max(
        abs(a[k] - b[k]) / max(abs(b[k]), 1e-12)
        for a, b in zip(lines, others, strict=True)
        for k in LOSSES
    )


CASES = {
    "below the floor": (SMALL, {"kl_floor": 0.2}),
    "no floor": (SMALL, {"kl_floor": 0.0, "kl_weight_start": 0.5}),
    "around the floor": (SMALL, {"kl_floor": 0.004, "kl_weight_start": 0.5}),
    "decoder only": (dataclasses.replace(SMALL, encoder=False), {}),
}


@pytest.fixture(scope="module")
def alone(corpus, tmp_path_factory):
    """What one process makes of a case: its settings, run and trainer."""

    @functools.cache
    def train(case):
        model, changes = CASES[case]
        config = dataclasses.replace(EXACT, steps=6, **changes)
        run = tmp_path_factory.mktemp("alone") / "run"
        ((trainer, _),) = trained(run, corpus, config=config, model=model)
        return config, run, trainer

    return train


def takes_the_same_steps(alone, case, run, corpus, world):
    config, one, trainer = alone(case)
    members = trained(run, corpus, world, config=config, model=CASES[case][0])
    assert differences(run, one) < 1e-10
    first = members[0][0].arrays()
    for name, array in trainer.arrays().items():
        np.testing.assert_allclose(first[name], array, rtol=0, atol=1e-12)
        for other, _ in members[1:]:
            assert other.arrays()[name].tobytes() == first[name].tobytes()


@pytest.mark.parametrize("case", CASES)
def test_two_take_the_steps_of_one_process(alone, case, corpus, tmp_path):
    takes_the_same_steps(alone, case, tmp_path / "run", corpus, 2)


@pytest.mark.slow
@pytest.mark.parametrize("world", [3, 7])
@pytest.mark.parametrize("case", CASES)
def test_a_group_takes_the_steps_of_one_process(alone, case, corpus, world, tmp_path):
    takes_the_same_steps(alone, case, tmp_path / "run", corpus, world)


def test_around_the_floor_means_on_both_sides_of_it(alone):
    config, run, _ = alone("around the floor")
    values = [record["l_kl"] for record in log.read(run)]
    assert min(values) < config.kl_floor < max(values)


@pytest.mark.parametrize("world", [2, 3, 5])
def test_every_sketch_is_assigned_once_and_the_parts_are_alike(world):
    rng = np.random.default_rng(world)
    lengths = rng.integers(1, 60, 100)
    sketches = batches.FlatSketches(
        np.arange(2.0 * lengths.sum(), dtype=np.float32).reshape(-1, 2),
        rng.random(lengths.sum()) < 0.2,
        lengths,
        np.arange(100),
        rng.integers(0, 9, 100),
    )
    parts = [batches.share(sketches, rank, world) for rank in range(world)]
    assert sorted(np.concatenate([part.numbers for part in parts])) == list(range(100))
    points = [part.lengths.sum() for part in parts]
    assert max(points) - min(points) <= 60
    cuts = np.cumsum(lengths)[:-1]
    offsets, lifts = np.split(sketches.offsets, cuts), np.split(sketches.lifts, cuts)
    for part in parts:
        assert (part.offsets == np.concatenate([offsets[k] for k in part.numbers])).all()
        assert (part.lifts == np.concatenate([lifts[k] for k in part.numbers])).all()
        assert (part.lengths == lengths[part.numbers]).all()


@pytest.mark.slow
def test_whoever_is_told_to_stop_stops_all_and_the_run_goes_on_in_other_numbers(tmp_path, corpus):
    ((one, _),) = trained(tmp_path / "one", corpus)
    told = [loop.Finished(6, "stopped")] * 3
    members = trained(
        tmp_path / "run",
        corpus,
        3,
        stop=lambda trainer: trainer.group.rank == 2 and trainer.progress.step == 5,
    )
    assert [events[-1] for _, events in members] == told
    assert (tmp_path / "run" / "model.safetensors").is_file()
    members = trained(tmp_path / "run", corpus, 2)
    assert [events[-1] for _, events in members] == [loop.Finished(12, "steps")] * 2
    assert members[1][1][0] == loop.Stepped(7)
    for name, array in one.arrays().items():
        np.testing.assert_allclose(members[1][0].arrays()[name], array, rtol=0, atol=1e-12)


def test_only_the_clock_of_the_first_counts(tmp_path, corpus):
    config = dataclasses.replace(EXACT, steps=0, time_limit=0.2)
    members = trained(tmp_path / "run", corpus, 2, config=config)
    ends = [events[-1] for _, events in members]
    assert ends[0] == ends[1]
    assert ends[0].why == "time"


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 9])
def test_all_roll_back_together(tmp_path, corpus, times, monkeypatch):
    take_step, spoilt = loop.Trainer.take_step, []

    def spoil(self):
        values = take_step(self)
        if self.group.rank == 1 and self.progress.step == 6 and len(spoilt) < times:
            spoilt.append(6)
            with torch.no_grad():  # one process alone goes wrong, and before a step is kept all ask
                self.network.decoder.out_b.fill_(torch.nan)
        return values

    monkeypatch.setattr(loop.Trainer, "take_step", spoil)
    results = trained(tmp_path / "run", corpus, 2)
    if times == 9:
        assert [type(result) for result in results] == [loop.Diverged, ErrorElsewhere]
        return
    for _, events in results:
        (rolled,) = [event for event in events if isinstance(event, loop.RolledBack)]
        assert (rolled.at, rolled.to, rolled.left) == (6, 4, 2)
        assert events[-1] == loop.Finished(12, "steps")
    a, b = (trainer.arrays() for trainer, _ in results)
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)


def test_the_first_says_what_went_wrong_with_another():
    def work(group):
        with group.together():
            if group.rank == 1:
                raise BadConfig("cats.npz: no such file")

    first, *others = in_threads(3, work)
    assert str(first) == "process 1: cats.npz: no such file"
    assert [type(other) for other in others] == [ErrorElsewhere, ErrorElsewhere]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch_size": 16}, "process 1 was started with batch_size = 16, and process 0 with 8"),
        ({"steps": 3}, "process 1 was started with steps = 3, and process 0 with None"),
    ],
)
def test_processes_that_were_started_otherwise_are_told_apart(options, says):
    def work(group):
        group.agree_on_options({"batch_size": 8, **(options if group.rank else {})})

    first, other = in_threads(2, work)
    assert says in str(first)
    assert type(other) is ErrorElsewhere


def test_the_order_of_the_drawings_counts_too(tmp_path, corpus):
    turned = np.arange(len(corpus))[::-1]
    other = dataclasses.replace(
        corpus, hashes=corpus.hashes[turned].copy(), splits=corpus.splits[turned].copy()
    )
    first, _ = in_threads(2, lambda group: group.agree_on_drawings(other if group.rank else corpus))
    assert "process 1 reads other drawings than process 0, or in another order" in str(first)
    assert in_threads(2, lambda group: group.agree_on_drawings(corpus)) == [None, None]


def test_a_batch_that_leaves_a_process_without_work_is_refused():
    with pytest.raises(BadConfig, match="a batch of 2 cannot be shared by 3 processes"):
        ProcessGroup(world=3).check_batch(2)
    ProcessGroup(world=3).check_batch(3)


def test_processes_share_the_cores_of_their_machine(monkeypatch):
    assert distributed.threads_per_process() is None
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("RANK", "0"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # torchrun's
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(6), raising=False)
    assert distributed.threads_per_process() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # a person's
    assert distributed.threads_per_process() is None


def test_a_state_in_float64_is_read_back_bit_by_bit(tmp_path, corpus):
    ((trainer, _),) = trained(tmp_path / "run", corpus)
    saved, _ = state.load_newest(tmp_path / "run")
    for name, array in trainer.arrays().items():
        assert array.dtype == np.float64
        assert saved.arrays[name].tobytes() == array.tobytes()


def test_one_process_never_loads_what_a_group_needs():
    code = (
        "import sys, sketchrnn_cli.training.process_group as d; d.ProcessGroup.from_environment(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# processes, as torchrun starts them

WORKER = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv.pop(1))
name = os.environ["RANK"] + "-" + os.environ["TORCHELASTIC_RESTART_COUNT"]
(folder / (name + ".part")).write_text(str(os.getpid()))
(folder / (name + ".part")).rename(folder / name)
from sketchrnn_cli.cli.app import main
main()
"""
TORCHRUN = f"""
import sys
sys.path.append({os.path.dirname(__file__)!r})
import warm
sys.path.pop()
from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler
if {hasattr(os, "fork") and "SKETCHRNN_TESTS_COLD" not in os.environ}:
    subprocess_handler.Popen = warm.branch()
from torch.distributed.run import main
main()
"""  # its workers are forks too
STEPS = 120


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("settings") / "x.toml"
    config = dataclasses.replace(EXACT, steps=STEPS, valid_every=40, log_every=5, save_every=20)
    path.write_bytes(to_toml(SMALL, config, {}))
    return path


class Launched:
    """A torchrun, its output in files; ends with the test."""

    def __init__(self, folder, *arguments, launch=("--standalone", "--nproc-per-node", "2"),
                 cwd=None):  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self.files = [folder / "stdout", folder / "stderr"]
        command = [sys.executable, "-c", TORCHRUN, *launch, *map(str, arguments)]
        with self.files[0].open("wb") as stdout, self.files[1].open("wb") as stderr:
            self.process = warm.Popen(
                command,
                trains=True,
                cwd=cwd,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=stdout,
                stderr=stderr,
            )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.terminate()  # torchrun ends its workers
        self.process.wait()

    def output(self):
        return [path.read_text("utf-8") for path in self.files]

    def wait_until(self, ready):
        deadline = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < deadline, self.output()
            assert self.process.poll() is None, self.output()
            time.sleep(0.01)

    def end(self):
        """Exit code, stdout and stderr."""
        self.process.wait(timeout=PATIENCE)
        return self.process.returncode, *self.output()


def steps_saved(run):
    return [int(path.stem.split("-")[1]) for path in (run / "state").glob("step-*.safetensors")]


@pytest.fixture(scope="module")
def undisturbed(drawings, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    run = folder / "run"
    arguments = ["train", drawings, "-o", run, "--config", settings, "--json"]
    with Launched(folder, "-m", "sketchrnn_cli", *arguments) as launched:
        code, stdout, stderr = launched.end()
    assert code == 0, stderr
    return run, stdout, stderr


@pytest.mark.slow
def test_two_processes_train_as_one(undisturbed, corpus, tmp_path):
    run, stdout, stderr = undisturbed
    assert json.loads(stdout)["step"] == STEPS
    assert stderr.count("done: ") == 1
    assert "2 processes share a batch of 7" in stderr
    config = dataclasses.replace(EXACT, steps=STEPS, valid_every=40, log_every=5, save_every=20)
    ((one, _),) = trained(tmp_path / "one", corpus, config=config)
    assert differences(run, tmp_path / "one") < 1e-10
    saved, _ = state.load_newest(run)
    for name, array in one.arrays().items():
        np.testing.assert_allclose(saved.arrays[name], array, rtol=0, atol=1e-9)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
def test_killed_workers_change_nothing(undisturbed, drawings, settings, tmp_path):
    script, run = tmp_path / "worker.py", tmp_path / "run"
    script.write_text(WORKER)
    launch = ("--standalone", "--nproc-per-node", "2", "--max-restarts", "3")
    arguments = ["train", drawings, "-o", run, "--config", settings, "--overwrite"]
    with Launched(tmp_path, script, tmp_path, *arguments, launch=launch) as launched:
        for rank, restarts, after in ((1, 0, 20), (0, 1, 60)):
            worker = tmp_path / f"{rank}-{restarts}"
            launched.wait_until(worker.exists)
            launched.wait_until(lambda n=after: n <= max(steps_saved(run), default=0))
            os.kill(int(worker.read_text()), signal.SIGKILL)
        code, _, stderr = launched.end()
    assert code == 0, stderr
    assert (tmp_path / "1-2").exists()
    assert stderr.count("resuming from step") == 2
    first, again = (state.load_newest(path)[0] for path in (undisturbed[0], run))
    assert first.progress.step == again.progress.step == STEPS
    for name, array in first.arrays.items():
        assert array.tobytes() == again.arrays[name].tobytes(), name
    a, b = (load_file(path / "model.safetensors") for path in (undisturbed[0], run))
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    assert differences(run, undisturbed[0]) == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C reaches a process group on POSIX")
def test_ctrl_c_leaves_a_run_that_goes_on_in_one_process(drawings, settings, tmp_path):
    run = tmp_path / "run"
    arguments = ["train", drawings, "-o", run, "--config", settings, "--steps", 100_000]
    with Launched(tmp_path, "-m", "sketchrnn_cli", *arguments) as launched:
        launched.wait_until(lambda: max(steps_saved(run), default=0) >= 20)
        launched.process.send_signal(signal.SIGINT)
        code, _, stderr = launched.end()
    assert code != 0
    assert stderr.count("stopped and saved; --resume goes on") == 1
    step = max(steps_saved(run))
    assert (run / "model.safetensors").is_file()
    arguments = ["train", "-o", str(run), "--resume", "--steps", str(step + 2)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert f"resuming from step {step}" in result.stderr


@pytest.mark.slow
def test_two_machines_with_other_drawings_are_one_line(drawings, settings, tmp_path):
    """Each launcher is a machine of its own, with a disk (a folder) of its own."""
    folders = [tmp_path / name for name in ("a", "b")]
    for folder, n in zip(folders, (6, 9), strict=True):
        folder.mkdir()
        lines = [ndjson.to_line(sketch) for sketch in synthetic.generate(n, seed=1)]
        (folder / "cats.ndjson").write_bytes(b"".join(lines))
    port, launched = free_port(), []
    for rank, folder in enumerate(folders):
        launch = ("--nnodes", "2", "--node-rank", str(rank), "--nproc-per-node", "1",
                  "--master-addr", "127.0.0.1", "--master-port", str(port))  # fmt: skip
        arguments = ["train", "cats.ndjson", "-o", "run", "--config", settings]
        launched.append(
            Launched(tmp_path / str(rank), "-m", "sketchrnn_cli", *arguments, launch=launch,
                     cwd=folder)
        )  # fmt: skip
    with launched[0], launched[1]:
        results = [machine.end() for machine in launched]
    assert all(code == 1 for code, _, _ in results)
    errors = [line for _, _, stderr in results for line in stderr.splitlines() if "error: " in line]
    (line,) = [line for line in errors if line.startswith("error: ")]
    counts = [
        f"{len(corpora.Corpus.open(folder / 'run/state/corpus.npz').indices('train')):,}"
        for folder in folders
    ]
    assert "process 1 reads other drawings than process 0" in line
    assert counts[0] != counts[1]
    assert f"{counts[1]} for training" in line
    assert f"{counts[0]} for training" in line
    assert line in results[0][2]


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
