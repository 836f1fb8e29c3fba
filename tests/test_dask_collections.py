"""Rows in dask arrays and data frames: the same numbers, computed where the result is."""

from __future__ import annotations

import pickle

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.base import tokenize
from numpy.testing import assert_array_equal

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

ALL = [LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer]
QUICK = {
    "hidden_layer_sizes": (4,),
    "activation": "tanh",
    "scale_regularizer": None,
    "epochs": 3,
    "random_state": 0,
}
PATH = {**QUICK, "scale_regularizer": "auto", "cv": 2, "regularization_path": [(0.03, 0.3)]}

_random = np.random.default_rng(0)
X = _random.normal(size=(40, 3))
y = X[:, 0] - X[:, 1]
FRAME = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(100, 140))

METHODS = {
    LearnedScaleClassifier: ("predict", "predict_proba", "predict_log_proba", "decision_function"),
    LearnedScaleRegressor: ("predict",),
    LearnedScaleTransformer: ("transform", "inverse_transform"),
}
PAIRS = [(cls, method) for cls, methods in METHODS.items() for method in methods]


def target_of(cls):
    return np.where(y > 0, "more", "less") if cls is LearnedScaleClassifier else y


def estimators(rows):
    return {cls: cls(**QUICK).fit(rows, target_of(cls)) for cls in ALL}


@pytest.fixture(scope="module")
def of_arrays():
    return estimators(X)


@pytest.fixture(scope="module")
def of_frames():
    return estimators(FRAME)


@pytest.fixture(scope="module")
def ensemble():
    """Two networks of two targets."""
    return LearnedScaleRegressor(**PATH).fit(X, np.column_stack([y, -y]))


def assert_collection_of(lazy, expected, row_chunks):
    """What is known before it is computed is right, and so are the numbers, to the last bit."""
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == expected.dtype
    assert lazy.ndim == expected.ndim
    assert len(lazy.chunks[0]) == len(row_chunks)
    assert_array_equal(lazy.chunks[0], row_chunks)
    assert lazy.shape[1:] == expected.shape[1:]
    computed = lazy.compute()
    assert computed.dtype == expected.dtype
    assert_array_equal(computed, expected)


