"""Converters for skl2onnx: ``import skscale.onnx``, and it writes pipelines with our estimators.

Importing this module registers `LearnedScaleRegressor`, `LearnedScaleClassifier` and
`LearnedScaleTransformer` with skl2onnx. Nothing else is needed from it. The `to_onnx` of each
estimator writes that estimator alone, and needs no registration.

Notes
-----
The rows that skl2onnx is shown decide the precision: float32 for ``X[:1].astype("float32")``,
float64 for float64. A classifier takes the options that skl2onnx' own have: ``"zipmap"``,
``"nocl"``, ``"output_class_labels"``, and ``"raw_scores"`` for its `decision_function` instead of
probabilities, with a column for each of two classes too.

It needs the extra: ``pip install 'skscale[onnx]'``.

Examples
--------
>>> import numpy as np
>>> import onnxruntime
>>> import skl2onnx
>>> from sklearn.datasets import load_iris
>>> from sklearn.neighbors import KNeighborsClassifier
>>> from sklearn.pipeline import make_pipeline
>>> import skscale.onnx
>>> from skscale import LearnedScaleTransformer
>>> X, y = load_iris(return_X_y=True)
>>> scaler = LearnedScaleTransformer(scale_regularizer=None, epochs=20, random_state=0)
>>> pipeline = make_pipeline(scaler, KNeighborsClassifier()).fit(X, y)
>>> model = skl2onnx.to_onnx(pipeline, X[:1].astype("float32"), options={"zipmap": False})
>>> session = onnxruntime.InferenceSession(model.SerializeToString())
>>> label, probabilities = session.run(None, {"X": X.astype("float32")})
>>> bool((label == pipeline.predict(X)).all())
True
"""

from __future__ import annotations

from skscale._classifier import LearnedScaleClassifier
from skscale._regressor import LearnedScaleRegressor
from skscale._transformer import LearnedScaleTransformer

try:
    import skl2onnx as _skl2onnx  # noqa: F401
except ImportError as error:
    raise ImportError(
        "skscale.onnx registers with skl2onnx, which is not installed. Run: "
        "pip install 'skscale[onnx]'"
    ) from error

from skscale._export.skl2onnx_converters import (
    register_classifier,
    register_regressor,
    register_transformer,
)

__all__: list[str] = []

register_regressor(LearnedScaleRegressor)
register_classifier(LearnedScaleClassifier)
register_transformer(LearnedScaleTransformer)
