"""Reading and writing the browser models of sketch-rnn-js."""

import base64
import json
from dataclasses import replace

import hypothesis
import networks
import numpy as np
import pytest
import reference
from hypothesis import strategies

from sketchrnn_cli.errors import BadCheckpoint, BadFile
from sketchrnn_cli.inference.conditioning import condition
from sketchrnn_cli.inference.engine import Engine, decoder_input
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.model.sketch_rnn_js import LARGEST, STEP, file_of, load

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


@pytest.mark.parametrize("name", ["bird.gen.json", "bird.json", "BIRD.JSON", "bird", "bird (1)"])
def test_a_model_is_known_by_its_suffix_or_its_first_bytes(tmp_path, name):
    path = tmp_path / name
    browser_model(path, DECODER)
    path.write_bytes(b"\xef\xbb\xbf \n" + path.read_bytes())
    assert open_model(path).words == ("bird",)


def test_a_checkpoint_is_loaded_by_its_suffix_and_old_files_name_their_mode(tmp_path):
    path = tmp_path / "bear.gen.json"
    browser_model(path, DECODER, info={**INFO, "mode": "gen", "version": 2})
    assert not open_model(path).config.encoder


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
        (DECODER, {"info": {**INFO, "version": None}}, "version is None, and must be"),
        (DECODER, {"info": {**INFO, "scale_factor": float("nan")}}, "scale_factor is nan"),
        (DECODER, {"info": {**INFO, "scale_factor": 10**400}}, "scale_factor is 10000"),
        (DECODER, {"info": {**INFO, "max_seq_len": 0.5}}, "max_seq_len is 0.5"),
        (DECODER, {"info": {**INFO, "name": ["bird"]}}, "its name is not a text"),
        (DECODER, {"info": {**INFO, "name": "\ud800"}}, "its name is not a text"),
        (DECODER, {"info": {**INFO, "name": "x" * 1001}}, "its name is not a text"),
        (DECODER, {"info": {**INFO, "preparation": 7}}, "preparation is 7"),
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
        ("[" * 100_000, "info, dims, blobs"),
        ("[{" + '"a":[{' * 400, "cut short"),
        ('[{"a":' + "[[]," * 100_000, "info, dims, blobs"),
        ('[{"mode":2},[[512,123]],["abc', "cut short, after 29 bytes"),
        ("{}", "info, dims, blobs"),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path, text, message):
    path = tmp_path / "x.gen.json"
    path.write_text(text)
    with pytest.raises(BadCheckpoint, match=message):
        load(path)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "x.gen.json"
    with path.open("wb") as stream:
        stream.truncate(300 * 2**20)
    with pytest.raises(BadCheckpoint, match="300 MB; a browser model has at most 48"):
        load(path)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(BadFile, match="none.gen.json: no such checkpoint"):
        load(tmp_path / "none.gen.json")


def test_a_truncated_download_says_so(shared_data):
    with pytest.raises(
        BadCheckpoint, match="truncated-cat.gen.json: .*cut short, after 200,000 bytes;"
    ):
        open_model(shared_data / "odd" / "truncated-cat.gen.json")


@pytest.mark.parametrize(("word", "scale"), [("bird", 71.3754), ("bear", 62.4323)])
def test_googles_decoders_load_and_end_their_drawings(shared_data, word, scale):
    from networks import draw

    from sketchrnn_cli.inference.settings import Settings

    model = open_model(shared_data / "sketch-rnn-js" / f"{word}.gen.json")
    assert (model.words, model.scale_factor) == ((word,), scale)
    sketches = list(draw(Engine(model), 8, settings=Settings(temperature=0.25)))
    assert sum(bool(s.extras["finished"]) for s in sketches) >= 7
    assert all(s.n_points > 30 for s in sketches)


def test_googles_files_are_written_again_byte_for_byte(shared_data):
    for word in ("bird", "bicycle", "bear"):
        path = shared_data / "sketch-rnn-js" / f"{word}.gen.json"
        data, cut = file_of(load(path))
        assert cut == {}
        if word == "bear":  # version 2, with other notes
            assert json.loads(data)[1:] == json.loads(path.read_bytes())[1:]
        else:
            assert data == path.read_bytes()


