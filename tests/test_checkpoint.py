"""Models as files: what is written is read, and what is no model is refused in one line."""

import dataclasses
import json
import subprocess
import sys

import networks
import numpy as np
import pytest
import safetensors.numpy

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.inference import latent_prior
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import checkpoint, int8, tensor_file
from sketchrnn_cli.model.checkpoint import Checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.network import SketchRNN

SMALL = ModelConfig(
    encoder_size=5, latent_size=4, decoder_size=7, n_mixtures=3, hyper_size=6, hyper_embedding=2
)


@pytest.mark.parametrize("n_words", [0, 2])
@pytest.mark.parametrize("encoder", [True, False])
def test_checkpoint_round_trip(tmp_path, encoder, n_words):
    config = dataclasses.replace(SMALL, encoder=encoder, n_words=n_words)
    network = SketchRNN(config, seed=4)
    assert {n: v.shape for n, v in network.weights().items()} == checkpoint.shapes(config)
    weights = network.weights()
    if encoder:
        weights |= {
            "latent.share": np.array([0.25, 0.75], np.float32),
            "latent.weight": np.full((2, 3), 1 / 3, np.float32),
            "latent.mean": np.ones((2, 3, 4), np.float32),
            "latent.scale": np.tile(np.eye(4, dtype=np.float32), (2, 1, 1)),
        }
    saved = Checkpoint(
        config=config,
        weights=weights,
        scale_factor=31.25,
        words=("cat", "ice cream"),
        n_max=77,
        preparation={"fit": True},
        training={"step": 3},
    )
    checkpoint.save(tmp_path / "model.safetensors", saved)
    for source in (tmp_path, tmp_path / "model.safetensors"):
        back = checkpoint.load(source)
        assert dataclasses.replace(back, weights={}) == dataclasses.replace(saved, weights={})
        assert all((back.weights[n] == v).all() for n, v in saved.weights.items())
    again = SketchRNN(config, seed=9)
    again.load_weights(back.weights)
    assert all((v == saved.weights[n]).all() for n, v in again.weights().items())


@pytest.mark.slow
def test_the_same_model_is_the_same_bytes_in_another_process():
    code = (
        "import sys, numpy as np; from sketchrnn_cli.model.tensor_file import to_bytes;"
        "arrays = {name: np.ones(3, np.float32) for name in 'acb'};"
        "metadata = {name: name for name in 'stuvwxyz'};"
        "sys.stdout.buffer.write(to_bytes(arrays, metadata))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True) for _ in range(3)]
    assert runs[0].stdout == runs[1].stdout == runs[2].stdout
    assert (safetensors.numpy.load(runs[0].stdout)["b"] == 1).all()
    header = json.loads(runs[0].stdout[8 : 8 + int.from_bytes(runs[0].stdout[:8], "little")])
    assert header["__metadata__"] == {name: name for name in "stuvwxyz"}


def test_a_model_of_format_version_1_reads_as_one_of_today(tmp_path):
    config = dataclasses.replace(SMALL)
    latent = {
        "latent.share": np.array([0.25, 0.75], np.float32),
        "latent.mean": np.arange(8, dtype=np.float32).reshape(2, 4),
        "latent.scale": np.tril(np.arange(16, dtype=np.float32).reshape(4, 4)),
    }
    metadata = {
        "format": "sketchrnn",
        "format_version": "1",
        "config": json.dumps(
            {"encoder_size": 5, "latent_size": 4, "decoder_size": 7, "n_mixtures": 3}
        ),
        "scale_factor": "2.5",
        "words": '["ant", "bee"]',
        "n_max": "9",
        "preparation": "{}",
        "training": "{}",
    }
    weights = SketchRNN(config).weights() | latent
    (tmp_path / "old.safetensors").write_bytes(tensor_file.to_bytes(weights, metadata))
    old = checkpoint.load(tmp_path / "old.safetensors")
    assert old.config == dataclasses.replace(config, hyper_size=256, hyper_embedding=32)
    assert old.weights["latent.weight"].tolist() == [[1], [1]]
    np.testing.assert_array_equal(old.weights["latent.mean"][:, 0], latent["latent.mean"])
    for word in range(2):
        np.testing.assert_array_equal(old.weights["latent.scale"][word], latent["latent.scale"])


def corrupt(data, what):
    if what == "empty":
        return b""
    if what == "text":
        return b"<!DOCTYPE html><html></html>"
    if what == "truncated":
        return data[: len(data) // 2]
    if what == "header":
        return data[:8] + b"{" + b"\xff" * 20 + data[29:]
    if what == "newer":
        return data.replace(b'"format_version":"2"', b'"format_version":"9"')
    return data.replace(b'"format":"sketchrnn"', b'"format":"something"'[:21])


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("empty", "not a sketchrnn checkpoint"),
        ("text", "not a sketchrnn checkpoint"),
        ("truncated", "damaged checkpoint"),
        ("header", "damaged checkpoint"),
        ("newer", "update sketchrnn"),
    ],
)
def test_a_bad_checkpoint_says_what_it_is(tmp_path, what, says):
    good = tmp_path / "good.safetensors"
    network = SketchRNN(SMALL)
    saved = Checkpoint(config=SMALL, weights=network.weights(), scale_factor=1.0)
    checkpoint.save(good, saved)
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(corrupt(good.read_bytes(), what))
    assert bad.read_bytes() != good.read_bytes()
    with pytest.raises(BadCheckpoint, match=says) as error:
        checkpoint.load(bad)
    assert "bad.safetensors" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_newer_model_is_told_from_a_corrupt_one(tmp_path):
    good = tmp_path / "model.safetensors"
    checkpoint.save(
        good, Checkpoint(config=SMALL, weights=SketchRNN(SMALL).weights(), scale_factor=1.0)
    )
    data = good.read_bytes()
    good.write_bytes(corrupt(data, "newer"))
    with pytest.raises(checkpoint.NewerModel, match="format version 9.*update sketchrnn"):
        checkpoint.load(good)
    good.write_bytes(corrupt(data, "truncated"))
    with pytest.raises(BadCheckpoint) as error:
        checkpoint.load(good)
    assert not isinstance(error.value, checkpoint.NewerModel)


