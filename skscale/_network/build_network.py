"""The network of this package as a function that builds a Keras model, for scikeras and others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

from skscale._keras.quiet_import import import_keras
from skscale._network.checks import check_on_weights
from skscale._network.from_parameters import activation_config, make_spec
from skscale._network.keras_model import network_layers
from skscale._parameters import (
    CONSTRAINTS,
    KERAS_FAMILIES,
    KERAS_OPTION,
    KerasOption,
    NetworkParameters,
    is_auto,
)

if TYPE_CHECKING:
    import keras

# Those of the estimators' parameters that say what the network is.
NETWORK_PARAMETERS = tuple(
    field.name for field in fields(NetworkParameters) if field.name != "normalization"
)

_WIDTH = [Interval(Integral, 1, None, closed="left"), None]
_CONSTRAINTS: dict[str, list[Any]] = {
    **{name: CONSTRAINTS[name] for name in NETWORK_PARAMETERS},
    "n_features": _WIDTH,
    "n_outputs": _WIDTH,
    "meta": [Mapping, None],
    "normalization": [StrOptions({"batch"}), None],
    "output_activation": [*KERAS_OPTION, None],
}

# They share one unit of probability among the outputs: two classes need one each.
_OF_ALL_CLASSES = ("softmax", "log_softmax", "sparsemax")


def build_network(
    n_features: int | None = None,
    n_outputs: int | None = None,
    *,
    meta: Mapping[str, Any] | None = None,
    normalization: Literal["batch"] | None = None,
    center: bool = True,
    scale_initializer: KerasOption = "ones",
    scale_regularizer: KerasOption | None = None,
    scale_constraint: KerasOption | None = None,
    center_initializer: KerasOption = "zeros",
    center_regularizer: KerasOption | None = None,
    center_constraint: KerasOption | None = None,
    embedding: KerasOption | None = None,
    hidden_layer_sizes: Sequence[int] | int = (64, 64),
    activation: KerasOption = "silu",
    use_bias: bool = True,
    kernel_initializer: KerasOption = "auto",
    bias_initializer: KerasOption = "auto",
    kernel_regularizer: KerasOption | None = None,
    kernel_constraint: KerasOption | None = None,
    dropout: float = 0.0,
    hidden_layer: str | Callable[..., Any] = "dense",
    network: Callable[..., Any] | dict[str, Any] | None = None,
    network_params: dict[str, Any] | None = None,
    output_activation: KerasOption | None = None,
) -> keras.Model:
    """Build the network of the estimators, untrained, as a Keras model.

    It starts with the scaling layer, and is trained by Keras or by scikeras:
    ``KerasRegressor(model=skscale.build_network, model__activation="tanh")``.

    Parameters
    ----------
    n_features : int or None, default=None
        Number of features; None takes it from `meta`.
    n_outputs : int or None, default=None
        Number of outputs; None takes it from `meta`, and is 1 without.
    meta : mapping or None, default=None
        What scikeras tells of the data. Regression gets one output for each target; two classes
        get one output and a sigmoid, more classes one output each and a softmax, columns of yes
        and no one output each and a sigmoid.
    normalization : "batch" or None, default=None
        "batch" starts with Keras' BatchNormalization without scale and centre. Its epsilon of
        1e-3 is large for features in small units: a `StandardScaler` in front is the better
        choice, and one of the two is needed unless the features have usual magnitudes.
    center : bool, default=True
        Whether the scaling layer adds a trainable offset.
    scale_initializer : str, dict or Initializer, default="ones"
        Keras initializer of the factors.
    scale_regularizer : str, dict, Regularizer or None, default=None
        Keras regularizer of the factors.
    scale_constraint : str, dict, Constraint or None, default=None
        Keras constraint on the factors.
    center_initializer : str, dict or Initializer, default="zeros"
        Keras initializer of the offsets.
    center_regularizer : str, dict, Regularizer or None, default=None
        Keras regularizer of the offsets.
    center_constraint : str, dict, Constraint or None, default=None
        Keras constraint on the offsets.
    embedding : "periodic", Layer, class, dict, callable or None, default=None
        What scaled features are handed on with: "periodic" is a
        `skscale.layers.PeriodicEmbedding` of all features; a Keras layer of your own, its class,
        config, or a function ``n_features -> layer`` stands in its place. None is the plain
        network.
    hidden_layer_sizes : array-like of int or int, default=(64, 64)
        Units of each hidden layer.
    activation : str, dict or callable, default="silu"
        Keras activation of the hidden layers.
    use_bias : bool, default=True
        Whether the Dense layers add a bias.
    kernel_initializer : str, dict or Initializer, default="auto"
        Keras initializer of the kernels; "auto" draws hidden kernels with variance 2 / fan_in and
        the output kernel with variance 1 / fan_in.
    bias_initializer : str, dict or Initializer, default="auto"
        Keras initializer of the biases; "auto" draws hidden biases with standard deviation 0.1
        and starts the output bias at zero.
    kernel_regularizer : str, dict, Regularizer or None, default=None
        Keras regularizer of the kernels.
    kernel_constraint : str, dict, Constraint or None, default=None
        Keras constraint on the kernels.
    dropout : float, default=0.0
        Share of the hidden units that are dropped in every training step, as Keras' `Dropout`.
    hidden_layer : "dense", "sine", str, class or callable, default="dense"
        Kind of the hidden layers: `keras.layers.Dense`, `skscale.layers.SineDense` (which has no
        `activation`), any other Keras layer by name or class, or a function ``units -> layer``.
    network : callable, Layer, Model, dict or None, default=None
        Layers of your own behind the scaling layer, in place of hidden and output layers: a
        function ``(n_features, n_outputs, **network_params) -> layer or model``, or a Keras layer
        or model, of which the architecture is taken and the weights are drawn anew. It has an
        activation of the output only if `output_activation` is given or `meta` tells of classes.
    network_params : dict or None, default=None
        Options of a `network` that is a function.
    output_activation : str, dict, callable or None, default=None
        Keras activation of the output; None is linear, or that of the classes in `meta`. A
        "softmax" of two classes has two outputs.

    Returns
    -------
    model : keras.Model
        Not compiled. Weights are drawn as Keras draws them: ``keras.utils.set_random_seed``, or
        the `random_state` of scikeras, decides.

    Raises
    ------
    ValueError
        If a parameter is not among what is allowed, Keras does not know an option, or the number
        of features is missing.

    See Also
    --------
    LearnedScaleRegressor.to_keras : The network with its trained weights.
    LearnedScaleRegressor.to_scikeras : This function with the options of an estimator.

    Examples
    --------
    >>> import skscale
    >>> model = skscale.build_network(10, 10, hidden_layer_sizes=(10, 10), activation="tanh")
    >>> [(layer.name, layer.count_params()) for layer in model.layers]
    [('scaling', 20), ('dense_0', 110), ('dense_1', 110), ('dense_2', 110)]
    """
    params = {**locals()}
    _check(params)
    import_keras()
    import keras

    n_features, n_outputs, last = _ends(n_features, n_outputs, meta, output_activation)
    names = ("normalization", *NETWORK_PARAMETERS)
    parameters = NetworkParameters(**{name: _unseeded(name, params[name]) for name in names})
    spec = make_spec(
        parameters,
        n_features=n_features,
        n_outputs=n_outputs,
        output_activation=_unseeded("output_activation", last),
    )
    check_on_weights(spec)
    inputs = keras.Input((n_features,), name="features")
    return keras.Sequential([inputs, *network_layers(spec)], name="learned_scale_network")


def _check(params: Mapping[str, Any]) -> None:
    if is_auto(params["scale_regularizer"]):
        raise InvalidParameterError(
            "scale_regularizer='auto' chooses a strength on held-out folds, which a single network "
            "cannot. Give a Keras regularizer, such as 'l1' or keras.regularizers.L1(0.01), or "
            "None; or use LearnedScaleRegressor or LearnedScaleClassifier."
        )
    if is_auto(params["embedding"]):
        raise InvalidParameterError(
            "embedding='auto' is decided by the rows, which a single network does not see. Give "
            "'periodic', a Keras layer, or None; or use LearnedScaleRegressor or "
            "LearnedScaleClassifier."
        )
    validate_parameter_constraints(_CONSTRAINTS, dict(params), "build_network")


def _ends(
    n_features: int | None,
    n_outputs: int | None,
    meta: Mapping[str, Any] | None,
    output_activation: KerasOption | None,
) -> tuple[int, int, Any]:
    """Width of the input and of the output, and the activation of the output."""
    meta = {} if meta is None else meta
    n_features = n_features or meta.get("n_features_in_")
    if n_features is None:
        raise InvalidParameterError(
            "n_features=None, and meta does not tell it either. Give the number of features, as "
            "in build_network(n_features=10)."
        )
    n_classes, target_type = meta.get("n_classes_"), meta.get("target_type_")
    if n_classes is None:
        n_expected, usual = meta.get("n_outputs_", 1), "linear"
    elif target_type == "binary":
        n_expected, usual = 1, "sigmoid"
    else:
        n_expected, usual = n_classes, "softmax" if target_type == "multiclass" else "sigmoid"
    last = usual if output_activation is None else output_activation
    if target_type == "binary" and n_classes is not None:
        n_expected = 2 if activation_config(last, "output_activation") in _OF_ALL_CLASSES else 1
    return int(n_features), int(n_outputs or n_expected), last


def _unseeded(name: str, value: Any) -> Any:
    """Give a class as an instance that draws as Keras does; a class alone would get a seed."""
    is_class = name in KERAS_FAMILIES and inspect.isclass(value)
    return value() if is_class else value
