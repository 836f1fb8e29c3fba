"""Callbacks of scikit-learn: tasks for fits, networks and epochs, and estimators between them."""

from __future__ import annotations

import importlib.util
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from fitted_networks import network_weights
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

# scikit-learn has them from 1.9 on; before, there is nothing to test.
MODULES = []
if importlib.util.find_spec("sklearn.callback") is not None:
    import sklearn.callback

    MODULES.append(sklearn.callback)
pytestmark = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)

N_EPOCHS = 4
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3)) * [1.0, 10.0, 0.1] + 2.0
y = X @ [1.0, 0.2, 5.0] + 0.1 * RANDOM.normal(size=40)
LABELS = np.where(y > np.median(y), "high", "low")
WEIGHTS = RANDOM.uniform(0.5, 2.0, size=40)

COMMON = {"hidden_layer_sizes": (4,), "epochs": N_EPOCHS, "random_state": 0}
SINGLE = {**COMMON, "scale_regularizer": None}
# Tables of several batches are learned twice.
AUTO = {
    **COMMON,
    "embedding": None,
    "batch_size": 16,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
}


def spread(estimator, rows, targets, sample_weight=None):
    """Score a transformer by something that every epoch changes."""
    Z = np.square(estimator.transform(rows)).mean(axis=1)
    return {"spread": float(np.average(Z, weights=sample_weight) + 1e3 * estimator.scale_[0])}


# Estimator, target, what to monitor, and the name that its score has in the log.
ESTIMATORS = [
    pytest.param(LearnedScaleRegressor, y, "r2", "r2", id="regressor"),
    pytest.param(LearnedScaleClassifier, LABELS, "neg_log_loss", "neg_log_loss", id="classifier"),
    pytest.param(LearnedScaleTransformer, y, spread, "spread", id="transformer"),
]


def score(model, rows, targets, scoring, **weights):
    if callable(scoring):
        return scoring(model, rows, targets, **weights)["spread"]
    return get_scorer(scoring)(model, rows, targets, **weights)


class Recorder:
    """Records its calls, and is handed on by meta-estimators."""

    max_propagation_depth = None

    def __init__(self, stop_at=None, fail_at=None):
        self.events, self.tasks, self.fitted = [], [], []
        self.stop_at, self.fail_at = stop_at, fail_at

    def setup(self, estimator, context):
        self.events.append(("setup", None, None))

    def teardown(self, estimator, context):
        self.events.append(("teardown", None, None))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.events.append(("begin", context.task_name, context.task_id))
        self.tasks.append((X, y, metadata))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(("end", context.task_name, context.task_id))
        self.fitted.append(fitted_estimator)
        if self.fail_at is not None and context.task_id == self.fail_at:
            raise ZeroDivisionError(context.task_name)
        return context.task_name == "epoch" and context.task_id == self.stop_at


def counts(events):
    """Number of begins and of ends of each kind of task."""
    pairs = {}
    for event, name, _ in events:
        if name is not None:
            pair = pairs.setdefault(name, [0, 0])
            pair[event == "end"] += 1
    return pairs


@pytest.mark.parametrize(("cls", "target", "scoring", "name"), ESTIMATORS)
def test_every_epoch_of_a_single_network_is_scored(module, cls, target, scoring, name):
    monitor = module.ScoringMonitor(scoring=scoring)
    model = cls(**SINGLE).set_callbacks(monitor).fit(X, target)
    rows = monitor.get_logs().data
    epochs = [row for row in rows if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in epochs] == list(range(N_EPOCHS))
    (fit,) = [row for row in rows if row["task_name"] == "fit"]
    assert len(rows) == N_EPOCHS + 1
    final = score(model, X, target, scoring)
    assert epochs[-1][name] == fit[name] == final
    assert len({row[name] for row in epochs}) > 1


