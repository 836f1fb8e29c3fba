"""Compiled programs on disk are found by later processes, whatever these do first."""

from __future__ import annotations

import os

import pytest

_FITS = """
import os, sys
import numpy as np
import pytest
import skscale

directory, *embeddings = sys.argv[1:]
with pytest.raises(ValueError, match="holds a space, which TensorFlow takes for the end"):
    skscale.set_program_cache(directory + "/of my own")
skscale.set_program_cache(directory)
X = np.random.default_rng(0).normal(size=(60, 3))
for embedding in embeddings:
    options = {"embedding": None if embedding == "none" else embedding, "epochs": 3}
    skscale.LearnedScaleRegressor(
        **options, hidden_layer_sizes=(4,), regularization_path=[0.1], cv=2
    ).fit(X, X[:, 0])
with pytest.raises(RuntimeError, match="came too late: TensorFlow runs in this process"):
    skscale.set_program_cache(directory)
"""


@pytest.mark.slow
def test_programs_are_found_by_a_process_that_needs_them_in_another_order(
    run_python, tmp_path, monkeypatch
):
    monkeypatch.delenv("TF_XLA_FLAGS", raising=False)
    kept = []
    for embeddings in (("none", "periodic"), ("periodic", "none")):
        run_python(_FITS, str(tmp_path / "programs"), *embeddings)
        kept.append(set(os.listdir(tmp_path / "programs")))
    assert len(kept[0]) == 2
    assert kept[1] == kept[0]
