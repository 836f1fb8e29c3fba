"""The classifier takes labels of any type, and gives probabilities that mean what they say."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from fitted_networks import network_outputs, network_weights, temperature
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, load_wine, make_classification
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.preprocessing import MinMaxScaler

from skscale import LearnedScaleClassifier

X, Y = load_wine(return_X_y=True)
X, Y = X[::2], Y[::2]
TWO = Y > 0
NAMES = np.array(["barbera", "barolo", "grignolino"])

# A few steps on a path of two points: enough to tell whether every part does its work.
QUICK = {
    "hidden_layer_sizes": (8,),
    "epochs": 30,
    "cv": 2,
    "regularization_path": [(0.0, 0.0), (0.1, 1.0)],
    "random_state": 0,
}
SINGLE = {**QUICK, "scale_regularizer": None}


@pytest.fixture(scope="module")
def fitted():
    return LearnedScaleClassifier(**QUICK).fit(X, Y)


@pytest.fixture(scope="module")
def binary():
    return LearnedScaleClassifier(**QUICK).fit(X, TWO)


@pytest.fixture(scope="module")
def single():
    return LearnedScaleClassifier(**SINGLE).fit(X, Y)


# Fitted attributes


def test_it_is_a_classifier(fitted):
    assert is_classifier(fitted)
    assert fitted.score(X, Y) > 0.9


def test_attributes_have_the_documented_shapes(fitted, binary):
    for model in (fitted, binary):
        for name in ("scale_", "offset_", "feature_importances_"):
            assert getattr(model, name).shape == (13,), name
            assert getattr(model, name).dtype == np.float64, name
        assert model.feature_importances_.sum() == pytest.approx(1.0)
        assert_allclose(model.relative_scale_, model.scale_ * X.std(axis=0), rtol=1e-12)
        assert_allclose(model.relative_scale_, model.member_scales_.mean(axis=0), rtol=1e-12)
        assert (model.n_features_in_, model.n_iter_) == (13, 30)
        assert not hasattr(model, "feature_names_in_")
    assert (fitted.n_outputs_, binary.n_outputs_) == (3, 1)
    assert_array_equal(fitted.classes_, [0, 1, 2])
    assert_array_equal(binary.classes_, [False, True])


def test_history_holds_the_cross_entropy_of_every_epoch(fitted):
    losses = fitted.history_["loss"]
    assert len(losses) == 30
    # Somewhat above that of even probabilities before the first step.
    assert 0.5 < losses[0] / np.log(3) < 2
    assert losses[-1] < 0.3 * losses[0]


def test_scale_is_normalization_and_factors_composed(fitted):
    factors = np.array([weights[0] for weights in network_weights(fitted)])
    assert_allclose(fitted.scale_, np.abs(factors).mean(axis=0) / X.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("target", [Y, TWO], ids=["three", "two"])
def test_importances_are_those_of_centred_logits(target):
    model = LearnedScaleClassifier(**SINGLE).fit(X, target)
    step = 1e-5
    squares = np.empty(13)

    def logits(rows):
        # Logarithms of probabilities are logits too, which differ by a number for each row.
        output = model.decision_function(rows)
        return output if output.ndim == 1 else output - output.mean(axis=1, keepdims=True)

    for i, size in enumerate(X.std(axis=0)):
        shift = step * size * np.eye(13)[i]
        squares[i] = ((logits(X + shift) - logits(X - shift)) ** 2).sum() / len(X)
    # Central differences are right to the square of the step and the rounding over the step.
    assert_allclose(model.feature_importances_, squares / squares.sum(), rtol=1e-6)


def test_data_frame_gives_feature_names():
    frame = load_wine(as_frame=True).data[::2]
    model = LearnedScaleClassifier(**SINGLE).fit(frame, Y)
    assert_array_equal(model.feature_names_in_, frame.columns)


# Labels


LABELS = {
    "strings": (NAMES[Y], NAMES),
    "objects": (NAMES[Y].astype(object), NAMES.astype(object)),
    "list": (NAMES[Y].tolist(), NAMES),
    "negative integers": (Y - 5, [-5, -4, -3]),
    "whole floats": (Y * 1.0, [0.0, 1.0, 2.0]),
    "bytes": (Y.astype(np.uint8), [0, 1, 2]),
    "categories": (pd.Series(pd.Categorical(NAMES[Y])), NAMES),
    "nullable integers": (pd.Series(Y, dtype="Int64"), [0, 1, 2]),
    "polars": (pl.Series(NAMES[Y]), NAMES),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_of_any_type(name, single):
    labels, classes = LABELS[name]
    model = LearnedScaleClassifier(**SINGLE).fit(X, labels)
    assert_array_equal(model.classes_, classes)
    assert_array_equal(model.predict(X), np.asarray(classes)[single.predict(X)])
    assert_array_equal(model.predict_proba(X), single.predict_proba(X))
    assert model.predict(X).dtype == model.classes_.dtype
    assert model.score(X, labels) == single.score(X, Y)


@pytest.mark.parametrize("labels", [TWO, TWO.astype(float), np.where(TWO, "yes", "no")])
def test_two_classes_of_any_type(labels, binary):
    model = LearnedScaleClassifier(**QUICK).fit(X, labels)
    assert model.predict(X).dtype == labels.dtype
    assert_array_equal(model.predict(X) == model.classes_[1], binary.predict(X))


def test_column_of_labels_is_taken_with_a_warning(single):
    with pytest.warns(Warning, match="A column-vector y was passed"):
        model = LearnedScaleClassifier(**SINGLE).fit(X, Y[:, np.newaxis])
    assert_array_equal(model.predict(X), single.predict(X))


def test_two_columns_of_labels_are_for_multi_output_classifier():
    columns = np.column_stack([Y, TWO])
    with pytest.raises(ValueError, match="one column of classes is supported"):
        LearnedScaleClassifier(**SINGLE).fit(X, columns)
    model = MultiOutputClassifier(LearnedScaleClassifier(**SINGLE)).fit(X, columns)
    assert model.predict(X).shape == (89, 2)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (np.zeros(89, int), "y holds one class only, 0, but at least two classes"),
        (X[:, 0] / 3, "Unknown label type: continuous"),
        (np.where(TWO, "a", None), "Input y contains NaN"),
        (Y[:50], r"inconsistent numbers of samples: \[89, 50\]"),
    ],
    ids=["none", "one class", "continuous", "missing", "length"],
)
def test_labels_that_cannot_be_learned_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        LearnedScaleClassifier(**SINGLE).fit(X, labels)


# Probabilities


def test_probability_is_the_mean_of_the_fold_networks(fitted, binary):
    for model, function in ((fitted, lambda z: softmax(z, axis=1)), (binary, expit)):
        outputs = network_outputs(model, X)
        assert len(outputs) == 2
        expected = np.mean([function(output / temperature(model)) for output in outputs], axis=0)
        # Logarithms of some -20 are right to some 1e-15 of themselves.
        assert_allclose(model.predict_proba(X)[:, -expected.shape[1] :], expected, rtol=1e-12)


def test_temperature_of_the_networks_is_the_root_of_that_of_all_together():
    # Unpenalized networks that are trained to the end are too sure of rows they have not seen.
    folds = list(StratifiedKFold(2, shuffle=True, random_state=0).split(X, Y))
    settings = {**QUICK, "cv": folds, "epochs": 300, "regularization_path": [0.0, 10.0]}
    # Two batches, so that each fold has two networks.
    model = LearnedScaleClassifier(**settings, batch_size=32, embedding=None).fit(X, Y)
    path = model.path_
    assert path["best_index"] == 0
    assert path["temperature"][0] > 1.1
    # Networks that predict shares of classes are not.
    assert path["temperature"][1] == pytest.approx(1.0, abs=0.1)
    outputs = network_outputs(model, X)
    held_out = np.concatenate([test for _, test in [*folds, *folds]])
    logits = np.concatenate(
        [z[test] for z, (_, test) in zip(outputs, [*folds, *folds], strict=True)]
    )

    def loss(t):
        return log_loss(Y[held_out], softmax(logits / t, axis=1))

    squared = temperature(model) ** 2
    assert loss(squared) < min(loss(0.99 * squared), loss(1.01 * squared))


def test_single_network_has_no_temperature(single):
    (logits,) = network_outputs(single, X)
    assert_allclose(single.predict_proba(X), softmax(logits, axis=1), rtol=1e-12)
    assert not hasattr(single, "path_")


def test_path_is_compared_by_calibrated_cross_entropy_of_held_out_rows():
    weight = np.random.default_rng(0).uniform(0.2, 3, len(X))
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, Y))
    settings = {**QUICK, "cv": folds, "epochs": 300, "regularization_path": [0.0]}
    model = LearnedScaleClassifier(**settings).fit(X, Y, sample_weight=weight)
    # Those that learned the folds once more came after the choice.
    outputs = network_outputs(model, X)[:3]
    chosen = model.path_["temperature"][0]
    held_out = np.concatenate([test for _, test in folds])
    logits = np.concatenate([z[test] for z, (_, test) in zip(outputs, folds, strict=True)])

    def loss(t):
        return log_loss(
            Y[held_out],
            softmax(logits / t, axis=1),
            sample_weight=weight[held_out],
            labels=[0, 1, 2],
        )

    # Inputs are rounded to float32 for training and not for prediction.
    assert model.path_["mean_loss"][0] == pytest.approx(loss(chosen), rel=1e-5)
    assert chosen > 1.0
    assert loss(chosen) < min(loss(0.9 * chosen), loss(1.1 * chosen))


@pytest.mark.parametrize("labels", [Y, TWO], ids=["three", "two"])
def test_decisions_probabilities_and_labels_agree(labels):
    model = LearnedScaleClassifier(**QUICK).fit(X, labels)
    p, decision = model.predict_proba(X), model.decision_function(X)
    assert p.shape == (89, len(np.unique(labels)))
    # Rounding of a few operations.
    assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
    assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-12)
    assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(X))
    if decision.ndim == 1:
        assert_array_equal(decision > 0, model.predict(X))
        assert_allclose(expit(decision), p[:, 1], rtol=1e-12)
    else:
        assert decision.shape == (89, 3)
        assert_array_equal(decision.argmax(axis=1), model.predict(X))
        assert_allclose(softmax(decision, axis=1), p, rtol=1e-12)


def test_logarithms_are_finite_far_from_the_data(fitted, binary):
    far = X * 1e6
    for model in (fitted, binary):
        assert np.isfinite(model.predict_log_proba(far)).all()
        assert model.predict_log_proba(far).min() < -800
        assert np.isfinite(model.decision_function(far)).all()
        assert np.isfinite(model.predict_proba(far)).all()


def test_float32_rows_give_float32_probabilities(fitted, binary):
    for model in (fitted, binary):
        for method in (model.predict_proba, model.predict_log_proba, model.decision_function):
            single_precision = method(X.astype(np.float32))
            assert single_precision.dtype == np.float32
            assert method(X).dtype == np.float64
            # float32 rounds inputs, weights and sums of some ten terms, in logits of some ten.
            assert_allclose(single_precision, method(X), rtol=1e-3, atol=1e-4)


def test_single_row_is_predicted_like_the_table(fitted):
    alone = np.concatenate([fitted.predict_proba(X[i : i + 1]) for i in range(5)])
    # Sums may be taken in another order.
    assert_allclose(alone, fitted.predict_proba(X[:5]), rtol=1e-10)


def test_null_point_predicts_the_shares_of_the_classes():
    noise = np.random.default_rng(0).normal(size=(90, 5))
    labels = np.repeat([0, 1, 2], [54, 27, 9])
    settings = {**QUICK, "epochs": 300, "regularization_path": [(0.0, 0.0), (10.0, 1.0)]}
    model = LearnedScaleClassifier(**settings).fit(noise, labels)
    assert model.path_["best_index"] == 1
    # Folds have shares of their own, and the last steps leave a small rest.
    assert_allclose(model.predict_proba(noise[:4]), [[0.6, 0.3, 0.1]] * 4, atol=0.03)
    assert_array_equal(model.feature_importances_, np.full(5, 0.2))


# Weights of classes, rows and groups


def test_balanced_classes_weigh_the_same():
    labels = np.where(np.arange(90) < 18, "rare", "common")
    # A penalty that leaves nothing of the features: what is left are the shares of the classes.
    settings = {**QUICK, "epochs": 300, "regularization_path": [10.0]}
    rows = np.random.default_rng(0).normal(size=(90, 2))
    plain = LearnedScaleClassifier(**settings).fit(rows, labels)
    balanced = LearnedScaleClassifier(**settings, class_weight="balanced").fit(rows, labels)
    # The last steps leave a small rest.
    assert_allclose(plain.predict_proba(rows)[:, 1], 0.2, atol=0.03)
    assert_allclose(balanced.predict_proba(rows)[:, 1], 0.5, atol=0.03)


@pytest.mark.parametrize("settings", [QUICK, SINGLE], ids=["path", "single"])
@pytest.mark.parametrize("labels", [Y, NAMES[Y], Y.astype(str), Y > 0], ids=str)
def test_class_weight_multiplies_sample_weight(settings, labels):
    classes = np.unique(labels).tolist()
    class_weight = dict(zip(classes, (2.0, 0.5, 1.0), strict=False))
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    model = LearnedScaleClassifier(**settings, class_weight=class_weight)
    model.fit(X, labels, sample_weight=weight)
    factors = np.array([class_weight[label] for label in labels.tolist()])
    same = LearnedScaleClassifier(**settings).fit(X, labels, sample_weight=weight * factors)
    assert_array_equal(model.predict_proba(X), same.predict_proba(X))


def test_class_weights_that_add_up_to_more_than_a_float_are_relative():
    one, other = (
        LearnedScaleClassifier(**SINGLE, class_weight={0: factor, 1: 3 * factor, 2: factor}).fit(
            X, Y
        )
        for factor in (1.0, 2.0**1021)
    )
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_balanced_weights_count_rows_by_their_weight():
    counts = np.random.default_rng(0).integers(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), counts)
    half = np.arange(len(X)) % 3 > 0
    model = LearnedScaleClassifier(**{**QUICK, "cv": [(half, ~half), (~half, half)]})
    model.set_params(class_weight="balanced").fit(X, Y, sample_weight=counts)
    splits = [(half[rows], ~half[rows]), (~half[rows], half[rows])]
    repeated = clone(model).set_params(cv=splits).fit(X[rows], Y[rows])
    # scikit-learn's own tolerance for this check.
    assert_allclose(model.predict_proba(X), repeated.predict_proba(X), rtol=1e-7)
    assert_allclose(temperature(model), temperature(repeated), rtol=1e-7)


def test_unnamed_labels_weigh_one_and_named_ones_may_be_missing():
    model = LearnedScaleClassifier(**SINGLE, class_weight={1: 3.0}).fit(X, Y)
    full = LearnedScaleClassifier(**SINGLE, class_weight={0: 1, 1: 3, 2: 1, 7: 2}).fit(X, Y)
    assert_array_equal(model.predict_proba(X), full.predict_proba(X))


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: 0.0, 1: 0.0, 2: 0.0}, "leave 0 of 89 samples a positive weight, but at least 2 must"),
        ({0: -1.0}, r"gives 0 the weight -1\.0, but finite numbers of at least zero are needed"),
        ({0: np.nan}, "gives 0 the weight nan"),
        ({0: "heavy"}, "gives 0 the weight 'heavy'"),
        ({"0": 2.0}, r"names \['0'\], which are no labels of y, and leaves out \[0, 1, 2\]"),
        ("balancd", r"Did you mean 'balanced'\?"),
        ([1.0, 2.0, 3.0], "The 'class_weight' parameter .* must be an instance of 'dict'"),
    ],
)
def test_class_weight_that_cannot_work_is_refused(class_weight, message):
    with pytest.raises(ValueError, match=message):
        LearnedScaleClassifier(**SINGLE, class_weight=class_weight).fit(X, Y)


@pytest.mark.parametrize("settings", [QUICK, SINGLE], ids=["path", "single"])
def test_row_of_weight_zero_is_no_row(settings):
    weight = np.ones(len(X))
    weight[[0, 60]] = 0
    wild = np.where(weight[:, np.newaxis] == 0, 1e9, X)
    model = LearnedScaleClassifier(**settings).fit(wild, Y, sample_weight=weight)
    without = LearnedScaleClassifier(**settings).fit(X[weight > 0], Y[weight > 0])
    assert_array_equal(model.predict_proba(X), without.predict_proba(X))


def test_class_without_weight_is_known_and_never_predicted():
    weight = np.where(Y == 1, 0.0, 1.0)
    for balance in (None, "balanced"):
        settings = {**QUICK, "class_weight": balance, "epochs": 200}
        model = LearnedScaleClassifier(**settings).fit(X, Y, sample_weight=weight)
        assert_array_equal(model.classes_, [0, 1, 2])
        assert set(model.predict(X)) == {0, 2}


def test_class_that_is_missing_in_the_training_rows_of_a_fold_works():
    labels = np.where(np.arange(89) == 40, "rare", NAMES[Y])
    held_out = np.arange(89) % 2 == 0
    model = LearnedScaleClassifier(
        **{**QUICK, "cv": [(~held_out, held_out), (held_out, ~held_out)]}
    )
    model.fit(X, labels)
    assert_array_equal(model.classes_, ["barbera", "barolo", "grignolino", "rare"])
    assert np.isfinite(model.path_["mean_loss"]).all()
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_class_of_a_single_row_works_with_folds_of_an_int():
    labels = np.where(np.arange(89) == 40, "rare", NAMES[Y])
    with pytest.warns(UserWarning, match="rows in the smallest class"):
        model = LearnedScaleClassifier(**{**QUICK, "cv": 3}).fit(X, labels)
    assert model.predict_proba(X).shape == (89, 4)


def test_folds_are_stratified():
    # Sorted labels: folds of consecutive rows would miss classes.
    labels = np.sort(np.arange(88) % 4)
    seen = []

    class Recorder(StratifiedKFold):
        def split(self, X, y=None, groups=None):
            seen.append(np.asarray(y))
            return super().split(X, y, groups)

    splitter = Recorder(2)
    LearnedScaleClassifier(**{**QUICK, "cv": splitter, "epochs": 1}).fit(X[:88], labels)
    assert_array_equal(seen[0], labels)


def test_groups_stay_together_in_the_folds():
    groups = np.where(np.arange(len(X)) % 2 == 0, "a", "b")
    by_group = LearnedScaleClassifier(**QUICK).fit(X, Y, groups=groups)
    a, b = np.flatnonzero(groups == "a"), np.flatnonzero(groups == "b")
    # With two groups there are two ways to number two folds, and a network for each number.
    expected = [
        LearnedScaleClassifier(**{**QUICK, "cv": splits}).fit(X, Y).path_["mean_loss"]
        for splits in ([(a, b), (b, a)], [(b, a), (a, b)])
    ]
    assert any(np.array_equal(by_group.path_["mean_loss"], losses) for losses in expected)


def test_early_stopping_holds_out_of_every_class():
    settings = {**SINGLE, "early_stopping": True, "validation_fraction": 0.3, "epochs": 200}
    model = LearnedScaleClassifier(**settings).fit(X, Y)
    assert list(model.history_) == ["loss", "val_loss"]
    assert model.score(X, Y) > 0.9


# Losses

# A step of next to no length: the loss of the epoch is that of the networks that predict.
STILL = {**SINGLE, "epochs": 1, "learning_rate": 1e-12, "weight_decay": 0.0}


def mean_loss(loss, labels, outputs):
    """Average what Keras gives for each row, of one-hot classes or of a column of two."""
    targets = np.eye(3)[labels] if labels is Y else labels[:, np.newaxis].astype(float)
    return float(np.mean(loss(targets, outputs)))


PROBABILITY_LOSSES = [
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "huber",
    "mean_squared_error",
    "mean_absolute_error",
    "poisson",
]


# Of two classes those that are meant for them, and one of each other kind.
@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        *((loss, Y) for loss in PROBABILITY_LOSSES),
        *((loss, TWO) for loss in ("binary_crossentropy", "hinge", "huber", "poisson")),
    ],
)
def test_named_loss_is_given_probabilities(loss, labels):
    still = LearnedScaleClassifier(**STILL, loss=loss).fit(X, labels)
    p = still.predict_proba(X)
    expected = mean_loss(keras.losses.get(loss), labels, p if labels is Y else p[:, 1:])
    # Keras computes some losses in float32.
    assert still.history_["loss"][0] == pytest.approx(expected, rel=1e-5)
    model = LearnedScaleClassifier(**{**SINGLE, "epochs": 300, "loss": loss}).fit(X, labels)
    assert model.score(X, labels) > 0.9


@pytest.mark.parametrize(
    "loss",
    ["categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence"],
)
def test_loss_of_several_classes_is_for_three(loss):
    model = LearnedScaleClassifier(**{**SINGLE, "epochs": 300, "loss": loss}).fit(X, Y)
    assert model.score(X, Y) > 0.9
    with pytest.raises(ValueError, match="Use loss='binary_crossentropy' or 'auto'"):
        model.fit(X, TWO)


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (keras.losses.CategoricalCrossentropy(from_logits=True), Y),
        (keras.losses.CategoricalFocalCrossentropy(from_logits=True), Y),
        (keras.losses.BinaryCrossentropy(from_logits=True), TWO),
        (keras.losses.BinaryFocalCrossentropy(from_logits=True), TWO),
    ],
)
def test_loss_from_logits_is_given_logits(loss, labels):
    still = LearnedScaleClassifier(**STILL, loss=loss).fit(X, labels)
    logits = still.decision_function(X).reshape(len(X), -1)
    # Keras computes some losses in float32.
    assert still.history_["loss"][0] == pytest.approx(mean_loss(loss, labels, logits), rel=1e-5)
    model = LearnedScaleClassifier(**{**SINGLE, "epochs": 300, "loss": loss}).fit(X, labels)
    assert model.score(X, labels) > 0.9


@pytest.mark.parametrize("labels", [Y, TWO], ids=["three", "two"])
def test_default_is_the_cross_entropy_of_logits(labels):
    name = "Categorical" if labels is Y else "Binary"
    loss = getattr(keras.losses, f"{name}Crossentropy")(from_logits=True)
    named = LearnedScaleClassifier(**QUICK, loss=loss).fit(X, labels)
    default = LearnedScaleClassifier(**QUICK).fit(X, labels)
    assert_array_equal(named.predict_proba(X), default.predict_proba(X))


@pytest.mark.parametrize("from_logits", [True, False])
def test_cross_entropies_of_logits_and_of_probabilities_train_the_same(from_logits):
    loss = keras.losses.CategoricalCrossentropy(from_logits=from_logits)
    model = LearnedScaleClassifier(**QUICK, loss=loss).fit(X, Y)
    default = LearnedScaleClassifier(**QUICK).fit(X, Y)
    # Keras computes both from logits in a compiled program, in a somewhat different order.
    assert_allclose(model.predict_proba(X), default.predict_proba(X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("sparse_categorical_crossentropy", "takes class numbers, but classes are one-hot here"),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), "takes class numbers"),
        (keras.losses.BinaryCrossentropy(from_logits=True), "of 3 separate questions, but classes"),
        ("circle", "Use a loss that sees one row at a time"),
        ("categorical_crossentopy", r"Did you mean 'categorical_crossentropy'\?"),
    ],
)
def test_loss_that_cannot_teach_three_classes_is_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        LearnedScaleClassifier(**SINGLE, loss=loss).fit(X, Y)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "cosine_similarity"])
def test_loss_that_cannot_teach_two_classes_is_refused(loss):
    with pytest.raises(ValueError, match="Use loss='binary_crossentropy' or 'auto'"):
        LearnedScaleClassifier(**SINGLE, loss=loss).fit(X, TWO)


# Going on


def test_warm_start_goes_on_and_calibrates_anew():
    settings = {**QUICK, "epochs": 150, "regularization_path": [0.0], "warm_start": True}
    model = LearnedScaleClassifier(**settings).fit(X, NAMES[Y])
    first = temperature(model)
    model.fit(X, NAMES[Y])
    assert model.n_iter_ == 300
    assert temperature(model) != first
    assert model.score(X, NAMES[Y]) > 0.9


def test_warm_start_without_another_epoch_has_the_same_temperature():
    # Steps of next to no length leave the networks, and so their temperature, as they were.
    settings = {**QUICK, "epochs": 300, "regularization_path": [0.0], "warm_start": True}
    model = LearnedScaleClassifier(**settings).fit(X, Y)
    first, before = temperature(model), model.predict_proba(X)
    assert first > 1.0
    model.set_params(learning_rate=1e-12, epochs=1).fit(X, Y)
    # Inputs are rounded to float32 for training and not for prediction.
    assert temperature(model) == pytest.approx(first, rel=1e-5)
    assert_allclose(model.predict_proba(X), before, rtol=1e-4, atol=1e-8)


def test_warm_start_needs_the_same_classes():
    model = LearnedScaleClassifier(**SINGLE, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"of the classes \[0, 1, 2\], but y holds \[1, 2, 3\]"):
        model.fit(X, Y + 1)


@pytest.mark.parametrize("regularizer", ["auto", None])
def test_partial_fit_learns_chunk_after_chunk(regularizer):
    settings = {**QUICK, "scale_regularizer": regularizer, "batch_size": 8}
    model = LearnedScaleClassifier(**settings)
    order = np.random.default_rng(0).permutation(89)
    for _ in range(20):
        for chunk in np.array_split(order, 3):
            assert model.partial_fit(X[chunk], NAMES[Y[chunk]], classes=NAMES) is model
    assert model.n_iter_ == 60
    assert_array_equal(model.classes_, NAMES)
    assert model.score(X, NAMES[Y]) > 0.9
    assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_chunks_need_not_hold_every_class():
    model = LearnedScaleClassifier(**{**SINGLE, "batch_size": 16})
    for rows in (np.flatnonzero(code == Y) for code in (0, 1, 2)):
        model.partial_fit(X[rows], Y[rows], classes=[0, 1, 2])
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (89, 3)


def test_partial_fit_goes_on_after_fit_at_the_same_temperature():
    settings = {**QUICK, "epochs": 300, "regularization_path": [0.0]}
    model = LearnedScaleClassifier(**settings).fit(X, Y)
    of_the_fit = temperature(model)
    assert of_the_fit > 1.0
    model.partial_fit(X[:20], Y[:20], sample_weight=np.ones(20))
    assert temperature(model) == of_the_fit
    # One for each of two folds.
    assert len(network_weights(model)) == 2


def test_class_weight_of_a_dict_weights_chunks():
    weighted = LearnedScaleClassifier(**SINGLE, class_weight={1: 3.0})
    weighted.partial_fit(X, Y, classes=[0, 1, 2])
    same = LearnedScaleClassifier(**SINGLE)
    same.partial_fit(X, Y, classes=[0, 1, 2], sample_weight=np.where(Y == 1, 3.0, 1.0))
    assert_array_equal(weighted.predict_proba(X), same.predict_proba(X))


@pytest.mark.parametrize("after_fit", [False, True])
def test_balanced_chunks_count_all_rows_so_far(after_fit):
    balanced = LearnedScaleClassifier(**SINGLE, class_weight="balanced")
    same = LearnedScaleClassifier(**SINGLE)
    counts = np.zeros(3)
    for chunk in (np.arange(0, 89, 2), np.arange(30, 60)):
        counts += np.bincount(Y[chunk], minlength=3)
        weight = counts.sum() / (3 * counts[Y[chunk]])
        if after_fit and counts.sum() == len(chunk):
            balanced.fit(X[chunk], Y[chunk])
            same.fit(X[chunk], Y[chunk], sample_weight=weight)
        else:
            balanced.partial_fit(X[chunk], Y[chunk], classes=[0, 1, 2])
            same.partial_fit(X[chunk], Y[chunk], classes=[0, 1, 2], sample_weight=weight)
    # Weights are relative: the last digits of float32 training may differ.
    assert_allclose(balanced.predict_proba(X), same.predict_proba(X), rtol=1e-4, atol=1e-7)


def test_partial_fit_refuses_what_it_cannot_know():
    model = LearnedScaleClassifier(**SINGLE)
    with pytest.raises(ValueError, match="classes=None in the first call of partial_fit"):
        model.partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"y has the labels 2, but one column of the classes 0, 1"):
        model.partial_fit(X, Y, classes=[0, 1])
    model.partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes=\[0, 1\] differ from those of the first call"):
        model.partial_fit(X, Y, classes=[0, 1])


# As a scikit-learn user expects


def test_grid_search_takes_names_instances_and_scorers():
    grid = {
        "normalization": ["standard", MinMaxScaler()],
        "class_weight": [None, "balanced"],
        "loss": ["auto", keras.losses.CategoricalHinge()],
    }
    search = GridSearchCV(
        LearnedScaleClassifier(**SINGLE),
        grid,
        cv=2,
        scoring=["accuracy", "neg_log_loss", "roc_auc_ovr"],
        refit="accuracy",
        error_score="raise",
    )
    results = search.fit(X, NAMES[Y]).cv_results_
    for scorer in ("accuracy", "neg_log_loss", "roc_auc_ovr"):
        assert np.isfinite(results[f"mean_test_{scorer}"]).all()
    assert search.predict(X[:1])[0] in NAMES


def test_it_can_be_calibrated_further():
    model = CalibratedClassifierCV(LearnedScaleClassifier(**SINGLE), cv=2).fit(X, Y)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_unfitted_estimator_says_so():
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError, match="LearnedScaleClassifier instance is not fitted"):
            getattr(LearnedScaleClassifier(), method)(X)


@pytest.mark.slow
def test_default_is_accurate_and_calibrated_among_noise_columns():
    rows, labels = make_classification(
        500, n_features=50, n_informative=6, n_redundant=0, random_state=2
    )
    model = LearnedScaleClassifier(random_state=0).fit(rows[:300], labels[:300])
    # On this split StandardScaler with LogisticRegression scores .745, with MLPClassifier .725 and
    # with SVC .765.
    assert model.score(rows[300:], labels[300:]) > 0.85
    assert log_loss(labels[300:], model.predict_proba(rows[300:])) < 0.35


@pytest.mark.slow
def test_default_is_accurate_on_iris():
    rows, labels = load_iris(return_X_y=True)
    assert cross_val_score(LearnedScaleClassifier(random_state=0), rows, labels).mean() > 0.93
