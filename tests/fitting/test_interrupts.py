"""Ctrl-C ends what fits: the networks of the last whole epoch are kept, and then it is raised."""

from __future__ import annotations

import contextlib
import io
import pickle
import signal
import threading
import time

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

ALL = [LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer]
# Far more than end before the first line is printed.
N_EPOCHS = 50_000
SINGLE = {
    "hidden_layer_sizes": (4,),
    "activation": "tanh",
    "scale_regularizer": None,
    "epochs": N_EPOCHS,
    "random_state": 0,
}
PATH = {**SINGLE, "scale_regularizer": "auto", "cv": 2, "regularization_path": [(0.03, 0.3)]}

_random = np.random.default_rng(0)
X = _random.normal(size=(40, 3))
y = 2 * X[:, 0] + X[:, 1] + 0.1 * _random.normal(size=40)


@pytest.fixture(autouse=True)
def _ctrl_c_raises():
    # Processes that a shell starts in the background ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


class CtrlC(io.StringIO):
    """A terminal at which someone presses Ctrl-C when a line with some text appears."""

    def __init__(self, at: str):
        super().__init__()
        self._at = at

    def write(self, text: str) -> int:
        # The lines come from the threads that train.
        if self._at in text:
            self._at = "\0"
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            # Until the main thread has heard it, what trains must not go on.
            time.sleep(0.2)
        return super().write(text)


@contextlib.contextmanager
def ctrl_c(at="epoch"):
    with contextlib.redirect_stdout(CtrlC(at)), pytest.raises(KeyboardInterrupt) as raised:
        yield raised


def target_of(cls):
    return y > 0 if cls is LearnedScaleClassifier else y


def output(model):
    method = getattr(model, "predict_proba", None) or getattr(model, "predict", model.__class__)
    return model.transform(X) if isinstance(model, LearnedScaleTransformer) else method(X)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (LearnedScaleClassifier, PATH),
        (LearnedScaleRegressor, SINGLE),
        (LearnedScaleTransformer, PATH),
    ],
)
def test_a_fit_keeps_its_whole_epochs_and_raises(cls, options):
    model = cls(**options, verbose=1)
    with ctrl_c() as raised:
        model.fit(X, target_of(cls))
    assert "last whole epoch" in str(raised.value)
    assert 0 < model.n_iter_ == len(model.history_["loss"]) < N_EPOCHS
    assert hasattr(model, "path_") == (options is PATH)
    assert np.isfinite(output(model)).all()
    # It is fitted as any other: it travels, and goes on.
    assert_array_equal(output(pickle.loads(pickle.dumps(model))), output(model))
    chunk = {"classes": [False, True]} if cls is LearnedScaleClassifier else {}
    model.set_params(verbose=0).partial_fit(X, target_of(cls), **chunk)


def test_what_was_kept_is_the_fit_of_so_many_epochs():
    # A rate of one's own is the same in every epoch.
    options = {**SINGLE, "optimizer": keras.optimizers.SGD(0.01)}
    model = LearnedScaleRegressor(**options, verbose=1)
    with ctrl_c():
        model.fit(X, y)
    same = LearnedScaleRegressor(**{**options, "epochs": model.n_iter_}).fit(X, y)
    assert_array_equal(model.predict(X), same.predict(X))
    # As it does under warm_start.
    model.set_params(warm_start=True, epochs=2, verbose=0).fit(X, y)
    assert model.n_iter_ == same.n_iter_ + 2


def test_after_the_last_epoch_the_whole_fit_is_kept():
    # The line of the choice comes when all attributes are there.
    model = LearnedScaleRegressor(**{**PATH, "epochs": 5}, verbose=1)
    with ctrl_c(at="chosen"):
        model.fit(X, y)
    same = LearnedScaleRegressor(**{**PATH, "epochs": 5}).fit(X, y)
    assert_array_equal(model.predict(X), same.predict(X))
    assert model.__dict__.keys() == same.__dict__.keys()


@pytest.mark.parametrize("cls", ALL)
def test_a_loop_over_chunks_stops_after_a_whole_chunk(cls):
    model, same = cls(**SINGLE, verbose=1), cls(**SINGLE)
    chunk = {"classes": [False, True]} if cls is LearnedScaleClassifier else {}
    with ctrl_c():
        for _ in range(100):
            model.partial_fit(X, target_of(cls), **chunk)
    assert model.n_iter_ == 1
    assert_array_equal(output(model), output(same.partial_fit(X, target_of(cls), **chunk)))


def test_a_chunk_that_not_all_points_have_learned_is_learned_by_none(monkeypatch):
    # One thread and stacks of one, so that the first has ended when the others begin.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    layers = {"network": lambda n_features, n_outputs: keras.layers.Dense(n_outputs)}
    path = {**PATH, **layers, "regularization_path": [(0.0, 0.0), (0.1, 0.1)], "verbose": 1}
    model = LearnedScaleRegressor(**path)
    with ctrl_c():
        model.partial_fit(X, y)
    assert not hasattr(model, "n_iter_")
    with contextlib.redirect_stdout(io.StringIO()):
        model.partial_fit(X, y)
    before = model.predict(X)
    with ctrl_c():
        model.partial_fit(X, y)
    assert model.n_iter_ == 1
    assert_array_equal(model.predict(X), before)


def test_a_search_stops_at_the_first_fit():
    started = []

    class Interrupting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            started.append(epoch)
            signal.raise_signal(signal.SIGINT)

    model = LearnedScaleRegressor(**{**SINGLE, "epochs": 3}, callbacks=[Interrupting()])
    search = GridSearchCV(model, {"learning_rate": [0.01, 0.1]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert started == [0]


def test_before_the_first_epoch_nothing_changes():
    model = LearnedScaleRegressor(**{**SINGLE, "epochs": 3}).fit(X, y)
    before = dict(model.__dict__)

    class Interrupting(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            signal.raise_signal(signal.SIGINT)

    model.set_params(callbacks=[Interrupting()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert {**model.__dict__, "callbacks": None} == before