@pytest.mark.parametrize(("cls", "target"), [case.values[:2] for case in ESTIMATORS])
def test_estimator_of_an_epoch_has_the_weights_of_that_epoch(module, cls, target):
    weights = []

    class Weights(keras.callbacks.Callback):
        def __init__(self, record):
            super().__init__()
            self.record = record

        def on_epoch_end(self, epoch, logs=None):
            self.record(self.model.get_weights())

    recorder = Recorder()
    model = cls(**SINGLE, callbacks=[Weights(weights.append)]).set_callbacks(recorder)
    model.fit(X, target)
    *epochs, fit = recorder.fitted
    assert len(epochs) == len(weights) == N_EPOCHS
    for estimator, expected in zip(epochs, weights, strict=True):
        for a, b in zip(network_weights(estimator)[0], expected, strict=True):
            assert_array_equal(a, b)
    method = "transform" if cls is LearnedScaleTransformer else "predict"
    outputs = [getattr(fitted, method)(X) for fitted in (epochs[-1], fit, model)]
    assert_array_equal(outputs[0], outputs[2])
    assert_array_equal(outputs[1], outputs[2])
    for name in ("scale_", "offset_", "feature_importances_"):
        assert_array_equal(getattr(epochs[-1], name), getattr(model, name))
        assert not np.array_equal(getattr(epochs[0], name), getattr(model, name))


@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "auto"])
def test_callbacks_that_look_on_change_no_bit(module, options):
    plain = LearnedScaleRegressor(**options).fit(X, y)
    unchanged = clone(plain).set_callbacks(Recorder()).fit(X, y)
    assert_array_equal(unchanged.predict(X), plain.predict(X))
    assert unchanged.history_ == plain.history_


@pytest.mark.parametrize(("cls", "target", "scoring", "name"), ESTIMATORS)
def test_many_networks_give_one_score_for_the_fit(module, cls, target, scoring, name):
    monitor, recorder = module.ScoringMonitor(scoring=scoring), Recorder()
    model = cls(**AUTO).set_callbacks(monitor, recorder).fit(X, target)
    (row,) = monitor.get_logs().data
    assert (row["task_name"], row[name]) == ("fit", score(model, X, target, scoring))
    # Two points on two folds, one of which stops half way, and two networks more of the other. The
    # classifier's catches up, wins, and has two networks more in place of those.
    n_stopped = 0 if cls is LearnedScaleClassifier else 1
    assert model.path_["stopped"].sum() == n_stopped
    n_epochs = 6 * N_EPOCHS - n_stopped * 2 * N_EPOCHS // 2
    assert counts(recorder.events) == {
        "fit": [1, 1],
        "network": [6, 6],
        "epoch": [n_epochs, n_epochs],
    }
    networks = [number for event, name, number in recorder.events if name == "network"]
    assert sorted(networks) == sorted([*range(6), *range(6)])


def test_networks_that_stop_early_end_too(module):
    recorder = Recorder()
    stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9)
    LearnedScaleRegressor(**AUTO, callbacks=stop).set_callbacks(recorder).fit(X, y)
    assert counts(recorder.events) == {"fit": [1, 1], "network": [6, 6], "epoch": [12, 12]}
    assert recorder.events[-2:] == [("end", "fit", 0), ("teardown", None, None)]


def test_tasks_are_nested(module):
    recorder = Recorder()
    LearnedScaleRegressor(**{**SINGLE, "epochs": 2}).set_callbacks(recorder).fit(X, y)
    assert recorder.events == [
        ("setup", None, None),
        ("begin", "fit", 0),
        ("begin", "epoch", 0),
        ("end", "epoch", 0),
        ("begin", "epoch", 1),
        ("end", "epoch", 1),
        ("end", "fit", 0),
        ("teardown", None, None),
    ]


