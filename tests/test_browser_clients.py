"""Exported models in the programs they are for: @magenta/sketch under Node, and by the book.

No package on npm reads ``.vae.json``, so for those there is a slow reading of the format's
description in float64 (``by_the_book``), which shares nothing with the package.
"""

import base64
import json

import networks
import numpy as np
import outside
import pytest
import reference

from sketchrnn_cli.inference.conditioning import condition, label_rows
from sketchrnn_cli.inference.engine import Engine, decoder_input
from sketchrnn_cli.model import single_word, sketch_rnn_js
from sketchrnn_cli.model.load import open_model

N_STEPS = 12
KEYS = ("pi", "muX", "muY", "sigmaX", "sigmaY", "corr", "pen")


def some_moves(scale_factor, seed=0):
    """Stroke-3 moves in data units, one less than steps."""
    moves = networks.random_moves(np.random.default_rng(seed), N_STEPS - 1)
    moves[:, :2] *= scale_factor
    return moves


def in_model_units(moves, scale_factor):
    return decoder_input(moves / np.array([scale_factor, scale_factor, 1], np.float32))


def pdf(raw):
    """The distribution that raw outputs (T, 123) stand for, as @magenta/sketch calls its parts."""
    raw = raw.astype(np.float64)
    pen, pi, mu_x, mu_y, sigma_x, sigma_y, corr = np.split(raw, 3 + 20 * np.arange(6), axis=1)
    exp = [np.exp(a - a.max(1, keepdims=True)) for a in (pi, pen)]
    pi, pen = (a / a.sum(1, keepdims=True) for a in exp)
    parts = (pi, mu_x, mu_y, np.exp(sigma_x), np.exp(sigma_y), np.tanh(corr), pen)
    return dict(zip(KEYS, parts, strict=True))


def client_pdf(model, moves, folder, pixel_factor=1):
    """What @magenta/sketch expects after the start token and each of these moves."""
    rows = decoder_input(moves) / np.array([pixel_factor, pixel_factor, 1, 1, 1])
    (folder / "moves.json").write_text(json.dumps(rows.tolist()))
    steps = json.loads(outside.node("pdf.js", model, folder / "moves.json", pixel_factor))
    # its sigmaY carries what comes after it too
    return {key: np.array([step[key][:20] for step in steps]) for key in KEYS}


def assert_alike(found, wanted, *, rtol=0.0):
    for key in KEYS:
        np.testing.assert_allclose(found[key], wanted[key], atol=1e-3, rtol=rtol, err_msg=key)


def exported(model, path):
    data, _ = sketch_rnn_js.file_of(model)
    path.write_bytes(data)
    return path


@pytest.mark.slow
def test_the_client_expects_what_the_exported_model_expects(tmp_path):
    model = networks.tiny(encoder=False, n_mixtures=20, decoder_size=48)
    path = exported(model, tmp_path / "x.gen.json")
    moves = some_moves(model.scale_factor)
    found = client_pdf(path, moves, tmp_path, pixel_factor=2)
    inputs = in_model_units(moves, model.scale_factor)
    for ours in (model, open_model(path)):
        (raw,) = Engine(ours).unroll([inputs], None)
        assert_alike(found, pdf(raw))


def test_the_client_expects_what_a_model_expects_that_is_told_the_word(tmp_path):
    guidance = 1.5
    model = networks.tiny(encoder=False, n_mixtures=20, n_words=3, words=("ant", "bee", "cow"))
    for name in ("decoder.start_w", "decoder.start_b"):
        model.weights[name][:] = 0
    path = exported(single_word.of(model, "bee", guidance=guidance), tmp_path / "bee.gen.json")
    moves = some_moves(model.scale_factor)
    labels = label_rows(model, ["bee"]) * np.float32(guidance)
    labels[:, -1] += np.float32(1 - guidance)
    constant = condition(model, 1, labels=labels)
    (raw,) = Engine(model).unroll([in_model_units(moves, model.scale_factor)], constant)
    assert_alike(client_pdf(path, moves, tmp_path), pdf(raw))


def test_the_check_of_the_client_can_fail(tmp_path):
    model = networks.tiny(encoder=False, n_mixtures=20)
    path = exported(model, tmp_path / "x.gen.json")
    moves = some_moves(model.scale_factor)
    model.weights["decoder.cell.b"][0] += 0.1
    (raw,) = Engine(model).unroll([in_model_units(moves, model.scale_factor)], None)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_alike(client_pdf(path, moves, tmp_path), pdf(raw))


