"""Latents in files."""

import io
import json
import zipfile

import datafiles
import numpy as np
import pytest

from sketchrnn_cli.errors import BadFile, BadSketch
from sketchrnn_cli.sketches.formats import latents
from sketchrnn_cli.sketches.formats.latents import Latents


def some(n=3):
    rng = np.random.default_rng(2)
    mu, sigma = rng.normal(size=(2, n, 5)).astype("f4")
    return Latents(mu, np.abs(sigma), ("cat", None, "ño")[:n])


def test_npz_round_trips_and_needs_no_pickle(tmp_path):
    path = tmp_path / "z.npz"
    with path.open("wb") as stream:
        datafiles.write_latents(stream, some())
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
    assert back.mu.dtype == np.float32
    assert (back.sigma, back.words) == (None, None)


@pytest.mark.parametrize("words", [("cat", None, "cat", "ño"), ("a", "b", None, "a"), (None,) * 4])
def test_latents_that_come_one_by_one_make_an_npz(tmp_path, monkeypatch, words):
    monkeypatch.setattr(latents, "PIECE", 8)  # bytes
    mu, sigma = np.random.default_rng(3).normal(size=(2, 4, 5)).astype("f4")
    one_by_one = io.BytesIO()
    encoded = zip(mu.astype("f8"), sigma.astype("f8"), words, strict=True)
    assert latents.write_npz_of(one_by_one, encoded, tmp_path) == 4
    held = np.load(io.BytesIO(one_by_one.getvalue()))
    assert held.files == ["mu", "sigma", "words"]
    assert held["words"].tolist() == [word or "" for word in words]
    assert held["words"].dtype == f"<U{max(len(word or '-') for word in words)}"
    for name, wanted in (("mu", mu), ("sigma", sigma)):
        np.testing.assert_array_equal(held[name], wanted)
        assert held[name].dtype == "<f4"


def test_no_latents_write_nothing_and_a_word_that_is_a_text_is_refused(tmp_path):
    stream, row = io.BytesIO(), np.ones(2, "f4")
    assert latents.write_npz_of(stream, [], tmp_path) == 0
    assert stream.getvalue() == b""
    assert latents.write_npz_of(stream, [(row, row, "w" * 256)], tmp_path) == 1
    says = (
        "^drawing 2: a word of 257 characters, which an npz would have room for in every row; "
        "write NDJSON$"
    )
    with pytest.raises(BadSketch, match=says):
        latents.write_npz_of(stream, [(row, row, "cat"), (row, row, "w" * 257)], tmp_path)


def test_lines_are_read_one_by_one_and_an_npz_all_together(tmp_path):
    lines, whole = tmp_path / "z.ndjson", tmp_path / "z.npz"
    good = '{"z": [1, 2], "word": "cat"}\n{"z": [3, 4], "sigma": [1, 1], "word": 5}\n'
    lines.write_text(good + '{"z": []}\n', "utf-8")
    each = latents.read_each(str(lines))
    first, second = next(each), next(each)
    assert (first.mu.tolist(), first.sigma, first.words) == ([[1, 2]], None, ("cat",))
    assert (second.mu.tolist(), second.words) == ([[3, 4]], (None,))
    assert second.sigma.tolist() == [[1, 1]]
    with pytest.raises(BadFile, match=f"^{lines}: line 3: z is not a list of numbers$"):
        next(each)
    with whole.open("wb") as stream:
        datafiles.write_latents(stream, some())
    (read,) = latents.read_each(str(whole))
    np.testing.assert_array_equal(read.mu, some().mu)
    assert read.words == some().words
    whole.write_bytes(whole.read_bytes()[:-9])
    with pytest.raises(BadFile, match=f"^{whole}: truncated or damaged zip"):
        next(latents.read_each(str(whole)))


