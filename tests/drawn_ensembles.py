"""Ensembles with drawn weights, of every kind that NumPy runs, and rows for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skscale._inference.ensemble import Ensemble
from skscale._network.dense_spec import DenseSpec
from skscale._network.periodic_spec import PeriodicSpec
from skscale._normalization.affine import AffineMap

N_FEATURES = 4
# Units, and places of the features in them.
UNITS = np.array([1.0, 1e-20, 1e6, 1.0])
PLACES = np.array([3.0, 5.0, -2.0, 0.0])
X = UNITS * (np.random.default_rng(0).normal(size=(50, N_FEATURES)) + PLACES)
ALL = np.arange(N_FEATURES)

PERIODIC = PeriodicSpec(n_frequencies=5, units=2)
SPECS = {
    "dense": DenseSpec(4, 2, (6, 5)),
    "without hidden layers": DenseSpec(4, 2, ()),
    "without center and bias": DenseSpec(4, 1, (6,), "relu", center=False, use_bias=False),
    "batch normalization": DenseSpec(4, 2, (6,), batch_normalization=True),
    "sines": DenseSpec(4, 2, (6, 5), hidden_layer="sine"),
    "output between 0 and 1": DenseSpec(4, 2, (6,), "tanh", "sigmoid"),
    "periodic": DenseSpec(4, 2, (6,), embedding=PERIODIC),
    "some columns periodic": DenseSpec(
        4,
        2,
        (6,),
        embedding=replace(PERIODIC, columns=(2, 0)),
        batch_normalization=True,
        center=False,
    ),
    "periodic without center": DenseSpec(4, 2, (), embedding=PERIODIC, center=False),
}


def draw_ensemble(spec, n_networks=3, active=ALL, shift=0.0):
    """Networks with weights of order one, behind a normalization."""
    random = np.random.default_rng(1)

    def weights():
        arrays = [random.normal(size=parameter.shape) for parameter in spec.arrays]
        if spec.batch_normalization:
            arrays[-1] = np.square(arrays[-1])
        return arrays

    affine = AffineMap(UNITS * PLACES, 1 / UNITS, np.full(N_FEATURES, shift))
    return Ensemble(affine, active, spec, [weights() for _ in range(n_networks)], affine)


def draw_overflowing_waves():
    """Return an ensemble, and rows on which its waves would overflow before they are cosines."""
    ensemble = draw_ensemble(SPECS["periodic"])
    for weights in ensemble.members:
        frequency = weights[2]
        frequency *= 1e9
    return ensemble, 1e300 * UNITS[np.newaxis]
