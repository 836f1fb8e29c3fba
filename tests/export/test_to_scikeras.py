"""The network as a Keras model for scikeras, which only those who ask for it ever import."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest

import skscale
from skscale import LearnedScaleClassifier, build_network
from skscale.layers import CenteringScalingLayer, ScalingLayer, SineDense

# What scikeras tells a builder, as its wrappers' `_get_metadata` gives it.
REGRESSION = {"n_features_in_": 5, "n_outputs_": 2, "target_type_": "continuous-multioutput"}
WHOLE_NUMBERS = {"n_features_in_": 5, "n_outputs_": 1, "target_type_": "multiclass"}
TWO_CLASSES = {"n_features_in_": 5, "n_outputs_": 1, "n_classes_": 2, "target_type_": "binary"}
CLASSES = {"n_features_in_": 5, "n_outputs_": 1, "n_classes_": 4, "target_type_": "multiclass"}
YES_AND_NO = {**CLASSES, "target_type_": "multilabel-indicator"}


def output(model):
    return model.output_shape[-1], model.layers[-1].activation.__name__


# The builder


def test_network_starts_with_the_scaling_layer():
    model = build_network(10, 3)
    assert [layer.name for layer in model.layers] == ["scaling", "dense_0", "dense_1", "dense_2"]
    assert type(model.layers[0]) is CenteringScalingLayer
    assert type(build_network(10, center=False).layers[0]) is ScalingLayer
    assert (model.input_shape, output(model)) == ((None, 10), (3, "linear"))
    assert [layer.units for layer in model.layers[1:]] == [64, 64, 3]
    assert model.layers[1].activation is keras.activations.silu
    assert model.compiled is False


def test_default_starts_are_those_of_the_estimators():
    keras.utils.set_random_seed(0)
    model = build_network(400, 300, hidden_layer_sizes=(300,))
    scale, center, hidden, hidden_bias, last, last_bias = model.get_weights()
    assert (scale == 1).all()
    assert not center.any()
    assert not last_bias.any()
    # Standard errors of standard deviations of n draws are sd / sqrt(2 n): 4 of them.
    for drawn, expected in (
        (hidden, np.sqrt(2 / 400)),
        (hidden_bias, 0.1),
        (last, np.sqrt(1 / 300)),
    ):
        assert drawn.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * drawn.size))


def test_every_option_reaches_its_layer():
    model = build_network(
        5,
        scale_initializer=keras.initializers.Constant(0.5),
        scale_regularizer="l1",
        scale_constraint="non_neg",
        center_initializer="ones",
        center_regularizer="l2",
        center_constraint="max_norm",
        hidden_layer_sizes=7,
        activation=keras.activations.tanh,
        use_bias=False,
        kernel_initializer="zeros",
        bias_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.5),
        kernel_constraint=keras.constraints.UnitNorm,
        dropout=0.25,
        output_activation="relu",
        normalization="batch",
    )
    batch, scaling, hidden, dropout, last = model.layers
    assert isinstance(batch, keras.layers.BatchNormalization)
    assert (batch.center, batch.scale) == (False, False)
    assert (np.asarray(scaling.scale) == 0.5).all()
    assert (np.asarray(scaling.center) == 1).all()
    assert type(scaling.scale_regularizer) is keras.regularizers.L1
    assert type(scaling.center_regularizer) is keras.regularizers.L2
    assert type(scaling.scale_constraint) is keras.constraints.NonNeg
    assert type(scaling.center_constraint) is keras.constraints.MaxNorm
    for layer, units, activation in ((hidden, 7, "tanh"), (last, 1, "relu")):
        assert (layer.units, layer.activation.__name__) == (units, activation)
        assert layer.use_bias is False
        assert not np.asarray(layer.kernel).any()
        assert float(layer.kernel_regularizer.l2) == 0.5
        assert type(layer.kernel_constraint) is keras.constraints.UnitNorm
    assert dropout.rate == 0.25


def test_starts_of_a_constant_are_had_by_name():
    model = build_network(5, bias_initializer="ones", kernel_initializer="constant")
    assert (np.asarray(model.layers[1].bias) == 1).all()
    assert not np.asarray(model.layers[1].kernel).any()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"hidden_layer": "sine"}, [SineDense, SineDense, keras.layers.Dense]),
        (
            {"hidden_layer": keras.layers.Dense, "hidden_layer_sizes": (3,)},
            [keras.layers.Dense, keras.layers.Dense],
        ),
        (
            {
                "network": lambda n_features, n_outputs, width: keras.Sequential(
                    [keras.layers.Dense(width), keras.layers.Dense(n_outputs)]
                ),
                "network_params": {"width": 6},
            },
            [keras.Sequential],
        ),
    ],
)
def test_other_layers_come_behind_the_scale(options, expected):
    model = build_network(5, 2, **options)
    assert [type(layer) for layer in model.layers] == [CenteringScalingLayer, *expected]
    assert model(np.ones((4, 5))).shape == (4, 2)


@pytest.mark.parametrize(
    ("meta", "options", "expected"),
    [
        (REGRESSION, {}, (2, "linear")),
        (REGRESSION, {"output_activation": "tanh"}, (2, "tanh")),
        (WHOLE_NUMBERS, {}, (1, "linear")),
        (TWO_CLASSES, {}, (1, "sigmoid")),
        (TWO_CLASSES, {"output_activation": "softmax"}, (2, "softmax")),
        (TWO_CLASSES, {"output_activation": "linear"}, (1, "linear")),
        (CLASSES, {}, (4, "softmax")),
        (CLASSES, {"output_activation": "linear"}, (4, "linear")),
        (YES_AND_NO, {}, (4, "sigmoid")),
        (CLASSES, {"n_outputs": 6}, (6, "softmax")),
    ],
)
def test_output_follows_what_scikeras_tells(meta, options, expected):
    model = build_network(meta=meta, **options)
    assert (model.input_shape, output(model)) == ((None, 5), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_initializer": keras.initializers.GlorotNormal},
        {"kernel_initializer": "glorot_normal", "dropout": 0.5},
        {"hidden_layer": keras.layers.Dense},
    ],
)
def test_draws_are_those_of_keras(options):
    def drawn():
        return build_network(5, 5, **{"hidden_layer_sizes": (5,), **options}).weights

    keras.utils.set_random_seed(1)
    first, second = drawn(), drawn()
    keras.utils.set_random_seed(1)
    again = drawn()
    for one, other, same in zip(first, second, again, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(same))
        if one.name == "kernel":
            assert (np.asarray(one) != np.asarray(other)).any()
    hidden, last = (np.asarray(w) for w in first if w.name == "kernel")
    # Both are of shape (5, 5): a common seed would show.
    assert abs(np.corrcoef(hidden.ravel(), last.ravel())[0, 1]) < 0.9


def test_network_is_trained_by_keras():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(64, 3))
    target = rows[:, 0] * rows[:, 1]
    model = build_network(3, hidden_layer_sizes=(16,), normalization="batch")
    model.compile(keras.optimizers.Adam(0.03), "mean_squared_error")
    losses = model.fit(rows, target, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "n_features=None, and meta does not tell it either"),
        ({"n_features": 0}, "'n_features' parameter of build_network must be an int"),
        (
            {"n_features": 3, "scale_regularizer": "auto"},
            "scale_regularizer='auto' chooses a strength on held-out folds",
        ),
        ({"n_features": 3, "activation": "tanhh"}, "Did you mean 'tanh'"),
        ({"n_features": 3, "output_activation": "softmaks"}, "Did you mean 'softmax'"),
        ({"n_features": 3, "normalization": "standard"}, "'normalization' parameter"),
        ({"n_features": 3, "dropout": 1.5}, "'dropout' parameter"),
        ({"n_features": 3, "scale_initializer": "identity"}, "scale_initializer='identity'"),
        ({"n_features": 3, "network": lambda n, m: None}, "a Keras layer or model is needed"),
    ],
)
def test_impossible_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        build_network(**options)


def test_builder_is_public():
    assert skscale.build_network is build_network
    assert "build_network" in skscale.__all__


# scikeras itself, in a process of its own: it changes how Keras models pickle

_SEARCH = """
import pickle
import sys

