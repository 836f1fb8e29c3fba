"""Callbacks that log by batch elsewhere log by epoch here, and say so."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings

import keras
import mlflow
import numpy as np
import pytest
import tensorflow as tf
from mlflow.keras import MlflowCallback
from sklearn.base import clone
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from skscale import LearnedScaleRegressor

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3)) * [1.0, 10.0, 0.1] + 2.0
y = X @ [1.0, 0.2, 5.0] + 0.1 * RANDOM.normal(size=40)
SINGLE = {
    "hidden_layer_sizes": (4,),
    "epochs": 4,
    "scale_regularizer": None,
    "random_state": 0,
}
AUTO = {**SINGLE, "scale_regularizer": "auto", "regularization_path": [(0.03, 0.3)], "cv": 2}


def events(folder):
    """Return the numbers that TensorBoard shows of a folder, epoch by epoch, by their tag."""
    shown = EventAccumulator(str(folder)).Reload()
    return {
        tag: {event.step: make_ndarray(event.tensor_proto) for event in shown.Tensors(tag)}
        for tag in shown.Tags()["tensors"]
    }


def fitted(model):
    """Fit, and return what users are warned of."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        model.fit(X, y)
    return [warning for warning in record if warning.category is UserWarning]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a run of MLflow that writes to files, which its newer versions only do if told."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    try:
        with mlflow.start_run() as run:
            yield run
    finally:
        mlflow.set_tracking_uri(uri)


@pytest.mark.filterwarnings("ignore:callbacks. TensorBoard will log epochs only")
@pytest.mark.parametrize("update_freq", ["epoch", "batch"])
def test_tensorboard_shows_the_losses_and_weights_of_each_epoch(tmp_path, update_freq):
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1, update_freq=update_freq)
    options = {**SINGLE, "early_stopping": True, "n_iter_no_change": 9}
    model = LearnedScaleRegressor(**options, callbacks=[board]).fit(X, y)
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    for of_each, name in ((train, "loss"), (validation, "val_loss")):
        losses = of_each["epoch_loss"]
        assert list(losses) == [0, 1, 2, 3]
        # TensorBoard keeps float32.
        np.testing.assert_allclose(list(losses.values()), model.history_[name], rtol=1e-6)
    assert train["epoch_learning_rate"][0] == np.float32(0.01)
    assert any(tag.startswith("scaling") and tag.endswith("histogram") for tag in train)
    assert not any(tag.startswith("batch") for tag in train)


@pytest.mark.filterwarnings("ignore:callbacks. TensorBoard will log epochs only")
def test_tensorboard_has_a_folder_for_each_of_several_networks(tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path)
    model = LearnedScaleRegressor(**AUTO, callbacks=[board]).fit(X, y)
    folders = sorted(folder.name for folder in tmp_path.iterdir())
    # One point on two folds.
    assert folders == [f"network_{number}" for number in range(2)]
    shown = [events(tmp_path / folder / "validation")["epoch_loss"] for folder in folders]
    means = np.mean([list(losses.values()) for losses in shown], axis=0)
    np.testing.assert_allclose(means, model.history_["val_loss"], rtol=1e-6)
    assert board.log_dir == str(tmp_path)
    called = [callbacks[0].log_dir for callbacks in model.callbacks_]
    assert called == [str(tmp_path / folder) for folder in folders]


@pytest.mark.filterwarnings("ignore:callbacks. MlflowCallback will log epochs only")
def test_mlflow_has_the_losses_of_each_epoch_in_the_run_of_the_user(run):
    options = {**SINGLE, "early_stopping": True}
    model = LearnedScaleRegressor(**options, callbacks=[MlflowCallback()]).fit(X, y)
    mlflow.flush_async_logging()
    client = mlflow.MlflowClient()
    for name, values in model.history_.items():
        logged = client.get_metric_history(run.info.run_id, name)
        assert {metric.step: metric.value for metric in logged} == dict(enumerate(values))
    params = client.get_run(run.info.run_id).data.params
    # Keras holds it in float32.
    assert np.float32(params["optimizer_learning_rate"]) == np.float32(0.01)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("options", [SINGLE, AUTO], ids=["single", "path"])
def test_one_warning_names_all_that_log_by_batch_too(tmp_path, options):
    loggers = [keras.callbacks.TensorBoard(tmp_path), MlflowCallback()]
    callbacks = [*loggers, keras.callbacks.EarlyStopping("loss")]
    (warning,) = fitted(LearnedScaleRegressor(**options, callbacks=callbacks))
    assert "TensorBoard, MlflowCallback will log epochs only" in str(warning.message)
    assert warning.filename == __file__


class Counting(keras.callbacks.TensorBoard):
    """Inherits hooks for batches, and has others for epochs."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, {**logs, "epoch": epoch})


class CountingBatches(keras.callbacks.TensorBoard):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)


def test_what_inherits_a_logger_is_one_until_it_has_hooks_for_batches_of_its_own(tmp_path):
    (warning,) = fitted(LearnedScaleRegressor(**SINGLE, callbacks=[Counting(tmp_path)]))
    assert "Counting will log epochs only" in str(warning.message)
    epochs = events(tmp_path / "train")["epoch_epoch"]
    assert {step: float(value) for step, value in epochs.items()} == {n: n for n in range(4)}
    with pytest.raises(ValueError, match=r"CountingBatches .*with on_train_batch_end.*to_scikeras"):
        LearnedScaleRegressor(**SINGLE, callbacks=[CountingBatches(tmp_path)]).fit(X, y)


COPIES = {
    "itself": lambda model: model,
    "clone": clone,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


def test_a_board_that_keras_has_used_logs_here_too(tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    network.compile("sgd", "mse")
    network.fit(X, y, callbacks=[board], verbose=0)
    fitted(LearnedScaleRegressor(**SINGLE, callbacks=[board]))
    assert len(list((tmp_path / "train").glob("events*"))) == 2
    assert board.model is network


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_board_that_has_written_copies_and_fits_again(tmp_path, copied):
    model = LearnedScaleRegressor(**SINGLE, callbacks=[keras.callbacks.TensorBoard(tmp_path)])
    fitted(model)
    fitted(copied(model))
    assert len(list((tmp_path / "train").iterdir())) == 2
    # Half a copy of a writer would have taken caches of TensorFlow along.
    gc.collect()
    with tf.GradientTape() as tape:
        one = tf.Variable(1.0)
        total = tf.reduce_sum(one[tf.newaxis])
    assert tape.gradient(total, one) == 1.0