@pytest.mark.parametrize("sigma", [False, True])
def test_more_latents_than_fit_are_refused(tmp_path, monkeypatch, sigma):
    monkeypatch.setattr(latents, "MAX_BYTES", 2 << 20)
    path, row = tmp_path / "z", [1.5] * (1 << 17)  # half a MiB as float32
    record = {"z": row, "sigma": row} if sigma else {"z": row}
    fits = 2 if sigma else 4
    path.write_text(f"{json.dumps(record)}\n" * fits, "utf-8")
    assert latents.read(str(path)).mu.shape == (fits, 1 << 17)
    path.write_text(f"{json.dumps(record)}\n" * (fits + 1), "utf-8")
    says = f"^{path}: over 2 MiB of latents; give fewer at once$"
    with pytest.raises(BadFile, match=says):
        latents.read(str(path))
    for read in (latents.read, lambda source: list(latents.read_each(source))):
        path.write_bytes(b"PK\x03\x04" + bytes(2 << 20))
        with pytest.raises(BadFile, match=says):
            read(str(path))


def test_a_line_without_an_end_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(latents, "MAX_LINE", 64)
    path = tmp_path / "z"
    path.write_text('{"z": [1, 2]}\n{"z": [1,' + " " * 100 + "2]}\n", "utf-8")
    with pytest.raises(BadFile, match=f"^{path}: line 2: not JSON"):
        latents.read(str(path))


def test_large_arrays_are_read_and_bombs_refused(tmp_path):
    path = tmp_path / "z.npz"
    mu = np.random.default_rng(1).normal(size=(3, 100_000)).astype("f4")
    np.savez_compressed(path, mu=mu)
    np.testing.assert_array_equal(latents.read(str(path)).mu, mu)
    np.savez_compressed(path, mu=np.zeros((32, 8191), "f4"))  # with its head a megabyte
    assert not latents.read(str(path)).mu.any()
    np.savez_compressed(path, mu=np.zeros((3, 100_000), "f4"))
    says = f"^{path}: mu.npy: [0-9,]+ bytes that unpack to 1,200,128; no drawings are packed so "
    with pytest.raises(BadFile, match=says):
        latents.read(str(path))


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
WIDE = npy(np.array(["a", "b"])).replace(b"'<U1'", b"'<U999999999'").replace(b" " * 8, b"", 1)
BEYOND = np.array([0x110000, 97], "<u4").view("<U1")  # no character


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04 and no zip", "damaged zip"),
        (npz_of(train=GOOD), "no latents .mu or z. in it, but train"),
        (npz_of(mu=b"hello"), "mu.npy: not a .npy array"),
        (npz_of(mu=GOOD[:-4]), "the array ends early"),
        (npz_of(mu=GOOD.replace(b"(2, 3)", b"(9, 9)")), "the array ends early"),
        (npz_of(mu=npy(np.array([{}], object))), "of type '.O'"),
        (npz_of(mu=npy(np.ones((2, 3), "i4"))), "of type '<i4'"),
        (npz_of(mu=npy(np.ones(3, "f4"))), "shape .sketches, size., not .3,."),
        (npz_of(mu=npy(np.ones((0, 3), "f4"))), "not .0, 3."),
        (npz_of(mu=npy(np.full((2, 3), np.nan, "f4"))), "not a finite number"),
        (npz_of(mu=GOOD, sigma=npy(np.ones((1, 3), "f4"))), "sigma has shape"),
        (npz_of(mu=npy(np.full((2, 3), 1e300))), "mu: a latent is not a finite number"),
        (npz_of(mu=GOOD, sigma=npy(np.full((2, 3), np.inf))), "sigma: a latent is not a finite"),
        (npz_of(mu=GOOD, sigma=npy(np.ones((2, 3), "i4"))), "sigma is of type '<i4', and"),
        (npz_of(mu=GOOD, words=npy(np.array(["a"]))), "1 words for 2 latents"),
        (npz_of(mu=GOOD, words=npy(np.ones(2, "i4"))), "words is of type '<i4', and latents"),
        (npz_of(mu=GOOD, words=npy(np.array(["\ud800", "a"]))), "words holds a word that is"),
        (npz_of(mu=GOOD, words=npy(BEYOND)), "words holds a word that is no text"),
        (npz_of(mu=GOOD, words=WIDE), "words is of type '<U999999999', and latents"),
    ],
)
def test_bad_npz_are_one_line(tmp_path, data, message):
    path = tmp_path / "z.npz"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=message) as caught:
        latents.read(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(BadFile, match="no such file"):
        latents.read(str(tmp_path / "none.npz"))
