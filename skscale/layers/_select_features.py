"""Some of the features, by their position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from skscale.layers._arguments import positions
from skscale.layers._vector_weights import Shape


@keras.saving.register_keras_serializable(package="skscale")
class SelectFeatures(keras.layers.Layer):
    """Take the features at `indices` along the last axis, in that order.

    Parameters
    ----------
    indices : sequence of int
        Positions of the features, counted from 0; at least one. One may occur more than once.
    **kwargs : dict
        Arguments of `keras.layers.Layer`: ``name``, ``dtype``.

    Attributes
    ----------
    indices : tuple of int
        The positions.

    Raises
    ------
    ValueError
        If `indices` is empty or holds a negative number; if the layer is built on fewer features
        than it takes from.
    TypeError
        If an index is no whole number.

    See Also
    --------
    sklearn.feature_selection.VarianceThreshold : Finds the features that are constant.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skscale.layers import SelectFeatures
    >>> layer = SelectFeatures([2, 0])
    >>> keras.ops.convert_to_numpy(layer(np.array([[1.0, 2.0, 4.0]]))).tolist()
    [[4.0, 1.0]]
    """

    def __init__(self, indices: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.indices = positions(indices)
        if not self.indices:
            raise ValueError("indices is empty and would leave no feature. Give at least one int.")
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(min_ndim=1)

    def build(self, input_shape: Shape) -> None:
        """Check that every index is one of a feature."""
        n_features = input_shape[-1] if input_shape else None
        if n_features is None or max(self.indices) >= n_features:
            raise ValueError(
                f"SelectFeatures {self.name!r} takes feature {max(self.indices)}, counted from 0, "
                f"and needs a last axis that is longer than that. Got input shape {input_shape}. "
                "Give the number of features, for example keras.Input((n_features,))."
            )
        self.input_spec = keras.layers.InputSpec(min_ndim=1, axes={-1: n_features})

    def call(self, inputs: Any) -> Any:
        """Return the chosen features, in the compute dtype."""
        inputs = keras.ops.cast(inputs, self.compute_dtype)
        return keras.ops.take(inputs, list(self.indices), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """Return `input_shape` with the last axis replaced by the number of indices."""
        return (*input_shape[:-1], len(self.indices))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments, the indices as a list."""
        return {**super().get_config(), "indices": list(self.indices)}
