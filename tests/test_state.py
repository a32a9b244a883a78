"""Saved states: written whole, read back exactly, and passed over where they are damaged."""

import dataclasses
import hashlib
import json
import math
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from corruption import cuts, flips
from safetensors.numpy import load as from_safetensors
from safetensors.numpy import save as to_safetensors

from sketchrnn_cli.errors import BadCheckpoint, BadFile
from sketchrnn_cli.model import tensor_file
from sketchrnn_cli.training import state


def arrays():
    rng = np.random.default_rng(0)
    return {f"{kind}.w": rng.normal(size=6).astype("f4") for kind in ("model", "average", "mean")}


def two_states(folder):
    """States of steps 3 and 20; returns the newest, which is to be damaged."""
    for step in (3, 20):
        newest = state.save(folder, state.Progress(step=step, best_loss=0.5), arrays(), "a run")
    return newest


def falls_back(folder, newest, *says):
    saved, passed_over = state.load_newest(folder)
    assert saved.progress.step == 3
    assert len(passed_over) == 1
    assert passed_over[0].startswith(str(newest))
    assert "\n" not in passed_over[0]
    for text in says:
        assert text in passed_over[0]


def test_the_last_two_states_are_kept_and_the_newest_is_read(tmp_path):
    for step in (3, 20, 100):
        state.save(tmp_path, state.Progress(step=step, best_loss=0.5), arrays())
    names = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert names == ["step-000000020.safetensors", "step-000000100.safetensors"]
    saved, passed_over = state.load_newest(tmp_path)
    assert saved.progress == state.Progress(step=100, best_loss=0.5)
    assert passed_over == []
    assert (saved.arrays["model.w"] == arrays()["model.w"]).all()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_state_gives_way_to_the_one_before(tmp_path, share):
    for step in (3, 20):
        newest = state.save(tmp_path, state.Progress(step=step), arrays())
    data = newest.read_bytes()
    newest.write_bytes(data[: int(len(data) * share)])
    saved, passed_over = state.load_newest(tmp_path)
    assert saved.progress.step == 3
    assert len(passed_over) == 1
    assert newest.name in passed_over[0]


def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path):
    for step in (3, 20):
        newest = state.save(tmp_path, state.Progress(step=step), arrays())
    data = bytearray(newest.read_bytes())
    data[-5] ^= 4
    newest.write_bytes(data)
    saved, passed_over = state.load_newest(tmp_path)
    assert saved.progress.step == 3
    assert "wrong checksum" in passed_over[0]


def test_no_whole_state_is_an_error_and_no_state_is_none(tmp_path):
    assert state.load_newest(tmp_path) == (None, [])
    state.save(tmp_path, state.Progress(step=3), arrays()).write_bytes(b"x")
    with pytest.raises(BadCheckpoint, match="no saved state is whole"):
        state.load_newest(tmp_path)


def test_every_cut_of_a_state_falls_back(tmp_path):
    newest = two_states(tmp_path)
    for data in cuts(newest.read_bytes()):
        newest.write_bytes(data)
        falls_back(tmp_path, newest)


def test_every_flipped_byte_of_a_state_falls_back_or_does_no_harm(tmp_path):
    newest = two_states(tmp_path)
    whole = state.load_newest(tmp_path)[0]
    harmless = 0
    for _, data in flips(newest.read_bytes()):
        newest.write_bytes(data)
        try:
            saved, passed_over = state.load_newest(tmp_path)
        except state.NewerState:  # the version itself was hit; nothing is lost
            continue
        if passed_over:
            falls_back(tmp_path, newest)
            continue
        harmless += 1  # in the padding, in the name of the format or of the run
        assert saved.progress == whole.progress
        assert saved.arrays.keys() == whole.arrays.keys()
        for name, array in saved.arrays.items():
            assert array.tobytes() == whole.arrays[name].tobytes(), name
    assert harmless < 150


