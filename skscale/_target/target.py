"""What a network is trained for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skscale._inference.calibration import TemperatureScaledLogLoss
from skscale._keras.objects import KerasConfig


@dataclass(frozen=True)
class Goal:
    """Targets and how they are learned.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_outputs)
        Normalized targets, or classes as numbers.
    loss : str or dict
        Keras loss where the parameter is "auto".
    output_activation : str or dict
        Keras activation of the output.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), or None
        Targets in raw units, for splitters that look at them.
    labels : ndarray of shape (n_samples,) or None
        Classes to stratify folds by.
    classes : TemperatureScaledLogLoss or None
        Scores points of the path by classes, instead of by the loss.
    """

    targets: np.ndarray
    loss: KerasConfig = "mean_squared_error"
    output_activation: KerasConfig = "linear"
    y: np.ndarray | None = None
    labels: np.ndarray | None = None
    classes: TemperatureScaledLogLoss | None = None
