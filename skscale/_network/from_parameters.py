"""What network the parameters of an estimator ask for: of our own layers, or of Keras layers."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._keras.objects import KerasConfig
from skscale._keras.options import keras_config
from skscale._keras.seeds import KerasSeeds
from skscale._network.activations import get_activation
from skscale._network.custom_layers import make_custom_layers
from skscale._network.hidden_layers import hidden_and_output, user_network
from skscale._network.spec import NATIVE_LAYERS, CustomSpec, DenseSpec, NetworkSpec
from skscale._parameters import NetworkParameters, is_auto

ROLES = ("scale", "center", "kernel", "bias")

# What "auto" starts from, so that the defaults need no call of Keras.
_PLAIN_START = {"scale": "ones", "center": "zeros"}


def make_spec(
    parameters: NetworkParameters,
    *,
    n_features: int,
    n_outputs: int,
    output_activation: Any = "linear",
) -> NetworkSpec:
    """Resolve the layer options of an estimator.

    Parameters
    ----------
    parameters : NetworkParameters
        The options.
    n_features, n_outputs : int
        Width of the network's input and output.
    output_activation : str, dict or callable
        Keras activation of the output.

    Returns
    -------
    spec : NetworkSpec
        A `DenseSpec` where our own layers can do what is asked for, a `CustomSpec` where not.

    Raises
    ------
    InvalidParameterError
        If Keras does not know an option, or layers cannot be built.
    """
    initializers = _configs(parameters, "initializer")
    regularizers = _configs(parameters, "regularizer")
    constraints = _configs(parameters, "constraint")
    widths = _widths(parameters.hidden_layer_sizes)
    activation = activation_config(parameters.activation, "activation")
    last = activation_config(output_activation, "output_activation")
    shared: dict[str, Any] = {
        "center": parameters.center,
        "batch_normalization": is_batch(parameters.normalization),
    }
    if parameters.network is None and parameters.network_params:
        raise InvalidParameterError(
            f"network_params={parameters.network_params!r} is for a network that is a function, "
            "but network is None. Give a function (n_features, n_outputs, **options) -> layer or "
            "model."
        )
    seeds = KerasSeeds(0)
    if parameters.network is not None:
        options = parameters.network_params or {}
        layers = user_network(parameters.network, options, n_features, n_outputs, last, seeds)
    elif parameters.hidden_layer in NATIVE_LAYERS and all(
        isinstance(config, str) for config in (activation, last)
    ):
        return DenseSpec(
            n_features,
            n_outputs,
            widths,
            activation,
            last,
            use_bias=parameters.use_bias,
            hidden_layer=str(parameters.hidden_layer),
            dropout=float(parameters.dropout),
            initializers=initializers,
            regularizers=regularizers,
            constraints=constraints,
            **shared,
        )
    else:
        layers = hidden_and_output(
            widths,
            n_outputs,
            hidden_layer=parameters.hidden_layer,
            dropout=float(parameters.dropout),
            use_bias=parameters.use_bias,
            activations=(activation, last),
            initializers=initializers,
            regularizers=regularizers,
            constraints=constraints,
            seeds=seeds,
        )
    custom_layers = make_custom_layers(
        layers, n_features, n_outputs, parameter=custom_parameter(parameters), seeds=seeds
    )
    return CustomSpec(
        n_features,
        n_outputs,
        custom_layers,
        initializers=_of_scaling(initializers),
        regularizers=_of_scaling(regularizers),
        constraints=_of_scaling(constraints),
        **shared,
    )


def custom_parameter(parameters: NetworkParameters) -> str:
    """Return the name of the parameter that asks for custom layers."""
    if parameters.network is not None:
        return "network"
    if parameters.hidden_layer not in NATIVE_LAYERS:
        return "hidden_layer"
    is_name = isinstance(activation_config(parameters.activation, "activation"), str)
    return "output_activation" if is_name else "activation"


def _of_scaling(configs: Mapping[str, KerasConfig]) -> dict[str, KerasConfig]:
    """Keep what is meant for the scaling layer; custom layers have their own of the rest."""
    return {role: config for role, config in configs.items() if role in ("scale", "center")}


def is_batch(normalization: Any) -> bool:
    """Tell the normalization that is a layer, by the statistics of each batch."""
    return isinstance(normalization, str) and normalization == "batch"


def activation_config(value: Any, parameter: str) -> KerasConfig:
    """Return the name of an activation that NumPy has, the config of any other.

    Parameters
    ----------
    value : str, dict or callable
        What the user wrote.
    parameter : str
        Name of the parameter, for the error message.

    Returns
    -------
    config : str or dict
        The name that Keras' function has, or a Keras config.

    Raises
    ------
    InvalidParameterError
        If Keras does not know the activation, or no layer can use it by name.
    """
    config = keras_config("activations", value, parameter=parameter)
    if isinstance(config, str):
        try:
            get_activation(config)
        except ValueError as error:
            raise InvalidParameterError(f"{parameter}={value!r} cannot be used. {error}") from error
    return config


def _widths(value: Any) -> tuple[int, ...]:
    widths = [value] if isinstance(value, Integral) else list(value)
    if not all(isinstance(width, Integral) and int(width) >= 1 for width in widths):
        raise InvalidParameterError(
            f"hidden_layer_sizes={value!r} holds something else than whole numbers of at least 1. "
            "Give the units of each hidden layer, such as (64, 64), or () for none."
        )
    return tuple(int(width) for width in widths)


def _configs(parameters: NetworkParameters, kind: str) -> dict[str, KerasConfig]:
    """Configs by role; what is left out means "auto", or none."""
    configs = {}
    for role in ROLES:
        name = f"{role}_{kind}"
        # Biases have no regularizer and no constraint.
        value = getattr(parameters, name, None)
        is_left_out = value is None or is_auto(value)
        if not is_left_out and not (kind == "initializer" and value == _PLAIN_START.get(role)):
            configs[role] = keras_config(f"{kind}s", value, parameter=name)
    return configs
