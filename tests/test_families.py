"""Every option that Keras offers works on an estimator; which there are, Keras is asked."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pandas as pd
import pytest
from fitted_networks import network_weights
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skscale import LearnedScaleRegressor
from skscale._compiled.losses import check_per_sample_loss
from skscale._keras.initializers import build_initializer
from skscale._keras.objects import keras_object
from skscale._keras.options import keras_config, keras_names
from skscale._network.dense_spec import DenseSpec
from skscale._network.initial_weights import initialize_weights
from skscale.layers import CenteringScalingLayer

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(24, 3)) * [1.0, 100.0, 1e-4]
y = X[:, 0] + np.sin(X[:, 1] / 50)
# One batch in float64, and one program for everything that is not compiled into it.
TINY = {"hidden_layer_sizes": (4,), "epochs": 2, "scale_regularizer": None, "random_state": 0}
# So small a step that the fitted weights are the first ones.
STILL = {"epochs": 1, "learning_rate": 1e-12, "weight_decay": 0.0}
PENALIZED = ("scale", "center", "kernel")

registered = keras.saving.register_keras_serializable("skscale_test_families")


def fit(target=y, **options):
    return LearnedScaleRegressor(**{**TINY, **options}).fit(X, target)


def weights(model):
    """Return the weights of every role, in the order of the layers."""
    ((scale, center, *layers),) = network_weights(model)
    return {"scale": [scale], "center": [center], "kernel": layers[::2], "bias": layers[1::2]}


# Initializers

ROLES = ("scale", "center", "kernel", "bias")


def takes_a_vector(family, name, argument):
    found = build_initializer(name, 0) if family == "initializers" else keras_object(family, name)
    try:
        found(argument)
    except ValueError:
        return False
    return True


INITIALIZERS = keras_names("initializers")
OF_MATRICES = [n for n in INITIALIZERS if not takes_a_vector("initializers", n, (3,))]
PAIRS = [
    (role, name)
    for role in ROLES
    for name in INITIALIZERS
    if role == "kernel" or name not in OF_MATRICES
]


def forms(name):
    """Return all that a user may write for an initializer."""
    cls = type(build_initializer(name, 0))
    return [name, {"class_name": cls.__name__, "config": {}}, cls, cls()]


@pytest.mark.parametrize(("role", "name"), PAIRS)
def test_every_initializer_is_one_by_name_config_class_and_instance(role, name):
    first, *others = [fit(**{f"{role}_initializer": form}).predict(X) for form in forms(name)]
    assert np.isfinite(first).all()
    for other in others:
        assert_array_equal(other, first)


@pytest.mark.parametrize("role", ["scale", "center", "bias"])
@pytest.mark.parametrize("name", OF_MATRICES)
def test_every_initializer_of_matrices_is_refused_for_vectors(role, name):
    for form in forms(name):
        with pytest.raises(
            ValueError,
            match=rf"{role}_initializer=.* cannot draw .*\([34],\)\. It needs a matrix, and the "
            rf"{role} is a vector: use 'ones', 'zeros', 'random_normal' or 'glorot_uniform'\.",
        ):
            fit(**{f"{role}_initializer": form})


def test_there_are_initializers_of_both_kinds():
    assert {"identity", "orthogonal"} <= set(OF_MATRICES)
    assert {"constant", "zeros", "he_uniform", "variance_scaling"} <= {name for _, name in PAIRS}


def test_an_initializer_of_convolutions_is_refused_for_kernels():
    assert "stft" not in INITIALIZERS
    with pytest.raises(ValueError, match="It needs an array of three axes, and the kernel is a ma"):
        fit(kernel_initializer="stft")


# What is drawn

N_IN, N_OUT, LENGTH = 80, 50, 4000


def drawn(role, config):
    """Draw 4,000 numbers for a role; return them with their fans."""
    # A bias as long as a hidden layer, a scale as long as a row.
    shape = {"kernel": (N_IN, 1, (N_OUT,)), "bias": (1, 1, (LENGTH,))}.get(role, (LENGTH, 1, ()))
    spec = DenseSpec(*shape, initializers={role: config})
    arrays = initialize_weights(spec, np.random.default_rng(0))
    first = next(i for i, parameter in enumerate(spec.parameters) if parameter.role == role)
    assert arrays[first].size == LENGTH
    return arrays[first], (N_IN, N_OUT) if role == "kernel" else (LENGTH, LENGTH)


def constant(value):
    def check(values, _):
        assert_array_equal(values, np.full_like(values, value))

    return check


def assert_drawn(values, deviation, kurtosis):
    error = deviation / np.sqrt(values.size)
    # Five standard errors, of the mean and of the standard deviation.
    assert abs(values.mean()) < 5 * error
    assert abs(values.std() - deviation) < 5 * error * np.sqrt((kurtosis - 1) / 4)


def normal(deviation):
    """Say that draws are normal, cut or not: some are further out than a uniform can be."""

    def check(values, fans):
        assert_drawn(values, deviation(*fans), 3.0)
        assert np.abs(values).max() > 1.9 * deviation(*fans)

    return check


def uniform(limit):
    """Say that draws fill the range up to a limit."""

    def check(values, fans):
        assert_drawn(values, limit(*fans) / np.sqrt(3), 1.8)
        # Of 4,000 draws none is in the last 1 / 250 once in ten million.
        assert 0.996 * limit(*fans) < np.abs(values).max() <= limit(*fans) * (1 + 1e-6)

    return check


def identity(values, _):
    assert_array_equal(values, np.eye(*values.shape))


def orthogonal(values, _):
    # Products of 80 terms in float32.
    assert_allclose(values.T @ values, np.eye(values.shape[1]), rtol=0, atol=1e-5)


# Glorot and Bengio 2010, He et al. 2015, LeCun et al. 1998, and the defaults that Keras documents.
CHECKS = {
    "constant": constant(0.0),
    "zeros": constant(0.0),
    "ones": constant(1.0),
    "glorot_normal": normal(lambda n_in, n_out: np.sqrt(2 / (n_in + n_out))),
    "glorot_uniform": uniform(lambda n_in, n_out: np.sqrt(6 / (n_in + n_out))),
    "he_normal": normal(lambda n_in, n_out: np.sqrt(2 / n_in)),
    "he_uniform": uniform(lambda n_in, n_out: np.sqrt(6 / n_in)),
    "lecun_normal": normal(lambda n_in, n_out: np.sqrt(1 / n_in)),
    "lecun_uniform": uniform(lambda n_in, n_out: np.sqrt(3 / n_in)),
    "variance_scaling": normal(lambda n_in, n_out: np.sqrt(1 / n_in)),
    "random_normal": normal(lambda n_in, n_out: 0.05),
    "random_uniform": uniform(lambda n_in, n_out: 0.05),
    # The standard deviation that is left when what is beyond two of 0.05 is cut.
    "truncated_normal": normal(lambda n_in, n_out: 0.05 * 0.87962566),
    "identity": identity,
    "orthogonal": orthogonal,
}


@pytest.mark.parametrize(("role", "name"), PAIRS)
def test_every_initializer_draws_by_its_formula(role, name):
    CHECKS[name](*drawn(role, keras_config("initializers", name, parameter=role)))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("distribution", ["normal", "truncated", "untruncated", "uniform"])
@pytest.mark.parametrize(
    ("mode", "n"),
    [
        ("fan_in", lambda n_in, n_out: n_in),
        ("fan_out", lambda n_in, n_out: n_out),
        ("fan_avg", lambda n_in, n_out: (n_in + n_out) / 2),
    ],
)
def test_variance_scaling_draws_by_its_mode_and_distribution(role, distribution, mode, n):
    check = {
        "uniform": uniform(lambda *fans: np.sqrt(3 * 2.5 / n(*fans))),
    }.get(distribution, normal(lambda *fans: np.sqrt(2.5 / n(*fans))))
    name = f"{distribution}_normal" if "truncated" in distribution else distribution
    settings = {"scale": 2.5, "mode": mode, "distribution": name}
    check(*drawn(role, {"class_name": "VarianceScaling", "config": settings}))


class SeeFirstWeights(keras.callbacks.Callback):
    """Tells what a network starts from. Copies share a function, but no list of their own."""

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def on_train_begin(self, logs=None):
        self.tell(self.model.get_weights())


# Networks that stay where they started lose more than the mean does.
@pytest.mark.filterwarnings("ignore:The training diverged")
@pytest.mark.parametrize("seed", [None, 3])
def test_an_instance_draws_anew_for_every_fold_and_by_the_seed_of_the_estimator(seed):
    # Keras' own would draw the same again, wherever it is used.
    instance = keras.initializers.RandomNormal(1.0, 0.1, seed=seed)
    options = {f"{role}_initializer": instance for role in ROLES}
    path = {"scale_regularizer": "auto", "cv": 2, "regularization_path": [0.0]}

    def draws(random_state):
        seen = []
        see = SeeFirstWeights(seen.append)
        fit(**STILL, **path, **options, callbacks=[see], random_state=random_state)
        return seen

    # A network for each of two folds.
    (first, *others), again, (other, *_) = draws(0), draws(0), draws(1)
    for array, *equal_and_not in zip(first, again[0], *others, other, strict=True):
        equal, *unequal = equal_and_not
        assert_array_equal(array, equal)
        for draw in unequal:
            assert not np.isclose(array, draw).any()


@registered
class Rising(keras.initializers.Initializer):
    def __init__(self, step=1.0):
        self.step = step

    def __call__(self, shape, dtype=None):
        return keras.ops.reshape(keras.ops.arange(np.prod(shape), dtype=dtype), shape) * self.step

    def get_config(self):
        return {"step": self.step}


@registered
def rising(shape, dtype=None):
    return Rising()(shape, dtype)


@pytest.mark.parametrize("value", [Rising, Rising(1.0), rising])
def test_initializers_of_the_user_start_every_weight(value):
    model = fit(**STILL, **{f"{role}_initializer": value for role in ROLES})
    for arrays in weights(model).values():
        for array in arrays:
            # Steps of 1e-12, and ten times that for the scale.
            assert_allclose(array.ravel(), np.arange(array.size), rtol=0, atol=1e-10)


def test_an_initializer_of_another_shape_is_refused():
    @registered
    def two(shape, dtype=None):
        return keras.ops.ones((2,), dtype)

    with pytest.raises(ValueError, match=r"cannot draw .*\(3,\)\. .*draws an array of shape \(2,"):
        fit(scale_initializer=two)


# Regularizers


@registered
def cubes(weights):
    return 3.0 * keras.ops.sum(keras.ops.abs(weights) ** 3)


@registered
class Quartic(keras.regularizers.Regularizer):
    def __init__(self, strength=1.0):
        self.strength = strength

    def __call__(self, weights):
        return self.strength * keras.ops.sum(weights**4)

    def get_config(self):
        return {"strength": self.strength}


def strong(name):
    """Return the config of a regularizer of Keras with all of its strengths at three."""
    cls = type(keras_object("regularizers", name))
    settings = inspect.signature(cls).parameters.values()
    strengths = [setting.name for setting in settings if isinstance(setting.default, float)]
    return {"class_name": cls.__name__, "config": dict.fromkeys(strengths, 3.0)}


def penalty(config, arrays):
    found = keras_object("regularizers", config)
    return sum(float(found(array.astype(np.float32))) for array in arrays)


@pytest.mark.slow
@pytest.mark.parametrize("value", [*keras_names("regularizers"), cubes, Quartic(3.0)])
def test_every_regularizer_adds_its_penalty_and_shrinks_what_it_penalizes(value):
    value = strong(value) if isinstance(value, str) else value
    config = keras_config("regularizers", value, parameter="p")
    is_for_vectors = takes_a_vector("regularizers", config, np.ones(3, np.float32))
    roles = PENALIZED if is_for_vectors else ("kernel",)
    options = {f"{role}_regularizer": value for role in roles}
    begun = fit(**STILL, center_initializer="ones")
    first = fit(**STILL, **options, center_initializer="ones").history_["loss"][0]
    expected = sum(penalty(config, weights(begun)[role]) for role in roles)
    # Keras computes some penalties in float32.
    assert_allclose(first - begun.history_["loss"][0], expected, rtol=1e-5)
    assert expected > 1
    free = fit(epochs=30, center_initializer="ones")
    penalized = fit(epochs=30, center_initializer="ones", **options)
    for role in roles:
        assert penalty(config, weights(penalized)[role]) < penalty(config, weights(free)[role])


@pytest.mark.parametrize("role", ["scale", "center"])
def test_a_regularizer_of_matrices_is_refused_for_vectors(role):
    with pytest.raises(ValueError, match=f"needs a matrix, and the {role} is a vector: use 'l1',"):
        fit(**{f"{role}_regularizer": "orthogonal_regularizer"})


# Constraints


@registered
class AtMost(keras.constraints.Constraint):
    def __init__(self, limit=0.5):
        self.limit = limit

    def __call__(self, weights):
        return keras.ops.clip(weights, -self.limit, self.limit)

    def get_config(self):
        return {"limit": self.limit}


@pytest.mark.slow
@pytest.mark.parametrize("value", [*keras_names("constraints"), AtMost, AtMost(0.25)])
def test_every_constraint_holds_on_the_fitted_weights(value):
    constraint = keras_object("constraints", keras_config("constraints", value, parameter="p"))
    far = {"class_name": "RandomNormal", "config": {"stddev": 3.0}}
    options = {f"{role}_initializer": far for role in PENALIZED}
    free = weights(fit(**options))
    # One update, and several: it holds after each.
    for n_epochs in (1, 4):
        held = {f"{role}_constraint": value for role in PENALIZED}
        model = fit(**options, **held, epochs=n_epochs)
        for role in PENALIZED:
            for array, unheld in zip(weights(model)[role], free[role], strict=True):
                # Keras adds 1e-7 to the norm that it divides by, and is in float32.
                assert_allclose(constraint(array), array, rtol=1e-5, atol=1e-6)
                assert not np.allclose(constraint(unheld), unheld, rtol=1e-2)


# Activations, losses, optimizers


@pytest.mark.slow
@pytest.mark.parametrize("name", keras_names("activations"))
def test_every_activation_predicts_what_keras_predicts(name):
    model = fit(activation=name)
    assert np.isfinite(model.history_["loss"]).all()
    network = keras.Sequential(
        [
            keras.Input((3,)),
            CenteringScalingLayer(dtype="float64"),
            keras.layers.Dense(4, name, dtype="float64"),
            keras.layers.Dense(1, dtype="float64"),
        ]
    )
    network.set_weights(network_weights(model)[0])
    outputs = np.asarray(network(StandardScaler().fit_transform(X)))[:, 0]
    # Keras keeps constants of some activations in float32.
    assert_allclose(model.predict(X), y.mean() + y.std() * outputs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", keras_names("losses"))
def test_every_loss_trains_or_is_refused_with_the_way_out(name):
    # Two shares that add up to one, and outputs between 0 and 1, are in the domain of every loss.
    share = 0.1 + 0.8 * (y - y.min()) / np.ptp(y)
    target = np.stack([share, 1 - share], axis=1)
    options = {"loss": name, "target_normalization": None, "output_activation": "sigmoid"}
    try:
        check_per_sample_loss(name, 2)
    except ValueError:
        with pytest.raises(ValueError, match=f"loss='{name}' .*Use a loss that sees one row at a"):
            fit(target, **options)
        return
    model = fit(target, **options)
    assert np.isfinite(model.history_["loss"]).all()
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("name", ["circle", "ctc", "sparse_categorical_crossentropy"])
def test_a_loss_that_cannot_be_had_for_one_target_is_refused(name):
    with pytest.raises(ValueError, match=f"loss='{name}' .*Use a loss that sees one row at a time"):
        fit(loss=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", keras_names("optimizers"))
def test_every_optimizer_makes_the_loss_fall(name):
    losses = fit(optimizer=name, epochs=20).history_["loss"]
    assert losses[-1] < losses[0]


# Grids

GRID = {
    "scale_initializer": ["ones", {"class_name": "RandomNormal", "config": {"mean": 1.0}}],
    "kernel_initializer": ["auto", "he_normal"],
}
EACH_FAMILY = {
    "scale_regularizer": [None, "l2"],
    "kernel_constraint": [None, {"class_name": "MaxNorm", "config": {"max_value": 1.5}}],
    "activation": ["tanh"],
    "loss": [{"class_name": "Huber", "config": {"delta": 0.5}}],
    "optimizer": ["sgd"],
}


@pytest.mark.parametrize("grid", [GRID, pytest.param(EACH_FAMILY, marks=pytest.mark.slow)])
def test_names_and_configs_are_readable_in_the_results_of_a_search(grid):
    model = LearnedScaleRegressor(**TINY)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    for name, values in grid.items():
        shown = search.cv_results_[f"param_{name}"]
        assert all(value in values for value in shown)
        # What is copied for every fit is what was given.
        assert getattr(search.best_estimator_, name) in values
    table = pd.DataFrame(search.cv_results_).filter(like="param").to_string()
    assert "0x" not in table
    for values in grid.values():
        assert all(str(value) in table for value in values)


def test_settings_of_instances_survive_a_search():
    instances = [keras.initializers.RandomNormal(mean, 0.1) for mean in (0.5, 1.0)]
    configs = [keras_config("initializers", instance, parameter="p") for instance in instances]
    scores = [
        GridSearchCV(LearnedScaleRegressor(**TINY), {"scale_initializer": values}, cv=2)
        .fit(X, y)
        .cv_results_["mean_test_score"]
        for values in (instances, configs)
    ]
    assert_array_equal(*scores)
    assert scores[0][0] != scores[0][1]
