"""What a recogniser answers: in `encode`, `inspect`, `preprocess` and a notebook."""

import json
from dataclasses import replace

import datafiles
import networks
import numpy as np
import pytest
import synthetic
from typer.testing import CliRunner

import sketchrnn_cli as sk
from sketchrnn_cli.cli import inspect_recognised
from sketchrnn_cli.cli.app import app
from sketchrnn_cli.errors import BadCheckpoint
from sketchrnn_cli.inference.recogniser import Recogniser
from sketchrnn_cli.inference.recognition import Recognition
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.sketches.block import from_sketches
from sketchrnn_cli.sketches.corpus import Corpus
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.sketches.preparation import Preparation, prepare_like
from sketchrnn_cli.sketches.sketch import Sketch, to_stroke3

WORDS = ("boat", "Star", "blob", "house")
PREPARATION = Preparation(fit=True, simplified=True).to_dict()
ODD = Sketch((np.array([[0, 0], [255, 90]], "f4"),), "odd")  # a word that no model here knows
SURE = (9.0, 0.0, 0.0, 1.0)  # logits: boat, house, then the others with shares under 1 / 8


def model_of(logits=None):
    """A model whose recogniser has random weights, or gives every drawing these logits."""
    made = networks.tiny(n_words=len(WORDS), words=WORDS, preparation=PREPARATION)
    made = networks.with_recogniser(made)
    if logits is None:
        return made
    always = {
        "recogniser.words_w": 0 * made.weights["recogniser.words_w"],
        "recogniser.words_b": np.array(logits, "f4"),
    }
    return replace(made, weights=made.weights | always)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Models, 22 drawings of two words and one of another, and three of them alone."""
    folder = tmp_path_factory.mktemp("recognition")
    checkpoint.save(folder / "m.safetensors", model_of())
    checkpoint.save(folder / "sure.safetensors", model_of(SURE))
    checkpoint.save(folder / "bare.safetensors", networks.tiny(preparation=PREPARATION))
    sketches = [synthetic.draw(word, 0, k) for k in range(11) for word in ("star", "boat")]
    for name, some in (("many", [*sketches, ODD]), ("few", [*sketches[:2], ODD])):
        (folder / f"{name}.ndjson").write_bytes(b"".join(map(ndjson.to_line, some)))
    return folder


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, [*map(str, arguments)], input=stdin, catch_exceptions=False)


def found(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(result, *says):
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for text in says:
        assert text in result.stderr


def expected(sketches, model=None):
    """The answers of the recogniser itself, shares in 3 decimals."""
    recogniser = Recogniser.of(model or model_of())
    moves = [to_stroke3(prepare_like(sketch, PREPARATION)) for sketch in sketches]
    return [[[word, round(share, 3)] for word, share in each] for each in recogniser.top(moves)]


# encode


def test_encode_says_what_each_drawing_looks_like(place):
    lines = (place / "few.ndjson").read_bytes()
    lines = lines.replace(b'"word":"odd"', b'"word":"odd","recognized":false')  # Google's answer
    result = run("encode", "--model", place / "m.safetensors", stdin=lines)
    assert result.exit_code == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    answers = expected(datafiles.ndjson_sketches(place / "few.ndjson"))
    assert [record["recognized"] for record in records] == answers
    assert answers[0] != answers[1]
    assert {len(record["z"]) for record in records} == {8}


def test_encode_of_a_model_without_a_recogniser_keeps_the_field_of_the_file(place):
    line = ndjson.to_line(ODD.with_extras(recognized=True))
    result = run("encode", "--model", place / "bare.safetensors", stdin=line)
    assert json.loads(result.stdout)["recognized"] is True
    line = ndjson.to_line(ODD)
    result = run("encode", "--model", place / "bare.safetensors", stdin=line)
    assert "recognized" not in json.loads(result.stdout)


def test_what_encode_says_is_no_answer_to_recognized_only(place, tmp_path):
    encoded = run("encode", place / "few.ndjson", "--model", place / "m.safetensors").stdout_bytes
    not_recognised = ndjson.to_line(ODD.with_extras(recognized=False))
    out = tmp_path / "kept.ndjson"
    report = json.loads(
        run(
            *("preprocess", "-", "-o", out, "--recognized-only", "--json"),
            stdin=encoded + not_recognised,
        ).stdout
    )
    assert (report["kept"], report["dropped"]) == (3, {"not recognized": 1})
    kept = [sketch.extras["recognized"] for sketch in datafiles.ndjson_sketches(out)]
    assert kept == [json.loads(line)["recognized"] for line in encoded.splitlines()]


# inspect


def test_inspect_says_what_a_few_drawings_look_like(place, tmp_path):
    arguments = ("inspect", place / "few.ndjson", "--model", place / "sure.safetensors")
    facts = found(*arguments)
    assert facts["recognized"] == [[["boat", 0.999], ["house", 0.0], ["Star", 0.0]]] * 3
    text = run(*arguments).stdout
    assert "looks like  0: 100% boat, 0% house, 0% Star\n              1: 100% boat" in text
    sketches = list(datafiles.ndjson_sketches(place / "few.ndjson"))
    (tmp_path / "one.ndjson").write_bytes(ndjson.to_line(sketches[1]))
    arguments = ("inspect", tmp_path / "one.ndjson", "--model", place / "m.safetensors")
    assert found(*arguments)["recognized"] == expected(sketches[1:2])
    (word, share), *_ = expected(sketches[1:2])[0]
    assert f"looks like  {share:.0%} {word}, " in run(*arguments).stdout


def test_a_packed_set_and_an_svg_get_the_same_answer(place, tmp_path):
    sketch = next(iter(datafiles.ndjson_sketches(place / "few.ndjson")))
    (tmp_path / "one.ndjson").write_bytes(ndjson.to_line(sketch))
    assert run("preprocess", tmp_path / "one.ndjson", "-o", tmp_path / "one.npz").exit_code == 0
    path = "".join("M" + "L".join(f"{x} {y}" for x, y in line) for line in sketch.strokes)
    drawn = f'<path fill="none" stroke="#000" d="{path}"/>'
    (tmp_path / "one.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{drawn}</svg>')
    told = [
        found("inspect", tmp_path / f"one.{kind}", "--model", place / "m.safetensors")["recognized"]
        for kind in ("ndjson", "npz", "svg")
    ]
    assert told[0] == told[1] == expected([sketch])
    for (word, share), (other, other_share) in zip(told[0][0], told[2][0], strict=True):
        assert word == other
        assert share == pytest.approx(other_share, abs=0.02)


def test_many_drawings_get_no_answers_and_a_model_without_use_is_refused(place):
    refused(
        run("inspect", place / "many.ndjson", "--model", place / "m.safetensors"),
        f"up to {inspect_recognised.FEW} drawings", "23", "--doubtful",
    )  # fmt: skip
    assert "recognized" not in found("inspect", place / "many.ndjson")
    refused(
        run("inspect", place / "few.ndjson", "--model", place / "bare.safetensors"),
        "bare.safetensors: it has no recogniser",
    )


def test_the_drawings_with_the_most_doubtful_labels_come_first(place, tmp_path):
    grid = tmp_path / "doubtful.svg"
    model = place / "m.safetensors"
    arguments = ("inspect", place / "many.ndjson", "--doubtful", "--model", model)
    facts = found(*arguments, "-n", 3, "--grid", grid)
    sketches = list(datafiles.ndjson_sketches(place / "many.ndjson"))
    moves = [to_stroke3(prepare_like(sketch, PREPARATION)) for sketch in sketches[:-1]]
    shares = Recogniser.of(model_of()).shares(moves)
    column = {"boat": 0, "star": 1}  # the model spells it Star
    own = [row[column[s.word]] for row, s in zip(shares, sketches, strict=False)]
    order = np.argsort(own, kind="stable")[:3]
    assert [each["index"] for each in facts["doubtful"]] == order.tolist()
    assert [each["word"] for each in facts["doubtful"]] == [sketches[k].word for k in order]
    np.testing.assert_allclose(
        [each["share"] for each in facts["doubtful"]], np.sort(own)[:3], rtol=1e-4
    )
    answers = expected([sketches[k] for k in order])
    assert [each["recognized"] for each in facts["doubtful"]] == answers
    assert (facts["n_judged"], facts["n_unknown"]) == (22, 1)
    assert facts["threshold"] == 1 / 8  # half of chance
    assert facts["n_doubtful"] == sum(share < 1 / 8 for share in own) > 0
    assert f"{sketches[order[0]].word}: {answers[0][0][0]}?" in grid.read_text("utf-8")
    assert facts["grid"] == {"file": str(grid), "n": 3}
    lines = run(*arguments, "-n", 3).stdout.splitlines()
    assert len(lines) == 1 + 3 + 1
    assert lines[1].split()[1:3] == [str(order[0]), f"{sketches[order[0]].word}:"]
    assert lines[-1].endswith("1 drawing without a word that it knows")
    assert len(run(*arguments).stdout.splitlines()) == 1 + 20 + 1


def test_doubts_need_a_recogniser_and_its_words(place, tmp_path):
    (tmp_path / "odd.ndjson").write_bytes(ndjson.to_line(ODD))
    arguments = ("inspect", tmp_path / "odd.ndjson", "--doubtful", "--model")
    refused(run(*arguments, place / "sure.safetensors"), "odd.ndjson", "no drawings of the words")
    refused(run(*arguments, place / "bare.safetensors"), "bare.safetensors: it has no recogniser")


# preprocess


@pytest.mark.parametrize("kind", ["npz", "ndjson"])
def test_preprocess_drops_doubtful_drawings_if_asked(place, tmp_path, kind):
    model = ("--model", place / "sure.safetensors")
    report = found(
        *("preprocess", place / "many.ndjson", "-o", tmp_path / f"kept.{kind}"),
        *("--doubtful", "drop", *model),
    )
    assert report["read"] == 23
    assert report["dropped"] == {"doubtful": 11}
    words = {word: facts["drawings"] for word, facts in report["words"].items()}
    assert words == {"boat": 11, "odd": 1}
    kept = found("preprocess", place / "many.ndjson", "-o", tmp_path / "all.npz", "--doubtful=keep")
    assert (kept["kept"], kept["dropped"]) == (23, {})


def test_the_first_drawings_of_a_word_are_those_that_are_not_doubted(place, tmp_path):
    """Drawings as they are prepared, in their own frame too, get the recogniser's own answer."""
    sketches = list(datafiles.ndjson_sketches(place / "many.ndjson"))[:-1]
    shares = Recogniser.of(model_of()).shares([to_stroke3(sketch) for sketch in sketches])
    recognition = Recognition.of(model_of())
    doubts = recognition.doubts(from_sketches(sketches))
    own = [shares[i, 1 - i % 2] for i in range(len(sketches))]
    assert doubts.tolist() == [share < 1 / 8 for share in own]
    assert 0 < sum(doubts) < len(doubts)
    report = found(
        *("preprocess", place / "many.ndjson", "-o", tmp_path / "few.npz", "--per-word", 3),
        *("--doubtful", "drop", "--model", place / "sure.safetensors"),
    )
    assert report["dropped"] == {"doubtful": 11, "over 3 of a word": 8}
    assert len(Corpus.open(tmp_path / "few.npz")) == 4


