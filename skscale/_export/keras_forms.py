"""Our layers written in Keras' own layers and operations, for files that load with Keras alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._errors import did_you_mean
from skscale._limits import PERIODIC_LIMIT

if TYPE_CHECKING:
    import keras

Apply = Callable[[Any, Any], Any]
"""From a layer and its input to its output."""


def apply_of(layers: str) -> Apply:
    """Return how layers are put into a model.

    Parameters
    ----------
    layers : {"skscale", "keras"}
        As they are, or with ours in Keras' own.

    Returns
    -------
    apply : callable
        From a layer and its input to its output.

    Raises
    ------
    InvalidParameterError
        If `layers` is neither.
    """
    if layers not in _APPLY:
        raise InvalidParameterError(
            f"layers={layers!r} is unknown. " + did_you_mean(str(layers), _APPLY)
        )
    return _APPLY[layers]


def check_keras_alone(model: keras.Model) -> None:
    """Refuse a model whose file needs more than Keras.

    Parameters
    ----------
    model : keras.Model
        The model.

    Raises
    ------
    ValueError
        If it holds a layer, or an option of one, that is not Keras' own.
    """
    import keras

    names = dict.fromkeys(_other_classes(keras.saving.serialize_keras_object(model)))
    if names:
        raise ValueError(
            f"layers='keras' cannot give {', '.join(names)}, which Keras does not have. Use "
            "layers='skscale', whose file loads where skscale.layers and classes of your own are "
            "imported, or to_keras().export(folder), whose SavedModel needs neither."
        )


def _other_classes(config: Any) -> Iterator[str]:
    """Names of classes and functions in a config that are not Keras' own."""
    if isinstance(config, list | tuple):
        for item in config:
            yield from _other_classes(item)
    elif isinstance(config, dict):
        name, module = config.get("registered_name"), config.get("module")
        if config.get("class_name") == "__lambda__":
            yield "a lambda"
        elif isinstance(module, str) and module.partition(".")[0] not in ("keras", "builtins"):
            yield name or config["class_name"]
        else:
            yield from _other_classes([*config.values()])
    elif isinstance(config, str) and ">" in config and "->" not in config:
        # As `keras.saving.register_keras_serializable` names classes and functions; an arrow is
        # that of an EinsumDense.
        yield config


def _as_it_is(layer: Any, inputs: Any) -> Any:
    return layer(inputs)


def _in_keras(layer: Any, inputs: Any) -> Any:
    is_ours = type(layer).__module__.startswith("skscale.")
    form = _FORMS.get(type(layer).__name__) if is_ours and len(inputs.shape) == 2 else None
    return layer(inputs) if form is None else form(layer, inputs)


_APPLY: dict[str, Apply] = {"skscale": _as_it_is, "keras": _in_keras}


def _affine(layer: Any, inputs: Any) -> Any:
    from keras import ops

    config = layer.get_config()
    center, scale = (np.asarray(config[name]) for name in ("center", "scale"))
    shift = None if config["shift"] is None else np.asarray(config["shift"])
    steps = [(ops.subtract, center), (ops.multiply, scale), (ops.add, shift)]
    if config["invert"]:
        # A factor of zero leaves the centre.
        factor = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
        steps = [(ops.subtract, shift), (ops.multiply, factor), (ops.add, center)]
    for operation, values in steps:
        if values is not None:
            inputs = operation(inputs, values.astype(layer.compute_dtype))
    return inputs


def _select(layer: Any, inputs: Any) -> Any:
    from keras import ops

    return ops.take(inputs, list(layer.indices), axis=-1)


def _scaling(layer: Any, inputs: Any) -> Any:
    has_center = len(layer.weights) > 1
    roles = {"kernel": "scale", "bias": "center"} if has_center else {"kernel": "scale"}
    n_features = inputs.shape[-1:]
    return _einsum(layer, layer.name, "ab,b->ab", n_features, roles)(inputs)


def _sine(layer: Any, inputs: Any) -> Any:
    import keras

    roles = {"kernel": "kernel", "bias": "bias"} if layer.use_bias else {"kernel": "kernel"}
    dense = keras.layers.Dense(
        layer.units,
        use_bias=layer.use_bias,
        **_options(layer, roles),
        **_common(layer, layer.name),
    )
    name = f"{layer.name}_frequency"
    frequency = _einsum(layer, name, "ab,b->ab", (layer.units,), {"kernel": "frequency"})
    hidden = dense(inputs)
    dense.set_weights([np.asarray(getattr(layer, role)) for role in roles])
    return keras.ops.sin(frequency(hidden))


def _periodic(layer: Any, inputs: Any) -> Any:
    from keras import ops

    embedded = inputs
    if layer.indices is not None:
        embedded = ops.take(inputs, list(layer.indices), axis=-1)
    embedded = ops.clip(embedded, -PERIODIC_LIMIT, PERIODIC_LIMIT)
    shape = (embedded.shape[-1], layer.n_frequencies)
    roles = {"kernel": "frequency", "bias": "phase"}
    turns = _einsum(layer, f"{layer.name}_turns", "ab,bc->abc", shape, roles)(embedded)
    waves = ops.cos(ops.multiply(turns, 2 * math.pi))
    shape, roles = (shape[0], layer.units), {"kernel": "kernel", "bias": "bias"}
    waves = _einsum(layer, layer.name, "abc,bcd->abd", shape, roles)(waves)
    waves = ops.reshape(waves, (-1, shape[0] * layer.units))
    return ops.concatenate([inputs, waves], axis=-1)


def _einsum(
    layer: Any, name: str, equation: str, shape: tuple[int, ...], roles: dict[str, str]
) -> Callable[[Any], Any]:
    """Return a function that applies an EinsumDense with weights of a layer."""
    import keras

    # The outputs are the last letters, and the bias has them all but the row.
    bias_axes = equation.partition("->")[2][1:] if "bias" in roles else None
    einsum = keras.layers.EinsumDense(
        equation,
        output_shape=shape,
        bias_axes=bias_axes,
        **_options(layer, roles),
        **_common(layer, name),
    )

    def apply(inputs: Any) -> Any:
        outputs = einsum(inputs)
        einsum.set_weights([np.asarray(getattr(layer, role)) for role in roles.values()])
        return outputs

    return apply


def _common(layer: Any, name: str) -> dict[str, Any]:
    return {"name": name, "dtype": layer.dtype_policy, "trainable": layer.trainable}


def _options(layer: Any, roles: dict[str, str]) -> dict[str, Any]:
    """Return initializers, regularizers and constraints by the names of another layer."""
    kinds = ("initializer", "regularizer", "constraint")
    return {
        f"{theirs}_{kind}": getattr(layer, f"{ours}_{kind}")
        for theirs, ours in roles.items()
        for kind in kinds
    }


_FORMS: dict[str, Apply] = {
    "AffineNormalization": _affine,
    "CenteringScalingLayer": _scaling,
    "PeriodicEmbedding": _periodic,
    "ScalingLayer": _scaling,
    "SelectFeatures": _select,
    "SineDense": _sine,
}
"""Forms of our layers, which are built, on rows of features; Keras has none for the others."""
