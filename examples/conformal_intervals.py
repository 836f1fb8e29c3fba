"""Give predictions intervals that cover what they promise, from rows that networks had not seen.

Usage: python conformal_intervals.py [--quick]

Every network of a LearnedScaleRegressor leaves out the rows of one fold, so that after `fit` each
row has a prediction by networks that have not seen it: `held_out_prediction_`. How far those miss
is how far predictions for new rows will miss: an interval of plus and minus the 90 % quantile of
the misses should cover nine of ten new rows, whatever their distribution is (conformal prediction
by the jackknife over folds; Barber et al. 2021, Annals of Statistics 49:486). Nothing is fitted
again.

Three ways to make 90 % intervals are compared on rows that no fit has seen, of three tables:

- held-out misses: as above, one width for all rows;
- return_std="total": 1.645 standard deviations of the networks' spread and the held-out error
  together; of errors with a normal distribution;
- return_std=True: 1.645 standard deviations of the networks' spread alone. Networks agree on what
  they have no way of knowing, so that this one ranks rows, and is no interval for y.

The tables are diabetes (442 patients), wine (the alcohol of 178 wines, from 12 other measurements),
and hydrogen ignition (1,500 states of a gas, split and folded by trajectory, as neighbours on one
are near copies).

It takes about three minutes on two cores, and pandas (the extra `examples`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_wine
from sklearn.model_selection import GroupKFold, KFold

from skscale import LearnedScaleRegressor

HERE = Path(__file__).resolve().parent
QUICK = {"epochs": 20, "regularization_path": [0.3], "cv": 2}
COVERAGE = 0.9
# So many standard deviations to both sides hold 90 % of a normal distribution.
N_DEVIATIONS = 1.645


class Table(NamedTuple):
    """Features, target, and the group of each row, or None."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None


def wine() -> Table:
    measurements, _ = load_wine(return_X_y=True)
    # The first of the measurements is the alcohol.
    return Table(measurements[:, 1:], measurements[:, 0])


def hydrogen_ignition() -> Table:
    with np.load(HERE / "data" / "hydrogen_ignition.npz") as data:
        X = np.column_stack([data["T"], data["Y"]])
        # Heat release spans many decades and both signs; arcsinh is a logarithm that allows that.
        y = np.arcsinh(data["heat_release_rate"] / 1e4)
        trajectory = data["trajectory"]
    rows = np.sort(np.random.default_rng(0).choice(len(X), 1500, replace=False))
    return Table(X[rows], y[rows], trajectory[rows])


def conformal_half_width(misses: np.ndarray, coverage: float) -> float:
    """Return the quantile of held-out misses that a new one stays below so often."""
    # The rank of a new miss among these is as likely to be any other.
    level = min(1.0, np.ceil(coverage * (len(misses) + 1)) / len(misses))
    return float(np.quantile(misses, level, method="inverted_cdf"))


def half_widths(model: LearnedScaleRegressor, y: np.ndarray, X_new: np.ndarray) -> dict[str, Any]:
    """Return the half width of the interval of each new row, by each way to make one."""
    misses = np.abs(y - model.held_out_prediction_)
    _, spread = model.predict(X_new, return_std=True)
    _, total = model.predict(X_new, return_std="total")
    return {
        "held-out misses": np.full(len(X_new), conformal_half_width(misses, COVERAGE)),
        'return_std="total"': N_DEVIATIONS * total,
        "return_std=True": N_DEVIATIONS * spread,
    }


def measure(table: Table, n_folds: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Return the share of unseen rows in their intervals, and widths by the deviation of y."""
    X, y, groups = table
    splitter = KFold if groups is None else GroupKFold
    splits = splitter(n_folds, shuffle=True, random_state=0).split(X, groups=groups)
    parts = []
    for train, test in splits:
        model = LearnedScaleRegressor(random_state=0, **settings)
        model.fit(X[train], y[train], groups=None if groups is None else groups[train])
        misses = np.abs(y[test] - model.predict(X[test]))
        for way, half_width in half_widths(model, y[train], X[test]).items():
            width, is_covered = 2 * half_width / y.std(), misses <= half_width
            parts.append(pd.DataFrame({"way": way, "coverage": is_covered, "width": width}))
    return pd.concat(parts).groupby("way", sort=False).mean()


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one table, two folds: only a test")
    options = parser.parse_args(arguments)
    n_folds, settings = (2, QUICK) if options.quick else (5, {})
    tables = {
        "diabetes": Table(*load_diabetes(return_X_y=True, scaled=False)),
        "wine": wine(),
        "hydrogen ignition": hydrogen_ignition(),
    }
    if options.quick:
        del tables["wine"], tables["hydrogen ignition"]
    results = {}
    for name, table in tables.items():
        results[name] = measure(table, n_folds, settings)
        print(f"{name}: done", flush=True)
    print(
        f"\nIntervals of {COVERAGE:.0%}: share of rows that they cover, of {n_folds} folds that\n"
        "no fit has seen, and mean width in standard deviations of the target."
    )
    result = pd.concat(results)
    print(result.to_string(float_format="%.2f"))
    return result


if __name__ == "__main__":
    main()
