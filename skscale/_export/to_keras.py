"""A fitted model as one Keras model on raw units."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from skscale._errors import listed
from skscale._export.keras_forms import Apply, apply_of, check_keras_alone
from skscale._export.precision import check_features, check_units
from skscale._inference.ensemble import Ensemble
from skscale._network.keras_model import explicit_seeds, network_layers
from skscale._normalization.affine import AffineMap

if TYPE_CHECKING:
    import keras

_Head = Callable[[Any, str], Any]
"""From the outputs of a network and the end of its layers' names to what is averaged."""


def regressor_model(
    ensemble: Ensemble, target_map: AffineMap, *, dtype: str, layers: str, name: str
) -> keras.Model:
    """Export networks that predict quantities.

    Parameters
    ----------
    ensemble : Ensemble
        The networks.
    target_map : AffineMap
        Normalization of their targets.
    dtype : {"float32", "float64"}
        Precision.
    layers : {"skscale", "keras"}
        Whether the layers are ours, or Keras' own alone.
    name : str
        Name of the model.

    Returns
    -------
    model : keras.Model
        From features in raw units, (n_samples, n_features), to targets in raw units,
        (n_samples, n_outputs).

    Raises
    ------
    InvalidParameterError
        If `dtype` is neither "float32" nor "float64", or `layers` neither "skscale" nor "keras".
    ValueError
        If float32 cannot hold the units of a feature or target, or if Keras has no layers for the
        networks.

    Warns
    -----
    UserWarning
        If float32 loses digits that matter.
    """
    check_features(dtype, ensemble.input_map, ensemble.standard, ensemble.active)
    check_units(dtype, target_map, "targets")

    apply = apply_of(layers)

    def denormalized(outputs: Any) -> Any:
        return _affine(apply, target_map, outputs, "denormalization", dtype, invert=True)

    return _model(ensemble, dtype=dtype, layers=layers, name=name, tail=denormalized)


def classifier_model(
    ensemble: Ensemble,
    *,
    from_logits: bool,
    temperature: float,
    dtype: str,
    layers: str,
    name: str,
) -> keras.Model:
    """Export networks that predict classes.

    Parameters
    ----------
    ensemble : Ensemble
        The networks.
    from_logits : bool
        Whether their outputs are logits, or probabilities after a sigmoid or softmax.
    temperature : float
        What logits are divided by.
    dtype : {"float32", "float64"}
        Precision.
    layers : {"skscale", "keras"}
        Whether the layers are ours, or Keras' own alone.
    name : str
        Name of the model.

    Returns
    -------
    model : keras.Model
        From features in raw units, (n_samples, n_features), to probabilities,
        (n_samples, n_classes).

    Raises
    ------
    InvalidParameterError
        If `dtype` is neither "float32" nor "float64", or `layers` neither "skscale" nor "keras".
    ValueError
        If float32 cannot hold the units of a feature, or if Keras has no layers for the networks.

    Warns
    -----
    UserWarning
        If float32 loses digits that matter.
    """
    check_features(dtype, ensemble.input_map, ensemble.standard, ensemble.active)
    import keras

    apply = apply_of(layers)

    def scaled(logits: Any, factor: float, name: str) -> Any:
        # Not `Rescaling`, which rounds its factor to float32.
        zeros = np.zeros(logits.shape[-1])
        return _affine(apply, AffineMap(zeros, zeros + factor, zeros), logits, name, dtype)

    def probabilities(logits: Any, suffix: str) -> Any:
        activation = "softmax"
        if logits.shape[-1] == 1:
            # The logits of two classes are opposite, and a sigmoid is exact for each.
            both = [
                scaled(logits, -1 / temperature, f"logit_0{suffix}"),
                scaled(logits, 1 / temperature, f"logit_1{suffix}"),
            ]
            logits = keras.layers.Concatenate(name=f"logits{suffix}", dtype=dtype)(both)
            activation = "sigmoid"
        else:
            logits = scaled(logits, 1 / temperature, f"logits{suffix}")
        last = keras.layers.Activation(activation, name=f"probabilities{suffix}", dtype=dtype)
        return last(logits)

    return _model(
        ensemble,
        dtype=dtype,
        layers=layers,
        name=name,
        head=probabilities,
        linear_output=not from_logits,
    )


def network_model(ensemble: Ensemble, *, dtype: str, layers: str, name: str) -> keras.Model:
    """Export networks with the mean of their outputs as it is.

    Parameters, errors and warnings are those of `classifier_model`.
    """
    check_features(dtype, ensemble.input_map, ensemble.standard, ensemble.active)
    return _model(ensemble, dtype=dtype, layers=layers, name=name)


