"""An estimator's network and options as an unfitted wrapper of scikeras."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._callbacks.pickled_callbacks import PickledCallbacks
from skscale._errors import closest
from skscale._keras.objects import keras_object
from skscale._keras.options import keras_config
from skscale._network.build_network import NETWORK_PARAMETERS, build_network
from skscale._network.from_parameters import is_batch
from skscale._network.hidden_layers import plain_layers
from skscale._training.defaults import LEARNING_RATE

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


def scikeras_regressor(params: Mapping[str, Any]) -> KerasRegressor:
    """Return scikeras' regressor with the network of these parameters.

    Parameters
    ----------
    params : mapping
        Parameters of a regressor, as `get_params` gives them.

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
        **_common(params, parameters=(*NETWORK_PARAMETERS, "output_activation")),
        **_loss_of_quantities(params["loss"]),
    }
    from scikeras.wrappers import KerasRegressor

    return KerasRegressor(**options)


def scikeras_classifier(params: Mapping[str, Any]) -> KerasClassifier:
    """Return scikeras' classifier with the network of these parameters.

    Parameters
    ----------
    params : mapping
        Parameters of a classifier, as `get_params` gives them.

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
        **_common(params, parameters=NETWORK_PARAMETERS),
        **_loss_of_classes(params["loss"]),
        "class_weight": params["class_weight"],
    }
    # What cannot be used has been told by now, and nothing is patched for it.
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(**options)


def _common(params: Mapping[str, Any], parameters: tuple[str, ...]) -> dict[str, Any]:
    """Options of network, optimizer and training, by the names that scikeras routes."""
    values = {
        **params,
        **plain_layers(params["hidden_layer"], params["network"]),
        **_plain_options(params),
    }
    if params["scale_regularizer"] == "auto":
        values["scale_regularizer"] = None
    routed = {f"model__{name}": values[name] for name in parameters}
    return {
        "model": build_network,
        **routed,
        "model__normalization": "batch" if is_batch(params["normalization"]) else None,
        **_optimizer(params),
        **_callbacks(params),
        "epochs": _EPOCHS if params["epochs"] == "auto" else params["epochs"],
        "batch_size": params["batch_size"],
        "random_state": params["random_state"],
        "verbose": int(bool(params["verbose"])),
    }


def _plain_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Options that are Keras objects as configs, which clone and pickle in every version."""
    families = {"activation": "activations", "output_activation": "activations"}
    for name in NETWORK_PARAMETERS:
        _, _, kind = name.rpartition("_")
        if kind in ("initializer", "regularizer", "constraint"):
            families[name] = f"{kind}s"
    plain = {}
    for name, family in families.items():
        value = params.get(name)
        if value is not None and not isinstance(value, str | dict):
            # An instance has no seed where the user gave none: each weight then draws its own.
            made = value() if inspect.isclass(value) else value
            plain[name] = keras_config(family, made, parameter=name)
    return plain


def _optimizer(params: Mapping[str, Any]) -> dict[str, Any]:
    """Name or class of the optimizer, and its settings one by one, so that each is searched."""
    import keras

    value, settings = params["optimizer"], {}
    if isinstance(value, str) and value == "auto":
        value, settings = "adam", {"learning_rate": LEARNING_RATE}
    elif not isinstance(value, str):
        config = keras_config("optimizers", value, parameter="optimizer")
        value, settings = type(keras_object("optimizers", config)), dict(config["config"])
        if isinstance(settings["learning_rate"], dict):
            schedule = settings["learning_rate"]
            settings["learning_rate"] = keras.optimizers.schedules.deserialize(schedule)
    chosen = {"learning_rate": params["learning_rate"], "weight_decay": params["weight_decay"]}
    settings |= {name: chosen[name] for name in chosen if chosen[name] != "auto"}
    return {"optimizer": value, **{f"optimizer__{k}": v for k, v in settings.items()}}


def _callbacks(params: Mapping[str, Any]) -> dict[str, Any]:
    """Keras callbacks, and early stopping as one more of them."""
    import keras

    given = params["callbacks"]
    if isinstance(given, PickledCallbacks):
        given = given.load()
    callbacks = list(given) if isinstance(given, list | tuple) else [given] * (given is not None)
    if not params["early_stopping"]:
        return {"callbacks": callbacks} if callbacks else {}
    return {
        "validation_split": params["validation_fraction"],
        "callbacks": [keras.callbacks.EarlyStopping, *callbacks],
        "callbacks__0__patience": params["n_iter_no_change"],
        "callbacks__0__restore_best_weights": True,
    }


def _loss_of_quantities(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value == "auto":
        return {"loss": "mean_squared_error"}
    config = keras_config("losses", value, parameter="loss")
    found = keras_object("losses", config)
    if not isinstance(config, dict) or inspect.isfunction(found):
        return {"loss": config if isinstance(config, str) else found}
    return {"loss": type(found), **{f"loss__{k}": v for k, v in config["config"].items()}}


def _loss_of_classes(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value == "auto":
        # The number of classes is not known yet: a softmax has one output for each of any number.
        return {"loss": "sparse_categorical_crossentropy", "model__output_activation": "softmax"}
    import keras

    config = keras_config("losses", value, parameter="loss")
    found = keras_object("losses", config)
    name = getattr(found, "__name__", type(found).__name__)
    known = {**{n: n for n in _CLASS_LOSSES}, **{cls: n for n, cls in _CLASS_LOSSES.items()}}
    if name not in known:
        meant = closest(name, _CLASS_LOSSES)
        hint = f"Did you mean {meant!r}? " if meant else ""
        raise InvalidParameterError(
            f"loss={value!r} cannot be given to scikeras: it hands class numbers, not one-hot "
            f"rows, to every loss but the categorical cross-entropy. {hint}Use loss='auto', "
            "'binary_crossentropy' for two classes or 'categorical_crossentropy' for more."
        )
    if isinstance(config, str):
        return {"loss": known[name]}
    # scikeras needs probabilities, so that sigmoid or softmax moves from the loss to the network.
    settings = {**config["config"], "from_logits": False}
    return {"loss": getattr(keras.losses, _CLASS_LOSSES[known[name]])(**settings)}
