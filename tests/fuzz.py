"""Fit drawn tables with drawn parameters: each ends in a finite model, or in a clear error.

    python tests/fuzz.py --seed 0 --cases 10000
    python tests/fuzz.py --seed 0 --case 4711     # one case, told in full

A case is decided by the seed and its number alone. Each few hundred run in a process of their own,
so that a crash is a failure of one case; so is what takes a minute of a core.
"""

from __future__ import annotations

import argparse
import faulthandler
import inspect
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cloudpickle
import fuzz_data as data
import numpy as np
import pandas as pd
import scipy.sparse as sp
from fuzz_parameters import BASE, ESTIMATORS, NONSENSE, PARAMETERS, SINGLE
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.utils import check_array

from skscale import LearnedScaleClassifier, LearnedScaleTransformer

MAX_SECONDS = 60
# A process that is still at one case by then hangs, however busy the machine is.
HANGING_SECONDS = 600
# Of all cases, the memory that one process may take.
MAX_BYTES = 16 * 2**30
CASES_PER_PROCESS = 600
CASES_PER_BLOCK, SETTINGS_PER_BLOCK = 100, 6


@dataclass
class Case:
    """One fit: an estimator, and the arguments of its `fit` or `partial_fit`."""

    estimator: Any
    method: str
    arguments: dict[str, Any]
    random: np.random.Generator
    # What was drawn, in words.
    drawn: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        drawn = ", ".join(f"{name}={value!r}" for name, value in self.drawn.items())
        return f"{type(self.estimator).__name__}.{self.method}: {drawn}"


class Outcome(NamedTuple):
    """What a case ended in: "model", "refused" or "failed"."""

    kind: str
    message: str


