"""Normalizations: the criteria and their formulas, scikit-learn's scalers, hard data."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from skscale._normalization.criteria import NORMALIZATIONS
from skscale._normalization.fit import fit_normalization
from skscale._normalization.sample_weight import drop_zero_weights
from skscale._normalization.statistics import ColumnStatistics

N_SAMPLES = 37


def positive_data(seed: int = 0, n_samples: int = N_SAMPLES) -> np.ndarray:
    """Skewed columns of positive mean, so that every criterion is defined."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(2.0, size=(n_samples, 5)) * [1.0, 10.0, 1e-3, 1e4, 1.0]
    X[:, 0] -= 0.5
    return X


def whole_weights(seed: int = 0, n_samples: int = N_SAMPLES) -> np.ndarray:
    """Whole weights with zeros among them."""
    return np.random.default_rng(seed).integers(0, 4, size=n_samples)


def kurtosis(x):
    return scipy.stats.kurtosis(x, axis=0, fisher=False)


def interquartile(x):
    return np.quantile(x, 0.75, axis=0) - np.quantile(x, 0.25, axis=0)


def deviation(x):
    return np.median(np.abs(x - np.median(x, axis=0)), axis=0)


MEAN, MIN, MAX = (lambda x: x.mean(0)), (lambda x: x.min(0)), (lambda x: x.max(0))
MEDIAN, ZERO = (lambda x: np.median(x, axis=0)), (lambda x: np.zeros(x.shape[1]))

# The published formulas: name -> (center, divisor) of a table of repeated rows.
FORMULAS = {
    "standard": (MEAN, lambda x: x.std(0)),
    "pareto": (MEAN, lambda x: np.sqrt(x.std(0))),
    "vast": (MEAN, lambda x: x.var(0) / x.mean(0)),
    "range": (MEAN, lambda x: np.ptp(x, axis=0)),
    "minmax": (MIN, lambda x: np.ptp(x, axis=0)),
    "minmax_symmetric": (lambda x: (x.max(0) + x.min(0)) / 2, lambda x: np.ptp(x, axis=0) / 2),
    "level": (MEAN, MEAN),
    "max": (MEAN, MAX),
    "maxabs": (ZERO, lambda x: np.abs(x).max(0)),
    "robust": (MEDIAN, interquartile),
    "mad": (MEDIAN, lambda x: 1.4826 * deviation(x)),
    "variance": (MEAN, lambda x: x.var(0)),
    "median": (MEAN, MEDIAN),
    "poisson": (MEAN, lambda x: np.sqrt(x.mean(0))),
    "rms": (ZERO, lambda x: np.sqrt((x**2).mean(0))),
    "l2": (MEAN, lambda x: np.linalg.norm(x, axis=0)),
    "vast_2": (MEAN, lambda x: x.var(0) * kurtosis(x) ** 2 / x.mean(0)),
    "vast_3": (MEAN, lambda x: x.var(0) * kurtosis(x) ** 2 / x.max(0)),
    "vast_4": (MEAN, lambda x: x.var(0) * kurtosis(x) ** 2 / np.ptp(x, axis=0)),
}


def test_registry_holds_the_published_criteria_in_order():
    assert set(NORMALIZATIONS) == set(FORMULAS)
    assert list(NORMALIZATIONS) == sorted(NORMALIZATIONS)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", FORMULAS)
