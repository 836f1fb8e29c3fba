"""How an estimator shows itself in HTML: objects of Keras, texts and links."""

from __future__ import annotations

import html
import inspect
import os
import re
import subprocess
import sys

import keras
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


def texts(page):
    """Return what is shown on hover, by the name that it is shown for."""
    shown = re.findall(r'param-doc-description"[^>]*>\s*(\w+): (.*?)</span>', page, re.DOTALL)
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


def doubled(x):
    return 2 * x


KERAS_OBJECTS = {
    "kernel_initializer": (keras.initializers.HeNormal(seed=1), "HeNormal(seed=1)"),
    "scale_regularizer": (keras.regularizers.L1(0.1), "L1(l1=0.1)"),
    "kernel_constraint": (keras.constraints.MaxNorm(3), "MaxNorm(max_value=3)"),
    "loss": (keras.losses.Huber(delta=2.0), "Huber(delta=2.0)"),
    "optimizer": (keras.optimizers.SGD(0.5), "SGD(learning_rate=0.5)"),
    "activation": (doubled, "doubled"),
}


@has_texts
@pytest.mark.parametrize("name", KERAS_OBJECTS)
@pytest.mark.parametrize("is_nested", [False, True], ids=["alone", "in a pipeline"])
def test_objects_of_keras_show_their_settings(name, is_nested):
    value, shown = KERAS_OBJECTS[name]
    model = LearnedScaleRegressor(**{name: value})
    tables = estimator_html_repr(make_pipeline(model) if is_nested else model)
    cells = re.findall(r'<td class="value">(.*?)</td>', tables)
    assert html.escape(shown) in cells, cells
    assert not any(" at 0x" in cell for cell in cells)
    assert model.get_params()[name] is value
