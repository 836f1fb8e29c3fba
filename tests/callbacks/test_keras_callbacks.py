"""Keras callbacks between the epochs: what they see, what they change, what they leave alone."""

from __future__ import annotations

import copy
import csv
import inspect
import io
import json
import pathlib
import pickle
import signal
import threading
import zipfile

import keras
import numpy as np
import pytest
import skops.io
from fitted_networks import network_outputs, network_weights
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from user_layers import two_layers

import skscale
from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer
from skscale._callbacks.pickled_callbacks import PickledCallbacks

N_EPOCHS = 4
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3)) * [1.0, 10.0, 0.1] + 2.0
y = X @ [1.0, 0.2, 5.0] + np.sin(3 * X[:, 0]) + 0.1 * RANDOM.normal(size=40)
LABELS = np.where(y > np.median(y), "high", "low")

SINGLE = {
    "hidden_layer_sizes": (4,),
    "epochs": N_EPOCHS,
    "scale_regularizer": None,
    "random_state": 0,
}
# A linear network, whose descent a few lines of NumPy repeat.
LINEAR = {
    **SINGLE,
    "hidden_layer_sizes": (),
    "scale_learning_rate_factor": 1.0,
    "weight_decay": 0.0,
}
# So high that the loss goes up and down.
RESTLESS = {**SINGLE, "learning_rate": 1.0, "epochs": 10}
HOOKS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")


def sgd(rate=0.125):
    return keras.optimizers.SGD(rate)


class HookCaller(keras.callbacks.Callback):
    """Calls a function at every hook: copies share a function, but no list of their own."""

    def __init__(self, record):
        super().__init__()
        self.record = record

    def on_train_begin(self, logs=None):
        self.record("on_train_begin", self, None, logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.record("on_epoch_begin", self, epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.record("on_epoch_end", self, epoch, logs)

    def on_train_end(self, logs=None):
        self.record("on_train_end", self, None, logs)


class BatchEnd(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


def weights_at_epoch_ends():
    """Return a list, and a callback that puts weights and logs into it."""
    seen = []

    def record(hook, callback, epoch, logs):
        if hook == "on_epoch_end":
            seen.append((callback.model.get_weights(), dict(logs)))

    return seen, HookCaller(record)


def rates_at_epoch_begins():
    seen = []

    def record(hook, callback, epoch, logs):
        if hook == "on_epoch_begin":
            seen.append(float(callback.model.optimizer.learning_rate))

    return seen, HookCaller(record)


def assert_same_weights(model, weights):
    for array, expected in zip(network_weights(model)[0], weights, strict=True):
        assert_array_equal(array, expected)


def assert_same_fit(first, second, rows=X):
    assert_array_equal(first.predict(rows), second.predict(rows))
    for name in ("scale_", "offset_", "feature_importances_"):
        assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.history_ == second.history_


def assert_near_fit(first, second, rows=X):
    """Compare programs that differ in where the rate comes from, and so in rounding to float32."""
    assert_allclose(first.predict(rows), second.predict(rows), rtol=1e-6)
    for name in ("scale_", "offset_", "feature_importances_"):
        assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-5, atol=1e-6)
    assert first.history_["loss"] == pytest.approx(second.history_["loss"], rel=1e-5)


def normalized():
    """Rows and targets as the network sees them: standardized, and rounded to float32 once."""
    columns = np.column_stack([X, y])
    Z = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    return np.split(Z.astype(np.float32).astype(np.float64), [3], axis=1)


def descended(weights, rates):
    """Weights of the linear network after steps of plain gradient descent on all rows."""
    scale, center, kernel, bias = (np.array(array, np.float64) for array in weights)
    Z, targets = normalized()
    for rate in rates:
        hidden = Z * scale + center
        slope = 2 * (hidden @ kernel + bias - targets) / len(Z)
        into_hidden = slope @ kernel.T
        steps = (into_hidden * Z).sum(0), into_hidden.sum(0), hidden.T @ slope, slope.sum(0)
        scale, center, kernel, bias = (
            array - np.float32(rate) * step
            for array, step in zip((scale, center, kernel, bias), steps, strict=True)
        )
    return scale, center, kernel, bias


# What callbacks are called with


@pytest.mark.parametrize(("batch_size", "stop_at"), [(16, None), (64, 2)])
def test_hooks_and_logs_are_those_of_keras(batch_size, stop_at):
    def recorded(fit):
        seen = []

        def record(hook, callback, epoch, logs):
            # Keras gives None where there is nothing to log.
            params = {k: v for k, v in callback.params.items() if k != "verbose"}
            seen.append((hook, epoch, sorted(logs or {}), params))
            if hook == "on_epoch_end" and epoch == stop_at:
                callback.model.stop_training = True

        fit(HookCaller(record))
        return seen

    def keras_fit(callback):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        options = {"epochs": N_EPOCHS, "batch_size": batch_size, "verbose": 0}
        model.fit(X[:36], y[:36], validation_data=(X[36:], y[36:]), callbacks=[callback], **options)

    def own_fit(callback):
        options = {**SINGLE, "batch_size": batch_size, "early_stopping": True}
        LearnedScaleRegressor(**options, callbacks=callback).fit(X, y)

    events = recorded(own_fit)
    assert events == recorded(keras_fit)
    n_epochs = N_EPOCHS if stop_at is None else stop_at + 1
    assert len(events) == 2 + 2 * n_epochs


def test_logs_are_the_history():
    seen, callback = weights_at_epoch_ends()
    options = {**SINGLE, "early_stopping": True}
    model = LearnedScaleRegressor(**options, callbacks=[callback]).fit(X, y)
    logs = [logs for _, logs in seen]
    assert {name: [log[name] for log in logs] for name in logs[0]} == model.history_
    assert list(model.history_) == ["loss", "val_loss"]


def test_what_a_callback_writes_into_logs_reaches_the_next_and_no_history():
    seen, callback = weights_at_epoch_ends()

    def write(epoch, logs):
        logs["loss"] = -1.0
        del logs["val_loss"]

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=write), callback]
    options = {**SINGLE, "early_stopping": True}
    model = LearnedScaleRegressor(**options, callbacks=callbacks).fit(X, y)
    assert [logs for _, logs in seen] == [{"loss": -1.0}] * N_EPOCHS
    assert model.history_ == LearnedScaleRegressor(**options).fit(X, y).history_


