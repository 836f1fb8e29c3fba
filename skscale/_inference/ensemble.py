"""A fitted model: normalization and the networks that are averaged, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from skscale._inference.dense import scaling
from skscale._inference.network import network_outputs, network_sensitivity
from skscale._network.spec import NetworkSpec
from skscale._normalization.active_features import select_active
from skscale._normalization.affine import AffineMap


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
        Weights of each network, in the order of `spec.arrays`.
    standard : AffineMap
        Standardization of all features, whatever they are normalized by; it says which digits of
        them matter.
    """

    input_map: AffineMap
    active: np.ndarray
    spec: NetworkSpec
    members: Sequence[Sequence[np.ndarray]]
    standard: AffineMap

    def normalized(self, X: np.ndarray) -> np.ndarray:
        """Return what the networks see of rows in raw units."""
        return select_active(self.input_map.apply(X), self.active)

    def network_inputs(self) -> tuple[np.ndarray, AffineMap]:
        """Return which features the networks read, and how these are normalized."""
        affine, active = self.input_map, self.active
        if not len(active):
            # Any feature times zero.
            return np.zeros(1, int), AffineMap(np.zeros(1), np.zeros(1), np.zeros(1))
        if len(active) < affine.n_features:
            affine = AffineMap(affine.center[active], affine.scale[active], affine.shift[active])
        return active, affine

    def member_outputs(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the outputs of one network after the other, of shape (n_rows, n_outputs)."""
        Z = self.normalized(X)
        for weights in self.members:
            yield network_outputs(self.spec, weights, Z)

    def member_output(self, X: np.ndarray, member: int) -> np.ndarray:
        """Return the outputs of one network, of shape (n_rows, n_outputs)."""
        return network_outputs(self.spec, self.members[member], self.normalized(X))

    def mean_output(self, X: np.ndarray) -> np.ndarray:
        """Return the mean of the networks' outputs, of shape (n_rows, n_outputs)."""
        return _mean(self.member_outputs(X))

    def mean_and_spread(self, X: np.ndarray) -> np.ndarray:
        """Return mean and standard deviation over the networks, of shape (n_rows, 2, n_outputs)."""
        outputs = list(self.member_outputs(X))
        return np.stack([_mean(iter(outputs)), np.std(outputs, axis=0)], axis=1)

    def scaling_map(self) -> AffineMap:
        """Return normalization and scaling layer composed, averaged over the networks.

        The magnitude of the factors is averaged, and each offset goes with the sign of its
        factor: a network and its mirror image are the same network.
        """
        n_features = self.input_map.n_features
        scale, shift = np.ones(n_features), np.zeros(n_features)
        if len(self.active):
            layers = [scaling(self.spec, weights) for weights in self.members]
            factors = np.array([factors for factors, _ in layers], np.float64)
            offsets = np.array([0.0 * s if t is None else t for s, t in layers], np.float64)
            scale[self.active] = np.abs(factors).mean(axis=0)
            shift[self.active] = (np.where(factors < 0, -1.0, 1.0) * offsets).mean(axis=0)
        return self.input_map.then(AffineMap(np.zeros(n_features), scale, shift))

    @property
    def size(self) -> np.ndarray:
        """Standard deviation of each feature as the networks see it, of shape (n_features,)."""
        return np.abs(self.input_map.scale) / self.standard.scale

    def member_scales(self) -> np.ndarray:
        """Return the factors of each network in units of a standardization's.

        Returns
        -------
        ndarray of shape (n_networks, n_features)
            Magnitudes of normalization and scaling layer composed; 1 for constant features, which
            no network sees.
        """
        scales = np.ones((len(self.members), self.input_map.n_features))
        if len(self.active):
            factors = [np.abs(scaling(self.spec, weights)[0]) for weights in self.members]
            scales[:, self.active] = np.array(factors, np.float64) * self.size[self.active]
        return scales

    def member_sensitivity(
        self,
        X: np.ndarray,
        sample_weight: np.ndarray,
        member: int,
        *,
        of_logits: bool,
        logits_centred: bool = False,
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
        of_logits : bool
            Whether the outputs are taken before the activation of the output layer; those of
            custom layers are taken as they are.
        logits_centred : bool, default=False
            Whether the mean of the outputs of a row is subtracted from each of them first.

        Returns
        -------
        ndarray of shape (n_features,)
            Zero for constant features.
        """
        r = np.zeros(self.input_map.n_features)
        if not len(self.active):
            return r
        r[self.active] = network_sensitivity(
            self.spec,
            self.members[member],
            np.asarray(self.normalized(X), np.float64),
            sample_weight,
            of_logits=of_logits,
            logits_centred=logits_centred,
        )
        return r


def _mean(outputs: Iterator[np.ndarray]) -> np.ndarray:
    # A copy, because a linear output of a single layer may be a view of its input.
    n, total = 1, np.array(next(outputs))
    for output in outputs:
        n, total = n + 1, np.add(total, output, out=total)
    total /= n
    return total
