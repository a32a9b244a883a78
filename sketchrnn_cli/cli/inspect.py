"""``sketchrnn inspect``."""


def inspect() -> None:
    """Not written yet."""