def test_planned_rate_is_seen_from_the_start():
    seen = []

    def record(hook, callback, epoch, logs):
        seen.append((hook, float(callback.model.optimizer.learning_rate)))

    LearnedScaleRegressor(**SINGLE, learning_rate=0.5, callbacks=[HookCaller(record)]).fit(X, y)
    # One step an epoch, along half a cosine; Keras holds the rate in float32.
    planned = 0.25 * (1 + np.cos(np.pi * np.arange(N_EPOCHS) / N_EPOCHS))
    expected = np.r_[planned[0], np.repeat(planned, 2), planned[-1]]
    assert_allclose([rate for _, rate in seen], expected, rtol=1e-6)


def test_optimizer_counts_the_steps():
    seen = []

    def record(hook, callback, epoch, logs):
        seen.append(int(callback.model.optimizer.iterations.numpy()))

    LearnedScaleRegressor(**SINGLE, batch_size=16, callbacks=[HookCaller(record)]).fit(X, y)
    assert seen == [0, 0, 3, 3, 6, 6, 9, 9, 12, 12]


NETWORKS = {
    "dense": {},
    "batch statistics": {"normalization": "batch"},
    "sine": {"hidden_layer": "sine"},
    "own": {"network": two_layers},
}


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_model_is_the_network_and_its_weights_come_back(options):
    seen = []

    def record(hook, callback, epoch, logs):
        if hook == "on_train_end":
            model = callback.model
            model.set_weights([1.5 * weight for weight in model.get_weights()])
            seen.append(np.asarray(model(normalized()[0])))

    model = LearnedScaleRegressor(**{**SINGLE, **options}, callbacks=[HookCaller(record)]).fit(X, y)
    # Two ways to compute the same network in float64, of rows rounded to float32.
    expected = y.mean() + y.std() * seen[0][:, 0]
    assert_allclose(model.predict(X), expected, rtol=1e-5, atol=1e-6)


# What callbacks change


@pytest.mark.parametrize(("monitor", "early_stopping"), [("loss", False), ("val_loss", True)])
def test_early_stopping_gives_back_the_weights_of_the_best_epoch(monitor, early_stopping):
    seen, callback = weights_at_epoch_ends()
    stop = keras.callbacks.EarlyStopping(monitor, patience=2, restore_best_weights=True)
    options = {**RESTLESS, "early_stopping": early_stopping, "n_iter_no_change": 99}
    model = LearnedScaleRegressor(**options, callbacks=[callback, stop]).fit(X, y)
    best = int(np.argmin([logs[monitor] for _, logs in seen]))
    assert best + 2 < 9
    assert model.n_iter_ == len(seen) == best + 3
    assert_same_weights(model, seen[best][0])