def transform_model(
    affine: AffineMap,
    standard: AffineMap,
    active: np.ndarray,
    *,
    dtype: str,
    layers: str,
    name: str,
) -> keras.Model:
    """Export a scale.

    Parameters
    ----------
    affine : AffineMap
        The transform.
    standard : AffineMap
        Standardization of the features.
    active : ndarray of int
        Features that vary.
    dtype : {"float32", "float64"}
        Precision.
    layers : {"skscale", "keras"}
        Whether the layers are ours, or Keras' own alone.
    name : str
        Name of the model.

    Returns
    -------
    model : keras.Model
        From features in raw units, (n_samples, n_features), to as many scaled ones.

    Raises
    ------
    InvalidParameterError
        If `dtype` is neither "float32" nor "float64", or `layers` neither "skscale" nor "keras".
    ValueError
        If float32 cannot hold the units of a feature, a feature had no value, or Keras has no
        layers for the networks.

    Warns
    -----
    UserWarning
        If float32 loses digits that matter.
    """
    check_features(dtype, affine, standard, active)
    empty = np.flatnonzero(affine.unknown)
    if len(empty):
        raise ValueError(
            f"to_keras cannot give features {listed(empty)}, counted from 0, which held nothing "
            "but NaN, and so become NaN. Leave them out."
        )
    import keras

    inputs = keras.Input((affine.n_features,), name="features", dtype=dtype)
    outputs = _affine(apply_of(layers), affine, inputs, "scaling", dtype)
    return _finished(keras.Model(inputs, outputs, name=name), layers)


def _model(
    ensemble: Ensemble,
    *,
    dtype: str,
    layers: str,
    name: str,
    head: _Head = lambda outputs, _: outputs,
    tail: Callable[[Any], Any] = lambda outputs: outputs,
    linear_output: bool = False,
) -> keras.Model:
    """Build normalization, networks with a head each, their average, and a tail."""
    import keras

    inputs = keras.Input((ensemble.input_map.n_features,), name="features", dtype=dtype)
    apply, outputs = apply_of(layers), []
    normalized = _normalized(inputs, ensemble, dtype, apply)
    with explicit_seeds(ensemble.spec) as seeds:
        for i, weights in enumerate(ensemble.members):
            suffix = f"_member_{i}" if len(ensemble.members) > 1 else ""
            stack = network_layers(ensemble.spec, weights, dtype=dtype, suffix=suffix, seeds=seeds)
            if linear_output:
                # Behind it the head starts from logits, which a sigmoid or softmax has rounded.
                stack[-1].activation = keras.activations.linear
            hidden = normalized
            for layer in stack:
                hidden = apply(layer, hidden)
            outputs.append(head(hidden, suffix))
    is_one = len(outputs) == 1
    mean = outputs[0] if is_one else keras.layers.Average(name="average", dtype=dtype)(outputs)
    return _finished(keras.Model(inputs, tail(mean), name=name), layers)


def _finished(model: keras.Model, layers: str) -> keras.Model:
    """Check a model, and call it once: Keras exports to ONNX only what has been called."""
    if layers == "keras":
        check_keras_alone(model)
    model(np.zeros((1, *model.input_shape[1:]), model.inputs[0].dtype))
    return model


def _normalized(inputs: Any, ensemble: Ensemble, dtype: str, apply: Apply) -> Any:
    """Select and normalize the features that enter the networks, as in a fit."""
    from skscale.layers import SelectFeatures

    active, affine = ensemble.network_inputs()
    if len(ensemble.active) < ensemble.input_map.n_features:
        inputs = apply(SelectFeatures(active.tolist(), name="selection", dtype=dtype), inputs)
    return _affine(apply, affine, inputs, "normalization", dtype)


def _affine(
    apply: Apply, affine: AffineMap, inputs: Any, name: str, dtype: str, *, invert: bool = False
) -> Any:
    """Apply a map as a layer; the identity needs none."""
    from skscale.layers import AffineNormalization

    is_shifted = affine.shift.any()
    if not (affine.center.any() or is_shifted) and (affine.scale == 1.0).all():
        return inputs
    layer = AffineNormalization(
        affine.center,
        affine.scale,
        affine.shift if is_shifted else None,
        invert=invert,
        name=name,
        dtype=dtype,
    )
    return apply(layer, inputs)
