"""What "auto" means: the defaults that were measured, as a network and two configs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._compiled.losses import check_per_sample_loss
from skscale._keras.objects import KerasConfig
from skscale._keras.options import keras_config
from skscale._network.checks import check_on_weights
from skscale._network.compile_config import CompileConfig
from skscale._network.custom_spec import CustomSpec
from skscale._network.dense_spec import DenseSpec
from skscale._network.from_parameters import custom_parameter, make_spec
from skscale._network.spec import NetworkSpec
from skscale._network.stateless_call import check_custom_layers
from skscale._parameters import KerasOption, LearnedScaleParameters, is_auto
from skscale._training.config import TrainingConfig
from skscale._training.path_points import Candidate, path_candidates, regularization_path
from skscale._training.steps import resolve_batch_size, resolve_epochs

LEARNING_RATE = 1e-2
# Weight decay of a single network, which no path chooses.
WEIGHT_DECAY = 0.1
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
# Numbered in int32.
_MAX_WEIGHTS = 2**31 - 1
# Up to so many rows to learn from, two networks for each fold gain more than they take: on eleven
# tuning tables of at most 3,000 rows .003 of accuracy or R2 in the mean. Tables of one batch gain
# nothing: on a hundred rows of eleven tuning tables, six times each, -.001 +- .002.
_MAX_ROWS_LEARNED_TWICE = 10_000


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
    learns_twice : bool
        Whether the chosen point has two networks for each fold.
    """

    spec: NetworkSpec
    compile_config: CompileConfig
    config: TrainingConfig
    weight_decay: float
    path: Sequence[Candidate]
    learns_twice: bool


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
        _check_size(spec, parameters.hidden_layer_sizes)
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
        n_epochs=resolve_epochs(parameters.epochs, n_training, batch_size),
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
        path_candidates(points, specs),
        # Layers of the user's own train one network after the other.
        learns_twice=not is_whole_table
        and n_training <= _MAX_ROWS_LEARNED_TWICE
        and isinstance(specs[0], DenseSpec),
    )


def _check_size(spec: NetworkSpec, hidden_layer_sizes: Any) -> None:
    """Refuse more weights than the compiled program can number."""
    if spec.n_weights > _MAX_WEIGHTS:
        raise InvalidParameterError(
            f"hidden_layer_sizes={hidden_layer_sizes!r} give a network of {spec.n_weights} "
            f"weights, but at most {_MAX_WEIGHTS} can be trained. Give smaller layers."
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


def _dtype(value: str, *, is_whole_table: bool) -> str:
    if value != "auto":
        return value
    # Full batches in float64 make a weight of two equal to a row given twice.
    return "float64" if is_whole_table else "float32"


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
