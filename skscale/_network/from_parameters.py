"""What network the parameters of an estimator ask for: of our own layers, or of Keras layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

from sklearn.utils._param_validation import InvalidParameterError

from skscale._keras.objects import KerasConfig
from skscale._keras.options import keras_config
from skscale._keras.seeds import KerasSeeds
from skscale._network.activations import get_activation
from skscale._network.custom_layers import make_custom_layers
from skscale._network.custom_spec import CustomSpec
from skscale._network.dense_spec import NATIVE_LAYERS, DenseSpec
from skscale._network.embedding import embedded_width, embedding_layer, make_embedding
from skscale._network.hidden_layers import hidden_and_output, user_network
from skscale._network.periodic_spec import PeriodicSpec
from skscale._network.spec import NetworkSpec
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
    embedded: Sequence[int] | None = None,
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
    embedded : sequence of int or None, default=None
        Features that a periodic embedding is for; None for all.

    Returns
    -------
    spec : NetworkSpec
        A `DenseSpec` where our own layers can do what is asked for, a `CustomSpec` where not.

    Raises
    ------
    InvalidParameterError
        If Keras does not know an option, or layers cannot be built.
    """
    if parameters.network is None and parameters.network_params:
        raise InvalidParameterError(
            f"network_params={parameters.network_params!r} is for a network that is a function, "
            "but network is None. Give a function (n_features, n_outputs, **options) -> layer or "
            "model."
        )
    configs = _Configs(
        activation_config(parameters.activation, "activation"),
        activation_config(output_activation, "output_activation"),
        *(_by_role(parameters, kind) for kind in ("initializer", "regularizer", "constraint")),
    )
    widths, seeds = _widths(parameters.hidden_layer_sizes), KerasSeeds(0)
    embedding = make_embedding(parameters.embedding, n_features, embedded, seeds)
    is_native = parameters.network is None and parameters.hidden_layer in NATIVE_LAYERS
    if is_native and configs.has_names and isinstance(embedding, PeriodicSpec | None):
        return _dense_spec(parameters, n_features, n_outputs, widths, configs, embedding)
    return _custom_spec(parameters, n_features, n_outputs, widths, configs, embedding, seeds)


class _Configs(NamedTuple):
    """Keras objects among the parameters: two activations, and what goes by a weight's role."""

    activation: KerasConfig
    output_activation: KerasConfig
    initializers: dict[str, KerasConfig]
    regularizers: dict[str, KerasConfig]
    constraints: dict[str, KerasConfig]

    @property
    def has_names(self) -> bool:
        """Whether NumPy has both activations."""
        return isinstance(self.activation, str) and isinstance(self.output_activation, str)


def _dense_spec(
    parameters: NetworkParameters,
    n_features: int,
    n_outputs: int,
    widths: tuple[int, ...],
    configs: _Configs,
    embedding: PeriodicSpec | None,
) -> DenseSpec:
    return DenseSpec(
        n_features,
        n_outputs,
        widths,
        configs.activation,
        configs.output_activation,
        use_bias=parameters.use_bias,
        hidden_layer=str(parameters.hidden_layer),
        dropout=float(parameters.dropout),
        center=parameters.center,
        batch_normalization=is_batch(parameters.normalization),
        embedding=embedding,
        initializers=configs.initializers,
        regularizers=configs.regularizers,
        constraints=configs.constraints,
    )


def _custom_spec(
    parameters: NetworkParameters,
    n_features: int,
    n_outputs: int,
    widths: tuple[int, ...],
    configs: _Configs,
    embedding: Any,
    seeds: KerasSeeds,
) -> CustomSpec:
    last = configs.output_activation
    layer = embedding
    if isinstance(embedding, PeriodicSpec):
        layer = embedding_layer(embedding, seeds=seeds)
    n_inputs = n_features if layer is None else embedded_width(layer, n_features)
    if parameters.network is not None:
        options = parameters.network_params or {}
        layers = user_network(parameters.network, options, n_inputs, n_outputs, last, seeds)
    else:
        layers = hidden_and_output(
            widths,
            n_outputs,
            hidden_layer=parameters.hidden_layer,
            dropout=float(parameters.dropout),
            use_bias=parameters.use_bias,
            activations=(configs.activation, last),
            initializers=configs.initializers,
            regularizers=configs.regularizers,
            constraints=configs.constraints,
            seeds=seeds,
        )
    if layer is not None:
        layers = [layer, *layers]
    custom_layers = make_custom_layers(
        layers, n_features, n_outputs, parameter=custom_parameter(parameters), seeds=seeds
    )
    return CustomSpec(
        n_features,
        n_outputs,
        custom_layers,
        center=parameters.center,
        batch_normalization=is_batch(parameters.normalization),
        embedding=embedding if isinstance(embedding, PeriodicSpec | None) else True,
        initializers=_of_scaling(configs.initializers),
        regularizers=_of_scaling(configs.regularizers),
        constraints=_of_scaling(configs.constraints),
    )


def custom_parameter(parameters: NetworkParameters) -> str:
    """Return the name of the parameter that asks for custom layers."""
    if parameters.network is not None:
        return "network"
    if parameters.hidden_layer not in NATIVE_LAYERS:
        return "hidden_layer"
    if not isinstance(activation_config(parameters.activation, "activation"), str):
        return "activation"
    return "output_activation" if isinstance(parameters.embedding, str | None) else "embedding"


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
            raise InvalidParameterError(f"{parameter}={value!r} cannot be used. {error}") from None
    return config


def _widths(value: Any) -> tuple[int, ...]:
    widths = [value] if isinstance(value, Integral) else list(value)
    is_whole = all(isinstance(width, Integral) and int(width) >= 1 for width in widths)
    if isinstance(value, dict | set) or any(isinstance(w, bool) for w in widths) or not is_whole:
        raise InvalidParameterError(
            f"hidden_layer_sizes={value!r} holds something else than whole numbers of at least 1. "
            "Give the units of each hidden layer, such as (64, 64), or () for none."
        )
    return tuple(int(width) for width in widths)


def _by_role(parameters: NetworkParameters, kind: str) -> dict[str, KerasConfig]:
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
