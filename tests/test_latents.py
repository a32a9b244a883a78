"""Between latents, and latents in files."""

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.inference import latents
from sketchrnn_cli.inference.latents import Latents, lerp, slerp

fractions = st.floats(0, 1)
numbers = st.floats(-10, 10).map(lambda v: round(v, 3))
vectors = st.lists(numbers, min_size=4, max_size=4).map(lambda v: np.array(v, "f4"))


@given(vectors, vectors, fractions)
def test_both_ways_are_finite_and_exact_at_the_ends(a, b, t):
    for way in (lerp, slerp):
        assert np.isfinite(way(a, b, t)).all()
        np.testing.assert_allclose(way(a, b, 0), a, atol=1e-4)
        if not np.allclose(a, -b) and np.linalg.norm(a + b) > 0.1:
            np.testing.assert_allclose(way(a, b, 1), b, atol=1e-4)


@given(vectors, vectors, fractions)
def test_slerp_keeps_the_length_between_those_of_the_ends(a, b, t):
    short, long = sorted((np.linalg.norm(a), np.linalg.norm(b)))
    if short > 0.1:
        assert short - 1e-3 <= np.linalg.norm(slerp(a, b, t)) <= long + 1e-3


def test_slerp_turns_evenly():
    a, b = np.array([2, 0, 0]), np.array([0, 2, 0])
    for t in (0.25, 0.5, 0.75):
        angle = t * np.pi / 2
        wanted = [2 * np.cos(angle), 2 * np.sin(angle), 0]
        np.testing.assert_allclose(slerp(a, b, t), wanted, atol=1e-6)


def test_opposite_latents_turn_and_do_not_pass_through_zero():
    a = np.array([3, 0.5, -1], "f4")
    for t in (0.25, 0.5, 0.75, 1):
        assert np.linalg.norm(slerp(a, -a, t)) == pytest.approx(np.linalg.norm(a), rel=1e-5)
    np.testing.assert_allclose(slerp(a, -a, 1), -a, atol=1e-5)
    np.testing.assert_allclose(slerp(a, -2 * a, 0.5) @ a, 0, atol=1e-4)


def test_parallel_and_zero_latents_are_joined_straight():
    a = np.array([3, 0.5, -1], "f4")
    np.testing.assert_allclose(slerp(a, 3 * a, 0.5), 2 * a, rtol=1e-6)
    np.testing.assert_allclose(slerp(a, 0 * a, 0.5), a / 2, rtol=1e-6)
    np.testing.assert_allclose(slerp(np.array([1.0]), np.array([-1.0]), 0.5), [0], atol=1e-6)


def test_a_path_meets_every_latent():
    z = np.random.default_rng(1).normal(size=(3, 6)).astype("f4")
    frames = latents.path(z, 4)
    assert frames.shape == (9, 6)
    np.testing.assert_allclose(frames[::4], z, atol=1e-6)
    assert latents.path(z[:1], 4).shape == (1, 6)


def some(n=3):
    rng = np.random.default_rng(2)
    mu, sigma = rng.normal(size=(2, n, 5)).astype("f4")
    return Latents(mu, np.abs(sigma), ("cat", None, "ño")[:n])


def test_npz_round_trips_and_needs_no_pickle(tmp_path):
    path = tmp_path / "z.npz"
    with path.open("wb") as stream:
        latents.write_npz(stream, some())
    back = latents.read(str(path))
    np.testing.assert_array_equal(back.mu, some().mu)
    np.testing.assert_array_equal(back.sigma, some().sigma)
    assert back.words == some().words
    assert np.load(path)["mu"].dtype == np.float32  # np.load refuses pickles by itself


def test_ndjson_round_trips(tmp_path):
    path = tmp_path / "z.ndjson"
    lines = [
        json.dumps({"word": w, "z": z.tolist(), "sigma": s.tolist(), "drawing": []})
        for z, s, w in zip(some().mu, some().sigma, some().words, strict=True)
    ]
    path.write_text("\ufeff" + "\r\n".join([lines[0], "", *lines[1:]]), encoding="utf-8")
    back = latents.read(str(path))
    np.testing.assert_allclose(back.mu, some().mu, rtol=1e-6)
    np.testing.assert_allclose(back.sigma, some().sigma, rtol=1e-6)
    assert back.words == some().words


def test_latents_called_z_in_fortran_order_and_double_precision_are_read(tmp_path):
    path = tmp_path / "z.npz"
    np.savez(path, z=np.asfortranarray(some().mu.astype("f8")), other=np.array(1))
    back = latents.read(str(path))
    np.testing.assert_allclose(back.mu, some().mu)
    assert (back.sigma, back.words) == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty: no latents"),
        ('{"z": [1, 2]}\n{"z": [1, 2]\n', "line 2: not JSON"),
        ('{"z": [1, 2]}\n\n{"z": [1, 2, 3]}\n', "line 3: z has 3 numbers, and the first one 2"),
        ('{"word": "cat", "drawing": []}\n', "line 1: no latent in it; pass the drawings through"),
        ("[1, 2]\n", "line 1: no latent"),
        ('{"z": "abc"}\n', "line 1: z is not a list of numbers"),
        ('{"z": [[1], [2]]}\n', "line 1: z is not a list of numbers"),
        ('{"z": [1, null]}\n', "line 1: z is not a list of numbers"),
        ('{"z": [1e300]}\n', "line 1: z is not a list of numbers"),
        ('{"z": []}\n', "line 1: z is not a list of numbers"),
        ('{"z": [1], "sigma": [1, 2]}\n', "line 1: sigma has 2 numbers"),
    ],
)
def test_bad_lines_are_one_line_naming_the_line(tmp_path, text, message):
    path = tmp_path / "z.ndjson"
    path.write_text(text)
    with pytest.raises(BadFile, match=message) as caught:
        latents.read(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def npz_of(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


def npy(array, **kwargs):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **kwargs)
    return stream.getvalue()


GOOD = npy(np.ones((2, 3), "f4"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04 and no zip", "damaged npz"),
        (npz_of(train=GOOD), "no latents .mu or z. in it, but train"),
        (npz_of(mu=b"hello"), "mu.npy: not a .npy array"),
        (npz_of(mu=GOOD[:-4]), "has 20 bytes, and shape"),
        (npz_of(mu=GOOD.replace(b"(2, 3)", b"(9, 9)")), "has 24 bytes, and shape"),
        (npz_of(mu=npy(np.array([{}], object))), "of type '.O'"),
        (npz_of(mu=npy(np.ones((2, 3), "i4"))), "of type '<i4'"),
        (npz_of(mu=npy(np.ones(3, "f4"))), "shape .sketches, size., not .3,."),
        (npz_of(mu=npy(np.ones((0, 3), "f4"))), "not .0, 3."),
        (npz_of(mu=npy(np.full((2, 3), np.nan, "f4"))), "not a finite number"),
        (npz_of(mu=GOOD, sigma=npy(np.ones((1, 3), "f4"))), "sigma has shape"),
        (npz_of(mu=GOOD, words=npy(np.array(["a"]))), "1 words for 2 latents"),
    ],
)
def test_bad_npz_are_one_line(tmp_path, data, message):
    path = tmp_path / "z.npz"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=message) as caught:
        latents.read(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(BadFile, match="no such file"):
        latents.read(str(tmp_path / "none.npz"))