@pytest.mark.slow
def test_googles_model_means_the_same_to_us_and_to_the_client(shared_data, tmp_path):
    path = shared_data / "sketch-rnn-js" / "bird.gen.json"
    model = open_model(path)
    moves = some_moves(model.scale_factor)
    (raw,) = Engine(model).unroll([in_model_units(moves, model.scale_factor)], None)
    assert_alike(client_pdf(path, moves, tmp_path), pdf(raw))


def by_the_book(path):
    """Info and arrays of a browser model, float64."""
    info, dims, blobs = json.loads(path.read_text())
    arrays = []
    for shape, blob in zip(dims, blobs, strict=True):
        data = base64.b64decode(blob)
        numbers = [
            int.from_bytes(data[k : k + 2], "little", signed=True) for k in range(0, len(data), 2)
        ]
        arrays.append(np.array(numbers).reshape(shape) * 10 / 32767)
    return info, arrays


def book_lstm(rows, h, c, w_xh, w_hh, bias):
    """Hidden states after each row: gates i, j, f, o, and a forget bias of 1 added."""
    states = []
    for row in rows:
        i, j, f, o = np.split(row @ w_xh + h @ w_hh + bias, 4)
        c = reference.sigmoid(f + 1) * c + reference.sigmoid(i) * np.tanh(j)
        h = reference.sigmoid(o) * np.tanh(c)
        states.append(h)
    return states


def book_encode(w, rows):
    """Mean and sigma of stroke-5 rows in model units, the start token not among them."""
    size = len(w[1])
    zeros = np.zeros(size)
    last = np.concatenate(
        [
            book_lstm(order, zeros, zeros, *w[k : k + 3])[-1]
            for k, order in ((0, rows), (3, rows[::-1]))
        ]
    )
    return last @ w[6] + w[7], np.exp((last @ w[8] + w[9]) / 2)


def book_decode(w, rows, z):
    """Raw outputs (T, 123) of a decoder that starts from its latent and reads it at every step."""
    start = np.tanh(z @ w[10] + w[11])
    c, h = np.split(start, 2)
    inputs = [np.concatenate([row, z]) for row in rows]
    return np.array([h @ w[12] + w[13] for h in book_lstm(inputs, h, c, *w[14:17])])


def test_a_model_with_encoder_means_the_same_by_the_book(tmp_path):
    model = networks.tiny(n_mixtures=20)
    path = exported(model, tmp_path / "x.vae.json")
    info, w = by_the_book(path)
    assert (info["version"], info["scale_factor"], info["name"]) == (6, 20.0, "blob")
    assert info["mode"] not in (2, "gen")
    moves = networks.random_moves(np.random.default_rng(0), N_STEPS - 1)
    (mu,), (sigma,) = Engine(model).encode([moves])
    found_mu, found_sigma = book_encode(w, decoder_input(moves)[1:])
    np.testing.assert_allclose(found_mu, mu, atol=2e-3)
    np.testing.assert_allclose(found_sigma, sigma, atol=2e-3)
    found = pdf(book_decode(w, decoder_input(moves), mu))
    for ours, rtol in ((model, 1e-3), (open_model(path), 0.0)):
        (raw,) = Engine(ours).unroll([decoder_input(moves)], mu[None])
        assert_alike(found, pdf(raw), rtol=rtol)


@pytest.mark.parametrize("encoder", [True, False])
def test_a_word_with_a_start_of_its_own_means_the_same_by_the_book(tmp_path, encoder):
    model = networks.tiny(encoder=encoder, n_mixtures=20, n_words=2, words=("ant", "bee"))
    _, w = by_the_book(exported(single_word.of(model, "bee"), tmp_path / "bee.vae.json"))
    moves = networks.random_moves(np.random.default_rng(0), N_STEPS - 1)
    z = np.random.default_rng(1).normal(size=(1, 8 if encoder else 1)).astype("f4")
    labels = label_rows(model, ["bee"])
    constant = condition(model, 1, z=z if encoder else None, labels=labels)
    (raw,) = Engine(model).unroll([decoder_input(moves)], constant)
    assert_alike(pdf(book_decode(w, decoder_input(moves), z[0])), pdf(raw), rtol=1e-3)
    if not encoder:
        mu, sigma = book_encode(w, decoder_input(moves)[1:])
        assert (mu, sigma) == (0, 1)
