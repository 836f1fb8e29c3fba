"""A notebook shows what was asked for, and no red block of messages beside it."""

from __future__ import annotations

import nbclient
import nbformat
import pytest

FIT = """
import numpy as np
from skscale import LearnedScaleRegressor

X = np.random.default_rng(0).normal(size=(40, 3))
model = LearnedScaleRegressor(hidden_layer_sizes=(4,), epochs=5, scale_regularizer="l1")
model.fit(X, X[:, 0])
"""


@pytest.mark.slow
# Of the libraries that talk to the kernel.
@pytest.mark.filterwarnings("default")
def test_first_fit_in_a_notebook_shows_the_model_alone(monkeypatch, tmp_path):
    # As a user has it, who has asked for no silence.
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    # Where it is set, a kernel does not show what comes through file descriptor 2.
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    cells = [nbformat.v4.new_code_cell(source) for source in (FIT, "model.predict(X[:2]).shape")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=300).execute()
    (shown,), (shape,) = (cell.outputs for cell in notebook.cells)
    assert "LearnedScaleRegressor" in shown.data["text/html"]
    assert shape.data["text/plain"] == "(2,)"
