"""The model inside the package: what it is, what it weighs, and that it draws at once."""

import json
import re

import pytest
from safetensors import safe_open
from typer.testing import CliRunner

from sketchrnn_cli import pretrained
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.inference.recogniser import Recogniser
from sketchrnn_cli.model import checkpoint

CARD = pretrained.FILE.parent / "README.md"


def run(*arguments, stdin=b""):
    result = CliRunner().invoke(app, list(map(str, arguments)), input=stdin)
    assert result.exit_code == 0, result.stderr
    return result


def test_it_is_small_and_holds_no_more_than_it_says():
    assert sum(file.stat().st_size for file in pretrained.FILE.parent.iterdir()) <= 8_000_000
    with safe_open(pretrained.FILE, "numpy") as file:
        dtypes = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert dtypes["decoder.cell.w_h"] == "I8"
    assert dtypes["decoder.out_w"] == "F16"
    model = checkpoint.load(pretrained.FILE)
    assert len(model.words) == model.config.n_words == 345
    assert Recogniser.of(model).words == model.words
    assert sum(model.counts) == model.training["n_train"]
    assert {"latent.weight", "latent.mean", "latent.scale"} < model.weights.keys()
    assert model.preparation["fit"]


def test_its_card_names_its_words_its_data_and_their_licence():
    card = CARD.read_text("utf-8")
    for word in checkpoint.load(pretrained.FILE).words:
        assert re.search(rf"\b{re.escape(word)}\b", card), word
    for text in (
        "Quick, Draw!",
        "Google",
        "creativecommons.org/licenses/by/4.0",
        "train words.npz",
    ):
        assert text in card


def test_it_draws_every_word_and_ends():
    words = run("sample", "--list-words").stdout.split("\n")[:-1]
    assert len(words) == 345
    lines = [run("sample", ", ".join(words[k::3])).stdout.splitlines() for k in range(3)]
    records = [json.loads(line) for part in lines for line in part]
    records.sort(key=lambda record: words.index(record["word"]))
    assert [record["word"] for record in records] == words
    assert sum(record["finished"] for record in records) >= 342


@pytest.mark.parametrize(
    ("prompt", "n"), [("three cats", 3), ("a kitty and two doggies", 3), ("cat:0.7 + pig:0.3", 9)]
)
def test_a_prompt_needs_no_model(prompt, n):
    assert run("sample", prompt).stdout.count("\n") == n


def test_every_command_takes_it_by_default(tmp_path):
    assert "the built-in model" in run("inspect").stdout
    assert "sketchrnn sample 'The Eiffel Tower'" in run("inspect").stdout
    facts = json.loads(run("inspect", "--json").stdout)
    assert len(facts["words"]) == len(facts["counts"]) == 345
    lines = run("sample", "two owls").stdout
    encoded = run("encode", stdin=lines).stdout
    again = run("sample", "--latents", "-", stdin=encoded).stdout
    assert [json.loads(line)["word"] for line in again.splitlines()] == ["owl", "owl"]
    (tmp_path / "owls.ndjson").write_text(lines, "utf-8")
    scores = json.loads(run("inspect", tmp_path / "owls.ndjson", "--score", "--json").stdout)
    assert (scores["model"], len(scores["scores"])) == ("the built-in model", 2)
    out = tmp_path / "copy.safetensors"
    run("export", "-o", out, "--int8")
    assert out.read_bytes() == pretrained.FILE.read_bytes()


def test_it_knows_one_word_from_another():
    """A real drawing would be better; its own at least must be likelier under their word."""
    sketch = run("sample", "triangle", "-n", 5, "--temp", 0.2).stdout
    other = sketch.replace('"triangle"', '"butterfly"')
    scores = []
    for lines in (sketch, other):
        found = run("inspect", "-", "--score", "--json", stdin=lines).stdout
        scores.append(sum(s["log_likelihood"] for s in json.loads(found)["scores"]))
    assert scores[0] > scores[1] + 5
