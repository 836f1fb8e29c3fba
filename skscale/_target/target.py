"""What a network learns: y as numbers, and how they are to be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from skscale._inference.calibration import TemperatureScaledLogLoss
from skscale._keras.objects import KerasConfig
from skscale._normalization.affine import AffineMap
from skscale._parameters import KerasOption
from skscale._target.target_type import DEFAULT_LOSSES


@dataclass(frozen=True)
class TargetEncoding:
    """How y becomes numbers; a fit that goes on reads it the same way.

    Parameters
    ----------
    target_type : {"continuous", "binary", "multiclass"}
        What y is.
    classes : ndarray of shape (n_classes,) or None
        The labels in sorted order, None if continuous.
    target_map : AffineMap or None
        Normalization of continuous targets.
    """

    target_type: str = "continuous"
    classes: np.ndarray | None = None
    target_map: AffineMap | None = None

    @classmethod
    def from_classes(cls, classes: np.ndarray) -> TargetEncoding:
        """Return the encoding of sorted labels."""
        return cls("binary" if len(classes) == 2 else "multiclass", classes)


@dataclass(frozen=True)
class Target:
    """A target as a network is trained on it.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_samples, n_outputs)
        Normalized quantities; a column of 0 and 1 for two classes; one-hot rows for more.
    encoding : TargetEncoding
        How they are read.
    codes : ndarray of int of shape (n_samples,) or None
        Position of the label of each sample in the classes, None if continuous.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), or None
        Quantities in their own units, for splitters that look at them.
    output_activation : str, dict or callable
        Keras activation of the output.
    normalization : object
        The parameter `target_normalization`, for error messages.
    scorer : TemperatureScaledLogLoss or None
        Compares points of the path by classes, instead of by the loss.
    """

    values: np.ndarray
    encoding: TargetEncoding = field(default_factory=TargetEncoding)
    codes: np.ndarray | None = None
    y: np.ndarray | None = None
    output_activation: KerasOption = "linear"
    normalization: Any = None
    scorer: TemperatureScaledLogLoss | None = None

    @property
    def n_outputs(self) -> int:
        """Width of the output of the network."""
        return int(self.values.shape[1])

    @property
    def is_classification(self) -> bool:
        """Whether y holds classes."""
        return self.encoding.target_type != "continuous"

    @property
    def is_given(self) -> bool:
        """Whether there is a y, and not the features alone."""
        return self.y is not None or self.codes is not None

    @property
    def default_loss(self) -> KerasConfig:
        """Keras loss where the parameter is "auto", by name or config."""
        return DEFAULT_LOSSES[self.encoding.target_type]

    def followed_by(self, other: Target) -> Target:
        """Return this target with more samples behind its own, which were read in the same way."""
        codes, y = self.codes, self.y
        if codes is not None and other.codes is not None:
            codes = np.concatenate([codes, other.codes])
        if y is not None and other.y is not None:
            y = np.concatenate([y, other.y.reshape(-1, *y.shape[1:])])
        return replace(self, values=np.concatenate([self.values, other.values]), codes=codes, y=y)

    @property
    def votes(self) -> np.ndarray:
        """The values as neighbours vote on them: one column for each class, or each quantity."""
        if self.encoding.target_type == "binary":
            return np.concatenate([1 - self.values, self.values], axis=1)
        return self.values
