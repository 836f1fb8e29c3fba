"""An output that cannot reach the targets is met with the pair that fits."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest

from skscale import LearnedScaleRegressor
from skscale._keras.options import keras_names
from skscale._target.checks import OUTPUT_RANGES, warn_of_targets_out_of_range

_random = np.random.default_rng(0)
X = _random.normal(size=(40, 3))
y = 3.0 + X[:, 0]
ONES = np.ones(40)


@pytest.mark.parametrize("name", keras_names("activations"))
def test_ranges_are_those_of_keras_functions(name):
    function = keras.activations.get(name)
    # The function's own name: Keras has two for some.
    low, high = OUTPUT_RANGES.get(keras.activations.serialize(function), (-np.inf, np.inf))
    grid = np.linspace(-200, 200, 100_001)
    rows = np.stack([grid, np.zeros_like(grid)], axis=1)
    with np.errstate(over="ignore"):
        values = np.asarray(function(keras.ops.convert_to_tensor(rows, "float64")))[:, 0]
    assert low <= values.min()
    assert values.max() <= high
    # The bounds are near: limits are approached, and dips rounded outwards by a hundredth.
    assert values.min() < (low + 0.01 if np.isfinite(low) else -1)
    assert values.max() > (high - 0.01 if np.isfinite(high) else 100)


def fit(output_activation, target_normalization, target=y, sample_weight=None):
    """Fit for one step; a scaling layer and an output are network enough."""
    LearnedScaleRegressor(
        scale_regularizer=None,
        hidden_layer_sizes=(),
        epochs=1,
        random_state=0,
        output_activation=output_activation,
        target_normalization=target_normalization,
    ).fit(X, target, sample_weight)


def warned(output_activation, target_normalization, targets, sample_weight=ONES):
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        warn_of_targets_out_of_range(
            output_activation, targets[:, np.newaxis], sample_weight, target_normalization
        )
    return [str(warning.message) for warning in record]


NORMALIZED = {
    "standard": (y - y.mean()) / y.std(),
    "minmax": (y - y.min()) / np.ptp(y),
    "minmax_symmetric": 2 * (y - y.min()) / np.ptp(y) - 1,
    "maxabs": y / y.max(),
    None: y,
}
IMPOSSIBLE = [
    ("sigmoid", "standard", "target_normalization='minmax' or output_activation='linear'"),
    ("sigmoid", "minmax_symmetric", "target_normalization='minmax' or"),
    ("hard_sigmoid", None, "target_normalization='minmax' or"),
    ("tanh", "standard", "target_normalization='minmax_symmetric' or"),
    ("tanh", None, "target_normalization='minmax_symmetric' or"),
    ("softsign", "standard", "target_normalization='minmax_symmetric' or"),
    ("relu", "standard", "target_normalization='minmax' or"),
    ("softplus", "standard", "target_normalization='minmax' or"),
    ("relu6", "standard", "reach them. Use output_activation='linear'."),
    ("log_sigmoid", "standard", "reach them. Use output_activation='linear'."),
    ("elu", "standard", "reach them. Use output_activation='linear'."),
    ("silu", "standard", "reach them. Use output_activation='linear'."),
]
POSSIBLE = [
    ("sigmoid", "minmax"),
    ("sigmoid", "maxabs"),
    ("tanh", "minmax"),
    ("tanh", "minmax_symmetric"),
    ("relu", "minmax"),
    ("relu", None),
    ("relu6", None),
    ("softplus", "maxabs"),
    ("linear", "standard"),
    ("leaky_relu", "standard"),
    ("elu", "minmax_symmetric"),
    ("silu", "minmax"),
]


@pytest.mark.parametrize(("activation", "normalization", "advice"), IMPOSSIBLE)
def test_an_impossible_pair_is_met_with_what_to_use(activation, normalization, advice):
    (message,) = warned(activation, normalization, NORMALIZED[normalization])
    low, _ = OUTPUT_RANGES[activation]
    assert message.startswith(f"output_activation={activation!r} gives values between {low:g} and")
    assert f"under target_normalization={normalization!r} the targets lie between" in message
    assert advice in message
    # What is advised is possible.
    for advised in ("minmax", "minmax_symmetric"):
        if f"{advised!r}" in advice:
            assert not warned(activation, advised, NORMALIZED[advised])


@pytest.mark.parametrize(("activation", "normalization"), POSSIBLE)
def test_a_possible_pair_is_silent(activation, normalization):
    assert not warned(activation, normalization, NORMALIZED[normalization])


@pytest.mark.parametrize(
    "activation",
    [
        keras.activations.sigmoid,
        "hard_swish",
        keras.saving.serialize_keras_object(keras.layers.LeakyReLU()),
    ],
    ids=["function", "other name", "config"],
)
def test_any_form_of_an_activation_is_known(activation):
    is_known = not isinstance(activation, dict)
    assert bool(warned(activation, "standard", NORMALIZED["standard"])) == is_known


def test_targets_of_no_weight_and_rounding_are_passed_over():
    targets = NORMALIZED["minmax"] * (1 + 1e-7)
    targets[7] = 20.0
    assert warned("sigmoid", "minmax", targets)
    assert not warned("sigmoid", "minmax", targets, np.where(np.arange(40) == 7, 0.0, 1.0))


def test_fit_warns_once_and_goes_on():
    with pytest.warns(UserWarning, match="the network cannot reach them") as record:
        fit("sigmoid", "standard")
    assert len(record) == 1
    fit("sigmoid", "minmax")
