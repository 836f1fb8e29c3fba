"""Losses of classes: which outputs each is meant for, and those that cannot teach classes.

Asked before the training; it stands here because it tries the losses of `losses.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from skscale._compiled.losses import check_per_sample_loss, per_sample_loss
from skscale._keras.objects import KerasConfig, keras_object
from skscale._keras.options import keras_config
from skscale._parameters import is_auto

# Of 1: enough for one class to lead, little enough for any number of others to share the rest.
_LEAD = 0.6


def class_output_activation(loss: Any, n_outputs: int) -> str:
    """Activation of the output that a loss of classes is meant for.

    Losses with ``from_logits=True`` in their config take logits; every other loss takes
    probabilities, as in Keras.

    Parameters
    ----------
    loss : "auto", str, dict, class, callable or Loss
        The parameter; "auto" is the cross-entropy of logits.
    n_outputs : int
        1 for two classes, the number of classes for more.

    Returns
    -------
    output_activation : {"linear", "sigmoid", "softmax"}
        "linear" where the outputs are logits.

    Raises
    ------
    InvalidParameterError
        If Keras does not know the loss, or no classes can be learned from it.
    ValueError
        If the loss mixes rows, or gives something else than one value for each row.
    """
    if is_auto(loss):
        return "linear"
    config = keras_config("losses", loss, parameter="loss")
    binary = n_outputs == 1
    advice = f"Use loss='{'binary' if binary else 'categorical'}_crossentropy' or 'auto'."
    name = _name(config)
    if name.startswith("sparse"):
        raise InvalidParameterError(
            f"loss={loss!r} takes class numbers, but classes are one-hot here. {advice}"
        )
    if binary and name.startswith("categorical") and name.endswith("crossentropy"):
        raise InvalidParameterError(
            f"loss={loss!r} compares one output with another, but two classes share one. {advice}"
        )
    check_per_sample_loss(config, n_outputs)
    from_logits = _takes_logits(config)
    _check_teaches(loss, config, n_outputs, from_logits, advice)
    if from_logits:
        return "linear"
    return "sigmoid" if binary else "softmax"


def _name(config: KerasConfig) -> str:
    function = keras_object("losses", config)
    return getattr(function, "__name__", type(function).__name__).lower().replace("_", "")


def _takes_logits(config: KerasConfig) -> bool:
    settings = config.get("config") if isinstance(config, dict) else None
    return isinstance(settings, dict) and bool(settings.get("from_logits", False))


def _check_teaches(
    loss: Any, config: KerasConfig, n_outputs: int, from_logits: bool, advice: str
) -> None:
    """Try the loss on outputs in favour of one class after the other."""
    n_classes = max(2, n_outputs)
    leading = np.full((n_classes, n_classes), (1 - _LEAD) / (n_classes - 1))
    np.fill_diagonal(leading, _LEAD)
    if n_outputs == 1:
        targets, leading = np.array([[0.0], [1.0]]), leading[:, 1:]
        outputs = np.log(leading / (1 - leading)) if from_logits else leading
    else:
        targets, outputs = np.eye(n_classes), np.log(leading) if from_logits else leading
    right = _losses(config, targets, outputs)
    wrong = _losses(config, targets, np.roll(outputs, 1, axis=0))
    if not (right < wrong).all():
        raise InvalidParameterError(
            f"loss={loss!r} is not smaller for the right one of {n_classes} classes than for a "
            f"wrong one: from {n_outputs} output{'s' * (n_outputs > 1)} it cannot learn them. "
            f"{advice}"
        )
    if from_logits and n_outputs > 1:
        shifted = _losses(config, targets, outputs + 1.0)
        if not np.allclose(shifted, right, rtol=1e-9, atol=0.0):
            raise InvalidParameterError(
                f"loss={loss!r} takes the logits of {n_classes} classes for those of {n_classes} "
                "separate questions, but classes exclude each other. Use "
                "keras.losses.CategoricalCrossentropy(from_logits=True) or loss='auto', or the "
                "loss without from_logits=True."
            )


def _losses(config: KerasConfig, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    return np.asarray(per_sample_loss(config)(tf.constant(targets), tf.constant(outputs)))
