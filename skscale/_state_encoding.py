"""Fitted objects of ours as dicts, arrays and JSON, which is how a saved estimator holds them.

An object becomes ``{"skscale_type": name, field: value, ...}``, with a name of `TYPES` and the
fields of its class; lists and tuples stay what they are. Neither the name of a class nor its module
is in a file, so that both may change. A field with a default may be added: files without it get the
default. Any other change of a name or a field is another `skscale._state_version.STATE_FORMAT`.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from skscale._fitting.state import OptimizerState, PartialFitState, WarmStartState
from skscale._inference.ensemble import Ensemble
from skscale._network.custom_spec import CustomLayers, CustomSpec
from skscale._network.dense_spec import DenseSpec
from skscale._network.parameter import Parameter
from skscale._network.periodic_spec import PeriodicSpec
from skscale._normalization.affine import AffineMap
from skscale._normalization.running_moments import Moments
from skscale._selection.folds import Fold
from skscale._target.target import TargetEncoding
from skscale._training.path_points import PathPoint

TYPES: dict[str, type[Any]] = {
    "affine_map": AffineMap,
    "custom_layers": CustomLayers,
    "custom_network": CustomSpec,
    "dense_network": DenseSpec,
    "ensemble": Ensemble,
    "fold": Fold,
    "moments": Moments,
    "optimizer_state": OptimizerState,
    "partial_fit_state": PartialFitState,
    "path_point": PathPoint,
    "periodic_embedding": PeriodicSpec,
    "target_encoding": TargetEncoding,
    "warm_start_state": WarmStartState,
    "weight": Parameter,
}
"""Dataclasses and named tuples that a fitted estimator holds, by their name in a file."""

_NAMES = {cls: name for name, cls in TYPES.items()}
_TYPE = "skscale_type"


def encode(value: Any) -> Any:
    """Turn objects of ours into dicts, at any depth of dicts, lists and tuples.

    Parameters
    ----------
    value : object
        What a fitted estimator holds.

    Returns
    -------
    encoded : object
        Dicts, lists, tuples, arrays and JSON-able values; arrays are not copied.

    Examples
    --------
    >>> from skscale._selection.folds import Fold
    >>> from skscale._state_encoding import encode
    >>> encode([Fold(train=[0, 1], held_out=[2])])
    [{'skscale_type': 'fold', 'train': [0, 1], 'held_out': [2]}]
    """
    name = _NAMES.get(type(value))
    if name is not None:
        return {_TYPE: name, **{key: encode(getattr(value, key)) for key in _field_types(name)}}
    if type(value) is dict:
        return {key: encode(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(encode(item) for item in value)
    return value


def decode(value: Any, where: str) -> Any:
    """Turn what `encode` gives back into objects, and check that each is whole.

    Parameters
    ----------
    value : object
        Encoded value.
    where : str
        What it is, for error messages.

    Returns
    -------
    decoded : object
        What was encoded.

    Raises
    ------
    ValueError
        If a name is unknown, or a field is missing, unknown, or of another type.
    """
    if type(value) in (list, tuple):
        return type(value)(decode(item, f"{where}[{i}]") for i, item in enumerate(value))
    if type(value) is not dict:
        return value
    items = {key: decode(item, f"{where}.{key}") for key, item in value.items() if key != _TYPE}
    if _TYPE not in value:
        return items
    if value[_TYPE] not in TYPES:
        raise ValueError(f"{where} is of the unknown type {value[_TYPE]!r}.")
    for key, item in items.items():
        check_type(item, _field_types(value[_TYPE]).get(key), f"{where}.{key}")
    try:
        decoded = TYPES[value[_TYPE]](**items)
    except TypeError as error:
        raise ValueError(f"{where} is incomplete: {error}.") from error
    if isinstance(decoded, CustomLayers):
        _check_config(decoded, where)
    if isinstance(decoded, Ensemble | PartialFitState):
        _check_weights(decoded, where)
    return decoded


@functools.cache
def _field_types(name: str) -> Mapping[str, Any]:
    cls = TYPES[name]
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)] if is_dataclass(cls) else cls._fields
    return {key: hints[key] for key in names}


def _check_config(value: CustomLayers, where: str) -> None:
    """Refuse a config that no JSON holds."""
    try:
        value.key()
    except TypeError as error:
        raise ValueError(f"{where}.config is no JSON: {error}.") from error


def _check_weights(value: Ensemble | PartialFitState, where: str) -> None:
    """Refuse weights that are not those of the network."""
    ensemble = value if isinstance(value, Ensemble) else value.ensemble
    n_features = ensemble.input_map.n_features
    shapes = [tuple(parameter.shape) for parameter in ensemble.spec.arrays]
    for number, weights in enumerate(value.members):
        are_numbers = all(array.dtype.kind in "fiub" for array in weights)
        if not are_numbers or [array.shape for array in weights] != shapes:
            raise ValueError(f"{where}.members[{number}] has not the arrays of its network.")
        # Of the points of a path, some may have failed, which predict nothing.
        if value is ensemble and not all(np.isfinite(array).all() for array in weights):
            raise ValueError(f"{where}.members[{number}] holds numbers that are not finite.")
    active = ensemble.active
    is_known = active.dtype.kind == "i" and np.isin(active, np.arange(n_features)).all()
    # Rows without any information have one column of zeros.
    if not is_known or max(1, len(active)) != ensemble.spec.n_features or not value.members:
        raise ValueError(f"{where} has other features, or no networks.")
    if ensemble.standard.n_features != n_features:
        raise ValueError(f"{where}.standard has other features.")


# What may stand where a type is asked for.
_ABSTRACT: dict[Any, Any] = {int: Integral, float: Real, bool: (bool, np.bool_)}


def check_type(value: Any, hint: Any, where: str) -> None:
    """Refuse a value that is not of an annotated type.

    Parameters
    ----------
    value : object
        The value.
    hint : object
        A class, a union, or a generic of the collections that our classes have; None allows
        nothing.
    where : str
        What it is, for error messages.

    Raises
    ------
    ValueError
        If it is of another type.
    """
    if not _has_type(value, hint):
        found = type(value).__name__
        what = "unknown" if hint is None else f"of type {found}, which it cannot be"
        raise ValueError(f"{where} is {what}.")


def _has_type(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_has_type(value, choice) for choice in arguments)
    if origin in (tuple, list, Sequence):
        # A list may have been a tuple: JSON knows no difference.
        is_sequence = isinstance(value, list | tuple)
        return is_sequence and all(_has_type(item, arguments[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(isinstance(key, str) for key in value)
    cls = origin or hint
    return isinstance(cls, type) and isinstance(value, _ABSTRACT.get(cls, cls))
