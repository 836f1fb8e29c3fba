"""Options are tried on their weights before training, and nothing is heard of it."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from skscale._network.checks import check_on_weights
from skscale._network.dense_spec import DenseSpec


@keras.saving.register_keras_serializable("skscale_tests")
class InGraph(keras.constraints.Constraint):
    """TensorFlow logs to stderr what fails while it runs, but not what fails in a graph."""

    def __call__(self, weights):
        assert not tf.executing_eagerly()
        return weights


def spec_with(constraint):
    return DenseSpec(3, 1, constraints={"center": keras.constraints.serialize(constraint)})


def test_options_are_tried_in_a_graph():
    check_on_weights(spec_with(InGraph()))


def test_an_option_for_matrices_is_refused_for_a_vector():
    message = (
        r"^center_constraint=.* array of shape \(3,\)\. It needs a matrix, and the center is a"
    )
    with pytest.raises(ValueError, match=message):
        check_on_weights(spec_with(keras.constraints.UnitNorm(axis=1)))
