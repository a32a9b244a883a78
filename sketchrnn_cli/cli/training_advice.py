"""What a person may wonder about while a model trains, explained once each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sketchrnn_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from sketchrnn_cli.training.metrics import Metrics
    from sketchrnn_cli.training.trainer import Trainer

WEIGHTS_A_POINT = 20  # from so many on, a model learns its drawings by heart
STUCK = 5  # validations in a row with the KL term at its floor
NEAR = 1.02  # times the floor is at the floor
SETTLED = 0.9  # of its final value the KL weight has reached by then


class Advice:
    """Looks at a run, and explains what is odd when it is first seen."""

    def __init__(self, terminal: Terminal, trainer: Trainer) -> None:
        self.terminal, self.config = terminal, trainer.config
        self.n_at_floor = 0
        self.said: set[str] = set()
        if not len(trainer.valid_indices):
            self._once(
                "no validation drawings, so nothing to choose the best model by: the newest is "
                "kept; with --split 90,5,5, preprocess sets some apart"
            )
        corpus = trainer.corpus
        n_points = len(corpus.moves) * len(trainer.train_indices) / max(len(corpus), 1)
        n_weights = sum(parameter.numel() for parameter in trainer.network.parameters())
        if n_weights > WEIGHTS_A_POINT * n_points:
            small = "" if n_weights < 500_000 else ", or a smaller model (--preset tiny)"
            self._once(
                f"{n_weights:,} weights for {n_points:,.0f} points of "
                f"{len(trainer.train_indices):,} drawings: it may learn them by heart and draw "
                f"little else; more drawings help{small}"
            )

    def look(self, metrics: Metrics) -> None:
        """Losses of training or of validation; not finite where there are none."""
        if metrics.loss < 0:
            self._once(
                "the loss is below 0, and that is well: where a move is sure, its density is "
                "above 1 (these are nats of densities); lower is better still"
            )
        floor = self.config.kl_floor
        if metrics.split != "valid" or not metrics.kl_weight or not floor:
            return
        settled = metrics.kl_weight >= SETTLED * self.config.kl_weight
        at_floor = settled and metrics.l_kl <= NEAR * floor
        self.n_at_floor = self.n_at_floor + 1 if at_floor else 0
        if self.n_at_floor >= STUCK:
            self._once(
                f"the KL has stayed at its floor ({metrics.l_kl:.3f}, kl_floor {floor:g}) for "
                f"{STUCK} validations: latents say as little of a drawing as they may, so "
                "encode and morph follow it loosely; a lower --kl-weight lets them say more"
            )

    def _once(self, text: str) -> None:
        topic = text[:20]
        if topic not in self.said:
            self.said.add(topic)
            self.terminal.advise(text)
