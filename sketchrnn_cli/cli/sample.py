"""``sketchrnn sample``."""


def sample() -> None:
    """Not written yet."""
