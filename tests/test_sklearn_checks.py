"""scikit-learn's checks: of the defaults, of every option, and those it keeps for its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from unittest import SkipTest

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

ESTIMATORS = (LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer)

# scikit-learn's own warning: some of its checks fit frames and transform arrays, and the reverse.
pytestmark = pytest.mark.filterwarnings(
    "ignore:X (does not have valid|has) feature names:UserWarning"
)


# What is sparse is dense before a network sees it: these take twenty fits each, of small networks.
ON_SPARSE_TABLES = (
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_sample_weight_equivalence_on_sparse_data",
)


def run(check: Callable[[BaseEstimator], None], estimator: BaseEstimator) -> None:
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"scikit-learn skipped the check: {skipped}")


def checks_of(cls: type[BaseEstimator]) -> dict[str, Callable[[BaseEstimator], None]]:
    # Which checks apply is a matter of the tags, and those are the same for all parameters.
    return {name_of(check): check for _, check in estimator_checks_generator(cls())}


def name_of(check: Any) -> str:
    options = [f"{key}={value}" for key, value in check.keywords.items()]
    return " ".join([check.func.__name__, *options])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cls", "check"),
    [
        pytest.param(cls, check, id=f"{cls.__name__} {name}")
        for cls in ESTIMATORS
        for name, check in checks_of(cls).items()
        if name not in ON_SPARSE_TABLES
    ],
)
def test_the_defaults_pass_every_check(
    cls: type[BaseEstimator], check: Callable[[BaseEstimator], None]
) -> None:
    run(check, cls())


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_no_tag_excuses_from_a_check(cls: type[BaseEstimator]) -> None:
    tags = get_tags(cls())
    assert not tags.non_deterministic
    assert not tags.no_validation
    assert not tags._skip_test
    assert tags.regressor_tags is None or not tags.regressor_tags.poor_score
    assert tags.classifier_tags is None or not tags.classifier_tags.poor_score


# Small networks and few steps: what is checked is the manners, not the accuracy.


def whole_table(cls: type[BaseEstimator]) -> BaseEstimator:
    """Every penalty, constraint and start by name, in batches of the whole table."""
    return cls(
        normalization="robust",
        scale_initializer="glorot_uniform",
        scale_regularizer={"class_name": "L1", "config": {"l1": 1e-4}},
        scale_constraint="unit_norm",
        center_initializer="random_normal",
        center_regularizer="l2",
        center_constraint="non_neg",
        hidden_layer_sizes=8,
        activation="tanh",
        kernel_initializer="lecun_uniform",
        bias_initializer="zeros",
        kernel_regularizer={"class_name": "L2", "config": {"l2": 1e-5}},
        kernel_constraint="max_norm",
        learning_rate=0.03,
        scale_learning_rate_factor=3.0,
        weight_decay=0.01,
        epochs=80,
        batch_size=256,
        output_activation="softsign",
        target_normalization="minmax",
    )


def mini_batches(cls: type[BaseEstimator]) -> BaseEstimator:
    """Keras objects, mini-batches, sine layers, and a network that stops early."""
    from keras import activations, callbacks, initializers, losses, optimizers, regularizers

    return cls(
        normalization=MinMaxScaler((-1, 1)),
        center=False,
        scale_initializer=initializers.RandomNormal(1.0, 0.1),
        scale_regularizer=regularizers.L1(1e-3),
        hidden_layer_sizes=[8, 8],
        activation=activations.leaky_relu,
        kernel_initializer=initializers.HeUniform(),
        hidden_layer="sine",
        dropout=0.1,
        loss=losses.Huber(),
        optimizer=optimizers.SGD(0.05, momentum=0.9),
        epochs=20,
        batch_size=16,
        dtype="float32",
        early_stopping=True,
        validation_fraction=0.25,
        n_iter_no_change=5,
        # One that keeps what it saw is changed by a fit, as by Keras' own.
        callbacks=[callbacks.TerminateOnNaN()],
        random_state=np.random.RandomState(7),
        verbose=1,
        target_type="continuous",
        readout="gain",
    )


def short_path(cls: type[BaseEstimator]) -> BaseEstimator:
    """A path and folds of one's own, over networks without biases."""
    return cls(
        normalization=None,
        embedding="periodic",
        hidden_layer_sizes=(8,),
        activation="tanh",
        use_bias=False,
        optimizer="nadam",
        learning_rate=0.02,
        epochs=60,
        dtype="float64",
        cv=ShuffleSplit(2, test_size=0.5, random_state=0),
        regularization_path=[0.01, 0.1, 10.0],
        # Other processes would only take longer: what they do is in tests/training.
        n_jobs=1,
        power=0.5,
        unsupervised="autoencoder",
    )


