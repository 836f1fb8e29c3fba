"""The affine map: apply, inverse, composition, and recognising one."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

from skscale._normalization.affine import AffineMap
from skscale._normalization.scalers import find_affine_map, fit_scaler, is_affine_map

N_FEATURES = 4


def random_map(seed: int, n_features: int = N_FEATURES) -> AffineMap:
    rng = np.random.default_rng(seed)
    return AffineMap(*rng.normal(size=(3, n_features)) + 2.0)


def tables(n_samples: int = 5000) -> dict[str, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(n_samples, N_FEATURES))
    read_only = X.copy()
    read_only.flags.writeable = False
    return {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[::2, ::2],
        "read-only": read_only,
        "float32": X.astype(np.float32),
        "float32 F": np.asfortranarray(X, dtype=np.float32),
        "integers": (10 * X).astype(np.int16),
        "wide": X.reshape(-1, N_FEATURES)[:3],
        "stacked": X.reshape(10, -1, N_FEATURES),
        "swapped stack": X.reshape(10, -1, N_FEATURES).swapaxes(0, 1),
        "one row": X[0],
        "no row": X[:0],
        "list": X[:2].tolist(),
    }


@pytest.mark.parametrize("kind", tables())
def test_apply_and_inverse_are_the_formula_and_change_nothing(kind):
    affine, X = random_map(1), tables()[kind]
    before = np.array(X)
    dtype = np.float32 if before.dtype == np.float32 else np.float64
    exact = before.astype(np.float64)

    Z, back = affine.apply(X), affine.inverse(X)

    expected = (exact - affine.center) * affine.scale + affine.shift
    expected_back = (exact - affine.shift) / affine.scale + affine.center
    assert Z.dtype == back.dtype == dtype
    # The operations and their order are the same, so is every bit.
    np.testing.assert_array_equal(Z, expected.astype(dtype), strict=True)
    np.testing.assert_array_equal(back, expected_back.astype(dtype), strict=True)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "shape", [(3, 50_001), (17_000, 3), (2, 0), (3, 400_003), (1_200_003, 1), (400_003, 3)]
)
def test_blocks_and_pieces_of_any_shape_fit_together(shape, order, dtype):
    # The last three are more than the million numbers of a piece, and no multiple of it.
    affine = random_map(2, n_features=shape[1])
    X = np.random.default_rng(0).normal(scale=3.0, size=shape).astype(dtype, order=order)
    expected = (X.astype(np.float64) - affine.center) * affine.scale + affine.shift
    out_dtype = np.float32 if dtype == np.float32 else np.float64
    np.testing.assert_array_equal(affine.apply(X), expected.astype(out_dtype), strict=True)


def test_float32_is_computed_in_float64():
    # 16777217 is no float32: float32 arithmetic would lose the one.
    affine = AffineMap(center=[16_777_217.0], scale=[1.0], shift=[0.0])
    Z = affine.apply(np.array([[16_777_216.0]], dtype=np.float32))
    assert Z[0, 0] == -1.0


def test_apply_keeps_its_digits_at_a_far_offset():
    # 1e9 standard deviations; a * x + c would be wrong by 1e-7.
    affine = AffineMap(center=[1e9], scale=[1.0 / 3.0], shift=[0.0])
    assert affine.apply([[1e9 + 3.0]])[0, 0] == 1.0


def test_apply_does_not_overflow_where_the_result_does_not():
    affine = AffineMap(center=[1.5e308, 1.0], scale=[1e-308, 2.0], shift=[1.0, 0.0])
    # Four rounding errors of numbers of size 3.
    np.testing.assert_allclose(affine.apply([[-1.5e308, 4.0]]), [[-2.0, 6.0]], rtol=1e-15)


LARGEST = np.finfo(np.float64).max


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["apply", "inverse"])
def test_what_overflows_ends_at_the_largest_number_and_leaves_others(method, dtype, order):
    factor = 1e30 if method == "apply" else 1e-30
    affine = AffineMap(center=[0.1, 1.0, 1e3], scale=[factor, 2.0, factor], shift=[0.0, 0.5, 3.0])
    largest = np.finfo(dtype).max
    near = np.random.default_rng(0).normal(size=(5000, 3)).astype(dtype)
    Z = np.asarray(near, order=order).copy(order)
    Z[7], Z[4000, 1] = [largest, np.nan, -largest], -largest
    found = getattr(affine, method)(Z)
    np.testing.assert_array_equal(found[7], [largest, np.nan, -largest])
    assert found[4000, 1] == (-largest if method == "apply" else -largest / 2)
    kept = np.delete(np.arange(5000), [7, 4000])
    np.testing.assert_array_equal(found[kept], getattr(affine, method)(near)[kept])
    assert found.dtype == dtype


def test_only_what_overflows_in_the_end_is_cut():
    # z / scale is beyond the largest number, and the center brings it back.
    affine = AffineMap(center=[1e308], scale=[1 / 0.8e308], shift=[0.0])
    # The scale is subnormal, and has lost some digits.
    np.testing.assert_allclose(affine.inverse([[-2.3]]), [[-0.84e308]], rtol=1e-12)
    np.testing.assert_array_equal(affine.inverse([[2.3], [-9.0]]), [[LARGEST], [-LARGEST]])


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("place", ["center", "scale"])
def test_what_float32_cannot_hold_comes_back_in_float64(place, sign):
    center, scale = (sign * 1e60, 1.0) if place == "center" else (0.0, sign * 1e-60)
    affine = AffineMap([center], [scale], [0.0])
    back = affine.inverse(np.ones((1, 1), np.float32))
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, sign * 1e60, rtol=1e-12)
    assert affine.apply(np.ones((1, 1), np.float32)).dtype == np.float32


def test_identity_is_the_identity():
    X = tables()["C"]
    np.testing.assert_array_equal(AffineMap.identity(N_FEATURES).apply(X), X)
    np.testing.assert_array_equal(AffineMap.identity(N_FEATURES).inverse(X), X)


def test_inverse_undoes_apply():
    affine, X = random_map(3), tables()["C"]
    # A few rounding errors of numbers of size 10.
    np.testing.assert_allclose(affine.inverse(affine.apply(X)), X, atol=1e-13)


def test_inverse_of_a_zero_scale_is_the_center():
    affine = AffineMap(center=[5.0, 7.0], scale=[0.0, 2.0], shift=[1.0, 1.0])
    np.testing.assert_array_equal(affine.inverse([[1.0, 1.0], [3.0, 3.0]]), [[5, 7], [5, 8]])


@pytest.mark.parametrize("seed", range(20))
def test_then_is_one_map_after_the_other(seed):
    inner, outer, X = random_map(seed), random_map(seed + 100), tables(50)["C"]
    # Some rounding errors of numbers of size 30.
    np.testing.assert_allclose(
        inner.then(outer).apply(X), outer.apply(inner.apply(X)), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_then_keeps_zero_scales(scale):
    inner = AffineMap(center=[3.0], scale=[scale], shift=[1.0])
    outer = AffineMap(center=[2.0], scale=[1.0 - scale], shift=[4.0])
    composed = inner.then(outer)
    assert composed.apply([[10.0]]) == outer.apply(inner.apply([[10.0]]))
    assert composed.scale == 0.0


FAR = AffineMap(center=[1e9 / 3], scale=[1.0 / 7], shift=[0.0])


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (AffineMap.identity(1), FAR),
        (FAR, AffineMap.identity(1)),
        (FAR, AffineMap(center=[0.1], scale=[3.0], shift=[0.3])),
        (AffineMap(center=[0.0], scale=[2.0], shift=[0.0]), FAR),
    ],
    ids=["far after identity", "identity after far", "correction after far", "far after factor"],
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_then_keeps_the_digits_of_a_far_center(inner, outer, sign):
    inner, outer = (AffineMap(sign * m.center, m.scale, sign * m.shift) for m in (inner, outer))
    X = sign * np.array([[1e9 / 3], [1e9 / 3 + 1.0], [1e9 / 6], [1e9 / 6 + 1.0]])
    near = np.abs(outer.apply(inner.apply(X))) < 100.0
    assert near.sum() == 2
    # The rounding of X itself is 6e-8; a composition through the expanded form gives as much.
    np.testing.assert_allclose(
        inner.then(outer).apply(X)[near], outer.apply(inner.apply(X))[near], rtol=0, atol=1e-13
    )


def test_pickle_is_small_and_exact():
    affine = random_map(4)
    data = pickle.dumps(affine)
    copy = pickle.loads(data)
    assert len(data) < 1000
    for name in ("center", "scale", "shift"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(affine, name), strict=True)


def test_arrays_are_copied_as_float64():
    center = np.zeros(2, dtype=np.float32)
    affine = AffineMap(center=center, scale=[1, 2], shift=[0, 0])
    center[:] = 9.0
    np.testing.assert_array_equal(affine.center, np.zeros(2), strict=True)
    assert affine.scale.dtype == np.float64
    assert affine.n_features == 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([[0.0]], [1.0], [0.0]), r"center must have shape \(n_features,\), got \(1, 1\)"),
        ((0.0, 1.0, 0.0), r"center must have shape"),
        (([0.0], [1.0, 1.0], [0.0]), r"one length, got center \(1,\), scale \(2,\)"),
        (([0.0], [np.inf], [0.0]), r"finite numbers: scale\[0\] is inf"),
        (([0.0, np.nan], [1.0, 1.0], [0.0, 0.0]), r"center\[1\] is nan"),
    ],
)
def test_bad_arrays_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        AffineMap(*arrays)


@pytest.mark.parametrize("X", [np.zeros((2, 3)), np.zeros(3), np.float64(1.0)])
def test_another_number_of_features_is_refused(X):
    with pytest.raises(ValueError, match="This map has 4 features"):
        random_map(0).apply(X)
    with pytest.raises(ValueError, match="This map has 4 features"):
        random_map(0).inverse(X)


def test_composition_of_different_sizes_is_refused():
    with pytest.raises(ValueError, match="4 features cannot be followed by one of 2"):
        random_map(0).then(AffineMap.identity(2))


def test_composed_scale_ends_at_the_largest_float():
    steep = AffineMap(center=[0.0], scale=[1e200], shift=[0.0])
    assert steep.then(steep).scale == np.finfo(np.float64).max


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e-300])
@pytest.mark.parametrize("width", [1.0, 1e-300])
def test_an_affine_function_is_found_and_confirmed(offset, width):
    X = offset + width * np.random.default_rng(0).normal(size=(50, N_FEATURES))
    truth = AffineMap(*np.random.default_rng(5).normal(size=(3, N_FEATURES)) + 2.0)
    found = find_affine_map(truth.apply, X.min(axis=0), X.max(axis=0))
    assert is_affine_map(truth.apply, found, X)
    # Some rounding errors at the size of the offset, a thousand times the width of the data.
    np.testing.assert_allclose(found.apply(X), truth.apply(X), rtol=1e-12, atol=1e-14)
    # Half of each end is rounded once.
    np.testing.assert_allclose(found.center, X.min(axis=0) / 2 + X.max(axis=0) / 2, rtol=1e-15)
    # In 1e-300 * scale + shift no scale is left to be found.
    if np.abs(X).max() > 1.0:
        np.testing.assert_allclose(found.scale, truth.scale, rtol=1e-12)


@pytest.mark.parametrize(
    "transform",
    [
        np.cbrt,
        np.tanh,
        lambda X: np.clip(X, -10.0, 10.0),
        lambda X: X + 1e-3 * np.sin(X),
        lambda X: X[:, ::-1],
        lambda X: X - X.mean(axis=0),
        lambda X: X / np.linalg.norm(X, axis=1, keepdims=True),
        lambda X: X[:, :1],
        np.log,
    ],
    ids=["root", "tanh", "clip", "ripple", "swap", "batch", "norm", "shape", "nan"],
)
def test_a_function_that_is_not_affine_is_recognised(transform):
    X = np.random.default_rng(0).normal(size=(50, N_FEATURES)) + 0.5
    found = find_affine_map(transform, X.min(axis=0), X.max(axis=0))
    assert found is None or not is_affine_map(transform, found, X)


class BendsAtRow(TransformerMixin, BaseEstimator):
    """A third-party transformer that is affine but for a narrow bend at one of its rows."""

    def __init__(self, row, bend):
        self.row = row
        self.bend = bend

    def fit(self, X, y=None):
        self.place_ = X[self.row]
        return self

    def transform(self, X):
        # No point but the row itself comes near it.
        return 2.0 * X + np.where(np.abs(X - self.place_) < 1e-9, self.bend, 0.0)


@pytest.mark.parametrize("bend", [1.0, -1.0])
@pytest.mark.parametrize("row", [0, 20, 49])
def test_a_transformer_that_bends_at_a_training_row_only_is_refused(row, bend):
    X = np.random.default_rng(0).normal(size=(50, N_FEATURES))
    with pytest.raises(ValueError, match="is not an affine map of each feature"):
        fit_scaler(BendsAtRow(row, bend), X, None, "normalization")


def test_a_transform_in_float32_counts_as_affine():
    X = np.random.default_rng(0).normal(size=(50, N_FEATURES)) + 3.0

    def transform(X):
        return X.astype(np.float32) * np.float32(0.3) + np.float32(0.1)

    found = find_affine_map(transform, X.min(axis=0), X.max(axis=0))
    assert is_affine_map(transform, found, X)
