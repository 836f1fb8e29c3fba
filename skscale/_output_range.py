"""Which values an output activation can give, and whether the targets are among them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from skscale._options import keras_config

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
        Weights of the rows; those of weight zero need not be reached.
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
    warnings.warn(
        f"output_activation={output_activation!r} gives values between {bounds[0]:g} and "
        f"{bounds[1]:g}, but under target_normalization={target_normalization!r} the targets lie "
        f"between {low:.3g} and {high:.3g}: the network cannot reach them. Use "
        f"{advice}output_activation='linear'.",
        UserWarning,
        stacklevel=4,
    )
