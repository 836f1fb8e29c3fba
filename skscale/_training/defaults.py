"""What "auto" means: the defaults that were measured, as a network and two configs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._compiled.losses import check_per_sample_loss
from skscale._keras.objects import KerasConfig
from skscale._keras.options import keras_config
from skscale._network.checks import check_on_weights
from skscale._network.compile_config import CompileConfig
from skscale._network.from_parameters import body_parameter, make_spec
from skscale._network.spec import NetworkSpec
from skscale._network.stateless_call import check_custom_layers
from skscale._training.config import TrainingConfig

# (strength of the penalty on the mean of |scale|, decoupled weight decay), weak to strong. The
# last points leave nothing of the network: where there is no signal, they must win.
REGULARIZATION_PATH = (
    (0.0, 0.0),
    (0.03, 0.3),
    (0.1, 1.0),
    (0.3, 1.0),
    (1.0, 1.0),
    (3.0, 1.0),
    (10.0, 1.0),
)
LEARNING_RATE = 1e-2
# Weight decay of a single network, which no path chooses.
WEIGHT_DECAY = 0.1
# Steps that small tables need, in shuffled batches and in whole-table batches.
_MIN_STEPS = 1500
_MIN_WHOLE_TABLE_STEPS = 500
# Passes that large tables need.
_MIN_EPOCHS = 20
# Far above Keras' 1e-7: where gradients vanish, steps must vanish too, or rounding decides the
# direction of a whole step. Chosen on noise columns, where it also generalizes better.
_ADAM_EPSILON = 1e-3
# The same for the root of the one second moment of the scale.
_PROXIMAL_EPSILON = 3e-2


@dataclass(frozen=True)
class ResolvedParameters:
    """Everything that is decided before training.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    compile_config : CompileConfig
        Loss and optimizer.
    config : TrainingConfig
        Epochs, batches, rates, precision.
    weight_decay : float
        Decoupled decay of a network that no path decides.
    """

    spec: NetworkSpec
    compile_config: CompileConfig
    config: TrainingConfig
    weight_decay: float


def resolve_parameters(
    params: Mapping[str, Any],
    *,
    n_features: int,
    n_outputs: int,
    n_samples: int,
    n_training: int,
    loss: KerasConfig,
    output_activation: KerasConfig = "linear",
) -> ResolvedParameters:
    """Resolve the parameters of an estimator.

    Parameters
    ----------
    params : mapping
        Parameters of an estimator, as `get_params` gives them.
    n_features, n_outputs : int
        Width of the network's input and output.
    n_samples : int
        Rows of the dataset; they decide the precision.
    n_training : int
        Rows of the largest training set; they decide the number of steps.
    loss : str or dict
        Keras loss where ``params["loss"]`` is "auto".
    output_activation : str or dict
        Keras activation of the output.

    Returns
    -------
    resolved : ResolvedParameters
        Network and configs, without any "auto".

    Raises
    ------
    InvalidParameterError
        If Keras does not know an option, or two options contradict each other.
    """
    batch_size = params["batch_size"]
    spec = make_spec(
        params, n_features=n_features, n_outputs=n_outputs, output_activation=output_activation
    )
    check_on_weights(spec)
    optimizer, rate = _optimizer(params["optimizer"], params["learning_rate"])
    # An optimizer of the user's own keeps its rate and decay. Where a callback may want to change
    # that rate, it comes from outside all the same.
    is_ours = isinstance(params["optimizer"], str)
    scheduled = is_ours or (bool(params["callbacks"]) and not math.isnan(rate))
    if params["loss"] != "auto":
        loss = keras_config("losses", params["loss"], parameter="loss")
    check_per_sample_loss(loss, n_outputs)
    compile_config = CompileConfig(
        loss,
        optimizer,
        scheduled=scheduled,
        proximal=params["scale_regularizer"] == "auto",
        scale_rate_factor=float(params["scale_learning_rate_factor"]),
        proximal_epsilon=_PROXIMAL_EPSILON,
    )
    dtype = params["dtype"]
    if dtype == "auto":
        # Full batches in float64 make a weight of two equal to a row given twice.
        dtype = "float64" if n_samples <= batch_size else "float32"
    if spec.body is not None:
        check_custom_layers(spec.body, dtype, parameter=body_parameter(params))
    config = TrainingConfig(
        n_epochs=_epochs(params["epochs"], n_training, batch_size),
        batch_size=batch_size,
        learning_rate=rate,
        dtype=dtype,
        decay=is_ours,
    )
    return ResolvedParameters(
        spec, compile_config, config, _weight_decay(params["weight_decay"], is_ours)
    )


def regularization_path(value: Any, weight_decay: Any, is_ours: bool) -> np.ndarray:
    """Resolve the points of the path.

    Parameters
    ----------
    value : "auto" or sequence
        Pairs, or strengths alone, which take the default weight decay of their strength.
    weight_decay : "auto" or float
        A number replaces the decay of every point.
    is_ours : bool
        Whether learning rate and decay are ours; an optimizer instance keeps its own.

    Returns
    -------
    points : ndarray of shape (n_points, 2)
        Strength and weight decay of each point.

    Raises
    ------
    InvalidParameterError
        If the path is empty, or is no sequence of numbers or pairs of at least zero.
    """
    if isinstance(value, str):
        value = REGULARIZATION_PATH
    try:
        points = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim == 1 and points.size:
        points = np.stack([points, np.minimum(1.0, 10 * points)], axis=1)
    is_path = points.ndim == 2 and points.shape[1] == 2 and points.size > 0
    if not is_path or not (np.isfinite(points) & (points >= 0)).all():
        raise InvalidParameterError(
            f"regularization_path={value!r} is no path. Give a sequence of strengths of at least "
            "zero, or of pairs (strength, weight decay), such as [(0, 0), (0.1, 1), (1, 1)]."
        )
    points = points.copy()
    if weight_decay != "auto":
        points[:, 1] = weight_decay
    elif not is_ours:
        points[:, 1] = 0.0
    return points


def _optimizer(value: Any, learning_rate: Any) -> tuple[KerasConfig, float]:
    """Config and learning rate; NaN for a schedule of its own."""
    is_name, is_auto = isinstance(value, str), isinstance(value, str) and value == "auto"
    config = keras_config("optimizers", "adam" if is_auto else value, parameter="optimizer")
    if is_auto:
        config["config"]["epsilon"] = _ADAM_EPSILON
    if not is_name:
        if learning_rate != "auto":
            raise InvalidParameterError(
                f"learning_rate={learning_rate!r} and an optimizer with a rate of its own "
                f"({value!r}) are given. Leave learning_rate='auto', or give the optimizer by "
                "name."
            )
    elif learning_rate != "auto":
        return config, float(learning_rate)
    elif is_auto:
        return config, LEARNING_RATE
    rate = config["config"]["learning_rate"]
    return config, float(rate) if isinstance(rate, Real) else math.nan


def _weight_decay(value: Any, is_ours: bool) -> float:
    if value == "auto":
        return WEIGHT_DECAY if is_ours else 0.0
    return float(value)


def _epochs(value: Any, n_training: int, batch_size: int) -> int:
    if value != "auto":
        return int(value)
    steps = math.ceil(n_training / batch_size)
    if steps == 1:
        return _MIN_WHOLE_TABLE_STEPS
    return max(_MIN_EPOCHS, math.ceil(_MIN_STEPS / steps))
