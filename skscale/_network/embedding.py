"""What stands between the scaling layer and the others: our periodic embedding, or Keras layers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from skscale._keras.initializers import periodic_initializers
from skscale._keras.objects import keras_object
from skscale._keras.seeds import KerasSeeds, copied_layer
from skscale._network.periodic_spec import PeriodicSpec
from skscale._parameters import is_auto


def make_embedding(
    value: Any, n_features: int, columns: Sequence[int] | None, seeds: KerasSeeds
) -> PeriodicSpec | Any | None:
    """Resolve the `embedding` of an estimator.

    Parameters
    ----------
    value : "auto", "periodic", Layer, class, dict, callable or None
        What the user wrote; "auto" is none until somebody has chosen.
    n_features : int
        Number of scaled features.
    columns : sequence of int or None
        Features that "periodic" embeds; None for all.
    seeds : KerasSeeds
        Seeds of layers that have none.

    Returns
    -------
    embedding : PeriodicSpec, keras.layers.Layer or None
        A spec where our own code can do what is asked for.

    Raises
    ------
    InvalidParameterError
        If `value` gives no layer.
    """
    if isinstance(value, str) and not is_auto(value) and (columns is None or len(columns)):
        return PeriodicSpec(None if columns is None else tuple(columns))
    if value is None or isinstance(value, str):
        return None
    layer = _layer(value, n_features, seeds)
    return _periodic_spec(layer, seeds) or layer


def embedding_layer(
    embedding: PeriodicSpec, *, seeds: KerasSeeds | None = None, **options: Any
) -> Any:
    """Return the Keras layer of a spec.

    Parameters
    ----------
    embedding : PeriodicSpec
        The embedding.
    seeds : KerasSeeds or None, default=None
        Seeds of its initializers; None lets Keras draw them from Python's generator.
    **options : dict
        Name and dtype.

    Returns
    -------
    layer : PeriodicEmbedding
        Not built yet.
    """
    from skscale.layers import PeriodicEmbedding

    build = keras_object if seeds is None else seeds.build
    configs = periodic_initializers(embedding.n_frequencies, embedding.frequency_scale)
    return PeriodicEmbedding(
        embedding.n_frequencies,
        embedding.units,
        embedding.frequency_scale,
        indices=None if embedding.columns is None else list(embedding.columns),
        **{
            f"{name}_initializer": build("initializers", config) for name, config in configs.items()
        },
        **options,
    )


def embedded_width(layer: Any, n_features: int) -> int:
    """Count the outputs of an embedding."""
    shape = layer.compute_output_shape((None, n_features))
    return int(shape[-1])


def _periodic_spec(layer: Any, seeds: KerasSeeds) -> PeriodicSpec | None:
    """Return the spec of a `PeriodicEmbedding` that differs from the default by nothing else."""
    from skscale.layers import PeriodicEmbedding

    if type(layer) is not PeriodicEmbedding:
        return None
    spec = PeriodicSpec(layer.indices, layer.n_frequencies, layer.units, layer.frequency_scale)
    is_plain = _settings(layer, seeds) == _settings(embedding_layer(spec, seeds=seeds), seeds)
    return spec if is_plain else None


def _settings(layer: Any, seeds: KerasSeeds) -> dict[str, Any]:
    """Return what makes a layer what it is: no name, no precision, no seed of ours."""
    settings = seeds.left_out_of(layer.get_config())
    return {name: value for name, value in settings.items() if name not in ("name", "dtype")}


def _layer(value: Any, n_features: int, seeds: KerasSeeds) -> Any:
    import keras

    try:
        if isinstance(value, dict | keras.layers.Layer):
            layer = copied_layer(value, seeds)
        else:
            with seeds.guard():
                layer = value() if inspect.isclass(value) else value(n_features)
        if not isinstance(layer, keras.layers.Layer):
            raise TypeError(f"It gives {layer!r}, which is no Keras layer.")
        embedded_width(layer, n_features)
    except Exception as error:  # of any type: the layer is the user's
        raise InvalidParameterError(
            f"embedding={value!r} gives no layer for {n_features} features. Give 'periodic', None, "
            "a Keras layer such as skscale.layers.PeriodicEmbedding(n_frequencies=8), its class or "
            f"config, or a function n_features -> layer. It says: {error}"
        ) from error
    return layer
