"""A fitted estimator as one Keras model on raw units: the same numbers, saved and trained on."""

from __future__ import annotations

import functools
import pickle
import random
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer
from skscale.layers import CenteringScalingLayer, ScalingLayer

IGNITION = Path(__file__).resolve().parents[2] / "examples" / "data" / "hydrogen_ignition.npz"

# Columns of very different units, the last of which is constant.
_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(60, 4)) * [1.0, 1e-20, 1e6, 0.0] + [3.0, 5e-20, -2e6, 7.0]
y = 1e4 * np.sin(X[:, 0]) + X[:, 2] / 100
LABELS = np.digitize(X[:, 0], [2.5, 3.5])

QUICK = {
    "hidden_layer_sizes": (6,),
    "epochs": 4,
    "cv": 2,
    "regularization_path": [(0.03, 0.3)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}

# Rounding of float32 sums of a few terms, and of float64 ones.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}

REGRESSORS = {
    "average of folds": QUICK,
    "one network": SINGLE,
    "no center, no bias": {**SINGLE, "center": False, "use_bias": False},
    "batch, sine, dropout": {
        **SINGLE,
        "normalization": "batch",
        "hidden_layer": "sine",
        "dropout": 0.2,
    },
    "layers of Keras": {
        **QUICK,
        "hidden_layer": keras.layers.Dense,
        "dropout": 0.2,
        "output_activation": "tanh",
        "target_normalization": "minmax_symmetric",
    },
    "own model with statistics": {
        **QUICK,
        "network": keras.Sequential(
            [
                keras.layers.Normalization(mean=0.5, variance=4.0, name="normalization"),
                keras.layers.Dense(3, "tanh"),
                keras.layers.BatchNormalization(),
                keras.layers.Dense(1),
            ]
        ),
        "normalization": "batch",
    },
    # The model has a layer of that name already.
    "own layer": {**SINGLE, "network": keras.layers.Dense(1, name="normalization")},
    "minmax": {**SINGLE, "normalization": "minmax", "target_normalization": "pareto"},
}


@functools.cache
def fitted_regressor(case):
    return LearnedScaleRegressor(**REGRESSORS[case]).fit(X, y)


def outputs(model, rows=X):
    # Keras' own predict would round the rows to float32 first.
    return np.asarray(model(rows))


def assert_equal_to(expected, found, dtype):
    """Compare with a tolerance relative to the largest number, as sums are rounded."""
    assert found.dtype == dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=TOLERANCES[dtype] * np.abs(expected).max()
    )


# The numbers


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", REGRESSORS)
def test_model_of_a_regressor_predicts_what_it_predicts(case, dtype):
    regressor = fitted_regressor(case)
    model = regressor.to_keras(dtype)
    assert_equal_to(regressor.predict(X)[:, np.newaxis], outputs(model), dtype)
    assert model.input_shape == (None, 4)


def test_model_of_several_targets_has_one_output_each():
    regressor = LearnedScaleRegressor(**SINGLE).fit(X, np.stack([y, 1e-20 * y], axis=1))
    found, expected = outputs(regressor.to_keras("float64")), regressor.predict(X)
    for target in range(2):
        assert_equal_to(expected[:, target], found[:, target], "float64")


def test_model_of_a_table_without_information_predicts_the_mean():
    regressor = LearnedScaleRegressor(**SINGLE).fit(np.ones((60, 2)), y)
    # A constant feature is not looked at, whatever it becomes.
    rows = np.array([[1.0, 1.0], [5.0, -1e20]])
    expected = regressor.predict(rows)[:, np.newaxis]
    assert_equal_to(expected, outputs(regressor.to_keras("float64"), rows), "float64")


