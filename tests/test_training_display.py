"""What a person sees of a training run: on a terminal, in a log, while the window changes."""

import io
import math

import pytest
import synthetic
from rich.console import Console

from sketchrnn_cli.cli import training_display
from sketchrnn_cli.cli.live import SPARE, Live
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.cli.training_display import TrainingDisplay
from sketchrnn_cli.training.metrics import Metrics


class Screen(io.StringIO):
    """A terminal of a size that may change, which breaks lines anew when it becomes narrower."""

    encoding = "utf-8"

    def __init__(self, columns, rows):
        super().__init__()
        self.columns, self.rows = columns, rows
        self.lines, self.row, self.column = [""], 0, 0

    def isatty(self):
        return True

    def narrow(self, columns):
        broken, row = [], 0
        for number, line in enumerate(self.lines):
            parts = [line[k : k + columns] for k in range(0, len(line), columns)] or [""]
            broken += parts
            if number <= self.row:
                row = len(broken) - 1
        self.lines, self.row, self.columns = broken, row, columns
        self.column = len(broken[row])

    def write(self, text):
        while text:
            if text[0] == "\x1b":
                end = next(k for k, c in enumerate(text) if c.isalpha())
                code, text = text[: end + 1], text[end + 1 :]
                if code == "\x1b[2K":
                    self.lines[self.row] = ""
                elif code == "\x1b[1A":
                    self.row = max(self.row - 1, 0)
                else:
                    assert code in ("\x1b[?25l", "\x1b[?25h") or code[-1] == "m", code
            elif text[0] == "\n":
                self.row, self.column, text = self.row + 1, 0, text[1:]
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif text[0] == "\r":
                self.column, text = 0, text[1:]
            else:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + text[0] + line[self.column + 1 :]
                assert len(self.lines[self.row]) <= self.columns
                self.column, text = self.column + 1, text[1:]

    def seen(self):
        return [line.rstrip() for line in self.lines if line.strip()]


class Window(Console):
    @property
    def size(self):
        return type(super().size)(self.file.columns, self.file.rows)


