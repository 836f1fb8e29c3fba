"""A fitted estimator as scikit-learn's own: a scaler, or a scaler and multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, StandardScaler
from sklearn.utils import Bunch

from skscale._errors import listed
from skscale._export.perceptron_layers import Layer, perceptron_layers, side_by_side
from skscale._export.sklearn_refusals import (
    ACTIVATIONS,
    PICKLE,
    expressible_classifier,
    expressible_regressor,
)
from skscale._inference.ensemble import Ensemble
from skscale._network.dense_spec import DenseSpec
from skscale._normalization.affine import AffineMap
from skscale._normalization.running_moments import Moments
from skscale._normalization.scalers import reciprocal

# What the rounding of a mean may move scaled features by, in standard deviations.
_TOLERANCE = 1e-10


def transform_scaler(
    affine: AffineMap,
    standard: AffineMap,
    *,
    moments: Moments | None,
    feature_names: np.ndarray | None,
) -> StandardScaler:
    """Export a scale.

    Parameters
    ----------
    affine : AffineMap
        The transform.
    standard : AffineMap
        Standardization of the features.
    moments : Moments or None
        Statistics of the rows, where the transform is their plain standardization.
    feature_names : ndarray of str or None
        Names of the features.

    Returns
    -------
    scaler : StandardScaler
        From features in raw units to scaled ones, and back.

    Raises
    ------
    ValueError
        If a factor is zero, or a mean cannot hold what is added to a feature.
    """
    dropped = np.flatnonzero(affine.scale == 0)
    if len(dropped):
        raise ValueError(
            f"to_sklearn cannot give the factor zero of features {listed(dropped)}, counted from "
            "0, as StandardScaler divides. Fit with readout='sensitivity', leave these features "
            f"out, or use to_keras() or {PICKLE}."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        mean = affine.center - affine.shift / affine.scale
        moved = (affine.center - mean) * affine.scale - affine.shift
        spread = np.abs(affine.scale / standard.scale)
        is_exact = (np.abs(moved) <= _TOLERANCE * spread) | affine.unknown
    lost = np.flatnonzero(~is_exact)
    if len(lost):
        raise ValueError(
            f"to_sklearn cannot give the offset of features {listed(lost)}, counted from 0: they "
            "lie so far from zero that mean_ has no digits left for it. Fit with center=False, "
            f"subtract their mean before, or use to_keras('float64') or {PICKLE}."
        )
    scaler = _scaler(mean, affine.scale, feature_names)
    if moments is not None:
        # From here StandardScaler can go on; of a learned scale more rows would leave nothing.
        scaler.var_ = np.where(moments.is_empty, np.nan, moments.variance_in_units)
        seen = moments.total_weight
        # One number where no feature has gaps, as there.
        scaler.n_samples_seen_ = seen[0] if (seen == seen[0]).all() else seen.copy()
    return scaler


def regressor_pipeline(
    ensemble: Ensemble, target_map: AffineMap, *, n_iter: int, feature_names: np.ndarray | None
) -> Pipeline:
    """Export networks that predict quantities, side by side in one perceptron.

    Parameters
    ----------
    ensemble : Ensemble
        The networks.
    target_map : AffineMap
        Normalization of their targets.
    n_iter : int
        Epochs that they were trained for.
    feature_names : ndarray of str or None
        Names of the features.

    Returns
    -------
    pipeline : Pipeline
        StandardScaler and MLPRegressor, from features to targets in raw units.

    Raises
    ------
    ValueError
        If scikit-learn has no counterpart of the networks.
    """
    spec = expressible_regressor(ensemble.spec)
    layers = side_by_side(
        [perceptron_layers(ensemble, spec, weights) for weights in ensemble.members]
    )
    kernel, bias = layers[-1]
    # The inverse of a factor of zero is the centre.
    divisor = np.where(target_map.scale == 0, np.inf, target_map.scale)
    layers[-1] = Layer(kernel / divisor, target_map.inverse(bias))
    model = _perceptron(MLPRegressor, spec, layers, "identity", n_iter)
    return make_pipeline(_normalization(ensemble, feature_names), model)


def classifier_pipeline(
    ensemble: Ensemble,
    classes: np.ndarray,
    *,
    from_logits: bool,
    temperature: float,
    n_iter: int,
    feature_names: np.ndarray | None,
) -> Pipeline:
    """Export networks that predict classes: a mean of probabilities is a soft vote.

    Parameters
    ----------
    ensemble : Ensemble
        The networks.
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    from_logits : bool
        Whether the outputs are logits, or probabilities after a sigmoid or softmax.
    temperature : float
        What logits are divided by.
    n_iter : int
        Epochs that the networks were trained for.
    feature_names : ndarray of str or None
        Names of the features.

    Returns
    -------
    pipeline : Pipeline
        StandardScaler and MLPClassifier, or a VotingClassifier of several.

    Raises
    ------
    ValueError
        If scikit-learn has no counterpart of the networks.
    """
    is_softened = temperature != 1
    spec = expressible_classifier(ensemble.spec, has_clipped_logits=is_softened and not from_logits)
    is_one = len(ensemble.members) == 1
    # Voters are trained on the numbers of the classes.
    labels = classes if is_one else np.arange(len(classes))
    models = []
    for weights in ensemble.members:
        layers = perceptron_layers(ensemble, spec, weights)
        layers[-1] = Layer(layers[-1].kernel / temperature, layers[-1].bias / temperature)
        out_activation = "logistic" if spec.n_outputs == 1 else "softmax"
        model = _perceptron(MLPClassifier, spec, layers, out_activation, n_iter)
        model._label_binarizer = LabelBinarizer().fit(labels)
        model.classes_ = model._label_binarizer.classes_
        models.append(model)
    model = models[0] if is_one else _soft_vote(models, classes)
    return make_pipeline(_normalization(ensemble, feature_names), model)


def _scaler(
    mean: np.ndarray, scale: np.ndarray, feature_names: np.ndarray | None
) -> StandardScaler:
    """Return the fitted scaler of a factor for each feature, which it divides by the inverse of."""
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = mean, reciprocal(scale)
    with np.errstate(over="ignore"):
        scaler.var_ = np.square(scaler.scale_)
    scaler.n_features_in_ = len(mean)
    if feature_names is not None:
        scaler.feature_names_in_ = feature_names.copy()
    return scaler


def _normalization(ensemble: Ensemble, feature_names: np.ndarray | None) -> StandardScaler:
    """Return the normalization without its shift and zeros, which the first layer has."""
    center, scale = ensemble.input_map.center, ensemble.input_map.scale
    return _scaler(center.copy(), np.where(scale == 0, 1.0, scale), feature_names)


def _perceptron(
    kind: type[MLPRegressor] | type[MLPClassifier],
    spec: DenseSpec,
    layers: Sequence[Layer],
    out_activation: str,
    n_iter: int,
) -> MLPRegressor | MLPClassifier:
    """Return a fitted perceptron, with what its predictions read."""
    widths = tuple(layer.kernel.shape[1] for layer in layers)
    # Without hidden layers the activation is of no use, and may have any name.
    activation = ACTIVATIONS.get(spec.activation, "identity")
    model = kind(hidden_layer_sizes=widths[:-1], activation=activation)
    model.coefs_ = [layer.kernel for layer in layers]
    model.intercepts_ = [layer.bias for layer in layers]
    model.n_features_in_, model.n_outputs_ = len(layers[0].kernel), widths[-1]
    model.n_layers_, model.out_activation_, model.n_iter_ = len(layers) + 1, out_activation, n_iter
    return model


def _soft_vote(models: Sequence[MLPClassifier], classes: np.ndarray) -> object:
    """Return the fitted mean of probabilities."""
    # It takes 80 ms to import, all else here 10.
    from sklearn.ensemble import VotingClassifier

    names = [f"network_{i}" for i in range(len(models))]
    unfitted = [(name, clone(model)) for name, model in zip(names, models, strict=True)]
    vote = VotingClassifier(unfitted, voting="soft")
    vote.estimators_ = list(models)
    vote.named_estimators_ = Bunch(**dict(zip(names, models, strict=True)))
    vote.le_ = LabelEncoder().fit(classes)
    vote.classes_ = vote.le_.classes_
    return vote