@pytest.mark.parametrize(
    "data",
    [b"", bytes(8), bytes(5000), b"\xff" * 5000, b"{}", b"<html>", b"\x02" + bytes(7) + b"{}"],
)
def test_a_file_of_something_else_falls_back(tmp_path, data):
    newest = two_states(tmp_path)
    newest.write_bytes(data)
    falls_back(tmp_path, newest, " state")


def test_a_folder_in_the_place_of_a_state_falls_back_and_training_goes_on(tmp_path):
    newest = two_states(tmp_path)
    newest.unlink()
    newest.mkdir()
    falls_back(tmp_path, newest, "cannot be read")
    for step in (30, 40, 50):
        state.save(tmp_path, state.Progress(step=step), arrays())
    assert state.load_newest(tmp_path)[0].progress.step == 50
    assert len(list((tmp_path / "state").glob("*.safetensors"))) == 3  # the folder, 40 and 50


def test_a_state_under_another_name_is_stale(tmp_path):
    newest = two_states(tmp_path)
    shutil.copy(newest.with_name("step-000000003.safetensors"), newest)
    falls_back(tmp_path, newest, "step 20")


def progress_of(**changed):
    return {**dataclasses.asdict(state.Progress(step=20)), **changed}


HOSTILE = {
    "a step below zero": progress_of(step=-20),
    "a step without end": progress_of(step=10**40),
    "a step of text": progress_of(step="20"),
    "half a step": progress_of(step=20.5),
    "truth": progress_of(step=True),
    "a loss that is none": progress_of(best_loss=math.nan),
    "the best of losses": progress_of(best_loss=-math.inf),
    "no rate": progress_of(rate_scale=0.0),
    "a rate below zero": progress_of(rate_scale=-1.0),
    "an endless rate": progress_of(rate_scale=math.inf),
    "endless time": progress_of(seconds=math.inf),
    "time of a list": progress_of(seconds=[1]),
    "three sums": progress_of(sums=[0.0] * 3),
    "sums of text": progress_of(sums=["0"] * 4),
    "sums without end": progress_of(sums=[1e308, math.inf, 0, 0]),
    "no sums": progress_of(sums=None),
    "rollbacks below zero": progress_of(rollbacks=-1),
    "something more": progress_of(magic=1),
    "a list": [1, 2, 3],
    "nothing": None,
}


def written(path, counters, values, **metadata):
    """A state with any content and a true checksum."""
    text = json.dumps(counters)
    whole = {
        "format": "sketchrnn-state",
        "format_version": str(state.VERSION),
        "progress": text,
        **metadata,
    }
    whole["checksum"] = tensor_file.checksum(values, whole)
    path.write_bytes(to_safetensors(values, whole))


@pytest.mark.parametrize("what", HOSTILE)
def test_nonsense_with_a_true_checksum_falls_back(tmp_path, what):
    newest = two_states(tmp_path)
    written(newest, progress_of(), arrays())
    assert state.load_newest(tmp_path)[0].progress.step == 20  # the way it is written is good
    written(newest, HOSTILE[what], arrays())
    falls_back(tmp_path, newest)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_state_that_holds_no_numbers_falls_back(tmp_path, value):
    newest = two_states(tmp_path)
    spoilt = arrays()
    spoilt["mean.w"][3] = value
    written(newest, progress_of(), spoilt)
    falls_back(tmp_path, newest, "mean.w", "not finite")
    written(newest, progress_of(), arrays() | {"mean.w": np.zeros(6, np.int32)})
    falls_back(tmp_path, newest, "int32")


