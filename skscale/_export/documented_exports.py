"""`to_keras`, `to_onnx`, `to_sklearn` and `to_scikeras`, documented once for both predictors."""

from __future__ import annotations

import functools
from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skscale._export.onnx_graph import OnnxGraph
from skscale._export.to_onnx import onnx_model
from skscale._inference.ensemble import Ensemble
from skscale._keras.quiet_import import import_keras
from skscale._parameters import LearnedScaleParameters

if TYPE_CHECKING:
    import keras
    import onnx
    from scikeras.wrappers import KerasClassifier, KerasRegressor


class PredictorExportMixin(LearnedScaleParameters):
    """The exports, documented for regressor and classifier together."""

    _ensemble: Ensemble
    n_iter_: int

    def to_keras(
        self,
        dtype: Literal["float32", "float64"] = "float32",
        *,
        layers: Literal["skscale", "keras"] = "skscale",
    ) -> keras.Model:
        """Return the fitted model as one Keras model on raw units.

        It holds the normalization and the networks with their average. Of a regressor its outputs
        are the predictions in the units of `y`, of shape (n_samples, n_outputs); of a classifier
        the probabilities of `predict_proba`, of shape (n_samples, n_classes), in the order of
        `classes_`.

        Parameters
        ----------
        dtype : {"float32", "float64"}, default="float32"
            Precision of the model.
        layers : {"skscale", "keras"}, default="skscale"
            What the model is made of. "skscale" has the layers of `skscale.layers`, by name.
            "keras" has Keras' own layers and operations alone, with the same numbers to rounding:
            its file loads where this package is not installed.

        Returns
        -------
        model : keras.Model
            A new model, not compiled. The layers of several networks have names that end in
            ``"_member_0"``, ``"_member_1"`` and so on.

        Raises
        ------
        ValueError
            If `dtype` or `layers` is none of those, if float32 cannot hold the units of a feature
            or target, or if ``layers="keras"`` meets a layer or function of another package, in
            `network` for example.

        Warns
        -----
        UserWarning
            If a feature lies so far from zero that float32 loses digits that matter: more than
            100 standard deviations.

        Notes
        -----
        The weights are the fitted ones; initializers, regularizers, constraints and dropout are in
        place for a training that goes on. The penalty that ``scale_regularizer="auto"`` chose is
        not. ``model.save("model.keras")`` keeps everything, and loads wherever `skscale.layers` is
        imported, or with ``layers="keras"`` wherever Keras is; ``model.export(folder)`` writes a
        SavedModel that needs nothing of this package.

        ``model.predict`` rounds arrays to ``keras.config.floatx()``, which is float32 unless it was
        set, whatever the model computes in. Call ``model(X)`` for float64.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_diabetes, load_iris
        >>> from skscale import LearnedScaleClassifier, LearnedScaleRegressor
        >>> options = {"scale_regularizer": None, "epochs": 20, "random_state": 0}
        >>> X, y = load_diabetes(return_X_y=True, scaled=False)
        >>> regressor = LearnedScaleRegressor(**options).fit(X, y)
        >>> model = regressor.to_keras("float64")
        >>> [layer.name for layer in model.layers[:4]]
        ['features', 'normalization', 'scaling', 'dense_0']
        >>> bool(np.allclose(np.asarray(model(X))[:, 0], regressor.predict(X)))
        True
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = LearnedScaleClassifier(**options).fit(X, y)
        >>> model = classifier.to_keras("float64")
        >>> bool(np.allclose(np.asarray(model(X)), classifier.predict_proba(X)))
        True
        """
        check_is_fitted(self)
        import_keras()
        return self._keras_model(dtype, layers, type(self).__name__)

    def to_onnx(
        self, dtype: Literal["float32", "float64"] = "float32", *, target_opset: int | None = None
    ) -> onnx.ModelProto:
        """Return the fitted model as one ONNX model on raw units, without TensorFlow.

        Its input is ``"X"``, of shape (n_samples, n_features). Of a regressor the output is
        ``"prediction"``, of shape (n_samples, n_outputs); of a classifier ``"label"``, of shape
        (n_samples,), and ``"probabilities"``, of shape (n_samples, n_classes), in the order of
        `classes_`.

        Parameters
        ----------
        dtype : {"float32", "float64"}, default="float32"
            Precision of input, networks and output.
        target_opset : int or None, default=None
            Version of the operators of ONNX, at least 18; None is 21, which onnxruntime reads from
            1.18 on.

        Returns
        -------
        model : onnx.ModelProto
            The model; ``onnx.save(model, "model.onnx")`` writes it.

        Raises
        ------
        ImportError
            If onnx is not installed: ``pip install 'skscale[onnx]'``.
        ValueError
            If `dtype` or `target_opset` is none of those, if float32 cannot hold the units of a
            feature or target, if the networks have layers that only Keras runs, or if labels are
            fractions.

        Warns
        -----
        UserWarning
            If a feature lies so far from zero that float32 loses digits that matter: more than
            100 standard deviations.

        See Also
        --------
        skscale.onnx : Converters for skl2onnx, which writes whole pipelines.

        Notes
        -----
        The centre of each feature is subtracted in float64 in either precision, as `predict` does.
        Booleans among the labels are 0 and 1.

        All networks are computed together: rows of a large table are best given in parts of some
        thousands.

        Examples
        --------
        >>> import numpy as np
        >>> import onnxruntime
        >>> from sklearn.datasets import load_diabetes
        >>> from skscale import LearnedScaleRegressor
        >>> X, y = load_diabetes(return_X_y=True, scaled=False)
        >>> options = {"scale_regularizer": None, "epochs": 20, "random_state": 0}
        >>> regressor = LearnedScaleRegressor(**options).fit(X, y)
        >>> model = regressor.to_onnx("float64")
        >>> session = onnxruntime.InferenceSession(model.SerializeToString())
        >>> (prediction,) = session.run(None, {"X": X})
        >>> bool(np.allclose(prediction[:, 0], regressor.predict(X), rtol=1e-12))
        True
        """
        check_is_fitted(self)
        return onnx_model(
            functools.partial(self._onnx_outputs, instead="to_onnx(dtype='float64')"),
            n_features=self._ensemble.input_map.n_features,
            dtype=dtype,
            target_opset=target_opset,
            name=type(self).__name__,
        )

    def to_sklearn(self) -> Pipeline:
        """Return the fitted model of scikit-learn's own estimators, which need nothing else.

        To serve a model where only scikit-learn is installed. A network without embedding, with
        hidden layers of "relu", "tanh", "sigmoid" or "linear", is a `StandardScaler` and an
        `MLPRegressor` or `MLPClassifier`. The networks of an ensemble stand side by side in one
        `MLPRegressor`, or vote in a `VotingClassifier` of `MLPClassifier`.

        Returns
        -------
        pipeline : sklearn.pipeline.Pipeline
            Fitted. From features in raw units it computes what `predict` and `predict_proba` do,
            to rounding.

        Raises
        ------
        ValueError
            If scikit-learn has no counterpart of the networks: of the embedding, of another
            activation, of sine layers, of a regressor's `output_activation`, of layers that only
            Keras runs, or of a temperature behind the probabilities that a `loss` of a classifier
            takes. The message names what to fit with instead.

        Notes
        -----
        Under ``embedding="auto"`` the path may choose networks with the embedding, which are
        refused; ``embedding=None`` never has them. A model that predicts the mean has neither
        embedding nor hidden layers, and is given whatever the options.

        The perceptron of an ensemble multiplies many zeros: of ten networks with two hidden layers
        of 64, it predicts a large table in four times the time, a row in the same, and its pickle
        is fifteen times as large.

        `StandardScaler` rounds float32 rows before it subtracts, so give float64 where features
        lie far from zero. The pipeline's computation is float64 either way. A `y` of one column
        is predicted as a vector, as `MLPRegressor` does. `MLPClassifier` takes logarithms of
        rounded probabilities: `predict_log_proba` is minus infinity where a probability is below
        rounding.

        The pipeline predicts; it knows nothing of how it was trained, and `fit` trains
        scikit-learn's own network of these widths anew. Pickle it for the version of scikit-learn
        that loads it.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_diabetes, load_iris
        >>> from skscale import LearnedScaleClassifier, LearnedScaleRegressor
        >>> options = {"activation": "relu", "embedding": None, "random_state": 0}
        >>> single = {"scale_regularizer": None, "epochs": 20}
        >>> X, y = load_diabetes(return_X_y=True, scaled=False)
        >>> regressor = LearnedScaleRegressor(**options, **single).fit(X, y)
        >>> pipeline = regressor.to_sklearn()
        >>> pipeline
        Pipeline(steps=[('standardscaler', StandardScaler()),
                        ('mlpregressor', MLPRegressor(hidden_layer_sizes=(64, 64)))])
        >>> bool(np.allclose(pipeline.predict(X), regressor.predict(X), rtol=1e-10))
        True
        >>> X, y = load_iris(return_X_y=True)
        >>> path = {"cv": 2, "epochs": 20, "regularization_path": [(0.0, 0.0), (0.1, 1.0)]}
        >>> classifier = LearnedScaleClassifier(**options, **path).fit(X, y)
        >>> pipeline = classifier.to_sklearn()
        >>> [type(step).__name__ for step in pipeline]
        ['StandardScaler', 'VotingClassifier']
        >>> difference = pipeline.predict_proba(X) - classifier.predict_proba(X)
        >>> bool(np.abs(difference).max() < 1e-10)
        True
        """
        check_is_fitted(self)
        return self._sklearn_pipeline(getattr(self, "feature_names_in_", None))

    def to_scikeras(self) -> KerasRegressor | KerasClassifier:
        """Return the same network as an unfitted estimator of scikeras, trained by Keras' `fit`.

        For `tf.data`, distribution strategies and callbacks of batches, which `fit` here does not
        know. Nothing that was fitted is taken over; see `to_keras` for that.

        Returns
        -------
        estimator : scikeras.wrappers.KerasRegressor or scikeras.wrappers.KerasClassifier
            Not fitted, of the kind of this estimator and with its options.

        Raises
        ------
        ValueError
            If Keras does not know an option, or the `loss` of a classifier is none that scikeras
            can use: "auto", or the binary or categorical cross-entropy.

        Notes
        -----
        scikeras passes the rows to the network as they are: put a `StandardScaler` in front, or
        set ``model__normalization="batch"``, and a `TransformedTargetRegressor` around a regressor.
        `normalization`, `target_normalization`, `scale_learning_rate_factor`, `cv` and `dtype`
        have no counterpart. What is "auto" becomes: no `scale_regularizer`, as a path of strengths
        is not Keras' (search ``model__scale_regularizer`` instead); Adam at a constant rate of
        0.01 without weight decay; the mean squared error, or for classes the cross-entropy of a
        softmax over all of them, two as well; 100 epochs.

        A grid reaches every option by its prefix: ``model__hidden_layer_sizes``,
        ``optimizer__learning_rate``, ``epochs``. scikeras 0.13 does not tell scikit-learn 1.7 and
        later what kind of estimator it is: stacking and voting refuse it, and searches do not
        stratify folds of classes by themselves (give them ``cv=StratifiedKFold(5)``).

        Importing scikeras changes how Keras models pickle in the whole process. It is imported
        here, and by nothing else in this package.

        Examples
        --------
        .. code-block:: python

            scaled = make_pipeline(StandardScaler(), LearnedScaleRegressor().to_scikeras())
            model = TransformedTargetRegressor(scaled, transformer=StandardScaler())
            rates = {"regressor__kerasregressor__optimizer__learning_rate": [1e-3, 1e-2]}
            GridSearchCV(model, rates).fit(X, y)

            model = make_pipeline(StandardScaler(), LearnedScaleClassifier().to_scikeras())
            grid = {"kerasclassifier__model__activation": ["tanh", "silu"]}
            GridSearchCV(model, grid, cv=StratifiedKFold(5)).fit(X, y)
        """
        import_keras()
        return self._scikeras_wrapper()

    @abstractmethod
    def _keras_model(self, dtype: str, layers: str, name: str) -> keras.Model: ...

    @abstractmethod
    def _onnx_outputs(self, graph: OnnxGraph, X: str, *, instead: str) -> dict[str, str]: ...

    @abstractmethod
    def _sklearn_pipeline(self, feature_names: np.ndarray | None) -> Pipeline: ...

    @abstractmethod
    def _scikeras_wrapper(self) -> KerasRegressor | KerasClassifier: ...
