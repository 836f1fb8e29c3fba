"""Seconds that a fitted model needs to serve: start, one row, a million rows, a transform.

Beside LearnedScaleRegressor and LearnedScaleTransformer: scikit-learn's StandardScaler with and
without an MLPRegressor, the same network through scikeras, and Keras' own ``Model.predict`` behind
a Normalization layer. All networks have two hidden layers of 64 units and relu, except the default
ensembles of LearnedScaleRegressor, which are ten of them with silu, without the embedding and with
it. They are fitted on a small table for a few epochs: only what comes after the fit is measured.
For a million rows Keras gets batches of 4096, as its own 32 are much slower. Keras computes the
float64 rows of the table in float64 too (by ``keras.config.set_floatx``).

Run it with ``python examples/benchmarks/serve_speed.py``; it takes some ten minutes on two cores
and 3 GB of memory. It needs ``pip install -e '.[benchmarks]'``. A single part:
``--part transform``.
"""

from __future__ import annotations

import functools
import os
import pickle
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from harness import in_fresh_process, in_turn, parser, ratio, require, table, write_json
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import assert_all_finite

from skscale import LearnedScaleRegressor, LearnedScaleTransformer

WIDTHS, EPOCHS, BATCH_SIZE = (64, 64), 5, 128
PREDICT_BATCH_SIZE = 4096
N_FEATURES, N_TRANSFORM_FEATURES, N_FIT_ROWS = 20, 50, 2000
CALLS_SECONDS = 0.3

OURS, DEFAULT = "LearnedScaleRegressor, one network", "LearnedScaleRegressor, default"
EMBEDDED = f"{DEFAULT} with embedding"
IN_FRONT, BASE = "LearnedScaleTransformer + MLPRegressor", "StandardScaler + MLPRegressor"
KERAS, SCIKERAS = "Keras Model.predict", "StandardScaler + scikeras"

_TELL = "import sys; print(str('tensorflow' in sys.modules).lower())"
FIRST_PREDICTION = f"""
import pickle, sys
with open(sys.argv[1], "rb") as file:
    model, row, options = pickle.load(file)
model.predict(row, **options)
{_TELL}
"""
IMPORTS = {
    name: f"{name}; {_TELL}"
    for name in (
        "import sklearn.preprocessing",
        "import skscale",
        "import sklearn.preprocessing, skscale",
        "from skscale import LearnedScaleRegressor",
        "from sklearn.neural_network import MLPRegressor",
    )
}

Arrays = tuple[np.ndarray, np.ndarray]
Times = dict[str, list[float]]


def small_table(n_features: int, dtype: str) -> Arrays:
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, (N_FIT_ROWS, n_features)).astype(dtype)
    return X, np.sin(X[:, 0]) + X[:, 1] / 2


def large_table(n_rows: int, n_features: int, dtype: str) -> np.ndarray:
    X = np.random.default_rng(1).standard_normal((n_rows, n_features), np.dtype(dtype))
    X *= 2
    X += 3
    return X


def fit_ours(X: np.ndarray, y: np.ndarray) -> Any:
    return LearnedScaleRegressor(
        scale_regularizer=None,
        embedding=None,
        hidden_layer_sizes=WIDTHS,
        activation="relu",
        epochs=EPOCHS,
        random_state=0,
    ).fit(X, y)


def fit_default(X: np.ndarray, y: np.ndarray, embedding: str | None = None) -> Any:
    # Which of them pays is another question than what it costs.
    return LearnedScaleRegressor(embedding=embedding, epochs=EPOCHS, random_state=0).fit(X, y)


def fit_mlp(X: np.ndarray, y: np.ndarray, scaler: Any = None) -> Any:
    mlp = MLPRegressor(
        hidden_layer_sizes=WIDTHS, batch_size=BATCH_SIZE, max_iter=EPOCHS, random_state=0
    )
    with warnings.catch_warnings():
        # A few epochs are enough to be served.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return make_pipeline(scaler or StandardScaler(), mlp).fit(X, y)


