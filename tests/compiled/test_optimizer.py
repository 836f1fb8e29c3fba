"""One update of the weights: every Keras optimizer as a pure function."""

from __future__ import annotations

import copy
import functools
import inspect

import numpy as np
import pytest

from skscale._compiled.optimizer import ELEMENTWISE_OPTIMIZERS, StatelessOptimizer, is_elementwise

# A vector, a kernel as wide as high and one that is not, as networks have them.
_SHAPES = [(4,), (3, 3), (3, 5)]


def _optimizers() -> list[str]:
    """Names of all optimizer classes that Keras exports and that hold an update of their own."""
    import keras

    base = keras.optimizers.Optimizer
    return sorted(
        name
        for name, value in vars(keras.optimizers).items()
        if inspect.isclass(value)
        and issubclass(value, base)
        and "learning_rate" in inspect.signature(value).parameters
        and value.update_step is not base.update_step
    )


def _serialized(name: str, **settings) -> dict:
    import keras

    return keras.optimizers.serialize(getattr(keras.optimizers, name)(**settings))


def _draw(n_steps: int, leading: tuple[int, ...] = ()):
    """Weights, and their gradients of some steps."""
    random = np.random.default_rng(0)
    weights = [random.normal(size=(*leading, *shape)) for shape in _SHAPES]
    steps = [[random.normal(size=weight.shape) for weight in weights] for _ in range(n_steps)]
    return weights, steps


def _apply(config, weights, steps, *, dtype="float64", rate=0.01, rate_from_config=False):
    """Weights to predict with after these steps."""
    import tensorflow as tf

    shapes = [weight.shape for weight in weights]
    optimizer = StatelessOptimizer(config, shapes, dtype, rate_from_config=rate_from_config)
    weights = [weight.astype(dtype) for weight in weights]
    slots = optimizer.initial_slots(weights)
    weights = [tf.constant(weight) for weight in weights]
    for step, gradients in enumerate(steps):
        gradients = [tf.constant(gradient, dtype) for gradient in gradients]
        scheduled = None if rate_from_config else tf.constant(rate, tf.float32)
        weights, slots = optimizer.apply(weights, gradients, slots, step=step, rate=scheduled)
    return [np.asarray(weight) for weight in optimizer.final_weights(weights, slots)]


def _apply_keras(config, weights, steps, dtype="float64"):
    """The same with the Keras optimizer itself."""
    import keras

    optimizer = keras.saving.deserialize_keras_object(copy.deepcopy(config))
    variables = [keras.Variable(weight, dtype=dtype) for weight in weights]
    optimizer.build(variables)
    for gradients in steps:
        gradients = [keras.ops.convert_to_tensor(gradient, dtype) for gradient in gradients]
        optimizer.apply(gradients, variables)
    optimizer.finalize_variable_values(variables)
    return [np.asarray(variable.value) for variable in variables]


def _assert_close(first, second, tolerance):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def _schedule_free_numpy(weight, gradients):
    """Defazio et al. 2024, The Road Less Scheduled, with Keras' defaults, rounded as in Keras."""
    rate, beta_1, beta_2, epsilon = (float(np.float32(x)) for x in (0.01, 0.9, 0.999, 1e-8))
    z, x, y, velocity = weight, weight, weight, 0.0
    for count, gradient in enumerate(gradients, start=1):
        velocity = beta_2 * velocity + (1 - beta_2) * gradient**2
        z = z - rate * gradient / (np.sqrt(velocity / (1 - beta_2**count)) + epsilon)
        x = (1 - 1 / count) * x + z / count
        y = (1 - beta_1) * z + beta_1 * x
    return y


def _expected(name, config, weights, steps, dtype):
    if name == "ScheduleFreeAdamW":
        # On TensorFlow, Keras reads its old iterate after it was overwritten; the formula is meant.
        return [
            _schedule_free_numpy(weight, gradients)
            for weight, gradients in zip(weights, zip(*steps, strict=True), strict=True)
        ]
    try:
        return _apply_keras(config, weights, steps, dtype)
    except AttributeError as error:
        # Of Muon in older versions of Keras, which looks for the path of a TensorFlow variable.
        if name != "Muon":
            raise
        pytest.skip(f"Keras itself cannot run it: {error}")


