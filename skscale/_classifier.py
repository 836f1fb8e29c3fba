"""A classifier that learns the scale of its inputs."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skscale._base import BaseLearnedScale, KerasOption
from skscale._callbacks.sklearn_callbacks import SklearnCallbackAdapter
from skscale._compiled.class_losses import class_output_activation
from skscale._importance.sensitivity import importances, pooled_sensitivity
from skscale._inference.calibration import TemperatureScaledLogLoss, average_log_probabilities
from skscale._inference.ensemble import Ensemble
from skscale._selection.folds import Fold
from skscale._target.class_weight import ClassWeight, class_totals, class_weighted
from skscale._target.encoding import EncodedTarget, encode_classes, encode_known, known_classes
from skscale._target.target import Goal

if TYPE_CHECKING:
    import keras
    from scikeras.wrappers import KerasClassifier


class LearnedScaleClassifier(ClassifierMixin, BaseLearnedScale):
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
        the networks of the folds. Anything else trains one network, with that Keras regularizer
        (a sum, added to the loss) or none.
    scale_constraint : str, dict, Constraint or None, default=None
        Keras constraint on the factors.
    center_initializer : str, dict or Initializer, default="zeros"
        Keras initializer of the offsets.
    center_regularizer : str, dict, Regularizer or None, default=None
        Keras regularizer of the offsets.
    center_constraint : str, dict, Constraint or None, default=None
        Keras constraint on the offsets.
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
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes by label, which multiply `sample_weight`. "balanced" gives every
        class the same total weight, in `partial_fit` over all rows so far.
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
        Passes over the rows; "auto" is some 1,500 steps, and 20 passes for large tables.
    batch_size : int, default=128
        Rows of one step.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Training precision; "auto" is float64 up to `batch_size` rows, float32 beyond.
    early_stopping : bool, default=False
        Whether a single network stops when its held-out loss no longer falls, and goes back to its
        best epoch. Needs a `scale_regularizer` other than "auto".
    validation_fraction : float, default=0.1
        Share of the rows held out for `early_stopping`.
    n_iter_no_change : int, default=10
        Epochs without a smaller held-out loss before `early_stopping` stops.
    callbacks : Callback, sequence of Callback or None, default=None
        Keras callbacks with hooks for epochs and for the training, copied for every network.
        Networks with callbacks train one by one. `val_loss` is that of held-out rows, under
        ``scale_regularizer="auto"`` or `early_stopping`. A callback that sets the learning rate
        ends its schedule. Those of scikit-learn go to `set_callbacks`.
    warm_start : bool, default=False
        Whether `fit` goes on with the present networks: under ``scale_regularizer="auto"`` with
        the chosen ones, under the same penalty and on the same folds of the same rows.
    cv : int, splitter or iterable, default=5
        Folds under ``scale_regularizer="auto"``. An int means shuffled stratified folds, or
        folds by group where `fit` gets any; it is lowered to what the rows allow.
    regularization_path : sequence, default="auto"
        Strengths, or pairs (strength, weight decay), under ``scale_regularizer="auto"``.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, batches and folds.
    verbose : int, default=0
        Whether progress is printed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    scale_ : ndarray of shape (n_features_in_,)
        Normalization and scaling layer composed: each feature is *multiplied* by it (as
        `MinMaxScaler.scale_`, unlike `StandardScaler.scale_`). Averaged over the networks.
    offset_ : ndarray of shape (n_features_in_,)
        What is added then: the scaling layer gives ``X * scale_ + offset_``.
    feature_importances_ : ndarray of shape (n_features_in_,)
        Mean squared gradient of the logits by each standardized feature; sums to one. Of three
        logits and more the mean over the classes is taken out first.
    n_iter_ : int
        Epochs done.
    history_ : dict of list of float
        ``loss`` of every epoch, averaged over the networks; ``val_loss`` with early
        stopping, or with callbacks under "auto".
    path_ : dict
        ``strength``, ``weight_decay``, ``mean_loss`` and ``std_loss`` (held-out cross-entropy
        after temperature scaling, whatever `loss` is), ``temperature`` of every point of the path,
        ``best_index``, and ``null_loss`` of predicting the shares of the classes, which is the
        model where no point is better. Only under ``scale_regularizer="auto"``.
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
    At prediction the logits of the networks are divided by the root of the chosen T, because the
    average of several networks is less sure than each of them. A single network has no held-out
    rows, and its logits stay as they are.

    A fitted estimator holds NumPy arrays only: it pickles, and predicts without TensorFlow.

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

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 (scikit-learn's form)
        **BaseLearnedScale._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    classes_: np.ndarray
    _class_totals: np.ndarray

    def __init__(
        self,
        *,
        normalization: Any = "standard",
        center: bool = True,
        scale_initializer: KerasOption = "ones",
        scale_regularizer: KerasOption | None = "auto",
        scale_constraint: KerasOption | None = None,
        center_initializer: KerasOption = "zeros",
        center_regularizer: KerasOption | None = None,
        center_constraint: KerasOption | None = None,
        hidden_layer_sizes: Sequence[int] | int = (64, 64),
        activation: KerasOption = "silu",
        use_bias: bool = True,
        kernel_initializer: KerasOption = "auto",
        bias_initializer: KerasOption = "auto",
        kernel_regularizer: KerasOption | None = None,
        kernel_constraint: KerasOption | None = None,
        dropout: float = 0.0,
        hidden_layer: str | Callable[..., Any] = "dense",
        network: Callable[..., Any] | dict[str, Any] | None = None,
        network_params: dict[str, Any] | None = None,
        class_weight: ClassWeight = None,
        loss: KerasOption = "auto",
        optimizer: KerasOption = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        scale_learning_rate_factor: float = 10.0,
        weight_decay: float | Literal["auto"] = "auto",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 128,
        dtype: Literal["auto", "float32", "float64"] = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        callbacks: Any = None,
        warm_start: bool = False,
        cv: Any = 5,
        regularization_path: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            normalization=normalization,
            center=center,
            scale_initializer=scale_initializer,
            scale_regularizer=scale_regularizer,
            scale_constraint=scale_constraint,
            center_initializer=center_initializer,
            center_regularizer=center_regularizer,
            center_constraint=center_constraint,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            kernel_constraint=kernel_constraint,
            dropout=dropout,
            hidden_layer=hidden_layer,
            network=network,
            network_params=network_params,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            scale_learning_rate_factor=scale_learning_rate_factor,
            weight_decay=weight_decay,
            epochs=epochs,
            batch_size=batch_size,
            dtype=dtype,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            callbacks=callbacks,
            warm_start=warm_start,
            cv=cv,
            regularization_path=regularization_path,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Learn the scale and the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features in any units, finite.
        y : array-like of shape (n_samples,)
            Class labels: strings, booleans, whole numbers or categories.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample; a weight of 2 counts as the sample twice.
        groups : array-like of shape (n_samples,), default=None
            Groups that stay together in the folds of `cv`.

        Returns
        -------
        self : LearnedScaleClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data or a parameter cannot be used; before any training starts.
        """
        # Labels are read as they come: NumPy would lose the categories of pandas.
        seen = None if y is None else "no_validation"
        rows = validate_data(self, X, seen, dtype=[np.float64, np.float32], ensure_min_samples=2)
        check_consistent_length(rows, y)
        task = self._fit_task(X, y, sample_weight)
        weights = self._check_sample_weight(sample_weight, rows)
        return self._fit_rows(rows, y, weights, groups, task)

    def _fit_rows(
        self,
        X: np.ndarray,
        y: ArrayLike,
        sample_weight: np.ndarray,
        groups: Any,
        task: SklearnCallbackAdapter | None,
    ) -> Self:
        target = encode_classes(y)
        classes, codes = np.asarray(target.classes), np.asarray(target.codes)
        if self._present() is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start=True goes on with networks of the classes {self.classes_.tolist()!r}, "
                f"but y holds {classes.tolist()!r}. Give the same classes, or set "
                "warm_start=False."
            )
        totals = class_totals(sample_weight, codes, len(classes))
        sample_weight = class_weighted(sample_weight, self.class_weight, classes, codes)
        goal, random = self._goal(target), self._random()
        temperature = None if self.scale_regularizer == "auto" else 1.0
        self._fit(
            X,
            goal,
            sample_weight,
            groups,
            random,
            task=task,
            attributes=functools.partial(
                self._shown, classes, goal, temperature, X, sample_weight, copy.deepcopy(random)
            ),
        )
        self._class_totals = totals
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
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
        X : array-like of shape (n_samples, n_features)
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
        """
        is_first = not hasattr(self, "_ensemble")
        seen = None if y is None else "no_validation"
        rows = validate_data(self, X, seen, dtype=[np.float64, np.float32], reset=is_first)
        check_consistent_length(rows, y)
        weights = self._check_sample_weight(sample_weight, rows, n_needed=1)
        known = self._known_classes(classes, is_first=is_first)
        target = encode_known(y, known)
        codes = np.asarray(target.codes)
        earlier = 0.0 if is_first else self._class_totals
        totals = class_totals(weights, codes, len(known)) + earlier
        weights = class_weighted(
            weights, self.class_weight, known, codes, earlier=earlier, n_needed=1
        )
        goal, random = self._goal(target), self._random()
        temperature = 1.0 if is_first else self._temperature
        shown = functools.partial(self._shown, known, goal, temperature, rows, weights, random)
        self._fit_chunk(rows, goal, weights, random, attributes=shown)
        self._class_totals = totals
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

    def _goal(self, target: EncodedTarget) -> Goal:
        codes = np.asarray(target.codes)
        output_activation = class_output_activation(self.loss, target.n_outputs)
        return Goal(
            target.values,
            target.loss,
            output_activation,
            y=codes,
            labels=codes,
            classes=TemperatureScaledLogLoss(codes, from_logits=output_activation == "linear"),
        )

    def _shown(
        self,
        classes: np.ndarray,
        goal: Goal,
        temperature: float | None,
        X: np.ndarray,
        sample_weight: np.ndarray,
        random: np.random.RandomState,
        ensemble: Ensemble,
        folds: Sequence[Fold],
    ) -> dict[str, Any]:
        """Return the fitted attributes of a classifier with these networks."""
        if temperature is None:
            # Averaging softens as well. Of no, half and the whole logarithm of the temperature,
            # half of it scored best (examples/benchmarks/classifier_scores.py).
            temperature = math.sqrt(_temperature(ensemble, folds, X, goal.classes, sample_weight))
        scaling = ensemble.scaling_map()
        r = pooled_sensitivity(
            ensemble,
            folds,
            X,
            sample_weight,
            # A copy, because callbacks may ask for many ensembles.
            copy.deepcopy(random),
            of_logits=True,
            # Two classes share one logit; of three or more only differences mean anything.
            logits_centred=len(classes) > 2,
        )
        return {
            "_ensemble": ensemble,
            "_from_logits": goal.output_activation == "linear",
            "_temperature": temperature,
            "classes_": classes,
            "scale_": scaling.scale,
            "offset_": scaling.offset,
            "feature_importances_": importances(r, ensemble.active),
        }

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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
        X : array-like of shape (n_samples, n_features)
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
        X : array-like of shape (n_samples, n_features)
            Features in the units of `fit`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Exact where probabilities are too small for floating point; float32 for float32
            features.
        """
        check_is_fitted(self)
        return average_log_probabilities(
            self._ensemble.member_outputs(self._check_rows(X)),
            from_logits=self._from_logits,
            temperature=self._temperature,
        )

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the logits of the probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features in the units of `fit`.

        Returns
        -------
        decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of two classes the log odds of the second, positive where it is predicted; of more the
            logarithm of each probability, largest where it is predicted.
        """
        log_p = self.predict_log_proba(X)
        return log_p[:, 1] - log_p[:, 0] if len(self.classes_) == 2 else log_p

    def to_keras(self, dtype: Literal["float32", "float64"] = "float32") -> keras.Model:
        """Return the fitted model as one Keras model on raw units.

        It holds the normalization, the networks with their temperature and the average of their
        probabilities: its outputs, of shape (n_samples, n_classes), are those of `predict_proba`,
        in the order of `classes_`.

        Parameters
        ----------
        dtype : {"float32", "float64"}, default="float32"
            Precision of the model.

        Returns
        -------
        model : keras.Model
            A new model, not compiled. The layers of several networks have names that end in
            ``"_member_0"``, ``"_member_1"`` and so on.

        Raises
        ------
        ValueError
            If `dtype` is another one, or float32 cannot hold the units of a feature.

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
        imported; ``model.export(folder)`` writes a SavedModel that needs nothing of this package.

        ``model.predict`` rounds arrays to ``keras.config.floatx()``, which is float32 unless it was
        set, whatever the model computes in. Call ``model(X)`` for float64.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from skscale import LearnedScaleClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = LearnedScaleClassifier(scale_regularizer=None, epochs=20, random_state=0)
        >>> model = classifier.fit(X, y).to_keras("float64")
        >>> bool(np.allclose(np.asarray(model(X)), classifier.predict_proba(X)))
        True
        """
        check_is_fitted(self)
        from skscale._export.to_keras import classifier_model

        return classifier_model(
            self._ensemble,
            from_logits=self._from_logits,
            temperature=self._temperature,
            dtype=dtype,
            name=type(self).__name__,
        )

    def to_scikeras(self) -> KerasClassifier:
        """Return the same network as an unfitted classifier of scikeras, trained by Keras' `fit`.

        For `tf.data`, distribution strategies and callbacks of batches, which `fit` here does not
        know. Nothing that was fitted is taken over; see `to_keras` for that.

        Returns
        -------
        classifier : scikeras.wrappers.KerasClassifier
            Not fitted, with the options of this estimator.

        Raises
        ------
        ValueError
            If Keras does not know an option, or `loss` is none that scikeras can use: "auto",
            or the binary or categorical cross-entropy.

        Notes
        -----
        scikeras passes the rows to the network as they are: put a `StandardScaler` in front, or
        set ``model__normalization="batch"``. `normalization`, `scale_learning_rate_factor`, `cv`
        and `dtype` have no counterpart. What is "auto" becomes: no `scale_regularizer`, as a path
        of strengths is not Keras' (search ``model__scale_regularizer`` instead); Adam at a
        constant rate of 0.01 without weight decay; the cross-entropy of a softmax over all
        classes, two as well; 100 epochs.

        A grid reaches every option by its prefix: ``model__hidden_layer_sizes``,
        ``optimizer__learning_rate``, ``epochs``. scikeras 0.13 does not tell scikit-learn 1.7 and
        later what kind of estimator it is: stacking and voting refuse it, and searches do not
        stratify folds by themselves (give them ``cv=StratifiedKFold(5)``).

        Importing scikeras changes how Keras models pickle in the whole process. It is imported
        here, and by nothing else in this package.

        Examples
        --------
        .. code-block:: python

            model = make_pipeline(StandardScaler(), LearnedScaleClassifier().to_scikeras())
            grid = {"kerasclassifier__model__activation": ["tanh", "silu"]}
            GridSearchCV(model, grid, cv=StratifiedKFold(5)).fit(X, y)
        """
        from skscale._export.to_scikeras import scikeras_classifier

        return scikeras_classifier(self.get_params(deep=False))


def _temperature(
    ensemble: Ensemble,
    folds: Sequence[Fold],
    X: np.ndarray,
    classes: TemperatureScaledLogLoss | None,
    sample_weight: np.ndarray,
) -> float:
    """Temperature of the networks of each fold, on the rows that they have not learned."""
    rows = [test for _, test in folds if len(test)]
    if classes is None or not rows:
        return 1.0
    outputs = [
        ensemble.member_output(X[test], member)
        for member, (_, test) in enumerate(folds)
        if len(test)
    ]
    return classes.losses(outputs, rows, sample_weight)[1]