def draw_case(seed: int, number: int) -> Case:
    """Draw a case: an odd table, odd parameters, nonsense for one of them, or several of these."""
    random = np.random.default_rng([seed, number])
    # Neighbours share parameters, and with them the programs that are compiled for these.
    block = np.random.default_rng([seed, number // CASES_PER_BLOCK, 1])
    settings = [_draw_parameters(block) for _ in range(SETTINGS_PER_BLOCK)]
    kind = data.pick(random, ["table", "table", "parameters", "nonsense", "all"])
    if kind in ("parameters", "all"):
        cls, base, names = data.pick(random, settings)
    else:
        cls, base, names = data.pick(random, ESTIMATORS), data.pick(random, [BASE, SINGLE]), {}
    # Objects of their own for each case.
    drawn = {name: PARAMETERS[name]()[place] for name, place in names.items()}
    if kind in ("nonsense", "all"):
        drawn[data.pick(random, _parameters_of(cls))] = data.pick(random, NONSENSE)()
    case = Case(cls(**{**base, **drawn}), "fit", {}, random, drawn)
    case.method = data.pick(random, ["fit", "fit", "fit", "fit", "partial_fit", "fit twice"])
    _draw_data(case, is_odd=kind in ("table", "all"))
    return case


def _draw_parameters(random: np.random.Generator) -> tuple[Any, dict[str, Any], dict[str, int]]:
    """Draw an estimator, parameters that most cases have, and places of others in `PARAMETERS`."""
    cls, base = data.pick(random, ESTIMATORS), data.pick(random, [BASE, SINGLE])
    names = [data.pick(random, _parameters_of(cls)) for _ in range(random.integers(1, 4))]
    return cls, base, {name: int(random.integers(len(PARAMETERS[name]()))) for name in names}


def _parameters_of(cls: Any) -> list[str]:
    return sorted(PARAMETERS.keys() & cls().get_params())


def _draw_data(case: Case, *, is_odd: bool) -> None:
    random, drawn, cls = case.random, case.drawn, type(case.estimator)
    n_rows, n_columns = data.pick(random, data.ROWS), data.pick(random, data.WIDTHS)
    if not is_odd:
        n_rows = 30
    numbers = data.draw_rows(random, n_rows, n_columns, is_odd=is_odd)
    forms = data.PLAIN_FORMS if random.random() < 0.7 else data.FORMS
    form = data.pick(random, forms) if is_odd else "array"
    has_labels = cls is LearnedScaleClassifier or (
        cls is LearnedScaleTransformer and random.random() < 0.3
    )
    kinds = data.LABELS if has_labels else data.QUANTITIES
    kind = next(iter(kinds)) if not is_odd or random.random() < 0.6 else data.pick(random, kinds)
    hidden = random.normal(size=n_rows) * 0.3 + np.sin(np.arange(n_rows))
    n_classes = int(data.pick(random, [2, 2, 3]))
    codes = np.digitize(hidden, np.linspace(-1, 1, n_classes + 1)[1:-1])
    drawn |= {"n_rows": n_rows, "n_columns": n_columns, "X": form, "y": kind}
    case.arguments["X"] = data.FORMS[form](numbers.copy(), random)
    y = kinds[kind](codes if has_labels else hidden, random)
    if cls is not LearnedScaleTransformer or random.random() < 0.8:
        case.arguments["y"] = y
    if random.random() < (0.3 if is_odd else 0.1):
        drawn["sample_weight"] = data.pick(random, data.WEIGHTS)
        case.arguments["sample_weight"] = data.WEIGHTS[drawn["sample_weight"]](n_rows, random)
    if case.method == "partial_fit":
        if has_labels and random.random() < 0.9:
            case.arguments["classes"] = np.unique(codes) if kind == "codes" else y
        return
    if random.random() < 0.1:
        drawn["groups"] = data.pick(random, data.GROUPS)
        case.arguments["groups"] = data.GROUPS[drawn["groups"]](n_rows, random)
    if random.random() < 0.1:
        drawn["X_val"] = "X"
        case.arguments["X_val"] = case.arguments["X"]
        case.arguments |= {"y_val": y} if "y" in case.arguments else {}


# Warnings that a user should see, by their class or their text.
EXPECTED = (
    r"^The training diverged",
    r"^cv=\d+ is more than the",
    r"^output_activation=.* the network cannot reach them",
    r"^callbacks=.* by epoch",
    # scikit-learn's own: of y as a column, of classes, and of a cv without groups.
    r"^A column-vector y was passed",
    r"^The least populated class in y has only",
    r"^The number of unique classes is greater than 50%",
    r"^The groups parameter is ignored by ",
    # Keras' own, of its variables of TensorFlow.
    r"^__array__ implementation doesn't accept a copy keyword",
)


def judge(case: Case) -> Outcome:
    """Run a case: a model that holds what is promised, or an error that says what to do."""
    model = case.estimator
    with warnings.catch_warnings(record=True) as caught, _stderr() as written:
        warnings.simplefilter("always")
        try:
            _fit(case)
        except (TypeError, ValueError) as error:
            faults = [*_faults_of_error(error, case), *_faults_of_warnings(caught)]
            message = f"{type(error).__name__}: {error}"
            if hasattr(model, "scale_") and case.method != "fit twice":
                faults.append("a refused fit leaves a fitted model")
        except Exception:
            return Outcome("failed", f"Another error:\n{traceback.format_exc()}")
        else:
            try:
                message, faults = "", [*_faults_of_model(case), *_faults_of_warnings(caught)]
            except Exception:
                return Outcome("failed", f"An error of a model:\n{traceback.format_exc()}")
    if written:
        faults.extend(["written to stderr:", *written])
    if faults:
        return Outcome("failed", "\n".join([*dict.fromkeys(faults), message]))
    if message:
        return Outcome("refused", message)
    texts = [str(warning.message).split("(")[0] for warning in caught]
    return Outcome("model", texts[0] if texts else "")


def _fit(case: Case) -> None:
    if case.method == "partial_fit":
        case.estimator.partial_fit(**case.arguments)
        case.estimator.partial_fit(**case.arguments)
        return
    case.estimator.fit(**case.arguments)
    if case.method == "fit twice":
        case.estimator.fit(**case.arguments)


# TensorFlow says that its cache of programs is no text and was made for another machine, and oneDNN
# that it leaves each product in float64 to others.
_LOGGED = "XlaSerializedCacheEntry|cpu_aot_loader|Not handling type DT_DOUBLE"

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")

_NAMED = r"\b(X|y|X_val|y_val|sample_weight|sample_weight_val|groups?|classes|samples?|features?|"
_NAMED += r"[Cc]olumns?|data|dtype|labels?|sparse|weights?|array)\b"


def _faults_of_error(error: Exception, case: Case) -> Iterator[str]:
    text = str(error)
    names = "|".join(map(re.escape, case.estimator.get_params(deep=False)))
    if not re.search(rf"{_NAMED}|\b({names})\b", text):
        yield "the error names no parameter and no data"
    frames = traceback.extract_tb(error.__traceback__)
    # scikit-learn shows whole tables of complex numbers.
    if len(text) > 2000 and "/skscale/" in frames[-1].filename:
        yield f"the error has {len(text)} characters"
    # narwhals reads data frames for scikit-learn.
    if not re.search(r"/(skscale|sklearn|narwhals)/", frames[-1].filename):
        yield f"the error comes from {frames[-1].filename}:{frames[-1].lineno}"


def _faults_of_warnings(caught: list[warnings.WarningMessage]) -> Iterator[str]:
    for warning in caught:
        is_known = issubclass(warning.category, ConvergenceWarning | DataConversionWarning)
        if not is_known and not any(re.search(text, str(warning.message)) for text in EXPECTED):
            where = f"{warning.filename}:{warning.lineno}"
            yield f"{warning.category.__name__} at {where}: {warning.message}"


def _faults_of_model(case: Case) -> Iterator[str]:
    model = case.estimator
    may_have_gaps = isinstance(model, LearnedScaleTransformer)
    repr(model)
    if case.random.random() < 0.1:
        # It looks at all that has been fitted, for a while.
        model._repr_html_()
    if inspect.isgenerator(model.cv):
        # It has been read, and no estimator that has one can be cloned or pickled.
        model.cv = None
    clone(model)
    # Functions of a case are of no module.
    copy = pickle.loads(cloudpickle.dumps(model))
    for rows in _rows_of(case):
        for name in METHODS:
            if not hasattr(model, name):
                continue
            # What is centred is not sparse.
            table = _dense(rows) if name == "transform" else rows
            outputs = getattr(model, name)(table)
            if not _is_finite(outputs, may_have_gaps):
                yield f"{name} is not finite"
                continue
            if not _equal(outputs, getattr(copy, name)(table)):
                yield f"{name} of the copy differs"
            if name == "predict_proba" and not np.allclose(outputs.sum(axis=1), 1, atol=1e-5):
                yield "probabilities do not add up to one"
            if name == "transform":
                back = model.inverse_transform(outputs)
                if not _is_finite(back, may_have_gaps):
                    yield "inverse_transform is not finite"
    for name, value in vars(model).items():
        # A feature without any value has no scale, and not every row need be held out.
        may_be_nan = may_have_gaps or name == "held_out_prediction_"
        if isinstance(value, np.ndarray) and not _is_finite(value, may_be_nan):
            yield f"{name} is not finite"


def _rows_of(case: Case) -> Iterator[Any]:
    """Yield the table itself, its numbers in other rows, and rows far beyond them."""
    X = case.arguments["X"]
    yield X
    table = check_array(X, accept_sparse="csr", ensure_all_finite=False, dtype=float)
    table = table.toarray() if sp.issparse(table) else table
    rows = case.random.permuted(table, axis=0)[:7]
    names = getattr(case.estimator, "feature_names_in_", None)
    # As far as float64 goes.
    with np.errstate(over="ignore", invalid="ignore"):
        far = np.nan_to_num(rows + 1e300 * (rows - rows[0]), nan=0.0)
    for array in (rows, far):
        yield array if names is None else pd.DataFrame(array, columns=names)


def _dense(rows: Any) -> Any:
    if sp.issparse(rows):
        return rows.toarray()
    return rows.sparse.to_dense() if hasattr(rows, "sparse") else rows


def _is_finite(outputs: Any, may_have_gaps: bool = False) -> bool:
    """Whether outputs are labels or numbers."""
    array = np.asarray(outputs)
    if array.dtype.kind != "f":
        return array.dtype.kind in "biuUOT"
    return bool((np.isfinite(array) | (np.isnan(array) & may_have_gaps)).all())


def _equal(first: Any, second: Any) -> bool:
    arrays = [np.asarray(outputs) for outputs in (first, second)]
    return np.array_equal(*arrays, equal_nan=arrays[0].dtype.kind == "f")


@contextmanager
def _stderr() -> Iterator[list[str]]:
    """Catch what is written through the file descriptor, as TensorFlow does."""
    written: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield written
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines = file.read().decode(errors="replace").splitlines()
            written.extend(line for line in lines if not re.search(_LOGGED, line))


def run_cases(seed: int, first: int, n_cases: int) -> Iterator[tuple[int, Outcome, float]]:
    """Run cases in this process: their numbers, outcomes and seconds of a core."""
    for number in range(first, first + n_cases):
        start = time.process_time()
        # Progress, where a case asks for it.
        with redirect_stdout(io.StringIO()):
            outcome = judge(draw_case(seed, number))
        seconds = time.process_time() - start
        if seconds > MAX_SECONDS:
            outcome = Outcome("failed", f"it took {seconds:.0f} s")
        yield number, outcome, seconds


def _work(seed: int, first: int, n_cases: int) -> None:
    """Run cases as one of many processes, and write a line for each."""
    # Not on Windows, where this module is read too.
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    with _stderr():
        # What TensorFlow logs at its start has a test of its own.
        LearnedScaleTransformer(**SINGLE).fit(np.eye(4), np.arange(4.0))
    faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
    for result in run_cases(seed, first, n_cases):
        print(json.dumps(result), flush=True)
        faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
    faulthandler.cancel_dump_traceback_later()


def _supervise(seed: int, first: int, n_cases: int) -> Iterator[tuple[int, Outcome, float]]:
    """Run cases in processes that are replaced, and when they end before their time."""
    end = first + n_cases
    while first < end:
        part = min(CASES_PER_PROCESS, end - first)
        options = ["--seed", seed, "--first", first, "--cases", part, "--work"]
        command = [sys.executable, __file__, *map(str, options)]
        # Its warnings are to be seen.
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "1"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            for line in process.stdout:
                number, outcome, seconds = json.loads(line)
                first = number + 1
                yield number, Outcome(*outcome), seconds
        if process.returncode:
            yield first, Outcome("failed", f"the process ended with {process.returncode}"), 0.0
            first += 1


def main() -> int:
    """Run what the command line asks for; the status is 1 where a case has failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--case", type=int, help="run this one alone")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.work:
        _work(settings.seed, settings.first, settings.cases)
        return 0
    if settings.case is not None:
        case = draw_case(settings.seed, settings.case)
        print(case, *judge(case), sep="\n")
        return 0
    kinds, endings, slowest = Counter(), Counter(), (0.0, 0)
    start = time.perf_counter()
    for number, outcome, seconds in _supervise(settings.seed, settings.first, settings.cases):
        kinds[outcome.kind] += 1
        if number % 100 == 99:
            print(f"... {number + 1}: {dict(kinds)}", file=sys.stderr, flush=True)
        slowest = max(slowest, (seconds, number))
        # Without what differs from case to case.
        endings[outcome.kind, re.sub(r"[=\d].*", "", outcome.message.split("\n")[0])[:90]] += 1
        if outcome.kind == "failed":
            command = f"python tests/fuzz.py --seed {settings.seed} --case {number}"
            print(f"\n{command}\n{draw_case(settings.seed, number)}\n{outcome.message}", flush=True)
    print("\nWhat they ended in:")
    for (kind, text), count in sorted(endings.items(), key=lambda item: -item[1]):
        print(f"{count:6d}  {kind}: {text}")
    print(f"\n{dict(kinds)} in {time.perf_counter() - start:.0f} s; ", end="")
    print(f"the slowest is {slowest[1]}, {slowest[0]:.1f} s")
    return int(kinds["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