import numpy as np
import skscale
import keras
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# It changes how Keras models pickle, everywhere, as soon as it is imported.
assert "scikeras" not in sys.modules
skscale.LearnedScaleRegressor().to_scikeras()
assert "scikeras" in sys.modules
rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3)) * [1.0, 1e-3, 10.0]
y = 100 + 10 * X[:, 0]

from scikeras.wrappers import KerasClassifier, KerasRegressor

# Compiling what runs for a few steps takes longer than the steps.
quick = {"epochs": 1, "verbose": 0, "compile__jit_compile": False}
built = KerasRegressor(model=skscale.build_network, model__activation="tanh", loss="mse", **quick)
grid = {"model__activation": ["tanh", "relu"]}
halves = [(np.arange(60), np.arange(60, 120))]
search = GridSearchCV(built, grid, cv=halves, error_score="raise").fit(X, y)
best = search.best_estimator_.model_.get_layer("dense_0").activation.__name__
assert best == search.best_params_["model__activation"], best

labels = np.where(X[:, 0] > 0, "yes", "no")
built = KerasClassifier(model=skscale.build_network, loss="binary_crossentropy", **quick)
assert built.fit(X, labels).predict_proba(X).shape == (120, 2)
assert built.model_.output_shape == (None, 1)

# An estimator's own, with options in all their forms.
batches = []
estimator = skscale.LearnedScaleRegressor(
    hidden_layer_sizes=(8,),
    kernel_initializer=keras.initializers.GlorotNormal,
    scale_regularizer=keras.regularizers.L1(1e-4),
    scale_constraint=keras.constraints.NonNeg(),
    activation=keras.activations.tanh,
    loss=keras.losses.Huber(delta=3.0),
    optimizer=keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.5, 1000, 0.9), momentum=0.5
    ),
    epochs=20,
    batch_size=32,
    early_stopping=True,
    n_iter_no_change=7,
    callbacks=keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batches.append(batch)
    ),
    random_state=0,
)
wrapper = clone(estimator.to_scikeras()).set_params(compile__jit_compile=False)
plain = clone(wrapper).set_params(callbacks=None)
assert type(pickle.loads(pickle.dumps(plain))) is KerasRegressor
assert isinstance(wrapper, KerasRegressor) and not hasattr(wrapper, "model_")
pipeline = make_pipeline(StandardScaler(), wrapper)
model = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
model.fit(X, y)
assert model.score(X, y) > 0.8, model.score(X, y)
inner = model.regressor_[-1]
keras_model = inner.model_
scaling, dense = keras_model.get_layer("scaling"), keras_model.get_layer("dense_0")
assert abs(float(scaling.scale_regularizer.l1) - 1e-4) < 1e-9
assert type(scaling.scale_constraint) is keras.constraints.NonNeg
assert (dense.units, dense.activation.__name__) == (8, "tanh")
assert type(dense.kernel_initializer) is keras.initializers.GlorotNormal
assert type(keras_model.loss) is keras.losses.Huber
assert keras_model.loss._fn_kwargs["delta"] == 3.0
assert abs(float(keras_model.optimizer.momentum) - 0.5) < 1e-6
assert type(keras_model.optimizer._learning_rate) is keras.optimizers.schedules.ExponentialDecay
assert (inner.epochs, inner.batch_size, inner.validation_split) == (20, 32, 0.1)
assert inner.random_state == 0
assert inner.callbacks__0__patience == 7
assert inner._fit_callbacks[0].restore_best_weights and len(batches) > 0

