"""`to_keras`, `to_onnx` and `to_sklearn` of the transformer."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import check_is_fitted

from skscale._errors import did_you_mean
from skscale._export.onnx_graph import OnnxGraph
from skscale._export.onnx_networks import affine_outputs
from skscale._export.precision import check_features
from skscale._export.to_keras import network_model, regressor_model, transform_model
from skscale._export.to_onnx import onnx_model
from skscale._export.to_sklearn import transform_scaler
from skscale._inference.ensemble import Ensemble
from skscale._keras.quiet_import import import_keras
from skscale._normalization.affine import AffineMap
from skscale._normalization.running_moments import Moments
from skscale._target.target import TargetEncoding

if TYPE_CHECKING:
    import keras
    import onnx

# What `to_keras` gives, and the method that makes it.
_OUTPUTS = {"transform": "_transform_model", "network": "_network_model"}


class TransformerExportMixin:
    """The exports of a transformer, of which the network is one only where it was fitted with y."""

    _map: AffineMap
    _ensemble: Ensemble
    _encoding: TargetEncoding
    _running_moments: Moments
    feature_importances_: np.ndarray

    def to_keras(
        self,
        dtype: Literal["float32", "float64"] = "float32",
        *,
        output: Literal["transform", "network"] = "transform",
        layers: Literal["skscale", "keras"] = "skscale",
    ) -> keras.Model:
        """Return the transform, or the network that it was learned from, as one Keras model.

        Parameters
        ----------
        dtype : {"float32", "float64"}, default="float32"
            Precision of the model.
        output : {"transform", "network"}, default="transform"
            "transform" gives `transform`, of shape (n_samples, n_features). "network" gives the
            trained network, from features in raw units to (n_samples, n_outputs_): quantities in
            raw units (an autoencoder's are the features that vary), and logits of classes, one for
            two classes. (The logits are what a `loss` of your own was given.)
        layers : {"skscale", "keras"}, default="skscale"
            What the model is made of. "skscale" has the layers of `skscale.layers`, by name.
            "keras" has Keras' own layers and operations alone, with the same numbers to rounding:
            its file loads where this package is not installed.

        Returns
        -------
        model : keras.Model
            A new model, not compiled. The layers of several networks, whose outputs are averaged,
            have names that end in ``"_member_0"``, ``"_member_1"`` and so on.

        Raises
        ------
        ValueError
            If `dtype`, `output` or `layers` is not one of those listed, if a network is asked for
            and none was trained, if float32 cannot hold the units of a feature or target, or if
            ``layers="keras"`` meets a layer or function of another package, in `network` for
            example.

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
        >>> from skscale import LearnedScaleTransformer
        >>> X = np.array([[1.0, 2e-20], [3.0, 6e-20]])
        >>> model = LearnedScaleTransformer().fit(X).to_keras()
        >>> np.asarray(model(X)).round(6).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]

        The network of an autoencoder, with a factor and an offset for each of two features:

        >>> options = {"unsupervised": "autoencoder", "scale_regularizer": None, "epochs": 5}
        >>> scaler = LearnedScaleTransformer(hidden_layer_sizes=(2,), **options).fit(X)
        >>> model = scaler.to_keras(output="network")
        >>> [(layer.name, layer.count_params()) for layer in model.layers[2:5]]
        [('scaling', 4), ('dense_0', 6), ('dense_1', 6)]
        """
        check_is_fitted(self)
        if output not in _OUTPUTS:
            raise InvalidParameterError(
                f"output={output!r} is unknown. " + did_you_mean(str(output), _OUTPUTS)
            )
        import_keras()
        return getattr(self, _OUTPUTS[output])(dtype, layers)

    def to_onnx(
        self, dtype: Literal["float32", "float64"] = "float32", *, target_opset: int | None = None
    ) -> onnx.ModelProto:
        """Return the transform as one ONNX model, without TensorFlow.

        Its input is ``"X"`` and its output ``"transformed"``, both of shape
        (n_samples, n_features).

        Parameters
        ----------
        dtype : {"float32", "float64"}, default="float32"
            Precision of input and output; what is between them is float64.
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
            If `dtype` or `target_opset` is none of those, or float32 cannot hold the units of a
            feature.

        Warns
        -----
        UserWarning
            If a feature lies so far from zero that float32 loses digits that matter: more than
            100 standard deviations.

        See Also
        --------
        skscale.onnx : Converters for skl2onnx, which writes whole pipelines.

        Examples
        --------
        >>> import numpy as np
        >>> import onnxruntime
        >>> from skscale import LearnedScaleTransformer
        >>> X = np.array([[1.0, 2e-20], [3.0, 6e-20]])
        >>> model = LearnedScaleTransformer().fit(X).to_onnx("float64")
        >>> session = onnxruntime.InferenceSession(model.SerializeToString())
        >>> session.run(None, {"X": X})[0].round(6).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
        """
        check_is_fitted(self)
        return onnx_model(
            functools.partial(self._onnx_outputs, instead="to_onnx(dtype='float64')"),
            n_features=self._map.n_features,
            dtype=dtype,
            target_opset=target_opset,
            name=type(self).__name__,
        )

    def _onnx_outputs(self, graph: OnnxGraph, X: str, *, instead: str) -> dict[str, str]:
        dtype, standard = graph.dtype.name, self._standard_map
        check_features(dtype, self._map, standard, self._varying, instead=instead)
        return {"transformed": affine_outputs(graph, self._map, X)}

    def to_sklearn(self) -> StandardScaler:
        """Return the transform as a fitted `StandardScaler`, which needs nothing else.

        To serve a model where only scikit-learn is installed.

        Returns
        -------
        scaler : sklearn.preprocessing.StandardScaler
            Fitted, with the `transform` and `inverse_transform` of this transformer; its `scale_`
            divides.

        Raises
        ------
        ValueError
            If ``readout="gain"`` gives a factor of zero, or an offset to a feature that lies so
            far from zero that `mean_` cannot hold both.

        Notes
        -----
        `StandardScaler` computes float32 rows in float32, so give it float64 where features lie far
        from zero. A transformer that was fitted without `y` also gives `n_samples_seen_`, from
        which ``partial_fit`` of the scaler goes on. A learned scale has none, as more rows would
        put their standard deviations in its place.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_diabetes
        >>> from skscale import LearnedScaleTransformer
        >>> X, y = load_diabetes(return_X_y=True, scaled=False)
        >>> options = {"scale_regularizer": None, "epochs": 20, "random_state": 0}
        >>> transformer = LearnedScaleTransformer(**options).fit(X, y)
        >>> scaler = transformer.to_sklearn()
        >>> scaler
        StandardScaler()
        >>> bool(np.allclose(scaler.transform(X), transformer.transform(X), rtol=1e-12))
        True
        """
        check_is_fitted(self)
        return transform_scaler(
            self._map,
            self._standard_map,
            moments=None if hasattr(self, "_ensemble") else self._running_moments,
            feature_names=getattr(self, "feature_names_in_", None),
        )

    @property
    def _standard_map(self) -> AffineMap:
        """Standardization of the features, which says what digits of them matter."""
        return self._ensemble.standard if hasattr(self, "_ensemble") else self._map

    @property
    def _varying(self) -> np.ndarray:
        """Numbers of the features that vary."""
        if hasattr(self, "_ensemble"):
            return self._ensemble.active
        return np.flatnonzero(self.feature_importances_)

    def _transform_model(self, dtype: str, layers: str) -> keras.Model:
        return transform_model(
            self._map,
            self._standard_map,
            self._varying,
            dtype=dtype,
            layers=layers,
            name=type(self).__name__,
        )

    def _network_model(self, dtype: str, layers: str) -> keras.Model:
        if not hasattr(self, "_ensemble"):
            raise ValueError(
                "output='network' needs a network, but this transformer was fitted without y under "
                "unsupervised='standard', which trains none. Fit it with y, or set "
                "unsupervised='autoencoder'."
            )
        target_map, name = self._encoding.target_map, type(self).__name__
        if target_map is None:
            return network_model(self._ensemble, dtype=dtype, layers=layers, name=name)
        return regressor_model(self._ensemble, target_map, dtype=dtype, layers=layers, name=name)
