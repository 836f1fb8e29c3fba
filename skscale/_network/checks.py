"""Options that are known but do not fit the weights, tried before training starts."""

from __future__ import annotations

from sklearn.utils._param_validation import InvalidParameterError

from skscale._keras.initializers import build_initializer
from skscale._keras.objects import KerasConfig, keras_object
from skscale._network.parameter import Parameter
from skscale._network.spec import NetworkSpec


def check_on_weights(spec: NetworkSpec) -> None:
    """Try every initializer, regularizer and constraint on its weights: some take matrices only.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    Raises
    ------
    InvalidParameterError
        If one cannot be applied.
    """
    families = {
        "initializer": spec.initializers,
        "regularizer": spec.regularizers,
        "constraint": spec.constraints,
    }
    for kind, configs in families.items():
        for parameter in spec.parameters:
            if parameter.role in configs:
                _try_on_weight(kind, configs[parameter.role], parameter)


# Shapes to find out with what an option is made for, and what works on all of them.
_SHAPES = {"a vector": (2,), "a matrix": (2, 3), "an array of three axes": (3, 1, 2)}


_OF_ANY_SHAPE = {
    "initializer": "'ones', 'zeros', 'random_normal' or 'glorot_uniform'",
    "regularizer": "'l1', 'l2' or 'l1_l2'",
    "constraint": "'non_neg', 'unit_norm', 'max_norm' or 'min_max_norm'",
}


def _try_on_weight(kind: str, config: KerasConfig, parameter: Parameter) -> None:
    try:
        _apply(kind, config, parameter.shape)
    except Exception as error:  # of any type: what Keras and TensorFlow raise depends on the object
        verb = "draw" if kind == "initializer" else "be applied to"
        raise InvalidParameterError(
            f"{parameter.role}_{kind}={config!r} cannot {verb} an array of shape "
            f"{parameter.shape}. {_shape_hint(kind, config, parameter)}Keras says: {error}"
        ) from error


def _apply(kind: str, config: KerasConfig, shape: tuple[int, ...]) -> None:
    import keras
    import tensorflow as tf

    if kind != "initializer":
        # In a graph, as in the compiled program: what runs and fails is logged to stderr.
        with tf.Graph().as_default():
            keras_object(f"{kind}s", config)(keras.ops.ones(shape))
        return
    drawn = build_initializer(config, seed=0)(shape, dtype="float32")
    if tuple(drawn.shape) != shape:
        raise ValueError(f"It draws an array of shape {tuple(drawn.shape)}.")


def _shape_hint(kind: str, config: KerasConfig, parameter: Parameter) -> str:
    """Say which shape is needed, where an array of more axes would have done."""
    words = list(_SHAPES)
    for needed in words[len(parameter.shape) :]:
        try:
            _apply(kind, config, _SHAPES[needed])
        except Exception:  # as above
            continue
        actual = words[len(parameter.shape) - 1]
        return (
            f"It needs {needed}, and the {parameter.role} is {actual}: use {_OF_ANY_SHAPE[kind]}. "
        )
    return ""
