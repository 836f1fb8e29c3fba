"""The point of least held-out loss wins, with its fold networks, and a failed point cannot."""

from __future__ import annotations

import itertools
import signal
import threading
import time
import warnings

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

from skscale._fitting.fit import fit as fit_parameters
from skscale._fitting.training_set import TrainingSet
from skscale._parameters import LearnedScaleParameters
from skscale._target.target import Target

X, y = (array[:100] for array in load_diabetes(return_X_y=True, scaled=False))
TARGET = ((y - y.mean()) / y.std())[:, np.newaxis]

QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 30,
    "cv": 2,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}


def fit(sample_weight=None, on_progress=(), rows=(X, TARGET), **options):
    parameters = LearnedScaleParameters(**{**QUICK, **options})
    weight = np.ones(100) if sample_weight is None else sample_weight
    random = np.random.RandomState(0)
    training_set = TrainingSet(rows[0], Target(rows[1]), weight, random)
    return fit_parameters(parameters, training_set, random=random, on_progress=on_progress)


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_no_point_stops_before_it_has_trained(epochs):
    # A twentieth of so few epochs is none: nothing is known by then.
    path = [(0.0, 0.0), (0.01, 0.1), (0.03, 0.3), (0.1, 0.3), (1.0, 1.0)]
    assert np.isfinite(fit(epochs=epochs, regularization_path=path).path["mean_loss"]).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_held_out_loss_is_pooled_over_rows_by_weight(weighted):
    weight = np.random.default_rng(0).uniform(0, 3, 100) if weighted else np.ones(100)
    fitted = fit(weight)
    outputs = [fitted.ensemble.member_output(X, member) for member in range(2)]
    sums, weights = [], []
    # The networks that learned the folds once more came after the choice.
    for (_, held_out), output in zip(fitted.folds[:2], outputs, strict=True):
        squares = (output[held_out] - TARGET[held_out])[:, 0] ** 2
        sums.append(squares @ weight[held_out])
        weights.append(weight[held_out].sum())
    best = fitted.path["best_index"]
    mean = np.sum(sums) / np.sum(weights)
    # Inputs and targets are rounded to float32 for training and not for prediction.
    assert fitted.path["mean_loss"][best] == pytest.approx(mean, rel=1e-5)
    folds = np.divide(sums, weights)
    spread = np.sqrt(np.average((folds - mean) ** 2, weights=weights))
    assert fitted.path["std_loss"][best] == pytest.approx(spread, rel=1e-4)


def test_best_point_is_kept_with_its_networks():
    both = fit()
    best = both.path["best_index"]
    assert best == np.argmin(both.path["mean_loss"])
    alone = fit(regularization_path=[QUICK["regularization_path"][best]])
    for members in zip(both.ensemble.members, alone.ensemble.members, strict=True):
        for weights in zip(*members, strict=True):
            assert_array_equal(*weights)


PATH = [(0.0, 0.0), (0.01, 0.1), (0.03, 0.3), (0.1, 1.0), (0.3, 1.0), (1.0, 1.0), (10.0, 1.0)]


def test_points_that_stop_early_leave_the_chosen_one_as_it_is():
    options = {"regularization_path": PATH, "epochs": 100, "batch_size": 16}
    options["embedding"] = None
    halved = fit(**options)
    # No point stops early where a callback looks at its networks.
    whole = fit(**options, callbacks=[keras.callbacks.Callback()])
    best = halved.path["best_index"]
    assert best == whole.path["best_index"]
    # Networks with callbacks train alone, which rounds otherwise than a stack in float32: 1e-8.
    near = {"rtol": 1e-6, "atol": 1e-6}
    losses = [fitted.path["mean_loss"] for fitted in (halved, whole)]
    assert_array_equal(halved.path["stopped"], ~np.isclose(*losses, **near))
    assert not halved.path["stopped"][best]
    assert_allclose(halved.history["loss"], whole.history["loss"], **near)
    assert halved.path["stopped"].sum() >= 2
    assert not whole.path["stopped"].any()
    for members in zip(halved.ensemble.members, whole.ensemble.members, strict=True):
        for weights in zip(*members, strict=True):
            assert_allclose(*weights, rtol=1e-4, atol=1e-5)


