"""What chooses the transformer's power: a vote of nearest neighbours, and its score."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.metrics import accuracy_score

from skscale._normalization.sample_weight import relative_weights

# Relative difference of what is equal but for rounding. Without it, the units of a column would
# decide which of two rows at the same distance is a neighbour, or which of two equal votes wins.
_TIE = 1e-12
# Distances held at a time: 2 MB in float64, so that the passes over them stay in the cache.
_CHUNK = 2**18


def neighbor_vote(
    X_train: np.ndarray,
    y_train: np.ndarray,
    X_test: np.ndarray,
    *,
    n_neighbors: float = 10,
    sample_weight: np.ndarray | None = None,
) -> np.ndarray:
    """Average the targets of the nearest rows, each weighted by one over its distance.

    As scikit-learn's ``KNeighborsRegressor(n_neighbors, weights="distance")``, with weights that
    count as repetition: a row of weight 3 is three neighbours. Neighbours are taken in the order
    of distance until their weights add up to `n_neighbors`, the last one in part. Rows at the
    same last distance share what is left in proportion to their weights, so that the order of
    the rows decides nothing.

    Parameters
    ----------
    X_train : ndarray of shape (n_train, n_features)
        Rows to learn from, on scales that make distances meaningful.
    y_train : ndarray of shape (n_train, n_outputs)
        Their targets; one-hot rows or a column of zeros and ones for classes.
    X_test : ndarray of shape (n_test, n_features)
        Rows to predict.
    n_neighbors : float, default=10
        Total weight of the neighbours, positive. All rows are used where they weigh less.
    sample_weight : ndarray of shape (n_train,), default=None
        Weight of each row of `X_train`, not negative; None means one each.

    Returns
    -------
    prediction : ndarray of float64 of shape (n_test, n_outputs)
        Averages of `y_train`; for one-hot rows the share of each class. Where neighbours are at
        distance zero, they alone count.

    Raises
    ------
    ValueError
        If no row of `X_train` has a positive weight.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._importance.neighbors import neighbor_vote
    >>> X, y = np.array([[0.0], [1.0], [9.0]]), np.array([[0.0], [4.0], [100.0]])
    >>> neighbor_vote(X, y, np.array([[0.25], [1.0]]), n_neighbors=2)
    array([[1.],
           [4.]])
    """
    weights = np.ones(len(X_train)) if sample_weight is None else np.asarray(sample_weight, float)
    used = weights > 0
    if not used.any():
        raise ValueError(
            f"None of the {len(weights)} rows to learn from has a positive weight, so there are no "
            "neighbours. Use fewer folds, or give some rows weight."
        )
    X, y, weights = X_train[used], np.asarray(y_train[used], np.float64), weights[used]
    with np.errstate(over="ignore"):
        # In the units of the relative weights; infinite where all are subnormal.
        n_neighbors = float(np.ldexp(float(n_neighbors), -np.frexp(weights.max())[1]))
    weights = relative_weights(weights)
    prediction = np.empty((len(X_test), y.shape[1]))
    step = max(1, _CHUNK // len(X))
    for start in range(0, len(X_test), step):
        # Explicit differences: |a|^2 - 2ab + |b|^2 loses the digits of small distances.
        distances = cdist(X_test[start : start + step], X)
        votes = _counted(distances, weights, n_neighbors) * _closeness(distances)
        prediction[start : start + step] = votes @ y / votes.sum(axis=1, keepdims=True)
    return prediction


def vote_score(
    y_true: np.ndarray,
    prediction: np.ndarray,
    sample_weight: np.ndarray | None,
    *,
    is_classification: bool,
) -> float:
    """Score a vote: R2 averaged over the outputs, or accuracy.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples, n_outputs)
        Targets, in the form that `neighbor_vote` takes.
    prediction : ndarray of shape (n_samples, n_outputs)
        Result of `neighbor_vote`.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, not negative; None means one each.
    is_classification : bool
        Whether targets are one-hot rows, or zeros and ones in a single column.

    Returns
    -------
    score : float
        As scikit-learn's `r2_score`, always finite: an output that is constant to rounding, such
        as that of a single row, scores 1 if predicted and 0 if not. Or as `accuracy_score`; of
        equal votes the first class wins.

    Raises
    ------
    ValueError
        If no row has a positive weight.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._importance.neighbors import vote_score
    >>> y, vote = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [2.0]])
    >>> vote_score(y, vote, None, is_classification=False)
    0.5
    """
    weights = np.ones(len(y_true)) if sample_weight is None else np.asarray(sample_weight, float)
    used = weights > 0
    if not used.any():
        raise ValueError(f"None of the {len(weights)} rows to score has a positive weight.")
    y_true, prediction = y_true[used], prediction[used]
    weights = relative_weights(weights[used])
    if is_classification:
        return float(accuracy_score(_class(y_true), _class(prediction), sample_weight=weights))
    return float(_r2(y_true, prediction, weights))


def _counted(distances: np.ndarray, weights: np.ndarray, n_neighbors: float) -> np.ndarray:
    """Weight with which each row is a neighbour, of the shape of `distances`."""
    # Whatever their order, so many rows weigh n_neighbors: only the nearest need sorting.
    n_candidates = int((np.cumsum(np.sort(weights)) < n_neighbors).sum()) + 1
    n_candidates = min(n_candidates, len(weights))
    nearest = np.argpartition(distances, n_candidates - 1, axis=1)[:, :n_candidates]
    ordered = np.take_along_axis(distances, nearest, axis=1)
    order = np.argsort(ordered, axis=1)
    total = np.cumsum(weights[np.take_along_axis(nearest, order, axis=1)], axis=1)
    last = np.minimum((total < n_neighbors).sum(axis=1, keepdims=True), n_candidates - 1)
    boundary = np.take_along_axis(ordered, np.take_along_axis(order, last, axis=1), axis=1)

    inside = distances < boundary * (1 - _TIE)
    tied = (distances <= boundary * (1 + _TIE)) & ~inside
    weight_of_tied = tied @ weights
    share = np.clip(n_neighbors - inside @ weights, 0.0, weight_of_tied) / weight_of_tied
    return (inside + tied * share[:, np.newaxis]) * weights


def _closeness(distances: np.ndarray) -> np.ndarray:
    """One over the distance, relative to the nearest row; zero beside a row at distance zero."""
    nearest = distances.min(axis=1, keepdims=True)
    return np.divide(nearest, distances, out=np.ones_like(distances), where=distances > 0)


def _class(votes: np.ndarray) -> np.ndarray:
    """First class whose share is the largest to rounding."""
    if votes.shape[1] == 1:
        votes = np.hstack([1 - votes, votes])
    return np.argmax(votes >= votes.max(axis=1, keepdims=True) - _TIE, axis=1)


def _r2(y_true: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> float:
    # Not r2_score: its squares overflow, it is NaN for one row, and an output that is constant but
    # for rounding scores anything. A power of two keeps squares in range and changes no digit.
    exponent = -np.frexp(np.abs(y_true).max(axis=0))[1]
    y, predicted = np.ldexp(y_true, exponent), np.ldexp(prediction, exponent)
    residual = np.average((y - predicted) ** 2, axis=0, weights=weights)
    variance = np.average(
        (y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights
    )
    is_constant = variance <= _TIE**2
    r2 = 1 - residual / np.where(is_constant, 1.0, variance)
    return np.where(is_constant, residual <= _TIE**2, r2).mean()
