"""Objects kept as bytes, so that an estimator that holds them loads without their libraries."""

from __future__ import annotations

import pickle
from typing import Any


class Frozen:
    """Objects as bytes.

    Parameters
    ----------
    objects : object
        Anything that can be pickled, functions of a notebook included.
    """

    def __init__(self, objects: Any):
        # As joblib sends functions to its processes.
        try:
            import cloudpickle
        except ImportError:  # joblib before 1.6 brings it along
            from joblib.externals import cloudpickle

        self._names = repr(objects)
        self._bytes: bytes = cloudpickle.dumps(objects)

    def thaw(self) -> Any:
        """Return the objects, which imports their libraries."""
        return pickle.loads(self._bytes)

    def __repr__(self) -> str:
        return self._names