def test_criterion_is_its_formula_and_weights_are_repetition(name, weighted):
    X = positive_data()
    weights = whole_weights() if weighted else None
    repeated = np.repeat(X, weights, axis=0) if weighted else X
    center, divisor = FORMULAS[name]
    affine = fit_normalization(name, X, weights)
    # Sums of a hundred numbers in another order; the fourth moments lose another digit.
    np.testing.assert_allclose(affine.center, center(repeated), rtol=1e-12, atol=0)
    np.testing.assert_allclose(affine.scale, 1 / divisor(repeated), rtol=1e-12, atol=0)
    np.testing.assert_array_equal(affine.shift, 0.0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "normalization",
    [
        *FORMULAS,
        StandardScaler(),
        MinMaxScaler((1, 3)),
        MaxAbsScaler(),
        RobustScaler(),
        make_pipeline(RobustScaler(), MinMaxScaler()),
    ],
)
def test_each_feature_is_normalized_by_the_values_that_it_has(normalization, weighted):
    X, weights = positive_data(), whole_weights() if weighted else np.ones(N_SAMPLES)
    X[::3, 1] = X[5:20, 2] = X[:, 4] = np.nan
    affine = fit_normalization(normalization, X, weights)
    for j in range(4):
        kept = ~np.isnan(X[:, j])
        expected = fit_normalization(normalization, X[kept, j : j + 1], weights[kept])
        for field in ("center", "scale", "shift"):
            # Sums in another order, and fourth powers of them.
            actual, other = getattr(affine, field)[j], getattr(expected, field)[0]
            np.testing.assert_allclose(actual, other, rtol=1e-12, err_msg=field)
    # Without any value a feature has the scale of a constant one.
    assert affine.center[4] == 0
    assert np.isfinite(affine.scale[4])


