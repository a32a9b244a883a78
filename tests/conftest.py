"""Fixtures that several test files share."""

import functools
import gc
import os
import shutil
from pathlib import Path
from typing import Any

import hypothesis
import pace
import pytest
import typer.testing
from outside import missing

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("untimed")

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Workers share the cores, and take files as they were collected, not the largest first."""
    gc.disable()  # until all is loaded: nothing of it is garbage
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:  # before numpy and torch are imported
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick tests come first, and of the slow ones those of the longest files."""
    items.sort(key=pace.turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile``, the slow tests of a file are a part of their own."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFileAndPace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return pace.part(config.rootpath, nodeid)

    return ByFileAndPace(config, log)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: no need to look through it for garbage again and again."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_window(tmp_path_factory):  # noqa: ANN201
    """No test opens a browser's window, or leaves a page in the cache of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSH_CONNECTION", "tests")
        patch.delenv("BROWSER", raising=False)
        patch.setenv("SKETCHRNN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def declared_once():  # noqa: ANN201
    """The options of a program are declared once, not for every command that a test runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture
def without_pictures(monkeypatch):  # noqa: ANN201
    """A run draws no pictures, which take longer than the few steps of a test."""
    from sketchrnn_cli.cli import training_pictures

    monkeypatch.setattr(training_pictures.Pictures, "draw", lambda self: None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real drawings beside the checkout; a test that wants them skips where they are not."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser():  # noqa: ANN201
    """The system's Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        missing("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and not os.geteuid() else []
        opened = driver.chromium.launch(executable_path=found, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def script(browser):
    """A blank page that knows the network's script."""
    from sketchrnn_cli.drawing.page import source

    page = browser.new_page()
    page.add_script_tag(content=source("NETWORK"))
    yield page
    page.close()