@pytest.mark.parametrize("name", _optimizers())
def test_every_keras_optimizer_moves_weights_as_in_keras(name):
    config = _serialized(name, learning_rate=0.01)
    before = copy.deepcopy(config)
    weights, steps = _draw(5)
    ours = _apply(config, weights, steps, dtype="float32")
    # float32: the same operations, five times.
    _assert_close(ours, _expected(name, config, weights, steps, "float32"), 1e-6)
    from_config = _apply(config, weights, steps, dtype="float32", rate_from_config=True)
    _assert_close(from_config, ours, 0)
    assert config == before


@pytest.mark.parametrize("name", _optimizers())
def test_every_keras_optimizer_runs_in_float64(name):
    config = _serialized(name, learning_rate=0.01)
    weights, steps = _draw(5)
    ours = _apply(config, weights, steps)
    assert {weight.dtype for weight in ours} == {np.dtype(np.float64)}
    try:
        expected, tolerance = _expected(name, config, weights, steps, "float64"), 1e-12
    except Exception:
        # Keras' own arithmetic mixes in float32: then so does ours, but not the weights'.
        expected, tolerance = _expected(name, config, weights, steps, "float32"), 1e-6
    _assert_close(ours, expected, tolerance)


@pytest.mark.parametrize("name", _optimizers())
def test_an_optimizer_is_elementwise_if_a_stack_moves_as_each_network_alone(name):
    config = _serialized(name)
    weights, steps = _draw(5, leading=(2,))
    stacked = _apply(config, weights, steps)
    alone = [
        _apply(config, [w[k] for w in weights], [[g[k] for g in step] for step in steps])
        for k in range(2)
    ]
    difference = max(
        np.abs(weight[k] - single).max()
        for k in range(2)
        for weight, single in zip(stacked, alone[k], strict=True)
    )
    # Rounding differs in the last digit where vector lanes do; a norm of two networks, at once.
    assert is_elementwise(config) == (difference < 1e-12)
    assert is_elementwise(config) == (name in ELEMENTWISE_OPTIMIZERS)


def test_the_list_of_elementwise_optimizers_holds_names_of_keras():
    # Older versions of Keras have fewer.
    assert set(_optimizers()) >= ELEMENTWISE_OPTIMIZERS - {"ScheduleFreeAdamW"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"class_name": "adam", "config": {}}, True),
        ({"class_name": "Adam", "config": {"clipvalue": 1.0}}, True),
        ({"class_name": "Adam", "config": {"clipnorm": 1.0}}, False),
        ({"class_name": "Adam", "config": {"global_clipnorm": 1.0}}, False),
        ({"class_name": "Adam", "config": {}, "registered_name": "mine>Adam"}, False),
        ({"class_name": "Mine", "config": {}}, False),
    ],
)
def test_norms_and_unknown_classes_see_one_network_at_a_time(config, expected):
    assert is_elementwise(config) is expected


@pytest.mark.parametrize(
    "settings",
    [
        {"clipvalue": 0.5},
        {"clipnorm": 0.5},
        {"global_clipnorm": 0.5},
        {"weight_decay": 0.1},
        {"use_ema": True, "ema_momentum": 0.7},
        {"use_ema": True, "ema_momentum": 0.7, "weight_decay": 0.1},
    ],
)
@pytest.mark.parametrize("name", ["SGD", "Nadam"])
def test_clipping_decay_and_averages_are_those_of_keras(name, settings):
    config = _serialized(name, learning_rate=0.1, **settings)
    weights, steps = _draw(6)
    expected = _apply_keras(config, weights, steps)
    # The rate of Keras is float32, here and there.
    _assert_close(_apply(config, weights, steps, rate=0.1), expected, 1e-14)
    plain = _apply(_serialized(name, learning_rate=0.1), weights, steps, rate=0.1)
    assert max(np.abs(a - b).max() for a, b in zip(plain, expected, strict=True)) > 1e-3


