"""Ctrl-C, SIGTERM and a closed terminal: what is under way is unwound, and the exit code tells."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

ONE_WISH = 1.0  # seconds within which a second signal says no more than the first
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # not every system has them all

Handler = Callable[[int, FrameType | None], Any]


def exit_code(number: int) -> int:
    """What a shell shows for a program that a signal ended."""
    return 128 + number


@contextlib.contextmanager
def unwound() -> Iterator[None]:
    """Let a signal raise SystemExit in here, so that what is half done is tidied up.

    A parent that passes Ctrl-C on and a terminal that sends it too say the same thing twice: what
    comes soon after does not disturb the tidying up. What comes after the block, while Python
    takes itself down, changes nothing any more.
    """
    since: list[float] = []

    def end(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not since or now - since[-1] >= ONE_WISH:
            since.append(now)
            raise SystemExit(exit_code(number))

    before = _handle(end)
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def noted(*, ends: bool = True, answer: Callable[[], None] = lambda: None) -> Iterator[list[int]]:
    """Collect signals in here instead of ending.

    Args:
        ends: one that comes later than soon after the first does end the program.
        answer: called at the first one, whatever is under way.
    """
    received: list[int] = []
    since: list[float] = []

    def note(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not received:
            received.append(number)
            since.append(now)
            with contextlib.suppress(RuntimeError):  # it came within a write to the same stream
                answer()
        elif ends and now - since[0] >= ONE_WISH:
            raise SystemExit(exit_code(number))

    before = _handle(note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: not set by Python
                signal.signal(number, handler)


def _handle(handler: Handler) -> dict[int, Any]:
    """Set a handler; returns those there were, by signal."""
    before: dict[int, Any] = {}
    if threading.current_thread() is not threading.main_thread():
        return before  # others cannot
    for name in NAMES:
        number = getattr(signal, name, None)
        hung_up = name == "SIGHUP" and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        if number is not None and not hung_up:  # nohup has it ignored
            before[number] = signal.signal(number, handler)
    return before
