"""A notebook from a script in cells (`# %%`): python tests/notebooks.py makes that of examples/."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MARK, TEXT = "# %%", " [markdown]"


def cells(script: Path) -> list[tuple[str, str]]:
    """Kind and source of each cell."""
    result = []
    for part in f"\n{script.read_text('utf-8')}".split(f"\n{MARK}")[1:]:
        head, _, body = part.partition("\n")
        if head == TEXT:
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().split("\n")]
            result.append(("markdown", "\n".join(lines)))
        else:
            result.append(("code", body.strip()))
    return result


def notebook(script: Path) -> nbformat.NotebookNode:
    """A notebook of these cells, not run."""
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    made = [make[kind](source, id=f"cell-{k}") for k, (kind, source) in enumerate(cells(script))]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel})


def run(book: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """The same with what its cells show, run in this folder by a kernel of its own."""
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # when
    book.metadata.pop("language_info", None)  # which Python
    return book


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        done = run(notebook(EXAMPLES / "notebook.py"), Path(scratch))
    nbformat.write(done, EXAMPLES / "notebook.ipynb")
    print(f"{len(nbformat.writes(done)):,} characters", file=sys.stderr)