@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "auto"])
def test_progress_bar_runs_to_its_end(module, options, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    bar = module.ProgressBar()
    LearnedScaleRegressor(**options).set_callbacks(bar).fit(X, y)
    shown = capsys.readouterr().out
    assert "LearnedScaleRegressor" in shown
    assert shown.count("100%") == (1 if options is SINGLE else 7)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_callback_stops_the_training(module, early_stopping):
    recorder = Recorder(stop_at=1)
    options = {**SINGLE, "early_stopping": early_stopping}
    model = LearnedScaleRegressor(**options).set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ == len(model.history_["loss"]) == 2
    assert counts(recorder.events)["epoch"] == [2, 2]


# Their arguments


@pytest.mark.parametrize(("cls", "target", "scoring", "name"), ESTIMATORS)
def test_sample_weights_reach_the_scorer(module, cls, target, scoring, name):
    monitor = module.ScoringMonitor(scoring=scoring)
    model = cls(**SINGLE).set_callbacks(monitor).fit(X, target, sample_weight=WEIGHTS)
    rows = monitor.get_logs().data
    weighted = score(model, X, target, scoring, sample_weight=WEIGHTS)
    assert rows[0][name] == rows[-1][name] == weighted


@pytest.mark.parametrize("weights", [None, WEIGHTS, np.ones(40)])
def test_weights_are_those_of_fit(module, weights):
    recorder = Recorder()
    model = LearnedScaleClassifier(**SINGLE, class_weight={"high": 3.0, "low": 1.0})
    model.set_callbacks(recorder).fit(X, LABELS, sample_weight=weights)
    for rows, labels, metadata in recorder.tasks:
        assert rows is X
        assert labels is LABELS
        assert metadata is None if weights is None else metadata["sample_weight"] is weights


@pytest.mark.parametrize(("cls", "target", "scoring", "name"), ESTIMATORS)
@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "auto"])
def test_named_features_are_scored_by_name(module, cls, target, scoring, name, options):
    frame, monitor = pd.DataFrame(X, columns=list("abc")), module.ScoringMonitor(scoring=scoring)
    # A warning about names would be an error here.
    model = cls(**options).set_callbacks(monitor).fit(frame, target)
    assert monitor.get_logs().data[0][name] == score(model, frame, target, scoring)


def test_multiple_scores_are_logged(module):
    monitor = module.ScoringMonitor(scoring=["r2", "neg_mean_squared_error"])
    model = LearnedScaleRegressor(**SINGLE).set_callbacks(monitor).fit(X, y)
    last = monitor.get_logs().data[-1]
    assert last["neg_mean_squared_error"] == -np.square(model.predict(X) - y).mean()
    assert last["r2"] == model.score(X, y)


@pytest.mark.parametrize("unsupervised", ["standard", "autoencoder"])
def test_transformer_without_y_calls_them_too(module, unsupervised):
    recorder, monitor = Recorder(), module.ScoringMonitor(scoring=spread)
    model = LearnedScaleTransformer(**SINGLE, unsupervised=unsupervised)
    model.set_callbacks(recorder, monitor).fit(X)
    n_epochs = 0 if unsupervised == "standard" else N_EPOCHS
    epochs = {"epoch": [n_epochs, n_epochs]} if n_epochs else {}
    assert counts(recorder.events) == {"fit": [1, 1], **epochs}
    assert recorder.events[-1] == ("teardown", None, None)
    assert_array_equal(recorder.fitted[-1].transform(X), model.transform(X))


# Life cycle


def test_keras_callbacks_are_refused(module):
    with pytest.raises(TypeError, match="FitCallback protocol"):
        LearnedScaleRegressor().set_callbacks(keras.callbacks.EarlyStopping())
    model = LearnedScaleRegressor(**SINGLE, callbacks=module.ScoringMonitor(scoring="r2"))
    with pytest.raises(TypeError, match="set_callbacks"):
        model.fit(X, y)


