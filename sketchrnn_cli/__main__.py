"""``python -m sketchrnn_cli`` is the ``sketchrnn`` command."""

from sketchrnn_cli.cli import signals


def main() -> None:
    """Start the command; Ctrl-C is tidy from here on, while it is still being loaded."""
    with signals.unwound():
        from sketchrnn_cli.cli import app

        app.main()


if __name__ == "__main__":
    main()