@pytest.mark.parametrize(("cls", "method"), PAIRS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_an_array_gives_an_array_of_the_same_blocks_of_rows(of_arrays, cls, method, dtype):
    compute, rows = getattr(of_arrays[cls], method), X.astype(dtype)
    # Blocks of columns are joined: a row is needed as a whole.
    lazy = compute(da.from_array(rows, chunks=((16, 20, 4), (2, 1))))
    assert_collection_of(lazy, compute(rows), (16, 20, 4))


@pytest.mark.parametrize(("cls", "method"), PAIRS)
def test_a_frame_gives_an_array_of_its_partitions(of_frames, cls, method):
    compute = getattr(of_frames[cls], method)
    lazy = compute(dd.from_pandas(FRAME, npartitions=3))
    assert_collection_of(lazy, compute(FRAME), [np.nan] * 3)


def test_a_prediction_becomes_a_column_of_the_frame_it_is_for(of_frames):
    model, frame = of_frames[LearnedScaleRegressor], dd.from_pandas(FRAME, npartitions=3)
    both = frame.assign(prediction=model.predict(frame))
    assert both.divisions == frame.divisions
    expected = FRAME.assign(prediction=model.predict(FRAME))
    pd.testing.assert_frame_equal(both.compute(), expected)


def test_blocks_of_unknown_length_stay_unknown(of_arrays):
    model, rows = of_arrays[LearnedScaleRegressor], da.from_array(X, chunks=(16, 3))
    lazy = model.predict(rows[rows[:, 0] > 0])
    assert_collection_of(lazy, model.predict(X[X[:, 0] > 0]), [np.nan] * 3)


@pytest.mark.parametrize(("cls", "method"), PAIRS)
def test_a_partition_that_a_filter_has_emptied_has_no_rows(of_frames, cls, method):
    compute, frame = getattr(of_frames[cls], method), dd.from_pandas(FRAME, npartitions=3)
    few = frame.map_partitions(lambda part: part[part.index < 105], meta=FRAME.iloc[:0])
    assert_collection_of(compute(few), compute(FRAME.iloc[:5]), [np.nan] * 3)


@pytest.mark.parametrize("return_std", [True, "total"])
def test_standard_deviations_are_lazy_too(ensemble, return_std):
    lazy = ensemble.predict(da.from_array(X, chunks=(16, 3)), return_std=return_std)
    for one, expected in zip(lazy, ensemble.predict(X, return_std), strict=True):
        assert_collection_of(one, expected, (16, 16, 8))


def test_a_transformed_frame_is_a_frame_if_pandas_is_asked_for(of_frames):
    transformer = pickle.loads(pickle.dumps(of_frames[LearnedScaleTransformer]))
    transformer.set_output(transform="pandas")
    frame = dd.from_pandas(FRAME, npartitions=3)
    lazy = transformer.transform(frame)
    assert isinstance(lazy, dd.DataFrame)
    assert lazy.divisions == frame.divisions
    pd.testing.assert_frame_equal(lazy.compute(), transformer.transform(FRAME))
    pd.testing.assert_frame_equal(lazy._meta, transformer.transform(FRAME).iloc[:0])
    # The rows of an array are numbered over all blocks, as over all of an array of NumPy.
    unnamed = LearnedScaleTransformer().fit(X).set_output(transform="pandas")
    of_array = unnamed.transform(da.from_array(X, chunks=(16, 3)))
    pd.testing.assert_frame_equal(of_array.compute(), unnamed.transform(X))
    with pytest.raises(ValueError, match="polars, which dask has no collection of"):
        transformer.set_output(transform="polars").transform(frame)


def test_what_is_wrong_with_the_rows_is_raised_before_they_are_computed(of_arrays, of_frames):
    def never(block):
        pytest.fail("computed")

    rows = da.from_array(X, chunks=(16, 3)).map_blocks(never, meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match="X has 2 features, but LearnedScaleRegressor"):
        of_arrays[LearnedScaleRegressor].predict(rows[:, :2])
    with pytest.raises(ValueError, match="Expected 2D array"):
        of_arrays[LearnedScaleRegressor].predict(rows[:, 0])
    frame = dd.from_pandas(FRAME, npartitions=3)
    with pytest.raises(ValueError, match="yet now missing:\n- c"):
        of_frames[LearnedScaleClassifier].predict_proba(frame[["a", "b"]])
    with pytest.raises(ValueError, match="Column 'b' of X holds text"):
        of_frames[LearnedScaleTransformer].transform(frame.assign(b="text"))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("cls", ALL)
def test_learning_from_a_collection_names_what_can(cls, method):
    model, labels = cls(**QUICK), target_of(cls)
    rows, frame = da.from_array(X, chunks=(16, 3)), dd.from_pandas(FRAME, npartitions=3)
    learn = getattr(model, method)
    with pytest.raises(TypeError, match=r"X is a dask Array.* skscale\.distributed\.fit\("):
        learn(rows, labels)
    with pytest.raises(TypeError, match=r"X is a dask DataFrame.* give X\.compute\(\)"):
        learn(frame, labels)
    with pytest.raises(TypeError, match=r"y is a dask Series"):
        learn(X, frame["a"])
    assert not hasattr(model, "n_features_in_")


def test_rows_to_hold_out_are_named(of_arrays):
    rows = da.from_array(X, chunks=(16, 3))
    with pytest.raises(TypeError, match="X_val and y_val: X is a dask Array"):
        LearnedScaleRegressor(**QUICK).fit(X, y, X_val=rows, y_val=y)


def test_dask_tells_fits_of_the_same_parameters_apart(of_arrays):
    model = of_arrays[LearnedScaleRegressor]
    assert tokenize(model) == tokenize(pickle.loads(pickle.dumps(model)))
    assert tokenize(model) != tokenize(LearnedScaleRegressor(**QUICK).fit(X, -y))
    # In one graph, too, in which equal tokens would be computed once.
    rows = da.from_array(X, chunks=(16, 3))
    opposite = LearnedScaleRegressor(**QUICK).fit(X, -y)
    difference = model.predict(rows) - opposite.predict(rows)
    assert_array_equal(difference.compute(), model.predict(X) - opposite.predict(X))


IN_A_WORKER = """
import pickle, sys
import numpy as np

with open(sys.argv[1], "rb") as file:
    models = pickle.load(file)
regressor, transformer = models
rows = np.ones((4, 3))
regressor.predict(rows), transformer.transform(rows)
loaded = ["dask" in sys.modules]
import dask.array as da
lazy = da.from_array(rows, chunks=(2, 3))
regressor.predict(lazy).compute(), transformer.transform(lazy).compute()
print(loaded, "tensorflow" in sys.modules)
"""


def test_other_rows_import_no_dask_and_collections_no_tensorflow(run_python, tmp_path, of_arrays):
    models = [of_arrays[cls] for cls in (LearnedScaleRegressor, LearnedScaleTransformer)]
    (tmp_path / "models").write_bytes(pickle.dumps(models))
    assert run_python(IN_A_WORKER, str(tmp_path / "models")).strip() == "[False] False"


def test_what_travels_is_small(ensemble):
    from skscale._dask_collections import _without_results

    before = set(vars(ensemble))
    lean = _without_results(ensemble)
    assert not {"held_out_prediction_", "path_", "_warm_start_state"} & set(vars(lean))
    assert set(vars(ensemble)) == before
    assert_array_equal(lean.predict(X), ensemble.predict(X))