CLASSIFIERS = {
    "two classes, folds": (QUICK, LABELS > 0),
    "two classes, one network": (SINGLE, LABELS > 0),
    "three classes, folds": (QUICK, LABELS),
    "three classes, one network": (SINGLE, LABELS),
    "two classes, of probabilities": ({**QUICK, "loss": "mean_squared_error"}, LABELS > 0),
    "three classes, of probabilities": (
        {**QUICK, "loss": "mean_squared_error", "hidden_layer": keras.layers.Dense},
        LABELS,
    ),
    "three classes, own network": (
        {
            **SINGLE,
            "loss": "categorical_crossentropy",
            "network": lambda n, n_outputs: keras.layers.Dense(n_outputs),
        },
        LABELS,
    ),
}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", CLASSIFIERS)
def test_model_of_a_classifier_gives_its_probabilities(case, dtype):
    options, labels = CLASSIFIERS[case]
    classifier = LearnedScaleClassifier(**options).fit(X, labels)
    assert_equal_to(classifier.predict_proba(X), outputs(classifier.to_keras(dtype)), dtype)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_model_of_a_classifier_holds_its_temperature(n_classes):
    labels = np.random.default_rng(1).integers(n_classes, size=60)
    options = {**QUICK, "epochs": 150, "regularization_path": [(0.0, 0.0)]}
    classifier = LearnedScaleClassifier(**options).fit(X, labels)
    # There is nothing to learn, so that sure probabilities are wrong ones.
    assert classifier.path_["temperature"][0] > 1.5
    expected = classifier.predict_proba(X)
    assert_equal_to(expected, outputs(classifier.to_keras("float64")), "float64")


TRANSFORMERS = {
    "sensitivity": (QUICK, y),
    "gain": ({**QUICK, "readout": "gain", "normalization": "robust"}, y),
    "standard": ({}, None),
}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", TRANSFORMERS)
def test_model_of_a_transformer_transforms(case, dtype):
    options, target = TRANSFORMERS[case]
    transformer = LearnedScaleTransformer(**options).fit(X, target)
    assert_equal_to(transformer.transform(X), outputs(transformer.to_keras(dtype)), dtype)


def test_network_of_a_transformer_predicts_what_the_regressor_predicts():
    network = LearnedScaleTransformer(**QUICK).fit(X, y).to_keras("float64", output="network")
    expected = fitted_regressor("average of folds").predict(X)
    assert_equal_to(expected[:, np.newaxis], outputs(network), "float64")


def test_network_of_a_transformer_gives_the_logits_of_classes():
    labels = np.where(LABELS > 0, "yes", "no")
    network = LearnedScaleTransformer(**SINGLE).fit(X, labels).to_keras("float64", output="network")
    expected = LearnedScaleClassifier(**SINGLE).fit(X, labels).decision_function(X)
    assert_equal_to(expected[:, np.newaxis], outputs(network), "float64")


def test_autoencoder_comes_back_to_raw_units():
    options = {**SINGLE, "hidden_layer_sizes": (16,), "epochs": 300}
    transformer = LearnedScaleTransformer(**options, unsupervised="autoencoder").fit(X)
    found = outputs(transformer.to_keras("float64", output="network"))
    # It predicts the features that vary.
    assert found.shape == (60, 3)
    for feature in range(3):
        # Trained to reproduce 60 rows: all but a tenth of the variance.
        assert np.corrcoef(found[:, feature], X[:, feature])[0, 1] > 0.95
        assert 0.8 < found[:, feature].std() / X[:, feature].std() < 1.2


def test_ignition_table_is_exact_where_keras_normalization_is_not():
    with np.load(IGNITION) as data:
        rows = np.column_stack([data["T"], data["Y"]])[::20]
        target = np.arcsinh(data["heat_release_rate"][::20] / 1e4)
    # In units of a gigatonne a kilogram of the smallest species is no more than 1e-20.
    rows[:, 1:] *= 1e-12
    assert rows[:, 1:].std(axis=0).min() < 1e-19
    regressor = LearnedScaleRegressor(**QUICK).fit(rows, target)
    model = regressor.to_keras("float64")
    assert_equal_to(regressor.predict(rows)[:, np.newaxis], outputs(model, rows), "float64")
    floored = keras.layers.Normalization(dtype="float64")
    floored.adapt(rows)
    normalized = outputs(keras.Model(model.input, model.get_layer("normalization").output), rows)
    # One standard deviation of each feature that enters the networks, of none under Keras' floor.
    np.testing.assert_allclose(normalized.std(axis=0), 1.0, rtol=1e-9)
    assert outputs(floored, rows)[:, 1:].std(axis=0).max() < 1e-3


