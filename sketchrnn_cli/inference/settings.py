"""How to draw: temperatures, guidance, candidates, seed and limits. Needs no numpy."""

from __future__ import annotations

from dataclasses import dataclass

from sketchrnn_cli.errors import BadConfig

MAX_POINTS = 10_000  # of a drawing that a model reads or draws: memory is kept for each
RANGES = {  # lowest and highest value of a setting
    "temperature": (0.01, 2.0),
    "pen_temperature": (0.01, 2.0),
    "latent_temperature": (0.0, 4.0),
    "guidance": (0.0, 4.0),
    "best_of": (1, 1_000),
    "max_points": (1, MAX_POINTS),
}
GUIDANCE = 2.0  # where latents are sampled, too; see tests/bench/recognisability
BEST_OF = 4  # candidates of which a recogniser keeps the best one
ROUNDS = 4  # of as many candidates, at most: more while the recogniser is sure of none
SPREAD = 1.25  # temperature of the latents of ranked candidates
COUNT = 9  # drawings, unless prompt, latents or prefixes say how many
SIDES = (2, 100)  # fewest and most rows and columns of a grid between four
FRAMES = 12  # steps from one stop of an interpolation to the next
FEW = 16  # drawings that one thread draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to draw. Temperature as in the paper: sigma * sqrt(tau), mixture logits / tau."""

    temperature: float = 0.4  # tau
    pen_temperature: float | None = None  # divides the pen logits; None: 0.5 + 0.5 tau
    greedy: bool = False  # the likeliest mixture's mean and the likeliest pen, nothing sampled
    prior: bool = False  # z from N(0, I), not from the fitted latent prior
    most_likely: bool = False  # the most probable z of the latent prior, not sampled
    latent_temperature: float | None = None  # sigma * sqrt(tau); None: Conditioning.latent_tau
    guidance: float | None = None  # scale; None: GUIDANCE, but 1 for given latents and prefixes
    best_of: int | None = None  # candidates of each drawing; None: BEST_OF with a recogniser
    seed: int = 0
    max_points: int = 250  # a drawing that has not ended by then is cut

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise BadConfig(f"{name} must be {bounds(name)}, not {value}")
        if not 0 <= self.seed < 2**63:
            raise BadConfig(f"seed must be from 0 to 2^63 - 1, not {self.seed}")
        if self.prior and self.most_likely:
            raise BadConfig("prior and most_likely: a latent is from one of them, not both")
        if self.prior and self.latent_temperature is not None:
            raise BadConfig("prior and latent_temperature: z from N(0, I) has no temperature")
        if self.greedy and self.pen_temperature is not None:
            raise BadConfig("greedy and pen_temperature: the likeliest pen has no temperature")

    @property
    def pen_tau(self) -> float:
        """A cold pen never ends a drawing, so by default it stays warmer than the moves."""
        if self.pen_temperature is not None:
            return self.pen_temperature
        return 0.5 + 0.5 * self.temperature


def bounds(name: str) -> str:
    """The range of a setting in words, for messages: "from 0.01 to 2"."""
    low, high = RANGES[name]
    return f"from {low:g} to {high:g}{advice(name)}"


def advice(name: str) -> str:
    """What the message says after the range of a setting."""
    low, _ = RANGES[name]
    return "; nothing is sampled with greedy" if low == RANGES["temperature"][0] else ""