@hypothesis.settings(deadline=None, max_examples=25)
@hypothesis.given(
    encoder=strategies.booleans(),
    sizes=strategies.tuples(*[strategies.integers(1, 9)] * 3),
    scale=strategies.sampled_from([0.01, 1.0, 4.0]),
    seed=strategies.integers(0, 2**32),
)
def test_a_written_model_is_within_half_a_step(tmp_path_factory, encoder, sizes, scale, seed):
    decoder_size, encoder_size, latent_size = sizes
    model = networks.tiny(
        encoder=encoder,
        seed=seed,
        decoder_size=decoder_size,
        encoder_size=encoder_size,
        latent_size=latent_size,
        n_mixtures=20,
        preparation={"fit": False, "simplified": True},
        n_max=77,
    )
    for array in model.weights.values():
        array *= np.float32(scale)
    data, cut = file_of(model)
    path = tmp_path_factory.mktemp("models") / "x.json"
    path.write_bytes(data)
    again = load(path)
    assert (again.config.encoder, again.config.decoder_size) == (encoder, decoder_size)
    assert (again.words, again.scale_factor, again.n_max) == (("blob",), 20.0, 77)
    assert again.preparation == model.preparation
    assert again.weights.keys() == model.weights.keys()
    for name, array in model.weights.items():
        bound = np.full_like(array, LARGEST)
        if name.endswith(".b"):  # the forget bias of 1 is not stored
            bound[len(bound) // 4 : len(bound) // 2] += 1
        low = bound - 2 * LARGEST
        wanted = np.clip(array, np.where(bound > LARGEST, low, -bound), bound)
        np.testing.assert_allclose(again.weights[name], wanted, atol=0.501 * STEP)
    assert sum(cut.values()) == sum(
        int((np.abs(array - again.weights[name]) > 0.501 * STEP).sum())
        for name, array in model.weights.items()
    )
    assert file_of(again)[0] == data


def test_weights_that_are_cut_off_are_counted():
    model = networks.tiny(encoder=False, n_mixtures=20)
    model.weights["decoder.out_b"][:3] = 12, -10.2, 10.0001
    model.weights["decoder.cell.b"][24:27] = 10.9, 11.5, -9.5  # forget: 1 less in the file
    data, cut = file_of(model)
    assert cut == {"decoder.out_b": 2, "decoder.cell.b": 2}
    numbers = np.frombuffer(base64.b64decode(json.loads(data)[2][1]), "<i2")
    assert numbers[:3].tolist() == [32767, -32767, 32767]


def test_a_file_says_what_clients_ask_and_is_compact():
    data, _ = file_of(networks.tiny(encoder=False, n_mixtures=20, n_max=99, words=("a é", "b")))
    info, dims, blobs = json.loads(data)
    assert info == {
        "mode": 2, "version": 6, "max_seq_len": 99, "name": "a é, b", "scale_factor": 20.0
    }  # fmt: skip
    assert dims == [[24, 123], [123], [5, 96], [24, 96], [96]]
    assert b" " not in data.replace(b"a \\u00e9, b", b"")
    info, dims, blobs = json.loads(file_of(networks.tiny(n_mixtures=20))[0])
    assert (info["mode"], len(dims), dims[14]) == (1, 17, [13, 96])


def test_a_model_that_hears_tanh_of_its_latent_goes_on_to(tmp_path):
    model = networks.tiny(n_mixtures=20, training={"tanh_z": True})
    path = tmp_path / "x.vae.json"
    path.write_bytes(file_of(model)[0])
    assert load(path).training["tanh_z"]


def test_what_the_format_cannot_hold_is_refused_by_name():
    with pytest.raises(BadCheckpoint, match="it has 5 mixtures, and a browser model exactly 20"):
        file_of(networks.tiny())
    with pytest.raises(BadCheckpoint, match="several words, and a browser model holds one"):
        file_of(networks.tiny(n_mixtures=20, n_words=2, words=("a", "b")))
    hyper = networks.tiny(n_mixtures=20)
    object.__setattr__(hyper.config, "cell", "hyper")
    with pytest.raises(BadCheckpoint, match="its cell is hyper, and .* a plain lstm"):
        file_of(hyper)
    large = replace(networks.tiny(n_mixtures=20).config, decoder_size=4096)
    with pytest.raises(BadCheckpoint, match="decoder_size 4096: the file would have 1.. MB"):
        file_of(replace(hyper, config=large))
