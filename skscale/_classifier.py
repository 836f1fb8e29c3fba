"""A classifier that learns the scale of its inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skscale._base import BaseLearnedScale, copy_random_state, fits
from skscale._compiled.class_losses import class_output_activation
from skscale._dask_collections import by_partition
from skscale._export.predictor_exports import ClassifierExportMixin
from skscale._fitting.held_out import LEAVE_OUT, HeldOutRows, named
from skscale._fitting.training_set import TrainingSet
from skscale._importance.sensitivity import importances, pooled_sensitivity
from skscale._inference.calibration import (
    TemperatureScaledLogLoss,
    average_log_probabilities,
    log_probabilities,
    tempered,
)
from skscale._inference.ensemble import Ensemble
from skscale._inference.held_out import held_out_mean
from skscale._normalization.dense_rows import dense_rows, in_blocks, some_rows
from skscale._normalization.sample_weight import cover_zero_weights
from skscale._numeric_input import refuse_lazy_tables
from skscale._parameters import is_auto
from skscale._selection.folds import Fold
from skscale._target.class_weight import ClassWeight, class_factors, class_totals, class_weighted
from skscale._target.encoding import encode_classes, encode_known, known_classes
from skscale._target.target import Target, TargetEncoding


@by_partition("predict", "predict_proba", "predict_log_proba", "decision_function")
@dataclass(kw_only=True, eq=False, repr=False)
class LearnedScaleClassifier(ClassifierMixin, ClassifierExportMixin, BaseLearnedScale):
    """Classifier whose first layer learns the scale of every feature.

    A small network behind a normalization: each feature is multiplied by a trainable factor and
    shifted by a trainable offset, Dense layers follow, and end in one logit for two classes or in
    one for each of more. Features may be in any units, labels of any type.

    By default an L1 penalty on the factors is chosen on stratified held-out folds, and the
    probabilities of the networks of those folds are averaged.

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
        Keras loss; "auto" is the cross-entropy of logits. Any other with ``from_logits=True`` is
        given logits too; every other is given the probabilities of a sigmoid or softmax, as in
        Keras. Targets are one-hot, so that sparse losses are refused.
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
        Folds under ``scale_regularizer="auto"``. An int means shuffled stratified folds, or
        folds by group where `fit` gets any; it is lowered to what the rows allow. Where `fit` gets
        `X_val`, nothing else is held out.
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
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes by label, which multiply `sample_weight`. "balanced" gives every
        class the same total weight, in `partial_fit` over all rows so far.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
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
        Mean squared gradient of the logits by each standardized feature; sums to one. Of three
        logits and more the mean over the classes is taken out first.
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
        ``std_loss`` (held-out cross-entropy after temperature scaling, whatever `loss` is),
        ``temperature`` of every point of the path, ``stopped`` (whether others were so far ahead
        that its training ended early), ``best_index``, and ``null_loss`` of predicting the shares
        of the classes, which is the model where no point is better. Also ``scale`` of shape
        (n_points, n_features_in_), the magnitude of the factors of each point (in units of what
        `StandardScaler` multiplies by, mean over the networks of the folds as far as they were
        trained), ``epochs`` after which points were scored, and ``losses`` (held out) then, NaN for
        points that had stopped. Only under ``scale_regularizer="auto"``; of `partial_fit` without
        ``null_loss``, ``epochs`` and ``losses``.
    held_out_prediction_ : ndarray of shape (n_samples, n_classes)
        Probabilities for each row of `fit` by the networks that have not seen it, at the
        temperature of `predict_proba`; NaN for rows that were never held out. Only under
        ``scale_regularizer="auto"``, where rows of `X` are held out. No method reads it: `del` it
        where a pickle is to be small.
    n_outputs_ : int
        Number of outputs of the network: 1 for two classes.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where `X` has any.

    See Also
    --------
    LearnedScaleTransformer : The learned scale in front of any other estimator.
    sklearn.neural_network.MLPClassifier : A network on inputs scaled by the user.

    Notes
    -----
    The network is ``f(s * (x - mean) / sd + t)``, where s and t are trained with f. Under "auto" s
    is updated by a proximal step, so that factors of features that do not help become exactly
    zero.

    Points of the path are compared by held-out cross-entropy after temperature scaling [1]_: for
    each point one temperature T >= 1, fitted on the held-out rows of all folds, divides the logits.
    At prediction the logits of the networks are divided by the root of the T that all of them
    together have, because the average of several networks is less sure than each of them. A single
    network has no held-out rows, and its logits stay as they are.

    A fitted estimator holds NumPy arrays and plain values: it pickles, and predicts without
    TensorFlow, unless it has layers that NumPy cannot run, which predict through Keras. NumPy runs
    Dense and sine layers, and of `network` stacks of Dense, Dropout, Activation, ReLU and its
    relatives, BatchNormalization, LayerNormalization and Rescaling.

    Predictions for a dask array or data frame are a dask array, computed lazily by blocks of rows
    or partitions. `skscale.distributed.fit` learns from such collections.

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y. & Weinberger, K. Q. (2017). On calibration of modern neural
       networks. ICML, 1321-1330.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skscale import LearnedScaleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LearnedScaleClassifier(scale_regularizer=None, epochs=20, random_state=0)
    >>> model.fit(X, y).predict_proba(X[:2]).shape
    (2, 3)
    """

    class_weight: ClassWeight = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseLearnedScale._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _prediction_state: ClassVar[Mapping[str, type]] = {
        "_ensemble": Ensemble,
        "_from_logits": bool,
        "_temperature": float,
        "classes_": np.ndarray,
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
        y : array-like of shape (n_samples,)
            Class labels: strings, booleans, whole numbers or categories.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample; a weight of 2 counts as the sample twice.
        groups : array-like of shape (n_samples,), default=None
            Groups that stay together in the folds of `cv`.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows to hold out, such as `X`: early stopping then draws none, and under "auto" the
            path learns from all of `X`, without folds. A single network without `early_stopping`
            only reports their loss. In a `Pipeline` that has ``transform_input=["X_val"]`` they
            pass the same steps as `X`.
        y_val : array-like of shape (n_val,), default=None
            Their class labels, of those in `y`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weight of each row of `X_val`.

        Returns
        -------
        self : LearnedScaleClassifier
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
        # Labels are read as they come: NumPy would lose the categories of pandas.
        refuse_lazy_tables(y=y)
        labels = None if y is None else "no_validation"
        rows = self._validate_data(X, labels, ensure_min_samples=2)
        check_consistent_length(rows, y)
        held_out = self._validate_held_out(X_val, y_val, sample_weight_val, groups=groups)
        callbacks = self._sklearn_callbacks(X, y, sample_weight)
        weights = self._validate_sample_weight(sample_weight, rows)
        rows = cover_zero_weights(rows, weights)
        target = encode_classes(y)
        classes, codes = _classes_and_codes(target)
        if self._previous_model() is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start=True goes on with networks of the classes {self.classes_.tolist()!r}, "
                f"but y holds {classes.tolist()!r}. Give the same classes, or set "
                "warm_start=False."
            )
        totals = class_totals(weights, codes, len(classes))
        factors = class_factors(self.class_weight, classes, totals)
        weights = class_weighted(weights, factors, codes, self.class_weight)
        random = check_random_state(self.random_state)
        data = TrainingSet(dense_rows(rows), target, weights, copy_random_state(random))
        if held_out is not None:
            data = self._with_held_out(data, held_out, factors)
        data = replace(data, target=self._with_scorer(data.target))
        self._fit(data, groups, random, callbacks, _class_totals=totals)
        return self

    @fits
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from one more chunk of rows, in one pass at a constant rate.

        The first chunk fixes the normalization and which features are constant: let it be a fair
        sample. Under ``scale_regularizer="auto"`` one network for each point of the path learns,
        and the one of least loss on chunks that it had not learned yet predicts; after a `fit`
        its networks go on, at the temperature that they have.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of the first chunk, finite.
        y : array-like of shape (n_samples,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All class labels; needed in the first call, as a chunk need not hold each.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample.

        Returns
        -------
        self : LearnedScaleClassifier
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
        refuse_lazy_tables(y=y)
        labels = None if y is None else "no_validation"
        rows = self._validate_data(X, labels, reset=is_first)
        check_consistent_length(rows, y)
        weights = self._validate_sample_weight(sample_weight, rows, n_needed=1)
        rows = cover_zero_weights(rows, weights)
        classes = self._known_classes(classes, is_first=is_first)
        target = encode_known(y, classes)
        _, codes = _classes_and_codes(target)
        earlier = 0.0 if is_first else self._class_totals
        totals = class_totals(weights, codes, len(classes)) + earlier
        factors = class_factors(self.class_weight, classes, totals)
        weights = class_weighted(weights, factors, codes, self.class_weight, n_needed=1)
        target, random = self._with_scorer(target), check_random_state(self.random_state)
        table = dense_rows(rows)
        chunk = TrainingSet(table, target, weights, random, is_chunk=True)
        self._partial_fit(chunk, _class_totals=totals)
        return self

    def _known_classes(self, classes: ArrayLike | None, *, is_first: bool) -> np.ndarray:
        if is_first and classes is None:
            raise ValueError(
                "classes=None in the first call of partial_fit, but all labels are needed, as a "
                "chunk need not hold each. Use partial_fit(X, y, classes=np.unique(all_labels))."
            )
        if classes is None:
            return self.classes_
        known = known_classes(classes)
        if not is_first and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"classes={known.tolist()!r} differ from those of the first call, "
                f"{self.classes_.tolist()!r}. Leave them out after the first call."
            )
        return known

    def _with_held_out(
        self, data: TrainingSet, held_out: HeldOutRows, factors: np.ndarray
    ) -> TrainingSet:
        """Add rows to hold out, of the classes and class weights of the others."""
        classes, _ = _classes_and_codes(data.target)
        with named("y_val"):
            target = encode_known(held_out.y, classes, cure=LEAVE_OUT)
            _, codes = _classes_and_codes(target)
            weights = class_weighted(
                held_out.sample_weight, factors, codes, self.class_weight, n_needed=1
            )
        return data.with_held_out(dense_rows(held_out.X), target, weights)

    def _encode_as(
        self, encoding: TargetEncoding, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray
    ) -> Target:
        return self._with_scorer(encode_known(y, np.asarray(encoding.classes)))

    def _with_scorer(self, target: Target) -> Target:
        """Add the output that the loss is meant for, and the score of points of the path."""
        _, codes = _classes_and_codes(target)
        output_activation = class_output_activation(self.loss, target.n_outputs)
        scorer = TemperatureScaledLogLoss(codes, from_logits=output_activation == "linear")
        return replace(target, output_activation=output_activation, scorer=scorer)

    def _fitted_attributes(
        self, data: TrainingSet, ensemble: Ensemble, folds: Sequence[Fold]
    ) -> dict[str, Any]:
        classes, _ = _classes_and_codes(data.target)
        scaling, member_scales = ensemble.scaling_map(), ensemble.member_scales()
        r = pooled_sensitivity(
            ensemble,
            folds,
            data.X,
            data.sample_weight,
            copy_random_state(data.random),
            of_logits=True,
            # Two classes share one logit; of three or more only differences mean anything.
            logits_centred=len(classes) > 2,
        )
        return {
            "_ensemble": ensemble,
            "_from_logits": data.target.output_activation == "linear",
            "_temperature": self._temperature_of(data, ensemble, folds),
            "classes_": classes,
            "scale_": scaling.scale,
            "offset_": scaling.offset,
            "relative_scale_": member_scales.mean(axis=0),
            "member_scales_": member_scales,
            "feature_importances_": importances(r, ensemble.active),
        }

    def _temperature_of(
        self, data: TrainingSet, ensemble: Ensemble, folds: Sequence[Fold]
    ) -> float:
        """Temperature by held-out rows, where there are any; chunks leave it as it is."""
        if data.is_chunk:
            return getattr(self, "_temperature", 1.0)
        held_out = [(member, fold.held_out) for member, fold in enumerate(folds)]
        tested = [(member, rows) for member, rows in held_out if len(rows)]
        if not is_auto(self.scale_regularizer) or data.target.scorer is None or not tested:
            return 1.0
        outputs = [
            in_blocks(partial(ensemble.member_output, member=member), some_rows(data.X, rows))
            for member, rows in tested
        ]
        held_out_rows = [rows for _, rows in tested]
        _, temperature = data.target.scorer.losses(outputs, held_out_rows, data.sample_weight)
        # Averaging softens as well. Of no, half and the whole logarithm of the temperature, half of
        # it scored best (examples/benchmarks/classifier_scores.py).
        return math.sqrt(temperature)

    def _held_out_attributes(
        self, data: TrainingSet, ensemble: Ensemble, held_out: Sequence[np.ndarray]
    ) -> dict[str, Any]:
        def probabilities(outputs: np.ndarray) -> np.ndarray:
            log_p = log_probabilities(outputs, from_logits=self._from_logits)
            return np.exp(tempered(log_p, self._temperature))

        held_out = [rows[rows < data.n_learned] for rows in held_out]
        if not any(map(len, held_out)):
            return {}
        prediction = held_out_mean(ensemble, held_out, data.X, probabilities)
        return {"held_out_prediction_": prediction[: data.n_learned]}

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The most probable label of each row.
        """
        codes = self.predict_log_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, each row summing to one; float32 for float32 features.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of `fit`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Exact where probabilities are too small for floating point; float32 for float32
            features.
        """
        check_is_fitted(self)
        return in_blocks(self._log_probabilities, dense_rows(self._validate_rows(X)))

    def _log_probabilities(self, rows: np.ndarray) -> np.ndarray:
        average = partial(
            average_log_probabilities,
            from_logits=self._from_logits,
            temperature=self._temperature,
        )
        return self._ensemble.combined(rows, average)

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the logits of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features in the units of `fit`.

        Returns
        -------
        decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of two classes the log odds of the second, positive where it is predicted; of more the
            logarithm of each probability, largest where it is predicted.
        """
        log_p = self.predict_log_proba(X)
        return log_p[:, 1] - log_p[:, 0] if len(self.classes_) == 2 else log_p


def _classes_and_codes(target: Target) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(target.encoding.classes), np.asarray(target.codes)
