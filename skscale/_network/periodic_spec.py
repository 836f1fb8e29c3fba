"""The periodic embedding of scaled features, as JSON-able values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from skscale._network.parameter import Parameter


@dataclass(frozen=True)
class PeriodicSpec:
    """A `skscale.layers.PeriodicEmbedding` of scaled features.

    Parameters
    ----------
    columns : tuple of int or None
        Features that are embedded; None for all.
    n_frequencies, units : int
        Waves and outputs of each embedded feature.
    frequency_scale : float
        Standard deviation of the frequencies at the start, in cycles per unit.
    """

    columns: tuple[int, ...] | None = None
    n_frequencies: int = 16
    units: int = 3
    frequency_scale: float = 0.1

    n_weights: ClassVar[int] = 4
    """Number of weight arrays: frequency, phase, kernel, bias."""

    def n_embedded(self, n_features: int) -> int:
        """Count the embedded features among all."""
        return n_features if self.columns is None else len(self.columns)

    def n_outputs(self, n_features: int) -> int:
        """Count the outputs that come behind the features themselves."""
        return self.n_embedded(n_features) * self.units

    def parameters(self, n_features: int) -> list[Parameter]:
        """Trained weights, in Keras' order."""
        n, waves, units = self.n_embedded(n_features), self.n_frequencies, self.units
        shapes = {
            "frequency": (n, waves),
            "phase": (n, waves),
            "kernel": (n, waves, units),
            "bias": (n, units),
        }
        return [
            Parameter(f"embedding/{name}", f"embedding_{name}", shape)
            for name, shape in shapes.items()
        ]
