"""What the estimators share: validation, and the order of events of `fit` and `partial_fit`."""

from __future__ import annotations

import copy
import functools
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from numbers import Real
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import Tags, check_array
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import (
    _check_n_features,
    check_consistent_length,
    validate_data,
)

from skscale._callbacks.progress import ProgressLines, print_choice
from skscale._callbacks.sklearn_callbacks import (
    CallbackSupportMixin,
    SklearnCallbackAdapter,
    has_callbacks,
)
from skscale._errors import hint
from skscale._fitting.fit import fit
from skscale._fitting.held_out import HeldOutRows, are_given, named
from skscale._fitting.partial_fit import partial_fit
from skscale._fitting.state import FitResult, FittedModel, PartialFitState, WarmStartState
from skscale._fitting.training_set import TrainingSet
from skscale._inference.ensemble import Ensemble
from skscale._keras.options import keras_config
from skscale._keras.training_process import obstacle
from skscale._limits import FLOAT32_MAX
from skscale._network.from_parameters import activation_config
from skscale._normalization.sample_weight import cover_zero_weights
from skscale._numeric_input import (
    advice_on_gaps,
    explain_labels,
    explain_table,
    read_weights,
    refuse_dates,
    refuse_lazy_tables,
)
from skscale._parameters import (
    CONSTRAINTS,
    KERAS_FAMILIES,
    LearnedScaleParameters,
    is_auto,
    shared_parameters,
)
from skscale._pickling import KerasPicklingMixin
from skscale._repr import ReprMixin
from skscale._selection.folds import Fold
from skscale._target.target import Target, TargetEncoding
from skscale._training.interrupts import interrupts_put_off

Method = TypeVar("Method", bound=Callable[..., Any])


# What NumPy says where it finds text, or objects, in place of numbers.
_NO_NUMBERS = ("could not convert string", "setting an array element with a sequence")
# Fitted attributes of a path, which no other fit leaves.
_HELD_OUT = ("held_out_prediction_", "held_out_rmse_")


def fits(method: Method) -> Method:
    """Check the parameters before a method fits, and leave the estimator as it was if it fails."""
    # Around scikit-learn's decorator, whose callbacks look at an estimator that has failed.
    checked: Any = _fit_context(prefer_skip_nested_validation=True)(method)

    @functools.wraps(method)
    def fit_or_change_nothing(self: Any, *arguments: Any, **settings: Any) -> Any:
        before = dict(vars(self))
        try:
            return checked(self, *arguments, **settings)
        except BaseException as error:
            has_learned = self.__dict__.get("_ensemble") is not before.get("_ensemble")
            if not (isinstance(error, KeyboardInterrupt) and has_learned):
                self.__dict__.clear()
                self.__dict__.update(before)
            raise

    return cast("Method", fit_or_change_nothing)


