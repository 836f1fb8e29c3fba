"""Accuracy of our defaults beside what people use today, on some seventy tables.

`accuracy_tables.py` has the tables, `accuracy_models.py` the models. Every model sees the same
splits: five folds (shuffled, random_state 0; stratified for classes, by group where a table has
groups), three above 5,000 rows, and above 20,000 the first of five, which trains on four fifths.
Models whose `fit` takes groups are given those of the table, as what they hold out must be new too.
Scores are R2 and accuracy of rows that no part of the model has seen. Seconds are of the fit, with
everything that the first fit of a process compiles.

``--part transformers`` puts each scaler before nearest neighbours, an SVM with RBF kernel and a
linear model. It draws 5,000 rows of larger tables; seconds are those of scaler and model together.

Run it with ``python examples/benchmarks/accuracy.py --json accuracy.jsonl`` after
``pip install -e '.[benchmarks]'``. All of it takes many hours, most of them for pytabkit: one
fit of TabM on 3,000 rows took some three minutes on two busy cores. A run that was stopped goes on
where it was. Then ``--json accuracy.jsonl --report`` prints the tables, and ``--report --ours NEW
--peers OLD`` compares two of ours that were stored with ``--label``. ``--models skscale --without
NAME`` leaves an ingredient of `accuracy_ablation.py` out of our defaults.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from accuracy_ablation import ABLATIONS, leave_out
from accuracy_frames import Data
from accuracy_models import (
    BEHIND_SCALERS,
    MAX_SCALER_SAMPLES,
    OURS,
    PACKAGES,
    PREDICTORS,
    SCALERS,
    Kind,
    Model,
)
from accuracy_report import report
from accuracy_results import Key, Result, append, read
from accuracy_tables import TABLES, Table
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

PARTS = {"predictors": PREDICTORS, "transformers": SCALERS}


def folds(kind: Kind, data: Data) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows to train on and to hold out, of every split of a table."""
    n_samples = len(data.y)
    n_splits = 3 if 5_000 < n_samples <= 20_000 else 5
    if data.groups is not None:
        cv: Any = GroupKFold(n_splits, shuffle=True, random_state=0)
    else:
        cv = (KFold if kind == "regression" else StratifiedKFold)(
            n_splits, shuffle=True, random_state=0
        )
    splits = list(cv.split(data.X, data.y, data.groups))
    return splits[:1] if n_samples > 20_000 else splits


def drawn(data: Data, n_samples: int) -> Data:
    """Return that many rows of a larger table, in their order."""
    if len(data.y) <= n_samples:
        return data
    rows = np.sort(np.random.default_rng(0).choice(len(data.y), n_samples, replace=False))
    return Data(*(array if array is None else array[rows] for array in data))


def score(kind: Kind, y: np.ndarray, predicted: np.ndarray) -> float:
    """Return R2 or accuracy."""
    # CatBoost gives classes as a column.
    predicted = np.ravel(predicted)
    if not np.isfinite(predicted).all():
        raise ValueError("It predicted NaN or infinity.")
    measure = r2_score if kind == "regression" else accuracy_score
    return float(measure(y, predicted))


