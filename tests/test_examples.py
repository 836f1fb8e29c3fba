"""The examples run as a newcomer runs them, on the data that their README describes."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skscale import LearnedScaleTransformer

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
DATA = EXAMPLES / "data"

N_MODELS = 11


@pytest.fixture(scope="module")
def ignition():
    with np.load(DATA / "hydrogen_ignition.npz") as data:
        return dict(data)


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(EXAMPLES / "learn_the_scale.py"))


@pytest.mark.slow
def test_learn_the_scale_runs_from_any_directory(tmp_path):
    # A copy, because it writes its figure beside itself.
    copy = shutil.copytree(EXAMPLES, tmp_path / "copy", ignore=shutil.ignore_patterns("*.png"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    finished = subprocess.run(
        [sys.executable, copy / "learn_the_scale.py", "--quick"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    # No fit failed, none stopped before it converged.
    assert "Warning" not in finished.stderr
    assert not list(elsewhere.iterdir())
    for table in ("diabetes", "hydrogen ignition"):
        progress = re.findall(rf"^{table} +(\d+)/{N_MODELS}  R2 (\S+)", finished.stdout, re.M)
        assert [int(number) for number, _ in progress] == list(range(1, N_MODELS + 1))
        # Chance is 0; the worst model of the quick setting is well above.
        assert all(0.1 < float(r2) < 1.0 for _, r2 in progress)
    figure = matplotlib.image.imread(copy / "learn_the_scale.png")
    assert figure.shape[1] > figure.shape[0] > 500
    assert figure.std() > 0.1


@pytest.mark.slow
def test_pictures_of_the_guide_are_small(tmp_path):
    script = EXAMPLES / "guide" / "pictures.py"
    runpy.run_path(str(script))["main"](["--folder", str(tmp_path)])
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {path.name for path in script.parent.glob("*.png")}
    for folder in (tmp_path, script.parent):
        for name in drawn:
            assert (folder / name).stat().st_size < 80_000
            # A picture that shows nothing has one colour.
            assert matplotlib.image.imread(folder / name).std() > 0.1
    plt.close("all")


_FULL_DISK = """
import resource, runpy, sys
from pathlib import Path
import pandas as pd

examples, folder = map(Path, sys.argv[1:])
sys.path.insert(0, str(examples / "benchmarks"))
from harness import write_json
draw_figure = runpy.run_path(str(examples / "learn_the_scale.py"))["draw_figure"]
weights = pd.DataFrame({"age": [0.1, 0.2, 0.4], "sex": [2.0, 2.5, 3.0]})
# No file may grow beyond a byte, which fails as a full disk does.
resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
for write in (
    lambda: draw_figure({"one": weights, "two": weights}, folder / "figure.png"),
    lambda: write_json(folder / "results.json", [1.0]),
):
    try:
        write()
    except OSError:
        print("full")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_on_a_full_disk_the_files_of_before_stay(run_python, tmp_path):
    files = [tmp_path / "figure.png", tmp_path / "results.json"]
    for file in files:
        file.write_text("of before")
    assert run_python(_FULL_DISK, str(EXAMPLES), str(tmp_path)).split() == ["full", "full"]
    assert [file.read_text() for file in files] == ["of before", "of before"]


@pytest.fixture(scope="module")
def search():
    return runpy.run_path(str(EXAMPLES / "search_layer_options.py"))


@pytest.mark.slow
def test_search_layer_options_shows_readable_results(search, capsys):
    grid, halving = search["main"](["--quick"])
    printed = capsys.readouterr().out
    # Keras' objects would show where they lie in memory.
    assert " object at 0x" not in printed
    assert printed.count("R2 of the best on ignitions not seen: 0.") == 2
    assert "R2 without a search, LearnedScaleTransformer(): 0." in printed
    for table in (grid, halving):
        # Chance is 0.
        assert table["R2"].between(0.1, 1.0).all()
        for scaler in ("StandardScaler", "MinMaxScaler", "LearnedScaleTransformer"):
            assert (table["scale"] == scaler).any()
        options = table["scale_initializer"][table["scale"] == "LearnedScaleTransformer"]
        assert set(options) <= {"ones", "RandomNormal(mean=1.0, stddev=0.1)", "glorot_uniform"}
        # The other scalers have no such option.
        assert (table["scale_initializer"] == "").sum() == len(table) - len(options) > 0
    assert len(grid) == 6
    assert halving["rows"].tolist() == [450] * 2 + [150] * 6
    assert grid["R2"].is_monotonic_decreasing


