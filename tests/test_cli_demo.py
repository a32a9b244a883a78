"""`demo`: a page in a file of the cache folder, and a browser that is asked to show it."""

import json
import webbrowser
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import networks
import pytest
from typer.testing import CliRunner

from sketchrnn_cli.cli.app import app
from sketchrnn_cli.model import checkpoint


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a model, a cache, and a screen; what browsers are asked to open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKETCHRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DISPLAY", ":7")
    for name in ("SSH_CONNECTION", "BROWSER", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    checkpoint.save(tmp_path / "m.safetensors", networks.tiny(words=("cat",)))
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was asked to open."""
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda address: asked.append(address) or True)
    return asked


def demo(*arguments, code=0):
    told = CliRunner().invoke(app, ["demo", *map(str, arguments)])
    assert told.exit_code == code, told.stderr
    return told


def test_the_page_of_a_model_opens_from_a_file(place, opened):
    told = demo("--model", "m.safetensors")
    (address,) = opened
    path = Path(url2pathname(urlparse(address).path))
    assert path.parent.parent == place / "cache"
    assert told.stdout == ""
    assert told.stderr == f"{path}: opened in the browser\n"
    CliRunner().invoke(app, ["export", "--model", "m.safetensors", "-o", "x.html"])
    assert path.read_bytes() == (place / "x.html").read_bytes()
    assert demo("--model", "m.safetensors", "--quiet").stderr == ""
    assert opened == [address, address]


def test_the_built_in_model_has_a_page(place, opened):
    told = json.loads(demo("--json").stdout)
    page = Path(told["file"]).read_bytes()
    assert told == {"file": told["file"], "bytes": len(page), "opened": True}
    assert b"Draw together: the built-in model" in page


def test_the_same_page_is_not_written_again_and_another_is(place, opened):
    demo("-m", "m.safetensors")
    path = Path(url2pathname(urlparse(opened[0]).path))
    before = path.stat()
    demo("-m", "m.safetensors")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    demo("-m", "m.safetensors")
    assert path.read_bytes() == whole
    checkpoint.save(place / "m.safetensors", networks.tiny(words=("owl",)))
    demo("-m", "m.safetensors")
    assert path.read_bytes() != whole
    assert len(set(opened)) == 1


def test_models_of_one_name_have_pages_of_their_own(place, opened):
    (place / "other").mkdir()
    checkpoint.save(place / "other" / "m.safetensors", networks.tiny(words=("owl",)))
    demo("-m", "m.safetensors")
    demo("-m", "other/m.safetensors")
    assert len(set(opened)) == 2


@pytest.mark.parametrize("why", ["ssh", "no display", "no browser", "broken browser"])
def test_where_no_browser_opens_the_path_is_said(place, opened, monkeypatch, why):
    if why == "ssh":
        monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 5 10.0.0.2 22")
    elif why == "no display":
        monkeypatch.delenv("DISPLAY")
        monkeypatch.setattr("sys.platform", "linux")
    elif why == "no browser":
        monkeypatch.setattr(webbrowser, "open", lambda address: False)
    else:

        def fails(address):
            raise webbrowser.Error("could not locate runnable browser")

        monkeypatch.setattr(webbrowser, "open", fails)
    told = demo("-m", "m.safetensors")
    assert opened == []
    path, _ = told.stdout.split(": open it in a browser")
    assert told.stdout.count("\n") == 1
    assert told.stderr == ""
    assert Path(path).read_bytes().startswith(b"<!doctype html>")
    told = demo("-m", "m.safetensors", "--json", "-q")
    assert json.loads(told.stdout)["opened"] is False
    assert told.stderr == ""


def test_a_browser_that_is_named_is_asked_also_without_a_display(place, opened, monkeypatch):
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setenv("BROWSER", "firefox")
    demo("-m", "m.safetensors")
    assert len(opened) == 1


def test_a_cache_that_cannot_be_written_is_no_hindrance(place, opened, monkeypatch):
    (place / "cache").write_text("no folder")
    monkeypatch.setattr("tempfile.tempdir", str(place))
    demo("-m", "m.safetensors")
    path = Path(url2pathname(urlparse(opened[0]).path))
    assert path.parent.parent == place
    assert path.read_bytes().startswith(b"<!doctype html>")


def test_a_model_that_no_page_holds_is_refused(place, opened):
    checkpoint.save(place / "hyper.safetensors", networks.tiny(cell="layer-norm"))
    told = demo("-m", "hyper.safetensors", code=1)
    assert told.stderr.startswith("error: hyper.safetensors: its cell is layer-norm")
    assert demo("-m", "none.safetensors", code=1).stderr.count("\n") == 1
    assert (opened, (place / "cache").exists()) == ([], False)
