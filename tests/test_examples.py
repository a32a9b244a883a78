"""Every example runs as it stands."""

import re
import subprocess
import sys

import nbformat
import notebooks
import numpy as np
import pytest
from PIL import Image

EXAMPLES = sorted(notebooks.EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(notebooks.EXAMPLES.glob("*.ipynb"))
FILMS = {
    "svg_folder.py": "own.gif",
    "drawing_page.py": "own.gif",
    "text_to_sketch.py": "morph.gif",
    "notebook.py": "way.gif",
    "banner.py": "banner.gif",
}
PICTURES = {  # what is kept of a script beside it, under its name: what it makes
    "first_sketch.py": "first_sketch.svg",
    "text_to_sketch.py": "drawings.svg",
    "svg_folder.py": "own.svg",
    "drawing_page.py": "own.svg",
    "plotter.py": "plotter.svg",
    "browser.py": "browser.svg",
    "banner.py": "banner.gif",
    "moving.py": "moving.svg",
}
RULED = {"first_sketch.py"}  # no model draws, so every machine makes the same bytes
OF = {"svg_folder.py": "house", "drawing_page.py": "boat"}  # what the trained models draw


def test_there_are_examples():
    assert EXAMPLES
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(script, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert any(tmp_path.iterdir())
    if film := FILMS.get(script.name):
        with Image.open(tmp_path / film) as image:
            assert image.n_frames > 20
    if picture := PICTURES.get(script.name):
        made = tmp_path / picture
        kept = script.with_suffix(made.suffix)
        assert kept.stat().st_size < 50_000
        assert content(made) == content(kept), f"{script.name} makes another picture than {kept}"
        assert script.name not in RULED or made.read_bytes() == kept.read_bytes()
    if word := OF.get(script.name):
        assert (tmp_path / "own.svg").read_text("utf-8").count(f'data-word="{word}"') == 9


def test_every_film_is_of_an_example():
    assert FILMS.keys() | OF.keys() | PICTURES.keys() <= {script.name for script in EXAMPLES}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_what_it_has_been_showing(path, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    kept = nbformat.read(path, as_version=4)
    nbformat.validate(kept)
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == notebooks.cells(
        path.with_suffix(".py")
    ), "the script has changed: python tests/notebooks.py"
    (tmp_path / "work").mkdir()
    fresh = notebooks.run(notebooks.notebook(path.with_suffix(".py")), tmp_path / "work")
    assert shown(fresh) == shown(kept)
    assert any("image/svg+xml" in kinds for kinds, _ in shown(fresh))


def content(picture):
    """What is the same on every machine, whose arithmetic may move a point: words and places."""
    if picture.suffix == ".gif":
        with Image.open(picture) as image:
            return image.size, image.n_frames
    text = picture.read_text("utf-8")
    return [re.findall(rf'{name}="([^"]*)"', text) for name in ("viewBox", "data-word")]


def test_other_drawings_are_other_content(tmp_path):
    kept = notebooks.EXAMPLES / "plotter.svg"
    other = tmp_path / "other.svg"
    other.write_text(kept.read_text("utf-8").replace('data-word="owl"', 'data-word="pig"'), "utf-8")
    assert content(other) != content(kept)


def test_the_banner_is_seen_on_white_and_on_black():
    with Image.open(notebooks.EXAMPLES / "banner.gif") as image:
        image.seek(image.n_frames - 1)
        pixels = np.asarray(image.convert("RGBA")).reshape(-1, 4)
    assert (pixels[:, 3] == 0).mean() > 0.5  # no paper
    ink = pixels[pixels[:, 3] > 0][:, :3].mean()
    assert 60 < ink < 200
    assert (notebooks.EXAMPLES / "banner.gif").stat().st_size < 500_000


def shown(book):
    """Of every output the kinds in which it shows itself, and its text."""
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    assert all(output.output_type in ("execute_result", "stream") for output in outputs)
    results = [output.data for output in outputs if output.output_type == "execute_result"]
    return [(sorted(data), data["text/plain"]) for data in results]