def test_a_missing_checkpoint_and_an_empty_run_say_so(tmp_path):
    with pytest.raises(BadFile, match="no such checkpoint"):
        checkpoint.load(tmp_path / "none.safetensors")
    with pytest.raises(BadFile, match="no model.safetensors in this folder"):
        checkpoint.load(tmp_path)


GOOD = checkpoint.file_of(networks.tiny(n_words=2, words=("ant", "bee")))


def rewritten(weights=None, **metadata):
    """The good file with other weights or texts, and without a checksum."""
    arrays, texts = tensor_file.from_bytes(GOOD, checkpoint.KIND, name="x")
    del texts["checksum"]
    return tensor_file.to_bytes(arrays | (weights or {}), texts | metadata)


def nudged(value):
    """An output bias of this one number."""
    bias = np.zeros(33, np.float32)
    bias[3] = value
    return {"decoder.out_b": bias}


BAD = {
    "not finite": (rewritten(nudged(np.nan)), "decoder.out_b holds a number that is not finite"),
    "too large": (rewritten(nudged(1.1e6)), r"decoder.out_b holds 1.1e\+06; damaged"),
    "too small": (rewritten(nudged(-1.1e6)), r"decoder.out_b holds 1.1e\+06; damaged"),
    "integers": (
        rewritten({"decoder.out_b": np.zeros(33, np.int64)}),
        "weight decoder.out_b is int64, and should be float32",
    ),
    "another shape": (rewritten({"decoder.out_b": np.zeros(3, np.float32)}), r"is \(3,\)"),
    "one too many": (rewritten({"more": np.zeros(3, np.float32)}), "unknown weight more"),
    "n_max negative": (rewritten(n_max="-5"), "n_max -5 is not from 1 to"),
    "n_max zero": (rewritten(n_max="0"), "n_max 0 is not from 1 to"),
    "n_max text": (rewritten(n_max="many"), "bad metadata"),
    "words a text": (rewritten(words='"at"'), 'words is "at", and should be a list'),
    "words numbers": (rewritten(words="[1, 2]"), "1 is not a word"),
    "words half a pair": (rewritten(words='["a", "\\ud800"]'), "is not a word"),
    "words too few": (rewritten(words='["ant"]'), "1 words, and label embeddings for 2"),
    "scale zero": (rewritten(scale_factor="0"), "scale factor 0 is not from"),
    "scale nan": (rewritten(scale_factor="nan"), "scale factor nan is not from"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_no_model_is_takes_one_line(what):
    data, says = BAD[what]
    with pytest.raises(BadCheckpoint, match=says) as error:
        checkpoint.from_bytes(data, name="bad.safetensors")
    assert str(error.value).startswith("bad.safetensors: ")
    assert "\n" not in str(error.value)


def test_the_largest_weight_loads():
    model = checkpoint.from_bytes(rewritten(nudged(checkpoint.LARGEST_WEIGHT)), name="x")
    assert model.weights["decoder.out_b"].max() == 1e6


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n_max": 0}, "n_max"),
        ({"words": ("ant",)}, "1 words"),
        ({"words": ("ant", "\ud800")}, "is not a word"),
        ({"scale_factor": float("inf")}, "scale factor"),
        ({"weights": networks.tiny().weights}, "no weight decoder.words"),
    ],
)
def test_save_refuses_what_load_would_and_leaves_no_file(tmp_path, changes, says):
    good = checkpoint.from_bytes(GOOD, name="x")
    with pytest.raises(BadCheckpoint, match=f"m.safetensors: .*{says}"):
        checkpoint.save(tmp_path / "m.safetensors", dataclasses.replace(good, **changes))
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_a_wordless_model_has_a_latent_prior_of_one_row(tmp_path):
    model, rng = networks.tiny(words=()), np.random.default_rng(0)
    drawings = [(0, networks.random_moves(rng, 6)) for _ in range(9)]
    fitted = latent_prior.fit_model(Engine(model), drawings)
    checkpoint.save(tmp_path / "m.safetensors", fitted)
    again = checkpoint.load(tmp_path / "m.safetensors")
    assert again.weights["latent.share"].tolist() == [1]
    assert len(list(networks.draw(Engine(again), 2))) == 2


