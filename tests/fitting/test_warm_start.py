"""A fit that goes on where the last one stopped: same networks, penalty and folds."""

from __future__ import annotations

import copy
import pickle

import keras
import numpy as np
import pytest
from fitted_networks import network_weights, normalization_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import KFold

from skscale import LearnedScaleRegressor, LearnedScaleTransformer

# A table of one batch, so that the tests share compiled programs.
QUICK = {
    "hidden_layer_sizes": (4,),
    "activation": "tanh",
    "batch_size": 64,
    "dtype": "float32",
    "regularization_path": [(0.0, 0.0), (0.03, 0.3)],
    "cv": 2,
    "epochs": 5,
    "random_state": 0,
    "warm_start": True,
}
SINGLE = {**QUICK, "scale_regularizer": None}
BOTH = [LearnedScaleRegressor, LearnedScaleTransformer]
_random = np.random.default_rng(0)
X = _random.normal([0.0, 5.0, -1.0], [1.0, 2.0, 0.1], size=(40, 3))
y = X[:, 0] + (X[:, 1] - 5) ** 2 / 4 + 0.1 * _random.normal(size=40)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("options", [SINGLE, QUICK], ids=["single", "path"])
def test_the_loss_goes_on_falling_and_epochs_add_up(cls, options):
    model = cls(**options).fit(X, y)
    first, path = copy.deepcopy(model), getattr(model, "path_", None)
    losses = [model.history_["loss"][-1]]
    for n_fits in (2, 3, 4):
        model.fit(X, y)
        losses.append(model.history_["loss"][-1])
        assert model.n_iter_ == len(model.history_["loss"]) == 5 * n_fits
    assert model.history_["loss"][:5] == first.history_["loss"]
    # Five steps of whole tables each.
    assert (np.diff(losses) < 0).all()
    # The first step of the second fit starts where the first fit ended.
    assert model.history_["loss"][5] < model.history_["loss"][0]
    if path is not None:
        assert model.path_ is path
        # One for each of two folds.
        assert len(network_weights(model)) == 2
        # The penalty stays the chosen one, whatever the path is by now.
        other = copy.deepcopy(first).set_params(regularization_path=[(10.0, 1.0)]).fit(X, y)
        assert_array_equal(other.scale_, first.fit(X, y).scale_)


def test_importances_are_by_the_spread_of_the_rows_of_the_last_fit():
    model = LearnedScaleRegressor(**SINGLE).fit(X, y)
    wide = X * [10.0, 1.0, 1.0]
    model.fit(wide, y)
    squares = np.empty(3)
    for i, size in enumerate(wide.std(axis=0)):
        shift = 1e-5 * size * np.eye(3)[i]
        squares[i] = np.mean((model.predict(wide + shift) - model.predict(wide - shift)) ** 2)
    # Central differences are right to the square of the step and the rounding over the step.
    assert_allclose(model.feature_importances_, squares / squares.sum(), rtol=1e-6)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_networks_behind_the_mean_go_on(cls, how):
    # One epoch leaves every point worse than the mean, which is the model then.
    model = cls(**{**QUICK, "epochs": 1}).fit(X, y)
    assert model.path_["null_loss"] < model.path_["mean_loss"].min()
    assert_array_equal(model.feature_importances_, np.full(3, 1 / 3))
    for n_fits in range(2, 5):
        getattr(model, how)(X, y)
        assert model.n_iter_ == len(model.history_["loss"]) == n_fits
    # A new start would have the same loss again. A chunk is of the rows of both folds.
    assert (np.diff(model.history_["loss"][1:]) < 0).all()
    assert np.ptp(model.feature_importances_) > 0


def test_without_warm_start_a_fit_starts_anew():
    model = LearnedScaleRegressor(**{**QUICK, "warm_start": False}).fit(X, y)
    first = model.predict(X)
    assert_array_equal(model.fit(X, y).predict(X), first)
    assert model.n_iter_ == len(model.history_["loss"]) == 5


@pytest.mark.parametrize("cls", BOTH)
def test_the_normalization_stays(cls):
    model = cls(**SINGLE).fit(X, y)
    before = normalization_of(model)
    model.fit(X + 1, y)
    assert normalization_of(model) == before


