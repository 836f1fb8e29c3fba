"""Parameters are written once, and show their defaults, types and texts wherever users look."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing

import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from numpydoc.validate import validate

import skscale
from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer
from skscale._parameters import CONSTRAINTS, LearnedScaleParameters, shared_parameters

ALL = [LearnedScaleRegressor, LearnedScaleClassifier, LearnedScaleTransformer]
SHARED = {field.name: field.default for field in dataclasses.fields(LearnedScaleParameters)}
OWN = {
    LearnedScaleRegressor: {"output_activation", "target_normalization"},
    LearnedScaleClassifier: {"class_weight"},
    LearnedScaleTransformer: {
        "target_normalization",
        "target_type",
        "readout",
        "power",
        "unsupervised",
    },
}

# What is said of a parameter where the estimators differ in what it means.
OF_ITS_OWN = {"normalization", "loss", "cv"}


def texts(documented):
    """Return the type and text of every parameter in a docstring."""
    return {entry.name: (entry.type, " ".join(entry.desc)) for entry in documented["Parameters"]}


def docstring(cls):
    return texts(ClassDoc(cls, config={"show_class_members": False}))


@pytest.mark.parametrize("cls", ALL)
def test_signature_has_every_parameter_with_its_type_and_default(cls):
    parameters = inspect.signature(cls).parameters
    assert parameters.keys() == {*SHARED, *OWN[cls]}
    hints = typing.get_type_hints(cls.__init__)
    for name, parameter in parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert name in hints
        if name in SHARED:
            # The very objects, as `clone` asks for.
            assert parameter.default is SHARED[name], name


@pytest.mark.parametrize("cls", ALL)
def test_chunks_take_everything_after_y_by_keyword_only(cls):
    parameters = inspect.signature(cls.partial_fit).parameters
    by_position = [n for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    assert by_position == ["self", "X", "y"]
    assert "sample_weight" in parameters


@pytest.mark.parametrize("cls", ALL)
def test_every_parameter_has_a_constraint_and_no_constraint_is_left_over(cls):
    assert cls._parameter_constraints.keys() == inspect.signature(cls).parameters.keys()
    assert CONSTRAINTS.keys() == SHARED.keys()


@pytest.mark.parametrize("cls", ALL)
def test_docstring_has_the_parameters_of_the_signature_with_their_defaults(cls):
    documented, parameters = docstring(cls), inspect.signature(cls).parameters
    assert list(documented) == list(parameters)
    for name, (kind, _) in documented.items():
        written = re.search(r"default=(.*)$", kind)
        assert written, name
        assert written[1] == repr(parameters[name].default).replace("'", '"'), name


@pytest.mark.parametrize("name", [name for name in SHARED if name not in OF_ITS_OWN])
def test_a_shared_parameter_reads_the_same_in_all_docstrings(name):
    first, *others = (docstring(cls)[name] for cls in ALL)
    assert all(other == first for other in others)


def test_numbers_of_numpy_are_those_of_python_below_the_estimators():
    numbers = {"center": np.True_, "epochs": np.int8(2), "learning_rate": np.float32(0.5)}
    shared = shared_parameters(LearnedScaleRegressor(**numbers))
    values = [shared.center, shared.epochs, shared.learning_rate]
    assert values == [True, 2, 0.5]
    assert [type(value) for value in values] == [bool, int, float]


def test_build_network_reads_as_the_estimators_do():
    documented = texts(FunctionDoc(skscale.build_network))
    # A single network has no path, and the layers of a user their output as they give it.
    of_its_own = {"scale_regularizer", "normalization", "network", "embedding"}
    for name in documented.keys() & SHARED.keys() - of_its_own:
        assert documented[name] == docstring(LearnedScaleRegressor)[name], name


# Classes whose constructor is generated are documented in sources that a linter cannot match.
CHECKS = {"GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "GL10", "SS01", "SS02", "SS03"}
CHECKS |= {"SS04", "SS06", "PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR10"}
CHECKS -= {"GL01"}  # our docstrings begin on the line of their quotes


@pytest.mark.parametrize("name", [f"skscale.{cls.__name__}" for cls in ALL])
def test_docstring_is_valid_numpydoc_at_run_time(name):
    errors = [error for error in validate(name)["errors"] if error[0] in CHECKS]
    assert errors == []


CHECKED = """
from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

X, y = [[0.0], [1.0]], [0, 1]
reveal_type(LearnedScaleRegressor().fit(X, y))
reveal_type(LearnedScaleClassifier().partial_fit(X, y, classes=y))
reveal_type(LearnedScaleTransformer().fit(X))
reveal_type(LearnedScaleRegressor(epochs="auto").epochs)
LearnedScaleClassifier(batch_size="large")
"""


@pytest.mark.slow
def test_type_checkers_know_parameters_and_what_fit_returns(tmp_path):
    from mypy import api

    script = tmp_path / "script.py"
    script.write_text(CHECKED)
    output, _, _ = api.run(["--config-file", "pyproject.toml", str(script)])
    for shown in (
        'Revealed type is "skscale._regressor.LearnedScaleRegressor"',
        'Revealed type is "skscale._classifier.LearnedScaleClassifier"',
        'Revealed type is "skscale._transformer.LearnedScaleTransformer"',
        'Argument "batch_size" to "LearnedScaleClassifier" has incompatible type',
    ):
        assert shown in output, output
