"""Latents in files."""

import io
import json
import zipfile

import numpy as np
import pytest

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches.formats import latents
from sketchrnn_cli.sketches.formats.latents import Latents


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
