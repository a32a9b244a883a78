"""Sizes of the network, checked at birth and saved inside the checkpoint. Torch-free."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sketchrnn_cli.errors import BadConfig

CELLS = ("lstm", "layer-norm", "hyper")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Sizes of the network. Defaults: magenta sketch_rnn, get_default_hparams."""

    encoder: bool = True  # False: decoder only, the paper's unconditional model
    encoder_size: int = 256  # E, hidden units of each direction
    latent_size: int = 128  # Z
    decoder_size: int = 512  # H
    n_mixtures: int = 20  # M, Gaussians a step
    n_words: int = 0  # W, words the decoder is told apart; 0: the classic model, told none
    word_size: int = 64  # D, numbers that stand for a word
    cell: str = "lstm"  # of the decoder, one of CELLS
    encoder_cell: str = "lstm"  # the same
    hyper_size: int = 256  # Y, hidden units of the small network in a hyper cell
    hyper_embedding: int = 32  # numbers through which it scales a gate of the large one
    dropout: float = 0.1  # recurrent, on the candidate gate (magenta stores keep = 0.9)
    input_dropout: float = 0.0  # of what the decoder reads
    output_dropout: float = 0.0  # of the decoder's state on its way to the mixture

    def __post_init__(self) -> None:
        for name, low in (
            ("encoder_size", 1),
            ("latent_size", 1),
            ("decoder_size", 1),
            ("n_mixtures", 1),
            ("n_words", 0),
            ("word_size", 1),
            ("hyper_size", 1),
            ("hyper_embedding", 1),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= 16384:
                raise BadConfig(
                    f"{name} must be a whole number from {low} to 16,384, not {value!r}"
                )
        if not isinstance(self.encoder, bool):
            raise BadConfig(f"encoder must be true or false, not {self.encoder!r}")
        for name in ("cell", "encoder_cell"):
            value = getattr(self, name)
            if value not in CELLS:
                raise BadConfig(f"{name} must be one of {', '.join(CELLS)}, not {value!r}")
        for name in ("dropout", "input_dropout", "output_dropout"):
            value = getattr(self, name)
            number = isinstance(value, float | int) and not isinstance(value, bool)
            if not number or not 0 <= value < 1:
                raise BadConfig(f"{name} must be from 0 to below 1, not {value!r}")

    @property
    def constant_size(self) -> int:
        """C, inputs of the decoder that stay the same for a whole sketch: z, its word, or none."""
        return self.encoder * self.latent_size + (self.n_words > 0) * self.word_size

    @property
    def start_size(self) -> int:
        """S, numbers of the decoder's state: c, then h; of a hyper cell its small network's too."""
        return 2 * (self.decoder_size + (self.cell == "hyper") * self.hyper_size)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Inverse of ``dataclasses.asdict``; an unknown name is an error, never ignored."""
        refuse_unknown("model", values, (f.name for f in fields(cls)))
        return cls(**values)


def refuse_unknown(what: str, values: Iterable[str], known: Iterable[str]) -> None:
    """Raise BadConfig for a setting that does not exist, naming the nearest that does."""
    names = list(known)
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
            raise BadConfig(f"unknown {what} setting {name!r}: {advice}")


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"encoder_size": 64, "latent_size": 32, "decoder_size": 160, "n_mixtures": 10},
    "base": {},
    # Ha & Eck 2017, section 3.3 and appendix
    "paper": {
        "cell": "hyper",
        "encoder_cell": "layer-norm",
        "decoder_size": 2048,
        "encoder_size": 512,
    },
    # magenta sketch_rnn, get_default_hparams
    "magenta": {},
}
