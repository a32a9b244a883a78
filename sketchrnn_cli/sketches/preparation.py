"""How the drawings of a training set were made, and how other drawings are prepared alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchrnn_cli.errors import BadConfig
from sketchrnn_cli.sketches import simplify
from sketchrnn_cli.sketches.block import (
    Block,
    Bools,
    Moves,
    from_sketches,
    merge,
    take,
)
from sketchrnn_cli.sketches.sketch import BOX, Sketch

LARGEST = 1e10  # pixels, data units; nothing is as large
SMALLEST_CANVAS_DRAWING = 16  # pixels; a partial drawing of less has no scale to go by


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What `preprocess` did; stored in packed sets and in models."""

    fit: bool  # aligned to 0, 0 and scaled to a larger extent of 255, in whole pixels
    simplified: bool  # raw drawings went through Quick, Draw!'s simplification
    epsilon: float = simplify.EPSILON  # of Douglas-Peucker, pixels
    max_points: int = 250  # longer drawings were left out
    min_points: int = 1  # shorter ones too
    clip: float = 1000.0  # limit of an offset in training, data units
    box: float = BOX  # where fitted drawings lie in data units: made as for 255, then scaled
    from_origin: bool = False  # the first point is 0, 0, as in sketch-rnn's files, not a place

    def __post_init__(self) -> None:
        for name in ("fit", "simplified", "from_origin"):
            if not isinstance(getattr(self, name), bool):
                raise BadConfig(f"{name} must be true or false")
        if not 0 <= self.epsilon <= LARGEST:
            raise BadConfig(f"epsilon must be 0 or more, not {self.epsilon:g}")
        if not 1 <= self.min_points <= self.max_points:
            raise BadConfig(
                f"min points {self.min_points:,} and max points {self.max_points:,}: "
                "give 1 or more, and the smaller first"
            )
        if not self.clip > 0:
            raise BadConfig(f"clip must be above 0, not {self.clip}")
        if not 1 / LARGEST <= self.box <= LARGEST:
            raise BadConfig(f"box must be from {1 / LARGEST:g} to {LARGEST:g}, not {self.box:g}")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """Inverse of ``to_dict``.

        Raises:
            BadConfig: a name that does not exist, or one that is missing.
        """
        if unknown := {str(name) for name in values} - {f.name for f in fields(cls)}:
            raise BadConfig(f"unknown preparation settings: {', '.join(sorted(unknown))}")
        try:
            return cls(**values)
        except (TypeError, ValueError, OverflowError) as error:
            raise BadConfig(f"bad preparation settings: {error}") from None


def prepare_like(
    sketch: Sketch, preparation: Preparation | Mapping[str, Any], *, partial: bool = False
) -> Sketch:
    """Prepare a drawing as the training drawings were.

    Args:
        sketch: any drawing; word and extra fields are kept, times go where points go.
        preparation: of the training set; an empty mapping leaves the drawing as it is.
        partial: it is unfinished, so its box says little: one that lies on the 0..255 canvas
            already, and is no mere speck, keeps its place and size.
    """
    if not preparation or not sketch.strokes:
        return sketch
    if not isinstance(preparation, Preparation):
        preparation = Preparation.from_dict(preparation)
    block = from_sketches([sketch])
    if sketch.times is not None:
        block = replace(block, timed=np.array([True]))
    raw = simplify.looks_raw(block) & preparation.simplified
    fit = preparation.fit and not (partial and _on_canvas(sketch))
    made = prepare(block, preparation, fit=fit, raw=raw)
    result = sketch if made is block else replace(made.sketch(0), times=None)
    if not preparation.fit or (preparation.box == BOX and not preparation.from_origin):
        return result
    factor = np.float32(preparation.box / BOX)
    origin = result.strokes[0][0] if preparation.from_origin else np.float32(0)
    strokes = tuple((line - origin) * factor for line in result.strokes)
    return replace(result, strokes=strokes, times=None)


def moves_like(
    moves: Moves, made: Preparation, wanted: Preparation | Mapping[str, Any]
) -> npt.NDArray[Any]:
    """Moves (P, 3) of a packed set as the drawings that a model learned from lie.

    Args:
        moves: stroke-3, data units of the set.
        made: preparation of the set.
        wanted: preparation of the model; an empty mapping leaves them as they are.
    """
    if not wanted or not made.fit:
        return moves
    if not isinstance(wanted, Preparation):
        wanted = Preparation.from_dict(wanted)
    if not wanted.fit or (wanted.box == made.box and wanted.from_origin == made.from_origin):
        return moves
    factor = wanted.box / made.box
    result = moves * np.array([factor, factor, 1], np.float32)
    if wanted.from_origin:
        result[:1, :2] = 0
    return result


def prepare(block: Block, preparation: Preparation, *, fit: bool, raw: Bools) -> Block:
    """Fit a block of drawings, none of them empty, and simplify those that are raw.

    Args:
        block: the drawings.
        preparation: of the set. If it is fitted, they are in canvas pixels in the end: resampled
            at 1 px, and rounded. In a frame of their own, where a pixel means nothing, only
            Douglas-Peucker is done.
        fit: bring them to the 255 box.
        raw: (D,) which of them to simplify.
    """
    if raw.any() and not raw.all():
        parts = [
            prepare(take(block, some), preparation, fit=fit, raw=raw[some]) for some in (raw, ~raw)
        ]
        return merge(raw, *parts)
    simplified = bool(raw.any())
    if simplified and preparation.fit:
        fitted = simplify.fit(block) if fit else block
        return simplify.simplify(fitted, epsilon=preparation.epsilon)
    if simplified:
        return simplify.thinned(block, epsilon=preparation.epsilon, spaced=False)
    if fit:
        return simplify.fit_rounded(block)
    return block


def _on_canvas(sketch: Sketch) -> bool:
    left, top, right, bottom = sketch.box()
    inside = min(left, top) >= 0 and max(right, bottom) <= BOX
    return inside and max(right - left, bottom - top) >= SMALLEST_CANVAS_DRAWING