# What the model is made of


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(
    "case", ["average of folds", "batch, sine, dropout", "layers of Keras", "minmax"]
)
def test_own_layers_of_keras_predict_the_same(case, dtype):
    regressor = fitted_regressor(case)
    found = outputs(regressor.to_keras(dtype, layers="keras"))
    assert_equal_to(regressor.predict(X)[:, np.newaxis], found, dtype)


def test_own_layers_of_keras_classify_and_transform_the_same():
    classifier = LearnedScaleClassifier(**QUICK).fit(X, LABELS > 0)
    model = classifier.to_keras("float64", layers="keras")
    assert_equal_to(classifier.predict_proba(X), outputs(model), "float64")
    transformer = LearnedScaleTransformer(**QUICK).fit(X, y)
    model = transformer.to_keras("float64", layers="keras")
    assert_equal_to(transformer.transform(X), outputs(model), "float64")
    model = transformer.to_keras("float64", output="network", layers="keras")
    expected = outputs(transformer.to_keras("float64", output="network"))
    assert_equal_to(expected, outputs(model), "float64")


@pytest.mark.parametrize(("center", "n_scaling"), [(True, 20), (False, 10)])
def test_network_of_the_article_shows_its_layers(center, n_scaling):
    transformer = LearnedScaleTransformer(
        unsupervised="autoencoder",
        scale_regularizer=None,
        hidden_layer_sizes=(10, 10),
        activation="tanh",
        center=center,
        epochs=2,
        random_state=0,
    ).fit(np.random.default_rng(0).normal(size=(40, 10)))
    model, lines = transformer.to_keras(output="network"), []
    model.summary(print_fn=lines.append)
    assert [(layer.name, layer.count_params()) for layer in model.layers[2:-1]] == [
        ("scaling", n_scaling),
        *((f"dense_{i}", 110) for i in range(3)),
    ]
    assert isinstance(model.get_layer("scaling"), CenteringScalingLayer if center else ScalingLayer)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 330 + n_scaling
    text = "\n".join(lines)
    for name in ("normalization", "scaling", "dense_0", "dense_1", "dense_2", "denormalization"):
        assert name in text


def test_layers_of_the_average_are_numbered_by_network():
    names = [layer.name for layer in fitted_regressor("average of folds").to_keras().layers]
    own = ("scaling", "dense_0", "dense_1")
    assert sorted(names) == sorted(
        [
            *("features", "selection", "normalization", "average", "denormalization"),
            *(f"{name}_member_{i}" for name in own for i in range(2)),
        ]
    )


def test_identities_need_no_layers():
    options = {**SINGLE, "normalization": None, "target_normalization": None}
    model = LearnedScaleRegressor(**options).fit(X[:, :1], y / 1e4).to_keras()
    assert [layer.name for layer in model.layers] == ["features", "scaling", "dense_0", "dense_1"]


