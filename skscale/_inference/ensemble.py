"""A fitted model: normalization and the networks that are averaged, as arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np

from skscale._inference.dense import dense_form, forward_stacked, scaling
from skscale._inference.network import network_outputs, network_sensitivity
from skscale._network.dense_spec import DenseSpec
from skscale._network.spec import NetworkSpec
from skscale._normalization.active_features import select_active
from skscale._normalization.affine import AffineMap

# Measured on ten networks of 64-64 units: 64 rows side by side take .6 of the time of one network
# after the other, 128 rows with an embedding three times it, as they leave the cache. Of larger
# networks the products take the time.
_MAX_STACKED_ROWS = 64
_MAX_STACKED_WEIGHTS = 2**20
# Rows whose outputs overflow are clipped to these powers of the largest number, one after the
# other: nearly nothing of what is a line out there, and what exponentials need.
_EXPONENTS = (0.99, 0.9, 0.75, 0.5, 0.25, 0.1, 0.03, 0.01, 0.003, 0.0)


@dataclass(frozen=True)
class Ensemble:
    """Networks of one architecture behind one normalization.

    The weights of small networks lie side by side, and `members` are views of them: a few rows pass
    through all networks at once.

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
    # Of every ensemble by itself, but no field: it is made from the members.
    _stacked: ClassVar[_Stacked | None]

    def __post_init__(self) -> None:
        stacked = _stacked(self.spec, self.members)
        # The dataclass is frozen for its users; this is part of building it.
        object.__setattr__(self, "_stacked", stacked)
        if stacked is not None:
            members = [list(weights) for weights in zip(*stacked.weights, strict=True)]
            object.__setattr__(self, "members", members)

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy stacks its own weights; copies of views would be two of each.
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

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

    def combined(
        self, X: np.ndarray, combine: Callable[[Iterator[np.ndarray]], np.ndarray]
    ) -> np.ndarray:
        """Combine the outputs of the networks, row by row, into finite numbers.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            Rows in raw units. Those so far beyond the training data that they overflow are
            clipped until they do not.
        combine : callable
            From the outputs of one network after the other, of shape (n_rows, n_outputs), to what
            is wanted of each row.

        Returns
        -------
        ndarray of shape (n_rows, ...)
            What `combine` gives.
        """

        def outputs(Z: np.ndarray) -> Iterator[np.ndarray]:
            if self._stacked is not None and len(Z) <= _MAX_STACKED_ROWS:
                yield from forward_stacked(Z, dense_form(*self._stacked))
                return
            for weights in self.members:
                yield network_outputs(self.spec, weights, Z)

        return _finite(lambda Z: combine(outputs(Z)), self.normalized(X))

    def member_output(self, X: np.ndarray, member: int) -> np.ndarray:
        """Return the outputs of one network, of shape (n_rows, n_outputs)."""
        compute = functools.partial(network_outputs, self.spec, self.members[member])
        return _finite(compute, self.normalized(X))

    def mean_output(self, X: np.ndarray) -> np.ndarray:
        """Return the mean of the networks' outputs, of shape (n_rows, n_outputs)."""
        return self.combined(X, _mean)

    def mean_and_spread(self, X: np.ndarray) -> np.ndarray:
        """Return mean and standard deviation over the networks, of shape (n_rows, 2, n_outputs)."""
        return self.combined(X, _mean_and_spread)

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


class _Stacked(NamedTuple):
    """Networks along a leading axis of their weights."""

    spec: DenseSpec
    weights: list[np.ndarray]


def _stacked(spec: NetworkSpec, members: Sequence[Sequence[np.ndarray]]) -> _Stacked | None:
    """Return several small Dense networks along a leading axis, None for others."""
    n_weights = len(members) * spec.n_weights
    if len(members) < 2 or not isinstance(spec, DenseSpec) or n_weights > _MAX_STACKED_WEIGHTS:
        return None
    return _Stacked(spec, [np.stack(arrays) for arrays in zip(*members, strict=True)])


def _finite(compute: Callable[[np.ndarray], np.ndarray], Z: np.ndarray) -> np.ndarray:
    """Compute something of each row, and of rows that overflow once they are clipped."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        values = compute(Z)
        for exponent in _EXPONENTS:
            if np.isfinite(values).all():
                break
            far = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
            limit = np.finfo(Z.dtype).max ** exponent
            # A copy, because a linear output of a single layer may be a view of its input.
            values = np.array(values)
            values[far] = compute(np.clip(Z[far], -limit, limit))
    return values


def _mean_and_spread(outputs: Iterator[np.ndarray]) -> np.ndarray:
    of_networks = list(outputs)
    return np.stack([_mean(iter(of_networks)), np.std(of_networks, axis=0)], axis=1)


def _mean(outputs: Iterator[np.ndarray]) -> np.ndarray:
    # A copy, because a linear output of a single layer may be a view of its input.
    n, total = 1, np.array(next(outputs))
    for output in outputs:
        n, total = n + 1, np.add(total, output, out=total)
    total /= n
    return total