def test_without_restoring_the_last_weights_stay():
    seen, callback = weights_at_epoch_ends()
    stop = keras.callbacks.EarlyStopping("loss", patience=2)
    model = LearnedScaleRegressor(**RESTLESS, callbacks=[callback, stop]).fit(X, y)
    assert model.n_iter_ < 10
    assert_same_weights(model, seen[-1][0])


def set_rate(at_hook, at_epoch, rate, *, by_assign=False):
    def record(hook, callback, epoch, logs):
        if (hook, epoch) == (at_hook, at_epoch):
            optimizer = callback.model.optimizer
            if by_assign:
                optimizer.learning_rate.assign(rate)
            else:
                optimizer.learning_rate = rate

    return HookCaller(record)


PLATEAU = {"monitor": "loss", "factor": 0.5, "patience": 1, "min_delta": 1e9}
HALVED = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
OF_THE_EPOCH = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
SCHEDULES = {
    "nothing": (None, [0.125] * 4),
    "scheduler": (HALVED, [1 / 16, 1 / 32, 1 / 64, 1 / 128]),
    "scheduler of the epoch": (OF_THE_EPOCH, [0.1, 0.05, 0.1 / 3, 0.025]),
    "plateau": (keras.callbacks.ReduceLROnPlateau(**PLATEAU), [0.125, 0.125, 0.0625, 0.03125]),
    "at the start": (set_rate("on_train_begin", None, 0.01), [0.01] * 4),
    "at the on_train_begin of an epoch": (
        set_rate("on_epoch_begin", 2, 0.01),
        [0.125] * 2 + [0.01] * 2,
    ),
    "at the end of an epoch": (set_rate("on_epoch_end", 2, 0.01), [0.125] * 3 + [0.01]),
    "by assign": (set_rate("on_epoch_begin", 1, 0.25, by_assign=True), [0.125] + [0.25] * 3),
}


@pytest.mark.parametrize(("callback", "rates"), SCHEDULES.values(), ids=SCHEDULES)
def test_training_uses_the_rates_that_callbacks_set(callback, rates):
    seen = []

    def record(hook, callback, epoch, logs):
        if hook == "on_train_begin":
            seen.extend(callback.model.get_weights())

    callbacks = [HookCaller(record), *([] if callback is None else [callback])]
    model = LearnedScaleRegressor(**LINEAR, optimizer=sgd(), callbacks=callbacks).fit(X, y)
    # Rounding of float64.
    for array, expected in zip(network_weights(model)[0], descended(seen, rates), strict=True):
        assert_allclose(array, expected, rtol=1e-10, atol=1e-12)


def test_setting_the_rate_that_is_there_ends_the_schedule():
    options = {**SINGLE, "batch_size": 16, "weight_decay": 0.0}
    constant = keras.callbacks.LearningRateScheduler(lambda epoch: 0.125)
    options["callbacks"] = [constant]
    model = LearnedScaleRegressor(**options, optimizer="sgd", learning_rate=0.125).fit(X, y)
    # The rate of an instance stays as it is.
    options["callbacks"] = None
    assert_near_fit(model, LearnedScaleRegressor(**options, optimizer=sgd()).fit(X, y))


def test_a_rate_set_once_stays():
    seen, callback = rates_at_epoch_begins()
    setting = set_rate("on_epoch_end", 0, 0.25)
    LearnedScaleRegressor(**SINGLE, callbacks=[setting, callback]).fit(X, y)
    # The default rate, in Keras' float32.
    assert seen == [np.float32(0.01), 0.25, 0.25, 0.25]


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
        keras.callbacks.ReduceLROnPlateau(**PLATEAU),
    ],
    ids=["scheduler", "plateau"],
)
def test_rate_of_a_schedule_cannot_be_set_as_in_keras(callback):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.125, 1, 0.5)
    optimizer = keras.optimizers.SGD(schedule)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    network.compile(optimizer, "mse")
    with pytest.raises(TypeError) as expected:
        network.fit(X, y, epochs=3, callbacks=[copy.deepcopy(callback)], verbose=0)
    model = LearnedScaleRegressor(**LINEAR, optimizer=optimizer, callbacks=[callback])
    with pytest.raises(TypeError) as error:
        model.fit(X, y)
    assert str(error.value) == str(expected.value)


def test_rate_of_a_schedule_is_seen_at_its_step():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.125, 1, 0.5)
    seen, callback = rates_at_epoch_begins()
    optimizer = keras.optimizers.SGD(schedule)
    LearnedScaleRegressor(**LINEAR, optimizer=optimizer, callbacks=[callback]).fit(X, y)
    assert seen == [1 / 8, 1 / 16, 1 / 32, 1 / 64]


