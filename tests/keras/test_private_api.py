"""Each private attribute that is used does what it is used for, in the installed versions."""

from __future__ import annotations

import gc
import weakref

import keras
import numpy as np
import tensorflow as tf

from skscale._keras.private_api import (
    forget_custom_gradients,
    inner_layers,
    keep_rate_in_float32,
    loss_arguments,
    moving_averages,
    seed_generators,
    session_function,
    stateless_optimizer_class,
    tensorboard_writers,
)


def test_moving_averages_follow_the_weights_one_by_one():
    weight = keras.Variable(np.ones(2, np.float32))
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer.build([weight])
    for _ in range(2):
        optimizer.apply([np.ones(2, np.float32)])
    (average,) = moving_averages(optimizer)
    assert any(average is variable for variable in optimizer.variables)
    # The first average is the weight after the first step, 0.
    np.testing.assert_array_equal(average.numpy(), [-0.5, -0.5])


def test_the_stateless_form_of_an_optimizer_moves_weights_as_its_own_form_does():
    config = keras.optimizers.Adam(0.1).get_config()
    start, gradient = np.array([1.0, -2.0], np.float32), np.array([0.5, 0.25], np.float32)
    variable = keras.Variable(start)
    usual = keras.optimizers.Adam.from_config(config)
    usual.build([variable])
    usual.apply([gradient])

    cls = stateless_optimizer_class(keras.optimizers.Adam)
    assert issubclass(cls, keras.optimizers.Adam)
    assert cls.__name__ == "Adam"
    stateless = cls.from_config(config)
    stateless.build([keras.Variable(start)])
    state = [np.asarray(v) for v in stateless.variables]
    (moved,), _ = stateless.stateless_apply(state, [gradient], [start])
    np.testing.assert_allclose(np.asarray(moved), variable.numpy(), rtol=1e-6)  # float32


def test_inner_layers_are_found_at_any_depth():
    inside = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((3,)), keras.Sequential([inside])])
    layers = inner_layers(model)
    assert any(layer is inside for layer in layers)
    assert all(layer is not model for layer in layers)


def test_seed_generators_are_those_of_all_layers():
    inside = keras.layers.GaussianNoise(1.0, seed=1)
    model = keras.Sequential([keras.Input((3,)), keras.Sequential([inside, keras.layers.Dense(1)])])
    (generator,) = seed_generators(model)
    assert generator is inside.seed_generator
    assert any(generator.state is variable for variable in model.non_trainable_variables)


def test_loss_arguments_hold_what_a_config_may_leave_out():
    assert loss_arguments(keras.losses.Huber(delta=2.5))["delta"] == 2.5

    class Own(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(y_true - y_pred, axis=-1)

    assert loss_arguments(Own()) == {}
    assert loss_arguments(keras.losses.mean_squared_error) == {}


def test_writers_of_a_board_are_those_that_it_opened(tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path)
    assert tensorboard_writers(board) == {}
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    board.set_model(model)
    board.on_train_begin()
    assert list(tensorboard_writers(board)) == ["train"]
    board.on_train_end()
    assert tensorboard_writers(keras.callbacks.Callback()) is None


def test_a_graph_without_its_custom_gradients_is_freed():
    traced = tf.function(tf.nn.silu).get_concrete_function(tf.TensorSpec((2,), "float32"))
    graph = weakref.ref(traced.graph)
    forget_custom_gradients(traced.graph)
    np.testing.assert_allclose(traced(tf.zeros(2)), 0.0)
    del traced
    gc.collect()
    assert graph() is None


def test_a_rate_that_is_kept_in_float32_takes_what_float16_does_not_hold(in_float16):
    optimizer = in_float16(lambda: keras.optimizers.SGD(0.5))
    keep_rate_in_float32(optimizer)
    rate = np.float32(0.0123)
    mapping = [(v, rate) for v in optimizer.variables if v is optimizer.learning_rate]
    with keras.StatelessScope(state_mapping=mapping):
        assert float(optimizer.learning_rate) == float(rate)
    # A schedule is no variable.
    schedule = keras.optimizers.schedules.CosineDecay(0.5, 10)
    keep_rate_in_float32(keras.optimizers.SGD(schedule))


def test_a_function_of_a_session_takes_arrays_in_order_and_returns_arrays():
    graph = tf.Graph()
    with graph.as_default():
        inputs = [tf.compat.v1.placeholder(tf.float32, [2]) for _ in range(2)]
        outputs = [inputs[0] - inputs[1], inputs[0] * 2]
    session = tf.compat.v1.Session(graph=graph)
    names = [[tensor.name for tensor in tensors] for tensors in (inputs, outputs)]
    run = session_function(session, *names, inter_op_thread_pool=-1)
    difference, double = run(np.float32([3, 5]), np.float32([1, 1]))
    np.testing.assert_array_equal(difference, [2, 4])
    np.testing.assert_array_equal(double, [6, 10])
