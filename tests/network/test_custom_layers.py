"""What layers of the user's own may hold, how they travel, and what is refused."""

from __future__ import annotations

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from user_layers import Bilinear, Counter, Doubled, Unset, two_layers

from skscale import LearnedScaleClassifier, LearnedScaleRegressor
from skscale._network.custom_layers import make_custom_layers

layers = keras.layers
_random = np.random.default_rng(0)
X = _random.normal([0.0, 1.0, 5.0], size=(40, 3))
y = X[:, 0] ** 2 + X[:, 1] + 0.1 * _random.normal(size=40)

# What compiles fastest: every kind of network is a program of its own.
SINGLE = {
    "scale_regularizer": None,
    "hidden_layer_sizes": (4,),
    "epochs": 3,
    "optimizer": "sgd",
    "scale_learning_rate_factor": 1.0,
    "random_state": 0,
}


def fit(rows=X, target=y, sample_weight=None, **options):
    return LearnedScaleRegressor(**{**SINGLE, **options}).fit(rows, target, sample_weight)


def weights(model):
    """Weights by the end of their names."""
    ensemble = model._ensemble
    names = [parameter.name.split("/")[-1] for parameter in ensemble.spec.arrays]
    return dict(zip(names, ensemble.members[0], strict=True))


def network_of(*middle):
    """A network as users write it, with layers behind the first."""

    def network(n_features, n_outputs):
        last = layers.Dense(n_outputs, name="last", kernel_constraint="unit_norm")
        made = [layers.Dense(4, kernel_initializer="ones"), *middle]
        return keras.Sequential([*made, layers.Flatten(), last])

    return network


# Rows that do not count


def looks_at_batches(n_features, n_outputs):
    middle = [
        layers.Reshape((2, 2)),
        layers.BatchNormalization(momentum=0.5),
        layers.ActivityRegularization(l1=0.1),
    ]
    return network_of(*middle)(n_features, n_outputs)


@pytest.mark.slow
def test_padding_rows_are_not_seen():
    # 40 rows in batches of 40, and of 64 with 24 copies of the first row.
    plain = fit(network=looks_at_batches, batch_size=40)
    padded = fit(network=looks_at_batches, batch_size=64)
    for one, other in zip(plain._ensemble.members[0], padded._ensemble.members[0], strict=True):
        # Float64 sums of other lengths; Keras adds 1e-7 to a count of rows in either.
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert_allclose(plain.history_["loss"], padded.history_["loss"], rtol=1e-9)


def test_rows_without_weight_are_not_seen():
    plain = fit(network=looks_at_batches, batch_size=40)
    rows, target = np.concatenate([X, 100 + X]), np.concatenate([y, -y])
    options = {"network": looks_at_batches, "batch_size": 40, "dtype": "float64"}
    weighted = fit(rows, target, np.repeat([1.0, 0.0], 40), **options)
    for one, other in zip(plain._ensemble.members[0], weighted._ensemble.members[0], strict=True):
        # Means of the normalization are over rows of another number: a rounding to float32.
        assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    # Three steps of momentum one half lead away from the start.
    assert (np.abs(weights(plain)["moving_variance"] - 1) > 1e-3).all()


# What layers bring along


def test_constraints_and_regularizers_of_layers_are_theirs():
    network = network_of(layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.5)))
    plain = fit(network=network_of(layers.Dense(4)))
    model = fit(network=network)
    last = model._ensemble.members[0][-2]
    # Float64 division by the norm, to which Keras adds its epsilon of 1e-7.
    assert_allclose(np.linalg.norm(last, axis=0), 1, rtol=1e-6)
    # The loss of the first step is that of the first weights; both have drawn the same.
    drawn = _drawn_kernel(network)
    assert_allclose(
        model.history_["loss"][0] - plain.history_["loss"][0],
        0.5 * np.sum(drawn**2),
        rtol=1e-6,  # weights are drawn in float32
    )


def _drawn_kernel(network):
    model = fit(network=network, learning_rate=1e-30, epochs=1, weight_decay=0.0)
    return model._ensemble.members[0][4]


def test_counters_and_generators_are_state():
    model = fit(network=lambda n, m: keras.Sequential([Counter(), layers.Dense(m)]), epochs=5)
    assert weights(model)["count"] == 5
    predictions = model.predict(X)
    assert weights(model)["count"] == 5
    # No noise in predictions.
    assert_array_equal(model.predict(X), predictions)


# State


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_layer": Bilinear},
        {"network": keras.Sequential([layers.Dense(4), layers.Dense(1)])},
        {"network": two_layers, "network_params": {"width": 4}},
    ],
    ids=["class", "model", "function"],
)
def test_copies_keep_the_very_objects_and_pickles_predict_the_same(options):
    model = fit(**options)
    for twin in (clone(model), copy.copy(model), copy.deepcopy(model)):
        for name, value in options.items():
            if name != "network_params":
                assert getattr(twin, name) is value
                assert twin.get_params()[name] is value
    predictions = model.predict(X)
    assert_array_equal(copy.deepcopy(model).predict(X), predictions)
    pickled = pickle.dumps(model)
    loaded = pickle.loads(pickled)
    assert_array_equal(loaded.predict(X), predictions)
    assert_array_equal(clone(loaded).fit(X, y).predict(X), predictions)
    # The configs of two layers, and of the model among the parameters.
    assert len(pickled) < 20_000


