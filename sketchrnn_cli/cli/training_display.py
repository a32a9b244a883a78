"""What a person sees while a model trains: a live block on a terminal, plain lines in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from types import TracebackType
from typing import Any

from rich.text import Text

from sketchrnn_cli.cli.display import inked, knows_braille
from sketchrnn_cli.cli.live import Live
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.drawing import chart
from sketchrnn_cli.drawing import terminal as characters
from sketchrnn_cli.sketches.sketch import Sketch
from sketchrnn_cli.training.metrics import Metrics

PLAIN_SECONDS = 10.0  # between lines where stderr is no terminal
TICK = 0.25  # seconds between looks at the clock,
REDRAW = 1.0  # and, at least, between drawings of the whole block,
REDRAW_SHARE = 0.004  # which take no more of the time than this
MOST_POINTS = 4000  # of a curve that are kept; beyond, neighbours become one
BESIDE = 100  # columns from which samples stand beside the curve, not under it
HIGHEST = 14  # lines of a curve or of samples
BAR = 40  # columns of the bar, at most
AT_LEAST, SMALLEST_SAMPLE = 5, 12  # words that find room side by side, in so many columns each
TRAIN_STYLE, VALID_STYLE = "color(33)", "bold color(208)"


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, second = divmod(int(max(0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


class TrainingDisplay:
    """Progress of a run towards its last step or its time limit, whichever comes first.

    Curves and samples are drawn at reports and validations, not at steps.
    """

    def __init__(
        self,
        terminal: Terminal,
        *,
        last_step: int | None,
        time_limit: float,
        first_step: int,
        before: Iterable[Mapping[str, Any]] = (),
        named_after: int = 0,
    ) -> None:
        self.terminal = terminal
        self.last_step, self.time_limit, self.first_step = last_step, time_limit, first_step
        self.named_after = named_after  # steps from which on drawings can be named
        self.started = time.monotonic()
        self.train: Metrics | None = None
        self.valid: Metrics | None = None
        self.said_at = self.drawn_at = self.ticked_at = self.rest = 0.0
        self.step = first_step
        self.live = Live(terminal.console) if terminal.is_live else None
        self.ascii = not knows_braille(terminal.console.file)
        self.curves: dict[str, list[tuple[int, float]]] = {"train": [], "valid": []}
        self.samples: tuple[int, list[Sketch]] = (0, [])
        self.size = (0, 0)  # of the window when the block was drawn
        if self.live:
            for record in before:
                step, value = record.get("step"), record.get("l_r")
                if isinstance(step, int) and isinstance(value, int | float):
                    self._add(str(record.get("split")), step, value)

    @property
    def is_live(self) -> bool:
        """Whether samples are shown as they come."""
        return self.live is not None

    def __enter__(self) -> TrainingDisplay:
        if self.live:
            self.terminal.above = self.live.clear
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.terminal.above = None
            self.live.clear()
            if error is None:  # what was last seen stays
                columns, rows = self.live.size()
                for line in self._pictures(columns, rows - 5):
                    self.terminal.show(line)

    def stepped(self, step: int) -> None:
        """Move the bar."""
        self.step = step
        now = time.monotonic()
        if self.live and now - self.ticked_at >= TICK:
            self.ticked_at = now
            if not self.live.widths or self.size != self.live.size():
                self._draw()
            else:
                with self.terminal.drawing():
                    self.live.draw_last(self._bar(self.size[0]))

    def reported(self, metrics: Metrics) -> None:
        """New training losses."""
        self.train = metrics
        now = time.monotonic()
        if self.live:
            self._add("train", metrics.step, metrics.l_r)
            if now - self.drawn_at >= self.rest:
                self._draw()
        elif now - self.said_at >= PLAIN_SECONDS:
            self.said_at = now
            _, left = self._share()
            self.terminal.say(f"step {metrics.step:,}  {describe(metrics)}  {left}".rstrip())

    def validated(self, metrics: Metrics, *, best: bool) -> None:
        """New validation losses; not finite where there are no validation drawings."""
        if not math.isfinite(metrics.loss):
            return
        self.valid = metrics
        if self.live:
            self._add("valid", metrics.step, metrics.l_r)
            self._draw()
        else:
            mark = "  best so far" if best else ""
            self.terminal.say(f"step {metrics.step:,}  {describe(metrics)}{mark}")

    def went_back(self, step: int) -> None:
        """Forget what was seen after a step."""
        for split, points in self.curves.items():
            self.curves[split] = [point for point in points if point[0] <= step]
        self.step = step

    def sampled(self, step: int, sketches: Sequence[Sketch]) -> None:
        """Newest samples."""
        self.samples = step, [Sketch(sketch.strokes, sketch.word) for sketch in sketches]
        if self.live:
            self._draw()

    def _add(self, split: str, step: int, value: float) -> None:
        points = self.curves.get(split)
        if points is None or not math.isfinite(value):
            return
        points.append((step, value))
        if len(points) > MOST_POINTS:
            pairs = zip(points[::2], points[1::2], strict=False)
            self.curves[split] = [(b[0], (a[1] + b[1]) / 2) for a, b in pairs]

    def _share(self) -> tuple[float, str]:
        """Of the work that is done, and how much time is left."""
        elapsed = time.monotonic() - self.started
        share = elapsed / self.time_limit if self.time_limit else 0.0
        if self.last_step and self.last_step > self.first_step:
            share = max(share, (self.step - self.first_step) / (self.last_step - self.first_step))
        share = min(share, 1.0)
        left = clock(elapsed / share - elapsed) + " left" if share > 0.002 else ""
        return share, left

    # the block

    def _draw(self) -> None:
        if self.live is None:
            return
        begun = time.monotonic()
        self.size = columns, rows = self.live.size()
        losses = []
        for metrics, style in ((self.train, TRAIN_STYLE), (self.valid, VALID_STYLE)):
            if metrics is not None:
                losses.append(Text(describe(metrics, columns), style))
        pictures = self._pictures(columns, rows - len(losses) - 1)
        with self.terminal.drawing():
            self.live.draw([*pictures, *losses, self._bar(columns)])
        self.drawn_at = time.monotonic()
        self.rest = max(REDRAW, (self.drawn_at - begun) / REDRAW_SHARE)

    def _bar(self, columns: int) -> Text:
        share, left = self._share()
        of = f" of {self.last_step:,}" if self.last_step else ""
        text = Text(f"step {self.step:,}{of}")
        room = min(columns - len(text) - len(left) - 3, BAR)
        if room >= 8:
            full = round(share * room)
            done, rest = "=-" if self.ascii else "━─"
            text.append(" ").append(done * full, TRAIN_STYLE).append(rest * (room - full), "dim")
        elif len(text) + 1 + len(left) > columns:
            text = Text(f"step {self.step:,}")
        return text.append(f" {left}") if len(text) + 1 + len(left) <= columns else text

    def _pictures(self, columns: int, rows: int) -> list[Text]:
        """The curve and the newest samples, as far as there is room for them."""
        has_samples = bool(self.samples[1])
        if columns >= BESIDE and rows >= 6 and has_samples:
            left = columns // 2 - 2
            rows = min(rows, HIGHEST + 2)
            curve, samples = self._curve(left, rows), self._samples(columns - left - 4, rows)
            if not curve:
                return samples
            lines = []
            for line, sample in zip_longest(curve, samples):
                line = line or Text()
                line.truncate(left, pad=True)
                lines.append(line.append("    ").append_text(sample or Text()))
            return lines
        if rows < 14 or not has_samples:
            return self._curve(columns, min(rows, HIGHEST)) or self._samples(columns, rows)
        curve = self._curve(columns, min(rows // 2, HIGHEST))
        return [*curve, *self._samples(columns, min(rows - len(curve), HIGHEST + 2))]

    def _curve(self, columns: int, rows: int) -> list[Text]:
        train, valid = self.curves["train"], self.curves["valid"]
        lines = chart.chart(train, valid, columns, rows - 1, ascii=self.ascii)
        if not lines:
            return []
        title = Text("L_R: " if columns >= 24 else "", "dim")
        title.append("training" if columns >= 40 else "train", TRAIN_STYLE)
        if valid:
            title.append(", " if columns >= 24 else " ", "dim").append(
                "o validation" if columns >= 40 else "o valid", VALID_STYLE
            )
        styles = {chart.TRAIN: TRAIN_STYLE, chart.VALID: VALID_STYLE, chart.AXIS: "dim"}
        shown = [Text.assemble(*((t, styles.get(o, "")) for t, o in line)) for line in lines]
        return [title, *shown]

    def _samples(self, columns: int, rows: int) -> list[Text]:
        step, sketches = self.samples
        title = f"samples of step {step:,}"
        if step < self.named_after:
            title += f" of about {self.named_after:,} for drawings that can be named"
        captions = any(sketch.word for sketch in sketches)
        cell = min(2 * (rows - 1 - captions), columns, 2 * HIGHEST)
        if not sketches or cell < 8:
            return []
        least = len({sketch.word for sketch in sketches[:AT_LEAST]})  # of each word, or two
        room = (columns + 2) // max(least, 2) - 2
        cell = min(cell, max(room, SMALLEST_SAMPLE)) if columns >= 40 else cell
        n = max((columns + 2) // (cell + 2), 1)
        lines = characters.grid_runs(sketches[:n], columns, cell=cell, ascii=self.ascii)
        title = title if len(title) <= columns else title[: title.find(" of about")]
        return [Text(title, "dim"), *map(inked, lines)]


def describe(metrics: Metrics, columns: int | None = None) -> str:
    """One line of losses; parts at its end are left out where columns are few."""
    parts = [f"{metrics.split:5}  loss {metrics.loss:7.4f}", f"L_R {metrics.l_r:7.4f}"]
    if metrics.kl_weight:
        parts.append(f"KL {metrics.l_kl:.4f} x {metrics.kl_weight:.3f}")
    if metrics.split == "train":
        parts.append(f"{metrics.sketches_per_second:.0f} drawings/s")
    while columns is not None and len(parts) > 1 and len("  ".join(parts)) > columns:
        parts.pop()
    line = "  ".join(parts)
    if columns is not None and len(line) > columns:
        return f"{metrics.split} {metrics.loss:.4f}"
    return line
