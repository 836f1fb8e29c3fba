"""What "auto" means: the defaults that were measured, as a network and two configs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._compiled.losses import check_per_sample_loss
from skscale._keras.objects import KerasConfig
from skscale._keras.options import keras_config
from skscale._network.checks import check_on_weights
from skscale._network.compile_config import CompileConfig
from skscale._network.from_parameters import custom_parameter, make_spec
from skscale._network.spec import CustomSpec, DenseSpec, NetworkSpec
from skscale._network.stateless_call import check_custom_layers
from skscale._parameters import KerasOption, LearnedScaleParameters, is_auto
from skscale._training.config import Candidate, PathPoint, TrainingConfig

# (strength of the penalty on the mean of |scale|, decoupled weight decay), weak to strong. The
# last points leave nothing of the network: where there is no signal, they must win.
REGULARIZATION_PATH = (
    (0.0, 0.0),
    (0.01, 0.1),
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
# Passes that larger tables need, until they are so many rows that this takes its time.
_MAX_EPOCHS, _MIN_EPOCHS, _MAX_VISITS = 100, 20, 1_000_000
# Rows of a batch, up to a number of rows to learn from.
_BATCH_SIZES = ((8_000, 128), (30_000, 256), (100_000, 512), (math.inf, 1024))
# Where one batch is the whole table, far above Keras' 1e-7: where gradients vanish, steps must
# vanish too, or rounding decides the direction of a whole step. Gradients of other batches never
# vanish, and a large epsilon would starve the weights of small ones.
_WHOLE_TABLE_EPSILON, _ADAM_EPSILON = 1e-3, 1e-5
# The same for the root of the one second moment of the scale.
_PROXIMAL_EPSILON = 3e-2
# Frequencies and phases learn at a tenth of the rate, as by Holzmueller et al. 2024.
_SLOW_LEARNING_RATE_FACTOR = 0.1
# A network without a path gains by an embedding from so many rows on: on the tuning tables, single
# splits by three seeds, 6 of 8 larger ones gained and 3 of 7 smaller ones.
_MIN_EMBEDDED_ROWS = 1000
# Stronger penalties leave little to embed.
_MAX_EMBEDDED_STRENGTH = 1.0


@dataclass(frozen=True)
class ResolvedParameters:
    """Everything that is decided before training.

    Parameters
    ----------
    spec : NetworkSpec
        The network that no path decides.
    compile_config : CompileConfig
        Loss and optimizer.
    config : TrainingConfig
        Epochs, batches, rates, precision.
    weight_decay : float
        Decoupled decay of a network that no path decides.
    path : sequence of Candidate
        Penalties and networks to choose from.
    """

    spec: NetworkSpec
    compile_config: CompileConfig
    config: TrainingConfig
    weight_decay: float
    path: Sequence[Candidate]


def resolve_parameters(
    parameters: LearnedScaleParameters,
    *,
    n_features: int,
    n_outputs: int,
    n_samples: float,
    n_training: int,
    loss: KerasConfig,
    output_activation: KerasOption = "linear",
    embedded: Sequence[int] | None = None,
) -> ResolvedParameters:
    """Resolve the parameters of an estimator.

    Parameters
    ----------
    parameters : LearnedScaleParameters
        Parameters of an estimator.
    n_features, n_outputs : int
        Width of the network's input and output.
    n_samples : int or inf
        Rows of the dataset; a chunk is one of any number.
    n_training : int
        Rows of the largest training set; they decide the number of steps.
    loss : str or dict
        Keras loss where the parameter is "auto".
    output_activation : str, dict or callable
        Keras activation of the output.
    embedded : sequence of int or None, default=None
        Features that a periodic embedding is for; None for all.

    Returns
    -------
    resolved : ResolvedParameters
        Network and configs, without any "auto".

    Raises
    ------
    InvalidParameterError
        If Keras does not know an option, or two options contradict each other.
    """
    has_path = is_auto(parameters.scale_regularizer)
    make = functools.partial(
        make_spec,
        n_features=n_features,
        n_outputs=n_outputs,
        output_activation=output_activation,
        embedded=embedded,
    )
    batch_size = resolve_batch_size(parameters.batch_size, n_training)
    is_whole_table = n_samples <= batch_size
    specs = _specs(parameters, make, n_training=n_training, is_whole_table=is_whole_table)
    for spec in specs:
        check_on_weights(spec)
    if not is_auto(parameters.loss):
        loss = keras_config("losses", parameters.loss, parameter="loss")
    optimizer, rate = _optimizer(
        parameters.optimizer,
        parameters.learning_rate,
        epsilon=_WHOLE_TABLE_EPSILON if is_whole_table else _ADAM_EPSILON,
    )
    check_per_sample_loss(loss, n_outputs)
    # An optimizer of the user's own keeps its rate and decay. Where a callback may want to change
    # that rate, it comes from outside all the same.
    is_ours = isinstance(parameters.optimizer, str)
    compile_config = CompileConfig(
        loss,
        optimizer,
        scheduled=is_ours or (bool(parameters.callbacks) and not math.isnan(rate)),
        proximal=has_path,
        scale_learning_rate_factor=float(parameters.scale_learning_rate_factor),
        proximal_epsilon=_PROXIMAL_EPSILON,
        slow_learning_rate_factor=_SLOW_LEARNING_RATE_FACTOR,
    )
    config = TrainingConfig(
        n_epochs=_epochs(parameters.epochs, n_training, batch_size),
        batch_size=batch_size,
        learning_rate=rate,
        dtype=_dtype(parameters.dtype, is_whole_table=is_whole_table),
        decay=is_ours,
    )
    for spec in specs:
        if isinstance(spec, CustomSpec):
            parameter = custom_parameter(parameters)
            check_custom_layers(spec.custom_layers, config.dtype, parameter=parameter)
    points = regularization_path(parameters.regularization_path, parameters.weight_decay, is_ours)
    return ResolvedParameters(
        specs[0],
        compile_config,
        config,
        _weight_decay(parameters.weight_decay, is_ours),
        _candidates(points, specs),
    )


def _specs(
    parameters: LearnedScaleParameters,
    make: Callable[[LearnedScaleParameters], NetworkSpec],
    *,
    n_training: float,
    is_whole_table: bool,
) -> list[NetworkSpec]:
    """Return the networks that the path chooses from; a network without a path is the first."""
    has_path = is_auto(parameters.scale_regularizer)
    if has_path:
        parameters = replace(parameters, scale_regularizer=None)
    if not is_auto(parameters.embedding):
        return [make(parameters)]
    plain = make(replace(parameters, embedding=None))
    # Keras layers of the user's own stay as they are, and tables of one batch have too few rows.
    if is_whole_table or not isinstance(plain, DenseSpec):
        return [plain]
    if not has_path and n_training < _MIN_EMBEDDED_ROWS:
        return [plain]
    embedded = make(replace(parameters, embedding="periodic"))
    if not embedded.embedding:
        return [plain]
    return [plain, embedded] if has_path else [embedded]


def _candidates(points: Sequence[PathPoint], specs: Sequence[NetworkSpec]) -> list[Candidate]:
    """Return every point with every network, but null models once."""
    plain, *embedded = specs
    candidates = [Candidate(point, plain) for point in points]
    return candidates + [
        Candidate(point, spec)
        for spec in embedded
        for point in points
        if point.strength <= _MAX_EMBEDDED_STRENGTH
    ]


def resolve_batch_size(value: Any, n_training: int) -> int:
    """Return the rows of one step.

    Parameters
    ----------
    value : "auto" or int
        What the user wrote.
    n_training : int
        Rows of the largest training set.

    Returns
    -------
    batch_size : int
        More for more rows, as Holzmueller et al. 2024 have it.
    """
    if not is_auto(value):
        return int(value)
    return next(size for limit, size in _BATCH_SIZES if n_training <= limit)


def _dtype(value: str, *, is_whole_table: bool) -> str:
    if value != "auto":
        return value
    # Full batches in float64 make a weight of two equal to a row given twice.
    return "float64" if is_whole_table else "float32"


def regularization_path(value: Any, weight_decay: Any, is_ours: bool) -> list[PathPoint]:
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
    path : list of PathPoint
        Penalties of each point.

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
    path = [PathPoint(*map(float, point)) for point in points]
    if is_ours and is_auto(weight_decay):
        return path
    decay = 0.0 if is_auto(weight_decay) else float(weight_decay)
    return [point._replace(weight_decay=decay) for point in path]


def _optimizer(value: Any, learning_rate: Any, *, epsilon: float) -> tuple[KerasConfig, float]:
    """Config and learning rate; NaN for a schedule of its own."""
    is_name, is_default = isinstance(value, str), is_auto(value)
    config = keras_config("optimizers", "adam" if is_default else value, parameter="optimizer")
    if is_default:
        config["config"]["epsilon"] = epsilon
    if not is_name:
        if not is_auto(learning_rate):
            raise InvalidParameterError(
                f"learning_rate={learning_rate!r} and an optimizer with a rate of its own "
                f"({value!r}) are given. Leave learning_rate='auto', or give the optimizer by "
                "name."
            )
    elif not is_auto(learning_rate):
        return config, float(learning_rate)
    elif is_default:
        return config, LEARNING_RATE
    rate = config["config"]["learning_rate"]
    return config, float(rate) if isinstance(rate, Real) else math.nan


def _weight_decay(value: Any, is_ours: bool) -> float:
    if is_auto(value):
        return WEIGHT_DECAY if is_ours else 0.0
    return float(value)


def _epochs(value: Any, n_training: int, batch_size: int) -> int:
    if not is_auto(value):
        return int(value)
    steps = math.ceil(n_training / batch_size)
    if steps == 1:
        return _MIN_WHOLE_TABLE_STEPS
    n_passes = max(_MIN_EPOCHS, min(_MAX_EPOCHS, _MAX_VISITS // n_training))
    return max(n_passes, math.ceil(_MIN_STEPS / steps))