def test_another_schedule_for_a_schedule_is_refused():
    schedules = [keras.optimizers.schedules.ExponentialDecay(r, 1, 0.5) for r in (0.125, 1.0)]
    options = {"optimizer": keras.optimizers.SGD(schedules[0])}
    callbacks = [set_rate("on_epoch_end", 1, schedules[1])]
    with pytest.raises(ValueError, match="has a schedule of its own"):
        LearnedScaleRegressor(**LINEAR, **options, callbacks=callbacks).fit(X, y)


NEW = [np.array([1.0, -1.0, 0.5]), np.array([0.1, 0.2, 0.3]), np.array([[0.5], [1], [2]]), [0.25]]


@pytest.mark.parametrize("at_epoch", [0, 2])
@pytest.mark.parametrize("at_hook", HOOKS)
def test_training_goes_on_from_the_weights_that_a_callback_sets(at_hook, at_epoch):
    def record(hook, callback, epoch, logs):
        if hook == at_hook and epoch in (None, at_epoch):
            callback.model.set_weights([np.asarray(weight) for weight in NEW])

    model = LearnedScaleRegressor(**LINEAR, optimizer=sgd(), callbacks=[HookCaller(record)]).fit(
        X, y
    )
    n_left = {
        "on_train_begin": N_EPOCHS,
        "on_epoch_begin": N_EPOCHS - at_epoch,
        "on_epoch_end": N_EPOCHS - at_epoch - 1,
        "on_train_end": 0,
    }[at_hook]
    # Rounding of float64.
    expected = descended(NEW, [0.125] * n_left)
    for array, new in zip(network_weights(model)[0], expected, strict=True):
        assert_allclose(array, new, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("at_hook", ["on_epoch_begin", "on_epoch_end"])
def test_callback_stops_the_training(at_hook):
    def record(hook, callback, epoch, logs):
        if (hook, epoch) == (at_hook, 1):
            callback.model.stop_training = True

    model = LearnedScaleRegressor(**SINGLE, callbacks=HookCaller(record)).fit(X, y)
    assert model.n_iter_ == len(model.history_["loss"]) == 2


@pytest.mark.parametrize("rate", [1e30, 1e3])
def test_terminate_on_nan_is_called_with_the_loss_of_a_diverging_fit(rate, capsys):
    # At the higher rate the first loss is finite, and the weights behind it are not.
    options = {**LINEAR, "optimizer": sgd(rate), "dtype": "float32", "epochs": 50}
    callbacks = [keras.callbacks.TerminateOnNaN()]
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model = LearnedScaleRegressor(**options, callbacks=callbacks).fit(X, y)
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    assert np.isfinite(model.predict(X)).all()
    if "raise_error" not in inspect.signature(keras.callbacks.TerminateOnNaN).parameters:
        return  # older versions of Keras only end the training
    callbacks = [keras.callbacks.TerminateOnNaN(raise_error=True)]
    with pytest.raises(RuntimeError, match="NaN or Inf loss"):
        LearnedScaleRegressor(**options, callbacks=callbacks).fit(X, y)


# Callbacks of Keras that change nothing


def test_csv_logger_writes_the_history(tmp_path):
    path = tmp_path / "log.csv"
    options = {**SINGLE, "early_stopping": True}
    callbacks = [keras.callbacks.CSVLogger(path)]
    model = LearnedScaleRegressor(**options, callbacks=callbacks).fit(X, y)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    for name, values in model.history_.items():
        assert [float(row[name]) for row in rows] == values
    assert list(rows[0]) == ["epoch", "loss", "val_loss"]


def test_lambda_callback_is_called():
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append("on_train_begin"),
        on_epoch_begin=lambda epoch, logs: seen.append(epoch),
        on_epoch_end=lambda epoch, logs: seen.append(logs["loss"]),
        on_train_end=lambda logs: seen.append("end"),
    )
    model = LearnedScaleRegressor(**SINGLE, callbacks=callback).fit(X, y)
    loss = model.history_["loss"]
    assert seen == ["on_train_begin", 0, loss[0], 1, loss[1], 2, loss[2], 3, loss[3], "end"]


def test_model_checkpoint_saves_the_network_of_each_epoch(tmp_path):
    path = str(tmp_path / "epoch_{epoch}.keras")
    seen, callback = weights_at_epoch_ends()
    callbacks = [keras.callbacks.ModelCheckpoint(path), callback]
    model = LearnedScaleRegressor(**SINGLE, callbacks=callbacks).fit(X, y)
    for number, (weights, _) in enumerate(seen, 1):
        loaded = keras.saving.load_model(path.format(epoch=number))
        for array, expected in zip(loaded.get_weights(), weights, strict=True):
            assert_array_equal(array, expected)
    outputs = np.asarray(loaded((X - X.mean(axis=0)) / X.std(axis=0)))[:, 0]
    # The same sums in another order, in float64.
    assert_allclose(y.mean() + y.std() * outputs, model.predict(X), rtol=1e-10)


