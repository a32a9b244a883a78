"""Errors a user can cause and cure. Everything else is a bug and keeps its traceback."""


class SketchError(Exception):
    """One line on stderr: where, what was found, what to do. No traceback."""

    exit_code = 1


class BadUsage(SketchError):
    """A command line that cannot be parsed, or an option out of its range."""

    exit_code = 2


class BadFile(SketchError):
    """A file that is missing, unreadable, unwritable or not what its reader expects."""


class BadSketch(SketchError):
    """A drawing that cannot be a drawing: no points, NaN, wrong columns."""


class BadConfig(SketchError):
    """A setting outside its range, or one that does not exist."""


class BadCheckpoint(SketchError):
    """A model file of another kind, another version, or corrupt."""


class SketchWarning(UserWarning):
    """What a person should know although the work is done: one line on stderr."""
