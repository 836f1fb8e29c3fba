"""What callbacks saw is there after a fit, without a model, and travels nowhere."""

from __future__ import annotations

import copy
import itertools
import pickle

import keras
import numpy as np
import pytest
import skops.io
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.utils import estimator_html_repr

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3)) * [1.0, 10.0, 0.1] + 2.0
y = X @ [1.0, 0.2, 5.0] + np.sin(3 * X[:, 0]) + 0.1 * RANDOM.normal(size=40)

# So high a rate that the loss goes up and down.
SINGLE = {
    "hidden_layer_sizes": (4,),
    "epochs": 10,
    "learning_rate": 1.0,
    "scale_regularizer": None,
    "random_state": 0,
}
# Tables of several batches are learned twice.
AUTO = {
    **SINGLE,
    "embedding": None,
    "batch_size": 16,
    "scale_regularizer": "auto",
    "learning_rate": 0.1,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "cv": 2,
}


def stopping():
    return keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)


class Losses(keras.callbacks.Callback):
    """Keeps what it is told of."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["loss"])


@pytest.mark.parametrize(
    "cls", [LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer]
)
def test_a_single_network_calls_those_given(cls):
    stop, seen = stopping(), Losses()
    target = y > np.median(y) if cls is LearnedScaleClassifier else y
    model = cls(**SINGLE, callbacks=[stop, seen]).fit(X, target)
    assert len(model.callbacks_) == 2
    assert all(a is b for a, b in zip(model.callbacks_, [stop, seen], strict=True))
    assert stop.stopped_epoch == model.n_iter_ - 1 > 0
    assert seen.losses == model.history_["loss"]


def test_several_networks_have_a_list_each_and_those_given_stay_as_they_are():
    seen = Losses()
    before = copy.deepcopy(vars(seen))
    model = LearnedScaleRegressor(**AUTO, callbacks=[seen]).fit(X, y)
    # Of the chosen point, two for each of two folds.
    assert len(model.callbacks_) == len(model.member_scales_) == 4
    losses = [callbacks[0].losses for callbacks in model.callbacks_]
    assert_array_equal(np.mean(losses, axis=0), model.history_["loss"])
    assert len({tuple(of_network) for of_network in losses}) == 4
    assert vars(seen) == before


@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "path"])
def test_no_model_is_left_in_them(options):
    callbacks = [stopping(), Losses()]
    model = LearnedScaleRegressor(**options, callbacks=callbacks).fit(X, y)
    of_networks = [model.callbacks_] if options is SINGLE else model.callbacks_
    called = itertools.chain(*of_networks, callbacks)
    assert [callback.model for callback in called] == [None] * 2 * (len(of_networks) + 1)


def test_no_model_is_left_where_a_callback_fails():
    def fail(epoch, logs):
        raise ZeroDivisionError

    seen = Losses()
    failing = keras.callbacks.LambdaCallback(on_epoch_end=fail)
    model = LearnedScaleRegressor(**SINGLE, callbacks=[seen, failing])
    with pytest.raises(ZeroDivisionError):
        model.fit(X, y)
    assert seen.model is None
    assert not hasattr(model, "callbacks_")


class Open(keras.callbacks.Callback):
    """Opens what cannot be copied."""

    def __init__(self, path):
        super().__init__()
        self.path, self.lines = path, None

    def on_train_begin(self, logs=None):
        self.lines = self.path.open("a")
        self.other = self.path.open("a")

    def on_epoch_end(self, epoch, logs=None):
        self.lines.write(f"{epoch}\n")

    def on_train_end(self, logs=None):
        self.lines.close()
        self.other.close()


def test_what_cannot_be_copied_is_as_before(tmp_path):
    opened = Open(tmp_path / "lines")
    model = LearnedScaleRegressor(**SINGLE, callbacks=[opened]).fit(X, y)
    assert opened.lines is None
    assert not hasattr(opened, "other")
    clone(model).fit(X, y)
    assert opened.path.read_text().split() == [str(epoch) for epoch in range(10)] * 2


# Copies and pickles

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "skops": lambda model: skops.io.loads(
        skops.io.dumps(model), trusted=skops.io.get_untrusted_types(data=skops.io.dumps(model))
    ),
}


@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "path"])
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_they_stay_with_the_estimator_that_was_fitted(copied, options):
    model = LearnedScaleRegressor(**options, callbacks=[Losses()]).fit(X, y)
    kept = model.callbacks_
    twin = copied(model)
    assert not hasattr(twin, "callbacks_")
    assert_array_equal(twin.predict(X), model.predict(X))
    assert model.callbacks_ is kept is copy.copy(model).callbacks_


def test_a_pickle_holds_no_model():
    model = LearnedScaleRegressor(**SINGLE, callbacks=[Losses()]).fit(X, y)
    size = len(pickle.dumps(model))
    # Parameters, and the callback with its losses.
    assert size < len(pickle.dumps(clone(model).set_params(callbacks=None).fit(X, y))) + 3000


def test_a_fit_without_callbacks_leaves_none_of_an_earlier_one():
    model = LearnedScaleRegressor(**SINGLE, callbacks=[Losses()]).fit(X, y)
    assert not hasattr(model.set_params(callbacks=None).fit(X, y), "callbacks_")
    transformer = LearnedScaleTransformer(**SINGLE, callbacks=[Losses()]).fit(X, y)
    assert not hasattr(transformer.fit(X), "callbacks_")


@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "path"])
def test_the_html_form_shows_them_and_builds_no_model(options):
    model = LearnedScaleRegressor(**options, callbacks=[Losses()]).fit(X, y)
    before = keras.backend.get_uid("model")
    assert "LearnedScale" in estimator_html_repr(model)
    # The counter goes up by one with every question, and by more with every model.
    assert keras.backend.get_uid("model") == before + 1


def test_a_fit_from_a_pickle_calls_its_own():
    model = LearnedScaleRegressor(**SINGLE, callbacks=[Losses()]).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model)).fit(X, y)
    (called,) = loaded.callbacks_
    # Those of the first fit came with the pickle.
    assert called.losses == model.history_["loss"] * 2