# Copies


def test_callbacks_share_what_they_know_of_each_other():
    pairs = []
    first = HookCaller(lambda *_: None)
    second = HookCaller(lambda hook, callback, *_: pairs.append((callback, callback.other)))
    second.other = first
    first.record = lambda hook, callback, *_: pairs.append((callback,))
    LearnedScaleRegressor(**AUTO, callbacks=[first, second]).fit(X, y)
    (copied,), (_, known) = pairs[:2]
    assert copied is known is not first
    LearnedScaleRegressor(**SINGLE, callbacks=[first, second]).fit(X, y)
    assert pairs[-2][0] is pairs[-1][1] is first


def test_callback_that_keras_has_used_starts_anew():
    stop = keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    fresh = copy.deepcopy(stop)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    network.compile("sgd", "mse")
    network.fit(X, y, epochs=2, callbacks=[stop], verbose=0)
    used = LearnedScaleRegressor(**RESTLESS, callbacks=[stop]).fit(X, y)
    assert stop.model is network
    assert_same_fit(used, LearnedScaleRegressor(**RESTLESS, callbacks=[fresh]).fit(X, y))


COPIES = {
    "clone": clone,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


@pytest.mark.parametrize("is_fitted", [False, True], ids=["unfitted", "fitted"])
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copy_of_an_estimator_has_its_callbacks(copied, is_fitted):
    stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    model = LearnedScaleRegressor(**RESTLESS, callbacks=[stop])
    twin = copied(model.fit(X, y) if is_fitted else model)
    if copied is COPIES["pickle"] and is_fitted:
        # Bytes until a fit asks for them: loading and looking run no code.
        assert "EarlyStopping" in repr(twin.get_params()["callbacks"])
    else:
        (copied,) = twin.get_params()["callbacks"]
        assert isinstance(copied, keras.callbacks.EarlyStopping)
        assert copied is not stop
        assert (copied.monitor, copied.patience) == ("loss", 1)
    assert_same_fit(twin.fit(X, y), model.fit(X, y))


def with_state(data, class_name, state):
    """Give the object of a class in a skops file another state."""
    archives = [zipfile.ZipFile(io.BytesIO(content)) for content in (skops.io.dumps(state), data)]
    new, schema = (json.loads(archive.read("schema.json")) for archive in archives)
    files = {name: archive.read(name) for archive in archives for name in archive.namelist()}
    n_replaced = 0

    def replace(node):
        nonlocal n_replaced
        if isinstance(node, dict) and node.get("__class__") == class_name:
            node["content"] = new
            n_replaced += 1
        elif isinstance(node, dict | list):
            for child in node.values() if isinstance(node, dict) else node:
                replace(child)

    replace(schema)
    assert n_replaced == 1
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in {**files, "schema.json": json.dumps(schema)}.items():
            archive.writestr(name, content)
    return written.getvalue()


@pytest.mark.parametrize("attack", ["text", "object"])
def test_callbacks_run_no_code_from_a_skops_file(tmp_path, attack):
    stop = keras.callbacks.EarlyStopping("loss")
    model = LearnedScaleRegressor(**SINGLE, callbacks=[stop]).fit(X, y)
    trace = tmp_path / "trace"

    class Hostile:
        def __reduce__(self):
            return pathlib.Path.touch, (trace,)

    content = pickle.dumps(Hostile())
    # What an attacker may write: any state of a type of ours.
    hostile = {"names": "[]", "_bytes": content, "bytes": content}
    state = model.__getstate__()
    if attack == "text":
        state["callbacks"] |= hostile
        data = with_state(skops.io.dumps(model), type(model).__name__, state)
        trusted = skscale.SKOPS_TRUSTED
    else:
        state["callbacks"] = PickledCallbacks([stop])
        data = with_state(skops.io.dumps(model), type(model).__name__, state)
        data = with_state(data, PickledCallbacks.__name__, hostile)
        trusted = skops.io.get_untrusted_types(data=data)
    once = skops.io.loads(data, trusted=trusted)
    twice = skops.io.loads(skops.io.dumps(once), trusted=trusted)
    for loaded in (once, twice, copy.deepcopy(pickle.loads(pickle.dumps(once)))):
        assert_array_equal(loaded.predict(X), model.predict(X))
        with pytest.raises(ValueError, match=r"runs no code .* again: set_params\(callbacks"):
            loaded.fit(X, y)
    assert not trace.exists()
    assert_same_fit(once.set_params(callbacks=model.callbacks).fit(X, y), model)
    pickle.loads(content)
    assert trace.exists()


def test_fitted_estimator_pickles_with_functions_of_the_user():
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    model = LearnedScaleRegressor(**SINGLE, callbacks=[callback]).fit(X, y)
    assert_same_fit(pickle.loads(pickle.dumps(model)).fit(X, y), model)


# Nothing changes where callbacks do nothing

TABLES = {"padded": X, "not padded": RANDOM.normal(size=(40, 8))}


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize(
    ("batch_size", "dtype", "optimizer", "compare"),
    [
        (128, "float64", "auto", assert_same_fit),
        (16, "float32", "auto", assert_same_fit),
        # A callback might set the rate of an instance, which is a constant otherwise.
        (16, "float32", sgd(), assert_near_fit),
    ],
    ids=["whole", "batches", "instance"],
)
def test_do_nothing_callback_changes_no_bit(rows, batch_size, dtype, optimizer, compare):
    options = {**SINGLE, "batch_size": batch_size, "dtype": dtype, "optimizer": optimizer}
    plain = LearnedScaleRegressor(**options).fit(rows, y)
    unchanged = LearnedScaleRegressor(**options, callbacks=keras.callbacks.Callback()).fit(rows, y)
    compare(unchanged, plain, rows)


@pytest.mark.parametrize("options", list(NETWORKS.values())[1:], ids=list(NETWORKS)[1:])
def test_do_nothing_callback_changes_no_bit_of_any_network(options):
    plain = LearnedScaleRegressor(**{**SINGLE, **options}).fit(X, y)
    unchanged = clone(plain).set_params(callbacks=[keras.callbacks.Callback()]).fit(X, y)
    assert_same_fit(unchanged, plain)


@pytest.mark.parametrize("callbacks", [[], ()])
def test_no_callbacks_are_none(callbacks):
    model = LearnedScaleRegressor(**SINGLE, callbacks=callbacks).fit(X, y)
    assert_same_fit(model, LearnedScaleRegressor(**SINGLE).fit(X, y))


# Refusals

WITH_BATCHES = {
    "own class": (BatchEnd(), "on_train_batch_end"),
    "lambda": (
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
        "on_train_batch_end",
    ),
    "old name": (
        keras.callbacks.LambdaCallback(on_batch_begin=lambda batch, logs: None),
        "on_batch_begin",
    ),
    "checkpoint": (keras.callbacks.ModelCheckpoint("m.keras", save_freq=10), "on_train_batch_end"),
    "list": (keras.callbacks.CallbackList(), "on_batch_begin, on_batch_end"),
}


@pytest.mark.parametrize(("callback", "hooks"), WITH_BATCHES.values(), ids=WITH_BATCHES)
def test_hook_for_batches_is_refused_with_the_way_out(callback, hooks):
    model = LearnedScaleRegressor(**SINGLE, callbacks=[keras.callbacks.Callback(), callback])
    with pytest.raises(ValueError, match=f"with {hooks}.*on_epoch_end.*to_scikeras"):
        model.fit(X, y)
    assert not hasattr(model, "history_")


class Patient(keras.callbacks.TerminateOnNaN):
    pass


class Checkpoint(keras.callbacks.ModelCheckpoint):
    def on_epoch_end(self, epoch, logs=None):
        pass


@pytest.mark.parametrize("callback", [Patient(), Checkpoint("m.keras")])
def test_hook_for_batches_that_is_not_missed_is_let_through(callback):
    model = LearnedScaleRegressor(**SINGLE, callbacks=callback).fit(X, y)
    assert model.n_iter_ == N_EPOCHS


@pytest.mark.parametrize(
    "callbacks",
    [
        "EarlyStopping",
        ["EarlyStopping"],
        keras.callbacks.EarlyStopping,
        [keras.callbacks.Callback(), print],
        {"stop": keras.callbacks.EarlyStopping()},
    ],
)
def test_other_types_are_refused(callbacks):
    model = LearnedScaleRegressor(**SINGLE, callbacks=callbacks)
    with pytest.raises(TypeError, match=r"instances of keras.callbacks.Callback.*set_callbacks"):
        model.fit(X, y)
    assert not hasattr(model, "history_")


def test_callback_that_cannot_be_copied_is_refused():
    callback = keras.callbacks.Callback()
    callback.lock = threading.Lock()
    model = LearnedScaleRegressor(**SINGLE, callbacks=[callback])
    with pytest.raises(TypeError, match=r"cannot be copied.*on_train_begin.*lock"):
        model.fit(X, y)


def test_error_of_a_callback_is_the_user_s():
    def record(hook, callback, epoch, logs):
        raise ZeroDivisionError(hook)

    with pytest.raises(ZeroDivisionError, match="on_train_begin"):
        LearnedScaleRegressor(**SINGLE, callbacks=[HookCaller(record)]).fit(X, y)


# Many networks, and other estimators

# Tables of several batches are learned twice.
AUTO = {
    "hidden_layer_sizes": (4,),
    "embedding": None,
    "batch_size": 16,
    "epochs": N_EPOCHS,
    "regularization_path": [(0.03, 0.3), (1.0, 1.0)],
    "random_state": 0,
}


def test_each_network_of_the_path_has_copies_and_a_fold_of_its_own():
    halves = np.arange(25), np.arange(25, 40)
    seen = {}

    def record(hook, callback, epoch, logs):
        if hook == "on_epoch_end":
            calls = seen.setdefault(callback, [])
            calls.append((epoch, logs["val_loss"], callback.model.get_weights()))

    options = {**AUTO, "cv": [halves, halves[::-1]], "callbacks": [HookCaller(record)]}
    model = LearnedScaleRegressor(**options).fit(X, y)
    epochs = [[epoch for epoch, *_ in calls] for calls in seen.values()]
    # Two points on two folds, and two networks more of the chosen point.
    assert epochs == [list(range(N_EPOCHS))] * 6
    first, calls_of_each = 2 * model.path_["best_index"], list(seen.values())
    chosen = [*calls_of_each[first : first + 2], *calls_of_each[4:]]
    targets, trained = (y - y.mean()) / y.std(), network_weights(model)
    outputs = network_outputs(model, X)
    of_each = [*halves[::-1], *halves[::-1]]
    for number, (calls, held_out) in enumerate(zip(chosen, of_each, strict=True)):
        expected = np.square(outputs[number][:, 0] - targets)[held_out].mean()
        # Rows and targets are rounded to float32 once in the training.
        assert_allclose(calls[-1][1], expected, rtol=1e-5)
        for weight, array in zip(trained[number], calls[-1][2], strict=True):
            assert_array_equal(weight, array)
    means = np.mean([[loss for _, loss, _ in calls] for calls in chosen], axis=0)
    assert_allclose(model.history_["val_loss"], means, rtol=1e-15)


def test_networks_of_the_path_stop_on_their_own():
    lengths = []
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: lengths.append(e))
    options = {**AUTO, "cv": 2, "epochs": 10, "learning_rate": 0.5}
    model = LearnedScaleRegressor(**options, callbacks=[count, stop]).fit(X, y)
    ends = [a + 1 for a, b in zip(lengths, [*lengths[1:], 0], strict=True) if b == 0]
    assert len(ends) == 6
    assert len(set(ends)) > 1
    first = 2 * model.path_["best_index"]
    assert (
        model.n_iter_ == min(*ends[first : first + 2], *ends[4:]) == len(model.history_["val_loss"])
    )
    assert_array_equal(model.fit(X, y).predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("cls", "target"),
    [
        (LearnedScaleRegressor, y),
        (LearnedScaleClassifier, LABELS),
        (LearnedScaleTransformer, y),
        (LearnedScaleTransformer, LABELS),
    ],
)
def test_every_estimator_calls_them(cls, target):
    seen, callback = weights_at_epoch_ends()
    stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    model = cls(**RESTLESS, callbacks=[callback, stop]).fit(X, target)
    best = int(np.argmin([logs["loss"] for _, logs in seen]))
    assert model.n_iter_ == len(seen) < 10
    assert_same_weights(model, seen[best][0])