def test_training_goes_on_with_the_same_options():
    options = {
        **SINGLE,
        "normalization": "batch",
        "dropout": 0.1,
        "scale_regularizer": keras.regularizers.L1(0.25),
        "scale_constraint": "non_neg",
        "kernel_constraint": keras.constraints.MaxNorm(0.5),
        "kernel_initializer": keras.initializers.RandomNormal(0.0, 0.25),
        "activation": "tanh",
    }
    model = LearnedScaleRegressor(**options).fit(X, y).to_keras()
    dense, scaling = model.get_layer("dense_0"), model.get_layer("scaling")
    assert scaling.scale_regularizer.get_config() == {"l1": 0.25}
    assert scaling.scale_constraint.__class__ is keras.constraints.NonNeg
    assert dense.kernel_constraint.max_value == 0.5
    assert dense.kernel_initializer.stddev == 0.25
    assert dense.activation is keras.activations.tanh
    assert model.get_layer("dropout_0").rate == 0.1
    assert float(model.losses[0]) == pytest.approx(0.25 * np.abs(scaling.scale).sum(), rel=1e-6)
    model.compile(keras.optimizers.Adam(0.1), "mean_squared_error")
    before = model.evaluate(X, y, verbose=0)
    model.fit(X, y, epochs=30, verbose=0)
    assert model.evaluate(X, y, verbose=0) < before
    assert np.linalg.norm(dense.kernel, axis=0).max() <= 0.5 + 1e-6  # rounding of float32


def test_every_call_makes_a_model_of_its_own():
    regressor = fitted_regressor("one network")
    first, second = regressor.to_keras("float64"), regressor.to_keras("float64")
    first.get_layer("scaling").scale.assign(np.zeros(3))
    expected = regressor.predict(X)[:, np.newaxis]
    assert_equal_to(expected, outputs(second), "float64")
    assert_equal_to(expected, outputs(regressor.to_keras("float64")), "float64")


def test_unpickled_estimator_makes_the_same_model():
    regressor = fitted_regressor("layers of Keras")
    copied = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(outputs(copied.to_keras()), outputs(regressor.to_keras()))


def test_nothing_of_the_process_is_changed():
    regressor = fitted_regressor("batch, sine, dropout")
    random.seed(5)
    expected = random.random()
    random.seed(5)
    for dtype in TOLERANCES:
        regressor.to_keras(dtype)
    assert random.random() == expected
    assert keras.config.floatx() == "float32"


# What float32 cannot do


def far(ratio):
    """Rows of a feature whose mean is that many standard deviations."""
    column = np.random.default_rng(0).normal(size=(50, 1))
    return 1e-3 * ((column - column.mean()) / column.std() + ratio)


def test_far_feature_warns_in_float32_and_is_exact_in_float64():
    rows = np.concatenate([far(0.0), far(1e4)], axis=1)
    regressor = LearnedScaleRegressor(**SINGLE).fit(rows, rows[:, 1])
    message = r"loses digits of features 1, counted from 0, .* up to 1e\+04 standard .*float64"
    with pytest.warns(UserWarning, match=message):
        regressor.to_keras()
    expected = regressor.predict(rows)[:, np.newaxis]
    assert_equal_to(expected, outputs(regressor.to_keras("float64"), rows), "float64")


@pytest.mark.parametrize("target", [None, 1.0])
def test_far_feature_of_a_transformer_warns_in_float32(target):
    # With a network the far feature is noise, and its factor small: its own digits are lost still.
    rows = np.concatenate([far(0.0), far(120.0), np.full((50, 1), 1e6)], axis=1)
    y = None if target is None else rows[:, 0]
    transformer = LearnedScaleTransformer(**QUICK, power=2.0).fit(rows, y)
    with pytest.warns(UserWarning, match="loses digits of features 1, counted"):
        transformer.to_keras()


def test_near_features_do_not_warn():
    rows = np.concatenate([far(99.0), far(-99.0)], axis=1)
    regressor = LearnedScaleRegressor(**SINGLE).fit(rows, rows[:, 0])
    assert_equal_to(
        regressor.predict(rows)[:, np.newaxis], outputs(regressor.to_keras(), rows), "float32"
    )


