"""Saved states: written whole, read back exactly, and passed over where they are damaged."""

import numpy as np
import pytest

from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.training import state


def arrays():
    return {"model.w": np.arange(6, dtype=np.float32), "mean.w": np.ones(6, np.float32)}


def test_the_last_two_states_are_kept_and_the_newest_is_read(tmp_path):
    for step in (3, 20, 100):
        state.save(tmp_path, state.Progress(step=step, best_loss=0.5), arrays())
    names = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert names == ["step-000000020.safetensors", "step-000000100.safetensors"]
    saved, complaints = state.load_newest(tmp_path)
    assert saved.progress == state.Progress(step=100, best_loss=0.5)
    assert complaints == []
    assert (saved.arrays["model.w"] == arrays()["model.w"]).all()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_state_gives_way_to_the_one_before(tmp_path, share):
    for step in (3, 20):
        newest = state.save(tmp_path, state.Progress(step=step), arrays())
    data = newest.read_bytes()
    newest.write_bytes(data[: int(len(data) * share)])
    saved, complaints = state.load_newest(tmp_path)
    assert saved.progress.step == 3
    assert len(complaints) == 1
    assert newest.name in complaints[0]


def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path):
    for step in (3, 20):
        newest = state.save(tmp_path, state.Progress(step=step), arrays())
    data = bytearray(newest.read_bytes())
    data[-5] ^= 4
    newest.write_bytes(data)
    saved, complaints = state.load_newest(tmp_path)
    assert saved.progress.step == 3
    assert "wrong checksum" in complaints[0]


def test_no_whole_state_is_an_error_and_no_state_is_none(tmp_path):
    assert state.load_newest(tmp_path) == (None, [])
    state.save(tmp_path, state.Progress(step=3), arrays()).write_bytes(b"x")
    with pytest.raises(BadCheckpoint, match="no saved state is whole"):
        state.load_newest(tmp_path)
