"""A transformer whose scale is learned by a network, for use in front of other estimators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skscale._base import BaseLearnedScale, copy_random_state, fits
from skscale._dask_collections import by_partition
from skscale._export.transformer_exports import TransformerExportMixin
from skscale._fitting.held_out import LEAVE_OUT, HeldOutRows, check_columns, named
from skscale._fitting.training_set import TrainingSet
from skscale._importance.power import POWER_WITHOUT_FOLDS
from skscale._importance.readout import read_out
from skscale._importance.sensitivity import importances
from skscale._inference.ensemble import Ensemble
from skscale._normalization.affine import AffineMap
from skscale._normalization.dense_rows import DenseRows, Table, dense_rows, has_gaps
from skscale._normalization.fit import fit_standardization
from skscale._normalization.running_moments import Moments, accumulate
from skscale._normalization.sample_weight import cover_zero_weights
from skscale._normalization.sparse import NOT_CENTRED, refuse_centring, scale_sparse
from skscale._normalization.statistics import ColumnStatistics
from skscale._numeric_input import refuse_lazy_tables
from skscale._parameters import NORMALIZATION, is_auto
from skscale._selection.folds import Fold
from skscale._target.encoding import encode_known, encode_target, known_classes
from skscale._target.quantities import autoencoder_target, quantities_target
from skscale._target.target import Target, TargetEncoding

# What plain standardization leaves nothing of.
_OF_NETWORKS = (
    "path_",
    "callbacks_",
    "_ensemble",
    "_partial_fit_state",
    "_warm_start_state",
    "_encoding",
)


@by_partition("transform", "inverse_transform")
@dataclass(kw_only=True, eq=False, repr=False)
class LearnedScaleTransformer(
    OneToOneFeatureMixin, TransformerMixin, TransformerExportMixin, BaseLearnedScale
):
    """Transformer that standardizes each feature and weights it by what a network learned.

    A small network with a trainable factor per feature learns to predict `y`. What it responds to
    becomes the scale of the features: ``transform(X) = factor * standardize(X)``. In front of
    nearest neighbours, kernels and other methods that measure distances, features that matter
    count for more, and noise counts for less.

    Parameters
    ----------
    normalization : str, transformer or None, default="standard"
        What the network's inputs are normalized by: the name of a criterion ("standard",
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
        Keras loss; "auto" is the mean squared error on the normalized target, or the
        cross-entropy of classes.
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
        Folds under ``scale_regularizer="auto"``. An int means shuffled folds, stratified for
        classes, by group where `fit` gets any; it is lowered to what the rows allow. Where `fit`
        gets `X_val`, nothing else is held out.
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
    target_normalization : str, transformer or None, default="standard"
        Normalization of a continuous `y`, as `normalization`.
    target_type : {"auto", "continuous", "binary", "multiclass"}, default="auto"
        What `y` is. "auto": floating dtypes are continuous; strings, booleans and categories are
        classes; integers are classes while there are at most 20 distinct values.
    readout : {"sensitivity", "gain"}, default="sensitivity"
        "sensitivity" weights standardized features by how strongly the network responds to them.
        "gain" gives the output of the scaling layer itself, averaged over the networks.
    power : float or "auto", default="auto"
        Exponent of the sensitivities: 0 is `StandardScaler`, 1 trusts them fully. "auto" picks
        0, 0.5 or 1 by a vote of nearest neighbours on held-out rows, of the weight that ten
        different rows have in the mean, and is 0.5 without folds.
    unsupervised : {"standard", "autoencoder"}, default="standard"
        What to do without `y`: plain standardization, or a network that predicts the features
        from themselves.

    Attributes
    ----------
    scale_ : ndarray of shape (n_features_in_,)
        Each feature is *multiplied* by it (as `MinMaxScaler.scale_`, unlike
        `StandardScaler.scale_`, which divides).
    offset_ : ndarray of shape (n_features_in_,)
        What is added then: ``transform(X)`` is ``X * scale_ + offset_``, computed without the
        cancellation that this form suffers at far offsets.
    relative_scale_ : ndarray of shape (n_features_in_,)
        Magnitude of `scale_` in units of what `StandardScaler` would multiply by: 2 is twice the
        data's own scale. 1 for constant features.
    member_scales_ : ndarray of shape (n_networks, n_features_in_)
        The same as each network alone would have it, at the same `power_`. No row for a network
        that responds to nothing, and none without `y`.
    feature_importances_ : ndarray of shape (n_features_in_,)
        Mean squared gradient of the network by each standardized feature; sums to one.
    power_ : float
        The exponent in use; 1 for ``readout="gain"``, which knows none.
    target_type_ : str or None
        "continuous", "binary" or "multiclass"; None without `y`.
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
    n_outputs_ : int
        Number of outputs of the network; 0 where none was trained.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where `X` has any.

    See Also
    --------
    LearnedScaleRegressor : The network itself.
    sklearn.preprocessing.StandardScaler : The transform where no feature is preferred.

    Notes
    -----
    The sensitivity of feature i is the root of the diagonal of the average gradient outer product
    [1]_, ``r_i = sqrt(mean over rows of sum over outputs of (df/dz_i)^2)``, z in standard
    deviations. The factor is ``r_i ** power``, at least 1e-3 of the largest, rescaled to mean
    square one over the features.

    NaN is no value, as in `StandardScaler`: statistics leave it out, the mean of the feature stands
    in its place while the network learns, and `transform` and `inverse_transform` keep it. A
    feature that has no value at all becomes NaN.

    `transform` of a dask array or data frame is a dask array, computed lazily by blocks of rows or
    partitions; after ``set_output(transform="pandas")`` it is a dask data frame, with the divisions
    that a frame had. `skscale.distributed.fit` learns from such collections.

    References
    ----------
    .. [1] Radhakrishnan, A., Beaglehole, D., Pandit, P. & Belkin, M. (2024). Mechanism for
       feature learning in neural networks and backpropagation-free machine learning models.
       Science 383, 1461-1467.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> from skscale import LearnedScaleTransformer
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> scaler = LearnedScaleTransformer(scale_regularizer=None, epochs=20, random_state=0)
    >>> model = make_pipeline(scaler, KNeighborsRegressor()).fit(X, y)
    >>> model[0].transform(X[:2]).shape
    (2, 10)

    Without `y` it is StandardScaler, also where there are gaps:

    >>> LearnedScaleTransformer().fit_transform([[1.0], [np.nan], [3.0]])
    array([[-1.],
           [nan],
           [ 1.]])
    """

    _allows_nan = True

    target_normalization: Any = "standard"
    target_type: Literal["auto", "continuous", "binary", "multiclass"] = "auto"
    readout: Literal["sensitivity", "gain"] = "sensitivity"
    power: float | Literal["auto"] = "auto"
    unsupervised: Literal["standard", "autoencoder"] = "standard"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseLearnedScale._parameter_constraints,
        "target_normalization": NORMALIZATION,
        "target_type": [StrOptions({"auto", "continuous", "binary", "multiclass"})],
        "readout": [StrOptions({"sensitivity", "gain"})],
        "power": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "unsupervised": [StrOptions({"standard", "autoencoder"})],
    }
    _prediction_state: ClassVar[Mapping[str, type]] = {"_map": AffineMap}

    @fits
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Learn the scale.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in any units, finite or NaN. A sparse table becomes dense part by part; while
            networks train, its features that vary take 4 bytes a number, or 8 in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets in any units, or class labels of any type. Without them the result is decided
            by `unsupervised`.
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
            Their targets or labels; none where there is no `y`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weight of each row of `X_val`.

        Returns
        -------
        self : LearnedScaleTransformer
            The fitted transformer.

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
        refuse_lazy_tables(y=y)
        rows = self._validate_data(X, ensure_min_samples=2)
        held_out = self._validate_held_out(
            X_val, y_val, sample_weight_val, has_y=y is not None, groups=groups
        )
        callbacks = self._sklearn_callbacks(X, y, sample_weight)
        weights = self._validate_sample_weight(sample_weight, rows)
        rows = cover_zero_weights(rows, weights)
        random = check_random_state(self.random_state)
        statistics = ColumnStatistics(rows, weights)
        if y is None and self.unsupervised == "standard":
            self._standardize(statistics)
            if callbacks is not None:
                callbacks.on_fit_end(vars(self))
            return self
        previous = self._previous_model()
        if previous is None:
            encoding, known, earlier = None, statistics, None
        else:
            encoding, known, earlier = self._encoding, None, previous.ensemble.standard
        table = _without_gaps(rows, statistics, earlier)
        target = self._encode_target(table, y, weights, encoding, known)
        data = TrainingSet(table, target, weights, copy_random_state(random), statistics)
        if held_out is not None:
            held_out = held_out._replace(X=_without_gaps(held_out.X, statistics, earlier))
            data = data.with_held_out(
                held_out.X,
                self._held_out_target(held_out, target, known),
                held_out.sample_weight,
            )
        self._fit(data, groups, random, callbacks)
        return self

    @fits
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Learn from one more chunk of rows, in one pass at a constant rate.

        The first chunk fixes the normalizations, the standardization of the result and which
        features are constant: let it be a fair sample. Under ``scale_regularizer="auto"`` one
        network for each point of the path learns, and the one of least loss on chunks that it had
        not learned yet gives the scale; after a `fit` its networks go on.

        Without `y`, under ``unsupervised="standard"``, means and variances accumulate as in
        `StandardScaler`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of the first chunk, finite or NaN.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets in the units of the first chunk, or class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.
        classes : array-like of shape (n_classes,), default=None
            All class labels, for the first call where `y` holds classes. Without them, those of
            the first chunk are all.

        Returns
        -------
        self : LearnedScaleTransformer
            The transformer.

        Raises
        ------
        ValueError
            If the data or a parameter cannot be used, or fit no earlier chunk.
        KeyboardInterrupt
            After Ctrl-C: all of the chunk is learned by then, or nothing of it.
        RuntimeError
            If this process cannot train, as in `fit`.
        """
        is_first = not self.__sklearn_is_fitted__()
        refuse_lazy_tables(y=y)
        rows = self._validate_data(X, reset=is_first)
        weights = self._validate_sample_weight(sample_weight, rows, n_needed=1)
        rows = cover_zero_weights(rows, weights)
        has_network = y is not None or self.unsupervised != "standard"
        if not is_first and has_network != hasattr(self, "_ensemble"):
            raise ValueError(
                "The first chunk had "
                + ("no y, so that statistics accumulate" if has_network else "a y to learn")
                + ", but this one differs. Give y in all calls or in none."
            )
        if not has_network:
            moments, standard = accumulate(
                getattr(self, "_running_moments", None), dense_rows(rows), weights
            )
            self._running_moments = moments
            return self._keep_standard(standard.where(~moments.is_empty), moments.varies)
        random = check_random_state(self.random_state)
        statistics = ColumnStatistics(rows, weights) if is_first else None
        encoding = None if is_first else self._encoding
        if is_first and classes is not None and y is not None:
            encoding = TargetEncoding.from_classes(known_classes(classes))
        table = _without_gaps(rows, statistics, None if is_first else self._ensemble.standard)
        target = self._encode_target(table, y, weights, encoding, statistics)
        self._partial_fit(TrainingSet(table, target, weights, random, statistics, is_chunk=True))
        return self

    def _centres(self, *, has_target: bool) -> bool:
        """Tell whether the scale will have an offset, as far as that is known before a fit."""
        learns_factors = has_target or self.unsupervised != "standard"
        if not learns_factors or self.readout != "gain" or self.center:
            return True
        return isinstance(self.normalization, str) and self.normalization not in NOT_CENTRED

    def _encode_target(
        self,
        X: Table,
        y: ArrayLike | None,
        sample_weight: np.ndarray,
        encoding: TargetEncoding | None,
        statistics: ColumnStatistics | None,
    ) -> Target:
        """Return what to learn, read as an earlier fit has read it where there is one."""
        target_map = None if encoding is None else encoding.target_map
        if y is None:
            # What an earlier fit has found constant stays out of the network.
            active = self._ensemble.active if statistics is None else statistics.varying
            return autoencoder_target(
                X, active, sample_weight, self.target_normalization, target_map=target_map
            )
        check_consistent_length(X, y)
        if encoding is not None and encoding.classes is not None:
            return encode_known(y, encoding.classes)
        target = encode_target(y, self.target_type if encoding is None else encoding.target_type)
        if target.is_classification or target.y is None:
            return target
        return quantities_target(
            target.y,
            sample_weight,
            self.target_normalization,
            loss=self.loss,
            target_map=target_map,
        )

    def _encode_as(
        self, encoding: TargetEncoding, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray
    ) -> Target:
        return self._encode_target(X, y, sample_weight, encoding, None)

    def _held_out_target(
        self, held_out: HeldOutRows, target: Target, statistics: ColumnStatistics | None
    ) -> Target:
        """Read the targets of rows held out as those to learn."""
        X, y, weights = held_out
        if y is None:
            return self._encode_target(X, None, weights, target.encoding, statistics)
        classes = target.encoding.classes
        if classes is None:
            check_columns(y, target.n_outputs)
        with named("y_val"):
            if classes is not None:
                return encode_known(y, classes, cure=LEAVE_OUT)
            return self._encode_target(X, y, weights, target.encoding, None)

    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any) -> Any:
        """Learn the scale, and scale the same features by it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in any units, finite or NaN.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            As in `fit`.
        **fit_params : dict
            Other arguments of `fit`.

        Returns
        -------
        X_scaled : {ndarray, sparse matrix} of shape (n_samples, n_features)
            As `transform` gives it.

        Raises
        ------
        ValueError
            If the data or a parameter cannot be used, or `X` is sparse and would be centred;
            before any training starts.
        """
        # Frames of pandas have this attribute where all their columns are sparse.
        is_sparse = issparse(X) or hasattr(X, "sparse")
        if is_sparse and self._centres(has_target=y is not None):
            refuse_centring()
        return super().fit_transform(X, y, **fit_params)

    def transform(self, X: ArrayLike) -> Any:
        """Scale features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of `fit`.

        Returns
        -------
        X_scaled : {ndarray, sparse matrix} of shape (n_samples, n_features)
            float32 for float32 features, float64 otherwise. Sparse for a sparse table.

        Raises
        ------
        ValueError
            If `X` is sparse and would be centred.
        """
        check_is_fitted(self)
        rows = self._validate_rows(X)
        return scale_sparse(self._map, rows) if issparse(rows) else self._map.apply(rows)

    def inverse_transform(self, X: ArrayLike) -> Any:
        """Bring scaled features back to their units.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Scaled features.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Features in the units of `fit`; the centre of a feature whose factor is zero. Sparse
            for a sparse table.

        Raises
        ------
        ValueError
            If `X` is sparse and was centred.
        """
        check_is_fitted(self)
        # What `transform` gives has lost its names, unless it is asked to give data frames.
        rows = self._validate_rows(X, has_names=False)
        if issparse(rows):
            return scale_sparse(self._map, rows, inverse=True)
        return self._map.inverse(rows)

    def _standardize(self, statistics: ColumnStatistics) -> None:
        """Keep plain standardization, and nothing of an earlier network."""
        for name in _OF_NETWORKS:
            self.__dict__.pop(name, None)
        standard = fit_standardization(statistics)
        self._running_moments = Moments.from_map(standard, statistics)
        self._keep_standard(standard.where(~statistics.is_empty), ~statistics.is_constant)

    def _keep_standard(self, standard: AffineMap, varies: np.ndarray) -> Self:
        self.n_outputs_, self.n_iter_, self.history_ = 0, 0, {"loss": []}
        self.target_type_ = None
        self.__dict__.update(_map_attributes(standard, 0.0))
        self.relative_scale_, self.member_scales_ = np.ones(len(varies)), np.empty((0, len(varies)))
        self.feature_importances_ = importances(np.zeros(len(varies)), np.flatnonzero(varies))
        return self

    def _fitted_attributes(
        self, data: TrainingSet, ensemble: Ensemble, folds: Sequence[Fold]
    ) -> dict[str, Any]:
        power = self._power_without_choice(data)
        result = read_out(
            self.readout, power, ensemble, folds, data, copy_random_state(data.random)
        )
        encoding = data.target.encoding
        return {
            "_ensemble": ensemble,
            "_encoding": encoding,
            "target_type_": encoding.target_type if data.target.is_given else None,
            "feature_importances_": result.importances,
            "relative_scale_": result.relative_scale,
            "member_scales_": result.member_scales,
            **_map_attributes(result.affine.where(~self._empty(data)), result.power),
        }

    def _empty(self, data: TrainingSet) -> np.ndarray:
        """Return which features have had no value, which become NaN as in `StandardScaler`."""
        if data.statistics is None:
            return self._map.unknown
        empty = data.statistics.is_empty
        return empty if self._previous_model() is None else empty & self._map.unknown

    def _power_without_choice(self, data: TrainingSet) -> float | None:
        """Return the power where held-out rows are not asked for it."""
        if not is_auto(self.power):
            return float(self.power)
        if data.is_chunk:
            # Nothing is held out: the power is what an earlier fit chose, or half way.
            return self.power_ if hasattr(self, "_ensemble") else POWER_WITHOUT_FOLDS
        return None if is_auto(self.scale_regularizer) else POWER_WITHOUT_FOLDS

    def __sklearn_tags__(self) -> Tags:
        """Return the tags of a transformer that takes targets of any kind, or none."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.target_tags.one_d_labels = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _without_gaps(
    X: Any, statistics: ColumnStatistics | None, earlier: AffineMap | None = None
) -> Table:
    """Return rows in which the mean of a feature stands where it has no value.

    The mean is that of an earlier standardization where there are no statistics, or no value.
    """
    if not has_gaps(X):
        return dense_rows(X)
    center = np.zeros(X.shape[1]) if earlier is None else earlier.center
    if statistics is not None:
        center = np.where(statistics.is_empty, center, statistics.mean)
    return DenseRows(X, center)


def _map_attributes(affine: AffineMap, power: float) -> dict[str, Any]:
    return {
        "_map": affine,
        "power_": power,
        "scale_": affine.scale,
        "offset_": affine.offset,
    }
