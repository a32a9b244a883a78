"""In which arithmetic a model is trained."""

import dataclasses

import pytest
import synthetic
import torch
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.model import onednn as products
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import corpus as corpora
from sketchrnn_cli.training import device as precision
from sketchrnn_cli.training import loop
from sketchrnn_cli.training.config import TrainingConfig

CPU = torch.device("cpu")
LARGE, SMALL = ModelConfig(), ModelConfig(decoder_size=100)


@pytest.fixture
def with_bfloat16(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)


@pytest.fixture
def without_bfloat16(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)


def test_auto_takes_bfloat16_only_where_it_is_faster(with_bfloat16):
    assert precision.products_type("auto", CPU, LARGE) is torch.bfloat16
    assert precision.products_type("auto", CPU, SMALL) is torch.float32


def test_auto_is_float32_where_there_is_no_other(without_bfloat16):
    assert precision.products_type("auto", CPU, LARGE) is torch.float32


def test_what_is_named_is_taken(with_bfloat16):
    for name in ("float32", "bfloat16", "float64"):
        assert precision.products_type(name, CPU, SMALL) is getattr(torch, name)
    assert precision.weights_type("bfloat16") is torch.float32
    assert precision.weights_type("float64") is torch.float64


def test_bfloat16_goes_by_the_instructions_of_the_processor(monkeypatch):
    for there in ({}, {"avx512_f": True, "avx512_bf16": False}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", dict(there).copy, raising=False)
        assert not precision.has_bfloat16(CPU)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert precision.has_bfloat16(CPU) == torch.backends.mkldnn.is_available()


def test_bfloat16_where_it_is_not_is_one_line_and_leaves_nothing(without_bfloat16, tmp_path):
    arguments = ["train", "-o", str(tmp_path / "run"), "--precision", "bfloat16", "--steps", "1"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "has no bfloat16 arithmetic; give float32 or auto" in result.stderr
    assert not any(tmp_path.iterdir())


def test_an_unknown_precision_is_one_line():
    with pytest.raises(BadConfig, match="precision must be one of auto, float32, bfloat16"):
        TrainingConfig(precision="float16")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "drawings.npz"
    synthetic.pack(synthetic.generate(8, seed=1), path)
    return corpora.Corpus.open(path)


def losses(run, corpus, steps=6, **settings):
    config = TrainingConfig(batch_size=16, **settings)
    model = ModelConfig(encoder_size=16, latent_size=8, decoder_size=32, n_mixtures=3)
    run.mkdir()
    trainer = loop.Trainer(run, corpus, model, config, device=CPU)
    return [trainer.take_step().tolist() for _ in range(steps)], trainer


def test_bfloat16_takes_nearly_the_steps_of_float32(with_bfloat16, corpus, tmp_path):
    fast, trainer = losses(tmp_path / "a", corpus, precision="bfloat16")
    slow, _ = losses(tmp_path / "b", corpus, precision="float32")
    assert fast != slow
    for a, b in zip(fast, slow, strict=True):
        assert a == pytest.approx(b, rel=0.02)
    assert {p.dtype for p in trainer.network.parameters()} == {torch.float32}
    again, _ = losses(tmp_path / "c", corpus, precision="bfloat16")
    assert again == fast


def test_validation_is_in_float32_whatever_the_steps_are_in(with_bfloat16, corpus, tmp_path):
    config = TrainingConfig(batch_size=16, precision="bfloat16")
    other = dataclasses.replace(config, precision="float32")
    model = ModelConfig(encoder_size=16, latent_size=8, decoder_size=32, n_mixtures=3)
    a, b = (
        loop.Trainer(tmp_path, corpus, model, c, device=CPU).validate() for c in (config, other)
    )
    assert a is not None
    assert b is not None
    assert (a.l_r, a.l_kl) == (b.l_r, b.l_kl)


@pytest.mark.parametrize("onednn", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 17])
def test_products_are_products_with_onednn_and_without(onednn, rows, monkeypatch):
    if onednn and not products.onednn_takes(torch.ones(1)):
        pytest.skip("no oneDNN in this build of torch")
    monkeypatch.setattr(products, "onednn_takes", lambda like: onednn)
    generator = torch.Generator().manual_seed(rows)
    x, w, added = (torch.randn(s, generator=generator) for s in ((rows, 40), (24, 40), (rows, 24)))
    step = products.StepWeights([w])
    torch.testing.assert_close(step(x[None])[0], x @ w.t())
    torch.testing.assert_close(step(x[None], added)[0], x @ w.t() + added)
    torch.testing.assert_close(products.weight_gradient(x, added, x.dtype), x.t() @ added)


@pytest.mark.parametrize("n_sequences", [1, 7, 32, 64, 65, 100, 1000])
def test_products_of_steps_have_few_sizes_and_enough_rows(n_sequences):
    """Of so few that oneDNN keeps the plan of each."""
    sizes = [products.planned(n, n_sequences) for n in range(1, n_sequences + 1)]
    assert all(n <= size <= n_sequences for n, size in enumerate(sizes, start=1))
    assert len(set(sizes)) <= products.STEP_SIZES
    if n_sequences <= products.STEP_SIZES:
        assert sizes == list(range(1, n_sequences + 1))