@pytest.fixture
def now(monkeypatch):
    """A clock of the test's own."""
    clock = [1000.0]
    monkeypatch.setattr(training_display.time, "monotonic", lambda: clock[0])
    for name in ("LC_ALL", "LC_CTYPE", "LANG", "NO_COLOR", "CI", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return clock


def terminal_of(screen):
    terminal = Terminal()
    terminal.console = Window(
        file=screen, force_terminal=screen.isatty(), highlight=False, soft_wrap=True, emoji=False
    )
    return terminal


def metrics(step, split="train", loss=None):
    loss = 3 * math.exp(-step / 100) if loss is None else loss
    return Metrics(step, split, loss, loss - 0.1, 0.3, 1e-3, 0.5, 432.1, step / 10)


def train(display, now, steps, *, screen=None):
    for step in steps:
        now[0] += 0.1
        display.stepped(step)
        if step % 5 == 0:
            display.reported(metrics(step))
        if step % 20 == 0:
            display.validated(metrics(step, "valid"), best=True)
            display.sampled(step, [synthetic.draw(word, step, 0) for word in synthetic.WORDS[:6]])
        if screen is not None:
            assert len(screen.seen()) <= screen.rows
            assert max(map(len, screen.seen()), default=0) <= screen.columns - SPARE


@pytest.mark.parametrize(
    ("columns", "rows"), [(20, 10), (20, 60), (40, 24), (80, 10), (80, 24), (200, 10), (200, 60)]
)
def test_a_block_fits_the_window_and_nothing_is_left_of_it(now, columns, rows):
    screen = Screen(columns, rows)
    terminal = terminal_of(screen)
    with TrainingDisplay(terminal, last_step=200, time_limit=0, first_step=0) as display:
        train(display, now, range(1, 121), screen=screen)
        seen = screen.seen()
        assert seen[-1].startswith("step 12")
        assert any("valid" in line and "0.9036" in line for line in seen)
        assert any("o" in line and max(line) >= "⠉" for line in seen)
        samples = [line for line in seen if "samples of step 120" in line]
        assert len(samples) == (columns == 200 or (columns >= 40 and rows >= 24))
        display.samples, display.curves = (0, []), {"train": [], "valid": []}
    assert screen.seen() == []
    assert not terminal.above


def test_samples_of_five_words_stand_side_by_side_and_say_when_it_is_too_early(now):
    screen = Screen(80, 24)
    with TrainingDisplay(
        terminal_of(screen), last_step=9000, time_limit=0, first_step=0, named_after=4000
    ) as display:
        for step in (200, 4000):
            display.reported(metrics(step))
            display.sampled(step, [synthetic.draw(word, step, 0) for word in synthetic.WORDS[:5]])
            early = [line for line in screen.seen() if line.startswith(f"samples of step {step:,}")]
            assert [" of about 4,000 for drawings that can be named" in early[0]] == [step < 4000]
            assert all(any(word in line for line in screen.seen()) for word in synthetic.WORDS[:5])


@pytest.mark.parametrize("widths", [(200, 120), (90, 60, 45)])
def test_a_window_that_becomes_narrower_leaves_nothing_behind(now, widths):
    screen = Screen(widths[0], 60)
    terminal = terminal_of(screen)
    terminal.say("before")
    with TrainingDisplay(terminal, last_step=400, time_limit=0, first_step=0) as display:
        for k, width in enumerate(widths):
            screen.narrow(width)
            train(display, now, range(1 + 40 * k, 41 + 40 * k))
            seen = screen.seen()
            assert sum(line.startswith("step ") for line in seen) == 1
            assert seen[0] == "before"
        terminal.warn("look here")
        assert screen.seen() == ["before", "warning: look here"]
        train(display, now, range(300, 310))
        assert screen.seen()[:2] == ["before", "warning: look here"]


def test_the_last_curve_and_samples_stay_but_no_bar(now):
    screen = Screen(100, 40)
    with TrainingDisplay(terminal_of(screen), last_step=200, time_limit=0, first_step=0) as display:
        train(display, now, range(1, 101))
        screen.write("^C^C"[:SPARE])  # as a terminal does
    seen = screen.seen()
    assert any(line.strip().endswith("samples of step 100") for line in seen)
    assert not any("^C" in line or line.startswith(("step ", "train ")) for line in seen)


def test_steps_cost_one_line_and_the_block_is_drawn_at_reports_only(now, monkeypatch):
    drawn = []
    monkeypatch.setattr(Live, "draw", lambda self, lines: drawn.append(len(lines)))
    screen = Screen(80, 24)
    with TrainingDisplay(terminal_of(screen), last_step=10**6, time_limit=0, first_step=0) as shown:
        shown.live.widths = [1]
        shown.size = shown.live.size()
        for step in range(1, 5000):
            now[0] += 0.001
            shown.stepped(step)
    assert drawn == []


@pytest.mark.parametrize("reason", ["log", "dumb"])
def test_a_log_gets_plain_lines_at_a_steady_rhythm(now, monkeypatch, reason):
    if reason == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    screen = Screen(200, 24)
    screen.isatty = lambda: reason == "dumb"
    terminal = terminal_of(screen)
    with TrainingDisplay(terminal, last_step=2000, time_limit=0, first_step=0) as display:
        for step in range(1, 1001):
            now[0] += 0.1
            display.stepped(step)
            if step % 5 == 0:
                display.reported(metrics(step))
        display.validated(metrics(1000, "valid"), best=True)
        display.sampled(1000, [synthetic.draw("star", 0, 0)])
    *reports, last = screen.seen()
    assert 9 <= len(reports) <= 11
    assert all(line.startswith("step ") and line.isascii() for line in reports)
    assert last.endswith("best so far")


def test_without_colours_there_are_none(now, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    codes = []
    screen = Screen(80, 24)
    write = screen.write
    screen.write = lambda text: (codes.append(text), write(text))[1]
    with TrainingDisplay(terminal_of(screen), last_step=200, time_limit=0, first_step=0) as display:
        train(display, now, range(1, 61), screen=screen)
    assert "38;5" not in "".join(codes)
    assert "step 6" in "".join(codes)


@pytest.mark.parametrize("name", ["LC_ALL", "LANG"])
def test_a_plain_locale_gets_ascii(now, monkeypatch, name):
    monkeypatch.setenv(name, "C")
    screen = Screen(80, 24)
    with TrainingDisplay(terminal_of(screen), last_step=200, time_limit=0, first_step=0) as display:
        train(display, now, range(1, 61))
        assert "".join(screen.seen()).isascii()
        assert "samples of step 60" in screen.seen()


def test_a_run_that_goes_on_shows_the_curve_from_its_beginning(now):
    before = [{"step": k, "split": "train", "l_r": 2.0 / k} for k in range(5, 5 * 10**4, 5)]
    screen = Screen(80, 24)
    with TrainingDisplay(
        terminal_of(screen), last_step=10**6, time_limit=0, first_step=10**5, before=before
    ) as display:
        assert len(display.curves["train"]) <= training_display.MOST_POINTS
        assert display.curves["train"][0][0] <= 100
        display.reported(metrics(10**5))
        assert display.curves["train"][-1][0] == 10**5
        display.went_back(30_000)
        assert display.curves["train"][-1][0] <= 30_000


def test_losses_that_are_none_are_not_told(now):
    screen = Screen(80, 24)
    screen.isatty = lambda: False
    with TrainingDisplay(terminal_of(screen), last_step=9, time_limit=0, first_step=0) as display:
        display.validated(metrics(5, "valid", math.nan), best=True)
    assert screen.seen() == []
