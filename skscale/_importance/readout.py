"""From trained networks to the scale that the transformer uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skscale._fitting.training_set import TrainingSet
from skscale._importance.power import choose_power, power_factors
from skscale._importance.sensitivity import importances, member_sensitivities, pool
from skscale._inference.ensemble import Ensemble
from skscale._normalization.affine import AffineMap
from skscale._selection.folds import Fold


@dataclass(frozen=True)
class Readout:
    """The scale.

    Parameters
    ----------
    affine : AffineMap
        The transform.
    relative_scale : ndarray of shape (n_features,)
        Its factors in units of a standardization's.
    member_scales : ndarray of shape (n_networks, n_features)
        Those of each network alone; a network that responds to nothing has none.
    power : float
        Exponent of the sensitivities; 1 for the output of the scaling layer, which has none.
    importances : ndarray of shape (n_features,)
        Shares of the features.
    """

    affine: AffineMap
    relative_scale: np.ndarray
    member_scales: np.ndarray
    power: float
    importances: np.ndarray


def read_out(
    readout: str,
    power: float | None,
    ensemble: Ensemble,
    folds: Sequence[Fold],
    data: TrainingSet,
    random: np.random.RandomState,
) -> Readout:
    """Read the scale from networks.

    Parameters
    ----------
    readout : {"sensitivity", "gain"}
        What the networks respond to, or the output of their scaling layer.
    power : float or None
        Exponent of the sensitivities; None lets held-out rows choose it.
    ensemble : Ensemble
        The networks.
    folds : sequence of Fold
        Rows of each network.
    data : TrainingSet
        Rows, target and weights.
    random : numpy.random.RandomState
        Draws rows where there are more than enough.

    Returns
    -------
    result : Readout
        Transform, power and importances.
    """
    active, standard = ensemble.active, ensemble.standard
    members = member_sensitivities(
        ensemble,
        folds,
        data.X,
        data.sample_weight,
        random,
        of_logits=data.target.is_classification,
        # Two classes share one logit; of three or more only differences mean anything.
        logits_centred=data.target.is_classification and data.target.n_outputs > 1,
    )
    r = pool(members)
    shares = importances(r, active)
    if readout == "gain":
        scales = ensemble.member_scales()
        return Readout(ensemble.scaling_map(), scales.mean(axis=0), scales, 1.0, shares)
    if not r.any():
        power = 0.0
    elif power is None:
        power = choose_power(
            data.X,
            data.target.votes,
            data.sample_weight,
            standard=standard,
            members=members,
            folds=folds,
            active=active,
            is_classification=data.target.is_classification,
            random=random,
        )
    factors = power_factors(r, power, active)
    of_members = [power_factors(r, power, active) for r in members if r.any()]
    scales, zeros = np.reshape(of_members, (-1, len(factors))), np.zeros(len(factors))
    affine = standard.then(AffineMap(zeros, factors, zeros))
    return Readout(affine, factors, scales, power, shares)