def test_a_loss_scale_factor_changes_nothing():
    weights, steps = _draw(3)
    plain = _apply(_serialized("SGD"), weights, steps)
    _assert_close(_apply(_serialized("SGD", loss_scale_factor=8.0), weights, steps), plain, 0)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adafactor"])
def test_a_schedule_of_the_optimizer_is_followed_step_by_step(name):
    import keras

    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    config = _serialized(name, learning_rate=schedule)
    weights, steps = _draw(4)
    ours = _apply(config, weights, steps, rate_from_config=True)
    _assert_close(ours, _apply_keras(config, weights, steps), 1e-13)
    optimizer = StatelessOptimizer(config, _SHAPES, "float64", rate_from_config=True)
    rates = [float(optimizer.learning_rate(step)) for step in range(3)]
    # float32, as Keras keeps rates.
    np.testing.assert_allclose(rates, [0.1, 0.05, 0.025], rtol=1e-6)


def test_a_scheduled_rate_replaces_a_schedule_of_the_config():
    import keras

    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    weights, steps = _draw(3)
    ours = _apply(_serialized("SGD", learning_rate=schedule), weights, steps, rate=0.01)
    _assert_close(ours, _apply(_serialized("SGD"), weights, steps, rate=0.01), 0)


def test_a_slot_that_starts_as_the_weight_starts_as_that_of_each_fit():
    # Two fits from one object: the second must not start from the weights of the first.
    import keras

    if not hasattr(keras.optimizers, "ScheduleFreeAdamW"):
        pytest.skip("Older versions of Keras have none.")
    config = _serialized("ScheduleFreeAdamW")
    weights, _ = _draw(0)
    optimizer = StatelessOptimizer(config, _SHAPES, "float64", rate_from_config=False)
    for scale in (1.0, -2.0):
        started = [scale * weight for weight in weights]
        slots = optimizer.initial_slots(started)
        for weight in started:
            assert any(slot.shape == weight.shape and (slot == weight).all() for slot in slots)


def _wrapped(settings):
    import keras

    if settings == "LossScaleOptimizer":
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    if settings == "MultiOptimizer":
        by_name = keras.optimizers.OptimizerMap(keras.optimizers.SGD(), {})
        return keras.optimizers.MultiOptimizer(by_name)
    return keras.optimizers.SGD(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("LossScaleOptimizer", "optimizer=LossScaleOptimizer .* Pass its inner optimizer"),
        ("MultiOptimizer", "optimizer=MultiOptimizer .* Pass one of them"),
        ({"gradient_accumulation_steps": 2}, "gradient_accumulation_steps=2 .* batch_size"),
        ({"use_ema": True, "ema_overwrite_frequency": 5}, "ema_overwrite_frequency=5 .* None"),
    ],
)
def test_what_cannot_run_is_refused_with_a_way_out(settings, message):
    import keras

    if settings == "MultiOptimizer" and not hasattr(keras.optimizers, settings):
        pytest.skip("Older versions of Keras have none.")
    config = keras.optimizers.serialize(_wrapped(settings))
    with pytest.raises(ValueError, match=message):
        StatelessOptimizer(config, _SHAPES, "float64", rate_from_config=False)


@pytest.mark.parametrize("rate_from_config", [False, True])
@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_the_rate_is_not_rounded_to_floatx(name, rate_from_config, in_float16):
    # A rate that float16 does not hold.
    config = _serialized(name, learning_rate=0.0123)
    weights, steps = _draw(3)
    run = functools.partial(
        _apply, config, weights, steps, rate=0.0123, rate_from_config=rate_from_config
    )
    for ours, expected in zip(in_float16(run), run(), strict=True):
        np.testing.assert_array_equal(ours, expected)
