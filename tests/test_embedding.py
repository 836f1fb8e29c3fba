"""What users see of the periodic embedding: the parameter, the choice, and what a fit keeps."""

from __future__ import annotations

import pickle
import warnings

import keras
import numpy as np
import pytest
from fitted_networks import keras_network
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skscale import (
    LearnedScaleClassifier,
    LearnedScaleRegressor,
    LearnedScaleTransformer,
    build_network,
)
from skscale.layers import PeriodicEmbedding

ESTIMATORS = [LearnedScaleRegressor, LearnedScaleClassifier, LearnedScaleTransformer]
# More rows than a batch, so that "auto" chooses; one column is binary, one constant.
_random = np.random.default_rng(0)
X = _random.normal(size=(150, 5)) * [1.0, 1e-9, 1e6, 1.0, 0.0] + [0.0, 3e-9, 0.0, 0.0, 4.0]
X[:, 3] = _random.integers(0, 2, size=150)
y = np.cos(3 * X[:, 0]) + X[:, 3]
LABELS = y > 0.5

PATH = {
    "hidden_layer_sizes": (6,),
    "epochs": 4,
    "cv": 2,
    "regularization_path": [(0.0, 0.0), (0.1, 1.0)],
    "random_state": 0,
}
SINGLE = {**PATH, "scale_regularizer": None, "embedding": "periodic"}


def twice_as_wide(n_features):
    return keras.layers.Dense(2 * n_features)


def target_of(cls):
    return LABELS if cls is LearnedScaleClassifier else y


def embedding_layers(model):
    return [layer for layer in model.layers if isinstance(layer, PeriodicEmbedding)]


def predictions(model, rows=X):
    return model.transform(rows) if hasattr(model, "transform") else model.predict(rows)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_the_path_tries_every_point_with_and_without(cls):
    model = cls(**PATH).fit(X, target_of(cls))
    assert_array_equal(model.path_["embedding"], [False, False, True, True])
    assert_array_equal(model.path_["strength"], [0.0, 0.1, 0.0, 0.1])
    chosen = model.path_["embedding"][model.path_["best_index"]]
    assert bool(embedding_layers(keras_network(model))) == chosen


@pytest.mark.parametrize(
    "options",
    [
        {"embedding": None},
        {"embedding": "periodic"},
        # Layers of the user's own stay as they are.
        {"network": keras.layers.Dense(1)},
        {"hidden_layer": keras.layers.Dense},
    ],
)
def test_the_path_tries_nothing_else_where_the_choice_is_made(options):
    model = LearnedScaleRegressor(**{**PATH, **options}).fit(X, y)
    expected = options.get("embedding") == "periodic"
    assert_array_equal(model.path_["embedding"], [expected, expected])


def test_tables_of_one_batch_are_not_embedded_by_themselves():
    model = LearnedScaleRegressor(**PATH).fit(X[:128], y[:128])
    assert not model.path_["embedding"].any()


def test_features_of_two_values_have_no_waves():
    # Features that vary are 0 to 3, and 3 is binary.
    model = LearnedScaleRegressor(**SINGLE).fit(X, y)
    (layer,) = embedding_layers(keras_network(model))
    assert list(layer.indices) == [0, 1, 2]
    assert layer.frequency.shape == (3, 16)


def test_a_table_of_two_values_each_has_no_embedding():
    binary = X[:, [3]]
    model = LearnedScaleRegressor(**PATH).fit(binary, y)
    assert not model.path_["embedding"].any()
    single = LearnedScaleRegressor(**SINGLE).fit(binary, y)
    assert not embedding_layers(keras_network(single))


@pytest.mark.parametrize(
    "embedding",
    [
        PeriodicEmbedding(indices=[0, 1, 2]),
        keras.saving.serialize_keras_object(PeriodicEmbedding(indices=[0, 1, 2])),
        lambda n_features: PeriodicEmbedding(indices=range(n_features - 1)),
    ],
)
def test_a_layer_with_the_defaults_is_the_same_to_the_bit(embedding):
    expected = LearnedScaleRegressor(**SINGLE).fit(X, y).predict(X)
    model = LearnedScaleRegressor(**{**SINGLE, "embedding": embedding}).fit(X, y)
    assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize(
    "embedding",
    [
        PeriodicEmbedding,
        PeriodicEmbedding(4, 1, kernel_regularizer="l2"),
        keras.layers.Dense(7, "tanh"),
        twice_as_wide,
    ],
)
@pytest.mark.parametrize("options", [{}, {"network": keras.layers.Dense(1)}])
def test_layers_of_any_kind_stand_behind_the_scale(embedding, options):
    model = LearnedScaleRegressor(**{**SINGLE, "embedding": embedding, **options}).fit(X, y)
    exported = model.to_keras("float64")
    # float64 on both sides, over a few layers.
    assert_allclose(exported(X)[:, 0], model.predict(X), rtol=0, atol=1e-9)
    pickled = pickle.loads(pickle.dumps(clone(model).fit(X, y)))
    assert_array_equal(pickled.predict(X), model.predict(X))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_powers_of_two_as_units_change_nothing(cls):
    units = 2.0 ** np.array([3, -300, 40, 1, 7])
    model = cls(**SINGLE).fit(X, target_of(cls))
    other = cls(**SINGLE).fit(X * units, target_of(cls))
    expected = predictions(model)
    assert_array_equal(predictions(other, X * units), expected)