wrapper = skscale.LearnedScaleRegressor(random_state=0).to_scikeras().set_params(**quick)
assert (wrapper.optimizer, wrapper.optimizer__learning_rate) == ("adam", 0.01)
options = {"optimizer__learning_rate": 0.02, "model__hidden_layer_sizes": (4,)}
found = clone(wrapper).set_params(**options).fit(X, y).model_
assert found.get_layer("dense_0").units == 4
assert abs(float(found.optimizer.learning_rate) - 0.02) < 1e-6

three = np.digitize(X[:, 0], [-0.5, 0.5])
for target, loss, n_outputs in (
    (labels, "auto", 2),
    (labels, keras.losses.BinaryCrossentropy(from_logits=True), 1),
    (three, keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), 3),
):
    classifier = skscale.LearnedScaleClassifier(
        loss=loss, epochs=30, class_weight="balanced", normalization="batch", random_state=0
    )
    wrapper = clone(classifier.to_scikeras()).set_params(compile__jit_compile=False)
    assert isinstance(wrapper, KerasClassifier) and wrapper.class_weight == "balanced"
    wrapper.fit(X, target)
    assert wrapper.model_.output_shape == (None, n_outputs)
    probabilities = wrapper.predict_proba(X)
    assert probabilities.shape == (120, len(set(target)))
    assert abs(probabilities.sum(axis=1) - 1).max() < 1e-5
    assert wrapper.score(X, target) > 0.85, (loss, wrapper.score(X, target))
print("done")
"""


@pytest.mark.parametrize("loss", ["mean_squared_error", "categorical_hinge"])
def test_losses_that_scikeras_would_misread_are_refused_before_it_is_imported(loss):
    with pytest.raises(ValueError, match=r"cannot be given to scikeras.* Use loss='auto', 'bin"):
        LearnedScaleClassifier(loss=loss).to_scikeras()
    assert "scikeras" not in sys.modules


_WITHOUT = """
import pickle
import sys

import numpy as np
import skscale

X = np.random.default_rng(0).normal(size=(40, 3))
options = {"scale_regularizer": None, "epochs": 1, "hidden_layer_sizes": (2,)}
for name in ("Regressor", "Classifier", "Transformer"):
    estimator = getattr(skscale, "LearnedScale" + name)(**options)
    fitted = pickle.loads(pickle.dumps(estimator.fit(X, X[:, 0] > 0)))
    getattr(fitted, "predict", getattr(fitted, "transform", None))(X)
    fitted.to_keras()
skscale.build_network(3)
skscale.LearnedScaleRegressor
import skscale.layers
assert "keras" in sys.modules
"""


@pytest.mark.slow
def test_only_to_scikeras_imports_scikeras_which_searches_the_options_of_the_network(run_python):
    # In one process, whose start takes longer than the first half.
    assert run_python(_WITHOUT + _SEARCH).splitlines()[-1] == "done"


def test_transformer_has_no_predictor_to_give():
    assert not hasattr(skscale.LearnedScaleTransformer, "to_scikeras")
    assert hasattr(LearnedScaleClassifier, "to_scikeras")
