"""Small weights joined in one array, so that one update serves them all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from skscale._network.parameter import DECAYED_ROLES, SLOW_ROLES, Parameter

# Entries of a weight that is joined with others: copying larger ones costs more than it saves.
_MAX_JOINED = 1024


class Packing:
    """Where each trained weight of a network is in few arrays.

    Small weights cost a step by their number, not by their size. Kernels come first in an array
    that holds several weights: they alone decay. Weights that may learn at a lower rate share an
    array of their own.

    Parameters
    ----------
    parameters : sequence of Parameter
        The weights, in order.
    axis : tuple of int
        Number of networks along a leading axis of every array; empty for one without that axis.
    n_front : int
        Number of weights at the front that keep arrays of their own.
    joined : bool
        Whether the small ones of the others share an array, for an update that looks at every
        entry by itself.
    """

    def __init__(
        self, parameters: Sequence[Parameter], axis: tuple[int, ...], *, n_front: int, joined: bool
    ):
        self._axis = axis
        self._weight_shapes = [parameter.shape for parameter in parameters]
        is_kernel = [parameter.role in DECAYED_ROLES for parameter in parameters]
        is_slow = [parameter.role in SLOW_ROLES for parameter in parameters]
        sizes = [math.prod(shape) for shape in self._weight_shapes]
        rest = range(n_front, len(parameters))
        small = [i for i in rest if joined and sizes[i] <= _MAX_JOINED]
        alone = [i for i in range(len(parameters)) if i not in small]
        self._groups = [[i] for i in alone]
        for slow in (False, True):
            joint = [i for i in small if is_slow[i] == slow]
            if joint:
                self._groups.append(sorted(joint, key=lambda i: not is_kernel[i]))
        self.is_slow = [is_slow[group[0]] for group in self._groups]
        self.n_decayed = [
            sum(sizes[i] for i in group if is_kernel[i] and i >= n_front) for group in self._groups
        ]
        self.shapes = [
            (*axis, *self._weight_shapes[group[0]])
            if len(group) == 1
            else (*axis, sum(sizes[i] for i in group))
            for group in self._groups
        ]

    def pack(
        self,
        arrays: Sequence[Any],
        *,
        reshape: Callable[..., Any],
        concatenate: Callable[..., Any],
    ) -> list[Any]:
        """Join arrays of NumPy or TensorFlow, which are in the order of the parameters."""
        return [
            arrays[group[0]]
            if len(group) == 1
            else concatenate([reshape(arrays[i], (*self._axis, -1)) for i in group], -1)
            for group in self._groups
        ]

    def unpack(self, packed: Sequence[Any], *, reshape: Callable[..., Any]) -> list[Any]:
        """Return arrays in the order and the shapes of the parameters."""
        arrays: list[Any] = [None] * len(self._weight_shapes)
        for group, array in zip(self._groups, packed, strict=True):
            if len(group) == 1:
                arrays[group[0]] = array
                continue
            shapes = [self._weight_shapes[i] for i in group]
            ends = list(itertools.accumulate(math.prod(shape) for shape in shapes))
            for i, shape, start, stop in zip(group, shapes, [0, *ends], ends, strict=False):
                arrays[i] = reshape(array[..., start:stop], (*self._axis, *shape))
        return arrays
