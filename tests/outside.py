"""Programs of others that tests run. A missing one skips its tests; where CI is set, it fails."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

CLIENTS = Path(__file__).parent / "clients"  # what npm installs, and scripts for Node


def missing(what: str) -> NoReturn:
    """Skip the test for want of a program, or fail it in CI."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{what}, and this is CI")
    pytest.skip(what)


def program(name: str) -> str:
    """Where a program is; without it the test skips."""
    return shutil.which(name) or missing(f"no {name} here")


def npm_packages() -> Path:
    """A folder with the packages of clients/package-lock.json installed, kept from run to run."""
    found = _installed(program("npm"))
    return found if isinstance(found, Path) else missing(found)


@functools.cache
def _installed(npm: str) -> Path | str:
    """That folder, or why there is none."""
    lock = (CLIENTS / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "sketchrnn-tests" / hashlib.sha256(lock).hexdigest()[:16]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as made:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CLIENTS / name, made)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        result = subprocess.run(
            command, cwd=made, capture_output=True, text=True, timeout=300, check=False
        )
        if result.returncode:
            return f"npm installs nothing: {' '.join(result.stderr.split())[:200]}"
        try:
            Path(made).rename(folder)
        except OSError:  # another run was faster
            return folder
        Path(made).mkdir()  # for its cleanup
    return folder


def node(script: str, *arguments: object) -> str:
    """What a script of clients/ prints, beside the packages."""
    command = [program("node"), str(CLIENTS / script), *map(str, arguments)]
    result = subprocess.run(
        command, cwd=npm_packages(), capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
