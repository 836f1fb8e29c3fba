"""What displays read from a fitted estimator, and what they say where it is not there."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted


def check_estimator_of_ours(estimator: Any, display: str) -> None:
    """Refuse what is not a fitted estimator of this package.

    Parameters
    ----------
    estimator : estimator
        What a display was given.
    display : str
        Name of the display, for messages.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If it is another estimator, or none at all.
    """
    check_is_fitted(estimator)
    if not hasattr(estimator, "relative_scale_"):
        raise TypeError(
            f"{display} takes a fitted LearnedScaleRegressor, LearnedScaleClassifier or "
            f"LearnedScaleTransformer, got {type(estimator).__name__}. Of a pipeline give that "
            "step, such as pipeline[0]; of a search, its best_estimator_."
        )


def feature_names_of(estimator: Any) -> np.ndarray:
    """Return the names that the estimator has seen, or else x0, x1 and so on, as scikit-learn's.

    Parameters
    ----------
    estimator : estimator
        A fitted one.

    Returns
    -------
    ndarray of str of shape (n_features_in_,)
        The names.
    """
    return np.asarray(
        getattr(estimator, "feature_names_in_", default_names(estimator.n_features_in_))
    )


def default_names(n_features: int) -> list[str]:
    """Return x0, x1 and so on."""
    return [f"x{i}" for i in range(n_features)]


def checked_names(names: Any, n_features: int) -> list[str]:
    """Return a name for each feature.

    Parameters
    ----------
    names : array-like of shape (n_features,) or None
        Names; None gives x0, x1 and so on.
    n_features : int
        Number of features.

    Returns
    -------
    list of str
        The names.

    Raises
    ------
    ValueError
        If there are more or fewer than features.
    """
    names = default_names(n_features) if names is None else [str(name) for name in names]
    if len(names) != n_features:
        raise ValueError(
            f"feature_names has {len(names)} names, but there are {n_features} features."
        )
    return names
