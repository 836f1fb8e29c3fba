"""What the estimators share: parameters, validation, and a state without Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils.validation import _check_sample_weight, validate_data

from skscale._callbacks.callback import Callback, Weights
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
from skscale._normalization.affine import AffineMap
from skscale._parameters import CONSTRAINTS, LearnedScaleParameters
from skscale._pickling import KerasPicklingMixin
from skscale._selection.folds import Fold
from skscale._target.target import Goal

Fit = TypeVar("Fit", bound=Callable[..., Any])


def checks_parameters(fit: Fit) -> Fit:
    """Check the parameters before a method fits, and keep its type, which scikit-learn's loses."""
    return cast("Fit", _fit_context(prefer_skip_nested_validation=True)(fit))


class BaseLearnedScale(
    KerasPicklingMixin, CallbackSupportMixin, BaseEstimator, LearnedScaleParameters
):
    """Parameters, validation and state of the estimators; use one of its subclasses."""

    # Fitted attributes that an estimator reads back itself.
    history_: dict[str, list[float]]
    _ensemble: Ensemble
    _past: WarmStartState
    _target_map: AffineMap

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS

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
        fold = np.flatnonzero(sample_weight), np.empty(0, int)
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