def test_none_whole_is_one_line_with_advice(tmp_path):
    newest = two_states(tmp_path)
    for path in newest.parent.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadCheckpoint, match=r"no saved state is whole.*--overwrite") as error:
        state.load_newest(tmp_path)
    assert "\n" not in str(error.value)
    assert newest.name in str(error.value)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("step", [20], []),
        ("rollbacks", [0, 1, state.MOST], [-1, state.MOST + 1, 0.0, True, "0", None]),
        ("last_rollback", [0, 1, state.MOST], [-1, state.MOST + 1, 0.0, True]),
        ("best_step", [0, 1, state.MOST], [-1, state.MOST + 1, 1.5]),
        ("rate_scale", [1, 1.0, 1e-30], [0, 0.0, -0.5, 1.0001, math.nan, math.inf, "1", True]),
        ("seconds", [0, 0.5, state.MOST], [-0.1, state.MOST + 1, math.inf, math.nan, "1"]),
        ("best_loss", [-5.0, 0, 1, math.inf], [-math.inf, math.nan, "1", None, [1]]),
        ("sums", [[0, 0.5, -1, 2]], [[0.0] * 3, [0.0] * 5, [math.nan] * 4, (), "0000", None]),
    ],
)
def test_every_counter_has_its_bounds(tmp_path, name, good, bad):
    path = two_states(tmp_path)
    for value in good:
        written(path, progress_of(**{name: value}), arrays())
        saved, passed_over = state.load_newest(tmp_path)
        assert (getattr(saved.progress, name), passed_over) == (value, [])
    for value in bad:
        written(path, progress_of(**{name: value}), arrays())
        falls_back(tmp_path, path, "damaged state: ", name)


def test_a_long_value_is_cut_in_a_message(tmp_path):
    path = two_states(tmp_path)
    for name, value, says in (
        ("rollbacks", "x" * 99, f"a rollbacks of {'x' * 40}"),
        ("rate_scale", "y" * 99, f"a rate_scale of {'y' * 40}"),
        ("seconds", "z" * 99, f"{'z' * 40} seconds of training"),
        ("best_loss", "u" * 99, f"a best_loss of {'u' * 40}"),
        ("sums", [], "sums that are not four numbers"),
    ):
        written(path, progress_of(**{name: value}), arrays())
        _, (line,) = state.load_newest(tmp_path)
        assert line == f"{path}: damaged state: {says}"


def test_a_state_says_what_it_is(tmp_path):
    progress = state.Progress(step=20, last_rollback=4, sums=[1.0, 2.0, 3.0, 4.0])
    data = state.to_bytes(progress, arrays(), "a run")
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size])["__metadata__"]
    checksum = metadata.pop("checksum")
    assert metadata == {
        "format": "sketchrnn-state",
        "format_version": "2",
        "progress": json.dumps(dataclasses.asdict(progress)),
        "run": "a run",
    }
    assert checksum == tensor_file.checksum(from_safetensors(data), metadata)
    path = Path("state.safetensors")
    read = state.from_bytes(data, path)
    assert (read.path, read.progress, read.run_id) == (path, progress, "a run")
    assert read.arrays.keys() == arrays().keys()
    assert state.from_bytes(state.to_bytes(progress, arrays()), path).run_id == ""


def of_version_1(progress, values, spoil=""):
    """A state as version 1 wrote it: another checksum, no last rollback."""
    counters = json.dumps({k: v for k, v in progress.items() if k != "last_rollback"})
    digest = hashlib.blake2b((counters + spoil).encode(), digest_size=16)
    for name in sorted(values):
        digest.update(name.encode())
        digest.update(values[name].tobytes())
    return to_safetensors(
        values,
        {
            "format": "sketchrnn-state",
            "format_version": "1",
            "progress": counters,
            "checksum": digest.hexdigest(),
        },
    )


def test_a_state_of_version_1_is_read_and_checked(tmp_path):
    path = two_states(tmp_path)
    values = {name: array for name, array in arrays().items() if name[0] == "m"}
    path.write_bytes(of_version_1(progress_of(rollbacks=2), values))
    saved, passed_over = state.load_newest(tmp_path)
    assert passed_over == []
    assert (saved.progress.rollbacks, saved.progress.last_rollback, saved.run_id) == (2, 0, "")
    assert saved.arrays.keys() == {"model.w", "mean.w", "average.w"}
    assert (saved.arrays["average.w"] == values["model.w"]).all()
    path.write_bytes(of_version_1(progress_of(), values, spoil="!"))
    falls_back(tmp_path, path, "damaged state: wrong checksum")


