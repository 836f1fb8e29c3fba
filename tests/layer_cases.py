"""One recipe for each public layer, and layers with weights to compute with."""

from __future__ import annotations

import keras
import numpy as np

from skscale import layers

N_FEATURES = 5
_CENTER = [1.0, -2.0, 0.5, 0.0, 3.0]
_SCALE = [2.0, 0.5, -1.0, 4.0, 0.25]

# Class, arguments: every parameter of its own is given and differs from the default.
CASES = {
    "scaling": (
        layers.ScalingLayer,
        {
            "scale_initializer": keras.initializers.Constant(0.5),
            "scale_regularizer": keras.regularizers.L1(0.03),
            "scale_constraint": "non_neg",
        },
    ),
    "centering": (
        layers.CenteringScalingLayer,
        {
            "scale_initializer": keras.initializers.RandomNormal(1.0, 0.1, seed=3),
            "scale_regularizer": keras.regularizers.L1(0.03),
            "scale_constraint": "non_neg",
            "center_initializer": keras.initializers.Constant(2.0),
            "center_regularizer": "l2",
            "center_constraint": keras.constraints.MaxNorm(4.0),
        },
    ),
    "sine": (
        layers.SineDense,
        {
            "units": 3,
            "frequency_initializer": keras.initializers.Constant(3.0),
            "use_bias": False,
            "kernel_initializer": "orthogonal",
            "bias_initializer": "ones",
            "kernel_regularizer": keras.regularizers.OrthogonalRegularizer(0.1),
            "bias_regularizer": "l1",
            "kernel_constraint": keras.constraints.UnitNorm(axis=1),
            "bias_constraint": "non_neg",
            "frequency_regularizer": keras.regularizers.L2(0.2),
            "frequency_constraint": keras.constraints.MinMaxNorm(0.5, 30.0),
        },
    ),
    "periodic": (
        layers.PeriodicEmbedding,
        {
            "n_frequencies": 6,
            "units": 4,
            "frequency_scale": 0.5,
            "indices": [3, 0],
            "frequency_initializer": keras.initializers.RandomNormal(0.0, 0.2, seed=3),
            "phase_initializer": keras.initializers.Constant(0.25),
            "kernel_initializer": "orthogonal",
            "bias_initializer": "ones",
            "frequency_regularizer": keras.regularizers.L2(0.2),
            "phase_regularizer": keras.regularizers.OrthogonalRegularizer(0.1),
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "frequency_constraint": keras.constraints.MinMaxNorm(0.5, 30.0),
            "phase_constraint": "non_neg",
            "kernel_constraint": keras.constraints.UnitNorm(axis=1),
            "bias_constraint": keras.constraints.MaxNorm(4.0),
        },
    ),
    "normalization": (
        layers.AffineNormalization,
        {"center": _CENTER, "scale": _SCALE, "shift": _CENTER, "invert": False},
    ),
    "inverse": (
        layers.AffineNormalization,
        {"center": _CENTER, "scale": _SCALE, "shift": None, "invert": True},
    ),
    "denormalization": (
        layers.Denormalization,
        {"axis": [1], "mean": _CENTER, "variance": [4.0, 1.0, 0.0, 1e-20, 9.0]},
    ),
    "deviation": (layers.LocalStandardDeviation, {"half_window": 2, "ddof": 1}),
    "selection": (layers.SelectFeatures, {"indices": [4, 0]}),
}


def built_layer(layer_class, n_features=N_FEATURES, **kwargs):
    """Build a layer and give it weights that differ from feature to feature."""
    layer = layer_class(**kwargs)
    layer.build((None, n_features))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer
