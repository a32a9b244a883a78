"""``python -m sketchrnn_cli`` is the ``sketchrnn`` command."""

from sketchrnn_cli.cli.app import main

if __name__ == "__main__":
    main()
