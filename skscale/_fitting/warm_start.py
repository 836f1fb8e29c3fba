"""Whether the networks of an earlier fit can go on with the rows and parameters of this one."""

from __future__ import annotations

from dataclasses import replace

from skscale._fitting.state import FittedModel
from skscale._fitting.training_set import TrainingSet
from skscale._normalization.fit import fit_standardization


def continued_model(
    previous: FittedModel,
    training_set: TrainingSet,
    *,
    has_path: bool,
) -> FittedModel:
    """Refuse rows that the networks cannot go on with, and standardize by the others."""
    (ensemble, state), X = previous, training_set.X
    n_features = ensemble.input_map.n_features
    if X.shape[1] != n_features:
        raise ValueError(
            f"warm_start=True goes on with networks of {n_features} features, but X has "
            f"{X.shape[1]}. Give the same features, or set warm_start=False."
        )
    if has_path != state.has_path:
        raise ValueError(
            "warm_start=True goes on with the present networks, but scale_regularizer has changed "
            "between 'auto' and another value, or they come from partial_fit. Go on with the same "
            "value, or with partial_fit, or set warm_start=False."
        )
    if has_path and state.is_streamed:
        raise ValueError(
            "warm_start=True under scale_regularizer='auto' goes on with the same folds, but those "
            "of skscale.distributed.fit are of other rows. Go on with partial_fit, or set "
            "warm_start=False."
        )
    is_validated = training_set.n_held_out > 0
    if has_path and is_validated != state.is_validated:
        now, before = ("", "no ") if is_validated else ("no ", "")
        raise ValueError(
            "warm_start=True under scale_regularizer='auto' goes on with the same held-out rows, "
            f"but this fit has {now}X_val and the last one had {before}X_val. Give it in both or "
            "in none, or set warm_start=False."
        )
    if has_path and not is_validated and len(X) != state.n_samples:
        raise ValueError(
            f"warm_start=True under scale_regularizer='auto' goes on with the same folds, which "
            f"are of {state.n_samples} rows, but X has {len(X)}. Give the same rows, use "
            "partial_fit for new ones, or set warm_start=False."
        )
    # Features matter by how they spread in the rows of this fit, not of the first.
    statistics = training_set.column_statistics()
    standard = fit_standardization(statistics).where(~statistics.is_empty, ensemble.standard)
    return FittedModel(replace(ensemble, standard=standard), state)
