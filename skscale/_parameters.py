"""Every parameter that the estimators share: name, type, default and constraint, once.

The annotations are objects and not text, so that `inspect` and `typing.get_type_hints` know them in
every module that inherits them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

KerasOption = str | dict | Callable
"""A Keras object by name, config dict, class or instance."""


@dataclass(kw_only=True, eq=False, repr=False)
class ScaleParameters:
    """What the scale is, before and while it is learned."""

    normalization: Any = "standard"
    center: bool = True
    scale_initializer: KerasOption = "ones"
    scale_regularizer: KerasOption | None = "auto"
    scale_constraint: KerasOption | None = None
    center_initializer: KerasOption = "zeros"
    center_regularizer: KerasOption | None = None
    center_constraint: KerasOption | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class LayerParameters:
    """What stands behind the scale."""

    embedding: str | dict | Callable | None = "auto"
    hidden_layer_sizes: Sequence[int] | int = (64, 64)
    activation: KerasOption = "silu"
    use_bias: bool = True
    kernel_initializer: KerasOption = "auto"
    bias_initializer: KerasOption = "auto"
    kernel_regularizer: KerasOption | None = None
    kernel_constraint: KerasOption | None = None
    dropout: float = 0.0
    hidden_layer: str | Callable = "dense"
    network: Callable | dict | None = None
    network_params: dict | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkParameters(LayerParameters, ScaleParameters):
    """What the network is."""


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingParameters:
    """How the network is trained."""

    loss: KerasOption = "auto"
    optimizer: KerasOption = "auto"
    learning_rate: float | Literal["auto"] = "auto"
    scale_learning_rate_factor: float = 10.0
    weight_decay: float | Literal["auto"] = "auto"
    epochs: int | Literal["auto"] = "auto"
    batch_size: int | Literal["auto"] = "auto"
    dtype: Literal["auto", "float32", "float64"] = "auto"
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    callbacks: Any = None
    warm_start: bool = False
    cv: Any = 5
    regularization_path: Any = "auto"
    n_jobs: int | None = None
    random_state: int | np.random.RandomState | None = None
    verbose: int = 0


@dataclass(kw_only=True, eq=False, repr=False)
class LearnedScaleParameters(TrainingParameters, NetworkParameters):
    """All parameters that the estimators share."""


def shared_parameters(estimator: LearnedScaleParameters) -> LearnedScaleParameters:
    """Return the shared parameters of an estimator, and nothing else of it.

    Those that are NumPy's numbers become Python's, which can be written to a config.
    """
    values = {f.name: getattr(estimator, f.name) for f in fields(LearnedScaleParameters)}
    return LearnedScaleParameters(
        **{name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()}
    )


def is_auto(value: Any) -> bool:
    """Whether a parameter is left to be decided by the data."""
    return isinstance(value, str) and value == "auto"


KERAS_OPTION: list[Any] = [str, dict, callable]
NORMALIZATION: list[Any] = [str, HasMethods(["fit", "transform"]), None]
_AUTO = StrOptions({"auto"})

CONSTRAINTS: dict[str, Any] = {
    "normalization": NORMALIZATION,
    "center": ["boolean"],
    "scale_initializer": KERAS_OPTION,
    "scale_regularizer": [*KERAS_OPTION, None],
    "scale_constraint": [*KERAS_OPTION, None],
    "center_initializer": KERAS_OPTION,
    "center_regularizer": [*KERAS_OPTION, None],
    "center_constraint": [*KERAS_OPTION, None],
    "embedding": [StrOptions({"auto", "periodic"}), callable, dict, None],
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": KERAS_OPTION,
    "use_bias": ["boolean"],
    "kernel_initializer": KERAS_OPTION,
    "bias_initializer": KERAS_OPTION,
    "kernel_regularizer": [*KERAS_OPTION, None],
    "kernel_constraint": [*KERAS_OPTION, None],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "hidden_layer": [str, callable],
    "network": [callable, dict, None],
    "network_params": [dict, None],
    "loss": KERAS_OPTION,
    "optimizer": [*KERAS_OPTION, HasMethods(["apply"])],
    "learning_rate": [_AUTO, Interval(Real, 0, None, closed="neither")],
    "scale_learning_rate_factor": [Interval(Real, 0, None, closed="left")],
    "weight_decay": [_AUTO, Interval(Real, 0, None, closed="left")],
    "epochs": [_AUTO, Interval(Integral, 1, None, closed="left")],
    "batch_size": [_AUTO, Interval(Integral, 1, None, closed="left")],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    # Checked where Keras is imported.
    "callbacks": "no_validation",
    "warm_start": ["boolean"],
    "cv": ["cv_object"],
    "regularization_path": [_AUTO, "array-like"],
    "n_jobs": [
        Interval(Integral, 1, None, closed="left"),
        Interval(Integral, None, -1, closed="right"),
        None,
    ],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
"""What each parameter may be, in the form of scikit-learn."""

KERAS_FAMILIES = {
    "activation": "activations",
    "output_activation": "activations",
    "loss": "losses",
    "optimizer": "optimizers",
    **{
        f"{role}_{kind}": f"{kind}s"
        for role in ("scale", "center", "kernel", "bias")
        for kind in ("initializer", "regularizer", "constraint")
    },
}
"""The module of Keras that the objects of each parameter come from."""
