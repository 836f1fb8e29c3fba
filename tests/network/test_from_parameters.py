"""Layers of the user's own: every way to ask for them, what they may hold, what is refused."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from user_layers import Bilinear, Counter, bent, two_layers

from skscale import LearnedScaleRegressor, LearnedScaleTransformer
from skscale._network.custom_layers import build_model, make_custom_layers
from skscale._network.from_parameters import make_spec
from skscale._network.stateless_call import StatelessCall
from skscale._parameters import LearnedScaleParameters
from skscale.layers import SineDense

layers = keras.layers
_random = np.random.default_rng(0)
X = _random.normal(size=(40, 3)) * [1.0, 1e-3, 1e3] + [0.0, 1.0, 5e3]
y = X[:, 0] ** 2 + 1e3 * X[:, 1] + 0.1 * _random.normal(size=40)

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


def spec_of(**options):
    parameters = LearnedScaleParameters(**{**SINGLE, **options})
    return make_spec(parameters, n_features=3, n_outputs=1)


def weights(model, member=0):
    """Weights by the end of their names."""
    ensemble = model._ensemble
    names = [parameter.name for parameter in ensemble.spec.arrays]
    return dict(zip(names, ensemble.members[member], strict=True))


def scaled(model, rows=X):
    """What the scaling layer gives."""
    return rows * model.scale_ + model.offset_


def targets(model, outputs):
    return model._target_map.inverse(outputs)[:, 0]


def batch_net(n_features, n_outputs, *middle):
    return keras.Sequential([layers.Dense(4), *middle, layers.Dense(n_outputs)])


# Hidden layers


def dense_of_the_defaults(units):
    draws = keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")
    bias = keras.initializers.RandomNormal(stddev=0.1)
    return layers.Dense(units, "silu", kernel_initializer=draws, bias_initializer=bias)


@pytest.mark.parametrize(
    "forms",
    [
        [layers.Dense, "Dense", dense_of_the_defaults, lambda units: dense_of_the_defaults(units)],
        [Bilinear, "skscale_tests>Bilinear", lambda units: Bilinear(units)],
    ],
    ids=["dense", "registered"],
)
def test_a_hidden_layer_means_the_same_in_every_form(forms):
    expected, *others = (fit(hidden_layer=form).predict(X) for form in forms)
    for predictions in others:
        assert_array_equal(predictions, expected)


def test_a_class_gets_the_options_that_it_knows():
    options = {"kernel_initializer": "ones", "kernel_constraint": "non_neg", "use_bias": False}
    spec = spec_of(hidden_layer=layers.Dense, activation="tanh", dropout=0.5, **options)
    found = [layer["config"] for layer in spec.custom_layers.config["config"]["layers"]]
    assert [config["name"] for config in found[1:]] == ["dense", "dropout", "dense_1"]
    for config in (found[1], found[3]):
        assert config["kernel_initializer"]["class_name"] == "Ones"
        assert config["kernel_constraint"]["class_name"] == "NonNeg"
        assert not config["use_bias"]
    assert found[1]["activation"] == "tanh"
    assert found[2]["rate"] == 0.5


def test_sine_layers_predict_what_their_keras_layer_gives_and_learn_the_frequency():
    model = fit(hidden_layer="sine", epochs=20, learning_rate=0.1)
    own = weights(model)
    layer, last = SineDense(4, dtype="float64"), layers.Dense(1, dtype="float64")
    hidden = scaled(model)
    for built, width in ((layer, 3), (last, 4)):
        built.build((None, width))
    layer.set_weights([own[f"sine_0/{name}"] for name in ("kernel", "bias", "frequency")])
    last.set_weights([own["dense_1/kernel"], own["dense_1/bias"]])
    # Both float64; sines and sums of other orders.
    assert_allclose(model.predict(X), targets(model, np.asarray(last(layer(hidden)))), rtol=1e-10)
    assert (np.abs(own["sine_0/frequency"] - 1) > 1e-3).all()


# Activations


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        (layers.LeakyReLU(negative_slope=0.1), lambda h: np.where(h > 0, h, 0.1 * h)),
        (
            keras.saving.serialize_keras_object(layers.LeakyReLU(negative_slope=0.2)),
            lambda h: np.where(h > 0, h, 0.2 * h),
        ),
        (bent, lambda h: h**3 / (1 + h**2)),
        (keras.activations.serialize(bent), lambda h: h**3 / (1 + h**2)),
    ],
    ids=["layer", "layer config", "function", "function config"],
)
def test_an_activation_with_settings_or_of_the_user_is_applied(activation, function):
    model = fit(activation=activation)
    kernel, bias, last_kernel, last_bias = list(weights(model).values())[2:]
    hidden = function(scaled(model) @ kernel + bias)
    # Float64 both; rows are scaled in another order of operations.
    assert_allclose(model.predict(X), targets(model, hidden @ last_kernel + last_bias), rtol=1e-9)


def test_an_output_activation_of_the_user_is_applied_behind_any_network():
    model = fit(output_activation=bent, network=two_layers)
    kernel, bias, last_kernel, last_bias = list(weights(model).values())[2:]
    outputs = np.tanh(scaled(model) @ kernel + bias) @ last_kernel + last_bias
    outputs = outputs**3 / (1 + outputs**2)
    # As above.
    assert_allclose(model.predict(X), targets(model, outputs), rtol=1e-9)


# Networks


def test_a_network_means_the_same_in_every_form():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)], name="two_layers"
    )
    expected = fit(network=model).predict(X)
    forms = [
        {"network": two_layers},
        {"network": two_layers, "network_params": {"width": 4}},
        {"network": keras.saving.serialize_keras_object(model)},
    ]
    for form in forms:
        assert_array_equal(fit(**form).predict(X), expected)
    other = spec_of(network=two_layers, network_params={"width": 2, "activation": "relu"})
    assert [p.shape for p in other.arrays] == [(3,), (3,), (3, 2), (2,), (2, 1), (1,)]


def test_a_single_layer_and_layers_without_weights_are_networks():
    assert len(spec_of(network=layers.Dense(1)).arrays) == 4
    assert list(weights(fit(target=X, network=layers.Identity()))) == ["scale", "center"]


def test_a_model_of_the_user_is_left_as_it_is():
    inputs = keras.Input((3,))
    hidden = layers.Dense(4, "tanh", name="mine")(inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.Concatenate()([inputs, hidden])))
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    model.fit(X.astype("float32"), y.astype("float32"), verbose=0)

    def state():
        kept = [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]
        return kept, [layer.name for layer in model.layers], model.optimizer, model.loss

    before = state()
    estimator = fit(network=model)
    after = state()
    assert_array_equal(
        np.concatenate([np.ravel(w) for w in before[0]]),
        np.concatenate([np.ravel(w) for w in after[0]]),
    )
    assert before[1:] == after[1:]
    assert estimator.network is model
    # What the user compiled it with is no part of the architecture.
    assert "compile_config" not in str(estimator._ensemble.spec.custom_layers.config)


def test_predictions_are_those_of_the_rebuilt_keras_model():
    def network(n_features, n_outputs):
        middle = layers.BatchNormalization(), layers.Dropout(0.3), layers.LayerNormalization()
        return batch_net(n_features, n_outputs, *middle)

    model = fit(network=network, dtype="float32", normalization="batch")
    custom = model._ensemble.spec.custom_layers
    keras_model = build_model(custom.config, "float64")
    own = weights(model)
    for variable, parameter in zip(
        [*keras_model.trainable_variables, *keras_model.non_trainable_variables[:2]],
        (*custom.parameters, *custom.statistics),
        strict=True,
    ):
        assert own[parameter.name].dtype == np.float32
        variable.assign(own[parameter.name])
    outputs = np.asarray(keras_model(scaled(model), training=False))
    # Float64 both; the scaling layer is composed in another order.
    assert_allclose(model.predict(X), targets(model, outputs), rtol=1e-8)
    few = model.predict(X.astype(np.float32))
    assert few.dtype == np.float32
    # Rounding of float32 rows 5 standard deviations from zero.
    assert_allclose(few, model.predict(X), rtol=1e-3, atol=1e-4)


def test_importances_are_finite_differences_of_the_network():
    model = fit(hidden_layer=Bilinear)
    steps = 1e-5 * np.diag(X.std(axis=0))
    slopes = [(model.predict(X + step) - model.predict(X - step)) / 2e-5 for step in steps]
    shares = np.mean(np.square(slopes), axis=1)
    # Second differences of a step of 1e-5, and rounding of 1e-16 over it.
    assert_allclose(model.feature_importances_, shares / shares.sum(), rtol=1e-6)


def test_a_network_of_the_user_learns_the_scale_for_classes():
    labels = np.array(["low", "middle", "high"])[np.digitize(y, np.quantile(y, [0.3, 0.6]))]
    options = {**SINGLE, "network": two_layers, "epochs": 20}
    model = LearnedScaleTransformer(**options).fit(X, labels)
    assert model.target_type_ == "multiclass"
    ensemble, step = model._ensemble, 1e-5 * np.diag(X.std(axis=0))

    def logits(rows):
        outputs = ensemble.mean_output(rows)
        return outputs - outputs.mean(axis=1, keepdims=True)

    slopes = [(logits(X + own) - logits(X - own)) / 2e-5 for own in step]
    shares = np.sum(np.square(slopes), axis=(1, 2))
    # As for the regressor.
    assert_allclose(model.feature_importances_, shares / shares.sum(), rtol=1e-6)


# Names


def test_names_that_keras_numbered_make_no_other_network():
    first, second = spec_of(network=two_layers), spec_of(network=two_layers)
    assert first.key() == second.key()
    assert first.custom_layers == second.custom_layers


def test_names_of_the_user_stay():
    def network(n_features, n_outputs):
        made = [
            layers.Dense(4, activation="softmax"),
            layers.Softmax(name="softmax_3"),
            layers.Softmax(name="softmax"),
            layers.Dense(4, name="dropout"),
            layers.Dropout(0.2, name="dropout_7"),
        ]
        return keras.Sequential([*made, layers.Dense(n_outputs, name="mine")])

    config = spec_of(network=network).custom_layers.config["config"]["layers"][1]["config"]
    found = [layer["config"]["name"] for layer in config["layers"][1:]]
    assert found == ["dense", "softmax_1", "softmax", "dropout", "dropout_1", "mine"]
    assert config["layers"][1]["config"]["activation"] == "softmax"


# Draws


def test_draws_depend_on_the_seed_alone_and_differ_between_folds():
    def network(n_features, n_outputs):
        return batch_net(n_features, n_outputs, layers.Dropout(0.5), Counter())

    options = {
        "network": network,
        "scale_regularizer": "auto",
        "regularization_path": [(0.1, 1.0)],
        "cv": 2,
    }
    first_weights = []

    class SeeFirstWeights(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            first_weights.append(self.model.get_weights())

    first = fit(**options, callbacks=[SeeFirstWeights()])
    random.seed(77)
    state = random.getstate()
    keras_draw = np.asarray(keras.random.normal((3,), seed=keras.random.SeedGenerator(1)))
    again = fit(**options)
    assert random.getstate() == state
    assert_array_equal(keras.random.normal((3,), seed=keras.random.SeedGenerator(1)), keras_draw)
    assert_array_equal(first.predict(X), again.predict(X))
    # A callback sees held-out losses, too.
    assert first.history_["loss"] == again.history_["loss"]
    assert again.history_ != fit(**options | {"random_state": 1}).history_
    kernels = [next(a for a in arrays if a.ndim == 2) for arrays in first_weights]
    # Of order one, and drawn independently.
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1


def test_generators_of_neighbouring_seeds_do_not_draw_the_same():
    drop = [layers.Dropout(0.5, seed=1), layers.Dropout(0.5, seed=2)]
    both_layers = make_custom_layers(drop, 500, 500, parameter="network")
    call, ones = StatelessCall(both_layers.config, "float32"), np.ones((2, 500), "float32")
    both = [np.asarray(call([], [], ones, row_weights=ones[:, 0], seed=k)[0]) > 0 for k in (0, 1)]
    alone = make_custom_layers(drop[:1], 500, 500, parameter="network")
    call = StatelessCall(alone.config, "float32")
    single = [np.asarray(call([], [], ones, row_weights=ones[:, 0], seed=k)[0]) > 0 for k in (0, 1)]
    # What both layers keep under one seed tells nothing of what the first keeps under the next:
    # half of it, give or take 4 standard deviations of some 250 draws.
    assert abs(single[1][both[0]].mean() - 0.5) < 4 * 0.5 / np.sqrt(250)
    assert single[0][both[0]].all()
    assert not np.array_equal(both[0], both[1])