@pytest.mark.parametrize("unit", [1e-39, 1e-34, 1e36])
def test_units_beyond_float32_are_refused(unit):
    rows = np.concatenate([far(0.0), 1e3 * unit * far(0.0)], axis=1)
    transformer = LearnedScaleTransformer().fit(rows)
    with pytest.raises(ValueError, match=r"cannot hold features 1, .* dtype='float64'"):
        transformer.to_keras()
    found = outputs(transformer.to_keras("float64"), rows)
    assert_equal_to(transformer.transform(rows), found, "float64")


# Errors


@pytest.mark.parametrize(
    "estimator", [LearnedScaleRegressor(), LearnedScaleClassifier(), LearnedScaleTransformer()]
)
def test_unfitted_estimator_has_no_model(estimator):
    with pytest.raises(NotFittedError):
        estimator.to_keras()


def test_unknown_choices_are_told():
    message = r"dtype='float46' is no precision .* Did you mean 'float64'\? Allowed are"
    with pytest.raises(ValueError, match=message):
        fitted_regressor("one network").to_keras("float46")
    with pytest.raises(ValueError, match=r"layers='keas' is unknown. Did you mean 'keras'\?"):
        fitted_regressor("one network").to_keras(layers="keas")
    transformer = LearnedScaleTransformer().fit(X)
    with pytest.raises(ValueError, match=r"output='networks' is unknown. Did you mean 'network'\?"):
        transformer.to_keras(output="networks")
    with pytest.raises(ValueError, match=r"output='network' needs a network, but .* without y"):
        transformer.to_keras(output="network")


# Files, in a process of their own

_LOAD_KERAS = """
import sys
import numpy as np
import skscale.layers
import keras

folder = sys.argv[1]
rows = np.load(folder + "/rows.npy")
for name in sys.argv[2:]:
    expected = np.load(f"{folder}/{name}.npy")
    for kind in ("keras", "h5"):
        model = keras.models.load_model(f"{folder}/{name}.{kind}", compile=False)
        np.testing.assert_array_equal(np.asarray(model(rows)), expected, f"{name}.{kind}")
        print(name, kind)
assert "skscale._export.to_keras" not in sys.modules
"""

_LOAD_SAVED_MODEL = """
import sys
import numpy as np
import tensorflow as tf

folder = sys.argv[1]
rows = np.load(folder + "/rows.npy")
for name in sys.argv[2:]:
    expected = np.load(f"{folder}/{name}.npy")
    loaded = tf.saved_model.load(f"{folder}/{name}")
    served = loaded.serve(tf.constant(rows, expected.dtype))
    # Another graph of the same operations may add in another order.
    tolerance = {"float32": 1e-5, "float64": 1e-12}[str(expected.dtype)]
    assert np.abs(served.numpy() - expected).max() <= tolerance * np.abs(expected).max(), name
    print(name)
assert not any(name.startswith("skscale") for name in sys.modules)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    np.save(folder / "rows.npy", X)
    transformer = LearnedScaleTransformer(**QUICK).fit(X, y)
    classifier = LearnedScaleClassifier(**QUICK).fit(X, LABELS > 0)
    models = {
        "folds": fitted_regressor("average of folds").to_keras("float64"),
        "layers": fitted_regressor("batch, sine, dropout").to_keras(),
        "own": fitted_regressor("own model with statistics").to_keras("float64"),
        "classes": classifier.to_keras(),
        "transform": transformer.to_keras("float64"),
    }
    for name, model in models.items():
        np.save(folder / f"{name}.npy", outputs(model))
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        model.export(folder / name, verbose=False)
    return folder, list(models)


@pytest.mark.slow
def test_saved_models_load_with_the_layers_alone(run_python, saved):
    folder, names = saved
    printed = run_python(_LOAD_KERAS, str(folder), *names)
    assert printed.split() == [
        word for n in names for kind in ("keras", "h5") for word in (n, kind)
    ]


@pytest.mark.slow
def test_exported_models_run_without_this_package(run_python, saved):
    folder, names = saved
    assert run_python(_LOAD_SAVED_MODEL, str(folder), *names).split() == names
