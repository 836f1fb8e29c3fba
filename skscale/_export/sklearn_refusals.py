"""What of a network scikit-learn's multi-layer perceptrons have no counterpart of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from skscale._network.dense_spec import DenseSpec
from skscale._network.spec import NetworkSpec

ACTIVATIONS = {"linear": "identity", "relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}
"""Keras' names of hidden activations, and scikit-learn's."""

PICKLE = "a pickle of this estimator, which needs skscale but not TensorFlow"
"""What serves every network that NumPy can run."""


class _Refusal(NamedTuple):
    """When a network is refused, for what, and what to fit with instead."""

    applies: Callable[[DenseSpec], bool]
    what: Callable[[DenseSpec], str]
    instead: str


_OF_ALL = (
    _Refusal(
        lambda spec: bool(spec.embedding),
        lambda _: "the periodic embedding",
        "embedding=None",
    ),
    _Refusal(
        lambda spec: bool(spec.hidden_layer_sizes) and spec.hidden_layer != "dense",
        lambda spec: f"hidden_layer={spec.hidden_layer!r}",
        "hidden_layer='dense'",
    ),
    _Refusal(
        lambda spec: bool(spec.hidden_layer_sizes) and spec.activation not in ACTIVATIONS,
        lambda spec: f"activation={spec.activation!r}",
        f"activation={' or '.join(map(repr, sorted(ACTIVATIONS)))}",
    ),
)
_OF_REGRESSORS = (
    *_OF_ALL,
    _Refusal(
        lambda spec: spec.output_activation != "linear",
        lambda spec: f"output_activation={spec.output_activation!r}",
        "output_activation='linear'",
    ),
)
_CLIPPED_LOGITS = _Refusal(
    lambda _: True,
    lambda spec: f"a temperature behind the {spec.output_activation} that the loss asks for",
    "loss='auto'",
)


def expressible_regressor(spec: NetworkSpec) -> DenseSpec:
    """Return the spec of networks that an MLPRegressor can be, or refuse them.

    Parameters
    ----------
    spec : NetworkSpec
        The networks.

    Returns
    -------
    spec : DenseSpec
        The same.

    Raises
    ------
    ValueError
        If scikit-learn has no counterpart of them.
    """
    return _checked(spec, _OF_REGRESSORS)


def expressible_classifier(spec: NetworkSpec, *, has_clipped_logits: bool) -> DenseSpec:
    """Return the spec of networks that an MLPClassifier can be, or refuse them.

    Parameters
    ----------
    spec : NetworkSpec
        The networks.
    has_clipped_logits : bool
        Whether a temperature divides logits that are read from rounded probabilities: these end
        where probabilities fall below rounding.

    Returns
    -------
    spec : DenseSpec
        The same.

    Raises
    ------
    ValueError
        If scikit-learn has no counterpart of them.
    """
    return _checked(spec, (*_OF_ALL, _CLIPPED_LOGITS) if has_clipped_logits else _OF_ALL)


def _checked(spec: NetworkSpec, refusals: Sequence[_Refusal]) -> DenseSpec:
    if not isinstance(spec, DenseSpec):
        raise ValueError(
            "to_sklearn cannot give layers that only Keras runs. Fit with hidden_layer='dense', "
            "network=None, embedding=None and activations by name, or use to_keras()."
        )
    found = [refusal for refusal in refusals if refusal.applies(spec)]
    if found:
        what = " and ".join(refusal.what(spec) for refusal in found)
        instead = ", ".join(refusal.instead for refusal in found)
        raise ValueError(
            f"to_sklearn cannot give {what}, of which the perceptrons of scikit-learn have no "
            f"counterpart. Fit with {instead}, or use to_keras() or {PICKLE}."
        )
    return spec
