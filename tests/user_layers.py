"""Layers, an initializer and functions of a user's own, registered as Keras asks for."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("skscale_tests")
class Bilinear(keras.layers.Layer):
    """Products of two Dense layers, which no layer of ours is."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.left = keras.layers.Dense(units, dtype=self.dtype_policy)
        self.right = keras.layers.Dense(units, dtype=self.dtype_policy)

    def build(self, input_shape):
        self.left.build(input_shape)
        self.right.build(input_shape)

    def call(self, inputs):
        return self.left(inputs) * self.right(inputs)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("skscale_tests")
class Counter(keras.layers.Layer):
    """Adds noise of a generator of its own in training, and counts the steps."""

    def build(self, input_shape):
        self.count = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="count"
        )
        self.generator = keras.random.SeedGenerator(5)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        self.count.assign_add(1)
        noise = keras.random.normal(
            keras.ops.shape(inputs), stddev=1e-3, dtype=inputs.dtype, seed=self.generator
        )
        return inputs + noise


@keras.saving.register_keras_serializable("skscale_tests")
class Doubled(keras.layers.Layer):
    """Mixes a float32 number of its own into the arithmetic."""

    def call(self, inputs):
        import tensorflow as tf

        return tf.multiply(inputs, tf.constant(2.0))


@keras.saving.register_keras_serializable("skscale_tests")
class Unset(keras.initializers.Initializer):
    """Draws a number that its config does not show as one."""

    def __init__(self, number):
        self.number = number

    def __call__(self, shape, dtype=None):
        return keras.ops.full(shape, float(self.number), dtype)

    def get_config(self):
        return {"number": self.number}


@keras.saving.register_keras_serializable("skscale_tests")
def bent(inputs):
    return inputs**3 / (1 + inputs**2)


def two_layers(n_features, n_outputs, width=4, activation="tanh"):
    """Return a network for the `network` parameter."""
    return keras.Sequential(
        [keras.layers.Dense(width, activation), keras.layers.Dense(n_outputs)], name="two_layers"
    )