def test_a_wordless_model_of_format_version_1_keeps_its_one_gaussian():
    model = networks.tiny(words=())
    latent = {"latent.mean": np.ones(8, np.float32), "latent.scale": np.eye(8, dtype=np.float32)}
    arrays, texts = tensor_file.from_bytes(checkpoint.file_of(model), checkpoint.KIND, name="x")
    del texts["checksum"]
    data = tensor_file.to_bytes(arrays | latent, texts | {"format_version": "1"})
    old = checkpoint.from_bytes(data, name="x")
    assert old.weights["latent.mean"].tolist() == [[[1] * 8]]
    assert old.weights["latent.share"].tolist() == [1]


# int8


def told(seed=0):
    """A small model with a latent prior, and columns of very different sizes."""
    rng = np.random.default_rng(seed)
    model = networks.tiny(n_words=2, words=("ant", "bee"), seed=seed)
    shapes = checkpoint.latent_shapes(model.config, 2, 3)
    more = {name: rng.random(shape).astype("f4") for name, shape in shapes.items()}
    more["latent.scale"] = np.tril(more["latent.scale"])
    weights = {**model.weights, **more}
    for name in ("decoder.cell.w_h", "encoder.bw.w_h"):
        weights[name] = weights[name] * np.logspace(-9, 2, weights[name].shape[1], dtype="f4")
        weights[name][:, 5] = 0
    return dataclasses.replace(model, weights=weights)


def version(data):
    """What the file says that it is."""
    return tensor_file.from_bytes(data, checkpoint.KIND, name="x")[1]["format_version"]


def test_only_a_file_of_int8_needs_a_newer_program():
    model = told()
    assert version(checkpoint.file_of(model)) == "2"
    assert version(checkpoint.file_of(model, numbers="float16")) == "2"
    assert version(checkpoint.file_of(model, numbers="int8")) == "3"


@pytest.mark.parametrize("seed", range(3))
def test_int8_is_within_half_a_step_and_the_rest_is_float16(seed):
    model = told(seed)
    data = checkpoint.file_of(model, numbers="int8")
    arrays, _ = tensor_file.from_bytes(data, checkpoint.KIND, name="x")
    back = checkpoint.from_bytes(data, name="x").weights
    assert back.keys() == model.weights.keys()
    matrices = {"encoder.fw.w_h", "encoder.bw.w_h", "decoder.cell.w_h", "decoder.cell.w_const"}
    assert {n for n, array in arrays.items() if array.dtype == np.int8} == matrices | {
        "latent.scale"
    }
    for name, exact in model.weights.items():
        assert back[name].dtype == np.float32
        if name not in (*matrices, "latent.scale"):
            np.testing.assert_array_equal(back[name], exact.astype(np.float16))
            continue
        step = np.maximum(np.abs(exact).max(0) / 127, 2.0**-21) * 1.125
        assert (np.abs(back[name] - exact) <= step / 2 * 1.0001).all()
        np.testing.assert_array_equal(back[name], back[name].astype(np.float16))
    assert checkpoint.file_of(model, numbers="int8") == data