@pytest.mark.parametrize(
    "cv", [2, KFold(2, shuffle=True), KFold(2)], ids=["int", "shuffling", "in order"]
)
def test_the_folds_stay(cv):
    # No random_state: a fit that drew its folds anew would draw others.
    state = np.random.get_state()  # noqa: NPY002 (the one that check_random_state(None) is)
    try:
        np.random.seed(0)  # noqa: NPY002
        before, after = held_out_losses({"cv": cv, "random_state": None}, {})
    finally:
        np.random.set_state(state)  # noqa: NPY002
    # Float32 losses.
    assert_allclose(after, before, rtol=1e-5)


def test_folds_of_groups_stay():
    groups = np.arange(40) % 4
    before, after = held_out_losses({}, {"random_state": 5}, groups=groups)
    assert_allclose(after, before, rtol=1e-5)
    anew, _ = held_out_losses({"random_state": 5}, {}, groups=groups)
    assert not np.isclose(anew, before).any()


class SeeHeldOut(keras.callbacks.Callback):
    """Tells what a network loses on held-out rows. Copies share a function, but no list."""

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def on_epoch_end(self, epoch, logs=None):
        self.tell(self, logs["val_loss"])


def held_out_losses(options, changed, **fit_params):
    """Last loss of each network in a fit, and in one that goes on by a step of no length."""
    losses = {}

    def tell(callback, loss):
        losses[callback] = loss

    # Several batches, which are learned twice.
    batches = {"batch_size": 16, "embedding": None}
    options = {**QUICK, **batches, "regularization_path": [(0.03, 0.3)], **options}
    model = LearnedScaleRegressor(**options, callbacks=[SeeHeldOut(tell)])
    model.fit(X, y, **fit_params)
    before = list(losses.values())
    losses.clear()
    model.set_params(learning_rate=1e-12, epochs=1, **changed).fit(X, y, **fit_params)
    # Two networks for each of two folds.
    assert len(losses) == len(before) == 4
    return before, list(losses.values())


def test_a_pickle_goes_on_to_the_same_bits():
    options = {**QUICK, "cv": KFold(2, shuffle=True)}
    model = LearnedScaleRegressor(**options).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    assert_array_equal(twin.fit(X, y).predict(X), model.fit(X, y).predict(X))


@pytest.mark.parametrize("cv", [2, KFold(2)], ids=["int", "splitter"])
def test_a_single_network_may_go_on_with_other_rows(cv):
    model = LearnedScaleRegressor(**{**SINGLE, "cv": cv}).fit(X, y)
    model.fit(X[:30], y[:30])
    assert model.n_iter_ == 10
    anew = LearnedScaleRegressor(**SINGLE).fit(X, y).fit(X[:30], y[:30])
    assert_array_equal(model.predict(X), anew.predict(X))


@pytest.mark.parametrize("cls", BOTH)
def test_what_cannot_go_on_is_refused_before_training(cls, request):
    path, single = cls(**QUICK).fit(X, y), cls(**SINGLE).fit(X, y)
    chunked = cls(**SINGLE).partial_fit(X, y)

    request.getfixturevalue("no_training")
    with pytest.raises(ValueError, match="which are of 40 rows, but X has 30"):
        path.fit(X[:30], y[:30])
    # A refused fit has seen other features, as everywhere in scikit-learn.
    for model in (path, single):
        with pytest.raises(ValueError, match="y has 2 columns, but the present networks predict 1"):
            model.fit(X, np.stack([y, y], axis=1))
        with pytest.raises(ValueError, match="goes on with networks of 3 features, but X has 2"):
            model.fit(X[:, :2], y)
    with pytest.raises(ValueError, match=r"weights of shapes .* Keep the layer options"):
        single.set_params(hidden_layer_sizes=(5,)).fit(X, y)
    with pytest.raises(
        ValueError, match="scale_regularizer has changed between 'auto' and another"
    ):
        path.set_params(scale_regularizer=None).fit(X, y)
    with pytest.raises(ValueError, match="the present ones come from partial_fit"):
        chunked.fit(X, y)


def test_a_fit_after_chunks_starts_anew_without_warm_start():
    options = {**SINGLE, "warm_start": False}
    model = LearnedScaleRegressor(**options).partial_fit(X, y)
    model.fit(X, y)
    assert not hasattr(model, "_stream")
    assert_array_equal(model.predict(X), LearnedScaleRegressor(**options).fit(X, y).predict(X))
