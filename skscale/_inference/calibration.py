"""From outputs of networks to class probabilities that mean what they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

# Beyond it probabilities are even for all purposes.
_MAX_TEMPERATURE = 100.0


@dataclass(frozen=True)
class TemperatureScaledLogLoss:
    """Compares points of the path by the cross-entropy of their calibrated probabilities.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Class of every row of the table.
    from_logits : bool
        Whether the outputs are logits or probabilities.
    """

    codes: np.ndarray
    from_logits: bool

    def losses(
        self, outputs: Sequence[np.ndarray], rows: Sequence[np.ndarray], weights: np.ndarray
    ) -> tuple[list[np.ndarray], float]:
        """Calibrate all folds together, and score each held-out row.

        Parameters
        ----------
        outputs : sequence of ndarray of shape (n_held_out, n_outputs)
            Outputs of the network of each fold on its held-out rows.
        rows : sequence of ndarray of shape (n_held_out,)
            Numbers of those rows.
        weights : ndarray of shape (n_samples,)
            Weights of all rows.

        Returns
        -------
        losses : list of ndarray of shape (n_held_out,)
            Cross-entropy of each row after temperature scaling, in nats.
        temperature : float
            The temperature.
        """
        pooled = np.concatenate(rows)
        values = np.concatenate(outputs).astype(np.float64)
        # Outputs that overflow give NaN here, with which no point can win.
        with np.errstate(invalid="ignore"):
            log_p = log_probabilities(values, from_logits=self.from_logits)
        codes = self.codes[pooled]
        temperature = fit_temperature(log_p, codes, weights[pooled])
        losses = -np.take_along_axis(tempered(log_p, temperature), codes[:, np.newaxis], 1)[:, 0]
        return np.split(losses, np.cumsum([len(part) for part in rows])[:-1]), temperature


def log_probabilities(outputs: np.ndarray, *, from_logits: bool) -> np.ndarray:
    """Return the logarithms of the probabilities that the outputs of a network stand for.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, n_outputs)
        One output for two classes, otherwise one for each class.
    from_logits : bool
        Whether they are logits, or probabilities after a sigmoid or softmax.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
        In the dtype of the outputs.
    """
    if from_logits:
        if outputs.shape[1] > 1:
            return log_softmax(outputs, axis=1)
        return -np.logaddexp(0, np.concatenate([outputs, -outputs], axis=1))
    if outputs.shape[1] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    # A saturated output is known to rounding, and is no proof.
    log_p = np.log(np.maximum(outputs, np.finfo(outputs.dtype).eps))
    return log_softmax(log_p, axis=1)


def tempered(log_p: np.ndarray, temperature: float) -> np.ndarray:
    """Divide logits by a temperature: probabilities move towards even ones, and keep their order.

    Parameters
    ----------
    log_p : ndarray of shape (n_rows, n_classes)
        Logarithms of probabilities, which are logits too.
    temperature : float
        At least 1.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
        Logarithms of probabilities.
    """
    return log_p if temperature == 1.0 else log_softmax(log_p / temperature, axis=1)


def fit_temperature(log_p: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> float:
    """Find the temperature of least weighted cross-entropy (Guo et al. 2017, arXiv:1706.04599).

    It is at least 1: networks are softened and never sharpened. Where all held-out rows are
    right, the cross-entropy of ever sharper probabilities would fall without end.

    Parameters
    ----------
    log_p : ndarray of float64 of shape (n_rows, n_classes)
        Logarithms of probabilities on held-out rows.
    codes : ndarray of int of shape (n_rows,)
        Their classes.
    weights : ndarray of shape (n_rows,)
        Their weights, not all zero.

    Returns
    -------
    temperature : float
        From 1 to 100.
    """
    if not np.isfinite(log_p).all():
        return 1.0
    weights = weights / weights.sum()
    target = weights @ np.take_along_axis(log_p, codes[:, np.newaxis], 1)[:, 0]

    def slope(inverse: float) -> float:
        # Derivative of the cross-entropy by the inverse temperature, in which it is convex.
        expected = (softmax(inverse * log_p, axis=1) * log_p).sum(axis=1)
        return float(weights @ expected - target)

    if slope(1.0) <= 0:
        return 1.0
    if slope(1 / _MAX_TEMPERATURE) >= 0:
        return _MAX_TEMPERATURE
    # To rounding, so that a row given twice and a weight of two give the same probabilities.
    return 1 / float(brentq(slope, 1 / _MAX_TEMPERATURE, 1.0, xtol=1e-15, rtol=1e-15))


def average_log_probabilities(
    outputs: Iterable[np.ndarray], *, from_logits: bool, temperature: float
) -> np.ndarray:
    """Logarithms of the mean probabilities of several networks, exact where they are tiny.

    Parameters
    ----------
    outputs : iterable of ndarray of shape (n_rows, n_outputs)
        Outputs of one network after the other.
    from_logits : bool
        Whether they are logits or probabilities.
    temperature : float
        Temperature of each network.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
        In the dtype of the outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from skscale._inference.calibration import average_log_probabilities
    >>> logits = [np.array([[0.0]]), np.array([[-1000.0]])]
    >>> average_log_probabilities(logits, from_logits=True, temperature=1.0).round(2)
    array([[-0.29, -1.39]])
    """
    n_networks, total = 0, None
    for output in outputs:
        log_p = tempered(log_probabilities(output, from_logits=from_logits), temperature)
        total = log_p if total is None else np.logaddexp(total, log_p)
        n_networks += 1
    if total is None:
        raise ValueError("There are no networks to average.")
    return total if n_networks == 1 else total - np.log(n_networks).astype(total.dtype)
