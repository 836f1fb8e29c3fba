"""What y is: numbers or classes."""

from __future__ import annotations

import numbers
from collections import Counter
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils._param_validation import InvalidParameterError

from skscale._errors import did_you_mean, listed
from skscale._keras.objects import KerasConfig

# Default Keras loss of each type; classes are trained on logits.
DEFAULT_LOSSES: dict[str, KerasConfig] = {
    "continuous": "mean_squared_error",
    "binary": {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}},
    "multiclass": {"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}},
}


TARGET_TYPES = ("auto", *DEFAULT_LOSSES)


# Integers with more distinct values than this are quantities.
MAX_INTEGER_CLASSES = 20


_NUMERIC = "biuf"


def read_target(y: Any, *, warn: bool = False) -> tuple[np.ndarray, bool]:
    """Read y as finite numbers or strings, and say whether they are categories."""
    array = check_array(
        y, ensure_2d=False, dtype=None, ensure_all_finite=False, input_name="y", estimator=None
    )
    if array.ndim == 2 and array.shape[1] == 1:
        array = column_or_1d(array, warn=warn)
    # Asked of the class: a Series answers to the labels of its index too.
    is_frame = hasattr(type(y), "columns")
    declared = list(getattr(y, "dtypes", [])) if is_frame else [getattr(y, "dtype", None)]
    if array.dtype.kind == "O":
        array = _plain(array)
    elif array.dtype.kind == "T":
        array = _plain(array.astype(object))
    elif array.dtype.kind not in _NUMERIC + "U":
        raise TypeError(_not_a_target(f"dtype {array.dtype}"))
    # It adds all numbers up, in float32 to infinity and minus infinity.
    with np.errstate(invalid="ignore"):
        assert_all_finite(array, input_name="y")
    # check_array makes floats of pandas' nullable integers and booleans.
    kinds = {getattr(dtype, "kind", "-") for dtype in declared}
    if array.dtype.kind == "f" and kinds == {"b"}:
        array = array.astype(np.bool_)
    elif array.dtype.kind == "f" and kinds and kinds <= {"i", "u"}:
        array = array.astype(np.int64)
    return array, any(hasattr(dtype, "categories") for dtype in declared)


def _plain(array: np.ndarray) -> np.ndarray:
    """Turn an array of objects into one of numbers, or leave one of strings."""
    if any(_is_missing(value) for value in array.flat):
        raise ValueError("Input y contains NaN.")
    if all(isinstance(value, str) for value in array.flat):
        return array
    if not all(isinstance(v, numbers.Real | np.bool_ | Decimal) for v in array.flat):
        types = Counter(type(value).__name__ for value in array.flat)
        raise TypeError(_not_a_target(", ".join(f"{n} {name}" for name, n in types.items())))
    plain = np.asarray(array.tolist())
    return plain if plain.dtype.kind in _NUMERIC else array.astype(np.float64)


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA refuses to be true or false
        return True


def _not_a_target(found: str) -> str:
    return (
        f"y holds {found}, but all numbers or all strings are needed. Convert labels with "
        "y.astype(str), quantities with y.astype(float)."
    )


class ClassCures(NamedTuple):
    """What to do about a target that cannot be read as classes.

    Parameters
    ----------
    fractions : str
        What to use for fractions.
    one_class : str
        A sentence on a single class.
    """

    fractions: str
    one_class: str


CURES_OF_CLASSIFIERS = ClassCures(
    "LearnedScaleRegressor for quantities", "Give rows of another class."
)
_CURES_OF_TRANSFORMERS = ClassCures(
    "target_type='continuous' for quantities",
    "Give rows of another class, or use target_type='continuous' for a constant quantity; a "
    "transformer can also be fitted without y.",
)


class TargetKind(NamedTuple):
    """What a target holds.

    Parameters
    ----------
    target_type : {"continuous", "binary", "multiclass"}
        Quantities or classes.
    classes : ndarray of shape (n_classes,) or None
        The sorted labels; None for quantities.
    codes : ndarray of int of shape (n_samples,) or None
        Position of the label of each sample; None for quantities.
    """

    target_type: str
    classes: np.ndarray | None = None
    codes: np.ndarray | None = None


def resolve_target_type(array: np.ndarray, is_category: bool, target_type: str) -> TargetKind:
    """Decide whether a target holds numbers or classes, or check it against a type."""
    if target_type not in TARGET_TYPES:
        raise InvalidParameterError(
            f"target_type={target_type!r} is unknown. "
            + did_you_mean(str(target_type), TARGET_TYPES)
        )
    if target_type == "continuous" and array.dtype.kind not in _NUMERIC:
        raise ValueError(
            f"target_type='continuous' needs numbers, but y holds strings such as "
            f"{str(array.flat[0])!r}. Use target_type='auto' if they are classes, or "
            "y.astype(float) if they are numbers."
        )
    is_quantity = not is_category and _holds_quantities(array)
    if target_type == "continuous" or (target_type == "auto" and is_quantity):
        return TargetKind("continuous")
    inferred, classes, codes = resolve_classes(array, is_category, cures=_CURES_OF_TRANSFORMERS)
    if target_type not in ("auto", inferred):
        raise ValueError(
            f"target_type={target_type!r} does not fit y, which holds {len(classes)} classes: "
            f"{listed(classes)}. Use target_type={inferred!r} or 'auto', or 'continuous' if they "
            "are quantities."
        )
    return TargetKind(inferred, classes, codes)


def _holds_quantities(array: np.ndarray) -> bool:
    kind = array.dtype.kind
    if kind not in "iu":
        return kind == "f"
    return array.ndim == 2 or len(np.unique(array)) > MAX_INTEGER_CLASSES


def resolve_classes(
    array: np.ndarray,
    is_category: bool,
    *,
    name: str = "y",
    cures: ClassCures = CURES_OF_CLASSIFIERS,
) -> tuple[str, np.ndarray, np.ndarray]:
    """Read a target as classes: its type, the sorted labels, and the position of each label."""
    if array.ndim == 2:
        raise ValueError(
            f"{name} of shape {array.shape} holds classes in {array.shape[1]} columns, but one "
            "column of classes is supported. Fit each column by itself; turn one-hot rows into "
            f"labels with {name}.argmax(axis=1)."
        )
    # Whole numbers in a float dtype are labels, as scikit-learn's type_of_target has it.
    if array.dtype.kind == "f" and not is_category and (array != np.round(array)).any():
        fraction = float(array[array != np.round(array)][0])
        raise ValueError(
            f"Unknown label type: continuous. {name} holds fractions such as {fraction}, which are "
            f"no class labels. Use {cures.fractions}, or {name}.astype(str) if they are labels."
        )
    classes, codes = np.unique(array, return_inverse=True)
    if len(classes) == 1:
        raise ValueError(
            f"{name} holds one class only, {listed(classes)}, but at least two classes are "
            f"needed to learn from. {cures.one_class}"
        )
    return "binary" if len(classes) == 2 else "multiclass", classes, codes
