"""Names of number labels, from the files that data sets have them in."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.sketches import labels

NAMES = {"0": "cat", "1": "ice cream", "2": "pig"}
LIST = list(NAMES.values())
KINDS = {
    "a name a line": "cat\nice cream\npig\n",
    "a number and a name": "2 pig\n0 cat\n1 ice cream\n",
    "as YAML": "'0': cat\n'1': ice cream\n'2': pig\n",
    "a table": "0,cat\r\n1,ice cream\r\n2,pig",
    "a table with a head": "id,name\n0,cat\n1,ice cream\n2,pig\n",
    "a name and a number": "name,id\ncat,0\nice cream,1\npig,2\n",
    "a card as YAML": "class_label:\n  names:\n    '0': cat\n    '1': ice cream\n    '2': pig\n",
    "a list": json.dumps(LIST),
    "by number": json.dumps(NAMES),
    "by name": json.dumps({name: int(number) for number, name in NAMES.items()}),
    "a ClassLabel": json.dumps({"names": LIST, "id": None, "_type": "ClassLabel"}),
    "features": json.dumps(
        {"splits": ["train", "test"], "features": {"label": {"num_classes": 3, "names": LIST}}}
    ),
    "a card": json.dumps(
        {"features": [{"name": "label", "dtype": {"class_label": {"names": NAMES}}}]}
    ),
    "a model": json.dumps({"architectures": ["ViT"], "id2label": NAMES}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_found(tmp_path, kind):
    path = tmp_path / "names"
    path.write_text(KINDS[kind], "utf-8", newline="")
    assert labels.read(str(path)) == NAMES


def test_a_blank_line_is_a_number_without_a_name(tmp_path):
    (tmp_path / "names").write_text("cat\n\npig\n\n")
    assert labels.read(str(tmp_path / "names")) == {"0": "cat", "2": "pig"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"\n\n", "no names of labels: give one a line, or JSON"),
        (b"[1, 2]", "no names of labels"),
        (b'{"a": ["b"]}', "no names of labels"),
        (b"[", "not JSON"),
        (b"caf\xe9\n", "not UTF-8; save it as UTF-8"),
        (b"\x89PNG\r\n", "a picture of pixels"),
    ],
)
def test_what_has_no_names_is_one_line(tmp_path, content, says):
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(BadFile, match=f"names: {says}"):
        labels.read(str(tmp_path / "names"))


@pytest.mark.parametrize(
    ("word", "name"), [("1", "ice cream"), ("1.0", "ice cream"), ("owl", "owl"), ("1st", "1st")]
)
def test_numbers_alone_are_named(word, name):
    assert labels.named(word, NAMES, "x") == name


@pytest.mark.parametrize("word", ["3", "-1", "00"])
def test_a_number_without_a_name_is_a_fault(word):
    with pytest.raises(BadFile, match=f"x: label {word}, but --labels names 3 others"):
        labels.named(word, NAMES, "x")


def test_preprocess_names_numbers(tmp_path):
    (tmp_path / "names.txt").write_text(KINDS["a name a line"])
    (tmp_path / "d.ndjson").write_text(
        "".join(
            json.dumps({key: word, "drawing": [[[0, 255, k], [0, 9, 255]]]}) + "\n"
            for k, (key, word) in enumerate([("word", 1), ("label", 0), ("word", "owl")])
        )
    )
    arguments = ["preprocess", str(tmp_path / "d.ndjson"), "-o", "-", "--format", "ndjson"]
    result = CliRunner().invoke(app, [*arguments, "--labels", str(tmp_path / "names.txt")])
    found = [json.loads(line)["word"] for line in result.stdout.splitlines()]
    assert found == ["ice cream", "cat", "owl"]
    (tmp_path / "names.txt").write_text("cat\n")
    result = CliRunner().invoke(app, [*arguments, "--labels", str(tmp_path / "names.txt")])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "label 1, but --labels names 1 others" in result.stderr
