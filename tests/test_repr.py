"""How an estimator shows itself: links and texts of its HTML form."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys

import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr
from sklearn.utils.fixes import parse_version

from skscale import LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer

ALL = [LearnedScaleClassifier, LearnedScaleRegressor, LearnedScaleTransformer]
SKLEARN = parse_version(sklearn.__version__)

has_texts = pytest.mark.skipif(
    parse_version("1.8") > SKLEARN, reason="scikit-learn shows texts of parameters from 1.8 on"
)
has_attributes = pytest.mark.skipif(
    parse_version("1.9") > SKLEARN, reason="scikit-learn shows fitted attributes from 1.9 on"
)


def texts(html):
    """Return what is shown on hover, by the name that it is shown for."""
    shown = re.findall(r'param-doc-description"[^>]*>\s*(\w+): (.*?)</span>', html, re.DOTALL)
    return dict(shown)


@has_texts
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("is_nested", [False, True], ids=["alone", "in a pipeline"])
def test_every_parameter_has_its_text_on_hover(cls, is_nested):
    model = make_pipeline(cls()) if is_nested else cls()
    shown = texts(estimator_html_repr(model))
    assert set(inspect.signature(cls).parameters) <= set(shown)
    assert shown["batch_size"].startswith("int, default=&quot;auto&quot;<br><br>Rows of one step")


@has_attributes
def test_fitted_attributes_have_their_texts_on_hover():
    model = LearnedScaleTransformer().fit([[1.0], [3.0]])
    shown = texts(estimator_html_repr(model))
    assert {"scale_", "offset_", "power_"} <= set(shown)


LINKS = """
import skscale
from sklearn.utils import estimator_html_repr

for cls in (
    skscale.LearnedScaleClassifier, skscale.LearnedScaleRegressor, skscale.LearnedScaleTransformer
):
    print(cls()._get_doc_link())
    assert f'href="{cls()._get_doc_link()}"' in estimator_html_repr(cls())
"""


@pytest.mark.parametrize("label", ["Documentation", "Repository"])
def test_the_html_form_links_to_the_page_that_the_package_names(tmp_path, label):
    # The metadata of another build, in front of the installed ones.
    folder = tmp_path / "skscale-9.9.9.dist-info"
    folder.mkdir()
    metadata = f"Name: skscale\nVersion: 9.9.9\nProject-URL: {label}, https://example.org/guide\n"
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\n{metadata}")
    finished = subprocess.run(
        [sys.executable, "-c", LINKS],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == ["https://example.org/guide"] * 3
