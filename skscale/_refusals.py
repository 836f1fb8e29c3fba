"""What is refused before training starts: options that are known but do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._initializers import build_initializer
from skscale._keras_objects import keras_object
from skscale._network import JSON, NetworkSpec, Parameter
from skscale._normalization.affine import AffineMap
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


def check_n_targets(targets: np.ndarray, target_map: AffineMap) -> None:
    """Refuse another number of targets than the present networks have.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_outputs)
        Targets in raw units.
    target_map : AffineMap
        Normalization that was fitted on earlier ones.

    Raises
    ------
    ValueError
        If the numbers differ.
    """
    if targets.shape[1] != target_map.n_features:
        raise ValueError(
            f"y has {targets.shape[1]} columns, but the present networks predict "
            f"{target_map.n_features}. Give targets of the same number, or start anew with fit and "
            "warm_start=False."
        )


def check_on_weights(spec: NetworkSpec) -> None:
    """Try every initializer, regularizer and constraint on its weights: some take matrices only.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    Raises
    ------
    InvalidParameterError
        If one cannot be applied.
    """
    # Keras layers behind the scaling layer draw their own weights.
    n_theirs = 0 if spec.body is None else len(spec.body.parameters)
    drawn = spec.parameters[: len(spec.parameters) - n_theirs]
    families = [
        ("initializer", spec.initializers, drawn),
        ("regularizer", spec.regularizers, spec.parameters),
        ("constraint", spec.constraints, spec.parameters),
    ]
    for kind, configs, parameters in families:
        for parameter in parameters:
            if parameter.role in configs:
                _try_on_weight(kind, configs[parameter.role], parameter)


# Shapes to find out with what an option is made for, and what works on all of them.
_SHAPES = {"a vector": (2,), "a matrix": (2, 3), "an array of three axes": (3, 1, 2)}
_OF_ANY_SHAPE = {
    "initializer": "'ones', 'zeros', 'random_normal' or 'glorot_uniform'",
    "regularizer": "'l1', 'l2' or 'l1_l2'",
    "constraint": "'non_neg', 'unit_norm', 'max_norm' or 'min_max_norm'",
}


def _try_on_weight(kind: str, config: JSON, parameter: Parameter) -> None:
    try:
        _apply(kind, config, parameter.shape)
    except Exception as error:  # of any type: what Keras and TensorFlow raise depends on the object
        verb = "draw" if kind == "initializer" else "be applied to"
        raise InvalidParameterError(
            f"{parameter.role}_{kind}={config!r} cannot {verb} an array of shape "
            f"{parameter.shape}. {_shape_hint(kind, config, parameter)}Keras says: {error}"
        ) from error


def _apply(kind: str, config: JSON, shape: tuple[int, ...]) -> None:
    import keras

    if kind != "initializer":
        keras_object(f"{kind}s", config)(keras.ops.ones(shape))
        return
    drawn = build_initializer(config, seed=0)(shape, dtype="float32")
    if tuple(drawn.shape) != shape:
        raise ValueError(f"It draws an array of shape {tuple(drawn.shape)}.")


def _shape_hint(kind: str, config: JSON, parameter: Parameter) -> str:
    """Say which shape is needed, where an array of more axes would have done."""
    words = list(_SHAPES)
    for needed in words[len(parameter.shape) :]:
        try:
            _apply(kind, config, _SHAPES[needed])
        except Exception:  # as above
            continue
        present = words[len(parameter.shape) - 1]
        return (
            f"It needs {needed}, and the {parameter.role} is {present}: use {_OF_ANY_SHAPE[kind]}. "
        )
    return ""