class MeanScaler(TransformerMixin, BaseEstimator):
    """Does not leave out NaN."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return X - self.mean_


@pytest.mark.parametrize("scaler", [Normalizer(), MeanScaler()])
def test_a_transformer_that_does_not_leave_out_nan_is_refused(scaler):
    X = positive_data()
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"does not leave out NaN, which X contains.*Imputer"):
        fit_normalization(scaler, X)


@pytest.mark.parametrize("name", ["vast", "level", "max", "median"])
def test_divisor_is_taken_without_its_sign(name):
    X = -positive_data() - 1.0
    expected = 1 / np.abs(FORMULAS[name][1](X))
    # One division more than the formula.
    np.testing.assert_allclose(fit_normalization(name, X).scale, expected, rtol=1e-12)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_weights_of_one_are_no_weights_and_memory_order_does_not_matter(name):
    X = positive_data()
    expected = fit_normalization(name, X)
    for affine in (
        fit_normalization(name, X, np.ones(len(X))),
        fit_normalization(name, np.asfortranarray(X)),
        fit_normalization(name, np.repeat(X, 2, axis=0)[::2]),
    ):
        np.testing.assert_array_equal(affine.center, expected.center)
        np.testing.assert_array_equal(affine.scale, expected.scale)


@pytest.mark.parametrize("name", sorted(set(NORMALIZATIONS) - {"l2"}))
def test_the_unit_of_small_weights_does_not_matter(name):
    # Not l2, a sum over the rows. From weights below one on, one row is the mean weight.
    X, weights = positive_data(), np.random.default_rng(1).uniform(0.1, 1.0, size=N_SAMPLES)
    affine = fit_normalization(name, X, weights)
    for factor in (1e-6, 1.0 / weights.sum()):
        other = fit_normalization(name, X, weights * factor)
        # Rounding of the weights.
        np.testing.assert_allclose(other.center, affine.center, rtol=1e-12)
        np.testing.assert_allclose(other.scale, affine.scale, rtol=1e-12)


@pytest.mark.parametrize("degree", [("standard", 1), ("pareto", 0.5), ("variance", 2)])
@pytest.mark.parametrize("exponent", [-8, 2, 60, 400])
def test_powers_of_two_scale_the_map_exactly(degree, exponent):
    (name, degree) = degree
    X = positive_data()
    expected, affine = fit_normalization(name, X), fit_normalization(name, np.ldexp(X, exponent))
    np.testing.assert_array_equal(affine.center, np.ldexp(expected.center, exponent))
    np.testing.assert_array_equal(affine.scale, np.ldexp(expected.scale, -round(degree * exponent)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", sorted(set(NORMALIZATIONS) - {"pareto", "poisson", "variance"}))
def test_powers_of_two_leave_the_normalized_data_the_same_to_the_bit(name, weighted):
    # Not the three whose result depends on the units by definition.
    X, weights = positive_data(), whole_weights() if weighted else None
    exponents = np.array([-900, -1, 0, 3, 900])
    expected = fit_normalization(name, X, weights).apply(X)
    scaled = np.ldexp(X, exponents)
    np.testing.assert_array_equal(fit_normalization(name, scaled, weights).apply(scaled), expected)


@pytest.mark.parametrize("magnitude", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("name", sorted(set(NORMALIZATIONS) - {"pareto", "poisson", "variance"}))
def test_extreme_magnitudes_are_normalized_like_ordinary_ones(name, magnitude):
    X = positive_data()[:, [0, 4]]
    expected = fit_normalization(name, X).apply(X)
    affine = fit_normalization(name, X * magnitude)
    # X * magnitude is rounded; the fourth moments multiply that by some tens.
    np.testing.assert_allclose(affine.apply(X * magnitude), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["pareto", "poisson"])
@pytest.mark.parametrize("magnitude", [1e-300, 1e300])
def test_roots_of_extreme_magnitudes_are_finite(name, magnitude):
    X = positive_data()[:, [0, 4]]
    scale = fit_normalization(name, X).scale / np.sqrt(magnitude)
    # A product more than the formula.
    np.testing.assert_allclose(fit_normalization(name, X * magnitude).scale, scale, rtol=1e-12)


@pytest.mark.parametrize("magnitude", [1e-300, 1e300])
def test_variance_that_is_no_float64_is_refused(magnitude):
    with pytest.raises(ValueError, match="feature 1: its variance is beyond float64"):
        fit_normalization("variance", positive_data()[:, [0, 4]] * [1.0, magnitude])


def test_range_that_overflows_is_refused():
    with pytest.raises(ValueError, match=r"feature 0: its divisor overflows.*'standard'"):
        fit_normalization("range", [[-1.7e308], [1.7e308]])
    X = np.array([[-1.7e308], [1.7e308]])
    # The standard deviation and its reciprocal are rounded.
    np.testing.assert_allclose(
        fit_normalization("standard", X).apply(X), [[-1.0], [1.0]], rtol=1e-15
    )


def test_subnormal_divisor_gives_a_finite_map():
    X = np.array([[0.0], [1e-310]])
    affine = fit_normalization("standard", X)
    assert np.isfinite(affine.scale).all()
    assert np.ptp(affine.apply(X)) > 0.0


@pytest.mark.parametrize("name", ["standard", "minmax", "robust", "mad", "range"])
def test_far_offsets_keep_their_digits(name):
    # 1e9 standard deviations; X holds 7 digits of the variation, on a grid that 1e9 keeps exactly.
    x = np.round(np.random.default_rng(0).normal(size=(N_SAMPLES, 1)) * 2**20) / 2**20
    near, far = (fit_normalization(name, X).apply(X) for X in (x, x + 1e9))
    # The centre is rounded to 1e-7.
    np.testing.assert_allclose(far, near, rtol=0, atol=2e-7)


CONSTANTS = np.full(N_SAMPLES, 0.1), np.zeros(N_SAMPLES), np.full(N_SAMPLES, -3e300)


@pytest.mark.parametrize("weight", [None, 1.0, 1e-9])
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_constant_features_get_scale_one_and_are_never_undefined(name, weight):
    noise = 1e9 + np.random.default_rng(0).integers(0, 2, size=N_SAMPLES) * 1.2e-7
    X = np.column_stack([*CONSTANTS, noise, positive_data()[:, 0]])
    assert 0 < np.ptp(noise) < 1e-6
    rng = np.random.default_rng(1)
    weights = None if weight is None else weight * rng.uniform(0.1, 3.0, size=N_SAMPLES)
    affine = fit_normalization(name, X, weights)
    np.testing.assert_array_equal(affine.scale[:4], 1.0)
    assert affine.scale[4] != 1.0
    centered = name not in ("maxabs", "rms")
    # The rounding of the mean of the noisy column; all others are exact to their own rounding.
    expected = X[0, :4] if centered else np.zeros(4)
    np.testing.assert_allclose(affine.center[:4], expected, rtol=1e-15, atol=0)


def test_constant_features_are_those_of_standard_scaler():
    rng = np.random.default_rng(0)
    # Relative widths around the bound of its rounding, n * eps = 8e-15.
    widths = np.geomspace(1e-18, 1e-10, 60)
    X = 1.0 + widths * rng.uniform(-1.0, 1.0, size=(N_SAMPLES, 60))
    for weights in (None, rng.integers(1, 4, size=N_SAMPLES).astype(float)):
        # Of a mean weight of one: its bound grows with their sum, ours with the number of rows.
        scaler = StandardScaler().fit(
            X, sample_weight=None if weights is None else weights / weights.mean()
        )
        constant = ColumnStatistics(X, weights).is_constant
        np.testing.assert_array_equal(constant, scaler.scale_ == 1.0)
        assert 0 < constant.sum() < 60


def test_zero_divisors_of_varying_features_become_one():
    X = np.array([[0.0]] * 9 + [[1.0]])
    for name in ("robust", "mad", "median"):
        assert fit_normalization(name, X).scale == 1.0
    assert fit_normalization("max", -X).scale == 1.0


def test_interquartile_range_of_rounding_noise_counts_as_zero():
    x = np.array([[0.3], [0.1 + 0.2]] * 10 + [[5.0]])
    assert fit_normalization("robust", x).scale == 1.0
    assert fit_normalization("mad", x).scale == 1.0


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("poisson", [-3.0, 1.0], r"feature 1: the square root.*Use 'standard' or 'pareto'"),
        ("poisson", [-1.0, 1.0], r"feature 1: the square root"),
        ("level", [-1.0, 1.0], r"feature 1: its mean is zero. Use 'standard' or 'range'"),
        ("vast", [-0.1 * 3, 0.1 + 0.2], r"feature 1: its mean is zero"),
        ("vast_2", [-1.0, 1.0], r"feature 1: its mean is zero"),
        ("vast_3", [-1.0, 0.0], r"feature 1: its maximum is zero. Use 'vast_4'"),
    ],
)
def test_undefined_criterion_is_refused_with_an_alternative(name, column, message):
    X = np.column_stack([[1.0, 2.0], column])
    with pytest.raises(ValueError, match=f"normalization='{name}' is undefined for {message}"):
        fit_normalization(name, X)


def test_undefined_criterion_names_the_features():
    X = [[0.0, 1.0, -1.0], [1.0, -1.0, 1.0]]
    with pytest.raises(ValueError, match=r"feature 'speed' \(and 1 more\): its mean is zero"):
        fit_normalization("level", X, feature_names=["age", "speed", "drift"])


def test_none_is_the_identity():
    X = positive_data()
    np.testing.assert_array_equal(fit_normalization(None, X).apply(X), X)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standard_is_standard_scaler(dtype, weighted):
    X = positive_data().astype(dtype)
    weights = np.random.default_rng(0).uniform(0.1, 3.0, size=N_SAMPLES) if weighted else None
    X64 = X.astype(np.float64)
    scaler = StandardScaler().fit(X64, sample_weight=weights)
    affine = fit_normalization("standard", X, weights)
    # Both are double precision, with sums in another order.
    np.testing.assert_allclose(affine.center, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(1 / affine.scale, scaler.scale_, rtol=1e-12)
    np.testing.assert_allclose(affine.apply(X64), scaler.transform(X64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "scaler"),
    [("minmax", MinMaxScaler()), ("robust", RobustScaler()), ("maxabs", MaxAbsScaler())],
)
def test_names_agree_with_scikit_learn(name, scaler):
    X = positive_data()
    # A few rounding errors.
    np.testing.assert_allclose(
        fit_normalization(name, X).apply(X), scaler.fit_transform(X), rtol=1e-12, atol=1e-12
    )


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    StandardScaler(with_mean=False, with_std=False),
    StandardScaler(copy=False),
    MinMaxScaler(),
    MinMaxScaler(feature_range=(-1, 3)),
    RobustScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(with_scaling=False),
    RobustScaler(quantile_range=(10.0, 80.0), unit_variance=True),
    MaxAbsScaler(),
    make_pipeline(StandardScaler(copy=False), MinMaxScaler(copy=False)),
    ColumnTransformer([("a", MaxAbsScaler(), [0, 1]), ("b", StandardScaler(), [2, 3, 4, 5])]),
    FunctionTransformer(),
    FunctionTransformer(lambda X: 3.0 * X + 1.0),
]


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda s: type(s).__name__)
def test_scaler_instance_gives_its_own_map_and_is_left_alone(scaler):
    X = np.column_stack([positive_data(), np.full(N_SAMPLES, 7.0)])
    before, state = X.copy(), dict(vars(scaler))
    affine = fit_normalization(scaler, X)
    np.testing.assert_array_equal(X, before)
    assert vars(scaler) == state
    points = np.concatenate([X, 100.0 * X, -X])
    expected = np.asarray(clone(scaler).fit(X).transform(points.copy()))
    # A few rounding errors of numbers of size 100.
    np.testing.assert_allclose(affine.apply(points), expected, rtol=1e-12, atol=1e-11)


def test_data_frame_output_of_a_scaler_is_no_obstacle():
    X = positive_data()
    expected = fit_normalization(StandardScaler(), X).apply(X)
    scaler = StandardScaler().set_output(transform="pandas")
    np.testing.assert_array_equal(fit_normalization(scaler, X).apply(X), expected)
    with config_context(transform_output="pandas"):
        np.testing.assert_array_equal(fit_normalization(StandardScaler(), X).apply(X), expected)


def test_scaler_gets_the_weights_that_its_fit_takes():
    X, weights = positive_data(), whole_weights()
    repeated = np.repeat(X, weights, axis=0)
    affine = fit_normalization(StandardScaler(), X, weights)
    # Sums in another order.
    np.testing.assert_allclose(
        affine.apply(X), StandardScaler().fit(repeated).transform(X), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("scaler", [MinMaxScaler(), RobustScaler(), MaxAbsScaler()])
def test_scaler_without_weights_sees_no_row_of_weight_zero(scaler):
    X = np.concatenate([positive_data(), [[1e6] * 5]])
    weights = np.r_[np.full(N_SAMPLES, 2.0), 0.0]
    affine, expected = fit_normalization(scaler, X, weights), fit_normalization(scaler, X[:-1])
    np.testing.assert_array_equal(affine.center, expected.center)
    np.testing.assert_array_equal(affine.scale, expected.scale)


@pytest.mark.parametrize(
    ("scaler", "magnitude"),
    [
        (StandardScaler(), 1e-300),
        *[
            (s, m)
            for s in (MinMaxScaler(), RobustScaler(), MaxAbsScaler())
            for m in (1e-300, 1e300)
        ],
    ],
)
def test_scaler_instances_take_extreme_columns_as_scikit_learn_does(scaler, magnitude):
    X = positive_data() * magnitude
    affine = fit_normalization(scaler, X)
    with np.errstate(all="ignore"):
        expected = clone(scaler).fit_transform(X)
    # Some rounding errors of the largest number.
    np.testing.assert_allclose(
        affine.apply(X), expected, rtol=1e-9, atol=1e-14 * np.abs(expected).max()
    )


def test_scaler_that_overflows_is_refused_with_an_alternative():
    # scikit-learn squares the residuals and gives NaN.
    with pytest.raises(
        ValueError, match=r"StandardScaler\(\) overflows .* a name such as 'standard'"
    ):
        fit_normalization(StandardScaler(), positive_data() * 1e300)


def test_rounding_of_a_far_offset_inside_a_scaler_does_not_count_as_a_curve():
    # At 1e12 standard deviations MinMaxScaler's own x * scale + min is wrong by 1e-4.
    X = np.random.default_rng(0).normal(size=(N_SAMPLES, 1)) + 1e12
    assert fit_normalization(MinMaxScaler(), X).center == X.min()


@pytest.mark.parametrize("low", [1e13, -1e13])
def test_rounding_of_a_far_range_of_a_scaler_does_not_count_as_a_curve(low):
    # Its own x * scale + min is wrong by up to 2e-3 there, on a range of one.
    affine = fit_normalization(MinMaxScaler((low, low + 1.0)), positive_data())
    np.testing.assert_array_equal(affine.shift, low)


class Winsorizer(TransformerMixin, BaseEstimator):
    """A standardizer that clips four widths away from its data."""

    def fit(self, X, y=None):
        self.mean_, self.width_ = X.mean(axis=0), np.ptp(X, axis=0)
        return self

    def transform(self, X):
        return np.clip((X - self.mean_) / self.width_, -4.0, 4.0)


@pytest.mark.parametrize(
    "scaler",
    [
        QuantileTransformer(n_quantiles=10),
        QuantileTransformer(n_quantiles=10, output_distribution="normal"),
        PowerTransformer(),
        PowerTransformer(method="box-cox"),
        Normalizer(),
        MinMaxScaler(clip=True),
        PCA(),
        SplineTransformer(),
        FunctionTransformer(np.log1p),
        make_pipeline(StandardScaler(), PowerTransformer()),
        ColumnTransformer([("a", MaxAbsScaler(), [1]), ("b", StandardScaler(), [0, 2, 3, 4])]),
        Winsorizer(),
    ],
    ids=lambda s: type(s).__name__,
)
def test_transformer_that_is_not_affine_is_refused(scaler):
    X = positive_data() + 1.0
    with pytest.raises(ValueError, match="is not an affine map of each feature") as raised:
        fit_normalization(scaler, X)
    assert type(scaler).__name__ in str(raised.value)
    assert "RobustScaler()" in str(raised.value)


def test_clipping_maxabs_scaler_is_refused_where_scikit_learn_has_it():
    scaler = MaxAbsScaler()
    if "clip" in scaler.get_params():
        with pytest.raises(ValueError, match="not an affine map"):
            fit_normalization(scaler.set_params(clip=True), positive_data())


@pytest.mark.parametrize(
    ("name", "hint"),
    [("STANDARD", "Did you mean 'standard'"), ("min_max", "Did you mean 'minmax'"), ("?", "")],
)
def test_unknown_name_is_refused_with_the_allowed_ones(name, hint):
    with pytest.raises(ValueError, match="is unknown") as raised:
        fit_normalization(name, positive_data())
    assert hint in str(raised.value)
    assert ("Did you mean" in str(raised.value)) == bool(hint)
    assert ", ".join(sorted(NORMALIZATIONS)) in str(raised.value)


@pytest.mark.parametrize("normalization", [StandardScaler, 3, object(), ["standard"]])
def test_other_types_are_refused(normalization):
    with pytest.raises(TypeError, match="None, a name or an instance"):
        fit_normalization(normalization, positive_data())


@pytest.mark.parametrize("q", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_weighted_quantiles_are_those_of_repeated_rows(q, seed):
    X, weights = positive_data(seed).round(1), whole_weights(seed)
    expected = np.quantile(np.repeat(X, weights, axis=0), q, axis=0)
    # The same interpolation, with one product more.
    np.testing.assert_allclose(ColumnStatistics(X, weights).quantiles([q])[0], expected, rtol=1e-12)


@pytest.mark.parametrize("weight", [1.0 / N_SAMPLES, 0.37])
def test_equal_small_weights_give_the_plain_quantiles(weight):
    X, q = positive_data(), [0.0, 0.1, 0.25, 0.5, 0.9, 1.0]
    actual = ColumnStatistics(X, np.full(N_SAMPLES, weight)).quantiles(q)
    # The sum of the weights is rounded.
    np.testing.assert_allclose(actual, np.quantile(X, q, axis=0), rtol=1e-12)


def test_weighted_quantiles_are_monotone_and_continuous_in_the_weights():
    rng = np.random.default_rng(0)
    X, weights, q = positive_data(), rng.exponential(size=N_SAMPLES), np.linspace(0, 1, 101)
    quantiles = ColumnStatistics(X, weights).quantiles(q)
    size = np.ptp(X, axis=0)
    # Monotone but for rounding.
    assert (np.diff(quantiles, axis=0) >= -1e-14 * size).all()
    nearby = ColumnStatistics(X, weights * (1 + 1e-9 * rng.normal(size=N_SAMPLES))).quantiles(q)
    # A window of a row's width moves by 1e-9 of some forty rows.
    assert (np.abs(nearby - quantiles) <= 1e-6 * size).all()


@pytest.mark.parametrize("weights", [None, [0.5, 0.5, 0.5]])
def test_variance_is_corrected_for_the_rounding_of_the_mean(weights):
    # Here float64 holds no fractions, so the mean is rounded by a third.
    stats = ColumnStatistics([[2.0**52], [2.0**52 + 1.0], [2.0**52 + 1.0]], weights)
    # One root.
    np.testing.assert_allclose(stats.std**2, 2.0 / 9.0, rtol=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
def test_mean_of_equal_numbers_is_their_number(weighted):
    weights = np.random.default_rng(0).uniform(size=100_003) if weighted else None
    X = np.full((100_003, 3), [0.1, 1e9 / 3, -0.7])
    np.testing.assert_array_equal(ColumnStatistics(X, weights).mean, X[0])


def test_kurtosis_of_a_constant_is_zero_and_of_two_points_one():
    X = np.array([[2.0, -1.0], [2.0, 1.0]])
    np.testing.assert_array_equal(ColumnStatistics(X).kurtosis, [0.0, 1.0])


def test_one_row_is_constant():
    for name in NORMALIZATIONS:
        affine = fit_normalization(name, [[3.0, -2.0]], [0.5])
        np.testing.assert_array_equal(affine.scale, 1.0)


def test_rows_of_weight_zero_are_dropped():
    X, weights = drop_zero_weights([[1.0], [2.0], [3.0]], [2, 0, 1])
    np.testing.assert_array_equal(X, [[1.0], [3.0]])
    np.testing.assert_array_equal(weights, [2.0, 1.0])


@pytest.mark.parametrize(
    ("X", "weights", "message"),
    [
        ([1.0, 2.0], None, r"shape \(n_samples, n_features\) and at least one row, got \(2,\)"),
        (np.zeros((0, 2)), None, r"at least one row, got \(0, 2\)"),
        ([[1.0], [2.0]], [1.0], r"shape \(2,\), one weight per row of X, got \(1,\)"),
        ([[1.0], [2.0]], [1.0, -1.0], r"not negative, got values from -1.0 to 1.0"),
        ([[1.0], [2.0]], [1.0, np.inf], "finite"),
        ([[1.0], [2.0]], [0.0, 0.0], "All sample weights are zero"),
    ],
)
@pytest.mark.parametrize("normalization", [None, "standard", StandardScaler()])
def test_bad_data_and_weights_are_refused(normalization, X, weights, message):
    with pytest.raises(ValueError, match=message):
        fit_normalization(normalization, X, weights)


@pytest.mark.parametrize("unit", [2.0**43, 2.0**1000, 2.0**-1000])
def test_a_scaler_sees_the_ratios_of_weights_alone(unit):
    # Its own bound of what is constant grows with the sum of the weights.
    random = np.random.default_rng(0)
    X = 1 + 1e-4 * random.normal(size=(60, 3))
    weights = random.integers(1, 4, 60).astype(float)
    found, expected = (
        fit_normalization(StandardScaler(), X, weights * factor) for factor in (unit, 1.0)
    )
    np.testing.assert_array_equal(found.apply(X), expected.apply(X))