def test_own_early_stopping_has_the_last_word():
    seen, callback = weights_at_epoch_ends()
    options = {**RESTLESS, "early_stopping": True, "n_iter_no_change": 2}
    model = LearnedScaleRegressor(**options, callbacks=[callback]).fit(X, y)
    best = int(np.argmin([logs["val_loss"] for _, logs in seen]))
    assert len(seen) == best + 3 < 10
    assert_same_weights(model, seen[best][0])
    assert_same_fit(model, LearnedScaleRegressor(**options).fit(X, y))


def test_with_warm_start_they_are_called_with_the_epochs_of_each_fit():
    epochs = []
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=lambda e, logs: epochs.append(e))
    model = LearnedScaleRegressor(**SINGLE, warm_start=True, callbacks=[callback])
    model.fit(X, y).fit(X, y)
    assert epochs == [0, 1, 2, 3] * 2
    assert model.n_iter_ == 8


# Searches and other processes


def search(n_jobs=None):
    stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    change = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: None, on_epoch_end=lambda epoch, logs: None
    )
    grid = {"callbacks": [None, stop, [stop, change]]}
    model = LearnedScaleRegressor(**RESTLESS)
    return GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X, y)


def test_callbacks_can_be_searched():
    searched = search()
    scores = searched.cv_results_["mean_test_score"]
    assert scores[1] == scores[2] != scores[0]
    assert len(searched.cv_results_["param_callbacks"]) == 3