def test_weights_are_repetitions():
    random = np.random.default_rng(1)
    counts = random.integers(0, 3, size=60)
    # The seed draws the order of the rows too, which one batch does not have.
    weighted = LearnedScaleRegressor(**SINGLE).fit(X[:60], y[:60], sample_weight=counts)
    repeated = np.repeat(np.arange(60), counts)
    plain = LearnedScaleRegressor(**SINGLE).fit(X[repeated], y[repeated])
    # What scikit-learn's own check asks for.
    assert_allclose(weighted.predict(X), plain.predict(X), rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e300])
def test_columns_of_any_size_are_embedded(scale):
    model = LearnedScaleRegressor(**SINGLE).fit(X * scale, y)
    assert np.isfinite(model.predict(X * scale)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_far_outside_have_finite_predictions(dtype):
    model = LearnedScaleRegressor(**SINGLE).fit(X.astype(dtype), y)
    rows = np.full((2, 5), 1e30, dtype) * [[1], [-1]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(model.predict(rows)).all()


@pytest.mark.parametrize("options", [PATH, SINGLE, {**SINGLE, "hidden_layer": keras.layers.Dense}])
def test_another_fit_and_chunks_go_on_with_the_same_network(options):
    model = LearnedScaleRegressor(**options, warm_start=True).fit(X, y)
    shapes = [w.shape for w in keras_network(model).get_weights()]
    model.fit(X, y)
    assert [w.shape for w in keras_network(model).get_weights()] == shapes
    model.partial_fit(X[:40], y[:40])
    assert [w.shape for w in keras_network(model).get_weights()] == shapes


def test_chunks_alone_may_be_embedded_too():
    model = LearnedScaleRegressor(**{**SINGLE, "embedding": "periodic"})
    for rows in (slice(0, 70), slice(70, 150)):
        model.partial_fit(X[rows], y[rows])
    (layer,) = embedding_layers(keras_network(model))
    # Which features have two values alone, no chunk can know.
    assert layer.indices is None
    assert np.isfinite(model.predict(X)).all()


def test_the_choice_is_searched_by_name_and_by_layer():
    grid = {"embedding": [None, "periodic", PeriodicEmbedding(4), PeriodicEmbedding(4, 1)]}
    search = GridSearchCV(LearnedScaleRegressor(**SINGLE), grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        ("peroidic", "Did you mean 'periodic'"),
        (3, "'embedding' parameter"),
        (keras.initializers.Ones(), "embedding=.* gives no layer for 4 features"),
        (lambda n_features: n_features, "gives 4, which is no Keras layer"),
        ({"class_name": "Nonsense", "config": {}}, "gives no layer for 4 features"),
        (lambda n_features: PeriodicEmbedding(0), "n_frequencies=0"),
        (lambda n_features: PeriodicEmbedding(frequency_scale=-1.0), "frequency_scale=-1.0"),
    ],
)
def test_what_is_no_embedding_is_refused_before_training(embedding, message):
    with pytest.raises(ValueError, match=message):
        LearnedScaleRegressor(**{**SINGLE, "embedding": embedding}).fit(X, y)


def test_a_network_built_for_keras_has_it_behind_the_scale():
    model = build_network(3, embedding="periodic")
    assert [layer.name for layer in model.layers][:2] == ["scaling", "embedding"]
    assert model(np.ones((2, 3))).shape == (2, 1)
    with pytest.raises(ValueError, match="embedding='auto' is decided by the rows"):
        build_network(3, embedding="auto")


@pytest.mark.parametrize(("embedding", "expected"), [("auto", None), ("periodic", "periodic")])
def test_scikeras_gets_what_one_network_can_have(embedding, expected):
    wrapper = LearnedScaleRegressor(embedding=embedding).to_scikeras()
    assert wrapper.get_params()["model__embedding"] == expected
