"""SelectFeatures takes what it is told to, and only what is there."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skscale.layers import SelectFeatures

X = np.arange(24, dtype="float32").reshape(2, 3, 4)


@pytest.mark.parametrize("indices", [[0], [3, 1], (2, 2, 0), np.array([1, 2]), range(4)])
@pytest.mark.parametrize("x", [X, X[0], X[0, 0]])
def test_features_are_taken_along_the_last_axis_in_the_given_order(indices, x):
    layer = SelectFeatures(indices)
    np.testing.assert_array_equal(layer(x), x[..., list(indices)])
    assert layer.compute_output_shape(x.shape) == (*x.shape[:-1], len(indices))
    assert layer.weights == []


def test_gradient_goes_to_the_features_taken_once_for_each_time():
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(SelectFeatures([1, 3, 3])(x))
    expected = np.broadcast_to([0.0, 1.0, 0.0, 2.0], X.shape)
    np.testing.assert_array_equal(tf.convert_to_tensor(tape.gradient(total, x)), expected)


def test_indices_are_written_as_ints():
    config = SelectFeatures(np.array([2, 0])).get_config()
    assert config["indices"] == [2, 0]
    assert {type(index) for index in config["indices"]} == {int}


def test_an_index_beyond_the_features_is_refused():
    with pytest.raises(ValueError, match=r"takes feature 4, counted from 0.*\(2, 3, 4\)"):
        SelectFeatures([0, 4])(X)
    with pytest.raises(ValueError, match=r"Got input shape \(None, None\).*keras.Input"):
        SelectFeatures([0]).build((None, None))


@pytest.mark.parametrize("indices", [[-1], [0, -2]])
def test_negative_indices_are_refused(indices):
    with pytest.raises(ValueError, match=r"indices=.* holds -\d. Give ints that count .* from 0"):
        SelectFeatures(indices)


@pytest.mark.parametrize("indices", [[0.0], ["0"], [True, False], np.array([True])])
def test_indices_that_are_no_positions_are_refused(indices):
    with pytest.raises(TypeError, match=r"is no position.*numpy.flatnonzero"):
        SelectFeatures(indices)


def test_an_empty_selection_is_refused():
    with pytest.raises(ValueError, match="indices is empty"):
        SelectFeatures([])