@pytest.mark.slow
def test_search_in_other_processes_finds_the_same():
    scores = [search(n_jobs).cv_results_["mean_test_score"] for n_jobs in (None, 2)]
    assert_array_equal(scores[0], scores[1])


LOAD = """
import pickle, sys
for name in ("tensorflow", "keras", "scikeras"):
    sys.modules[name] = None
import numpy as np
from sklearn.base import clone
from sklearn.utils import estimator_html_repr
with open(sys.argv[1], "rb") as file:
    data, rows, expected = pickle.load(file)
model = pickle.loads(data)
assert np.array_equal(model.predict(rows), expected)
assert "EarlyStopping" in repr(model) and "EarlyStopping" in repr(clone(model))
assert "EarlyStopping" in repr(model.get_params()["callbacks"])
assert "LearnedScale" in estimator_html_repr(model)
with open(sys.argv[1], "wb") as file:
    pickle.dump(pickle.loads(pickle.dumps(model)), file)
"""


@pytest.mark.slow
def test_fitted_estimator_loads_where_there_is_no_keras(tmp_path, run_python):
    stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    change = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    model = LearnedScaleRegressor(**RESTLESS, callbacks=[stop, change]).fit(X, y)
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps((pickle.dumps(model), X, model.predict(X))))
    run_python(LOAD, str(path))
    loaded = pickle.loads(path.read_bytes())
    assert_same_fit(loaded.fit(X, y), model)