def test_search_keeps_whole_ignitions_for_the_score(search, ignition):
    searched, kept = search["hydrogen_ignition"](quick=False)
    assert not set(searched.ignition) & set(kept.ignition)
    assert len(searched.y) + len(kept.y) == len(ignition["T"])
    for rows in (searched, kept):
        np.testing.assert_array_equal(rows.X["temperature"], ignition["T"][rows.X.index])
        np.testing.assert_array_equal(rows.ignition, ignition["trajectory"][rows.X.index])


@pytest.fixture(scope="module")
def intervals():
    return runpy.run_path(str(EXAMPLES / "conformal_intervals.py"))


@pytest.mark.slow
def test_conformal_intervals_cover_what_they_promise(intervals, capsys):
    result = intervals["main"](["--quick"])
    assert "Intervals of 90%" in capsys.readouterr().out
    coverage = result["coverage"].unstack("way")
    # Of 442 rows, whose share has a standard deviation of 1.4 %.
    assert coverage["held-out misses"].between(0.85, 0.95).all()
    assert (coverage["return_std=True"] < coverage["held-out misses"]).all()
    assert (result["width"] > 0).all()


def test_conformal_width_is_the_miss_that_a_new_row_exceeds_with_the_rest_of_the_probability(
    intervals,
):
    half_width = intervals["conformal_half_width"]
    # The 18th of 19: a new one is as likely to be any of 20 in order, 18 of which are 90 %.
    assert half_width(np.arange(19.0, 0.0, -1.0), 0.9) == 18
    # So few rows promise no more than all of them do.
    assert half_width(np.arange(19.0, 0.0, -1.0), 0.99) == 19


def test_weights_are_relative_to_standard_scaler(example):
    table = example["diabetes"](n_folds=2)
    rows = [table.X.iloc[train] for train, _ in table.folds]
    # Without y the learned scale is StandardScaler's own, up to rounding.
    same = [make_pipeline(LearnedScaleTransformer()).fit(part) for part in rows]
    weights = example["relative_weights"](same)
    assert list(weights.columns) == list(table.X.columns)
    np.testing.assert_allclose(weights, np.ones((2, 10)), rtol=1e-12)


def test_figure_has_a_bar_from_standard_scaler_to_the_median_and_a_dot_for_each_fold(example):
    weights = pd.DataFrame({"age": [0.1, 0.2, 0.4], "sex": [2.0, 2.5, 3.0]})
    _, axes = plt.subplots()
    example["draw_weights"](axes, weights)
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
    assert ends == pytest.approx([2.5, 0.2])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sex", "age"]
    dots = np.concatenate([dots.get_offsets()[:, 0] for dots in axes.collections])
    assert sorted(dots) == [0.1, 0.2, 0.4, 2.0, 2.5, 3.0]
    plt.close("all")


def test_no_trajectory_is_in_two_folds(example, ignition):
    table = example["hydrogen_ignition"](n_folds=5)
    assert table.X.shape == (1500, 10)
    assert "AR" not in table.X
    trajectory = ignition["trajectory"][table.X.index]
    for train, test in table.folds:
        assert not set(trajectory[train]) & set(trajectory[test])
    assert sorted(np.concatenate([test for _, test in table.folds])) == list(range(1500))


def test_target_belongs_to_the_rows(example, ignition):
    table = example["hydrogen_ignition"](n_folds=5)
    rows = table.X.index
    np.testing.assert_array_equal(table.X["temperature"], ignition["T"][rows])
    # sinh undoes arcsinh up to rounding, amplified by the logarithm of the largest value.
    released = ignition["heat_release_rate"][rows]
    np.testing.assert_allclose(np.sinh(table.y) * 1e4, released, rtol=1e-12)


def test_ignition_table_has_the_shapes_that_its_readme_says(ignition):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| `(\w+)` \| \(([\d, ]+)\) \|", readme, re.M)
    shapes = {
        name: tuple(int(size) for size in shape.split(",") if size) for name, shape in described
    }
    assert {name: array.shape for name, array in ignition.items()} == shapes


def test_ignition_table_is_what_its_readme_says(ignition):
    measured = [name for name in ignition if name not in ("species", "trajectory")]
    for name in measured:
        assert ignition[name].dtype == np.float64
        assert np.isfinite(ignition[name]).all()
    species = list(ignition["species"])
    assert not ignition["Y"][:, species.index("AR")].any()
    assert np.bincount(ignition["trajectory"]).tolist() == [60] * 40
    # Mass fractions add up to one, up to the rounding of ten terms.
    np.testing.assert_allclose(ignition["Y"].sum(axis=1), 1.0, rtol=1e-14)
