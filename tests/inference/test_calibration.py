"""Probabilities follow from outputs exactly, and one temperature makes them mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax

from skscale._inference.calibration import (
    TemperatureScaledLogLoss,
    average_log_probabilities,
    fit_temperature,
    log_probabilities,
    tempered,
)

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 3, (50, 3))
LOGIT = RANDOM.normal(0, 3, (50, 1))


def cross_entropy(log_p, codes, weights):
    return -np.average(log_p[np.arange(len(codes)), codes], weights=weights)


def overconfident(n_rows=400, n_classes=3, excess=3.0):
    """Logarithms of probabilities that are too sure by a factor in their logits, and classes."""
    random = np.random.default_rng(1)
    logits = random.normal(0, 1.5, (n_rows, n_classes))
    codes = (softmax(logits, axis=1).cumsum(axis=1) < random.uniform(size=(n_rows, 1))).sum(axis=1)
    weights = random.uniform(0.1, 3, n_rows)
    return log_probabilities(excess * logits, from_logits=True), codes, weights


# Probabilities


@pytest.mark.parametrize("from_logits", [True, False], ids=["logits", "probabilities"])
def test_probabilities_are_those_of_softmax_and_sigmoid(from_logits):
    p, p1 = softmax(LOGITS, axis=1), expit(LOGIT)
    several = log_probabilities(LOGITS if from_logits else p, from_logits=from_logits)
    two = log_probabilities(LOGIT if from_logits else p1, from_logits=from_logits)
    # Rounding of a few operations; 1 - p1 keeps fewer digits where p1 is near 1.
    assert_allclose(np.exp(several), p, rtol=1e-13)
    assert_allclose(np.exp(two), np.concatenate([1 - p1, p1], axis=1), rtol=1e-11)


def test_logarithms_are_exact_where_probabilities_vanish():
    assert_allclose(
        log_probabilities(np.array([[-1000.0], [1000.0]]), from_logits=True),
        [[0.0, -1000.0], [-1000.0, 0.0]],
    )
    assert_allclose(
        log_probabilities(np.array([[2000.0, 0.0, -5.0]]), from_logits=True),
        [[0.0, -2000.0, -2005.0]],
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_saturated_probabilities_are_known_to_rounding(n_outputs, dtype):
    outputs = np.eye(n_outputs, dtype=dtype) if n_outputs > 1 else np.array([[0.0], [1.0]], dtype)
    log_p = log_probabilities(outputs, from_logits=False)
    # A sigmoid or softmax gives 0 and 1 for all that is less than the rounding away from them.
    expected = np.log(np.finfo(dtype).eps)
    assert_allclose(log_p.min(axis=1), expected, rtol=1e-6)
    assert log_p.max() <= 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("from_logits", [True, False], ids=["logits", "probabilities"])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_dtype_is_kept(dtype, from_logits, n_outputs):
    outputs = np.full((4, n_outputs), 0.3, dtype)
    networks = [outputs, outputs]
    log_p = average_log_probabilities(networks, from_logits=from_logits, temperature=1.7)
    assert log_p.dtype == dtype
    assert log_p.shape == (4, max(2, n_outputs))


# The average


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_average_is_that_of_probabilities(temperature):
    networks = [LOGITS, LOGITS[::-1], 2 * LOGITS]
    log_p = average_log_probabilities(networks, from_logits=True, temperature=temperature)
    expected = np.mean([softmax(z / temperature, axis=1) for z in networks], axis=0)
    # Rounding of logarithms of some -10 and of a sum.
    assert_allclose(np.exp(log_p), expected, rtol=1e-13)


def test_average_of_one_network_is_its_own():
    own = log_probabilities(LOGITS, from_logits=True)
    assert_array_equal(
        average_log_probabilities(iter([LOGITS]), from_logits=True, temperature=1.0), own
    )


def test_average_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no networks to average"):
        average_log_probabilities([], from_logits=True, temperature=1.0)


# The temperature


def test_temperature_divides_logits():
    log_p = log_probabilities(LOGIT, from_logits=True)
    softened = np.exp(tempered(log_p, 4.0))
    # The logarithm of odds near zero and one loses digits.
    assert_allclose(logit(softened[:, 1]), LOGIT[:, 0] / 4, rtol=1e-12)
    assert tempered(log_p, 1.0) is log_p


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_temperature_is_the_one_of_least_weighted_cross_entropy(n_classes):
    log_p, codes, weights = overconfident(n_classes=n_classes)
    temperature = fit_temperature(log_p, codes, weights)
    best = minimize_scalar(
        lambda t: cross_entropy(tempered(log_p, t), codes, weights),
        bounds=(1, 20),
        method="bounded",
        options={"xatol": 1e-9},
    )
    # A minimum found by its values is known to the root of their rounding.
    assert temperature == pytest.approx(best.x, rel=1e-6)
    # Outputs are three times too sure; 400 rows tell to some ten percent.
    assert temperature == pytest.approx(3.0, rel=0.2)


def test_weight_of_two_is_a_row_given_twice():
    log_p, codes, _ = overconfident()
    counts = np.random.default_rng(2).integers(0, 4, len(codes))
    rows = np.random.default_rng(3).permutation(np.repeat(np.arange(len(codes)), counts))
    weighted = fit_temperature(log_p, codes, counts.astype(float))
    repeated = fit_temperature(log_p[rows], codes[rows], np.ones(len(rows)))
    # Two orders of one sum.
    assert weighted == pytest.approx(repeated, rel=1e-12)


@pytest.mark.parametrize("factor", [1e-300, 1e200, 1e300])
def test_weights_times_a_constant_give_the_same_temperature(factor):
    log_p, codes, weights = overconfident()
    # The products are rounded once each.
    expected = pytest.approx(fit_temperature(log_p, codes, weights), rel=1e-12)
    assert fit_temperature(log_p, codes, weights * factor) == expected


def test_probabilities_are_never_sharpened():
    unsure, codes, weights = overconfident(excess=0.2)
    assert fit_temperature(unsure, codes, weights) == 1.0
    # All right: without a bound ever sharper probabilities would be ever better.
    right = log_probabilities(LOGITS, from_logits=True)
    assert fit_temperature(right, right.argmax(axis=1), np.ones(len(right))) == 1.0


@pytest.mark.parametrize("size", [1.0, 1e-3])
def test_temperature_is_bounded_where_nothing_is_right(size):
    wrong = log_probabilities(size * LOGITS, from_logits=True)
    assert fit_temperature(wrong, wrong.argmin(axis=1), np.ones(len(wrong))) == 100.0


def test_infinite_outputs_leave_the_temperature_alone():
    log_p = np.array([[-np.inf, 0.0], [np.nan, np.nan]])
    assert fit_temperature(log_p, np.array([0, 1]), np.ones(2)) == 1.0


# Held-out losses


@pytest.mark.parametrize("from_logits", [True, False], ids=["logits", "probabilities"])
def test_held_out_losses_are_calibrated_over_all_folds(from_logits):
    log_p, codes, weights = overconfident()
    outputs = log_p if from_logits else np.exp(log_p)
    folds = [np.arange(0, 400, 2), np.arange(1, 200, 2), np.arange(201, 400, 2)]
    held_out = TemperatureScaledLogLoss(codes, from_logits)
    losses, temperature = held_out.losses([outputs[rows] for rows in folds], folds, weights)
    assert [len(own) for own in losses] == [200, 100, 100]
    # Two orders of one sum.
    assert temperature == pytest.approx(fit_temperature(log_p, codes, weights), rel=1e-9)
    for own, rows in zip(losses, folds, strict=True):
        expected = -tempered(log_p, temperature)[rows, codes[rows]]
        assert_allclose(own, expected, rtol=1e-9, atol=1e-12)
