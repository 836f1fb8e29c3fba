"""Keras layers about scale.

They are ordinary Keras 3 layers, registered in the package ``skscale``: a saved model that holds
one loads wherever ``skscale.layers`` has been imported, without ``custom_objects``.

`ScalingLayer`
    One trained factor for each feature.
`CenteringScalingLayer`
    One trained factor and one trained offset for each feature.
`SineDense`
    A Dense layer whose activation is a sine of trained frequency.
`PeriodicEmbedding`
    Features, and a few learned waves of each behind them.
`AffineNormalization`
    A fixed affine map of each feature, exact on any scale, or its inverse.
`Denormalization`
    The inverse of `keras.layers.Normalization`.
`LocalStandardDeviation`
    The standard deviation in a window that moves along the steps of a signal.
`SelectFeatures`
    Some of the features.
"""

from __future__ import annotations

from skscale._keras.quiet_import import import_keras

import_keras(find_devices=False)

from skscale.layers._affine_normalization import AffineNormalization
from skscale.layers._denormalization import Denormalization
from skscale.layers._local_standard_deviation import LocalStandardDeviation
from skscale.layers._periodic_embedding import PeriodicEmbedding
from skscale.layers._scaling import CenteringScalingLayer, ScalingLayer
from skscale.layers._select_features import SelectFeatures
from skscale.layers._sine_dense import SineDense

__all__ = [
    "AffineNormalization",
    "CenteringScalingLayer",
    "Denormalization",
    "LocalStandardDeviation",
    "PeriodicEmbedding",
    "ScalingLayer",
    "SelectFeatures",
    "SineDense",
]