class BaseLearnedScale(
    KerasPicklingMixin, ReprMixin, CallbackSupportMixin, BaseEstimator, LearnedScaleParameters
):
    """Parameters, validation and state of the estimators; use one of its subclasses."""

    # Fitted attributes that an estimator reads back itself.
    history_: dict[str, list[float]]
    callbacks_: Sequence[Any]
    _ensemble: Ensemble
    _warm_start_state: WarmStartState
    _partial_fit_state: PartialFitState

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS
    # Whether NaN in X stands for a value that is not there.
    _allows_nan: ClassVar[bool] = False

    def _validate_params(self) -> None:
        """Check each parameter as scikit-learn does, and add the name that was probably meant."""
        defaults = {field.name: field.default for field in fields(self)}
        for name, constraints in self._parameter_constraints.items():
            value = getattr(self, name)
            if value is defaults[name]:
                continue
            intervals = [c for c in constraints if isinstance(c, Interval)]
            if isinstance(value, bool) and (intervals or "random_state" in constraints):
                raise InvalidParameterError(
                    f"{name}={value!r} is a truth value, but a number is needed."
                )
            try:
                validate_parameter_constraints(
                    {name: constraints}, {name: value}, caller_name=type(self).__name__
                )
            except InvalidParameterError as error:
                allowed = [c.options for c in constraints if isinstance(c, StrOptions)]
                meant = hint(value, set().union(*allowed)) if isinstance(value, str) else ""
                raise InvalidParameterError(f"{error} {meant}".rstrip()) from None
            is_real = isinstance(value, Real) and any(c.type is Real for c in intervals)
            if is_real and value > FLOAT32_MAX:
                raise InvalidParameterError(
                    f"{name}={value!r} is more than float32 holds, in which networks may be "
                    f"trained. Give at most {FLOAT32_MAX:.2g}."
                )
        self._check_keras_options()

    def _check_keras_options(self) -> None:
        """Refuse what Keras does not know before anything else is said; defaults need no Keras."""
        if obstacle() is not None:
            # What needs Keras will say so; some of it may not.
            return
        defaults = {field.name: field.default for field in fields(self)}
        for name, family in KERAS_FAMILIES.items():
            value = getattr(self, name, None)
            if value is None or is_auto(value) or value is defaults[name]:
                continue
            if family == "activations":
                activation_config(value, name)
            else:
                keras_config(family, value, parameter=name)

    def __sklearn_tags__(self) -> Tags:
        """Return the tags that the estimators share."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allows_nan
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether a fit has ended, not just begun."""
        return hasattr(self, "scale_")

    def _validate_sample_weight(
        self, sample_weight: ArrayLike | None, X: Any, n_needed: int = 2
    ) -> np.ndarray:
        weights = read_weights(sample_weight, X)
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
                f"sample_weight is positive for {n_used} of {X.shape[0]} samples, but at least "
                f"{n_needed} of positive weight are needed."
            )
        return weights

    def _validate_data(
        self, X: Any, y: Any = "no_validation", *, has_names: bool = True, **settings: Any
    ) -> Any:
        """Validate rows, and targets that are numbers; say what to do where it is not clear.

        Takes and returns what scikit-learn's `validate_data` does. Rows that do not have the names
        of the features, as they are no features, are asked for none.
        """
        refuse_lazy_tables(X=X, y=y)
        refuse_dates(X)
        settings["ensure_all_finite"] = "allow-nan" if self._allows_nan else True
        settings |= {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
        try:
            validate = validate_data if has_names else _validate_nameless
            # It looks for infinity by a sum, which numbers near the largest spoil.
            with np.errstate(over="ignore", invalid="ignore"):
                data = validate(self, X, y, **settings)
            if settings.get("y_numeric"):
                # scikit-learn leaves arrays of strings as they are.
                np.asarray(data[1], np.float64)
            return data
        except (TypeError, ValueError) as error:
            if "Input X contains NaN" in str(error):
                name = type(self).__name__
                raise ValueError(f"{error}\n{advice_on_gaps(name)}") from None
            if isinstance(error, ValueError) and not any(t in str(error) for t in _NO_NUMBERS):
                raise
            text = explain_table(X)
            if text is None and settings.get("y_numeric"):
                text = explain_labels(y)
            if text is None:
                raise
            kind = ValueError if isinstance(error, ValueError) else TypeError
            raise kind(text) from None

    def _validate_rows(self, X: ArrayLike, *, has_names: bool = True) -> Any:
        """Validate rows to predict for or to transform, dense or sparse CSR."""
        return self._validate_data(X, reset=False, has_names=has_names)

    def _validate_held_out(
        self,
        X_val: Any,
        y_val: Any,
        sample_weight_val: ArrayLike | None,
        *,
        has_y: bool = True,
        groups: Any = None,
        **settings: Any,
    ) -> HeldOutRows | None:
        """Validate rows to hold out as those to learn from, whose features are known by now.

        The settings are those of `_validate_data` for targets that it is to validate too.
        """
        if not are_given(X_val, y_val, sample_weight_val, has_y=has_y, groups=groups):
            return None
        with named("X_val and y_val" if has_y else "X_val"):
            refuse_lazy_tables(y=y_val)
            if settings:
                rows, y_val = self._validate_data(X_val, y_val, reset=False, **settings)
            else:
                rows = self._validate_data(X_val, reset=False)
                check_consistent_length(X_val, y_val)
        with named("sample_weight_val"):
            weights = self._validate_sample_weight(sample_weight_val, rows, n_needed=1)
        return HeldOutRows(cover_zero_weights(rows, weights), y_val, weights)

    @abstractmethod
    def _fitted_attributes(
        self, data: TrainingSet, ensemble: Ensemble, folds: Sequence[Fold]
    ) -> dict[str, Any]:
        """Return fitted attributes of an estimator with these networks, trained on these folds."""

    @abstractmethod
    def _encode_as(
        self, encoding: TargetEncoding, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray
    ) -> Target:
        """Return validated targets of some rows, read as all others are."""

    def _held_out_attributes(
        self, data: TrainingSet, ensemble: Ensemble, held_out: Sequence[np.ndarray]
    ) -> dict[str, Any]:
        """Return what held-out rows of each network show, by the names in `_HELD_OUT`."""
        return {}

    def _fit(
        self,
        data: TrainingSet,
        groups: Any,
        random: np.random.RandomState,
        callbacks: SklearnCallbackAdapter | None,
        **own: Any,
    ) -> None:
        """Train on validated data, and keep what every estimator shows of it and its `own`."""
        previous = self._previous_model()
        with interrupts_put_off() as stopping:
            result = fit(
                shared_parameters(self),
                data,
                random=random,
                groups=groups,
                feature_names=getattr(self, "feature_names_in_", None),
                previous=previous,
                on_progress=[ProgressLines(type(self).__name__)] if self.verbose else [],
                sklearn_callbacks=callbacks,
                fitted_attributes=functools.partial(self._fitted_attributes, data),
                stopping=stopping,
            )
            self._keep_result(data, result, goes_on=previous is not None, **own)
            if callbacks is not None:
                callbacks.on_fit_end(vars(self))

    def _keep_result(
        self, data: TrainingSet, result: FitResult, *, goes_on: bool = False, **own: Any
    ) -> None:
        """Show what a fit has left, which may have gone on with earlier networks."""
        earlier = self.history_ if goes_on else {}
        shown = {
            "history_": {k: [*earlier.get(k, []), *v] for k, v in result.history.items()},
            "n_iter_": result.state.n_epochs,
            "n_outputs_": data.target.n_outputs,
            "_warm_start_state": result.state,
            **self._fitted_attributes(data, result.ensemble, result.folds),
            **own,
        }
        if self.callbacks:
            shown["callbacks_"] = result.keras_callbacks
        if result.path is not None:
            shown["path_"] = result.path
        # A second fit with a fixed strength leaves nothing of an earlier path.
        old = ["callbacks_", "_partial_fit_state", "_running_moments"]
        self._keep(shown, instead_of=old if goes_on else [*old, "path_"])
        if result.held_out:
            self._keep(self._held_out_attributes(data, result.ensemble, result.held_out))
        if self.verbose and result.path is not None:
            is_null, n = result.state.trained is not None, len(result.ensemble.members)
            print_choice(type(self).__name__, result.path, n, is_null=is_null)

    def _keep(self, shown: Mapping[str, Any], instead_of: Sequence[str] = ()) -> None:
        """Show what a training has left, all at once, in place of what an earlier one had."""
        # What was held out then has been learned by now, or other networks predict.
        for name in (*_HELD_OUT, *instead_of):
            self.__dict__.pop(name, None)
        self.__dict__.update(shown)

    def _previous_model(self) -> FittedModel | None:
        """Return the networks that `fit` goes on with under `warm_start`."""
        if not self.warm_start or not hasattr(self, "_ensemble"):
            return None
        if hasattr(self, "_partial_fit_state"):
            raise ValueError(
                "warm_start=True goes on with the networks of a fit, but the present ones come "
                "from partial_fit. Go on with partial_fit, or set warm_start=False."
            )
        return self._fitted_model()

    def _fitted_model(self) -> FittedModel | None:
        """Return the networks of the last fit, unless they are of no use to another."""
        state = self._warm_start_state
        if state.has_diverged:
            return None
        return FittedModel(state.trained or self._ensemble, state)

    def _partial_fit(self, data: TrainingSet, **own: Any) -> None:
        """Learn one chunk, and keep what every estimator shows of it, as `_fit` does."""
        is_first = not hasattr(self, "_ensemble")
        state: PartialFitState | None = getattr(self, "_partial_fit_state", None)
        seed, previous = 0, None
        if state is None:
            seed = int(data.random.randint(2**31 - 1))
            if not is_first:
                previous, fitted = self._warm_start_state.trained, self._fitted_model()
                if fitted is not None:
                    state = PartialFitState.from_fit(fitted, seed)
        with interrupts_put_off() as stopping:
            state = partial_fit(
                shared_parameters(self),
                data,
                seed=seed,
                state=state,
                previous=previous,
                feature_names=getattr(self, "feature_names_in_", None),
                on_progress=ProgressLines(type(self).__name__) if self.verbose else None,
                stopping=stopping,
            )
            earlier = {"loss": []} if is_first else self.history_
            # Every network has learned the whole chunk, and nothing is held out.
            fold = Fold(np.flatnonzero(data.sample_weight), np.empty(0, int))
            folds = [fold] * len(state.ensemble.members)
            shown = {
                "history_": {**earlier, "loss": [*earlier["loss"], state.loss]},
                "n_iter_": 1 if is_first else self.n_iter_ + 1,
                "n_outputs_": data.target.n_outputs,
                "_partial_fit_state": state,
                **self._fitted_attributes(data, state.ensemble, folds),
                **own,
            }
            if state.has_path:
                shown["path_"] = state.path
            self._keep(shown)

    def _sklearn_callbacks(
        self, X: Any, y: Any, sample_weight: Any
    ) -> SklearnCallbackAdapter | None:
        """Return what calls scikit-learn's callbacks, where there are any.

        They see everything as it was given: a scorer asks for the names of the features again.
        """
        if not has_callbacks(self):
            return None
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        return SklearnCallbackAdapter(self, X, y, metadata)


def _validate_nameless(estimator: Any, X: Any, _y: Any, *, reset: bool, **settings: Any) -> Any:
    """Validate rows as `validate_data` does, but not the names of their columns."""
    rows = check_array(X, estimator=estimator, input_name="X", **settings)
    _check_n_features(estimator, rows, reset=reset)
    return rows


def copy_random_state(random: np.random.RandomState) -> np.random.RandomState:
    """Return a generator that draws what this one is about to draw."""
    return copy.deepcopy(random)
