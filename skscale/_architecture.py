"""What network the parameters of an estimator ask for: of our own layers, or of Keras layers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._activations import get_activation
from skscale._body import layer_config, make_body, own_draws, without_compilation
from skscale._keras_objects import keras_object
from skscale._network import JSON, NATIVE_LAYERS, NetworkSpec
from skscale._options import closest, keras_config

ROLES = ("scale", "center", "kernel", "bias")

# Starts that the recipe's own draws have, so that the default needs no call of Keras.
_PLAIN_START = {"scale": "ones", "center": "zeros"}

# What "auto" draws, for Keras: He et al. 2015 and small biases, then variance 1 / fan_in and zero.
_AUTO_DRAWS: dict[tuple[str, bool], JSON] = {
    (role, is_output): {"class_name": name, "config": settings}
    for role, is_output, name, settings in (
        (
            "kernel",
            False,
            "VarianceScaling",
            {"scale": 2.0, "mode": "fan_in", "distribution": "untruncated_normal"},
        ),
        (
            "kernel",
            True,
            "VarianceScaling",
            {"scale": 1.0, "mode": "fan_in", "distribution": "untruncated_normal"},
        ),
        ("bias", False, "RandomNormal", {"stddev": 0.1}),
        ("bias", True, "Zeros", {}),
    )
}


def make_spec(
    params: Mapping[str, Any], *, n_features: int, n_outputs: int, output_activation: Any = "linear"
) -> NetworkSpec:
    """Resolve the layer options of an estimator.

    Parameters
    ----------
    params : mapping
        Parameters of an estimator, as `get_params` gives them.
    n_features, n_outputs : int
        Width of the network's input and output.
    output_activation : str, dict or callable
        Keras activation of the output.

    Returns
    -------
    spec : NetworkSpec
        Of our own layers where these can do what is asked for, with a body of Keras layers where
        not.

    Raises
    ------
    InvalidParameterError
        If Keras does not know an option, or layers cannot be built.
    """
    is_auto = params["scale_regularizer"] == "auto"
    initializers = _configs(params, "initializer", "auto")
    regularizers = _configs(
        {**params, "scale_regularizer": None} if is_auto else params, "regularizer"
    )
    constraints = _configs(params, "constraint")
    widths = _widths(params["hidden_layer_sizes"])
    activation = activation_config(params["activation"], "activation")
    last = activation_config(output_activation, "output_activation")
    own = {
        "center": params["center"],
        "batch_normalization": is_batch(params["normalization"]),
    }
    if params["network"] is None and params["network_params"]:
        raise InvalidParameterError(
            f"network_params={params['network_params']!r} is for a network that is a function, but "
            "network is None. Give a function (n_features, n_outputs, **options) -> layer or model."
        )
    if params["network"] is not None:
        layers = _user_network(params, n_features, n_outputs, last)
        body = make_body(layers, n_features, n_outputs, parameter="network")
    elif params["hidden_layer"] in NATIVE_LAYERS and all(
        isinstance(config, str) for config in (activation, last)
    ):
        return NetworkSpec(
            n_features,
            n_outputs,
            widths,
            activation,
            last,
            use_bias=params["use_bias"],
            hidden_layer=params["hidden_layer"],
            dropout=float(params["dropout"]),
            initializers=initializers,
            regularizers=regularizers,
            constraints=constraints,
            **own,
        )
    else:
        with own_draws(0):
            layers = hidden_and_output(
                widths,
                n_outputs,
                hidden_layer=params["hidden_layer"],
                dropout=float(params["dropout"]),
                use_bias=params["use_bias"],
                activations=(activation, last),
                initializers=initializers,
                regularizers=regularizers,
                constraints=constraints,
            )
        name = body_parameter(params)
        body = make_body(layers, n_features, n_outputs, parameter=name)
    return NetworkSpec(
        n_features,
        n_outputs,
        (),
        body=body,
        initializers=_of_scaling(initializers),
        regularizers=_of_scaling(regularizers),
        constraints=_of_scaling(constraints),
        **own,
    )


def body_parameter(params: Mapping[str, Any]) -> str:
    """Return the name of the parameter that asks for layers other than our own."""
    if params["network"] is not None:
        return "network"
    if params["hidden_layer"] not in NATIVE_LAYERS:
        return "hidden_layer"
    is_name = isinstance(activation_config(params["activation"], "activation"), str)
    return "output_activation" if is_name else "activation"


def _of_scaling(configs: Mapping[str, JSON]) -> dict[str, JSON]:
    """Keep what is meant for the scaling layer; a body has its own of the rest."""
    return {role: config for role, config in configs.items() if role in ("scale", "center")}


def is_batch(normalization: Any) -> bool:
    """Tell the normalization that is a layer, by the statistics of each batch."""
    return isinstance(normalization, str) and normalization == "batch"


def activation_config(value: Any, parameter: str) -> JSON:
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


def hidden_and_output(
    widths: Sequence[int],
    n_outputs: int,
    *,
    hidden_layer: Any,
    dropout: float,
    use_bias: bool,
    activations: tuple[JSON, JSON],
    initializers: Mapping[str, JSON],
    regularizers: Mapping[str, JSON],
    constraints: Mapping[str, JSON],
    dtype: str | None = None,
    suffix: str | None = None,
) -> list[Any]:
    """Build hidden layers and the output layer in Keras.

    Unseeded draws take their seeds from Python's generator, as in Keras.

    Parameters
    ----------
    widths : sequence of int
        Units of the hidden layers.
    n_outputs : int
        Units of the output.
    hidden_layer : str, class or callable
        "dense", "sine", a Keras layer by name or class, or a function of the number of units.
    dropout : float
        Share of the hidden units that are dropped.
    use_bias : bool
        Whether the layers add a bias.
    activations : tuple of (str or dict)
        Activation of the hidden layers, and of the output.
    initializers, regularizers, constraints : mapping
        Keras configs by role; a missing initializer means the recipe's own draw.
    dtype : str or None, default=None
        Precision of the layers; None leaves it to Keras.
    suffix : str or None, default=None
        End of the names of the layers, which are "dense_0", "dense_1" and so on; None leaves the
        names to Keras.

    Returns
    -------
    layers : list of keras.layers.Layer
        Not built yet.
    """
    import keras

    def options(activation: JSON, *, is_output: bool) -> dict[str, Any]:
        draws = {
            role: initializers.get(role, _AUTO_DRAWS[role, is_output])
            for role in ("kernel", "bias")
        }
        found = {
            "activation": keras_object("activations", activation),
            "use_bias": use_bias,
            **{f"{r}_initializer": keras_object("initializers", c) for r, c in draws.items()},
        }
        for family, configs in (("regularizer", regularizers), ("constraint", constraints)):
            if "kernel" in configs:
                found[f"kernel_{family}"] = keras_object(f"{family}s", configs["kernel"])
        return found

    def named(name: str) -> dict[str, Any]:
        return {} if suffix is None else {"name": f"{name}{suffix}", "dtype": dtype}

    layers = []
    make = _hidden_layer(hidden_layer)
    kind = "sine" if hidden_layer == "sine" else "dense"
    for i, units in enumerate(widths):
        own = {**options(activations[0], is_output=False), **named(f"{kind}_{i}")}
        layers.append(make(units, own))
        if dropout:
            layers.append(keras.layers.Dropout(dropout, **named(f"dropout_{i}")))
    last = {**options(activations[1], is_output=True), **named(f"dense_{len(widths)}")}
    layers.append(keras.layers.Dense(n_outputs, **last))
    return layers


def _hidden_layer(value: Any) -> Callable[[int, dict[str, Any]], Any]:
    """Return a function of units and options, of which a layer gets those that it knows."""
    import keras

    found: Any = _named_layer(value) if isinstance(value, str) else value
    if isinstance(value, keras.layers.Layer):
        raise InvalidParameterError(
            f"hidden_layer={value!r} is one layer, but one is needed for each of "
            "hidden_layer_sizes. Give its class, or a function such as "
            "lambda units: keras.layers.Dense(units)."
        )
    known = {*inspect.signature(found).parameters} if inspect.isclass(found) else set()
    if "kwargs" in known:
        # Every Keras layer has these, and says so by taking further arguments.
        known |= {"name", "dtype"}

    def make(units: int, options: dict[str, Any]) -> Any:
        own = {name: option for name, option in options.items() if name in known}
        try:
            layer = found(units, **own)
        except Exception as error:  # of any type: the class or function is the user's
            raise InvalidParameterError(
                f"hidden_layer={value!r} gives no layer for {units} units. Give a class whose "
                "first argument is the number of units, or a function such as "
                f"lambda units: keras.layers.Dense(units). It says: {error}"
            ) from error
        return _checked(layer, value)

    return make


def _checked(layer: Any, value: Any) -> Any:
    import keras

    if isinstance(layer, keras.layers.Layer):
        return layer
    raise InvalidParameterError(
        f"hidden_layer={value!r} gives {layer!r}, but a Keras layer is needed. Give a class such "
        "as keras.layers.Dense, or a function such as lambda units: keras.layers.Dense(units)."
    )


def layer_classes() -> dict[str, type]:
    """Layers of Keras and of our own, by the names that `hidden_layer` takes."""
    import keras

    from skscale import layers as own

    classes = {
        name: cls
        for name, cls in vars(keras.layers).items()
        if inspect.isclass(cls) and issubclass(cls, keras.layers.Layer)
    }
    return {**classes, "dense": keras.layers.Dense, "sine": own.SineDense}


def _named_layer(name: str) -> Any:
    import keras

    classes = layer_classes()
    found = classes.get(name) or keras.saving.get_registered_object(name)
    if found is None:
        meant = closest(name, classes)
        hint = f"Did you mean {meant!r}? " if meant else ""
        raise InvalidParameterError(
            f"hidden_layer={name!r} is unknown. {hint}Use 'dense', 'sine', the name of a Keras "
            "layer such as 'Dense', a layer class, or a function of the number of units."
        )
    return found


def _user_network(
    params: Mapping[str, Any], n_features: int, n_outputs: int, output_activation: JSON
) -> list[Any]:
    """Layers of the `network` parameter, which stays as it is."""
    import keras

    network, options = params["network"], params["network_params"] or {}
    is_built = isinstance(network, dict | keras.layers.Layer)
    if is_built and options:
        raise InvalidParameterError(
            f"network_params={options!r} is for a network that is a function, but network is "
            f"{network!r}. Give a function (n_features, n_outputs, **options) -> layer or model."
        )
    with own_draws(0):
        if is_built:
            layer = _copied(network)
        else:
            try:
                layer = network(n_features, n_outputs, **options)
            except Exception as error:  # of any type: the function is the user's
                raise InvalidParameterError(
                    f"network={network!r} fails for n_features={n_features}, "
                    f"n_outputs={n_outputs} and network_params={options!r}. Give a function "
                    "(n_features, n_outputs, **network_params) -> layer or model. "
                    f"It says: {error}"
                ) from error
            if not isinstance(layer, keras.layers.Layer):
                raise InvalidParameterError(
                    f"network={network!r} returns {layer!r}, but a Keras layer or model is needed."
                )
        if output_activation == "linear":
            return [layer]
        return [layer, keras.layers.Activation(keras_object("activations", output_activation))]


def plain_layers(params: Mapping[str, Any]) -> dict[str, Any]:
    """Layers among the parameters as names and configs, which load without Keras.

    Parameters
    ----------
    params : mapping
        Parameters of an estimator; functions stay what they are.

    Returns
    -------
    plain : dict
        Values for ``"hidden_layer"`` and ``"network"`` that mean the same.
    """
    import keras

    hidden_layer, network = params["hidden_layer"], params["network"]
    if inspect.isclass(hidden_layer) and issubclass(hidden_layer, keras.layers.Layer):
        hidden_layer = keras.saving.get_registered_name(hidden_layer)
    if isinstance(network, keras.layers.Layer):
        network = layer_config(network)
    return {"hidden_layer": hidden_layer, "network": network}


def _copied(network: Any) -> Any:
    import keras

    try:
        is_config = isinstance(network, dict)
        config = without_compilation(network) if is_config else layer_config(network)
        found = keras.saving.deserialize_keras_object(copy.deepcopy(config))
    except Exception as error:  # of any type: the layers are the user's
        raise InvalidParameterError(
            f"network={network!r} cannot be copied. Register classes of your own with "
            "keras.saving.register_keras_serializable() and give them a get_config(). "
            f"Keras says: {error}"
        ) from error
    if not isinstance(found, keras.layers.Layer):
        raise InvalidParameterError(
            f"network={network!r} is no Keras layer or model. Give one, its config as "
            "keras.saving.serialize_keras_object() gives it, or a function of n_features and "
            "n_outputs."
        )
    return found


def _widths(value: Any) -> tuple[int, ...]:
    widths = [value] if isinstance(value, Integral) else list(value)
    if not all(isinstance(width, Integral) and int(width) >= 1 for width in widths):
        raise InvalidParameterError(
            f"hidden_layer_sizes={value!r} holds something else than whole numbers of at least 1. "
            "Give the units of each hidden layer, such as (64, 64), or () for none."
        )
    return tuple(int(width) for width in widths)


def _configs(params: Mapping[str, Any], kind: str, default: Any = None) -> dict[str, JSON]:
    configs = {}
    for role in ROLES:
        name = f"{role}_{kind}"
        value = params.get(name, default)
        plain = value is None or (isinstance(value, str) and value == "auto")
        if not plain and not (kind == "initializer" and value == _PLAIN_START.get(role)):
            configs[role] = keras_config(f"{kind}s", value, parameter=name)
    return configs
