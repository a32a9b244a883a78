"""The options that say how a picture looks, on the commands that have them."""

import json
import re

import networks
import pytest
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.drawing.style import ADDED
from sketchrnn_cli.model import checkpoint

LOOK = ("--dark", "--columns", "4", "--size", "64", "--no-captions", "--smooth")
DRAWING = {"word": "hat", "drawing": [[[10, 60, 120, 130], [20, 90, 30, 80]], [[5, 9], [200, 2]]]}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a model and four drawings."""
    monkeypatch.chdir(tmp_path)
    checkpoint.save(tmp_path / "m.safetensors", networks.tiny())
    (tmp_path / "hats.ndjson").write_text((json.dumps(DRAWING) + "\n") * 4)
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, [*words, "--quiet"])


SHEETS = {
    "sample": ("sample", "--model", "m.safetensors", "-n", "4", "--max-points", "20"),
    "inspect": ("inspect", "hats.ndjson"),
    "animate": ("animate", "hats.ndjson", "--duration", "1"),
}


@pytest.mark.parametrize("command", SHEETS)
def test_a_sheet_looks_as_the_options_say(command, here):
    assert run(*SHEETS[command], "-o", "plain.svg").exit_code == 0
    assert run(*SHEETS[command], "-o", "drawn.svg", *LOOK).exit_code == 0
    before, after = (here / "plain.svg").read_text(), (here / "drawn.svg").read_text()
    assert "#17191c" in after
    assert "#17191c" not in before
    assert "</text>" in before
    assert "</text>" not in after
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', after).groups()
    assert float(width) > 3 * float(height)
    longest = [max(map(len, re.findall(r' d="([^"]+)"', text))) for text in (before, after)]
    assert longest[1] > 2 * longest[0]  # more points on the curve than on its corners


@pytest.mark.parametrize("command", ["sample", "inspect"])
@pytest.mark.parametrize(("margin", "mm"), [("2cm", 20), ("0.5in", 12.7), ("15", 15), ("10mm", 10)])
def test_a_page_is_in_millimetres_with_its_margin(command, margin, mm, here):
    result = run(*SHEETS[command], "-o", "page.svg", "--page", "a5", "--margin", margin)
    assert result.exit_code == 0, result.stderr
    text = (here / "page.svg").read_text()
    assert 'width="148mm" height="210mm"' in text
    lines = " ".join(re.findall(r' d="M([^"]+)"', text)).replace("L", " ")
    numbers = [float(number) * 25.4 / 96 for number in re.findall(r"-?[\d.]+", lines)]
    assert numbers
    for axis, side in ((0, 148), (1, 210)):
        assert min(numbers[axis::2]) >= mm - 0.01
        assert max(numbers[axis::2]) <= side - mm + 0.01


@pytest.mark.parametrize("margin", ["wide", "1e9mm", "-3mm", "90mm", ""])
def test_a_margin_that_no_page_has_is_refused(margin, here):
    result = run(*SHEETS["inspect"], "-o", "x.svg", "--page", "a5", "--margin", margin)
    assert result.exit_code == 2
    assert "margin" in result.stderr
    assert not (here / "x.svg").exists()


@pytest.mark.parametrize("command", ["sample", "inspect"])
def test_a_numbered_name_makes_a_file_of_each_drawing(command, here):
    assert run(*SHEETS[command], "-o", "made-%02d.svg").exit_code == 0
    assert sorted(path.name for path in here.glob("made*")) == [
        f"made-0{k}.svg" for k in (1, 2, 3, 4)
    ]


def test_a_numbered_name_that_stands_for_an_input_is_refused(here):
    assert run(*SHEETS["inspect"], "-o", "hat-%d.svg").exit_code == 0
    before = (here / "hat-1.svg").read_bytes()
    complete = ("--complete", "hat-1.svg", "-o", str(here / "hat-%d.svg"))
    for words in (("sample", *complete), ("inspect", "hat-1.svg", "-o", "hat-%d.svg")):
        result = run(*words)
        assert result.exit_code == 1
        assert "is also read" in result.stderr
    assert (here / "hat-1.svg").read_bytes() == before


def test_a_data_file_may_have_a_number_sign_in_its_name(here):
    assert run(*SHEETS["sample"], "-o", "hat-%d.ndjson").exit_code == 0
    assert (here / "hat-%d.ndjson").read_text().count("\n") == 4


def test_a_sheet_of_completions_and_morphs_says_what_they_are(here):
    """What `sample` wrote beside its drawings is on the sheet that `inspect` draws of them."""
    extras = ({"seed": 7, "number": 3, "given_strokes": 1}, {"morph": ["hat", "owl", 0.5]})
    lines = [json.dumps({**DRAWING, **each}) for each in extras]
    (here / "two.ndjson").write_text("\n".join(lines))
    assert run("inspect", "two.ndjson", "-o", "two.svg").exit_code == 0
    text = (here / "two.svg").read_text()
    assert ">hat · seed 7 #3<" in text
    assert ">hat to owl 50 %<" in text
    assert text.count(f'stroke="{ADDED[0]}"') == 1


@pytest.mark.parametrize("command", ["sample", "inspect"])
def test_numbered_files_may_be_more_than_a_sheet_has_room_for(command, here, monkeypatch):
    monkeypatch.setattr("sketchrnn_cli.drawing.sheet.MAX_DRAWINGS", 3)
    assert run(*SHEETS[command], "-o", "made-%d.svg").exit_code == 0
    assert len(list(here.glob("made*"))) == 4
    assert run(*SHEETS[command], "-o", "made.svg").exit_code == 1
