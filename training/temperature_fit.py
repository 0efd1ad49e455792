"""The temperature at which a model is as sure as it is right: the least negative log-likelihood on held-out windows.

Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017). The loss is convex in 1 / temperature, so the
smallest is where its derivative is zero, which bisection finds to the last digit on every machine.
"""

from __future__ import annotations

import numpy as np

LOW, HIGH = 0.05, 20.0
"""Temperatures looked at. A model beyond them is not miscalibrated but broken."""
SMALLEST = float(np.finfo(np.float32).tiny)
STEPS = 60


def logits_of(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns logits (N, K) that give these probabilities at this temperature, up to a constant in each row."""
    return temperature * np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Returns (N, K) probabilities of logits (N, K) at a temperature."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def nll(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray, temperature: float) -> float:
    """Returns the weighted mean negative log-likelihood of the true labels (N,)."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    loss = np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]
    return float(np.average(loss, weights=weights))


def fitted(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Returns the temperature from ``LOW`` to ``HIGH`` with the least loss.

    Args:
        logits: (N, K).
        labels: (N,) true classes.
        weights: (N,) of the windows.
    """
    true = logits[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        """Of the loss over 1 / temperature: mean expected logit less the true one; rises with 1 / temperature."""
        expected = (softmax(logits, 1 / inverse) * logits).sum(axis=1)
        return float(np.average(expected - true, weights=weights))

    low, high = 1 / HIGH, 1 / LOW
    if slope(low) >= 0:
        return HIGH
    if slope(high) <= 0:
        return LOW
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)
