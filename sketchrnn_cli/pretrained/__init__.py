"""The model that is there the moment the program is installed; README.md beside it is its card."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).parent / "words.safetensors"
NAME = "the built-in model"  # what messages call it
NOTICE = "Learned from drawings of Quick, Draw! by Google, CC BY 4.0."  # goes wherever it goes
NOUNS = Path(__file__).parent / "nouns.txt.gz"  # what English nouns are drawn as