def test_a_latent_prior_that_is_not_triangular_is_kept_whole():
    model = told()
    model.weights["latent.scale"][1, 0, 3] = 0.5
    data = checkpoint.file_of(model, numbers="int8")
    back = checkpoint.from_bytes(data, name="x").weights["latent.scale"]
    np.testing.assert_array_equal(back, model.weights["latent.scale"].astype(np.float16))


def test_a_number_too_large_for_float16_is_refused():
    model = networks.tiny()
    model.weights["decoder.out_w"][3, 3] = 7e4
    for numbers in ("float16", "int8"):
        with pytest.raises(BadConfig, match="decoder.out_w holds a number too large for float16"):
            checkpoint.file_of(model, numbers=numbers)


SCALE = "decoder.cell.w_h.scale"
BAD_INT8 = {
    "no scale": ({SCALE: None}, f"decoder.cell.w_h is int8, and there is no {SCALE}"),
    "no int8": (
        {"decoder.cell.w_h": np.zeros((24, 96), np.float16)},
        f"unknown weight {SCALE}",
    ),
    "rows": (
        {SCALE: np.ones(24, np.float32)},
        r"is float32 \(24,\), and should be one float32 for",
    ),
    "float16": ({SCALE: np.ones(96, np.float16)}, r"is float16 \(96,\), and should be one float32"),
    "negative": ({SCALE: np.full(96, -1, np.float32)}, f"{SCALE} is not from 0 to 7874.02"),
    "NaN": ({SCALE: np.full(96, np.nan, np.float32)}, "is not from 0 to"),
    "huge": ({SCALE: np.full(96, 7875, np.float32)}, "is not from 0 to"),
    "vector": (
        {"decoder.out_b": np.ones(33, np.int8), "decoder.out_b.scale": np.ones(33, np.float32)},
        r"one float32 for each column of \(33,\)",
    ),
    "int16": (
        {"decoder.out_w": np.ones((24, 33), np.int16)},
        "decoder.out_w is int16, and should be float32",
    ),
    "shares of nothing": (
        {"latent.share": np.zeros(2, np.float16)},
        "latent.share holds no probabilities",
    ),
    "a word of no weight": (
        {"latent.weight": np.array([[1, 0, 0], [0, 0, 0]], np.float16)},
        "latent.weight holds no probabilities",
    ),
    "weights below zero": (
        {"latent.weight": np.array([[1, 0, 0], [2, 0, -1]], np.float16)},
        "latent.weight holds no probabilities",
    ),
    "no triangles": (
        {
            "latent.scale": np.ones((2, 35), np.int8),
            "latent.scale.scale": np.ones(35, np.float32),
        },
        r"latent.scale is \(2, 35\): no triangles",
    ),
}


@pytest.mark.parametrize("what", BAD_INT8)
def test_scales_that_no_model_has_take_one_line(what):
    changes, says = BAD_INT8[what]
    data = checkpoint.file_of(told(), numbers="int8")
    arrays, texts = tensor_file.from_bytes(data, checkpoint.KIND, name="x")
    del texts["checksum"]
    arrays = {name: a for name, a in (arrays | changes).items() if a is not None}
    with pytest.raises(BadCheckpoint, match=says) as error:
        checkpoint.from_bytes(tensor_file.to_bytes(arrays, texts), name="bad.safetensors")
    assert str(error.value).startswith("bad.safetensors: ")
    assert "\n" not in str(error.value)


def test_int8_weights_are_packed_again_as_they_were():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        spread = rng.normal(size=(30, 64)) * np.exp(rng.normal(0, 3, 64))
        once = int8.pack({"decoder.cell.w_h": spread.astype(np.float32)})
        read = int8.unpack(once, 1e6, name="")
        again = int8.pack(read)
        for name, array in once.items():
            assert np.array_equal(again[name], array), (seed, name)
