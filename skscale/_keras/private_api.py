"""Every private attribute of Keras and TensorFlow that this package touches, in a function each.

A version that drops one of them then breaks one function, whose test names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def moving_averages(optimizer: Any) -> list[Any]:
    """Return the moving averages of the weights, in their order, of an optimizer with `use_ema`."""
    return optimizer._model_variables_moving_average


def stateless_optimizer_class(cls: type) -> Any:
    """Return an optimizer class whose `stateless_apply` works with TensorFlow.

    Keras' TensorFlow optimizers replace methods of `BaseOptimizer` for the sake of
    `tf.distribute`, and with them the stateless form is lost: those of the base are put back.

    Parameters
    ----------
    cls : type
        A class of `keras.optimizers`, or one derived from it.

    Returns
    -------
    type
        A subclass of the same name.
    """
    bases = {base.__name__: base for base in cls.__mro__}
    distributed, neutral = bases["TFOptimizer"], vars(bases["BaseOptimizer"])
    methods = {
        name: method
        for name, method in neutral.items()
        if name in vars(distributed) and not name.startswith("__")
    }
    # Between the optimizer, whose own methods must win, and the base that they replace.
    return type(cls.__name__, (cls, type("Stateless", (distributed,), methods)), {})


def keep_rate_in_float32(optimizer: Any) -> None:
    """Let the learning rate of an optimizer be float32, where Keras takes `keras.config.floatx()`.

    What a `StatelessScope` puts in its place would be rounded to that.
    """
    import keras

    if isinstance(optimizer.learning_rate, keras.Variable):
        optimizer.learning_rate._dtype = "float32"


def inner_layers(model: Any) -> list[Any]:
    """Return all layers of a model, those inside of other layers too, without the model."""
    return list(model._flatten_layers(include_self=False))


def seed_generators(model: Any) -> list[Any]:
    """Return the random generators of a model and of all layers in it."""
    return [generator for layer in model._flatten_layers() for generator in layer._seed_generators]


def loss_arguments(loss: Any) -> Mapping[str, Any]:
    """Return the arguments that a loss of Keras passes to its function.

    Some losses leave them out of their config. Empty for losses that are no wrapped function.
    """
    return getattr(loss, "_fn_kwargs", {})


def tensorboard_writers(callback: Any) -> Mapping[str, Any] | None:
    """Return the writers of a `TensorBoard`, closed or not; None for other callbacks."""
    return getattr(callback, "_writers", None)


def forget_custom_gradients(graph: Any) -> None:
    """Take the gradients of `tf.custom_gradient` in a graph out of TensorFlow's registry.

    Each use of such a function, as of `tf.nn.silu`, adds one, which holds its graph for ever. It is
    looked up only where a gradient is taken through the finished graph.
    """
    from tensorflow.python.framework import ops

    definition = graph.as_graph_def()
    functions = [function.node_def for function in definition.library.function]
    for nodes in (definition.node, *functions):
        for node in nodes:
            name = node.attr["_gradient_op_type"].s.decode()
            ops.gradient_registry._registry.pop(name, None)


def session_function(
    session: Any, inputs: Sequence[str], outputs: Sequence[str], **options: Any
) -> Callable[..., list[np.ndarray]]:
    """Return a function of arrays that runs a session, without what `Session.run` costs each time.

    Parameters
    ----------
    session : tf.compat.v1.Session
        Where it runs.
    inputs, outputs : sequence of str
        Names of tensors.
    **options : Any
        Fields of `tf.compat.v1.RunOptions`.

    Returns
    -------
    function : callable
        Takes an array for each input, and returns a list with one for each output.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf.config_pb2 import CallableOptions

    return session._make_callable_from_options(
        CallableOptions(feed=inputs, fetch=outputs, run_options=tf.compat.v1.RunOptions(**options))
    )