def groups_of(model: Model, data: Data, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return what `fit` is told of the groups of a table."""
    if data.groups is None or not model.takes_groups:
        return {}
    return {"groups": data.groups[rows]}


def fit_predictor(
    model: Model, kind: Kind, data: Data, train: np.ndarray, test: np.ndarray, seed: int
) -> Iterator[tuple[str, float, float]]:
    """Fit one predictor; yield an empty suffix, its score and its seconds."""
    estimator = model.build(kind, seed)
    X, y = data.X[train], data.y[train]
    start = time.perf_counter()
    estimator.fit(X, y, **groups_of(model, data, train))
    seconds = time.perf_counter() - start
    yield "", score(kind, data.y[test], estimator.predict(data.X[test])), seconds


def fit_scaler(
    model: Model, kind: Kind, data: Data, train: np.ndarray, test: np.ndarray, seed: int
) -> Iterator[tuple[str, float, float]]:
    """Fit one scaler, and on its result each model; yield suffix, score and seconds of each."""
    scaler = model.build(kind, seed)
    # Classes as text: many whole numbers would pass for a quantity.
    y = data.y[train].astype(str) if kind == "classification" else data.y[train]
    start = time.perf_counter()
    groups = groups_of(model, data, train)
    X = scaler.fit(data.X[train], y, **groups).transform(data.X[train])
    seconds = time.perf_counter() - start
    X_test = scaler.transform(data.X[test])
    for name, build in BEHIND_SCALERS.items():
        estimator = build(kind, seed)
        start = time.perf_counter()
        estimator.fit(X, data.y[train])
        spent = seconds + time.perf_counter() - start
        yield f" + {name}", score(kind, data.y[test], estimator.predict(X_test)), spent


def stored_name(name: str, label: str | None) -> str:
    """Return the name of a model in the results: the label, if it is ours and has one."""
    return label if label and name == OURS else name


def run_table(given: argparse.Namespace, table: Table, library: str) -> None:
    """Fit all models of one library on one table, but for what is stored."""
    data, kind = table.load(), table.kind
    suffixes, fit = [""], fit_predictor
    if given.part == "transformers":
        data = drawn(data, MAX_SCALER_SAMPLES)
        suffixes, fit = [f" + {name}" for name in BEHIND_SCALERS], fit_scaler
    splits, stored = folds(kind, data)[: given.splits], read(given.json)
    for name in given.models:
        model = PARTS[given.part][name]
        if model.library != library or not model.takes(kind, len(data.y)):
            continue
        own = stored_name(name, given.label)
        for fold, (train, test) in enumerate(splits):
            keys = [Key(given.part, table.name, own + s, fold, given.seed) for s in suffixes]
            done = [key in stored and not (given.retry and stored[key].error) for key in keys]
            if not all(done):
                work = partial(fit, model, kind, data, train, test, given.seed)
                append(given.json, results_of(work, keys, own, library))


def results_of(
    work: Callable[[], Iterator[tuple[str, float, float]]],
    keys: list[Key],
    name: str,
    library: str,
) -> list[Result]:
    """Do the fits of one split; what fails becomes an error in the place of its result."""
    found: dict[str, tuple[float, float]] = {}
    error = None
    try:
        with warnings.catch_warnings():
            # Of models that are given so many passes and no more, and of rare classes.
            warnings.simplefilter("ignore")
            found.update((name + suffix, values) for suffix, *values in work())
    except Exception as failure:
        error = "".join(traceback.format_exception_only(failure)).strip()[:500]
    results = []
    for key in keys:
        if key.model in found:
            value, seconds = found[key.model]
            results.append(Result(*key, value, round(seconds, 4), versions=versions(library)))
            line = f"{value:.4f}, {seconds:.1f} s"
        else:
            results.append(Result(*key, error=error, versions=versions(library)))
            line = str(error)
        print(f"{key.table}, {key.model}, fold {key.fold}: {line}", file=sys.stderr, flush=True)
    return results


def versions(library: str) -> dict[str, str]:
    """Return the versions of the libraries that take part."""
    packages = ["numpy", "scikit-learn", PACKAGES[library]]
    packages += {"skscale": ["tensorflow", "keras"], "pytabkit": ["torch"]}.get(library, [])
    known = {}
    for package in packages:
        if package == "skscale":
            # May be run from its source, without an installation that could tell.
            known[package] = importlib.import_module(package).__version__
        else:
            known[package] = importlib.metadata.version(package)
    return known


def run(given: argparse.Namespace) -> int:
    """Give each library a process, one after the other; return how many came to a bad end."""
    n_failed = 0
    models = PARTS[given.part]
    for library in PACKAGES:
        names = [name for name in given.models if models[name].library == library]
        if not names:
            continue
        if importlib.util.find_spec(library) is None:
            print(f"{library} is not installed, so no {', '.join(names)}.", file=sys.stderr)
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--library", library]
        # Threads that spin while they wait take the core from those they wait for, if it is shared.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
        code = subprocess.run(command, env=environment, check=False).returncode
        if code:
            print(f"The process of {library} ended with {code}.", file=sys.stderr)
            n_failed += 1
    return n_failed


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--json", type=Path, required=True, help="file of the results, which is added to")
    add("--part", choices=PARTS, default="predictors")
    add("--tables", nargs="+", choices=list(TABLES), metavar="TABLE", help="default: all")
    add("--models", nargs="+", metavar="MODEL", help="predictors or scalers; default: all")
    add("--only", choices=("tuning", "reporting", "all"), default="all", help="kind of tables")
    add("--seed", type=int, default=0, help="random_state of the models; the splits stay")
    add("--splits", type=int, default=5, help="splits of each table, at most")
    add("--label", help=f"name to store the results of {OURS} under")
    add("--without", choices=ABLATIONS, help=f"ingredient to leave out of {OURS}")
    add("--retry", action="store_true", help="do fits again that ended in an error")
    add("--report", action="store_true", help="print what is stored, and run nothing")
    add("--ours", default=OURS, help="model that the report compares with the others")
    add("--peers", nargs="+", help="models that the report has beside it; default: all")
    add("--library", choices=PACKAGES, help="run the models of one library, in this process")
    given = parser.parse_args()
    given.models = given.models or list(PARTS[given.part])
    if given.without:
        given.label = given.label or f"{OURS} without {given.without}"
    unknown = set(given.models) - set(PARTS[given.part])
    if unknown:
        parser.error(
            f"no {given.part}: {', '.join(unknown)}; there are {', '.join(PARTS[given.part])}"
        )
    return given


def main() -> None:
    given = options()
    wanted = [TABLES[name] for name in given.tables or TABLES]
    if given.only != "all":
        wanted = [table for table in wanted if table.is_tuning == (given.only == "tuning")]
    if given.report:
        stored = [result for result in read(given.json).values() if result.part == given.part]
        behind = list(BEHIND_SCALERS) if given.part == "transformers" else [None]
        print(report(stored, wanted, given.ours, given.peers, behind))
    elif given.library is None:
        sys.exit(1 if run(given) else 0)
    else:
        if given.without and given.library == "skscale":
            leave_out(given.without)
        for table in wanted:
            run_table(given, table, given.library)


if __name__ == "__main__":
    main()
