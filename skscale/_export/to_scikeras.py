"""An estimator's network and options as an unfitted wrapper of scikeras."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._callbacks.pickled_callbacks import PickledCallbacks
from skscale._errors import hint
from skscale._keras.layer_configs import plain_layers
from skscale._keras.objects import keras_object
from skscale._keras.options import keras_config
from skscale._network.build_network import NETWORK_PARAMETERS, build_network
from skscale._network.from_parameters import is_batch
from skscale._parameters import KERAS_FAMILIES, KerasOption, LearnedScaleParameters, is_auto
from skscale._target.class_weight import ClassWeight
from skscale._training.defaults import LEARNING_RATE
from skscale._training.steps import resolve_batch_size

if TYPE_CHECKING:
    from scikeras.wrappers import KerasClassifier, KerasRegressor

# What epochs="auto" becomes: the number of steps that it stands for depends on the rows.
_EPOCHS = 100

# Losses that mean to scikeras what they mean here. It gives class numbers to every loss but the
# categorical cross-entropy, and another loss could take those for quantities.
_CLASS_LOSSES = {
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
}


def scikeras_regressor(
    parameters: LearnedScaleParameters, *, output_activation: KerasOption
) -> KerasRegressor:
    """Return scikeras' regressor with the network of these parameters.

    Parameters
    ----------
    parameters : LearnedScaleParameters
        Parameters of a regressor.
    output_activation : str, dict or callable
        The parameter of this name.

    Returns
    -------
    regressor : scikeras.wrappers.KerasRegressor
        Not fitted.

    Raises
    ------
    ValueError
        If Keras does not know an option.
    """
    options = {
        **_common(parameters),
        "model__output_activation": _plain_option("output_activation", output_activation),
        **_loss_of_quantities(parameters.loss),
    }
    from scikeras.wrappers import KerasRegressor

    return KerasRegressor(**options)


def scikeras_classifier(
    parameters: LearnedScaleParameters, *, class_weight: ClassWeight
) -> KerasClassifier:
    """Return scikeras' classifier with the network of these parameters.

    Parameters
    ----------
    parameters : LearnedScaleParameters
        Parameters of a classifier.
    class_weight : dict, "balanced" or None
        The parameter of this name.

    Returns
    -------
    classifier : scikeras.wrappers.KerasClassifier
        Not fitted.

    Raises
    ------
    ValueError
        If Keras does not know an option, or scikeras cannot use the loss.
    """
    options = {
        **_common(parameters),
        **_loss_of_classes(parameters.loss),
        "class_weight": class_weight,
    }
    # Imported where no error is left to raise, as scikeras patches Keras.
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(**options)


def _common(parameters: LearnedScaleParameters) -> dict[str, Any]:
    """Options of network, optimizer and training, by the names that scikeras routes."""
    values = {name: _plain_option(name, getattr(parameters, name)) for name in NETWORK_PARAMETERS}
    values |= plain_layers(parameters.hidden_layer, parameters.network, parameters.embedding)
    # Both are chosen on held-out data, which one network has not.
    chosen = ("scale_regularizer", "embedding")
    values |= {name: None for name in chosen if is_auto(values[name])}
    return {
        "model": build_network,
        **{f"model__{name}": value for name, value in values.items()},
        "model__normalization": "batch" if is_batch(parameters.normalization) else None,
        **_optimizer(parameters),
        **_callbacks(parameters),
        "epochs": _EPOCHS if is_auto(parameters.epochs) else parameters.epochs,
        "batch_size": resolve_batch_size(parameters.batch_size, n_training=1),
        "random_state": parameters.random_state,
        "verbose": int(bool(parameters.verbose)),
    }


def _plain_option(name: str, value: Any) -> Any:
    """Return a Keras object as its config, which clones and pickles in every version."""
    if name not in KERAS_FAMILIES or value is None or isinstance(value, str | dict):
        return value
    # An instance has no seed where the user gave none: each weight then draws its own.
    instance = value() if inspect.isclass(value) else value
    return keras_config(KERAS_FAMILIES[name], instance, parameter=name)


def _optimizer(parameters: LearnedScaleParameters) -> dict[str, Any]:
    """Name or class of the optimizer, and its settings one by one, so that each is searched."""
    import keras

    value: Any = parameters.optimizer
    settings: dict[str, Any] = {}
    if is_auto(value):
        value, settings = "adam", {"learning_rate": LEARNING_RATE}
    elif not isinstance(value, str):
        config = keras_config("optimizers", value, parameter="optimizer")
        value, settings = type(keras_object("optimizers", config)), dict(config["config"])
        if isinstance(settings["learning_rate"], dict):
            schedule = settings["learning_rate"]
            settings["learning_rate"] = keras.optimizers.schedules.deserialize(schedule)
    overrides = {"learning_rate": parameters.learning_rate, "weight_decay": parameters.weight_decay}
    settings |= {name: chosen for name, chosen in overrides.items() if not is_auto(chosen)}
    return {"optimizer": value, **{f"optimizer__{k}": v for k, v in settings.items()}}


def _callbacks(parameters: LearnedScaleParameters) -> dict[str, Any]:
    """Keras callbacks, and early stopping as one more of them."""
    import keras

    value = parameters.callbacks
    if isinstance(value, PickledCallbacks):
        value = value.load()
    callbacks = list(value) if isinstance(value, list | tuple) else [value] * (value is not None)
    if not parameters.early_stopping:
        return {"callbacks": callbacks} if callbacks else {}
    return {
        "validation_split": parameters.validation_fraction,
        "callbacks": [keras.callbacks.EarlyStopping, *callbacks],
        "callbacks__0__patience": parameters.n_iter_no_change,
        "callbacks__0__restore_best_weights": True,
    }


def _loss_of_quantities(value: Any) -> dict[str, Any]:
    if is_auto(value):
        return {"loss": "mean_squared_error"}
    config = keras_config("losses", value, parameter="loss")
    loss = keras_object("losses", config)
    if not isinstance(config, dict) or inspect.isfunction(loss):
        return {"loss": config if isinstance(config, str) else loss}
    return {"loss": type(loss), **{f"loss__{k}": v for k, v in config["config"].items()}}


def _loss_of_classes(value: Any) -> dict[str, Any]:
    if is_auto(value):
        # The number of classes is not known yet: a softmax has one output for each of any number.
        return {"loss": "sparse_categorical_crossentropy", "model__output_activation": "softmax"}
    import keras

    config = keras_config("losses", value, parameter="loss")
    loss = keras_object("losses", config)
    name = getattr(loss, "__name__", type(loss).__name__)
    known = {**{n: n for n in _CLASS_LOSSES}, **{cls: n for n, cls in _CLASS_LOSSES.items()}}
    if name not in known:
        raise InvalidParameterError(
            f"loss={value!r} cannot be given to scikeras: it hands class numbers, not one-hot "
            "rows, to every loss but the categorical cross-entropy. "
            f"{hint(name, _CLASS_LOSSES)}Use loss='auto', 'binary_crossentropy' for two classes "
            "or 'categorical_crossentropy' for more."
        )
    if isinstance(config, str):
        return {"loss": known[name]}
    # scikeras needs probabilities, so that sigmoid or softmax moves from the loss to the network.
    settings = {**config["config"], "from_logits": False}
    return {"loss": getattr(keras.losses, _CLASS_LOSSES[known[name]])(**settings)}
