"""Importing skscale is cheap, and its names resolve on first use."""

from __future__ import annotations

import importlib.metadata

import pytest

import skscale

HEAVY = ["tensorflow", "keras", "scikeras", "matplotlib"]

LOADED = "import sys; print([name for name in {heavy} if name in sys.modules])"


def test_import_leaves_heavy_libraries_alone(run_python):
    heavy = [*HEAVY, "sklearn", "scipy", "numpy", "pandas"]
    assert run_python(f"import skscale; {LOADED.format(heavy=heavy)}").strip() == "[]"


def test_public_names_resolve_without_keras_and_matplotlib(run_python):
    made = [
        f"skscale.{name}()" if name.startswith("LearnedScale") else f"skscale.{name}"
        for name in skscale.__all__
    ]
    loaded = run_python(f"import skscale; {'; '.join(made)}; {LOADED.format(heavy=HEAVY)}")
    assert loaded.strip() == "[]"


def test_public_names_and_layers_are_listed_and_nothing_else(run_python):
    # Before and after private modules are there.
    listed = run_python(
        "import skscale; print(dir(skscale)); skscale.LearnedScaleRegressor(); print(dir(skscale))"
    )
    assert listed.splitlines() == [str(sorted([*skscale.__all__, "distributed", "layers"]))] * 2


def test_layers_need_no_import_of_their_own(run_python):
    shown = run_python("import skscale; print(skscale.layers.ScalingLayer.__name__)")
    assert shown.strip() == "ScalingLayer"


@pytest.mark.parametrize("name", sorted(set(skscale.__all__) - {"SKOPS_TRUSTED"}))
def test_public_name_is_kept(name):
    assert getattr(skscale, name).__name__ == name
    assert vars(skscale)[name] is getattr(skscale, name)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skscale' has no attribute 'StandardScaler'"):
        skscale.StandardScaler  # noqa: B018


def test_version_is_the_installed_one():
    assert importlib.metadata.version("skscale") == skscale.__version__