def two_layers(n_features: int, n_outputs: int, units: int = 4) -> Any:
    import keras

    hidden = keras.layers.Dense(units, "tanh")
    return keras.Sequential([hidden, keras.layers.Dense(n_outputs)])


def own_layers(cls: type[BaseEstimator]) -> BaseEstimator:
    """Layers of one's own, behind statistics of the batch."""
    return cls(
        normalization="batch",
        scale_regularizer=None,
        network=two_layers,
        network_params={"units": 6},
        learning_rate=0.03,
        epochs=60,
        batch_size=256,
        class_weight="balanced",
    )


# Manners are the same for all estimators, and so these share the work: every option is in one.
CONFIGURED = (
    (whole_table, LearnedScaleRegressor),
    (mini_batches, LearnedScaleTransformer),
    (short_path, LearnedScaleTransformer),
    (own_layers, LearnedScaleClassifier),
)

# A second fit that goes on where the first one stopped cannot do what the first one did.
NOT_CONFIGURED = {"warm_start"}

# The one check that a configuration is left out of, and why.
LEFT_OUT = {
    # A repeated row and a row of weight two are drawn into different batches and held-out sets.
    mini_batches: "check_sample_weight_equivalence_on_dense_data",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("configure", "cls", "check"),
    [
        pytest.param(configure, cls, check, id=f"{cls.__name__} {configure.__name__} {name}")
        for configure, cls in CONFIGURED
        for name, check in checks_of(cls).items()
        if name not in (*ON_SPARSE_TABLES, LEFT_OUT.get(configure))
    ],
)
def test_every_option_passes_every_check(
    configure: Callable[[type[BaseEstimator]], BaseEstimator],
    cls: type[BaseEstimator],
    check: Callable[[BaseEstimator], None],
) -> None:
    run(check, configure(cls))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_option_has_a_configuration(cls: type[BaseEstimator]) -> None:
    configured = [configure(own).get_params(deep=False) for configure, own in CONFIGURED]
    for name, parameter in inspect.signature(cls).parameters.items():
        # By their text: what may stand here need not have an equality of its own.
        values = {repr(params[name]) for params in configured if name in params}
        assert name in NOT_CONFIGURED or values - {repr(parameter.default)}, name


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_what_is_left_out_is_a_check(cls: type[BaseEstimator]) -> None:
    assert set(LEFT_OUT.values()) <= set(checks_of(cls))


def untrained(cls: type[BaseEstimator]) -> BaseEstimator:
    return cls()


def quick(cls: type[BaseEstimator]) -> BaseEstimator:
    return cls(scale_regularizer=None, hidden_layer_sizes=(4,), epochs=2)


def quick_path(cls: type[BaseEstimator]) -> BaseEstimator:
    return cls(cv=2, regularization_path=[0.0, 1.0], hidden_layer_sizes=(4,), epochs=2)


def quick_early_stopping(cls: type[BaseEstimator]) -> BaseEstimator:
    return quick(cls).set_params(early_stopping=True, n_iter_no_change=1)


# Checks that scikit-learn runs on its own estimators only, and how to have them run: names and
# frames of the output are the same after two epochs.
OWN_CHECKS = {
    "check_param_validation": (ESTIMATORS, (untrained,)),
    "check_dataframe_column_names_consistency": (
        ESTIMATORS,
        (quick, quick_path, quick_early_stopping),
    ),
    "check_inplace_ensure_writeable": (ESTIMATORS, (quick, quick_path)),
    **dict.fromkeys(
        (
            "check_get_feature_names_out_error",
            "check_global_output_transform_pandas",
            "check_global_set_output_transform_polars",
            "check_set_output_transform",
            "check_set_output_transform_pandas",
            "check_set_output_transform_polars",
            "check_transformer_get_feature_names_out",
            "check_transformer_get_feature_names_out_pandas",
        ),
        ((LearnedScaleTransformer,), (quick, quick_path)),
    ),
}


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("name", ON_SPARSE_TABLES)
def test_checks_on_sparse_tables_pass(cls: type[BaseEstimator], name: str) -> None:
    run(checks_of(cls)[name], quick(cls))


@pytest.mark.parametrize(
    ("configure", "cls", "name"),
    [
        pytest.param(configure, cls, name, id=f"{cls.__name__} {configure.__name__} {name}")
        for name, (classes, configures) in OWN_CHECKS.items()
        for cls in classes
        for configure in configures
    ],
)
def test_checks_of_scikit_learns_own_estimators_pass(
    configure: Callable[[type[BaseEstimator]], BaseEstimator],
    cls: type[BaseEstimator],
    name: str,
) -> None:
    check = getattr(estimator_checks, name)
    run(lambda estimator: check(cls.__name__, estimator), configure(cls))
