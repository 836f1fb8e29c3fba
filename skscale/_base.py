"""What the estimators share: parameters, validation, and a state without Keras."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils.validation import _check_sample_weight, validate_data

from skscale._callbacks.callback import Callback, Weights
from skscale._callbacks.pickled_callbacks import PickledCallbacks
from skscale._callbacks.progress import ProgressLines, Report
from skscale._callbacks.sklearn_callbacks import (
    CallbackSupportMixin,
    SklearnCallbackAdapter,
    has_callbacks,
)
from skscale._errors import closest
from skscale._fitting.fit import Observe, fit
from skscale._fitting.partial_fit import partial_fit
from skscale._fitting.state import FitResult, WarmStartState
from skscale._inference.ensemble import Ensemble
from skscale._keras.options import keras_config
from skscale._network.hidden_layers import plain_layers
from skscale._normalization.affine import AffineMap
from skscale._selection.folds import Fold
from skscale._target.target import Goal

KerasOption = str | dict[str, Any] | type | Callable[..., Any]
"""A Keras object by name, config dict, class or instance."""

KERAS_OPTION = [str, dict, callable]
_AUTO = StrOptions({"auto"})

# Where each parameter that may hold a Keras object belongs.
FAMILIES = {
    "activation": "activations",
    "output_activation": "activations",
    "loss": "losses",
    "optimizer": "optimizers",
    **{
        f"{role}_{kind}": f"{kind}s"
        for role in ("scale", "center", "kernel", "bias")
        for kind in ("initializer", "regularizer", "constraint")
    },
}


class BaseLearnedScale(CallbackSupportMixin, BaseEstimator):
    """Parameters, validation and state of the estimators; use one of its subclasses."""

    # Fitted attributes that an estimator reads back itself.
    history_: dict[str, list[float]]
    _ensemble: Ensemble
    _past: WarmStartState
    _target_map: AffineMap

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 (scikit-learn's form)
        "normalization": [str, HasMethods(["fit", "transform"]), None],
        "center": ["boolean"],
        "scale_initializer": KERAS_OPTION,
        "scale_regularizer": [*KERAS_OPTION, None],
        "scale_constraint": [*KERAS_OPTION, None],
        "center_initializer": KERAS_OPTION,
        "center_regularizer": [*KERAS_OPTION, None],
        "center_constraint": [*KERAS_OPTION, None],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": KERAS_OPTION,
        "use_bias": ["boolean"],
        "kernel_initializer": KERAS_OPTION,
        "bias_initializer": KERAS_OPTION,
        "kernel_regularizer": [*KERAS_OPTION, None],
        "kernel_constraint": [*KERAS_OPTION, None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "hidden_layer": [str, callable],
        "network": [callable, dict, None],
        "network_params": [dict, None],
        "loss": KERAS_OPTION,
        "optimizer": [*KERAS_OPTION, HasMethods(["apply"])],
        "learning_rate": [_AUTO, Interval(Real, 0, None, closed="neither")],
        "scale_learning_rate_factor": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [_AUTO, Interval(Real, 0, None, closed="left")],
        "epochs": [_AUTO, Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        # Checked where Keras is imported.
        "callbacks": "no_validation",
        "warm_start": ["boolean"],
        "cv": ["cv_object"],
        "regularization_path": [_AUTO, "array-like"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        normalization: Any,
        center: bool,
        scale_initializer: KerasOption,
        scale_regularizer: KerasOption | None,
        scale_constraint: KerasOption | None,
        center_initializer: KerasOption,
        center_regularizer: KerasOption | None,
        center_constraint: KerasOption | None,
        hidden_layer_sizes: Sequence[int] | int,
        activation: KerasOption,
        use_bias: bool,
        kernel_initializer: KerasOption,
        bias_initializer: KerasOption,
        kernel_regularizer: KerasOption | None,
        kernel_constraint: KerasOption | None,
        dropout: float,
        hidden_layer: str | Callable[..., Any],
        network: Callable[..., Any] | dict[str, Any] | None,
        network_params: dict[str, Any] | None,
        loss: KerasOption,
        optimizer: KerasOption,
        learning_rate: float | Literal["auto"],
        scale_learning_rate_factor: float,
        weight_decay: float | Literal["auto"],
        epochs: int | Literal["auto"],
        batch_size: int,
        dtype: Literal["auto", "float32", "float64"],
        early_stopping: bool,
        validation_fraction: float,
        n_iter_no_change: int,
        callbacks: Any,
        warm_start: bool,
        cv: Any,
        regularization_path: Any,
        random_state: int | np.random.RandomState | None,
        verbose: int,
    ) -> None:
        self.normalization = normalization
        self.center = center
        self.scale_initializer = scale_initializer
        self.scale_regularizer = scale_regularizer
        self.scale_constraint = scale_constraint
        self.center_initializer = center_initializer
        self.center_regularizer = center_regularizer
        self.center_constraint = center_constraint
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.kernel_constraint = kernel_constraint
        self.dropout = dropout
        self.hidden_layer = hidden_layer
        self.network = network
        self.network_params = network_params
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.scale_learning_rate_factor = scale_learning_rate_factor
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.dtype = dtype
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.cv = cv
        self.regularization_path = regularization_path
        self.random_state = random_state
        self.verbose = verbose

    def _validate_params(self) -> None:
        """Add to scikit-learn's message the name that was probably meant."""
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            message = str(error)
            for name, constraints in self._parameter_constraints.items():
                value = getattr(self, name)
                if isinstance(value, str) and f"{name!r} parameter" in message:
                    allowed = [c.options for c in constraints if isinstance(c, StrOptions)]
                    meant = closest(value, set().union(*allowed))
                    message += f" Did you mean {meant!r}?" if meant else ""
            raise InvalidParameterError(message) from None

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether a fit has ended, not just begun."""
        return hasattr(self, "scale_")

    def _check_sample_weight(
        self, sample_weight: ArrayLike | None, X: np.ndarray, n_needed: int = 2
    ) -> np.ndarray:
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        with np.errstate(over="ignore"):
            total = float(weights.sum())
        if not np.isfinite(total):
            raise ValueError(
                f"sample_weight adds up to more than float64 holds (the largest is "
                f"{weights.max():.3g}). Divide it by its mean: only ratios of weights matter."
            )
        n_used = int(np.count_nonzero(weights))
        if n_used < n_needed:
            raise ValueError(
                f"sample_weight is positive for {n_used} of {len(X)} samples, but at least "
                f"{n_needed} of positive weight are needed."
            )
        return weights

    def _check_rows(self, X: ArrayLike) -> np.ndarray:
        """Validate rows to predict for or to transform."""
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=False)

    def _fit(
        self,
        X: np.ndarray,
        goal: Goal,
        sample_weight: np.ndarray,
        groups: Any,
        random: np.random.RandomState,
        *,
        task: SklearnCallbackAdapter | None = None,
        attributes: Callable[[Ensemble, Sequence[Fold]], dict[str, Any]],
    ) -> FitResult:
        """Train on validated data and keep what every estimator shows of it.

        `attributes` gives what else there is to show of an ensemble; `task` hears of the progress.
        """
        present = self._present()
        reports: list[Report] = []
        if self.verbose:
            reports.append(ProgressLines(type(self).__name__))
        observe: Observe | None = None
        if task is not None and self.scale_regularizer == "auto":
            reports.append(task.report)
        elif task is not None:
            heard = task

            def observe(build: Callable[[Weights], Ensemble], folds: Sequence[Fold]) -> Callback:
                return heard.observer(lambda weights: attributes(build(weights), folds))

        fitted = fit(
            self.get_params(deep=False),
            X,
            goal,
            sample_weight,
            groups=groups,
            feature_names=getattr(self, "feature_names_in_", None),
            random=random,
            present=present,
            reports=reports,
            observe=observe,
        )
        earlier = self.history_ if present is not None else {}
        self.history_ = {k: [*earlier.get(k, []), *v] for k, v in fitted.history.items()}
        self.n_iter_ = fitted.past.n_epochs
        self.__dict__.update(attributes(fitted.ensemble, fitted.folds))
        self._past = fitted.past
        self.n_outputs_ = goal.targets.shape[1]
        if fitted.path is not None:
            self.path_ = fitted.path
        elif present is None:
            # A second fit with a fixed strength leaves nothing of an earlier path.
            self.__dict__.pop("path_", None)
        self.__dict__.pop("_stream", None)
        if task is not None:
            task.end(vars(self))
        return fitted

    def _present(self) -> tuple[Ensemble, WarmStartState] | None:
        """Return the networks that `fit` goes on with under `warm_start`."""
        if not self.warm_start or not hasattr(self, "_ensemble"):
            return None
        if not hasattr(self, "_stream") and self._past.is_null:
            return None
        if hasattr(self, "_stream"):
            raise ValueError(
                "warm_start=True goes on with the networks of a fit, but the present ones come "
                "from partial_fit. Go on with partial_fit, or set warm_start=False."
            )
        return self._ensemble, self._past

    def _fit_chunk(
        self,
        X: np.ndarray,
        goal: Goal,
        sample_weight: np.ndarray,
        random: np.random.RandomState,
        *,
        attributes: Callable[[Ensemble, Sequence[Fold]], dict[str, Any]],
    ) -> None:
        """Learn one chunk and keep what every estimator shows of it, as `_fit` does."""
        is_first, present = not hasattr(self, "_ensemble"), None
        if not is_first:
            present = getattr(self, "_stream", None)
            if present is None and not self._past.is_null:
                present = self._ensemble, self._past
        stream = partial_fit(
            self.get_params(deep=False),
            X,
            goal,
            sample_weight,
            present=present,
            feature_names=getattr(self, "feature_names_in_", None),
            random=random,
            report=ProgressLines(type(self).__name__) if self.verbose else None,
        )
        if is_first:
            self.history_, self.n_iter_ = {"loss": []}, 0
        self.history_["loss"].append(stream.loss)
        self.n_iter_ += 1
        # Every network has learned the whole chunk, and nothing is held out.
        fold = Fold(np.flatnonzero(sample_weight), np.empty(0, int))
        folds = [fold] * len(stream.ensemble.members)
        self.__dict__.update(attributes(stream.ensemble, folds))
        self._stream = stream
        self.n_outputs_ = goal.targets.shape[1]
        if stream.competes:
            self.path_ = stream.path

    def _fit_task(self, X: Any, y: Any, sample_weight: Any) -> SklearnCallbackAdapter | None:
        """Return what scikit-learn's callbacks hear of, where there are any.

        They see everything as it was given: a scorer asks for the names of the features again.
        """
        if not has_callbacks(self):
            return None
        return SklearnCallbackAdapter(
            self, X, y, None if sample_weight is None else {"sample_weight": sample_weight}
        )

    def _random(self) -> np.random.RandomState:
        return check_random_state(self.random_state)

    def __getstate__(self) -> dict[str, Any]:
        """Return a state that loads without Keras: Keras parameters become their configs."""
        state = super().__getstate__()
        if sys.modules.get("keras") is None:
            return state
        plain = {name: _plain(name, state[name]) for name in FAMILIES if name in state}
        is_live = not isinstance(self.callbacks, PickledCallbacks | None)
        if is_live and self.__sklearn_is_fitted__():
            plain["callbacks"] = PickledCallbacks(self.callbacks)
        return {**state, **plain, **plain_layers(state)}

    def _keras_objects(self) -> dict[str, Any]:
        """Parameters that are no plain values.

        Keras copies its objects by saving and loading them, and loses settings such as the delta
        of Huber on the way. Nothing changes these objects here, so that copies may share them.
        """
        names = (*FAMILIES, "hidden_layer", "network")
        values = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return {k: v for k, v in values.items() if not (v is None or isinstance(v, str | dict))}

    def __sklearn_clone__(self) -> Self:
        """Clone, and keep the very Keras objects."""
        kept, bare = self._keras_objects(), copy.copy(self)
        bare.__dict__.update(dict.fromkeys(kept))
        cloned: Self = BaseEstimator.__sklearn_clone__(bare)
        return cloned.set_params(**kept)

    def __copy__(self) -> Self:
        """Copy within the process, where Keras parameters stay what they are."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy within the process, where Keras parameters stay what they are."""
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        memo.update({id(value): value for value in self._keras_objects().values()})
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied


def _plain(name: str, value: Any) -> Any:
    if value is None or isinstance(value, str | dict):
        return value
    try:
        return keras_config(FAMILIES[name], value, parameter=name)
    except ValueError:
        # Not Keras' to save: pickle itself decides about a callable of the user's own.
        return value
