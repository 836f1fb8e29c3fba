"""The exports of the regressor and of the classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.pipeline import Pipeline

from skscale._export.documented_exports import PredictorExportMixin
from skscale._export.onnx_graph import OnnxGraph
from skscale._export.onnx_networks import (
    classifier_outputs,
    decisions,
    labels,
    onnx_classes,
    regressor_outputs,
)
from skscale._export.precision import check_features, check_units
from skscale._export.to_keras import classifier_model, regressor_model
from skscale._export.to_scikeras import scikeras_classifier, scikeras_regressor
from skscale._export.to_sklearn import classifier_pipeline, regressor_pipeline
from skscale._inference.ensemble import Ensemble
from skscale._normalization.affine import AffineMap
from skscale._parameters import KerasOption, shared_parameters
from skscale._target.class_weight import ClassWeight

if TYPE_CHECKING:
    import keras
    from scikeras.wrappers import KerasClassifier, KerasRegressor


class RegressorExportMixin(PredictorExportMixin):
    """The exports of a regressor."""

    _target_map: AffineMap
    output_activation: KerasOption

    def _keras_model(self, dtype: str, layers: str, name: str) -> keras.Model:
        return regressor_model(
            self._ensemble, self._target_map, dtype=dtype, layers=layers, name=name
        )

    def _onnx_outputs(self, graph: OnnxGraph, X: str, *, instead: str) -> dict[str, str]:
        _check_precision(graph, self._ensemble, instead)
        check_units(graph.dtype.name, self._target_map, "targets")
        return {"prediction": regressor_outputs(graph, self._ensemble, self._target_map, X)}

    def _sklearn_pipeline(self, feature_names: np.ndarray | None) -> Pipeline:
        return regressor_pipeline(
            self._ensemble, self._target_map, n_iter=self.n_iter_, feature_names=feature_names
        )

    def _scikeras_wrapper(self) -> KerasRegressor:
        parameters = shared_parameters(self)
        return scikeras_regressor(parameters, output_activation=self.output_activation)


class ClassifierExportMixin(PredictorExportMixin):
    """The exports of a classifier."""

    classes_: np.ndarray
    _from_logits: bool
    _temperature: float
    class_weight: ClassWeight

    def _keras_model(self, dtype: str, layers: str, name: str) -> keras.Model:
        return classifier_model(
            self._ensemble,
            from_logits=self._from_logits,
            temperature=self._temperature,
            dtype=dtype,
            layers=layers,
            name=name,
        )

    def _onnx_outputs(
        self,
        graph: OnnxGraph,
        X: str,
        *,
        instead: str,
        classes: np.ndarray | None = None,
        raw_scores: bool = False,
    ) -> dict[str, str]:
        _check_precision(graph, self._ensemble, instead)
        log_p = classifier_outputs(
            graph,
            self._ensemble,
            X,
            from_logits=self._from_logits,
            temperature=self._temperature,
        )
        names = onnx_classes(self.classes_ if classes is None else classes)
        scores = decisions(graph, log_p, len(names)) if raw_scores else graph.add("Exp", log_p)
        return {"label": labels(graph, log_p, names), "probabilities": scores}

    def _sklearn_pipeline(self, feature_names: np.ndarray | None) -> Pipeline:
        return classifier_pipeline(
            self._ensemble,
            self.classes_,
            from_logits=self._from_logits,
            temperature=self._temperature,
            n_iter=self.n_iter_,
            feature_names=feature_names,
        )

    def _scikeras_wrapper(self) -> KerasClassifier:
        parameters = shared_parameters(self)
        return scikeras_classifier(parameters, class_weight=self.class_weight)


def _check_precision(graph: OnnxGraph, ensemble: Ensemble, instead: str) -> None:
    affine, standard = ensemble.input_map, ensemble.standard
    check_features(graph.dtype.name, affine, standard, ensemble.active, instead=instead)
