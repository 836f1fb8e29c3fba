"""One step: the weighted loss and its penalties, in the precision of the weights."""

from __future__ import annotations

import dataclasses
import inspect

import numpy as np
import pytest
from small_networks import ADAM, COMPILE_CONFIG, SPEC, draw_rows, make_run

from skscale._compiled.train_step import Slots, TrainStep, is_stackable
from skscale._network.compile_config import CompileConfig
from skscale._network.custom_spec import CustomLayers, CustomSpec


def _exported(family: str) -> list[str]:
    import keras

    module = getattr(keras, family)
    base = {"regularizers": "Regularizer", "constraints": "Constraint"}[family]
    return sorted(
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and name != base and not name.islower()
    )


def _loss_and_weights(spec, row_weights, dtype="float64", compile_config=COMPILE_CONFIG):
    """Loss of some rows, and the weights after one step."""
    import tensorflow as tf

    step = TrainStep(spec, compile_config, (), dtype)
    weights = step.packed([weight.astype(dtype) for weight in make_run(spec=spec).weights])
    slots = Slots(*([tf.constant(slot) for slot in p] for p in step.initial_slots(weights)))
    weights = [tf.constant(weight) for weight in weights]
    X, y = draw_rows()
    n_rows = len(row_weights)
    batch = [tf.constant(array, dtype) for array in (X[:n_rows], y[:n_rows], row_weights)]
    start = {"seeds": tf.constant(0), "step": tf.constant(0)}
    loss, gradients, _ = step.gradients(weights, batch, **start)
    zero = tf.zeros((), dtype)
    rate = tf.constant(0.1, tf.float32)
    options = {"rate": rate, "strengths": zero, "decays": zero, "n_features": zero + 1}
    weights, slots = step.update(weights, gradients, slots, step=tf.constant(0), **options)
    weights, *slots = ([np.asarray(array) for array in part] for part in (weights, *slots))
    return float(loss), step.final_weights(weights, Slots(*slots))


def test_rows_of_weight_zero_and_the_scale_of_all_weights_do_not_matter():
    loss, weights = _loss_and_weights(SPEC, [1.0, 2.0, 3.0])
    for other in ([1.0, 2.0, 3.0, 0.0], [0.5, 1.0, 1.5]):
        again, moved = _loss_and_weights(SPEC, other)
        np.testing.assert_allclose(again, loss, rtol=1e-14)
        for a, b in zip(weights, moved, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-14)


def test_a_batch_whose_weights_round_to_zero_moves_nothing():
    loss, weights = _loss_and_weights(SPEC, [1e-60, 1e-60], "float32")
    assert loss == 0
    for weight, start in zip(weights, make_run().weights, strict=True):
        np.testing.assert_array_equal(weight, start)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", _exported("regularizers"))
def test_every_keras_regularizer_adds_its_penalty_for_each_kernel(name, dtype):
    import keras

    config = {"class_name": name, "config": {}}
    spec = dataclasses.replace(SPEC, regularizers={"kernel": config})
    plain, before = _loss_and_weights(SPEC, [1.0, 2.0], dtype)
    loss, after = _loss_and_weights(spec, [1.0, 2.0], dtype)
    penalty = getattr(keras.regularizers, name)()
    kernels = [make_run().weights[i] for i in (2, 4)]
    # Keras' penalty in float32.
    np.testing.assert_allclose(loss - plain, sum(float(penalty(k)) for k in kernels), rtol=1e-4)
    assert {weight.dtype for weight in after} == {np.dtype(dtype)}
    if loss > plain:
        assert not np.array_equal(before[2], after[2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", _exported("constraints"))
def test_every_keras_constraint_projects_each_weight_after_the_update(name, dtype):
    import keras

    config = {"class_name": name, "config": {}}
    spec = dataclasses.replace(SPEC, constraints={"kernel": config, "bias": config})
    _, free = _loss_and_weights(SPEC, [1.0, 2.0], dtype)
    _, projected = _loss_and_weights(spec, [1.0, 2.0], dtype)
    constraint = getattr(keras.constraints, name)()
    for parameter, weight, result in zip(SPEC.parameters, free, projected, strict=True):
        expected = weight
        if parameter.role in ("kernel", "bias"):
            expected = np.asarray(constraint(keras.ops.convert_to_tensor(weight)))
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-12)


def test_networks_are_stacked_unless_something_must_see_them_alone():
    assert is_stackable(SPEC, COMPILE_CONFIG)
    assert is_stackable(dataclasses.replace(SPEC, initializers={"kernel": "zeros"}), COMPILE_CONFIG)
    alone = [
        dataclasses.replace(SPEC, regularizers={"bias": "l1"}),
        dataclasses.replace(SPEC, constraints={"scale": "non_neg"}),
        CustomSpec(3, 2, CustomLayers({}, (), ())),
    ]
    assert not any(is_stackable(spec, COMPILE_CONFIG) for spec in alone)
    lamb = {"class_name": "Lamb", "config": {}}
    assert not is_stackable(SPEC, dataclasses.replace(COMPILE_CONFIG, optimizer=lamb))


def test_the_key_of_a_config_holds_what_shapes_a_program_and_no_name_or_replaced_rate():
    def key(loss="mse", scheduled=True, **settings):
        optimizer = {"class_name": "Adam", "config": settings}
        return CompileConfig(loss, optimizer, scheduled=scheduled).key()

    huber = {"class_name": "Huber", "config": {"delta": 1.0, "name": "huber_1"}}
    renamed = {"class_name": "Huber", "config": {"delta": 1.0, "name": "huber_2"}}
    assert key(name="adam", learning_rate=0.1) == key(name="adam_1", learning_rate=0.2)
    assert key(huber) == key(renamed)
    different = [
        key(),
        key(beta_1=0.8),
        key(huber),
        key(scheduled=False, learning_rate=0.1),
        key(scheduled=False, learning_rate=0.2),
        CompileConfig("mse", ADAM, proximal=True).key(),
        CompileConfig("mse", ADAM, scale_learning_rate_factor=2.0).key(),
    ]
    assert len(set(different)) == len(different)