def fit_in_front(X: np.ndarray, y: np.ndarray) -> Any:
    return fit_mlp(X, y, LearnedScaleTransformer(epochs=EPOCHS, random_state=0))


def network(*first: Any) -> Any:
    import keras

    model = keras.Sequential(
        [keras.Input((N_FEATURES,)), *first]
        + [keras.layers.Dense(width, "relu") for width in WIDTHS]
        + [keras.layers.Dense(1)]
    )
    model.compile("adam", "mean_squared_error")
    return model


def fit_keras(X: np.ndarray, y: np.ndarray) -> Any:
    import keras

    keras.config.set_floatx(str(X.dtype))
    normalization = keras.layers.Normalization()
    normalization.adapt(X)
    model = network(normalization)
    model.fit(X, y, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    return model


def fit_scikeras(X: np.ndarray, y: np.ndarray) -> Any:
    from scikeras.wrappers import KerasRegressor

    regressor = KerasRegressor(
        network(),
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        predict__batch_size=PREDICT_BATCH_SIZE,
        verbose=0,
    )
    return make_pipeline(StandardScaler(), regressor).fit(X, y)


# scikeras comes last: imported, it replaces how every Keras model pickles.
FITS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    OURS: fit_ours,
    DEFAULT: fit_default,
    EMBEDDED: functools.partial(fit_default, embedding="periodic"),
    IN_FRONT: fit_in_front,
    BASE: fit_mlp,
    KERAS: fit_keras,
    SCIKERAS: fit_scikeras,
}
PREDICT_OPTIONS = {KERAS: {"batch_size": PREDICT_BATCH_SIZE, "verbose": 0}}


