"""A scale per feature that is learned from the task.

The first layer of a small network multiplies each feature by a trainable factor and adds a
trainable offset; the network trains end to end, so the scale comes from the task instead of
from a formula chosen by hand.

`LearnedScaleRegressor`
    That network, as a scikit-learn regressor.
`LearnedScaleClassifier`
    The same for classes, with calibrated probabilities.
`LearnedScaleTransformer`
    Its learned scale, put to use in front of any other estimator.
`ScaleDisplay`, `PathDisplay`, `TrainingCurveDisplay`
    Drawings of what they have learned, and how, with matplotlib.
`build_network`
    The network alone, untrained, as a Keras model.
`set_program_cache`
    A directory in which later processes find what the first fit compiles.
`SKOPS_TRUSTED`
    The types to trust when skops, or MLflow through it, loads a fitted estimator.
`skscale.distributed`
    Fits of tables that are larger than memory, on dask.
`skscale.layers`
    The Keras layers, usable on their own.

Notes
-----
Names resolve on first use, and neither ``import skscale`` nor any name of it imports TensorFlow
or Keras. A process that only predicts does not either, unless the model has layers that NumPy
cannot run. `skscale.layers` does import Keras.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skscale._version import __version__ as __version__

if TYPE_CHECKING:
    from skscale import distributed as distributed
    from skscale import layers as layers
    from skscale._classifier import LearnedScaleClassifier
    from skscale._keras.disk_cache import set_program_cache
    from skscale._network.build_network import build_network
    from skscale._plot.path import PathDisplay
    from skscale._plot.scale import ScaleDisplay
    from skscale._plot.training_curve import TrainingCurveDisplay
    from skscale._regressor import LearnedScaleRegressor
    from skscale._transformer import LearnedScaleTransformer

SKOPS_TRUSTED = [
    "skscale._classifier.LearnedScaleClassifier",
    "skscale._regressor.LearnedScaleRegressor",
    "skscale._transformer.LearnedScaleTransformer",
]

__all__ = [
    "SKOPS_TRUSTED",
    "LearnedScaleClassifier",
    "LearnedScaleRegressor",
    "LearnedScaleTransformer",
    "PathDisplay",
    "ScaleDisplay",
    "TrainingCurveDisplay",
    "build_network",
    "set_program_cache",
]

_MODULES = {
    "LearnedScaleClassifier": "skscale._classifier",
    "LearnedScaleRegressor": "skscale._regressor",
    "LearnedScaleTransformer": "skscale._transformer",
    "PathDisplay": "skscale._plot.path",
    "ScaleDisplay": "skscale._plot.scale",
    "TrainingCurveDisplay": "skscale._plot.training_curve",
    "build_network": "skscale._network.build_network",
    "set_program_cache": "skscale._keras.disk_cache",
}


_SUBMODULES = ("distributed", "layers")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        # Python keeps a submodule as an attribute itself.
        return import_module(f"skscale.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    # Kept, so that the next access is an ordinary one.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES])
