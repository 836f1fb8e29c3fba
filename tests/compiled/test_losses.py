"""Losses row by row: those of Keras, in float64 where the outputs are, and only from that row."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

from skscale._compiled.losses import check_per_sample_loss, per_sample_loss


def _keras_losses() -> list[str]:
    """Names of all loss classes that Keras exports."""
    import keras

    return sorted(
        name
        for name, value in vars(keras.losses).items()
        if inspect.isclass(value) and value is not keras.losses.Loss
    )


def _draw(n_rows: int = 5, n_outputs: int = 3, *, leading: tuple[int, ...] = ()):
    draw = np.random.default_rng(1).uniform(0.1, 0.9, (2, *leading, n_rows, n_outputs))
    draw /= draw.sum(axis=-1, keepdims=True)
    return draw[0], draw[1]


def _row_values(name: str) -> np.ndarray | None:
    """What Keras gives for each row in float64; None where that is not one value from one row."""
    import keras

    loss = getattr(keras.losses, name)(reduction=None, dtype="float64")
    targets, outputs = _draw()
    try:
        values = np.asarray(loss(targets, outputs))
        alone = np.asarray(loss(targets[:1], outputs[:1]))
    # Keras and TensorFlow refuse shapes with errors of any type.
    except Exception:
        return None
    if values.shape != (5,) or not np.allclose(values[:1], alone):
        return None
    return values


@pytest.mark.parametrize("name", _keras_losses())
def test_every_loss_of_keras_is_computed_row_by_row_or_refused(name):
    import keras
    import tensorflow as tf

    expected = _row_values(name)
    config = keras.losses.serialize(getattr(keras.losses, name)())
    if expected is None:
        with pytest.raises(ValueError, match=r"loss=.*Use a loss that sees one row at a time"):
            check_per_sample_loss(config, 3)
        return
    targets, outputs = map(tf.constant, _draw())
    check_per_sample_loss(config, 3)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        values = per_sample_loss(config)(targets, outputs)
    gradient = tape.gradient(values, outputs)
    assert values.dtype == tf.float64
    assert gradient.dtype == tf.float64
    # The same operations in the same precision.
    np.testing.assert_allclose(values, expected, rtol=1e-14, atol=1e-15)


def test_the_refused_losses_are_those_that_mix_rows_or_need_other_shapes():
    refused = {name for name in _keras_losses() if _row_values(name) is None}
    assert {"CTC", "Circle", "Dice", "Tversky"} <= refused
    usual = {
        "MeanSquaredError",
        "Huber",
        "LogCosh",
        "BinaryCrossentropy",
        "CategoricalCrossentropy",
    }
    assert not usual & refused


@pytest.mark.parametrize("name", _keras_losses())
def test_a_loss_is_stacked_only_if_the_stack_gives_the_same(name):
    import keras
    import tensorflow as tf

    config = keras.losses.serialize(getattr(keras.losses, name)())
    try:
        is_stackable = check_per_sample_loss(config, 3)
    except ValueError:
        return
    targets, outputs = map(tf.constant, _draw(leading=(4,)))
    compute = per_sample_loss(config)
    if is_stackable:
        alone = [compute(targets[k], outputs[k]) for k in range(4)]
        np.testing.assert_allclose(
            compute(targets, outputs), np.stack(alone), rtol=1e-14, atol=1e-15
        )


def test_losses_are_taken_by_name_and_by_config():
    import keras
    import tensorflow as tf

    targets, outputs = map(tf.constant, _draw())
    by_name = per_sample_loss("huber")(targets, outputs)
    by_class = per_sample_loss("Huber")(targets, outputs)
    config = keras.losses.serialize(keras.losses.Huber(delta=1.0))
    np.testing.assert_array_equal(by_name, by_class)
    np.testing.assert_array_equal(by_name, per_sample_loss(config)(targets, outputs))
    # One value a row also where targets have one column.
    one = targets[:, :1], outputs[:, :1]
    assert per_sample_loss("mean_absolute_error")(*one).shape == (5,)


def test_the_message_says_what_is_wrong_with_a_loss():
    with pytest.raises(ValueError, match=r"loss='dice' gives values of shape \(\) for 3 rows"):
        check_per_sample_loss("dice", 2)
    with pytest.raises(ValueError, match="mixes rows"):
        check_per_sample_loss({"class_name": "Circle", "config": {}}, 1)
    with pytest.raises(ValueError, match="cannot be computed on targets and outputs of shape"):
        check_per_sample_loss("sparse_categorical_crossentropy", 3)


def test_checking_a_loss_warns_of_what_keras_warns_of():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_per_sample_loss("mean_squared_error", 1)
    assert not caught