@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "auto"])
def test_teardown_follows_a_fit_that_fails(module, options):
    recorder = Recorder(fail_at=1)
    model = LearnedScaleRegressor(**options).set_callbacks(recorder)
    with pytest.raises(ZeroDivisionError, match="epoch"):
        model.fit(X, y)
    assert recorder.events[0] == ("setup", None, None)
    assert recorder.events[-1] == ("teardown", None, None)
    assert not hasattr(model, "scale_")
    # Nothing is left of the failure.
    recorder.fail_at, recorder.events = None, []
    assert model.fit(X, y).predict(X).shape == y.shape
    assert counts(recorder.events)["fit"] == [1, 1]


def test_bad_data_start_no_task(module):
    recorder = Recorder()
    with pytest.raises(ValueError, match="NaN"):
        LearnedScaleRegressor(**SINGLE).set_callbacks(recorder).fit(X * np.nan, y)
    assert recorder.events == []


def test_copies_have_the_callbacks_and_pickles_predict(module):
    monitor = module.ScoringMonitor(scoring="r2")
    model = LearnedScaleRegressor(**SINGLE).set_callbacks(monitor).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict(X), model.predict(X))
    clone(model).fit(X, y)
    assert len(monitor.get_logs(select="all")) == 2
    model.set_callbacks().fit(X, y)
    assert len(monitor.get_logs(select="all")) == 2


# Inside other estimators


def test_a_search_without_callbacks_trains_in_as_few_calls_as_a_fit(module, capsys):
    # A line of progress follows the first call of the compiled training, and the last.
    regressor = LearnedScaleRegressor(**SINGLE, verbose=1).fit(X, y)
    assert capsys.readouterr().out.count("epoch ") == 1
    GridSearchCV(regressor, {"center": [True, False]}, cv=2, refit=False).fit(X, y)
    assert capsys.readouterr().out.count("epoch ") == 2 * 2
    regressor.set_callbacks(Recorder()).fit(X, y)
    assert capsys.readouterr().out.count("epoch ") > 1


def test_pipeline_hands_them_on(module):
    recorder, monitor = Recorder(), module.ScoringMonitor(scoring="r2")
    regressor = LearnedScaleRegressor(**SINGLE).set_callbacks(monitor)
    pipeline = make_pipeline(LearnedScaleTransformer(**SINGLE), regressor)
    pipeline.set_callbacks(recorder).fit(X, y)
    assert counts(recorder.events)["epoch"] == [2 * N_EPOCHS] * 2
    assert [event for event, *_ in recorder.events].count("setup") == 1
    assert recorder.events[-1] == ("teardown", None, None)
    rows = monitor.get_logs().data
    assert len(rows) == N_EPOCHS + 1
    assert {row["r2"] for row in rows} >= {pipeline.score(X, y)}
    # Nothing stays behind on the parts.
    assert not hasattr(pipeline[0], "_skl_callbacks")
    assert not hasattr(pipeline[0], "_parent_callback_ctx")


def test_pipeline_of_plain_standardization_hands_them_on(module):
    recorder = Recorder()
    pipeline = make_pipeline(LearnedScaleTransformer(**SINGLE), LearnedScaleTransformer())
    pipeline.set_callbacks(recorder).fit(X)
    pairs = counts(recorder.events)
    assert all(begins == ends for begins, ends in pairs.values()), pairs
    assert [event for event, *_ in recorder.events].count("setup") == 1


@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "auto"])
@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_search_hands_them_on(module, options, n_jobs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monitor = module.ScoringMonitor(scoring="r2")
    model = LearnedScaleRegressor(**options).set_callbacks(monitor)
    search = GridSearchCV(model, {"learning_rate": [0.01, 0.1]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(module.ProgressBar(max_propagation_depth=None)).fit(X, y)
    n_scores = (N_EPOCHS + 1) if options is SINGLE else 1
    # Two candidates on two folds, and the best one on all rows.
    rows = monitor.get_logs().data
    assert len(rows) == 5 * n_scores
    assert search.score(X, y) in [row["r2"] for row in rows]
    assert "100%" in capsys.readouterr().out
