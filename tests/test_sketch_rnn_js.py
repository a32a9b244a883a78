"""Reading the browser models of sketch-rnn-js."""

import base64
import json

import networks
import numpy as np
import pytest
import reference

from sketchrnn_cli.errors import BadCheckpoint, BadFile
from sketchrnn_cli.inference.engine import Engine, condition, decoder_input
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.sketch_rnn_js import load

H, E, Z = 6, 4, 3
DECODER = [(H, 123), (123,), (5, 4 * H), (H, 4 * H), (4 * H,)]
READER = [(5, 4 * E), (E, 4 * E), (4 * E,)]
VAE = [
    *READER,
    *READER,
    *[(2 * E, Z), (Z,), (2 * E, Z), (Z,), (Z, 2 * H), (2 * H,)],
    *[(H, 123), (123,), (5 + Z, 4 * H), (H, 4 * H), (4 * H,)],
]
INFO = {"mode": 2, "version": 6, "max_seq_len": 129, "name": "bird", "scale_factor": 71.3754}


def browser_model(path, shapes, *, info=INFO, seed=0, **changes):
    """Write a random model; gives its arrays as the browser sees them, in float64."""
    rng = np.random.default_rng(seed)
    quantised = [rng.integers(-3000, 3000, shape).astype("<i2") for shape in shapes]
    blobs = [base64.b64encode(q.tobytes()).decode() for q in quantised]
    parts = {"info": info, "dims": [list(shape) for shape in shapes], "blobs": blobs, **changes}
    path.write_text(json.dumps(list(parts.values())))
    return [10.0 * q / 32767 for q in quantised]


def browser_step(x, h, c, w_x, w_h, b):
    """LSTM of sketch-rnn-js: gates i, j, f, o, and forget bias 1 added at run time."""
    i, j, f, o = np.split(x @ w_x + h @ w_h + b, 4)
    c = reference.sigmoid(f + 1) * c + reference.sigmoid(i) * np.tanh(j)
    return reference.sigmoid(o) * np.tanh(c), c


def test_a_decoder_means_what_it_means_in_the_browser(tmp_path):
    path = tmp_path / "bird.gen.json"
    out_w, out_b, *lstm = browser_model(path, DECODER)
    model = load(path)
    assert (model.words, model.scale_factor, model.n_max) == (("bird",), 71.3754, 129)
    assert (model.config.encoder, model.config.decoder_size) == (False, H)
    moves = networks.random_moves(np.random.default_rng(1), 6)
    (raw,) = Engine(model).forward([moves], None)
    h = c = np.zeros(H)
    for row, found in zip(decoder_input(moves), raw, strict=True):
        h, c = browser_step(row, h, c, *lstm)
        np.testing.assert_allclose(found, h @ out_w + out_b, atol=1e-5)


@pytest.mark.parametrize("version", [2, 6])
def test_an_encoder_and_decoder_mean_what_they_mean_in_the_browser(tmp_path, version):
    path = tmp_path / "cat.vae.json"
    w = browser_model(path, VAE, info={**INFO, "mode": "vae", "version": version})
    model = load(path)
    assert (model.config.encoder_size, model.config.latent_size) == (E, Z)
    assert model.training["tanh_z"] == (version == 2)
    engine = Engine(model)
    moves = networks.random_moves(np.random.default_rng(2), 5)
    mu, sigma = engine.encode([moves])
    last = []
    for k, rows in ((0, decoder_input(moves)[1:]), (3, decoder_input(moves)[:0:-1])):
        h = c = np.zeros(E)
        for row in rows:
            h, c = browser_step(row, h, c, *w[k : k + 3])
        last.append(h)
    both = np.concatenate(last)
    np.testing.assert_allclose(mu[0], both @ w[6] + w[7], atol=1e-5)
    np.testing.assert_allclose(sigma[0], np.exp((both @ w[8] + w[9]) / 2), rtol=1e-5)

    z = np.array([0.5, -2, 1.5])
    constant = condition(model, 1, z=z[None].astype("f4"))
    (raw,) = engine.forward([moves], constant)
    if version < 6:
        z = np.tanh(z)
    c, h = np.split(np.tanh(z @ w[10] + w[11]), 2)
    for row, found in zip(decoder_input(moves), raw, strict=True):
        h, c = browser_step(np.concatenate([row, z]), h, c, *w[14:])
        np.testing.assert_allclose(found, h @ w[12] + w[13], atol=1e-5)