def test_preprocess_says_what_is_missing(place, tmp_path):
    arguments = ("preprocess", place / "many.ndjson", "-o", tmp_path / "x.npz")
    refused(run(*arguments, "--model", place / "m.safetensors"), "--doubtful drop")
    model = ("--model", place / "bare.safetensors")
    refused(run(*arguments, "--doubtful", "drop", *model), "it has no recogniser")
    assert not (tmp_path / "x.npz").exists()


# notebook


def test_a_notebook_gives_the_answers_of_the_recogniser(place):
    model, drawings = sk.load(place / "m.safetensors"), sk.read(place / "few.ndjson")
    answers = drawings.recognize(model=model)
    assert answers == model.recognize(drawings)
    rounded = [[[word, round(share, 3)] for word, share in each] for each in answers]
    assert rounded == expected(datafiles.ndjson_sketches(place / "few.ndjson"))
    ((word, share),) = drawings[1].recognize(1, model=model)
    assert (word, share) == (answers[1][0][0], pytest.approx(answers[1][0][1], abs=1e-5))
    assert sum(share for _, share in drawings[0].recognize(9, model=model)) == pytest.approx(1)
    with pytest.raises(BadCheckpoint, match=r"bare\.safetensors: it has no recogniser"):
        drawings.recognize(model=sk.load(place / "bare.safetensors"))
    assert model.recognize(Sketch(())) == [[]]
