"""The units of the table decide nothing."""

from __future__ import annotations

import numpy as np
import pytest
from fitted_networks import is_float32, network_weights
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes

from skscale import LearnedScaleRegressor, LearnedScaleTransformer

X_ALL, Y_ALL = load_diabetes(return_X_y=True, scaled=False)
X, y = X_ALL[:100], Y_ALL[:100]

QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 60,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}
# Several batches an epoch, in float32.
BATCHES = {**QUICK, "batch_size": 16, "epochs": 12}
SETTINGS = pytest.mark.parametrize(
    "settings", [QUICK, SINGLE, BATCHES], ids=["path", "single", "batches"]
)

POWERS = 2.0 ** np.array([-40, -7, -1, 0, 1, 3, 10, 40, 200, -200])
FACTORS = np.array([1e-6, 3e-5, 0.0123, 1 / 3, 1.1, 7.0, 123.4, 5e3, 1e5, 1e6])
# In standard deviations of each column.
OFFSETS = np.array([100.0, -100.0, 33.3, -3.0, 0.1, 0.0, 50.0, -77.0, 10.0, 99.0])


def in_other_units(rows, reference=X):
    return (rows + OFFSETS * reference.std(axis=0)) * FACTORS


@SETTINGS
@pytest.mark.parametrize("normalization", ["standard", "minmax", "robust"])
def test_powers_of_two_change_no_prediction(settings, normalization):
    model = LearnedScaleRegressor(**settings, normalization=normalization).fit(X, y)
    other = LearnedScaleRegressor(**settings, normalization=normalization).fit(X * POWERS, y)
    assert_array_equal(other.predict(X * POWERS), model.predict(X))
    assert_array_equal(other.scale_, model.scale_ / POWERS)
    assert_array_equal(other.feature_importances_, model.feature_importances_)


@SETTINGS
@pytest.mark.parametrize("readout", ["sensitivity", "gain"])
def test_powers_of_two_change_no_transform(settings, readout):
    model = LearnedScaleTransformer(**settings, readout=readout).fit(X, y)
    other = LearnedScaleTransformer(**settings, readout=readout).fit(X * POWERS, y)
    assert_array_equal(other.transform(X * POWERS), model.transform(X))
    assert other.power_ == model.power_


@pytest.mark.parametrize("unsupervised", ["standard", "autoencoder"])
def test_powers_of_two_change_nothing_without_y(unsupervised):
    model = LearnedScaleTransformer(**SINGLE, unsupervised=unsupervised).fit(X)
    other = LearnedScaleTransformer(**SINGLE, unsupervised=unsupervised).fit(X * POWERS)
    assert_array_equal(other.transform(X * POWERS), model.transform(X))


@SETTINGS
def test_powers_of_two_of_the_target_are_those_of_the_prediction(settings):
    model = LearnedScaleRegressor(**settings).fit(X, y)
    other = LearnedScaleRegressor(**settings).fit(X, y * 2.0**-30)
    assert_array_equal(other.predict(X), model.predict(X) * 2.0**-30)


@SETTINGS
def test_other_units_hardly_change_a_prediction(settings):
    model = LearnedScaleRegressor(**settings).fit(X, y)
    rows = in_other_units(X)
    other = LearnedScaleRegressor(**settings).fit(rows, y)
    # Normalized inputs agree to some 1e-14 and are then rounded to float32: they differ only
    # where this crosses a rounding border, and a training makes little of it.
    assert_allclose(other.predict(rows), model.predict(X), rtol=0, atol=1e-3 * y.std())


def test_other_units_leave_the_training_the_same_to_the_bit():
    # Inputs and targets are rounded to float32 in float64 training too; no value of this table
    # lies so close to a rounding border that the last digits of the units decide.
    model = LearnedScaleRegressor(**SINGLE).fit(X, y)
    other = LearnedScaleRegressor(**SINGLE).fit(X * FACTORS, y * 0.3)
    (weights,), (same,) = network_weights(model), network_weights(other)
    assert not is_float32(weights)
    for array, equal in zip(weights, same, strict=True):
        assert_array_equal(equal, array)


@SETTINGS
def test_other_units_of_the_target_hardly_change_a_prediction(settings):
    model = LearnedScaleRegressor(**settings).fit(X, y)
    other = LearnedScaleRegressor(**settings).fit(X, (y + 100 * y.std()) * 1e-6)
    back = other.predict(X) * 1e6 - 100 * y.std()
    assert_allclose(back, model.predict(X), rtol=0, atol=1e-3 * y.std())


def test_other_units_hardly_change_a_transform():
    model = LearnedScaleTransformer(**QUICK, power=1.0).fit(X, y)
    rows = in_other_units(X)
    other = LearnedScaleTransformer(**QUICK, power=1.0).fit(rows, y)
    assert_allclose(other.transform(rows), model.transform(X), rtol=0, atol=1e-3)


@pytest.mark.slow
def test_default_fit_is_free_of_units():
    model = LearnedScaleRegressor(random_state=0).fit(X_ALL, Y_ALL)
    powers = LearnedScaleRegressor(random_state=0).fit(X_ALL * POWERS, Y_ALL)
    assert_array_equal(powers.predict(X_ALL * POWERS), model.predict(X_ALL))
    rows = in_other_units(X_ALL, X_ALL)
    other = LearnedScaleRegressor(random_state=0).fit(rows, Y_ALL)
    assert_allclose(other.predict(rows), model.predict(X_ALL), rtol=0, atol=1e-3 * Y_ALL.std())
