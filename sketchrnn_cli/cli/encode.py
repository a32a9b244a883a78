"""``sketchrnn encode``."""


def encode() -> None:
    """Not written yet."""