def predictions(rows: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """Fit every model in the dtype of some rows, and return their predictions of these as works."""
    X, y = small_table(N_FEATURES, str(rows.dtype))
    return {
        name: functools.partial(fit(X, y).predict, rows, **PREDICT_OPTIONS.get(name, {}))
        for name, fit in FITS.items()
    }


def report(
    title: str,
    times: Times,
    over: Sequence[str],
    *,
    milliseconds: bool = False,
    columns: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Print medians, ratios run by run over some of the works, and further columns."""
    columns, factor = columns or {}, 1000.0 if milliseconds else 1.0
    unit = "ms" if milliseconds else "s"
    rows = [
        [name, factor * float(np.median(own)), *(ratio(own, times[peer]) for peer in over)]
        + [column.get(name) for column in columns.values()]
        for name, own in times.items()
    ]
    header = [title, f"{unit} (median)", *(f"over {peer}" for peer in over), *columns]
    print(table(header, rows) + "\n", flush=True)


def start(runs: int, _: int) -> dict[str, Any]:
    """Fresh interpreter, unpickle, first prediction: seconds of the whole process."""
    X, y = small_table(N_FEATURES, "float64")
    with tempfile.TemporaryDirectory() as folder:
        works: dict[str, Callable[[], Any]] = {}
        for number, (name, fit) in enumerate(FITS.items()):
            path = Path(folder, f"{number}.pickle")
            path.write_bytes(pickle.dumps((fit(X, y), X[:1], PREDICT_OPTIONS.get(name, {}))))
            works[name] = functools.partial(in_fresh_process, "-c", FIRST_PREDICTION, str(path))
        # The first one also brings the files of all imports into memory.
        has_tensorflow = {name: work() for name, work in works.items()}
        times = in_turn(works, runs)
    title, columns = "fresh process to first prediction", {"imports TensorFlow": has_tensorflow}
    report(title, times, (BASE, OURS), columns=columns)
    return {"times": times, "imports TensorFlow": has_tensorflow}


def imports(runs: int, _: int) -> dict[str, Any]:
    """Fresh interpreter and one import."""
    works = {name: functools.partial(in_fresh_process, "-c", do) for name, do in IMPORTS.items()}
    has_tensorflow = {name: work() for name, work in works.items()}
    times = in_turn(works, runs)
    columns = {"imports TensorFlow": has_tensorflow}
    report("fresh process, import", times, ("import sklearn.preprocessing",), columns=columns)
    return {"times": times, "imports TensorFlow": has_tensorflow}


def call_seconds(work: Callable[[], object]) -> float:
    """Return the median time of calls, as many as fit into a part of a second."""
    times: list[float] = []
    while sum(times) < CALLS_SECONDS or len(times) < 3:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def one_row(runs: int, _: int) -> dict[str, Any]:
    """One row in a process that has predicted before."""
    works = predictions(large_table(1, N_FEATURES, "float64"))
    in_turn(works, 1)
    times = in_turn(works, runs, call_seconds)
    report("one row, float64", times, (BASE, OURS), milliseconds=True)
    return {"float64": {"times": times}}


def peak_megabytes(work: Callable[[], object]) -> float:
    """Return the most memory of NumPy at any time of a call, beside what was there before."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def bulk(runs: int, n_rows: int) -> dict[str, Any]:
    """Many rows at once."""
    results = {}
    for dtype in ("float64", "float32"):
        works = predictions(large_table(n_rows, N_FEATURES, dtype))
        # TensorFlow's memory is not seen.
        in_numpy = (OURS, DEFAULT, EMBEDDED, IN_FRONT, BASE)
        peaks = {name: peak_megabytes(works[name]) for name in in_numpy}
        for name in (KERAS, SCIKERAS):
            works[name]()
        times = in_turn(works, runs)
        title = f"{n_rows:,} x {N_FEATURES}, {dtype}"
        report(title, times, (BASE, OURS), columns={"peak MB, beside X": peaks})
        results[dtype] = {"times": times, "peak MB": peaks}
    return results


def transform(runs: int, n_rows: int) -> dict[str, Any]:
    """Scale many rows, beside plain passes over the same memory."""
    results = {}
    base = "StandardScaler"
    for dtype in ("float64", "float32"):
        X, y = small_table(N_TRANSFORM_FEATURES, dtype)
        learned = LearnedScaleTransformer(epochs=EPOCHS, random_state=0).fit(X, y)
        plain, standard = LearnedScaleTransformer().fit(X), StandardScaler().fit(X)
        rows = large_table(n_rows, N_TRANSFORM_FEATURES, dtype)
        used = np.ones_like(rows)
        works: dict[str, Callable[[], object]] = {
            "LearnedScaleTransformer": functools.partial(learned.transform, rows),
            "LearnedScaleTransformer, fitted without y": functools.partial(plain.transform, rows),
            base: functools.partial(standard.transform, rows),
            "copy to new memory": rows.copy,
            "copy to memory in use": functools.partial(np.copyto, used, rows),
            "check for NaN and infinity": functools.partial(assert_all_finite, rows),
        }
        peaks = {name: peak_megabytes(work) for name, work in works.items()}
        times = in_turn(works, runs)
        # The check writes nothing.
        moved = {name: (1 + ("check" not in name)) * rows.nbytes / 1e9 for name in works}
        rates = {name: moved[name] / float(np.median(times[name])) for name in works}
        columns = {"GB/s, X in and out once": rates, "peak MB, beside X": peaks}
        title = f"{n_rows:,} x {N_TRANSFORM_FEATURES}, {dtype}"
        report(title, times, (base, "copy to new memory"), columns=columns)
        results[dtype] = {"times": times, "peak MB": peaks}
    return results


PARTS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "start": start,
    "imports": imports,
    "one-row": one_row,
    "bulk": bulk,
    "transform": transform,
}


def main() -> None:
    options = parser(__doc__, runs=7)
    options.add_argument("--rows", type=int, default=1_000_000, help="of the large tables")
    options.add_argument("--part", action="append", choices=list(PARTS), help="only this; repeat")
    asked = options.parse_args()
    require("keras", "scikeras")
    results = {}
    # The first part has to be the first: see `FITS`.
    for name, measure in PARTS.items():
        if name in (asked.part or PARTS):
            results[name] = measure(asked.runs, asked.rows)
    write_json(asked.json, results)


if __name__ == "__main__":
    main()