def test_callback_of_a_class_that_is_gone_hinders_no_prediction(monkeypatch):
    monkeypatch.setitem(globals(), "Patient", Patient)
    model = LearnedScaleRegressor(**SINGLE, callbacks=[Patient()]).fit(X, y)
    data = pickle.dumps(model)
    monkeypatch.delitem(globals(), "Patient")
    loaded = pickle.loads(data)
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert pickle.loads(pickle.dumps(loaded)).get_params().keys() == model.get_params().keys()
    monkeypatch.undo()
    assert_same_fit(pickle.loads(pickle.dumps(loaded)).fit(X, y), model)


# The thread of the user


def test_they_are_called_in_the_thread_that_fits():
    threads = set()
    callback = HookCaller(lambda *_: threads.add(threading.current_thread()))
    LearnedScaleRegressor(**AUTO, callbacks=[callback]).fit(X, y)
    assert threads == {threading.current_thread()}


@pytest.fixture
def _ctrl_c_raises():
    # Processes that a shell starts in the background ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_raises")
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end"])
def test_ctrl_c_within_a_callback_ends_the_training_after_whole_epochs(hook):
    seen = []

    def record(at, callback, epoch, logs):
        seen.append((at, epoch))
        if (at, epoch) == (hook, 1):
            signal.raise_signal(signal.SIGINT)
            seen.append("went on")

    model = LearnedScaleRegressor(**SINGLE, callbacks=[HookCaller(record)])
    with pytest.raises(KeyboardInterrupt, match="last whole epoch"):
        model.fit(X, y)
    assert model.n_iter_ == 2
    # The callback itself is not cut.
    seen.remove("went on")
    assert seen[-2:] == [("on_epoch_end", 1), ("on_train_end", None)]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("_ctrl_c_raises")
def test_a_second_ctrl_c_interrupts_at_once():
    def record(at, callback, epoch, logs):
        if (at, epoch) == ("on_epoch_begin", 1):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        LearnedScaleRegressor(**SINGLE, callbacks=[HookCaller(record)]).fit(X, y)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("_ctrl_c_raises")
def test_a_handler_of_the_user_is_left_alone():
    heard = []

    def record(at, callback, epoch, logs):
        if (at, epoch) == ("on_epoch_end", 1):
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    model = LearnedScaleRegressor(**SINGLE, callbacks=[HookCaller(record)]).fit(X, y)
    assert heard == [signal.SIGINT]
    assert model.n_iter_ == N_EPOCHS