def test_points_stop_at_a_twentieth_a_fifth_and_three_fifths_of_the_training():
    epochs, numbers = np.zeros(len(PATH), int), set()

    def report(progress):
        point = progress.first_network // 2
        epochs[point] = max(epochs[point], progress.epoch)
        numbers.add(progress.n_networks)

    fitted = fit(on_progress=[report], regularization_path=PATH, epochs=20)
    assert numbers == {2 * len(epochs)}
    assert sorted(epochs) == [1, 1, 4, 4, 4, 12, 20]
    assert epochs[fitted.path["best_index"]] == 20
    assert_array_equal(fitted.path["epochs"], [1, 4, 12, 20])
    # Each point has a loss for every part that it was trained in, and the last of them counts.
    losses = fitted.path["losses"]
    is_trained = epochs[:, np.newaxis] >= fitted.path["epochs"]
    assert_array_equal(np.isfinite(losses), is_trained)
    assert_array_equal(fitted.path["stopped"], epochs < 20)
    last = losses[np.arange(len(PATH)), is_trained.sum(axis=1) - 1]
    assert_array_equal(last, fitted.path["mean_loss"])


def test_points_that_had_stopped_catch_up_where_those_ahead_learn_the_noise_by_heart():
    # Four fifths of the variance are noise; the weak points are ahead until they fit it.
    noise = np.random.default_rng(0)
    features, errors = noise.normal(size=(100, 10)), noise.normal(size=(100, 1))
    target = 0.5 * features[:, :1] + errors
    weak = [(0.0, 0.0), (0.001, 0.01), (0.003, 0.03), (0.01, 0.1), (0.02, 0.2)]
    fitted = fit(
        rows=(features, (target - target.mean()) / target.std()),
        regularization_path=[*weak, (0.1, 1.0), (0.3, 1.0), (1.0, 1.0)],
        hidden_layer_sizes=(32,),
        epochs=100,
        on_progress=[(told := []).append],
    )
    losses, best = fitted.path["losses"], fitted.path["best_index"]
    n_trained = np.isfinite(losses).sum(axis=0)
    assert n_trained[1:].tolist() != [5, 2, 1]
    # One that has caught up has not stopped.
    assert_array_equal(fitted.path["stopped"], np.isnan(losses[:, -1]))
    assert best == np.argmin(fitted.path["mean_loss"])
    # The plan has grown with them.
    epochs = {progress.first_network: progress.epoch * progress.n_stacked for progress in told}
    assert sum(epochs.values()) == told[-1].n_planned


def test_networks_of_the_choice_are_trained_to_the_end():
    fitted = fit(regularization_path=PATH, epochs=20)
    assert len(fitted.history["loss"]) == 20


def test_points_of_the_path_start_from_the_same_networks():
    # So few epochs that none stops before the end.
    twice = fit(regularization_path=[(0.1, 1.0), (0.1, 1.0)], epochs=1)
    assert twice.path["mean_loss"][0] == twice.path["mean_loss"][1]
    assert twice.path["best_index"] == 0


def test_networks_start_from_weights_of_their_own():
    members = fit().ensemble.members
    for first, second in itertools.combinations(members, 2):
        assert np.abs(first[2] - second[2]).max() > 0.1


@pytest.mark.parametrize(
    "callbacks", [None, [keras.callbacks.Callback()]], ids=["chosen early", "chosen at the end"]
)
def test_the_chosen_point_is_learned_twice_on_the_same_folds(callbacks):
    options = {"embedding": None, "batch_size": 64, "dtype": "float64"}
    fitted = fit(**options, callbacks=callbacks, on_progress=[(told := []).append])
    # The last are those that begin when all others have stopped.
    numbers = {(progress.first_network, progress.n_networks) for progress in told}
    assert max(numbers)[0] >= 4
    assert {n_networks for _, n_networks in numbers} == {6}
    assert len(fitted.ensemble.members) == len(fitted.folds) == 4
    for first, again in zip(fitted.folds[:2], fitted.folds[2:], strict=True):
        assert_array_equal(first.train, again.train)
        assert_array_equal(first.held_out, again.held_out)
    best = fitted.path["best_index"]
    # What learns again is scored no more.
    assert fitted.path["epochs"].tolist() == ([2, 6, 18, 30] if callbacks is None else [30])
    assert fitted.path["losses"][best, -1] == fitted.path["mean_loss"][best]
    # From other weights, in another order of the rows, but under the same penalty.
    alone = fit(**options, regularization_path=[QUICK["regularization_path"][best]])
    for members in zip(fitted.ensemble.members, alone.ensemble.members, strict=True):
        for weights in zip(*members, strict=True):
            # Networks with callbacks train alone: another order of sums in float64.
            assert_allclose(*weights, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [{"network": keras.layers.Dense(1), "batch_size": 64}, {"batch_size": 100}],
    ids=["layers of the user", "tables of one batch"],
)
def test_some_are_learned_once(options):
    fitted = fit(**options, epochs=2, on_progress=[(told := []).append])
    assert len(fitted.ensemble.members) == len(fitted.folds) == 2
    assert {progress.n_networks for progress in told} == {2 * len(fitted.path["strength"])}