def test_a_checkpoint_is_loaded_by_its_suffix_and_old_files_name_their_mode(tmp_path):
    path = tmp_path / "bear.gen.json"
    browser_model(path, DECODER, info={**INFO, "mode": "gen", "version": 2})
    assert not checkpoint.load(path).config.encoder


SMALL = [(H, 63), (63,), (5, 4 * H), (H, 4 * H), (4 * H,)]
HYPER = [*DECODER, (3, 3)]


@pytest.mark.parametrize(
    ("shapes", "changes", "message"),
    [
        (SMALL, {}, "10 mixtures; a browser model has exactly 20"),
        (HYPER, {}, "6 arrays, and a decoder-only browser model has 5.*plain LSTM"),
        (DECODER, {"info": {**INFO, "mode": "vae"}}, "5 arrays, and an? encoder-decoder.* 17"),
        (DECODER, {"info": {**INFO, "scale_factor": 0}}, "scale_factor is 0"),
        (DECODER, {"info": {**INFO, "scale_factor": "9"}}, "scale_factor is '9'"),
        (DECODER, {"info": {**INFO, "version": None}}, "version None is not a number"),
        (DECODER, {"info": [1]}, "not a browser model .*info, dims, blobs"),
        (DECODER, {"dims": [[1]] * 4}, "not a browser model .*info, dims, blobs"),
        (DECODER, {"blobs": ["####"] * 5}, "array 0 is not base64"),
        (DECODER, {"blobs": [7] * 5}, "array 0 is not base64"),
        (DECODER, {"blobs": ["AAAA"] * 5}, "array 0 has 3 bytes"),
        (DECODER, {"dims": [[6, 123], [123], [5, 24], [6, -24], [24]]}, "array 3 has no shape"),
        (DECODER, {"dims": ["x"] * 5}, "array 0 has no shape"),
        ([*DECODER[:3], (H, 3 * H), (3 * H,)], {}, "array 3 has shape .6, 18., not .H, 4H."),
        ([*DECODER[:2], (7, 4 * H), *DECODER[3:]], {}, "array 2 has shape .7, 24.*should have"),
    ],
)
def test_what_the_format_cannot_hold_is_one_line(tmp_path, shapes, changes, message):
    path = tmp_path / "x.gen.json"
    browser_model(path, shapes, **changes)
    with pytest.raises(BadCheckpoint, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON"),
        ("<html>", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('[{"mode":2},[[512,123]],["abc', "cut short, after 29 bytes"),
        ("{}", "info, dims, blobs"),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path, text, message):
    path = tmp_path / "x.gen.json"
    path.write_text(text)
    with pytest.raises(BadCheckpoint, match=message):
        load(path)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(BadFile, match="none.gen.json: no such checkpoint"):
        load(tmp_path / "none.gen.json")


def test_a_truncated_download_says_so(shared_data):
    with pytest.raises(
        BadCheckpoint, match="truncated-cat.gen.json: .*cut short, after 200000 bytes;"
    ):
        checkpoint.load(shared_data / "odd" / "truncated-cat.gen.json")


@pytest.mark.parametrize(("word", "scale"), [("bird", 71.3754), ("bear", 62.4323)])
def test_googles_decoders_load_and_end_their_drawings(shared_data, word, scale):
    from sketchrnn_cli.inference.plan import Settings
    from sketchrnn_cli.inference.sampler import draw

    model = checkpoint.load(shared_data / "sketch-rnn-js" / f"{word}.gen.json")
    assert (model.words, model.scale_factor) == ((word,), scale)
    sketches = list(draw(Engine(model), 8, settings=Settings(temperature=0.25)))
    assert sum(bool(s.extras["finished"]) for s in sketches) >= 7
    assert all(s.n_points > 30 for s in sketches)
