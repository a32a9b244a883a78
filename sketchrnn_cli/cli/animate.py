"""``sketchrnn animate``."""


def animate() -> None:
    """Not written yet."""