def test_dropped_features_are_exactly_zero():
    fitted = fit(epochs=300, regularization_path=[(1.0, 1.0)])
    for weights in fitted.ensemble.members:
        assert 0 < np.count_nonzero(weights[0] == 0) < 10


@pytest.mark.parametrize("diverging", [0, 1])
def test_point_that_diverges_does_not_win(diverging):
    # Two points are trained to the end, whatever they lose.
    path = np.insert([(1.0, 1.0)], diverging, (0.1, 1e6), axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit(regularization_path=path)
    assert fitted.path["best_index"] == 1 - diverging
    for losses in ("mean_loss", "std_loss"):
        assert_array_equal(np.isfinite(fitted.path[losses]), np.arange(2) != diverging)
    assert np.isnan(fitted.path["scale"][diverging]).all()


def test_where_every_point_diverges_there_is_a_warning_and_a_finite_model():
    with pytest.warns(ConvergenceWarning, match="diverged at every point of the path") as record:
        fitted = fit(regularization_path=[(0.1, 1e6), (1.0, 1e6)])
    assert len(record) == 1
    for advice in ("smaller learning_rate", "normalization='standard'"):
        assert advice in str(record[0].message)
    assert np.isfinite(fitted.ensemble.mean_output(X)).all()
    assert np.isfinite(fitted.history["loss"]).all()


def test_single_network_has_no_path():
    fitted = fit(scale_regularizer=None)
    assert fitted.path is None
    assert len(fitted.ensemble.members) == 1
    ((learned, held_out),) = fitted.folds
    assert_allclose(learned, np.arange(100))
    assert len(held_out) == 0


@pytest.fixture
def _ctrl_c_raises():
    # Processes that a shell starts in the background ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_raises")
def test_ctrl_c_while_a_point_is_learned_again_leaves_its_first_networks():
    def interrupt(progress):
        # Of the one point the networks that begin last.
        if progress.first_network == 2 and not is_interrupted.is_set():
            is_interrupted.set()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.5)

    is_interrupted = threading.Event()
    # With an embedding there would be two points, and these would be networks of the second.
    options = {"regularization_path": [(0.1, 1.0)], "embedding": None}
    fitted = fit(on_progress=[interrupt], **options, batch_size=16, epochs=500)
    assert is_interrupted.is_set()
    assert len(fitted.ensemble.members) == len(fitted.folds) == 2
    # Three fifths were done before others began.
    assert 300 <= len(fitted.history["loss"]) <= 500


@pytest.mark.usefixtures("_ctrl_c_raises")
def test_ctrl_c_leaves_the_best_of_what_was_trained():
    told = []

    def interrupt(progress):
        told.append(progress)
        if len(told) == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            # The training must still go on when the main thread hears it.
            time.sleep(0.5)

    # Mini-batches and many epochs, so that the training takes several calls of the program.
    options = {"regularization_path": PATH, "batch_size": 16, "epochs": 500}
    fitted = fit(on_progress=[interrupt], **options)
    assert 0 < len(fitted.history["loss"]) < 500
    assert np.isfinite(fitted.ensemble.mean_output(X)).all()
    assert np.isfinite(fitted.path["mean_loss"][fitted.path["best_index"]])
    # What was interrupted has no epoch that all its points had reached.
    assert fitted.path["losses"].shape[1] == len(fitted.path["epochs"]) == 0
    assert not fitted.path["stopped"].any()
