"""Every example runs as it stands."""

import subprocess
import sys

import nbformat
import notebooks
import pytest
from PIL import Image

EXAMPLES = sorted(notebooks.EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(notebooks.EXAMPLES.glob("*.ipynb"))
FILMS = {
    "svg_folder.py": "own.gif",
    "drawing_page.py": "own.gif",
    "text_to_sketch.py": "morph.gif",
    "notebook.py": "way.gif",
}
OF = {"svg_folder.py": "house", "drawing_page.py": "boat"}  # what the trained models draw


def test_there_are_examples():
    assert EXAMPLES
    assert NOTEBOOKS


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
    if word := OF.get(script.name):
        assert (tmp_path / "own.svg").read_text("utf-8").count(f'data-word="{word}"') == 9


def test_every_film_is_of_an_example():
    assert FILMS.keys() | OF.keys() <= {script.name for script in EXAMPLES}


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


def shown(book):
    """Of every output the kinds in which it shows itself, and its text."""
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    assert all(output.output_type in ("execute_result", "stream") for output in outputs)
    results = [output.data for output in outputs if output.output_type == "execute_result"]
    return [(sorted(data), data["text/plain"]) for data in results]
