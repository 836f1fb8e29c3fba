"""Importing skscale is cheap, and its names resolve on first use."""

from __future__ import annotations

import importlib.metadata

import pytest

import skscale

HEAVY = ["tensorflow", "keras", "scikeras"]

LOADED = "import sys; print([name for name in {heavy} if name in sys.modules])"


def test_import_leaves_heavy_libraries_alone(run_python):
    heavy = [*HEAVY, "sklearn", "scipy", "numpy", "matplotlib", "pandas"]
    assert run_python(f"import skscale; {LOADED.format(heavy=heavy)}").strip() == "[]"


@pytest.mark.parametrize("name", skscale.__all__)
def test_public_name_resolves_without_keras(run_python, name):
    made = f"{name}()" if isinstance(getattr(skscale, name), type) else name
    loaded = run_python(f"from skscale import {name}; {made}; {LOADED.format(heavy=HEAVY)}")
    assert loaded.strip() == "[]"


@pytest.mark.slow
def test_layers_import_keras_but_not_scikeras(run_python):
    # scikeras changes how Keras models pickle, everywhere, as soon as it is imported.
    loaded = run_python(f"import skscale.layers; {LOADED.format(heavy=['keras', 'scikeras'])}")
    assert loaded.strip() == "['keras']"


@pytest.mark.parametrize("name", skscale.__all__)
def test_public_name_is_listed_and_kept(name):
    assert name in dir(skscale)
    assert getattr(skscale, name).__name__ == name
    assert vars(skscale)[name] is getattr(skscale, name)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skscale' has no attribute 'StandardScaler'"):
        skscale.StandardScaler  # noqa: B018


def test_version_is_the_installed_one():
    assert importlib.metadata.version("skscale") == skscale.__version__
