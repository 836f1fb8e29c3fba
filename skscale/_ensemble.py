"""A fitted model: normalization and the networks that are averaged, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from skscale._affine import AffineMap
from skscale._inference import DenseSpec, forward, sensitivity
from skscale._network import NetworkSpec


@dataclass(frozen=True)
class Ensemble:
    """Networks of one architecture behind one normalization.

    Parameters
    ----------
    input_map : AffineMap
        Normalization of all features.
    active : ndarray of int
        Features that enter the networks; constant ones do not.
    spec : NetworkSpec
        The architecture.
    members : list of list of ndarray
        Weights of each network, in the order of `spec.parameters`.
    """

    input_map: AffineMap
    active: np.ndarray
    spec: NetworkSpec
    members: Sequence[Sequence[np.ndarray]]

    @property
    def _layers(self) -> list[DenseSpec]:
        # `Recipe` has seen to it that activations are names.
        return cast("list[DenseSpec]", self.spec.layers)

    def normalized(self, X: np.ndarray) -> np.ndarray:
        """Return what the networks see of rows in raw units."""
        return select_active(self.input_map.apply(X), self.active)

    def member_outputs(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the outputs of one network after the other, of shape (n_rows, n_outputs)."""
        Z = self.normalized(X)
        for weights in self.members:
            yield forward(Z, weights, self._layers, center=self.spec.center)

    def mean_output(self, X: np.ndarray) -> np.ndarray:
        """Return the mean of the networks' outputs, of shape (n_rows, n_outputs)."""
        outputs = self.member_outputs(X)
        # A copy, because a linear output of a single layer may be a view of its input.
        total = np.array(next(outputs))
        for output in outputs:
            total += output
        total /= len(self.members)
        return total

    def scaling_map(self) -> AffineMap:
        """Return normalization and scaling layer composed, averaged over the networks.

        The magnitude of the factors is averaged, and each offset goes with the sign of its
        factor: a network and its mirror image are the same network.
        """
        n_features = self.input_map.n_features
        scale, shift = np.ones(n_features), np.zeros(n_features)
        if len(self.active):
            factors = np.array([weights[0] for weights in self.members], np.float64)
            scale[self.active] = np.abs(factors).mean(axis=0)
            if self.spec.center:
                offsets = np.array([weights[1] for weights in self.members], np.float64)
                shift[self.active] = (np.where(factors < 0, -1.0, 1.0) * offsets).mean(axis=0)
        return self.input_map.then(AffineMap(np.zeros(n_features), scale, shift))

    def member_sensitivity(
        self, X: np.ndarray, sample_weight: np.ndarray, member: int, **outputs: Any
    ) -> np.ndarray:
        """Root mean square gradient of one network by each feature, in normalized units.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            Rows in raw units.
        sample_weight : ndarray of shape (n_rows,)
            Their weights.
        member : int
            Number of the network.
        **outputs : bool
            `of_logits` and `logits_centred` of `skscale._inference.sensitivity`.

        Returns
        -------
        ndarray of shape (n_features,)
            Zero for constant features.
        """
        r = np.zeros(self.input_map.n_features)
        if len(self.active):
            r[self.active] = sensitivity(
                self.normalized(X),
                self.members[member],
                self._layers,
                center=self.spec.center,
                sample_weight=sample_weight,
                **outputs,
            )
        return r


def select_active(Z: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Return the columns that enter the networks; one column of zeros where there is none.

    That column lets a table without any information train like every other: the output bias
    learns the mean.
    """
    if not len(active):
        return np.zeros((len(Z), 1), Z.dtype)
    # `take` keeps the memory order, and with it the order of additions in products.
    return Z if len(active) == Z.shape[1] else Z.take(active, axis=1)
