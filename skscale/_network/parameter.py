"""One weight array of a network, and what its role means for the training."""

from __future__ import annotations

from dataclasses import dataclass

DECAYED_ROLES = ("kernel", "embedding_kernel")
"""Roles of the weights that decay."""

SLOW_ROLES = ("embedding_frequency", "embedding_phase")
"""Roles of the weights that may learn at a lower rate."""


@dataclass(frozen=True)
class Parameter:
    """One weight array of the network.

    Parameters
    ----------
    name : str
        Name of the weight, as in ``"scale"`` or ``"dense_1/kernel"``.
    role : str
        What the weight is for; initializer, regularizer and constraint go by "scale", "center",
        "kernel" and "bias", weight decay by `DECAYED_ROLES`. Weights of custom layers that are no
        kernel are "custom".
    shape : tuple of int
        Shape of the weight in one network.
    is_output : bool
        Whether it belongs to the last layer.
    blocks : tuple of int
        Rows of the first axis that belong to scaled features, and to their embedding; empty where
        all belong together.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    is_output: bool = False
    blocks: tuple[int, ...] = ()
