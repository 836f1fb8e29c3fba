"""Rows as the compiled program takes them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Rows(NamedTuple):
    """Rows of a dataset or of a batch, with or without a leading network axis.

    Parameters
    ----------
    inputs : tensor of shape (..., n_rows, n_features)
        Normalized features.
    targets : tensor of shape (..., n_rows, n_outputs)
        Normalized targets, or classes as numbers.
    weights : tensor of shape (..., n_rows)
        Weights of the rows.
    """

    inputs: Any
    targets: Any
    weights: Any
