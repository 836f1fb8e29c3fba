"""Objects kept as bytes, so that an estimator that holds them loads without their libraries."""

from __future__ import annotations

import pickle
from typing import Any, Self


def dumps(objects: Any) -> bytes:
    """Pickle objects as joblib sends them to its processes, functions of a notebook included."""
    try:
        import cloudpickle
    except ImportError:  # joblib before 1.6 brings it along
        from joblib.externals import cloudpickle

    return cloudpickle.dumps(objects)


class PickledCallbacks:
    """Objects as bytes, which run code only where `fit` or `to_scikeras` asks for the objects.

    A pickle carries the bytes, as it runs code in any case. Every other format, such as that of
    skops, carries the text of the objects alone, and no bytes are taken from it.

    Parameters
    ----------
    objects : object
        Anything that can be pickled, functions of a notebook included.
    """

    def __init__(self, objects: Any):
        self._names = repr(objects)
        self._bytes: bytes | None = dumps(objects)

    def load(self) -> Any:
        """Return the objects, which imports their libraries.

        Returns
        -------
        objects : object
            Copies of what was given.

        Raises
        ------
        ValueError
            If they came through a format that must not run code.
        """
        if self._bytes is None:
            raise ValueError(
                f"callbacks={self._names} were saved in a format that runs no code when it is "
                "loaded, so that they are not here. Give them again: "
                "set_params(callbacks=[...]), or callbacks=None for none."
            )
        return pickle.loads(self._bytes)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle and copies take; formats that build no objects ask for the state."""
        return _from_pickle, (type(self), self._names, self._bytes)

    def __getstate__(self) -> dict[str, Any]:
        return {"names": self._names}

    def __setstate__(self, state: Any) -> None:
        # Whoever wrote the state: bytes in it are not taken.
        self._names, self._bytes = str(dict(state).get("names")), None

    @classmethod
    def without_content(cls, names: str) -> Self:
        """Return the text of objects that came without their bytes."""
        return cls._of_bytes(str(names), None)

    @classmethod
    def _of_bytes(cls, names: str, content: bytes | None) -> Self:
        pickled = cls.__new__(cls)
        pickled._names, pickled._bytes = names, content
        return pickled

    def __repr__(self) -> str:
        return self._names


def _from_pickle(
    cls: type[PickledCallbacks], names: str, content: bytes | None
) -> PickledCallbacks:
    return cls._of_bytes(names, content)
