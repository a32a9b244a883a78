"""``sketchrnn preprocess``."""


def preprocess() -> None:
    """Not written yet."""
