"""What partitions cannot be fitted to is said before any training."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from skscale import (
    LearnedScaleClassifier,
    LearnedScaleRegressor,
    LearnedScaleTransformer,
    distributed,
)

N = 60
X = np.random.default_rng(0).normal(size=(N, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
pytestmark = pytest.mark.usefixtures("no_training")


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def chunked(array, size=20):
    return da.from_array(np.asarray(array), chunks=(size, *np.shape(array)[1:]))


def with_entry(value, row=45):
    rows = X.copy()
    rows[row, 1] = value
    return rows


def frames(*parts):
    delayed = [dask.delayed(part) for part in parts]
    return dd.from_delayed(delayed, meta=FRAME.iloc[:0], verify_meta=False)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X, X[:, 0]), TypeError, "X must be a dask array.*got ndarray: estimator.fit"),
        ((FRAME, FRAME["a"]), TypeError, "X must be a dask array or data frame, got DataFrame"),
        ((chunked(X), X[:, 0]), TypeError, "y must be a dask array.*X is one"),
        ((chunked(X), chunked(X[:, 0]), np.ones(N)), TypeError, "sample_weight must be"),
        ((chunked(X), chunked(X[:50, 0])), ValueError, "y has 50 rows, but X has 60"),
        ((chunked(X[:, 0]), chunked(X[:, 0])), ValueError, "X has 1 axes, but 2 are needed"),
        ((dd.from_pandas(FRAME["a"], npartitions=2), None), ValueError, "X has 1 axes"),
        ((chunked(X), chunked(X), chunked(X)), ValueError, "sample_weight has 2 axes, but 1"),
        (
            (dd.from_pandas(FRAME, npartitions=3), chunked(X[:, 0], 30)),
            ValueError,
            "y has 2 partitions, but X has 3",
        ),
        (
            (frames(FRAME[:20], FRAME[20:]), chunked(X[:, 0], 30)),
            ValueError,
            r"Partition \d: Found input variables with inconsistent numbers of samples",
        ),
        ((chunked(with_entry(np.nan)), chunked(X[:, 0])), ValueError, "Partition 2: .*NaN"),
        ((chunked(with_entry(np.inf)), chunked(X[:, 0])), ValueError, "Partition 2: .*infinity"),
        ((chunked(X), chunked(with_entry(np.nan)[:, 1])), ValueError, "Partition 2: .*y contains"),
        (
            (frames(FRAME[:30], FRAME[["a", "b"]][30:]), chunked(X[:, 0], 30)),
            ValueError,
            "Partition 1: The feature names should match",
        ),
        (
            (frames(FRAME[:30], FRAME[30:].assign(b="red")), chunked(X[:, 0], 30)),
            ValueError,
            "Partition 1: Column 'b' of X holds text",
        ),
        (
            (chunked(X), chunked(X[:, 0]), chunked(-np.ones(N))),
            ValueError,
            r"Partition \d: .*[Nn]egative",
        ),
        (
            (chunked(X), chunked(X[:, 0]), chunked(np.zeros(N))),
            ValueError,
            "All partitions together have 0 rows of positive weight, but at least 5",
        ),
        ((chunked(X[:3]), chunked(X[:3, 0])), ValueError, "have 3 rows of positive weight"),
        ((chunked(X), None), ValueError, "y=None, but LearnedScaleRegressor needs a target"),
    ],
)
def test_data_are_refused(arguments, error, message):
    collections = dict(zip(["X", "y", "sample_weight"], arguments, strict=False))
    with pytest.raises(error, match=message):
        distributed.fit(LearnedScaleRegressor(random_state=0), **collections)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cv": KFold(3)}, "splits rows by their number in a table"),
        ({"early_stopping": True, "scale_regularizer": None}, "early_stopping=True holds out rows"),
        ({"early_stopping": True}, "early_stopping=True is for a single network"),
        ({"callbacks": [keras.callbacks.Callback()]}, "callbacks are called in one process"),
        ({"warm_start": True}, "warm_start=True goes on with rows that are in memory"),
        ({"epochs": 0}, "The 'epochs' parameter"),
        ({"normalization": "standart"}, "standart"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
    ],
)
def test_parameters_are_refused(options, message):
    model = LearnedScaleRegressor(random_state=0, **options)
    with pytest.raises(ValueError, match=message):
        distributed.fit(model, chunked(X), chunked(X[:, 0]))
    # A refused fit changes nothing.
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize(
    ("cls", "y", "message"),
    [
        (LearnedScaleClassifier, np.zeros(N, int), "y holds one class only"),
        (LearnedScaleClassifier, np.arange(N) / 7, "Unknown label type: continuous"),
        (
            LearnedScaleClassifier,
            np.zeros((N, 2), int),
            r"Partition \d: y of shape .* holds classes in 2 columns",
        ),
        (LearnedScaleTransformer, np.full(N, "a"), "y holds one class only"),
    ],
)
def test_labels_are_refused(cls, y, message):
    with pytest.raises(ValueError, match=message):
        distributed.fit(cls(), chunked(X), chunked(y))


def test_text_is_no_quantity():
    model = LearnedScaleTransformer(target_type="continuous")
    with pytest.raises(ValueError, match="target_type='continuous' needs numbers"):
        distributed.fit(model, chunked(X), chunked(np.full(N, "a")))


def test_numbers_and_text_are_no_common_labels():
    parts = [pd.Series([0, 1] * 15), pd.Series(["a", "b"] * 15)]
    y = dd.from_delayed([dask.delayed(part) for part in parts], meta=parts[0], verify_meta=False)
    with pytest.raises(ValueError, match="Some partitions of y hold numbers"):
        distributed.fit(LearnedScaleClassifier(), chunked(X, 30), y)


def test_only_our_estimators_are_fitted():
    with pytest.raises(TypeError, match="is none of skscale's"):
        distributed.fit(LearnedScaleRegressor, chunked(X), chunked(X[:, 0]))


def test_a_transformer_without_a_target_needs_no_network_of_features():
    model = LearnedScaleTransformer(unsupervised="autoencoder")
    with pytest.raises(ValueError, match="y=None, but LearnedScaleTransformer needs a target"):
        distributed.fit(model, chunked(X))