def test_a_state_with_an_average_keeps_it():
    values = {"average.w": np.ones(2, "f4"), "model.w": np.zeros(2, "f4")}
    data = state.to_bytes(state.Progress(), values)
    found = state.from_bytes(data, Path("x")).arrays
    assert {name: array.tolist() for name, array in found.items()} == {
        "average.w": [1, 1],
        "model.w": [0, 0],
    }


def test_states_of_another_run_are_passed_over(tmp_path):
    newest = two_states(tmp_path)
    saved, passed_over = state.load_newest(
        tmp_path, lambda saved: "of elsewhere" if saved.progress.step == 20 else ""
    )
    assert (saved.progress.step, saved.run_id) == (3, "a run")
    assert passed_over == [f"{newest}: of elsewhere"]
    says = re.escape(f"no saved state is whole and of this run ({newest}: other); --overwrite")
    with pytest.raises(BadCheckpoint, match=says):
        state.load_newest(tmp_path, lambda saved: "other")


def test_a_state_under_another_name_says_which(tmp_path):
    newest = two_states(tmp_path)
    shutil.copy(newest.with_name("step-000000003.safetensors"), newest)
    _, (line,) = state.load_newest(tmp_path)
    assert line == f"{newest}: damaged state: its name says step 20, and it is of another"


def test_newer_states_end_the_search(tmp_path):
    newest = two_states(tmp_path)
    written(newest, progress_of(), arrays(), format_version="3")
    with pytest.raises(state.NewerState, match="format version 3, .* up to 2; update sketchrnn"):
        state.load_newest(tmp_path)


def test_only_states_are_states_and_the_newest_comes_first(tmp_path):
    for step in (7, 100):
        state.save(tmp_path, state.Progress(step=step), arrays())
    folder = tmp_path / "state"
    for name in ("step-x.safetensors", "step-000000200.safetensors.part", "older.safetensors"):
        (folder / name).write_bytes(b"")
    assert [step for step, _ in state.paths(tmp_path)] == [100, 7]
    path = state.save(tmp_path, state.Progress(step=1000000000000), arrays())
    assert path.name == "step-1000000000000.safetensors"
    assert [step for step, _ in state.paths(tmp_path)] == [10**12, 100]
    assert (folder / "older.safetensors").exists()


def test_states_of_later_steps_go_and_the_two_before_stay(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    for step in (1, 2, 9):
        (folder / f"step-{step:09d}.safetensors").write_bytes(b"")
    state.save(tmp_path, state.Progress(step=5), arrays())
    assert [step for step, _ in state.paths(tmp_path)] == [5, 2]


def test_where_nothing_can_be_written_one_line_says_so(tmp_path):
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(BadFile, match="state: cannot be written: "):
        state.save(tmp_path, state.Progress(), arrays())
    gone = tmp_path / "gone"
    with pytest.raises(BadFile, match="state: cannot be written: "):
        state.save(gone, state.Progress(), arrays())
    assert not gone.exists()


def test_a_state_that_cannot_be_read_says_why(tmp_path):
    newest = two_states(tmp_path)
    newest.unlink()
    newest.mkdir()
    _, (line,) = state.load_newest(tmp_path)
    reason = {"posix": "is a directory", "nt": "permission denied"}[os.name]
    assert line == f"{newest}: damaged state: cannot be read: {reason}"


def test_counters_that_are_no_counters_say_which_error(tmp_path):
    newest = two_states(tmp_path)
    written(newest, progress_of(magic=1), arrays())
    _, (line,) = state.load_newest(tmp_path)
    assert line == f"{newest}: damaged state: TypeError"
