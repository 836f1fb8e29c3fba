"""A regressor that learns the scale of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skscale._base import BaseLearnedScale, copy_random_state, fits
from skscale._dask_collections import by_partition
from skscale._export.predictor_exports import RegressorExportMixin
from skscale._fitting.held_out import check_columns, named
from skscale._fitting.training_set import TrainingSet
from skscale._importance.sensitivity import importances, pooled_sensitivity
from skscale._inference.ensemble import Ensemble
from skscale._inference.held_out import held_out_mean
from skscale._normalization.affine import AffineMap
from skscale._normalization.dense_rows import dense_rows, in_blocks
from skscale._normalization.sample_weight import cover_zero_weights, relative_weights
from skscale._parameters import KERAS_OPTION, NORMALIZATION, KerasOption
from skscale._selection.folds import Fold
from skscale._target.checks import warn_of_targets_out_of_range
from skscale._target.quantities import quantities_target
from skscale._target.target import Target, TargetEncoding

# What `_validate_data` is told of targets.
_TARGETS = {"multi_output": True, "y_numeric": True}


@by_partition("predict")
@dataclass(kw_only=True, eq=False, repr=False)
class LearnedScaleRegressor(RegressorMixin, RegressorExportMixin, BaseLearnedScale):
    """Regressor whose first layer learns the scale of every feature.

    A small network behind a normalization: each feature is multiplied by a trainable factor and
    shifted by a trainable offset, Dense layers follow, and the output is brought back to the
    units of `y`. Inputs and targets may be in any units.

    By default an L1 penalty on the factors is chosen on held-out folds, and the networks of those
    folds are averaged.

    Parameters
    ----------
    normalization : str, transformer or None, default="standard"
        What the data themselves say about the scale: the name of a criterion ("standard",
        "minmax", "robust", "pareto", ...), an affine scikit-learn scaler such as
        ``MinMaxScaler()``, "batch" (standardization, then Keras' BatchNormalization without scale
        and centre), or None.
    center : bool, default=True
        Whether the scaling layer adds a trainable offset.
    scale_initializer : str, dict or Initializer, default="ones"
        Keras initializer of the factors.
    scale_regularizer : "auto", str, dict, Regularizer or None, default="auto"
        "auto" chooses the strength of ``strength * mean(|scale|)`` on held-out data and averages
        the networks of the folds; each fold has two, up to 10,000 rows to learn from. Anything
        else trains one network, with that Keras regularizer (a sum, added to the loss) or none.
    scale_constraint : str, dict, Constraint or None, default=None
        Keras constraint on the factors.
    center_initializer : str, dict or Initializer, default="zeros"
        Keras initializer of the offsets.
    center_regularizer : str, dict, Regularizer or None, default=None
        Keras regularizer of the offsets.
    center_constraint : str, dict, Constraint or None, default=None
        Keras constraint on the offsets.
    embedding : "auto", "periodic", Layer, class, dict, callable or None, default="auto"
        What scaled features are handed on with. "periodic" adds a few learned waves of each
        feature that has more than two values, a `skscale.layers.PeriodicEmbedding`; None is the
        plain network. A Keras layer of your own, its class, config, or a function
        ``n_features -> layer`` stands in its place. "auto" lets the path choose between
        "periodic" and None; under a fixed `scale_regularizer` it is "periodic" from 1,000 rows to
        learn from. It is None for tables of one batch, for `partial_fit`, and where other
        parameters ask for Keras layers of your own.
    hidden_layer_sizes : array-like of int or int, default=(64, 64)
        Units of each hidden layer.
    activation : str, dict or callable, default="silu"
        Keras activation of the hidden layers.
    use_bias : bool, default=True
        Whether the Dense layers add a bias.
    kernel_initializer : str, dict or Initializer, default="auto"
        Keras initializer of the kernels; "auto" draws hidden kernels with variance 2 / fan_in and
        the output kernel with variance 1 / fan_in.
    bias_initializer : str, dict or Initializer, default="auto"
        Keras initializer of the biases; "auto" draws hidden biases with standard deviation 0.1
        and starts the output bias at zero.
    kernel_regularizer : str, dict, Regularizer or None, default=None
        Keras regularizer of the kernels.
    kernel_constraint : str, dict, Constraint or None, default=None
        Keras constraint on the kernels.
    dropout : float, default=0.0
        Share of the hidden units that are dropped in every training step, as Keras' `Dropout`.
    hidden_layer : "dense", "sine", str, class or callable, default="dense"
        Kind of the hidden layers: `keras.layers.Dense`, `skscale.layers.SineDense` (which has no
        `activation`), any other Keras layer by name or class, or a function ``units -> layer``.
    network : callable, Layer, Model, dict or None, default=None
        Layers of your own behind the scaling layer, in place of hidden and output layers: a
        function ``(n_features, n_outputs, **network_params) -> layer or model``, or a Keras layer
        or model, of which the architecture is taken and the weights are drawn anew.
    network_params : dict or None, default=None
        Options of a `network` that is a function.
    loss : str, dict or Loss, default="auto"
        Keras loss, on the normalized target; "auto" is the mean squared error.
    optimizer : str, dict or Optimizer, default="auto"
        Keras optimizer; "auto" is Adam (epsilon 1e-3) with decoupled weight decay. An instance
        or a config keeps its own learning rate, schedule and decay.
    learning_rate : float, default="auto"
        Learning rate of the first step, which falls to zero along a cosine. "auto" is 0.01, or
        Keras' default for an optimizer given by name.
    scale_learning_rate_factor : float, default=10.0
        Learning rate of the factors over that of the other weights.
    weight_decay : float, default="auto"
        Decoupled weight decay of the kernels; "auto" follows the path, or is 0.1 for a single
        network.
    epochs : int, default="auto"
        Passes over the rows; "auto" is 100 and at least 1,500 steps, and fewer beyond 10,000 rows
        to learn from: a million rows in all, but no fewer than ten passes.
    batch_size : int, default="auto"
        Rows of one step; "auto" is 128 up to 8,000 rows to learn from, 256 up to 30,000, 512 up to
        100,000, and 1,024 beyond. Chunks of `partial_fit` have 128.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Training precision; "auto" is float64 up to `batch_size` rows, float32 beyond.
    early_stopping : bool, default=False
        Whether a single network stops when its held-out loss no longer falls, and goes back to its
        best epoch. Needs a `scale_regularizer` other than "auto".
    validation_fraction : float, default=0.1
        Share of the rows held out for `early_stopping`, where `fit` gets no `X_val`.
    n_iter_no_change : int, default=10
        Epochs without a smaller held-out loss before `early_stopping` stops.
    callbacks : Callback, sequence of Callback or None, default=None
        Keras callbacks with hooks for epochs and for the training. A single network calls them;
        each of several has copies of its own (a `TensorBoard` in a folder of its own). Networks
        with callbacks train one by one. `val_loss` is that of held-out rows, under
        ``scale_regularizer="auto"``, `early_stopping` or `X_val`. A callback that sets the learning
        rate ends its schedule. What they saw is in `callbacks_`. Those of scikit-learn go to
        `set_callbacks`.
    warm_start : bool, default=False
        Whether `fit` goes on with the present networks: under ``scale_regularizer="auto"`` with
        the chosen ones, under the same penalty and on the same folds of the same rows.
    cv : int, splitter or iterable, default=5
        Folds under ``scale_regularizer="auto"``. An int means shuffled folds, by group where
        `fit` gets any; it is lowered to what the rows allow. Where `fit` gets `X_val`, nothing
        else is held out.
    regularization_path : sequence, default="auto"
        Strengths, or pairs (strength, weight decay), under ``scale_regularizer="auto"``.
    n_jobs : int or None, default=None
        Jobs that the path is spread over, as tasks of the current joblib backend. With -1, ``with
        joblib.parallel_config(backend="dask"): model.fit(X, y)`` uses the workers of a cluster;
        without a backend they are processes of this machine. None trains in this process, on all of
        its cores, which is quicker on one machine; the result is the same, to the bit where the
        machines are alike. Ctrl-C keeps what was learned when the path was last scored. A single
        network, `callbacks`, `warm_start` and `partial_fit` train in this process.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, batches and folds.
    verbose : int, default=0
        Whether progress, and what is chosen in the end, is printed.
    output_activation : str, dict or callable, default="linear"
        Keras activation of the output, before it is brought back to the units of `y`. A warning
        tells where the normalized `y` lies outside of what it can give.
    target_normalization : str, transformer or None, default="standard"
        Normalization of `y`, as `normalization`.

    Attributes
    ----------
    scale_ : ndarray of shape (n_features_in_,)
        Normalization and scaling layer composed: each feature is *multiplied* by it (as
        `MinMaxScaler.scale_`, unlike `StandardScaler.scale_`). Averaged over the networks.
    offset_ : ndarray of shape (n_features_in_,)
        What is added then: the scaling layer gives ``X * scale_ + offset_``.
    relative_scale_ : ndarray of shape (n_features_in_,)
        Magnitude of `scale_` in units of what `StandardScaler` would multiply by: 2 is twice the
        data's own scale, 0 a feature that was dropped. 1 for constant features.
    member_scales_ : ndarray of shape (n_networks, n_features_in_)
        The same of each network, of which `relative_scale_` is the mean.
    feature_importances_ : ndarray of shape (n_features_in_,)
        Mean squared gradient of the network by each standardized feature; sums to one.
    n_iter_ : int
        Epochs done.
    history_ : dict of list of float
        ``loss`` of every epoch, averaged over the networks; ``val_loss`` of a single network that
        has rows held out, or with callbacks under "auto".
    callbacks_ : list of Callback, or of lists of Callback
        The `callbacks` that were called: of a single network those given, of several a list for
        each network that was trained for the model. Without their models, and only where
        `callbacks` were given; deep copies and pickles have no `callbacks_`.
    path_ : dict
        ``strength``, ``weight_decay``, ``embedding`` (whether there is one), ``mean_loss`` and
        ``std_loss`` (held out) of every point of the path, ``stopped`` (whether others were so far
        ahead that its training ended early), ``best_index``, and ``null_loss`` of predicting the
        mean, which is the model where no point is better. Also ``scale`` of shape
        (n_points, n_features_in_), the magnitude of the factors of each point (in units of what
        `StandardScaler` multiplies by, mean over the networks of the folds as far as they were
        trained), ``epochs`` after which points were scored, and ``losses`` (held out) then, NaN for
        points that had stopped. Only under ``scale_regularizer="auto"``; of `partial_fit` without
        ``null_loss``, ``epochs`` and ``losses``.
    held_out_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Prediction for each row of `fit` by the networks that have not seen it, in the units of `y`;
        NaN for rows that were never held out. Only under ``scale_regularizer="auto"``, where rows
        of `X` are held out. No method reads it: `del` it where a pickle is to be small.
    held_out_rmse_ : float or ndarray of shape (n_outputs,)
        Root mean square error of those predictions (of those for `X_val`, where `fit` got it),
        weighted by `sample_weight`, in the units of `y`.
    n_outputs_ : int
        Number of outputs.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where `X` has any.

    See Also
    --------
    LearnedScaleTransformer : The learned scale in front of any other estimator.
    sklearn.neural_network.MLPRegressor : A network on inputs scaled by the user.

    Notes
    -----
    The network is ``y = center_y + sd_y * f(s * (x - mean) / sd + t)``, where s and t are trained
    with f. Under "auto" s is updated by a proximal step, so that factors of features that do not
    help become exactly zero.

    A fitted estimator holds NumPy arrays and plain values: it pickles, and predicts without
    TensorFlow, unless it has layers that NumPy cannot run, which predict through Keras. NumPy runs
    Dense and sine layers, and of `network` stacks of Dense, Dropout, Activation, ReLU and its
    relatives, BatchNormalization, LayerNormalization and Rescaling.

    `predict` of a dask array or data frame is a dask array, computed lazily by blocks of rows or
    partitions. `skscale.distributed.fit` learns from such collections.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skscale import LearnedScaleRegressor
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> model = LearnedScaleRegressor(scale_regularizer=None, epochs=20, random_state=0)
    >>> model.fit(X, y).predict(X[:2]).shape
    (2,)
    """

    output_activation: KerasOption = "linear"
    target_normalization: Any = "standard"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseLearnedScale._parameter_constraints,
        "output_activation": KERAS_OPTION,
        "target_normalization": NORMALIZATION,
    }
    _prediction_state: ClassVar[Mapping[str, type]] = {
        "_ensemble": Ensemble,
        "_target_map": AffineMap,
        "_is_column": bool,
    }

    @fits
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Learn the scale and the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in any units, finite. A sparse table becomes dense part by part; while networks
            train, its features that vary take 4 bytes a number, or 8 in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets in any units, finite.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample; a weight of 2 counts as the sample twice.
        groups : array-like of shape (n_samples,), default=None
            Groups that stay together in the folds of `cv`.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows to hold out, such as `X`: early stopping then draws none, and under "auto" the
            path learns from all of `X`, without folds. A single network without `early_stopping`
            only reports their loss. In a `Pipeline` that has ``transform_input=["X_val"]`` they
            pass the same steps as `X`.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weight of each row of `X_val`.

        Returns
        -------
        self : LearnedScaleRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data or a parameter cannot be used; before any training starts.
        KeyboardInterrupt
            After Ctrl-C, when the networks of the last whole epoch are in place.
        RuntimeError
            If this process cannot train: Keras has another backend than TensorFlow, or it is a fork
            of a process in which TensorFlow runs.
        """
        rows, targets = self._validate_data(X, y, **_TARGETS, ensure_min_samples=2)
        held_out = self._validate_held_out(
            X_val, y_val, sample_weight_val, groups=groups, **_TARGETS
        )
        callbacks = self._sklearn_callbacks(X, y, sample_weight)
        weights = self._validate_sample_weight(sample_weight, rows)
        rows = cover_zero_weights(rows, weights)
        target_map = None if self._previous_model() is None else self._target_map
        target = self._encode_target(targets, weights, target_map)
        random = check_random_state(self.random_state)
        data = TrainingSet(dense_rows(rows), target, weights, copy_random_state(random))
        if held_out is not None:
            data = data.with_held_out(
                dense_rows(held_out.X),
                self._held_out_target(held_out.y, held_out.sample_weight, target),
                held_out.sample_weight,
            )
        self._fit(data, groups, random, callbacks)
        return self

    @fits
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn from one more chunk of rows, in one pass at a constant rate.

        The first chunk fixes both normalizations and which features are constant: let it be a fair
        sample. Under ``scale_regularizer="auto"`` one network for each point of the path learns,
        and the one of least loss on chunks that it had not learned yet predicts; after a `fit`
        its networks go on.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of the first chunk, finite.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets in the units of the first chunk, finite.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.

        Returns
        -------
        self : LearnedScaleRegressor
            The estimator.

        Raises
        ------
        ValueError
            If the data or a parameter cannot be used, or fit no earlier chunk.
        KeyboardInterrupt
            After Ctrl-C: all of the chunk is learned by then, or nothing of it.
        RuntimeError
            If this process cannot train, as in `fit`.
        """
        is_first = not hasattr(self, "_ensemble")
        rows, targets = self._validate_data(X, y, **_TARGETS, reset=is_first)
        weights = self._validate_sample_weight(sample_weight, rows, n_needed=1)
        rows = cover_zero_weights(rows, weights)
        target = self._encode_target(targets, weights, None if is_first else self._target_map)
        random = check_random_state(self.random_state)
        table = dense_rows(rows)
        self._partial_fit(TrainingSet(table, target, weights, random, is_chunk=True))
        return self

    def _encode_target(
        self, y: np.ndarray, sample_weight: np.ndarray, target_map: AffineMap | None
    ) -> Target:
        """Normalize the targets, as an earlier fit has done where there is one."""
        target = quantities_target(
            y,
            sample_weight,
            self.target_normalization,
            loss=self.loss,
            output_activation=self.output_activation,
            target_map=target_map,
        )
        warn_of_targets_out_of_range(
            self.output_activation, target.values, sample_weight, self.target_normalization
        )
        return target

    def _encode_as(
        self, encoding: TargetEncoding, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray
    ) -> Target:
        return self._encode_target(y, sample_weight, encoding.target_map)

    def _held_out_target(
        self, y_val: np.ndarray, sample_weight: np.ndarray, target: Target
    ) -> Target:
        """Normalize the targets of rows held out as those to learn."""
        check_columns(y_val, target.n_outputs)
        with named("y_val"):
            return quantities_target(
                y_val,
                sample_weight,
                self.target_normalization,
                loss=self.loss,
                target_map=target.encoding.target_map,
            )

    def _fitted_attributes(
        self, data: TrainingSet, ensemble: Ensemble, folds: Sequence[Fold]
    ) -> dict[str, Any]:
        scaling, member_scales = ensemble.scaling_map(), ensemble.member_scales()
        r = pooled_sensitivity(
            ensemble,
            folds,
            data.X,
            data.sample_weight,
            copy_random_state(data.random),
            of_logits=False,
        )
        return {
            "_ensemble": ensemble,
            "_target_map": data.target.encoding.target_map,
            "_is_column": data.target.y is not None and data.target.y.ndim == 1,
            "scale_": scaling.scale,
            "offset_": scaling.offset,
            "relative_scale_": member_scales.mean(axis=0),
            "member_scales_": member_scales,
            "feature_importances_": importances(r, ensemble.active),
        }

    def _held_out_attributes(
        self, data: TrainingSet, ensemble: Ensemble, held_out: Sequence[np.ndarray]
    ) -> dict[str, Any]:
        outputs = held_out_mean(ensemble, held_out, data.X)
        is_held_out = np.isfinite(outputs).all(axis=1)
        rmse = np.sqrt(
            np.average(
                np.square(outputs - data.target.values)[is_held_out],
                axis=0,
                weights=relative_weights(data.sample_weight[is_held_out]),
            )
        )
        rmse = self._spread_map.inverse(rmse)
        shown = {"held_out_rmse_": float(rmse[0]) if self._is_column else rmse}
        if is_held_out[: data.n_learned].any():
            prediction = self._target_map.inverse(outputs[: data.n_learned])
            shown["held_out_prediction_"] = prediction[:, 0] if self._is_column else prediction
        return shown

    @overload
    def predict(  # numpydoc ignore=GL08
        self, X: ArrayLike, return_std: Literal[False] = False
    ) -> np.ndarray: ...

    @overload
    def predict(  # numpydoc ignore=GL08
        self, X: ArrayLike, return_std: Literal[True, "total"]
    ) -> tuple[np.ndarray, np.ndarray]: ...

    def predict(
        self, X: ArrayLike, return_std: bool | Literal["total"] = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of `fit`.
        return_std : bool or "total", default=False
            Whether standard deviations are returned too. True gives that of the networks'
            predictions: by how much they disagree on a row. It is small where there were many rows
            like it, and says nothing of the noise of `y`. "total" is the root of the sum of its
            square and that of `held_out_rmse_`, which is the same for all rows: a deviation to
            expect between `y` and the prediction.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions in the units of the `y` of `fit`; float32 for float32 features.
        y_std : ndarray of the shape of `y`
            Standard deviations in the same units. Only where `return_std` asks for them.

        Raises
        ------
        ValueError
            If there is a single network, which has nothing to disagree with, or nothing was held
            out for "total".

        Notes
        -----
        The networks have learned from overlapping rows, and agree more than networks of other
        tables would: `y_std` ranks rows, and is no standard error. `held_out_prediction_` gives
        intervals whose coverage is known (conformal prediction; examples/conformal_intervals.py).
        """
        check_is_fitted(self)
        if not isinstance(return_std, bool | np.bool_) and return_std != "total":
            raise ValueError(
                f"return_std={return_std!r} is unknown. Allowed are: False, True, 'total'."
            )
        if return_std:
            self._check_has_std(return_std)
        rows = dense_rows(self._validate_rows(X))
        if not return_std:
            outputs = in_blocks(self._ensemble.mean_output, rows)
            return self._in_units(self._target_map, outputs)
        both = in_blocks(self._ensemble.mean_and_spread, rows)
        outputs, spread = both[:, 0], both[:, 1]
        std = self._in_units(self._spread_map, spread)
        if return_std == "total":
            with np.errstate(over="ignore"):
                total = np.hypot(std, self.held_out_rmse_)
            std = np.minimum(total, np.finfo(std.dtype).max).astype(std.dtype, copy=False)
        return self._in_units(self._target_map, outputs), std

    @property
    def _spread_map(self) -> AffineMap:
        """The map of differences of targets."""
        zeros = np.zeros(len(self._target_map.scale))
        return AffineMap(zeros, np.abs(self._target_map.scale), zeros)

    def _in_units(self, target_map: AffineMap, outputs: np.ndarray) -> np.ndarray:
        targets = target_map.inverse(outputs)
        return targets[:, 0] if self._is_column else targets

    def _check_has_std(self, return_std: bool | str) -> None:
        if len(self._ensemble.members) < 2:
            raise ValueError(
                f"return_std={return_std!r} needs several networks, but this model has one. Fit it "
                "with scale_regularizer='auto' and folds instead of X_val: the networks of all "
                "folds are averaged."
            )
        if return_std == "total" and not hasattr(self, "held_out_rmse_"):
            raise ValueError(
                "return_std='total' needs held-out rows, but the networks have seen all of them, "
                "as they went on by partial_fit. Use fit, or return_std=True."
            )

    def __sklearn_tags__(self) -> Tags:
        """Return the tags of a regressor of one or many outputs."""
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags
