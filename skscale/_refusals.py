"""What is refused before training starts: options that are known but do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._activations import get_activation
from skscale._affine import AffineMap
from skscale._keras_objects import keras_object
from skscale._network import JSON, NetworkSpec, Parameter
from skscale._options import keras_config

# Keras losses that take the logarithm or the inverse of a target.
_LOSSES_OF_RATIOS = frozenset(
    {"poisson", "mean_squared_logarithmic_error", "mean_absolute_percentage_error"}
)


def check_contradictions(params: Mapping[str, Any]) -> None:
    """Refuse parameters that each are allowed but not together.

    Parameters
    ----------
    params : mapping
        Parameters of an estimator, as `get_params` gives them.

    Raises
    ------
    InvalidParameterError
        If early stopping is asked for on the path.
    """
    if params["early_stopping"] and params["scale_regularizer"] == "auto":
        raise InvalidParameterError(
            "early_stopping=True is for a single network, but scale_regularizer='auto' trains "
            "one for each fold and chooses among them on held-out rows. Set "
            "scale_regularizer=None (or 'l1', ...), or early_stopping=False."
        )


def check_loss_domain(
    loss: Any, target_map: AffineMap, targets: np.ndarray, target_normalization: Any
) -> None:
    """Refuse a loss of ratios on targets that have lost their zero, or are negative.

    Parameters
    ----------
    loss : "auto", str, dict or callable
        The parameter.
    target_map : AffineMap
        Normalization of the targets.
    targets : ndarray of shape (n_samples, n_outputs)
        Targets in raw units.
    target_normalization : str, transformer or None
        The parameter.

    Raises
    ------
    InvalidParameterError
        If the loss does not fit the normalized targets.
    """
    if isinstance(loss, str) and loss == "auto":
        return
    found = keras_object("losses", keras_config("losses", loss, parameter="loss"))
    if getattr(getattr(found, "fn", found), "__name__", "") not in _LOSSES_OF_RATIOS:
        return
    if target_map.center.any() or target_map.shift.any() or (targets < 0).any():
        raise InvalidParameterError(
            f"loss={loss!r} needs targets of at least zero that are not shifted, but "
            f"target_normalization={target_normalization!r} and the smallest target is "
            f"{float(targets.min())}. Use target_normalization=None, 'maxabs' or 'rms' and targets "
            "of at least zero, or another loss such as 'huber'."
        )


def activation_name(value: Any, parameter: str) -> str:
    """Return the name of an activation that has a NumPy form, and refuse any other.

    Parameters
    ----------
    value : str, dict or callable
        What the user wrote.
    parameter : str
        Name of the parameter, for the error message.

    Returns
    -------
    name : str
        The name that Keras' function has.

    Raises
    ------
    InvalidParameterError
        If Keras does not know the activation, or a prediction could not be computed without
        Keras.
    """
    config = keras_config("activations", value, parameter=parameter)
    if not isinstance(config, str):
        raise InvalidParameterError(
            f"{parameter}={value!r} is not one of Keras' own activations with its default "
            "settings, and predictions are computed without Keras. Give one of those by name, "
            "such as 'leaky_relu'."
        )
    try:
        get_activation(config)
    except ValueError as error:
        raise InvalidParameterError(f"{parameter}={value!r} cannot be used. {error}") from error
    return config


def check_on_weights(spec: NetworkSpec) -> None:
    """Try every regularizer and constraint on a weight: some of Keras' take matrices only.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    Raises
    ------
    InvalidParameterError
        If one cannot be applied.
    """
    families = {"regularizer": spec.regularizers, "constraint": spec.constraints}
    for kind, configs in families.items():
        for parameter in spec.parameters:
            if parameter.role in configs:
                _try_on_weight(kind, configs[parameter.role], parameter)


def _try_on_weight(kind: str, config: JSON, parameter: Parameter) -> None:
    import keras

    try:
        keras_object(f"{kind}s", config)(keras.ops.ones(parameter.shape))
    except Exception as error:  # of any type: what Keras and TensorFlow raise depends on the object
        raise InvalidParameterError(
            f"{parameter.role}_{kind}={config!r} cannot be applied to an array of shape "
            f"{parameter.shape}. Keras says: {error}"
        ) from error
