"""Fits of tables that are larger than the memory of one machine, on dask."""

from __future__ import annotations

from typing import Any, TypeVar

from skscale._base import BaseLearnedScale, fits

__all__ = ["fit"]

Estimator = TypeVar("Estimator", bound=BaseLearnedScale)


def fit(estimator: Estimator, X: Any, y: Any = None, *, sample_weight: Any = None) -> Estimator:
    """Fit an estimator to dask collections, partition by partition.

    One pass over the partitions takes statistics, labels and a sample of 10,000 rows. Then the
    networks of the path, one for each point and fold, learn partition after partition, each
    network as a task of its own, wherever dask's current scheduler runs it: the workers of a
    `distributed.Client`, threads, or this process. Learning rates, penalties, halving and choice
    are those of `estimator.fit`; a rate falls over all passes, and points are compared after the
    same shares of the training, which need be no whole pass.

    Nothing but a few partitions is in memory at a time: the one that is learned, the next one, and
    the one that is read. A partition is read anew in every pass, unless the collection was
    persisted.

    Parameters
    ----------
    estimator : LearnedScaleRegressor, LearnedScaleClassifier or LearnedScaleTransformer
        What is fitted, in place. `early_stopping`, `callbacks`, `warm_start` and a splitter as
        `cv` are refused.
    X : dask array or data frame of shape (n_samples, n_features)
        Features, as `estimator.fit` takes them. Rows of all partitions should be alike, as they
        are learned partition by partition: shuffle a sorted table. Some 50,000 to 1,000,000 rows in
        each keep tasks long and memory small. Sizes need not be known.
    y : dask array, series or data frame of shape (n_samples,) or (n_samples, n_outputs), \
default=None
        Target, in the same partitions. None is for a transformer that standardizes.
    sample_weight : dask array or series of shape (n_samples,), default=None
        Weight of each sample.

    Returns
    -------
    estimator : LearnedScaleRegressor, LearnedScaleClassifier or LearnedScaleTransformer
        The estimator, fitted as by its own `fit`, but without `held_out_prediction_`.

    Raises
    ------
    TypeError
        If `X`, `y` or `sample_weight` is no dask collection.
    ValueError
        If the data or a parameter cannot be used; before any training starts.
    RuntimeError
        If a process cannot train, as in `estimator.fit`.

    Notes
    -----
    Means, standard deviations, ranges and labels are merged exactly. Of the sample are: what the
    normalizations `"median"`, `"mad"`, `"robust"`, `"vast_2"`, `"vast_3"` and `"vast_4"` need
    besides, scikit-learn's scalers, `feature_importances_`, `held_out_rmse_`, the temperature of a
    classifier, and the vote by which a transformer chooses its power.

    Folds are drawn within partitions: `cv` of them, by class where there are classes. Points are
    scored on at most a million of their held-out rows.

    In `path_`, `epochs` may be fractions of a pass. The default number of passes is that of
    `estimator.fit`, twenty for many rows; with tens of millions of them, one is thousands of steps.

    Examples
    --------
    >>> import dask.array as da
    >>> from skscale import LearnedScaleTransformer, distributed
    >>> X = da.arange(10.0, chunks=4).reshape(-1, 1)
    >>> transformer = distributed.fit(LearnedScaleTransformer(), X)
    >>> 1 / transformer.scale_
    array([2.872])
    """
    if not isinstance(estimator, BaseLearnedScale):
        raise TypeError(
            f"estimator={estimator!r} is none of skscale's. Give an instance of "
            "LearnedScaleRegressor, LearnedScaleClassifier or LearnedScaleTransformer."
        )
    _fit(estimator, X, y, sample_weight)
    return estimator


@fits
def _fit(estimator: BaseLearnedScale, X: Any, y: Any, sample_weight: Any) -> None:
    try:
        # dask is an extra.
        from skscale._distributed.fit import fit_partitions
    except ModuleNotFoundError as error:
        if error.name != "dask":
            raise
        raise ImportError("skscale.distributed needs dask: pip install 'skscale[dask]'.") from error
    fit_partitions(estimator, X, y, sample_weight)
