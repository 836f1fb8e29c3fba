"""The scaling layer on tensors: a step of its own, or folded into what reads its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Scaling(NamedTuple):
    """The map h = s * z + t, of one network or of several along a leading axis.

    A product with h is one with z: ``h W + b = z (s W) + (t W + b)``. Folded that way, factors and
    offsets cost by the size of the kernel instead of by the number of rows, and so do their
    gradients: no gradient goes back to z.

    Parameters
    ----------
    scale : tensor of shape (..., n_features)
        Factors.
    offset : tensor of shape (..., n_features) or None
        Offsets, if there are any.
    """

    scale: Any
    offset: Any | None

    def apply(self, inputs: Any) -> Any:
        """Return h for normalized rows, of shape (..., n_rows, n_features)."""
        hidden = inputs * self.scale[..., None, :]
        return hidden if self.offset is None else hidden + self.offset[..., None, :]

    def fold(self, kernel: Any, bias: Any | None) -> tuple[Any, Any | None]:
        """Return kernel and bias for z of a layer that has `kernel` and `bias` for h."""
        if self.offset is not None:
            shift = (self.offset[..., None, :] @ kernel)[..., 0, :]
            bias = shift if bias is None else shift + bias
        return self.scale[..., None] * kernel, bias

    def of_features(self, columns: Sequence[int]) -> Scaling:
        """Return the scaling of some features."""
        import tensorflow as tf

        offset = None if self.offset is None else tf.gather(self.offset, columns, axis=-1)
        return Scaling(tf.gather(self.scale, columns, axis=-1), offset)

    def fold_each(self, slope: Any, height: Any) -> tuple[Any, Any]:
        """Return slopes and heights over z of lines over h, (..., n_features, n_lines)."""
        if self.offset is not None:
            height = slope * self.offset[..., None] + height
        return slope * self.scale[..., None], height
