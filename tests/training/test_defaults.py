"""Every "auto" is resolved into what was measured, and what cannot work is refused first."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skscale._fitting.fit import check_contradictions
from skscale._network.custom_spec import CustomSpec
from skscale._normalization.affine import AffineMap
from skscale._normalization.fit import fit_normalization
from skscale._parameters import LearnedScaleParameters
from skscale._target.checks import check_loss_domain
from skscale._training.defaults import resolve_parameters

POSITIVE = np.array([[0.5], [1.0], [4.0]])


def resolve(n_samples=442, n_training=354, n_outputs=1, **options):
    return resolve_parameters(
        LearnedScaleParameters(**options),
        n_features=10,
        n_outputs=n_outputs,
        n_samples=n_samples,
        n_training=n_training,
        loss="mean_squared_error",
    )


# The defaults


def test_auto_means_the_defaults():
    resolved = resolve()
    assert resolved.spec.hidden_layer_sizes == (64, 64)
    assert (resolved.spec.activation, resolved.spec.output_activation) == ("silu", "linear")
    assert resolved.spec.center
    assert not resolved.spec.initializers
    assert not resolved.spec.regularizers
    assert not resolved.spec.constraints
    assert resolved.compile_config.optimizer["class_name"] == "Adam"
    assert resolved.compile_config.proximal
    assert resolved.compile_config.scheduled
    assert (resolved.config.learning_rate, resolved.compile_config.scale_learning_rate_factor) == (
        0.01,
        10.0,
    )
    assert resolved.config.batch_size == 128


@pytest.mark.parametrize(
    ("n_training", "batch_size", "n_epochs"),
    [
        (100, 128, 500),
        (128, 128, 500),
        (354, 128, 500),
        (1_500, 128, 125),
        (8_000, 128, 100),
        (16_000, 256, 62),
        (40_000, 512, 25),
        (10**6, 1024, 10),
    ],
)
def test_auto_is_steps_for_small_tables_and_larger_batches_and_fewer_passes_for_large(
    n_training, batch_size, n_epochs
):
    config = resolve(n_training=n_training).config
    assert (config.batch_size, config.n_epochs) == (batch_size, n_epochs)


@pytest.mark.parametrize(("n_samples", "epsilon"), [(128, 1e-3), (129, 1e-5)])
def test_only_whole_tables_need_a_large_epsilon(n_samples, epsilon):
    optimizer = resolve(n_samples=n_samples, n_training=100).compile_config.optimizer
    assert optimizer["config"]["epsilon"] == epsilon


def test_number_of_epochs_means_what_it_says():
    assert resolve(epochs=3).config.n_epochs == 3


@pytest.mark.parametrize(("n_samples", "dtype"), [(128, "float64"), (129, "float32")])
def test_tables_of_one_batch_train_in_float64(n_samples, dtype):
    assert resolve(n_samples=n_samples).config.dtype == dtype
    assert resolve(n_samples=n_samples, dtype="float32").config.dtype == "float32"


# The optimizer


def test_optimizer_by_name_takes_the_rate_of_keras_and_our_schedule():
    resolved = resolve(optimizer="sgd")
    # Keras holds it in float32.
    assert resolved.config.learning_rate == pytest.approx(0.01, rel=1e-6)
    assert resolved.compile_config.scheduled
    assert resolve(optimizer="sgd", learning_rate=0.5).config.learning_rate == 0.5
    assert resolve(learning_rate=0.5).config.learning_rate == 0.5


@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.SGD(0.5), {"class_name": "sgd", "config": {"learning_rate": 0.5}}],
    ids=["instance", "config"],
)
def test_optimizer_with_settings_keeps_them(optimizer):
    resolved = resolve(optimizer=optimizer)
    assert not resolved.compile_config.scheduled
    assert resolved.compile_config.optimizer["config"]["learning_rate"] == 0.5
    assert resolved.weight_decay == 0
    with pytest.raises(InvalidParameterError, match=r"learning_rate=0.1 and an optimizer with a"):
        resolve(optimizer=optimizer, learning_rate=0.1)


# The network


def test_keras_options_reach_their_weights():
    resolved = resolve(
        scale_initializer="glorot_uniform",
        scale_constraint="non_neg",
        kernel_regularizer=keras.regularizers.L2(0.5),
        bias_initializer="zeros",
        scale_regularizer=None,
    )
    assert resolved.spec.initializers == {"scale": "glorot_uniform", "bias": "zeros"}
    assert resolved.spec.constraints == {"scale": "non_neg"}
    assert resolved.spec.regularizers["kernel"]["config"] == {"l2": 0.5}
    assert not resolved.compile_config.proximal


@pytest.mark.parametrize("sizes", [(3, 0), (2.5,), [[3, 4]], ("8",), -1])
def test_layer_sizes_are_positive_whole_numbers(sizes):
    with pytest.raises(InvalidParameterError, match=r"hidden_layer_sizes=.* whole numbers of at"):
        resolve(hidden_layer_sizes=sizes)


@pytest.mark.parametrize(
    ("name", "canonical"), [("swish", "silu"), ("ReLU6", "relu6"), (keras.activations.tanh, "tanh")]
)
def test_activation_goes_by_the_name_of_its_function(name, canonical):
    assert resolve(activation=name).spec.activation == canonical


@keras.saving.register_keras_serializable("skscale_tests_of_the_defaults")
def bent(x):
    return x + keras.ops.sin(x)


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        ("glu", "halves the number of units"),
        ("threshold", "its two parameters have no defaults"),
    ],
)
def test_activation_that_no_layer_can_use_by_name_is_refused(activation, message):
    with pytest.raises(InvalidParameterError, match=f"^activation=.*{message}"):
        resolve(activation=activation)


@pytest.mark.parametrize("activation", [bent, keras.layers.LeakyReLU(0.1)])
def test_activation_without_a_numpy_form_takes_custom_layers(activation):
    spec = resolve(activation=activation).spec
    assert isinstance(spec, CustomSpec)


@pytest.mark.parametrize("parameter", ["scale_regularizer", "center_regularizer"])
def test_regularizer_that_needs_a_matrix_is_refused_for_a_vector(parameter):
    with pytest.raises(InvalidParameterError, match=rf"^{parameter}=.* shape \(10,\)"):
        resolve(**{parameter: "orthogonal_regularizer"})


def test_regularizer_that_needs_a_matrix_may_have_one():
    spec = resolve(kernel_regularizer="orthogonal_regularizer").spec
    assert spec.regularizers == {"kernel": "orthogonal_regularizer"}


# The loss


@pytest.mark.parametrize(
    ("loss", "n_outputs"),
    [
        ("dice", 1),
        ("tversky", 2),
        ("ctc", 1),
        ("circle", 3),
        ("sparse_categorical_crossentropy", 3),
    ],
)
def test_loss_that_rows_cannot_be_weighted_in_is_refused(loss, n_outputs):
    with pytest.raises(ValueError, match=rf"^loss='{loss}' .*such as 'mean_squared_error'"):
        resolve(loss=loss, n_outputs=n_outputs)


RATIOS = [
    "poisson",
    "mape",
    "mean_squared_logarithmic_error",
    keras.losses.Poisson(),
    keras.losses.MeanAbsolutePercentageError,
    {"class_name": "MeanSquaredLogarithmicError", "config": {}},
    keras.losses.poisson,
]


@pytest.mark.parametrize("loss", RATIOS)
def test_loss_of_ratios_needs_targets_with_their_zero(loss):
    for normalization in (None, "maxabs", "rms"):
        target_map = fit_normalization(normalization, POSITIVE)
        check_loss_domain(loss, target_map, POSITIVE, normalization)
    for normalization in ("standard", "minmax"):
        target_map = fit_normalization(normalization, POSITIVE)
        with pytest.raises(InvalidParameterError, match=f"target_normalization='{normalization}'"):
            check_loss_domain(loss, target_map, POSITIVE, normalization)
    with pytest.raises(InvalidParameterError, match=r"the smallest target is -4\.0\. Use target"):
        check_loss_domain(loss, AffineMap.identity(1), -POSITIVE, None)


# Contradictions


def test_early_stopping_needs_a_single_network():
    parameters = LearnedScaleParameters(early_stopping=True)
    with pytest.raises(InvalidParameterError, match=r"early_stopping=True is .* scale_regularizer"):
        check_contradictions(parameters)
    check_contradictions(dataclasses.replace(parameters, scale_regularizer=None))
    check_contradictions(dataclasses.replace(parameters, early_stopping=False))