LOAD = """
import pickle, sys
import numpy as np
sys.path.insert(0, "tests")
with open(sys.argv[1], "rb") as file:
    pickled, rows, expected = pickle.load(file)
assert "keras" not in sys.modules
model = pickle.loads(pickled)
assert "keras" not in sys.modules
import user_layers
np.testing.assert_allclose(model.predict(rows), expected, rtol=1e-12)
print("equal")
"""


@pytest.mark.slow
def test_a_process_that_knows_the_classes_predicts_the_same(tmp_path, run_python):
    model = fit(hidden_layer=Bilinear)
    path = tmp_path / "state.pickle"
    path.write_bytes(pickle.dumps((pickle.dumps(model), X, model.predict(X))))
    assert run_python(LOAD, str(path)).strip() == "equal"


# Refusals


class Unregistered(layers.Dense):
    """Keras can build it, but not again."""


def lambda_network(n_features, n_outputs):
    return "no layer"


def picky(n_features, n_outputs, *, width):
    return layers.Dense(width)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": layers.Dense(7)}, r"^network gives outputs of shape \(None, 7\), but "),
        ({"network": lambda n, m: layers.Dense(m + 1)}, r"End in keras.layers.Dense\(1\)"),
        ({"network": keras.Sequential([keras.Input((5,)), layers.Dense(1)])}, r"on 3 features \(t"),
        ({"network": lambda_network}, r"^network=.* returns 'no layer', but a Keras layer"),
        ({"network": picky}, r"^network=.* fails for n_features=3, n_outputs=1 and .*'width'"),
        ({"network": picky, "network_params": {"widht": 1}}, r"network_params=\{'widht': 1\}"),
        ({"network": {"class_name": "Dnse", "config": {}}}, "cannot be copied. Register classes"),
        ({"network": keras.regularizers.serialize(keras.regularizers.L1())}, "is no Keras layer"),
        ({"network": layers.Dense(1), "network_params": {"a": 1}}, r"network_params=\{'a': 1\} is"),
        ({"network_params": {"a": 1}}, "is for a network that is a function, but network is None"),
        ({"network": Unregistered(1)}, "register_keras_serializable"),
        ({"hidden_layer": Unregistered}, "^hidden_layer gives layers that cannot be built"),
        ({"hidden_layer": lambda units: units}, r"^hidden_layer=.* gives 4, but a Keras layer is"),
        ({"hidden_layer": len}, "^hidden_layer=.* gives no layer for 4 units"),
        ({"hidden_layer": layers.Dropout}, "^hidden_layer=.* gives no layer for 4 units"),
        ({"hidden_layer": layers.Dense(4)}, "is one layer, but one is needed for each of"),
        ({"hidden_layer": "Densee"}, r"^hidden_layer='Densee' is unknown. Did you mean 'Dense'\?"),
        ({"hidden_layer": "sin"}, r"Did you mean 'sine'\?"),
        ({"hidden_layer": lambda units: Doubled()}, "^hidden_layer gives .* fail in float64"),
        ({"network": Doubled()}, "^network gives"),
        ({"activation": lambda x: x}, "^activation=.* Use def instead of lambda"),
        ({"output_activation": lambda x: x}, "^output_activation=.* Use def instead of lambda"),
        ({"dropout": 1.0}, r"'dropout' parameter .* in the range \[0.0, 1.0\)"),
        ({"hidden_layer": 3}, "The 'hidden_layer' parameter of LearnedScaleRegressor must be"),
        ({"network": 3}, "The 'network' parameter of LearnedScaleRegressor must be"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_network_is_refused_before_training(options, message):
    with pytest.raises(ValueError, match=message):
        fit(**options)


def test_a_layer_that_fails_in_float64_runs_in_float32():
    network = network_of(Doubled())
    model = fit(network=network, dtype="float32")
    assert np.isfinite(model.predict(X.astype(np.float32))).all()


def starts_with_nan(n_features, n_outputs):
    last = layers.Dense(n_outputs, name="last", bias_initializer=Unset("nan"))
    return keras.Sequential([last])


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": starts_with_nan}, "^network gives layers of which '.*last/bias' begins"),
        (
            {
                "embedding": layers.Dense(2),
                "kernel_initializer": Unset("inf"),
            },
            "^embedding gives layers of which '.*kernel' begins .* by kernel_initializer",
        ),
    ],
    ids=["network", "other"],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_layers_that_begin_with_numbers_that_are_not_finite_are_refused(method, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(LearnedScaleRegressor(**{**SINGLE, **options}), method)(X, y)


def test_functions_that_run_eagerly_change_nothing():
    def fitted():
        return LearnedScaleClassifier(**SINGLE, network=three_units).fit(X, y > 1)

    # First, so that nothing of it is compiled already.
    tf.config.run_functions_eagerly(True)
    try:
        eager = fitted()
        assert_array_equal(eager.predict_proba(X), fitted().predict_proba(X))
    finally:
        tf.config.run_functions_eagerly(False)
    model = fitted()
    assert_array_equal(model.predict_proba(X), eager.predict_proba(X))
    assert_array_equal(model.feature_importances_, eager.feature_importances_)


def three_units(n_features, n_outputs):
    return keras.Sequential([layers.Dense(3, "tanh"), layers.Dense(n_outputs)])


def test_layers_made_under_another_floatx_are_the_same_layers(in_float16):
    def make():
        made = [layers.Dense(4, activation=layers.LeakyReLU(0.1)), layers.Dense(1)]
        return make_custom_layers(made, 3, 1, parameter="network")

    assert in_float16(make).key() == make().key()
