"""Targets against the output activation, the loss and the networks that are to predict them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._errors import warn
from skscale._keras.objects import keras_object
from skscale._keras.options import keras_config
from skscale._normalization.affine import AffineMap
from skscale._parameters import is_auto

# Smallest and largest value of each activation, or their limits; those not listed give all
# numbers. Bounds of functions that dip below zero are rounded outwards.
OUTPUT_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("hard_sigmoid", "sigmoid", "softmax", "sparse_sigmoid", "sparsemax"), (0.0, 1.0)
    ),
    **dict.fromkeys(("hard_tanh", "softsign", "tanh"), (-1.0, 1.0)),
    **dict.fromkeys(
        ("exponential", "relu", "softplus", "sparse_plus", "squareplus"), (0.0, math.inf)
    ),
    "relu6": (0.0, 6.0),
    **dict.fromkeys(("celu", "elu"), (-1.0, math.inf)),
    "selu": (-1.7581, math.inf),
    "gelu": (-0.17, math.inf),
    "hard_silu": (-0.375, math.inf),
    "mish": (-0.3089, math.inf),
    "silu": (-0.2785, math.inf),
    **dict.fromkeys(("log_sigmoid", "log_softmax"), (-math.inf, 0.0)),
}

# The normalization that fills a range.
_FITTING = {(0.0, 1.0): "'minmax'", (-1.0, 1.0): "'minmax_symmetric'", (0.0, math.inf): "'minmax'"}

# Normalized targets may miss the end of their range by a rounding.
_ROUNDING = 1e-6


def warn_of_targets_out_of_range(
    output_activation: Any,
    targets: np.ndarray,
    sample_weight: np.ndarray,
    target_normalization: Any,
) -> None:
    """Warn where no network can reach some target, and say which normalization fits.

    Parameters
    ----------
    output_activation : str, dict or callable
        The parameter.
    targets : ndarray of shape (n_samples, n_outputs)
        Normalized targets.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the samples; targets of weight zero need not be reached.
    target_normalization : str, transformer or None
        The parameter, for the message.
    """
    if isinstance(output_activation, str) and output_activation == "linear":
        return
    name = keras_config("activations", output_activation, parameter="output_activation")
    bounds = OUTPUT_RANGES.get(name) if isinstance(name, str) else None
    if bounds is None:
        return
    used = targets[sample_weight > 0]
    low, high = float(used.min()), float(used.max())
    if bounds[0] - _ROUNDING <= low and high <= bounds[1] + _ROUNDING:
        return
    advice = f"target_normalization={_FITTING[bounds]} or " if bounds in _FITTING else ""
    warn(
        f"output_activation={output_activation!r} gives values between {bounds[0]:g} and "
        f"{bounds[1]:g}, but under target_normalization={target_normalization!r} the targets lie "
        f"between {low:.3g} and {high:.3g}: the network cannot reach them. Use "
        f"{advice}output_activation='linear'.",
    )


# Keras losses that take the logarithm or the inverse of a target.
_LOSSES_OF_RATIOS = frozenset(
    {"poisson", "mean_squared_logarithmic_error", "mean_absolute_percentage_error"}
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
    if is_auto(loss):
        return
    instance = keras_object("losses", keras_config("losses", loss, parameter="loss"))
    if getattr(getattr(instance, "fn", instance), "__name__", "") not in _LOSSES_OF_RATIOS:
        return
    if target_map.center.any() or target_map.shift.any() or (targets < 0).any():
        raise InvalidParameterError(
            f"loss={loss!r} needs targets of at least zero that are not shifted, but "
            f"target_normalization={target_normalization!r} and the smallest target is "
            f"{float(targets.min())}. Use target_normalization=None, 'maxabs' or 'rms' and targets "
            "of at least zero, or another loss such as 'huber'."
        )


def check_n_targets(targets: np.ndarray, target_map: AffineMap) -> None:
    """Refuse another number of targets than the networks have.

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
