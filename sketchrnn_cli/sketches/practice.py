"""The drawings that `train` practises on where it is given none; practice.md tells their source.

A packed set of 400 drawings each of bowtie, eyeglasses, hat, sock and wine glass.
"""

from __future__ import annotations

import shutil
from pathlib import Path

FILE = Path(__file__).with_name("practice.npz")
SOURCE = "practice"  # how the record of a run names them


def copy_to(path: Path) -> None:
    """Copy the set into a run, which then does not depend on the installed version."""
    shutil.copyfile(FILE, path)
