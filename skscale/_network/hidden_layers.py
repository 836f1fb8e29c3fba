"""Keras layers as users choose them: hidden layers of a kind, or a network of their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._errors import hint
from skscale._keras.objects import KerasConfig, keras_object
from skscale._keras.seeds import KerasSeeds, copied_layer
from skscale._network.auto_initializers import AUTO_INITIALIZERS


def hidden_and_output(
    widths: Sequence[int],
    n_outputs: int,
    *,
    hidden_layer: Any,
    dropout: float,
    use_bias: bool,
    activations: tuple[KerasConfig, KerasConfig],
    initializers: Mapping[str, KerasConfig],
    regularizers: Mapping[str, KerasConfig],
    constraints: Mapping[str, KerasConfig],
    dtype: str | None = None,
    suffix: str | None = None,
    seeds: KerasSeeds | None = None,
) -> list[Any]:
    """Build hidden layers and the output layer in Keras.

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
        Keras configs by role; a missing initializer means "auto".
    dtype : str or None, default=None
        Precision of the layers; None leaves it to Keras.
    suffix : str or None, default=None
        End of the names of the layers, which are "dense_0", "dense_1" and so on; None leaves the
        names to Keras.
    seeds : KerasSeeds or None, default=None
        Seeds of what has none; None lets Keras draw them from Python's generator.

    Returns
    -------
    layers : list of keras.layers.Layer
        Not built yet.
    """
    import keras

    build = keras_object if seeds is None else seeds.build

    def options(activation: KerasConfig, *, is_output: bool) -> dict[str, Any]:
        draws = {
            role: initializers.get(role, AUTO_INITIALIZERS[role, is_output])
            for role in ("kernel", "bias")
        }
        settings = {
            "activation": build("activations", activation),
            "use_bias": use_bias,
            **{
                f"{role}_initializer": build("initializers", config)
                for role, config in draws.items()
            },
        }
        for family, configs in (("regularizer", regularizers), ("constraint", constraints)):
            if "kernel" in configs:
                settings[f"kernel_{family}"] = build(f"{family}s", configs["kernel"])
        return settings

    def named(name: str) -> dict[str, Any]:
        return {} if suffix is None else {"name": f"{name}{suffix}", "dtype": dtype}

    layers = []
    make = _hidden_layer(hidden_layer, seeds)
    kind = "sine" if hidden_layer == "sine" else "dense"
    for i, units in enumerate(widths):
        layers.append(
            make(units, {**options(activations[0], is_output=False), **named(f"{kind}_{i}")})
        )
        if dropout:
            seed = seeds.draw() if seeds else None
            layers.append(keras.layers.Dropout(dropout, seed=seed, **named(f"dropout_{i}")))
    last = {**options(activations[1], is_output=True), **named(f"dense_{len(widths)}")}
    layers.append(keras.layers.Dense(n_outputs, **last))
    return layers


def _hidden_layer(value: Any, seeds: KerasSeeds | None) -> Callable[[int, dict[str, Any]], Any]:
    """Return a function of units and options, of which a layer gets those that it knows."""
    import keras

    from skscale.layers import SineDense

    factory: Any = _named_layer(value) if isinstance(value, str) else value
    # Of these, all that draws is among the options.
    is_seeded = factory in (keras.layers.Dense, SineDense)
    if isinstance(value, keras.layers.Layer):
        raise InvalidParameterError(
            f"hidden_layer={value!r} is one layer, but one is needed for each of "
            "hidden_layer_sizes. Give its class, or a function such as "
            "lambda units: keras.layers.Dense(units)."
        )
    if inspect.isclass(factory) and not issubclass(factory, keras.layers.Layer):
        raise InvalidParameterError(
            f"hidden_layer={value!r} is no class of Keras layers. Give one, such as "
            "keras.layers.Dense, or a function such as lambda units: keras.layers.Dense(units)."
        )
    known = {*inspect.signature(factory).parameters} if inspect.isclass(factory) else set()
    if "kwargs" in known:
        # Every Keras layer has these, and says so by taking further arguments.
        known |= {"name", "dtype"}

    def make(units: int, options: dict[str, Any]) -> Any:
        settings = {name: option for name, option in options.items() if name in known}
        try:
            with seeds.guard(needed=not is_seeded) if seeds else nullcontext():
                layer = factory(units, **settings)
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

    from skscale.layers import SineDense

    classes = {
        name: cls
        for name, cls in vars(keras.layers).items()
        if inspect.isclass(cls) and issubclass(cls, keras.layers.Layer)
    }
    return {**classes, "dense": keras.layers.Dense, "sine": SineDense}


def _named_layer(name: str) -> Any:
    import keras

    classes = layer_classes()
    layer_class = classes.get(name) or keras.saving.get_registered_object(name)
    if layer_class is None:
        raise InvalidParameterError(
            f"hidden_layer={name!r} is unknown. {hint(name, classes)}Use 'dense', 'sine', "
            "the name of a Keras layer such as 'Dense', a layer class, or a function of the number "
            "of units."
        )
    return layer_class


def user_network(
    network: Any,
    options: Mapping[str, Any],
    n_features: int,
    n_outputs: int,
    output_activation: KerasConfig,
    seeds: KerasSeeds,
) -> list[Any]:
    """Layers of the `network` parameter, which stays as it is, with its `network_params`."""
    import keras

    is_built = isinstance(network, dict | keras.layers.Layer)
    if is_built and options:
        raise InvalidParameterError(
            f"network_params={options!r} is for a network that is a function, but network is "
            f"{network!r}. Give a function (n_features, n_outputs, **options) -> layer or model."
        )
    layer = _copied(network, seeds) if is_built else None
    if layer is None:
        try:
            with seeds.guard():
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
    return [layer, keras.layers.Activation(seeds.build("activations", output_activation))]


def _copied(network: Any, seeds: KerasSeeds) -> Any:
    import keras

    try:
        layer = copied_layer(network, seeds)
    except Exception as error:  # of any type: the layers are the user's
        raise InvalidParameterError(
            f"network={network!r} cannot be copied. Register classes of your own with "
            "keras.saving.register_keras_serializable() and give them a get_config(). "
            f"Keras says: {error}"
        ) from error
    if not isinstance(layer, keras.layers.Layer):
        raise InvalidParameterError(
            f"network={network!r} is no Keras layer or model. Give one, its config as "
            "keras.saving.serialize_keras_object() gives it, or a function of n_features and "
            "n_outputs."
        )
    return layer
